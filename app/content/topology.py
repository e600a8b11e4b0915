"""Edges and `init` files of an exercise: what its services must be to each other, each fault with its line."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from app.content.source import YamlSource
from app.errors import Problem

if TYPE_CHECKING:
    from app.content.exercise_def import EdgeDef, SandboxDef

INIT_FOLDER = "workspace/"
#: image -> port -> what is spoken there; `tcp`, which decodes nothing, is always possible
_SPOKEN: Mapping[str, Mapping[int, str]] = {"rabbitmq": {5672: "amqp", 15672: "http"}, "postgres": {5432: "postgres"}}
#: protocols that only these images speak
_OWN = {protocol: image for image, ports in _SPOKEN.items() for protocol in ports.values() if protocol not in ("http", "grpc")}


def topology_problems(source: YamlSource, sandbox: SandboxDef, files: Collection[str]) -> Iterator[Problem]:
    """Every fault.

    Args:
        files: paths of the learner's workspace.
    """
    yield from _edge_problems(source, sandbox)
    for name, service in sandbox.services.items():
        if service.init is None:
            continue
        where = ("sandbox", "services", name, "init")
        if not service.given:
            yield source.problem(where, f"`{name}` is the learner's; `init` is for given services", "remove it")
        elif service.init.removeprefix(INIT_FOLDER) not in files or not service.init.startswith(INIT_FOLDER):
            cure = f"name it `{INIT_FOLDER}<file>`, with a file of `workspace.editable` or of `starter/`"
            yield source.problem(where, f"`{service.init}` is not a file of the workspace", cure)


def _edge_problems(source: YamlSource, sandbox: SandboxDef) -> Iterator[Problem]:
    protocols: dict[tuple[str, int], str] = {}
    seen: set[tuple[str, str]] = set()
    for index, edge in enumerate(sandbox.edges):
        where = ("sandbox", "edges", index)
        if fault := _fault(sandbox, edge):
            yield source.problem(where, f"edge {edge.from_} -> {edge.to}: {fault}")
            continue
        if (edge.from_, edge.to) in seen:
            yield source.problem(where, f"edge {edge.from_} -> {edge.to} appears twice", "remove one")
        seen.add((edge.from_, edge.to))
        spoken = protocols.setdefault(edge.target, edge.protocol)
        if spoken != edge.protocol:
            what = f"edge {edge.from_} -> {edge.to} says `{edge.protocol}`, an edge before it says `{spoken}`"
            yield source.problem(where, what, "a port speaks one protocol: make them equal")


def _fault(sandbox: SandboxDef, edge: EdgeDef) -> str:
    upstream, port = edge.target
    client, target = sandbox.services.get(edge.from_), sandbox.services.get(upstream)
    if client is None or target is None:
        return f"there is no service `{edge.from_ if client is None else upstream}`"
    if client.given:
        return f"`{edge.from_}` is a given service; an edge begins at a learner's one"
    if not target.given:
        return f"`{upstream}` is the learner's; an edge leads to a given service"
    if not 0 < port < 65536:
        return "the port must be 1..65535"
    known = _SPOKEN.get(target.image)
    if known is not None and edge.protocol != "tcp" and known.get(port) != edge.protocol:
        spoken = ", ".join(f"`{protocol}` on {number}" for number, protocol in known.items())
        return f"the image `{target.image}` speaks {spoken}"
    if known is None and edge.protocol in _OWN:
        return f"`{edge.protocol}` is spoken by the image `{_OWN[edge.protocol]}`, `{upstream}` is of `{target.image}`"
    return ""
