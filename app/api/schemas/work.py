"""Drafts, hints, quizzes, trials, submissions and the lists of instructors."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from app.api.schemas.base import Out


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
    """A moment of the timeline; `check` is the id of the check that ran, empty between checks."""

    at: float
    kind: str
    text: str
    check: str


class DiagnosisOut(Out):
    """What we think is wrong. `mistake`: it looks like a known one; `check`: the author's question to whoever fails it."""

    kind: Literal["mistake", "check"]
    text: str
    check: str
    lesson: str = Field(description="`lesson-id` or `lesson-id#heading` that teaches it; empty when there is none")


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
    diagnosis: DiagnosisOut | None = Field(description="null unless checks failed; lowers no score and shows no code")
    notes: list[NoteOut]
    log_tails: dict[str, str]
    timings_ms: dict[str, int] = Field(description="milliseconds of each stage, of each check as `check:<id>`, and in total")
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


class Hints(Out):
    total: int
    opened: list[str]


class ObjectionOut(Out):
    """`answer` is empty while the state is `open`."""

    id: str
    attempt_kind: Literal["submission", "run"]
    attempt_id: str
    check_id: str
    seed: int
    message: str
    created_at: datetime
    state: Literal["open", "answered"]
    answer: str
    answered_at: datetime | None


class Objections(Out):
    objections: list[ObjectionOut]


class SeriesRunOut(Out):
    number: int
    id: str
    seed: int
    state: Literal["queued", "grading", "graded", "errored"]
    verdict: Literal["passed", "failed", "errored"] | None


class SeriesOut(Out):
    """The same trial several times. `reason`: machine code of why it ended too early; each run has its report."""

    id: str
    exercise_id: str
    sandbox_id: str
    only: list[str]
    wanted: int
    stop_at_failure: bool
    stopping: bool
    state: Literal["queued", "grading", "graded", "errored"]
    reason: str
    created_at: datetime
    finished_at: datetime | None
    runs: list[SeriesRunOut]


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
