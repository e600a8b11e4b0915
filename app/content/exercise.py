"""`exercise.yaml`, format 1: the pydantic model is the schema (`./soty content schema` writes it for editors)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from app.content.proof import NotProven, Proof, read_proof
from app.content.source import read_yaml
from app.content.topology import topology_problems
from app.errors import ContentInvalid, Problem

Lang = Literal["ru", "en"]
LANGS: tuple[Lang, Lang] = ("ru", "en")

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=48)]
Label = Annotated[str, StringConstraints(pattern=r"^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$")]
Memory = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,4}m$")]
WorkspacePath = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*){0,3}$", max_length=120)
]

MAX_FILE_BYTES = 64 * 1024  #: one file of a workspace
MAX_WORKSPACE_BYTES = 256 * 1024  #: all files of a workspace together
RESERVED_NAMES = frozenset({"localhost", "prober", "tap", "host", "gateway", "metadata"})


class Strict(BaseModel):
    """Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Text(Strict):
    """The same words in both languages."""

    ru: Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
    en: Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]

    def get(self, lang: str) -> str:
        """The text in `lang`; English for anything but Russian."""
        return self.ru if lang == "ru" else self.en


class LimitsDef(Strict):
    """`limits:` of a service; what is absent comes from the image."""

    memory: Memory | None = None
    cpus: Annotated[str, StringConstraints(pattern=r"^[0-4](\.[0-9]{1,2})?$")] | None = None
    pids: int | None = Field(default=None, ge=4, le=512)


class ReadyDef(Strict):
    """`ready:` of a service; what is absent comes from the image."""

    kind: Literal["tcp", "http", "amqp", "postgres", "none"] = "tcp"
    port: int = Field(default=0, ge=0, le=65535)
    path: str = "/"


class ServiceDef(Strict):
    """One service of the sandbox. `given` ones are ours; their `files` come from the exercise's `given/` folder."""

    image: Slug
    given: bool = False
    command: list[str] = []
    env: dict[Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,40}$")], str] = {}
    replicas: int = Field(default=1, ge=1, le=4)
    start: Literal["launch", "manual"] = "launch"
    restart: Literal["always", "never"] = "never"
    prepare: list[str] = []
    ready: ReadyDef | None = None
    limits: LimitsDef = LimitsDef()
    init: str | None = None  #: `workspace/schema.sql`: a file of the learner's that the image's `init` command is fed
    about: Text | None = None  #: one line that the page shows beside the service

    @field_validator("env")
    @classmethod
    def _one_line(cls, value: dict[str, str]) -> dict[str, str]:
        for key, text in value.items():
            if "\n" in text or "\0" in text:
                raise ValueError(f"{key} must be one line")
        return value


class EdgeDef(Strict):
    """Who may talk to whom; each edge goes through a tap."""

    from_: Label = Field(alias="from")
    to: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*:[0-9]{1,5}$")]
    protocol: Literal["http", "grpc", "amqp", "postgres", "tcp"]

    @property
    def target(self) -> tuple[str, int]:
        """The upstream and its port."""
        name, port = self.to.split(":")
        return name, int(port)


class SandboxDef(Strict):
    """`sandbox:`"""

    ttl_minutes: int = Field(default=45, ge=5, le=240)
    services: dict[Label, ServiceDef]
    edges: list[EdgeDef] = []

    @field_validator("services")
    @classmethod
    def _names(cls, value: dict[str, ServiceDef]) -> dict[str, ServiceDef]:
        if not value:
            raise ValueError("at least one service is needed")
        for name in value:
            if name in RESERVED_NAMES:
                raise ValueError(f"the name `{name}` is reserved")
            if re.search(r"-[0-9]+$", name):
                raise ValueError(f"`{name}` looks like a replica; names must not end in -<number>")
        return value


class EditableDef(Strict):
    """A file that the learner may change."""

    path: WorkspacePath
    language: Literal["python", "proto", "sql", "yaml", "json", "nginx", "javascript", "go", "text", "toml", "shell"] = "text"


class WorkspaceDef(Strict):
    """`workspace:`. Files of `starter/` that are not editable are given to the learner to read."""

    editable: list[EditableDef] = Field(min_length=1)
    tools: list[str] = []


class CheckDef(Strict):
    """One check. `needs`: checks that must have passed for this one to be tried."""

    id: Slug
    points: int = Field(ge=1, le=100)
    title: Text
    needs: list[Slug] = []
    seconds: float = Field(default=30, gt=0, le=120)  #: time cap, before scaling
    teaches: str | None = None  #: `lesson-id` or `lesson-id#heading`: the paragraph that explains it


class ChecksDef(Strict):
    """`checks:`"""

    runner: str = "checks/checks.py"
    timeout_seconds: int = Field(default=120, ge=5, le=120)
    seeded: bool = True
    stop_at_first_failure: bool = False
    items: list[CheckDef] = Field(min_length=1)

    @model_validator(mode="after")
    def _sums_up(self) -> Self:
        ids = [item.id for item in self.items]
        if len(set(ids)) != len(ids):
            raise ValueError("two checks have the same id")
        if sum(item.points for item in self.items) != 100:
            raise ValueError(f"points sum to {sum(item.points for item in self.items)}, they must sum to 100")
        for index, item in enumerate(self.items):
            for need in item.needs:
                if need not in ids[:index]:
                    raise ValueError(f"check `{item.id}` needs `{need}`, which does not come before it")
        return self


class MutantDef(Strict):
    """A wrong solution: the reference plus the files of `dir`."""

    id: Slug
    dir: str
    killed_by: list[Slug] = Field(min_length=1)
    why: Text


class ExerciseDef(Strict):
    """The whole file."""

    format: Literal[1]
    id: Slug
    module: Slug
    lesson: Slug
    order: int = Field(ge=0)
    title: Text
    goal: Text
    level: Literal["easy", "medium", "hard"]
    minutes: int = Field(ge=5, le=120)
    free: bool = False
    skills: list[Slug] = []
    sandbox: SandboxDef
    workspace: WorkspaceDef
    task: dict[Lang, str] = {"ru": "task.ru.md", "en": "task.en.md"}
    checks: ChecksDef
    starter_fails: list[Slug] = Field(min_length=1)
    reference: str = "reference/"
    accepted: list[str] = []  #: folders of other correct solutions
    mutants: list[MutantDef] = Field(min_length=3)
    hints: list[Text] = Field(min_length=3, max_length=3)
    when_failed: dict[Slug, Text] = {}
    mentor_questions: list[Text] = []

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        known = {item.id for item in self.checks.items}
        named = set(self.starter_fails) | set(self.when_failed) | {k for m in self.mutants for k in m.killed_by}
        if unknown := sorted(named - known):
            raise ValueError(f"unknown check ids: {', '.join(unknown)}")
        return self


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


def read_tree(folder: Path) -> dict[str, str]:
    """Text files below `folder` by relative path; links and caches are left out."""
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and "__pycache__" not in path.parts:
            files[path.relative_to(folder).as_posix()] = path.read_text("utf-8")
    return files


def folder_hash(folder: Path) -> str:
    """SHA-256 over the names and contents of all files below `folder`, except `proof.json` and caches."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != "proof.json" and "__pycache__" not in path.parts:
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
