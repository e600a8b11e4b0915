"""`./soty content`: check what authors wrote, give editors a schema, make a running Soty load it anew."""

from __future__ import annotations

import argparse
import json
from typing import Any

from app.cli.said import say
from app.settings import Settings


def register(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("content", help="check, describe or reload lessons and exercises")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("check", help="every fault with path and line").set_defaults(run=_check)
    actions.add_parser("schema", help="JSON Schema of exercise.yaml, for editors").set_defaults(run=_schema)
    actions.add_parser("reload", help="make the running processes load the content anew").set_defaults(run=_reload)


def _check(_arguments: argparse.Namespace, settings: Settings) -> int:
    from app.content.library import load_catalog

    catalog = load_catalog(settings.lessons_dir, settings.exercises_dir)
    for problem in (*catalog.problems, *catalog.remarks):
        print(problem)
    say(f"{len(catalog.lessons)} lessons, {len(catalog.exercises.exercises)} exercises, "
        f"{len(catalog.problems)} faults, {len(catalog.remarks)} remarks")  # fmt: skip
    return 1 if catalog.problems else 0


def _schema(_arguments: argparse.Namespace, _settings: Settings) -> int:
    from app.content.exercise_def import ExerciseDef

    print(json.dumps(ExerciseDef.model_json_schema(), indent=2, ensure_ascii=False))
    return 0


def _reload(_arguments: argparse.Namespace, settings: Settings) -> int:
    from app.content.generation import ask_for_reload
    from app.errors import Unavailable
    from app.sandbox.client import SandboxdClient

    ask_for_reload(settings.home)
    with SandboxdClient(settings.sandboxd_dir / "control.sock") as sandboxd:
        try:
            sandboxd.reload()
        except Unavailable:
            say("sandboxd is not running; it reads the exercises when it starts.")
    return 0
