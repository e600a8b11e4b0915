"""A sandbox as pages and the API show it: the row, and on top of it what `sandboxd` says now."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from app.sandbox import sandbox_pb2 as pb
from app.sandbox.model import SandboxState
from app.sandbox.row import SandboxRow


@dataclass(frozen=True, slots=True)
class ServiceView:
    """One replica. `old_code`: it was started with other files than the saved draft. Times are UTC; fields as in the proto."""

    name: str
    replica: int
    full_name: str
    state: str
    since: datetime
    exit_code: int | None
    signal: int | None
    restarts: int
    out_of_memory: bool
    rss_mb: float
    log_bytes: int
    log_dropped: int
    message: str
    given: bool
    image: str
    usual_seconds: float
    old_code: bool


@dataclass(frozen=True, slots=True)
class StageView:
    """A part of the start. `usual_seconds` is 0 when unknown."""

    name: str
    seconds: float
    usual_seconds: float
    done: bool


@dataclass(frozen=True, slots=True)
class SandboxView:
    """A sandbox: the row, and on top of it what `sandboxd` says now.

    Attributes:
        stale: `sandboxd` did not answer in time; what is shown is the row alone.
        reason: machine code: why it is gone, or why it has not begun (`image-not-ready`).
        message: one sentence about `reason`; English, for tooltips and operators.
        old_code: some service of the learner runs other files than the saved draft.
        queue_position: 1 is next; 0 when not queued.
    """

    id: str
    owner_id: str
    exercise_id: str
    state: SandboxState
    reason: str
    created_at: datetime
    ready_at: datetime | None
    expires_at: datetime | None
    ended_at: datetime | None
    stale: bool
    message: str = ""
    idle_at: datetime | None = None
    queue_position: int = 0
    queue_seconds: float = 0.0
    extensions_left: int = 0
    checks_running: bool = False
    old_code: bool = False
    services: tuple[ServiceView, ...] = ()
    stages: tuple[StageView, ...] = ()
    events: tuple[str, ...] = ()


def row_view(row: SandboxRow) -> SandboxView:
    """What the row alone tells; stale unless the sandbox is gone, which is final."""
    return SandboxView(
        id=row.id,
        owner_id=row.owner_id,
        exercise_id=row.exercise_id,
        state=row.state,
        reason=row.reason,
        created_at=row.created_at,
        ready_at=row.ready_at,
        expires_at=row.expires_at,
        ended_at=row.ended_at,
        stale=row.state != SandboxState.GONE,
    )


def live_view(row: SandboxRow, live: pb.Sandbox, draft: Mapping[str, str]) -> SandboxView:
    """The row and what `sandboxd` has just said.

    Args:
        draft: the saved files; a service runs *old code* unless these were put last and it was started after that.
    """
    put_is_draft = json.loads(row.files) == dict(draft)
    services = tuple(_service(s, current=put_is_draft and s.files_revision == live.files_revision) for s in live.services)
    return SandboxView(
        id=row.id,
        owner_id=row.owner_id,
        exercise_id=row.exercise_id,
        state=SandboxState(live.state),
        reason=live.reason or row.reason,
        created_at=row.created_at,
        ready_at=_time(live.ready_at),
        expires_at=_time(live.expires_at),
        ended_at=row.ended_at,
        stale=False,
        message=live.message,
        idle_at=_time(live.idle_at),
        queue_position=live.queue_position,
        queue_seconds=live.queue_seconds,
        extensions_left=live.extensions_left,
        checks_running=live.checks_running,
        old_code=any(service.old_code for service in services),
        services=services,
        stages=tuple(StageView(s.name, s.seconds, s.usual_seconds, s.done) for s in live.stages),
        events=tuple(live.events),
    )


def _service(service: pb.Service, *, current: bool) -> ServiceView:
    return ServiceView(
        name=service.name,
        replica=service.replica,
        full_name=service.full_name,
        state=service.state,
        since=datetime.fromtimestamp(service.since, UTC),
        exit_code=service.exit_code if service.HasField("exit_code") else None,
        signal=service.signal if service.HasField("signal") else None,
        restarts=service.restarts,
        out_of_memory=service.out_of_memory,
        rss_mb=round(service.rss_mb, 1),
        log_bytes=service.log_bytes,
        log_dropped=service.log_dropped,
        message=service.message,
        given=service.given,
        image=service.image,
        usual_seconds=service.usual_seconds,
        old_code=not service.given and bool(service.files_revision) and not current,
    )


def _time(epoch: float) -> datetime | None:
    return datetime.fromtimestamp(epoch, UTC) if epoch else None
