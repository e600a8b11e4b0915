"""A rule as it comes over the pipe: validated strictly, so that a typing error is told and not a rule that never acts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .decoder import COMMON, Kind
from .decoders import CANNOT, KINDS
from .trace import Event

#: action -> its fields, each with its default
ACTIONS: Mapping[str, Mapping[str, Any]] = {
    "delay": {"seconds": None, "jitter": 0.0},
    "drop": {},
    "duplicate": {},
    "reset": {},
    "blackhole": {},
    "drip": {"bytes_per_second": None},
    "hold": {"seconds": 5.0, "then": "forward", "on_hold": ()},
}
THEN = ("forward", "drop", "cut")
STEPS = ("kill", "pause", "resume", "stop", "restart", "await_exit")
_KEYS = ("id", "from", "dir", "when", "nth", "times", "do")
MAX_SECONDS = 600.0
Value = str | int | float | bool | None


class RuleRefused(Exception):
    """Says which field is wrong, or what the protocol cannot do."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Which units are treated, and how. `client` is the rule's `from`; `options` are the action's fields."""

    id: str
    client: str
    direction: str
    when: Mapping[str, Any]
    nth: int
    times: int
    do: str
    options: Mapping[str, Any]

    def matches(self, event: Event) -> bool:
        """Whether an event is what the rule waits for."""
        return all(_fits(wanted, event.get(field)) for field, wanted in self.when.items())


def _fits(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, dict):
        if "any" in wanted:
            return found in wanted["any"]
        return found is not None and wanted["contains"] in str(found)
    return bool(found == wanted)


def read_rule(data: Any, protocols: Sequence[str]) -> Rule:
    """Validate a rule for a tap that speaks these protocols.

    Raises:
        RuleRefused: with the field and what it may be.
    """
    if not isinstance(data, dict):
        raise RuleRefused("a rule is an object")
    do = data.get("do")
    if not isinstance(do, str) or do not in ACTIONS:
        raise RuleRefused(f"`do` must be one of {', '.join(ACTIONS)}")
    for key in data:
        if key not in _KEYS and key not in ACTIONS[do]:
            raise RuleRefused(f"`{key}` is not a field of a rule that does `{do}`: {', '.join((*_KEYS, *ACTIONS[do]))}")
    rule = Rule(
        id=_text(data, "id", needed=True),
        client=_text(data, "from"),
        direction=_one_of(data, "dir", ("", "up", "down"), ""),
        when=_when(data.get("when", {})),
        nth=_count(data, "nth", 1, 1),
        times=_count(data, "times", 1, 0),
        do=do,
        options=_options(do, data),
    )
    _possible(rule, protocols)
    return rule


def _text(data: dict[str, Any], key: str, needed: bool = False) -> str:
    value = data.get(key, "")
    if not isinstance(value, str) or len(value) > 100 or (needed and not value):
        raise RuleRefused(f"`{key}` must be a text of at most 100 characters")
    return value


def _one_of(data: dict[str, Any], key: str, values: Sequence[str], default: str) -> str:
    value = data.get(key, default)
    if value not in values or not isinstance(value, str):
        raise RuleRefused(f"`{key}` must be one of {', '.join(repr(value) for value in values)}")
    return value


def _count(data: dict[str, Any], key: str, default: int, least: int) -> int:
    value = data.get(key, default)
    if type(value) is not int or not least <= value <= 1_000_000:
        raise RuleRefused(f"`{key}` must be a whole number from {least}")
    return value


def _number(data: dict[str, Any], key: str, default: float | None, most: float, least: float = 0.0) -> float:
    value = data.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise RuleRefused(f"`{key}` must be a number from {least:g} to {most:g}")
    return float(value)


def _options(do: str, data: dict[str, Any]) -> dict[str, Any]:
    given = ACTIONS[do]
    if do == "delay":
        return {key: _number(data, key, given[key], MAX_SECONDS) for key in given}
    if do == "drip":
        return {"bytes_per_second": _number(data, "bytes_per_second", None, 1e9, 1.0)}
    if do == "hold":
        _steps(data.get("on_hold", ()))
        return {
            "seconds": _number(data, "seconds", given["seconds"], MAX_SECONDS),
            "then": _one_of(data, "then", THEN, "forward"),
        }
    return {}


def _steps(steps: Any) -> None:
    """They are taken by `sandboxd`; here they are only looked at."""
    if not isinstance(steps, list | tuple):
        raise RuleRefused("`on_hold` must be a list of steps")
    for step in steps:
        if not isinstance(step, dict) or set(step) != {"do", "service"} or step["do"] not in STEPS:
            raise RuleRefused(f'a step of `on_hold` is {{"do": …, "service": …}}; `do` is one of {", ".join(STEPS)}')


def _when(when: Any) -> dict[str, Any]:
    if not isinstance(when, dict) or not all(isinstance(key, str) for key in when):
        raise RuleRefused("`when` must be an object")
    for key, wanted in when.items():
        if isinstance(wanted, dict):
            values = wanted.get("any")
            right = set(wanted) == {"contains"} and isinstance(wanted["contains"], str) and key != "kind"
            right = right or (set(wanted) == {"any"} and isinstance(values, list) and all(isinstance(v, Value) for v in values))
        else:
            right = isinstance(wanted, Value)
        if not right:
            raise RuleRefused(f'`when.{key}` must be a value, {{"contains": text}} or {{"any": [values]}}')
    return when


def _possible(rule: Rule, protocols: Sequence[str]) -> None:
    """Refuse what could never match, and what would break the protocol instead of losing a message."""
    known: dict[str, Kind] = {name: value for protocol in protocols for name, value in KINDS[protocol].items()}
    wanted = rule.when.get("kind")
    kinds = [*known] if wanted is None else wanted["any"] if isinstance(wanted, dict) else [wanted]
    for name in kinds:
        if name not in known:
            raise RuleRefused(
                f"`when.kind`: this tap tells no {name!r}; {', '.join(known) or 'its bytes only, with an empty `when`'}"
            )
    if rule.direction:
        kinds = [name for name in kinds if known[name].direction in ("", rule.direction)]
        if rule.when and not kinds:
            raise RuleRefused(f"`when.kind`: {wanted!r} never travels {rule.direction}")
    fields = COMMON.union(*(known[name].fields for name in kinds))
    for field in rule.when:
        if field not in fields:
            raise RuleRefused(f"`when.{field}`: no such event has it; it has {', '.join(sorted(fields))}")
    loses = rule.do == "hold" and rule.options["then"] == "drop"
    action = "drop" if loses else rule.do
    possible = [protocol for protocol in protocols if set(kinds) & set(KINDS[protocol]) or not rule.when]
    reasons = [CANNOT[protocol](action, set(kinds) if rule.when else set()) for protocol in possible]
    if reasons and all(reasons):
        raise RuleRefused(f"`{rule.do}`: {reasons[0]}")
