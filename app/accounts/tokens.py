"""Bearer tokens for programs: shown once, stored as a hash, revocable."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy import Update, bindparam, func, or_, select, update
from sqlalchemy.orm import Session

from app.accounts import audit
from app.accounts.bearers import bearer_query, hashed, owner
from app.accounts.faults import FieldsInvalid
from app.accounts.model import ApiToken, User
from app.db import Database, now, table
from app.errors import Conflict, NotFound

PREFIX = "soty_"  #: lets secret scanners recognise a leaked one
MOST = 20  #: living tokens per person
LONGEST_LABEL = 64
_TOUCH = timedelta(minutes=10)
_TOKENS = table(ApiToken).columns
_FIND = bearer_query(ApiToken, _TOKENS.id.label("token_id"), _TOKENS.used_at).where(
    _TOKENS.revoked_at.is_(None), or_(_TOKENS.expires_at.is_(None), _TOKENS.expires_at > bindparam("at"))
)
_USED = update(table(ApiToken)).where(_TOKENS.id == bindparam("token_id")).values(used_at=bindparam("at"))


def revoke_all(session: Session, user_id: str) -> None:
    """End all tokens of a person."""
    session.execute(_living(user_id).values(revoked_at=now()))


class Tokens:
    """Make, find, list and revoke API tokens."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, user_id: str, label: str = "", expires_at: datetime | None = None) -> str:
        """A new token; this is the only time that it can be read.

        Raises:
            FieldsInvalid: the label is too long.
            Conflict: the person has `MOST` tokens already.
        """
        label = " ".join(label.split())
        if len(label) > LONGEST_LABEL:
            raise FieldsInvalid({"label": "label-long"})
        token = PREFIX + secrets.token_urlsafe(32)
        with self._database.transaction() as session:
            have = select(func.count()).where(ApiToken.user_id == user_id, ApiToken.revoked_at.is_(None))
            if (session.scalar(have) or 0) >= MOST:
                raise Conflict("There are twenty tokens already; revoke one first.", code="too-many-tokens")
            row = ApiToken(user_id=user_id, token_hash=hashed(token), label=label, expires_at=expires_at)
            session.add(row)
            session.flush()
            audit.record(session, user_id, "token.create", "token", row.id)
        return token

    def find(self, token: str) -> User | None:
        """The active owner of a living token; notes its use at most every ten minutes."""
        at = now()
        rows = self._database.fetch(_FIND, token_hash=hashed(token), at=at)
        if not rows:
            return None
        if rows[0].used_at is None or at - rows[0].used_at > _TOUCH:
            self._database.jot(_USED, token_id=rows[0].token_id, at=at)
        return owner(rows[0])

    def of(self, user_id: str) -> list[ApiToken]:
        """The person's living tokens, newest first."""
        query = select(ApiToken).where(ApiToken.user_id == user_id, ApiToken.revoked_at.is_(None))
        with self._database.read() as session:
            return list(session.scalars(query.order_by(ApiToken.created_at.desc())))

    def revoke(self, user_id: str, token_id: str) -> None:
        """End a token of this person at once.

        Raises:
            NotFound: they have no such living token.
        """
        with self._database.transaction() as session:
            ended = _living(user_id).where(ApiToken.id == token_id).values(revoked_at=now()).returning(ApiToken.id)
            if session.scalar(ended) is None:
                raise NotFound
            audit.record(session, user_id, "token.revoke", "token", token_id)


def _living(user_id: str) -> Update:
    return update(ApiToken).where(ApiToken.user_id == user_id, ApiToken.revoked_at.is_(None))
