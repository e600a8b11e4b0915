"""Limits that compare with the same sandbox, minutes ago at most, instead of with a constant."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from .match import Matcher
from .words import Fault, Text


@dataclass(frozen=True, slots=True)
class Baseline:
    """A measurement to compare with."""

    name: Text
    value: float


def seconds_of(act: Callable[[], object]) -> float:
    """How long `act` takes, in seconds."""
    begun = time.monotonic()
    act()
    return time.monotonic() - begun


def take(name: Text, measure: Callable[[], float], runs: int) -> Baseline:
    """The middle of `runs` measurements; raises `Fault` when it is not above zero, for nothing compares with that."""
    value = median(measure() for _ in range(runs))
    if value <= 0:
        raise Fault(f"baseline `{name.en}` is {value}: nothing can be compared with it")
    return Baseline(name, value)


def at_most_times(ratio: float, baseline: Baseline, *, floor: float = 0.0) -> Matcher[float]:
    """A number of at most `ratio` times the baseline; below `floor` every number is fine, for tiny ones jump about."""
    most = max(ratio * baseline.value, floor)
    words = _against(ratio, baseline, most)
    return Matcher(lambda value: value <= most, Text("не больше ", "at most ") + words, lambda value: _number(value, baseline))


def at_least_times(ratio: float, baseline: Baseline) -> Matcher[float]:
    """A number of at least `ratio` times the baseline."""
    least = ratio * baseline.value
    words = _against(ratio, baseline, least)
    return Matcher(
        lambda value: value >= least, Text("не меньше ", "at least ") + words, lambda value: _number(value, baseline)
    )


def _against(ratio: float, baseline: Baseline, limit: float) -> Text:
    return (
        Text.same(f"{limit:.3g} (×{ratio:g}; ")
        + baseline.name
        + Text(f" в этой же песочнице: {baseline.value:.3g})", f" in this very sandbox: {baseline.value:.3g})")
    )


def _number(value: float, baseline: Baseline) -> Text:
    return Text.same(f"{value:.3g} (×{value / baseline.value:.2g})")
