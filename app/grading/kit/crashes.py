"""Crash points: the same scenario again and again, each time with a crash at the next frame of a kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from .edges import SENDER, Edge, Then
from .frame import Frame
from .observing import Observing
from .services import Service
from .words import Failed, Text

T = TypeVar("T")


def crash_points(
    kit: Observing,
    edge: Edge,
    frame: Frame,
    scenario: Callable[[], T],
    invariant: Callable[[T], None],
    *,
    victim: Service,
    most: int,
    then: Then,
    within: float,
) -> int:
    """Run the scenario undisturbed, then once for each of its frames with a crash there; see `Kit.crash_points`."""
    kit.step(
        f"Прогнали сценарий без сбоев и сосчитали: {edge.name}, {frame.words.ru}.",
        f"We ran the scenario undisturbed and counted: {edge.name}, {frame.words.en}.",
    )
    mark = kit.mark()
    invariant(scenario())
    kit.seen(edge, frame, since=mark, within=within)  # fails when there is none
    total = len(kit.trace(edge, since=mark).of(frame))
    for point in points(total, most):
        kit.step(
            f"Повторили и убили {victim.name} в точке {point} из {total}: {frame.words.ru}.",
            f"We repeated it and killed {victim.name} at point {point} of {total}: {frame.words.en}.",
        )
        with edge.hold(frame, nth=point, kill=SENDER, then=then) as rule:
            subject = scenario()
            events = rule.fired(within=within)
        if not events and point == 1:
            raise Failed(
                expected=Text.same(f"{edge.name}: ") + frame.words + Text(", как и без сбоев", ", as in the undisturbed run"),
                seen=Text(f"за {within:.0f} с этого не было", f"it did not come within {within:.0f} s"),
            )
        if not events:
            kit.step("До этой точки в этот раз не дошло.", "This time that point was not reached.")
        if events and victim.info.restart == "never":
            victim.start()
        elif events:
            victim.await_ready()
        invariant(subject)
    return total


def points(total: int, most: int) -> list[int]:
    """Which of `total` frames to crash at: all, or `most` of them spread from the first to the last."""
    if total <= most:
        return list(range(1, total + 1))
    if most == 1:
        return [1]
    return sorted({1 + round(step * (total - 1) / (most - 1)) for step in range(most)})
