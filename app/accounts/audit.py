"""The audit log: who did what to what. Written in the transaction of the deed, so that neither exists alone."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.model import EVERYDAY, AuditEvent, User
from app.db import Database


def record(session: Session, actor_id: str | None, action: str, kind: str = "", target: str = "", **facts: object) -> None:
    """Add an entry.

    Args:
        actor_id: who did it; None for the command line and for guests.
        action: dotted verb such as `user.role`.
        kind, target: what it was done to, e.g. `user` and its id.
        facts: JSON-able, without secrets.
    """
    session.add(AuditEvent(actor_id=actor_id, action=action, target_kind=kind, target_id=target, facts=json.dumps(facts)))


@dataclass(frozen=True, slots=True)
class Entry:
    """An audit event with the name of its actor (empty: the command line or a guest)."""

    event: AuditEvent
    actor: str


class Audit:
    """Reads of the audit log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def newest(self, before: int | None = None, limit: int = 50, action: str = "") -> list[Entry]:
        """Entries from the newest on.

        Args:
            before: id of the last one already seen.
            action: the only one wanted; empty: all but what happens all day long (`EVERYDAY`).
        """
        query = select(AuditEvent, User.name).outerjoin(User, User.id == AuditEvent.actor_id)
        if before is not None:
            query = query.where(AuditEvent.id < before)
        query = query.where(AuditEvent.action == action if action else AuditEvent.action != EVERYDAY)
        with self._database.read() as session:
            rows = session.execute(query.order_by(AuditEvent.id.desc()).limit(min(limit, 200)))
            return [Entry(event, name or "") for event, name in rows]

    def note(self, actor_id: str, action: str, kind: str, target: str, **facts: object) -> None:
        """Record a deed whose effect lies outside the database."""
        with self._database.transaction() as session:
            record(session, actor_id, action, kind, target, **facts)
