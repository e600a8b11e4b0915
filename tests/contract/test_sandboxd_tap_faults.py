"""Taps that misbehave, and more traffic than anybody can keep: the tap is played, its two pipes and sandboxd are real."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.content.exercise import Exercise
from app.errors import PlatformError
from app.sandbox import sandbox_pb2 as pb
from app.sandbox.taps import history, supervisor
from app.sandbox.taps import tap as taps
from tests.desk import Desk, desk, write_exercise
from tests.product import eventually
from tests.proofs import offered

#: A tap that agrees to everything; a script replaces `ready` or `asked`.
TAP = """
import json, os, sys, time
def say(**frame):
    print(json.dumps(frame), flush=True)
def event(n=1, **more):
    known = {"at": time.monotonic(), "conn": 1, "from": "web", "to": "peer", "dir": "up", "kind": "data", "size": 1}
    return {**known, "n": n, **more}
def reply(question, ok=True, **more):
    say(type="reply", n=question["n"], ok=ok, **more)
def ready():
    say(type="ready")
def asked(question):
    reply(question)
SCRIPT
ready()
for line in sys.stdin:
    asked(json.loads(line))
"""
ENDS = "\ncheck('first'); check('second'); say(type='finished', scale=1.0)"
CALL = """
def tap(op, **arguments):
    return ask("tap_" + op, **arguments)
def tell(**seen):
    say(type="note", kind="seen", ru="", en=json.dumps(seen))
"""


def write(folder: Path) -> Exercise:
    home = write_exercise(folder).folder
    text = (home / "exercise.yaml").read_text()
    edges = '  edges: [{from: web, to: "peer:9000", protocol: tcp}]\nworkspace:'
    (home / "exercise.yaml").write_text(text.replace("workspace:", edges, 1))
    return offered(home)


@contextmanager
def played(home: Path, script: str = "") -> Iterator[Desk]:
    """sandboxd with an exercise of one edge, whose tap runs this script."""
    with desk(home, write=write, tap_files={"run.py": TAP.replace("SCRIPT", script).encode()}) as daemon:
        yield daemon


def run(daemon: Desk, sandbox: pb.Sandbox, script: str, ends: str = ENDS) -> tuple[pb.RunFinished, dict[str, Any]]:
    events = daemon.run(sandbox.id, CALL + script + ends)
    seen: dict[str, Any] = {}
    for event in events:
        if event.note:
            seen |= json.loads(json.loads(event.note)["en"])
    seen["traces"] = [json.loads(event.trace) for event in events if event.HasField("trace")]
    return events[-1].finished, seen


class TestLife:
    @pytest.mark.parametrize(
        ("script", "why"), [("sys.exit(3)", "code 3"), ("def ready(): print('hello', flush=True)", "protocol")]
    )
    def test_a_sandbox_whose_tap_does_not_start_has_failed(self, tmp_path: Path, script: str, why: str) -> None:
        with played(tmp_path, script) as daemon:
            gone = daemon.until(daemon.launch().id, lambda now: now.state == "gone")
            assert (gone.reason, "tap of `peer`" in gone.message, why in gone.message) == ("failed", True, True), gone.message

    def test_one_that_says_nothing_is_not_waited_for_for_ever(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(taps, "READY_SECONDS", 0.3)
        with played(tmp_path, "def ready(): pass") as daemon:
            gone = daemon.until(daemon.launch().id, lambda now: now.state == "gone")
            assert "tap of `peer`" in gone.message
            eventually("it is gone", lambda: all(guest.returncode is not None for guest in daemon.engine.guests))

    def test_one_that_dies_again_and_again_ends_the_sandbox(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(supervisor, "MOST_DEATHS", 3)
        monkeypatch.setattr(supervisor, "_PAUSE_SECONDS", 0.01)
        # Given a tap that dies as soon as it is asked twice
        script = """
count = 0
def asked(question):
    global count
    count += 1
    reply(question) if count < 2 else os._exit(1)
"""
        with played(tmp_path, script) as daemon:
            sandbox, replicas = daemon.launch(), itertools.cycle((2, 3))

            def ended(now: pb.Sandbox) -> bool:
                if now.state == "ready":
                    with contextlib.suppress(PlatformError):  # it ends at this moment
                        daemon.client.control(sandbox.id, "web", "scale", replicas=next(replicas))
                return now.state == "gone"

            gone = daemon.until(sandbox.id, ended)
            assert gone.reason == "failed"
            assert "cannot be kept alive" in gone.message

    def test_services_start_after_the_taps(self, tmp_path: Path) -> None:
        # Given a tap that takes its time
        with played(tmp_path, "def ready():\n    time.sleep(0.7)\n    say(type='ready')") as daemon:
            sandbox = daemon.launch()
            early = daemon.until(
                sandbox.id, lambda now: any(s.full_name == "peer" and s.state == "ready" for s in now.services)
            )
            assert next(s for s in early.services if s.full_name == "web").state == "waiting"
            ready = daemon.until(sandbox.id, lambda now: now.state == "ready")
            stage = next(stage for stage in ready.stages if stage.name == "taps")
            assert stage.done
            assert stage.seconds > 0.5


class TestRuns:
    def test_a_tap_that_does_not_answer_is_replaced_and_the_run_errored(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(taps, "ANSWER_SECONDS", 0.3)
        with played(tmp_path, "def asked(question): question['op'] == 'arm' or reply(question)") as daemon:
            sandbox = daemon.ready()
            outcome, _ = run(daemon, sandbox, "tap('arm', upstream='peer', rule={'do': 'drop'})\nimport time; time.sleep(9)")
            assert outcome.verdict == "errored"
            assert "tap of `peer`" in outcome.error
            daemon.until(sandbox.id, lambda now: any("tap failed" in event for event in now.events))
            assert run(daemon, sandbox, "")[0].verdict == "passed"

    def test_a_refusal_is_told_to_the_author_and_costs_no_run(self, tmp_path: Path) -> None:
        script = "def asked(question):\n    reply(question, ok=question['op'] != 'arm', error='`drop`: not here')"
        asks = """
tell(refused=tap("arm", upstream="peer", rule={"do": "drop"}),
     steps=tap("arm", upstream="peer", rule={"do": "hold", "on_hold": [{"do": "explode", "service": "web"}]}),
     elsewhere=tap("arm", upstream="web", rule={"do": "drop"}), text=tap("arm", upstream="peer", rule="r1"),
     large=tap("arm", upstream="peer", rule={"do": "drop", "when": {"body": "x" * 20000}}),
     unknown=tap("await", rule="r9", count=1, timeout=1), off=tap("disarm", upstream="peer", rule="r9"))
"""
        with played(tmp_path, script) as daemon:
            outcome, seen = run(daemon, daemon.ready(), asks)
            assert outcome.verdict == "passed", outcome
            assert "not here" in seen["refused"]["error"]
            assert "kill, pause" in seen["steps"]["error"]
            assert "No edge leads to `web`" in seen["elsewhere"]["error"]
            assert "an object" in seen["text"]["error"]
            assert "16 KiB" in seen["large"]["error"]
            assert "no rule `r9`" in seen["unknown"]["error"]
            assert seen["off"]["ok"]

    def test_a_hold_that_is_over_before_its_steps_makes_the_run_errored(self, tmp_path: Path) -> None:
        script = """
def asked(question):
    reply(question)
    if question["op"] == "arm":
        say(type="held", hold=1, rule=question["rule"]["id"], event=event())
"""
        steps = '[{"do": "await_exit", "service": "@sender"}]'
        rule = f'{{"do": "hold", "seconds": 0.3, "on_hold": {steps}}}'
        arms = f'tap("arm", upstream="peer", rule={rule})\nimport time; time.sleep(9)'
        with played(tmp_path, script) as daemon:
            outcome, _ = run(daemon, daemon.ready(), arms)
            assert outcome.verdict == "errored"
            assert "await_exit web" in outcome.error

    def test_a_compound_rule_has_acted_once_its_steps_are_through(self, tmp_path: Path) -> None:
        # Given a tap that holds a frame of the second replica, and says what was decided
        script = """
def asked(question):
    reply(question)
    if question["op"] == "arm":
        say(type="fired", rule=question["rule"]["id"], count=1, event=event())
        say(type="held", hold=7, rule=question["rule"]["id"], event=event(**{"from": "web-2"}))
    if question["op"] == "release":
        say(type="events", events=[event(kind="told", hold=question["hold"], action=question["action"])], dropped=0)
"""
        asks = """
ask("scale", "web", replicas=2)
steps = [{"do": "kill", "service": "@sender"}, {"do": "await_exit", "service": "@sender"}, {"do": "pause", "service": "web"}]
rule = tap("arm", upstream="peer", rule={"do": "hold", "then": "drop", "on_hold": steps})["value"]["rule"]
tell(acted=tap("await", rule=rule, count=1, timeout=5), trace=tap("trace", after=0)["value"]["events"],
     states={s["full_name"]: s["state"] for s in ask("status")["value"]})
"""
        with played(tmp_path, script) as daemon:
            outcome, seen = run(daemon, daemon.ready(), asks)
            assert outcome.verdict == "passed", outcome
            assert seen["acted"]["value"]["fired"] == 1
            assert seen["acted"]["value"]["events"][0]["from"] == "web-2"
            assert [(event["hold"], event["action"]) for event in seen["trace"]] == [(7, "drop")]
            assert (seen["states"]["web"], seen["states"]["web-2"]) == ("paused", "crashed")

    def test_every_question_reaches_the_tap_as_the_decision_has_it(self, tmp_path: Path) -> None:
        # Given a tap that tells every question it gets as an event
        script = """
def asked(question):
    if question["op"] != "sync":
        say(type="events", events=[event(question=question)], dropped=0)
    reply(question)
"""
        asks = """
rule = tap("arm", upstream="peer", rule={"from": "web", "do": "hold", "seconds": 3, "then": "cut"})["value"]["rule"]
tap("cut", upstream="peer", **{"from": "web-2"})
tap("disarm", upstream="peer", rule=rule)
tap("arm", upstream="peer", rule={"do": "drop"})
tap("disarm", upstream="peer", rule="")
tell(rule=rule, told=[e["question"] for e in tap("trace", after=0)["value"]["events"]])
"""
        with played(tmp_path, script) as daemon:
            outcome, seen = run(daemon, daemon.ready(), asks)
        assert outcome.verdict == "passed", outcome
        told = [{key: value for key, value in question.items() if key != "n"} for question in seen["told"]]
        peers = [question for question in told if question["op"] == "peers"]
        assert list(peers[-1]["peers"].values()) == ["web", "batch"]
        assert peers[-1]["present"] is True
        assert [question for question in told if question["op"] != "peers"] == [
            {"op": "arm", "rule": {"id": seen["rule"], "from": "web", "do": "hold", "seconds": 3, "then": "cut"}},
            {"op": "cut", "from": "web-2"},
            {"op": "disarm", "rule": seen["rule"]},
            {"op": "arm", "rule": {"id": "r2", "do": "drop"}},
            {"op": "disarm", "rule": ""},
        ]


class TestHistory:
    FLOOD = """
def asked(question):
    if question["op"] == "arm":
        for start in range(0, question["rule"]["count"], 500):
            events = [event(n, body="x" * 200) for n in range(start, min(start + 500, question["rule"]["count"]))]
            say(type="events", events=events, dropped=3 if start == 500 else 0)
    reply(question)
"""
    READ = """
tap("arm", upstream="peer", rule={"count": COUNT})
pages, after, dropped, sizes = [], 0, 0, []
while True:
    ask_it = tap("trace", after=after)
    sizes.append(len(json.dumps(ask_it)))
    page = ask_it["value"]
    after, dropped = page["next"], dropped + page["dropped"]
    if not page["events"]: break
    pages += [(e["seq"], e["n"]) for e in page["events"]]
tell(first=pages[0], last=pages[-1], count=len(pages), dropped=dropped, largest=max(sizes), rising=pages == sorted(pages))
"""

    def test_a_long_trace_comes_in_pages_that_fit_the_pipe(self, tmp_path: Path) -> None:
        with played(tmp_path, self.FLOOD) as daemon:
            outcome, seen = run(daemon, daemon.ready(), self.READ.replace("COUNT", "4000"))
        assert outcome.verdict == "passed", outcome
        assert (seen["count"], seen["dropped"], seen["rising"]) == (4000, 3, True)
        assert (seen["first"][1], seen["last"][1]) == (0, 3999)
        assert 100_000 < seen["largest"] < 1 << 20
        # And the report keeps the first and the last of a passed check, and says how many more there were
        first, second = seen["traces"]
        assert [event["n"] for event in first["events"]] == [*range(20), *range(3920, 4000)]
        assert (first["dropped"], second["events"], second["dropped"]) == (3903, [], 0)

    def test_a_failed_check_keeps_more(self, tmp_path: Path) -> None:
        with played(tmp_path, self.FLOOD) as daemon:
            script = 'tap("arm", upstream="peer", rule={"count": 400})'
            ends = "\ncheck('first', 'failed'); check('second'); say(type='finished', scale=1.0)"
            _, seen = run(daemon, daemon.ready(), script, ends)
        assert [event["n"] for event in seen["traces"][0]["events"]] == [*range(60), *range(160, 400)]
        assert seen["traces"][0]["dropped"] == 100

    def test_what_is_overwritten_is_counted(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(history, "MAX_EVENTS", 1000)
        with played(tmp_path, self.FLOOD) as daemon:
            _, seen = run(daemon, daemon.ready(), self.READ.replace("COUNT", "2500"))
        assert (seen["count"], seen["last"][1]) == (1000, 2499)
        assert seen["dropped"] == 1501  # the gap took a number of its own
