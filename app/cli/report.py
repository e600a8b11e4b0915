"""A report in the terminal: failed checks first, in the person's language."""

from __future__ import annotations

import re
from textwrap import indent

from app.grading.report import Explanation, Report

MARKS = {"passed": "✓", "failed": "✕", "errored": "⚠", "skipped": "·"}
LABELS = {
    "ru": {
        "done": "Сделали", "expected": "Ожидали", "seen": "Увидели", "where": "Где смотреть",
        "passed": "Пройдено", "failed": "Не пройдено", "errored": "Сбой платформы, не ваш", "of": "из", "seed": "seed",
    },
    "en": {
        "done": "Done", "expected": "Expected", "seen": "Seen", "where": "Where to look",
        "passed": "Passed", "failed": "Not passed", "errored": "A fault of the platform, not yours", "of": "of", "seed": "seed",
    },
}  # fmt: skip
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
ORDER = ("failed", "errored", "skipped", "passed")


def print_report(report: Report, lang: str) -> None:
    """The whole report on stdout."""
    words = LABELS[lang]
    for check in sorted(report.checks, key=lambda one: ORDER.index(one.status)):
        print(f"{MARKS[check.status]} {check.title.get(lang)}  [{check.id}, {check.seconds:.1f} s]")
        if check.message:
            print(indent(_told(check.message.get(lang), words), "    "))
    passed = f"{report.passed_checks} {words['of']} {len(report.checks)}"
    print(f"\n{words[report.verdict]}: {passed} · {report.score}/100 · {words['seed']} {report.seed}")
    for why in filter(None, (report.error, *(note.text.get(lang) for note in report.notes if note.kind == "errored"))):
        print(why)
    if any(check.status == "errored" for check in report.checks) or report.verdict == "failed":
        _print_logs(report)


def _told(message: Explanation, words: dict[str, str]) -> str:
    parts = {name: getattr(message, name) for name in ("done", "expected", "seen", "where")}
    return "\n".join(f"{words[name]}: {indent(text, '  ').lstrip()}" for name, text in parts.items() if text)


def _print_logs(report: Report) -> None:
    for service, tail in report.log_tails.items():
        if tail.strip():
            print(f"\n--- {service}\n{_printable(tail.rstrip())}")


def _printable(text: str) -> str:
    """A learner's output is data: it must not drive the terminal of whoever reads it."""
    return "".join(char if char.isprintable() or char in "\n\t" else "�" for char in _COLOURS.sub("", text))
