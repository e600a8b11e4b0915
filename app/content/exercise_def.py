"""`exercise.yaml`, format 1: the pydantic model is the schema (`./soty content schema` writes it for editors)."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from app.content.text import Lang, Slug, Strict, Text

Label = Annotated[str, StringConstraints(pattern=r"^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$")]
Memory = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,4}m$")]
WorkspacePath = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*){0,3}$", max_length=120)
]

RESERVED_NAMES = frozenset({"localhost", "prober", "tap", "host", "gateway", "metadata"})


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
    command: list[str] = Field(default=[])
    env: dict[Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,40}$")], str] = Field(default={})
    replicas: int = Field(default=1, ge=1, le=4)
    start: Literal["launch", "manual"] = "launch"
    restart: Literal["always", "never"] = "never"
    prepare: list[str] = Field(default=[])
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
    edges: list[EdgeDef] = Field(default=[])

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
    tools: list[str] = Field(default=[])


class CheckDef(Strict):
    """One check. `needs`: checks that must have passed for this one to be tried."""

    id: Slug
    points: int = Field(ge=1, le=100)
    title: Text
    needs: list[Slug] = Field(default=[])
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
    skills: list[Slug] = Field(default=[])
    sandbox: SandboxDef
    workspace: WorkspaceDef
    task: dict[Lang, str] = Field(default={"ru": "task.ru.md", "en": "task.en.md"})
    checks: ChecksDef
    starter_fails: list[Slug] = Field(min_length=1)
    reference: str = "reference/"
    accepted: list[str] = Field(default=[])  #: folders of other correct solutions
    mutants: list[MutantDef] = Field(min_length=3)
    hints: list[Text] = Field(min_length=3, max_length=3)
    when_failed: dict[Slug, Text] = Field(default={})
    mentor_questions: list[Text] = Field(default=[])

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        known = {item.id for item in self.checks.items}
        named = set(self.starter_fails) | set(self.when_failed) | {k for m in self.mutants for k in m.killed_by}
        if unknown := sorted(named - known):
            raise ValueError(f"unknown check ids: {', '.join(unknown)}")
        return self
