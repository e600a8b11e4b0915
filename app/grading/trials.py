"""Handler of `trial`: the checks on the learner's own sandbox, from a clean state, with the saved draft."""

from __future__ import annotations

import json

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.db import Database, now
from app.errors import Conflict, InvalidInput, NotFound
from app.grading.collector import Collector
from app.grading.exercises import Exercises, find_exercise
from app.grading.model import Run, SubmissionState, Verdict
from app.grading.progress import Progress
from app.grading.progress_writer import ProgressWriter
from app.grading.report import Report
from app.grading.trace import packed
from app.jobs.handler import Postponed
from app.jobs.lease import Lease
from app.sandbox.client import SandboxdClient
from app.sandbox.model import SandboxState
from app.sandbox.row import SandboxRow

RUN_SECONDS = 420.0


class TrialRuns:
    """Runs the checks of one row of `runs`; for single trials and for series."""

    def __init__(self, database: Database, exercises: Exercises, sandboxd: SandboxdClient, grader_version: str) -> None:
        self._database = database
        self._exercises = exercises
        self._sandboxd = sandboxd
        self._grader_version = grader_version

    def report(self, row: Run, lease: Lease) -> Report:
        """Run them and tell how far it is in the row's progress.

        Raises:
            NotFound, InvalidInput, Conflict: the sandbox is gone, or the exercise has changed: trying again is vain.
            Postponed: checks run in this sandbox already, or it has not been launched yet.
        """
        collector = Collector(find_exercise(self._exercises, row.exercise_id), grader_version=self._grader_version)
        events = self._sandboxd.run(
            row.sandbox_id,
            seed=row.seed,
            only=json.loads(row.only),
            files=json.loads(row.files),
            timeout=RUN_SECONDS,
            on_start=lease.on_interrupt,
        )
        try:
            with ProgressWriter(self._database, lease, Run, row.id) as progress:
                for event in events:
                    collector.take(event)
                    progress.write(collector.progress)
        except Conflict as error:
            if error.code == "checks-running":
                raise Postponed(f"{error.code}: {error.message}", 1.0) from error
            raise
        except NotFound as error:
            if self._to_be_launched(row.sandbox_id):
                raise Postponed(f"sandboxd-slow: {error.message}", 1.0) from error
            raise
        return collector.report()

    def _to_be_launched(self, sandbox_id: str) -> bool:
        """Whether it is wanted and `sandboxd`, which did not answer in time, has not heard of it yet."""
        with self._database.read() as session:
            row = session.get(SandboxRow, sandbox_id)
            return row is not None and row.state == SandboxState.QUEUED and not row.stop_wanted


class Trials:
    """Runs trials; see `app.jobs.handler.Handler`. Somebody waits at the screen, so nothing is tried for long."""

    def __init__(self, database: Database, runs: TrialRuns) -> None:
        self._database = database
        self._runs = runs

    def handle(self, subject_id: str, lease: Lease) -> None:
        with self._database.transaction() as session:
            lease.guard(session)
            row = session.get_one(Run, subject_id)
            row.state, row.progress = SubmissionState.GRADING, Progress(stage="own-sandbox", since=now().timestamp()).to_json()
        try:
            report = self._runs.report(row, lease)
        except (NotFound, InvalidInput, Conflict) as error:
            with self._database.transaction() as session:
                lease.finish(session)
                session.execute(update(Run).where(Run.id == row.id).values(**errored(error.code, error.message)))
            return
        with self._database.transaction() as session:
            lease.finish(session)
            write_report(session, row, report)

    def requeued(self, session: Session, subject_id: str, reason: str) -> None:
        code, _, message = reason.partition(": ")
        waiting = {"state": SubmissionState.QUEUED, "progress": Progress(reason=code, message=message).to_json()}
        session.execute(update(Run).where(Run.id == subject_id).values(**waiting))

    def gave_up(self, session: Session, subject_id: str, reason: str) -> None:
        code, _, message = reason.partition(": ")
        session.execute(update(Run).where(Run.id == subject_id).values(**errored(code, message)))


def write_report(session: Session, row: Run, report: Report) -> None:
    """The end of a run, and what its sandbox holds since."""
    end = {
        "state": SubmissionState.ERRORED if report.verdict == "errored" else SubmissionState.GRADED,
        "verdict": Verdict(report.verdict),
        "report": report.to_json(),
        "traces": packed(report.traces),
        "finished_at": now(),
        "progress": Progress(stage="done", message=report.error).to_json(),
    }
    session.execute(update(Run).where(Run.id == row.id).values(**end))
    session.execute(update(SandboxRow).where(SandboxRow.id == row.sandbox_id).values(files=row.files))


def errored(code: str, message: str) -> dict[str, object]:
    """Values of a run that could not be carried through."""
    return {
        "state": SubmissionState.ERRORED,
        "verdict": Verdict.ERRORED,
        "finished_at": now(),
        "progress": Progress(stage="done", reason=code, message=message).to_json(),
    }
