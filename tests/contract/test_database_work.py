"""Handing in and keeping files, with several hands at once. On both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select

from app.accounts.audit import Audit
from app.accounts.model import Role
from app.accounts.viewer import Viewer
from app.content.exercise import ExerciseCatalog
from app.content.library import Library
from app.db import Database
from app.errors import Conflict, InvalidInput, NotFound, PlatformError, TooLarge, TooMany
from app.grading.limits import OPEN_SUBMISSIONS
from app.grading.model import Submission
from app.grading.submissions import Submissions
from app.jobs.doorbells.local import LocalDoorbell
from app.jobs.model import Job
from app.learning.classroom import Classroom
from app.learning.drafts import KEPT_POINTS, DraftChanged, Drafts, keep_submitted
from app.learning.home import Homes
from app.settings import Settings
from tests.databases import add_user
from tests.desk import write_exercise


@pytest.fixture
def exercises(tmp_path: Path) -> ExerciseCatalog:
    write_exercise(tmp_path / "exercises")
    return ExerciseCatalog(tmp_path / "exercises")


@pytest.fixture
def submissions(database: Database, exercises: ExerciseCatalog, tmp_path: Path) -> Submissions:
    return Submissions(database, exercises, LocalDoorbell(tmp_path), keep_submitted)


@pytest.fixture
def drafts(database: Database, exercises: ExerciseCatalog) -> Drafts:
    return Drafts(database, exercises)


@pytest.fixture
def anna(database: Database) -> str:
    return add_user(database)


def at_once(count: int, act: Callable[[int], Any]) -> list[Any]:
    """Results, or errors of the platform, of `count` calls that begin together."""
    outcomes: list[Any] = [None] * count
    start = threading.Barrier(count)

    def call(number: int) -> None:
        start.wait()
        try:
            outcomes[number] = act(number)
        except PlatformError as error:
            outcomes[number] = error

    threads = [threading.Thread(target=call, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return outcomes


def count(database: Database, model: Any) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


class TestSubmitting:
    def test_the_snapshot_and_its_job_are_there_together(self, database: Database, submissions: Submissions, anna: str) -> None:
        view = submissions.submit(anna, "echo", {"main.py": "print(1)\n"})
        assert (view.state, view.files, count(database, Job)) == ("queued", {"main.py": "print(1)\n"}, 1)
        assert submissions.view(Viewer(anna), view.id).position == 1

    def test_twenty_at_once_with_one_key_are_one(self, database: Database, submissions: Submissions, anna: str) -> None:
        views = at_once(20, lambda _: submissions.submit(anna, "echo", {"main.py": "x"}, "key"))
        assert len({view.id for view in views}) == 1
        assert (count(database, Submission), count(database, Job)) == (1, 1)

    def test_a_key_means_one_set_of_files_of_one_learner_and_exercise(
        self,
        database: Database,
        submissions: Submissions,
        anna: str,
    ) -> None:
        submissions.submit(anna, "echo", {"main.py": "one"}, "key")
        with pytest.raises(Conflict) as caught:
            submissions.submit(anna, "echo", {"main.py": "two"}, "key")
        assert caught.value.code == "idempotency-key-reused"
        submissions.submit(add_user(database, "boris"), "echo", {"main.py": "two"}, "key")

    def test_fifty_at_once_never_exceed_the_cap(self, database: Database, submissions: Submissions, anna: str) -> None:
        outcomes = at_once(12, lambda number: submissions.submit(anna, "echo", {"main.py": f"print({number})"}))
        refused = [outcome for outcome in outcomes if isinstance(outcome, TooMany)]
        assert len(outcomes) - len(refused) == OPEN_SUBMISSIONS == count(database, Submission)

    @pytest.mark.parametrize(
        ("files", "family", "code"),
        [
            ({"../main.py": "x"}, InvalidInput, "path-not-editable"),
            ({"batch.py": "x"}, InvalidInput, "path-not-editable"),
            ({"main.py": "x" * 65_537}, TooLarge, "file-too-large"),
            ({"main.py": "a\0b"}, InvalidInput, "not-text"),
            ({"main.py": "\ud800"}, InvalidInput, "not-text"),
        ],
    )
    def test_files_that_break_a_rule_are_refused_by_name(
        self, submissions: Submissions, anna: str, files: dict[str, str], family: type[PlatformError], code: str
    ) -> None:
        with pytest.raises(family) as caught:
            submissions.submit(anna, "echo", files)
        assert (caught.value.code, caught.value.details["path"]) == (code, next(iter(files)))

    def test_the_largest_allowed_file_is_allowed(self, submissions: Submissions, anna: str) -> None:
        assert submissions.submit(anna, "echo", {"main.py": "x" * 65_536}).state == "queued"

    @pytest.mark.parametrize("key", ["", "k" * 129, "ключ", "a\nb"])
    def test_a_key_that_no_header_may_hold_is_refused(self, submissions: Submissions, anna: str, key: str) -> None:
        with pytest.raises(InvalidInput):
            submissions.submit(anna, "echo", {}, key)

    def test_other_learners_submissions_do_not_exist_except_for_those_who_review(
        self,
        database: Database,
        submissions: Submissions,
        anna: str,
    ) -> None:
        mine = submissions.submit(anna, "echo", {})
        with pytest.raises(NotFound):
            submissions.view(Viewer(add_user(database, "boris")), mine.id)
        for role in (Role.MENTOR, Role.INSTRUCTOR):
            assert submissions.view(Viewer("somebody", role), mine.id).id == mine.id


class TestDrafts:
    def test_a_save_on_an_older_revision_is_refused_with_both_versions(self, drafts: Drafts, anna: str) -> None:
        assert drafts.open(anna, "echo").revision == 0
        first = drafts.save(anna, "echo", {"main.py": "one"}, 0)
        drafts.save(anna, "echo", {"main.py": "two"}, first.revision)
        with pytest.raises(DraftChanged) as caught:
            drafts.save(anna, "echo", {"main.py": "late"}, first.revision)
        details = caught.value.details
        assert (details["saved_files"]["main.py"], details["your_files"]["main.py"], details["revision"]) == ("two", "late", 2)
        assert drafts.open(anna, "echo").files["main.py"] == "two"

    def test_overwriting_keeps_the_other_version_as_a_restore_point(self, drafts: Drafts, anna: str) -> None:
        drafts.save(anna, "echo", {"main.py": "theirs"}, 0)
        drafts.save(anna, "echo", {"main.py": "mine"}, 0, overwrite=True)
        (point,) = drafts.restore_points(anna, "echo")
        assert point.reason == "conflict"
        assert drafts.restore(anna, "echo", point.id).files["main.py"] == "theirs"
        assert [point.reason for point in drafts.restore_points(anna, "echo")] == ["restore", "conflict"]

    def test_of_ten_tabs_that_save_at_once_one_wins_and_nine_hear_of_it(self, drafts: Drafts, anna: str) -> None:
        outcomes = at_once(10, lambda number: drafts.save(anna, "echo", {"main.py": f"tab {number}"}, 0))
        won = [outcome for outcome in outcomes if not isinstance(outcome, DraftChanged)]
        assert [view.revision for view in won] == [1]
        assert drafts.open(anna, "echo").files == won[0].files

    def test_a_save_that_is_repeated_because_its_answer_was_lost_is_fine(self, drafts: Drafts, anna: str) -> None:
        drafts.save(anna, "echo", {"main.py": "one"}, 0)
        assert drafts.save(anna, "echo", {"main.py": "one"}, 0).revision == 1

    def test_reset_brings_the_starter_and_the_last_thirty_points_stay(self, drafts: Drafts, anna: str) -> None:
        revision = 0
        for number in range(KEPT_POINTS + 3):
            revision = drafts.save(anna, "echo", {"main.py": f"try {number}"}, revision).revision
            reset = drafts.reset(anna, "echo")
            assert reset.files["main.py"] == "print('starter')\n"
            revision = reset.revision
        points = drafts.restore_points(anna, "echo")
        assert len(points) == KEPT_POINTS
        assert drafts.restore(anna, "echo", points[0].id).files["main.py"] == f"try {KEPT_POINTS + 2}"

    def test_handing_in_leaves_a_restore_point(self, drafts: Drafts, submissions: Submissions, anna: str) -> None:
        submissions.submit(anna, "echo", {"main.py": "handed in"})
        assert [point.reason for point in drafts.restore_points(anna, "echo")] == ["submit"]

    def test_points_of_others_cannot_be_restored(self, database: Database, drafts: Drafts, anna: str) -> None:
        drafts.save(anna, "echo", {"main.py": "secret"}, 0)
        drafts.reset(anna, "echo")
        with pytest.raises(NotFound):
            drafts.restore(add_user(database, "boris"), "echo", drafts.restore_points(anna, "echo")[0].id)


class TestOverviews:
    @contextmanager
    def statements(self, database: Database) -> Iterator[list[tuple[str, Any]]]:
        seen: list[tuple[str, Any]] = []

        def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
            seen.append((statement, values))

        event.listen(database.engine, "before_cursor_execute", note)
        yield seen
        event.remove(database.engine, "before_cursor_execute", note)

    def test_the_number_of_statements_does_not_grow_with_the_class(
        self,
        database: Database,
        submissions: Submissions,
        tmp_path: Path,
    ) -> None:
        people = [add_user(database, f"learner {number}") for number in range(15)]
        for person in people:
            submissions.submit(person, "echo", {"main.py": person})
        classroom, homes = Classroom(database), Homes(database, Library(Settings(home=tmp_path / "home")))
        with self.statements(database) as seen:
            assert classroom.learners().total == 15
            assert classroom.submissions().total == 15
            assert classroom.sandboxes() == ()
        assert len(seen) == 5
        with self.statements(database) as seen:
            assert len(homes.of(people[0]).waiting) == 1
        assert len(seen) == 5

    def test_the_audit_log_is_read_without_reading_the_verdicts_between(self, database: Database) -> None:
        with self.statements(database) as seen:
            Audit(database).newest()
            Audit(database).newest(before=7, action="submission.suspicious")
        with database.engine.connect() as connection:
            if not database.is_sqlite:
                connection.exec_driver_sql("SET enable_seqscan = off")  # nothing else would be worth it with no row there
            explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
            plans = [str(connection.exec_driver_sql(f"{explain} {asked}", values).all()) for asked, values in seen]
        assert ["ix_audit_events_rare" in plans[0], "ix_audit_events_action" in plans[1]] == [True, True], plans

    def test_search_takes_wildcards_literally_and_pages_are_bounded(self, database: Database) -> None:
        add_user(database, "anna_k")
        add_user(database, "annaxk")
        classroom = Classroom(database)
        assert [line.name for line in classroom.learners(search="a_k").rows] == ["anna_k"]
        assert classroom.learners(search="%").total == 0
        assert [line.name for line in classroom.learners(page=2, size=1).rows] == ["annaxk"]
        for page, size in ((0, 10), (1, 0), (1, 101), (10**18, 10)):
            with pytest.raises(InvalidInput):
                classroom.learners(page=page, size=size)
