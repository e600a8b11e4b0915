"""The HTTP probe against services that lie, drip, flood and break off: always a message, never a hang."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from app.grading.kit import Failed, Fault
from app.grading.kit.probes.http import Http
from app.grading.kit.services import ServiceInfo
from app.grading.kit.waiting import Clock

Talk = Callable[[socket.socket], object]


class SilentPlatform:
    """Has nothing to tell, and hears of what was unusual."""

    def __init__(self) -> None:
        self.signals: list[str] = []

    def call(self, op: str, service: str = "", **arguments: Any) -> Any:
        return []

    def send(self, frame: dict[str, Any]) -> None:
        assert frame["type"] == "signal", frame
        self.signals.append(frame["kind"])


@contextmanager
def service_that(talk: Talk, *, learner: bool = True) -> Iterator[Http]:
    """A service on localhost that does `talk` with its first caller after reading what it said."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(65536)
                try:
                    talk(client)
                except OSError:
                    return  # the probe has heard enough

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        yield Http(ServiceInfo("localhost", learner=learner), port, SilentPlatform(), Clock())
    thread.join(5)
    assert not thread.is_alive()


def drip(head: bytes) -> Talk:
    def talk(client: socket.socket) -> None:
        for number in range(2000):
            client.sendall(head[number : number + 1] or b"x")
            time.sleep(0.02)

    return talk


def flood(client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        client.sendall(b"x" * 65536)


def endless_chunks(client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        client.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")


def endless_headers(client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\n")
    for number in range(100_000):
        client.sendall(b"X-%d: y\r\n" % number)


def says(data: bytes) -> Talk:
    return lambda client: client.sendall(data)


def test_it_reads_an_answer() -> None:
    with service_that(says(b'HTTP/1.1 201 Made\r\nX-Way: yes\r\nContent-Length: 8\r\n\r\n{"a": 1}')) as http:
        answer = http.get("/things")
    assert (answer.status, answer.headers["x-way"], answer.json()) == (201, "yes", {"a": 1})


@pytest.mark.parametrize(
    ("talk", "told"),
    [
        (flood, "larger than 1024 KiB"),
        (endless_chunks, "larger than 1024 KiB"),
        (endless_headers, "not an HTTP answer"),
        (drip(b"HTTP/1.1 200 OK\r\nX: "), "no complete answer within 0.4 s"),
        (drip(b"HTTP/1.1 200 OK\r\n\r\n"), "no complete answer within 0.4 s"),
        (lambda client: time.sleep(1), "no complete answer within 0.4 s"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort"), "broke in the middle"),
        (says(b"hello\r\n"), "not an HTTP answer"),
        (says(b"\xff\xfe\xfd\r\n\r\n"), "not an HTTP answer"),
        (says(b""), "closed without an answer"),
    ],
)
def test_a_hostile_answer_is_a_failed_check_within_its_time(talk: Talk, told: str) -> None:
    begun = time.monotonic()
    with service_that(talk) as http, pytest.raises(Failed) as failed:
        http.get("/", within=0.4)
    assert told in failed.value.seen.en
    assert time.monotonic() - begun < 4


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with service_that(says(b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n")) as http:
        assert http.get("/").status == 302
        assert http._pipe.signals == ["redirect-elsewhere"]


@pytest.mark.parametrize("target", [b"/elsewhere", b"http://localhost:8080/x", b""])
def test_a_redirect_within_the_service_is_nothing_unusual(target: bytes) -> None:
    with service_that(says(b"HTTP/1.1 302 Found\r\nLocation: " + target + b"\r\nContent-Length: 0\r\n\r\n")) as http:
        assert http.get("/").status == 302
        assert http._pipe.signals == []


@pytest.mark.parametrize("body", [b"[" * 100_000, b"{", b"\xff", b"nonsense"])
def test_json_that_cannot_be_read_is_a_failed_check(body: bytes) -> None:
    with service_that(says(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)) as http:
        answer = http.get("/")
    with pytest.raises(Failed, match="answers JSON"):
        answer.json()


def test_a_port_where_nothing_listens_is_a_failed_check_of_a_learner_and_a_fault_of_ours() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for learner, kind in ((True, Failed), (False, Fault)):
        with pytest.raises(kind, match="nothing listens"):
            Http(ServiceInfo("localhost", learner=learner), port, SilentPlatform(), Clock()).get("/")
