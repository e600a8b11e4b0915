"""Entry of the `worker` process: `python -m app.worker [--slot N]`."""

from __future__ import annotations

import argparse
import signal
import sys

from app import log
from app.errors import PlatformError
from app.settings import load_settings
from app.wiring.worker import worker


def main() -> int:
    """Run jobs until SIGTERM or SIGINT; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m app.worker", description="Runs Soty's jobs.")
    parser.add_argument("--slot", type=int, default=0, help="number of this worker process on this machine")
    options = parser.parse_args()
    try:
        settings = load_settings()
        log.configure("worker", settings.log_level)
        with worker(settings, options.slot) as running:
            for name in (signal.SIGTERM, signal.SIGINT):
                signal.signal(name, lambda *_: running.stop())
            running.run()
    except PlatformError as error:
        print(f"{error.message} {error.cure or ''}".strip(), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
