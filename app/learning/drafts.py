"""The learner's files of an exercise, and the restore points behind them. Nothing is ever lost silently."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.content.exercise import Exercise
from app.db import Database, now, table
from app.errors import Conflict, NotFound
from app.grading.exercises import Exercises, find_exercise
from app.grading.limits import workspace_files
from app.learning.model import Draft, RestorePoint

KEPT_POINTS = 30  #: restore points of one learner and exercise; the oldest go first
Files = Mapping[str, str]
_NEWEST_FIRST = (RestorePoint.created_at.desc(), RestorePoint.id)
# part of every submission, therefore made once and without the session's bookkeeping
_COLUMNS = table(RestorePoint).columns
_POINTS = (
    select(_COLUMNS.id, (_COLUMNS.files == bindparam("text")).label("same"))
    .where(_COLUMNS.user_id == bindparam("user_id"), _COLUMNS.exercise_id == bindparam("exercise_id"))
    .order_by(_COLUMNS.created_at.desc(), _COLUMNS.id)
)
_KEEP = insert(table(RestorePoint))


@dataclass(frozen=True, slots=True)
class DraftView:
    """Saved files.

    Attributes:
        revision: to be named by the next save; 0 while nothing was saved, then `files` is the starter.
        files: every editable path -> text.
        saved_at: None while nothing was saved.
    """

    exercise_id: str
    revision: int
    files: dict[str, str] = field(repr=False)
    saved_at: datetime | None


@dataclass(frozen=True, slots=True)
class RestorePointLine:
    """One restore point. `reason`: reset, submit, run, restore or conflict."""

    id: str
    reason: str
    created_at: datetime


class DraftChanged(Conflict):
    """These files were saved somewhere else since you opened them."""

    code = "draft-changed"

    def __init__(self, theirs: DraftView, yours: Files) -> None:
        super().__init__(
            cure="Compare both versions and keep one of them.",
            details={"revision": theirs.revision, "saved_files": theirs.files, "your_files": dict(yours)},
        )
        self.theirs = theirs


class Drafts:
    """Open, save, reset, restore."""

    def __init__(self, database: Database, exercises: Exercises) -> None:
        self._database = database
        self._exercises = exercises

    def open(self, user_id: str, exercise_id: str) -> DraftView:
        """The saved files, or the starter. Writes nothing.

        Raises:
            NotFound: no such exercise.
        """
        exercise = find_exercise(self._exercises, exercise_id)
        with self._database.read() as session:
            return _view(exercise, session.get(Draft, (user_id, exercise.id)))

    def save(self, user_id: str, exercise_id: str, files: Files, base_revision: int, *, overwrite: bool = False) -> DraftView:
        """Save files over revision `base_revision`.

        Args:
            files: editable path -> text; a path left out keeps its saved text.
            overwrite: replace a newer revision on purpose; its files become a restore point first.

        Raises:
            NotFound: no such exercise.
            InvalidInput, TooLarge: see `workspace_files`.
            DraftChanged: a newer revision was saved meanwhile; carries both versions.
        """
        exercise = find_exercise(self._exercises, exercise_id)
        try:
            with self._database.transaction() as session:
                row = session.get(Draft, (user_id, exercise.id), with_for_update=True)
                saved = _view(exercise, row)
                whole = workspace_files(exercise, files, saved.files)
                if whole == saved.files and row is not None:
                    return saved  # the same words again, for instance a retry whose answer was lost
                if saved.revision != base_revision:
                    if not overwrite:
                        raise DraftChanged(saved, whole)
                    _keep(session, user_id, exercise.id, saved.files, "conflict")
                return _write(session, user_id, exercise, row, whole)
        except IntegrityError:  # two first saves at the same moment
            raise DraftChanged(self.open(user_id, exercise_id), files) from None

    def reset(self, user_id: str, exercise_id: str) -> DraftView:
        """Put the starter back; the present files become a restore point first."""
        exercise = find_exercise(self._exercises, exercise_id)
        return self._replace(user_id, exercise, exercise.starter, "reset")

    def restore(self, user_id: str, exercise_id: str, point_id: str) -> DraftView:
        """Bring a restore point back; the present files become a restore point first.

        Raises:
            NotFound: no such exercise, or no such restore point of this learner.
        """
        exercise = find_exercise(self._exercises, exercise_id)
        mine = (RestorePoint.id == point_id, RestorePoint.user_id == user_id, RestorePoint.exercise_id == exercise.id)
        with self._database.read() as session:
            files = session.scalar(select(RestorePoint.files).where(*mine))
        if files is None:
            raise NotFound("There is no such restore point.", code="no-such-restore-point")
        return self._replace(user_id, exercise, json.loads(files), "restore")

    def restore_points(self, user_id: str, exercise_id: str) -> list[RestorePointLine]:
        """The last 30, newest first."""
        columns = (RestorePoint.id, RestorePoint.reason, RestorePoint.created_at)
        mine = (RestorePoint.user_id == user_id, RestorePoint.exercise_id == exercise_id)
        with self._database.read() as session:
            rows = session.execute(select(*columns).where(*mine).order_by(*_NEWEST_FIRST).limit(KEPT_POINTS))
            return [RestorePointLine(*row) for row in rows]

    def _replace(self, user_id: str, exercise: Exercise, files: Files, reason: str) -> DraftView:
        with self._database.transaction() as session:
            row = session.get(Draft, (user_id, exercise.id), with_for_update=True)
            saved = _view(exercise, row)
            known = {path: text for path, text in files.items() if path in exercise.editable_paths}
            whole = workspace_files(exercise, known)
            if whole == saved.files:
                return saved
            _keep(session, user_id, exercise.id, saved.files, reason)
            return _write(session, user_id, exercise, row, whole)


def keep_submitted(session: Session, user_id: str, exercise_id: str, files: Files) -> None:
    """Restore point of what is being handed in; part of `Submissions.submit`'s transaction."""
    _keep(session, user_id, exercise_id, files, "submit")


def _keep(session: Session, user_id: str, exercise_id: str, files: Files, reason: str) -> None:
    text = json.dumps(files, ensure_ascii=False)
    owner = {"user_id": user_id, "exercise_id": exercise_id}
    points = session.execute(_POINTS, {**owner, "text": text}).all()
    if points and points[0].same:
        return
    session.execute(_KEEP, {**owner, "reason": reason, "files": text})
    if surplus := [point.id for point in points[KEPT_POINTS - 1 :]]:
        session.execute(delete(RestorePoint).where(RestorePoint.id.in_(surplus)))


def _write(session: Session, user_id: str, exercise: Exercise, row: Draft | None, files: Files) -> DraftView:
    if row is None:
        row = Draft(user_id=user_id, exercise_id=exercise.id, revision=0, files="{}")
        session.add(row)
    row.revision, row.files, row.saved_at = row.revision + 1, json.dumps(files, ensure_ascii=False), now()
    session.flush()
    return _view(exercise, row)


def _view(exercise: Exercise, row: Draft | None) -> DraftView:
    """Saved files as they fit the exercise of today: paths that it no longer has are left out, new ones are the starter's."""
    saved: dict[str, str] = json.loads(row.files) if row else {}
    files = {path: saved.get(path, exercise.starter.get(path, "")) for path in exercise.editable_paths}
    return DraftView(exercise.id, row.revision if row else 0, files, row.saved_at if row else None)
