"""gRPC from a contract that the checker holds: the learner's own `.proto` is never read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

from ..pipe import Pipe
from ..services import ServiceInfo, blame
from ..waiting import Clock
from ..words import Fault, Text, brief

MAX_MESSAGE = 8 << 20  #: bytes of one answer
_MAX_REFLECTED = 200  #: answers that are read of one reflection stream

_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", MAX_MESSAGE),
    ("grpc.max_metadata_size", 64 * 1024),
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),
    ("grpc.service_config_disable_resolution", 1),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended: `code` is the status's name (`OK`, `INVALID_ARGUMENT`, …), `reply` the message when it is OK."""

    code: str
    details: str
    reply: Any = None

    @property
    def told(self) -> Text:
        """The status as a message tells it."""
        return Text.same(self.code + (f": {brief(self.details)}" if self.details else ""))


class Pending:
    """A call that has been sent and not yet been waited for."""

    def __init__(self, future: Any) -> None:
        self._future = future

    def outcome(self) -> Outcome:
        """Wait for its end; the call's own deadline bounds it."""
        code = self._future.code()
        reply = self._future.result() if code is grpc.StatusCode.OK else None
        return Outcome(code.name, self._future.details() or "", reply)


class Grpc:
    """A client of one service over one channel.

    Args:
        contract: FileDescriptorSet in protobuf's text format.
    """

    def __init__(self, info: ServiceInfo, port: int, contract: Path, pipe: Pipe, clock: Clock) -> None:
        self._info, self._pipe, self._clock = info, pipe, clock
        self.target = f"{info.name}:{port}"
        self._pool = _pool(contract)
        self._channel = grpc.insecure_channel(self.target, options=_OPTIONS)

    def call(self, method: str, request: Mapping[str, Any], *, within: float | None = None) -> Outcome:
        """Make a unary call and wait for its end, whatever status it has.

        Args:
            method: `shop.v1.Greeter/Greet`.
            request: fields by name.
            within: deadline in seconds, from `limit()`; default `limit(5)`.
        """
        return self.start(method, request, within=within).outcome()

    def reply(self, method: str, request: Mapping[str, Any], *, within: float | None = None) -> Any:
        """Make a unary call that must succeed; return the reply.

        Raises:
            Failed: any status but OK (`Fault` for a given service).
        """
        outcome = self.call(method, request, within=within)
        if outcome.code != "OK":
            raise blame(self._info, self._pipe, Text(f"{method} отвечает OK", f"{method} answers OK"), outcome.told)
        return outcome.reply

    def start(self, method: str, request: Mapping[str, Any], *, within: float | None = None) -> Pending:
        """Send a unary call without waiting; many may be under way at once."""
        service_name, _, method_name = method.partition("/")
        try:
            found = self._pool.FindServiceByName(service_name).methods_by_name[method_name]
        except KeyError:
            raise Fault(f"the pinned contract has no method {method}") from None
        ask: Any = self._channel.unary_unary(
            f"/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=message_factory.GetMessageClass(found.output_type).FromString,
        )
        message = message_factory.GetMessageClass(found.input_type)(**request)
        limit = within if within is not None else self._clock.limit(5)
        return Pending(ask.future(message, timeout=limit))

    def services(self) -> list[str]:
        """Names of the services that the server's reflection lists.

        Raises:
            Failed: it has no reflection, or does not answer it sensibly.
        """
        with self._reflection() as answers:
            return [found.name for answer in answers("list_services", "*") for found in answer.list_services_response.service]

    def methods(self, service: str) -> list[str]:
        """Names of the methods that the server's reflection describes for a service; empty when it knows none."""
        with self._reflection() as answers:
            for answer in answers("file_containing_symbol", service):
                for data in answer.file_descriptor_response.file_descriptor_proto:
                    file = descriptor_pb2.FileDescriptorProto.FromString(data)
                    for found in file.service:
                        if f"{file.package}.{found.name}".lstrip(".") == service:
                            return [method.name for method in found.method]
        return []

    def close(self) -> None:
        """Close the channel; calls under way are cancelled."""
        self._channel.close()

    @contextmanager
    def _reflection(self) -> Iterator[Any]:
        from google.protobuf.message import DecodeError
        from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

        stub = reflection_pb2_grpc.ServerReflectionStub(self._channel)
        limit = self._clock.limit(5)

        def answers(kind: str, value: str) -> list[Any]:
            request = reflection_pb2.ServerReflectionRequest(**{kind: value})
            stream = stub.ServerReflectionInfo(iter([request]), timeout=limit)
            found: list[Any] = []
            for answer in stream:
                found.append(answer)
                if len(found) >= _MAX_REFLECTED:
                    stream.cancel()
                    break
            return found

        expected = Text(f"{self.target} отвечает на gRPC reflection", f"{self.target} answers gRPC reflection")
        try:
            yield answers
        except grpc.RpcError as error:
            seen = Outcome(error.code().name, error.details() or "").told
            raise blame(self._info, self._pipe, expected, seen) from error
        except DecodeError as error:
            raise blame(self._info, self._pipe, expected, Text.same(repr(error))) from error


def _pool(contract: Path) -> descriptor_pool.DescriptorPool:
    try:
        files = text_format.Parse(contract.read_text("utf-8"), descriptor_pb2.FileDescriptorSet())
        pool = descriptor_pool.DescriptorPool()
        for file in files.file:
            pool.Add(file)
    except (OSError, text_format.ParseError, TypeError) as error:
        raise Fault(f"the pinned contract {contract.name} cannot be read: {error}") from error
    return pool
