"""The exercises that sandboxd starts sandboxes from, read whole so that a running sandbox keeps what it was started with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from app.content.exercise import Exercise, ExerciseCatalog, authored_files
from app.errors import NotFound, PlatformError

ProberFiles = Callable[[Exercise], Mapping[str, bytes]]


class ContentChanged(PlatformError):
    """The exercise has changed since the caller read it."""

    code = "content-changed"


@dataclass(frozen=True)
class LoadedExercise:
    """One exercise with all bytes that its sandboxes need.

    Attributes:
        starter: workspace that a learner begins with.
        given: files of the platform's own services, by path below /given.
        prober: what the prober gets below /member: runner, kit and checks.
    """

    exercise: Exercise
    starter: Mapping[str, bytes]
    given: Mapping[str, bytes]
    prober: Mapping[str, bytes]

    @property
    def id(self) -> str:
        return self.exercise.id


class Exercises:
    """All valid exercises of a folder; `reload` reads them anew."""

    def __init__(self, folder: Path, prober_files: ProberFiles) -> None:
        self._folder = folder
        self._prober_files = prober_files
        self._loaded: dict[str, LoadedExercise] = {}
        self.problems: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self._loaded)

    def reload(self) -> None:
        """Read the folder. Blocks on the disk: call it from a thread while a loop runs."""
        catalog = ExerciseCatalog(self._folder)
        self._loaded = {name: self._load(exercise) for name, exercise in catalog.exercises.items()}
        self.problems = tuple(map(str, catalog.problems))

    def _load(self, exercise: Exercise) -> LoadedExercise:
        starter = {path: text.encode() for path, text in exercise.starter.items()}
        return LoadedExercise(exercise, starter, _bytes_below(exercise.folder / "given"), self._prober_files(exercise))

    def get(self, exercise_id: str, content_hash: str) -> LoadedExercise:
        """The exercise as the caller knows it.

        Raises:
            NotFound: no such exercise.
            ContentChanged: it is loaded with another hash.
        """
        loaded = self._loaded.get(exercise_id)
        if loaded is None:
            raise NotFound(f"There is no exercise `{exercise_id}`.", code="no-such-exercise")
        if loaded.exercise.content_hash != content_hash:
            raise ContentChanged(
                f"The exercise `{exercise_id}` has changed on disk.",
                cure="Run `./soty content reload`, then try again.",
                details={"loaded": loaded.exercise.content_hash},
            )
        return loaded

    def images(self) -> frozenset[str]:
        """Names of all images that the exercises use."""
        return frozenset(s.image for e in self._loaded.values() for s in e.exercise.definition.sandbox.services.values())


def _bytes_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in authored_files(folder)}
