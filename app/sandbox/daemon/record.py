"""What sandboxd knows of one sandbox while it lives, and for ten minutes after."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from app.content.topology import INIT_FOLDER
from app.sandbox.daemon.exercises import LoadedExercise
from app.sandbox.journal import Entry
from app.sandbox.model import EngineStatus, Purpose, SandboxSpec, SandboxState, ServiceSpec, ServiceState, ServiceStatus
from app.sandbox.taps.supervisor import Taps

QUEUED_STAGE = "queued"
ISOLATION_STAGE = "isolation"
TAPS_STAGE = "taps"
INIT_STAGE = "init"
_NOTES_KEPT = 50


@dataclass(slots=True)
class Stage:
    """A named part of a launch. `began` and `ended` are monotonic seconds."""

    name: str
    usual: float = 0.0
    began: float | None = None
    ended: float | None = None

    def seconds(self, now: float) -> float:
        """How long it has taken so far."""
        return 0.0 if self.began is None else max(0.0, (self.ended or now) - self.began)


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a sandbox ends: a machine code and a sentence for operators."""

    reason: str
    message: str = ""


@dataclass(slots=True, eq=False)
class Record:
    """One sandbox. Durations are measured on the monotonic clock, facts are told in seconds since the epoch.

    Attributes:
        entry: what the journal holds.
        loaded, spec: what it was started from; None for one that the journal alone remembers.
        files: the workspace that was last put.
        revision: of that workspace; empty until the engine told one.
        set_up: given service -> the file that it was last set up with.
        taps: None when its exercise has no edges, or they are not attached yet.
        notes: what people should know besides the engine's events.
        expires: monotonic time of its end; None until it is ready.
        touched: monotonic time of the last interaction.
        ending: done as soon as somebody wants it to end.
        admitted: set when its turn has come.
        busy: held by whoever changes its services.
    """

    entry: Entry
    loaded: LoadedExercise | None = None
    spec: SandboxSpec | None = None
    status: EngineStatus | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    revision: str = ""
    set_up: dict[str, bytes] = field(default_factory=dict)
    taps: Taps | None = None
    notes: list[str] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)
    ttl_seconds: float = 0.0
    expires: float | None = None
    idle_seconds: float | None = None
    touched: float = 0.0
    extensions_left: int = 0
    checks_running: bool = False
    ending: asyncio.Future[Ending] | None = None
    admitted: asyncio.Event = field(default_factory=asyncio.Event)
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def id(self) -> str:
        return self.entry.id

    @property
    def state(self) -> SandboxState:
        return self.entry.state

    @property
    def purpose(self) -> Purpose:
        return self.entry.purpose

    @property
    def alive(self) -> bool:
        """Whether it waits, starts or runs; a stopping one does not count."""
        return self.state in (SandboxState.QUEUED, SandboxState.STARTING, SandboxState.READY)

    def forget(self) -> None:
        """It is gone: let go of everything but the facts."""
        self.loaded = self.spec = self.status = self.taps = None
        self.files = {}
        self.set_up = {}

    def note(self, text: str) -> None:
        """Tell people something; the last fifty are kept."""
        self.notes = [*self.notes[1 - _NOTES_KEPT :], text]

    def init_path(self, service: str) -> str | None:
        """File of the workspace that a given service is set up with."""
        definition = self.loaded.exercise.definition.sandbox.services.get(service) if self.loaded else None
        return definition.init.removeprefix(INIT_FOLDER) if definition and definition.init else None

    @property
    def idle_at(self) -> float | None:
        """Monotonic time at which it ends unless somebody uses it."""
        return None if self.idle_seconds is None else self.touched + self.idle_seconds

    @property
    def services(self) -> tuple[ServiceStatus, ...]:
        return self.status.services if self.status else ()

    def stage(self, name: str) -> Stage | None:
        return next((stage for stage in self.stages if stage.name == name), None)

    def service(self, name: str) -> ServiceSpec | None:
        """Specification of a service by its plain name."""
        return next((spec for spec in (self.spec.services if self.spec else ()) if spec.name == name), None)

    def starts_at_launch(self, name: str) -> bool:
        """Whether the service runs from the beginning."""
        spec = self.service(name)
        return spec is not None and spec.start == "launch"

    def is_given(self, name: str) -> bool:
        """Whether the service is the platform's own."""
        spec = self.service(name)
        return spec is not None and spec.given

    @property
    def given_on_their_way(self) -> bool:
        """Whether a given service that starts with the sandbox has not answered yet."""
        names = {spec.name for spec in self.spec.services if spec.given and spec.start == "launch"} if self.spec else set()
        return self.status is None or any(s.name in names and s.state in _ON_ITS_WAY for s in self.services)

    def unsettled(self, now: float, patience: float) -> tuple[str, ...]:
        """Full names of the services that still keep the sandbox from being used.

        A given one does until it is ready or has ended well. A learner's one does while it prepares or starts, but at most
        `patience` seconds: what learner code fails to do is for the checks to say.

        Args:
            now: seconds since the epoch.
        """
        return tuple(status.full_name for status in self.services if self._holds_up(status, now, patience))

    def _holds_up(self, status: ServiceStatus, now: float, patience: float) -> bool:
        spec = self.service(status.name)
        if spec is None or (status.state is ServiceState.WAITING and spec.start == "manual"):
            return False
        if spec.given:
            return status.state not in (ServiceState.READY, ServiceState.EXITED, ServiceState.STOPPED, ServiceState.PAUSED)
        return status.state in _ON_ITS_WAY and now - status.since < patience


_ON_ITS_WAY = (ServiceState.WAITING, ServiceState.PREPARING, ServiceState.STARTING)
