"""Run the checks of one job in order and tell `sandboxd` about each, over a pipe that no check can write to."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from .. import kit as kit_package
from ..kit.probes import preload
from ..kit.registry import CheckFunction, declared
from ..kit.scale import measure, overloaded
from ..kit.words import Fault, Text
from . import child
from .job import CheckJob, Job
from .lines import LineReader, write_line
from .message import Story, Witness, compose

ANSWER_LIMIT = 60.0  #: seconds that `sandboxd` may take for one call of the runner itself
FRESH = 1.0  #: seconds for which a measurement of the slowness is one of now
CLOSING = 1.0  #: seconds kept at the end for telling the last results


class Platform:
    """The pipe to `sandboxd`. It is the kit's `Pipe` for the runner itself, and relays the calls of checks.

    Args:
        questions: descriptor to write frames to.
        answers: descriptor to read answers from.
    """

    def __init__(self, questions: int, answers: int) -> None:
        self._questions, self._reader = questions, LineReader(answers)
        self._number = 0

    def send(self, frame: dict[str, Any]) -> None:
        """Write one frame."""
        write_line(self._questions, frame)

    def call(self, op: str, service: str = "", **arguments: Any) -> Any:
        """Ask and wait; raises `Fault` when refused."""
        answer = self.ask({"op": op, "service": service, **arguments}, time.monotonic() + ANSWER_LIMIT)
        if not answer["ok"]:
            raise Fault(f"the platform refused `{op} {service}`: {answer.get('error', '')}")
        return answer.get("value")

    def ask(self, call: dict[str, Any], deadline: float) -> dict[str, Any]:
        """Put a question under a number of ours and return its answer; answers to given-up questions are skipped.

        Raises:
            TimeoutError: no answer until `deadline`.
            Fault: the platform is gone.
        """
        self._number += 1
        self.send({**call, "type": "call", "n": self._number})
        while True:
            answer = self._reader.read(deadline)
            if answer is None:
                raise Fault("the platform closed the pipe")
            if answer.get("n") == self._number:
                return answer


class Runner:
    """One run of a job.

    Args:
        broken: why the author's file could not be imported; empty when it could.
    """

    def __init__(self, job: Job, platform: Platform, functions: dict[str, CheckFunction], broken: str = "") -> None:
        self._job, self._platform, self._functions, self._broken = job, platform, functions, broken
        self._passed: dict[str, bool] = {}
        self._scale = 1.0  #: the largest of the run
        self._latest, self._measured_at = 1.0, float("-inf")
        self._armed: set[str] = set()  #: upstreams on whose taps the present check has armed rules

    def run(self) -> None:
        """Run everything; one result frame for each check, then `finished`."""
        begun = time.monotonic()
        self._slowness()
        seconds = round(time.monotonic() - begun, 3)
        self._platform.send({"type": "stage", "name": "calibrate", "seconds": seconds, "scale": self._scale})
        for check in self._job.checks:
            self._platform.send({"type": "check_started", "id": check.id})
            begun_check = time.monotonic()
            frame = self._judge(check, begun)
            if frame["status"] == "failed" and overloaded(self._platform):
                frame = self._errored(check, "it failed on a machine that is too slow to judge")
            self._passed[check.id] = frame["status"] == "passed"
            seconds = round(time.monotonic() - begun_check, 3)
            self._platform.send({"type": "check_finished", "id": check.id, "seconds": seconds, "message": None, **frame})
        self._platform.send({"type": "finished", "scale": self._scale})

    def _judge(self, check: CheckJob, run_begun: float) -> dict[str, Any]:
        stopped = self._job.stop_at_first_failure and not all(self._passed.values())
        if stopped or not all(self._passed.get(need, True) for need in check.needs):
            return {"status": "skipped"}
        if check.id not in self._functions:
            return self._errored(check, self._broken or f"{self._job.runner.name} declares no function for it")
        story = Story()
        scale = self._slowness()
        witness = Witness(self._job.sandbox.services, self._platform)
        begun = time.monotonic()
        # The whole run is stretched like its checks: a machine that became slower on the way cuts none of them off.
        end = run_begun + self._job.timeout * self._scale
        limit = min(check.seconds * scale, max(end - CLOSING - begun, 0.0))
        function = self._functions[check.id]
        process, ours = child.start(check.id, function, self._job.seed, self._job.sandbox, scale)
        try:
            result = child.follow(ours, begun + limit, lambda frame, until: self._relay(ours.fileno(), frame, story, until))
        except TimeoutError:
            parts = child.parts(child.took_too_long(limit, begun))
            cause = {"kind": "timed-out", "seconds": round(limit, 3)}
            return {"status": "failed", "message": compose(parts, story, witness, cause)}
        finally:
            child.end(process)
            ours.close()
            self._disarm()
        if result is None:
            return self._errored(check, "its process ended without a result")
        if result["status"] == "failed":
            return {"status": "failed", "message": compose(result["parts"], story, witness)}
        if result["status"] == "errored":
            return self._errored(check, result.get("why", ""))
        return {"status": "passed"}

    def _slowness(self) -> float:
        """The factor of now; measured anew unless that was just done."""
        if time.monotonic() - self._measured_at > FRESH:
            self._latest = measure(self._platform)
            self._measured_at = time.monotonic()
            self._scale = max(self._scale, self._latest)
        return self._latest

    def _disarm(self) -> None:
        """No rule outlives its check, however the check ended."""
        while self._armed:
            self._platform.call("tap_disarm", upstream=self._armed.pop(), rule="")

    def _errored(self, check: CheckJob, why: str) -> dict[str, Any]:
        """Blame us: the timeline says why, for instructors and authors."""
        print(f"check `{check.id}` is errored: {why}", file=sys.stderr)
        self._platform.send({"type": "note", "kind": "errored", "ru": f"{check.id}: {why}", "en": f"{check.id}: {why}"})
        return {"status": "errored"}

    def _relay(self, back: int, frame: dict[str, Any], story: Story, deadline: float) -> None:
        """Pass on what a running check says: a step, a place to look at, a note, a signal, or a call that is answered."""
        kind = frame.pop("type", "")
        if kind == "step":
            story.steps.append(Text(frame["ru"], frame["en"]))
            self._platform.send({"type": "note", "kind": "step", **frame})
        elif kind == "look":
            story.where = Text(frame["ru"], frame["en"])
        elif kind in ("note", "signal"):
            self._platform.send({"type": kind, **frame})
        elif kind == "call":
            number = frame.pop("n")
            if frame["op"] == "tap_arm":
                self._armed.add(frame["upstream"])
            story.asked(frame)
            write_line(back, {**self._platform.ask(frame, deadline), "n": number})


def load_checks(path: Path) -> dict[str, CheckFunction]:
    """Import the author's file, which may say `from kit import …` and import its neighbours; return its checks by id."""
    sys.modules["kit"] = kit_package
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location("exercise_checks", path)
    if spec is None or spec.loader is None:
        raise Fault(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up by its name
    spec.loader.exec_module(module)
    return declared()


def main(home: Path) -> int:
    """Run `home`/job.json; return the exit code: 0 when every check has a result, whatever it is."""
    questions, answers = os.dup(1), os.dup(0)
    os.set_inheritable(questions, False)
    os.set_inheritable(answers, False)
    os.dup2(2, 1)  # a print in a check goes to the operators, never between our frames
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - a descriptor is wanted
        os.dup2(nothing.fileno(), 0)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    platform = Platform(questions, answers)
    job = Job.read(home)
    functions: dict[str, CheckFunction] = {}
    broken = ""
    try:
        functions = load_checks(job.runner)
    except Exception as error:  # noqa: BLE001 - a broken author's file makes every check errored, with its traceback for operators
        traceback.print_exc()
        broken = f"{job.runner.name} cannot be imported: {traceback.format_exception_only(error)[-1].strip()[-300:]}"
    preload({service.image for service in job.sandbox.services}, job.runner.parent)
    Runner(job, platform, functions, broken).run()
    return 0
