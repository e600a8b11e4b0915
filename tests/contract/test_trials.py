"""Checks on the learner's own sandbox: one run, or a series of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.accounts.viewer import Viewer
from app.errors import Conflict, InvalidInput, NotFound
from app.grading.model import Submission
from app.jobs.model import JobState
from tests.databases import add_user
from tests.desk import PASSES
from tests.product import eventually
from tests.school import FAILS, WAITS, School


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

    def test_a_trial_waits_for_a_sandbox_that_could_not_be_launched_at_once(self, school: School) -> None:
        school.switch_off()
        sandbox_id = school.sandboxes.open(school.anna, "echo").id
        started = school.runs.start(school.anna, "echo", {})
        school.switch_on()
        school.work()
        waiting = eventually("it says why", lambda: school.runs.view(Viewer(school.anna), started.id).progress.reason)
        assert waiting == "sandboxd-slow"
        school.older(sandbox_id)
        school.reconciler.turn()
        assert school.run_settled(started.id).verdict == "passed"

    def test_a_sandbox_that_ended_meanwhile_ends_the_trial_at_once(self, school: School) -> None:
        sandbox_id = school.ready()
        started = school.runs.start(school.anna, "echo", {})
        school.sandboxd.stop(sandbox_id)
        eventually("gone", lambda: school.sandboxd.status(sandbox_id).state == "gone")
        school.work()
        view = school.run_settled(started.id)
        assert (view.verdict, view.progress.reason, school.job().faults) == ("errored", "sandbox-not-ready", 0)


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
