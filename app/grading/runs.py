"""*Run checks* on the learner's own sandbox: a trial that does not count."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.model import User
from app.accounts.viewer import Viewer
from app.content.exercise import Exercise
from app.db import Database
from app.errors import Conflict, InvalidInput, NotFound
from app.grading.exercises import Exercises, offered_exercise
from app.grading.limits import workspace_files
from app.grading.model import Run, Series, SubmissionState, Verdict
from app.grading.progress import Progress
from app.grading.report import Report
from app.grading.trace import Trace, unpacked
from app.jobs.doorbell import Doorbell
from app.jobs.queue import URGENT, enqueue
from app.sandbox.model import Purpose, SandboxState
from app.sandbox.row import SandboxRow

TRIAL = "trial"  #: kind of the jobs that run checks on a learner's sandbox
OPEN = (SubmissionState.QUEUED, SubmissionState.GRADING)


@dataclass(frozen=True, slots=True)
class RunView:
    """A trial as its owner sees it; fields as in `SubmissionView`. `only`: ids of the checks asked for; empty: all."""

    id: str
    user_id: str
    exercise_id: str
    sandbox_id: str
    files: dict[str, str] = field(repr=False)
    only: tuple[str, ...]
    state: SubmissionState
    verdict: Verdict | None
    seed: int
    created_at: datetime
    finished_at: datetime | None
    progress: Progress
    report: Report | None

    @property
    def settled(self) -> bool:
        """Whether pages may stop polling."""
        return self.state not in OPEN


class Runs:
    """Start trials and look at them."""

    def __init__(self, database: Database, exercises: Exercises, doorbell: Doorbell) -> None:
        self._database = database
        self._exercises = exercises
        self._doorbell = doorbell

    def start(
        self, user_id: str, exercise_id: str, files: Mapping[str, str], only: Sequence[str] = (), seed: int | None = None
    ) -> RunView:
        """Queue a trial of `files` (the saved draft) on the learner's running sandbox of this exercise.

        Args:
            only: ids of checks; empty runs all. The checks that they need run too.
            seed: replays an earlier run's draws; drawn anew by default.

        Raises:
            NotFound: no such exercise.
            NotProven: it is not offered now.
            InvalidInput: an unknown check id, or files as in `workspace_files`.
            Conflict: `no-sandbox`: none of this exercise runs; `run-in-progress`: one trial at a time.
        """
        exercise = offered_exercise(self._exercises, exercise_id)
        whole = workspace_files(exercise, files)
        wanted = with_needs(exercise, only)
        with self._database.transaction() as session:
            sandbox_id = free_sandbox(session, user_id, exercise)
            row = Run(
                user_id=user_id, exercise_id=exercise.id, sandbox_id=sandbox_id, files=json.dumps(whole, ensure_ascii=False),
                only=json.dumps(wanted), seed=secrets.randbits(31) if seed is None else seed, progress=Progress().to_json(),
            )  # fmt: skip
            session.add(row)
            session.flush()
            enqueue(session, TRIAL, row.id, fair_key=user_id, priority=URGENT)
        self._doorbell.ring()
        return run_view(row)

    def view(self, viewer: Viewer, run_id: str) -> RunView:
        """One trial.

        Raises:
            NotFound: there is none that the viewer may see.
        """
        with self._database.read() as session:
            row = session.scalar(select(Run).where(Run.id == run_id, viewer.scope_for(Run.user_id)))
        if row is None:
            raise NotFound("There is no such run.", code="no-such-run")
        return run_view(row)

    def traces(self, run_id: str) -> tuple[Trace, ...]:
        """What the taps saw during a trial; the caller has looked at it with `view`."""
        with self._database.read() as session:
            return unpacked(session.scalar(select(Run.traces).where(Run.id == run_id)))

    def latest(self, user_id: str, exercise_id: str) -> RunView | None:
        """The newest trial of a learner and exercise, so that a reloaded page shows it again."""
        mine = select(Run).where(Run.user_id == user_id, Run.exercise_id == exercise_id)
        with self._database.read() as session:
            row = session.scalar(mine.order_by(Run.created_at.desc()).limit(1))
        return run_view(row) if row else None


def run_view(row: Run) -> RunView:
    """The row as a value."""
    return RunView(
        id=row.id,
        user_id=row.user_id,
        exercise_id=row.exercise_id,
        sandbox_id=row.sandbox_id,
        files=json.loads(row.files),
        only=tuple(json.loads(row.only)),
        state=row.state,
        verdict=row.verdict,
        seed=row.seed,
        created_at=row.created_at,
        finished_at=row.finished_at,
        progress=Progress.from_json(row.progress),
        report=Report.from_json(row.report) if row.report and row.finished_at else None,
    )


def free_sandbox(session: Session, user_id: str, exercise: Exercise) -> str:
    """The id of the learner's running sandbox of this exercise; nobody else of the same learner gets it meanwhile.

    Raises:
        Conflict: `no-sandbox`: there is none; `run-in-progress`: a trial or a series works on it.
    """
    session.get(User, user_id, with_for_update=True)
    sandbox_id = session.scalar(
        select(SandboxRow.id).where(
            SandboxRow.owner_id == user_id,
            SandboxRow.exercise_id == exercise.id,
            SandboxRow.purpose == Purpose.PRACTICE,
            SandboxRow.state != SandboxState.GONE,
            SandboxRow.stop_wanted.is_(False),
        )
    )
    if sandbox_id is None:
        raise Conflict("No sandbox of this exercise is running.", code="no-sandbox", cure="Start the sandbox first.")
    open_run = session.scalar(select(Run.id).where(Run.sandbox_id == sandbox_id, Run.state.in_(OPEN)))
    open_series = session.scalar(select(Series.id).where(Series.sandbox_id == sandbox_id, Series.state.in_(OPEN)))
    if open_run or open_series:
        raise Conflict(
            "Checks are running on this sandbox already.",
            code="run-in-progress",
            cure="Wait until they finish.",
            details={"run": open_run, "series": open_series},
        )
    return sandbox_id


def with_needs(exercise: Exercise, only: Sequence[str]) -> list[str]:
    """Ids of the checks asked for and of those that they need, in the exercise's order; empty: all.

    Raises:
        InvalidInput: an unknown id.
    """
    checks = {check.id: check for check in exercise.definition.checks.items}
    if unknown := sorted(set(only) - set(checks)):
        raise InvalidInput(f"There is no check `{unknown[0][:64]}`.", code="no-such-check", details={"check": unknown[0][:64]})
    wanted = set(only)
    for check in reversed(exercise.definition.checks.items):  # a need comes before what needs it
        if check.id in wanted:
            wanted.update(check.needs)
    return [check for check in checks if check in wanted]
