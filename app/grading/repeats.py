"""Handler of `series`: one run of it per claim, so that whoever waits for the worker waits for one run and not for ten."""

from __future__ import annotations

import secrets

from sqlalchemy import ColumnElement, update
from sqlalchemy.orm import Session

from app.db import Database, now
from app.errors import Conflict, InvalidInput, NotFound
from app.grading.model import Run, Series, SubmissionState, Verdict
from app.grading.progress import Progress
from app.grading.series import runs_of
from app.grading.trials import TrialRuns, errored, write_report
from app.jobs.handler import Postponed
from app.jobs.lease import Lease

NEXT = "next-run"  #: why the job goes back to the queue: nothing is wrong


class Repeats:
    """Runs series; see `app.jobs.handler.Handler`. A run that was interrupted begins again with the same seed."""

    def __init__(self, database: Database, runs: TrialRuns) -> None:
        self._database = database
        self._runs = runs

    def handle(self, subject_id: str, lease: Lease) -> None:
        run = self._begin(subject_id, lease)
        if run is None:
            return
        try:
            report = self._runs.report(run, lease)
        except (NotFound, InvalidInput, Conflict) as error:  # the sandbox is gone, or the exercise has changed
            with self._database.transaction() as session:
                lease.finish(session)
                session.execute(update(Run).where(Run.id == run.id).values(**errored(error.code, error.message)))
                _end(session, subject_id, error.code)
            return
        with self._database.transaction() as session:
            series = session.get_one(Series, subject_id, with_for_update=True)
            failed = report.verdict == "failed" and series.stop_at_failure
            over = failed or series.stop_wanted or run.number == series.wanted
            lease.finish(session) if over else lease.guard(session)
            write_report(session, run, report)
            if over:
                _end(session, subject_id)
        if not over:
            raise Postponed(NEXT, 0.0)

    def requeued(self, session: Session, subject_id: str, reason: str) -> None:
        code, _, message = reason.partition(": ")
        if code != NEXT:
            waiting = Progress(reason=code, message=message).to_json()
            session.execute(update(Run).where(*_unfinished(subject_id)).values(progress=waiting))

    def gave_up(self, session: Session, subject_id: str, reason: str) -> None:
        code, _, message = reason.partition(": ")
        session.execute(update(Run).where(*_unfinished(subject_id)).values(**errored(code, message)))
        _end(session, subject_id, code)

    def _begin(self, series_id: str, lease: Lease) -> Run | None:
        """The run that goes on or comes next; None when there is none, and the series has ended."""
        with self._database.transaction() as session:
            lease.guard(session)
            series = session.get_one(Series, series_id)
            runs = runs_of(session, series_id)
            run = next((one for one in runs if one.finished_at is None), None)
            if run is None and (series.stop_wanted or len(runs) >= series.wanted):
                lease.finish(session)
                _end(session, series_id)
                return None
            if run is None:
                run = Run(
                    user_id=series.user_id, exercise_id=series.exercise_id, sandbox_id=series.sandbox_id, files=series.files,
                    only=series.only, seed=secrets.randbits(31), series_id=series.id, number=len(runs) + 1,
                )  # fmt: skip
                session.add(run)
            run.state, run.progress = SubmissionState.GRADING, Progress(stage="own-sandbox", since=now().timestamp()).to_json()
            series.state = SubmissionState.GRADING
            return run


def _unfinished(series_id: str) -> tuple[ColumnElement[bool], ...]:
    return Run.series_id == series_id, Run.finished_at.is_(None)


def _end(session: Session, series_id: str, reason: str = "") -> None:
    session.flush()
    judged = any(run.verdict in (Verdict.PASSED, Verdict.FAILED) for run in runs_of(session, series_id))
    state = SubmissionState.GRADED if judged or not reason else SubmissionState.ERRORED
    session.execute(update(Series).where(Series.id == series_id).values(state=state, reason=reason[:48], finished_at=now()))
