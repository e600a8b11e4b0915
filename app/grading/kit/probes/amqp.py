"""AMQP 0-9-1 as `prober`: effects in the sandbox's own broker, never a learner's word for them."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pika
import pika.exceptions

from ..pipe import Pipe
from ..services import ServiceInfo, blame
from ..waiting import Clock
from ..words import Failed, Text

PORT = 5672
_NOT_FOUND, _LOCKED = 404, 405


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message taken from a queue."""

    body: bytes
    redelivered: bool
    properties: Any

    @property
    def text(self) -> str:
        """The body as UTF-8, with replacement characters where it is not."""
        return self.body.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Depth:
    """Exact at this moment: messages ready for delivery, and consumers. Unacknowledged ones are the broker probe's."""

    ready: int
    consumers: int


class Amqp:
    """One connection. A queue that is missing or was declared differently is `Failed`; a broken broker is `Fault`."""

    def __init__(self, info: ServiceInfo, password: str, pipe: Pipe, clock: Clock) -> None:
        self._info, self._pipe, self._clock = info, pipe, clock
        self._parameters = pika.ConnectionParameters(
            info.name,
            PORT,
            credentials=pika.PlainCredentials("prober", password),
            socket_timeout=clock.limit(3),
            stack_timeout=clock.limit(5),
            blocked_connection_timeout=clock.limit(5),
            heartbeat=0,
        )
        self._connection: Any = None

    def exists(self, queue: str) -> bool:
        """Whether there is a queue of this name."""
        try:
            self.depth(queue)
        except Failed:
            return False
        return True

    def depth(self, queue: str) -> Depth:
        """Messages ready and consumers, exact at this moment; `Failed` when there is no such queue."""
        with self._channel(queue) as channel:
            found = channel.queue_declare(queue, passive=True).method
            return Depth(found.message_count, found.consumer_count)

    def declare(self, queue: str, *, durable: bool = False, arguments: dict[str, Any] | None = None) -> None:
        """Declare a queue; `Failed` when it exists with other properties."""
        with self._channel(queue) as channel:
            channel.queue_declare(queue, durable=durable, arguments=arguments)

    def delete(self, queue: str) -> None:
        """Delete a queue with everything in it; fine when there is none."""
        with self._channel(queue) as channel:
            channel.queue_delete(queue)

    def purge(self, queue: str) -> None:
        """Drop all ready messages of a queue."""
        with self._channel(queue) as channel:
            channel.queue_purge(queue)

    def publish(self, body: str | bytes, *, queue: str = "", exchange: str = "", **properties: Any) -> None:
        """Publish one message to `exchange` with routing key `queue`; confirmed by the broker, and routed somewhere.

        Args:
            properties: of pika.BasicProperties.
        """
        data = body.encode() if isinstance(body, str) else body
        with self._channel(queue) as channel:
            channel.confirm_delivery()
            try:
                channel.basic_publish(exchange, queue, data, pika.BasicProperties(**properties), mandatory=True)
            except pika.exceptions.UnroutableError:
                raise _no_queue(queue) from None

    def take(self, queue: str, most: int = 1) -> list[Delivery]:
        """Take up to `most` ready messages out of a queue, in its order."""
        return self._get(queue, most, keep=False)

    def peek(self, queue: str, most: int = 1) -> list[Delivery]:
        """Read up to `most` ready messages and put them back in their places (marked as redelivered)."""
        return self._get(queue, most, keep=True)

    def vanish(self) -> str:
        """Open another connection and end it without a goodbye, as a dying process does; return its address."""
        with self._guarded(""):
            process = os.fork()
            if process == 0:
                try:
                    pika.BlockingConnection(self._parameters)
                finally:
                    os._exit(0)
            os.waitpid(process, 0)
            with socket.create_connection((self._info.name, PORT), self._clock.limit(3)) as probe:
                return str(probe.getsockname()[0])

    def close(self) -> None:
        """Close the connection if it was opened."""
        if self._connection is not None and self._connection.is_open:
            with contextlib.suppress(pika.exceptions.AMQPError):  # it is closed either way, and the check has its result
                self._connection.close()
        self._connection = None

    def _get(self, queue: str, most: int, *, keep: bool) -> list[Delivery]:
        found = []
        with self._channel(queue) as channel:
            for _ in range(most):
                method, properties, body = channel.basic_get(queue, auto_ack=not keep)
                if method is None:
                    break
                found.append(Delivery(body, method.redelivered, properties))
            if keep and found:
                channel.basic_nack(multiple=True, requeue=True)
        return found

    @contextmanager
    def _channel(self, queue: str) -> Iterator[Any]:
        """A channel for one act: what closes it ends nothing else."""
        with self._guarded(queue):
            if self._connection is None or self._connection.is_closed:
                self._connection = pika.BlockingConnection(self._parameters)
            channel = self._connection.channel()
            yield channel
            if channel.is_open:
                channel.close()

    @contextmanager
    def _guarded(self, queue: str) -> Iterator[None]:
        """Turn what goes wrong into the learner's failure or a fault of ours."""
        try:
            yield
        except pika.exceptions.ChannelClosedByBroker as error:
            if error.reply_code == _NOT_FOUND:
                raise _no_queue(queue) from error
            expected = Text(
                f"очередь {queue} доступна и объявлена как в задании", f"queue {queue} is open and declared as the task says"
            )
            raise Failed(expected=expected, seen=Text.same(f"{error.reply_code} {error.reply_text}")) from error
        except (pika.exceptions.AMQPError, OSError) as error:
            self._connection = None
            expected = Text(f"{self._info.name} отвечает по AMQP", f"{self._info.name} answers AMQP")
            raise blame(self._info, self._pipe, expected, Text.same(repr(error))) from error


def _no_queue(queue: str) -> Failed:
    return Failed(
        expected=Text(f"в брокере есть очередь {queue}", f"the broker has a queue {queue}"),
        seen=Text(f"очереди {queue} нет", f"there is no queue {queue}"),
    )
