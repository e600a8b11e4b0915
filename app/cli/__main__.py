"""Entry of `./soty`: `python -m app.cli COMMAND …`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from app import log
from app.cli.said import say_error
from app.errors import InvalidInput, NotFound, PlatformError, Unavailable
from app.settings import load_settings

#: modules of this package; each has `register(commands)` and sets `run(arguments, settings) -> exit code`
ROOMS = ("users", "content", "exercise", "sandbox", "doctor", "backup", "uninstall")
EXIT: tuple[tuple[type[PlatformError], int], ...] = ((Unavailable, 3), (NotFound, 4), (InvalidInput, 2))


def parser() -> argparse.ArgumentParser:
    """All commands."""
    top = argparse.ArgumentParser(
        prog="soty",
        description="Soty's command line. Results go to stdout, remarks to stderr; settings: docs/settings.md.",
        epilog="Exit codes: 0 fine, 1 refused or faults found, 2 bad input, 3 not reachable, 4 no such thing; "
        "`exercise grade`: 0 passed, 1 failed, 2 errored.",
    )
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for room in ROOMS:
        import_module(f"app.cli.{room}").register(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code (see the epilog of `./soty --help`)."""
    arguments = parser().parse_args(argv)
    log.configure("cli", "warning")
    try:
        return int(arguments.run(arguments, load_settings()))
    except PlatformError as error:
        say_error(error)
        return next((code for family, code in EXIT if isinstance(error, family)), 1)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
