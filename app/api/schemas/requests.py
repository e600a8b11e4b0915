"""Bodies and query parameters."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from app.api.schemas.base import In, Query
from app.content.text import Lang

Id = Annotated[str, StringConstraints(max_length=64)]
Files = Annotated[dict[str, str], Field(description="editable path -> text; ≤ 64 KiB each, ≤ 256 KiB together", max_length=64)]


class LangQuery(Query):
    lang: Lang | None = Field(default=None, description="language of texts; else yours, else Accept-Language")


class PageQuery(Query):
    page: int = Field(default=1, ge=1, le=100_000)
    size: int = Field(default=50, ge=1, le=100)


class SubmissionsQuery(PageQuery):
    exercise: Id = ""
    user: Id = ""
    state: Literal["queued", "grading", "graded", "errored"] | None = None
    verdict: Literal["passed", "failed", "errored"] | None = None


class LearnersQuery(PageQuery):
    search: Id = ""


class LogsQuery(Query):
    offset: int = Field(default=0, ge=0, le=2**53)
    limit: int = Field(default=65536, ge=1, le=262144)


class SubmissionIn(In):
    files: Files


class DraftIn(In):
    files: Files
    revision: int = Field(ge=0, description="the revision that these files were made from; 0: none was saved yet")
    overwrite: bool = Field(default=False, description="replace a newer revision; it becomes a restore point")


class RunIn(In):
    only: list[Id] = Field(default=[], max_length=50, description="check ids; empty: all")
    seed: int | None = Field(default=None, ge=0, lt=2**31, description="replay an earlier run's draws")


class SandboxIn(In):
    replace: bool = Field(default=False, description="close your sandbox of another exercise")


class ApplyIn(In):
    services: list[Id] = Field(default=[], max_length=20, description="restart only these; empty: all of yours")


class ControlIn(In):
    action: Literal["start", "stop", "kill", "pause", "resume", "restart", "scale"]
    replicas: int = Field(default=0, ge=0, le=4, description="for `scale`")


class AnswerIn(In):
    answer: int | float | list[int] = Field(description="a number, or shown option numbers from 0")


class ObjectionIn(In):
    kind: Literal["submission", "run"]
    attempt: Id = Field(description="id of your submission or run")
    check: Id = Field(description="id of a check that did not pass there")
    message: str = Field(min_length=1, max_length=2000, description="what the check gets wrong")


class SeriesIn(In):
    only: list[Id] = Field(default=[], max_length=50, description="check ids; empty: all")
    times: int = Field(default=10, ge=2, le=10)
    stop_at_failure: bool = False
