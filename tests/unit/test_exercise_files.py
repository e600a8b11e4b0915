"""Which files of an exercise's folder count: those that its author wrote, and the same ones everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.content.exercise import load_exercise, read_tree
from app.grading.blank import make_exercise
from app.grading.prober.bundle import prober_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    # Hidden folders above an exercise are none of its business.
    return make_exercise(tmp_path / ".hidden" / "exercises", "my-first")


def put(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("left behind")


@pytest.mark.parametrize("place", ["", "starter", "checks", "reference"])
@pytest.mark.parametrize("left", [".ruff_cache/stamp", "__pycache__/x.pyc", ".server.py.swp"])
def test_what_tools_leave_behind_unproves_nothing_and_is_mounted_nowhere(folder: Path, place: str, left: str) -> None:
    before = load_exercise(folder)
    put(folder / place / left)
    after = load_exercise(folder)
    assert after.content_hash == before.content_hash
    assert prober_files(after) == prober_files(before)
    assert read_tree(folder / "starter") == before.starter


def test_a_link_is_no_file_of_an_exercise(folder: Path) -> None:
    (folder / "starter" / "link.py").symlink_to(folder / "exercise.yaml")
    assert "link.py" not in read_tree(folder / "starter")


@pytest.mark.parametrize("place", ["notes.txt", "starter/notes.txt", "checks/more.py"])
def test_every_other_file_counts(folder: Path, place: str) -> None:
    before = load_exercise(folder).content_hash
    (folder / place).write_text("written")
    assert load_exercise(folder).content_hash != before
