"""The proxy as a process, with its pipe: what it forwards, whom it lets through, what it tells and in which order."""

from __future__ import annotations

import contextlib
import fcntl
import random
import socket
import statistics
import sys
import termios
import threading
import time
from collections.abc import Iterator

import pytest

from tests.product import eventually
from tests.tap_process import SECOND, STRANGER, WORKER, Server, TapProcess, ended, exactly, silent

REQUEST = b"GET / HTTP/1.1\r\nHost: upstream\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def tap(server: Server) -> Iterator[TapProcess]:
    with TapProcess("tcp", server.port) as tap:
        yield tap


def test_both_ways_are_byte_identical_while_both_are_busy(server: Server, tap: TapProcess) -> None:
    noise = random.Random(7)
    up, down = noise.randbytes(3_000_000), noise.randbytes(3_000_000)
    client = tap.connect()
    upstream = server.accept()

    def send(sock: socket.socket, data: bytes) -> None:
        at = 0
        while at < len(data):
            step = 1 + at * 7 % 70_000
            sock.sendall(data[at : at + step])
            at += step

    senders = [threading.Thread(target=send, args=pair) for pair in ((client, up), (upstream, down))]
    for sender in senders:
        sender.start()
    received: dict[str, bytes] = {}
    reader = threading.Thread(target=lambda: received.update(down=exactly(client, len(down))))
    reader.start()
    assert exactly(upstream, len(up)) == up
    for thread in (*senders, reader):
        thread.join()
    assert received["down"] == down
    told = tap.trace("data")
    assert sum(event["size"] for event in told if event["dir"] == "up") == len(up)
    assert sum(event["size"] for event in told if event["dir"] == "down") == len(down)


def test_a_reader_that_does_not_read_stops_the_writer_and_not_the_memory(server: Server, tap: TapProcess) -> None:
    client = tap.connect()
    upstream = server.accept()
    before = tap.rss_mb()
    client.settimeout(1)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < 64 << 20:
            sent += client.send(b"x" * 65536)
    assert sent < 32 << 20
    assert tap.rss_mb() - before < 4
    got = 0
    while got < sent:
        got += len(upstream.recv(1 << 20))
    client.settimeout(20)
    client.sendall(b"again")
    assert exactly(upstream, 5) == b"again"


def test_small_pieces_do_not_wait_for_each_other(server: Server, tap: TapProcess) -> None:
    """Without TCP_NODELAY at the tap the second piece waits for the ack of the first, which is 40 ms late."""
    client = tap.connect()
    upstream = server.accept()
    for sender, receiver in ((upstream, client), (client, upstream)):
        lags = []
        for _ in range(15):
            receiver.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
            for _ in range(3):
                began = time.monotonic()
                sender.sendall(b"x")
                time.sleep(0.001)  # three segments, not one
            exactly(receiver, 3)
            lags.append(time.monotonic() - began)
        assert statistics.median(lags) < 0.03


def test_each_side_can_end_its_half(server: Server, tap: TapProcess) -> None:
    client = tap.connect()
    upstream = server.accept()
    client.sendall(b"question")
    client.shutdown(socket.SHUT_WR)
    assert exactly(upstream, 8) == b"question"
    assert upstream.recv(1) == b""
    upstream.sendall(b"answer")
    upstream.close()
    assert exactly(client, 6) == b"answer"
    assert client.recv(1) == b""
    assert tap.await_event("close")["by"] == "client"


def test_a_reset_of_one_side_is_a_reset_of_the_other(server: Server, tap: TapProcess) -> None:
    client = tap.connect()
    upstream = server.accept()
    upstream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    upstream.close()
    assert ended(client) == "reset"
    assert tap.await_event("close")["by"] == "upstream"


def test_replicas_are_told_apart_by_their_address(server: Server, tap: TapProcess) -> None:
    for source, name in ((WORKER, "worker"), (SECOND, "worker-2")):
        with tap.connect(source):
            server.accept().close()
        event = tap.await_event("close", 1 + (name == "worker-2"))
        assert (event["from"], event["to"], event["protocol"]) == (name, "127.0.0.1", "tcp")


def test_a_client_without_an_edge_is_reset(server: Server, tap: TapProcess) -> None:
    assert tap.knock("127.0.0.5") == "reset"
    event = tap.await_event("refused")
    assert (event["from"], event["port"]) == ("other", server.port)
    # Positive control: one with an edge comes through.
    tap.connect().sendall(b"x")
    assert exactly(server.accept(), 1) == b"x"


def test_an_unknown_client_waits_for_news_and_is_reset_without(server: Server, tap: TapProcess) -> None:
    began = time.monotonic()
    stranger = tap.connect(STRANGER)
    assert silent(stranger, 0.5)
    tap.ask("peers", peers={STRANGER: "worker-3"})
    stranger.sendall(b"x")
    assert exactly(server.accept(), 1) == b"x"
    unknown = tap.connect("127.0.0.10")
    began = time.monotonic()
    assert ended(unknown) == "reset"
    assert 1.5 < time.monotonic() - began < 4
    assert tap.await_event("refused")["from"] == "127.0.0.10"
    assert [event["from"] for event in tap.trace("open")] == ["worker-3"]


def test_an_upstream_that_is_gone_and_comes_back(server: Server, tap: TapProcess) -> None:
    server.close()
    assert tap.knock() == "reset"
    assert tap.await_event("close")["by"] == "upstream"
    with socket.create_server(("127.0.0.1", server.port)) as again:
        tap.connect().sendall(b"x")
        sock, _ = again.accept()
        with sock:
            assert exactly(sock, 1) == b"x"


def test_an_upstream_without_a_name_is_unreachable() -> None:
    with Server() as server, TapProcess("tcp", server.port, upstream="nowhere.invalid") as tap:
        assert tap.knock() == "reset"
        assert tap.await_event("close")["by"] == "upstream"


def test_an_upstream_that_is_down_refuses_at_once(server: Server, tap: TapProcess) -> None:
    tap.ask("peers", peers={}, present=False)
    assert tap.knock() == "reset"
    assert tap.await_event("close")["by"] == "upstream"
    tap.ask("peers", peers={}, present=True)
    client = tap.connect()
    server.accept().sendall(b"back")
    assert exactly(client, 4) == b"back"


def test_who_waits_for_an_upstream_learns_that_it_went_down() -> None:
    with socket.socket() as deaf, contextlib.ExitStack() as callers:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        place = deaf.getsockname()
        for _ in range(4):  # whoever comes after the queue is full hears nothing
            caller = callers.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(place)
        with TapProcess("tcp", place[1]) as tap:
            client = tap.connect()
            assert silent(client)
            tap.ask("peers", peers={}, present=False)
            client.settimeout(2)
            assert ended(client) == "reset"


def unacknowledged(sock: socket.socket) -> int:
    """Bytes that the other side's kernel has not got yet: on a busy machine even the loopback takes its time."""
    return int.from_bytes(fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)), sys.byteorder)


def test_sync_answers_after_everything_that_has_reached_the_tap(server: Server, tap: TapProcess) -> None:
    clients = [tap.connect() for _ in range(20)]
    upstreams = [server.accept() for _ in clients]
    for round_number in range(20):
        for client in clients:
            client.sendall(b"12345")
        eventually("all is in the tap's sockets", lambda: not any(unacknowledged(client) for client in clients), every=0.001)
        number = tap.say("sync")
        tap.reply(number)
        reply = next(place for place, frame in enumerate(tap.frames) if frame.get("n") == number)
        before = [event for frame in tap.frames[:reply] if frame["type"] == "events" for event in frame["events"]]
        told = sum(event["size"] for event in before if event["kind"] == "data" and event["dir"] == "up")
        assert told == 5 * len(clients) * (round_number + 1)
    for upstream in upstreams:
        assert exactly(upstream, 100)


def test_an_event_is_never_later_than_what_its_receiver_did_about_it(server: Server) -> None:
    received: list[float] = []
    with TapProcess("http", server.port) as tap, tap.connect() as client, server.accept() as upstream:
        for _ in range(300):
            client.sendall(REQUEST)
            exactly(upstream, len(REQUEST))
            upstream.sendall(RESPONSE)
            exactly(client, len(RESPONSE))
            received.append(time.monotonic())
        responses = tap.trace("response")
    assert len(responses) == len(received)
    assert [event["at"] for event, at in zip(responses, received, strict=True) if event["at"] > at] == []


def test_cut_resets_the_present_connections_of_one_service(server: Server, tap: TapProcess) -> None:
    first, second = tap.connect(WORKER), tap.connect(SECOND)
    server.accept(), server.accept()
    assert tap.ask("cut", **{"from": "worker-2"}) == 1
    assert ended(second) == "reset"
    assert silent(first)
    assert tap.ask("cut", **{"from": ""}) == 1
    assert ended(first) == "reset"
    assert {event["by"] for event in tap.trace("close")} == {"rule"}
    tap.connect().sendall(b"x")
    assert exactly(server.accept(), 1) == b"x"


def test_what_sandboxd_does_not_read_is_dropped_and_counted(server: Server) -> None:
    """The trace is bounded: here, nobody reads the pipe for a while."""
    with TapProcess("tcp", server.port) as tap:
        assert tap.refusal("dance").startswith("there is no `dance`")
        assert "must be an object" in tap.refusal("peers", peers=["127.0.0.1"])
        assert "no rule" in tap.refusal("disarm", rule="r9")
        assert "no hold" in tap.refusal("release", hold=1, action="drop")
        assert tap.rss_mb() < 25
