"""What an agent is told about the sandbox that it shall run, and what is needed of images for that."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from app.sandbox.engines.embedded.bare import wire
from app.sandbox.engines.revision import file_digests, workspace_revision
from app.sandbox.model import Limits, ReadyProbe, SandboxSpec, ServiceSpec


class Definition(Protocol):
    """What the engine needs to know of an image; `ImageDefinition` has it."""

    @property
    def command(self) -> Sequence[str]: ...
    @property
    def env(self) -> Mapping[str, str]: ...
    @property
    def shell(self) -> Sequence[str]: ...
    @property
    def user(self) -> str: ...
    @property
    def tmpfs(self) -> Mapping[str, int]: ...
    @property
    def ready_probe(self) -> ReadyProbe: ...


class Image(Protocol):
    """An unpacked root filesystem."""

    @property
    def root(self) -> Path: ...
    @property
    def definition(self) -> Definition: ...


class Images(Protocol):
    """Where images come from; `ImageStore` is one."""

    def require(self, name: str) -> Image:
        """The image, complete; else an error that says when it will be."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What an agent is told at the start, besides the files."""

    spec: SandboxSpec
    services: list[dict[str, Any]]
    service_uid: int
    member_uid: int
    grouped: bool
    seccomp: bytes
    spread: int

    def body(self) -> bytes:
        """As `bare.agent.pod.Pod` reads it."""
        facts = {
            "services": self.services,
            "service_uid": self.service_uid,
            "member_uid": self.member_uid,
            "grouped": self.grouped,
            "spread": self.spread,
            "revision": workspace_revision(file_digests(self.spec.files)),
            "two_segments": self.spec.two_segments,
            "memory_mb": self.spec.memory_mb,
            "cpus": self.spec.cpus,
        }
        files = {"spec.json": json.dumps(facts).encode(), "seccomp": self.seccomp}
        files |= {f"ws/{path}": content for path, content in self.spec.files.items()}
        for service in self.spec.services:
            if service.given:
                files |= {f"given/{service.name}/{path}": content for path, content in service.files.items()}
                files |= {f"given/{service.name}/secrets/{name}": value.encode() for name, value in self.spec.secrets.items()}
        return wire.pack_files(files)


def limit_facts(limits: Limits) -> dict[str, Any]:
    """Limits as the agent reads them."""
    return {name: getattr(limits, name) for name in Limits.__slots__}


def service_facts(service: ServiceSpec, definition: Definition) -> dict[str, Any]:
    """A service as the agent reads it: what the specification leaves open comes from the image."""
    probe = service.ready or definition.ready_probe
    return {
        "name": service.name,
        "image": service.image,
        "command": list(service.command or definition.command),
        "env": dict(service.env),
        "image_env": dict(definition.env),
        "user": definition.user,
        "shell": list(definition.shell),
        "tmpfs": dict(definition.tmpfs),
        "given": service.given,
        "start": service.start,
        "restart": service.restart,
        "prepare": list(service.prepare),
        "replicas": service.replicas,
        "segment": service.segment,
        "workspace": service.workspace,
        "ready": {"kind": probe.kind, "port": probe.port, "path": probe.path},
        "limits": limit_facts(service.limits),
    }
