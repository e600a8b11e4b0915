"""Frames that a tap holds: how long, how it ends, what waits behind them."""

from __future__ import annotations

import socket
import time

import pytest

from tests.tap_process import (
    ANSWER,
    ASK,
    Server,
    TapProcess,
    ended,
    exactly,
    pair,
    passes,
    silent,
)
from tests.tap_wire import postgres


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
