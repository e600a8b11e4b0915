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

    def scope_for(self, owner: InstrumentedAttribute[str]) -> ColumnElement[bool]:
        """Condition that every query of owned things starts from: one's own, or everybody's for instructors.

        What lies outside is *not found*, never *forbidden*, so that ids tell nothing.
        """
        return true() if self.role.at_least(Role.INSTRUCTOR) else owner == self.user_id
