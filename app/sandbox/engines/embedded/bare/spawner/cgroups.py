"""Hard limits for a pod: control groups, version 1 or 2, behind one small interface.

A pod's group carries the ceilings of the whole sandbox, which the pod cannot change. Its directory belongs to the pod's
root, so that the agent can make one group per service below it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

PREFIX = "soty"
PERIOD_US = 100_000
_V1 = ("memory", "pids", "cpu")
_V2 = ("memory", "pids", "cpu")
_ABANDONED_S = 60.0
_EMPTY_WITHIN_S = 2.0


@dataclass(frozen=True, slots=True)
class Ceilings:
    """Of a whole sandbox: MiB, cores, tasks."""

    memory_mb: int
    cpus: float
    pids: int


@dataclass(frozen=True, slots=True)
class Group:
    """The control groups of one pod. `shown` maps a name inside the pod to the directory to bind there."""

    shown: dict[str, str]
    joined: tuple[str, ...]

    def join(self) -> None:
        """Move the calling process into the group."""
        for path in self.joined:
            _write(Path(path) / "cgroup.procs", 0)

    def remove(self) -> bool:
        """Remove the directories; False while a process is still in one of them."""
        gone = [_remove_tree(Path(path)) for path in self.shown.values()]
        return all(gone)


class Hierarchy(Protocol):
    """Where groups can be made."""

    version: int

    def create(self, name: str, ceilings: Ceilings, uid: int) -> Group:
        """Make the group of a pod whose root has the host uid `uid`; raises OSError and leaves nothing."""

    def leftovers(self, own: str) -> Iterator[Path]:
        """Directories of ended pods: all of the instance `own`, and old empty ones of any other."""


class VersionOne:
    """One directory per controller, below the root of each hierarchy."""

    version = 1

    def __init__(self, root: Path) -> None:
        self._roots = {controller: root / controller for controller in _V1}

    def create(self, name: str, ceilings: Ceilings, uid: int) -> Group:
        """See `Hierarchy`."""
        group = Group(
            {controller: str(root / f"{PREFIX}-{name}") for controller, root in self._roots.items()},
            tuple(str(root / f"{PREFIX}-{name}") for root in self._roots.values()),
        )
        with _undone_by(group):
            for path in group.joined:
                os.mkdir(path)
                os.chown(path, uid, uid)
            _write(Path(group.shown["memory"]) / "memory.limit_in_bytes", ceilings.memory_mb << 20)
            with contextlib.suppress(OSError):  # swap accounting may be off; then there is only memory to limit
                _write(Path(group.shown["memory"]) / "memory.memsw.limit_in_bytes", ceilings.memory_mb << 20)
            _write(Path(group.shown["pids"]) / "pids.max", ceilings.pids)
            _write(Path(group.shown["cpu"]) / "cpu.cfs_period_us", PERIOD_US)
            _write(Path(group.shown["cpu"]) / "cpu.cfs_quota_us", int(ceilings.cpus * PERIOD_US))
        return group

    def leftovers(self, own: str) -> Iterator[Path]:
        """See `Hierarchy`."""
        for root in self._roots.values():
            yield from _leftovers(root, own)


class VersionTwo:
    """One directory with all controllers, below a group that this process may divide."""

    version = 2

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        _write(parent / "cgroup.subtree_control", " ".join(f"+{controller}" for controller in _V2))

    def create(self, name: str, ceilings: Ceilings, uid: int) -> Group:
        """See `Hierarchy`. A group that is divided may hold no process, so the agent gets a leaf of its own."""
        path = self._parent / f"{PREFIX}-{name}"
        group = Group({"unified": str(path)}, (str(path / "agent"),))
        with _undone_by(group):
            path.mkdir()
            _write(path / "memory.max", ceilings.memory_mb << 20)
            with contextlib.suppress(OSError):  # kernels without swap have no such file
                _write(path / "memory.swap.max", 0)
            _write(path / "pids.max", ceilings.pids)
            _write(path / "cpu.max", f"{int(ceilings.cpus * PERIOD_US)} {PERIOD_US}")
            _write(path / "cgroup.subtree_control", " ".join(f"+{controller}" for controller in _V2))
            (path / "agent").mkdir()
            for shared in (path, path / "cgroup.procs", path / "cgroup.subtree_control", path / "agent"):
                os.chown(shared, uid, uid)
            os.chown(path / "agent" / "cgroup.procs", uid, uid)
        return group

    def leftovers(self, own: str) -> Iterator[Path]:
        """See `Hierarchy`."""
        yield from _leftovers(self._parent, own)


def find_hierarchy(
    *, root_powers: bool, mounts: Path = Path("/sys/fs/cgroup"), proc: Path = Path("/proc/self")
) -> Hierarchy | None:
    """The hierarchy that this process may use; None where limits can only be soft.

    Version 2 is preferred where it has the controllers: as root below the top, else below the delegated group that this
    process is in (`Delegate=yes`), whose processes then move to a leaf.
    """
    for top in (mounts, mounts / "unified"):
        with contextlib.suppress(OSError, ValueError):
            if not set(_V2) <= set((top / "cgroup.controllers").read_text().split()):
                continue
            if root_powers:
                return VersionTwo(top)
            own = next(line for line in (proc / "cgroup").read_text().splitlines() if line.startswith("0::"))
            return VersionTwo(_emptied(top / own[3:].lstrip("/")))
    if root_powers and all(os.access(mounts / controller / "cgroup.procs", os.W_OK) for controller in _V1):
        return VersionOne(mounts)
    return None


def _emptied(group: Path) -> Path:
    """Move every process of a delegated group to a leaf, so that the group can be divided."""
    if not set(_V2) <= set((group / "cgroup.controllers").read_text().split()):
        raise ValueError("controllers are not delegated")
    leaf = group / f"{PREFIX}-main"
    leaf.mkdir(exist_ok=True)
    for pid in (group / "cgroup.procs").read_text().split():
        with contextlib.suppress(ProcessLookupError):
            _write(leaf / "cgroup.procs", pid)
    return group


def _leftovers(root: Path, own: str) -> Iterator[Path]:
    for path in root.glob(f"{PREFIX}-*-*"):
        with contextlib.suppress(OSError):
            abandoned = time.time() - path.stat().st_mtime > _ABANDONED_S
            if path.name.startswith(f"{PREFIX}-{own}-") or (abandoned and not _occupied(path)):
                yield path


def _occupied(path: Path) -> bool:
    """Whether a process lives in the group or below: a pod's services that are stopped have empty groups of their own."""
    return any(procs.read_text().strip() for procs in path.rglob("cgroup.procs"))


def remove_leftovers(hierarchy: Hierarchy, own: str) -> int:
    """Remove what ended pods left. Only to be called by the instance `own` while it runs no pod.

    Processes in its own old groups are killed; a foreign group in which there is still one stays with all below it.
    """
    removed = 0
    for path in list(hierarchy.leftovers(own)):
        if path.name.startswith(f"{PREFIX}-{own}-"):
            for procs in path.rglob("cgroup.procs"):
                for pid in procs.read_text().split():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)
        deadline = time.monotonic() + _EMPTY_WITHIN_S
        while not (gone := _remove_tree(path)) and path.name.startswith(f"{PREFIX}-{own}-"):
            if time.monotonic() > deadline:
                break
            time.sleep(0.01)
        removed += gone
    return removed


def _remove_tree(path: Path) -> bool:
    try:
        for child in path.iterdir():
            if child.is_dir() and not child.is_symlink() and not _remove_tree(child):
                return False
        path.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _undone_by(group: Group) -> Iterator[None]:
    try:
        yield
    except OSError:
        group.remove()
        raise


def _write(path: Path, value: object) -> None:
    # One write call: the kernel takes each as a command of its own.
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, str(value).encode())
    finally:
        os.close(fd)
