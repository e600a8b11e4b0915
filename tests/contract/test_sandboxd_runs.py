"""Runs of the checks: who decides what, and what a prober can never do. The prober is a real process with real pipes."""

from __future__ import annotations

import json
import re
import threading
import time
from typing import Any

import pytest

from app.errors import Conflict, InvalidInput
from app.sandbox import sandbox_pb2 as pb
from app.sandbox.daemon import sandboxes
from app.sandbox.prober import bridge
from tests.desk import PASSES, Desk
from tests.product import eventually


def finished(events: list[pb.RunEvent]) -> pb.RunFinished:
    assert events[-1].WhichOneof("event") == "finished", events[-1]
    return events[-1].finished


def statuses(outcome: pb.RunFinished) -> dict[str, str]:
    return {check.id: check.status for check in outcome.checks}


class TestVerdict:
    def test_points_come_from_the_exercise_and_every_step_is_told(self, daemon: Desk) -> None:
        events = daemon.run(daemon.ready().id, "say(type='stage', name='calibrate', seconds=0.2)\n" + PASSES)
        outcome = finished(events)
        assert (outcome.verdict, outcome.score, outcome.seed, outcome.error) == ("passed", 100, 7, "")
        assert [(check.id, check.points, check.max_points) for check in outcome.checks] == [
            ("first", 60, 60),
            ("second", 40, 40),
        ]
        told = [event.WhichOneof("event") for event in events]
        assert told == ["stage"] * 3 + ["check_started", "check_finished"] * 2 + ["finished"]
        assert [event.stage.name for event in events[:3]] == ["sandbox", "attach", "calibrate"]
        assert json.loads(outcome.log_tails_json)["web"] == "started\n"

    def test_a_failed_check_fails_the_run_and_says_why_in_both_languages(self, daemon: Desk) -> None:
        words = {"done": "a", "expected": "b", "seen": "c", "where": "d"}
        message = {"ru": words, "en": words}
        script = f"check('first'); check('second', 'failed', message={message!r}); say(type='finished', scale=2.5)"
        outcome = finished(daemon.run(daemon.ready().id, script))
        assert (outcome.verdict, outcome.score, outcome.scale) == ("failed", 60, 2.5)
        assert json.loads(outcome.checks[1].message_json) == {**message, "cause": None}

    @pytest.mark.parametrize(
        ("first", "second", "verdict", "score"),
        [
            ("passed", "errored", "errored", 60),
            ("failed", "errored", "failed", 0),
            ("errored", "skipped", "errored", 0),
            ("failed", "skipped", "failed", 0),
            ("passed", "skipped", "errored", 60),
        ],
    )
    def test_a_shown_fault_stands_and_everything_else_unclear_is_ours(
        self, daemon: Desk, first: str, second: str, verdict: str, score: int
    ) -> None:
        script = f"check('first', '{first}'); check('second', '{second}'); say(type='finished', scale=1.0)"
        outcome = finished(daemon.run(daemon.ready().id, script))
        assert (outcome.verdict, outcome.score) == (verdict, score)

    def test_only_some_checks_can_be_run(self, daemon: Desk) -> None:
        script = "check('second') if job['only'] == ['second'] else None; say(type='finished', scale=1.0)"
        outcome = finished(daemon.run(daemon.ready().id, script, only=["second"]))
        assert (outcome.verdict, outcome.score, statuses(outcome)) == ("passed", 40, {"second": "passed"})
        with pytest.raises(InvalidInput):
            daemon.run(daemon.ready().id, only=["nosuch"])

    def test_the_job_tells_the_prober_what_it_needs_and_nothing_of_points_comes_back(self, daemon: Desk) -> None:
        # Given a prober that claims points of its own
        script = """
assert job["seed"] == 7 and job["purpose"] == "practice" and job["timeout_seconds"] == 5, job
assert [c["id"] for c in job["checks"]] == ["first", "second"]
assert {s["name"]: s["learner"] for s in job["services"]} == {"web": True, "peer": False, "batch": True}
assert set(job["secrets"]) == {"prober_password", "control_token"}
say(type="check_started", id="first")
say(type="check_finished", id="first", status="failed", seconds=0.1, points=1000, max_points=1, verdict="passed", score=100)
check("second")
say(type="finished", scale=1.0, verdict="passed", score=100)
"""
        outcome = finished(daemon.run(daemon.ready().id, script))
        assert (outcome.verdict, outcome.score, outcome.error) == ("failed", 40, "")


class TestProberFaults:
    @pytest.mark.parametrize(
        ("script", "error"),
        [
            ("check('third')", "third"),
            ("check('first'); check('first')", "first"),
            ("say(type='check_finished', id='first', status='passed', seconds=0.1)", "first"),
            ("check('first'); say(type='check_finished', id='first', status='failed', seconds=0.1)", "first"),
            ("check('first'); say(type='finished', scale=1.0)", "without a result for: second"),
            ("print('hello')", "not JSON"),
            ("say(type='verdict', verdict='passed')", "not valid"),
            ("say(type='check_started', id=7)", "not valid"),
            ("check('first', 'excellent')", "not valid"),
            (
                "say(type='check_started', id='first'); print('{\"type\": \"finished\", \"scale\": NaN}', flush=True)",
                "not JSON",
            ),
            ("print('x' * (2 << 20), flush=True)", "more than its pipe"),
            ("print('[' * 100000, flush=True)", "not JSON"),
            ("check('first'); check('second')", "before it had finished"),
            ("print('boom', file=sys.stderr); sys.exit(3)", "code 3.*boom"),
            ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "code -9"),
            ("check('first'); check('second'); say(type='finished', scale=1.0); check('first')", "went on"),
            ("for n in range(100): say(type='call', n=n, op='await_exit', service='web', timeout=60)", "too much"),
            ("say(type='call', n=1, op='put')", "not valid"),
        ],
    )
    def test_a_prober_that_breaks_the_rules_is_our_fault_not_the_learners(self, daemon: Desk, script: str, error: str) -> None:
        outcome = finished(daemon.run(daemon.ready().id, script))
        assert (outcome.verdict, outcome.score) == ("errored", 0)
        assert_matches(error, outcome.error)
        # And the sandbox is free for another run
        assert statuses(finished(daemon.run(outcome_sandbox(daemon)))) == {"first": "passed", "second": "passed"}

    def test_one_that_hangs_is_ended_at_its_cap(self, daemon: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bridge, "MAX_SCALE", 0.1)
        monkeypatch.setattr(bridge, "GRACE_SECONDS", 0.2)
        began = time.monotonic()
        outcome = finished(daemon.run(daemon.ready().id, "check('first'); import time; time.sleep(60)"))
        assert time.monotonic() - began < 5
        assert outcome.verdict == "errored"
        assert "in time" in outcome.error
        assert statuses(outcome) == {"first": "passed", "second": "errored"}
        assert all(guest.returncode is not None for guest in daemon.engine.guests)

    def test_a_sandbox_that_ends_meanwhile_is_errored(self, daemon: Desk) -> None:
        sandbox = daemon.ready()
        timer = threading.Timer(0.5, lambda: daemon.client.stop(sandbox.id))
        timer.start()
        outcome = finished(daemon.run(sandbox.id, "check('first'); ask('await_exit', 'web', timeout=60); " + PASSES))
        timer.join()
        assert outcome.verdict == "errored"

    def test_a_run_waits_for_a_sandbox_that_is_still_starting(self, daemon: Desk) -> None:
        daemon.engine.mood, daemon.engine.delay = daemon.engine.mood.SLOW, 0.5
        events = list(daemon.client.run(daemon.launch().id, seed=7, timeout=20))
        assert events[0].stage.name == "sandbox"
        assert events[0].stage.seconds > 0.3
        assert finished(events).verdict == "passed"


class TestCalls:
    def test_the_prober_can_hurt_and_look(self, daemon: Desk) -> None:
        script = (
            """
seen = {}
seen["ready"] = {s["full_name"]: s["state"] for s in ask("status")["value"]}
for op in ("pause", "resume", "stop", "start", "kill", "restart", "reset"):
    assert ask(op, "peer")["ok"], op
assert ask("scale", "web", replicas=3)["ok"]
assert ask("logs", "web", offset=0)["value"] == {"text": "started\\n", "offset": 8}
seen["scaled"] = [s["full_name"] for s in ask("status")["value"]]
assert ask("kill", "web-2")["ok"]
seen["exit"] = ask("await_exit", "web-2", timeout=5)["value"]
seen["timeout"] = ask("await_exit", "web-3", timeout=0.2)["value"]
seen["refused"] = ask("kill", "nobody")
seen["reset of the learner's"] = ask("reset", "web")["ok"]
say(type="note", kind="fault", ru="да", en=json.dumps(seen))
"""
            + PASSES
        )
        events = daemon.run(daemon.ready().id, script)
        assert finished(events).verdict == "passed", finished(events)
        note: Any = json.loads(next(event.note for event in events if event.note))
        seen = json.loads(note["en"])
        assert (note["kind"], note["ru"]) == ("fault", "да")
        assert seen["ready"] == {"web": "ready", "peer": "ready", "batch": "waiting"}
        assert seen["scaled"] == ["web", "peer", "batch", "web-2", "web-3"]
        assert seen["exit"] == {"exit_code": 137, "signal": 9}
        assert seen["timeout"] == {"timeout": True}
        assert seen["refused"]["ok"] is False
        assert "nobody" in seen["refused"]["error"]
        assert seen["reset of the learner's"] is False

    def test_faults_of_a_trial_are_undone_but_what_ended_by_itself_stays_ended(self, daemon: Desk) -> None:
        sandbox = daemon.ready()
        script = "ask('pause', 'peer'); ask('kill', 'web'); ask('scale', 'web', replicas=4); " + PASSES
        finished(daemon.run(sandbox.id, script))
        now = daemon.until(sandbox.id, lambda now: len(now.services) == 3 and not now.checks_running)
        assert {s.full_name: s.state for s in now.services} == {"web": "ready", "peer": "ready", "batch": "waiting"}

    def test_a_cancelled_run_leaves_no_prober(self, daemon: Desk) -> None:
        sandbox = daemon.ready()
        daemon.script = "check('first'); import time; time.sleep(60)"
        daemon.do(daemon._reload())
        events = daemon.client.run(sandbox.id, seed=7, timeout=20)
        while next(events).WhichOneof("event") != "check_finished":
            pass
        with pytest.raises(Conflict) as refused:
            daemon.client.control(sandbox.id, "web", "kill")
        assert refused.value.code == "checks-running"
        with pytest.raises(Conflict):
            list(daemon.client.run(sandbox.id, seed=8, timeout=20))
        events.close()
        eventually("the prober is gone", lambda: daemon.engine.guests[-1].returncode is not None, within=5)
        daemon.until(sandbox.id, lambda now: not now.checks_running)
        assert finished(daemon.run(sandbox.id)).verdict == "passed"


class TestTrial:
    def test_it_starts_anew_on_the_given_files(self, daemon: Desk) -> None:
        # Given a sandbox that has been used: a manual service was started, another one scaled
        sandbox = daemon.ready()
        daemon.client.control(sandbox.id, "batch", "start")
        daemon.client.control(sandbox.id, "web", "scale", replicas=3)
        # When its owner runs the checks on a new draft
        script = "say(type='note', kind='seen', ru='', en=json.dumps(ask('status')['value'])); " + PASSES
        events = daemon.run(sandbox.id, script, files={"main.py": "print('draft')\n"})
        # Then everything was new when the prober came
        note = json.loads(next(event.note for event in events if event.note))
        states = {s["full_name"]: s["state"] for s in json.loads(note["en"])}
        assert states == {"web": "ready", "peer": "ready", "batch": "stopped"}
        assert daemon.engine.restarted == ["peer", "web"]
        now = daemon.client.status(sandbox.id)
        assert next(s for s in now.services if s.name == "web").files_revision == now.files_revision != sandbox.files_revision
        assert [event.stage.name for event in events if event.HasField("stage")][:3] == ["sandbox", "reset", "attach"]

    def test_bad_files_are_refused_before_anything_changes(self, daemon: Desk) -> None:
        sandbox = daemon.ready()
        with pytest.raises(InvalidInput):
            daemon.run(sandbox.id, files={"batch.py": "x"})
        assert daemon.engine.restarted == []

    def test_checks_keep_an_idle_sandbox_alive(self, daemon: Desk) -> None:
        sandbox = daemon.ready()
        daemon.script = "import time; time.sleep(1.5); " + PASSES
        daemon.do(daemon._reload())
        events = daemon.client.run(sandbox.id, seed=7, timeout=20)
        next(events)
        daemon.hurry = sandboxes.IDLE_SECONDS + 5
        assert finished(list(events)).verdict == "passed"
        assert daemon.client.status(sandbox.id).state == "ready"


def assert_matches(pattern: str, text: str) -> None:
    assert re.search(pattern, text), text


def outcome_sandbox(daemon: Desk) -> str:
    return str(daemon.client.list().sandboxes[0].id)
