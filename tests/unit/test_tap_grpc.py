"""gRPC as grpcio spoke it, and frames of HTTP/2 that no client of gRPC sends."""

from __future__ import annotations

import hpack
import pytest

from app.sandbox.taps.proxy.decoder import State, Undecodable
from tests.recordings import recording
from tests.tap_decoding import Reading, fields, of, read
from tests.tap_wire.grpc import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PREFACE,
    PRIORITY,
    RESET,
    SETTINGS,
    frame,
    text,
)


class Call:
    """Both sides of a connection, made by hand."""

    def __init__(self) -> None:
        self.reading = Reading("grpc")
        self._up, self._down = hpack.Encoder(), hpack.Encoder()
        self.reading.feed("up", PREFACE + frame(SETTINGS, 0, 0))
        self.reading.feed("down", frame(SETTINGS, 0, 0))

    def ask(self, stream: int, path: str = "/shop.Orders/Say", kind: str = "application/grpc") -> bytes:
        """The header block of a request."""
        return self._up.encode([(":method", "POST"), (":path", path), ("content-type", kind), ("x-n", str(stream))])

    def answer(self, *fields: tuple[str, str]) -> bytes:
        """A header block of an answer."""
        return self._down.encode(fields)


def test_calls_of_grpcio() -> None:
    reading = read("grpc", recording("grpc"))
    asked, answered = of(reading, "request"), of(reading, "response")
    assert fields(asked, "method") == ["Say"] * 4 + ["Fail", "Nothing", "Many", "Sum", "Many", "Say"]
    assert set(fields(asked, "service")) == {"shop.Orders"}
    assert fields(answered, "id") == fields(asked, "id")
    codes = [(0, "OK", 1)] * 4 + [(9, "FAILED_PRECONDITION", 0), (12, "UNIMPLEMENTED", 0), (0, "OK", 3), (0, "OK", 1)]
    assert fields(answered, "code", "status", "messages") == [*codes, (1, "CANCELLED", 1), (0, "OK", 1)]
    assert fields([event for event in answered if event.get("reset")], "code") == [1]
    sums = [event for event in of(reading, "message") if event["method"] == "Sum"]
    assert fields(sums, "n") == [1, 2, 3, 1]
    assert max(fields(of(reading, "message"), "size")) == 20_005
    assert answered[0]["latency"] > 0


def test_headers_in_pieces_with_padding_and_priority() -> None:
    call = Call()
    block = call.ask(1)
    first = bytes([2]) + bytes(5) + block[:7] + bytes(2)
    call.reading.feed("up", frame(HEADERS, PADDED | PRIORITY, 1, first))
    call.reading.feed("up", frame(CONTINUATION, 0, 1, block[7:9]) + frame(CONTINUATION, END_HEADERS, 1, block[9:]))
    assert fields(of(call.reading, "request"), "id", "method") == [("5.1", "Say")]
    assert len(call.reading.units[-1][1]) == len(first) + len(block) - 7 + 27


def test_messages_that_do_not_keep_to_frames() -> None:
    call = Call()
    call.reading.feed("up", frame(HEADERS, END_HEADERS, 1, call.ask(1)))
    stream = text(b"one") + text(b"") + text(b"three")
    call.reading.feed(
        "up", frame(DATA, PADDED, 1, bytes([4]) + stream[:11] + bytes(4)) + frame(DATA, END_STREAM, 1, stream[11:])
    )
    assert fields(of(call.reading, "message"), "n", "size") == [(1, 8), (2, 5), (3, 10)]
    states = [piece.state for _, piece in call.reading.pieces]
    # Neither of the two can be taken out: what is left would not be messages.
    assert states[-2:] == [State.PART, State.PART]


def test_headers_are_never_taken_out_and_whole_messages_may_be() -> None:
    call = Call()
    call.reading.feed("up", frame(HEADERS, END_HEADERS, 1, call.ask(1)) + frame(DATA, END_STREAM, 1, text(b"x")))
    assert [piece.state for _, piece in call.reading.pieces][-2:] == [State.PART, State.DONE]


def test_plain_http_2_is_told_without_messages() -> None:
    call = Call()
    call.reading.feed("up", frame(HEADERS, END_HEADERS | END_STREAM, 1, call.ask(1, "/health", "text/plain")))
    call.reading.feed("down", frame(HEADERS, END_HEADERS, 1, call.answer((":status", "503"))))
    call.reading.feed("down", frame(DATA, END_STREAM, 1, b"not now") + frame(GOAWAY, 0, 0, bytes(8)))
    assert fields(of(call.reading, "request", "message", "response"), "kind", "code") == [("request", None), ("response", 14)]


def test_a_stream_that_is_reset_has_ended() -> None:
    call = Call()
    call.reading.feed("up", frame(HEADERS, END_HEADERS, 1, call.ask(1)))
    call.reading.feed("down", frame(RESET, 0, 1, (7).to_bytes(4, "big")) + frame(RESET, 0, 1, bytes(4)))
    assert fields(of(call.reading, "response"), "code", "status", "reset") == [(14, "UNAVAILABLE", True)]


@pytest.mark.parametrize(
    ("direction", "data", "why"),
    [
        ("up", b"GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n", "not HTTP/2"),
        ("up", PREFACE + frame(DATA, 0, 1, b"x"), "not HTTP/2"),
        ("down", b"HTTP/1.1 400 Bad Request\r\n\r\n", "not HTTP/2"),
        ("up", PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, 0, 1) + frame(DATA, 0, 1), "something else between headers"),
        ("up", PREFACE + frame(SETTINGS, 0, 0) + frame(CONTINUATION, 4, 1), "without a beginning"),
        ("up", PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, 4, 1, b"\xff" * 40), "headers: "),
        ("up", PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, 4, 1, bytes(70_000)), "a frame of 70000 bytes"),
        ("up", PREFACE + frame(SETTINGS, 0, 0) + frame(DATA, PADDED, 1, b"\xffx"), "more padding than data"),
        (
            "up",
            PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, END_HEADERS | PADDED, 1, b"\xff"),
            "shorter than their padding",
        ),
    ],
)
def test_what_is_not_understood_says_why(direction: str, data: bytes, why: str) -> None:
    with pytest.raises(Undecodable, match=why):
        read("grpc", [(direction, data)])


def test_a_message_begins_with_its_flag() -> None:
    call = Call()
    with pytest.raises(Undecodable, match="neither 0 nor 1"):
        call.reading.feed("up", frame(HEADERS, END_HEADERS, 1, call.ask(1)) + frame(DATA, 0, 1, b"hello"))


def test_calls_at_the_same_time_are_bounded() -> None:
    call = Call()
    many = b"".join(frame(HEADERS, END_HEADERS, stream, call.ask(stream)) for stream in range(1, 2010, 2))
    with pytest.raises(Undecodable, match="more than 1000 calls"):
        call.reading.feed("up", many)
