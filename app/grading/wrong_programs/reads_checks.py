"""Looks for the checks, their expected values and the solution in everything that it can read, and answers with what it finds.

What it looks for is hidden in its own text, so that a find is a leak. It says each one as `soty-found PATH`.
"""

import contextlib
import os
import pathlib
import socket
import stat
import threading
import time
from collections.abc import Iterator
from typing import Any

GIVEN: dict[str, Any] = {}
NEEDLES = [bytes.fromhex(text) for text in GIVEN["needles"]]
PLACES = ("/member", "/given", "/workspace", "/data", "/tmp", "/run", "/var/tmp", "/var/lib", "/var/log", "/home", "/root",
          "/mnt", "/srv", "/dev/shm", "/checks", "/results", "/etc/hosts")  # fmt: skip
SECONDS, MOST = 6.0, 1 << 20
found: list[bytes] = []


def places() -> Iterator[pathlib.Path]:
    yield from (pathlib.Path(place) for place in PLACES)
    with contextlib.suppress(OSError):
        mounts = [line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
        yield from (pathlib.Path(mount) for mount in mounts if mount not in ("/", "/proc", "/sys", "/dev", "/usr"))
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        yield from (process / name for name in ("environ", "cmdline", "mountinfo"))
        yield from process.glob("fd/*")
        if process.name != str(os.getpid()):
            yield from (process / "root" / place.lstrip("/") for place in PLACES)
            yield process / "cwd"


def files(place: pathlib.Path) -> Iterator[pathlib.Path]:
    if place.is_dir():
        for folder, _, names in os.walk(place):
            yield from (pathlib.Path(folder) / name for name in names)
    elif place.is_file():
        yield place


def look() -> None:
    end, seen = time.monotonic() + SECONDS, set()
    for place in places():
        with contextlib.suppress(OSError):
            for path in files(place):
                if time.monotonic() > end:
                    return
                if "/data/gen/" in str(path):
                    continue  # made by `prepare` from the learner's own files
                with contextlib.suppress(OSError):
                    status = path.stat()
                    if (status.st_dev, status.st_ino) in seen and status.st_ino:
                        continue
                    seen.add((status.st_dev, status.st_ino))
                    if not stat.S_ISREG(status.st_mode):
                        continue  # a pipe or a terminal would wait for somebody
                    with path.open("rb") as file:
                        text = file.read(MOST)
                    if any(needle in text for needle in NEEDLES):
                        found.append(text)
                        print("soty-found", path, flush=True)


def serve(port: int) -> None:
    with contextlib.suppress(OSError), socket.create_server(("0.0.0.0", port)) as server:
        while True:
            client, _ = server.accept()
            with client, contextlib.suppress(OSError):
                client.settimeout(5.0)
                client.recv(65536)
                body = b"".join(found)[:65536]
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)


look()
for number in GIVEN["ports"]:
    threading.Thread(target=serve, args=(number,), daemon=True).start()
while True:
    time.sleep(3600)
