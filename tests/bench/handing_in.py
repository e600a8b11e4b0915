"""Handing in to a product of a bench's own, and waiting for the verdict."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from app.content.exercise import Exercise
from tests.product import Product, eventually


@contextmanager
def product(**settings: str) -> Iterator[Product]:
    """The product in a home of its own."""
    with tempfile.TemporaryDirectory(prefix="soty-bench-") as folder:
        Path(folder).chmod(0o755)
        with Product(Path(folder) / "home", **settings) as running:
            yield running


def learner(soty: Product, name: str) -> str:
    """The API token of a new learner."""
    return soty.cli("users", "add", name, "--role", "learner", "--token").splitlines()[-1]


def reference(exercise: Exercise) -> dict[str, str]:
    """Its files: what passes."""
    folder = exercise.folder / "reference"
    return {path: (folder / path).read_text() for path in exercise.editable_paths if (folder / path).exists()}


def graded(api: httpx.Client, exercise_id: str, files: dict[str, str], every: float = 0.1) -> tuple[float, dict[str, Any]]:
    """Seconds from handing in to the verdict, and the submission. On a machine that is too busy even what is right may fail."""
    began = time.monotonic()
    sent = api.post(f"/exercises/{exercise_id}/submissions", json={"files": files})
    assert sent.status_code == 202, sent.text
    place = f"/submissions/{sent.json()['id']}"
    found = eventually(
        "a verdict",
        lambda: (seen := api.get(place).json())["status"] in ("graded", "errored") and seen,
        within=300,
        every=every,
    )
    return time.monotonic() - began, found
