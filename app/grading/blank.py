"""`./soty exercise new`: a small exercise that already runs, to be turned into another."""

from __future__ import annotations

import shutil
from pathlib import Path

from app.content.exercise import load_exercise
from app.errors import Conflict, ContentInvalid
from app.settings import CHECKOUT

_BLANK = CHECKOUT / "docs" / "blank-exercise"
_ID = "blank-exercise"


def make_exercise(exercises_dir: Path, exercise_id: str) -> Path:
    """Copy the skeleton under a new id; return its folder.

    Raises:
        Conflict: the folder exists.
        ContentInvalid: the id is not one (lower-case words joined by hyphens).
    """
    folder = exercises_dir / exercise_id
    if folder.exists():
        raise Conflict(f"There is an exercise `{exercise_id}` already.", code="exercise-exists")
    shutil.copytree(_BLANK, folder, ignore=shutil.ignore_patterns("__pycache__"))
    definition = folder / "exercise.yaml"
    definition.write_text(definition.read_text("utf-8").replace(_ID, exercise_id), "utf-8")
    try:
        load_exercise(folder)
    except ContentInvalid:
        shutil.rmtree(folder)
        raise
    return folder
