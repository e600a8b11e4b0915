"""Handler of `grade`: a fresh sandbox from exactly the submitted files, the checks in it, one verdict."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import structlog
from sqlalchemy import update
from sqlalchemy.orm import Session

from app.content.exercise import Exercise
from app.db import Database, now
from app.errors import Conflict, PlatformError, Unavailable
from app.grading import graded, suspicion
from app.grading.collector import Collector
from app.grading.exercises import Exercises, find_exercise
from app.grading.model import Submission, SubmissionState, Verdict
from app.grading.progress import Progress, StageProgress
from app.grading.progress_writer import ProgressWriter
from app.grading.report import Report, StageReport
from app.grading.suspicion import unusual
from app.grading.trace import packed
from app.jobs.handler import Postponed
from app.jobs.lease import Lease
from app.sandbox import sandbox_pb2 as pb
from app.sandbox.client import SandboxdClient
from app.sandbox.model import Purpose, SandboxState
from app.sandbox.row import SandboxRow

#: Answers to a launch that say "not now" and blame nobody: code -> seconds until the next try.
NOT_NOW = {"image-not-ready": 5.0, "content-changed": 3.0, "engine-refused": 30.0, "sandboxd-down": 3.0, "not-proven": 30.0}
READY_SECONDS = 600.0  #: queue of `sandboxd` and start together; then somebody else gets the worker's slot
FIRST_LOOK, LONGEST_LOOK = 0.05, 0.25  #: seconds between two looks at a sandbox that starts
RUN_SECONDS = 900.0
SERVICE = "service:"  #: before a service's name where it is a stage

log = structlog.get_logger("grader")


class GradingErrored(PlatformError):
    """The checks could not be carried through; this is ours to explain."""

    code = "grading-errored"


class Grader:
    """Grades submissions; see `app.jobs.handler.Handler`.

    Args:
        grader_version: stored with each report.
    """

    def __init__(self, database: Database, exercises: Exercises, sandboxd: SandboxdClient, grader_version: str) -> None:
        self._database = database
        self._exercises = exercises
        self._sandboxd = sandboxd
        self._grader_version = grader_version

    def handle(self, subject_id: str, lease: Lease) -> None:
        row, exercise = self._begin(subject_id, lease)
        with self._sandbox(row, exercise, lease):
            with ProgressWriter(self._database, lease, Submission) as progress:
                stages = self._await_ready(lease, progress)
                report, signals = self._run(row, exercise, lease, progress, stages)
            self._finish(lease, row.user_id, exercise, report, unusual(signals, report.traces, json.loads(row.files)))

    def requeued(self, session: Session, subject_id: str, reason: str) -> None:
        code, _, message = reason.partition(": ")
        waiting = {"state": SubmissionState.QUEUED, "progress": Progress(reason=code, message=message).to_json()}
        session.execute(update(Submission).where(Submission.id == subject_id).values(**waiting))

    def gave_up(self, session: Session, subject_id: str, reason: str) -> None:
        code, _, message = reason.partition(": ")
        end = {
            "state": SubmissionState.ERRORED,
            "verdict": Verdict.ERRORED,
            "finished_at": now(),
            "progress": Progress(stage="done", reason=code, message=message).to_json(),
        }
        ended = update(Submission).where(Submission.id == subject_id).values(**end)
        user_id, exercise_id = session.execute(ended.returning(Submission.user_id, Submission.exercise_id)).one()
        graded.note(session, user_id, subject_id, exercise_id, Verdict.ERRORED, None, self._grader_version)

    def _begin(self, submission_id: str, lease: Lease) -> tuple[Submission, Exercise]:
        """Say that grading goes on, and want a sandbox under the id of this very claim."""
        with self._database.transaction() as session:
            lease.guard(session)
            row = session.get_one(Submission, submission_id)
            exercise = find_exercise(self._exercises, row.exercise_id)
            row.state, row.started_at = SubmissionState.GRADING, now()
            queued = StageProgress("queued", _seconds(lease.queued_at, lease.claimed_at))
            row.progress = Progress(stage="sandbox", stages=(queued,), since=now().timestamp()).to_json()
            sandbox = SandboxRow(
                id=lease.key, owner_id=row.user_id, exercise_id=exercise.id, content_hash=exercise.content_hash
            )
            sandbox.purpose = Purpose.GRADING
            session.add(sandbox)
            return row, exercise

    @contextmanager
    def _sandbox(self, row: Submission, exercise: Exercise, lease: Lease) -> Iterator[None]:
        """The sandbox runs; it is ended whatever happens, at the latest by the reconciler."""
        try:
            self._launch(row, exercise, lease)
            yield
        finally:
            self._end(lease)

    def _launch(self, row: Submission, exercise: Exercise, lease: Lease) -> None:
        try:
            self._sandboxd.launch(
                lease.key,
                exercise_id=exercise.id,
                content_hash=exercise.content_hash,
                purpose=Purpose.GRADING,
                owner=row.user_id,
                files=json.loads(row.files),
            )
        except (Conflict, Unavailable) as error:
            if error.code in NOT_NOW:
                raise Postponed(f"{error.code}: {error.message}", NOT_NOW[error.code]) from error
            raise

    def _await_ready(self, lease: Lease, progress: ProgressWriter) -> list[StageReport]:
        began, pause = time.monotonic(), FIRST_LOOK
        while True:
            live = self._sandboxd.status(lease.key, timeout=2.0)
            queued = StageReport("queued", _seconds(lease.queued_at, lease.claimed_at))
            progress.write(_starting(live, queued))
            if live.state == SandboxState.READY:
                return [queued, *_start_stages(live, time.monotonic() - began)]
            if live.state in (SandboxState.STOPPING, SandboxState.GONE):
                raise GradingErrored(f"The sandbox ended before the checks began: {live.reason} {live.message}".strip())
            if time.monotonic() - began > READY_SECONDS:
                raise Postponed("engine-busy: No sandbox became free in time.", 10.0)
            lease.wait(pause)
            pause = min(pause * 1.3, LONGEST_LOOK)

    def _run(
        self, row: Submission, exercise: Exercise, lease: Lease, progress: ProgressWriter, stages: list[StageReport]
    ) -> tuple[Report, dict[str, int]]:
        collector = Collector(exercise, stages=stages, grader_version=self._grader_version)
        for event in self._sandboxd.run(lease.key, seed=row.seed, timeout=RUN_SECONDS, on_start=lease.on_interrupt):
            collector.take(event)
            progress.write(collector.progress)
        return collector.report(), collector.signals

    def _finish(self, lease: Lease, user_id: str, exercise: Exercise, report: Report, seen: dict[str, int]) -> None:
        """Write verdict, report, lines of the audit log and the end of the job in one transaction, or nothing."""
        verdict, errored = Verdict(report.verdict), report.verdict == "errored"
        values: dict[str, object] = {
            "report": report.to_json(),
            "traces": packed(report.traces),
            "content_hash": exercise.content_hash,
        }
        if not errored:
            values |= {
                "state": SubmissionState.GRADED,
                "verdict": verdict,
                "score": report.score,
                "finished_at": now(),
                "progress": Progress(stage="done").to_json(),
            }
        with self._database.transaction() as session:
            lease.guard(session) if errored else lease.finish(session)
            session.execute(update(Submission).where(Submission.id == lease.subject_id).values(**values))
            if not errored:
                subject = (lease.subject_id, exercise.id)
                graded.note(session, user_id, *subject, verdict, report.score, self._grader_version)
                suspicion.note(session, *subject, seen)
        if errored:
            raise GradingErrored(report.error or "A check could not be carried through.")

    def _end(self, lease: Lease) -> None:
        try:
            with self._database.transaction() as session:
                session.execute(update(SandboxRow).where(SandboxRow.id == lease.key).values(stop_wanted=True))
            self._sandboxd.stop(lease.key, "graded")
        except PlatformError as error:
            log.info("sandbox-left-to-reconciler", sandbox=lease.key, error=error.message)


def _starting(live: pb.Sandbox, queued: StageReport) -> Progress:
    """How far the launch is: `sandbox` goes on until the isolation stands, then `ready`, of whose parts some have ended."""
    stages, parts, isolated = [queued], _parts(live), _isolated(live)
    if standing := any(stage.name == "isolation" and stage.done for stage in live.stages):
        done = {stage.name for stage in live.stages if stage.done}
        stages += [StageReport("sandbox", isolated), *(part for part in parts if part.name.removeprefix(SERVICE) in done)]
    return Progress(
        stage="queued" if live.state == SandboxState.QUEUED else "ready" if standing else "sandbox",
        stages=tuple(StageProgress(stage.name, stage.seconds) for stage in stages),
        queue_position=live.queue_position,
        queue_seconds=live.queue_seconds,
        since=round(live.created + isolated, 3) if standing else live.created,
    )


def _start_stages(live: pb.Sandbox, seconds: float) -> list[StageReport]:
    """`sandbox`: until the isolation stands, the wait for a place included; `ready`: from then on; after each its parts.

    Taps, given services, their filling and learners' services all begin when the isolation stands or later, some beside
    each other: none of them takes longer than `ready`, but their times may sum to more.
    """
    isolated, parts = _isolated(live), _parts(live)
    first = [part for part in parts if part.name == "isolation"]
    rest = [part for part in parts if part.name != "isolation"]
    ready = max([seconds - isolated, *(part.seconds for part in rest)])  # our clock begins a call later than `sandboxd`'s
    return [StageReport("sandbox", isolated), *first, StageReport("ready", round(max(0.0, ready), 3)), *rest]


def _isolated(live: pb.Sandbox) -> float:
    return round(sum(stage.seconds for stage in live.stages if stage.name in ("queued", "isolation")), 3)


def _parts(live: pb.Sandbox) -> list[StageReport]:
    """What a launch consists of besides the wait for a place."""
    own = ("isolation", "taps", "init")
    named = [
        (stage.name if stage.name in own else SERVICE + stage.name, stage) for stage in live.stages if stage.name != "queued"
    ]
    return [StageReport(name, round(stage.seconds, 3)) for name, stage in named]


def _seconds(begin: datetime, end: datetime) -> float:
    return round(max(0.0, (end - begin).total_seconds()), 3)
