"""Says everywhere that it has passed, in the words of the prober: on its output, in files, on sockets, to every neighbour."""

import contextlib
import pathlib
import socket
import sys
import threading
import time
from typing import Any

from app.grading.wrong_programs.doors import open_doors
from app.grading.wrong_programs.neighbours import answering, neighbours

GIVEN: dict[str, Any] = {}
FRAMES = GIVEN["frames"]
PLACES = (
    "/member/result.json", "/member/job.json", "/results/results.json", "/tmp/result.json", "/data/result.json",
    "/dev/shm/result", "/dev/console", "/dev/pts/0", "/proc/1/fd/0", "/proc/1/fd/1", "/proc/1/fd/2",
)  # fmt: skip
NAMES = ("soty", "prober", "sandboxd", "member", "control.sock", "results")
PORTS = (80, 5000, 8000, 8001, 8080, 9000, 50051)


def in_files() -> None:
    open_files = [str(path) for path in pathlib.Path("/proc").glob("[0-9]*/fd/[0-9]*")]
    for place in (*PLACES, *open_files):
        with contextlib.suppress(OSError), open(place, "w") as file:  # noqa: PTH123 - also what is not a file
            file.write(FRAMES)


def on_unix_sockets() -> None:
    """Abstract ones: all that this network knows, and some of our own for a prober that would look for one."""
    with contextlib.suppress(OSError):
        known = [line.split()[-1][1:] for line in pathlib.Path("/proc/net/unix").read_text().splitlines() if " @" in line]
        for name in (*known, *NAMES):
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, kind) as client:
                    client.settimeout(1.0)
                    client.connect(f"\0{name}")
                    client.sendall(FRAMES.encode())
    for name in NAMES:
        threading.Thread(target=listen, args=(f"\0{name}",), daemon=True).start()


def listen(name: str) -> None:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        server.listen()
        while True:
            client, _ = server.accept()
            with client, contextlib.suppress(OSError):
                client.sendall(FRAMES.encode())


def to_neighbours() -> None:
    hosts = neighbours()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as speaker:
        for host in hosts:
            for port in PORTS:
                with contextlib.suppress(OSError):
                    speaker.sendto(FRAMES.encode()[:1400], (host, port))
    for target, code in answering([(host, port) for host in hosts for port in PORTS]).items():
        if not code:
            with contextlib.suppress(OSError), socket.create_connection(target, 1.0) as client:
                client.sendall(FRAMES.encode())


doors = open_doors(GIVEN["ports"])
for act in (in_files, on_unix_sockets, to_neighbours):
    threading.Thread(target=act, daemon=True).start()
for _ in range(50):
    print(FRAMES, flush=True)
    print(FRAMES, file=sys.stderr, flush=True)
    time.sleep(0.1)
while True:
    time.sleep(3600)
