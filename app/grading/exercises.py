"""Exercises by id, always the newest: what use cases and handlers hold instead of one loaded catalog."""

from __future__ import annotations

import threading
from typing import Protocol

from app.content.exercise import Exercise, ExerciseCatalog
from app.content.generation import Generation, generation_file
from app.errors import NotFound
from app.settings import Settings


class Exercises(Protocol):
    """A catalog that may be loaded anew at any time."""

    def get(self, exercise_id: str) -> Exercise | None: ...


def find_exercise(exercises: Exercises, exercise_id: str) -> Exercise:
    """The exercise of this id.

    Raises:
        NotFound: there is none.
    """
    exercise = exercises.get(exercise_id)
    if exercise is None:
        raise NotFound("There is no such exercise.", code="no-such-exercise", details={"exercise": exercise_id[:64]})
    return exercise


def offered_exercise(exercises: Exercises, exercise_id: str) -> Exercise:
    """The exercise of this id, for a learner who is about to begin something with it.

    Raises:
        NotFound: there is none.
        NotProven: it is not offered.
    """
    exercise = find_exercise(exercises, exercise_id)
    exercise.require_offered()
    return exercise


class NewestExercises:
    """Exercises without lessons, for processes that render nothing; loaded again after `./soty content reload`."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.exercises_dir
        self._generation = Generation(generation_file(settings.home))
        self._lock = threading.Lock()
        self._catalog = ExerciseCatalog(self._folder)

    def get(self, exercise_id: str) -> Exercise | None:
        with self._lock:
            if self._generation.changed():
                self._catalog = ExerciseCatalog(self._folder)
            return self._catalog.get(exercise_id)
