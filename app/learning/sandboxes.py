"""Practice sandboxes: one per learner, wanted by a row, run by `sandboxd`, shown with what both know."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import ColumnElement, Select, select, update
from sqlalchemy.exc import IntegrityError

from app.accounts.viewer import Viewer
from app.content.exercise import Exercise
from app.db import Database, now
from app.errors import Conflict, NotFound, PlatformError, TooMany, Unavailable
from app.grading.exercises import Exercises, offered_exercise
from app.grading.limits import workspace_files
from app.learning.drafts import Drafts, Files
from app.learning.sandbox_view import SandboxView, live_view, row_view
from app.sandbox import sandbox_pb2 as pb
from app.sandbox.client import SandboxdClient
from app.sandbox.model import Purpose, SandboxState
from app.sandbox.row import SandboxRow


class SecondSandbox(Conflict):
    """Another sandbox of yours is running; starting this one closes it. Your files are kept."""

    code = "second-sandbox"

    def __init__(self, sandbox_id: str, exercise_id: str) -> None:
        super().__init__(
            cure="Ask again with `replace`, or close the other one.",
            details={"sandbox": sandbox_id, "exercise": exercise_id},
        )


class PracticeSandboxes:
    """Open, look, change, close. Every call that reaches `sandboxd` may raise `Unavailable`; the row stays true.

    Instructors may look at everybody's, read the logs and close them; changing one is its owner's alone.
    """

    def __init__(self, database: Database, exercises: Exercises, drafts: Drafts, sandboxd: SandboxdClient) -> None:
        self._database = database
        self._exercises = exercises
        self._drafts = drafts
        self._sandboxd = sandboxd

    def open(self, user_id: str, exercise_id: str, *, replace: bool = False) -> SandboxView:
        """Start a sandbox with the saved draft; one that runs already is returned as it is.

        Returns at once: the state is `queued` or `starting`. When `sandboxd` does not answer, the row stands and the worker
        launches it as soon as it does.

        Args:
            replace: close the learner's sandbox of another exercise first (its work is in the drafts).

        Raises:
            NotFound: no such exercise.
            NotProven: it is not offered now.
            SecondSandbox: one of another exercise runs, and `replace` is false.
            Conflict: it cannot start here: `image-not-ready`, `engine-refused`, …; nothing is left behind.
        """
        exercise = offered_exercise(self._exercises, exercise_id)
        files = self._drafts.open(user_id, exercise.id).files
        row, replaced = self._want(user_id, exercise, files, replace=replace)
        for sandbox_id in replaced:
            self._try_stop(sandbox_id, "replaced")
        if row.state != SandboxState.QUEUED:
            return self._look(row)
        try:
            live = self._sandboxd.launch(
                row.id,
                exercise_id=row.exercise_id,
                content_hash=row.content_hash,
                purpose=Purpose.PRACTICE,
                owner=user_id,
                files=json.loads(row.files),
            )
        except (Unavailable, TooMany):  # or the one that was replaced is not gone yet: the worker launches this one then
            return self._view(row, None)
        except PlatformError as error:
            self._withdraw(row, error.code)
            raise
        return self._view(row, live)

    def of_exercise(self, user_id: str, exercise_id: str, *, touch: bool = False) -> SandboxView | None:
        """The learner's sandbox of this exercise, living or, when none lives, the newest that is gone; None: never any.

        `touch` tells `sandboxd` that somebody is using it.
        """
        mine = self._mine(user_id).where(SandboxRow.exercise_id == exercise_id)
        with self._database.read() as session:
            row = session.scalar(mine.order_by(SandboxRow.created_at.desc()).limit(1))
        return self._look(row, touch=touch) if row else None

    def running(self, user_id: str) -> SandboxView | None:
        """The learner's living sandbox, from the row alone (no call to `sandboxd`): for Home and the header."""
        with self._database.read() as session:
            row = session.scalar(self._mine(user_id).where(*_LIVING))
        return self._view(row, None) if row else None

    def view(self, viewer: Viewer, sandbox_id: str, *, touch: bool = False) -> SandboxView:
        """One sandbox with its services. `touch` tells `sandboxd` that somebody is using it.

        Raises:
            NotFound: there is none that the viewer may see.
        """
        return self._look(self._find(viewer, sandbox_id), touch=touch)

    def apply(self, viewer: Viewer, sandbox_id: str, services: Sequence[str] = ()) -> SandboxView:
        """*Restart with my files*: put the saved draft and restart the learner's services, or only the named ones.

        Raises:
            NotFound: the viewer has no such sandbox, or no such service.
            Conflict: it is not ready, or checks are running on it.
        """
        row = self._own(viewer, sandbox_id)
        files = self._drafts.open(row.owner_id, row.exercise_id).files
        live = self._sandboxd.apply(row.id, files, restart=True, services=services)
        self.remember_files(row.id, files)
        row.files = json.dumps(files, ensure_ascii=False)
        return self._view(row, live)

    def control(self, viewer: Viewer, sandbox_id: str, service: str, action: str, replicas: int = 0) -> SandboxView:
        """Start, stop, kill, pause, resume, restart or scale one service.

        Raises:
            NotFound: the viewer has no such sandbox, or no such service.
            InvalidInput: no such action.
            Conflict: it is not ready, or checks are running on it.
        """
        row = self._own(viewer, sandbox_id)
        return self._view(row, self._sandboxd.control(row.id, service, action, replicas=replicas))

    def extend(self, viewer: Viewer, sandbox_id: str) -> SandboxView:
        """Half an hour more, twice at most.

        Raises:
            NotFound: the viewer has no such sandbox.
            Conflict: not ready, or extended as often as possible.
        """
        row = self._own(viewer, sandbox_id)
        return self._view(row, self._sandboxd.extend(row.id))

    def stop(self, viewer: Viewer, sandbox_id: str) -> SandboxView:
        """Close it. The wish is stored first, so it is granted even when `sandboxd` does not answer now.

        Raises:
            NotFound: there is none that the viewer may see.
        """
        row = self._find(viewer, sandbox_id)
        if row.state != SandboxState.GONE:
            with self._database.transaction() as session:
                session.execute(update(SandboxRow).where(SandboxRow.id == row.id).values(stop_wanted=True))
            row.stop_wanted = True
            self._try_stop(row.id, "stopped")
        return self._look(row)

    def logs(self, viewer: Viewer, sandbox_id: str, service: str, offset: int = 0, limit: int = 65536) -> pb.LogsReply:
        """A page of a replica's kept output, as bytes; see the proto.

        Raises:
            NotFound: there is none that the viewer may see, or no such service.
        """
        return self._sandboxd.logs(self._find(viewer, sandbox_id).id, service, offset=offset, limit=limit)

    def remember_files(self, sandbox_id: str, files: Files) -> None:
        """Note which files were put last, so that *old code* can be told."""
        text = json.dumps(files, ensure_ascii=False)
        with self._database.transaction() as session:
            session.execute(update(SandboxRow).where(SandboxRow.id == sandbox_id).values(files=text))

    def _want(self, user_id: str, exercise: Exercise, files: Files, *, replace: bool) -> tuple[SandboxRow, list[str]]:
        row = SandboxRow(
            owner_id=user_id,
            exercise_id=exercise.id,
            content_hash=exercise.content_hash,
            files=json.dumps(workspace_files(exercise, files), ensure_ascii=False),
        )
        replaced = []
        try:
            with self._database.transaction() as session:
                if present := session.scalar(self._mine(user_id).where(*_LIVING)):
                    if present.exercise_id == exercise.id:
                        return present, []
                    if not replace:
                        raise SecondSandbox(present.id, present.exercise_id)
                    present.stop_wanted = True
                    replaced.append(present.id)
                    session.flush()
                session.add(row)
        except IntegrityError:  # a click in another tab was faster
            with self._database.read() as session:
                present = session.scalar(self._mine(user_id).where(*_LIVING))
            if present is None:
                raise
            if present.exercise_id != exercise.id:
                raise SecondSandbox(present.id, present.exercise_id) from None
            return present, []
        return row, replaced

    def _withdraw(self, row: SandboxRow, reason: str) -> None:
        gone = {"state": SandboxState.GONE, "reason": reason[:32], "ended_at": now(), "stop_wanted": True}
        with self._database.transaction() as session:
            session.execute(update(SandboxRow).where(SandboxRow.id == row.id).values(**gone))

    def _try_stop(self, sandbox_id: str, reason: str) -> None:
        try:
            self._sandboxd.stop(sandbox_id, reason)
        except (Unavailable, NotFound):
            return  # the reconciler sees `stop_wanted`

    def _mine(self, user_id: str) -> Select[SandboxRow]:
        return select(SandboxRow).where(SandboxRow.owner_id == user_id, SandboxRow.purpose == Purpose.PRACTICE)

    def _find(self, viewer: Viewer, sandbox_id: str) -> SandboxRow:
        return self._one(sandbox_id, viewer.scope_for(SandboxRow.owner_id))

    def _own(self, viewer: Viewer, sandbox_id: str) -> SandboxRow:
        return self._one(sandbox_id, viewer.scope_for(SandboxRow.owner_id, others_from=None))

    def _one(self, sandbox_id: str, scope: ColumnElement[bool]) -> SandboxRow:
        with self._database.read() as session:
            row = session.scalar(select(SandboxRow).where(SandboxRow.id == sandbox_id, scope))
        if row is None:
            raise NotFound("There is no such sandbox.", code="no-such-sandbox")
        return row

    def _look(self, row: SandboxRow, *, touch: bool = False) -> SandboxView:
        if row.state == SandboxState.GONE:
            return self._view(row, None)
        try:
            return self._view(row, self._sandboxd.status(row.id, touch=touch))
        except (Unavailable, NotFound):
            return self._view(row, None)

    def _view(self, row: SandboxRow, live: pb.Sandbox | None) -> SandboxView:
        if live is None:
            return row_view(row)
        return live_view(row, live, draft=self._drafts.open(row.owner_id, row.exercise_id).files)


_LIVING = (SandboxRow.state != SandboxState.GONE, SandboxRow.stop_wanted.is_(False))
