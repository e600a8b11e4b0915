"""Python libraries of an image: hashed wheels, downloaded on the host and unpacked as plain files; no pip runs inside."""

from __future__ import annotations

import configparser
import platform
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

from app.sandbox.images.progress import BuildFailed
from app.sandbox.images.tree import Tree

PYTHON = "3.13"
_GLIBC_MINOR = 41  # of the release that images are made of
_SITE = f"usr/local/lib/python{PYTHON}/dist-packages"
_TIMEOUT = 900.0
_SCRIPT = "#!/usr/bin/python3\nimport sys\nfrom {module} import {name}\nsys.exit({name}())\n"


def download(lock: Path, cache: Path, report: Callable[[int, int], None]) -> list[Path]:
    """The wheels of a hashed requirements file, for the image's Python and this machine's architecture.

    Raises:
        BuildFailed: the index does not give them, or a hash differs.
    """
    text = lock.read_bytes()
    total = sum(b"==" in line for line in text.splitlines() if not line.startswith((b"#", b" ")))
    folder = cache / sha256(text + platform.machine().encode()).hexdigest()[:16]
    whole = folder / ".whole"
    if not whole.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        report(0, total)
        _pip_download(lock, folder, lambda done: report(min(done, total), total))
        whole.touch()
    return sorted(folder.glob("*.whl"))


def _pip_download(lock: Path, folder: Path, report: Callable[[int], None]) -> None:
    machine = platform.machine()
    tags = [f"manylinux_2_{minor}_{machine}" for minor in range(_GLIBC_MINOR, 4, -1)]
    tags += [f"manylinux2014_{machine}", f"manylinux2010_{machine}", f"manylinux1_{machine}"]
    command = [
        *(sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-input", "--progress-bar", "off"),
        *("--require-hashes", "--no-deps", "--only-binary", ":all:", "--python-version", PYTHON, "--implementation", "cp"),
        *("--abi", f"cp{PYTHON.replace('.', '')}", "--abi", "abi3", "--abi", "none"),
        *(option for tag in tags for option in ("--platform", tag)),
        *("--dest", str(folder), "--requirement", str(lock)),
    ]
    output: list[str] = []
    with subprocess.Popen(
        command, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            output.append(line)
            if line.startswith("Collecting "):
                report(sum(row.startswith("Collecting ") for row in output) - 1)
    if process.returncode:
        text = "".join(output)
        cure = "Check the network, the proxy and certificate settings and pip's index, then try again."
        if "DO NOT MATCH THE HASHES" in text:
            cure = f"What the index gave is not what was locked: lock {lock.parent.name}/{lock.name} anew."
        raise BuildFailed("The Python libraries cannot be downloaded.", cure=cure, details={"output": text[-4000:]})


def unpack(wheel: Path, tree: Tree) -> None:
    """Put a wheel's files where the image's Python finds them, and its commands into /usr/local/bin."""
    with ZipFile(wheel) as archive:
        for info in archive.infolist():
            place = None if info.is_dir() else _place(info.filename)
            if place:
                executable = bool(info.external_attr >> 16 & 0o111) or place.startswith("usr/local/bin/")
                tree.add_file(place, archive.read(info), executable=executable)
        entry_points = next((name for name in archive.namelist() if name.endswith(".dist-info/entry_points.txt")), None)
        if entry_points:
            _add_commands(archive.read(entry_points).decode(), tree)


def _place(name: str) -> str | None:
    """Where a file of a wheel goes; None: nowhere (headers and other data)."""
    parts = PurePosixPath(name).parts
    if parts[0].endswith(".data") and len(parts) > 2:
        folder = {"purelib": _SITE, "platlib": _SITE, "scripts": "usr/local/bin"}.get(parts[1])
        return f"{folder}/{'/'.join(parts[2:])}" if folder else None
    return f"{_SITE}/{name}"


def _add_commands(text: str, tree: Tree) -> None:
    parser = configparser.ConfigParser(delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment]  # names are case-sensitive
    parser.read_string(text)
    if parser.has_section("console_scripts"):
        for command, target in parser["console_scripts"].items():
            module, _, name = target.split("[")[0].strip().partition(":")
            tree.add_file(f"usr/local/bin/{command}", _SCRIPT.format(module=module, name=name).encode(), executable=True)
