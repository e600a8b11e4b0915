"""A known mistake is named when it is told apart clearly, and never a wrong one: on the proofs of the real exercises too."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from app.content.exercise import Exercise, ExerciseCatalog
from app.content.proof import Proof
from app.grading.report import CheckReport, Explanation, Message, Report, VerdictName, Words
from app.settings import CHECKOUT
from app.trainer.diagnosis import Known, diagnose, known_mistakes, recognise
from app.trainer.ladder import ladder

EXERCISES = ExerciseCatalog(CHECKOUT / "exercises").exercises
QUEUE = EXERCISES["r1-hello-queue"]


def proof_of(exercise: Exercise) -> Proof:
    return Proof.from_json((exercise.folder / "proof.json").read_text("utf-8"))


def report(exercise: Exercise, *failed: str, verdict: VerdictName = "failed", features: tuple[str, ...] = ()) -> Report:
    why = Message(Explanation(where="Там."), Explanation(where="There."))
    checks = tuple(
        CheckReport(check.id, Words(check.title.ru, check.title.en), "failed" if check.id in failed else "passed", 0,
                    check.points, 1.0, why if check.id in failed else None)
        for check in exercise.definition.checks.items
    )  # fmt: skip
    return Report(verdict, 0, 1, 1.0, checks, features=features)


def mutants() -> Iterator[tuple[Exercise, Known]]:
    for exercise in EXERCISES.values():
        if (exercise.folder / "proof.json").exists():
            yield from ((exercise, one) for one in known_mistakes(proof_of(exercise)) if one.id)


@pytest.mark.parametrize(("exercise", "mutant"), [pytest.param(e, m, id=f"{e.id}/{m.id}") for e, m in mutants()])
def test_every_mutant_is_recognised_or_nothing_is_said(exercise: Exercise, mutant: Known) -> None:
    """As it was recorded, and as another run would have recorded it: some orders of messages are different each time."""
    draw, proof = random.Random(mutant.id), proof_of(exercise)
    for lost in (0.0, 0.1, 0.2, 0.3):
        kept = tuple(sorted(feature for feature in mutant.features if draw.random() >= lost))
        found = diagnose(report(exercise, *mutant.fails, features=kept), exercise.definition, proof)
        assert found
        assert found.mistake in (mutant.id, "")


def test_a_good_part_of_the_mutants_is_recognised() -> None:
    """The thresholds are worth something: at least those that no other solution's failures look like."""
    named = [
        diagnose(report(e, *m.fails, features=tuple(m.features)), e.definition, proof_of(e)).mistake == m.id
        for e, m in mutants()
    ]
    alone = [sum(other.fails == m.fails for other in known_mistakes(proof_of(e))) == 1 for e, m in mutants()]
    assert sum(named) >= sum(alone) > 0


def test_the_words_are_the_mutants_own_and_lead_to_the_lesson_of_its_check() -> None:
    found = diagnose(report(QUEUE, "consumer-first"), QUEUE.definition, proof_of(QUEUE))
    assert found
    assert (found.kind, found.mistake, found.check) == ("mistake", "only-producer-declares", "consumer-first")
    assert found.text.en == "the consumer hopes that the queue is there already, and crashes when it is started first"
    assert found.lesson.startswith("m05-l03")


@pytest.mark.parametrize("failed", [("in-order",), ("acknowledged",), ("producer-first", "keeps-running")])
def test_a_tie_or_an_unknown_set_gets_the_words_of_the_failed_check(failed: tuple[str, ...]) -> None:
    found = diagnose(report(QUEUE, *failed), QUEUE.definition, proof_of(QUEUE))
    assert found
    assert (found.kind, found.check, found.mistake) == ("check", failed[0], "")
    assert found.text.en == QUEUE.definition.when_failed[failed[0]].en


def test_without_a_proof_or_a_failure_there_is_no_guess() -> None:
    found = diagnose(report(QUEUE, "consumer-first"), QUEUE.definition, None)
    assert found
    assert found.kind == "check"
    assert diagnose(report(QUEUE, verdict="passed"), QUEUE.definition, proof_of(QUEUE)) is None
    assert diagnose(report(QUEUE, "consumer-first", verdict="errored"), QUEUE.definition, proof_of(QUEUE)) is None


def known(name: str, fails: str, *features: str) -> Known:
    return Known(name, frozenset(fails.split()), frozenset(features))


COMMON = ("c: w>b:deliver", "c: w>b:ack", "c: w>b:deliver>ack", "c: w>s:request", "c: w>s:response")
EARLY = known("early", "crash", *COMMON, "c: w settles before it works")
AUTO = known("auto", "crash", *COMMON[:1], *COMMON[3:], "c: w>b no_ack", "c: w delivered, not settled")


def test_what_fails_the_same_checks_is_told_apart_by_its_messages() -> None:
    both = (EARLY, AUTO)
    assert recognise(frozenset({"crash"}), AUTO.features | {"c: w>b:open"}, both) == "auto"
    assert recognise(frozenset({"crash"}), EARLY.features - {"c: w>b:ack"}, both) == "early"
    assert recognise(frozenset({"crash"}), frozenset(COMMON[3:]), both) == "", "nothing in it tells the two apart"
    assert recognise(frozenset({"crash"}), frozenset({"c: x>y:z"}), both) == "", "it is like neither"
    assert recognise(frozenset({"crash"}), frozenset(), both) == ""


def test_the_same_checks_for_another_reason_are_not_that_mistake() -> None:
    assert recognise(frozenset({"crash"}), EARLY.features, (EARLY,)) == "early"
    assert recognise(frozenset({"crash"}), frozenset({"c: crashed worker", "c: w>b:open"}), (EARLY,)) == ""


def test_a_crash_is_not_explained_by_a_mistake_that_does_not_crash() -> None:
    mistake = known("renumbered", "a b", "a: expected the answer ok", "b: expected the answer ok")
    crashing = known("crashes", "a b", *mistake.features, "a: crashed shop", "b: crashed shop")
    failed = frozenset({"a", "b"})
    assert recognise(failed, mistake.features, (mistake,)) == "renumbered"
    assert recognise(failed, mistake.features | {"a: crashed shop"}, (mistake,)) == ""
    half = known("half", "a b", *mistake.features, "a: crashed shop")
    assert recognise(failed, half.features, (mistake, half)) == "half"
    assert recognise(failed, crashing.features, (mistake, crashing)) == "", "whatever crashes everywhere looks like that"


def test_a_rival_that_explains_nothing_still_makes_it_a_tie() -> None:
    starter = known("", "crash")
    assert recognise(frozenset({"crash"}), frozenset(), (known("one", "crash"), starter)) == ""


def test_nearly_the_same_checks_do_when_the_messages_agree() -> None:
    wide = known("wide", "a b c d", *EARLY.features)
    assert recognise(frozenset({"a", "b", "c"}), EARLY.features, (wide, AUTO)) == "wide"
    assert recognise(frozenset({"a"}), EARLY.features, (wide, AUTO)) == ""
    assert recognise(frozenset({"a", "b", "c"}), frozenset(), (wide, AUTO)) == ""


def test_the_ladder_goes_on_where_the_diagnosis_ends() -> None:
    definition = QUEUE.definition
    failed = report(QUEUE, "consumer-first")
    known_one = ladder(definition, failed, diagnose(failed, definition, proof_of(QUEUE)), ())
    assert known_one.look == definition.when_failed["consumer-first"]
    assert known_one.failed
    assert (known_one.failed.id, known_one.next_hint) == ("consumer-first", 1)
    unknown = ladder(definition, failed, diagnose(failed, definition, None), definition.hints)
    assert unknown.look is None, "the diagnosis has said it already"
    assert unknown.next_hint == 0
    nothing = ladder(definition, None, None, definition.hints[:1])
    assert (nothing.diagnosis, nothing.failed, nothing.lesson, nothing.next_hint) == (None, None, definition.lesson, 2)
