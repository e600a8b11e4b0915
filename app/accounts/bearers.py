"""The person behind a cookie or an API token: what every request asks, in one statement without a session."""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, bindparam, select

from app.accounts.model import ApiToken, SignIn, User
from app.db import table

_PERSON = table(User).columns
_NAMES = tuple(_PERSON.keys())


def hashed(token: str) -> str:
    """SHA-256 of a random token, as stored."""
    return hashlib.sha256(token.encode()).hexdigest()


def bearer_query(kind: type[SignIn] | type[ApiToken], *columns: ColumnElement[Any]) -> Select[Any]:
    """The row of `kind` with the hash `:token_hash`, if its owner is active: the given columns, then the owner's."""
    owned = table(kind)
    found = select(*columns, *_PERSON).join_from(owned, table(User))
    return found.where(owned.c.token_hash == bindparam("token_hash"), _PERSON.active)


def owner(row: Row[Any]) -> User:
    """The person at the end of a row of `bearer_query`; a copy that no session knows."""
    return User(**dict(zip(_NAMES, row[-len(_NAMES) :], strict=True)))
