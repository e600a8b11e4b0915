"""A course with a database, workers and sandboxd, for tests from handing in to the verdict.

Real: the database, the worker, sandboxd, its sockets, the client and the prober's pipes. Played: services and the checks.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from app import migrate
from app.accounts.audit import Audit
from app.accounts.viewer import Viewer
from app.content.exercise import ExerciseCatalog
from app.content.proof import proof_path
from app.db import Database, make_engine, now
from app.errors import Unavailable
from app.grading.grader import Grader
from app.grading.repeats import Repeats
from app.grading.retry import Retry
from app.grading.runs import TRIAL, Runs, RunView
from app.grading.series import SERIES, SeriesRuns, SeriesView
from app.grading.submissions import GRADE, Submissions, SubmissionView
from app.grading.trials import TrialRuns, Trials
from app.jobs.doorbells.local import LocalDoorbell
from app.jobs.model import Job
from app.jobs.queue import JobQueue
from app.jobs.worker import Worker
from app.learning.drafts import Drafts
from app.learning.reconciler import Reconciler
from app.learning.sandboxes import PracticeSandboxes
from app.sandbox.client import SandboxdClient
from app.sandbox.row import SandboxRow
from tests.databases import add_user
from tests.desk import Desk, desk, write_exercise
from tests.product import eventually

WORDS = {"done": "We called.", "expected": "An answer.", "seen": "Nothing.", "where": "main.py"}
FAILS = f"check('first', 'failed', message={ {'ru': WORDS, 'en': WORDS}!r}); check('second', 'skipped'); say(type='finished')"
WAITS = "import time\nsay(type='check_started', id='first')\ntime.sleep(60)"
DIES = "raise SystemExit(3)"


@dataclass
class School:
    """A database, a sandboxd that can be switched off and on, and workers."""

    home: Path
    database: Database
    exercises: ExerciseCatalog
    daemon: Desk | None = None
    sandboxd: SandboxdClient | None = None
    _daemon: ExitStack = field(default_factory=ExitStack)
    _workers: list[tuple[Worker, threading.Thread]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.switch_on()
        self.doorbell = LocalDoorbell(self.home, 0)
        self.sandboxd = SandboxdClient(self.home / "sandboxd" / "control.sock")
        self.submissions = Submissions(self.database, self.exercises, self.doorbell)
        self.runs = Runs(self.database, self.exercises, self.doorbell)
        self.series = SeriesRuns(self.database, self.exercises, self.doorbell)
        self.drafts = Drafts(self.database, self.exercises)
        self.sandboxes = PracticeSandboxes(self.database, self.exercises, self.drafts, self.sandboxd)
        self.reconciler = Reconciler(self.database, self.sandboxd)
        self.retry = Retry(self.database, self.doorbell)
        self.anna = add_user(self.database)

    def switch_on(self) -> None:
        self.daemon = self._daemon.enter_context(desk(self.home))
        if self.sandboxd:
            eventually("the client has found it again", self._answers)

    def _answers(self) -> bool:
        assert self.sandboxd
        try:
            self.sandboxd.list()
        except Unavailable:
            return False
        return True

    def switch_off(self) -> None:
        self._daemon.close()
        self.daemon = None

    def checks(self, script: str) -> None:
        """What the next prober does."""
        assert self.daemon
        self.daemon.script = script
        self.sandboxd.reload()

    def proven(self, is_so: bool) -> None:
        """The exercise is proven, or no longer, and everybody has loaded it anew."""
        write_exercise(self.home / "exercises")
        if not is_so:
            proof_path(self.home / "exercises" / "echo").unlink()
        self.exercises.exercises.update(ExerciseCatalog(self.home / "exercises").exercises)
        self.sandboxd.reload()

    def checks_now(self, script: str) -> None:
        """What the prober of the sandboxes that run already does next."""
        assert self.daemon
        self.daemon.script = script
        self.daemon.do(self.daemon._reload())

    def work(self, holder: str = "w/1") -> None:
        """Start a worker."""
        parts = (self.database, self.exercises, self.sandboxd, "v1")
        runs = TrialRuns(*parts)
        handlers = {GRADE: Grader(*parts), TRIAL: Trials(self.database, runs), SERIES: Repeats(self.database, runs)}
        queue = JobQueue(self.database, handlers)
        worker = Worker(queue, self.doorbell, holder=holder)
        thread = threading.Thread(target=worker.run)
        thread.start()
        self._workers.append((worker, thread))

    def stop_work(self) -> None:
        while self._workers:
            worker, thread = self._workers.pop()
            worker.stop()
            thread.join(20)
            assert not thread.is_alive()

    def close(self) -> None:
        self.stop_work()
        self.sandboxd.close()
        self.switch_off()
        self.database.dispose()

    def submission(self, submission_id: str) -> SubmissionView:
        return self.submissions.view(Viewer(self.anna), submission_id)

    def settled(self, submission_id: str) -> SubmissionView:
        return eventually("a verdict", lambda: (view := self.submission(submission_id)).settled and view, within=20)

    def run_settled(self, run_id: str) -> RunView:
        return eventually("a result", lambda: (view := self.runs.view(Viewer(self.anna), run_id)).settled and view, within=20)

    def series_settled(self, series_id: str) -> SeriesView:
        return eventually(
            "an end", lambda: (view := self.series.view(Viewer(self.anna), series_id)).settled and view, within=30
        )

    def verdicts(self, submission_id: str) -> list[str]:
        """What the audit log says, the newest first."""
        entries = Audit(self.database).newest(action="submission.graded")
        return [json.loads(entry.event.facts)["verdict"] for entry in entries if entry.event.target_id == submission_id]

    def job(self) -> Job:
        with self.database.read() as session:
            return session.scalars(select(Job).order_by(Job.created_at.desc()).limit(1)).one()

    def row(self, sandbox_id: str) -> SandboxRow:
        with self.database.read() as session:
            return session.get_one(SandboxRow, sandbox_id)

    def older(self, sandbox_id: str) -> None:
        """Let a row be so old that its writer has had its time."""
        with self.database.transaction() as session:
            row = session.get_one(SandboxRow, sandbox_id)
            row.created_at = now() - timedelta(minutes=1)

    def ready(self) -> str:
        """Open a practice sandbox and wait for it."""
        sandbox_id = self.sandboxes.open(self.anna, "echo").id
        eventually("ready", lambda: self.sandboxd.status(sandbox_id).state == "ready")
        return sandbox_id

    def living(self) -> list[str]:
        return [live.id for live in self.sandboxd.list().sandboxes if live.state != "stopping"]


@pytest.fixture
def school(tmp_path: Path) -> Iterator[School]:
    write_exercise(tmp_path / "exercises")
    database = Database(make_engine(f"sqlite:///{tmp_path / 'soty.sqlite3'}"))
    migrate.upgrade(database.engine)
    found = School(tmp_path, database, ExerciseCatalog(tmp_path / "exercises"))
    yield found
    found.close()
