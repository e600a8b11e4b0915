"""Signed-in browsers: random tokens whose hashes are rows, so that each can be ended at once."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from app.accounts.bearers import bearer_query, hashed, owner
from app.accounts.model import SignIn, User
from app.db import Database, now, table

LIFE = timedelta(days=14)
TOUCH = timedelta(minutes=10)


_SIGN_INS = table(SignIn).columns
_FIND = bearer_query(SignIn, _SIGN_INS.seen_at.label("touched_at")).where(_SIGN_INS.expires_at > bindparam("at"))


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A living sign-in and whose it is."""

    token_hash: str
    user: User


def end_all(session: Session, user_id: str, but: str = "") -> None:
    """End the person's sign-ins, except the one with the token hash `but`."""
    session.execute(delete(SignIn).where(SignIn.user_id == user_id, SignIn.token_hash != but))


class SignIns:
    """Start, find and end sign-ins."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self, user_id: str) -> str:
        """Begin a sign-in; returns the token for the cookie (256 random bits)."""
        token, at = secrets.token_urlsafe(32), now()
        with self._database.transaction() as session:
            session.execute(delete(SignIn).where(SignIn.user_id == user_id, SignIn.expires_at < at))
            session.add(SignIn(token_hash=hashed(token), user_id=user_id, created_at=at, seen_at=at, expires_at=at + LIFE))
            session.execute(update(User).where(User.id == user_id).values(seen_at=at))
        return token

    def find(self, token: str) -> SignedIn | None:
        """The sign-in of a cookie with its active user; slides its end at most every ten minutes."""
        at, token_hash = now(), hashed(token)
        rows = self._database.fetch(_FIND, token_hash=token_hash, at=at)
        if not rows:
            return None
        found = SignedIn(token_hash, owner(rows[0]))
        if at - rows[0].touched_at > TOUCH:
            self._touch(found, at)
        return found

    def end(self, token: str) -> None:
        """End one sign-in; unknown tokens are fine."""
        with self._database.transaction() as session:
            session.execute(delete(SignIn).where(SignIn.token_hash == hashed(token)))

    def end_others(self, user_id: str, keep: str) -> None:
        """End the person's other sign-ins; `keep` is the token hash of the one that stays."""
        with self._database.transaction() as session:
            end_all(session, user_id, but=keep)

    def count(self, user_id: str) -> int:
        """How many browsers the person is signed in with."""
        query = select(func.count()).where(SignIn.user_id == user_id, SignIn.expires_at > now())
        with self._database.read() as session:
            return session.scalar(query) or 0

    def sweep(self) -> int:
        """Forget sign-ins that are over; returns how many."""
        with self._database.transaction() as session:
            return len(session.scalars(delete(SignIn).where(SignIn.expires_at < now()).returning(SignIn.user_id)).all())

    def _touch(self, found: SignedIn, at: datetime) -> None:
        with self._database.transaction(durable=False) as session:
            session.execute(
                update(SignIn).where(SignIn.token_hash == found.token_hash).values(seen_at=at, expires_at=at + LIFE)
            )
            session.execute(update(User).where(User.id == found.user.id).values(seen_at=at))
