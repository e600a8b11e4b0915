"""Who may use which route: the declared matrix. A route without a row fails the suite, and so does a row without a route.

Six kinds of people ask: a guest, the learner who owns the things below, another learner, a mentor, an instructor, an admin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from app.accounts.model import Role

Outcome = Literal["ok", "sign-in", "forbidden", "hidden"]
ACTORS = ("guest", "other", "mentor", "instructor", "admin", "owner")  #: the owner last: only their deeds change the things
ROLES = {
    "owner": Role.LEARNER,
    "other": Role.LEARNER,
    "mentor": Role.MENTOR,
    "instructor": Role.INSTRUCTOR,
    "admin": Role.ADMIN,
}


@dataclass(frozen=True)
class Row:
    """What each kind of person gets from a route: `ok` means that authorization let the request through.

    Attributes:
        body: fields of a form, or of a JSON body, that get past the checks of input; `{name}` stands for an argument of a
            route, as in `World.arguments`.
        sends: what the route takes: a form, or JSON (always so below `/api/`).
    """

    outcomes: Mapping[str, Outcome]
    body: Mapping[str, Any] = field(default_factory=dict)
    sends: Literal["form", "json"] = "form"

    def given(self, **body: Any) -> Row:
        """The same row, asked with this form, or with this JSON below `/api/`."""
        return Row(self.outcomes, body)

    def given_json(self, **body: Any) -> Row:
        """The same row, asked with this JSON."""
        return Row(self.outcomes, body, "json")


def _row(guest: Outcome, rest: Outcome, **other: Outcome) -> Row:
    return Row({actor: other.get(actor, guest if actor == "guest" else rest) for actor in ACTORS})


ANYBODY = _row("ok", "ok")
PEOPLE = _row("sign-in", "ok")  #: whoever has an account, about their own things
OWNER = _row("sign-in", "hidden", owner="ok")  #: an object of one person; to others it does not exist
OWNER_OR_INSTRUCTOR = _row("sign-in", "ok", other="hidden", mentor="hidden")
OWNER_OR_MENTOR = _row("sign-in", "ok", other="hidden")  #: what was handed in: mentors review it
MENTOR = _row("sign-in", "ok", other="forbidden", owner="forbidden")
INSTRUCTOR = _row("sign-in", "ok", other="forbidden", owner="forbidden", mentor="forbidden")
ADMIN = _row("sign-in", "forbidden", admin="ok")

#: (method, endpoint) -> who may
ROUTES: dict[tuple[str, str], Row] = {
    ("GET", "observe.healthz"): ANYBODY,
    ("GET", "observe.readyz"): ANYBODY,
    ("GET", "observe.metrics"): ANYBODY,  # from this machine, as the tests are; test_observe.py has the others
    # accounts
    ("GET", "account.sign_in"): ANYBODY,
    ("POST", "account.sign_in"): Row(ANYBODY.outcomes | dict.fromkeys(ACTORS, "sign-in")),  # wrong password: 401
    ("GET", "account.sign_up"): ANYBODY,
    ("POST", "account.sign_up"): ANYBODY,
    ("GET", "account.name_check"): ANYBODY,
    ("POST", "account.sign_out"): ANYBODY,
    ("GET", "account.profile"): PEOPLE,
    ("POST", "account.profile"): PEOPLE,
    ("GET", "account.password"): PEOPLE,
    ("POST", "account.password"): PEOPLE,
    ("POST", "account.add_token"): PEOPLE,
    ("POST", "account.revoke_token"): OWNER,
    ("POST", "account.sign_out_others"): PEOPLE,
    # start
    ("GET", "start.index"): ANYBODY,
    ("GET", "start.about"): ANYBODY,
    ("GET", "start.icon"): ANYBODY,
    ("POST", "start.set_language"): ANYBODY.given(lang="en", next="/"),
    # lessons
    ("GET", "lessons.course"): ANYBODY,
    ("GET", "lessons.lesson"): ANYBODY,
    ("POST", "lessons.answer"): ANYBODY.given(answer="0"),
    ("POST", "lessons.reading"): PEOPLE,
    ("POST", "lessons.guest_work"): PEOPLE,
    # exercises
    ("GET", "exercises.index"): ANYBODY,
    ("GET", "exercises.exercise"): ANYBODY,
    ("POST", "exercises.files"): PEOPLE,
    ("POST", "exercises.hint"): PEOPLE,
    ("GET", "exercises.history_part"): PEOPLE,
    ("GET", "exercises.points_part"): PEOPLE,
    ("GET", "exercises.sandbox_part"): PEOPLE,
    ("POST", "series.start"): PEOPLE,
    ("GET", "series.page"): OWNER_OR_INSTRUCTOR,
    ("GET", "series.part"): OWNER_OR_INSTRUCTOR,
    ("POST", "series.stop"): OWNER,
    ("GET", "stuck.page"): ANYBODY,
    ("GET", "stuck.part"): ANYBODY,
    ("POST", "stuck.hint"): PEOPLE,
    ("GET", "stuck.objection"): OWNER,
    ("POST", "stuck.object_to"): OWNER.given(kind="submission", attempt="{submission_id}", check="closed", message="It errs."),
    ("GET", "exercises.run"): OWNER_OR_INSTRUCTOR,
    ("GET", "exercises.run_part"): OWNER_OR_INSTRUCTOR,
    ("GET", "exercises.submission"): OWNER_OR_MENTOR,
    ("GET", "exercises.submission_part"): OWNER_OR_MENTOR,
    ("POST", "sandboxes.stop"): OWNER_OR_INSTRUCTOR,
    ("POST", "sandboxes.ticket"): OWNER_OR_INSTRUCTOR.given_json(kind="watch"),
    # API v1
    ("GET", "api.openapi"): ANYBODY,
    ("GET", "api.course"): ANYBODY,
    ("GET", "api.lesson"): ANYBODY,
    ("GET", "api.exercises"): ANYBODY,
    ("GET", "api.exercise"): ANYBODY,
    ("GET", "api.me"): PEOPLE,
    ("GET", "api.draft"): PEOPLE,
    ("PUT", "api.save_draft"): PEOPLE,
    ("POST", "api.reset_draft"): PEOPLE,
    ("GET", "api.hints"): PEOPLE,
    ("POST", "api.open_hint"): PEOPLE,
    ("POST", "api.start_series"): PEOPLE,
    ("GET", "api.series"): OWNER_OR_INSTRUCTOR,
    ("POST", "api.stop_series"): OWNER,
    ("GET", "api.objections"): PEOPLE,
    ("POST", "api.make_objection"): OWNER.given(kind="run", attempt="{run_id}", check="closed", message="It errs."),
    ("GET", "api.restore_points"): PEOPLE,
    ("POST", "api.restore"): OWNER.given(revision=0),
    ("POST", "api.start_run"): PEOPLE,
    ("POST", "api.open_sandbox"): PEOPLE,
    ("GET", "api.sandbox_of_exercise"): OWNER,
    ("POST", "api.submit"): PEOPLE,
    ("GET", "api.history"): PEOPLE,
    ("POST", "api.answer_quiz"): PEOPLE.given(answer=[0]),
    ("GET", "api.run"): OWNER_OR_INSTRUCTOR,
    ("GET", "api.sandbox"): OWNER_OR_INSTRUCTOR,
    ("DELETE", "api.stop_sandbox"): OWNER_OR_INSTRUCTOR,
    ("POST", "api.apply_files"): OWNER,
    ("POST", "api.extend_sandbox"): OWNER,
    ("POST", "api.control_service"): OWNER.given(action="restart"),
    ("GET", "api.service_logs"): OWNER_OR_INSTRUCTOR,
    ("GET", "api.submission"): OWNER_OR_MENTOR,
    ("POST", "api.submission_seen"): PEOPLE,  # marks rows of one's own only
    ("POST", "api.retry"): INSTRUCTOR,
    ("GET", "api.submissions"): MENTOR,
    ("GET", "api.learners"): MENTOR,
    # the panel
    ("GET", "admin.index"): MENTOR,
    ("GET", "admin.learners"): MENTOR,
    ("GET", "admin.learner"): MENTOR,
    ("GET", "admin.submissions"): MENTOR,
    ("GET", "admin.submission"): MENTOR,
    ("POST", "admin.retry"): INSTRUCTOR,
    ("GET", "admin.objections"): INSTRUCTOR,
    ("GET", "admin.objection"): INSTRUCTOR,
    ("POST", "admin.answer_objection"): INSTRUCTOR.given(answer="You are right."),
    ("GET", "admin.running"): INSTRUCTOR,
    ("GET", "admin.sandbox_logs"): INSTRUCTOR,
    ("POST", "admin.stop_sandbox"): INSTRUCTOR,
    ("GET", "admin.content"): INSTRUCTOR,
    ("GET", "admin.engine_part"): INSTRUCTOR,
    ("GET", "admin.users"): ADMIN,
    ("POST", "admin.users"): ADMIN.given(name="Newcomer", role="learner"),
    ("POST", "admin.set_role"): ADMIN.given(role="learner"),
    ("POST", "admin.reset_password"): ADMIN,
    ("POST", "admin.set_active"): ADMIN.given(active="yes"),
    ("GET", "admin.audit"): INSTRUCTOR,
}
