"""A platform whose taps are a script: what a check arms is remembered, what it shall see is told by the test."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.grading.kit import Kit
from app.grading.kit.services import ServiceInfo
from app.grading.kit.trial import Sandbox
from app.grading.kit.waiting import Clock

SERVICES = (
    ServiceInfo("worker", "python", restart="always"),
    ServiceInfo("broker", "rabbitmq", learner=False),
    ServiceInfo("db", "postgres", learner=False),
)
EDGES = (("worker", "broker"), ("worker", "db"))


class ScriptedTaps:
    """Answers the kit's calls as `sandboxd` does.

    Attributes:
        asked: every call: its name and its arguments.
        told: every frame that needs no answer.
        rules: what was armed, by id.
        fires: what `tap_await` finds for a rule, by id.
        page: how many events one answer of `tap_trace` holds.
    """

    def __init__(self, page: int = 100) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.told: list[dict[str, Any]] = []
        self.rules: dict[str, dict[str, Any]] = {}
        self.fires: dict[str, list[dict[str, Any]]] = {}
        self.page = page
        self.dropped = 0
        self.on_arm: Callable[[str, dict[str, Any]], None] = lambda rule_id, rule: None
        self._events: list[dict[str, Any]] = []

    def happen(
        self, kind: str, replica: str = "worker", upstream: str = "broker", *, up: bool = True, **fields: Any
    ) -> dict[str, Any]:
        """Let a tap see something now; `after` is in seconds from now."""
        event = {
            "seq": len(self._events) + 1,
            "at": time.monotonic() + fields.pop("after", 0.0),
            "conn": 1,
            "from": replica,
            "to": upstream,
            "dir": "up" if up else "down",
            "protocol": "postgres" if upstream == "db" else "amqp",
            "kind": kind,
            "id": "",
            "size": 10,
            **fields,
        }
        self._events.append(event)
        return event

    def call(self, op: str, service: str = "", **arguments: Any) -> Any:
        self.asked.append((op, {"service": service, **arguments} if service else arguments))
        match op:
            case "tap_mark":
                return {"seq": len(self._events)}
            case "tap_arm":
                rule_id = f"r{len(self.rules) + 1}"
                self.rules[rule_id] = arguments["rule"]
                self.on_arm(rule_id, arguments["rule"])
                return {"rule": rule_id}
            case "tap_await":
                events = self.fires.get(arguments["rule"], [])
                return {"fired": len(events), "events": events}
            case "tap_trace":
                after = arguments["after"]
                events = self._events[after : after + self.page]
                return {"events": events, "next": after + len(events), "dropped": self.dropped if events else 0}
            case "status":
                return [{"name": info.name, "state": "ready"} for info in SERVICES]
        return None

    def send(self, frame: dict[str, Any]) -> None:
        self.told.append(frame)

    @property
    def notes(self) -> list[str]:
        """What the timeline says in English."""
        return [frame["en"] for frame in self.told if frame["type"] == "note"]


def a_kit(platform: ScriptedTaps, scale: float = 1.0) -> Kit:
    """A kit of a sandbox in which `worker` speaks to `broker` and `db`."""
    return Kit("check", 7, Sandbox(SERVICES, {"prober_password": "x"}, Path(), EDGES), platform, Clock(scale))
