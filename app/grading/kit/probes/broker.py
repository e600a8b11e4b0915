"""What RabbitMQ says about itself, through its management API and as `prober`."""

from __future__ import annotations

import base64
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..pipe import Pipe
from ..services import ServiceInfo
from ..waiting import Clock
from ..words import Fault
from .http import Http

PORT = 15672
FRESHNESS = 1.2  #: seconds after which the figures of queues are surely those of now

_QUEUES = "/api/queues/%2F?disable_stats=true&enable_queue_totals=true"


@dataclass(frozen=True, slots=True)
class Queue:
    """Figures of a queue, at most `FRESHNESS` seconds old."""

    name: str
    ready: int
    unacked: int
    durable: bool
    kind: str


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

    def __init__(self, info: ServiceInfo, password: str, services: Sequence[str], pipe: Pipe, clock: Clock) -> None:
        token = base64.b64encode(f"prober:{password}".encode()).decode()
        self._http = Http(info, PORT, pipe, clock, headers={"Authorization": f"Basic {token}"})
        self._services = services

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

    def connections(self, service: str | None = None) -> list[Connection]:
        """Open connections, of one service or of all; the broker lists a new one within `FRESHNESS` seconds."""
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
