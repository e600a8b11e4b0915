"""`./soty backup FILE` and `./soty restore FILE`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from app.cli.said import say
from app.settings import Settings


def register(commands: Any) -> None:
    """Add the commands."""
    for name, run, text in (
        ("backup", _backup, "copy the database into a file, while Soty runs or not"),
        ("restore", _restore, "replace the database by a backup; everybody signs in anew"),
    ):
        parser = commands.add_parser(name, help=text)
        parser.add_argument("file", type=Path)
        parser.set_defaults(run=run)


def _backup(arguments: argparse.Namespace, settings: Settings) -> int:
    from app.backup import back_up

    target = settings.called_from / arguments.file
    back_up(settings, target)
    say(f"The database is in {target}.")
    return 0


def _restore(arguments: argparse.Namespace, settings: Settings) -> int:
    from app.backup import restore

    source = settings.called_from / arguments.file
    restore(settings, source)
    say("The database is restored; everybody signs in anew.")
    return 0
