"""Words in both languages, and the two ways in which a check ends badly."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """The same words in both languages; `Text(...) + Text(...)` and `Text(...) + "x"` join them."""

    ru: str
    en: str

    @classmethod
    def same(cls, words: object) -> Text:
        """Words that need no translation: a number, a queue's name, lines of a log."""
        return cls(str(words), str(words))

    def __add__(self, other: Text | str) -> Text:
        other = Text.same(other) if isinstance(other, str) else other
        return Text(self.ru + other.ru, self.en + other.en)

    def cut(self, limit: int) -> Text:
        """At most `limit` characters in each language, with an ellipsis where something is missing."""
        return Text(*(part if len(part) <= limit else part[: limit - 1] + "…" for part in (self.ru, self.en)))


def plural(number: int, one: str, few: str, many: str) -> str:
    """The Russian form that stands after a number: 1 заказ, 2 заказа, 5 заказов, 21 заказ."""
    if number % 10 == 1 and number % 100 != 11:
        return one
    return few if 2 <= number % 10 <= 4 and not 12 <= number % 100 <= 14 else many


class Failed(Exception):
    """The learner's work did not do what the check expects.

    Args:
        expected: what should have happened.
        seen: what happened instead.
        done: what the check had done by then; None takes the steps told by `kit.step`.
        where: where to look; None takes what `kit.look` said last.
    """

    def __init__(self, *, expected: Text, seen: Text, done: Text | None = None, where: Text | None = None) -> None:
        super().__init__(f"expected {expected.en}, seen {seen.en}")
        self.expected, self.seen, self.done, self.where = expected, seen, done, where


class Fault(Exception):
    """The platform, a given service or the check itself is to blame: `errored`, which never costs the learner anything."""


_JOINER = "\u200d"  #: holds the parts of one emoji together


def brief(value: object, limit: int = 96) -> str:
    """A value as a person wants to read it: quoted text, short lists, nothing longer than `limit` characters."""
    if isinstance(value, str):
        shown = value if len(value) <= limit else value[: limit // 2] + "…"
        quoted = (
            '"'
            + "".join(ch if ch.isprintable() or ch == _JOINER else ch.encode("unicode_escape").decode() for ch in shown)
            + '"'
        )
        return quoted if len(value) <= limit else f"{quoted} ({len(value)})"
    if isinstance(value, (list, tuple)):
        items, used = [], 0
        for item in value:
            items.append(brief(item, limit // 2))
            used += len(items[-1])
            if used > limit and len(items) < len(value):
                return f"[{', '.join(items)}, …] ({len(value)})"
        return f"[{', '.join(items)}]"
    text = str(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
