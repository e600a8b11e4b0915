"""One replica of a service: starts it, sees it become ready, sees it end, and starts it again if it should."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..loop import Timer
from . import view
from .capture import Capture
from .groups import ServiceGroup
from .jail import Cell, Jail
from .probe import Probe

if TYPE_CHECKING:
    from .pod import Pod

READY_WITHIN_S = 90.0
PREPARE_WITHIN_S = 60.0
_BACK_OFF_S, _LONGEST_BACK_OFF_S, MOST_RESTARTS = 0.1, 5.0, 25
_RUNNING = ("preparing", "starting", "ready", "paused")
_PAUSE_ROUNDS = 50


class Replica:
    """States are those of `ServiceState`. All methods return at once; `then` callbacks say when something has happened."""

    def __init__(self, pod: Pod, spec: dict[str, Any], number: int) -> None:
        self.spec = spec
        self.number = number
        self.name: str = spec["name"] if number == 1 else f"{spec['name']}-{number}"
        self.state = "waiting"
        self.since = time.time()
        self.exit_code: int | None = None
        self.restarts = 0
        self.out_of_memory = False
        self.message = ""
        self.revision = ""
        self.jail: Jail | None = None
        self._pod = pod
        self._segment = pod.network.segment_of(spec["segment"])
        self.address = pod.network.allot(self._segment)
        self.capture = Capture(pod.loop, spec["limits"]["log_kb"] << 10, pod.changed)
        self.group = ServiceGroup(self.name, spec["limits"])
        self._kills = 0
        self._links: list[str] = []
        self._probe: Probe | None = None
        self._timer: Timer | None = None
        self._waiters: list[Callable[[], None]] = []
        self._asked = False
        self._gone = False
        self._preparing = False
        self._prepared: str | None = None
        self._before_pause = ""
        self._failure = ""
        self.view = view.View(
            folder=view.RUN / "replicas" / self.name,
            image=spec["image"],
            user=spec["user"],
            hosts=pod.network.hosts(self._segment),
            limits=spec["limits"],
            uid=pod.service_uid,
            tmpfs=spec["tmpfs"],
            workspace=spec["workspace"],
            given=view.RUN / "given" / spec["name"] if spec["given"] else None,
        )
        self.view.make()
        pod.network.name(self._segment, self.name, self.address)

    @property
    def running(self) -> bool:
        """Whether it has processes, or will have some at once."""
        return self.state in _RUNNING

    @property
    def cell(self) -> Cell:
        """What it runs in, for commands that join it."""
        env = view.environment(self.name, self.address, self.spec["image_env"], self.spec["env"])
        folder = "/workspace" if self.spec["workspace"] else "/data"
        return Cell(
            self.name,
            self.view.mounts(),
            folder,
            env,
            self._pod.seccomp,
            self.spec["limits"],
            self.group,
            self._pod.service_uid,
            self._pod.cores,
        )

    def start(self) -> None:
        """Run `prepare` where the files have changed since, then the command."""
        if self.jail is not None or self._gone:
            return
        self._cancel_timer()
        self._asked = False
        self.exit_code = None
        self.message = self._failure = ""
        self.out_of_memory = False
        self.revision = self._pod.revision
        self._preparing = bool(self.spec["prepare"]) and self._prepared != self.revision
        self._set("preparing" if self._preparing else "starting")
        within = PREPARE_WITHIN_S if self._preparing else READY_WITHIN_S
        self._timer = self._pod.loop.later(within, self._too_slow)
        self._run(self.spec["prepare"] if self._preparing else self.spec["command"])

    def stop(self, grace: float, then: Callable[[], None]) -> None:
        """SIGTERM to its main process, SIGKILL to all of it after `grace` seconds; it is not started again."""
        self._asked = True
        if self.jail is None:
            self._cancel_timer()
            if self.state in ("crashed", "exited"):  # it would have been restarted
                self._set("stopped")
            then()
            return
        self._waiters.append(then)
        main = self.jail.main_process()
        if main is None or grace <= 0:
            self.jail.kill()
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(main, signal.SIGTERM)
        for pid in self.jail.processes() if self.state == "paused" else ():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self._cancel_timer()
        self._timer = self._pod.loop.later(grace, lambda: self.jail.kill() if self.jail else None)

    def fail(self, why: str) -> None:
        """It must not run: what runs of it is killed, and it is `failed` with this message until somebody starts it."""
        if self._gone:
            return
        self._cancel_timer()
        if self.jail is None:
            self.message = why
            self._set("failed")
            return
        self._failure = why
        self.jail.kill()

    def kill(self, then: Callable[[], None]) -> None:
        """SIGKILL to all of it; the restart policy applies."""
        if self.jail is None:
            then()
            return
        self._waiters.append(then)
        self.jail.kill()

    def restart(self, then: Callable[[], None]) -> None:
        """Kill, empty the scratch, start on the present workspace."""

        def again() -> None:
            self.view.drop()
            self.view.make()
            self.restarts = 0
            self._prepared = None
            self.start()
            then()

        self.stop(0, again)

    def remove(self, then: Callable[[], None]) -> None:
        """Kill it for good, with its name, address and scratch."""

        def forget() -> None:
            self._gone = True
            self._pod.network.name(self._segment, self.name, None)
            self._pod.network.free(self._segment, self.address)
            self.capture.close()
            self.view.drop()
            self.group.remove()
            then()

        self.stop(0, forget)

    def pause(self) -> bool:
        """SIGSTOP to every process, until none runs; False when it has none."""
        if self.jail is None or self.state == "paused":
            return self.jail is not None
        stopped: set[int] = set()
        for _ in range(_PAUSE_ROUNDS):
            fresh = set(self.jail.processes()) - stopped
            if not fresh:
                break
            for pid in fresh:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
            stopped |= fresh
        self._before_pause = self.state
        self._set("paused")
        return True

    def resume(self) -> None:
        """SIGCONT to every process."""
        if self.jail is None or self.state != "paused":
            return
        for pid in self.jail.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self._set(self._before_pause)

    def note_kills(self) -> None:
        """Look whether the kernel killed something of it for memory."""
        kills = self.group.kills()
        if kills > self._kills:
            self._kills = kills
            self.ran_out_of_memory()

    def ran_out_of_memory(self) -> None:
        """Something of it was killed at the memory ceiling."""
        self.out_of_memory = True
        self._pod.event(f"{self.name}: killed by the memory limit ({self.spec['limits']['memory_mb']} MiB)")

    def _run(self, argv: list[str]) -> None:
        null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        output = self.capture.pipe(self._pod.service_uid)
        try:
            self.jail = Jail(self._pod.loop, self.cell, argv, (null, output, output), self._child_waits, self._ended)
        finally:
            os.close(null)
            os.close(output)

    def _child_waits(self, init: int) -> None:
        self._links = self._pod.network.plug(init, {self._segment: self.address})
        if self._preparing:
            return
        ready = self.spec["ready"]
        if ready["kind"] == "none":
            self._set_ready()
        else:
            self._probe = Probe(self._pod.loop, ready["kind"], self.address, ready["port"], ready["path"], self._set_ready)

    def _set_ready(self) -> None:
        self._cancel_timer()
        if self.state == "paused":
            self._before_pause = "ready"
        else:
            self._set("ready")

    def _too_slow(self) -> None:
        if self.state == "paused":  # it cannot hurry
            self._timer = self._pod.loop.later(1.0, self._too_slow)
            return
        what = "prepare did not end" if self._preparing else "did not become ready"
        within = PREPARE_WITHIN_S if self._preparing else READY_WITHIN_S
        self._failure = f"{what} within {within:.0f} s"
        if self.jail is not None:
            self.jail.kill()

    def _ended(self, code: int) -> None:
        self._pod.network.unplug(self._links)
        self._links = []
        self._failure = self._failure or (self.jail.fault if self.jail else "")
        self.jail = None
        self._cancel_timer()
        if self._probe is not None:
            self._probe.stop()
            self._probe = None
        self.note_kills()
        if self._preparing and not self._asked and code == 0:
            self._preparing = False
            self._prepared = self.revision
            self._set("starting")
            self._timer = self._pod.loop.later(READY_WITHIN_S, self._too_slow)
            self._run(self.spec["command"])
            return
        self.exit_code = code
        self._settle(code)
        waiters, self._waiters = self._waiters, []
        for then in waiters:
            then()

    def _settle(self, code: int) -> None:
        if self._asked:
            self._set("stopped")
        elif self._failure or self._preparing:
            self.message = self._failure or self._last_lines(code)
            self._set("failed")
        else:
            self._set("exited" if code == 0 else "crashed")
            if self.spec["restart"] == "always":
                self._restart_later()

    def _last_lines(self, code: int) -> str:
        lines = [line.strip() for line in self.capture.tail(2048).decode(errors="replace").splitlines()]
        return " / ".join([line for line in lines if line][-3:])[-400:] or f"prepare ended with code {code}"

    def _restart_later(self) -> None:
        if self.restarts >= MOST_RESTARTS:
            self.message = f"ended {self.restarts + 1} times; not started again"
            return
        pause = min(_LONGEST_BACK_OFF_S, _BACK_OFF_S * 2**self.restarts)
        self.restarts += 1
        self._timer = self._pod.loop.later(pause, self.start)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self, state: str) -> None:
        self.state = state
        self.since = time.time()
        self._pod.changed()
