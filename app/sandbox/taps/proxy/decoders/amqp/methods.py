"""Methods: what each changes in its channel, and the event that it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...decoder import Undecodable
from ...trace import Event
from .arguments import Arguments
from .channel import Channel

MAX_PENDING = 1000  #: requests of one channel that the broker has not answered yet

Method = Callable[[Channel, Arguments, float], Event | None]


def _queue(channel: Channel, name: str) -> str:
    return name or channel.last_queue


def _declare(channel: Channel, read: Arguments, now: float) -> Event:
    read.short()
    name, bits = read.text(), read.octet()
    channel.last_queue = name
    return {"kind": "declare", "queue": name, "durable": bool(bits & 2), "passive": bool(bits & 1)}


def _declared(channel: Channel, read: Arguments, now: float) -> None:
    channel.last_queue = read.text()


def _declare_exchange(channel: Channel, read: Arguments, now: float) -> Event:
    read.short()
    name, kind, bits = read.text(), read.text(), read.octet()
    return {"kind": "declare-exchange", "exchange": name, "type": kind, "durable": bool(bits & 2), "passive": bool(bits & 1)}


def _bind(channel: Channel, read: Arguments, now: float) -> Event:
    read.short()
    queue, exchange, key = read.text(), read.text(), read.text()
    return {"kind": "bind", "queue": _queue(channel, queue), "exchange": exchange, "routing_key": key}


def _qos(channel: Channel, read: Arguments, now: float) -> Event:
    read.long()
    count, bits = read.short(), read.octet()
    return {"kind": "qos", "prefetch": count, "global": bool(bits & 1)}


def _consume(channel: Channel, read: Arguments, now: float) -> Event:
    read.short()
    queue, tag, bits = _queue(channel, read.text()), read.text(), read.octet()
    no_ack, no_wait = bool(bits & 2), bool(bits & 8)
    if tag:
        channel.consume(tag, queue, no_ack)
    if not no_wait:
        _pend(channel.asked, (queue, no_ack))
    return {"kind": "consume", "queue": queue, "no_ack": no_ack, "consumer_tag": tag}


def _pend(line: Any, request: tuple[str, bool]) -> None:
    if len(line) >= MAX_PENDING:
        raise Undecodable(f"more than {MAX_PENDING} requests wait for an answer")
    line.append(request)


def _consuming(channel: Channel, read: Arguments, now: float) -> None:
    if channel.asked:
        channel.consume(read.text(), *channel.asked.popleft())


def _get(channel: Channel, read: Arguments, now: float) -> None:
    read.short()
    queue = _queue(channel, read.text())
    _pend(channel.gets, (queue, bool(read.octet() & 1)))


def _get_empty(channel: Channel, read: Arguments, now: float) -> Event:
    return {"kind": "get-empty", "queue": channel.gets.popleft()[0] if channel.gets else ""}


def _settling(kind: str) -> Method:
    def settle(channel: Channel, read: Arguments, now: float) -> Event:
        tag, bits = read.longlong(), read.octet()
        multiple = bool(bits & 1) and kind != "reject"
        requeue = bool(bits & (2 if kind == "nack" else 1)) and kind != "ack"
        ids, named = channel.settle(tag, multiple)
        event: Event = {"kind": kind, "delivery_tag": tag, "multiple": multiple, "requeue": requeue, "ids": ids}
        if named is not None:
            event |= {**named.fields, "id": named.id, "latency": round(now - named.at, 6)}
        return event

    return settle


def _confirming(kind: str) -> Method:
    def confirm(channel: Channel, read: Arguments, now: float) -> Event:
        number, bits = read.longlong(), read.octet()
        found = channel.confirmed(number, bool(bits & 1))
        event: Event = {"kind": kind, "delivery_tag": number, "multiple": bool(bits & 1), "ids": [name for name, _ in found]}
        if found:
            event |= {"id": found[-1][0], "latency": round(now - found[-1][1], 6)}
        return event

    return confirm


def _confirm_select(channel: Channel, read: Arguments, now: float) -> Event:
    channel.confirming = True
    return {"kind": "confirm-select"}


def _recover(channel: Channel, read: Arguments, now: float) -> None:
    if read.octet() & 1:
        channel.requeue()


#: (class, method) -> what it does
UP: Mapping[tuple[int, int], Method] = {
    (40, 10): _declare_exchange,
    (50, 10): _declare,
    (50, 20): _bind,
    (60, 10): _qos,
    (60, 20): _consume,
    (60, 70): _get,
    (60, 80): _settling("ack"),
    (60, 90): _settling("reject"),
    (60, 100): _recover,
    (60, 110): _recover,
    (60, 120): _settling("nack"),
    (85, 10): _confirm_select,
}
DOWN: Mapping[tuple[int, int], Method] = {
    (50, 11): _declared,
    (60, 21): _consuming,
    (60, 72): _get_empty,
    (60, 80): _confirming("confirm"),
    (60, 120): _confirming("refuse"),
}
