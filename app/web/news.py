"""The bell of the header: verdicts, and answers to objections, that one has not looked at yet."""

from __future__ import annotations

from flask import Flask

from app.web.context import cases, visitor


def register(app: Flask) -> None:
    """Give templates a function, so that only whole pages ask; fragments and answers for programs have no header."""
    app.jinja_env.globals["unseen_news"] = unseen_news


def unseen_news() -> int:
    """How many; one statement for a signed-in person, none for a guest."""
    person = visitor()
    return cases().homes.unseen(person.id) if person else 0
