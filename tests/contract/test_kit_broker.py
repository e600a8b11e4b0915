"""What the kit's broker probe says about a real RabbitMQ: queues, subscriptions, waits, and a broker that restarts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pika
import pytest

from app.grading.kit import ORDERS, Failed, Fault
from app.grading.kit.probes.broker import Broker
from app.grading.kit.services import ServiceInfo
from app.grading.kit.waiting import Clock
from app.sandbox.engines.embedded import EmbeddedEngine
from app.sandbox.images.store import ImageStore
from app.sandbox.model import SandboxSpec, ServiceSpec
from tests import pods
from tests.dialled import PASSWORD, SilentPlatform, way_into
from tests.product import eventually

pytestmark = [pytest.mark.engine("embedded"), pytest.mark.anyio]


@dataclass(frozen=True)
class RabbitMq:
    """A running broker and the ports that lead to it."""

    engine: EmbeddedEngine
    spec: SandboxSpec
    amqp: int
    management: int

    def probe(self, *, behind_tap: bool = False) -> Broker:
        info = ServiceInfo("127.0.0.1", "rabbitmq", learner=False)
        options = {"behind_tap": behind_tap, "port": self.management}
        return Broker(info, PASSWORD, [], SilentPlatform(), Clock(2), **options)

    @contextmanager
    def learner(self) -> Iterator[Any]:
        """A channel as the learner."""
        account = pika.PlainCredentials("learner", "learner")
        connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", self.amqp, credentials=account))
        try:
            yield connection.channel()
        finally:
            connection.close()


@pytest.fixture(scope="module")
async def broker(embedded: EmbeddedEngine, anyio_backend: str) -> AsyncIterator[RabbitMq]:
    store: ImageStore = pods.images()
    await store.prepare(["agent", "prober", "rabbitmq"])
    limits = store.require("rabbitmq").definition.default_limits
    service = ServiceSpec("rabbitmq", "rabbitmq", given=True, limits=limits)
    spec = pods.sandbox(service, cpus=2.0, memory_mb=640, secrets={"prober_password": PASSWORD})
    await pods.started(embedded, spec)
    try:
        await pods.until(embedded, spec, "ready", lambda now: now.ready, within=60)
        async with way_into(embedded, spec.id, "rabbitmq", 5672) as amqp, way_into(embedded, spec.id, "rabbitmq", 15672) as api:
            yield RabbitMq(embedded, spec, amqp, api)
    finally:
        await embedded.stop(spec.id)


async def beside(act: Callable[[], Any]) -> Any:
    """Do something blocking while the ports are served."""
    return await asyncio.to_thread(act)


async def test_queues_subscriptions_and_what_is_under_way(broker: RabbitMq) -> None:
    def work() -> None:
        with broker.learner() as channel:
            channel.queue_declare("tasks", durable=True)
            for number in range(5):
                channel.basic_publish("", "tasks", str(number).encode())
            channel.basic_qos(prefetch_count=2)
            channel.basic_consume("tasks", lambda *_: None, consumer_tag="mine")
            channel.connection.process_data_events(0.2)
            probe = broker.probe()
            found = [(one.tag, one.prefetch, one.no_ack) for one in probe.await_consumers("tasks", 1, within=5)]
            assert found == [("mine", 2, False)]
            queue = awaited(lambda: probe.queue("tasks"), lambda queue: queue.unacked == 2)
            assert (queue.ready, queue.total, queue.durable, queue.kind) == (3, 5, True, "classic")
            with pytest.raises(Failed, match=r"queue tasks still holds 5 orders, unacknowledged: 2"):
                probe.await_drained("tasks", within=0.2, noun=ORDERS)
            with pytest.raises(Failed, match="subscriptions to queue tasks: 2"):
                probe.await_consumers("tasks", 2, within=0.2)
        with broker.learner() as channel:
            channel.queue_purge("tasks")
        probe.await_drained("tasks", within=5)
        eventually("the subscription is gone", lambda: not probe.consumers("tasks"), within=10)
        with pytest.raises(Failed, match="worker is not subscribed to queue tasks"):
            probe.await_consumers("tasks", 1, service="worker", within=0.2)
        with pytest.raises(Failed, match="there is no queue nothing"):
            probe.queue("nothing")

    await beside(work)


async def test_what_came_back_to_the_queue_is_not_drained(broker: RabbitMq) -> None:
    def work() -> None:
        probe = broker.probe()
        with broker.learner() as channel:
            channel.queue_declare("back")
            channel.basic_publish("", "back", b"x")
            method, _, _ = channel.basic_get("back", auto_ack=False)
            channel.basic_nack(method.delivery_tag, requeue=True)
            with pytest.raises(Failed, match="queue back still holds 1 message"):
                probe.await_drained("back", within=1)

    await beside(work)


async def test_behind_a_tap_nobody_can_be_told_by_the_address(broker: RabbitMq) -> None:
    def work() -> None:
        with broker.learner():
            assert [one.user for one in awaited(broker.probe(behind_tap=True).connections, bool)] == ["learner"]
        with pytest.raises(Fault, match=r"the tap's address"):
            broker.probe(behind_tap=True).connections("worker")

    await beside(work)


def awaited(look: Callable[[], Any], fits: Callable[[Any], bool]) -> Any:
    """What is seen once it fits; figures are at most a second old."""

    def fitting() -> Any:
        value = look()
        return value if fits(value) else None

    return eventually("the broker's figures", fitting, within=10)
