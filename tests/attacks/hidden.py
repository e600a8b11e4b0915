"""An exercise with a mark in every place that learners must never see: checks, expected values, solutions, mutants."""

from __future__ import annotations

import secrets
from pathlib import Path

from app.content.exercise import Exercise
from app.grading.blank import make_exercise
from tests.proofs import offered

#: Where -> the mark that is planted there, new in each run.
HIDDEN = {
    place: f"mark-{secrets.token_hex(6)}"
    for place in ("code", "helper", "expected", "exception", "contract", "reference", "accepted", "mutant", "question")
}
_CHECK = """

CODE = "{code}"  # nobody needs to know


@check("secret-check")
def secret_check(kit: Kit) -> None:
    from neighbour import NEIGHBOUR

    kit.step("Спросили пять.", "We asked for five.")
    answer = kit.http("doubler", 8080).get("/double/five-secret")
    if answer.status == 418:
        raise ValueError(f"{exception} {{CODE}} {{NEIGHBOUR}}")
    kit.expect(
        answer.headers.get("x-hidden", "") in ("", "{expected}") and answer.status == 400,
        equal(True),
        Text("отказ", "a refusal"),
    )
"""


def write_hiding_exercise(exercises: Path) -> Exercise:
    """The blank exercise as `victim`, with one more check and all the marks."""
    home = make_exercise(exercises, "victim")
    definition = (home / "exercise.yaml").read_text("utf-8")
    definition = definition.replace("points: 40", "points: 30").replace(
        "starter_fails:",
        "    - {id: secret-check, points: 10, seconds: 15, title: {ru: Отказ, en: A refusal}}\n\nstarter_fails:",
        1,
    )
    definition = definition.replace("Почему 400, а не 500?", f"Почему 400? {HIDDEN['question']}")
    (home / "exercise.yaml").write_text(definition, "utf-8")
    checks = home / "checks"
    marked = _CHECK.format(**{name: HIDDEN[name] for name in ("code", "exception", "expected")})
    (checks / "checks.py").write_text((checks / "checks.py").read_text("utf-8") + marked, "utf-8")
    (checks / "neighbour.py").write_text(f'NEIGHBOUR = "{HIDDEN["helper"]}"\n', "utf-8")
    (checks / "contract.textproto").write_text(f'file {{ name: "{HIDDEN["contract"]}" }}\n', "utf-8")
    for place in ("reference", "accepted", "mutant"):
        folder = home / ("mutants" if place == "mutant" else place)
        for path in folder.rglob("*.py"):
            path.write_text(path.read_text("utf-8") + f"\n# {HIDDEN[place]}\n", "utf-8")
    return offered(home)
