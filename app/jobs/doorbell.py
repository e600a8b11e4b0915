"""How a worker learns that there may be work. The job rows decide; a bell lost, doubled or false changes nothing."""

from __future__ import annotations

from typing import Protocol


class Doorbell(Protocol):
    """Rung after a commit that queued a job; awaited by workers."""

    def ring(self) -> None:
        """Say "there may be work". Never raises and never blocks for longer than 100 ms: the row is safe already."""

    def wait(self, seconds: float) -> None:
        """Return when somebody rang, or after about `seconds` at the latest."""

    def close(self) -> None:
        """Let go of connections; a `wait` under way returns."""
