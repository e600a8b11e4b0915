"""What must be true after an attack: the host untouched, the engine at work, nothing left over."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from app.sandbox.engine import Engine
from tests.pods import alive, processes_below, sandbox, started, until

WITHIN = 5.0  #: seconds for the platform to answer, and for what ended to be gone


async def still_launches(engine: Engine) -> None:
    """A fresh sandbox of another learner starts, answers and ends."""
    began = time.monotonic()
    spec = sandbox()
    await started(engine, spec)
    await until(engine, spec, "a fresh sandbox after the attack", lambda status: status.ready, within=WITHIN)
    await engine.stop(spec.id)
    assert time.monotonic() - began < WITHIN, "a fresh launch takes longer than that"


def assert_ready(url: str) -> None:
    """The running product says of itself that it can serve."""
    assert httpx.get(f"{url}/readyz", timeout=WITHIN).json()["status"] == "ready"


@dataclass(frozen=True)
class Canary:
    """A file of the host, with everything that could be changed of it.

    Attributes:
        top: folder of the whole test run; homes of engines lie below it.
    """

    path: Path
    top: Path
    content: str
    facts: tuple[int, ...]

    @classmethod
    def planted(cls, folder: Path) -> Canary:
        """Write it. Any account may write to it: only isolation keeps an attacker away."""
        path = folder / "canary"
        path.write_text("canary-7f3a91\n")
        path.chmod(0o666)
        for parent in (folder, folder.parent):
            parent.chmod(0o755)
        return cls(path, folder.parent, path.read_text(), _facts(path))

    def assert_unchanged(self) -> None:
        """Same content, owner, mode, links and time."""
        assert self.path.read_text() == self.content
        assert _facts(self.path) == self.facts
        assert [entry.name for entry in self.path.parent.iterdir()] == [self.path.name]


def _facts(path: Path) -> tuple[int, ...]:
    found = path.lstat()
    return (found.st_ino, found.st_mode, found.st_uid, found.st_gid, found.st_nlink, found.st_mtime_ns)


@dataclass(frozen=True)
class Traces:
    """What this test run could leave behind: processes, namespaces, groups, mounts, interfaces, files of engines."""

    engines: tuple[Path, ...]
    processes: frozenset[tuple[int, str]]
    things: frozenset[str]

    @classmethod
    def of(cls, top: Path) -> Traces:
        """Look around now; engines that have a home below `top` are looked at."""
        return cls._of_engines(tuple(path.parent for path in top.glob("**/embedded/instance")))

    @classmethod
    def _of_engines(cls, engines: tuple[Path, ...]) -> Traces:
        return cls(engines, frozenset(alive(processes_below(os.getpid()))), frozenset(_things(engines)))

    async def assert_nothing_new(self) -> None:
        """Within a few seconds nothing is there that was not there before."""
        deadline = time.monotonic() + WITHIN
        while True:
            now = Traces._of_engines(self.engines)
            new = [*map(_told, now.processes - self.processes), *(now.things - self.things)]
            if not new:
                return
            assert time.monotonic() < deadline, f"left over: {sorted(new)[:20]}"
            await asyncio.sleep(0.05)


def _told(process: tuple[int, str]) -> str:
    try:
        argv = Path(f"/proc/{process[0]}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
    except OSError:
        argv = "ended just now"
    return f"process {process[0]} {argv[:200]}"


def _things(engines: tuple[Path, ...]) -> set[str]:
    instances = [(engine / "instance").read_text() for engine in engines if (engine / "instance").exists()]
    found = {f"file {path}" for engine in engines for path in engine.rglob("*") if path.is_file() and path.name != "lock"}
    found |= {f"interface {path.name}" for path in Path("/sys/class/net").iterdir()}
    found |= {f"namespace {name}" for name in _namespaces()}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = line.split()[4]
        if point.startswith(tuple(map(str, engines))) or any(instance in point for instance in instances):
            found.add(f"mount {point}")
    if instances:
        groups = (Path(folder, name) for folder, names, _ in os.walk("/sys/fs/cgroup") for name in names)
        found |= {f"group {path}" for path in groups if any(f"soty-{one}-" in path.name for one in instances)}
    return found


def _namespaces() -> set[str]:
    """Namespaces that our processes are in or hold open; a process that ends while we look has none."""
    found = set()
    for pid in {os.getpid(), *(pid for pid, _ in processes_below(os.getpid()))}:
        for folder in (Path(f"/proc/{pid}/ns"), Path(f"/proc/{pid}/fd")):
            try:
                links = [str(entry.readlink()) for entry in folder.iterdir()]
            except OSError:
                continue
            found.update(link for link in links if link.partition(":")[0] in ("net", "mnt", "pid", "user", "ipc", "uts"))
    return found
