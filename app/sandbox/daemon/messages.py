"""Records as messages of `sandbox.proto`."""

from __future__ import annotations

from collections.abc import Iterable

from app.sandbox import sandbox_pb2 as pb
from app.sandbox.daemon.preparation import ImageState
from app.sandbox.daemon.record import Record, Stage
from app.sandbox.daemon.sandboxes import Sandboxes
from app.sandbox.model import SandboxState, ServiceStatus


def sandbox(record: Record, sandboxes: Sandboxes) -> pb.Sandbox:
    """One sandbox as everybody sees it."""
    clock, entry = sandboxes.clock, record.entry
    now, ahead = clock.monotonic(), clock.wall() - clock.monotonic()
    living = entry.state is not SandboxState.GONE
    return pb.Sandbox(
        id=entry.id,
        exercise_id=entry.exercise_id,
        content_hash=entry.content_hash,
        purpose=entry.purpose,
        owner=entry.owner,
        state=entry.state,
        reason=entry.reason,
        message=entry.message,
        created=entry.created,
        ready_at=entry.ready_at,
        expires_at=record.expires + ahead if living and record.expires is not None else 0.0,
        idle_at=record.idle_at + ahead if living and record.idle_at is not None else 0.0,
        queue_position=sandboxes.admission.position(entry.id),
        queue_seconds=sandboxes.admission.wait_seconds(entry.id),
        services=[_service(record, status) for status in record.services],
        stages=[_stage(stage, now) for stage in record.stages],
        events=[*(record.status.events if record.status else ()), *record.notes],
        files_revision=record.revision,
        extensions_left=record.extensions_left,
        checks_running=record.checks_running,
    )


def images(states: Iterable[ImageState]) -> pb.ImagesReply:
    """The state of image preparation."""
    messages = [
        pb.Image(name=s.name, state=s.state, step=s.step, fraction=s.fraction, eta_seconds=s.eta_seconds, error=s.error)
        for s in states
    ]
    return pb.ImagesReply(images=messages, all_ready=all(message.state == "ready" for message in messages))


def _service(record: Record, status: ServiceStatus) -> pb.Service:
    spec = record.service(status.name)
    stage = record.stage(status.name)
    return pb.Service(
        name=status.name,
        replica=status.replica,
        full_name=status.full_name,
        state=status.state,
        since=status.since,
        exit_code=status.exit_code,
        signal=status.signal,
        restarts=status.restarts,
        out_of_memory=status.out_of_memory,
        rss_mb=status.rss_mb,
        log_bytes=status.log_bytes,
        log_dropped=status.log_dropped,
        files_revision=status.files_revision,
        message=status.message,
        given=spec.given if spec else False,
        image=spec.image if spec else "",
        usual_seconds=stage.usual if stage else 0.0,
    )


def _stage(stage: Stage, now: float) -> pb.Stage:
    return pb.Stage(name=stage.name, seconds=stage.seconds(now), usual_seconds=stage.usual, done=stage.ended is not None)
