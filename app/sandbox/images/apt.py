"""Private apt: resolves, downloads and verifies Debian packages for images; the host's own package state is never touched."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from app.sandbox.images.progress import BuildFailed
from app.sandbox.images.sources import KEYRING, SUITE, choose, read_sources

LISTS_LIVE_SECONDS = 6 * 3600.0
_TIMEOUT = 900.0
_URI = re.compile(r"^'(?P<uri>[^']+)' (?P<file>\S+) (?P<size>\d+) SHA256:(?P<sha256>[0-9a-f]{64})$")
#: What of the host's apt settings matters for reaching a mirror. Hooks and trust settings of the host are left behind.
_HOST_SETTINGS = re.compile(
    r"^Acquire::(https?|ftp|Retries|ForceIPv[46]|Check-Valid-Until|Check-Date|Max-FutureTime|Proxy)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Package:
    """A package file that apt chose: its name in the cache and what it must hash to (signed for by the archive)."""

    file: str
    sha256: str
    size: int


class Apt:
    """apt with directories of its own below `home`; works for an ordinary user."""

    def __init__(self, home: Path, mirror: str = "") -> None:
        self._home = home
        self._mirror = mirror
        self._archives = home / "archives"

    def refresh(self) -> None:
        """Fetch and verify the package lists, unless they are fresh.

        Raises:
            BuildFailed: no keyring, no mirror, no network; with the cure.
        """
        self._need_tools()
        lines = "".join(f"{line}\n" for line in choose(read_sources(), self._mirror))
        self._lay_out(lines)  # always: fresh lists may have been fetched when this folder had another path
        stamp = self._home / "lists.stamp"
        if stamp.is_file() and stamp.read_text() == lines and time.time() - stamp.stat().st_mtime < LISTS_LIVE_SECONDS:
            return
        done = self._run("apt-get", "update", "--error-on=any")
        if done.returncode:
            raise BuildFailed(
                "The package lists of Debian cannot be fetched.",
                cure=_cure(done.stdout),
                details={"output": done.stdout[-4000:]},
            )
        stamp.write_text(lines)

    def resolve(self, names: Sequence[str]) -> list[Package]:
        """Everything that `names` need, themselves included, in apt's order of unpacking.

        Raises:
            BuildFailed: a package does not exist in this release.
        """
        # An archive directory that stays empty: with a full one apt would leave out what it holds.
        done = self._run("apt-get", "install", "-y", "--print-uris", "-o", f"Dir::Cache::archives={self._home}/none", *names)
        if done.returncode:
            raise BuildFailed(
                f"Debian {SUITE} cannot provide: {', '.join(names)}.",
                cure="Check the names of the packages in image.yaml.",
                details={"output": done.stdout[-4000:]},
            )
        matches = filter(None, map(_URI.match, done.stdout.splitlines()))
        return [Package(m["file"], m["sha256"], int(m["size"])) for m in matches]

    def download(self, names: Sequence[str], packages: Sequence[Package], report: Callable[[int, int], None]) -> None:
        """Bring `packages` into the cache; what is there already is not fetched again.

        Raises:
            BuildFailed: the mirror does not give them.
        """
        missing = [package for package in packages if not self._has(package)]
        if not missing:
            return
        report(0, len(missing))
        command = ["apt-get", "install", "-y", "--download-only", *names]
        output: list[str] = []
        with subprocess.Popen(
            command, env=self._env(), text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                output.append(line)
                if line.startswith("Get:"):
                    report(min(sum(row.startswith("Get:") for row in output), len(missing)), len(missing))
        if process.returncode:
            text = "".join(output)
            raise BuildFailed(
                "The packages of Debian cannot be downloaded.", cure=_cure(text), details={"output": text[-4000:]}
            )

    def file(self, package: Package) -> Path:
        """The package's file in the cache, its hash verified now.

        Raises:
            BuildFailed: it is not what the archive signed; it is removed, so that the next try fetches it.
        """
        path = self._archives / package.file
        if sha256(path.read_bytes()).hexdigest() != package.sha256:
            path.unlink()
            raise BuildFailed(
                f"The package {package.file} is damaged.", cure="Prepare the image again: it will be fetched anew."
            )
        return path

    def _has(self, package: Package) -> bool:
        path = self._archives / package.file
        return path.is_file() and path.stat().st_size == package.size

    def _need_tools(self) -> None:
        for tool, package in (("apt-get", "apt"), ("dpkg-deb", "dpkg")):
            if shutil.which(tool) is None:
                raise BuildFailed(
                    f"Images are made with {tool}, which this machine lacks.",
                    cure=f"Install {package}, or use the Docker engine.",
                )
        if not KEYRING.is_file():
            raise BuildFailed("Debian's signing keys are missing.", cure="Run: sudo apt-get install debian-archive-keyring")

    def _lay_out(self, lines: str) -> None:
        for name in ("lists/partial", "archives/partial", "none/partial"):
            (self._home / name).mkdir(parents=True, exist_ok=True)
        (self._home / "status").touch()
        (self._home / "sources.list").write_text(lines)
        (self._home / "apt.conf").write_text("".join(f"{line}\n" for line in self._settings()))

    def _settings(self) -> Iterator[str]:
        dump = subprocess.run(["/usr/bin/apt-config", "dump"], capture_output=True, text=True, timeout=30, check=True).stdout
        yield from (line for line in dump.splitlines() if _HOST_SETTINGS.match(line))
        home = self._home
        own = {
            "Dir::Etc::main": "/dev/null",
            "Dir::Etc::parts": "/dev/null",
            "Dir::Etc::sourcelist": f"{home}/sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "Dir::State": f"{home}",
            "Dir::State::lists": f"{home}/lists",
            "Dir::State::status": f"{home}/status",
            "Dir::Cache": f"{home}",
            "Dir::Cache::archives": f"{home}/archives",
            "APT::Sandbox::User": "",
            "APT::Install-Recommends": "false",
            "APT::Install-Suggests": "false",
            "APT::Get::AllowUnauthenticated": "false",
            "Acquire::AllowInsecureRepositories": "false",
            "Acquire::Languages": "none",
            "Acquire::ForceHash": "SHA256",
            "Acquire::Retries": "3",
        }
        yield from (f'{key} "{value}";' for key, value in own.items())

    def _env(self) -> dict[str, str]:
        return {**os.environ, "APT_CONFIG": f"{self._home}/apt.conf", "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env=self._env(),
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TIMEOUT,
            check=False,
        )


def _cure(output: str) -> str:
    if "NO_PUBKEY" in output or "is not signed" in output:
        return f"Update Debian's signing keys: sudo apt-get install debian-archive-keyring (they must know {SUITE})."
    return "Check the network, the proxy settings and the mirror (SOTY_APT_MIRROR), then try again."
