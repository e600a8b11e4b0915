"""What a sandbox is, as plain values: specifications go down to an engine, statuses come back up.

Stdlib only: the engine, `sandboxd`, its clients and the tests all speak these types.
Units: memory in MiB, time in seconds, CPU in cores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal


class SandboxState(StrEnum):
    """`queued -> starting -> ready -> stopping -> gone`; never backwards."""

    QUEUED = "queued"
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    GONE = "gone"


class ServiceState(StrEnum):
    """State of one replica of a service."""

    WAITING = "waiting"  #: not started yet: manual, or a learner's service before its release
    PREPARING = "preparing"  #: its `prepare` command runs
    STARTING = "starting"  #: runs, readiness probe has not answered yet
    READY = "ready"
    PAUSED = "paused"  #: every process is stopped by SIGSTOP or the freezer
    EXITED = "exited"  #: ended by itself with code 0
    CRASHED = "crashed"  #: ended by itself with another code or a signal
    STOPPED = "stopped"  #: ended because somebody asked
    FAILED = "failed"  #: `prepare` failed, it never became ready, or what it needs could not be set up


ENDED = frozenset({ServiceState.EXITED, ServiceState.CRASHED, ServiceState.STOPPED, ServiceState.FAILED})


class Purpose(StrEnum):
    """Why a sandbox runs; also its admission class."""

    PRACTICE = "practice"
    GRADING = "grading"
    PROOF = "proof"


OPERATOR = "operator"  #: owner of what the command line starts; no account has this id, and no row tells of it


@dataclass(frozen=True, slots=True)
class Limits:
    """Ceilings of one service replica."""

    memory_mb: int = 128
    cpus: float = 0.5
    pids: int = 64
    nofile: int = 1024
    tmp_mb: int = 32  #: tmpfs at /tmp
    data_mb: int = 32  #: tmpfs at /data (scratch)
    inodes: int = 8192  #: per tmpfs
    log_kb: int = 1024  #: kept output; the rest is dropped and counted


@dataclass(frozen=True, slots=True)
class ReadyProbe:
    """How the engine learns that a service answers. `none` means: ready as soon as it runs."""

    kind: Literal["tcp", "http", "amqp", "postgres", "none"] = "none"
    port: int = 0
    path: str = "/"


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """One service of a sandbox.

    Attributes:
        name: DNS label; also the host name that other services use.
        image: folder name under `sandboxes/`.
        command: argv that overrides the image's; empty takes the image's own.
        env: variables of the service; nothing else is in its environment but what the image sets.
        given: written by us (broker, database, stub), not by the learner.
        start: `launch` starts with the sandbox, a learner's service once `Engine.release` is called; `manual` waits for a
            start call.
        restart: `always` restarts what ended by itself (back-off, at most 25 times); `never` leaves it.
        prepare: argv run before `command` with the same limits, output directory /data/gen; its failure fails the service.
        segment: `front` (learner's side) or `back` (upstreams behind taps).
        workspace: whether the learner's files are mounted read-only at /workspace.
        files: platform-owned files mounted read-only at /given (given services only): relative path -> content.
    """

    name: str
    image: str
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    given: bool = False
    start: Literal["launch", "manual"] = "launch"
    restart: Literal["always", "never"] = "never"
    prepare: tuple[str, ...] = ()
    replicas: int = 1
    segment: Literal["front", "back"] = "front"
    workspace: bool = True
    ready: ReadyProbe | None = None  #: None takes the image's own
    limits: Limits = field(default_factory=Limits)
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """Everything an engine needs to start a sandbox; built by `sandboxd` alone, never by a caller.

    `secrets` are platform credentials (such as the prober's broker password); given services receive them as files
    under /given/secrets, learner services never do.
    """

    id: str
    services: tuple[ServiceSpec, ...]
    files: Mapping[str, bytes] = field(default_factory=dict)  #: the workspace
    two_segments: bool = False  #: true exactly when the exercise has edges
    secrets: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    member_images: tuple[str, ...] = ()  #: images that guests will be attached from
    memory_mb: int = 1024  #: ceiling of the whole sandbox
    cpus: float = 1.0
    pids: int = 512


@dataclass(frozen=True, slots=True)
class MemberSpec:
    """A guest of the platform inside a sandbox's network: the prober, or a tap.

    It has an interface on every segment and a mount, pid, ipc and user namespace of its own. `files` are mounted read-only
    at /member for it alone; SOTY_ADDRESS is its address on the front segment.

    Attributes:
        stands_for: name of a service on the back segment that resolves to this guest on the front segment, as long as the
            guest lives; empty: no service can resolve it. Guests and services of the back segment see the service itself.
    """

    name: str
    image: str
    command: tuple[str, ...]
    files: Mapping[str, bytes] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=lambda: Limits(memory_mb=192, cpus=1.0, pids=128))
    stands_for: str = ""


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One replica, as the engine sees it now. `replica` counts from 1; times are seconds since the epoch."""

    name: str
    replica: int
    state: ServiceState
    since: float
    exit_code: int | None = None
    signal: int | None = None
    restarts: int = 0
    out_of_memory: bool = False
    rss_mb: float = 0.0
    log_bytes: int = 0
    log_dropped: int = 0
    files_revision: str = ""  #: hash of the workspace that this replica was started with
    message: str = ""  #: why it failed, in one line
    address: str = ""  #: on its segment; the same as long as the replica exists

    @property
    def full_name(self) -> str:
        """`worker` for the first replica, `worker-2` for the second."""
        return self.name if self.replica == 1 else f"{self.name}-{self.replica}"


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """What the engine knows of one sandbox. `alive` is false once its isolation is gone."""

    id: str
    alive: bool
    ready: bool
    services: tuple[ServiceStatus, ...] = ()
    events: tuple[str, ...] = ()  #: e.g. "worker: killed by the memory limit (128 MiB)"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class LogChunk:
    """A piece of a replica's output. `offset` counts kept bytes; reading again from `offset + len(data)` continues."""

    service: str
    offset: int
    data: bytes
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class ExecResult:
    """Outcome of a command run inside a service. Output is capped at 1 MiB per stream."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    timed_out: bool = False


LimitStrength = Literal["hard", "soft", "none"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `doctor`. `cure` is a command or a sentence, in English."""

    name: str
    ok: bool
    what: str
    cure: str = ""


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """What the engine can do on this machine. `usable` is false when isolation is missing: then it refuses to launch."""

    engine: str
    usable: bool
    limits: Mapping[str, LimitStrength]  #: keys: memory, cpu, pids, disk, log, network
    findings: tuple[Finding, ...]
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        """Why the engine refuses, with the cure; empty when usable."""
        bad = [f for f in self.findings if not f.ok]
        return "" if self.usable else "; ".join(f"{f.what} {f.cure}".strip() for f in bad)
