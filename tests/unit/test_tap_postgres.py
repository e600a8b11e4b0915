"""PostgreSQL as psycopg spoke it, and the texts that decide what commits."""

from __future__ import annotations

import struct

import pytest

from app.sandbox.taps.proxy.decoder import Undecodable
from app.sandbox.taps.proxy.decoders.postgres.statements import read as read_text
from tests.recordings import recording
from tests.tap_decoding import Reading, fields, of, read
from tests.tap_wire.postgres import READY, STARTUP, again, extended, message, query


def started() -> Reading:
    """A session that is ready."""
    reading = Reading("postgres")
    reading.feed("up", STARTUP)
    reading.feed("down", message(b"R", bytes(4)) + READY)
    return reading


def test_a_session_of_psycopg() -> None:
    reading = read("postgres", recording("postgres"))
    assert fields(of(reading, "startup"), "user", "database") == [("soty", "postgres")]
    told = fields(of(reading, "begin", "commit", "rollback", "error"), "kind", "implicit")
    once, implicit, explicit = ("begin", None), ("commit", True), ("commit", False)
    assert told == [
        implicit,  # drop and create in one query
        implicit,  # insert
        once, explicit,
        once, ("error", None), ("rollback", None),
        implicit,  # prepared
        implicit,  # a pipeline: its sync
        implicit,  # COPY … FROM
        implicit,  # WITH … DELETE
        implicit,  # drop
    ]  # fmt: skip
    assert of(reading, "error")[0]["code"] == "23505"
    asked = {event["id"] for event in of(reading, "begin", "rollback", "statement", "commit")}
    answered = fields(of(reading, "complete", "error"), "id")
    assert set(answered) == asked
    assert len(answered) == len(asked)
    assert fields(of(reading, "complete"), "tag", "rows")[-4] == ("COPY 36", 36)
    assert of(reading, "complete")[2]["latency"] == pytest.approx(0.01)


def test_prepared_statements_are_known_by_name() -> None:
    reading = started()
    reading.feed("up", extended("INSERT INTO t VALUES ($1)", b"s1") + message(b"S"))
    reading.feed("down", message(b"1") + message(b"2") + message(b"C", b"INSERT 0 1\0") + READY)
    reading.feed("up", again(b"s1") + message(b"S"))
    assert fields(of(reading, "statement"), "statement") == ["INSERT INTO t VALUES ($1)"] * 2
    reading.feed("up", message(b"C", b"Ss1\0") + again(b"s1") + message(b"S"))
    assert len(of(reading, "statement")) == 2


def test_a_transaction_that_begins_inside_a_pipeline_commits_once() -> None:
    reading = started()
    reading.feed("up", extended("BEGIN") + extended("INSERT INTO t VALUES (1)") + extended("COMMIT") + message(b"S"))
    assert fields(of(reading, "commit"), "implicit") == [False]
    assert len(reading.units) == 4  # startup, R, Z and all that up to the Sync


def test_what_is_skipped_after_an_error_is_not_answered() -> None:
    reading = started()
    reading.feed("up", extended("bad") + extended("INSERT INTO t VALUES (1)") + message(b"S") + query("SELECT 1"))
    reading.feed("down", message(b"E", b"C42601\0Msyntax\0\0") + READY + message(b"C", b"SELECT 1\0") + READY)
    bad, _skipped, select = of(reading, "statement")
    assert of(reading, "error")[0]["id"] == bad["id"]
    assert of(reading, "complete")[0]["id"] == select["id"]


def test_a_completion_is_one_unit_with_what_ends_its_query() -> None:
    reading = started()
    reading.feed("up", query("COMMIT"))
    reading.feed("down", message(b"N", b"\0") + message(b"C", b"COMMIT\0") + READY)
    assert reading.units[-1] == ("down", message(b"C", b"COMMIT\0") + READY, ["complete"])


def test_answers_to_a_flush_do_not_wait_for_a_sync_that_may_not_come() -> None:
    reading = started()
    reading.feed("up", extended("SELECT 1") + message(b"H"))
    assert reading.units[-1][2] == ["statement"]
    reading.feed("down", message(b"1") + message(b"2") + message(b"C", b"SELECT 1\0"))
    assert reading.units[-1][2] == ["complete"]


def test_encryption_is_offered_and_declined() -> None:
    reading = Reading("postgres")
    reading.feed("up", struct.pack(">II", 8, 80877103))
    reading.feed("down", b"N")
    reading.feed("up", STARTUP)
    assert of(reading, "startup")[0]["user"] == "anna"
    encrypted = Reading("postgres")
    encrypted.feed("up", struct.pack(">II", 8, 80877103))
    with pytest.raises(Undecodable, match="encrypted"):
        encrypted.feed("down", b"S")


def test_a_message_of_any_size_is_read_by_its_beginning() -> None:
    reading = started()
    text = "INSERT INTO t VALUES ('" + "x" * 3_000_000 + "')"
    for at in range(0, len(text) + 6, 65536):
        reading.feed("up", query(text)[at : at + 65536])
    event = of(reading, "statement")[0]
    assert event["cut"]
    assert event["statement"] == text[:512]
    assert fields(of(reading, "commit"), "implicit") == [True]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" ; -- nothing\n;", []),
        ("begin", [("begin", False)]),
        ("START TRANSACTION ISOLATION LEVEL SERIALIZABLE", [("begin", False)]),
        ("/* why */ COMMIT", [("commit", False)]),
        ("end", [("commit", False)]),
        ("ROLLBACK TO SAVEPOINT s1", [("statement", False)]),
        ("ABORT", [("rollback", False)]),
        ("insert into t values (';'); select 1", [("statement", True), ("statement", False)]),
        ("SELECT 'INSERT; COMMIT'", [("statement", False)]),
        ('SELECT ";"', [("statement", False)]),
        ("SELECT $x$ ; $$ $x$; DELETE FROM t", [("statement", False), ("statement", True)]),
        ("WITH a AS (SELECT 1) SELECT * FROM a", [("statement", False)]),
        ("WITH a AS (UPDATE t SET x = 1 RETURNING 1) SELECT * FROM a", [("statement", True)]),
        ("SELECT * INTO copied FROM t", [("statement", True)]),
        ("COPY t TO STDOUT", [("statement", False)]),
        ("COPY (SELECT * FROM t) TO STDOUT", [("statement", False)]),
        ("copy t from stdin", [("statement", True)]),
        ("it's 'not ended", [("statement", False)]),
    ],
)
def test_texts(text: str, expected: list[tuple[str, bool]]) -> None:
    assert [(one.kind, one.writes) for one in read_text(text)] == expected


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"GET / HTTP/1.1\r\n", "not a startup"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01", "not a startup"),
        (STARTUP + b"!\0\0\0\4", "of type 33"),
        (STARTUP + b"Q\xff\xff\xff\xff", "of 4294967295 bytes"),
        (STARTUP + b"Q\0\0\0\0", "of 0 bytes"),
        (STARTUP + b"".join(message(b"P", b"s%d\0SELECT 1\0\0\0" % n) for n in range(1001)), "more than 1000 names"),
        (STARTUP + (query("SELECT 1") * 5001), "more than 10000 statements"),
    ],
)
def test_what_is_not_understood_says_why(data: bytes, why: str) -> None:
    with pytest.raises(Undecodable, match=why):
        Reading("postgres").feed("up", data)
