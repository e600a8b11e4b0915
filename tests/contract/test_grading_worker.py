"""From handing in to the verdict."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import update

from app.accounts.audit import Audit
from app.content.proof import NotProven
from app.db import now
from app.grading.model import Submission, SubmissionState
from app.grading.retry import REST
from app.jobs.model import Job, JobState
from tests.desk import PASSES
from tests.product import eventually
from tests.school import DIES, FAILS, WAITS, School


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
        took = {stage.name: stage.seconds for stage in view.report.stages}
        assert took["isolation"] <= took["sandbox"]
        assert max(seconds for name, seconds in took.items() if name.startswith("service:")) <= took["ready"]
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
        assert school.verdicts(handed_in.id) == ["passed"]
        assert json.loads(entry.event.facts) == {"exercise": "echo", "answer-too-large": 2, "names-checker": 1}
        # The score is what it was, and the report does not say a word
        assert (view.verdict, view.score) == ("passed", 100)
        assert view.report is not None
        assert "large" not in view.report.to_json()

    def test_each_verdict_stands_in_the_audit_log_without_a_word_of_the_learners(self, school: School) -> None:
        school.checks(FAILS)
        handed_in = school.submissions.submit(school.anna, "echo", {"main.py": "print('my secret')\n"})
        school.work()
        school.settled(handed_in.id)
        (entry,) = Audit(school.database).newest(action="submission.graded")
        assert (entry.actor, entry.event.target_kind, entry.event.target_id) == ("anna", "submission", handed_in.id)
        assert json.loads(entry.event.facts) == {"exercise": "echo", "verdict": "failed", "score": 0, "grader": "v1"}
        assert Audit(school.database).newest() == [], "no other line, and this one only when asked for"

    def test_a_verdict_that_comes_after_somebody_newer_has_the_job_is_written_nowhere(self, school: School) -> None:
        school.checks(f"import os, time\nwhile not os.path.exists({str(school.home / 'go')!r}): time.sleep(0.02)\n{PASSES}")
        handed_in = school.submissions.submit(school.anna, "echo", {})
        school.work()
        eventually("the prober is asked", lambda: school.submission(handed_in.id).progress.stage == "attach")
        with school.database.transaction() as session:
            session.execute(update(Job).values(fence=Job.fence + 1))
        (school.home / "go").touch()
        school.stop_work()
        assert (school.submission(handed_in.id).verdict, school.verdicts(handed_in.id)) == (None, [])

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
        assert school.verdicts(handed_in.id) == ["passed"], "a try that came to nothing is no verdict"

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
        assert school.verdicts(handed_in.id) == ["errored"]

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
