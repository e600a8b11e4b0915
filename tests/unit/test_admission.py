"""Who may start when: stories over the queue alone, with a clock that the test moves."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.sandbox.admission import OVERDUE_SECONDS, Admission, Capacity, Request, TooBig
from app.sandbox.model import Purpose

PRACTICE, GRADING, PROOF = Purpose.PRACTICE, Purpose.GRADING, Purpose.PROOF


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Door:
    """An admission with short words: `door.ask("a", PRACTICE)` asks and returns who was let in by that."""

    def __init__(self, memory_mb: int = 100_000, slots: int = 4, checking: int = 2) -> None:
        self.time = Time()
        self.admission = Admission(Capacity(memory_mb, slots, checking), self.time)

    def ask(self, name: str, purpose: Purpose = PRACTICE, memory_mb: int = 100, owner: str = "") -> list[str]:
        self.time.now += 0.001
        self.admission.ask(Request(name, purpose, owner or name, memory_mb))
        return self.admission.admit()

    def leave(self, name: str) -> list[str]:
        self.admission.leave(name)
        return self.admission.admit()


def test_practice_leaves_a_place_for_grading_and_grading_for_practice() -> None:
    door = Door(slots=4, checking=9)
    assert [door.ask(name) for name in "abcd"] == [["a"], ["b"], ["c"], []]
    assert door.ask("g", GRADING) == ["g"]

    door = Door(slots=4, checking=9)
    assert [door.ask(name, GRADING) for name in "abcd"] == [["a"], ["b"], ["c"], []]
    assert door.ask("p") == ["p"]


def test_practice_leaves_memory_for_grading() -> None:
    door = Door(memory_mb=1000)
    assert door.ask("a", memory_mb=700) == ["a"]
    assert door.ask("b", memory_mb=200) == []
    assert door.ask("g", GRADING, memory_mb=250) == ["g"]


def test_on_a_small_machine_one_sandbox_runs_even_if_it_leaves_nothing() -> None:
    door = Door(memory_mb=800)
    assert door.ask("a", memory_mb=800) == ["a"]
    assert door.ask("g", GRADING, memory_mb=800) == []
    assert door.leave("a") == ["g"]


def test_what_can_never_fit_is_refused() -> None:
    with pytest.raises(TooBig, match="801 MiB"):
        Door(memory_mb=800).ask("a", memory_mb=801)


def test_checks_are_bounded_by_cores_and_proofs_come_last() -> None:
    door = Door(slots=16, checking=1)
    assert door.ask("g1", GRADING) == ["g1"]
    assert door.ask("proof", PROOF) == []
    assert door.ask("g2", GRADING) == []
    assert door.leave("g1") == ["g2"]
    assert door.leave("g2") == ["proof"]


def test_the_owner_with_fewer_running_gradings_is_first() -> None:
    door = Door(slots=16, checking=2)
    door.ask("a1", GRADING, owner="ann")
    door.ask("b1", GRADING, owner="ben")
    for number in range(2, 6):
        door.ask(f"a{number}", GRADING, owner="ann")
    door.ask("b2", GRADING, owner="ben")
    # Ann's crowd does not keep Ben out
    assert door.leave("b1") == ["b2"]


def test_within_a_purpose_nobody_overtakes_but_another_purpose_may() -> None:
    door = Door(memory_mb=2000)
    door.ask("a", memory_mb=1200)
    assert door.ask("large", memory_mb=900) == []
    assert door.ask("small", memory_mb=10) == []
    assert door.ask("g", GRADING, memory_mb=500) == ["g"]


def test_who_has_waited_long_lets_nobody_pass() -> None:
    # Given a large one that waits for memory while small gradings come and go
    door = Door(memory_mb=2000, checking=9, slots=16)
    door.ask("a", memory_mb=1000)
    door.ask("large", memory_mb=900)
    assert door.ask("g1", GRADING, memory_mb=400) == ["g1"]
    # When it has waited for half a minute
    door.time.now += OVERDUE_SECONDS
    # Then the next grading waits too, and the freed memory is its own
    assert door.ask("g2", GRADING, memory_mb=400) == []
    assert door.leave("g1") == []
    assert door.leave("a") == ["large", "g2"]


def test_places_and_estimates_follow_what_was_seen() -> None:
    door = Door(slots=2, checking=1)
    door.ask("g", GRADING)
    door.ask("first", GRADING)
    door.ask("second", GRADING)
    assert [door.admission.position(name) for name in ("g", "first", "second", "nobody")] == [0, 1, 2, 0]
    door.time.now += 10
    door.leave("g")
    assert door.admission.wait_seconds("second") == pytest.approx(10, abs=0.1)
    assert door.admission.wait_seconds("first") == 0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(list(Purpose)), st.integers(1, 900), st.sampled_from("abc"), st.booleans()), max_size=40
    ),
    st.integers(900, 3000),
    st.integers(1, 6),
    st.integers(1, 3),
)
def test_whatever_comes_nothing_is_over_the_limits_and_everybody_gets_in(
    moves: list[tuple[Purpose, int, str, bool]], memory_mb: int, slots: int, checking: int
) -> None:
    door = Door(memory_mb, slots, checking)
    running: dict[str, tuple[Purpose, int]] = {}
    asked: dict[str, tuple[Purpose, int]] = {}

    def let_in(names: list[str]) -> None:
        running.update({name: asked[name] for name in names})
        assert sum(mb for _, mb in running.values()) <= memory_mb
        assert len(running) <= slots
        assert sum(purpose is not PRACTICE for purpose, _ in running.values()) <= checking

    numbers = itertools.count()
    for purpose, memory, owner, one_leaves in moves:
        name = f"s{next(numbers)}"
        asked[name] = (purpose, memory)
        let_in(door.ask(name, purpose, memory, owner))
        if one_leaves and running:
            let_in(door.leave(_gone(running)))
    served = set(running)
    while running:
        served |= set(running)
        let_in(door.leave(_gone(running)))
    assert served | {name for name in asked if door.admission.position(name) == 0} == set(asked)
    assert not any(door.admission.waiting().values())


def _gone(running: dict[str, tuple[Purpose, int]]) -> str:
    name = next(iter(running))
    del running[name]
    return name
