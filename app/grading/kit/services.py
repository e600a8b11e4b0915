"""The services of the sandbox, seen and hurt from outside."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .pipe import Pipe
from .waiting import Clock, poll
from .words import Failed, Fault, Text

LONGEST_WAIT = 120.0  #: seconds that the platform waits in one call
BROKEN = frozenset({"crashed", "failed"})


@dataclass(frozen=True, slots=True)
class Replica:
    """One replica as the engine sees it now; `state` is one of the words of `ServiceState`."""

    name: str
    replica: int
    state: str
    exit_code: int | None
    signal: int | None
    restarts: int
    out_of_memory: bool
    log_bytes: int
    message: str

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Replica:
        return cls(
            name=str(data["name"]),
            replica=int(data.get("replica", 1)),
            state=str(data["state"]),
            exit_code=data.get("exit_code"),
            signal=data.get("signal"),
            restarts=int(data.get("restarts", 0)),
            out_of_memory=bool(data.get("out_of_memory", False)),
            log_bytes=int(data.get("log_bytes", 0)),
            message=str(data.get("message", "")),
        )

    @property
    def full_name(self) -> str:
        return self.name if self.replica == 1 else f"{self.name}-{self.replica}"

    @property
    def told(self) -> Text:
        """The state as a sentence of a message."""
        if self.out_of_memory:
            return Text(f"{self.full_name} превысил предел памяти", f"{self.full_name} went over its memory limit")
        if self.signal:
            return Text(f"{self.full_name} убит сигналом {self.signal}", f"{self.full_name} was killed by signal {self.signal}")
        if self.state in ("exited", "crashed"):
            code = self.exit_code
            return Text(f"{self.full_name} завершился с кодом {code}", f"{self.full_name} ended with exit code {code}")
        if self.state == "failed":
            why = f": {self.message}" if self.message else ""
            return Text(f"{self.full_name} не запустился{why}", f"{self.full_name} did not start{why}")
        words = {
            "waiting": ("ещё не запущен", "has not been started"),
            "stopped": ("остановлен", "is stopped"),
            "paused": ("приостановлен", "is paused"),
            "ready": ("работает", "is running"),
        }
        ru, en = words.get(self.state, ("запускается", "is starting"))
        return Text(f"{self.full_name} {ru}", f"{self.full_name} {en}")


@dataclass(frozen=True, slots=True)
class Exit:
    """How a service ended: `exit_code`, or the `signal` that ended it."""

    exit_code: int | None
    signal: int | None


@dataclass(frozen=True, slots=True)
class ServiceInfo:
    """What the exercise says about a service."""

    name: str
    image: str = ""
    learner: bool = True
    restart: str = "never"


class Service:
    """A service and the faults that the platform can inject into it. Each fault is noted on the timeline of the report.

    Faults hit every replica; `replica(name)` is a single one, to be used in the same way.

    Args:
        info: from the exercise.
        pipe: to the platform.
        clock: scaled limits.
        only: full name of the one replica that is meant; empty: all.
    """

    def __init__(self, info: ServiceInfo, pipe: Pipe, clock: Clock, only: str = "") -> None:
        self.info, self.name, self._only, self._pipe, self._clock = info, only or info.name, only, pipe, clock

    def replica(self, full_name: str) -> Service:
        """One replica by its full name: `worker`, `worker-2`, as events of the trace call it.

        Raises:
            Fault: the service has no such replica.
        """
        if full_name not in [replica.full_name for replica in self.replicas()]:
            raise Fault(f"the service `{self.info.name}` has no replica `{full_name}`")
        return Service(self.info, self._pipe, self._clock, full_name)

    def replicas(self) -> list[Replica]:
        """All replicas that are meant, the first one first."""
        own = [replica for replica in read_replicas(self._pipe) if replica.name == self.info.name]
        return [replica for replica in own if self._only in ("", replica.full_name)]

    def status(self) -> Replica:
        """The first replica.

        Raises:
            Fault: the sandbox has no such service.
        """
        found = self.replicas()
        if not found:
            raise Fault(f"the sandbox has no service `{self.name}`")
        return found[0]

    def start(self, *, within: float | None = None) -> None:
        """Start it and wait until it is ready or has ended well.

        Raises:
            Failed: it ended badly, or `within` seconds (default `limit(20)`) were not enough.
        """
        self._act("start", Text(f"запустили {self.name}", f"started {self.name}"))
        self.await_ready(within=within)

    def stop(self) -> None:
        """SIGTERM, then SIGKILL three seconds later; it is not restarted. Nothing happens to one that has ended."""
        self._act("stop", Text(f"остановили {self.name}", f"stopped {self.name}"))

    def kill(self) -> None:
        """SIGKILL every process of it at once; `restart: always` then restarts it."""
        self._act("kill", Text(f"убили {self.name}", f"killed {self.name}"))

    def pause(self) -> None:
        """Freeze every process of it; its connections stay open."""
        self._act("pause", Text(f"приостановили {self.name}", f"paused {self.name}"))

    def resume(self) -> None:
        """Undo `pause`."""
        self._act("resume", Text(f"возобновили {self.name}", f"resumed {self.name}"))

    def restart(self, *, within: float | None = None) -> None:
        """Stop without grace, start with an empty /data, and wait as `start` does."""
        self._act("restart", Text(f"перезапустили {self.name}", f"restarted {self.name}"))
        self.await_ready(within=within)

    def scale(self, replicas: int) -> None:
        """Have exactly this many replicas, 0..8."""
        self._act("scale", Text(f"{self.name}: реплик {replicas}", f"{self.name}: {replicas} replicas"), replicas=replicas)

    def await_ready(self, *, within: float | None = None) -> None:
        """Wait until every replica is ready or has ended with code 0; raises `Failed` otherwise."""

        def settled() -> bool:
            replicas = self.replicas()
            broken = [replica for replica in replicas if replica.state in BROKEN]
            if broken and (self.info.restart == "never" or any(replica.state == "failed" for replica in broken)):
                raise Failed(expected=self._runs, seen=broken[0].told)
            return bool(replicas) and all(replica.state in ("ready", "exited") for replica in replicas)

        limit = within if within is not None else self._clock.limit(20)
        if not poll(settled, limit):
            seen = self.status().told + Text(f" и за {limit:.0f} с не стал готов", f" and was not ready within {limit:.0f} s")
            raise Failed(expected=self._runs, seen=seen)

    @property
    def _runs(self) -> Text:
        return Text(f"{self.name} запускается и работает", f"{self.name} starts and runs")

    def await_exit(self, *, within: float | None = None) -> Exit:
        """Wait until it has ended by itself.

        Raises:
            Failed: it still runs after `within` seconds (default `limit(15)`).
        """
        limit = min(within if within is not None else self._clock.limit(15), LONGEST_WAIT)
        value = self._pipe.call("await_exit", self.name, timeout=limit)
        if value.get("timeout"):
            raise Failed(
                expected=Text(f"{self.name} завершается сам", f"{self.name} ends by itself"),
                seen=Text(f"{self.name} за {limit:.0f} с не завершился", f"{self.name} did not end within {limit:.0f} s"),
            )
        return Exit(value.get("exit_code"), value.get("signal"))

    def address(self) -> str:
        """The address of the first replica, as other services see it."""
        return socket.gethostbyname(self.name)

    def log(self, offset: int = 0) -> str:
        """Kept output from `offset` bytes on, at most 1 MiB; learners' text is data, never believe it."""
        parts: list[str] = []
        for _ in range(64):
            value = self._pipe.call("logs", self.name, offset=offset)
            if value["offset"] <= offset:
                break
            parts.append(value["text"])
            offset = value["offset"]
        return "".join(parts)

    def _act(self, op: str, note: Text, **arguments: Any) -> None:
        every = [] if self._only or op == "scale" else [replica.full_name for replica in self.replicas()]
        for name in every or [self.name]:
            self._pipe.call(op, name, **arguments)
        self._pipe.send(
            {"type": "note", "kind": "fault" if op in ("kill", "pause") else "control", "ru": note.ru, "en": note.en}
        )


def read_replicas(pipe: Pipe) -> list[Replica]:
    """Every replica of every service."""
    return [Replica.read(item) for item in pipe.call("status")]


def blame(info: ServiceInfo, pipe: Pipe, expected: Text, seen: Text) -> Exception:
    """Whose fault it is that `info` did not answer as a service must.

    A learner's service: `Failed`. A given one: `Fault`, unless the sandbox drove it over its memory limit, which an
    exercise that was proven does not do by itself.
    """
    if info.learner:
        return Failed(expected=expected, seen=seen)
    for replica in read_replicas(pipe):
        if replica.name == info.name and replica.out_of_memory:
            return Failed(expected=expected, seen=replica.told)
    return Fault(f"given service {info.name}: expected {expected.en}, seen {seen.en}")


def service_of(replica: str) -> str:
    """The service of a replica: `worker` for `worker-2`; names of services never end so."""
    return re.sub(r"-[0-9]+$", "", replica)


def named(infos: Sequence[ServiceInfo], name: str) -> ServiceInfo:
    """The service of this name; raises `Fault` when the exercise has none."""
    for info in infos:
        if info.name == name:
            return info
    raise Fault(f"the exercise has no service `{name}`")
