"""What `web`, `worker` and `cli` hold of sandboxd: a synchronous client whose every call has a deadline.

Make it after the fork: gRPC's threads do not survive one. It is safe to use from several threads.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import grpc

from app.sandbox import sandbox_pb2 as pb
from app.sandbox import sandbox_pb2_grpc as rpc
from app.sandbox.faults import decode
from app.sandbox.model import DoctorReport, Finding, Purpose

STATUS_SECONDS = 0.3
CALL_SECONDS = 5.0
CHANGE_SECONDS = 20.0  #: a call that changes running services
DOCTOR_SECONDS = 30.0
RUN_SECONDS = 900.0

_OPTIONS = (
    ("grpc.max_send_message_length", 4 << 20),
    ("grpc.max_receive_message_length", 4 << 20),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 3000),  # this is gRPC's name for the time that one attempt to connect may take
    ("grpc.max_reconnect_backoff_ms", 1000),
)


class SandboxdClient:
    """Calls sandboxd over its control socket.

    Every method raises errors of `app.errors`: `NotFound` (sandbox, exercise, service), `Conflict` (a state that forbids it, a
    changed exercise, an image that is not ready: see `code`), `TooMany` (`one-sandbox-each`: `details["sandbox"]`),
    `InvalidInput` (files, arguments) and `Unavailable` (sandboxd or its engine does not answer; nothing was lost).
    """

    def __init__(self, socket_path: Path) -> None:
        self._channel = grpc.insecure_channel(f"unix:{socket_path}", options=_OPTIONS)
        self._stub = rpc.SandboxdStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; running calls end with `Unavailable`."""
        self._channel.close()

    def launch(
        self, sandbox_id: str, *, exercise_id: str, content_hash: str, purpose: Purpose, owner: str, files: Mapping[str, str]
    ) -> pb.Sandbox:
        """Ask for a sandbox; returns while it is still queued or starting. The same id again changes nothing."""
        request = pb.LaunchRequest(
            id=sandbox_id,
            exercise_id=exercise_id,
            content_hash=content_hash,
            purpose=purpose,
            owner=owner,
            files=_files(files),
        )
        return self._sandbox(self._stub.Launch, request, CALL_SECONDS)

    def status(self, sandbox_id: str, *, touch: bool = False, timeout: float = STATUS_SECONDS) -> pb.Sandbox:
        """One sandbox; `touch` when a person is looking, which starts the idle clock anew."""
        return self._sandbox(self._stub.Status, pb.SandboxRef(id=sandbox_id, touch=touch), timeout)

    def list(
        self, *, owner: str = "", purpose: str = "", gone_too: bool = False, timeout: float = CALL_SECONDS
    ) -> pb.ListReply:
        """Living sandboxes, and with `gone_too` those that ended within ten minutes; free memory (MiB) and slots."""
        reply: pb.ListReply = self._call(
            self._stub.List, pb.ListRequest(owner=owner, purpose=purpose, gone_too=gone_too), timeout
        )
        return reply

    def apply(
        self, sandbox_id: str, files: Mapping[str, str], *, restart: bool = False, services: Sequence[str] = ()
    ) -> pb.Sandbox:
        """Put the learner's files; with `restart` also restart the named services (none: all of the learner's)."""
        request = pb.ApplyRequest(id=sandbox_id, files=_files(files), restart=restart, services=services)
        return self._sandbox(self._stub.Apply, request, CHANGE_SECONDS)

    def control(self, sandbox_id: str, service: str, action: str, *, replicas: int = 0) -> pb.Sandbox:
        """start, stop, kill, pause, resume or restart one replica (`worker-2`), or scale a service to 0..4 replicas."""
        request = pb.ControlRequest(id=sandbox_id, service=service, action=action, replicas=replicas)
        return self._sandbox(self._stub.Control, request, CHANGE_SECONDS)

    def extend(self, sandbox_id: str) -> pb.Sandbox:
        """Half an hour more, twice."""
        return self._sandbox(self._stub.Extend, pb.ExtendRequest(id=sandbox_id), CALL_SECONDS)

    def stop(self, sandbox_id: str, reason: str = "stopped") -> pb.Sandbox:
        """Begin to end a sandbox; repeated calls are fine."""
        return self._sandbox(self._stub.Stop, pb.StopRequest(id=sandbox_id, reason=reason), CALL_SECONDS)

    def logs(self, sandbox_id: str, service: str, *, offset: int = 0, limit: int = 0) -> pb.LogsReply:
        """A page of a replica's kept output, at most 256 KiB."""
        request = pb.LogsRequest(id=sandbox_id, service=service, offset=offset, limit=limit)
        reply: pb.LogsReply = self._call(self._stub.Logs, request, CALL_SECONDS)
        return reply

    def run(
        self,
        sandbox_id: str,
        *,
        seed: int,
        only: Sequence[str] = (),
        files: Mapping[str, str] | None = None,
        timeout: float = RUN_SECONDS,
        on_start: Callable[[Callable[[], object]], object] | None = None,
    ) -> Iterator[pb.RunEvent]:
        """Run the checks as soon as the sandbox is ready; yields events, the last one is `finished`.

        Args:
            files: trial on a used sandbox: put these files and start everything anew first.
            timeout: for everything, the wait in the queue included. Closing the iterator ends the prober.
            on_start: receives a function that ends the call from any thread; the iterator then raises `Unavailable`.
        """
        request = pb.RunRequest(sandbox_id=sandbox_id, seed=seed, only=only, reset=files is not None, files=_files(files or {}))
        stream = self._stub.Run(request, timeout=timeout)
        if on_start:
            on_start(stream.cancel)
        try:
            yield from stream
        except grpc.RpcError as error:
            raise decode(error) from error
        finally:
            stream.cancel()

    def doctor(self, *, fresh: bool = False, timeout: float = DOCTOR_SECONDS) -> DoctorReport:
        """What the engine can do here; at most a minute old unless `fresh`."""
        reply = self._call(self._stub.Doctor, pb.DoctorRequest(fresh=fresh), timeout)
        data = json.loads(reply.report_json)
        return DoctorReport(**{**data, "findings": tuple(Finding(**finding) for finding in data["findings"])})

    def images(self, *, timeout: float = CALL_SECONDS) -> pb.ImagesReply:
        """How far the preparation of images is; the first call begins it."""
        reply: pb.ImagesReply = self._call(self._stub.Images, pb.ImagesRequest(), timeout)
        return reply

    def reload(self) -> pb.ReloadReply:
        """Read the exercises anew; running sandboxes keep what they were started with."""
        reply: pb.ReloadReply = self._call(self._stub.Reload, pb.ReloadRequest(), CHANGE_SECONDS)
        return reply

    def metrics(self) -> str:
        """Prometheus text."""
        return str(self._call(self._stub.Metrics, pb.MetricsRequest(), 1.0).text)

    def _sandbox(self, method: Any, request: Any, timeout: float) -> pb.Sandbox:
        reply: pb.Sandbox = self._call(method, request, timeout)
        return reply

    def _call(self, method: Any, request: Any, timeout: float) -> Any:
        try:
            return method(request, timeout=timeout)
        except grpc.RpcError as error:
            raise decode(error) from error


def _files(files: Mapping[str, str]) -> list[pb.File]:
    return [pb.File(path=path, content=text.encode()) for path, text in files.items()]
