"""What a failed run is recognised by: the same for other values and counts, different for another way of failing."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from app.grading.report import Cause, CheckReport, Explanation, Message, Note, Report, Words
from app.grading.signature import MAX_FEATURES, features
from app.grading.trace import MAX_EVENTS, Trace, packed, unpacked


def why(expected: str, cause: Cause | None = None) -> Message:
    words = Explanation(done="We killed worker-2.", expected=expected, seen="none", where="Your ack.")
    return Message(words, words, cause)


def report(*events: dict[str, Any], expected: str = 'processed orders: ["A-17", "A-18"]', **more: Any) -> Report:
    """One failed check that saw these messages, 10 ms apart."""
    seen = tuple({"at": number / 100, "conn": 1, "to": "broker", **event} for number, event in enumerate(events))
    checks = (
        CheckReport("quiet", Words("Т", "T"), "passed", 50, 50, 1.0),
        CheckReport("crash", Words("П", "C"), "failed", 0, 50, 1.0, why(expected, more.pop("cause", None))),
    )
    return Report("failed", 50, 1, 1.0, checks, traces=(Trace("crash", seen),), **more)


def work(worker: str, *kinds: str, times: int = 1, **more: Any) -> list[dict[str, Any]]:
    """Deliveries of one worker; `response` comes from the shop, the rest from the broker."""
    turn = [{"from": worker, "kind": kind, "to": "shop" if kind == "response" else "broker", **more} for kind in kinds]
    return turn * times


def test_other_values_counts_and_replicas_change_nothing() -> None:
    once = features(report(*work("worker", "deliver", "response", "ack", body="A-17")))
    often = work("worker-2", "deliver", "response", "ack", times=40, body="B-2041", size=7)
    assert set(features(report(*often, expected='processed orders: ["B-1", "B-2041"]'))) >= set(once)
    assert features(report(*often[:3], expected="processed orders: []")) == once


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('orders: ["A-17"] (waited 10 s)', "orders: [] (waited 9.5 s)"),
        ("an answer to GET page:8080/watch/film-y3g?viewer=v-xsm", "an answer to GET page:8080/watch/film-k9q?viewer=v-zqn"),
        ("the page: 200 and {'missing': ['recs'], 'plan': 'trial-x", "the page: 200 and {'plan': 'year-y'}"),
        ("queue tasks-4f holds 3 messages", "queue tasks-9a holds 12 messages"),
    ],
)
def test_words_of_the_checks_are_compared_without_their_values(one: str, other: str) -> None:
    assert features(report(expected=one)) == features(report(expected=other))
    assert features(report(expected=one)) != features(report(expected="something else"))


def test_the_order_of_work_and_acknowledgement_is_told() -> None:
    late = features(report(*work("worker", "deliver", "response", "ack")))
    early = features(report(*work("worker", "deliver", "ack", "response")))
    never = features(report(*work("worker", "deliver", "response")))
    assert "crash: worker works before it settles" in late
    assert "crash: worker settles before it works" in early
    assert "crash: worker delivered, not settled" in never
    assert len({late, early, never}) == 3


def test_flags_of_the_protocol_are_told() -> None:
    found = features(
        report(
            {"from": "worker", "kind": "consume", "no_ack": True},
            {"from": "shop", "kind": "publish", "persistent": False, "exchange": ""},
            {"from": "worker", "kind": "response", "to": "mail", "status": 503},
        )
    )
    assert {"crash: worker>broker no_ack", "crash: shop>broker not persistent", "crash: worker>mail 5xx"} <= set(found)


def test_only_failed_checks_count_and_a_cause_is_one_of_them() -> None:
    found = features(report(cause=Cause("out-of-memory", "worker-2")))
    assert found == ("crash: expected processed orders: #", "crash: out-of-memory worker", "crash: seen none")
    passed = report(*work("worker", "deliver"))
    assert features(replace(passed, checks=passed.checks[:1])) == ()


def test_no_trace_makes_them_many() -> None:
    events = [{"from": f"s{number}", "kind": f"k{other}", "conn": number} for number in range(30) for other in range(9)]
    assert len(features(report(*events))) == MAX_FEATURES


def test_a_trace_is_bounded_and_comes_back_from_the_database() -> None:
    events = [{"at": float(n), "from": "w", "to": "b", "kind": "deliver", "body": "x" * 512} for n in range(5000)]
    trace = Trace.from_bytes(json.dumps({"check": "crash", "events": events, "dropped": 3}).encode())
    assert len(trace.events) <= MAX_EVENTS
    assert trace.dropped == 3 + 5000 - len(trace.events)
    assert (trace.events[0]["at"], trace.events[-1]["at"]) == (0.0, 4999.0), "both ends are kept"
    assert unpacked(packed([trace])) == (trace,)
    assert packed([]) is None
    assert unpacked(None) == ()
    with pytest.raises(ValueError):
        Trace.from_bytes(b'{"events": [1], "check": "x"}')


def test_a_report_keeps_its_traces_out_of_its_json_and_reads_the_older_format() -> None:
    found = report(*work("worker", "deliver"), notes=(Note(0.4, "fault", Words("Убили", "Killed"), "crash"),))
    found = replace(found, features=features(found))
    text = found.to_json()
    assert "deliver" in text, "as a feature"
    assert "traces" not in text
    assert Report.from_json(text) == found
    old = json.loads(text)
    del old["features"]
    old["format"] = 1
    for note in old["notes"]:
        del note["check"]
    for check in old["checks"]:
        if check["message"]:
            del check["message"]["cause"]
    read = Report.from_json(json.dumps(old))
    assert read.notes[0].check == ""
    assert read.check("crash").message == found.check("crash").message
    with pytest.raises(ValueError, match="format"):
        Report.from_json(json.dumps({**old, "format": 3}))
