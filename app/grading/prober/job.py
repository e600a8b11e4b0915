"""`job.json`: what `sandboxd` asks of one run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..kit.services import ServiceInfo
from ..kit.trial import Sandbox


@dataclass(frozen=True, slots=True)
class CheckJob:
    """One check to run; `seconds` is its cap on a quiet machine."""

    id: str
    needs: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Job:
    """One run.

    Attributes:
        checks: those to run, in the order of the exercise.
        timeout: seconds for all of them on a quiet machine.
        runner: the file that declares the checks.
        stop_at_first_failure: skip all checks after one that did not pass.
    """

    exercise: str
    seed: int
    checks: tuple[CheckJob, ...]
    timeout: float
    sandbox: Sandbox
    runner: Path
    stop_at_first_failure: bool = False

    @classmethod
    def read(cls, home: Path) -> Job:
        """Read `home`/job.json, written by the platform and trusted."""
        data: dict[str, Any] = json.loads((home / "job.json").read_text("utf-8"))
        only = set(data.get("only") or ())
        checks = tuple(
            CheckJob(item["id"], tuple(item.get("needs") or ()), float(item["seconds"]))
            for item in data["checks"]
            if not only or item["id"] in only
        )
        services = tuple(
            ServiceInfo(item["name"], item.get("image", ""), bool(item.get("learner", True)), item.get("restart", "never"))
            for item in data["services"]
        )
        runner = home / data.get("runner", "checks/checks.py")
        stop = bool(data.get("stop_at_first_failure", False))
        edges = tuple((item["from"], item["to"]) for item in data.get("edges") or ())
        sandbox = Sandbox(services, dict(data.get("secrets") or {}), runner.parent, edges)
        return cls(data["exercise"], int(data["seed"]), checks, float(data["timeout_seconds"]), sandbox, runner, stop)
