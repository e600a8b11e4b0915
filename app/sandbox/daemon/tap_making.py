"""Makes the taps that a sandbox needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from app.sandbox.daemon.changes import Changes
from app.sandbox.daemon.preparation import Preparation
from app.sandbox.daemon.record import Ending, Record
from app.sandbox.engine import Engine
from app.sandbox.taps.model import MEMBER_PLACE, TAP_IMAGE, plans
from app.sandbox.taps.supervisor import Taps


class TapMaker:
    """For all sandboxes of a daemon.

    Args:
        files: code of a tap.
        end: ends a sandbox whose taps cannot be kept alive.
    """

    def __init__(
        self,
        engine: Engine,
        images: Preparation,
        files: Mapping[str, bytes],
        changes: Changes,
        end: Callable[[Record, Ending], None],
    ) -> None:
        self._engine = engine
        self._images = images
        self._source = files
        self._changes = changes
        self._end = end

    def make(self, record: Record) -> Taps | None:
        """The taps of a sandbox, not started yet; None when its exercise has no edges."""
        assert record.loaded is not None
        assert record.spec is not None
        wanted = plans(record.loaded.exercise.definition.sandbox.edges)
        if not wanted:
            return None

        def note(text: str) -> None:
            record.note(text)
            self._changes.publish(record.id)

        return Taps(
            self._engine,
            record.id,
            wanted,
            partial(self._images.compiled, TAP_IMAGE, self._source, MEMBER_PLACE),
            self._images.definition(TAP_IMAGE).default_limits,
            (service.name for service in record.spec.services if not service.given),
            note=note,
            give_up=lambda why: self._end(record, Ending("failed", why)),
        )
