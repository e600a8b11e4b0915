"""The prober as `sandboxd` starts it: its bundle in a folder, two pipes, and checks of every temper."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from app.grading.prober.bundle import platform_files
from app.grading.prober.runner import FRESH

CHECKS = """
import os, sys, time
from kit import Failed, Fault, Kit, Text, check, equal

WHAT = Text("ответ", "answer")

@check("fine")
def fine(kit: Kit) -> None:
    kit.expect(1, equal(1), WHAT)

@check("wrong")
def wrong(kit: Kit) -> None:
    kit.look("Там.", "There.")
    kit.step("Сделали одно.", "We did one thing.")
    kit.step("Сделали другое.", "We did another.")
    kit.expect(2, equal(1), WHAT)

@check("needy")
def needy(kit: Kit) -> None:
    pass

@check("chatty")
def chatty(kit: Kit) -> None:
    frame = '{"type": "check_finished", "id": "wrong", "status": "passed", "seconds": 1, "message": null}'
    print(frame)
    sys.stdout.flush()
    os.write(1, frame.encode() + b"\\n")
    sys.stdin.read()

@check("buggy")
def buggy(kit: Kit) -> None:
    kit.nothing_of_this_name()

@check("ours")
def ours(kit: Kit) -> None:
    raise Fault("the broker is ill")

@check("hangs")
def hangs(kit: Kit) -> None:
    kit.step("Начали ждать.", "We began to wait.")
    kit.note("ждём", "waiting")
    while True:
        time.sleep(60)

@check("rests")
def rests(kit: Kit) -> None:
    time.sleep(3)

@check("dies")
def dies(kit: Kit) -> None:
    os.kill(os.getpid(), 11)

@check("leaves-early")
def leaves_early(kit: Kit) -> None:
    os._exit(0)

@check("asks")
def asks(kit: Kit) -> None:
    kit.service("worker").kill()
    kit.expect(kit.service("worker").await_exit().signal, equal(9), WHAT)

@check("crashed")
def crashed(kit: Kit) -> None:
    kit.service("worker").stop()
    kit.fail(WHAT, WHAT)

@check("begun-and-crashed")
def begun_and_crashed(kit: Kit) -> None:
    kit.service("worker").stop()
    kit.service("worker").start()
    kit.service("worker").resume()
    kit.fail(WHAT, WHAT)

@check("killed")
def killed(kit: Kit) -> None:
    kit.service("worker").kill()
    kit.fail(WHAT, WHAT)

@check("killed-at-a-message")
def killed_at_a_message(kit: Kit) -> None:
    steps = [{"do": "kill", "service": "@sender"}]
    kit._pipe.call("tap_arm", upstream="broker", rule={"id": "r1", "do": "hold", "on_hold": steps})
    kit.service("worker").resume()
    kit.fail(WHAT, WHAT)

@check("resumed")
def resumed(kit: Kit) -> None:
    kit.service("worker").resume()
    kit.fail(WHAT, WHAT)

@check("refused")
def refused(kit: Kit) -> None:
    kit.service("worker").pause()

@check("arms")
def arms(kit: Kit) -> None:
    kit.edge("worker", "broker").black_hole()
    time.sleep(60)

@check("speaks")
def speaks(kit: Kit) -> None:
    imported = [name for name in ("amqp", "broker", "http", "rpc", "sql") if f"grading.kit.probes.{name}" in sys.modules]
    kit.fail(WHAT, Text.same(" ".join(imported)))

@check("draws")
def draws(kit: Kit) -> None:
    kit.fail(WHAT, Text.same(kit.draw.token()))
"""


class Platform:
    """Plays `sandboxd` for one run: starts the prober, answers its calls, keeps its frames."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.frames: list[dict[str, Any]] = []
        self.worker = {"name": "worker", "state": "ready", "restarts": 0, "log_bytes": 0}
        self.log = ""
        self.rules: list[dict[str, Any]] = []  #: armed now
        self.answers_after = 0.0

    def begin(self, *checks: str, seconds: float = 5, timeout: float = 30, **job: Any) -> subprocess.Popen[bytes]:
        needs = {"needy": ["wrong"]}
        job = {
            "exercise": "trial",
            "seed": 11,
            "only": list(checks),
            "checks": [{"id": c, "points": 1, "needs": needs.get(c, []), "seconds": seconds} for c in checks],
            "services": [{"name": "worker", "image": "python", "learner": True, "restart": "never"}],
            "edges": [{"from": "worker", "to": "broker", "protocol": "amqp"}],
            "secrets": {},
            "timeout_seconds": timeout,
            **job,
        }
        (self.home / "job.json").write_text(json.dumps(job))
        argv = [sys.executable, "-I", str(self.home / "run.py")]
        return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, *checks: str, **job: Any) -> dict[str, dict[str, Any]]:
        """Results by check id."""
        with self.begin(*checks, **job) as process:
            assert process.stdout
            assert process.stdin
            for line in process.stdout:
                frame = json.loads(line)
                if frame["type"] == "call":
                    process.stdin.write(json.dumps({"n": frame["n"], **self.answer(frame)}).encode() + b"\n")
                    process.stdin.flush()
                else:
                    self.frames.append(frame)
            assert process.wait(10) == 0
            assert process.stderr
            self.stderr = process.stderr.read().decode()
        return {frame["id"]: frame for frame in self.frames if frame["type"] == "check_finished"}

    def answer(self, call: dict[str, Any]) -> dict[str, Any]:
        time.sleep(self.answers_after)
        match call["op"]:
            case "status":
                return {"ok": True, "value": [self.worker]}
            case "kill":
                self.worker |= {"state": "crashed", "signal": 9}
            case "start":
                self.worker |= {"state": "ready", "restarts": 0, "exit_code": None}
            case "stop" | "resume":
                self.log = "Traceback (most recent call last):\nValueError: no such order\x1b[2J\n"
                self.worker |= {"state": "crashed", "exit_code": 1, "log_bytes": len(self.log)}
            case "await_exit":
                return {"ok": True, "value": {"exit_code": None, "signal": 9}}
            case "logs":
                return {"ok": True, "value": {"text": self.log[call["offset"] :], "offset": len(self.log)}}
            case "tap_mark":
                return {"ok": True, "value": {"seq": 7}}
            case "tap_arm":
                self.rules.append(call["rule"])
                return {"ok": True, "value": {"rule": f"r{len(self.rules)}"}}
            case "tap_disarm":
                self.rules.clear()
            case "pause":
                return {"ok": False, "error": "the engine does not answer"}
        return {"ok": True, "value": None}


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    files = {**platform_files(), "checks/checks.py": CHECKS.encode()}
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return Platform(tmp_path)


def test_it_gives_one_result_for_each_check_and_finishes(platform: Platform) -> None:
    results = platform.run("fine", "wrong", "needy")
    assert {name: result["status"] for name, result in results.items()} == {
        "fine": "passed",
        "wrong": "failed",
        "needy": "skipped",
    }
    assert platform.frames[-1]["type"] == "finished"
    assert 1 <= platform.frames[-1]["scale"] <= 6


def test_a_failure_tells_the_story_in_both_languages(platform: Platform) -> None:
    message = platform.run("wrong")["wrong"]["message"]
    assert message["en"] == {
        "done": "We did one thing. We did another.",
        "expected": "answer: 1",
        "seen": "answer: 2",
        "where": "There.",
    }
    assert message["ru"]["done"] == "Сделали одно. Сделали другое."


def test_what_a_check_prints_never_becomes_a_frame(platform: Platform) -> None:
    results = platform.run("chatty", "wrong")
    assert results["wrong"]["status"] == "failed"
    assert len([frame for frame in platform.frames if frame.get("id") == "wrong"]) == 2


@pytest.mark.parametrize("check", ["buggy", "ours", "dies", "leaves-early", "refused", "missing"])
def test_what_is_not_the_learners_fault_is_errored_and_the_next_check_still_runs(platform: Platform, check: str) -> None:
    results = platform.run(check, "fine")
    assert (results[check]["status"], results["fine"]["status"]) == ("errored", "passed")
    assert results[check]["message"] is None
    assert [frame["kind"] for frame in platform.frames if frame["type"] == "note"][-1:] == ["errored"]
    assert f"check `{check}` is errored" in platform.stderr


def test_a_check_that_hangs_is_ended_at_its_cap_and_says_what_it_was_doing(platform: Platform) -> None:
    begun = time.monotonic()
    results = platform.run("hangs", "fine", seconds=0.5)
    assert (results["hangs"]["status"], results["fine"]["status"]) == ("failed", "passed")
    assert results["hangs"]["message"]["en"]["done"] == "We began to wait."
    assert time.monotonic() - begun < 15


def test_all_checks_together_are_bounded(platform: Platform) -> None:
    results = platform.run("hangs", "fine", seconds=100, timeout=2)
    assert results["hangs"]["status"] == "failed"
    assert platform.frames[-1]["type"] == "finished"


def test_a_machine_that_becomes_slower_on_the_way_gives_all_checks_together_more_time(platform: Platform) -> None:
    # Given a platform that answers slowly from the first check on, and a prober that measures nothing else
    scale = platform.home / "grading/kit/scale.py"
    measured = scale.read_text().replace("QUIET_WORK, QUIET_ANSWER = 0.020, 0.010", "QUIET_WORK, QUIET_ANSWER = 60, 0.1")
    assert measured != scale.read_text()
    scale.write_text(measured)
    answer = platform.answer

    def slower(call: dict[str, Any]) -> dict[str, Any]:
        if call["op"] == "kill":
            time.sleep(FRESH)  # until a measurement is out of date
            platform.answers_after = 0.5
        return answer(call)

    platform.answer = slower  # type: ignore[method-assign]
    # When the checks take longer than a quiet machine would allow
    results = platform.run("asks", "rests", timeout=FRESH + 2.5)
    # Then none of them is cut off
    assert [result["status"] for result in results.values()] == ["passed", "passed"]


def test_faults_are_asked_of_the_platform_and_noted(platform: Platform) -> None:
    assert platform.run("asks")["asks"]["status"] == "passed"
    assert [frame["en"] for frame in platform.frames if frame["type"] == "note"] == ["killed worker"]


def test_a_service_that_crashed_meanwhile_shows_the_end_of_its_log_without_control_characters(platform: Platform) -> None:
    seen = platform.run("crashed")["crashed"]["message"]["en"]["seen"]
    assert "worker ended with exit code 1" in seen
    assert "ValueError: no such order" in seen
    assert "\x1b" not in seen


def test_only_a_service_that_ended_by_itself_is_the_cause_of_a_failure(platform: Platform) -> None:
    ended = platform.run("resumed")["resumed"]["message"]["cause"]
    assert ended == {"kind": "crashed", "service": "worker", "exit_code": 1, "signal": None}
    platform.worker |= {"state": "ready"}
    assert platform.run("crashed")["crashed"]["message"]["cause"] is None, "the check itself had stopped it"
    platform.worker |= {"state": "ready"}
    assert platform.run("begun-and-crashed")["begun-and-crashed"]["message"]["cause"] == ended, "it had started it again"
    for check in ("killed", "killed-at-a-message"):
        platform.worker |= {"state": "ready", "exit_code": None}
        assert platform.run(check)[check]["message"]["cause"] is None, "its end was wanted"
    platform.worker |= {"state": "ready", "replica": 2, "signal": None}
    assert platform.run("killed")["killed"]["message"]["cause"] is None, "a second replica has a name of its own"
    platform.worker |= {"out_of_memory": True}
    assert platform.run("crashed")["crashed"]["message"]["cause"]["kind"] == "out-of-memory", "that is nobody else's doing"


def test_steps_go_to_the_timeline_and_a_check_out_of_time_says_so(platform: Platform) -> None:
    cause = platform.run("hangs", seconds=0.5)["hangs"]["message"]["cause"]
    assert cause["kind"] == "timed-out"
    assert 0.5 <= cause["seconds"] <= 3
    notes = [(frame["kind"], frame["en"]) for frame in platform.frames if frame["type"] == "note"]
    assert notes == [("step", "We began to wait."), ("note", "waiting")]


def test_the_same_seed_replays_the_same_draws(platform: Platform) -> None:
    first, again, other = (platform.run("draws", seed=seed)["draws"]["message"]["en"]["seen"] for seed in (3, 3, 4))
    assert first == again != other


def test_what_speaks_with_services_is_imported_once_for_all_checks(platform: Platform) -> None:
    def imported(image: str) -> str:
        services = [{"name": "worker", "image": image, "learner": True, "restart": "never"}]
        return str(platform.run("speaks", services=services)["speaks"]["message"]["en"]["seen"])

    assert imported("python") == "http"
    assert imported("rabbitmq") == "amqp broker http"
    (platform.home / "checks" / "shop.textproto").write_text("")
    assert imported("postgres") == "http rpc sql"


def test_no_rule_outlives_its_check_even_when_the_check_hangs(platform: Platform) -> None:
    results = platform.run("arms", "fine", seconds=0.5)
    assert (results["arms"]["status"], results["fine"]["status"]) == ("failed", "passed")
    assert [frame["en"] for frame in platform.frames if frame["type"] == "note" and frame["kind"] == "fault"] == [
        "link worker → broker: nothing passes from now on"
    ]
    assert platform.rules == []


def test_checks_that_cannot_be_imported_are_errored_one_by_one(platform: Platform) -> None:
    (platform.home / "checks" / "checks.py").write_text("import nothing_of_this_name\n")
    assert {result["status"] for result in platform.run("fine", "wrong").values()} == {"errored"}


def test_it_stops_after_the_first_failure_where_the_exercise_says_so(platform: Platform) -> None:
    results = platform.run("wrong", "fine", stop_at_first_failure=True)
    assert results["fine"]["status"] == "skipped"


def test_a_machine_that_is_too_slow_judges_nobody(platform: Platform) -> None:
    platform.answers_after = 0.1
    results = platform.run("fine", "wrong")
    assert (results["fine"]["status"], results["wrong"]["status"]) == ("passed", "errored")
    assert "too slow to judge" in platform.stderr


def test_sigterm_ends_it_with_the_check_that_runs(platform: Platform) -> None:
    with platform.begin("hangs", seconds=60) as process:
        assert process.stdout
        assert process.stdin
        for line in process.stdout:
            frame = json.loads(line)
            if frame["type"] == "call":
                process.stdin.write(json.dumps({"n": frame["n"], **platform.answer(frame)}).encode() + b"\n")
                process.stdin.flush()
            elif frame["type"] == "note":
                break
        running = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 143
        assert running
        assert not any(_alive(int(child)) for child in running)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
