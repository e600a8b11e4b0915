"""Every decoder against every cut of a real conversation, against noise and against conversations with errors in them."""

from __future__ import annotations

import gc
import random
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.sandbox.taps.proxy.decoder import Direction, Undecodable
from app.sandbox.taps.proxy.decoders import DECODERS
from app.sandbox.taps.proxy.trace import encode
from tests.recordings import Chunk, recording
from tests.tap_decoding import Reading, read
from tests.tap_wire import amqp, grpc, postgres

AMQP: list[Chunk] = [
    ("up", amqp.GREETING + amqp.method(1, amqp.OPEN, b"\0") + amqp.consume(1, "tasks", "c")),
    ("down", amqp.deliver(1, "c", 1, "tasks") + amqp.content(1, promised=1 << 30)[0]),
]
GRPC: list[Chunk] = [("up", grpc.PREFACE + grpc.frame(grpc.SETTINGS, 0, 0))]
WAYS: dict[str, Direction] = {"up": "up", "down": "down"}
PROTOCOLS = ("amqp", "postgres", "http", "grpc")
DECODED = pytest.mark.parametrize("protocol", PROTOCOLS)


def turns(protocol: str) -> list[Chunk]:
    """A recording with its consecutive chunks of one direction joined."""
    joined: list[Chunk] = []
    for direction, data in recording(protocol):
        if joined and joined[-1][0] == direction:
            joined[-1] = (direction, joined[-1][1] + data)
        else:
            joined.append((direction, data))
    return joined


@DECODED
def test_any_cut_of_the_stream_gives_the_same_events(protocol: str) -> None:
    whole = read(protocol, turns(protocol))
    assert whole.events
    for step in (1, 2, 3, 7, 50, 1460):
        cut = read(protocol, turns(protocol), step)
        assert cut.events == whole.events
        assert [(way, unit) for way, unit, kinds in cut.units if kinds] == [
            (way, unit) for way, unit, kinds in whole.units if kinds
        ]


@DECODED
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), biggest=st.sampled_from([3, 40, 5000]))
def test_random_cuts_give_the_same_events(protocol: str, seed: int, biggest: int) -> None:
    draw, whole, cut = random.Random(seed), read(protocol, turns(protocol)), Reading(protocol)
    for direction, data in turns(protocol):
        at = 0
        while at < len(data):
            size = draw.randint(1, biggest)
            cut.feed("up" if direction == "up" else "down", data[at : at + size])
            at += size
        cut.now += 0.01
    cut.end()
    assert cut.events == whole.events


@pytest.mark.parametrize("protocol", [*PROTOCOLS, "tcp"])
@settings(max_examples=200, deadline=None)
@given(chunks=st.lists(st.tuples(st.sampled_from(["up", "down"]), st.binary(min_size=1, max_size=300)), max_size=12))
def test_noise_is_undecodable_and_nothing_worse(protocol: str, chunks: list[Chunk]) -> None:
    with suppress(Undecodable):
        read(protocol, chunks)


@DECODED
@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_errors_in_a_real_conversation_are_undecodable_and_nothing_worse(protocol: str, seed: int) -> None:
    """Flipped, lost, doubled and foreign bytes, some chunks out of order."""
    reading = Reading(protocol)
    try:
        for direction, data in mutated(protocol, seed):
            reading.feed("up" if direction == "up" else "down", data)
        reading.end()
    except Undecodable:
        pass
    for _, event in reading.events:
        assert len(encode(event).encode("utf-8", "replace")) < 200_000
        assert len(str(event.get("body", ""))) <= 512


def mutated(protocol: str, seed: int) -> list[Chunk]:
    """A recording with a few errors."""
    draw = random.Random(seed)
    conversation = [(direction, bytearray(data)) for direction, data in recording(protocol)]
    for _ in range(draw.randint(1, 6)):
        place = draw.randrange(len(conversation))
        data = conversation[place][1]
        at = draw.randrange(len(data)) if data else 0
        match draw.randrange(6):
            case 0:
                data[at : at + 1] = draw.randbytes(1)
            case 1:
                del data[at : at + draw.randint(1, 20)]
            case 2:
                data[at:at] = data[at : at + draw.randint(1, 50)]
            case 3:
                data[at:at] = draw.randbytes(draw.randint(1, 30))
            case 4:
                other = draw.randrange(len(conversation))
                conversation[place], conversation[other] = conversation[other], conversation[place]
            case _:
                data[at : at + 4] = b"\xff\xff\xff\xff"
    return [(direction, bytes(data)) for direction, data in conversation if data]


ENDLESS = {
    "amqp body": ("amqp", "down", AMQP, amqp.content(1, b"x" * 60_000)[1]),
    "amqp publishes": ("amqp", "up", AMQP[:-1], amqp.publish(1, "tasks") + b"".join(amqp.content(1, b"y" * 60_000))),
    "http body": ("http", "up", [("up", b"PUT / HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n")], b"x" * 65536),
    "http chunks": (
        "http",
        "up",
        [("up", b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")],
        (b"ff0\r\n" + b"x" * 0xFF0 + b"\r\n") * 16,
    ),
    "copy": ("postgres", "up", [("up", postgres.STARTUP)], postgres.message(b"d", b"x" * 60_000)),
    "a statement": ("postgres", "up", [("up", postgres.STARTUP + b"Q\x3f\xff\xff\xff")], b"x" * 65536),
    "a stream": (
        "grpc",
        "up",
        [("up", grpc.PREFACE + grpc.frame(grpc.SETTINGS, 0, 0))],
        grpc.frame(grpc.DATA, 0, 1, grpc.text(b"x" * 16_000)),
    ),
    "tcp": ("tcp", "up", [], b"x" * 65536),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_memory_stays_small_however_much_passes(name: str) -> None:
    """32 MiB: one unit that does not end, or one after another."""
    protocol, direction, begin, more = ENDLESS[name]
    decoder, way = DECODERS[protocol](5), WAYS[direction]
    for turn, data in begin:
        decoder.feed(WAYS[turn], data, 0, [])
    gc.collect()
    tracemalloc.start()
    try:
        for _ in range((32 << 20) // len(more)):
            decoder.feed(way, more, 0, [])
        assert tracemalloc.get_traced_memory()[0] < 1 << 20
    finally:
        tracemalloc.stop()
