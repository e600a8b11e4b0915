"""One tap that runs: questions and answers over its two pipes, and what it tells by itself."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
from collections.abc import Callable
from typing import Any

from app.errors import PlatformError
from app.sandbox.engine import Member
from app.sandbox.taps.model import TapFault, TapPlan, TapRefused

log = logging.getLogger(__name__)
ANSWER_SECONDS = 10.0
READY_SECONDS = 20.0


class Tap:
    """Made from a guest that was just attached.

    Args:
        tell: takes each frame that is no answer, in order.

    Attributes:
        ended: done when it is gone; says why.
    """

    def __init__(self, plan: TapPlan, member: Member, tell: Callable[[Tap, dict[str, Any]], None]) -> None:
        self.plan = plan
        self._member = member
        self._tell = tell
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._ready = asyncio.Event()
        self.ended = asyncio.create_task(self._listen(), name=f"pipe of {plan.name}")

    async def ready(self) -> None:
        """Wait until it listens.

        Raises:
            TapFault: it does not.
        """
        ready = asyncio.create_task(self._ready.wait())
        await asyncio.wait({ready, self.ended}, timeout=READY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if not self._ready.is_set():
            await self.kill()
            raise TapFault(f"The tap of `{self.plan.upstream}` did not start: {await self.ended}.")

    async def ask(self, op: str, **arguments: Any) -> Any:
        """Ask it for something and wait for the answer; questions are answered in the order in which they were asked.

        Raises:
            TapRefused: it says why not.
            TapFault: it has ended, or does not answer.
        """
        if self.ended.done():
            raise TapFault(f"The tap of `{self.plan.upstream}` has ended.")
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            self._member.stdin.write(json.dumps({"op": op, "n": number, **arguments}).encode() + b"\n")
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._member.stdin.drain()
                reply = await answer
        except TimeoutError:
            await self.kill()  # its keeper starts another one
            raise TapFault(f"The tap of `{self.plan.upstream}` did not answer `{op}` in time.") from None
        except OSError:
            raise TapFault(f"The tap of `{self.plan.upstream}` has ended.") from None
        finally:
            del self._answers[number]
        if not reply.get("ok"):
            raise TapRefused(f"The tap of `{self.plan.upstream}` refuses: {str(reply.get('error', ''))[:400]}")
        return reply.get("value")

    async def kill(self) -> None:
        """End it. Idempotent."""
        try:
            await self._member.kill()
        except PlatformError as error:
            log.warning("%s could not be ended: %s", self.plan.name, error.message)
        await asyncio.wait({self.ended}, timeout=ANSWER_SECONDS)

    async def _listen(self) -> str:
        try:
            while line := await self._member.stdout.readline():
                self._take(json.loads(line))
            why = f"it ended with code {await self._member.wait()}"
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            why = f"it said something that is not of its protocol ({type(error).__name__}: {error})"
            await self._member.kill()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(TapFault(f"The tap of `{self.plan.upstream}` has ended."))
        await self._log_last_words()
        return why

    def _take(self, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "reply":
                answer = self._answers.get(frame["n"])
                if answer is not None and not answer.done():
                    answer.set_result(frame)
            case "ready":
                self._ready.set()
            case _:
                self._tell(self, frame)

    async def _log_last_words(self) -> None:
        try:
            text = (await self._member.stderr_tail()).decode("utf-8", "replace").strip()
        except (PlatformError, TimeoutError):
            return
        if text:
            log.warning("%s: its stderr:\n%s", self.plan.name, text)
