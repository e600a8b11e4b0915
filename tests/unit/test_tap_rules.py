"""Rules: what is refused when it is armed, and each action seen to act on a real connection."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest

from app.sandbox.taps.proxy.rules import RuleRefused, read_rule
from tests.tap_process import (
    ANSWER,
    ASK,
    SECOND,
    TAP,
    Server,
    TapProcess,
    ended,
    exactly,
    pair,
    passes,
    silent,
)

STEP = {"do": "kill", "service": "@sender"}


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


def test_a_rule_for_one_replica_leaves_the_others_alone(server: Server, tap: TapProcess) -> None:
    first, its = pair(server, tap)
    second, seconds = pair(server, tap, SECOND)
    tap.arm(do="drop", when={"kind": "request"}, times=0, **{"from": "worker-2"})
    passes(first, its, ASK % b"x")
    second.sendall(ASK % b"x")
    assert silent(seconds)
    assert TAP in str(second.getpeername())
