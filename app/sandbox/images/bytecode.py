"""Compile the Python of an image with the image's own interpreter; services start several times faster for it."""

from __future__ import annotations

import subprocess

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
    interpreter = root / f"usr/bin/python{PYTHON}"
    if not interpreter.is_file():
        return
    loader = next(iter(sorted(root.glob("usr/lib*/ld-linux*.so.*"))), None)
    libraries = next(iter(sorted(root.glob("usr/lib/*-linux-gnu"))), None)
    if loader is None or libraries is None:
        raise BuildFailed("The image has Python but no C library.", cure="Add libc6 to its packages.")
    places = [str(root / place) for place in _PLACES if (root / place).is_dir()]
    command = [
        *(str(loader), "--library-path", str(libraries), str(interpreter), "-s", "-m", "compileall", "-qq"),
        # The tree never changes: comparing times with the source at every import would be wasted.
        *("--invalidation-mode", "unchecked-hash", "-s", str(root), "-p", "/", *places),
    ]
    env = {"PYTHONHOME": str(root / "usr"), "PYTHONDONTWRITEBYTECODE": "1", "LANG": "C.UTF-8"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    # 1 means that some file is not meant for this version (templates, test data); nothing imports those.
    if done.returncode not in (0, 1) or not (root / _PROOF).is_file():
        raise BuildFailed("The image's Python does not run on this machine.", details={"output": done.stderr[-4000:]})
    tree.share("usr/**/__pycache__/*.pyc")
