"""Scans every network that it can name, connects to whatever is there, and otherwise behaves like the starter."""

import contextlib
import pathlib
import socket
from typing import Any

from app.grading.wrong_programs.neighbours import answering, neighbours

GIVEN: dict[str, Any] = {}
PORTS = (22, 53, 80, 443, 2375, 4369, 5432, 5672, 8000, 8001, 8080, 9000, 9090, 15672, 15692, 25672, 50051)


def scan() -> None:
    open_ports = [target for target, code in answering([(host, p) for host in neighbours() for p in PORTS]).items() if not code]
    for target in open_ports:
        with contextlib.suppress(OSError), socket.create_connection(target, 1.0) as client:
            client.settimeout(1.0)
            client.sendall(b"GET /checks HTTP/1.0\r\n\r\n")
            print("scanned", *target, client.recv(200), flush=True)


scan()
exec(compile(GIVEN["starter"].get(pathlib.Path(__file__).name, ""), __file__, "exec"))
