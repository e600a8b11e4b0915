"""How every solution of an exercise fares with every check, brought up to date as its author changes files."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from app.content.exercise import Exercise, folder_hash
from app.content.proof import Tried
from app.grading.prover import Trial, judge, trials
from app.grading.report import Report
from app.sandbox import sandbox_pb2 as pb

Cell = Literal["waiting", "running", "passed", "failed", "errored", "skipped"]


class Outdated(Exception):
    """The files of this run have changed meanwhile; its result would be about something else."""


@dataclass
class Row:
    """One solution.

    Attributes:
        key: changes with everything that its result depends on.
        state: `waiting` until it is its turn.
        cells: check id -> what is known of it.
        tried: the judgement, once it is done; `trouble` when the platform could not carry it through.
    """

    trial: Trial
    key: str
    state: Literal["waiting", "running", "done"] = "waiting"
    cells: dict[str, Cell] = field(default_factory=dict)
    tried: Tried | None = None
    trouble: str = ""

    @property
    def name(self) -> str:
        return self.trial.name if self.trial.kind in ("accepted", "mutant") else self.trial.kind

    def misses(self, check: str) -> bool:
        """Whether this check is named to reject the solution and does not, or rejects what is right."""
        cell = self.cells.get(check)
        if self.trial.kind in ("reference", "accepted"):
            return cell == "failed"
        return check in self.trial.must_fail and cell in ("passed", "skipped")


class Matrix:
    """Rows of solutions, columns of checks. Threads may share it.

    Attributes:
        checks: ids of the checks, in their order.
        changes: grows with every change, for those who draw it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[tuple[str, str], Row] = {}
        self.checks: tuple[str, ...] = ()
        self.changes = 0

    @property
    def rows(self) -> list[Row]:
        """In the order of a proof: reference, starter, accepted, mutants."""
        with self._lock:
            return list(self._rows.values())

    @property
    def settled(self) -> bool:
        """Nothing waits and nothing runs."""
        return all(row.state == "done" for row in self.rows)

    def renew(self, exercise: Exercise) -> list[Row]:
        """Take the exercise as it is now; returns the rows that are new or know nothing any more, to be tried."""
        common = _common(exercise)
        with self._lock:
            self.checks = tuple(check.id for check in exercise.definition.checks.items)
            rows: dict[tuple[str, str], Row] = {}
            fresh = []
            for trial in trials(exercise, 1):
                if trial.kind == "automatic":
                    continue
                key = _key(common, exercise, trial)
                row = self._rows.get((trial.kind, trial.name))
                if row is None or row.key != key or row.trouble:
                    row = Row(trial, key)
                    fresh.append(row)
                rows[trial.kind, trial.name] = row
            self._rows = rows
            self.changes += 1
            return fresh

    def begin(self, row: Row) -> None:
        """A sandbox is being started for it."""
        self._change(row, state="running", cells={})

    def hear(self, row: Row, event: pb.RunEvent) -> None:
        """Note an event of its run.

        Raises:
            Outdated: it is no longer a row of this matrix.
        """
        kind = event.WhichOneof("event")
        if kind == "check_started":
            self._change(row, cells={**row.cells, event.check_started: "running"})
        elif kind == "check_finished":
            self._change(row, cells={**row.cells, event.check_finished.id: event.check_finished.status})
        else:
            self._change(row)

    def finish(self, row: Row, report: Report) -> None:
        """Its run has ended; see `hear`."""
        cells = {check.id: check.status for check in report.checks}
        self._change(row, state="done", cells=cells, tried=judge(row.trial, report))

    def give_up(self, row: Row, trouble: str) -> None:
        """The platform could not carry it through; see `hear`."""
        self._change(row, state="done", trouble=trouble)

    def _change(self, row: Row, **values: object) -> None:
        with self._lock:
            if self._rows.get((row.trial.kind, row.trial.name)) is not row:
                raise Outdated
            for name, value in values.items():
                setattr(row, name, value)
            self.changes += bool(values)


def _common(exercise: Exercise) -> str:
    """What the results of all solutions depend on: the services, the checks and what is given."""
    definition, editable = exercise.definition, set(exercise.editable_paths)
    runner = (exercise.folder / definition.checks.runner).parent
    parts = [
        definition.model_dump_json(include={"sandbox", "workspace", "checks"}),
        *(folder_hash(folder) for folder in (runner, exercise.folder / "given")),
        _digest({path: text for path, text in exercise.starter.items() if path not in editable}),
    ]
    return "\n".join(parts)


def _key(common: str, exercise: Exercise, trial: Trial) -> str:
    files = {path: trial.files.get(path, "") for path in exercise.editable_paths}
    return _digest({"common": common, "files": _digest(files), "must fail": ",".join(trial.must_fail)})


def _digest(parts: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(sorted(parts.items())).encode()).hexdigest()
