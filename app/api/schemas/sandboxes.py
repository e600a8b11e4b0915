"""Sandboxes and their services."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from app.api.schemas.base import Out


class ServiceOut(Out):
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


class StageOut(Out):
    name: str
    seconds: float
    usual_seconds: float
    done: bool


class SandboxOut(Out):
    """`stale`: the sandbox service did not answer in time, this is what was known seconds ago."""

    id: str
    exercise_id: str
    state: Literal["queued", "starting", "ready", "stopping", "gone"]
    reason: str
    message: str
    created_at: datetime
    ready_at: datetime | None
    expires_at: datetime | None
    ended_at: datetime | None
    idle_at: datetime | None
    stale: bool
    queue_position: int
    queue_seconds: float
    extensions_left: int
    checks_running: bool
    old_code: bool
    services: list[ServiceOut]
    stages: list[StageOut]
    events: list[str]


class LogsOut(Out):
    """Text of the kept output; control characters but tab and line feed are removed."""

    service: str
    offset: int
    next_offset: int
    dropped: int
    text: str
