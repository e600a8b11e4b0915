"""An exercise whose services run until they are ended, and whose checks take as long as a test needs."""

from __future__ import annotations

from pathlib import Path

from app.content.exercise import Exercise
from tests.desk import write_exercise
from tests.proofs import offered

_STAYS = "import time\nprint('up', flush=True)\ntime.sleep(600)\n"
_CHECKS = """
import time
from kit import Kit, check

@check("first")
def first(kit: Kit) -> None:
    time.sleep({seconds})  # long enough to be killed in

@check("second")
def second(kit: Kit) -> None:
    pass
"""


def write_staying_exercise(folder: Path, check_seconds: float) -> Exercise:
    """`echo`: every solution passes, so many seconds after its sandbox is ready."""
    home = write_exercise(folder).folder
    definition = (home / "exercise.yaml").read_text("utf-8")
    definition = definition.replace("ready: {kind: tcp, port: 8000}, ", "").replace(
        "timeout_seconds: 5\n", "timeout_seconds: 60\n"
    )
    assert "timeout_seconds: 60" in definition
    (home / "exercise.yaml").write_text(definition, "utf-8")
    checks = _CHECKS.format(seconds=check_seconds)
    for name, text in {"starter/main.py": _STAYS, "given/peer.py": _STAYS, "checks/checks.py": checks}.items():
        (home / name).write_text(text, "utf-8")
    return offered(home)
