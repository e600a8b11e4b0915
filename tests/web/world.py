"""People of every role, and one of each thing that belongs to one of them; values for the arguments of routes."""

from __future__ import annotations

from dataclasses import dataclass

from app.accounts.model import User
from app.accounts.names import key
from app.accounts.passwords import make_hash
from app.db import new_id, now
from app.grading.model import Run, Series, Submission
from app.grading.report import CheckReport, Report, Words
from app.learning.model import Objection, RestorePoint
from app.sandbox.row import SandboxRow
from tests.web.authorization import ACTORS, ROLES
from tests.web.site import PASSWORD, Browser, Site

EXERCISE, LESSON, QUIZ = "r1-hello-queue", "m01-l01", "m01-l01-q1"
_HASH = make_hash(PASSWORD)


@dataclass
class World:
    """Who is there and what the owner has.

    Attributes:
        people: actor -> account (no guest).
        browsers: actor -> a browser, signed in unless it is the guest's.
        arguments: name of a route's argument -> value that names a thing of the owner.
    """

    people: dict[str, User]
    browsers: dict[str, Browser]
    arguments: dict[str, str | int]


def people(site: Site) -> World:
    """Fill the database of a fresh site."""
    accounts = {
        actor: User(id=new_id(), name=actor.title(), name_key=key(actor), password_hash=_HASH, role=role)
        for actor, role in ROLES.items()
    }
    owner = accounts["owner"].id
    common = {"user_id": owner, "exercise_id": EXERCISE, "files": "{}"}
    judged = {"report": report().to_json(), "finished_at": now()}
    submission = Submission(id=new_id(), content_hash="c" * 64, files_hash="f" * 64, seed=4711, **common, **judged)
    sandbox = SandboxRow(id=new_id(), owner_id=owner, exercise_id=EXERCISE, content_hash="c" * 64)
    run = Run(id=new_id(), sandbox_id=sandbox.id, seed=4711, **common, **judged)
    series = Series(id=new_id(), sandbox_id=sandbox.id, wanted=10, **common)
    objection = Objection(
        id=new_id(), user_id=owner, exercise_id=EXERCISE, attempt_kind="run", attempt_id=run.id, check_id="address", seed=4711,
        files_hash="f" * 64, message="It errs.", answer="",
    )  # fmt: skip
    point = RestorePoint(id=new_id(), reason="reset", **common)
    with site.cases.database.transaction() as session:
        session.add_all(accounts.values())
        session.flush()
        session.add_all((submission, sandbox, run, point, objection, series))
    site.accounts.tokens.create(owner, "owner's")
    return World(
        people=accounts,
        browsers={actor: site.signed_in(accounts[actor]) if actor in accounts else site.browser() for actor in ACTORS},
        arguments={
            "exercise_id": EXERCISE, "lesson_id": LESSON, "quiz_id": QUIZ, "number": 1, "service": "worker",
            "submission_id": submission.id, "run_id": run.id, "sandbox_id": sandbox.id, "point_id": point.id,
            "objection_id": objection.id, "series_id": series.id,
            "token_id": site.accounts.tokens.of(owner)[0].id, "user_id": accounts["other"].id, "module_id": "m01",
        },
    )  # fmt: skip


def report() -> Report:
    """Two checks failed."""
    checks = tuple(CheckReport(name, Words(name, name), "failed", 0, 5, 1.0) for name in ("address", "closed"))
    return Report("failed", 0, 4711, 1.0, checks)
