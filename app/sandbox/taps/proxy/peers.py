"""Who has which address; a client may be faster than the news about it."""

from __future__ import annotations

import asyncio

PATIENCE = 2.0  #: seconds that an unknown client waits


class Peers:
    """Grows with each piece of news; an address that is given to somebody else is overwritten."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._news = asyncio.Event()

    def learn(self, names: dict[str, str]) -> None:
        """Take news: address -> replica."""
        self._names |= names
        self._news.set()
        self._news = asyncio.Event()

    async def who(self, address: str) -> str:
        """The replica at an address, after waiting for news when it is unknown; empty: nobody knows it."""
        try:
            async with asyncio.timeout(PATIENCE):
                while address not in self._names:
                    await self._news.wait()
        except TimeoutError:
            return ""
        return self._names[address]
