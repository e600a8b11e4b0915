"""What a rule treats is whole: a message, a method with its content; what is too large or not understood passes."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest

from tests.tap_process import (
    ASK,
    PATIENCE,
    Server,
    TapProcess,
    exactly,
    pair,
    passes,
    silent,
)
from tests.tap_wire import amqp


@pytest.mark.parametrize("cut", [10, 40, 48], ids=["in its first line", "between its lines", "in its body"])
def test_a_rule_begins_with_the_next_whole_frame(server: Server, tap: TapProcess, cut: int) -> None:
    client, upstream = pair(server, tap)
    order = b"POST /begun HTTP/1.1\r\nContent-Length: 10\r\n\r\n1234567890"
    passes(client, upstream, order[:cut])
    tap.arm(do="drop", when={"kind": "request"}, times=0)
    client.sendall(order[cut:] + ASK % b"lost")
    assert exactly(upstream, len(order) - cut) == order[cut:]
    assert silent(upstream)
    assert [event.get("action") for event in tap.trace("request")] == [None, "drop"]


def test_a_frame_that_is_too_large_passes_and_says_so(server: Server, tap: TapProcess) -> None:
    client, upstream = pair(server, tap)
    tap.arm(do="drop", when={"kind": "request"}, times=2)
    body = b"x" * (3 << 20)
    head = b"PUT /large HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body)
    client.settimeout(PATIENCE)
    sender = threading.Thread(target=client.sendall, args=(head + body + ASK % b"small",))
    sender.start()
    assert exactly(upstream, len(head + body)) == head + body
    sender.join()
    assert silent(upstream)
    assert [(event["path"], event["action"]) for event in tap.trace("request")] == [("/large", "passed"), ("/small", "drop")]


def test_a_message_of_many_frames_that_is_too_large_passes(server: Server, broker: TapProcess) -> None:
    client, upstream = channel(server, broker)
    passes(client, upstream, amqp.method(2, amqp.OPEN, b"\0"))
    broker.arm(do="drop", when={"kind": "publish"}, times=0)
    large = b"".join([amqp.publish(1, "large"), *amqp.content(1, *[b"x" * 100_000] * 15)])
    begun, rest = amqp.publish(2, "small"), b"".join(amqp.content(2, b"x"))
    sender = threading.Thread(target=client.sendall, args=(begun + large + rest,))
    sender.start()
    assert exactly(upstream, len(large)) == large
    sender.join()
    assert silent(upstream)
    told = [(event["routing_key"], event["action"]) for event in broker.trace("publish")]
    assert told == [("large", "passed"), ("small", "drop")]


def channel(server: Server, broker: TapProcess) -> tuple[socket.socket, socket.socket]:
    """A consumer of `tasks` on channel 1 that has one delivery with the body A-17, and its broker."""
    client, upstream = pair(server, broker)
    passes(client, upstream, amqp.GREETING + amqp.method(1, amqp.OPEN, b"\0") + amqp.consume(1, "tasks", "c"))
    passes(upstream, client, amqp.deliver(1, "c", 1, "tasks") + b"".join(amqp.content(1, b"A-17")))
    return client, upstream


def test_an_ack_is_found_by_the_body_of_its_delivery(server: Server, broker: TapProcess) -> None:
    client, upstream = channel(server, broker)
    passes(upstream, client, amqp.deliver(1, "c", 2, "tasks") + b"".join(amqp.content(1, b"B-18")))
    broker.arm(do="drop", dir="up", when={"kind": "ack", "queue": "tasks", "body": {"contains": "A-17"}})
    client.sendall(amqp.ack(1, 2) + amqp.ack(1, 1))
    assert exactly(upstream, len(amqp.ack(1, 2))) == amqp.ack(1, 2)
    assert silent(upstream)
    assert [(event["body"], event.get("action")) for event in broker.trace("ack")] == [("B-18", None), ("A-17", "drop")]


def test_a_publish_is_sent_twice_and_confirmed_once(server: Server, broker: TapProcess) -> None:
    client, upstream = channel(server, broker)
    broker.arm(do="duplicate", when={"kind": "publish"})
    unit = amqp.publish(1, "tasks") + b"".join(amqp.content(1, b"A-17"))
    client.sendall(unit)
    copy = amqp.publish(2047, "tasks") + b"".join(amqp.content(2047, b"A-17"))
    expected = unit + amqp.method(2047, amqp.OPEN, b"\0") + copy
    assert exactly(upstream, len(expected)) == expected
    answer = amqp.ack(1, 1)
    upstream.sendall(amqp.method(2047, (20, 11), bytes(4)) + answer + amqp.method(2047, (20, 40), b"\1\x94\2no" + bytes(4)))
    assert exactly(client, len(answer)) == answer
    assert silent(client)
    # And with the next publish everything is as before.
    passes(client, upstream, unit)
    passes(upstream, client, answer)


def test_a_message_between_the_frames_of_another_is_treated_alone(server: Server, broker: TapProcess) -> None:
    client, upstream = channel(server, broker)
    passes(client, upstream, amqp.method(2, amqp.OPEN, b"\0"))
    broker.arm(do="drop", when={"kind": "publish", "routing_key": "lost"})
    lost = [amqp.publish(1, "lost"), *amqp.content(1, b"be", b"gun")]
    kept = amqp.publish(2, "kept") + b"".join(amqp.content(2, b"x"))
    client.sendall(b"".join(lost[:-1]) + kept + lost[-1])
    assert exactly(upstream, len(kept)) == kept
    assert silent(upstream)


def test_what_nobody_understands_goes_on_as_bytes(server: Server, tap: TapProcess) -> None:
    client, upstream = pair(server, tap)
    tap.arm(do="drop", when={"kind": "request"}, times=0)
    passes(client, upstream, b"EHLO shop\r\n\xff\x00" * 500)
    passes(upstream, client, b"220 hello\r\n")
    passes(client, upstream, ASK % b"x")
    assert len(tap.trace("undecoded")) == 1


def test_what_comes_before_noise_is_still_treated(server: Server, tap: TapProcess) -> None:
    client, upstream = pair(server, tap)
    tap.arm(do="drop", when={"kind": "request"}, times=0)
    client.sendall(ASK % b"lost" + b"\0noise")
    assert exactly(upstream, 6) == b"\0noise"
    assert [event["kind"] for event in tap.trace()] == ["open", "request", "undecoded"]


def test_what_rules_keep_back_is_bounded_over_all_connections(server: Server, tap: TapProcess) -> None:
    """Forty connections with a unit of almost 1 MiB each that does not end, then forty times 3 MiB that are delayed."""
    tap.arm(do="drop", when={"kind": "request"}, times=0)
    pairs = [pair(server, tap) for _ in range(40)]
    head = b"PUT /x HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n"
    for client, _ in pairs:
        client.sendall(head + b"x" * 1_000_000)
    assert len(tap.trace("open")) == 40
    assert tap.rss_mb() < 48
    passed = sum(not silent(upstream, 0.01) for _, upstream in pairs)
    assert 10 < passed < 40  # the first ones are kept back, and what is too much passes
    tap.ask("disarm", rule="")
    tap.arm("r2", do="delay", seconds=60, times=0)
    for client, _ in pairs:
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while client.send(b"x" * 65536):
                pass
    tap.ask("sync")
    assert tap.rss_mb() < 60
