"""What a tap costs: messages per second through one, and what it adds to the time of one message, beside the direct way.

Run with `./test bench -s`: prints medians of one run. Both ways take turns, so that the noise of the machine is shared.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import multiprocessing.connection
import os
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.bench.test_pages import tell
from tests.tap_process import TAP, UPSTREAM, WORKER, Server, TapProcess, exactly
from tests.tap_wire import amqp

ROUNDS = 7
BURST = 2000  #: messages of a round for throughput
SINGLE = 400  #: messages of a round for latency, one after the other
GOAL_RATE = 2000.0  #: messages per second
GOAL_MS = 1.0  #: added at the median


@dataclass
class Way:
    """How to use an upstream, directly or through its tap.

    Attributes:
        one: sends one message and waits until it is through.
        many: sends so many, several at a time, and waits until all are through.
    """

    one: Callable[[], Any]
    many: Callable[[int], Any]


def serve_amqp(ready: multiprocessing.connection.Connection) -> None:
    """A broker of bytes: it delivers what is published, confirms it, and takes the ack."""
    unit, ack = amqp_message(), amqp.ack(1, 1)

    def serve(sock: socket.socket) -> None:
        with sock:
            exactly(sock, len(hello()))
            left, tag = b"", 0
            while data := sock.recv(1 << 16):
                left += data
                answers = []
                at = 0
                while len(left) - at >= len(ack):
                    size = len(ack) if left.startswith(ACK_HEAD, at) else len(unit)
                    if len(left) - at < size:
                        break
                    at += size
                    if size == len(unit):
                        tag += 1
                        answers.append(amqp.ack(1, tag) + amqp.deliver(1, "c", tag, "tasks") + amqp_body())
                left = left[at:]
                if answers:
                    sock.sendall(b"".join(answers))

    accept_for_ever(ready, serve)


ACK_HEAD = amqp.ack(1, 1)[:11]


def hello() -> bytes:
    """What a consumer and publisher says first."""
    channel = amqp.method(1, amqp.OPEN, b"\0") + amqp.method(1, amqp.CONFIRM, b"\0")
    return amqp.GREETING + channel + amqp.consume(1, "tasks", "c")


def amqp_body() -> bytes:
    """Header and body of a message of 200 bytes."""
    return b"".join(amqp.content(1, b"x" * 200))


def amqp_message() -> bytes:
    """A publish."""
    return amqp.publish(1, "tasks") + amqp_body()


class AmqpClient:
    """Publishes, gets the confirm and the delivery, and acknowledges: five frames there, four back."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.sock = connect(address)
        self.sock.sendall(hello())
        self._unit = amqp_message()
        self._answer = len(amqp.ack(1, 1) + amqp.deliver(1, "c", 1, "tasks") + amqp_body())
        self._tag = 0

    def one(self) -> None:
        self.many(1)

    def many(self, count: int, window: int = 50) -> None:
        while count > 0:
            step = min(window, count)
            count -= step
            self.sock.sendall(self._unit * step)
            exactly(self.sock, self._answer * step)
            self._tag += step
            self.sock.sendall(b"".join(amqp.ack(1, self._tag - step + n + 1) for n in range(step)))


def serve_http(ready: multiprocessing.connection.Connection) -> None:
    """Answers every request of a known length."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 27\r\n\r\n" + b'{"status": "accepted", "n"}'

    def serve(sock: socket.socket) -> None:
        with sock:
            left = 0
            while data := sock.recv(1 << 16):
                left += len(data)
                count, left = divmod(left, len(REQUEST))
                sock.sendall(answer * count)

    accept_for_ever(ready, serve)


REQUEST = (
    b"POST /orders HTTP/1.1\r\nHost: shop:8000\r\nUser-Agent: bench\r\nAccept: */*\r\nContent-Type: application/json\r\n"
    b"Content-Length: 30\r\n\r\n" + b'{"order": "A-17", "amount": 5}'
)
ANSWER_SIZE = 98


class HttpClient:
    """Requests on connections that stay open: one, or eight at the same time."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socks = [connect(address) for _ in range(8)]

    def one(self) -> None:
        self._ask(self._socks[0])

    @staticmethod
    def _ask(sock: socket.socket) -> None:
        sock.sendall(REQUEST)
        data = sock.recv(4096)
        while not data.endswith(b'"n"}'):
            data += sock.recv(4096)

    def many(self, count: int) -> None:
        def run(sock: socket.socket) -> None:
            for _ in range(count // len(self._socks)):
                self._ask(sock)

        threads = [threading.Thread(target=run, args=(sock,)) for sock in self._socks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def serve_grpc(ready: multiprocessing.connection.Connection) -> None:
    """A unary echo on grpc.aio."""
    import grpc

    async def run() -> None:
        async def echo(request: bytes, _context: Any) -> bytes:
            return request

        handler = grpc.unary_unary_rpc_method_handler(echo)
        server = grpc.aio.server()
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("shop.Orders", {"Say": handler})])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        ready.send(port)
        await server.wait_for_termination()

    asyncio.run(run())


class GrpcClient:
    """Unary calls; many: 64 at the same time."""

    def __init__(self, address: tuple[str, int]) -> None:
        import grpc

        # The tap knows its clients by their address; grpcio cannot choose its own, so here it is the loopback's.
        self._channel = grpc.insecure_channel(f"{address[0]}:{address[1]}", options=[("grpc.use_local_subchannel_pool", 1)])
        self._say = self._channel.unary_unary("/shop.Orders/Say")

    def one(self) -> None:
        self._say(b"x" * 100, timeout=10)

    def many(self, count: int) -> None:
        for _ in range(count // 64):
            for call in [self._say.future(b"x" * 100, timeout=10) for _ in range(64)]:
                call.result()


def connect(address: tuple[str, int]) -> socket.socket:
    """A client's socket."""
    sock = socket.create_connection(address, 20, source_address=(WORKER, 0))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def accept_for_ever(ready: multiprocessing.connection.Connection, serve: Callable[[socket.socket], None]) -> None:
    """Serve each connection in a thread."""
    listener = socket.create_server((UPSTREAM, 0))
    ready.send(listener.getsockname()[1])
    while True:
        sock, _ = listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve, args=(sock,), daemon=True).start()


@contextlib.contextmanager
def upstream(serve: Callable[[multiprocessing.connection.Connection], None]) -> Iterator[int]:
    """A process of its own; its port."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    try:
        assert ours.poll(30)
        yield ours.recv()
    finally:
        process.kill()
        process.join()


def cpu_seconds(pid: int) -> float:
    """Of a process, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


KINDS: dict[str, tuple[Callable[[multiprocessing.connection.Connection], None], Callable[[tuple[str, int]], Any], str]] = {
    "amqp": (serve_amqp, AmqpClient, "publish, confirm, deliver, ack"),
    "http": (serve_http, HttpClient, "request, response, keep-alive"),
    "grpc": (serve_grpc, GrpcClient, "unary call"),
}


@pytest.mark.parametrize("protocol", KINDS)
def test_a_tap_beside_the_direct_way(protocol: str) -> None:
    serve, client, what = KINDS[protocol]
    peers = {WORKER: "worker", "127.0.0.1": "worker", TAP: "worker"}
    with upstream(serve) as port, TapProcess(protocol, port, peers=peers) as tap:
        ways = {"direct": client((UPSTREAM, port)), "tap": client((TAP, port))}
        rates: dict[str, list[float]] = {name: [] for name in ways}
        medians: dict[str, list[float]] = {name: [] for name in ways}
        spent, sent = 0.0, 0
        for _ in range(ROUNDS + 1):
            for name, way in ways.items():
                before = cpu_seconds(tap.process.pid)
                began = time.perf_counter()
                way.many(BURST)
                rates[name].append(BURST / (time.perf_counter() - began))
                if name == "tap":
                    spent, sent = spent + cpu_seconds(tap.process.pid) - before, sent + BURST
                times = []
                for _ in range(SINGLE):
                    began = time.perf_counter()
                    way.one()
                    times.append(time.perf_counter() - began)
                medians[name].append(statistics.median(times) * 1000)
        assert not tap.trace("undecoded")
        kinds = {event["kind"] for event in tap.events}
        memory = tap.rss_mb()
    print(f"\n{protocol}: {what} (load {os.getloadavg()[0]:.1f}, medians of {ROUNDS}; the tap told {sorted(kinds)})")
    print(f"{'way':10} {'messages/s':>12} {'ms, one by one':>16}")
    for name in ways:
        print(f"{name:10} {statistics.median(rates[name][1:]):12.0f} {statistics.median(medians[name][1:]):16.3f}")
    print(f"the tap: {spent / sent * 1e6:.0f} µs of processor time a message; {memory:.1f} MiB resident")
    rate = statistics.median(rates["tap"][1:])
    added = statistics.median(tap_ms - direct for tap_ms, direct in zip(medians["tap"][1:], medians["direct"][1:], strict=True))
    tell(f"{protocol}: messages a second", rate, GOAL_RATE, rate >= GOAL_RATE)
    tell(f"{protocol}: milliseconds added", added, GOAL_MS, added <= GOAL_MS)


def test_an_upstream_for_the_bench_is_the_same_for_both_ways() -> None:
    """The control of the numbers above: a tap in between that forwards nothing gives none."""
    with Server() as server, TapProcess("tcp", server.port) as tap:
        tap.arm(do="drop", times=0)
        sock = connect((TAP, tap.port))
        sock.settimeout(0.3)
        sock.sendall(REQUEST)
        server.accept()
        with pytest.raises(TimeoutError):
            sock.recv(1)
