"""Which known mistake a failed run looks like. A wrong explanation is worse than none, so doubt means none.

The known mistakes are an exercise's mutants: each has failed certain checks in the proof, and left features there. A learner's
run is compared with both. What cannot be told apart falls back to the words that the author wrote for the failed check.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from app.content.exercise_def import CheckDef, ExerciseDef
from app.content.proof import Proof
from app.grading.report import CauseName, CheckReport, Report, Words

#: Share of features that must agree at all before a mistake is named, and in each failed check for itself.
ALIKE, EACH = 0.6, 0.4
#: The same, counting only what tells the candidates apart; and by how much the best must lead the next.
TELLING, LEAD = 0.6, 0.25
#: Share of failed checks that must agree where no mistake fails exactly the same ones.
NEAR = 0.75
_FACT = 3.0  #: a fact such as `no_ack` weighs as much as three kinds or orders of messages, which vary from run to run


@dataclass(frozen=True, slots=True)
class Known:
    """What came of one wrong solution in the proof. `id`: of the mutant; empty for a rival that explains nothing."""

    id: str
    fails: frozenset[str]
    features: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What we think is wrong.

    Attributes:
        kind: `mistake`: it looks like a known one; `check`: only what the author says to whoever fails this check.
        text: what it looks like, as a clause without a full stop; or the author's question; empty when there is none.
        check: id of the failed check to begin with.
        lesson: `lesson-id` or `lesson-id#heading` that teaches it; empty when there is none.
        mistake: id of the mutant, for instructors; empty for `check`.
    """

    kind: Literal["mistake", "check"]
    text: Words
    check: str
    lesson: str
    mistake: str = ""


def diagnose(report: Report, exercise: ExerciseDef, proof: Proof | None) -> Diagnosis | None:
    """What a report says about the work; None unless checks failed, which a platform fault is not.

    Args:
        proof: of exactly this exercise; None when it has none that can be trusted.
    """
    failed = {check.id: check for check in report.checks if check.status == "failed"}
    if report.verdict != "failed" or not failed:
        return None
    checks = {check.id: check for check in exercise.checks.items}
    mutants = {mutant.id: mutant for mutant in exercise.mutants}
    first = next(iter(failed))
    mistake = recognise(frozenset(failed), frozenset(report.features), known_mistakes(proof)) if proof else ""
    if mutant := mutants.get(mistake):
        about = next((check for check in mutant.killed_by if check in failed), first)
        return Diagnosis("mistake", Words(mutant.why.ru, mutant.why.en), about, _teaches(checks.get(about)), mistake)
    return Diagnosis("check", _question(exercise, failed[first]), first, _teaches(checks.get(first)))


def known_mistakes(proof: Proof) -> tuple[Known, ...]:
    """The mutants, and as a rival the starter. What is wrong everywhere was stopped at its first failed check: no signature."""
    tried = [*proof.mutants.items(), ("", proof.starter)]
    return tuple(Known(name, frozenset(one.fails), frozenset(one.features)) for name, one in tried)


def recognise(failed: frozenset[str], features: frozenset[str], known: Sequence[Known]) -> str:
    """The id of the one known mistake that this is; empty when in doubt.

    Args:
        failed: ids of the failed checks.
        features: of the run; without them only a set of checks that no other known solution fails is recognised.
    """
    if _crashes_always(failed, features):
        return ""
    known = [one for one in known if not one.features or _causes(features) <= _causes(one.features)]
    exact = [one for one in known if one.fails == failed]
    if not features or not all(one.features for one in exact):
        return exact[0].id if len(exact) == 1 else ""
    if len(exact) == 1:
        return exact[0].id if _agrees(features, exact[0]) else ""
    near = exact or [one for one in known if one.features and _alike(failed, one.fails) >= NEAR]
    return _best(features, near)


def _causes(features: frozenset[str]) -> set[str]:
    """A crash, or the end of memory or time, explains a failure by itself: a mistake without it is another one."""
    return {feature for feature in features if feature.partition(": ")[2].partition(" ")[0] in get_args(CauseName)}


def _crashes_always(failed: frozenset[str], features: frozenset[str]) -> bool:
    """Several checks failed, each by a crash: any error at all looks like that, and the log names it better than we could."""
    crashed = _checks(cause for cause in _causes(features) if ": timed-out" not in cause)
    return len(failed) > 1 and failed <= crashed


def _best(features: frozenset[str], candidates: Sequence[Known]) -> str:
    """The candidate that agrees best in what tells them apart, if it leads clearly.

    Something of what tells it apart must have been seen: a candidate that is known only by what it lacks cannot be told from
    another one of which less was seen this time.
    """
    if not candidates:
        return ""
    common = frozenset.intersection(*(one.features for one in candidates)) if len(candidates) > 1 else frozenset[str]()
    telling = frozenset.union(*(one.features for one in candidates)) - common
    scored = sorted(((_alike(features & telling, one.features & telling), one) for one in candidates), key=lambda it: -it[0])
    best, one = scored[0]
    if best < TELLING or not features & telling & one.features or not _agrees(features, one):
        return ""
    if len(scored) > 1 and best - scored[1][0] < LEAD:
        return ""
    return one.id


def _agrees(features: frozenset[str], one: Known) -> bool:
    """Alike as a whole, and no failed check that both have failed in another way."""
    both = _checks(features) & _checks(one.features)
    alone = (_alike(_of(check, features), _of(check, one.features)) for check in both)
    return _alike(features, one.features) >= ALIKE and all(share >= EACH for share in alone)


def _checks(features: Iterable[str]) -> set[str]:
    return {feature.partition(": ")[0] for feature in features}


def _of(check: str, features: Iterable[str]) -> set[str]:
    return {feature for feature in features if feature.startswith(f"{check}: ")}


def _alike(one: Collection[str], other: Collection[str]) -> float:
    """Weighted share of what both have in what either has; 1 for two empty ones."""
    either = set(one) | set(other)
    return _weight(set(one) & set(other)) / _weight(either) if either else 1.0


def _weight(features: Iterable[str]) -> float:
    return sum(1.0 if ":" in feature.partition(": ")[2] else _FACT for feature in features)


def _question(exercise: ExerciseDef, check: CheckReport) -> Words:
    if text := exercise.when_failed.get(check.id):
        return Words(text.ru, text.en)
    return Words(check.message.ru.where, check.message.en.where) if check.message else Words("", "")


def _teaches(check: CheckDef | None) -> str:
    return (check.teaches if check else None) or ""
