"""The gRPC face of sandboxd: translates messages to calls and errors to statuses, and decides nothing."""

# ruff: noqa: N802 - the names of sandbox.proto

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message import Message

from app.errors import InvalidInput, PlatformError
from app.sandbox import sandbox_pb2 as pb
from app.sandbox import sandbox_pb2_grpc as rpc
from app.sandbox.daemon import messages
from app.sandbox.daemon.metrics import SandboxdMetrics
from app.sandbox.daemon.runs import Runs
from app.sandbox.daemon.sandboxes import LaunchOrder, Sandboxes
from app.sandbox.daemon.services import Services
from app.sandbox.faults import as_status, encode
from app.sandbox.model import Purpose

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[Any, Any]

log = logging.getLogger(__name__)
MAX_LOG_PAGE = 256 * 1024
WATCH_INTERVAL = 0.1  #: so that a sandbox is sent at most ten times a second


class Sandboxd(rpc.SandboxdServicer):  # type: ignore[misc]
    """`service Sandboxd`."""

    def __init__(self, sandboxes: Sandboxes, services: Services, runs: Runs, metrics: SandboxdMetrics) -> None:
        self._sandboxes = sandboxes
        self._services = services
        self._runs = runs
        self._metrics = metrics

    async def Doctor(self, request: pb.DoctorRequest, context: Context) -> pb.DoctorReply:
        report = await self._sandboxes.doctor.report(fresh=request.fresh)
        text = json.dumps(asdict(report), ensure_ascii=False)
        return pb.DoctorReply(engine=report.engine, usable=report.usable, reason=report.reason, report_json=text)

    async def Images(self, request: pb.ImagesRequest, context: Context) -> pb.ImagesReply:
        self._sandboxes.images.want()
        return messages.images(self._sandboxes.images.states())

    async def Launch(self, request: pb.LaunchRequest, context: Context) -> pb.Sandbox:
        order = LaunchOrder(
            id=request.id,
            exercise_id=request.exercise_id,
            content_hash=request.content_hash,
            purpose=_purpose(request.purpose),
            owner=request.owner,
            files=_files(request.files),
        )
        return self._message(await self._sandboxes.launch(order))

    async def Status(self, request: pb.SandboxRef, context: Context) -> pb.Sandbox:
        return self._message(self._sandboxes.get(request.id, touch=request.touch))

    async def List(self, request: pb.ListRequest, context: Context) -> pb.ListReply:
        found = self._sandboxes.list(request.owner, request.purpose, gone_too=request.gone_too)
        admission = self._sandboxes.admission
        return pb.ListReply(
            sandboxes=map(self._message, found), memory_free_mb=admission.free_mb, slots=admission.capacity.slots
        )  # fmt: skip

    async def Apply(self, request: pb.ApplyRequest, context: Context) -> pb.Sandbox:
        files, services = _files(request.files), list(request.services)
        return self._message(await self._services.apply(request.id, files, restart=request.restart, services=services))

    async def Control(self, request: pb.ControlRequest, context: Context) -> pb.Sandbox:
        return self._message(await self._services.control(request.id, request.service, request.action, request.replicas))

    async def Extend(self, request: pb.ExtendRequest, context: Context) -> pb.Sandbox:
        return self._message(self._sandboxes.extend(request.id))

    async def Stop(self, request: pb.StopRequest, context: Context) -> pb.Sandbox:
        return self._message(self._sandboxes.stop(request.id, request.reason or "stopped"))

    async def Logs(self, request: pb.LogsRequest, context: Context) -> pb.LogsReply:
        if request.offset < 0 or request.limit < 0:
            raise InvalidInput("Offset and limit are not negative.")
        limit = min(request.limit or MAX_LOG_PAGE, MAX_LOG_PAGE)
        chunk = await self._services.logs(request.id, request.service, request.offset, limit)
        after = chunk.offset + len(chunk.data)
        return pb.LogsReply(data=chunk.data, offset=chunk.offset, next_offset=after, dropped=chunk.dropped)

    async def Run(self, request: pb.RunRequest, context: Context) -> None:
        files = _files(request.files) if request.reset else None
        only = list(request.only)
        async with aclosing(self._runs.run(request.sandbox_id, request.seed, only, files)) as events:
            async for event in events:
                await context.write(event)

    async def Reload(self, request: pb.ReloadRequest, context: Context) -> pb.ReloadReply:
        exercises = self._sandboxes.exercises
        await asyncio.to_thread(exercises.reload)
        return pb.ReloadReply(exercises=len(exercises), problems=exercises.problems)

    async def Metrics(self, request: pb.MetricsRequest, context: Context) -> pb.MetricsReply:
        return pb.MetricsReply(text=self._metrics.text())

    def _message(self, record: Any) -> pb.Sandbox:
        return messages.sandbox(record, self._sandboxes)


class Watcher(rpc.WatcherServicer):  # type: ignore[misc]
    """`service Watcher`: every sandbox now, then each one that changed."""

    def __init__(self, sandboxes: Sandboxes) -> None:
        self._sandboxes = sandboxes

    async def Watch(self, request: pb.WatchRequest, context: Context) -> None:
        everything = [record.id for record in self._sandboxes.list(gone_too=True)]
        with self._sandboxes.changes.subscribe(begin_with=everything) as changes:
            while True:
                for sandbox_id in await changes.next():
                    if record := self._sandboxes.find(sandbox_id):
                        await context.write(pb.WatchEvent(sandbox=messages.sandbox(record, self._sandboxes)))
                await asyncio.sleep(WATCH_INTERVAL)


class ErrorsToStatuses(grpc.aio.ServerInterceptor):
    """Turns every `PlatformError` into a status that our client turns back; anything else is logged and INTERNAL.

    Streaming methods write to their context, they do not yield: so a cancelled call is always cancelled inside the method,
    and what it holds (a prober) is released at once.
    """

    async def intercept_service(self, continuation: Any, details: grpc.HandlerCallDetails) -> Any:
        handler = await continuation(details)
        if handler is None:
            return None
        if handler.response_streaming:
            return handler._replace(unary_stream=_guard(handler.unary_stream))
        return handler._replace(unary_unary=_guard(handler.unary_unary))


def _guard(method: Any) -> Any:
    async def guarded(request: Message, context: Context) -> Any:
        try:
            return await method(request, context)
        except Exception as error:  # noqa: BLE001 - the outermost frame of a call
            await _abort(context, error)

    return guarded


async def _abort(context: Context, error: Exception) -> None:
    if isinstance(error, grpc.aio.AbortError):
        raise error
    if not isinstance(error, PlatformError):
        log.error("a call failed", exc_info=error)
    status, message = as_status(error)
    await context.abort(status, message, trailing_metadata=encode(error))


def _purpose(name: str) -> Purpose:
    try:
        return Purpose(name)
    except ValueError:
        raise InvalidInput(f"A purpose is one of: {', '.join(Purpose)}.") from None


def _files(files: Sequence[pb.File]) -> Mapping[str, bytes]:
    found = {file.path: file.content for file in files}
    if len(found) != len(files):
        raise InvalidInput("A path appears twice.")
    return found
