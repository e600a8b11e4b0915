"""`Kit`: what a check function is given."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from .draw import Draw
from .match import Matcher
from .pipe import Pipe
from .services import Service, ServiceInfo, named
from .waiting import Clock
from .words import Failed, Fault, Text

if TYPE_CHECKING:
    from .probes.amqp import Amqp
    from .probes.broker import Broker
    from .probes.http import Http
    from .probes.rpc import Grpc

T = TypeVar("T")


@dataclass(frozen=True)
class Sandbox:
    """What one run knows about its sandbox.

    Attributes:
        services: in the order of the exercise.
        secrets: the prober's own credentials for given services.
        folder: of the checks; descriptors of pinned contracts lie there.
    """

    services: tuple[ServiceInfo, ...]
    secrets: Mapping[str, str] = field(default_factory=dict)
    folder: Path = Path()


class Kit:
    """Draws, probes, faults and expectations of one check.

    Attributes:
        draw: seeded values.
    """

    def __init__(self, check_id: str, seed: int, sandbox: Sandbox, pipe: Pipe, clock: Clock) -> None:
        self.draw = Draw(seed, check_id)
        self._sandbox, self._pipe, self._clock = sandbox, pipe, clock
        self._open: list[Any] = []

    # -- words of the report ---------------------------------------------------------------------------------------

    def step(self, ru: str, en: str) -> None:
        """Tell in one full sentence what the check does now. A failure shows all steps so far as *done*."""
        self._pipe.send({"type": "step", "ru": ru, "en": en})

    def look(self, ru: str, en: str) -> None:
        """Tell where a learner should look if something fails from here on."""
        self._pipe.send({"type": "look", "ru": ru, "en": en})

    def note(self, ru: str, en: str) -> None:
        """Put a moment on the timeline of the report."""
        self._pipe.send({"type": "note", "kind": "note", "ru": ru, "en": en})

    # -- expectations ----------------------------------------------------------------------------------------------

    def limit(self, seconds: float) -> float:
        """`seconds` on a quiet machine, stretched by the slowness of this sandbox (1..6)."""
        return self._clock.limit(seconds)

    def fail(self, expected: Text, seen: Text, where: Text | None = None) -> NoReturn:
        """End the check as failed."""
        raise Failed(expected=expected, seen=seen, where=where)

    def expect(self, value: T, to: Matcher[T], what: Text, where: Text | None = None) -> T:
        """Return `value` if `to` accepts it; fail with "`what`: …" as expected and seen otherwise."""
        if to.accepts(value):
            return value
        raise Failed(expected=what + ": " + to.wanted, seen=what + ": " + to.found(value), where=where)

    def eventually(
        self,
        look: Callable[[], T],
        to: Matcher[T],
        what: Text,
        *,
        within: float | None = None,
        hold: float = 0.5,
        where: Text | None = None,
    ) -> T:
        """Look until `to` accepts what is seen, then see that it stays so.

        A look that fails (nothing listens yet) is a look that was not accepted.

        Args:
            look: reads the fact anew each time.
            within: seconds to wait, from `limit()`; default `limit(10)`.
            hold: seconds for which it must stay true, before scaling; at most one change of mind ends the check.

        Raises:
            Failed: it did not become true in time, or did not stay so.
        """
        limit = within if within is not None else self.limit(10)
        deadline, pause = time.monotonic() + limit, 0.02
        while True:
            over = time.monotonic() >= deadline
            try:
                value = look()
                if to.accepts(value):
                    break
                seen = what + ": " + to.found(value)
            except Failed as failure:
                seen = failure.seen
            if over:
                waited = Text(f" (ждали {limit:.0f} с)", f" (waited {limit:.0f} s)")
                raise Failed(expected=what + ": " + to.wanted, seen=seen + waited, where=where)
            time.sleep(pause)
            pause = min(pause * 1.5, 0.25)
        held = time.monotonic() + self.limit(hold)
        while time.monotonic() < held:
            time.sleep(min(0.1, hold))
            value = look()
            if not to.accepts(value):
                changed = Text(" (сначала было верно, потом изменилось)", " (it was right at first and then changed)")
                raise Failed(expected=what + ": " + to.wanted, seen=what + ": " + to.found(value) + changed, where=where)
        return value

    # -- the sandbox -----------------------------------------------------------------------------------------------

    def service(self, name: str) -> Service:
        """A service, to look at and to hurt."""
        return Service(named(self._sandbox.services, name), self._pipe, self._clock)

    def secret(self, name: str) -> str:
        """One of the prober's credentials; raises `Fault` when the sandbox has none of this name."""
        try:
            return self._sandbox.secrets[name]
        except KeyError:
            raise Fault(f"the sandbox has no secret `{name}`") from None

    # -- probes: each imports its library only when it is used -------------------------------------------------------

    def http(self, service: str, port: int, *, headers: Mapping[str, str] | None = None) -> Http:
        """Speak HTTP to a service."""
        from .probes.http import Http

        return Http(named(self._sandbox.services, service), port, self._pipe, self._clock, headers=headers)

    def control(self, service: str, port: int) -> Http:
        """Speak HTTP to a given service of ours with the token that it shares with the prober alone."""
        return self.http(service, port, headers={"Authorization": f"Bearer {self.secret('control_token')}"})

    def amqp(self) -> Amqp:
        """A connection to the sandbox's RabbitMQ as `prober`; closed with the check. One per thread."""
        from .probes.amqp import Amqp

        return self._keep(Amqp(self._broker_info(), self.secret("prober_password"), self._pipe, self._clock))

    def broker(self) -> Broker:
        """What RabbitMQ says about itself: queues, connections, channels."""
        from .probes.broker import Broker

        names = [info.name for info in self._sandbox.services]
        return Broker(self._broker_info(), self.secret("prober_password"), names, self._pipe, self._clock)

    def grpc(self, service: str, port: int, contract: str) -> Grpc:
        """A gRPC client built from a contract that the checker holds.

        Args:
            contract: a file beside the checks: a FileDescriptorSet in protobuf's text format.
        """
        from .probes.rpc import Grpc

        path = self._sandbox.folder / contract
        return self._keep(Grpc(named(self._sandbox.services, service), port, path, self._pipe, self._clock))

    def close(self) -> None:
        """Close what the probes hold open, the last one first."""
        while self._open:
            self._open.pop().close()

    def _keep(self, probe: T) -> T:
        self._open.append(probe)
        return probe

    def _broker_info(self) -> ServiceInfo:
        brokers: Sequence[ServiceInfo] = [info for info in self._sandbox.services if info.image == "rabbitmq"]
        if not brokers:
            raise Fault("the exercise has no service of image `rabbitmq`")
        return brokers[0]
