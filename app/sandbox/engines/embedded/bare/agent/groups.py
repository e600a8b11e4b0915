"""Ceilings of one service: a control group where the pod got one, else only what the watchdog and rlimits can do."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

ROOT = Path("/cgroup")
_PERIOD_US = 100_000
#: Bubblewrap's two processes are in the group as well.
_OWN_PIDS = 2


class ServiceGroup:
    """The group of one replica or guest, below the pod's. Does nothing where `hard` is false."""

    def __init__(self, name: str, limits: dict[str, Any], root: Path = ROOT) -> None:
        self._unified = (root / "unified").is_dir()
        tops = [root / "unified"] if self._unified else [root / kind for kind in ("memory", "pids", "cpu")]
        self._paths = [top / f"s-{name}" for top in tops if top.is_dir()]
        memory, quota = limits["memory_mb"] << 20, int(limits["cpus"] * _PERIOD_US)
        pids = limits["pids"] + _OWN_PIDS
        self._values: dict[str, object]
        if self._unified:
            self._values = {"memory.max": memory, "memory.swap.max": 0, "pids.max": pids}
            self._values["cpu.max"] = f"{quota} {_PERIOD_US}"
        else:
            self._values = {
                "memory.limit_in_bytes": memory,
                "memory.memsw.limit_in_bytes": memory,
                "pids.max": pids,
            }
            self._values |= {"cpu.cfs_period_us": _PERIOD_US, "cpu.cfs_quota_us": quota}
        for path in self._paths:
            self._make(path)

    def _make(self, path: Path) -> None:
        path.mkdir(exist_ok=True)
        for file, value in self._values.items():
            # Kernels without swap (accounting) have no such ceiling, or refuse it; then there is only memory.
            with contextlib.suppress(*([OSError] if "sw" in file else [])):
                if (path / file).exists():
                    _write(path / file, value)

    @property
    def hard(self) -> bool:
        """Whether the kernel enforces the ceilings."""
        return bool(self._paths)

    def join(self) -> None:
        """Move the calling process in. A group that was empty may have been tidied away; then it is made again."""
        for path in self._paths:
            if not path.is_dir():
                self._make(path)
            _write(path / "cgroup.procs", 0)

    def kills(self) -> int:
        """How often the kernel killed a process of this group for memory."""
        for path in self._paths:
            for file in ("memory.oom_control", "memory.events"):
                with contextlib.suppress(OSError):
                    for line in (path / file).read_text().splitlines():
                        if line.startswith("oom_kill "):
                            return int(line.split()[1])
        return 0

    def memory_mb(self) -> float | None:
        """What the kernel charges to this group; None where it does not."""
        for path in self._paths:
            for file in ("memory.usage_in_bytes", "memory.current"):
                with contextlib.suppress(OSError, ValueError):
                    return int((path / file).read_text()) / (1 << 20)
        return None

    def remove(self) -> None:
        """Idempotent; the spawner removes what is still busy."""
        for path in self._paths:
            with contextlib.suppress(OSError):
                path.rmdir()


def _write(path: Path, value: object) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, str(value).encode())
    finally:
        os.close(fd)
