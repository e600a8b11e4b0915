"""What a service sees: its image read-only, scratch of its own, the workspace read-only, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from . import scratch

RUN = Path("/run/soty")
WORKSPACE = RUN / "workspace"
_SHM_MB = 16
_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


def write_identity(folder: Path, users: set[str]) -> None:
    """The files that say who uid 1000 is and that names come from the hosts file alone; one passwd per user name."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\nservices: files\n")
    (folder / "resolv.conf").write_text("")
    for user in users:
        (folder / f"passwd.{user}").write_text(
            f"{user}:x:1000:1000::/data:/bin/sh\nroot:x:0:0::/root:/usr/sbin/nologin\n"
            "nobody:x:65534:65534::/:/usr/sbin/nologin\n"
        )
        (folder / f"group.{user}").write_text(f"{user}:x:1000:\nroot:x:0:\nnogroup:x:65534:\n")


class View(NamedTuple):
    """The file systems of one replica or guest; `folder` is its own below RUN."""

    folder: Path
    image: str
    user: str
    hosts: Path
    limits: Mapping[str, Any]
    uid: int
    tmpfs: Mapping[str, int]
    workspace: bool = False
    given: Path | None = None
    member: Path | None = None

    def make(self) -> None:
        """Mount the scratch; `/data/gen` is there for what `prepare` generates."""
        for target, size in self._sizes().items():
            mode = 0o1777 if target in ("/tmp", "/dev/shm") else 0o755
            path = self.scratch(target)
            scratch.make(path, size_mb=size, inodes=self.limits["inodes"], uid=self.uid, mode=mode)
        generated = self.scratch("/data") / "gen"
        generated.mkdir()
        if self.uid:
            os.chown(generated, self.uid, self.uid)

    def drop(self) -> None:
        """Unmount the scratch; its content is gone."""
        for target in self._sizes():
            scratch.drop(self.scratch(target))

    def scratch(self, target: str) -> Path:
        """Where the agent sees the scratch that is mounted at `target`."""
        return self.folder / target.strip("/").replace("/", "-")

    def mounts(self) -> list[str]:
        """Options for bubblewrap."""
        options = ["--ro-bind", f"/images/{self.image}", "/", "--proc", "/proc", "--dev", "/dev"]
        for target in self._sizes():
            options += ["--bind", str(self.scratch(target)), target]
        options += ["--remount-ro", "/dev"]
        identity = RUN / "identity"
        shown: dict[Path, str] = {
            self.hosts: "/etc/hosts",
            identity / "nsswitch.conf": "/etc/nsswitch.conf",
            identity / "resolv.conf": "/etc/resolv.conf",
            identity / f"passwd.{self.user}": "/etc/passwd",
            identity / f"group.{self.user}": "/etc/group",
        }
        if self.workspace:
            shown[WORKSPACE] = "/workspace"
        if self.given is not None:
            shown[self.given] = "/given"
        if self.member is not None:
            shown[self.member] = "/member"
        for source, target in shown.items():
            options += ["--ro-bind", str(source), target]
        return options

    def _sizes(self) -> dict[str, int]:
        own = {"/tmp": self.limits["tmp_mb"], "/data": self.limits["data_mb"], "/dev/shm": _SHM_MB}
        return {**own, **self.tmpfs}


def environment(name: str, address: str, image: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Everything in the environment of a service; later sources win, PYTHONPATH gains /data/gen."""
    env = {
        "PATH": _PATH,
        "HOME": "/data",
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "SOTY_SERVICE": name,
        "SOTY_ADDRESS": address,
        **image,
        **own,
    }
    env["PYTHONPATH"] = ":".join(filter(None, ("/data/gen", env.get("PYTHONPATH", ""))))
    return env
