"""The rules that are armed: which of them are alive for a client and a direction, and how often each has matched."""

from __future__ import annotations

from collections.abc import Sequence

from .rules import Rule
from .settings import belongs
from .trace import Event


class Armed:
    """A rule and what it has done: `seen` matches, `count` of them treated."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.seen = self.count = 0

    @property
    def spent(self) -> bool:
        """Whether it will not act any more."""
        return bool(self.rule.times) and self.count >= self.rule.times

    def meets(self) -> bool:
        """Count a match; whether it is to be treated."""
        self.seen += 1
        if self.seen < self.rule.nth:
            return False
        self.count += 1
        return True


class Rules:
    """All of one tap, in the order in which they were armed. `version` changes when something lives or dies."""

    def __init__(self) -> None:
        self._armed: dict[str, Armed] = {}
        self.holes: dict[str, Armed] = {}  #: rules that have made a black hole
        self.version = 0

    def arm(self, rule: Rule) -> Armed:
        """Add one whose id is new."""
        armed = self._armed[rule.id] = Armed(rule)
        self.version += 1
        return armed

    def disarm(self, rule: str) -> list[str]:
        """Forget one, or all when `rule` is empty; the ids of what was armed."""
        gone = [rule] if rule else [*self._armed]
        for name in gone:
            self._armed.pop(name, None)
            self.holes.pop(name, None)
        self.version += 1
        return gone

    def __contains__(self, rule: str) -> bool:
        return rule in self._armed

    def live(self, replica: str, direction: str) -> list[Armed]:
        """Those that could act on this client's bytes in this direction."""
        return [
            armed
            for armed in self._armed.values()
            if not armed.spent and armed.rule.direction in ("", direction) and covers(armed, replica)
        ]

    def hole(self, replica: str) -> Armed | None:
        """The black hole that swallows this client's connections."""
        return next((armed for armed in self.holes.values() if covers(armed, replica)), None)

    def first(self, armed: Sequence[Armed], events: Sequence[Event]) -> tuple[Armed, Event] | None:
        """The first rule that treats one of these events."""
        for one in armed:
            for event in events:
                if not one.spent and one.rule.matches(event) and one.meets():
                    self.version += one.spent
                    return one, event
        return None

    def first_raw(self, armed: Sequence[Armed]) -> Armed | None:
        """The first rule that treats the bytes that have come."""
        for one in armed:
            if not one.spent and one.meets():
                self.version += one.spent
                return one
        return None


def covers(armed: Armed, replica: str) -> bool:
    """Whether a rule is about this client."""
    return not armed.rule.client or belongs(replica, armed.rule.client)
