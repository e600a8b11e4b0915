"""Examines this machine by really running a nested probe pod."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.sandbox.model import DoctorReport

if TYPE_CHECKING:
    from app.sandbox.engines.embedded.engine import EmbeddedEngine


async def examine(engine: EmbeddedEngine) -> DoctorReport:
    raise NotImplementedError
