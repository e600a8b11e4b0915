"""From handing in to the verdict, and what a sandbox's row and the sandbox itself owe each other.

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
from sqlalchemy import select, update

from app import migrate
from app.accounts.audit import Audit
from app.accounts.model import Role
from app.accounts.viewer import Viewer
from app.content.exercise import ExerciseCatalog
from app.content.proof import NotProven, proof_path
from app.db import Database, make_engine, now
from app.errors import Conflict, InvalidInput, NotFound, Unavailable
from app.grading.grader import Grader
from app.grading.model import Submission, SubmissionState
from app.grading.repeats import Repeats
from app.grading.retry import REST, Retry
from app.grading.runs import TRIAL, Runs, RunView
from app.grading.series import SERIES, SeriesRuns, SeriesView
from app.grading.submissions import GRADE, Submissions, SubmissionView
from app.grading.trials import TrialRuns, Trials
from app.jobs.doorbells.polling import PollingDoorbell
from app.jobs.model import Job, JobState
from app.jobs.queue import JobQueue
from app.jobs.worker import Worker
from app.learning.drafts import Drafts
from app.learning.reconciler import Reconciler
from app.learning.sandboxes import PracticeSandboxes, SecondSandbox
from app.sandbox.client import SandboxdClient
from app.sandbox.model import OPERATOR, Purpose
from app.sandbox.row import SandboxRow
from tests.databases import add_user
from tests.desk import PASSES, Desk, desk, new_id, write_exercise
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
        self.doorbell = PollingDoorbell()
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


class TestGrading:
    def test_a_submission_is_graded_in_a_fresh_sandbox_that_is_gone_afterwards(self, school: School) -> None:
        handed_in = school.submissions.submit(school.anna, "echo", {"main.py": "print('mine')\n"})
        school.work()
        view = school.settled(handed_in.id)
        assert (view.state, view.verdict, view.score) == ("graded", "passed", 100)
        assert view.report is not None
        assert (view.report.seed, view.report.grader_version) == (handed_in.seed, "v1")
        names = [stage.name for stage in view.report.stages]
        assert names[:4] == ["queued", "sandbox", "isolation", "ready"]
        assert {"service:web", "attach", "report"} <= set(names)
        eventually("its sandbox is gone", lambda: not school.living())
        assert school.job().state is JobState.DONE

    def test_what_was_handed_in_is_graded_not_what_was_edited_since(self, school: School) -> None:
        """G13: the sandbox is fresh and gets the snapshot, whatever happens to the draft meanwhile."""
        assert school.daemon
        school.checks(WAITS)
        school.drafts.save(school.anna, "echo", {"main.py": "handed in"}, 0)
        school.submissions.submit(school.anna, "echo", {"main.py": "handed in"})
        school.drafts.save(school.anna, "echo", {"main.py": "edited since"}, 1)
        school.work()
        (sandbox_id,) = eventually("it runs", school.living)
        eventually("ready", lambda: school.sandboxd.status(sandbox_id).state == "ready")
        assert school.daemon.do(school.daemon.engine.get(sandbox_id, "web", "/workspace/main.py")) == b"handed in"

    def test_a_failed_check_comes_with_its_explanation(self, school: School) -> None:
        school.checks(FAILS)
        handed_in = school.submissions.submit(school.anna, "echo", {})
        school.work()
        view = school.settled(handed_in.id)
        assert (view.verdict, view.score) == ("failed", 0)
        assert view.report is not None
        assert view.report.check("first").message.get("en").seen == "Nothing."

    def test_what_was_unusual_stands_in_the_audit_log_and_nowhere_else(self, school: School) -> None:
        school.checks("say(type='signal', kind='answer-too-large'); say(type='signal', kind='answer-too-large'); " + PASSES)
        handed_in = school.submissions.submit(school.anna, "echo", {"main.py": "# check_finished\n"})
        school.work()
        view = school.settled(handed_in.id)
        (entry,) = Audit(school.database).newest()
        assert (entry.event.action, entry.event.target_id, entry.actor) == ("submission.suspicious", handed_in.id, "")
        assert json.loads(entry.event.facts) == {"exercise": "echo", "answer-too-large": 2, "names-checker": 1}
        # The score is what it was, and the report does not say a word
        assert (view.verdict, view.score) == ("passed", 100)
        assert view.report is not None
        assert "large" not in view.report.to_json()

    def test_an_ordinary_grading_leaves_no_line(self, school: School) -> None:
        handed_in = school.submissions.submit(school.anna, "echo", {"main.py": "print('mine')\n"})
        school.work()
        school.settled(handed_in.id)
        assert Audit(school.database).newest() == []

    def test_progress_is_told_while_it_runs(self, school: School) -> None:
        school.checks(WAITS)
        handed_in = school.submissions.submit(school.anna, "echo", {})
        school.work()
        eventually("the first check runs", lambda: school.submission(handed_in.id).progress.check == "first")
        view = school.submission(handed_in.id)
        assert (view.state, view.report, view.verdict) == ("grading", None, None)

    def test_a_fault_of_ours_is_tried_again_and_leaves_one_verdict(self, school: School) -> None:
        school.checks(DIES)
        handed_in = school.submissions.submit(school.anna, "echo", {})
        school.work()
        eventually("a fault is counted", lambda: school.job().faults == 1)
        view = school.submission(handed_in.id)
        assert (view.state, view.verdict, view.report, view.progress.reason) == ("queued", None, None, "grading-errored")
        school.checks(PASSES)
        assert school.settled(handed_in.id).verdict == "passed"
        assert school.job().fence == 2

    def test_after_three_faults_it_is_errored_and_graded_again_once_the_engine_is_well(self, school: School) -> None:
        school.checks(DIES)
        handed_in = school.submissions.submit(school.anna, "echo", {})
        with school.database.transaction() as session:
            session.execute(update(Job).values(faults=2))
        school.work()
        view = school.settled(handed_in.id)
        assert (view.state, view.verdict, view.score) == ("errored", "errored", None)
        assert view.report is not None
        assert view.report.error

        assert school.retry.sweep(lambda: True) == 0  # it rests for a minute
        with school.database.transaction() as session:
            session.execute(update(Submission).values(finished_at=now() - REST - timedelta(seconds=1)))
        assert school.retry.sweep(lambda: False) == 0
        school.checks(PASSES)
        assert school.retry.sweep(lambda: True) == 1
        eventually("passed", lambda: school.submission(handed_in.id).verdict == "passed", within=20)

    def test_without_sandboxd_it_waits_visibly_and_nothing_is_counted(self, school: School) -> None:
        handed_in = school.submissions.submit(school.anna, "echo", {})
        school.switch_off()
        school.work()
        waiting = eventually("it says why", lambda: (p := school.submission(handed_in.id).progress).reason and p)
        assert waiting.reason == "sandboxd-down"
        assert (school.submission(handed_in.id).state, school.job().faults) == (SubmissionState.QUEUED, 0)
        school.switch_on()
        assert school.settled(handed_in.id).verdict == "passed"

    def test_a_worker_told_to_stop_gives_the_grading_back_and_ends_its_sandbox(self, school: School) -> None:
        school.checks(WAITS)
        handed_in = school.submissions.submit(school.anna, "echo", {})
        school.work()
        eventually("it runs", lambda: school.submission(handed_in.id).progress.check == "first")
        school.stop_work()
        job = school.job()
        assert (job.state, job.faults, job.lost) == (JobState.QUEUED, 0, 0)
        assert school.living() == []
        school.checks(PASSES)
        school.work("w/2")
        assert school.settled(handed_in.id).verdict == "passed"


class TestTrials:
    def test_the_saved_draft_is_tried_on_the_learners_own_sandbox_and_does_not_count(self, school: School) -> None:
        sandbox_id = school.ready()
        saved = school.drafts.save(school.anna, "echo", {"main.py": "print('draft')"}, 0)
        assert [s.name for s in school.sandboxes.view(Viewer(school.anna), sandbox_id).services if s.old_code] == ["web"]
        started = school.runs.start(school.anna, "echo", saved.files)
        with pytest.raises(Conflict, match="already"):
            school.runs.start(school.anna, "echo", saved.files)
        school.work()
        view = school.run_settled(started.id)
        assert (view.state, view.verdict) == ("graded", "passed")
        assert school.submissions.history(school.anna, "echo") == []
        assert not school.sandboxes.view(Viewer(school.anna), sandbox_id).old_code
        assert school.sandboxd.status(sandbox_id).state == "ready"

    def test_one_check_runs_with_those_that_it_needs(self, school: School) -> None:
        school.ready()
        assert school.runs.start(school.anna, "echo", {}, only=["second"], seed=7).only == ("first", "second")

    def test_without_a_sandbox_there_is_no_trial(self, school: School) -> None:
        with pytest.raises(Conflict) as caught:
            school.runs.start(school.anna, "echo", {})
        assert caught.value.code == "no-sandbox"

    def test_a_sandbox_that_ended_meanwhile_ends_the_trial_at_once(self, school: School) -> None:
        sandbox_id = school.ready()
        started = school.runs.start(school.anna, "echo", {})
        school.sandboxd.stop(sandbox_id)
        eventually("gone", lambda: school.sandboxd.status(sandbox_id).state == "gone")
        school.work()
        view = school.run_settled(started.id)
        assert (view.verdict, view.progress.reason, school.job().faults) == ("errored", "sandbox-not-ready", 0)


class TestWhatIsNotProven:
    def test_nothing_can_be_begun(self, school: School) -> None:
        running = school.ready()
        school.proven(False)
        refusals = (
            lambda: school.submissions.submit(school.anna, "echo", {}),
            lambda: school.runs.start(school.anna, "echo", {}),
            lambda: school.sandboxes.open(school.anna, "echo"),
        )
        for refusal in refusals:
            with pytest.raises(NotProven):
                refusal()
        assert school.living() == [running], "what runs goes on"
        assert school.drafts.open(school.anna, "echo").files, "and what was written stays"

    def test_what_was_handed_in_before_waits_for_the_proof(self, school: School) -> None:
        handed_in = school.submissions.submit(school.anna, "echo", {})
        school.proven(False)
        school.work()
        waiting = eventually("it says why it waits", lambda: school.submission(handed_in.id).progress.reason)
        assert (waiting, school.submission(handed_in.id).state) == ("not-proven", "queued")
        assert school.job().faults == 0
        school.proven(True)
        with school.database.transaction() as session:  # half a minute has passed
            session.execute(update(Job).values(run_at=now()))
        assert school.settled(handed_in.id).verdict == "passed"


def failing_at(folder: Path, number: int) -> str:
    """A prober that fails in its run of this number and passes in all others."""
    return f"""
from pathlib import Path
count = Path({str(folder / "runs")!r})
count.write_text(str(int(count.read_text() if count.exists() else 0) + 1))
if count.read_text() == "{number}":
    {FAILS}
else:
    {PASSES}
"""


class TestSeries:
    def test_it_finds_the_one_run_that_fails_and_keeps_a_report_of_each(self, school: School, tmp_path: Path) -> None:
        school.checks(failing_at(tmp_path, 3))
        school.ready()
        started = school.series.start(school.anna, "echo", {}, times=4)
        with pytest.raises(Conflict, match="already"):
            school.runs.start(school.anna, "echo", {})
        with pytest.raises(Conflict, match="already"):
            school.series.start(school.anna, "echo", {})
        school.work()
        view = school.series_settled(started.id)
        assert [(run.number, run.verdict) for run in view.runs] == [(1, "passed"), (2, "passed"), (3, "failed"), (4, "passed")]
        assert len({run.seed for run in view.runs}) == 4
        [failure] = view.failures
        report = school.runs.view(Viewer(school.anna), failure.id).report
        assert report
        assert report.not_passed == {"first", "second"}
        assert school.job().state == JobState.DONE
        school.runs.start(school.anna, "echo", {}, seed=failure.seed)

    def test_it_ends_at_the_first_failure_where_asked(self, school: School, tmp_path: Path) -> None:
        school.checks(failing_at(tmp_path, 2))
        school.ready()
        started = school.series.start(school.anna, "echo", {}, stop_at_failure=True)
        school.work()
        view = school.series_settled(started.id)
        assert (view.state, [run.verdict for run in view.runs]) == ("graded", ["passed", "failed"])

    def test_its_owner_and_nobody_else_ends_it_early(self, school: School) -> None:
        school.ready()
        started = school.series.start(school.anna, "echo", {})
        with pytest.raises(NotFound):
            school.series.stop(add_user(school.database, "boris"), started.id)
        school.series.stop(school.anna, started.id)
        school.work()
        view = school.series_settled(started.id)
        assert (view.state, view.runs) == ("graded", ())

    def test_others_are_served_between_its_runs(self, school: School) -> None:
        school.ready()
        started = school.series.start(school.anna, "echo", {}, times=3)
        handed_in = school.submissions.submit(add_user(school.database, "boris"), "echo", {})
        school.work()
        school.series_settled(started.id)
        with school.database.read() as session:
            begun = session.get_one(Submission, handed_in.id).started_at
        last = school.runs.view(Viewer(school.anna), school.series.view(Viewer(school.anna), started.id).runs[-1].id)
        assert begun
        assert last.finished_at
        assert begun < last.finished_at

    def test_a_worker_that_stops_loses_no_run_and_a_sandbox_that_ended_ends_it(self, school: School) -> None:
        school.checks(WAITS)
        sandbox_id = school.ready()
        started = school.series.start(school.anna, "echo", {}, times=2)
        school.work()
        view = Viewer(school.anna)
        eventually("the first run goes on", lambda: school.series.view(view, started.id).runs)
        [begun] = school.series.view(view, started.id).runs
        school.stop_work()
        school.checks_now(PASSES)
        school.work("w/2")
        runs = school.series_settled(started.id).runs
        assert (runs[0].verdict, runs[0].id, runs[0].seed) == ("passed", begun.id, begun.seed)
        assert len(runs) == 2
        again = school.series.start(school.anna, "echo", {}, times=2)
        school.sandboxd.stop(sandbox_id)
        ended = school.series_settled(again.id)
        assert (ended.state, ended.reason) in {("errored", "sandbox-not-ready"), ("graded", "sandbox-not-ready")}

    def test_a_series_is_bounded(self, school: School) -> None:
        school.ready()
        for times in (0, 1, 11):
            with pytest.raises(InvalidInput):
                school.series.start(school.anna, "echo", {}, times=times)


class TestPracticeSandboxes:
    def test_a_second_one_is_asked_about_once_and_replacing_closes_the_first(self, school: School) -> None:
        write_exercise(school.home / "exercises", "other")
        school.exercises.exercises.update(ExerciseCatalog(school.home / "exercises").exercises)
        school.sandboxd.reload()
        first = school.ready()
        assert school.sandboxes.open(school.anna, "echo").id == first
        with pytest.raises(SecondSandbox) as caught:
            school.sandboxes.open(school.anna, "other")
        assert caught.value.details == {"sandbox": first, "exercise": "echo"}
        second = school.sandboxes.open(school.anna, "other", replace=True)
        school.older(second.id)
        eventually("the first is gone", lambda: school.sandboxd.status(first).state == "gone")
        school.reconciler.turn()
        assert school.row(first).reason == "replaced"
        eventually("the second runs", lambda: school.sandboxd.status(second.id).state == "ready")

    def test_restarting_with_my_files_ends_the_old_code(self, school: School) -> None:
        sandbox_id = school.ready()
        school.drafts.save(school.anna, "echo", {"main.py": "new"}, 0)
        viewer = Viewer(school.anna)
        assert school.sandboxes.view(viewer, sandbox_id).old_code
        school.sandboxes.apply(viewer, sandbox_id)
        eventually("the new code runs", lambda: not school.sandboxes.view(viewer, sandbox_id).old_code)

    def test_others_cannot_see_or_touch_it(self, school: School) -> None:
        sandbox_id = school.ready()
        boris = Viewer(add_user(school.database, "boris"))
        for touch in (
            lambda: school.sandboxes.view(boris, sandbox_id),
            lambda: school.sandboxes.stop(boris, sandbox_id),
            lambda: school.sandboxes.apply(boris, sandbox_id),
            lambda: school.sandboxes.extend(boris, sandbox_id),
            lambda: school.sandboxes.logs(boris, sandbox_id, "web"),
            lambda: school.sandboxes.control(boris, sandbox_id, "web", "kill"),
        ):
            with pytest.raises(NotFound):
                touch()
        assert school.sandboxd.status(sandbox_id).state == "ready"

    def test_an_instructor_looks_reads_and_closes_but_never_changes_it(self, school: School) -> None:
        sandbox_id, irina = school.ready(), Viewer("irina", Role.INSTRUCTOR)
        for change in (
            lambda: school.sandboxes.apply(irina, sandbox_id),
            lambda: school.sandboxes.extend(irina, sandbox_id),
            lambda: school.sandboxes.control(irina, sandbox_id, "web", "kill"),
        ):
            with pytest.raises(NotFound):
                change()
        assert school.sandboxes.view(irina, sandbox_id).state == "ready"
        assert school.sandboxes.logs(irina, sandbox_id, "web").offset == 0
        school.sandboxes.stop(irina, sandbox_id)
        eventually("it is gone", lambda: school.sandboxd.status(sandbox_id).state == "gone")

    def test_without_sandboxd_the_page_shows_the_row_and_the_wish_is_granted_later(self, school: School) -> None:
        school.switch_off()
        view = school.sandboxes.open(school.anna, "echo")
        assert (view.state, view.stale) == ("queued", True)
        school.switch_on()
        school.older(view.id)
        school.reconciler.turn()
        eventually("it runs", lambda: school.sandboxd.status(view.id).state == "ready")

    def test_stopping_is_remembered_while_sandboxd_is_away(self, school: School) -> None:
        sandbox_id = school.ready()
        school.reconciler.turn()
        school.switch_off()
        assert school.sandboxes.stop(Viewer(school.anna), sandbox_id).stale
        school.switch_on()
        school.reconciler.turn()
        assert school.row(sandbox_id).state == "gone"


class TestReconciler:
    def test_it_copies_what_happened_to_the_row(self, school: School) -> None:
        sandbox_id = school.ready()
        school.reconciler.turn()
        row = school.row(sandbox_id)
        assert (row.state, row.ended_at) == ("ready", None)
        assert row.ready_at is not None
        assert row.expires_at is not None
        school.sandboxd.stop(sandbox_id, "idle")
        eventually("gone", lambda: school.sandboxd.status(sandbox_id).state == "gone")
        school.reconciler.turn()
        row = school.row(sandbox_id)
        assert (row.state, row.reason) == ("gone", "idle")
        assert row.ended_at is not None

    def test_sandboxes_that_ended_with_sandboxd_are_lost(self, school: School) -> None:
        sandbox_id = school.ready()
        school.reconciler.turn()
        journal = next((school.home / "sandboxd" / "journal").iterdir())
        before = journal.read_bytes()
        school.switch_off()
        journal.write_bytes(before)  # as after kill -9: nobody could write the end down
        school.switch_on()
        school.reconciler.turn()
        assert (school.row(sandbox_id).state, school.row(sandbox_id).reason) == ("gone", "lost")

    def test_what_nobody_wants_is_ended(self, school: School) -> None:
        assert school.daemon
        orphan = school.daemon.ready(purpose=Purpose.GRADING).id
        proof = school.daemon.ready(purpose=Purpose.PROOF).id
        school.reconciler.turn()
        eventually("the orphan is gone", lambda: school.sandboxd.status(orphan).state == "gone")
        assert school.sandboxd.status(proof).state == "ready"

    def test_what_the_command_line_started_has_no_row_and_is_left_alone(self, school: School) -> None:
        assert school.daemon
        by_hand = school.daemon.ready(owner=OPERATOR).id
        school.reconciler.turn()
        assert school.sandboxd.status(by_hand).state == "ready"

    def test_a_grading_sandbox_without_its_lease_is_ended(self, school: School) -> None:
        """K11: the worker dies between the verdict and the clean-up."""
        assert school.daemon
        left = school.daemon.ready(purpose=Purpose.GRADING, owner=school.anna, sandbox_id=new_id()).id
        with school.database.transaction() as session:
            row = SandboxRow(id=left, owner_id=school.anna, exercise_id="echo", content_hash="h")
            row.purpose = Purpose.GRADING
            session.add(row)
        school.reconciler.turn()
        eventually("gone", lambda: school.sandboxd.status(left).state == "gone")
        school.reconciler.turn()
        assert school.row(left).state == "gone"

    def test_a_fresh_row_is_left_to_the_one_who_wrote_it(self, school: School) -> None:
        with school.database.transaction() as session:
            row = SandboxRow(
                owner_id=school.anna, exercise_id="echo", content_hash=school.exercises.exercises["echo"].content_hash
            )
            session.add(row)
            session.flush()
        school.reconciler.turn()
        assert school.living() == []
        school.older(row.id)
        school.reconciler.turn()
        assert school.living() == [row.id]

    def test_two_reconcilers_at_once_do_no_harm(self, school: School) -> None:
        sandbox_id = school.ready()
        turns = [threading.Thread(target=school.reconciler.turn) for _ in range(4)]
        for turn in turns:
            turn.start()
        for turn in turns:
            turn.join(20)
        assert school.living() == [sandbox_id]
        assert school.row(sandbox_id).state == "ready"
