"""The kit's own parts: draws, expectations, waiting, and messages in both languages."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.grading.kit import Failed, Fault, Kit, Text, at_least, equal, includes
from app.grading.kit.draw import Draw
from app.grading.kit.scale import measure
from app.grading.kit.services import Service, ServiceInfo
from app.grading.kit.trial import Sandbox
from app.grading.kit.waiting import Clock
from app.grading.kit.words import brief
from app.grading.prober.message import Story, Witness

WHAT = Text("заказов", "orders")


class ScriptedPipe:
    """A platform that answers from a table and remembers what it was told."""

    def __init__(self, **answers: Any) -> None:
        self.answers, self.asked, self.told = answers, [], []

    def call(self, op: str, service: str = "", **arguments: Any) -> Any:
        self.asked.append((op, service))
        answer = self.answers.get(op)
        return answer() if callable(answer) else answer

    def send(self, frame: dict[str, Any]) -> None:
        self.told.append(frame)


def a_kit(scale: float = 1.0, **answers: Any) -> tuple[Kit, ScriptedPipe]:
    pipe = ScriptedPipe(**answers)
    sandbox = Sandbox((ServiceInfo("worker"), ServiceInfo("shop", learner=False)), {}, Path())
    return Kit("check", 7, sandbox, pipe, Clock(scale)), pipe


def after(calls: int, then: Any, before: Any) -> Callable[[], Any]:
    """A fact that becomes `then` at the n-th look."""
    looks = iter([before] * calls)
    return lambda: next(looks, then)


def test_it_draws_the_same_values_for_the_same_seed_and_check_only() -> None:
    def drawn(seed: int, check: str) -> list[Any]:
        draw = Draw(seed, check)
        return [draw.ids(5), draw.name(), draw.amount(), draw.difficult_names(), draw.long_text(200)]

    assert drawn(7, "race") == drawn(7, "race")
    assert drawn(7, "race") != drawn(8, "race")
    assert drawn(7, "race") != drawn(7, "order")


def test_it_draws_every_kind_of_difficult_name_in_every_run() -> None:
    kinds = [{name.rsplit(" ", 1)[0] for name in Draw(seed, "names").difficult_names()} for seed in range(20)]
    assert all(kind == kinds[0] for kind in kinds)
    assert any(not name.isascii() for name in kinds[0])


@pytest.mark.parametrize("size", [1, 17, 4096, 1_000_000])
def test_it_draws_texts_of_exactly_the_size_that_was_asked(size: int) -> None:
    assert len(Draw(1, "x").long_text(size).encode()) == size


def test_it_says_what_was_expected_and_seen_in_both_languages() -> None:
    kit, _ = a_kit()
    with pytest.raises(Failed) as failed:
        kit.expect(3, equal(5), WHAT)
    assert (failed.value.expected, failed.value.seen) == (Text("заказов: 5", "orders: 5"), Text("заказов: 3", "orders: 3"))


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (["a", "x", "c"], 'place 2 holds "x" instead of "b"'),
        (["a", "b"], 'missing ["c"]'),
        (["a", "b", "c", "c"], 'too many: ["c"]'),
    ],
)
def test_it_tells_the_first_difference_of_two_lists(seen: list[str], told: str) -> None:
    kit, _ = a_kit()
    with pytest.raises(Failed) as failed:
        kit.expect(seen, equal(["a", "b", "c"]), WHAT)
    assert told in failed.value.seen.en


def test_it_waits_for_a_fact_and_then_sees_that_it_stays() -> None:
    kit, _ = a_kit()
    assert kit.eventually(after(3, 5, 0), equal(5), WHAT, hold=0.1) == 5


def test_a_fact_that_does_not_last_is_a_failure() -> None:
    kit, _ = a_kit()
    looks = iter([1, 1, 2, 2, 2, 2])
    with pytest.raises(Failed, match="changed") as failed:
        kit.eventually(lambda: next(looks), equal(1), WHAT, hold=1.0)
    assert "потом изменилось" in failed.value.seen.ru


def test_a_fact_that_never_comes_is_told_with_the_time_that_was_waited() -> None:
    kit, _ = a_kit()
    begun = time.monotonic()
    with pytest.raises(Failed, match="waited"):
        kit.eventually(lambda: 0, at_least(1), WHAT, within=0.2)
    assert time.monotonic() - begun < 2


def test_a_look_that_fails_is_only_a_look_that_was_not_accepted() -> None:
    kit, _ = a_kit()
    answers = iter([Failed(expected=WHAT, seen=Text.same("refused")), "ready"])

    def look() -> str:
        answer = next(answers, "ready")
        if isinstance(answer, Failed):
            raise answer
        return answer

    assert kit.eventually(look, includes("ready"), WHAT, hold=0) == "ready"


def test_limits_are_stretched_by_the_slowness_of_the_sandbox() -> None:
    assert a_kit(scale=3.0)[0].limit(2) == 6


@pytest.mark.parametrize(
    ("seconds", "scale", "looks"),
    [
        ([0.001, 0.004], 1.0, 2),
        ([0.001, 0.200, 0.008], 1.0, 3),
        ([0.030, 0.001, 0.020], 2.0, 3),
        ([0.020, 0.030, 0.040], 3.0, 3),
        ([0.070, 0.065], 6.0, 2),
        ([0.065, 0.001, 0.070], 6.0, 3),
    ],
)
def test_the_middle_of_three_looks_counts_and_two_that_agree_are_enough(
    monkeypatch: pytest.MonkeyPatch, seconds: list[float], scale: float, looks: int
) -> None:
    now = 0.0
    answers = iter(seconds)

    class Platform(ScriptedPipe):
        def call(self, op: str, service: str = "", **arguments: object) -> object:
            nonlocal now
            now += next(answers)
            return super().call(op, service, **arguments)

    pipe = Platform(status=[])
    monkeypatch.setattr("app.grading.kit.scale.time.monotonic", lambda: now)
    assert measure(pipe) == scale
    assert len(pipe.asked) == looks


def test_a_service_that_crashed_is_the_learners_failure_and_says_its_exit_code() -> None:
    kit, _ = a_kit(status=[{"name": "worker", "state": "crashed", "exit_code": 1}])
    with pytest.raises(Failed, match="ended with exit code 1"):
        kit.service("worker").start()


def test_a_service_that_is_started_again_and_again_is_waited_for() -> None:
    crashed, ready = ([{"name": "worker", "state": state}] for state in ("crashed", "ready"))
    pipe = ScriptedPipe(status=after(2, ready, crashed))
    Service(ServiceInfo("worker", restart="always"), pipe, Clock()).start()
    assert ("start", "worker") in pipe.asked[:2]


def test_a_fault_hits_every_replica_and_is_noted_once_for_the_timeline() -> None:
    kit, pipe = a_kit(status=[{"name": "worker", "state": "ready"}, {"name": "worker", "replica": 2, "state": "ready"}])
    kit.service("worker").kill()
    assert pipe.asked[1:] == [("kill", "worker"), ("kill", "worker-2")]
    assert pipe.told == [{"type": "note", "kind": "fault", "ru": "убили worker", "en": "killed worker"}]


def test_a_single_replica_can_be_hurt_under_the_name_that_the_trace_gives_it() -> None:
    kit, pipe = a_kit(status=[{"name": "worker", "state": "ready"}, {"name": "worker", "replica": 2, "state": "ready"}])
    kit.service("worker").replica("worker-2").kill()
    kit.service("worker").replica("worker").pause()
    assert [call for call in pipe.asked if call[0] != "status"] == [("kill", "worker-2"), ("pause", "worker")]
    with pytest.raises(Fault, match="no replica `worker-3`"):
        kit.service("worker").replica("worker-3")


@pytest.mark.parametrize(
    ("op", "told"), [("kill", "again (this check ends services)"), ("logs", "crashed and was started again")]
)
def test_a_service_that_the_check_killed_is_not_said_to_have_crashed(op: str, told: str) -> None:
    alive, back = ([{"name": "worker", "state": "ready", "restarts": number}] for number in (0, 1))
    pipe = ScriptedPipe(status=after(1, back, alive), logs={"text": "", "offset": 0})
    witness, story = Witness([ServiceInfo("worker")], pipe), Story()
    story.asked({"op": op, "service": "worker"})
    seen, _ = witness.evidence(story)
    assert told in seen.en


def test_a_check_that_names_an_unknown_service_is_the_authors_fault() -> None:
    kit, _ = a_kit()
    with pytest.raises(Fault, match="no service `orders`"):
        kit.service("orders")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("two\nlines", '"two\\nlines"'),
        ("x" * 500, '"' + "x" * 48 + '…" (500)'),
        (list(range(1000)), "(1000)"),
        ([], "[]"),
        ("a\x1b[31m", '"a\\x1b[31m"'),
    ],
)
def test_values_are_told_briefly_and_without_control_characters(value: object, told: str) -> None:
    assert told in brief(value)
    assert len(brief(value)) < 300
