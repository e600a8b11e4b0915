"""The builder's process: `python -m app.sandbox.images STORE DEFINITIONS [--mirror URL] [--owned] IMAGE…`.

It writes one JSON line per step. With `--owned` it lives as long as its standard input stays open: an owner that dies
takes it along, whatever it is doing.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path
from subprocess import SubprocessError

from app.errors import PlatformError
from app.sandbox.images.builder import Builder, builders_lock
from app.sandbox.images.definition import load_image, load_images
from app.sandbox.images.layout import Layout
from app.sandbox.images.progress import Progress, Step
from app.sandbox.images.sweeping import sweep


def _say(line: dict[str, object]) -> None:
    print(json.dumps(line), flush=True)


def _report(progress: Progress) -> None:
    _say({"image": progress.image, "step": progress.step, "done": progress.done, "total": progress.total})


def _die_with_owner() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.killpg(0, signal.SIGKILL)


def main() -> int:
    """Build the named images in order; return 0, or 1 after an `error` line."""
    parser = argparse.ArgumentParser(prog="python -m app.sandbox.images", description="Build images.")
    parser.add_argument("store", type=Path)
    parser.add_argument("definitions", type=Path)
    parser.add_argument("images", nargs="+")
    parser.add_argument("--mirror", default="")
    parser.add_argument("--owned", action="store_true", help="end, with everything started, when standard input closes")
    options = parser.parse_args()
    os.umask(0o022)
    if options.owned:
        threading.Thread(target=_die_with_owner, daemon=True).start()
    name = ""
    try:
        layout = Layout(options.store.absolute())
        builder = Builder(layout, options.mirror, _report)
        with builders_lock(layout, lambda: _report(Progress(options.images[0], Step.WAITING))):
            for name in options.images:
                builder.build(load_image(options.definitions / name))
                _report(Progress(name, Step.READY))
            sweep(layout, {layout.image(image) for image in load_images(options.definitions).values()})
    except PlatformError as error:
        _say({"image": name, "error": error.message, "code": error.code, "cure": error.cure or "", "details": error.details})
        return 1
    except (OSError, SubprocessError) as error:
        _say(
            {
                "image": name,
                "error": f"{type(error).__name__}: {error}",
                "code": "image-build-failed",
                "cure": "",
                "details": {},
            }
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
