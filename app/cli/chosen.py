"""What a command was asked to work on: exercises by id, and a folder as somebody's files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from app.content.exercise import Exercise, ExerciseCatalog, load_exercise
from app.errors import InvalidInput, NotFound
from app.settings import Settings


def chosen_exercises(catalog: ExerciseCatalog, ids: Sequence[str], folder: Path) -> list[Exercise]:
    """The exercises of these ids in course order, or all of them.

    Raises:
        NotFound: one of them does not exist.
        ContentInvalid: one of them is faulty.
    """
    for one in ids:
        if catalog.get(one) is None:
            if not (folder / one / "exercise.yaml").is_file():
                raise NotFound(f"There is no exercise `{one}`.")
            load_exercise(folder / one)
    return [exercise for name, exercise in catalog.exercises.items() if not ids or name in ids]


def editable_files(settings: Settings, exercise: Exercise, folder: Path) -> dict[str, str]:
    """Those files of a folder that may be edited in this exercise: path -> text.

    Raises:
        NotFound: there is no such folder.
        InvalidInput: it has none of the files, or one that is not text.
    """
    place = settings.called_from / folder
    if not place.is_dir():
        raise NotFound(f"There is no folder {folder}.")
    try:
        files = {path: (place / path).read_text("utf-8") for path in exercise.editable_paths if (place / path).is_file()}
    except UnicodeDecodeError as error:
        raise InvalidInput(f"A file in {folder} is not UTF-8 text: {error}.") from error
    if not files:
        raise InvalidInput(f"{folder} has none of the files {', '.join(exercise.editable_paths)}.")
    return files
