"""`tap.json`: what a tap stands in front of, and who may come."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Settings:
    """Written by the platform and trusted.

    Attributes:
        upstream: name of the upstream, looked up in the hosts file at each connection.
        listen: port -> protocol.
        edges: pairs of a client service and a port that it may use.
        address: where to listen, by default the guest's address on the front segment; empty: everywhere.
    """

    upstream: str
    listen: dict[int, str]
    edges: frozenset[tuple[str, int]]
    address: str = ""

    @classmethod
    def read(cls, home: Path) -> Settings:
        """Read `home`/tap.json.

        Raises:
            KeyError, ValueError: it is not what the platform writes.
        """
        data: dict[str, Any] = json.loads((home / "tap.json").read_text("utf-8"))
        return cls(
            data["upstream"],
            {int(item["port"]): str(item["protocol"]) for item in data["listen"]},
            frozenset((str(edge["from"]), int(edge["port"])) for edge in data["edges"]),
            data.get("address", os.environ.get("SOTY_ADDRESS", "")),
        )

    def may(self, replica: str, port: int) -> bool:
        """Whether an edge leads from the service of this replica to this port."""
        return any(port == allowed and belongs(replica, service) for service, allowed in self.edges)


def belongs(replica: str, name: str) -> bool:
    """Whether `replica` (`worker-2`) is `name`, a replica or a service (`worker`)."""
    return replica == name or (replica.startswith(f"{name}-") and replica[len(name) + 1 :].isdigit())
