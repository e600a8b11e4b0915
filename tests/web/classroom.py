"""A class for tests of the panel and Home: learners, and what they have handed in."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from app.accounts.model import Role, User
from app.accounts.names import key
from app.db import new_id, now
from app.grading.model import Submission, SubmissionState, Verdict
from app.grading.report import CheckReport, Explanation, Message, Report, Words
from app.learning.model import LessonProgress
from tests.web.site import Site

EXERCISE = "r1-hello-queue"
HOSTILE = "<script>alert(4711)</script>"


def learners(site: Site, *names: str, role: Role = Role.LEARNER) -> list[User]:
    """Accounts that nobody can sign in to by password."""
    people = [User(id=new_id(), name=name, name_key=key(name), password_hash="-", role=role) for name in names]
    with site.cases.database.transaction() as session:
        session.add_all(people)
    return people


def report(verdict: str) -> Report:
    """A report of one check."""
    why = Explanation("Остановили consumer.", "Заказ вернулся.", f"Не вернулся {HOSTILE}", "basic_ack")
    wrong = verdict != "passed"
    check = CheckReport("acknowledged", Words("Подтверждено", "Acknowledged"), "failed" if wrong else "passed",
                        0 if wrong else 100, 100, 1.2, Message(why, why) if wrong else None)  # fmt: skip
    return Report(verdict="failed" if wrong else "passed", score=0 if wrong else 100, seed=4711, scale=1.0, checks=(check,))


def handed_in(site: Site, person: User, verdict: str = "passed", *, ago: float = 60.0, **more: Any) -> str:
    """A submission of `person`, `ago` seconds old; `queued` has no verdict yet. Its id."""
    begun: datetime = now() - timedelta(seconds=ago)
    what = {"exercise_id": EXERCISE, "files": json.dumps({"consumer.py": f"x = 1  # {HOSTILE}"}), **more}
    row = Submission(
        id=new_id(), user_id=person.id, content_hash="c" * 64, files_hash="f" * 64, seed=4711, created_at=begun, **what
    )
    if verdict != "queued":
        row.verdict, row.finished_at = Verdict(verdict), begun + timedelta(seconds=30)
        row.state = SubmissionState.ERRORED if verdict == "errored" else SubmissionState.GRADED
    if verdict in ("passed", "failed"):
        found = report(verdict)
        row.report, row.score = found.to_json(), found.score
    with site.cases.database.transaction() as session:
        session.add(row)
    return row.id


def has_read(site: Site, person: User, *lessons: str, done: bool = True) -> None:
    """Lessons opened, and finished where `done`."""
    with site.cases.database.transaction() as session:
        for lesson_id in lessons:
            session.add(LessonProgress(user_id=person.id, lesson_id=lesson_id, done_at=now() if done else None))
