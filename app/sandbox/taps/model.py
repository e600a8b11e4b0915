"""What a tap stands in front of, and what goes wrong with one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.content.exercise_def import EdgeDef
from app.errors import InvalidInput, PlatformError

TAP_IMAGE = "tap"
MEMBER_PLACE = "/member"  #: where a guest finds its files
SENDER = "@sender"  #: in a step: the replica whose frame is held
STEPS = ("kill", "pause", "resume", "stop", "restart", "await_exit")
_MOST_STEPS = 10
_HOLD_SECONDS = 5.0

Event = dict[str, Any]  #: as docs/taps.md has it


class TapFault(PlatformError):
    """A tap died, broke its protocol or does not answer, or a step of a compound rule went wrong: a fault of ours."""

    code = "tap-fault"


class TapRefused(InvalidInput):
    """A tap does not do what it was asked: the author's mistake."""

    code = "tap-refused"


@dataclass(frozen=True, slots=True)
class TapPlan:
    """One upstream with everything that may come to it.

    Attributes:
        listen: port -> protocol.
        edges: pairs of a learner's service and the port that it may use.
    """

    upstream: str
    listen: Mapping[int, str]
    edges: tuple[tuple[str, int], ...]

    @property
    def name(self) -> str:
        """Of the guest."""
        return f"tap-{self.upstream}"

    def as_json(self) -> bytes:
        """`/member/tap.json`."""
        listen = [{"port": port, "protocol": protocol} for port, protocol in self.listen.items()]
        edges = [{"from": client, "port": port} for client, port in self.edges]
        return json.dumps({"upstream": self.upstream, "listen": listen, "edges": edges}).encode()


def plans(edges: Iterable[EdgeDef]) -> tuple[TapPlan, ...]:
    """One tap for each upstream that an edge names, in the order of the edges."""
    listen: dict[str, dict[int, str]] = {}
    clients: dict[str, list[tuple[str, int]]] = {}
    for edge in edges:
        upstream, port = edge.target
        listen.setdefault(upstream, {})[port] = edge.protocol
        clients.setdefault(upstream, []).append((edge.from_, port))
    return tuple(TapPlan(upstream, listen[upstream], tuple(clients[upstream])) for upstream in listen)


@dataclass(frozen=True, slots=True)
class Step:
    """Something that `sandboxd` does to a service while a frame is held."""

    do: str
    service: str


@dataclass(frozen=True, slots=True)
class Compound:
    """What follows a hold: the steps in their order, then what becomes of the frame; all of it within `seconds`."""

    steps: tuple[Step, ...] = ()
    then: str = "forward"
    seconds: float = _HOLD_SECONDS


def compound(rule: Mapping[str, Any]) -> Compound:
    """The part of a rule that `sandboxd` carries out; the tap itself validates the rest.

    Raises:
        InvalidInput: a step is not one.
    """
    steps = rule.get("on_hold", [])
    if not isinstance(steps, list) or len(steps) > _MOST_STEPS or (steps and rule.get("do") != "hold"):
        raise InvalidInput(f"`on_hold` is a list of at most {_MOST_STEPS} steps of a rule that holds.")
    for step in steps:
        fine = isinstance(step, dict) and step.get("do") in STEPS and isinstance(step.get("service"), str)
        if not fine:
            raise InvalidInput(f'A step is {{"do": …, "service": …}}; `do` is one of {", ".join(STEPS)}.')
    seconds = rule.get("seconds", _HOLD_SECONDS)
    return Compound(
        tuple(Step(step["do"], step["service"]) for step in steps),
        str(rule.get("then", "forward")),
        float(seconds) if isinstance(seconds, int | float) else _HOLD_SECONDS,
    )
