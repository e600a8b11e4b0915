"""What exercise.yaml may say of edges and `init` files; every fault has its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.content.exercise import load_exercise
from app.errors import ContentInvalid
from tests.desk import write_exercise

SERVICES = """\
  services:
    web: {image: python, command: [python3, main.py]}
    other: {image: python, command: [python3, main.py]}
    peer: {image: python, given: true, command: [python3, /given/peer.py]}
    broker: {image: rabbitmq, given: true}
    db: {image: postgres, given: true}
"""


def faults(folder: Path, edges: str = "", old: str = "", new: str = "") -> list[str]:
    """What is wrong with an exercise that has these edges, as `line: what`."""
    home = write_exercise(folder).folder
    text = (home / "exercise.yaml").read_text("utf-8")
    begin, end = text.index("  services:"), text.index("workspace:")
    services = SERVICES.replace(old, new) if old else SERVICES
    (home / "exercise.yaml").write_text(text[:begin] + services + edges + text[end:], "utf-8")
    try:
        load_exercise(home)
    except ContentInvalid as error:
        lines = (home / "exercise.yaml").read_text("utf-8").splitlines()
        return [f"{lines[problem.line - 1].strip()} | {problem.what}" for problem in error.problems]
    return []


def edges(*items: str) -> str:
    return "  edges:\n" + "".join(f"    - {{{item}}}\n" for item in items)


def test_edges_from_learners_services_to_given_ones_are_fine(tmp_path: Path) -> None:
    good = edges(
        'from: web, to: "peer:9000", protocol: grpc',
        'from: web, to: "broker:5672", protocol: amqp',
        'from: web, to: "broker:15672", protocol: http',
        'from: other, to: "broker:5672", protocol: amqp',
        'from: web, to: "db:5432", protocol: tcp',
    )
    assert faults(tmp_path, good) == []


@pytest.mark.parametrize(
    ("edge", "what"),
    [
        ('from: web, to: "nobody:1", protocol: tcp', "no service `nobody`"),
        ('from: nobody, to: "peer:1", protocol: tcp', "no service `nobody`"),
        ('from: peer, to: "broker:5672", protocol: amqp', "`peer` is a given service"),
        ('from: web, to: "other:80", protocol: http', "`other` is the learner's"),
        ('from: web, to: "peer:0", protocol: tcp', "1..65535"),
        ('from: web, to: "peer:99999", protocol: tcp', "1..65535"),
        ('from: web, to: "broker:5672", protocol: http', "speaks `amqp` on 5672, `http` on 15672"),
        ('from: web, to: "broker:5671", protocol: amqp', "speaks `amqp` on 5672"),
        ('from: web, to: "db:5432", protocol: amqp', "speaks `postgres` on 5432"),
        ('from: web, to: "peer:5432", protocol: postgres', "spoken by the image `postgres`"),
    ],
)
def test_an_edge_that_leads_nowhere_is_named(tmp_path: Path, edge: str, what: str) -> None:
    (found,) = faults(tmp_path, edges('from: web, to: "peer:9000", protocol: http', edge))
    assert found.startswith(f"- {{{edge}}} | edge ")
    assert what in found


def test_a_port_speaks_one_protocol_and_an_edge_appears_once(tmp_path: Path) -> None:
    second = 'from: other, to: "peer:9000", protocol: http'
    third = 'from: web, to: "peer:9000", protocol: grpc'
    found = faults(tmp_path, edges('from: web, to: "peer:9000", protocol: grpc', second, third))
    assert len(found) == 2
    assert found[0].startswith(f"- {{{second}}}")
    assert "an edge before it says `grpc`" in found[0]
    assert found[1].startswith(f"- {{{third}}}")
    assert "twice" in found[1]


@pytest.mark.parametrize(
    ("service", "init", "what"),
    [
        ("db", "workspace/schema.sql", "not a file of the workspace"),
        ("db", "main.py", "not a file of the workspace"),
        ("db", "workspace/../main.py", "not a file of the workspace"),
        ("web", "workspace/main.py", "`init` is for given services"),
    ],
)
def test_an_init_names_a_file_of_the_workspace_on_a_given_service(tmp_path: Path, service: str, init: str, what: str) -> None:
    old = f"    {service}: {{"
    (found,) = faults(tmp_path, "", old, f"{old}init: {init}, ")
    assert found.startswith(f"{service}: {{init: {init}")
    assert what in found


def test_a_starter_file_that_cannot_be_edited_will_do(tmp_path: Path) -> None:
    assert faults(tmp_path, "", "    db: {", "    db: {init: workspace/batch.py, ") == []
