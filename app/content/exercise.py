"""Exercises as they lie in their folders: definition, files, hash and proof."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from app.content.exercise_def import ExerciseDef
from app.content.proof import NotProven, Proof, read_proof
from app.content.source import read_yaml
from app.content.text import LANGS, Lang
from app.content.topology import topology_problems
from app.errors import ContentInvalid, Problem

MAX_FILE_BYTES = 64 * 1024  #: one file of a workspace
MAX_WORKSPACE_BYTES = 256 * 1024  #: all files of a workspace together


@dataclass(frozen=True)
class Exercise:
    """A loaded exercise.

    Attributes:
        content_hash: changes with any file of its folder but `proof.json`.
        proof: its record, if it can be read.
        unproven: why it is not offered to learners, one English sentence each; empty when it is.
    """

    definition: ExerciseDef
    folder: Path
    content_hash: str
    proof: Proof | None
    unproven: tuple[str, ...]

    @property
    def id(self) -> str:
        return self.definition.id

    @property
    def offered(self) -> bool:
        """Whether learners may open it: the checks are proven on exactly these files."""
        return not self.unproven

    def require_offered(self) -> None:
        """Learners are about to begin something with it.

        Raises:
            NotProven: it is not offered.
        """
        if self.unproven:
            raise NotProven(details={"exercise": self.id})

    @property
    def proving(self) -> str:
        """The command that proves it."""
        return f"./soty exercise prove {self.id}"

    @cached_property
    def starter(self) -> dict[str, str]:
        """Workspace that a learner begins with: relative path -> text."""
        return read_tree(self.folder / "starter")

    def solution(self, overlay: str | None = None) -> dict[str, str]:
        """Files of the reference, or of the reference with the files of folder `overlay` laid over it."""
        files = {**self.starter, **read_tree(self.folder / self.definition.reference)}
        return {**files, **read_tree(self.folder / overlay)} if overlay else files

    def accepted(self, name: str) -> dict[str, str]:
        """Files of one accepted solution; it stands alone beside the starter's read-only files."""
        return {**self.starter, **read_tree(self.folder / name)}

    @property
    def editable_paths(self) -> tuple[str, ...]:
        return tuple(item.path for item in self.definition.workspace.editable)

    def task_text(self, lang: Lang) -> str:
        """The task's Markdown."""
        return (self.folder / self.definition.task[lang]).read_text("utf-8")


def authored_files(folder: Path) -> list[Path]:
    """Regular files below `folder` that an author wrote, in a fixed order: no links, no caches, nothing hidden.

    What tools leave behind (`__pycache__`, `.ruff_cache`) is neither mounted anywhere nor part of a proof.
    """
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sorted(path for path in files if not any(_is_left_behind(part) for part in path.relative_to(folder).parts))


def _is_left_behind(part: str) -> bool:
    return part.startswith(".") or part == "__pycache__"


def read_tree(folder: Path) -> dict[str, str]:
    """Text files below `folder` by relative path; links and caches are left out."""
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in authored_files(folder)}


def folder_hash(folder: Path) -> str:
    """SHA-256 over the names and contents of the authored files below `folder`, except `proof.json`."""
    digest = hashlib.sha256()
    for path in authored_files(folder):
        name = path.relative_to(folder).as_posix()
        if name != "proof.json":
            digest.update(f"{name}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def load_exercise(folder: Path) -> Exercise:
    """Load and validate one exercise folder.

    Raises:
        ContentInvalid: every fault of the file and every file that it names and that is missing, with path and line.
    """
    shown = f"exercises/{folder.name}/exercise.yaml"
    source = read_yaml(folder / "exercise.yaml", shown)
    definition = source.parse(ExerciseDef)
    problems: list[Problem] = []
    if definition.id != folder.name:
        problems.append(source.problem(("id",), f"id `{definition.id}` differs from the folder's name `{folder.name}`"))
    for lang in LANGS:
        if not (folder / definition.task.get(lang, "-")).is_file():
            problems.append(source.problem(("task",), f"the task text for `{lang}` is missing"))
    if not (folder / definition.checks.runner).is_file():
        problems.append(source.problem(("checks", "runner"), f"`{definition.checks.runner}` is missing"))
    for index, item in enumerate(definition.workspace.editable):
        if not (folder / "starter" / item.path).is_file():
            problems.append(source.problem(("workspace", "editable", index), f"`starter/{item.path}` is missing"))
    paths = {*read_tree(folder / "starter"), *(item.path for item in definition.workspace.editable)}
    problems += topology_problems(source, definition.sandbox, paths)
    folders = [("reference", definition.reference), *(("accepted", name) for name in definition.accepted)]
    folders += [("mutants", mutant.dir) for mutant in definition.mutants]
    for key, name in folders:
        path = (folder / name).resolve()
        if not path.is_dir() or folder.resolve() not in path.parents:
            problems.append(source.problem((key,), f"folder `{name}` is missing"))
    if problems:
        raise ContentInvalid(problems)
    content_hash = folder_hash(folder)
    return Exercise(definition, folder, content_hash, *read_proof(folder, content_hash))


class ExerciseCatalog:
    """All exercises of a folder; faulty ones are kept apart with their problems.

    Attributes:
        exercises: id -> exercise, in course order.
        problems: every fault found.
    """

    def __init__(self, folder: Path) -> None:
        self.exercises: dict[str, Exercise] = {}
        self.problems: list[Problem] = []
        found = []
        for path in sorted(p for p in folder.iterdir() if (p / "exercise.yaml").exists()) if folder.is_dir() else []:
            try:
                found.append(load_exercise(path))
            except ContentInvalid as error:
                self.problems.extend(error.problems)
        for exercise in sorted(found, key=lambda e: (e.definition.module, e.definition.order, e.id)):
            self.exercises[exercise.id] = exercise

    def get(self, exercise_id: str) -> Exercise | None:
        return self.exercises.get(exercise_id)

    @property
    def offered(self) -> dict[str, Exercise]:
        """Those that learners may open."""
        return {name: exercise for name, exercise in self.exercises.items() if exercise.offered}
