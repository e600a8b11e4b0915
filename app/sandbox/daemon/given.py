"""Given services in order: brought back to a clean state, and set up with the file that the learner wrote for them."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from app.errors import InvalidInput, PlatformError
from app.sandbox.daemon.changes import Changes
from app.sandbox.daemon.record import Record
from app.sandbox.engine import Engine
from app.sandbox.images.definition import FILE_IS_WRONG, ImageDefinition
from app.sandbox.model import ExecResult, ServiceSpec, ServiceState

RESET_SECONDS = 20.0
INIT_SECONDS = 30.0
READY_SECONDS = 60.0  #: for a service that was restarted
_LOOK_AGAIN_SECONDS = 0.25
_MOST_WORDS = 400
_PLACE = re.compile(r"^(?:\w+:)?<stdin>:(\d+):\s*")  #: the file is fed through a pipe, so that tools know no name for it


class Given:
    """Knows how to reset and to set up the given services of any sandbox."""

    def __init__(self, engine: Engine, definition: Callable[[str], ImageDefinition], changes: Changes) -> None:
        self._engine = engine
        self._definition = definition
        self._changes = changes

    async def reset(self, record: Record, name: str) -> None:
        """Bring a given service back to a clean state: by its image's `reset`, else by a restart. Its `init` is not run.

        Raises:
            InvalidInput: the service is the learner's.
            PlatformError: the reset command failed.
        """
        spec = record.service(name)
        if spec is None or not spec.given:
            raise InvalidInput(f"`{name}` is not a given service.")
        argv = self._definition(spec.image).reset
        if not argv:
            return await self._engine.restart(record.id, name)
        result = await self._engine.exec(record.id, name, argv, timeout=RESET_SECONDS)
        if result.timed_out or result.exit_code:
            raise PlatformError(f"The reset of `{name}` failed: {_said(result)}", code="reset-failed")
        return None

    async def set_up(self, record: Record, only: Iterable[str] | None = None) -> str:
        """Feed each given service the file that its `init` names, as the workspace has it now.

        Args:
            only: names of the services; None: all.

        Returns:
            Why a file is wrong, in one line; empty when all went well.

        Raises:
            PlatformError: a service does not get ready, or cannot run its `init` command.
        """
        for spec in record.spec.services if record.spec else ():
            path = record.init_path(spec.name)
            if path is None or (only is not None and spec.name not in only):
                continue
            await self._wait_ready(record, spec)
            record.set_up[spec.name] = record.files[path]
            if wrong := await self._feed(record, spec, path):
                record.note(f"{spec.name}: {wrong}")
                self._changes.publish(record.id)
                return wrong
        return ""

    def outdated(self, record: Record) -> list[str]:
        """Services whose `init` file has changed since they were set up."""
        names = [spec.name for spec in record.spec.services] if record.spec else []
        paths = {name: path for name in names if (path := record.init_path(name)) is not None}
        return [name for name, path in paths.items() if record.set_up.get(name) != record.files[path]]

    async def _feed(self, record: Record, spec: ServiceSpec, path: str) -> str:
        argv = self._definition(spec.image).init
        result = await self._engine.exec(record.id, spec.name, argv, stdin=record.files[path], timeout=INIT_SECONDS)
        if result.timed_out:
            return f"{path}: it does not end within {INIT_SECONDS:.0f} s"
        if result.exit_code == FILE_IS_WRONG:
            return f"{path}: {_said(result)}"
        if result.exit_code:
            raise PlatformError(f"`{spec.name}` could not be set up with {path}: {_said(result)}", code="init-failed")
        return ""

    async def _wait_ready(self, record: Record, spec: ServiceSpec) -> None:
        deadline = time.monotonic() + READY_SECONDS
        with self._changes.subscribe(record.id) as changes:
            while True:
                states = [s.state for s in (await self._engine.status(record.id)).services if s.name == spec.name]
                if all(state is ServiceState.READY for state in states):
                    return
                if time.monotonic() > deadline:
                    raise PlatformError(f"`{spec.name}` did not become ready, so it could not be set up.", code="init-failed")
                with suppress(TimeoutError):
                    await asyncio.wait_for(changes.next(), _LOOK_AGAIN_SECONDS)


def _said(result: ExecResult) -> str:
    """The error itself when the tool marks it as one, else its last words."""
    text = (result.stderr or result.stdout).decode("utf-8", "replace")
    lines = [_PLACE.sub(r"line \1: ", line.strip()) for line in text.splitlines() if line.strip(" ^\t")]
    first = next((place for place, line in enumerate(lines) if "ERROR" in line or "FATAL" in line), max(0, len(lines) - 3))
    return " / ".join(lines[first : first + 3])[:_MOST_WORDS] or f"exit code {result.exit_code}"
