"""The corpus: every attack that must be tried, which test tries it, and what makes the same attempt succeed."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent
ATTACKS: Mapping[str, str] = {
    "S01": "links in a workspace that the platform would write through",
    "S02": "a file that turns into a link while the platform reads",
    "S03": "pipes, sockets, folders and hard links where a file should be",
    "S04": "environment, descriptors, processes and files of the host",
    "S05": "kernel switches and control groups",
    "S06": "system calls that give rights",
    "S07": "doors to an engine, programs with set-uid",
    "S08": "typing into another person's terminal",
    "S09": "the host, the cloud and the internet over the network",
    "S10": "raw sockets, foreign addresses, another sandbox's network",
    "S11": "fork bombs, one and five at once",
    "S12": "memory: heap, shared memory, stacks of threads",
    "S13": "disk, inodes, sparse files, floods of output",
    "S14": "spinning and asking for priority",
    "S15": "descriptors and sockets",
    "S16": "daemons that ignore every signal",
    "S17": "stop, start and delete at the same moment",
    "S18": "programs planted in the workspace",
    "S19": "names, numbers and paths shaped like exploits",
    "S20": "host names of container engines, published ports",
    "S21": "the clock",
    "S22": "a machine without isolation",
    "G01": "result files where graders have looked for them",
    "G02": "frames of the prober printed as output",
    "G03": "the prober's ports",
    "G04": "the prober's memory, files and traffic",
    "G05": "telling a grading from practice",
    "G06": "answers by heart",
    "G07": "redirects to elsewhere",
    "G08": "answers that are too large, too slow, or not answers",
    "G09": "HTTP/2 and gRPC bent out of shape",
    "G10": "a broker of the learner's own",
    "G11": "poison and floods in the broker",
    "G12": "answering once, flapping, going away",
    "G13": "files changed after they were handed in",
    "G14": "handing in twice at the same moment, replays",
    "G15": "other people's submissions, a worker's door",
    "G16": "the checks' own words on any page",
    "G17": "an upstream around its tap",
}


def attack(*ids: str, control: str) -> pytest.MarkDecorator:
    """Say which attacks a test tries.

    Args:
        ids: of `ATTACKS`.
        control: name of the test, fixture or function of the same file that lets the same attempt succeed where the
            protection is missing, so that the test cannot pass because nothing was attempted.
    """
    return pytest.mark.attack(ids, control)


@dataclass(frozen=True, slots=True)
class Trial:
    """A test that tries attacks."""

    test: str
    ids: tuple[str, ...]
    control: str
    control_exists: bool


def trials(folder: Path = FOLDER) -> list[Trial]:
    """Every decorated test of the suite, read from the sources, so that running one file shows the whole."""
    return [trial for path in sorted(folder.glob("test_*.py")) for trial in _of_file(path)]


def missing(found: list[Trial]) -> list[str]:
    """What is wrong with the corpus, one line each; empty when every attack has a test and a control."""
    tried = {one for trial in found for one in trial.ids}
    faults = [f"{one}: no test tries it" for one in ATTACKS if one not in tried]
    faults += [f"{trial.test}: {one} is not an attack" for trial in found for one in trial.ids if one not in ATTACKS]
    return faults + [f"{t.test}: there is no `{t.control}` to control it" for t in found if not t.control_exists]


def _of_file(path: Path) -> list[Trial]:
    tree = ast.parse(path.read_text("utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    names = {node.name for node in functions}
    found = []
    for node in functions:
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name) and decorator.func.id == "attack":
                ids = tuple(_literal(argument) for argument in decorator.args)
                control = next((_literal(word.value) for word in decorator.keywords if word.arg == "control"), "")
                found.append(Trial(f"{path.name}::{node.name}", ids, control, control in names - {node.name}))
    return found


def _literal(node: ast.expr) -> str:
    value: Any = ast.literal_eval(node)
    return str(value)
