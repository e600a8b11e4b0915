"""The one `Watch` stream that a live process holds: the newest state of every sandbox, and who waits for it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict

from app.sandbox import sandbox_pb2 as pb
from app.sandbox import sandbox_pb2_grpc as rpc

log = logging.getLogger(__name__)
AGAIN_SECONDS = 1.0
UNHEARD_SECONDS = 3.0  #: a sandbox that was launched just now is heard of within this time
GONE_KEPT = 1000
MAX_MESSAGE = 4 << 20
AWAY = {"type": "away"}
_FOR_OPERATORS = ("owner", "message", "content_hash", "purpose")


class Watching:
    """Follows sandboxd and connects anew by itself.

    Attributes:
        connected: whether sandboxd answers now.
    """

    def __init__(self, socket_path: Path) -> None:
        self._target = f"unix:{socket_path}"
        self._newest: dict[str, dict[str, Any]] = {}
        self._gone: deque[str] = deque()
        self._watchers: dict[str, set[asyncio.Event]] = {}
        self.connected = False

    async def follow_for_ever(self) -> None:
        """Run until cancelled."""
        while True:
            with suppress(grpc.aio.AioRpcError):
                await self._follow()
            if self.connected:
                log.warning("sandboxd does not answer; trying again")
            self.connected = False
            self._newest.clear()
            self._gone.clear()
            self._wake_all()
            await asyncio.sleep(AGAIN_SECONDS)

    async def frames(self, sandbox_id: str) -> AsyncGenerator[dict[str, Any], None]:
        """States of one sandbox: one now, one for every change, `AWAY` while sandboxd does not answer.

        A slow reader skips to the newest. Ends after `gone`, and for a sandbox that nobody has heard of.
        """
        changed = asyncio.Event()
        self._watchers.setdefault(sandbox_id, set()).add(changed)
        sent: dict[str, Any] | None = None
        try:
            while True:
                state = self._newest.get(sandbox_id) if self.connected else AWAY
                if state is None:
                    await asyncio.wait_for(changed.wait(), UNHEARD_SECONDS)
                elif state is not sent:
                    yield state
                    sent = state
                if state and state.get("state") == "gone":
                    return
                await changed.wait()
                changed.clear()
        except TimeoutError:
            return
        finally:
            self._watchers[sandbox_id].discard(changed)
            if not self._watchers[sandbox_id]:
                del self._watchers[sandbox_id]

    async def _follow(self) -> None:
        options = (("grpc.max_receive_message_length", MAX_MESSAGE),)
        async with grpc.aio.insecure_channel(self._target, options=options) as channel:
            stream = rpc.WatcherStub(channel).Watch(pb.WatchRequest())
            await stream.initial_metadata()
            self.connected = True
            self._wake_all()
            async for event in stream:
                self._take(event.sandbox)

    def _take(self, sandbox: pb.Sandbox) -> None:
        self._newest[sandbox.id] = for_page(sandbox)
        if sandbox.state == "gone":
            self._gone.append(sandbox.id)
            if len(self._gone) > GONE_KEPT:
                self._newest.pop(self._gone.popleft(), None)
        for changed in self._watchers.get(sandbox.id, ()):
            changed.set()

    def _wake_all(self) -> None:
        for events in self._watchers.values():
            for changed in events:
                changed.set()


def for_page(sandbox: pb.Sandbox) -> dict[str, Any]:
    """A sandbox as its learner sees it; every field is there, also an empty one."""
    data: dict[str, Any] = MessageToDict(sandbox, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    for name in _FOR_OPERATORS:
        del data[name]
    for service in data["services"]:
        service["log_bytes"], service["log_dropped"] = int(service["log_bytes"]), int(service["log_dropped"])
    return {"type": "sandbox", **data}
