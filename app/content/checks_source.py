"""Faults that can be read from an exercise's checks without running them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from app.content.exercise import Exercise, read_tree
from app.errors import Problem

#: methods of `kit` whose first argument is a service
_OF_SERVICE = frozenset({"service", "http", "control", "grpc", "sql", "tap"})
_BILINGUAL = frozenset({"Text", "step", "look", "note"})
_CYRILLIC = re.compile(r"[А-Яа-яЁё]")


def checks_faults(exercise: Exercise, shown: str) -> Iterator[Problem]:
    """Checks that are declared nowhere or twice, services that do not exist, words in one language only.

    Args:
        shown: the exercise's folder as messages name it.
    """
    runner = exercise.definition.checks.runner
    folder = runner.rpartition("/")[0]
    for name, text in read_tree((exercise.folder / runner).parent).items():
        if not name.endswith(".py"):
            continue
        path = f"{shown}/{folder}/{name}" if folder else f"{shown}/{name}"
        try:
            tree = ast.parse(text)
        except SyntaxError as error:
            yield Problem(path, error.lineno or 1, f"is not Python: {error.msg}")
            continue
        yield from _calls(tree, path, set(exercise.definition.sandbox.services))
        if path == f"{shown}/{runner}":
            yield from _declared(tree, path, [check.id for check in exercise.definition.checks.items])


def _declared(tree: ast.Module, path: str, known: list[str]) -> Iterator[Problem]:
    """`@check("id")` against exercise.yaml."""
    seen: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "check" and node.args:
            name = _constant(node.args[0], {})
            if name is None:
                continue
            if name in seen:
                yield Problem(path, node.lineno, f"check `{name}` is declared twice", "rename one")
            elif name not in known:
                yield Problem(path, node.lineno, f"exercise.yaml has no check `{name}`", "add it there, or remove it here")
            seen.add(name)
    for name in known:
        if name not in seen:
            yield Problem(path, 1, f'no function is declared with @check("{name}")', "write it")


def _calls(tree: ast.Module, path: str, services: set[str]) -> Iterator[Problem]:
    names = {
        target.id: value
        for node in tree.body if isinstance(node, ast.Assign) and (value := _constant(node.value, {})) is not None
        for target in node.targets if isinstance(target, ast.Name)
    }  # fmt: skip
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called, of_kit = _called(node.func)
        if of_kit and called in _OF_SERVICE and node.args:
            service = _constant(node.args[0], names)
            if service is not None and re.sub(r"-\d+$", "", service) not in services:
                what = f"there is no service `{service}`"
                yield Problem(path, node.lineno, what, f"exercise.yaml has {', '.join(sorted(services))}")
        if called == "Text" or (of_kit and called in _BILINGUAL):
            yield from _languages(node, path, called)


def _languages(node: ast.Call, path: str, called: str) -> Iterator[Problem]:
    if any(isinstance(argument, ast.Starred) for argument in node.args):
        return
    named = {keyword.arg: keyword.value for keyword in node.keywords}
    english = node.args[1] if len(node.args) > 1 else named.get("en")
    if english is None:
        if node.args and isinstance(node.args[0], ast.Constant | ast.JoinedStr):
            yield Problem(path, node.lineno, f"`{called}` speaks one language only", "give the Russian and the English text")
    elif _CYRILLIC.search(_literal(english)):
        yield Problem(path, node.lineno, f"the English text of `{called}` is in Russian", "the Russian one comes first")


def _called(function: ast.expr) -> tuple[str, bool]:
    """The last word of what is called, and whether it is a method of the kit."""
    if isinstance(function, ast.Attribute):
        return function.attr, _is_kit(function.value)
    return (function.id if isinstance(function, ast.Name) else ""), False


def _is_kit(node: ast.expr) -> bool:
    return (isinstance(node, ast.Name) and node.id == "kit") or (isinstance(node, ast.Attribute) and node.attr == "kit")


def _constant(node: ast.expr, names: dict[str, str]) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return names.get(node.id) if isinstance(node, ast.Name) else None


def _literal(node: ast.expr) -> str:
    """The letters that stand in the source; what is computed is not judged."""
    parts = [one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return "".join(parts)
