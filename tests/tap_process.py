"""A tap as `sandboxd` starts it, on loopback: the tap at 127.0.0.2, the upstream at 127.0.0.1, clients at 127.0.0.3 and up."""

from __future__ import annotations

import json
import queue
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from app.sandbox.taps.bundle import tap_files

TAP, UPSTREAM = "127.0.0.2", "127.0.0.1"
WORKER, SECOND, STRANGER = "127.0.0.3", "127.0.0.4", "127.0.0.9"
PEERS = {WORKER: "worker", SECOND: "worker-2", "127.0.0.5": "other"}
PATIENCE = 20.0
ASK = b"GET /%s HTTP/1.1\r\nHost: shop\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class TapProcess:
    """`with TapProcess("amqp", port) as tap:`; `port` is that of the upstream, and of the tap."""

    def __init__(self, protocol: str, port: int, upstream: str = UPSTREAM, peers: dict[str, str] | None = None) -> None:
        self.port = port
        self._protocol, self._upstream, self._peers = protocol, upstream, PEERS if peers is None else peers
        self.events: list[dict[str, Any]] = []
        self.told: list[dict[str, Any]] = []  #: everything else but replies, in order
        self.dropped = 0
        self.frames: list[dict[str, Any]] = []  #: everything in order
        self._replies: queue.Queue[dict[str, Any]] = queue.Queue()
        self._news = threading.Condition()
        self._number = 0

    def __enter__(self) -> TapProcess:
        self._folder = tempfile.TemporaryDirectory(prefix="soty-tap-")
        home = Path(self._folder.name)
        for name, content in tap_files().items():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_bytes(content)
        edges = [{"from": "worker", "port": self.port}]
        listen = [{"port": self.port, "protocol": self._protocol}]
        settings = {"upstream": self._upstream, "listen": listen, "edges": edges, "address": TAP}
        (home / "tap.json").write_text(json.dumps(settings))
        # Not -I, as inside: there hpack is in the image, here it is in the environment of the tests.
        argv = [sys.executable, str(home / "run.py")]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.await_told("ready")
        if self._peers:
            self.ask("peers", peers=self._peers)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            code = self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self._reader.join()
            self.process.stdout.close()
            self._folder.cleanup()
        if error is None:
            assert code == 0

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            frame = json.loads(line)
            with self._news:
                self.frames.append(frame)
                if frame["type"] == "events":
                    self.events += frame["events"]
                    self.dropped += frame["dropped"]
                elif frame["type"] == "reply":
                    self._replies.put(frame)
                else:
                    self.told.append(frame)
                self._news.notify_all()

    def say(self, op: str, **given: Any) -> int:
        """Ask without waiting; the number of the question."""
        self._number += 1
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"op": op, "n": self._number, **given}).encode() + b"\n")
        self.process.stdin.flush()
        return self._number

    def reply(self, number: int) -> dict[str, Any]:
        """The answer to the oldest question that has none yet."""
        reply = self._replies.get(timeout=PATIENCE)
        assert reply["n"] == number
        return reply

    def ask(self, op: str, **given: Any) -> Any:
        """The value of an answer that is not a refusal."""
        reply = self.reply(self.say(op, **given))
        assert reply["ok"], reply
        return reply["value"]

    def refusal(self, op: str, **given: Any) -> str:
        """The reason of a refusal."""
        reply = self.reply(self.say(op, **given))
        assert not reply["ok"], reply
        return str(reply["error"])

    def arm(self, rule_id: str = "r1", **rule: Any) -> None:
        """Arm a rule."""
        assert self.ask("arm", rule={"id": rule_id, **rule}) == rule_id

    def trace(self, *kinds: str) -> list[dict[str, Any]]:
        """All events so far, or those of some kinds."""
        self.ask("sync")
        with self._news:
            return [event for event in self.events if not kinds or event["kind"] in kinds]

    def await_told(self, kind: str, count: int = 1) -> dict[str, Any]:
        """The `count`th frame of a type, once it has come."""
        return self._await(lambda: [frame for frame in self.told if frame["type"] == kind], count)

    def await_event(self, kind: str, count: int = 1) -> dict[str, Any]:
        """The `count`th event of a kind, once it has come."""
        return self._await(lambda: [event for event in self.events if event["kind"] == kind], count)

    def _await(self, found: Callable[[], list[dict[str, Any]]], count: int) -> dict[str, Any]:
        with self._news:
            assert self._news.wait_for(lambda: len(found()) >= count, PATIENCE), (found(), self.frames[-5:])
            return found()[count - 1]

    def connect(self, source: str = WORKER) -> socket.socket:
        """A client of this address, through the tap."""
        sock = socket.create_connection((TAP, self.port), PATIENCE, source_address=(source, 0))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def knock(self, source: str = WORKER) -> str:
        """How a connection ends that is over as soon as it was made: the reset may come before `connect` returns."""
        try:
            return ended(self.connect(source))
        except ConnectionResetError:
            return "reset"

    def rss_mb(self) -> float:
        """Resident memory."""
        line = next(line for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines() if "VmRSS" in line)
        return int(line.split()[1]) / 1024


class Server:
    """An upstream: what it accepts can be played with from a test."""

    def __init__(self) -> None:
        self._listener = socket.create_server((UPSTREAM, 0), backlog=100)
        self._listener.settimeout(PATIENCE)
        self.port = self._listener.getsockname()[1]
        self._accepted: list[socket.socket] = []

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Listen no more, and close what was accepted."""
        self._listener.close()
        for sock in self._accepted:
            sock.close()

    def accept(self) -> socket.socket:
        """The next connection."""
        sock, _ = self._listener.accept()
        sock.settimeout(PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._accepted.append(sock)
        return sock


def exactly(sock: socket.socket, size: int) -> bytes:
    """So many bytes."""
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        assert piece, f"the end after {len(data)} of {size} bytes"
        data += piece
    return data


def silent(sock: socket.socket, seconds: float = 0.15) -> bool:
    """Whether nothing comes for a while."""
    before = sock.gettimeout()
    sock.settimeout(seconds)
    try:
        sock.recv(1, socket.MSG_PEEK)
    except TimeoutError:
        return True
    finally:
        sock.settimeout(before)
    return False


def ended(sock: socket.socket) -> str:
    """`eof` or `reset`, once the other side has ended the connection; what it sent before is read and forgotten."""
    try:
        while sock.recv(65536):
            pass
    except ConnectionResetError:
        return "reset"
    return "eof"


def pair(server: Server, tap: TapProcess, source: str = WORKER) -> tuple[socket.socket, socket.socket]:
    """A connection: the client's end and the upstream's."""
    client = tap.connect(source)
    return client, server.accept()


def passes(sender: socket.socket, receiver: socket.socket, data: bytes) -> float:
    """Send and receive; how long it took."""
    began = time.monotonic()
    sender.sendall(data)
    assert exactly(receiver, len(data)) == data
    return time.monotonic() - began
