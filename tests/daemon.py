"""sandboxd as the process that it is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Self

from app.sandbox.client import SandboxdClient
from tests.product import TOP, share_images


class SandboxdProcess:
    """`python -m app.sandbox.daemon` on a home of its own.

    Attributes:
        output: what it has said so far.
    """

    def __init__(self, home: Path, exercises: Path, engine: str = "embedded", **settings: str) -> None:
        self.home, self.output = home, ""
        mine = {
            "SOTY_HOME": str(home),
            "SOTY_EXERCISES_DIR": str(exercises),
            "SOTY_ENGINE": engine,
            "SOTY_TESTING": "1",
            "SOTY_LIVE_PORT": "8001",
        }
        self._environment = {**os.environ, **mine, **settings}

    def start(self) -> None:
        """Start it; returns when it is ready, or when it has ended."""
        share_images(self.home)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "app.sandbox.daemon"], cwd=TOP, env=self._environment, stderr=subprocess.PIPE, text=True
        )
        ready = threading.Event()

        def read() -> None:
            assert self.process.stderr
            for line in self.process.stderr:
                self.output += line
                if "sandboxd is ready" in line:
                    ready.set()
            ready.set()

        self._reader = threading.Thread(target=read, daemon=True)
        self._reader.start()
        assert ready.wait(20), self.output
        self.client = SandboxdClient(self.home / "sandboxd" / "control.sock")

    def end(self, number: int = signal.SIGTERM, within: float = 12.0) -> int:
        """Send a signal and wait; the exit code."""
        self.client.close()
        self.process.send_signal(number)
        code = self.process.wait(within)
        self._reader.join(5)
        return code

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.end()
