"""Everything that lives in a pod: its network, workspace, replicas and guests."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

from ..loop import Loop
from . import scratch, view
from .guest import Guest
from .network import Network
from .replica import Replica
from .watchdog import Watchdog, resident_mb

MOST_REPLICAS = 8
_WORKSPACE_MB, _WORKSPACE_INODES = 64, 8192
_EVENTS_KEPT = 100
_OOM_LOOK_S = 1.0


class NoSuchService(Exception):
    """The pod has no such replica."""


class Pod:
    """Made once the engine has sent what to run. `on_change` is called after anything that a status shows has changed."""

    def __init__(self, loop: Loop, files: dict[str, bytes], on_change: Callable[[], None]) -> None:
        spec = json.loads(files.pop("spec.json"))
        self.loop = loop
        self._on_change = on_change
        self._released = False
        self._failure = ""  #: why learners' services do not run although they were released
        self.seccomp = files.pop("seccomp")
        self.service_uid: int = spec["service_uid"]
        self.member_uid: int = spec["member_uid"]
        self.revision: str = spec["revision"]
        self.cores = _cores(spec["cpus"], spec["spread"]) if not spec["grouped"] else None
        self.guests: dict[str, Guest] = {}
        self.events: list[str] = []
        self._specs: dict[str, dict[str, Any]] = {service["name"]: service for service in spec["services"]}
        self._replicas: dict[str, list[Replica]] = {name: [] for name in self._specs}
        view.RUN.mkdir(parents=True, exist_ok=True)
        view.write_identity(view.RUN / "identity", {service["user"] for service in spec["services"]})
        scratch.make(view.WORKSPACE, size_mb=_WORKSPACE_MB, inodes=_WORKSPACE_INODES, uid=0)
        for name, service in self._specs.items():
            if service["given"]:
                (view.RUN / "given" / name).mkdir(parents=True)
        workspace = {path.removeprefix("ws/"): data for path, data in files.items() if path.startswith("ws/")}
        given = {path.removeprefix("given/"): data for path, data in files.items() if path.startswith("given/")}
        scratch.write_files(view.WORKSPACE, workspace)
        scratch.write_files(view.RUN / "given", given)
        self.network = Network(view.RUN, two_segments=spec["two_segments"])
        for name, service in self._specs.items():
            self.scale(name, service["replicas"], lambda: None)
        if spec["grouped"]:
            self._look_for_kills()
        else:
            Watchdog(self, spec["memory_mb"])

    def changed(self) -> None:
        """Something that a status shows is different now."""
        self._on_change()

    def release(self, failure: str) -> None:
        """Start the learner's services that wait, or fail all of them."""
        self._released = True
        self._failure = failure
        for replica in self.replicas():
            if not replica.spec["given"] and replica.spec["start"] == "launch":
                self._let_run(replica)

    def _let_run(self, replica: Replica) -> None:
        if self._failure and not replica.spec["given"]:
            replica.fail(self._failure)
        elif replica.state == "waiting":
            replica.start()

    def replicas(self) -> Iterator[Replica]:
        """All of them, in the order of the specification."""
        for replicas in self._replicas.values():
            yield from replicas

    def replica(self, name: str) -> Replica:
        """By full name.

        Raises:
            NoSuchService: there is none.
        """
        for replica in self.replicas():
            if replica.name == name:
                return replica
        raise NoSuchService(name)

    def scale(self, name: str, count: int, then: Callable[[], None]) -> None:
        """Have `count` replicas; new ones of a service that starts at launch, or has been started, run at once."""
        if name not in self._specs:
            raise NoSuchService(name)
        spec = self._specs[name]
        replicas = self._replicas[name]
        begun = spec["start"] == "launch" and (spec["given"] or self._released)
        run = begun or any(replica.state != "waiting" for replica in replicas)
        surplus = replicas[count:]
        del replicas[count:]
        for number in range(len(replicas) + 1, count + 1):
            replica = Replica(self, spec, number)
            replicas.append(replica)
            if run:
                self._let_run(replica)
        left = len(surplus)

        def one_less() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                self.changed()
                then()

        for replica in surplus:
            replica.remove(one_less)
        if not surplus:
            self.changed()
            then()

    def attach(
        self,
        spec: dict[str, Any],
        files: dict[str, bytes],
        streams: tuple[int, int],
        on_exit: Callable[[int], None],
    ) -> None:
        """Start a guest; the one of the same name must have ended."""
        view.write_identity(view.RUN / "identity", {spec["user"]})
        self.guests[spec["name"]] = Guest(self, spec, files, streams, on_exit)

    def put(self, files: dict[str, bytes], revision: str, *, replace: bool) -> None:
        """Write the workspace; running services keep what they have loaded."""
        scratch.write_files(view.WORKSPACE, files, replace=replace)
        self.revision = revision

    def event(self, text: str) -> None:
        """Something worth telling: a limit was hit."""
        self.events = [*self.events[-_EVENTS_KEPT:], text]
        self.changed()

    def status(self) -> dict[str, Any]:
        """As `ServiceStatus` wants it."""
        return {"services": [_status(replica) for replica in self.replicas()], "events": self.events}

    def _look_for_kills(self) -> None:
        for replica in self.replicas():
            if replica.jail is not None:
                replica.note_kills()
        self.loop.later(_OOM_LOOK_S, self._look_for_kills)


def _status(replica: Replica) -> dict[str, Any]:
    memory = replica.group.memory_mb()
    if memory is None:
        memory = resident_mb(replica.jail.processes()) if replica.jail else 0.0
    code = replica.exit_code
    return {
        "name": replica.spec["name"],
        "replica": replica.number,
        "state": replica.state,
        "since": replica.since,
        "exit_code": code,
        "signal": code - 128 if code is not None and 128 < code <= 192 else None,
        "restarts": replica.restarts,
        "out_of_memory": replica.out_of_memory,
        "rss_mb": round(memory, 1),
        "log_bytes": replica.capture.size,
        "log_dropped": replica.capture.dropped,
        "files_revision": replica.revision,
        "message": replica.message,
        "address": replica.address,
    }


def _cores(cpus: float, spread: int) -> frozenset[int] | None:
    """Where CPU time cannot be limited, a sandbox gets only as many cores as its share rounded up, never all."""
    allowed = sorted(os.sched_getaffinity(0))
    count = min(max(1, round(cpus + 0.49)), len(allowed) - 1)
    if count < 1:
        return None
    return frozenset(allowed[(spread + step) % len(allowed)] for step in range(count))
