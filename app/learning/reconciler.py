"""Makes rows and `sandboxd` agree: copies what happened to the rows, launches what was only wanted, ends what nobody wants.

Runs in every worker; each step may be done twice or by two at once without harm.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import ColumnElement, or_, select, update

from app.db import Database, now
from app.errors import NotFound, PlatformError, TooMany, Unavailable
from app.grading.submissions import GRADE
from app.jobs.lease import claim_key
from app.jobs.model import Job, JobState
from app.sandbox import sandbox_pb2 as pb
from app.sandbox.client import SandboxdClient
from app.sandbox.model import OPERATOR, Purpose, SandboxState
from app.sandbox.row import SandboxRow

EVERY = 2.0  #: seconds between turns
PATIENCE = timedelta(seconds=5)  #: how long the one who wrote a row has to launch it
LONGEST_WAIT = timedelta(minutes=10)  #: for an image; then the wish is dropped
_ORDER = list(SandboxState)
_ENDING = (SandboxState.STOPPING, SandboxState.GONE)

log = structlog.get_logger("reconciler")


class Reconciler:
    """One turn reads `sandboxd`'s list first and the rows afterwards: every sandbox it sees had its row before."""

    def __init__(self, database: Database, sandboxd: SandboxdClient) -> None:
        self._database = database
        self._sandboxd = sandboxd

    def turn(self) -> None:
        """Compare once, and act.

        Raises:
            Unavailable: `sandboxd` or the database does not answer; nothing is concluded from that.
        """
        listed = {live.id: live for live in self._sandboxd.list(gone_too=True).sandboxes}
        with self._database.read() as session:
            rows = {row.id: row for row in session.scalars(select(SandboxRow).where(_open_or_named(listed)))}
            leases = session.execute(select(Job.id, Job.fence).where(Job.kind == GRADE, Job.state == JobState.LEASED))
            claims = {claim_key(job_id, fence) for job_id, fence in leases}
        for row in rows.values():
            self._agree(row, listed.get(row.id), claims)
        for live in listed.values():
            known = live.id in rows or live.purpose == Purpose.PROOF or live.owner == OPERATOR
            if not known and live.state not in _ENDING:
                self._stop(live.id, "orphan")

    def _agree(self, row: SandboxRow, live: pb.Sandbox | None, claims: set[str]) -> None:
        if row.state == SandboxState.GONE and (live is None or live.state in _ENDING):
            return
        unwanted = (
            row.stop_wanted or row.state == SandboxState.GONE or (row.purpose == Purpose.GRADING and row.id not in claims)
        )
        if live is not None:
            self._copy(row, live)
            if unwanted and live.state not in _ENDING:
                self._stop(row.id, "stopped")
        elif unwanted:
            self._gone(row, "stopped" if row.stop_wanted else "lost")
        elif row.purpose == Purpose.PRACTICE and now() - row.created_at > PATIENCE:
            self._launch(row)

    def _copy(self, row: SandboxRow, live: pb.Sandbox) -> None:
        state = max(row.state, SandboxState(live.state), key=_ORDER.index)
        seen = {
            "state": state,
            "reason": live.reason,
            "ready_at": _time(live.ready_at),
            "expires_at": _time(live.expires_at) or row.expires_at,
            "ended_at": (row.ended_at or now()) if state == SandboxState.GONE else None,
        }
        if any(not _same(getattr(row, name), value) for name, value in seen.items()):
            self._write(row.id, seen)

    def _launch(self, row: SandboxRow) -> None:
        """Launch what `sandboxd` has never heard of; what it has forgotten is lost."""
        try:
            self._copy(row, self._sandboxd.status(row.id, timeout=2.0))
            return
        except NotFound:
            if row.state != SandboxState.QUEUED:
                self._gone(row, "lost")
                return
        try:
            self._sandboxd.launch(
                row.id,
                exercise_id=row.exercise_id,
                content_hash=row.content_hash,
                purpose=Purpose.PRACTICE,
                owner=row.owner_id,
                files=json.loads(row.files),
            )
            log.info("sandbox-launched-late", sandbox=row.id)
        except (Unavailable, TooMany):
            return  # its turn comes again
        except PlatformError as error:
            if error.code != "image-not-ready" or now() - row.created_at > LONGEST_WAIT:
                self._gone(row, error.code)

    def _stop(self, sandbox_id: str, reason: str) -> None:
        try:
            self._sandboxd.stop(sandbox_id, reason)
            log.info("sandbox-ended", sandbox=sandbox_id, reason=reason)
        except NotFound:
            return

    def _gone(self, row: SandboxRow, reason: str) -> None:
        self._write(row.id, {"state": SandboxState.GONE, "reason": reason[:32], "ended_at": now()})

    def _write(self, sandbox_id: str, values: Mapping[str, object]) -> None:
        with self._database.transaction() as session:
            living = (SandboxRow.id == sandbox_id, SandboxRow.state != SandboxState.GONE)
            session.execute(update(SandboxRow).where(*living).values(**values))


def _open_or_named(listed: Iterable[str]) -> ColumnElement[bool]:
    return or_(SandboxRow.state != SandboxState.GONE, SandboxRow.id.in_(list(listed)))


def _time(epoch: float) -> datetime | None:
    return datetime.fromtimestamp(epoch, UTC) if epoch else None


def _same(one: object, other: object) -> bool:
    """Equal; times may differ by a second, which is how well two clocks agree."""
    if isinstance(one, datetime) and isinstance(other, datetime):
        return abs((one - other).total_seconds()) < 1.0
    return one == other
