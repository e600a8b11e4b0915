"""Proves exercises: tries every solution that its author calls right or wrong, and some that are always wrong."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from app.content.exercise import Exercise
from app.content.proof import REFERENCE_RUNS, STRESS_RUNS, Proof, Tried
from app.errors import PlatformError
from app.grading.always_wrong import always_wrong, leak
from app.grading.busy import busy_cores
from app.grading.local import LocalGrader
from app.grading.report import Report
from app.grading.signature import features

AT_ONCE = max(2, os.cpu_count() or 2)  #: sandboxes; most of a grading is waiting
STRESSED_AT_ONCE = 2
TRIES = 3  #: for platform faults

_SIGNED = ("mutant", "starter")  #: what a learner's run may look like

Kind = Literal["reference", "accepted", "starter", "mutant", "automatic", "stress"]


@dataclass(frozen=True, slots=True)
class Trial:
    """One solution to try. `must_fail`: check ids; empty: passing for right ones, any failure for `automatic` ones.

    What is `automatic` is over at its first failed check; `stress` is the reference on a machine whose cores are all busy.
    """

    kind: Kind
    name: str
    files: Mapping[str, str]
    must_fail: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a trial; `seconds` of all its tries."""

    trial: Trial
    tried: Tried
    seconds: float
    report: Report


def trials(exercise: Exercise, reference_runs: int) -> list[Trial]:
    """Everything that a proof tries without stress, the quickest refutations first."""
    definition = exercise.definition
    found = [
        Trial("reference", "run 1", exercise.solution()),
        Trial("starter", "starter", exercise.starter, tuple(definition.starter_fails)),
    ]
    found += [Trial("accepted", name, exercise.accepted(name)) for name in definition.accepted]
    found += [Trial("mutant", one.id, exercise.solution(one.dir), tuple(one.killed_by)) for one in definition.mutants]
    found += [Trial("automatic", name, files) for name, files in always_wrong(exercise).items()]
    found += [Trial("reference", f"run {number}", exercise.solution()) for number in range(2, reference_runs + 1)]
    return found


def judge(trial: Trial, report: Report) -> Tried:
    """Whether a report says of a trial what it must say."""
    fails = tuple(check.id for check in report.checks if check.status == "failed")
    errored = report.error or "; ".join(note.text.en for note in report.notes if note.kind == "errored")
    if errored or any(check.status == "errored" for check in report.checks):
        return Tried(False, fails, trial.must_fail, f"errored: {errored} (seed {report.seed})")
    if trial.kind in ("reference", "accepted", "stress"):
        why = "" if report.verdict == "passed" else f"fails {', '.join(fails)} (seed {report.seed})"
        return Tried(not why, fails, (), why)
    missed = [name for name in trial.must_fail if name not in fails]
    why = f"is not rejected by {', '.join(missed)} (seed {report.seed})" if missed else ""
    if not fails:
        why = f"passes (seed {report.seed})"
    elif trial.kind == "automatic" and (place := leak(report)):
        why = f"can read what only the checks may know: {place}"
    return Tried(not why, fails, trial.must_fail, why, features(report) if trial.kind in _SIGNED else ())


def prove(
    grader: LocalGrader,
    exercise: Exercise,
    *,
    platform: str,
    reference_runs: int = REFERENCE_RUNS,
    stress_runs: int = STRESS_RUNS,
    on_outcome: Callable[[Outcome], None] = lambda _: None,
) -> Proof:
    """Try everything, `AT_ONCE` sandboxes at a time, and then the reference on a busy machine.

    Args:
        platform: `grader_version` for the record.
        on_outcome: hears each outcome as it comes, from any thread.

    Raises:
        PlatformError: a sandbox could not be had; nothing is known then, and an earlier proof stays as good as it was.
    """
    begun = time.monotonic()
    outcomes = attempt_all(grader, exercise, trials(exercise, reference_runs), AT_ONCE, on_outcome)
    stress = [Trial("stress", f"run {number}", exercise.solution()) for number in range(1, stress_runs + 1)]
    with busy_cores():
        stressed = attempt_all(grader, exercise, stress, STRESSED_AT_ONCE, on_outcome)
    reference = [outcome for outcome in outcomes if outcome.trial.kind == "reference"]
    return Proof(
        exercise=exercise.id,
        content=exercise.content_hash,
        platform=platform,
        proved_at=datetime.now(UTC).replace(microsecond=0).isoformat(),
        engine=grader.engine_name,
        reference_runs=len(reference),
        reference_passed=sum(outcome.tried.ok for outcome in reference),
        stress_runs=len(stressed),
        stress_passed=sum(outcome.tried.ok for outcome in stressed),
        accepted=_of("accepted", outcomes),
        starter=_of("starter", outcomes)["starter"],
        mutants=_of("mutant", outcomes),
        automatic=_of("automatic", outcomes),
        seconds=round(time.monotonic() - begun, 1),
        usual_seconds=round(statistics.median(outcome.seconds for outcome in reference), 1),
    )


def attempt_all(
    grader: LocalGrader,
    exercise: Exercise,
    chosen: Sequence[Trial],
    at_once: int,
    on_outcome: Callable[[Outcome], None] = lambda _: None,
) -> list[Outcome]:
    """Try them side by side; outcomes in the order of the trials.

    Raises:
        PlatformError: as `attempt`; what has not begun is given up.
    """
    with ThreadPoolExecutor(at_once, thread_name_prefix="proof") as pool:
        futures: list[Future[Outcome]] = []
        for trial in chosen:
            future = pool.submit(attempt, grader, exercise, trial)
            future.add_done_callback(lambda done: _hear(done, on_outcome))
            futures.append(future)
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _hear(done: Future[Outcome], on_outcome: Callable[[Outcome], None]) -> None:
    if not done.cancelled() and done.exception() is None:
        on_outcome(done.result())


def _of(kind: Kind, outcomes: list[Outcome]) -> dict[str, Tried]:
    return {outcome.trial.name: outcome.tried for outcome in outcomes if outcome.trial.kind == kind}


def attempt(grader: LocalGrader, exercise: Exercise, trial: Trial) -> Outcome:
    """Try one solution in a fresh sandbox; what is errored is tried again, as a submission would be.

    Raises:
        PlatformError: no sandbox could be had, which says nothing about the exercise.
    """
    begun = time.monotonic()
    for attempts_left in reversed(range(TRIES)):
        try:
            report = grader.grade(exercise, trial.files, first_failure=trial.kind == "automatic")
        except PlatformError:
            if not attempts_left:
                raise
            continue
        if report.verdict != "errored" and all(check.status != "errored" for check in report.checks):
            break
    seconds = time.monotonic() - begun
    return Outcome(trial, replace(judge(trial, report), seconds=round(seconds, 1)), seconds, report)
