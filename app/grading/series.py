"""*Run 10 times*: the same trial with other seeds, to find failures that come now and then."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.viewer import Viewer
from app.db import Database
from app.errors import InvalidInput, NotFound
from app.grading.exercises import Exercises, find_exercise
from app.grading.limits import workspace_files
from app.grading.model import Run, Series, SubmissionState, Verdict
from app.grading.progress import Progress
from app.grading.runs import OPEN, free_sandbox, with_needs
from app.jobs.doorbell import Doorbell
from app.jobs.queue import enqueue

SERIES = "series"  #: kind of the jobs that run one
MOST = 10  #: runs of one series


@dataclass(frozen=True, slots=True)
class SeriesRun:
    """One run of a series; `number` from 1."""

    number: int
    id: str
    seed: int
    state: SubmissionState
    verdict: Verdict | None
    progress: Progress


@dataclass(frozen=True, slots=True)
class SeriesView:
    """A series as its owner sees it.

    Attributes:
        wanted: how many runs were asked for.
        stopping: its owner wants no more of them.
        reason: machine code of why it ended too early; empty otherwise.
        runs: those that have begun, in order.
    """

    id: str
    user_id: str
    exercise_id: str
    sandbox_id: str
    only: tuple[str, ...]
    wanted: int
    stop_at_failure: bool
    stopping: bool
    state: SubmissionState
    reason: str
    created_at: datetime
    finished_at: datetime | None
    runs: tuple[SeriesRun, ...]

    @property
    def settled(self) -> bool:
        """Whether pages may stop polling."""
        return self.state not in OPEN

    def count(self, verdict: Verdict) -> int:
        """How many of its runs ended so."""
        return sum(run.verdict == verdict for run in self.runs)

    @property
    def ended(self) -> int:
        """How many of its runs have ended."""
        return sum(run.verdict is not None for run in self.runs)

    @property
    def failures(self) -> tuple[SeriesRun, ...]:
        """Those that failed."""
        return tuple(run for run in self.runs if run.verdict == Verdict.FAILED)


class SeriesRuns:
    """Start series, look at them, stop them."""

    def __init__(self, database: Database, exercises: Exercises, doorbell: Doorbell) -> None:
        self._database = database
        self._exercises = exercises
        self._doorbell = doorbell

    def start(
        self,
        user_id: str,
        exercise_id: str,
        files: Mapping[str, str],
        *,
        only: Sequence[str] = (),
        times: int = MOST,
        stop_at_failure: bool = False,
    ) -> SeriesView:
        """Queue one job that runs the checks up to `times` times on the learner's running sandbox of this exercise.

        Args:
            files: the saved draft.
            only: ids of checks; empty runs all. The checks that they need run too.
            times: 2 to `MOST`.
            stop_at_failure: the first failure ends it.

        Raises:
            NotFound: no such exercise.
            InvalidInput: `bad-times`, an unknown check id, or files as in `workspace_files`.
            Conflict: as in `app.grading.runs.free_sandbox`.
        """
        if not 2 <= times <= MOST:
            raise InvalidInput(f"A series has 2 to {MOST} runs.", code="bad-times")
        exercise = find_exercise(self._exercises, exercise_id)
        whole, wanted = workspace_files(exercise, files), with_needs(exercise, only)
        with self._database.transaction() as session:
            row = Series(
                user_id=user_id, exercise_id=exercise.id, sandbox_id=free_sandbox(session, user_id, exercise),
                files=json.dumps(whole, ensure_ascii=False), only=json.dumps(wanted), wanted=times,
                stop_at_failure=stop_at_failure, stop_wanted=False, reason="",
            )  # fmt: skip
            session.add(row)
            session.flush()
            enqueue(session, SERIES, row.id, fair_key=user_id)
        self._doorbell.ring()
        return _view(row, ())

    def view(self, viewer: Viewer, series_id: str) -> SeriesView:
        """One series.

        Raises:
            NotFound: there is none that the viewer may see.
        """
        with self._database.read() as session:
            row = session.scalar(select(Series).where(Series.id == series_id, viewer.scope_for(Series.user_id)))
            if row is None:
                raise NotFound("There is no such series.", code="no-such-series")
            return _view(row, runs_of(session, row.id))

    def stop(self, user_id: str, series_id: str) -> None:
        """Begin no further run; the one that goes on is finished.

        Raises:
            NotFound: this learner has no such series.
        """
        with self._database.transaction() as session:
            row = session.get(Series, series_id, with_for_update=True)
            if row is None or row.user_id != user_id:
                raise NotFound("There is no such series.", code="no-such-series")
            row.stop_wanted = True


def runs_of(session: Session, series_id: str) -> list[Run]:
    """The runs of a series in order."""
    return list(session.scalars(select(Run).where(Run.series_id == series_id).order_by(Run.number)))


def _view(row: Series, runs: Sequence[Run]) -> SeriesView:
    found = [SeriesRun(r.number or 0, r.id, r.seed, r.state, r.verdict, Progress.from_json(r.progress)) for r in runs]
    return SeriesView(
        id=row.id, user_id=row.user_id, exercise_id=row.exercise_id, sandbox_id=row.sandbox_id,
        only=tuple(json.loads(row.only)), wanted=row.wanted, stop_at_failure=row.stop_at_failure, stopping=row.stop_wanted,
        state=row.state, reason=row.reason, created_at=row.created_at, finished_at=row.finished_at, runs=tuple(found),
    )  # fmt: skip
