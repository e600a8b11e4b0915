"""What sandboxd keeps of what taps tell: the order, the numbers, the bounds, and what is said of the rest."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from app.sandbox.taps import history
from app.sandbox.taps.history import History
from app.sandbox.taps.model import Compound
from app.sandbox.taps.rules import KEPT, WHOLE, Rule


def event(at: float, **more: Any) -> dict[str, Any]:
    return {"at": at, "kind": "data", "from": "web", "to": "peer", **more}


def seqs(events: list[dict[str, Any]]) -> list[tuple[int, float]]:
    return [(one["seq"], one["at"]) for one in events]


def test_numbers_follow_the_times_of_all_taps() -> None:
    kept = History()
    kept.add([event(1.0), event(4.0)])
    kept.add([event(2.0), event(3.0)])
    assert kept.settle() == 4
    assert seqs(kept.page(0).events) == [(1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0)]
    # What comes later has later numbers, whatever its time, since earlier ones were given away
    kept.add([event(2.5)])
    kept.settle()
    assert kept.page(4) == ([{"seq": 5, **event(2.5)}], 5, 0)
    assert kept.page(5) == ([], 5, 0)
    assert kept.page(99) == ([], 99, 0)


def test_a_gap_is_counted_once_where_it_is() -> None:
    kept = History()
    kept.add([event(1.0)], dropped=7)
    kept.add([event(2.0)])
    kept.settle()
    assert (kept.page(0).dropped, kept.page(1).dropped, kept.page(2).dropped) == (7, 7, 0)
    assert [one["at"] for one in kept.page(0).events] == [1.0, 2.0]
    # Also when nothing comes after it
    kept.add([], dropped=2)
    kept.settle()
    last = kept.page(3)
    assert (last.events, last.dropped) == ([], 2)
    assert kept.page(last.next).dropped == 0


def test_the_ring_is_bounded_by_count_and_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MAX_EVENTS", 10)
    kept = History()
    kept.add([event(float(n)) for n in range(25)])
    kept.settle()
    page = kept.page(0)
    assert (page.events[0]["seq"], len(page.events), page.dropped, page.next) == (16, 10, 15, 25)
    assert kept.page(20).dropped == 0
    monkeypatch.setattr(history, "MAX_BYTES", 1000)
    kept.add([event(float(n), body="я" * 100) for n in range(10)])
    kept.settle()
    assert len(kept.page(0).events) == 3


def test_both_ends_of_a_stretch_are_kept_and_the_rest_is_counted() -> None:
    kept = History()
    kept.add([event(float(n)) for n in range(1, 101)], dropped=5)
    kept.settle()
    events, missing = kept.ends(10, 90, 2, 3)
    assert [one["seq"] for one in events] == [11, 12, 88, 89, 90]
    assert missing == 75
    events, missing = kept.ends(95, kept.last, 20, 80)
    assert ([one["seq"] for one in events], missing) == ([96, 97, 98, 99, 100], 5)
    assert kept.ends(101, kept.last, 20, 80) == ([], 0)


def test_a_rule_that_acts_for_ever_keeps_an_answer_that_fits_the_pipe() -> None:
    rule = Rule("r1", None, Compound(), None, None)
    for n in range(KEPT + 500):
        rule.fired(event(float(n), body="x" * 512))
    fired, events = asyncio.run(rule.reach(1, 0))
    assert (fired, len(events)) == (KEPT + 500, KEPT)
    assert ("body" in events[WHOLE - 1], "body" in events[WHOLE]) == (True, False)
