"""The whole product as a person starts it, for tests: `with Product(home) as soty: soty.url …`."""

from __future__ import annotations

import os
import pwd
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx

TOP = Path(__file__).resolve().parent.parent
TEST_HOME = Path(os.environ.get("SOTY_TEST_HOME", TOP / "var" / "test"))


def free_port() -> int:
    """A TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(what: str, probe: Any, within: float = 30.0, every: float = 0.05) -> Any:
    """Poll `probe()` until it returns something true; its value. Raises AssertionError naming `what` and the last value."""
    deadline, last = time.monotonic() + within, None
    while time.monotonic() < deadline:
        try:
            last = probe()
            if last:
                return last
        except (httpx.HTTPError, OSError) as error:
            last = error
        time.sleep(every)
    raise AssertionError(f"{what}: not within {within} s; last: {last!r}")


def share_images(home: Path) -> None:
    """Let `home` use the images that the test run has built (built once for all tests)."""
    images = TEST_HOME / "images"
    images.mkdir(parents=True, exist_ok=True)
    home.mkdir(parents=True, exist_ok=True)
    link = home / "images"
    if not link.exists():
        link.symlink_to(images)


class Product:
    """`./run` without the set-up: the launcher, the supervisor and its four processes, on free ports.

    Args:
        account: whose processes they are, when root runs the tests; `home` must be theirs.

    Attributes:
        url, live_url: origins.
        admin_password: the one-time password that the launcher printed (first start only).
        output: everything that it printed so far.
    """

    def __init__(self, home: Path, *, account: str | None = None, **settings: str) -> None:
        self.home, self.account = home, account
        self.port, self.live_port = free_port(), free_port()
        self.url, self.live_url = f"http://127.0.0.1:{self.port}", f"http://live.localhost:{self.live_port}"
        self.settings = settings
        self.admin_password = ""
        self.output: list[str] = []
        self._lines: queue.Queue[str] = queue.Queue()
        self.process: subprocess.Popen[str] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Environment for the product and for `./soty` commands against it."""
        mine = {
            "SOTY_HOME": str(self.home),
            "SOTY_PORT": str(self.port),
            "SOTY_LIVE_PORT": str(self.live_port),
            "SOTY_TESTING": "1",
        }
        return {**os.environ, **mine, **self.settings}

    @property
    def _person(self) -> dict[str, Any]:
        if self.account is None:
            return {}
        entry = pwd.getpwnam(self.account)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}

    def start(self, within: float = 60.0) -> None:
        """Start and wait for the announcement."""
        share_images(self.home)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "app.launch"], cwd=TOP, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, **self._person,
        )  # fmt: skip
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            try:
                line = self._lines.get(timeout=0.2)
            except queue.Empty:
                if self.process.poll() is not None:
                    break
                continue
            if found := re.search(r"One-time password: (\S+)", line):
                self.admin_password = found[1]
            if "Ctrl-C" in line:
                return
        self.stop()
        raise AssertionError("the product did not start:\n" + "".join(self.output[-60:]))

    def _read(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            self.output.append(line)
            self._lines.put(line)

    def pids(self, name: str) -> list[int]:
        """Process ids of `web`, `live`, `worker` or `sandboxd`, the oldest first (gunicorn's master for web)."""
        marks = {"web": "gunicorn", "live": "app.live", "worker": "app.worker", "sandboxd": "app.sandbox.daemon"}
        found = []
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                argv = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
                environ = (folder / "environ").read_bytes()
            except OSError:
                continue
            if marks[name] in argv and f"SOTY_HOME={self.home}".encode() in environ and "--user" not in argv:
                found.append(int(folder.name))
        return sorted(found)

    def kill(self, name: str) -> list[int]:
        """SIGKILL every process of that name; their ids."""
        pids = self.pids(name)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return pids

    def stop(self, within: float = 30.0) -> int:
        """What Ctrl-C does; the launcher's exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(within)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)

    def __enter__(self) -> Product:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def cli(self, *arguments: str, check: bool = True) -> str:
        """Run `./soty …` against this product; its standard output."""
        result = subprocess.run(
            [sys.executable, "-m", "app.cli", *arguments], cwd=TOP, env=self.environment, capture_output=True, text=True,
            timeout=120, check=False, **self._person,
        )  # fmt: skip
        if check and result.returncode != 0:
            raise AssertionError(f"soty {' '.join(arguments)} -> {result.returncode}\n{result.stdout}{result.stderr}")
        return result.stdout.strip()

    def api(self, token: str) -> httpx.Client:
        """A client of API v1 with a bearer token."""
        return httpx.Client(base_url=f"{self.url}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=10)
