"""A learner's sandbox, and what its row and the sandbox itself owe each other."""

from __future__ import annotations

import threading

import pytest

from app.accounts.model import Role
from app.accounts.viewer import Viewer
from app.content.exercise import ExerciseCatalog
from app.errors import NotFound
from app.learning.sandboxes import SecondSandbox
from app.sandbox.model import OPERATOR, Purpose
from app.sandbox.row import SandboxRow
from tests.databases import add_user
from tests.desk import new_id, write_exercise
from tests.product import eventually
from tests.school import School


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
