"""A guest of the platform (the prober, a tap): on every segment, with its own pipes, uid and view."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import scratch, view
from .capture import Capture
from .groups import ServiceGroup
from .jail import Cell, Jail

if TYPE_CHECKING:
    from .pod import Pod

_STDERR_KEPT = 0  # only the tail matters


class Guest:
    """Starts at once with the given stdin and stdout; `on_exit` is called with the exit code (128 + n for signal n)."""

    def __init__(
        self,
        pod: Pod,
        spec: dict[str, Any],
        files: dict[str, bytes],
        streams: tuple[int, int],
        on_exit: Callable[[int], None],
    ) -> None:
        self._pod = pod
        self._name: str = spec["name"]
        self._stands_for: str = spec["stands_for"]
        self._on_exit = on_exit
        self._folder = view.RUN / "guests" / self._name
        self._links: list[str] = []
        self.stderr = Capture(pod.loop, _STDERR_KEPT)
        network = pod.network
        self._addresses = {segment: network.allot(segment) for segment in network.segments}
        self.group = ServiceGroup(f"guest-{self._name}", spec["limits"])
        self._view = view.View(
            folder=self._folder / "scratch",
            image=spec["image"],
            user=spec["user"],
            hosts=network.hosts("all"),
            limits=spec["limits"],
            uid=pod.member_uid,
            tmpfs={},
            member=self._write(files),
        )
        self._view.make()
        env = view.environment(self._name, next(iter(self._addresses.values())), spec["image_env"], spec["env"])
        env["PYTHONPATH"] = spec["env"].get("PYTHONPATH", "/member")
        cell = Cell(
            self._name,
            self._view.mounts(),
            "/member",
            env,
            pod.seccomp,
            spec["limits"],
            self.group,
            pod.member_uid,
            pod.cores,
        )
        errors = self.stderr.pipe(pod.member_uid)
        try:
            self._jail = Jail(pod.loop, cell, spec["command"], (*streams, errors), self._plug, self._ended)
        finally:
            os.close(errors)
        if self._stands_for:
            network.name("front", self._stands_for, self._addresses["front"])

    def kill(self) -> None:
        """End it and everything it started."""
        self._jail.kill()

    def _write(self, files: dict[str, bytes]) -> Path:
        folder: Path = self._folder / "files"
        folder.mkdir(parents=True, exist_ok=True)
        scratch.write_files(folder, files, replace=True)
        return folder

    def _plug(self, init: int) -> None:
        self._links = self._pod.network.plug(init, self._addresses)

    def _ended(self, code: int) -> None:
        if self._stands_for:
            self._pod.network.name("front", self._stands_for, None)
        self._pod.network.unplug(self._links)
        for segment, address in self._addresses.items():
            self._pod.network.free(segment, address)
        self._view.drop()
        self.group.remove()
        scratch.write_files(self._folder / "files", {}, replace=True)
        self._on_exit(code)
