"""docs/authors.md names everything that the kit offers, and nothing that it does not."""

from __future__ import annotations

import inspect
import re

import pytest

from app.grading import kit
from app.grading.kit.probes.amqp import Amqp
from app.grading.kit.probes.broker import Broker
from app.grading.kit.probes.http import Http
from app.grading.kit.probes.rpc import Grpc
from app.grading.kit.probes.sql import Sql
from tests.product import TOP

GUIDE = (TOP / "docs/authors.md").read_text("utf-8")
OFFERED = GUIDE[GUIDE.index("### What the kit offers") : GUIDE.index("### Who is to blame")]
#: For the prober, for other parts of the kit, and what every sequence has.
NOT_FOR_AUTHORS = {"close", "carries", "label", "index", "count"}


def public(thing: object) -> set[str]:
    """Methods and functions that an author may call."""
    found = inspect.getmembers(thing, lambda value: inspect.isfunction(value) or isinstance(value, property))
    here = inspect.ismodule(thing)
    return {
        name
        for name, value in found
        if not name.startswith("_") and name not in NOT_FOR_AUTHORS and (not here or value.__module__ == thing.__name__)
    }


@pytest.mark.parametrize(
    "thing",
    [
        kit.Kit,
        kit.Draw,
        kit.Service,
        kit.Edge,
        kit.Rule,
        kit.History,
        kit.Trace,
        kit.frame,
        kit.phrases,
        Amqp,
        Broker,
        Http,
        Grpc,
        Sql,
    ],
    ids=lambda thing: thing.__name__.rpartition(".")[2],
)
def test_everything_that_authors_may_call_is_in_the_guide(thing: object) -> None:
    missing = {name for name in public(thing) if not re.search(rf"\b{name}\b", OFFERED)}
    assert not missing


def test_every_name_that_the_kit_exports_is_in_the_guide() -> None:
    missing = {name for name in kit.__all__ if not re.search(rf"\b{name}\b", GUIDE)}
    assert not missing


def test_every_call_in_the_guide_exists() -> None:
    called = set(re.findall(r"\bkit\.([a-z_]+)\(", GUIDE))
    assert called <= public(kit.Kit), called - public(kit.Kit)
    framed = set(re.findall(r"\bframe\.([a-z_]+)\(", GUIDE))
    assert framed <= public(kit.frame), framed - public(kit.frame)
