"""Which solutions must be tried again after a save, and how the matrix reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.cli.matrix_view import matrix_lines, row_line, summary
from app.content.exercise import load_exercise
from app.grading.blank import make_exercise
from app.grading.matrix import Matrix, Outdated, Row
from app.grading.report import CheckReport, CheckStatus, Report, Words
from app.sandbox import sandbox_pb2 as pb


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make_exercise(tmp_path, "my-first")


@pytest.fixture
def matrix(home: Path) -> Matrix:
    matrix = Matrix()
    for row in matrix.renew(load_exercise(home)):
        matrix.begin(row)
        must = row.trial.must_fail
        matrix.finish(row, report(*("failed" if check in must else "passed" for check in matrix.checks)))
    return matrix


def report(*statuses: CheckStatus) -> Report:
    names = ("doubles", "refuses")
    checks = tuple(CheckReport(n, Words(n, n), status, 0, 50, 0.1) for n, status in zip(names, statuses, strict=True))
    return Report("failed" if "failed" in statuses else "passed", 0, 7, 1.0, checks)


def renewed(matrix: Matrix, home: Path) -> set[str]:
    return {row.name for row in matrix.renew(load_exercise(home))}


def append(home: Path, path: str, text: str = "\n# more\n") -> None:
    with (home / path).open("a", encoding="utf-8") as file:
        file.write(text)


def named(matrix: Matrix, name: str) -> Row:
    return next(row for row in matrix.rows if row.name == name)


ALL = {"reference", "starter", "accepted/threads", "adds", "constant", "wrong-status"}


@pytest.mark.parametrize(
    ("path", "again"),
    [
        ("mutants/adds/server.py", {"adds"}),
        ("accepted/threads/server.py", {"accepted/threads"}),
        ("starter/server.py", {"starter"}),
        ("reference/server.py", {"reference"}),
        ("checks/checks.py", ALL),
        ("given/stub.py", ALL),
        ("starter/read_me.py", ALL),
        ("task.en.md", set()),
    ],
)
def test_a_save_renews_what_depends_on_it(matrix: Matrix, home: Path, path: str, again: set[str]) -> None:
    (home / path).parent.mkdir(exist_ok=True)
    append(home, path)
    assert renewed(matrix, home) == again
    assert renewed(matrix, home) == set(), "what waits already is not begun twice"


def test_another_expectation_or_limit_renews_too(matrix: Matrix, home: Path) -> None:
    text = (home / "exercise.yaml").read_text("utf-8")
    (home / "exercise.yaml").write_text(text.replace("killed_by: [refuses]", "killed_by: [doubles]"), "utf-8")
    assert renewed(matrix, home) == {"wrong-status"}
    (home / "exercise.yaml").write_text(text.replace("timeout_seconds: 30", "timeout_seconds: 60"), "utf-8")
    assert renewed(matrix, home) == ALL


def test_what_is_heard_of_an_outdated_run_is_refused(matrix: Matrix, home: Path) -> None:
    old = named(matrix, "adds")
    append(home, "mutants/adds/server.py")
    renewed(matrix, home)
    with pytest.raises(Outdated):
        matrix.hear(old, pb.RunEvent(check_started="doubles"))
    with pytest.raises(Outdated):
        matrix.finish(old, report("passed", "passed"))
    assert named(matrix, "adds").state == "waiting"


def test_what_the_platform_gave_up_is_tried_again_after_the_next_save(matrix: Matrix, home: Path) -> None:
    append(home, "mutants/adds/server.py")
    (row,) = matrix.renew(load_exercise(home))
    matrix.give_up(row, "no room")
    assert "⚠ no room" in "\n".join(matrix_lines(matrix, 100))
    append(home, "task.en.md")
    assert renewed(matrix, home) == {"adds"}


def test_the_check_that_should_have_seen_it_is_marked(matrix: Matrix, home: Path) -> None:
    append(home, "mutants/adds/server.py")
    (row,) = matrix.renew(load_exercise(home))
    matrix.begin(row)
    matrix.hear(row, pb.RunEvent(check_started="doubles"))
    assert "… runs" in matrix_lines(matrix, 100)[4]
    matrix.finish(row, report("passed", "failed"))
    assert row_line(row, matrix.checks) == (
        "BAD mutant adds: doubles ✓ pass!, refuses ✕ fail; is not rejected by doubles (seed 7)"
    )
    assert summary(matrix) == "5 of 6 solutions are judged as they must be"


def test_a_narrow_terminal_has_numbers_and_a_legend(matrix: Matrix) -> None:
    wide, narrow = matrix_lines(matrix, 120), matrix_lines(matrix, 50)
    assert wide[0].split() == ["doubles", "refuses"]
    assert narrow[0].split() == ["1", "2"]
    assert narrow[-2:] == ["1: doubles", "2: refuses"]
    assert all(len(line) <= 50 for line in narrow)
