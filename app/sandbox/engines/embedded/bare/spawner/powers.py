"""What this process may do on the host, read from the kernel and not guessed from the uid."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

FIRST_UID = 210_000
LAST_UID = FIRST_UID + 400_000
_CAP_SETGID, _CAP_SETUID, _CAP_SYS_ADMIN = 6, 7, 21


@dataclass(frozen=True, slots=True)
class Powers:
    """`pod_uids`: each pod can have host uids of its own. `mounts`: paths below closed directories can be shown to pods.

    `unsafe` says why no pod may run at all; empty when it may.
    """

    pod_uids: bool
    mounts: bool
    unsafe: str = ""


def read_powers(proc: Path = Path("/proc/self")) -> Powers:
    """Look at uid, capabilities and uid map of this process."""
    status = dict(line.split(":\t", 1) for line in (proc / "status").read_text().splitlines() if ":\t" in line)
    capabilities = int(status["CapEff"], 16)
    uid = int(status["Uid"].split()[1])

    def has(bit: int) -> bool:
        return bool(capabilities >> bit & 1)

    ranges = [tuple(map(int, line.split())) for line in (proc / "uid_map").read_text().splitlines()]
    mapped = any(inside <= FIRST_UID and inside + count > LAST_UID for inside, _, count in ranges)
    pod_uids = uid == 0 and mapped and has(_CAP_SETUID) and has(_CAP_SETGID)
    host_root = uid == 0 and any(inside == 0 and outside == 0 for inside, outside, _ in ranges)
    unsafe = ""
    if host_root and not pod_uids:
        unsafe = "running as root without the right to change to other uids: pods would own the files of root"
    return Powers(pod_uids, pod_uids and has(_CAP_SYS_ADMIN), unsafe)


def open_to_others(path: str) -> bool:
    """Whether an unrelated uid can enter every directory above `path`, and `path` itself."""
    real = Path(os.path.realpath(path))
    return all(os.stat(part).st_mode & 0o001 for part in (real, *real.parents) if part.is_dir())
