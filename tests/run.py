"""`./test`: every suite that this machine can run, each against its budget; ends with what did not run and why.

`python -m tests.run [--long] [SUITE…]`. With CI=true a missing engine, browser or database is a failure, not a row.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
WHOLE_BUDGET = 45 * 60  #: seconds on two cores, all suites together


@dataclass(frozen=True)
class Suite:
    """A group of tests and the seconds it may take on two cores."""

    name: str
    budget: int
    about: str
    commands: tuple[tuple[str, ...], ...] = ()  #: tools instead of pytest
    long_only: bool = False


@dataclass
class Outcome:
    """What one suite came to."""

    suite: Suite
    seconds: float = 0.0
    passed: int = 0
    failed: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)  #: test, reason
    broken: str = ""


LINT = (
    ("ruff", "check", "app", "tests", "migrations", "wsgi.py"),
    ("ruff", "format", "--check", "app", "tests", "migrations", "wsgi.py"),
    ("mypy",),
    ("lint-imports",),
)
SUITES = (
    Suite("lint", 180, "ruff, mypy, import contracts", LINT),
    Suite("unit", 120, "pure parts"),
    Suite("contract", 480, "engine, images, sandboxd, database: one contract, every implementation"),
    Suite("content", 840, "lessons, their code, exercises and their proof"),
    Suite("attacks", 720, "sandbox escapes and cheating, as root and as an ordinary user"),
    Suite("web", 420, "pages, API, authorization"),
    Suite("chaos", 300, "kill -9 of each process"),
    Suite("journeys", 360, "people in a real browser"),
    Suite("bench", 900, "ratios, side by side", long_only=True),
)


def run_tools(outcome: Outcome) -> None:
    """Run linters and type checkers."""
    for command in outcome.suite.commands:
        argv = [str(Path(sys.executable).with_name(command[0])), *command[1:]]
        result = subprocess.run(argv, cwd=TOP, check=False)
        if result.returncode == 0:
            outcome.passed += 1
        else:
            outcome.failed += 1


def run_pytest(outcome: Outcome, long: bool, extra: Sequence[str]) -> None:
    """Run one folder of tests and read its result file."""
    folder = TOP / "tests" / outcome.suite.name
    with tempfile.TemporaryDirectory(prefix="soty-test-") as place:
        report = Path(place) / "report.xml"
        marks = [] if long else ["-m", "not slow"]
        argv = [sys.executable, "-m", "pytest", str(folder), "-q", "--no-header", f"--junitxml={report}", *marks, *extra]
        code = subprocess.run(argv, cwd=TOP, check=False).returncode
        if code not in (0, 1, 5):
            outcome.broken = f"pytest ended with code {code}"
        if not report.exists():
            outcome.broken = outcome.broken or "no report was written"
            return
        for case in ElementTree.parse(report).iter("testcase"):
            name = f"{case.get('classname')}::{case.get('name')}"
            if case.find("failure") is not None or case.find("error") is not None:
                outcome.failed += 1
            elif (skip := case.find("skipped")) is not None:
                outcome.skipped.append((name, skip.get("message") or "no reason given"))
            else:
                outcome.passed += 1


def table(outcomes: Sequence[Outcome]) -> str:
    """Seconds per suite against its budget."""
    rows = [f"{'suite':<10} {'passed':>6} {'failed':>6} {'skipped':>7} {'seconds':>8} {'budget':>7}"]
    for one in outcomes:
        over = "  OVER BUDGET" if one.seconds > one.suite.budget else ""
        broken = f"  {one.broken}" if one.broken else ""
        figures = f"{one.passed:>6} {one.failed:>6} {len(one.skipped):>7} {one.seconds:>8.1f} {one.suite.budget:>7}"
        rows.append(f"{one.suite.name:<10} {figures}{over}{broken}")
    whole = sum(one.seconds for one in outcomes)
    rows.append(
        f"{'all':<10} {'':>6} {'':>6} {'':>7} {whole:>8.1f} {WHOLE_BUDGET:>7}{'  OVER BUDGET' if whole > WHOLE_BUDGET else ''}"
    )
    return "\n".join(rows)


def not_run(outcomes: Sequence[Outcome]) -> str:
    """Which tests this machine could not run, by reason."""
    reasons = Counter((one.suite.name, reason) for one in outcomes for _, reason in one.skipped)
    if not reasons:
        return ""
    return "Not run here:\n" + "\n".join(
        f"  {suite:<10} {count:>3} × {reason}" for (suite, reason), count in sorted(reasons.items())
    )


def main() -> int:
    """Run the chosen suites; 0 when nothing failed."""
    parser = argparse.ArgumentParser(prog="./test", description=__doc__)
    parser.add_argument("--long", action="store_true", help="everything, slow tests and benches included")
    parser.add_argument("suites", nargs="*", help=f"some of: {', '.join(suite.name for suite in SUITES)}")
    options, extra = parser.parse_known_args()
    unknown = set(options.suites) - {suite.name for suite in SUITES}
    if unknown:
        parser.error(f"unknown suite: {', '.join(sorted(unknown))}")
    os.environ.setdefault("SOTY_TEST_HOME", str(TOP / "var" / "test"))
    outcomes = []
    for suite in SUITES:
        if options.suites and suite.name not in options.suites:
            continue
        if suite.long_only and not (options.long or options.suites):
            continue
        if not suite.commands and not any((TOP / "tests" / suite.name).glob("**/test_*.py")):
            continue
        print(f"\n── {suite.name}: {suite.about}", flush=True)
        outcome = Outcome(suite)
        began = time.monotonic()
        if suite.commands:
            run_tools(outcome)
        else:
            run_pytest(outcome, options.long, extra)
        outcome.seconds = time.monotonic() - began
        outcomes.append(outcome)
    failed = sum(one.failed + bool(one.broken) for one in outcomes)
    skipped = sum(len(one.skipped) for one in outcomes)
    print(f"\n{table(outcomes)}\n\n{not_run(outcomes)}\n")
    print(f"{sum(one.passed for one in outcomes)} passed, {failed} failed, {skipped} skipped", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
