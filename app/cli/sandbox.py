"""`./soty sandbox`: a practice sandbox for whoever runs Soty, and what else runs; asks the running `sandboxd`."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.cli.said import say, table
from app.errors import Forbidden, InvalidInput, NotFound, TooMany, Unavailable
from app.sandbox.model import OPERATOR, Purpose
from app.settings import Settings

if TYPE_CHECKING:
    from app.sandbox import sandbox_pb2 as pb
    from app.sandbox.client import SandboxdClient

READY_SECONDS = 600.0  #: the wait in the queue included
GONE_SECONDS = 30.0
_EVERY = 0.25
_STATUS_SECONDS = 5.0


def register(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("sandbox", help="start a sandbox by hand, see what runs, end it")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    up = actions.add_parser("up", help="start a sandbox of an exercise; its id alone goes to stdout")
    up.add_argument("id", metavar="EXERCISE")
    up.add_argument("--files", type=Path, metavar="DIR", help="a folder with the files to run; without it the starter")
    up.set_defaults(run=_on_sandboxd(_up))

    actions.add_parser("list", help="every sandbox that runs or waits").set_defaults(run=_on_sandboxd(_list))

    down = actions.add_parser("down", help="end sandboxes that `up` started")
    down.add_argument("ids", metavar="ID", nargs="*")
    down.add_argument("--all", action="store_true", help="all that `up` started")
    down.add_argument("--force", action="store_true", help="those of learners and gradings too")
    down.set_defaults(run=_on_sandboxd(_down))


def _on_sandboxd(action: Any) -> Any:
    def run(arguments: argparse.Namespace, settings: Settings) -> int:
        from app.sandbox.client import SandboxdClient

        with SandboxdClient(settings.sandboxd_dir / "control.sock") as sandboxd:
            try:
                return int(action(arguments, settings, sandboxd))
            except Unavailable as error:
                error.cure = error.cure or "Start Soty with ./run, then try again."
                raise

    return run


def _up(arguments: argparse.Namespace, settings: Settings, sandboxd: SandboxdClient) -> int:
    from app.cli.chosen import chosen_exercises, editable_files
    from app.content.exercise import ExerciseCatalog
    from app.db import new_id

    (exercise,) = chosen_exercises(ExerciseCatalog(settings.exercises_dir), [arguments.id], settings.exercises_dir)
    files = editable_files(settings, exercise, arguments.files) if arguments.files else {}
    try:
        wanted = sandboxd.launch(
            new_id(), exercise_id=exercise.id, content_hash=exercise.content_hash, purpose=Purpose.PRACTICE, owner=OPERATOR,
            files=files,
        )  # fmt: skip
    except TooMany as error:
        error.cure = f"./soty sandbox down {error.details.get('sandbox', '--all')} ends it."
        raise
    print(wanted.id, flush=True)
    said, state = "", ""
    for live in _states(sandboxd, wanted.id, READY_SECONDS):
        line, state = _line(live), live.state
        if line != said:
            say(line)
            said = line
        if state in ("ready", "stopping", "gone"):
            break
    return 0 if state == "ready" else 1


def _list(_arguments: argparse.Namespace, _settings: Settings, sandboxd: SandboxdClient) -> int:
    reply, now = sandboxd.list(), time.time()
    table(
        ("ID", "EXERCISE", "OWNER", "PURPOSE", "STATE", "AGE", "LEFT", "SERVICES"),
        (
            (one.id, one.exercise_id, one.owner, one.purpose, one.state, _span(now - one.created),
             _span(one.expires_at - now) if one.expires_at else "-", _services(one))
            for one in sorted(reply.sandboxes, key=lambda one: one.created)
        ),
    )  # fmt: skip
    say(f"{len(reply.sandboxes)} of {reply.slots} at once; {reply.memory_free_mb:.0f} MiB free for more")
    return 0


def _down(arguments: argparse.Namespace, _settings: Settings, sandboxd: SandboxdClient) -> int:
    if bool(arguments.ids) == arguments.all:
        raise InvalidInput("Name the sandboxes, or say --all.", cure="./soty sandbox list shows them.")
    living = {one.id: one for one in sandboxd.list().sandboxes}
    if missing := [one for one in arguments.ids if one not in living]:
        raise NotFound(f"There is no sandbox {', '.join(missing)}.", cure="./soty sandbox list shows what runs.")
    mine = {one for one, live in living.items() if live.owner == OPERATOR}
    chosen = list(arguments.ids) or [one for one in living if one in mine or arguments.force]
    if foreign := [one for one in chosen if one not in mine and not arguments.force]:
        raise Forbidden(f"Not started from here: {', '.join(foreign)}.", cure="Say --force to end it all the same.")
    for one in chosen:
        sandboxd.stop(one)
    for one in chosen:
        last = next((live for live in _states(sandboxd, one, GONE_SECONDS) if live.state == "gone"), None)
        say(f"{one}: {'gone' if last else 'still ending'}")
    return 0


def _states(sandboxd: SandboxdClient, sandbox_id: str, seconds: float) -> Iterator[pb.Sandbox]:
    """The sandbox again and again until the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield sandboxd.status(sandbox_id, timeout=_STATUS_SECONDS)
        time.sleep(_EVERY)


def _line(live: pb.Sandbox) -> str:
    if live.state == "queued":
        return f"queued: number {live.queue_position}, about {live.queue_seconds:.0f} s"
    if live.state in ("stopping", "gone"):
        return f"{live.state}: {live.reason}. {live.message}".rstrip()
    return f"{live.state}: {', '.join(map(_service, live.services))}" if live.services else live.state


def _service(service: pb.Service) -> str:
    return f"{service.full_name} {service.state}" + (f" ({service.message})" if service.message else "")


def _services(live: pb.Sandbox) -> str:
    ready = sum(service.state == "ready" for service in live.services)
    return f"{ready}/{len(live.services)} ready"


def _span(seconds: float) -> str:
    return f"{max(0, int(seconds)) // 60}:{max(0, int(seconds)) % 60:02d}"
