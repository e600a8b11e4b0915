"""What an exercise lacks before learners should meet it, each with path and line: `./soty exercise check`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from app.content.checks_source import checks_faults
from app.content.exercise import Exercise, read_tree
from app.content.source import YamlSource, read_yaml
from app.content.text import LANGS
from app.errors import Problem

ACCEPTED = 2  #: right solutions in styles that are not the author's
_CYRILLIC = re.compile(r"[А-Яа-яЁё]")
_TWO_WORDS = re.compile(r"\w+\W+\w+")
Files = Mapping[str, str]


def exercise_faults(exercise: Exercise) -> list[Problem]:
    """Everything found, by path and line. An exercise that cannot be loaded at all tells its faults as it is loaded."""
    shown = f"exercises/{exercise.id}"
    source = read_yaml(exercise.folder / "exercise.yaml", f"{shown}/exercise.yaml")
    found = [
        *_words(exercise, source), *_completeness(exercise, source), *_solutions(exercise, source), *_tasks(exercise, shown),
        *checks_faults(exercise, shown),
    ]  # fmt: skip
    return sorted(set(found), key=lambda problem: (problem.path, problem.line, problem.what))


def _words(exercise: Exercise, source: YamlSource) -> Iterator[Problem]:
    """Texts that are there twice in one language."""
    for loc, value in _texts(source.data, ()):
        russian, english = str(value["ru"]), str(value["en"])
        if _CYRILLIC.search(english):
            yield source.problem((*loc, "en"), "the English text is in Russian", "translate it")
        if not _CYRILLIC.search(russian) and _TWO_WORDS.search(russian):
            yield source.problem((*loc, "ru"), "the Russian text has no Russian in it", "translate it")


def _texts(value: object, loc: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], dict[str, object]]]:
    if isinstance(value, dict):
        if set(value) == set(LANGS) and loc != ("task",):
            yield loc, value
        else:
            for key, below in value.items():
                yield from _texts(below, (*loc, key))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _texts(below, (*loc, index))


def _completeness(exercise: Exercise, source: YamlSource) -> Iterator[Problem]:
    definition = exercise.definition
    rejecting = {check for mutant in definition.mutants for check in mutant.killed_by}
    place: tuple[str | int, ...]
    for index, check in enumerate(definition.checks.items):
        place = ("checks", "items", index)
        if not check.teaches:
            yield source.problem(place, f"check `{check.id}` does not say what teaches it", "add `teaches: lesson#heading`")
        if check.id not in definition.when_failed:
            yield source.problem(place, f"`when_failed` says nothing of check `{check.id}`", "add it in both languages")
        if check.id not in rejecting:
            yield source.problem(place, f"no mutant is killed by check `{check.id}`", "add one, or the check proves nothing")
    for name, service in definition.sandbox.services.items():
        if not service.about:
            place = ("sandbox", "services", name)
            yield source.problem(place, f"service `{name}` has no `about`", "say in one line what it is")
    if len(definition.accepted) < ACCEPTED:
        what = f"{len(definition.accepted)} accepted solutions, {ACCEPTED} are needed"
        yield source.problem(("accepted",), what, "add right solutions in other styles than yours")
    if not definition.mentor_questions:
        yield source.problem(("mentor_questions",), "there are no questions for mentors", "add two or three")
    for index, hint in enumerate(definition.hints):
        if any("```" in hint.get(lang) for lang in LANGS):
            yield source.problem(("hints", index), "a hint shows code", "a hint asks, points or explains")


def _solutions(exercise: Exercise, source: YamlSource) -> Iterator[Problem]:
    """Solutions that do not differ, or that differ in what never reaches the sandbox."""
    definition, editable = exercise.definition, set(exercise.editable_paths)
    reference = _meaning(exercise.solution(), editable)
    if _meaning(exercise.starter, editable) == reference:
        yield source.problem(("reference",), "the reference does not differ from the starter")
    seen = {"the reference": reference}
    for index, name in enumerate(definition.accepted):
        meaning = _meaning(exercise.accepted(name), editable)
        yield from _same(source, ("accepted", index), meaning, seen)
        seen[f"`{name}`"] = meaning
        yield from _not_delivered(source, ("accepted", index), exercise.folder / name, exercise)
    seen = {"the reference": reference}
    for index, mutant in enumerate(definition.mutants):
        place = ("mutants", index)
        files = exercise.solution(mutant.dir)
        meaning = _meaning(files, editable)
        yield from _same(source, place, meaning, seen)
        seen[f"mutant `{mutant.id}`"] = meaning
        yield from _not_delivered(source, place, exercise.folder / mutant.dir, exercise)
        for path in sorted(editable):
            if path.endswith(".py") and (fault := _syntax(files.get(path, ""))):
                shown = f"exercises/{exercise.id}/{mutant.dir}/{path}"
                yield Problem(shown, fault, "is not Python", "make a mistake that runs")


def _same(source: YamlSource, place: tuple[str | int, ...], meaning: Files, seen: Mapping[str, Files]) -> Iterator[Problem]:
    for name, other in seen.items():
        if meaning == other:
            yield source.problem(place, f"does not differ from {name} but in comments and layout", "make it differ")
            return


def _not_delivered(source: YamlSource, place: tuple[str | int, ...], folder: Path, exercise: Exercise) -> Iterator[Problem]:
    for path in sorted(set(read_tree(folder)) - set(exercise.editable_paths)):
        if exercise.starter.get(path) != read_tree(folder)[path]:
            yield source.problem(place, f"`{path}` is not editable, so it never reaches the sandbox", "remove it")


def _meaning(files: Files, editable: set[str]) -> dict[str, str]:
    """The editable files without comments and layout, as far as Python goes."""
    found = {}
    for path in editable:
        text = files.get(path, "")
        try:
            found[path] = ast.dump(ast.parse(text)) if path.endswith(".py") else text.strip()
        except SyntaxError:
            found[path] = text.strip()
    return found


def _syntax(text: str) -> int:
    """The line at which a text ceases to be Python; 0 when it does not."""
    try:
        ast.parse(text)
    except SyntaxError as error:
        return error.lineno or 1
    return 0


def _tasks(exercise: Exercise, shown: str) -> Iterator[Problem]:
    for lang in LANGS:
        text, path = exercise.task_text(lang), f"{shown}/{exercise.definition.task[lang]}"
        for name in exercise.editable_paths:
            if f"`{name}`" not in text:
                yield Problem(path, 1, f"the task does not name the file `{name}`", "say what may be changed")
        if lang == "ru" and not _CYRILLIC.search(text):
            yield Problem(path, 1, "the Russian task has no Russian in it", "translate it")
