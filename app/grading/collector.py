"""From the events of a run to its progress, and to its report once it has ended."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast, get_args

from app.content.exercise import Exercise
from app.errors import PlatformError
from app.grading.progress import KEPT_NOTES, CheckProgress, NoteProgress, Progress, StageProgress
from app.grading.report import (
    ERRORED_NOTE,
    CheckReport,
    CheckStatus,
    Note,
    Report,
    StageReport,
    VerdictName,
    Words,
    message_from,
)
from app.grading.signature import features
from app.grading.trace import Trace
from app.sandbox import sandbox_pb2 as pb

_NEXT = {"sandbox": "reset", "reset": "attach", "attach": "calibrate", "calibrate": "checks"}  #: what follows a stage's end


class RunBroken(PlatformError):
    """The run ended without a result."""

    code = "run-broken"


class Collector:
    """Takes the events of one run, in order.

    Attributes:
        progress: how far it is.
        signals: unusual things that were observed, kind -> count; see `app.grading.suspicion`. Not part of the report.

    Args:
        stages: what happened before the run, for the report.
        grader_version: of the kit, the prober and the images that judge.
        clock: monotonic seconds.
        wall: seconds since the epoch.
    """

    def __init__(
        self,
        exercise: Exercise,
        *,
        stages: Sequence[StageReport] = (),
        grader_version: str = "",
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._titles = {check.id: Words(check.title.ru, check.title.en) for check in exercise.definition.checks.items}
        self._stages = list(stages)
        self._notes: list[Note] = []
        self._traces: list[Trace] = []
        self._finished: pb.RunFinished | None = None
        self._grader_version = grader_version
        self._clock, self._wall = clock, wall
        self._ended_at = 0.0
        self.signals: dict[str, int] = {}
        ended = tuple(StageProgress(s.name, s.seconds) for s in stages)
        self.progress = Progress(stage="attach" if stages else "own-sandbox", stages=ended, since=wall())

    def take(self, event: pb.RunEvent) -> None:
        """Note one event."""
        kind = event.WhichOneof("event")
        if kind == "stage" and event.stage.name not in {stage.name for stage in self._stages}:
            stage = StageReport(event.stage.name, round(event.stage.seconds, 3))
            self._stages.append(stage)
            done = StageProgress(stage.name, stage.seconds)
            stages, following = (*self.progress.stages, done), _NEXT.get(stage.name, self.progress.stage)
            self.progress = replace(self.progress, stages=stages, stage=following, since=self._wall())
        elif kind == "check_started":
            self.progress = replace(self.progress, stage="checks", check=event.check_started, since=self._wall())
        elif kind == "check_finished":
            check = event.check_finished
            ended = CheckProgress(check.id, check.status, round(check.seconds, 3))
            self.progress = replace(self.progress, check="", checks=(*self.progress.checks, ended), since=0.0)
        elif kind == "note":
            self._note(json.loads(event.note))
        elif kind == "trace":
            self._traces.append(Trace.from_bytes(event.trace))
        elif kind == "finished":
            self._finished, self._ended_at = event.finished, self._clock()
            self.signals = json.loads(event.finished.signals_json or "{}")

    def report(self) -> Report:
        """The whole of it.

        Raises:
            RunBroken: the last event never came.
        """
        end = self._finished
        if end is None:
            raise RunBroken("The run ended without its last event.")
        if end.verdict not in get_args(VerdictName):
            raise RunBroken(f"The run ended with the unknown verdict `{end.verdict[:40]}`.")
        writing = StageReport("report", round(self._clock() - self._ended_at, 3))
        report = Report(
            verdict=cast(VerdictName, end.verdict),
            score=end.score,
            seed=end.seed,
            scale=end.scale,
            checks=tuple(self._check(check) for check in end.checks),
            stages=(*self._stages, writing),
            notes=tuple(self._notes),
            log_tails=json.loads(end.log_tails_json or "{}"),
            grader_version=self._grader_version,
            error=end.error,
            traces=tuple(self._traces),
        )
        return replace(report, features=features(report))

    def _note(self, data: Mapping[str, Any]) -> None:
        note = Note(float(data["at"]), str(data["kind"]), Words(str(data["ru"]), str(data["en"])), self.progress.check)
        self._notes.append(note)
        if note.kind == ERRORED_NOTE:  # progress is shown to the learner
            return
        shown = NoteProgress(note.at, note.kind, note.text.ru, note.text.en, note.check)
        self.progress = replace(self.progress, notes=(*self.progress.notes, shown)[-KEPT_NOTES:])

    def _check(self, check: pb.CheckResult) -> CheckReport:
        return CheckReport(
            id=check.id,
            title=self._titles.get(check.id, Words(check.id, check.id)),
            status=cast(CheckStatus, check.status),
            points=check.points,
            max_points=check.max_points,
            seconds=round(check.seconds, 3),
            message=message_from(json.loads(check.message_json)) if check.message_json else None,
        )
