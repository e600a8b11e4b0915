"""AMQP as pika and RabbitMQ spoke it, and what hostile clients make of it."""

from __future__ import annotations

import pytest

from app.sandbox.taps.proxy.decoder import Undecodable
from app.sandbox.taps.proxy.decoders.amqp import Amqp, Copies
from tests.recordings import recording
from tests.tap_decoding import Reading, fields, of, read
from tests.tap_wire.amqp import CONFIRM, GREETING, OPEN, ack, consume, content, deliver, method, publish, short


def opened(*channels: int) -> Reading:
    """A conversation with open channels."""
    reading = Reading("amqp")
    reading.feed("up", GREETING + b"".join(method(channel, OPEN, b"\0") for channel in channels))
    return reading


def test_publishes_and_their_confirms() -> None:
    reading = read("amqp", recording("amqp"))
    published = of(reading, "publish")
    assert fields(published, "id") == [f"5.1.p{number}" for number in range(1, 9)]
    assert fields(published[:2], "exchange", "routing_key", "persistent", "body") == [
        ("orders", "new", True, "A-17"),
        ("", "tasks", False, "task 0"),
    ]
    assert published[5]["body"] == "x" * 512
    assert published[5]["cut"]
    assert published[5]["size"] > 10_000
    assert fields(of(reading, "confirm"), "id") == fields(published, "id")
    assert of(reading, "confirm")[0]["latency"] == pytest.approx(0.01)
    assert fields(of(reading, "return"), "code", "routing_key", "body") == [(312, "nowhere", "lost")]


def test_deliveries_and_what_settles_them() -> None:
    reading = read("amqp", recording("amqp"))
    delivered = of(reading, "deliver")
    assert fields(delivered, "delivery_tag", "redelivered") == [(tag, tag == 7) for tag in range(1, 8)]
    assert set(fields(delivered, "queue")) == {"tasks"}
    settled = of(reading, "ack", "nack", "reject")
    assert fields(settled, "kind", "ids") == [
        ("ack", ["5.2.1"]),
        ("ack", ["5.2.2", "5.2.3"]),
        ("nack", ["5.2.4"]),
        ("reject", ["5.2.5"]),
        ("ack", ["5.2.6", "5.2.7"]),
        ("ack", ["5.2.8"]),
    ]
    assert fields(settled, "requeue") == [False, False, True, False, False, False]
    first = settled[0]
    assert (first["id"], first["queue"], first["body"], first["routing_key"]) == ("5.2.1", "tasks", "A-17", "new")
    assert fields(of(reading, "get", "get-empty"), "kind", "queue", "body") == [
        ("get", "tasks", "to be got"),
        ("get-empty", "tasks", None),
    ]


def test_declarations_and_ends() -> None:
    reading = read("amqp", recording("amqp"))
    assert fields(of(reading, "declare"), "queue", "durable", "passive") == [("tasks", True, False), ("nobody", False, True)]
    assert fields(of(reading, "bind"), "exchange", "queue", "routing_key") == [("orders", "tasks", "new")]
    assert fields(of(reading, "qos"), "prefetch") == [10]
    closed = [(way, event["kind"], event["code"]) for way, event in reading.events if event["kind"].endswith("-close")]
    assert closed == [
        ("down", "channel-close", 404),
        ("up", "channel-close", 200),
        ("up", "channel-close", 200),
        ("up", "connection-close", 200),
    ]


def test_a_unit_is_a_whole_message() -> None:
    units = [unit for _, unit, kinds in read("amqp", recording("amqp")).units if kinds == ["publish"]]
    assert all(unit[0] == 1 and unit[-1] == 0xCE for unit in units)
    assert b"A-17" in units[0]
    assert len(units[5]) > 10_000


def test_frames_of_other_channels_inside_a_message_are_units_of_their_own() -> None:
    reading = opened(1, 2)
    first = [publish(1, "slow"), *content(1, b"be", b"gin")]
    other = b"".join([publish(2, "fast"), *content(2, b"whole")])
    reading.feed("up", b"".join(first[:-1]) + other + first[-1])
    assert fields(of(reading, "publish"), "routing_key", "body") == [("fast", "whole"), ("slow", "begin")]
    assert reading.units[-1][1] == b"".join(first)


def test_empty_bodies_and_heartbeats() -> None:
    reading = opened(1)
    reading.feed("up", b"\x08\0\0\0\0\0\0\xce" + publish(1, "tasks") + content(1)[0])
    assert fields(of(reading, "publish"), "body", "persistent") == [("", True)]


def test_a_channel_number_that_is_used_again_has_new_ids() -> None:
    reading = opened(1)
    reading.feed("up", method(1, (20, 40), b"\0\xc8" + short("done") + b"\0\0\0\0"))
    reading.feed("down", method(1, (20, 41)))
    reading.feed("up", method(1, OPEN, b"\0") + publish(1, "tasks") + content(1)[0])
    assert of(reading, "publish")[0]["id"] == "5.2.p1"


def test_a_tag_that_the_broker_makes_up() -> None:
    reading = opened(1)
    reading.feed("up", consume(1, "tasks", "", no_ack=True))
    reading.feed("down", method(1, (60, 21), short("made-up")))
    delivery = deliver(1, "made-up", 1, "tasks")
    reading.feed("down", delivery + b"".join(content(1, b"x")))
    assert fields(of(reading, "deliver"), "queue", "no_ack", "body") == [("tasks", True, "x")]


def test_a_lost_publish_is_not_counted_by_the_broker() -> None:
    reading = opened(1)
    reading.feed("up", method(1, CONFIRM, b"\0"))
    for key in ("first", "second", "third"):
        reading.feed("up", publish(1, key) + b"".join(content(1, b"x")))
    reading.decoder.lost([of(reading, "publish")[1]])
    reading.feed("down", ack(1, 2, multiple=True))
    assert of(reading, "confirm")[0]["ids"] == ["5.1.p1", "5.1.p3"]


def test_a_lost_ack_leaves_its_deliveries_waiting() -> None:
    reading = opened(1)
    reading.feed("up", consume(1, "tasks", "c"))
    for tag in (1, 2):
        delivery = deliver(1, "c", tag, "tasks")
        reading.feed("down", delivery + b"".join(content(1, b"x")))
    pieces: list[object] = []
    reading.decoder.feed("up", ack(1, 1), 0, pieces)
    reading.decoder.lost(pieces[0].events)
    reading.feed("up", ack(1, 2, multiple=True))
    assert of(reading, "ack")[0]["ids"] == ["5.1.1", "5.1.2"]


def test_copies_travel_on_a_channel_of_their_own() -> None:
    decoder = Amqp(5)
    decoder.feed("up", GREETING + method(1, OPEN, b"\0"), 0, [])
    unit = publish(1, "tasks") + b"".join(content(1, b"A-17"))
    first = Copies(decoder).of(unit)
    assert first.startswith(method(2047, OPEN, b"\0"))
    assert first[len(method(2047, OPEN, b"\0")) :] == publish(2047, "tasks") + b"".join(content(2047, b"A-17"))
    assert Copies(decoder).of(unit) == publish(2047, "tasks") + b"".join(content(2047, b"A-17"))
    answers: list[object] = []
    decoder.feed(
        "down", method(2047, (20, 11), b"\0\0\0\0") + method(2047, (20, 40), b"\1\x94" + short("no") + bytes(4)), 0, answers
    )
    assert {piece.key for piece in answers} == {2047}
    assert Copies(decoder).of(unit).startswith(method(2047, (20, 41)) + method(2047, OPEN, b"\0"))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"GET / HTTP/1.1\r\n", "not AMQP"),
        (GREETING + b"\x01\0\0\xff\xff\xff\xff", "a frame of 4294967295 bytes"),
        (GREETING + method(1, OPEN, b"\0")[:-1] + b"\0", "without its end"),
        (GREETING + method(1, (60, 40), b"\0\0\xff"), "channel 1 is not open"),
        (GREETING + method(1, OPEN, b"\0") + method(1, (60, 40), b"\0\0\xff"), "shorter than its arguments"),
        (GREETING + method(1, OPEN, b"\0") + content(1, b"x")[1], "without its header"),
        (
            GREETING + method(1, OPEN, b"\0") + publish(1, "x") + b"".join(content(1, b"xx", promised=1)),
            "longer than announced",
        ),
        (GREETING + b"".join(method(number, OPEN, b"\0") for number in range(1, 2100)), "more than 2048 channels"),
    ],
)
def test_what_is_not_understood_says_why(data: bytes, why: str) -> None:
    with pytest.raises(Undecodable, match=why):
        Reading("amqp").feed("up", data)


def test_deliveries_that_nobody_acknowledges_are_bounded() -> None:
    reading = opened(1)
    reading.feed("up", consume(1, "tasks", "c"))
    many = b"".join(deliver(1, "c", tag, "tasks") + content(1)[0] for tag in range(1, 10_002))
    with pytest.raises(Undecodable, match="10000 deliveries"):
        reading.decoder.feed("down", many, 0, [])
