"""`Kit`: what a check function is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from .baseline import Baseline, take
from .crashes import crash_points
from .draw import Draw
from .edges import Edge, Then
from .frame import Frame
from .history import History
from .observing import Observing
from .phrases import OPERATIONS, Noun
from .pipe import Pipe
from .services import Service, ServiceInfo, named
from .waiting import Clock
from .words import Fault, Text

if TYPE_CHECKING:
    from .probes.amqp import Amqp
    from .probes.broker import Broker
    from .probes.http import Http
    from .probes.rpc import Grpc
    from .probes.sql import Sql

T = TypeVar("T")


@dataclass(frozen=True)
class Sandbox:
    """What one run knows about its sandbox.

    Attributes:
        services: in the order of the exercise.
        secrets: the prober's own credentials for given services.
        folder: of the checks; descriptors of pinned contracts lie there.
        edges: client and upstream of each; every one of them goes through a tap.
    """

    services: tuple[ServiceInfo, ...]
    secrets: Mapping[str, str] = field(default_factory=dict)
    folder: Path = Path()
    edges: tuple[tuple[str, str], ...] = ()


class Kit(Observing):
    """Draws, probes, faults and expectations of one check.

    Attributes:
        draw: seeded values.
    """

    def __init__(self, check_id: str, seed: int, sandbox: Sandbox, pipe: Pipe, clock: Clock) -> None:
        super().__init__(pipe, clock, sandbox.edges)
        self.draw = Draw(seed, check_id)
        self._sandbox = sandbox

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
        """What RabbitMQ says about itself: queues, subscriptions, connections."""
        from .probes.broker import Broker

        info, names = self._broker_info(), [one.name for one in self._sandbox.services]
        tap = any(upstream == info.name for _, upstream in self._sandbox.edges)
        return Broker(info, self.secret("prober_password"), names, self._pipe, self._clock, behind_tap=tap)

    def grpc(self, service: str, port: int, contract: str) -> Grpc:
        """A gRPC client built from a contract that the checker holds.

        Args:
            contract: a file beside the checks: a FileDescriptorSet in protobuf's text format.
        """
        from .probes.rpc import Grpc

        path = self._sandbox.folder / contract
        return self._keep(Grpc(named(self._sandbox.services, service), port, path, self._pipe, self._clock))

    def sql(self, service: str, database: str) -> Sql:
        """A connection to a service of image `postgres` as `prober`; closed with the check."""
        from .probes.sql import Sql

        info = named(self._sandbox.services, service)
        return self._keep(Sql(info, database, self.secret("prober_password"), self._pipe, self._clock))

    # -- ways of trying ----------------------------------------------------------------------------------------------

    def history(self, noun: Noun = OPERATIONS) -> History:
        """A book of what the check sends, with invariants: nothing lost, nothing doubled, only what was sent, in order."""
        return History(noun)

    def baseline(self, name: Text, measure: Callable[[], float], *, runs: int = 3) -> Baseline:
        """Measure something in this very sandbox, to compare with by `at_most_times` and `at_least_times`.

        Args:
            measure: returns a number, for instance `lambda: seconds_of(act)`; the middle of `runs` counts.
        """
        found = take(name, measure, runs)
        self.note(f"мерка: {name.ru}: {found.value:.3g}", f"baseline: {name.en}: {found.value:.3g}")
        return found

    def crash_points(
        self,
        edge: Edge,
        frame: Frame,
        scenario: Callable[[], T],
        invariant: Callable[[T], None],
        *,
        most: int = 4,
        then: Then = "drop",
        within: float | None = None,
    ) -> int:
        """Kill the client at the 1st, the 2nd … matching frame of a scenario, and see that an invariant survives each.

        First the scenario runs undisturbed and its frames are counted; there must be at least one. Then it runs once for
        each of them: the frame is held, its sender killed, the frame dropped. A client with `restart: never` is started
        again, any other starts by itself.

        Args:
            scenario: sets things in motion with drawn values of its own each time, and returns what they were.
            invariant: gets what the scenario returned; waits until it is through (`eventually`) and judges.
            most: how many points are tried; of more frames than that, some spread from the first to the last.
            then: what becomes of the held frame: `drop`, or `forward` for a crash right after the upstream knew.
            within: seconds for each frame to come; default `limit(10)`.

        Returns:
            How many frames the undisturbed scenario had.
        """
        victim = self.service(edge.service)
        limit = within if within is not None else self.limit(10)
        return crash_points(self, edge, frame, scenario, invariant, victim=victim, most=most, then=then, within=limit)

    def close(self) -> None:
        """Close what the probes hold open and disarm what rules are left, the last one first."""
        while self._open:
            self._open.pop().close()

    def _broker_info(self) -> ServiceInfo:
        brokers = [info for info in self._sandbox.services if info.image == "rabbitmq"]
        if not brokers:
            raise Fault("the exercise has no service of image `rabbitmq`")
        return brokers[0]
