"""`./soty exercise`: make, check, prove and grade exercises; no server is needed."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.cli.chosen import chosen_exercises, editable_files
from app.cli.said import Remarks, say, table
from app.content.exercise import ExerciseCatalog
from app.content.proof import REFERENCE_RUNS, STRESS_RUNS, proof_path
from app.errors import InvalidInput
from app.settings import Settings

if TYPE_CHECKING:
    from app.content.proof import Proof
    from app.grading.prover import Outcome

EXIT = {"passed": 0, "failed": 1, "errored": 2}


def register(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("exercise", help="make, check, prove and grade exercises")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    new = actions.add_parser("new", help="make the skeleton of an exercise that already runs")
    new.add_argument("id", metavar="ID")
    new.set_defaults(run=_new)

    check = actions.add_parser("check", help="every fault with path and line, and what the proof is worth")
    check.add_argument("ids", metavar="ID", nargs="*")
    check.set_defaults(run=_check)

    prove = actions.add_parser("prove", help="show that the checks tell right from wrong; writes proof.json")
    prove.add_argument("ids", metavar="ID", nargs="*")
    prove.add_argument("--all", action="store_true", help="every exercise")
    prove.add_argument("--runs", type=int, default=REFERENCE_RUNS, metavar="N", help="times the reference runs (default 10)")
    stress = "times it runs while every core is busy (default 20); fewer leave the exercise unproven"
    prove.add_argument("--stress", type=int, default=STRESS_RUNS, metavar="N", help=stress)
    prove.set_defaults(run=_prove)

    grade = actions.add_parser("grade", help="grade a folder; exit code 0 passed, 1 failed, 2 errored")
    grade.add_argument("id", metavar="ID")
    grade.add_argument("folder", metavar="DIR", type=Path)
    grade.add_argument("--seed", type=int, metavar="N", help="replay the draws of another run")
    grade.add_argument("--only", action="append", default=[], metavar="CHECK", help="run this check (may be repeated)")
    grade.set_defaults(run=_grade)

    watch = actions.add_parser("watch", help="try what changed after each save; shows solutions against checks")
    watch.add_argument("id", metavar="ID")
    watch.set_defaults(run=_watch)

    for action in (prove, grade, watch):
        action.add_argument("--engine", choices=("auto", "embedded", "docker", "swarm"), default=None)
    for action in (prove, grade):
        action.add_argument("--json", action="store_true", help="the result as JSON on stdout")


def _new(arguments: argparse.Namespace, settings: Settings) -> int:
    from app.grading.blank import make_exercise

    folder = make_exercise(settings.exercises_dir, arguments.id)
    say(f"Made {folder}. Next: docs/authors.md, then ./soty exercise prove {arguments.id}")
    return 0


def _check(arguments: argparse.Namespace, settings: Settings) -> int:
    from app.content.exercise_faults import exercise_faults
    from app.content.library import load_catalog
    from app.grading.proof import proof_state

    catalog = load_catalog(settings.lessons_dir, settings.exercises_dir, settings.cache_dir)
    chosen = chosen_exercises(catalog.exercises, arguments.ids, settings.exercises_dir)
    places = tuple(f"exercises/{name}/" for name in arguments.ids) or ("exercises/",)
    faults = [one for one in (*catalog.problems, *catalog.remarks) if one.path.startswith(places)]
    faults += [fault for exercise in chosen for fault in exercise_faults(exercise)]
    for fault in faults:
        print(fault)
    states = [(exercise, proof_state(exercise, settings.images_dir)) for exercise in chosen]
    table(("EXERCISE", "PROOF", "WHY"), [(exercise.id, state.state, "; ".join(state.reasons)) for exercise, state in states])
    return 1 if faults else 0


def _prove(arguments: argparse.Namespace, settings: Settings) -> int:
    from app.grading.local import LocalGrader
    from app.grading.prover import prove
    from app.grading.version import grader_version

    if not arguments.ids and not arguments.all:
        raise InvalidInput("Name an exercise, or say --all.")
    catalog = ExerciseCatalog(settings.exercises_dir)
    if catalog.problems and arguments.all:
        raise InvalidInput("\n".join(map(str, catalog.problems)))
    proofs: list[Proof] = []
    with LocalGrader(settings, engine=arguments.engine, progress=Remarks()) as grader:
        for exercise in chosen_exercises(catalog, arguments.ids, settings.exercises_dir):
            say(f"{exercise.id}: proving")
            proof = prove(
                grader,
                exercise,
                platform=grader_version(settings.images_dir),
                reference_runs=max(1, arguments.runs),
                stress_runs=max(0, arguments.stress),
                on_outcome=_tell,
            )
            proof_path(exercise.folder).write_text(proof.to_json(), "utf-8")
            proofs.append(proof)
            say(f"{exercise.id}: {'proven' if proof.ok else 'NOT proven'} in {proof.seconds:.0f} s: "
                f"reference {proof.reference_passed} of {proof.reference_runs}, "
                f"on a busy machine {proof.stress_passed} of {proof.stress_runs}")  # fmt: skip
    if any(proof.ok for proof in proofs):
        say("A running Soty takes new proofs over with ./soty content reload.")
    if arguments.json:
        print(json.dumps([json.loads(proof.to_json()) for proof in proofs], ensure_ascii=False, indent=1))
    else:
        for proof in proofs:
            for problem in proof.problems:
                print(f"{proof.exercise}: {problem}")
    return 0 if all(proof.ok for proof in proofs) else 1


def _grade(arguments: argparse.Namespace, settings: Settings) -> int:
    from app.cli.report import print_report
    from app.grading.local import LocalGrader

    catalog = ExerciseCatalog(settings.exercises_dir)
    exercise = chosen_exercises(catalog, [arguments.id], settings.exercises_dir)[0]
    known = {check.id for check in exercise.definition.checks.items}
    if unknown := sorted(set(arguments.only) - known):
        raise InvalidInput(f"There is no check {', '.join(unknown)}; there are {', '.join(sorted(known))}.")
    files = editable_files(settings, exercise, arguments.folder)
    with LocalGrader(settings, engine=arguments.engine, progress=Remarks()) as grader:
        report = grader.grade(exercise, files, seed=arguments.seed, only=tuple(arguments.only))
    if arguments.json:
        print(json.dumps(report.to_dict(), ensure_ascii=False, indent=1))
    else:
        print_report(report, "ru" if settings.lang.startswith("ru") else "en")
    return EXIT[report.verdict]


def _watch(arguments: argparse.Namespace, settings: Settings) -> int:
    from app.cli.watch import watch

    return watch(settings, arguments.id, arguments.engine)


def _tell(outcome: Outcome) -> None:
    tried, trial = outcome.tried, outcome.trial
    fails = f"fails {', '.join(tried.fails)}" if tried.fails else "passes"
    say(f"  {'ok ' if tried.ok else 'BAD'} {trial.kind:9} {trial.name:24} {outcome.seconds:5.1f} s  {tried.why or fails}")
