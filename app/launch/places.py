"""Who runs what, and where the folders are: as root each process has an account of its own, otherwise all share one."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from app.errors import Conflict, PlatformError
from app.settings import CHECKOUT, Settings

APP_ACCOUNT = "soty-app"  #: web and worker; owns the database and the secrets
LIVE_ACCOUNT = "soty-live"  #: live; may reach sandboxd's watch and byte sockets only
REACHABLE = Path("/run/soty")  #: where closed folders are shown to the accounts


@dataclass(frozen=True)
class Places:
    """How the processes see this machine.

    Attributes:
        as_root: whether accounts are used.
        binds: folder -> where the accounts see it (only folders that they could not enter).
    """

    home: Path
    checkout: Path = CHECKOUT
    as_root: bool = field(default_factory=lambda: os.geteuid() == 0)
    binds: tuple[tuple[Path, Path], ...] = ()

    def seen(self, path: Path) -> Path:
        """Where the accounts see `path`."""
        for source, target in self.binds:
            if path == source or source in path.parents:
                return target / path.relative_to(source)
        return path


def enterable(path: Path) -> bool:
    """Whether any account may enter every folder on the way to `path`."""
    return all(part.stat().st_mode & stat.S_IXOTH for part in (path, *path.parents) if part.is_dir())


def survey(settings: Settings) -> Places:
    """Find out who can see what; creates nothing."""
    if os.geteuid() != 0:
        return Places(settings.home)
    binds: list[tuple[Path, Path]] = []
    for index, folder in enumerate((CHECKOUT, settings.home)):
        covered = any(source == folder or source in folder.parents for source, _ in binds)
        if not covered and not enterable(folder if folder.exists() else folder.parent):
            binds.append((folder, REACHABLE / f"{os.getpid()}-{index}"))
    return Places(settings.home, binds=tuple(binds))


def account_exists(name: str) -> bool:
    """Whether this machine has an account of this name."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def remove_account(name: str) -> None:
    """Remove a system account and its group; its files stay.

    Raises:
        Conflict: one of its processes is running.
        PlatformError: it cannot be removed.
    """
    busy = [path.parent.name for path in Path("/proc").glob("[0-9]*/status") if _owner(path) == pwd.getpwnam(name).pw_uid]
    if busy:
        raise Conflict(f"{name} is at work (process {busy[0]}).", code="account-busy", cure="Stop Soty first.")
    argv = ["userdel", name]
    result = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    if result.returncode != 0:
        raise PlatformError(f"The account {name} could not be removed: {result.stderr.strip()}", cure=f"Type: {' '.join(argv)}")


def _owner(path: Path) -> int:
    try:
        return path.stat().st_uid
    except OSError:
        return -1


def ensure_account(name: str) -> None:
    """Create a system account without home, shell or password, unless it exists.

    Raises:
        PlatformError: it cannot be created.
    """
    if account_exists(name):
        return
    argv = [
        "useradd",
        "--system",
        "--no-create-home",
        "--home-dir",
        "/nonexistent",
        "--shell",
        "/usr/sbin/nologin",
        "--user-group",
        name,
    ]
    result = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    if result.returncode != 0:
        raise PlatformError(
            f"The system account {name} could not be created: {result.stderr.strip()}", cure=f"Type: {' '.join(argv)}"
        )


def own(path: Path, account: str | None, mode: int) -> None:
    """Create a folder with this owner and mode."""
    path.mkdir(parents=True, exist_ok=True)
    if account and os.geteuid() == 0:
        entry = pwd.getpwnam(account)
        os.chown(path, entry.pw_uid, entry.pw_gid)
    path.chmod(mode)


def lay_out(places: Places) -> None:
    """Create accounts (as root) and the folders of `SOTY_HOME`, each owned by who writes it."""
    app, live = (APP_ACCOUNT, LIVE_ACCOUNT) if places.as_root else (None, None)
    if places.as_root:
        for name in (APP_ACCOUNT, LIVE_ACCOUNT):
            ensure_account(name)
    home = places.home
    home.mkdir(parents=True, exist_ok=True)
    if places.as_root:
        home.chmod(0o755)
    for name, account, mode in (
        ("db", app, 0o700), ("secrets", app, 0o700), ("cache", app, 0o755), ("metrics", app, 0o700), ("worker", app, 0o700),
        ("public", app, 0o755),
        ("live", live, 0o755), ("sandboxd", None, 0o755), ("run", None, 0o755),
    ):  # fmt: skip
        own(home / name, account, mode)
