"""Whether the upstream runs: `sandboxd` knows at once, the network only after seconds of silence."""

from __future__ import annotations

import asyncio


class Presence:
    """Present until told otherwise."""

    def __init__(self) -> None:
        self._absent = asyncio.Event()

    @property
    def absent(self) -> bool:
        return self._absent.is_set()

    def tell(self, present: bool) -> None:
        """Take news."""
        if present:
            self._absent.clear()
        else:
            self._absent.set()

    async def left(self) -> None:
        """Wait until it is absent."""
        await self._absent.wait()
