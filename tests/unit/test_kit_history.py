"""Histories and their invariants, shared messages with right plurals, and limits measured in the same sandbox."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.grading.kit import (
    ORDERS,
    TASKS,
    Failed,
    Fault,
    History,
    Text,
    at_least_times,
    at_most_times,
    phrases,
    plural,
    seconds_of,
)
from tests.scripted_taps import ScriptedTaps, a_kit


def a_history(*values: str) -> History:
    history = History(ORDERS)
    for value in values:
        history.record(value)
    return history


def told(check: Callable[[], object]) -> Text:
    with pytest.raises(Failed) as failed:
        check()
    return failed.value.seen


# --- history ---------------------------------------------------------------------------------------------------------


def test_what_was_acknowledged_must_be_there_and_examples_are_named() -> None:
    history = a_history(*(f"A-{number}" for number in range(1, 41)))
    found = [f"A-{number}" for number in range(1, 41) if number not in (3, 17, 18)]
    assert told(lambda: history.nothing_lost(found)) == Text(
        "потеряно 3 из 40 заказов: A-3, A-17, A-18", "lost 3 of 40 orders: A-3, A-17, A-18"
    )
    history.nothing_lost([*found, "A-3", "A-17", "A-18"])


def test_many_examples_are_cut() -> None:
    history = a_history(*(f"A-{number}" for number in range(21)))
    assert told(lambda: history.nothing_lost([])).ru == "потеряно 21 из 21 заказа: A-0, A-1, A-2, A-3, A-4, …"


def test_nothing_acknowledged_is_no_success() -> None:
    history = History(ORDERS)
    history.record("A-1", "failed")
    assert "failed: 1" in told(lambda: history.nothing_lost([])).en
    assert told(lambda: History().exactly_once([]))


def test_what_was_asked_without_an_answer_may_be_there_or_not_and_what_was_refused_may_not() -> None:
    history = a_history("A-1")
    history.record("A-2", "unknown")
    history.record("A-3", "failed")
    history.exactly_once(["A-1"])
    history.exactly_once(["A-1", "A-2"])
    assert told(lambda: history.only_sent(["A-1", "A-3"])).en == "what was refused took effect: A-3"
    assert told(lambda: history.only_sent(["A-1", "A-9"])) == Text(
        "никто не отправлял: 1 заказ: A-9", "nobody sent: 1 order: A-9"
    )


def test_what_took_effect_twice_is_told_with_its_count() -> None:
    history = a_history("A-1", "A-2")
    assert told(lambda: history.exactly_once(["A-1", "A-2", "A-2", "A-2"])) == Text(
        "больше одного раза: 1 заказ: A-2 (×3)", "more than once: 1 order: A-2 (×3)"
    )
    history.record("A-2")  # it was sent twice on purpose
    history.nothing_doubled(["A-1", "A-2", "A-2"])


def test_order_counts_within_a_key_and_by_first_sights() -> None:
    history = History(ORDERS)
    for value, key in (("A-1", "u1"), ("B-1", "u2"), ("A-2", "u1")):
        history.record(value, key=key)
    history.order_kept(["B-1", "A-1", "A-2", "A-1"])
    assert told(lambda: history.order_kept(["A-2", "A-1"])) == Text("A-2 раньше, чем A-1 (ключ u1)", "A-2 before A-1 (key u1)")


def test_an_operation_is_unknown_when_it_breaks_off_and_ok_when_it_ends() -> None:
    history = History()
    with history.sending("A-1"):
        pass
    with history.sending("A-2"):
        raise Failed(expected=Text.same("x"), seen=Text.same("y"))
    with history.sending("A-3") as operation:
        operation.outcome = "failed"
    with pytest.raises(ZeroDivisionError), history.sending("A-4"):
        _ = 1 / 0
    assert [history.values(outcome) for outcome in ("ok", "failed", "unknown")] == [["A-1"], ["A-3"], ["A-2", "A-4"]]


# --- words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "ru", "of"),
    [
        (0, "0 задач", "из 0 задач"),
        (1, "1 задача", "из 1 задачи"),
        (2, "2 задачи", "из 2 задач"),
        (5, "5 задач", "из 5 задач"),
        (11, "11 задач", "из 11 задач"),
        (12, "12 задач", "из 12 задач"),
        (21, "21 задача", "из 21 задачи"),
        (104, "104 задачи", "из 104 задач"),
        (112, "112 задач", "из 112 задач"),
    ],
)
def test_russian_plurals(number: int, ru: str, of: str) -> None:
    assert (TASKS.count(number).ru, TASKS.of(number).ru) == (ru, of)
    assert TASKS.count(number).en == f"{number} {'task' if number == 1 else 'tasks'}"
    assert plural(number, "a", "b", "c") == {"задача": "a", "задачи": "b", "задач": "c"}[ru.split()[1]]


def test_shared_messages_in_both_languages() -> None:
    assert phrases.still_in_queue("tasks", 3) == Text("в очереди tasks ещё 3 сообщения", "queue tasks still holds 3 messages")
    assert phrases.not_reconnected("worker", "broker", 10).ru == "worker не подключился к broker снова за 10 с"
    assert phrases.not_consuming("worker", "tasks").en == "worker is not subscribed to queue tasks"
    assert phrases.lost(["\x1b[31m"], 1).en == 'lost 1 of 1 message: "\\x1b[31m"'


# --- baselines -------------------------------------------------------------------------------------------------------


def test_a_baseline_is_the_middle_of_its_runs_and_stands_on_the_timeline() -> None:
    platform = ScriptedTaps()
    kit = a_kit(platform)
    values = iter([9.0, 0.1, 0.2])
    baseline = kit.baseline(Text("ответ без сбоев, с", "answer undisturbed, s"), lambda: next(values))
    assert baseline.value == 0.2
    assert platform.notes == ["baseline: answer undisturbed, s: 0.2"]


def test_a_value_is_compared_with_the_baseline_and_told_as_a_ratio() -> None:
    kit = a_kit(ScriptedTaps())
    baseline = kit.baseline(Text("ответ, с", "answer, s"), lambda: 0.1)
    kit.expect(0.29, at_most_times(3, baseline), Text("с", "s"))
    kit.expect(0.4, at_most_times(3, baseline, floor=0.5), Text("с", "s"))
    kit.expect(0.31, at_least_times(3, baseline), Text("с", "s"))
    with pytest.raises(Failed) as failed:
        kit.expect(0.5, at_most_times(3, baseline), Text("задержка", "latency"))
    assert failed.value.expected.en == "latency: at most 0.3 (×3; answer, s in this very sandbox: 0.1)"
    assert failed.value.expected.ru == "задержка: не больше 0.3 (×3; ответ, с в этой же песочнице: 0.1)"
    assert failed.value.seen.en == "latency: 0.5 (×5)"
    with pytest.raises(Failed):
        kit.expect(0.29, at_least_times(3, baseline), Text("с", "s"))


def test_nothing_compares_with_zero() -> None:
    with pytest.raises(Fault, match="baseline `n` is 0"):
        a_kit(ScriptedTaps()).baseline(Text("n", "n"), lambda: 0.0)


def test_seconds_are_measured() -> None:
    assert 0 <= seconds_of(lambda: None) < 1
