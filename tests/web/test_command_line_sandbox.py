"""`./soty sandbox` for operators, against a running `sandboxd`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli.__main__ import main
from app.sandbox.model import OPERATOR
from tests.desk import Desk, desk

Said = pytest.CaptureFixture[str]


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("SOTY_HOME", str(tmp_path))
    monkeypatch.setenv("SOTY_EXERCISES_DIR", str(tmp_path / "exercises"))
    monkeypatch.setenv("SOTY_CALLED_FROM", str(tmp_path))
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "main.py").write_bytes(b"\x89PNG\xff")
    with desk(tmp_path) as found:
        yield found


def up(said: Said, *more: str) -> str:
    """Start one; its id, which stands alone on stdout."""
    said.readouterr()
    assert main(["sandbox", "up", "echo", *more]) == 0
    return said.readouterr().out.removesuffix("\n")


def living(daemon: Desk) -> set[str]:
    return {one.id for one in daemon.client.list().sandboxes if one.state == "ready"}


def test_up_waits_until_it_is_ready_and_tells_the_way(daemon: Desk, capsys: Said) -> None:
    assert main(["sandbox", "up", "echo"]) == 0
    told = capsys.readouterr()
    sandbox = daemon.client.status(told.out.strip(), timeout=5)
    assert (sandbox.state, sandbox.owner, sandbox.purpose) == ("ready", OPERATOR, "practice")
    assert told.err.splitlines()[-1] == "ready: web ready, peer ready, batch waiting"


def test_files_of_a_folder_take_the_place_of_the_starter(daemon: Desk, tmp_path: Path, capsys: Said) -> None:
    starter = daemon.client.status(up(capsys), timeout=5).files_revision
    assert main(["sandbox", "down", "--all"]) == 0
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "main.py").write_text("print('mine')\n")
    (tmp_path / "mine" / "notes.txt").write_text("not part of the exercise")
    assert daemon.client.status(up(capsys, "--files", "mine"), timeout=5).files_revision != starter


def test_list_shows_whose_they_are(daemon: Desk, capsys: Said) -> None:
    mine, annas = up(capsys), daemon.ready(owner="anna").id
    assert main(["sandbox", "list"]) == 0
    told = capsys.readouterr()
    head, *rows = [line.split() for line in told.out.splitlines()]
    assert head == ["ID", "EXERCISE", "OWNER", "PURPOSE", "STATE", "AGE", "LEFT", "SERVICES"]
    assert [row[:5] for row in rows] == [
        [mine, "echo", OPERATOR, "practice", "ready"], [annas, "echo", "anna", "practice", "ready"]
    ]  # fmt: skip
    assert told.err.startswith("2 of 16 at once")


def test_down_leaves_those_of_learners_alone_unless_forced(daemon: Desk, capsys: Said) -> None:
    mine, annas = up(capsys), daemon.ready(owner="anna").id
    assert main(["sandbox", "down", annas]) == 1
    assert "--force" in capsys.readouterr().err
    assert living(daemon) == {mine, annas}
    assert main(["sandbox", "down", "--all"]) == 0
    assert living(daemon) == {annas}
    assert main(["sandbox", "down", annas, "--force"]) == 0
    assert living(daemon) == set()
    assert f"{annas}: gone" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["up", "nobody-wrote-it"], 4, "There is no exercise"),
        (["up", "echo", "--files", "nowhere"], 4, "There is no folder"),
        (["up", "echo", "--files", "."], 2, "has none of the files main.py"),
        (["up", "echo", "--files", "pictures"], 2, "is not UTF-8 text"),
        (["down"], 2, "--all"),
        (["down", "0" * 20], 4, "There is no sandbox"),
    ],
)
def test_a_refusal_has_a_sentence_and_a_code(daemon: Desk, capsys: Said, argv: list[str], code: int, said: str) -> None:
    assert main(["sandbox", *argv]) == code
    assert said in capsys.readouterr().err
    assert living(daemon) == set()


def test_a_second_one_is_refused_and_the_first_one_named(daemon: Desk, capsys: Said) -> None:
    mine = up(capsys)
    assert main(["sandbox", "up", "echo"]) == 1
    assert f"./soty sandbox down {mine}" in capsys.readouterr().err
    assert living(daemon) == {mine}


def test_without_sandboxd_it_says_what_to_do(daemon: Desk, capsys: Said) -> None:
    daemon.stop()
    assert main(["sandbox", "list"]) == 3
    assert "./run" in capsys.readouterr().err
