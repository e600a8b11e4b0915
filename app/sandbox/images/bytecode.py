"""Compile Python with an image's own interpreter, its own and what is mounted into it; it starts several times faster."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from app.sandbox.images.progress import BuildFailed
from app.sandbox.images.tree import Tree
from app.sandbox.images.wheels import PYTHON

_TIMEOUT = 300.0
_PROOF = f"usr/lib/python{PYTHON}/__pycache__/os.cpython-{PYTHON.replace('.', '')}.pyc"
_PLACES = (f"usr/lib/python{PYTHON}", "usr/lib/python3", f"usr/local/lib/python{PYTHON}")


def compile_python(tree: Tree) -> None:
    """Write `__pycache__` for everything; does nothing for an image without Python.

    The interpreter is started through the image's own dynamic loader, so that neither isolation nor root is needed.

    Raises:
        BuildFailed: the interpreter of the image does not run here.
    """
    root = tree.root
    if not _python(root).is_file():
        return
    places = [str(root / place) for place in _PLACES if (root / place).is_dir()]
    said = _compile(root, root, "/", places)
    if not (root / _PROOF).is_file():
        raise BuildFailed("The image's Python does not run on this machine.", details={"output": said})
    tree.share("usr/**/__pycache__/*.pyc")


def compile_files(root: Path, files: Mapping[str, bytes], place: str) -> dict[str, bytes]:
    """The bytecode of Python files that a service of this image will find at `place`: path -> content.

    Raises:
        BuildFailed: the interpreter of the image does not run here.
    """
    with tempfile.TemporaryDirectory(prefix="soty-bytecode-") as name:
        folder = Path(name)
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        said = _compile(root, folder, place, [name])
        made = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.pyc")}
    if not made:
        raise BuildFailed("The image's Python does not run on this machine.", details={"output": said})
    return made


def _python(root: Path) -> Path:
    return root / f"usr/bin/python{PYTHON}"


def _compile(root: Path, top: Path, place: str, folders: Sequence[str]) -> str:
    """Compile folders below `top`, which services see at `place`; what was said."""
    loader = next(iter(sorted(root.glob("usr/lib*/ld-linux*.so.*"))), None)
    libraries = next(iter(sorted(root.glob("usr/lib/*-linux-gnu"))), None)
    if loader is None or libraries is None:
        raise BuildFailed("The image has Python but no C library.", cure="Add libc6 to its packages.")
    command = [
        *(str(loader), "--library-path", str(libraries), str(_python(root)), "-s", "-m", "compileall", "-qq"),
        # The files never change: comparing times with the source at every import would be wasted.
        *("--invalidation-mode", "unchecked-hash", "-s", str(top), "-p", place, *folders),
    ]
    env = {"PYTHONHOME": str(root / "usr"), "PYTHONDONTWRITEBYTECODE": "1", "LANG": "C.UTF-8"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    # 1 means that some file is not meant for this version (templates, test data); nothing imports those.
    if done.returncode not in (0, 1):
        raise BuildFailed("The image's Python does not run on this machine.", details={"output": done.stderr[-4000:]})
    return done.stderr[-4000:]
