"""What goes in and comes out, as pydantic models; OpenAPI is made from them. Times are UTC, ISO 8601."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.content.exercise import Lang

Id = Annotated[str, StringConstraints(max_length=64)]
Files = Annotated[dict[str, str], Field(description="editable path -> text; ≤ 64 KiB each, ≤ 256 KiB together", max_length=64)]


class In(BaseModel):
    """A body: unknown fields are refused, nothing is converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Query(BaseModel):
    """Query parameters: unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Out(BaseModel):
    """Output; made from use-case values by attribute names."""

    model_config = ConfigDict(from_attributes=True)


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


class Me(Out):
    id: str
    name: str
    role: str
    language: str


class LessonLine(Out):
    id: str
    title: str
    minutes: int
    planned: bool
    free: bool
    exercise: str | None


class ExerciseLine(Out):
    id: str
    module: str
    lesson: str | None
    title: str
    level: str | None
    minutes: int | None
    planned: bool


class ModuleOut(Out):
    id: str
    title: str
    outcome: str
    free: bool
    lessons: list[LessonLine]
    exercises: list[ExerciseLine]


class Course(Out):
    id: str
    title: str
    summary: str
    languages: list[str]
    modules: list[ModuleOut]


class QuizOut(Out):
    """`options` in the order shown; answers name them by their number from 0."""

    id: str
    type: Literal["single", "multiple", "order", "number"]
    question: str
    options: list[str]
    unit: str


class Heading(Out):
    level: int
    text: str
    anchor: str


class LessonOut(Out):
    """`html` has `<div data-quiz="ID"></div>` where a quiz stands."""

    id: str
    module: str
    lang: str
    title: str
    summary: str
    minutes: int
    level: str
    free: bool
    goals: list[str]
    prerequisites: list[str]
    exercise: str | None
    terms: list[str]
    outline: list[Heading]
    html: str
    quizzes: list[QuizOut]
    previous: str | None
    next: str | None


class CheckInfo(Out):
    id: str
    title: str
    points: int
    needs: list[str]


class ServiceInfo(Out):
    name: str
    image: str
    given: bool
    start: str
    restart: str
    replicas: int
    about: str


class FileInfo(Out):
    path: str
    language: str
    editable: bool
    text: str


class Exercises(Out):
    exercises: list[ExerciseLine]


class ExerciseOut(ExerciseLine):
    goal: str
    free: bool
    task_html: str
    files: list[FileInfo] = Field(description="the starter")
    checks: list[CheckInfo]
    services: list[ServiceInfo]
    hints: int


class ExplanationOut(Out):
    done: str
    expected: str
    seen: str
    where: str


class CheckOut(Out):
    """`message` is the explanation as one text; empty when the check passed."""

    id: str
    status: Literal["passed", "failed", "errored", "skipped"]
    points: int
    max_points: int
    title: str
    message: str
    explanation: ExplanationOut | None
    seconds: float


class CheckDone(Out):
    id: str
    status: str
    seconds: float


class StageDone(Out):
    name: str
    seconds: float


class ProgressOut(Out):
    stage: str
    check: str
    checks: list[CheckDone]
    stages: list[StageDone]
    reason: str
    message: str
    queue_position: int
    queue_seconds: float


class NoteOut(Out):
    at: float
    kind: str
    text: str


class RunResult(Out):
    """What submissions and trials share."""

    id: str
    exercise: str
    status: Literal["queued", "grading", "graded", "errored"]
    verdict: Literal["passed", "failed", "errored"] | None
    score: int | None
    seed: int
    created_at: datetime
    finished_at: datetime | None
    progress: ProgressOut
    checks: list[CheckOut]
    notes: list[NoteOut]
    log_tails: dict[str, str]
    timings_ms: dict[str, int]
    scale: float | None
    grader_version: str


class SubmissionOut(RunResult):
    position: int = Field(description="place in the queue, 1 is next; 0 when not queued")
    files: dict[str, str]


class SubmissionAccepted(Out):
    id: str
    status: Literal["queued", "grading", "graded", "errored"]


class SubmissionLineOut(Out):
    id: str
    exercise: str
    status: str
    verdict: str | None
    score: int | None
    created_at: datetime
    finished_at: datetime | None


class History(Out):
    submissions: list[SubmissionLineOut]


class SubmissionRowOut(SubmissionLineOut):
    user: str
    user_name: str


class SubmissionPage(Out):
    submissions: list[SubmissionRowOut]
    total: int
    page: int
    pages: int


class Learner(Out):
    id: str
    name: str
    active: bool
    created_at: datetime
    last_seen: datetime | None
    lessons_done: int
    exercises_passed: int
    submissions: int
    last_submission: datetime | None


class LearnerPage(Out):
    learners: list[Learner]
    total: int
    page: int
    pages: int


class RunOut(RunResult):
    sandbox: str
    only: list[str]


class DraftOut(Out):
    exercise_id: str
    revision: int
    files: dict[str, str]
    saved_at: datetime | None


class RestorePointOut(Out):
    id: str
    reason: str
    created_at: datetime


class RestorePoints(Out):
    restore_points: list[RestorePointOut]


class ServiceOut(Out):
    name: str
    replica: int
    full_name: str
    state: str
    since: datetime
    exit_code: int | None
    signal: int | None
    restarts: int
    out_of_memory: bool
    rss_mb: float
    log_bytes: int
    log_dropped: int
    message: str
    given: bool
    image: str
    usual_seconds: float
    old_code: bool


class StageOut(Out):
    name: str
    seconds: float
    usual_seconds: float
    done: bool


class SandboxOut(Out):
    """`stale`: the sandbox service did not answer in time, this is what was known seconds ago."""

    id: str
    exercise_id: str
    state: Literal["queued", "starting", "ready", "stopping", "gone"]
    reason: str
    message: str
    created_at: datetime
    ready_at: datetime | None
    expires_at: datetime | None
    ended_at: datetime | None
    idle_at: datetime | None
    stale: bool
    queue_position: int
    queue_seconds: float
    extensions_left: int
    checks_running: bool
    old_code: bool
    services: list[ServiceOut]
    stages: list[StageOut]
    events: list[str]


class LogsOut(Out):
    """Text of the kept output; control characters but tab and line feed are removed."""

    service: str
    offset: int
    next_offset: int
    dropped: int
    text: str


class Hints(Out):
    total: int
    opened: list[str]


class OptionOut(Out):
    text: str
    why: str
    correct: bool
    chosen: bool
    place: int
    given: int


class JudgementOut(Out):
    quiz_id: str
    correct: bool
    options: list[OptionOut]
    expected: float | None
    why: str
    explain: str


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str
    cure: str = ""
    details: dict[str, Any] = {}
