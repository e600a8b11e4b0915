"""What is typical of a failed run: short words that stay the same however often and with whatever values it is repeated.

A report's features are compared with those of the known mistakes (`app.trainer.diagnosis`). They name checks, edges and kinds
of messages, never values, numbers or anything that a learner wrote.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise, zip_longest

from app.grading.report import CheckReport, Report
from app.grading.trace import Event, Trace

MAX_FEATURES = 64
_MAX_WORDS = 60
#: Work of a consumer that an acknowledgement may come before or after.
_WORK = frozenset({"response", "commit", "complete", "confirm"})
_SETTLED = frozenset({"ack", "nack", "reject"})
_REPLICA = re.compile(r"-\d+$")
#: Quoted text, lists, addresses with a query or a port, and words with a digit in them: values, drawn or the learner's.
_VALUES = re.compile(r"\"[^\"]*\"|\[[^\]]*(?:\]|$)|\{[^}]*(?:\}|$)|\S*[?=&]\S*|\S+:\d+/\S*|[\w-]*\d+(?:[.,]\d+)*[\w-]*")


def features(report: Report) -> tuple[str, ...]:
    """At most `MAX_FEATURES` features of the checks that failed, sorted.

    Each failed check gives, the most telling first: the shapes of what was expected and seen, and how it ended; facts about
    its messages; which kinds went over which edge; which kind followed which. All checks have an equal share.
    """
    traces = {trace.check: trace for trace in report.traces}
    failed = [check for check in report.checks if check.status == "failed"]
    shares = [_of_check(check, traces.get(check.id)) for check in failed]
    found: dict[str, None] = {}
    for turn in zip_longest(*shares):
        for feature in turn:
            if feature is not None and len(found) < MAX_FEATURES:
                found[feature] = None
    return tuple(sorted(found))


def _of_check(check: CheckReport, trace: Trace | None) -> list[str]:
    own = [f"{check.id}: {feature}" for feature in _told(check)]
    events = sorted(trace.events, key=lambda event: float(event.get("at", 0))) if trace else []
    parts: tuple[Callable[[Sequence[Event]], Iterable[str]], ...] = (_facts, _kinds, _orders)
    for part in parts:
        own += [f"{check.id}: {feature}" for feature in sorted(set(part(events)))]
    return list(dict.fromkeys(own))


def _told(check: CheckReport) -> Iterator[str]:
    if check.message is None:
        return
    if check.message.cause:
        yield f"{check.message.cause.kind} {_service(check.message.cause.service)}".strip()
    for name, text in (("expected", check.message.en.expected), ("seen", check.message.en.seen)):
        if shape := _shape(text):
            yield f"{name} {shape}"


def _shape(text: str) -> str:
    """The first sentence of the checks without the values in it, be they drawn or the learner's."""
    return " ".join(_VALUES.sub("#", text.partition("\n")[0].lower()).split())[:_MAX_WORDS]


def _facts(events: Sequence[Event]) -> Iterator[str]:
    for event in events:
        edge, kind = _edge(event), event.get("kind")
        if kind in ("consume", "deliver") and event.get("no_ack"):
            yield f"{edge} no_ack"
        if kind == "deliver" and event.get("redelivered"):
            yield f"{edge} redelivered"
        if kind == "publish":
            yield f"{edge} {'persistent' if event.get('persistent') else 'not persistent'}"
            yield f"{edge} {'default exchange' if not event.get('exchange') else 'named exchange'}"
        if kind in _SETTLED:
            yield from (f"{edge} {kind} {word}" for word in ("multiple", "requeue") if event.get(word))
        if kind == "declare":
            yield f"{edge} {'durable' if event.get('durable') else 'not durable'}"
        if kind == "qos":
            yield f"{edge} prefetch {'one' if event.get('prefetch') == 1 else 'many' if event.get('prefetch') else 'unlimited'}"
        if kind == "response":
            yield f"{edge} {_outcome(event)}"
        if kind in ("error", "channel-close", "connection-close") and event.get("code"):
            yield f"{edge} {kind} {event['code']}"
        if kind == "commit":
            yield f"{edge} {'implicit' if event.get('implicit') else 'explicit'} commit"
    yield from _acknowledging(events)


def _outcome(event: Event) -> str:
    status = event.get("status")
    if isinstance(status, int):
        return f"{status // 100}xx"
    return f"code {event.get('code', '')}"


def _acknowledging(events: Sequence[Event]) -> Iterator[str]:
    """Whether each replica settles its deliveries before or after the work that it does on its other edges."""
    for replica in {str(event.get("from", "")) for event in events}:
        mine = [event for event in events if event.get("from") == replica]
        deliveries = [place for place, event in enumerate(mine) if event.get("kind") == "deliver"]
        for begin, end in pairwise([*deliveries, len(mine)]):
            turn = mine[begin:end]
            upstream = turn[0].get("to")
            settled = next((n for n, event in enumerate(turn) if event.get("kind") in _SETTLED), None)
            worked = next((n for n, e in enumerate(turn) if e.get("kind") in _WORK and e.get("to") != upstream), None)
            name = _service(replica)
            if settled is None:
                yield f"{name} delivered, not settled"
            if worked is None:
                continue
            if settled is None or settled > worked:
                yield f"{name} works before it settles"
            else:
                yield f"{name} settles before it works"


def _kinds(events: Sequence[Event]) -> Iterator[str]:
    for event in events:
        yield f"{_edge(event)}:{event.get('kind', '')}"


def _orders(events: Sequence[Event]) -> Iterator[str]:
    """Which kind followed another one on the same connection; the same kind again says nothing."""
    last: dict[tuple[object, object], str] = {}
    for event in events:
        place, kind = (event.get("to"), event.get("conn")), str(event.get("kind", ""))
        before = last.get(place, "")
        if before and before != kind:
            yield f"{_edge(event)}:{before}>{kind}"
        last[place] = kind


def _edge(event: Event) -> str:
    return f"{_service(str(event.get('from', '')))}>{event.get('to', '')}"


def _service(replica: str) -> str:
    return _REPLICA.sub("", replica)
