"""Solutions that no exercise may accept, whatever its checks are: nothing, noise, hanging, crashing, forging, prying."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

from app.content.exercise import Exercise, read_tree
from app.grading.report import Report

FOUND = "soty-found "  #: how the program that looks for the checks says that it has found something
MOST_NEEDLES = 60
_PROGRAMS = Path(__file__).resolve().parent / "wrong_programs"
_SHARED = re.compile(r"^from app\.grading\.wrong_programs\.(\w+) import .+$", re.MULTILINE)
_NAMES = (
    "constant", "echo", "sleeps", "floods", "crashes", "fork-bomb", "forges", "reads-checks", "scans"
)  # fmt: skip


def always_wrong(exercise: Exercise) -> dict[str, dict[str, str]]:
    """Name -> files. Only Python files are replaced by programs; the others stay as in the reference, or are emptied."""
    reference = exercise.solution()
    python = [item.path for item in exercise.definition.workspace.editable if item.language == "python"]
    found = {}
    if python:
        given = _given(exercise, python)
        programs = {"empty": "", **{name: _program(name, given) for name in _NAMES}}
        found = {name: {**reference, **dict.fromkeys(python, text)} for name, text in programs.items()}
    return {**found, "all-empty": {**reference, **dict.fromkeys(exercise.editable_paths, "")}}


def leak(report: Report) -> str:
    """Where a solution says that it found what only checks may know; empty when it found nothing."""
    lines = [line for tail in report.log_tails.values() for line in tail.splitlines() if line.startswith(FOUND)]
    return lines[0].removeprefix(FOUND)[:200] if lines else ""


def _program(name: str, given: dict[str, Any]) -> str:
    text = (_PROGRAMS / f"{name.replace('-', '_')}.py").read_text("utf-8")
    text = _SHARED.sub(lambda found: (_PROGRAMS / f"{found[1]}.py").read_text("utf-8"), text)
    used = {key: value for key, value in given.items() if f'GIVEN["{key}"]' in text}
    return text.replace("GIVEN: dict[str, Any] = {}", f"GIVEN: dict[str, Any] = {used!r}")


def _given(exercise: Exercise, python: list[str]) -> dict[str, Any]:
    services = exercise.definition.sandbox.services.values()
    ports = {service.ready.port for service in services if not service.given and service.ready and service.ready.port}
    texts = [exercise.solution()[path] for path in python]
    return {
        "ports": sorted(ports or {8080}),
        "names": sorted({name for text in texts for name in re.findall(r"""["']([a-z][\w.-]{1,40})["']""", text)})[:40],
        "frames": _frames(exercise),
        "needles": [needle.encode().hex() for needle in _needles(exercise, python)],
        "starter": {Path(path).name: exercise.starter[path] for path in python},
    }


def _frames(exercise: Exercise) -> str:
    frames: list[dict[str, object]] = []
    for check in exercise.definition.checks.items:
        frames.append({"type": "check_started", "id": check.id})
        frames.append({"type": "check_finished", "id": check.id, "status": "passed", "seconds": 0.1, "message": None})
    frames.append({"type": "finished", "scale": 1.0, "verdict": "passed", "score": 100})
    return "\n".join(json.dumps(frame) for frame in frames) + "\n"


def _needles(exercise: Exercise, python: list[str]) -> list[str]:
    """Texts that only the checks or the reference hold: long strings of the one, long lines of the other."""
    known = "\n".join([*exercise.starter.values(), (exercise.folder / "exercise.yaml").read_text("utf-8")])
    found = [f'@check("{check.id}")' for check in exercise.definition.checks.items]
    folder = (exercise.folder / exercise.definition.checks.runner).parent
    for path, text in read_tree(folder).items():
        if path.endswith(".py"):
            constants = (node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant))
            found += [value for value in constants if isinstance(value, str) and "\n" not in value and len(value) >= 24]
    reference = exercise.solution()
    found += [line.strip() for path in python for line in reference[path].splitlines() if len(line.strip()) >= 32]
    return [needle for needle in dict.fromkeys(text[:120] for text in found) if needle not in known][:MOST_NEEDLES]
