"""From an exercise and a learner's files to the specification of a sandbox: the only place where one is made."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping

from app.content.exercise import MAX_FILE_BYTES, MAX_WORKSPACE_BYTES, Exercise
from app.content.exercise_def import ServiceDef
from app.errors import InvalidInput, TooLarge
from app.sandbox.daemon.exercises import LoadedExercise
from app.sandbox.images.definition import ImageDefinition
from app.sandbox.model import Limits, ReadyProbe, SandboxSpec, ServiceSpec
from app.sandbox.taps.model import TAP_IMAGE, plans

PROBER_IMAGE = "prober"
SECRETS = ("prober_password", "control_token")
MAX_FILES = 64
_PROBER_LIMITS = Limits(memory_mb=192, cpus=1.0, pids=128)
_KEEPER_LIMITS = Limits(memory_mb=32, cpus=0.0, pids=64)  #: the pod's own first process and its helpers

Definitions = Callable[[str], ImageDefinition]


def workspace(loaded: LoadedExercise, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The starter with the learner's editable files laid over it.

    Raises:
        InvalidInput: a path that the exercise does not let edit, or content that is not text.
        TooLarge: a file, or all together, over the limit.
    """
    if len(files) > MAX_FILES:
        raise TooLarge(f"At most {MAX_FILES} files are accepted.", details={"limit": MAX_FILES})
    editable = set(loaded.exercise.editable_paths)
    for path, content in files.items():
        if path not in editable:
            shown = path[:120]
            raise InvalidInput(f"`{shown}` is not a file that you may edit here.", code="not-editable", details={"path": shown})
        if len(content) > MAX_FILE_BYTES:
            limit = f"{MAX_FILE_BYTES // 1024} KiB"
            raise TooLarge(f"`{path}` is larger than {limit}.", details={"path": path, "limit": MAX_FILE_BYTES})
        if b"\0" in content or not _is_utf8(content):
            raise InvalidInput(f"`{path}` is not UTF-8 text.", code="not-text", details={"path": path})
    if sum(map(len, files.values())) > MAX_WORKSPACE_BYTES:
        limit = f"{MAX_WORKSPACE_BYTES // 1024} KiB"
        raise TooLarge(f"The files are larger than {limit} together.", details={"limit": MAX_WORKSPACE_BYTES})
    return {**loaded.starter, **files}


def build(
    sandbox_id: str, loaded: LoadedExercise, files: Mapping[str, bytes], definition: Definitions, instance: str
) -> SandboxSpec:
    """Specification of a sandbox.

    Args:
        files: what `workspace` returned.
        definition: finds an image by its name.
        instance: label by which leftovers of this installation are told from another's.

    Raises:
        NotFound: the exercise names an image that does not exist.
        InvalidInput: it gives a service an `init` that its image knows nothing of.
    """
    sandbox = loaded.exercise.definition.sandbox
    services = tuple(_service(name, service, loaded, definition(service.image)) for name, service in sandbox.services.items())
    members = member_images(loaded.exercise)
    parts = [*(s.limits for s in services for _ in range(s.replicas)), _PROBER_LIMITS, _KEEPER_LIMITS]
    if TAP_IMAGE in members:
        parts += [definition(TAP_IMAGE).default_limits] * len(plans(sandbox.edges))
    return SandboxSpec(
        id=sandbox_id,
        services=services,
        files=files,
        two_segments=bool(sandbox.edges),
        secrets={name: secrets.token_urlsafe(24) for name in SECRETS},
        labels={"instance": instance, "exercise": loaded.id},
        member_images=members,
        memory_mb=sum(part.memory_mb for part in parts),
        cpus=max(1.0, sum(part.cpus for part in parts)),
        pids=sum(part.pids for part in parts),
    )


def image_names(exercise: Exercise) -> frozenset[str]:
    """Images without which the exercise cannot be started and checked."""
    return frozenset(s.image for s in exercise.definition.sandbox.services.values()).union(member_images(exercise))


def member_images(exercise: Exercise) -> tuple[str, ...]:
    """Images of the guests of its sandboxes: the prober, and a tap for each upstream."""
    return (PROBER_IMAGE, TAP_IMAGE) if exercise.definition.sandbox.edges else (PROBER_IMAGE,)


def _service(name: str, service: ServiceDef, loaded: LoadedExercise, image: ImageDefinition) -> ServiceSpec:
    two_segments = bool(loaded.exercise.definition.sandbox.edges)
    if service.init and not image.init:
        raise InvalidInput(f"`{name}` has an `init`, but the image `{image.id}` has no command for it.", code="no-init-command")
    return ServiceSpec(
        name=name,
        image=service.image,
        command=tuple(service.command),
        env=service.env,
        given=service.given,
        start=service.start,
        restart=service.restart,
        prepare=tuple(service.prepare),
        replicas=service.replicas,
        segment="back" if service.given and two_segments else "front",
        workspace=not service.given,
        ready=_ready(service, image),
        limits=_limits(service, image),
        files=loaded.given if service.given else {},
    )


def _ready(service: ServiceDef, image: ImageDefinition) -> ReadyProbe | None:
    if service.ready is None:
        return None
    return ReadyProbe(service.ready.kind, service.ready.port or image.ready_probe.port, service.ready.path)


def _limits(service: ServiceDef, image: ImageDefinition) -> Limits:
    asked, usual = service.limits, image.default_limits
    return Limits(
        memory_mb=int(asked.memory.removesuffix("m")) if asked.memory else usual.memory_mb,
        cpus=float(asked.cpus) if asked.cpus else usual.cpus,
        pids=asked.pids or usual.pids,
        nofile=usual.nofile,
        tmp_mb=usual.tmp_mb,
        data_mb=usual.data_mb,
    )


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
