"""Who wants to know that a sandbox changed. Many changes between two looks are one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class Subscription:
    """The set of sandboxes that changed since the last look; bounded by the number of sandboxes."""

    def __init__(self, only: str | None) -> None:
        self._only = only
        self._changed: dict[str, None] = {}
        self._wake = asyncio.Event()

    def note(self, ids: Iterable[str]) -> None:
        for sandbox_id in ids:
            if self._only in (None, sandbox_id):
                self._changed[sandbox_id] = None
                self._wake.set()

    async def next(self) -> tuple[str, ...]:
        """Wait until something changed; return the ids, oldest change first."""
        await self._wake.wait()
        self._wake.clear()
        changed, self._changed = tuple(self._changed), {}
        return changed


class Changes:
    """A hub between those who change sandboxes and those who watch."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()

    def publish(self, sandbox_id: str) -> None:
        for subscription in self._subscriptions:
            subscription.note((sandbox_id,))

    @contextmanager
    def subscribe(self, sandbox_id: str | None = None, begin_with: Iterable[str] = ()) -> Iterator[Subscription]:
        """Changes of one sandbox, or of all; `begin_with` counts as changed already."""
        subscription = Subscription(sandbox_id)
        subscription.note(begin_with)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
