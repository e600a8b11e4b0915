"""The message of a failed check: the story so far, what was expected and seen, and what the services said."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..kit.pipe import Pipe
from ..kit.services import BROKEN, Replica, Service, ServiceInfo, read_replicas
from ..kit.waiting import Clock, poll
from ..kit.words import Fault, Text
from .child import MAX_PART

_MAX_LOG_LINES, _MAX_LOG = 14, 1500
_NEWS = 0.3  #: seconds until a crash that broke a connection is known as a crash
_MAX_LOGS = 2  #: services whose log is shown


@dataclass
class Story:
    """What a check told while it ran."""

    steps: list[Text] = field(default_factory=list)
    where: Text | None = None
    ended: set[str] = field(default_factory=set)  #: replicas or services that the check itself has ended; `*`: it may be any
    begun: set[str] = field(default_factory=set)  #: replicas that it has started since; their restarts count from 0
    kills: dict[str, int] = field(default_factory=dict)  #: by replica, since then; each costs one restart

    def asked(self, call: dict[str, Any]) -> None:
        """Remember what a call of the check does to services."""
        op, service = call.get("op"), str(call.get("service", ""))
        if op in ("stop", "scale"):
            self.ended.add(service)
        elif op == "start":
            self.ended.discard(service)
            self.begun.add(service)
            self.kills[service] = 0
        elif op in ("kill", "restart"):
            self.kills[service] = self.kills.get(service, 0) + 1
        rule = call.get("rule")
        for step in rule.get("on_hold", ()) if isinstance(rule, dict) else ():
            name = str(step.get("service", ""))
            self.ended.add("*" if name.startswith("@") else name)

    def cause(self, replica: Replica, before: Replica | None) -> dict[str, Any] | None:
        """How a replica ended by itself; None when the check may have ended it."""
        end = {"service": replica.full_name, "exit_code": replica.exit_code, "signal": replica.signal}
        if replica.out_of_memory:
            return {"kind": "out-of-memory", **end}
        if {replica.name, replica.full_name, "*"} & self.ended or replica.state == "failed":
            return None
        kills = self.kills.get(replica.full_name, 0)
        restarts = replica.restarts - (before.restarts if before and replica.full_name not in self.begun else 0)
        by_itself = not (kills and replica.signal == signal.SIGKILL) if replica.state in BROKEN else restarts > kills
        return {"kind": "crashed", **end} if by_itself else None

    @property
    def done(self) -> Text:
        return Text(" ".join(step.ru for step in self.steps), " ".join(step.en for step in self.steps))


class Witness:
    """Knows how the learner's services were when a check began, to tell what went wrong since."""

    def __init__(self, services: Sequence[ServiceInfo], pipe: Pipe) -> None:
        self._learner = {info.name: info for info in services if info.learner}
        self._pipe = pipe
        self._before = {replica.full_name: replica for replica in self._replicas()}

    def evidence(self, story: Story) -> tuple[Text, dict[str, Any] | None]:
        """What went wrong with the learner's services since the check began.

        Returns:
            State and last lines of those that broke (empty when none did), and the cause for the report, if it is one.
        """
        found = Text("", "")
        broken: list[Replica] = []

        def seen() -> bool:
            broken[:] = [replica for replica in self._replicas() if self._broke(replica)]
            return bool(broken)

        poll(seen, _NEWS)
        for replica in broken[:_MAX_LOGS]:
            before = self._before.get(replica.full_name)
            told = replica.told
            if replica.state not in BROKEN:
                name = replica.full_name
                told = Text(f"{name} падал и был перезапущен", f"{name} crashed and was started again")
                if story.cause(replica, before) is None:
                    told = Text(
                        f"{name} был запущен снова (эта проверка завершает сервисы)",
                        f"{name} was started again (this check ends services)",
                    )
            log = self._tail(replica, before.log_bytes if before else 0)
            found += Text(f"\n{told.ru}", f"\n{told.en}") + (f":\n{log}" if log else ".")
        causes = (story.cause(replica, self._before.get(replica.full_name)) for replica in broken)
        return found, next((cause for cause in causes if cause), None)

    def _broke(self, replica: Replica) -> bool:
        before = self._before.get(replica.full_name)
        return replica.state in BROKEN or replica.out_of_memory or replica.restarts > (before.restarts if before else 0)

    def _tail(self, replica: Replica, offset: int) -> str:
        service = Service(ServiceInfo(replica.full_name), self._pipe, Clock())
        text = service.log(offset) or service.log(max(0, replica.log_bytes - 2 * _MAX_LOG))
        lines = [_printable(line) for line in text.splitlines() if line.strip()]
        return "\n".join(lines[-_MAX_LOG_LINES:])[-_MAX_LOG:]

    def _replicas(self) -> list[Replica]:
        return [replica for replica in read_replicas(self._pipe) if replica.name in self._learner]


def compose(
    parts: dict[str, dict[str, str] | None], story: Story, witness: Witness | None, cause: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The frame's message from the parts of a failure; empty parts come from the story.

    Args:
        cause: of the failure, unless a service broke, which explains more.
    """
    texts = {name: Text(value["ru"], value["en"]) for name, value in parts.items() if value}
    texts.setdefault("done", story.done.cut(MAX_PART))
    texts.setdefault("where", (story.where or Text("", "")).cut(MAX_PART))
    if witness is not None:
        try:
            told, crash = witness.evidence(story)
            texts["seen"] += told
            cause = crash or cause
        except Fault as fault:
            texts["seen"] += Text(f"\n(журналы недоступны: {fault})", f"\n(logs are not available: {fault})")
    return {
        "ru": {name: text.ru for name, text in texts.items()},
        "en": {name: text.en for name, text in texts.items()},
        "cause": cause,
    }


def _printable(line: str) -> str:
    """A learner's line without control characters, and not longer than a screen."""
    return "".join(ch if ch.isprintable() or ch == "\t" else "�" for ch in line[:400])
