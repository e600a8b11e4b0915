"""Clients for what services of a sandbox speak; each module needs a library that takes a tenth of a second to import."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from importlib import import_module
from pathlib import Path

_OF_IMAGE = {"rabbitmq": ("amqp", "broker"), "postgres": ("sql",)}
_CONTRACTS = "*.textproto"


def preload(images: Collection[str], folder: Path) -> None:
    """Import what checks of this sandbox will ask for, once for all of them: each runs in a fork of this process.

    A library that is missing is the trouble of the check that needs it.

    Args:
        images: of the services.
        folder: of the checks; where a contract lies, gRPC is spoken.
    """
    wanted = ["http", *(name for image in images for name in _OF_IMAGE.get(image, ()))]
    if next(folder.glob(_CONTRACTS), None) is not None:
        wanted.append("rpc")
    for name in wanted:
        with suppress(ImportError):
            import_module(f".{name}", __package__)
