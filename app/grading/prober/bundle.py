"""The files of a prober: the runner, the kit and one exercise's checks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from app.content.exercise import Exercise, authored_files

_HERE = Path(__file__).resolve().parent
_GRADING = _HERE.parent
_RUNNER = ("__init__.py", "child.py", "job.py", "lines.py", "message.py", "runner.py")


def prober_files(exercise: Exercise) -> Mapping[str, bytes]:
    """Everything that `sandboxd` mounts at /member for the prober of `exercise`, but `job.json`: path -> content."""
    folder = Path(exercise.definition.checks.runner).parent.as_posix()
    return {**platform_files(), **_below(exercise.folder / folder, folder)}


def platform_files() -> dict[str, bytes]:
    """The part that is the same for all exercises."""
    files = {"run.py": (_HERE / "run.py").read_bytes(), "grading/__init__.py": b""}
    files |= {f"grading/prober/{name}": (_HERE / name).read_bytes() for name in _RUNNER}
    return {**files, **_below(_GRADING / "kit", "grading/kit")}


def _below(folder: Path, prefix: str) -> dict[str, bytes]:
    return {f"{prefix}/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in authored_files(folder)}
