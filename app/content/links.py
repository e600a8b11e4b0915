"""Addresses of lessons and exercises, and the links between them in rendered texts."""

from __future__ import annotations

import re
from collections.abc import Callable

from markupsafe import escape

from app.content.markdown.words import WORDS
from app.content.text import Lang

_LINK = re.compile(r'<a href="(lesson|exercise):([a-z0-9-]+)(#[a-z0-9-]+)?"([^>]*)>(.*?)</a>', re.S)


def address(kind: str, identity: str) -> str:
    """Path of a lesson's or an exercise's page."""
    return f"/{kind}s/{identity}"


def resolve(html: str, lang: Lang, exists: Callable[[str, str], bool]) -> str:
    """Turn `lesson:` and `exercise:` links into addresses.

    Args:
        exists: told kind and id, whether the page is there; a link to one that is not leads to its place in the course
            and says that it is planned.
    """

    def replace(match: re.Match[str]) -> str:
        kind, identity, anchor, _rest, words = match.groups()
        if exists(kind, identity):
            return f'<a href="{address(kind, identity)}{anchor or ""}">{words}</a>'
        mark = f'<span class="planned">({escape(WORDS[lang]["planned"])})</span>'
        return f'<a class="planned-link" href="/course#{identity}">{words}</a> {mark}'

    return _LINK.sub(replace, html)
