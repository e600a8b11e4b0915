"""What RabbitMQ says about itself, through its management API and as `prober`."""

from __future__ import annotations

import base64
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .. import phrases
from ..pipe import Pipe
from ..services import ServiceInfo
from ..waiting import Clock, poll
from ..words import Failed, Fault, Text
from .http import Http

PORT = 15672
FRESHNESS = 1.2  #: seconds after which the figures of queues are surely those of now

_QUEUES = "/api/queues/%2F?disable_stats=true&enable_queue_totals=true"


@dataclass(frozen=True, slots=True)
class Queue:
    """Figures of a queue, at most `FRESHNESS` seconds old; `kind` is classic or quorum."""

    name: str
    ready: int
    unacked: int
    durable: bool
    kind: str

    @property
    def total(self) -> int:
        """Ready and unacknowledged messages together."""
        return self.ready + self.unacked


@dataclass(frozen=True, slots=True)
class Consumer:
    """One subscription. `prefetch` 0 is no limit; `no_ack` is what clients call `auto_ack`."""

    queue: str
    tag: str
    prefetch: int
    no_ack: bool


@dataclass(frozen=True, slots=True)
class Connection:
    """One client connection.

    Attributes:
        name: `address:port -> address:port`.
        service: whose address the client has; "" for anybody else.
        heartbeat: seconds agreed with the client; 0: none.
    """

    name: str
    user: str
    service: str
    channels: int
    heartbeat: int
    state: str


class Broker:
    """Queues, connections and channels. Figures of the prober's own connections are left out."""

    def __init__(
        self,
        info: ServiceInfo,
        password: str,
        services: Sequence[str],
        pipe: Pipe,
        clock: Clock,
        *,
        behind_tap: bool = False,
        port: int = PORT,
    ) -> None:
        token = base64.b64encode(f"prober:{password}".encode()).decode()
        self._http = Http(info, port, pipe, clock, headers={"Authorization": f"Basic {token}"})
        self._services, self._clock, self._behind_tap = services, clock, behind_tap

    def queues(self) -> dict[str, Queue]:
        """All queues of the default vhost by name."""
        found = [
            Queue(
                name=item["name"],
                ready=item.get("messages_ready", 0),
                unacked=item.get("messages_unacknowledged", 0),
                durable=item.get("durable", False),
                kind=item.get("type", "classic"),
            )
            for item in self._get(_QUEUES)
        ]
        return {queue.name: queue for queue in found}

    def queue(self, name: str) -> Queue:
        """One queue; `Failed` when it is not there."""
        found = self.queues().get(name)
        if found is None:
            raise Failed(
                expected=Text(f"в брокере есть очередь {name}", f"the broker has a queue {name}"),
                seen=Text(f"очереди {name} нет", f"there is no queue {name}"),
            )
        return found

    def consumers(self, queue: str | None = None) -> list[Consumer]:
        """Subscriptions to one queue or to all."""
        found = [
            Consumer(
                queue=item.get("queue", {}).get("name", ""),
                tag=item.get("consumer_tag", ""),
                prefetch=item.get("prefetch_count", 0),
                no_ack=not item.get("ack_required", True),
            )
            for item in self._get("/api/consumers/%2F")
        ]
        return [one for one in found if queue is None or one.queue == queue]

    def await_consumers(self, queue: str, count: int = 1, *, service: str = "", within: float | None = None) -> list[Consumer]:
        """Wait until a queue has at least `count` subscriptions, as after a start or a restart of the broker.

        Args:
            service: whose they ought to be, for the message.
            within: seconds, from `limit()`; default `limit(10)`.

        Raises:
            Failed: it has fewer.
        """
        limit = within if within is not None else self._clock.limit(10)
        found: list[Consumer] = []

        def there() -> bool:
            found[:] = self.consumers(queue)
            return len(found) >= count

        if poll(there, limit):
            return found
        seen = (
            phrases.not_consuming(service, queue) if service and not found else Text(f"подписок {len(found)}", f"{len(found)}")
        )
        raise Failed(
            expected=Text(f"подписок на очередь {queue}: {count}", f"subscriptions to queue {queue}: {count}"),
            seen=seen + phrases.within(limit),
        )

    def await_drained(self, queue: str, *, within: float | None = None, noun: phrases.Noun = phrases.MESSAGES) -> None:
        """Wait until a queue holds nothing, neither ready nor unacknowledged, and see that it stays so.

        Raises:
            Failed: something is still there after `within` seconds (default `limit(10)`), or came back.
        """
        limit = within if within is not None else self._clock.limit(10)
        empty = Text(f"очередь {queue} пуста, всё подтверждено", f"queue {queue} is empty, everything is acknowledged")
        if not poll(lambda: self.queue(queue).total == 0, limit):
            left = self.queue(queue)
            unacked = Text(f", из них без ack: {left.unacked}", f", unacknowledged: {left.unacked}")
            raise Failed(expected=empty, seen=phrases.still_in_queue(queue, left.total, noun) + unacked)
        if poll(lambda: self.queue(queue).total > 0, FRESHNESS):
            raise Failed(
                expected=empty,
                seen=phrases.still_in_queue(queue, self.queue(queue).total, noun) + Text(": вернулись", ": they came back"),
            )

    def connections(self, service: str | None = None) -> list[Connection]:
        """Open connections, of one service or of all; the broker lists a new one within `FRESHNESS` seconds.

        Raises:
            Fault: a service was named in an exercise with edges: there the broker sees only the tap. Ask `kit.trace`.
        """
        if service is not None and self._behind_tap:
            raise Fault(f"the broker sees the tap's address and not that of `{service}`: look for `open` in kit.trace")
        addresses = self._addresses()
        found = [
            Connection(
                name=item["name"],
                user=item.get("user", ""),
                service=addresses.get(item.get("peer_host", ""), ""),
                channels=item.get("channels", 0),
                heartbeat=item.get("timeout", 0),
                state=item.get("state", ""),
            )
            for item in self._get("/api/connections")
            if item.get("user") != "prober" and "name" in item
        ]
        return [one for one in found if service is None or one.service == service]

    def _addresses(self) -> dict[str, str]:
        found = {}
        for name in self._services:
            try:
                found[socket.gethostbyname(name)] = name
            except OSError:
                continue  # a service with no replica has no address
        return found

    def _get(self, path: str) -> list[dict[str, Any]]:
        answer = self._http.get(path, max_body=8 << 20)
        if answer.status != 200:
            raise Fault(f"the broker's management API answered {answer.status} to {path}: {answer.text[:200]}")
        data = answer.json()
        items = data.get("items") if isinstance(data, dict) else data
        if not isinstance(items, list):
            raise Fault(f"the broker's management API answered something else to {path}")
        return items
