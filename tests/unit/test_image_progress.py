"""Progress of a preparation, as a page shows it."""

from __future__ import annotations

from app.sandbox.images.progress import Progress, Step


def test_progress_only_grows_over_the_steps_and_their_pieces() -> None:
    course = [Progress("python", step, done, 10) for step in Step for done in (0, 5, 10)]
    fractions = [progress.fraction for progress in course]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)


def test_the_usual_rest_ends_at_zero() -> None:
    assert Progress("python", Step.LISTS).seconds_left > Progress("python", Step.COMPILE).seconds_left
    assert Progress("python", Step.READY).seconds_left == 0
