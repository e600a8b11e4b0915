"""Rules: what is refused when it is armed, and each action seen to act on a real connection."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from app.sandbox.taps.proxy.rules import RuleRefused, read_rule
from tests.tap_process import PATIENCE, SECOND, TAP, WORKER, Server, TapProcess, ended, exactly, silent
from tests.tap_wire import amqp, postgres

ASK = b"GET /%s HTTP/1.1\r\nHost: shop\r\n\r\n"
STEP = {"do": "kill", "service": "@sender"}
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def tap(server: Server) -> Iterator[TapProcess]:
    with TapProcess("http", server.port) as tap:
        yield tap


@pytest.fixture
def broker(server: Server) -> Iterator[TapProcess]:
    with TapProcess("amqp", server.port) as tap:
        yield tap


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


@pytest.mark.parametrize(
    ("changes", "protocols", "why"),
    [
        ({"do": "explode"}, ["http"], "`do` must be one of"),
        ({"whn": {}}, ["http"], "`whn` is not a field"),
        ({"seconds": 1}, ["http"], "`seconds` is not a field of a rule that does `reset`"),
        ({"id": ""}, ["http"], "`id` must be"),
        ({"id": 7}, ["http"], "`id` must be"),
        ({"from": None}, ["http"], "`from` must be"),
        ({"dir": "sideways"}, ["http"], "`dir` must be one of"),
        ({"nth": 0}, ["http"], "`nth` must be a whole number from 1"),
        ({"nth": True}, ["http"], "`nth` must be a whole number"),
        ({"times": -1}, ["http"], "`times` must be a whole number from 0"),
        ({"when": []}, ["http"], "`when` must be an object"),
        ({"when": {"kind": "ack"}}, ["http"], "this tap tells no 'ack'"),
        ({"when": {"kind": "request"}}, ["tcp"], "its bytes only"),
        ({"when": {"kind": "open"}}, ["http"], "tells no 'open'"),
        ({"when": {"kind": "request", "pth": "/"}}, ["http"], "`when.pth`: no such event has it"),
        ({"when": {"kind": "request"}, "dir": "down"}, ["http"], "never travels down"),
        ({"when": {"kind": "request", "path": {"like": "x"}}}, ["http"], "`when.path` must be a value"),
        ({"when": {"kind": {"any": ["request", "deliver"]}}}, ["http"], "tells no 'deliver'"),
        ({"do": "delay"}, ["http"], "`seconds` must be a number"),
        ({"do": "delay", "seconds": "1"}, ["http"], "`seconds` must be a number"),
        ({"do": "delay", "seconds": 1, "jitter": -1}, ["http"], "`jitter` must be a number"),
        ({"do": "drip", "bytes_per_second": 0}, ["http"], "`bytes_per_second` must be a number"),
        ({"do": "hold", "then": "burn"}, ["http"], "`then` must be one of"),
        ({"do": "hold", "on_hold": [{"do": "kill"}]}, ["http"], "a step of `on_hold`"),
        ({"do": "duplicate"}, ["tcp"], "bytes cannot be repeated"),
        ({"do": "duplicate", "when": {"kind": "statement"}}, ["postgres"], "cannot be repeated"),
        ({"do": "duplicate", "when": {"kind": "request"}}, ["grpc"], "cannot be repeated"),
        ({"do": "duplicate", "when": {"kind": "deliver"}}, ["amqp"], "only a `publish`"),
        ({"do": "duplicate", "when": {"kind": "response"}}, ["http"], "only a `request`"),
        ({"do": "drop", "when": {"kind": "response"}}, ["grpc"], "only a `message` can be lost"),
        ({"do": "hold", "then": "drop", "when": {"kind": "request"}}, ["grpc"], "only a `message` can be lost"),
    ],
)
def test_a_rule_that_cannot_work_is_refused_with_the_reason(changes: dict[str, Any], protocols: list[str], why: str) -> None:
    with pytest.raises(RuleRefused) as refused:
        read_rule({"id": "r1", "do": "reset", **changes}, protocols)
    assert why in str(refused.value)


@pytest.mark.parametrize(
    ("rule", "protocol"),
    [
        ({"do": "drop", "dir": "up", "when": {"kind": "ack", "queue": "tasks", "body": {"contains": "A-17"}}}, "amqp"),
        ({"do": "hold", "when": {"kind": {"any": ["commit", "rollback"]}}, "on_hold": [STEP]}, "postgres"),
        ({"do": "duplicate", "when": {"kind": "publish"}}, "amqp"),
        ({"do": "drop", "when": {"kind": "message"}}, "grpc"),
        ({"do": "drop"}, "grpc"),
        ({"do": "blackhole"}, "tcp"),
        ({"do": "hold", "when": {"kind": "response", "code": {"any": [0, 14]}}}, "grpc"),
    ],
)  # fmt: skip
def test_rules_that_work_are_taken(rule: dict[str, Any], protocol: str) -> None:
    assert read_rule({"id": "r1", **rule}, [protocol]).do == rule["do"]


def test_the_tap_says_why_it_refuses(server: Server, tap: TapProcess) -> None:
    assert "never travels" in tap.refusal("arm", rule={"id": "r1", "do": "drop", "dir": "down", "when": {"kind": "request"}})
    tap.arm(do="drop", when={"kind": "request"})
    assert "armed already" in tap.refusal("arm", rule={"id": "r1", "do": "reset"})


def test_drop_takes_one_message_out_and_counts_from_the_nth(server: Server, tap: TapProcess) -> None:
    client, upstream = pair(server, tap)
    tap.arm(do="drop", dir="up", when={"kind": "request", "path": {"contains": "order"}}, nth=2, times=1)
    for path in (b"order-1", b"other", b"order-2", b"order-3"):
        client.sendall(ASK % path)
    arrived = b"".join(ASK % path for path in (b"order-1", b"other", b"order-3"))
    assert exactly(upstream, len(arrived)) == arrived
    assert silent(upstream)
    fired = tap.await_told("fired")
    assert (fired["rule"], fired["count"], fired["event"]["path"], fired["event"]["action"]) == ("r1", 1, "/order-2", "drop")
    assert [(event["path"], event.get("rule"), event.get("action")) for event in tap.trace("request")] == [
        ("/order-1", None, None),
        ("/other", None, None),
        ("/order-2", "r1", "drop"),
        ("/order-3", None, None),
    ]
    # What the upstream answers belongs to what it has got.
    passes(upstream, client, ANSWER * 3)
    assert [event["id"].partition(".")[2] for event in tap.trace("response")] == ["1", "2", "4"]


def test_delay_keeps_the_order_and_leaves_other_connections_alone(server: Server, tap: TapProcess) -> None:
    client, upstream = pair(server, tap)
    other, its = pair(server, tap, SECOND)
    tap.arm(do="delay", seconds=0.3, jitter=0.2, when={"kind": "request"}, times=1, **{"from": "worker"})
    client.sendall(ASK % b"slow" + ASK % b"behind")
    assert passes(other, its, ASK % b"quick") < 0.25 or tap.await_told("fired")["event"]["from"] == "worker-2"
    began = time.monotonic()
    both = ASK % b"slow" + ASK % b"behind"
    assert exactly(upstream, len(both)) == both
    assert time.monotonic() - began < 2
    event = tap.await_told("fired")["event"]
    assert event["path"] == "/slow"


def test_delay_of_all_bytes_is_there_in_both_directions(server: Server, tap: TapProcess) -> None:
    client, upstream = pair(server, tap)
    tap.arm(do="delay", seconds=0.25, times=0)
    assert passes(client, upstream, ASK % b"x") >= 0.25
    assert passes(upstream, client, ANSWER) >= 0.25
    tap.ask("disarm", rule="r1")
    assert passes(client, upstream, ASK % b"x") < 0.25


def test_disarming_lets_go_what_is_delayed(server: Server, tap: TapProcess) -> None:
    client, upstream = pair(server, tap)
    tap.arm(do="delay", seconds=60, times=0)
    client.sendall(ASK % b"x")
    tap.await_told("fired")
    assert silent(upstream)
    tap.ask("disarm", rule="")
    assert exactly(upstream, len(ASK % b"x"))


def test_a_drip_is_slow_and_complete(server: Server, tap: TapProcess) -> None:
    client, upstream = pair(server, tap)
    tap.arm(do="drip", bytes_per_second=1000, dir="down", when={"kind": "response"})
    passes(client, upstream, ASK % b"x")
    began = time.monotonic()
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 460\r\n\r\n" + b"y" * 460
    upstream.sendall(answer + ANSWER)
    assert exactly(client, len(answer)) == answer
    assert time.monotonic() - began > 0.4
    assert exactly(client, len(ANSWER)) == ANSWER


def test_reset_breaks_both_sides_and_the_frame_does_not_pass(server: Server, tap: TapProcess) -> None:
    client, upstream = pair(server, tap)
    tap.arm(do="reset", when={"kind": "request"}, nth=2)
    passes(client, upstream, ASK % b"first")
    client.sendall(ASK % b"second")
    assert ended(client) == "reset"
    assert ended(upstream) == "reset"
    assert tap.await_event("close")["by"] == "rule"
    # It was armed for one: the next connection is fine.
    client, upstream = pair(server, tap)
    passes(client, upstream, ASK % b"third")


def test_a_black_hole_swallows_present_and_new_connections_until_it_is_disarmed(server: Server, tap: TapProcess) -> None:
    client, upstream = pair(server, tap)
    present, its = pair(server, tap)
    other, others = pair(server, tap, SECOND)
    tap.arm(do="blackhole", when={"kind": "request", "path": "/last"}, **{"from": "worker"})
    passes(client, upstream, ASK % b"fine")
    client.sendall(ASK % b"last")
    tap.await_told("fired")
    for sock in (upstream, client, present, its):
        sock.sendall(ASK % b"x")
    new = tap.connect()
    new.sendall(ASK % b"new")
    assert all(silent(sock) for sock in (upstream, client, present, its, new))
    assert not tap.trace("close")
    # `worker` names the service, so its second replica is inside, too.
    assert silent(others)
    other.sendall(ASK % b"x")
    assert silent(others)
    tap.ask("disarm", rule="r1")
    assert [ended(sock) for sock in (client, upstream, present, its, new, other, others)] == ["reset"] * 7
    client, upstream = pair(server, tap)
    passes(client, upstream, ASK % b"again")


def test_a_black_hole_for_all_bytes_is_there_at_once(server: Server, tap: TapProcess) -> None:
    client, upstream = pair(server, tap)
    tap.arm(do="blackhole")
    new = tap.connect()
    client.shutdown(socket.SHUT_WR)
    assert silent(upstream)
    assert not [frame for frame in tap.told if frame["type"] == "fired"]
    new.sendall(ASK % b"x")
    event = tap.await_told("fired")["event"]
    assert (event["kind"], event["size"], event["action"]) == ("bytes", len(ASK % b"x"), "blackhole")
    tap.ask("disarm", rule="r1")
    assert [ended(sock) for sock in (new, upstream)] == ["reset", "reset"]
    client, again = pair(server, tap)  # the upstream has never seen the one before
    passes(client, again, ASK % b"x")


def test_a_hold_waits_for_the_word_and_keeps_the_order(server: Server, tap: TapProcess) -> None:
    client, upstream = pair(server, tap)
    other, its = pair(server, tap)
    tap.arm(do="hold", seconds=60, when={"kind": "request", "path": "/held"})
    client.sendall(ASK % b"held" + ASK % b"behind")
    held = tap.await_told("held")
    assert (held["rule"], held["event"]["path"], held["event"]["action"]) == ("r1", "/held", "hold")
    assert silent(upstream)
    passes(upstream, client, ANSWER)  # the other direction goes on
    passes(other, its, ASK % b"x")  # and so do other connections
    tap.ask("release", hold=held["hold"], action="forward")
    both = ASK % b"held" + ASK % b"behind"
    assert exactly(upstream, len(both)) == both
    assert "no hold" in tap.refusal("release", hold=held["hold"], action="forward")
    assert [(event["action"], event["hold"]) for event in tap.trace("released")] == [("forward", held["hold"])]


@pytest.mark.parametrize("action", ["drop", "cut"])
def test_a_hold_ends_otherwise(server: Server, tap: TapProcess, action: str) -> None:
    client, upstream = pair(server, tap)
    tap.arm(do="hold", seconds=60, when={"kind": "request"})
    client.sendall(ASK % b"held" + ASK % b"behind")
    tap.ask("release", hold=tap.await_told("held")["hold"], action=action)
    if action == "cut":
        assert (ended(client), ended(upstream)) == ("reset", "reset")
    else:
        assert exactly(upstream, len(ASK % b"behind")) == ASK % b"behind"
        passes(upstream, client, ANSWER)
        assert tap.trace("response")[0]["id"].endswith(".2")
    assert tap.trace("released")[0]["action"] == action


def test_a_hold_ends_by_itself(server: Server, tap: TapProcess) -> None:
    client, upstream = pair(server, tap)
    tap.arm(do="hold", seconds=0.3, then="drop", when={"kind": "request"})
    began = time.monotonic()
    client.sendall(ASK % b"held" + ASK % b"behind")
    assert exactly(upstream, len(ASK % b"behind")) == ASK % b"behind"
    assert 0.25 < time.monotonic() - began < 3


def test_disarming_forwards_what_is_held(server: Server, tap: TapProcess) -> None:
    client, upstream = pair(server, tap)
    tap.arm(do="hold", seconds=60, then="drop", when={"kind": "request"})
    client.sendall(ASK % b"held")
    tap.await_told("held")
    tap.ask("disarm", rule="r1")
    assert exactly(upstream, len(ASK % b"held")) == ASK % b"held"


@pytest.mark.parametrize("action", ["forward", "drop"])
def test_what_is_held_outlives_its_sender(server: Server, tap: TapProcess, action: str) -> None:
    """A worker that is killed while its ack is on the way: the ack may still arrive, or never."""
    client, upstream = pair(server, tap)
    tap.arm(do="hold", seconds=60, when={"kind": "request"})
    client.sendall(ASK % b"held")
    hold = tap.await_told("held")["hold"]
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    assert silent(upstream)
    tap.ask("release", hold=hold, action=action)
    if action == "forward":
        assert exactly(upstream, len(ASK % b"held")) == ASK % b"held"
    assert ended(upstream) in ("eof", "reset")
    assert tap.await_event("close")["by"] == "client"


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


def test_a_request_is_repeated_on_a_connection_of_its_own(server: Server, tap: TapProcess) -> None:
    client, upstream = pair(server, tap)
    tap.arm(do="duplicate", when={"kind": "request"})
    order = b"POST /orders HTTP/1.1\r\nHost: shop\r\nContent-Length: 4\r\n\r\nA-17"
    passes(client, upstream, order)
    again = server.accept()
    assert exactly(again, len(order)) == order
    passes(upstream, client, ANSWER)
    again.sendall(b"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n")
    assert again.recv(1) == b""
    assert silent(client)
    told = [(event["status"], event.get("action")) for event in tap.trace("response")]
    assert sorted(told, key=str) == [(200, None), (409, "duplicate")]
    assert [(event["body"], event["action"]) for event in tap.trace("request")] == [("A-17", "duplicate")] * 2


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


def test_a_commit_is_held_with_its_query(server: Server) -> None:
    with TapProcess("postgres", server.port) as tap:
        client, upstream = pair(server, tap)
        passes(client, upstream, postgres.STARTUP)
        passes(upstream, client, postgres.message(b"R", bytes(4)) + postgres.READY)
        tap.arm(do="hold", seconds=60, when={"kind": "commit"})
        tap.arm("r2", do="drop", when={"kind": "complete", "tag": {"contains": "INSERT"}})
        passes(client, upstream, postgres.query("SELECT 1"))
        passes(upstream, client, postgres.message(b"C", b"SELECT 1\0") + postgres.READY)
        insert = postgres.extended("INSERT INTO t VALUES (1)") + postgres.message(b"S")
        client.sendall(insert)
        held = tap.await_told("held")
        assert (held["event"]["implicit"], held["event"]["statement"]) == (True, "INSERT INTO t VALUES (1)")
        assert silent(upstream)
        tap.ask("release", hold=held["hold"], action="forward")
        assert exactly(upstream, len(insert)) == insert
        upstream.sendall(postgres.message(b"C", b"INSERT 0 1\0") + postgres.READY)
        assert silent(client)  # it is committed, and the client never learns


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


def test_a_rule_for_one_replica_leaves_the_others_alone(server: Server, tap: TapProcess) -> None:
    first, its = pair(server, tap)
    second, seconds = pair(server, tap, SECOND)
    tap.arm(do="drop", when={"kind": "request"}, times=0, **{"from": "worker-2"})
    passes(first, its, ASK % b"x")
    second.sendall(ASK % b"x")
    assert silent(seconds)
    assert TAP in str(second.getpeername())
