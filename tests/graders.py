"""A private grader for tests: real sandboxes, real checks, images shared by the whole test run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.grading.local import LocalGrader
from app.settings import CHECKOUT, Settings
from tests.product import share_images


@contextmanager
def grader_over(home: Path, exercises_dir: Path = CHECKOUT / "exercises") -> Iterator[LocalGrader]:
    """A grader of the exercises in a folder, with its state under `home`."""
    share_images(home)
    with LocalGrader(Settings(home=home, exercises_dir=exercises_dir)) as grader:
        yield grader
