"""Parts of a lesson's page that are the same for many requests, rendered once and kept in memory.

A part's key holds everything that it shows: the edition of the course, the language and the reader's state. What belongs to
one request alone (the CSRF token, the reader's name, the other parts) is a hole, filled when the page goes out.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Hashable, Mapping
from threading import Lock
from typing import Any, TypeVar

from flask import render_template
from markupsafe import Markup

KEPT = 2000  #: parts of a few KB each
KEPT_FRAMES = 200  #: pages without their parts, some 10 KB each
_SECRET = secrets.token_hex(4)  #: nobody can write a hole into a lesson or a name
_HOLE = re.compile(rf"\[{_SECRET}-(\w+)\]")
Part = TypeVar("Part")


def hole(name: str) -> Markup:
    """What a template shows in place of something that is filled in later."""
    return Markup(f"[{_SECRET}-{name}]")  # noqa: S704 - our own letters


TOKEN = hole("token")


def with_token(html: str, token: str) -> str:
    """The page with this request's CSRF token in its forms."""
    return html.replace(TOKEN, token)


class Fragments:
    """Rendered parts by key; the oldest go first. Safe to share between threads."""

    def __init__(self, kept: int = KEPT, kept_frames: int = KEPT_FRAMES) -> None:
        self._kept, self._kept_frames = kept, kept_frames
        self._parts: dict[Hashable, Markup] = {}
        self._frames: dict[Hashable, list[str]] = {}
        self._lock = Lock()

    def render(self, template: str, key: Hashable, **context: Any) -> Markup:
        """The part for `key`, rendered from `template` when it is not there yet, with `TOKEN` in its forms."""
        whole = (template, key)
        part = self._parts.get(whole)
        if part is None:
            part = Markup(render_template(template, **context, csrf_token=lambda: TOKEN))  # noqa: S704 - escaped by the template
            self._keep(self._parts, whole, part, self._kept)
        return part

    def fill(self, template: str, key: Hashable, parts: Mapping[str, str], **context: Any) -> str:
        """The frame for `key`, rendered from `template` when it is not there yet, with `parts` in its holes and `TOKEN` in
        its forms."""
        frame = self._frames.get(key)
        if frame is None:
            holes = {name: hole(name) for name in parts}
            # text and the names of holes in turn
            frame = _HOLE.split(render_template(template, **context, parts=holes, csrf_token=lambda: hole("token")))
            self._keep(self._frames, key, frame, self._kept_frames)
        known = {**parts, "token": TOKEN}
        return "".join([known[piece] if place % 2 else piece for place, piece in enumerate(frame)])

    def _keep(self, place: dict[Hashable, Part], key: Hashable, part: Part, most: int) -> None:
        with self._lock:
            while len(place) >= most:
                del place[next(iter(place))]
            place[key] = part
