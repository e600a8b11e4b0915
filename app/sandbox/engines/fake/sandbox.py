"""A sandbox of the fake engine: the states of its services, and what they are said to have written."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import replace
from typing import Any

from app.sandbox.engine import NoSuchService
from app.sandbox.engines.fake.guests import FakeMember
from app.sandbox.engines.revision import file_digests, workspace_revision
from app.sandbox.engines.validation import ready_as_a_whole
from app.sandbox.model import EngineStatus, SandboxSpec, ServiceSpec, ServiceState, ServiceStatus

_RUNNING = {ServiceState.STARTING, ServiceState.READY, ServiceState.PAUSED}


class FakeSandbox:
    """States change at once; `script` is what every service logs when it starts."""

    def __init__(self, spec: SandboxSpec, script: bytes, *, never_ready: bool) -> None:
        self.spec = spec
        self.files = dict(spec.files)
        self.replicas: dict[str, ServiceStatus] = {}
        self.logs: dict[str, bytes] = {}
        self.members: dict[str, FakeMember] = {}
        self.alive = True
        self.reason = ""
        self.changed = asyncio.Event()
        self._script = script
        self._started = ServiceState.STARTING if never_ready else ServiceState.READY
        self._addresses = itertools.count(10)
        self._released = False
        self._failure = ""

    def tell(self) -> None:
        """Wake every watcher: each holds the event that was current when it last looked."""
        self.changed.set()
        self.changed = asyncio.Event()

    def status(self) -> EngineStatus:
        """As the engine tells it."""
        services = tuple(replace(status, log_bytes=len(self.logs[name])) for name, status in self.replicas.items())
        ready = self.alive and ready_as_a_whole(self.spec, services)
        return EngineStatus(self.spec.id, self.alive, ready, services, (), self.reason)

    def spec_of(self, service: str) -> ServiceSpec:
        """What a service was launched with.

        Raises:
            NoSuchService: there is none of this name.
        """
        for spec in self.spec.services:
            if spec.name == service:
                return spec
        raise NoSuchService(f"there is no service {service}")

    def runs(self, name: str) -> bool:
        """Whether a replica has what would be processes elsewhere."""
        return self.replicas[name].state in _RUNNING

    def start(self, name: str, *, restarts: int = 0) -> None:
        """A replica runs, on the present workspace."""
        self.logs[name] += self._script
        revision = workspace_revision(file_digests(self.files))
        self.set(name, self._started, exit_code=None, signal=None, restarts=restarts, files_revision=revision, message="")

    def set(self, name: str, state: ServiceState, **changes: Any) -> None:
        """A replica is in this state from now on."""
        self.replicas[name] = replace(self.replicas[name], state=state, since=time.time(), **changes)
        self.tell()

    def scale(self, service: ServiceSpec, count: int) -> None:
        """So many replicas of a service, which run if the others did."""
        present = [name for name, status in self.replicas.items() if status.name == service.name]
        begun = service.start == "launch" and (service.given or self._released)
        run = begun or any(self.replicas[name].state is not ServiceState.WAITING for name in present)
        for name in present[count:]:
            del self.replicas[name]
        for number in range(len(present) + 1, count + 1):
            network = 2 if service.segment == "back" and self.spec.two_segments else 1
            address = f"10.98.{network}.{next(self._addresses)}"
            status = ServiceStatus(service.name, number, ServiceState.WAITING, time.time(), address=address)
            self.replicas[status.full_name] = status
            self.logs[status.full_name] = b""
            if run:
                self._let_run(status.full_name)
        self.tell()

    def release(self, failure: str) -> None:
        """Learners' services may run, or have failed with this message."""
        self._released, self._failure = True, failure
        learners = {service.name for service in self.spec.services if not service.given and service.start == "launch"}
        for name, status in list(self.replicas.items()):
            if status.name in learners:
                self._let_run(name)

    async def end(self, reason: str) -> None:
        """Everything in it is gone."""
        self.alive = False
        self.reason = reason
        for member in self.members.values():
            await member.kill()
        self.tell()

    def _let_run(self, name: str) -> None:
        if self._failure and not self.spec_of(self.replicas[name].name).given:
            self.set(name, ServiceState.FAILED, message=self._failure)
        elif self.replicas[name].state is ServiceState.WAITING:
            self.start(name)
