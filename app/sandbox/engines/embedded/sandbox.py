"""One running sandbox as the engine sees it: the channel to its agent, its last status, its guests."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from typing import Any

from app.sandbox.engine import NoSuchSandbox
from app.sandbox.engines.embedded.bare import wire
from app.sandbox.engines.embedded.channel import Channel, Gone
from app.sandbox.engines.embedded.guests import EmbeddedMember
from app.sandbox.engines.embedded.setup import Setup
from app.sandbox.engines.revision import file_digests, workspace_revision
from app.sandbox.engines.validation import ready_as_a_whole
from app.sandbox.model import EngineStatus, SandboxSpec, ServiceState, ServiceStatus

STATUS_PATIENCE_S = 30.0  #: half of what the prober allows for an answer
_WATCH_PAUSE_S = 0.05


class Sandbox:
    """Made from the agent's control socket; `opened` waits for its hello and sends the setup."""

    def __init__(self, spec: SandboxSpec, control: socket.socket, images: frozenset[str]) -> None:
        self.spec = spec
        self.digests = file_digests(spec.files)
        self.images = images
        self.members: dict[str, EmbeddedMember] = {}
        self.alive = True
        self.reason = ""
        self._hello = asyncio.get_running_loop().create_future()
        self._news = asyncio.Event()
        self._pushed: dict[str, Any] = {"services": [], "events": []}
        self.channel = Channel(control, self._event, self._ended)

    async def open(self, setup: Setup) -> None:
        """Wait for the agent, tell it what to run.

        Raises:
            Gone: the pod ended before it said hello.
            EngineError: as the agent says.
        """
        await asyncio.wait_for(self._hello, 20)
        await self.channel.call("setup", timeout=20, body=setup.body())

    async def call(self, operation: str, **arguments: Any) -> wire.Packet:
        """Ask the agent; a pod that has ended is no sandbox any more."""
        try:
            return await self.channel.call(operation, **arguments)
        except Gone:
            raise NoSuchSandbox(self.reason or "The sandbox has ended.") from None

    async def status(self) -> EngineStatus:
        """Asked anew while it lives.

        An agent that has ended closes its end of the channel, which is seen at once; silence means that it is busy. The
        question is put once and waited for: asking again would only lengthen the agent's queue.

        Raises:
            EngineError: no answer within `STATUS_PATIENCE_S`.
        """
        if self.alive:
            try:
                self._pushed = (await self.channel.call("status", timeout=STATUS_PATIENCE_S)).header
            except Gone:
                self.alive = False
        return self._status()

    async def watch(self) -> AsyncIterator[EngineStatus]:
        """A status now and after every push of the agent; ends after the one that says it is gone."""
        news = self._news
        yield await self.status()
        while self.alive:
            await news.wait()
            news = self._news
            yield self._status()
            await asyncio.sleep(_WATCH_PAUSE_S)

    async def put(self, files: Mapping[str, bytes], *, replace: bool) -> str:
        """Write the workspace; returns its revision."""
        fresh = file_digests(files)
        digests = fresh if replace else {**self.digests, **fresh}
        revision = workspace_revision(digests)
        await self.call("put", revision=revision, replace=replace, body=wire.pack_files(dict(files)))
        self.digests = digests
        return revision

    def has_stand_in(self, service: str) -> bool:
        """Whether a guest that lives stands for this service."""
        return bool(service) and any(member.running and member.stands_for == service for member in self.members.values())

    def close(self, reason: str = "") -> None:
        """The pod is gone, or is about to be."""
        self.reason = self.reason or reason
        self.channel.close()

    def _status(self) -> EngineStatus:
        services = tuple(_service_status(entry) for entry in self._pushed["services"])
        ready = self.alive and bool(services or not self.spec.services) and ready_as_a_whole(self.spec, services)
        return EngineStatus(self.spec.id, self.alive, ready, services, tuple(self._pushed["events"]), self.reason)

    def _tell(self) -> None:
        """Wake every watcher: each holds the event that was current when it last looked."""
        self._news.set()
        self._news = asyncio.Event()

    def _event(self, packet: wire.Packet) -> None:
        kind = packet.header["event"]
        if kind == "hello" and not self._hello.done():
            self._hello.set_result(None)
        elif kind == "status":
            self._pushed = packet.header
            self._tell()
        elif kind == "member":
            member = self.members.get(packet.header["member"])
            if member is not None:
                member.ended(packet.header["code"])

    def _ended(self) -> None:
        self.alive = False
        self._tell()
        if not self._hello.done():
            self._hello.set_exception(Gone())
            self._hello.exception()  # nobody may be waiting for it
        for member in self.members.values():
            member.ended(-9)


def _service_status(entry: Mapping[str, Any]) -> ServiceStatus:
    fields = dict(entry)
    fields["state"] = ServiceState(fields["state"])
    return ServiceStatus(**fields)
