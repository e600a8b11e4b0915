"""The accounts room, for every process that knows people."""

from __future__ import annotations

from dataclasses import dataclass

from app.accounts.audit import Audit
from app.accounts.door import Door
from app.accounts.limits import Limits
from app.accounts.lockout import Lockout
from app.accounts.sign_ins import SignIns
from app.accounts.tokens import Tokens
from app.accounts.users import Users
from app.db import Database


@dataclass(frozen=True, slots=True)
class Accounts:
    """Who people are and what they may do how often."""

    users: Users
    door: Door
    sign_ins: SignIns
    tokens: Tokens
    limits: Limits
    audit: Audit


def accounts(database: Database) -> Accounts:
    """The accounts room."""
    users, limits = Users(database), Limits(database)
    return Accounts(
        users=users, door=Door(users, limits, Lockout(database)), sign_ins=SignIns(database), tokens=Tokens(database),
        limits=limits, audit=Audit(database),
    )  # fmt: skip
