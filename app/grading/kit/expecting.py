"""What every check does: tell its steps, expect facts, and wait for them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NoReturn, TypeVar

from .match import Matcher
from .pipe import Pipe
from .waiting import Clock
from .words import Failed, Text

T = TypeVar("T")


class Expecting:
    """The part of `Kit` that tells and expects.

    Attributes:
        begun: when the check began, by `time.monotonic()`; times in messages count from it.
    """

    def __init__(self, pipe: Pipe, clock: Clock) -> None:
        self._pipe, self._clock = pipe, clock
        self.begun = time.monotonic()

    # -- words of the report ---------------------------------------------------------------------------------------

    def step(self, ru: str, en: str) -> None:
        """Tell in one full sentence what the check does now. A failure shows all steps so far as *done*."""
        self._pipe.send({"type": "step", "ru": ru, "en": en})

    def look(self, ru: str, en: str) -> None:
        """Tell where a learner should look if something fails from here on."""
        self._pipe.send({"type": "look", "ru": ru, "en": en})

    def note(self, ru: str, en: str) -> None:
        """Put a moment on the timeline of the report."""
        self._pipe.send({"type": "note", "kind": "note", "ru": ru, "en": en})

    # -- expectations ----------------------------------------------------------------------------------------------

    def limit(self, seconds: float) -> float:
        """`seconds` on a quiet machine, stretched by the slowness of this sandbox (1..6)."""
        return self._clock.limit(seconds)

    def fail(self, expected: Text, seen: Text, where: Text | None = None) -> NoReturn:
        """End the check as failed."""
        raise Failed(expected=expected, seen=seen, where=where)

    def expect(self, value: T, to: Matcher[T], what: Text, where: Text | None = None) -> T:
        """Return `value` if `to` accepts it; fail with "`what`: …" as expected and seen otherwise."""
        if to.accepts(value):
            return value
        raise Failed(expected=what + ": " + to.wanted, seen=what + ": " + to.found(value), where=where)

    def eventually(
        self,
        look: Callable[[], T],
        to: Matcher[T],
        what: Text,
        *,
        within: float | None = None,
        hold: float = 0.5,
        where: Text | None = None,
    ) -> T:
        """Look until `to` accepts what is seen, then see that it stays so.

        A look that fails (nothing listens yet) is a look that was not accepted.

        Args:
            look: reads the fact anew each time.
            within: seconds to wait, from `limit()`; default `limit(10)`.
            hold: seconds for which it must stay true, before scaling; at most one change of mind ends the check.

        Raises:
            Failed: it did not become true in time, or did not stay so.
        """
        limit = within if within is not None else self.limit(10)
        deadline, pause = time.monotonic() + limit, 0.02
        while True:
            over = time.monotonic() >= deadline
            try:
                value = look()
                if to.accepts(value):
                    break
                seen = what + ": " + to.found(value)
            except Failed as failure:
                seen = failure.seen
            if over:
                waited = Text(f" (ждали {limit:.0f} с)", f" (waited {limit:.0f} s)")
                raise Failed(expected=what + ": " + to.wanted, seen=seen + waited, where=where)
            time.sleep(pause)
            pause = min(pause * 1.5, 0.25)
        held = time.monotonic() + self.limit(hold)
        while time.monotonic() < held:
            time.sleep(min(0.1, hold))
            value = look()
            if not to.accepts(value):
                changed = Text(" (сначала было верно, потом изменилось)", " (it was right at first and then changed)")
                raise Failed(expected=what + ": " + to.wanted, seen=what + ": " + to.found(value) + changed, where=where)
        return value
