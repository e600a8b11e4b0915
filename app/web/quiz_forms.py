"""What a quiz's form sends, as the answer that `app.content.quiz` judges."""

from __future__ import annotations

import json
import re
from functools import lru_cache

from markupsafe import Markup
from werkzeug.datastructures import MultiDict

from app.content.markdown.figures import inline_code
from app.content.quiz import Quiz

MAX_ANSWER = 200  #: characters of one field

marked = lru_cache(maxsize=4096)(inline_code)
"""A line of an author's text with its `code` marked up: `Markup`."""


def read_answer(quiz: Quiz, form: MultiDict[str, str]) -> object:
    """The answer in a posted form; anything unreadable becomes an empty list, which no quiz accepts.

    `single`, `multiple`: fields `option`; `order`: `place-<shown number>` with places from 1; `number`: `number`, with a
    comma or a point. A browser that gives a kept answer back sends it as JSON in `kept`.
    """
    if "kept" in form:
        return _kept(form["kept"])
    if quiz.type == "number":
        typed = re.sub(r"[\s\u00a0\u202f]", "", form.get("number", "")[:MAX_ANSWER]).replace(",", ".").replace("\u2212", "-")
        return float(typed) if re.fullmatch(r"[+-]?\d{1,12}(\.\d{1,9})?", typed) else []
    if quiz.type == "order":
        places = [(form.get(f"place-{number}", ""), number) for number in range(len(quiz.options))]
        wanted = [str(place) for place in range(1, len(quiz.options) + 1)]
        return [number for _place, number in sorted(places)] if sorted(p for p, _ in places) == wanted else []
    return [int(value) for value in form.getlist("option")[:20] if re.fullmatch(r"\d{1,2}", value)]


def _kept(text: str) -> object:
    try:
        answer = json.loads(text[:MAX_ANSWER])
    except ValueError:
        return []
    return answer if isinstance(answer, (list, int, float)) else []


__all__ = ["Markup", "marked", "read_answer"]
