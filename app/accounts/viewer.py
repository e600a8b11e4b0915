"""Who is looking, and what of other people's things they may see."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, true
from sqlalchemy.orm import InstrumentedAttribute

from app.accounts.model import Role


@dataclass(frozen=True, slots=True)
class Viewer:
    """A signed-in person, as use cases see them."""

    user_id: str
    role: Role = Role.LEARNER

    def scope_for(
        self, owner: InstrumentedAttribute[str], *, others_from: Role | None = Role.INSTRUCTOR
    ) -> ColumnElement[bool]:
        """Condition that every query of owned things starts from.

        What lies outside is *not found*, never *forbidden*, so that ids tell nothing.

        Args:
            others_from: the least role that reaches other people's things too; None: nobody does.
        """
        return true() if others_from and self.role.at_least(others_from) else owner == self.user_id
