"""`./soty exercise check` names every fault with the file and the line where it is to be mended."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from app.content.exercise import load_exercise
from app.content.exercise_faults import exercise_faults
from app.settings import CHECKOUT

EXERCISE = "r1-hello-queue"
YAML, CHECKS = "exercise.yaml", "checks/checks.py"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return shutil.copytree(CHECKOUT / "exercises" / EXERCISE, tmp_path / EXERCISE)


def edit(old: str, new: str, path: str = YAML) -> Callable[[Path], tuple[str, int]]:
    """Replace the first place of a text; answers where it is."""

    def act(home: Path) -> tuple[str, int]:
        text = (home / path).read_text("utf-8")
        assert old in text, old
        (home / path).write_text(text.replace(old, new, 1), "utf-8")
        return path, text[: text.index(old)].count("\n") + 1

    return act


def same_as_reference(home: Path) -> tuple[str, int]:
    """A mutant with another comment and layout than the reference, and nothing else."""
    reference = (home / "reference" / "consumer.py").read_text("utf-8")
    (home / "mutants" / "never-acks" / "consumer.py").write_text(f"# never acknowledges\n\n{reference}", "utf-8")
    return YAML, _line(home, "- id: never-acks")


def not_python(home: Path) -> tuple[str, int]:
    (home / "mutants" / "never-acks" / "consumer.py").write_text("import pika\n\ndef broken(:\n", "utf-8")
    return "mutants/never-acks/consumer.py", 3


def not_delivered(home: Path) -> tuple[str, int]:
    (home / "mutants" / "never-acks" / "helper.py").write_text("HELP = 1\n", "utf-8")
    return YAML, _line(home, "- id: never-acks")


def _line(home: Path, text: str) -> int:
    whole = (home / YAML).read_text("utf-8")
    return whole[: whole.index(text)].count("\n") + 1


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (edit("      teaches: m05-l03\n", "", YAML), "does not say what teaches it"),
        (edit('en: "Read the last lines', 'en: "Прочитайте последние строки'), "the English text is in Russian"),
        (edit('ru: "Если consumer запущен первым, кто создаст очередь?"', 'ru: "Who creates the queue?"'), "no Russian in it"),
        (edit("accepted: [accepted/generator, accepted/objects]", "accepted: [accepted/objects]"), "2 are needed"),
        (edit('kit.control("shop"', 'kit.control("shopp"', CHECKS), "there is no service `shopp`"),
        (edit('@check("in-order")', '@check("in-any-order")', CHECKS), "exercise.yaml has no check `in-any-order`"),
        (edit('"Объявить очередь дважды можно', '"```py``` Объявить очередь дважды можно'), "a hint shows code"),
        (same_as_reference, "does not differ from the reference"),
        (not_python, "is not Python"),
        (not_delivered, "`helper.py` is not editable, so it never reaches the sandbox"),
    ],
    ids=["teaches", "english", "russian", "accepted", "service", "check", "hint", "same", "syntax", "not-delivered"],
)
def test_each_fault_is_told_where_it_is(home: Path, damage: Callable[[Path], tuple[str, int]], said: str) -> None:
    assert exercise_faults(load_exercise(home)) == []
    path, line = damage(home)
    told = [(fault.path, fault.line) for fault in exercise_faults(load_exercise(home)) if said in fault.what]
    assert any(found == f"exercises/{EXERCISE}/{path}" and abs(at - line) <= 4 for found, at in told), told


def test_a_declared_check_without_a_function_is_missed(home: Path) -> None:
    edit('@check("closed")', '@check("address")', CHECKS)(home)
    told = [fault.what for fault in exercise_faults(load_exercise(home))]
    assert 'no function is declared with @check("closed")' in told
    assert "check `address` is declared twice" in told


def test_words_in_one_language_are_missed(home: Path) -> None:
    with (home / CHECKS).open("a", encoding="utf-8") as file:
        file.write('\n\ndef more(kit):\n    kit.step("Только по-русски.")\n    kit.look("Сюда", "Сюда")\n')
    lines = (home / CHECKS).read_text("utf-8").count("\n")
    told = {(fault.line, fault.what) for fault in exercise_faults(load_exercise(home))}
    assert told == {(lines - 1, "`step` speaks one language only"), (lines, "the English text of `look` is in Russian")}


def test_a_task_that_does_not_name_its_files_is_told(home: Path) -> None:
    for lang in ("ru", "en"):
        text = (home / f"task.{lang}.md").read_text("utf-8")
        (home / f"task.{lang}.md").write_text(text.replace("`consumer.py`", "the file"), "utf-8")
    told = {(fault.path, fault.line, fault.what) for fault in exercise_faults(load_exercise(home))}
    what = "the task does not name the file `consumer.py`"
    assert told == {(f"exercises/{EXERCISE}/task.{lang}.md", 1, what) for lang in ("ru", "en")}
