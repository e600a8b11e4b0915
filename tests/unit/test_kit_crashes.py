"""Crash points: counted once undisturbed, then tried one by one, each judged; a scenario without such frames proves nothing."""

from __future__ import annotations

from typing import Any

import pytest

from app.grading.kit import Failed, Kit, Text, frame
from app.grading.kit.crashes import points
from app.grading.kit.services import ServiceInfo
from app.grading.kit.trial import Sandbox
from app.grading.kit.waiting import Clock
from tests.scripted_taps import EDGES, SERVICES, ScriptedTaps, a_kit


class Shop:
    """A learner's service on the script: commits `commits` times for each order; loses orders that crash where it should not.

    Attributes:
        commits: per order; the n-th entry counts for the n-th order, the last one for all that follow.
        fragile_at: the commit at which a crash loses the order.
    """

    def __init__(self, *commits: int, fragile_at: int = 0) -> None:
        self.platform = ScriptedTaps()
        self.commits, self.fragile_at = list(commits), fragile_at
        self.orders: list[int] = []
        self.done: list[int] = []
        self.judged: list[int] = []
        self._armed: tuple[str, dict[str, Any]] | None = None
        self.platform.on_arm = lambda rule_id, rule: setattr(self, "_armed", (rule_id, rule))

    def scenario(self) -> int:
        order = len(self.orders) + 1
        self.orders.append(order)
        lost = False
        for number in range(1, self.commits[min(order, len(self.commits)) - 1] + 1):
            event = self.platform.happen("commit", "worker-2", "db")
            if self._armed and self._armed[1]["nth"] == number:
                self.platform.fires[self._armed[0]] = [event]
                lost = number == self.fragile_at
        if not lost:
            self.done.append(order)
        self._armed = None
        return order

    def invariant(self, order: int) -> None:
        self.judged.append(order)
        if order not in self.done:
            raise Failed(expected=Text("заказ есть", "the order is there"), seen=Text("заказа нет", "it is not"))

    def steps(self) -> list[str]:
        return [sent["en"] for sent in self.platform.told if sent["type"] == "step"]


def tried(shop: Shop, kit: Kit | None = None, **options: Any) -> int:
    kit = kit or a_kit(shop.platform)
    return kit.crash_points(kit.edge("worker", "db"), frame.commit(), shop.scenario, shop.invariant, within=0.1, **options)


def test_every_commit_is_crashed_at_once_and_the_order_judged_each_time() -> None:
    shop = Shop(2)
    assert tried(shop) == 2
    assert shop.judged == [1, 2, 3]
    rules = list(shop.platform.rules.values())
    assert [rule["nth"] for rule in rules] == [1, 2]
    assert rules[0]["on_hold"] == [{"do": "kill", "service": "@sender"}, {"do": "await_exit", "service": "@sender"}]
    assert rules[0]["then"] == "drop"
    assert [op for op, _ in shop.platform.asked].count("tap_disarm") == 2
    assert shop.steps() == [
        "We ran the scenario undisturbed and counted: worker → db, COMMIT.",
        "We repeated it and killed worker at point 1 of 2: COMMIT.",
        "We repeated it and killed worker at point 2 of 2: COMMIT.",
    ]


def test_a_crash_that_the_service_does_not_survive_names_its_point() -> None:
    shop = Shop(2, fragile_at=2)
    with pytest.raises(Failed, match="it is not"):
        tried(shop)
    assert shop.steps()[-1] == "We repeated it and killed worker at point 2 of 2: COMMIT."


def test_a_service_that_fails_undisturbed_is_not_crashed() -> None:
    shop = Shop(2)
    shop.invariant = lambda order: (_ for _ in ()).throw(Failed(expected=Text.same("x"), seen=Text.same("y")))
    with pytest.raises(Failed):
        tried(shop)
    assert not shop.platform.rules


def test_a_scenario_without_such_frames_fails_instead_of_passing() -> None:
    with pytest.raises(Failed, match="worker → db: COMMIT"):
        tried(Shop(0))


def test_the_first_point_must_come_again_and_a_later_one_may_be_missing() -> None:
    with pytest.raises(Failed, match="as in the undisturbed run"):
        tried(Shop(2, 0))
    shop = Shop(3, 2)  # the first run also made the tables
    assert tried(shop) == 3
    assert shop.judged == [1, 2, 3, 4]
    assert shop.steps()[-1] == "This time that point was not reached."


def test_a_client_that_nobody_restarts_is_started_again() -> None:
    shop = Shop(1)
    services = (ServiceInfo("worker", "python", restart="never"), *SERVICES[1:])
    kit = Kit("check", 7, Sandbox(services, edges=EDGES), shop.platform, Clock())
    tried(shop, kit)
    assert [op for op, arguments in shop.platform.asked if arguments.get("service") == "worker"] == ["start"]


@pytest.mark.parametrize(
    ("total", "most", "chosen"),
    [(1, 4, [1]), (4, 4, [1, 2, 3, 4]), (10, 4, [1, 4, 7, 10]), (5, 2, [1, 5]), (9, 1, [1])],
)
def test_of_many_points_some_are_tried_from_the_first_to_the_last(total: int, most: int, chosen: list[int]) -> None:
    assert points(total, most) == chosen
