"""Rules of the taps as a check writes them: what is armed, what the timeline says, what is awaited and ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.grading.kit import Edge, Failed, Fault, Rule, any_of, contains, frame
from app.grading.kit.edges import ordinal
from tests.scripted_taps import ScriptedTaps, a_kit


def armed(make: Callable[[Edge], Rule | None], upstream: str = "broker") -> tuple[dict[str, Any], str]:
    """The rule that arrives at the platform, and the note on the timeline."""
    platform = ScriptedTaps()
    make(a_kit(platform).edge("worker", upstream))
    return platform.rules["r1"], platform.notes[-1]


@pytest.mark.parametrize(
    ("make", "rule", "note"),
    [
        (
            lambda e: e.delay(0.5, jitter=0.2),
            {"do": "delay", "seconds": 0.5, "jitter": 0.2, "dir": "", "when": {}, "nth": 1, "times": 0},
            "delay everything by 0.5–0.7 s",
        ),
        (
            lambda e: e.drop(frame.ack(queue="tasks"), nth=2),
            {"do": "drop", "dir": "up", "when": {"kind": "ack", "queue": "tasks"}, "nth": 2, "times": 1},
            "lose the 2nd ack (queue tasks)",
        ),
        (
            lambda e: e.duplicate(frame.publish("tasks", body="A-17"), times=0),
            {
                "do": "duplicate",
                "dir": "up",
                "when": {"kind": "publish", "exchange": "", "routing_key": "tasks", "body": {"contains": "A-17"}},
                "nth": 1,
                "times": 0,
            },
            'double every publish (exchange "", routing key tasks, body has "A-17" in it)',
        ),
        (lambda e: e.reset(frame.confirm(), times=2), {"do": "reset", "dir": "down", "times": 2}, "the 1st to 2nd confirm"),
        (lambda e: e.black_hole(frame.deliver()), {"do": "blackhole", "dir": "down"}, "nothing passes from the 1st deliver on"),
        (lambda e: e.black_hole(), {"do": "blackhole", "dir": "", "when": {}}, "nothing passes from now on"),
        (lambda e: e.drip(100), {"do": "drip", "bytes_per_second": 100, "times": 0}, "let everything through at 100 B/s"),
        (
            lambda e: e.hold(frame.ack(), nth=2, kill="worker", then="drop"),
            {
                "do": "hold",
                "then": "drop",
                "seconds": 5.0,
                "nth": 2,
                "on_hold": [{"do": "kill", "service": "worker"}, {"do": "await_exit", "service": "worker"}],
            },
            "hold the 2nd ack, kill worker, drop it",
        ),
        (
            lambda e: e.hold(frame.ack(), steps=[("pause", "@sender")], then="cut"),
            {"on_hold": [{"do": "pause", "service": "@sender"}], "then": "cut"},
            "hold the 1st ack, pause the sender, cut the link",
        ),
    ],
)
def test_a_rule_is_armed_as_the_contract_says_and_noted(make: Callable[[Edge], Rule], rule: dict[str, Any], note: str) -> None:
    sent, noted = armed(make)
    assert {key: sent[key] for key in rule} == rule
    assert sent["from"] == "worker"
    assert noted == f"link worker → broker: {noted.split(': ', 1)[1]}"
    assert note in noted


def test_the_timeline_says_it_in_russian_too() -> None:
    platform = ScriptedTaps()
    a_kit(platform).edge("worker", "db").hold(frame.commit(), nth=2, kill="worker", then="drop")
    assert platform.told[-1]["ru"] == "связь worker → db: держим COMMIT № 2, убиваем worker, выбрасываем"
    assert platform.told[-1]["kind"] == "fault"


def test_an_edge_may_mean_one_replica_and_must_exist() -> None:
    platform = ScriptedTaps()
    kit = a_kit(platform)
    kit.edge("worker-2", "broker").drop(frame.ack())
    assert platform.rules["r1"]["from"] == "worker-2"
    with pytest.raises(Fault, match="no edge from `db` to `broker`"):
        kit.edge("db", "broker")


def test_a_step_that_nobody_knows_is_the_authors_fault() -> None:
    with pytest.raises(Fault, match="no step `explode`"):
        armed(lambda edge: edge.hold(frame.ack(), steps=[("explode", "worker")]))


def test_a_rule_that_fired_gives_its_events() -> None:
    platform = ScriptedTaps()
    rule = a_kit(platform).edge("worker", "broker").drop(frame.ack())
    platform.fires["r1"] = [platform.happen("ack", "worker-2", delivery_tag=7)]
    (event,) = rule.await_fired(within=1)
    assert (event.replica, event.service, event.kind, event.delivery_tag) == ("worker-2", "worker", "ack", 7)
    with pytest.raises(AttributeError, match="`ack` has no `queue`"):
        _ = event.queue


def test_a_rule_that_did_not_fire_is_the_learners_failure_with_what_was_awaited() -> None:
    rule = a_kit(ScriptedTaps()).edge("worker", "broker").drop(frame.ack("tasks"))
    with pytest.raises(Failed) as failed:
        rule.await_fired(within=3)
    assert failed.value.expected.en == "worker → broker: ack (queue tasks)"
    assert failed.value.seen.ru == "за 3 с этого не было"
    with pytest.raises(Fault):
        rule.await_fired(within=3, blame="platform")


def test_a_rule_that_fired_too_rarely_says_how_often() -> None:
    platform = ScriptedTaps()
    rule = a_kit(platform).edge("worker", "broker").drop(frame.ack(), times=0)
    platform.fires["r1"] = [platform.happen("ack")]
    with pytest.raises(Failed, match="1 of 3 within 2 s"):
        rule.await_fired(within=2, count=3)


def test_rules_end_with_their_block_or_with_the_check_and_only_once() -> None:
    platform = ScriptedTaps()
    kit = a_kit(platform)
    edge = kit.edge("worker", "broker")
    with edge.delay(1):
        assert not [op for op, _ in platform.asked if op == "tap_disarm"]
    edge.drop(frame.ack())
    kit.close()
    ended = [arguments for op, arguments in platform.asked if op == "tap_disarm"]
    assert ended == [{"upstream": "broker", "rule": "r1"}, {"upstream": "broker", "rule": "r2"}]


def test_cutting_resets_what_is_open_now() -> None:
    platform = ScriptedTaps()
    a_kit(platform).edge("worker", "broker").cut()
    assert platform.asked[-1] == ("tap_cut", {"upstream": "broker", "from": "worker"})
    assert platform.notes == ["link worker → broker: break all connections"]


@pytest.mark.parametrize(
    ("pattern", "fields", "fits"),
    [
        (frame.publish("tasks"), {"kind": "publish", "exchange": "", "routing_key": "tasks"}, True),
        (frame.publish("tasks"), {"kind": "publish", "exchange": "events", "routing_key": "tasks"}, False),
        (frame.deliver(body="A-1"), {"kind": "deliver", "body": "order A-17"}, True),
        (frame.deliver(body="A-1"), {"kind": "deliver"}, False),
        (frame.response(any_of(500, 503)), {"kind": "response", "status": 503}, True),
        (frame.response(any_of(500, 503)), {"kind": "response", "status": 200}, False),
        (frame.request(path=contains("/orders")), {"kind": "request", "path": "/v1/orders?x=1"}, True),
        (frame.commit(), {"kind": "commit", "implicit": True}, True),
        (frame.commit(implicit=True), {"kind": "commit"}, False),
        (frame.anything(), {"kind": "data"}, True),
    ],
)
def test_patterns_fit_what_they_say(pattern: frame.Frame, fields: dict[str, Any], fits: bool) -> None:
    assert pattern.accepts(fields) is fits


def test_ordinals_in_english() -> None:
    told = [ordinal(number) for number in (1, 2, 3, 4, 11, 12, 13, 21, 112)]
    assert told == ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th"]
