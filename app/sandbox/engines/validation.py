"""What every engine demands of a specification before it touches anything: names, paths and texts that cannot smuggle."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from app.sandbox.engine import EngineError
from app.sandbox.model import MemberSpec, SandboxSpec, ServiceState, ServiceStatus

MOST_REPLICAS = 8
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_LABEL = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PART = re.compile(r"[^\x00-\x1f\x7f/\\]{1,120}")
_DEEPEST, _LONGEST = 10, 240
_RESERVED = {"localhost"}


class InvalidSpec(EngineError):
    """The specification breaks a rule; nothing was started."""

    code = "invalid-spec"


def check_spec(spec: SandboxSpec) -> None:
    """Raise `InvalidSpec` unless every name, path and text is harmless and names cannot collide."""
    _demand(_ID.fullmatch(spec.id), f"sandbox id {spec.id!r}")
    check_files(spec.files)
    for name, value in spec.secrets.items():
        _demand(_PART.fullmatch(name) and not name.startswith("."), f"secret name {name!r}")
        _demand("\0" not in value, f"secret {name}")
    for image in spec.member_images:
        _demand(_LABEL.fullmatch(image), f"image name {image!r}")
    names: set[str] = set()
    for service in spec.services:
        _demand(_LABEL.fullmatch(service.name) and service.name not in _RESERVED, f"service name {service.name!r}")
        _demand(_LABEL.fullmatch(service.image), f"image name {service.image!r}")
        _demand(0 <= service.replicas <= MOST_REPLICAS, f"replicas of {service.name}")
        mine = {service.name, *(f"{service.name}-{number}" for number in range(2, MOST_REPLICAS + 1))}
        _demand(not mine & names, f"service name {service.name!r} (it collides with a replica)")
        names |= mine
        _check_texts([*service.command, *service.prepare])
        check_environment(service.env)
        check_files(service.files)
        _demand(service.given or not service.files, f"files of {service.name} (only given services have them)")


def check_member(member: MemberSpec, spec: SandboxSpec) -> None:
    """The same for a guest of the platform in this sandbox."""
    _demand(_LABEL.fullmatch(member.name), f"member name {member.name!r}")
    _demand(_LABEL.fullmatch(member.image), f"image name {member.image!r}")
    _demand(bool(member.command), "command of a member")
    _check_texts(member.command)
    behind = {service.name for service in spec.services if service.segment == "back"} if spec.two_segments else set()
    _demand(not member.stands_for or member.stands_for in behind, f"member {member.name} (it stands for no service behind)")
    check_environment(member.env)
    check_files(member.files)


def check_files(files: Mapping[str, bytes]) -> None:
    """Relative paths of regular files, without `..`, and none of them a folder of another."""
    for path in files:
        parts = path.split("/")
        fine = len(parts) <= _DEEPEST and len(path) <= _LONGEST
        fine = fine and all(_PART.fullmatch(part) and part not in (".", "..", ".soty-new") for part in parts)
        _demand(fine and _encodable(path), f"file path {path!r}")
        for end in range(1, len(parts)):
            _demand("/".join(parts[:end]) not in files, f"file path {path!r} (a part of it is a file)")


def check_environment(env: Mapping[str, str]) -> None:
    """Names as a shell would take them, values without NUL."""
    for name, value in env.items():
        _demand(_VARIABLE.fullmatch(name), f"variable name {name!r}")
        _check_texts([value])


def ready_as_a_whole(spec: SandboxSpec, statuses: Iterable[ServiceStatus]) -> bool:
    """Whether the sandbox is ready, by the rule of `Engine.status`."""
    services = {service.name: service for service in spec.services}
    good = {ServiceState.READY, ServiceState.PAUSED, ServiceState.EXITED, ServiceState.STOPPED}
    ended = {*good, ServiceState.CRASHED, ServiceState.FAILED} - {ServiceState.READY, ServiceState.PAUSED}
    for status in statuses:
        service = services[status.name]
        if service.start == "manual" or (service.restart == "never" and status.state in ended):
            continue
        if status.state not in good:
            return False
    return True


def _check_texts(texts: Iterable[str]) -> None:
    for text in texts:
        _demand("\0" not in text and _encodable(text), f"text {text[:40]!r}")


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _demand(fine: object, what: str) -> None:
    if not fine:
        raise InvalidSpec(f"The sandbox specification has a bad {what}.")
