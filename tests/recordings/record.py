"""Record the conversations anew: `python -m tests.recordings.record [amqp PORT] [postgres PORT] [http] [grpc]`.

Needs a RabbitMQ with the user `learner` at PORT, and a PostgreSQL with the superuser `soty` and no password.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import sys
import threading
import time
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import Any

from aiohttp import web

HERE = Path(__file__).parent


class Recorder:
    """A proxy in front of `port` that writes down what passes."""

    def __init__(self, name: str, port: int) -> None:
        self._path, self._upstream, self._lock = HERE / f"{name}.hex", port, threading.Lock()
        self._lines: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        server = socket.create_connection(("127.0.0.1", self._upstream))
        other = threading.Thread(target=self._pump, args=("down", server, client), daemon=True)
        other.start()
        self._pump("up", client, server)
        other.join()

    def _pump(self, direction: str, source: socket.socket, sink: socket.socket) -> None:
        while data := source.recv(1 << 16):
            with self._lock:
                self._lines.append(f"{direction} {data.hex()}")
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)

    def save(self) -> None:
        """Write once both sides have closed."""
        self._threads[0].join(10)
        self._path.write_text("\n".join(self._lines) + "\n")


def amqp(port: int) -> None:
    """pika: confirms, returns, acks of every kind, gets, a body of several frames, a channel closed by the broker."""
    import pika

    account = pika.PlainCredentials("learner", "learner")
    place = pika.ConnectionParameters("127.0.0.1", port, credentials=account, frame_max=4096, heartbeat=0)
    connection = pika.BlockingConnection(place)
    channel = connection.channel()
    channel.exchange_declare("orders", "direct", durable=True)
    channel.queue_declare("tasks", durable=True)
    channel.queue_bind("tasks", "orders", "new")
    channel.confirm_delivery()
    lasting = pika.BasicProperties(delivery_mode=2, content_type="text/plain", headers={"try": 1, "by": "anna"})
    channel.basic_publish("orders", "new", b"A-17", lasting)
    for number in range(4):
        channel.basic_publish("", "tasks", f"task {number}".encode())
    channel.basic_publish("", "tasks", b"x" * 10_000, lasting)
    with contextlib.suppress(pika.exceptions.UnroutableError):
        channel.basic_publish("", "nowhere", b"lost", mandatory=True)
    reader = connection.channel()
    reader.basic_qos(prefetch_count=10)
    seen: list[tuple[int, bytes, bool]] = []

    def take(chan: Any, method: Any, _properties: Any, body: bytes) -> None:
        seen.append((method.delivery_tag, body, method.redelivered))

    tag = reader.basic_consume("tasks", take, consumer_tag="")
    while len(seen) < 6:
        connection.process_data_events(1)
    reader.basic_ack(1)
    reader.basic_ack(3, multiple=True)
    reader.basic_nack(4, requeue=True)
    reader.basic_reject(5, requeue=False)
    while len(seen) < 7:
        connection.process_data_events(1)
    reader.basic_ack(0, multiple=True)
    reader.basic_cancel(tag)
    channel.basic_publish("", "tasks", b"to be got")
    method, _, _ = reader.basic_get("tasks", auto_ack=False)
    reader.basic_ack(method.delivery_tag)
    reader.basic_get("tasks", auto_ack=True)
    wrong = connection.channel()
    with contextlib.suppress(pika.exceptions.ChannelClosedByBroker):
        wrong.queue_declare("nobody", passive=True)
    channel.queue_delete("tasks")
    channel.exchange_delete("orders")
    connection.close()


def postgres(port: int) -> None:
    """psycopg: simple and extended queries, transactions, errors, a pipeline, COPY both ways."""
    import psycopg

    with psycopg.connect(host="127.0.0.1", port=port, user="soty", dbname="postgres", sslmode="prefer") as connection:
        connection.autocommit = True
        connection.execute("DROP TABLE IF EXISTS taps; CREATE TABLE taps (id int PRIMARY KEY, name text) -- both; at once")
        connection.execute("INSERT INTO taps VALUES (%s, %s)", (1, "one"))
        with connection.transaction():
            connection.execute("INSERT INTO taps VALUES (%s, %s)", (2, "two"), prepare=True)
            connection.execute("SELECT * FROM taps WHERE name = %s", ("two; not three",), prepare=True).fetchall()
        try:
            with connection.transaction():
                connection.execute("INSERT INTO taps VALUES (1, 'again')")
        except psycopg.errors.UniqueViolation:
            pass
        connection.execute("INSERT INTO taps VALUES (%s, %s)", (3, "three"), prepare=True)
        with connection.pipeline():
            for number in range(4, 7):
                connection.execute("INSERT INTO taps VALUES (%s, %s)", (number, "x" * 600))
        with connection.cursor().copy("COPY taps FROM STDIN") as copy:
            for number in range(10, 40):
                copy.write_row((number, "copied"))
        with connection.cursor().copy("COPY taps TO STDOUT") as copy:
            assert len(list(copy)) == 36
        assert connection.execute("WITH gone AS (DELETE FROM taps RETURNING 1) SELECT count(*) FROM gone").fetchone() == (36,)
        connection.execute("DROP TABLE taps")


def grpc_calls(port: int) -> None:
    """grpcio: every kind of call, an error, an unknown method, a call that is cancelled, a message of several frames."""
    import grpc

    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        raw = {"request_serializer": bytes, "response_deserializer": bytes}
        say = channel.unary_unary("/shop.Orders/Say", **raw)
        for number in range(3):
            assert say(b"hello %d" % number, timeout=5, metadata=[("x-try", str(number))]) == b"hello %d" % number
        say(b"y" * 20_000)
        for method in ("Fail", "Nothing"):
            with contextlib.suppress(grpc.RpcError):
                channel.unary_unary(f"/shop.Orders/{method}", **raw)(b"")
        assert len(list(channel.unary_stream("/shop.Orders/Many", **raw)(b"3"))) == 3
        assert channel.stream_unary("/shop.Orders/Sum", **raw)(iter([b"1", b"2", b"3"])) == b"6"
        endless = channel.unary_stream("/shop.Orders/Many", **raw)(b"1000000")
        next(endless)
        endless.cancel()
        say(b"bye")


def grpc_server() -> tuple[Any, int]:
    """A server of raw bytes."""
    import grpc

    def many(request: bytes, context: Any) -> Any:
        for number in range(int(request)):
            yield b"%d" % number
            time.sleep(0.02)
            if not context.is_active():
                return

    def fail(request: bytes, context: Any) -> bytes:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "the shop is closed")
        return b""

    handlers = {
        "Say": grpc.unary_unary_rpc_method_handler(lambda request, _: request),
        "Fail": grpc.unary_unary_rpc_method_handler(fail),
        "Many": grpc.unary_stream_rpc_method_handler(many),
        "Sum": grpc.stream_unary_rpc_method_handler(lambda requests, _: b"%d" % sum(map(int, requests))),
    }
    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("shop.Orders", handlers)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def web_app() -> web.Application:
    """An application with every way to end a body."""

    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await request.read(), headers={"X-Path": request.path})

    async def chunks(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        for number in range(5):
            await response.write(b"chunk %d;" % number)
        return response

    async def nothing(request: web.Request) -> web.Response:
        return web.Response(status=204)

    async def unchanged(request: web.Request) -> web.Response:
        return web.Response(status=304)

    async def talk(request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse()
        await websocket.prepare(request)
        async for message in websocket:
            await websocket.send_str(message.data)
        return websocket

    app = web.Application()
    app.add_routes([web.route("*", "/echo", echo), web.get("/chunks", chunks), web.delete("/nothing", nothing)])
    app.add_routes([web.get("/unchanged", unchanged), web.get("/talk", talk)])
    return app


def http_calls(port: int) -> None:
    """http.client on one connection, a pipeline by hand, and a WebSocket at the end."""
    connection = http.client.HTTPConnection("127.0.0.1", port)

    def ask(method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> bytes:
        connection.request(method, path, body, headers or {}, encode_chunked=not isinstance(body, bytes | None))
        return connection.getresponse().read()

    assert ask("GET", "/echo") == b""
    assert ask("POST", "/echo", b"order A-17") == b"order A-17"
    assert ask("POST", "/echo", iter([b"in ", b"pieces"]), {"Transfer-Encoding": "chunked"}) == b"in pieces"
    assert ask("HEAD", "/echo", b"only its length comes back") == b""
    assert ask("GET", "/chunks?from=0").startswith(b"chunk 0;")
    assert ask("DELETE", "/nothing") == b""
    assert ask("GET", "/unchanged") == b""
    assert len(ask("PUT", "/echo", b"z" * 3000)) == 3000
    assert connection.sock is not None
    waiting = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    connection.sock.sendall(b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n" * 2 + waiting)
    while b"100 Continue" not in connection.sock.recv(65536):
        pass
    connection.sock.sendall(b"last")
    while b"last" not in connection.sock.recv(65536):
        pass
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    connection.sock.sendall(f"GET /talk HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{key}\r\n".encode())
    connection.sock.recv(65536)
    connection.sock.sendall(bytes.fromhex("818500000000") + b"hello")
    connection.sock.recv(65536)
    connection.close()


def serve_web(then: Callable[[int], None]) -> None:
    """Run the application while `then` talks with it."""

    async def run() -> None:
        runner = web.AppRunner(web_app(), shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        await asyncio.get_running_loop().run_in_executor(None, then, port)
        await runner.cleanup()

    asyncio.run(run())


def record(name: str, port: int, talk: Callable[[int], None]) -> None:
    """Talk through a recorder."""
    recorder = Recorder(name, port)
    talk(recorder.port)
    recorder.save()


def main(arguments: list[str]) -> None:
    """Record what is named."""
    for place, name in enumerate(arguments):
        if name == "amqp":
            record(name, int(arguments[place + 1]), amqp)
        elif name == "postgres":
            record(name, int(arguments[place + 1]), postgres)
        elif name == "http":
            serve_web(lambda port: record("http", port, http_calls))
        elif name == "grpc":
            server, port = grpc_server()
            record("grpc", port, grpc_calls)
            server.stop(None).wait()


if __name__ == "__main__":
    main(sys.argv[1:])
