"""What one channel remembers: consumers, deliveries that wait for an ack, publishes that wait for a confirm."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...decoder import Undecodable

MAX_DELIVERIES = 10_000  #: of one connection that wait for an ack
MAX_PUBLISHES = 10_000  #: of one connection that wait for a confirm
MAX_CONSUMERS = 1000
_MAX_UNDO, _MAX_UNDO_SIZE = 16, 500  #: acks that can be taken back, and how much each may settle


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that a client has, and when it got it. `fields` are those that also tell of its ack."""

    id: str
    at: float
    fields: Mapping[str, Any]


class Waiting:
    """How much all channels of a connection remember."""

    def __init__(self) -> None:
        self.deliveries = self.publishes = 0


class Channel:
    """From its opening to its close. `name` is unique in the connection: numbers are used again, names are not."""

    def __init__(self, name: str, waiting: Waiting) -> None:
        self.name = name
        self._waiting = waiting
        self.last_queue = ""  #: what an empty queue name means
        self.consumers: dict[str, tuple[str, bool]] = {}  #: tag -> queue, no_ack
        self.asked: deque[tuple[str, bool]] = deque()  #: consumes whose tag the broker will tell
        self.gets: deque[tuple[str, bool]] = deque()  #: queue, no_ack
        self.confirming = False
        self._deliveries: dict[int, Delivery] = {}
        self._settled: deque[tuple[list[str], dict[int, Delivery]]] = deque(maxlen=_MAX_UNDO)
        self._publishes: dict[int, tuple[str, float]] = {}  #: number of the confirm -> id, when
        self._published = self._numbered = 0

    def consume(self, tag: str, queue: str, no_ack: bool) -> None:
        """A consumer and its tag."""
        if len(self.consumers) >= MAX_CONSUMERS:
            raise Undecodable(f"more than {MAX_CONSUMERS} consumers")
        self.consumers[tag] = (queue, no_ack)

    def deliver(self, tag: int, delivery: Delivery) -> None:
        """A message waits for its ack."""
        if self._waiting.deliveries >= MAX_DELIVERIES:
            raise Undecodable(f"more than {MAX_DELIVERIES} deliveries wait for an ack")
        self._waiting.deliveries += tag not in self._deliveries
        self._deliveries[tag] = delivery

    def settle(self, tag: int, multiple: bool) -> tuple[list[str], Delivery | None]:
        """Ids of all deliveries that an ack settles, and the one that it names (the last, when it names all)."""
        waiting = self._deliveries
        if not multiple:
            tags = [tag] if tag in waiting else []
        elif tag == 0:
            tags = [*waiting]
        else:
            tags = [one for one in waiting if one <= tag]
        settled = {one: waiting.pop(one) for one in tags}
        self._waiting.deliveries -= len(settled)
        ids = [delivery.id for delivery in settled.values()]
        if len(ids) <= _MAX_UNDO_SIZE:
            self._settled.append((ids, settled))
        return ids, settled.get(tag) or (settled[tags[-1]] if tags else None)

    def unsettle(self, ids: list[str]) -> None:
        """The ack was lost: its deliveries wait again."""
        for known, settled in self._settled:
            if known is ids:
                self._waiting.deliveries += len(settled.keys() - self._deliveries.keys())
                self._deliveries = dict(sorted({**self._deliveries, **settled}.items()))

    def requeue(self) -> None:
        """The client asked for everything again."""
        self._waiting.deliveries -= len(self._deliveries)
        self._deliveries.clear()

    def close(self) -> None:
        """Nothing waits any more."""
        self.requeue()
        self._waiting.publishes -= len(self._publishes)
        self._publishes.clear()

    def publish(self, now: float) -> str:
        """The id of a publish."""
        self._published += 1
        name = f"{self.name}.p{self._published}"
        if self.confirming:
            if self._waiting.publishes >= MAX_PUBLISHES:
                raise Undecodable(f"more than {MAX_PUBLISHES} publishes wait for a confirm")
            self._numbered += 1
            self._waiting.publishes += 1
            self._publishes[self._numbered] = (name, now)
        return name

    def unpublish(self, name: str) -> None:
        """The publish was lost: the broker will not count it."""
        found = next((number for number, (known, _) in self._publishes.items() if known == name), None)
        if found is not None:
            del self._publishes[found]
            self._waiting.publishes -= 1
            self._publishes = {number - (number > found): value for number, value in self._publishes.items()}
            self._numbered -= 1

    def confirmed(self, number: int, multiple: bool) -> list[tuple[str, float]]:
        """Ids and times of the publishes that a confirm is about."""
        waiting = self._publishes
        if not multiple:
            numbers = [number] if number in waiting else []
        else:
            numbers = [one for one in waiting if not number or one <= number]
        self._waiting.publishes -= len(numbers)
        return [waiting.pop(one) for one in numbers]
