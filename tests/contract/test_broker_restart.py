"""A broker that is stopped and started again is the same broker: exercises about durability stand on this."""

from __future__ import annotations

import pytest

from app.sandbox.engines.embedded import EmbeddedEngine
from app.sandbox.images.store import ImageStore
from app.sandbox.model import Limits, ReadyProbe, SandboxSpec, ServiceSpec, ServiceState
from tests import pods

FILLED = """
import pika
channel = pika.BlockingConnection(pika.URLParameters("amqp://learner:learner@rabbitmq:5672/%2F")).channel()
channel.queue_declare("kept", durable=True)
channel.queue_declare("forgotten")
channel.confirm_delivery()
for queue in ("kept", "forgotten"):
    channel.basic_publish("", queue, b"persistent", pika.BasicProperties(delivery_mode=2))
    channel.basic_publish("", queue, b"transient")
"""
LEFT = """
import pika
channel = pika.BlockingConnection(pika.URLParameters("amqp://learner:learner@rabbitmq:5672/%2F")).channel()
print(channel.queue_declare("kept", passive=True).method.message_count, channel.basic_get("kept", True)[2])
try:
    channel.queue_declare("forgotten", passive=True)
except pika.exceptions.ChannelClosedByBroker as error:
    print(error.reply_code)
"""


@pytest.fixture(scope="session")
async def store(anyio_backend: str) -> ImageStore:
    """The images that this needs, the broker's among them."""
    store = pods.images()
    await store.prepare(["agent", "python", "rabbitmq"])
    return store


async def ran(engine: EmbeddedEngine, spec: SandboxSpec, script: str) -> str:
    done = await engine.exec(spec.id, "reader", [pods.PYTHON, "-c", script], timeout=20)
    assert done.exit_code == 0, done
    return done.stdout.decode()


@pytest.mark.engine("embedded")
@pytest.mark.anyio
async def test_a_durable_queue_keeps_its_persistent_messages_and_nothing_else(embedded: EmbeddedEngine) -> None:
    # Given a broker with a durable queue and one that is not, each with a persistent and a transient message
    limits = Limits(memory_mb=320, cpus=2, pids=128, nofile=4096)
    broker = ServiceSpec("rabbitmq", "rabbitmq", given=True, ready=ReadyProbe("amqp", 5672), limits=limits)
    reader = pods.idle("reader", given=True, limits=Limits(memory_mb=256, cpus=2, pids=64))
    spec = pods.sandbox(reader, broker, cpus=2.0, secrets={"prober_password": "nobody-checks-here"})
    await embedded.launch(spec)
    try:
        await pods.until(embedded, spec, "up", lambda now: now.ready, within=60)
        await ran(embedded, spec, FILLED)
        # When it is stopped and started again
        await embedded.stop_service(spec.id, "rabbitmq", grace=10)
        stopped = pods.replica(await embedded.status(spec.id), "rabbitmq")
        assert stopped.state is ServiceState.STOPPED
        assert stopped.signal is None, "it was killed before it had written down what it had"
        await embedded.start(spec.id, "rabbitmq")
        await pods.until(embedded, spec, "up again", lambda now: now.ready, within=60)
        # Then the durable queue has its persistent message, and nothing else is left
        assert (await ran(embedded, spec, LEFT)).splitlines() == ["1 b'persistent'", "404"]
    finally:
        log = await embedded.logs(spec.id, "rabbitmq")
        await embedded.stop(spec.id)
    assert b"crash" not in log.data.lower(), log.data.decode()
