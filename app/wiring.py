"""Composition root: builds the use-case objects of each process. The only place that picks concrete parts.

Each function imports what its process needs, and nothing else is imported with this module: `sandboxd` and `live` never
meet SQLAlchemy, `worker` never meets Flask.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.settings import Settings

if TYPE_CHECKING:
    from app.accounts.audit import Audit
    from app.accounts.door import Door
    from app.accounts.limits import Limits
    from app.accounts.sign_ins import SignIns
    from app.accounts.tokens import Tokens
    from app.accounts.users import Users
    from app.content.exercise import ExerciseCatalog
    from app.db import Database
    from app.grading.runs import Runs
    from app.grading.submissions import Submissions
    from app.learning.classroom import Classroom
    from app.learning.drafts import Drafts
    from app.learning.hints import Hints
    from app.learning.home import Homes
    from app.learning.progress import LessonReading
    from app.learning.quizzes import QuizAnswers
    from app.learning.sandboxes import PracticeSandboxes
    from app.sandbox.client import SandboxdClient


@dataclass(frozen=True, slots=True)
class Accounts:
    """Who people are and what they may do how often."""

    users: Users
    door: Door
    sign_ins: SignIns
    tokens: Tokens
    limits: Limits
    audit: Audit


@dataclass(frozen=True, slots=True)
class UseCases:
    """Everything that pages, the API and the command line may ask for."""

    settings: Settings
    database: Database
    accounts: Accounts
    exercises: ExerciseCatalog
    submissions: Submissions
    runs: Runs
    drafts: Drafts
    hints: Hints
    quizzes: QuizAnswers
    reading: LessonReading
    sandboxes: PracticeSandboxes
    homes: Homes
    classroom: Classroom
    sandboxd: SandboxdClient


def use_cases(settings: Settings, database: Database) -> UseCases:
    """The use cases over one database; made after the fork, since gRPC does not survive one."""
    from app.content.exercise import ExerciseCatalog
    from app.grading.runs import Runs
    from app.grading.submissions import Submissions
    from app.jobs.doorbells.polling import PollingDoorbell
    from app.learning.classroom import Classroom
    from app.learning.drafts import Drafts, keep_submitted
    from app.learning.hints import Hints
    from app.learning.home import Homes
    from app.learning.outline import CourseOutline
    from app.learning.progress import LessonReading
    from app.learning.quizzes import QuizAnswers
    from app.learning.sandboxes import PracticeSandboxes
    from app.sandbox.client import SandboxdClient

    exercises, doorbell = ExerciseCatalog(settings.exercises_dir), PollingDoorbell()
    sandboxd = SandboxdClient(settings.sandboxd_dir / "control.sock")
    drafts = Drafts(database, exercises)
    return UseCases(
        settings=settings,
        database=database,
        accounts=accounts(database),
        exercises=exercises,
        submissions=Submissions(database, exercises, doorbell, keep_submitted),
        runs=Runs(database, exercises, doorbell),
        drafts=drafts,
        hints=Hints(database, exercises),
        quizzes=QuizAnswers(database, _NoQuizzes()),
        reading=LessonReading(database),
        sandboxes=PracticeSandboxes(database, exercises, drafts, sandboxd),
        homes=Homes(database, CourseOutline),
        classroom=Classroom(database),
        sandboxd=sandboxd,
    )


def accounts(database: Database) -> Accounts:
    """The accounts room."""
    from app.accounts.audit import Audit
    from app.accounts.door import Door
    from app.accounts.limits import Limits
    from app.accounts.lockout import Lockout
    from app.accounts.sign_ins import SignIns
    from app.accounts.tokens import Tokens
    from app.accounts.users import Users

    users, limits = Users(database), Limits(database)
    return Accounts(
        users=users, door=Door(users, limits, Lockout(database)), sign_ins=SignIns(database), tokens=Tokens(database),
        limits=limits, audit=Audit(database),
    )  # fmt: skip


def prepare(settings: Settings) -> str:
    """Before the first process starts: the newest schema, the secret key and, where nobody is there yet, an administrator.

    Returns:
        The one-time password of a new `admin`, else an empty string.
    """
    from app import migrate
    from app.accounts.users import Users
    from app.db import Database, make_engine

    engine = make_engine(settings.database)
    migrate.upgrade(engine)
    _ = settings.secret
    for old in (settings.home / "metrics").glob("*.db"):
        old.unlink()
    try:
        return Users(Database(engine)).ensure_admin() or ""
    finally:
        engine.dispose()
