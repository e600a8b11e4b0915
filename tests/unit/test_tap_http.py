"""HTTP/1.1 as http.client and aiohttp spoke it, and the edges of the protocol."""

from __future__ import annotations

import pytest

from app.sandbox.taps.proxy.decoder import State, Undecodable
from tests.recordings import recording
from tests.tap_decoding import Reading, fields, of, read


def exchange(*turns: tuple[str, bytes]) -> Reading:
    """A conversation."""
    return read("http", turns)


GET = ("up", b"GET /orders?x=1 HTTP/1.1\r\nHost: shop\r\n\r\n")


def test_a_connection_of_http_client() -> None:
    reading = read("http", recording("http"))
    asked, answered = of(reading, "request"), of(reading, "response")
    assert fields(answered, "id") == fields(asked, "id")
    assert fields(asked[:5], "method", "path", "body") == [
        ("GET", "/echo", ""),
        ("POST", "/echo", "order A-17"),
        ("POST", "/echo", "in pieces"),
        ("HEAD", "/echo", "only its length comes back"),
        ("GET", "/chunks?from=0", ""),
    ]
    assert fields(answered, "status") == [200, 200, 200, 200, 200, 204, 304, 200, 200, 200, 200, 101]
    assert answered[4]["body"].startswith("chunk 0;chunk 1;")
    assert answered[1]["latency"] == pytest.approx(0.02)
    assert (answered[7]["body"], answered[7]["cut"]) == ("z" * 512, True)
    # After 101 the bytes are those of another protocol: they pass, and nothing is told.
    assert reading.units[-1][2] == []


def test_a_unit_is_a_whole_message() -> None:
    reading = exchange(("up", b"POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\nsix"), ("up", b"six" + GET[1]))
    assert [unit for _, unit, _ in reading.units] == [b"POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\nsixsix", GET[1]]


def test_a_body_that_ends_with_the_connection() -> None:
    reading = exchange(GET, ("down", b"HTTP/1.0 200 OK\r\n\r\nall "), ("down", b"there is"))
    assert fields(of(reading, "response"), "body", "size") == [("all there is", 31)]


def test_events_without_end_are_told_at_once() -> None:
    reading = exchange(GET, ("down", b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"), ("down", b"data: 1\n\n"))
    assert fields(of(reading, "response"), "status") == [200]
    assert [piece.state for _, piece in reading.pieces][1:] == [State.OPEN, State.OPEN]


def test_interim_answers_belong_to_no_request() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    reading = exchange(GET, GET, ("down", early), ("down", early))
    assert fields(of(reading, "response"), "id") == ["5.1", "5.2"]


def test_connect_turns_into_bytes() -> None:
    reading = exchange(
        ("up", b"CONNECT shop:80 HTTP/1.1\r\n\r\n"), ("down", b"HTTP/1.1 200 OK\r\n\r\n\x00\x01"), ("up", b"\xff\x00")
    )
    assert fields(of(reading, "request", "response"), "kind") == ["request", "response"]


def test_a_lost_request_is_not_answered() -> None:
    reading = exchange(GET, GET)
    reading.decoder.lost([of(reading, "request")[0]])
    reading.feed("down", b"HTTP/1.1 204 No Content\r\n\r\n")
    assert of(reading, "response")[0]["id"] == "5.2"


def test_chunks_with_extensions_and_trailers() -> None:
    body = b"3;why=not\r\nabc\r\n0003\r\ndef\r\n0\r\nDigest: x\r\n\r\n"
    reading = exchange(GET, ("down", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n" + body), GET)
    assert fields(of(reading, "response"), "body") == ["abcdef"]
    assert len(of(reading, "request")) == 2


@pytest.mark.parametrize(
    ("direction", "data", "why"),
    [
        ("up", b"\x16\x03\x01\x02\x00\x01\x00", "not HTTP"),
        ("up", b"GET / HTTP/2.0\r\n\r\n", "first line"),
        ("up", b"GET / HTTP/1.1\nHost: x\n\n", "without CR"),
        ("up", b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 20_000, "more than 65536"),
        ("up", b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "two fields content-length"),
        ("up", b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "no number"),
        ("up", b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", "unknown length"),
        ("up", b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "chunk without"),
        ("up", b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", "longer than announced"),
        ("up", GET[1] * 1001, "more than 1000 requests"),
        ("down", b"220 mail.example ESMTP\r\n", "not HTTP"),
        ("down", b"HTTP/1.1 99 Odd\r\n\r\n", "first line"),
    ],
)
def test_what_is_not_understood_says_why(direction: str, data: bytes, why: str) -> None:
    with pytest.raises(Undecodable, match=why):
        exchange((direction, data))
