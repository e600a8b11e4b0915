"""From the events of a run to its report: notes know their check, traces are kept and told from, progress stays small."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.grading.collector import Collector
from app.grading.progress import KEPT_NOTES, Progress
from app.grading.report import StageReport
from app.sandbox import sandbox_pb2 as pb
from tests.desk import write_exercise


@pytest.fixture
def collector(tmp_path: Path) -> Collector:
    return Collector(write_exercise(tmp_path))


def note(collector: Collector, at: float, kind: str, words: str) -> None:
    collector.take(pb.RunEvent(note=json.dumps({"at": at, "kind": kind, "ru": words, "en": words})))


def finish(collector: Collector, status: str, **message: Any) -> None:
    text = json.dumps({"ru": {}, "en": {}, **message}) if status == "failed" else ""
    check = pb.CheckResult(id="first", status=status, max_points=60, seconds=2.0, message_json=text)
    verdict = "failed" if status == "failed" else "passed"
    collector.take(pb.RunEvent(check_finished=check))
    collector.take(pb.RunEvent(finished=pb.RunFinished(verdict=verdict, seed=7, scale=1.0, checks=[check])))


def test_a_failed_check_keeps_its_notes_its_cause_and_its_messages(collector: Collector) -> None:
    collector.take(pb.RunEvent(check_started="first"))
    note(collector, 1.0, "step", "We sent an order.")
    note(collector, 2.5, "fault", "killed web")
    events = [{"at": 1.0, "conn": 1, "from": "web-2", "to": "peer", "dir": "down", "kind": "deliver", "no_ack": True}]
    collector.take(pb.RunEvent(trace=json.dumps({"check": "first", "events": events, "dropped": 4}).encode()))
    finish(collector, "failed", cause={"kind": "crashed", "service": "web", "exit_code": 1})
    report = collector.report()
    assert [(one.kind, one.check) for one in report.notes] == [("step", "first"), ("fault", "first")]
    assert [(trace.check, trace.dropped, len(trace.events)) for trace in report.traces] == [("first", 4, 1)]
    message = report.check("first").message
    assert message
    assert message.cause
    assert (message.cause.kind, message.cause.service, message.cause.exit_code) == ("crashed", "web", 1)
    assert "first: crashed web" in report.features
    assert "first: web>peer no_ack" in report.features


def test_a_run_that_passed_has_no_features(collector: Collector) -> None:
    collector.take(pb.RunEvent(check_started="first"))
    finish(collector, "passed")
    assert collector.report().features == ()


def test_progress_shows_the_newest_notes_only_and_comes_back_from_the_database(collector: Collector) -> None:
    collector.take(pb.RunEvent(check_started="first"))
    for number in range(3 * KEPT_NOTES):
        note(collector, float(number), "step", f"Step {number}.")
    assert [one.at for one in collector.progress.notes] == [float(n) for n in range(2 * KEPT_NOTES, 3 * KEPT_NOTES)]
    assert Progress.from_json(collector.progress.to_json()) == collector.progress
    assert Progress.from_json("{}") == Progress()


def test_progress_says_what_goes_on_and_since_when(tmp_path: Path) -> None:
    wall = iter(range(100, 200))
    collector = Collector(write_exercise(tmp_path), wall=lambda: next(wall))
    seen = [(collector.progress.stage, collector.progress.check, collector.progress.since)]
    for event in (
        pb.RunEvent(stage=pb.Stage(name="sandbox", seconds=0.1)),
        pb.RunEvent(stage=pb.Stage(name="reset", seconds=2.0)),
        pb.RunEvent(stage=pb.Stage(name="attach", seconds=0.5)),
        pb.RunEvent(stage=pb.Stage(name="calibrate", seconds=0.2)),
        pb.RunEvent(check_started="first"),
        pb.RunEvent(check_finished=pb.CheckResult(id="first", status="passed")),
    ):
        collector.take(event)
        seen.append((collector.progress.stage, collector.progress.check, collector.progress.since))
    assert seen == [("own-sandbox", "", 100), ("reset", "", 101), ("attach", "", 102), ("calibrate", "", 103),
                    ("checks", "", 104), ("checks", "first", 105), ("checks", "", 0)]  # fmt: skip
    graded = Collector(write_exercise(tmp_path / "graded"), stages=[StageReport("sandbox", 1.0), StageReport("ready", 2.0)])
    assert graded.progress.stage == "attach"
