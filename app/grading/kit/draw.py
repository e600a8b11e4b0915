"""Seeded draws: the same seed and check always draw the same values, in the order in which the check asks."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

_NAMES = ("Alice", "Boris", "Chloe", "Daniel", "Elena", "Frank", "Grace", "Hugo", "Ines", "Jonas", "Karin", "Leo")

#: One name of every kind that careless code breaks: accents, a combining mark, an apostrophe, right-to-left letters,
#: letters that change length when their case does, ideographs, and an emoji made of several code points.
_DIFFICULT = ("Zoë", "Ame\u0301lie", "O’Neil", "שירה", "Straße", "İpek", "美咲", "Алёна 👩‍🚀")


class Draw:
    """Random values of one check.

    Args:
        seed: of the whole run.
        check_id: so that adding a check does not change what the others draw.
    """

    def __init__(self, seed: int, check_id: str) -> None:
        self._random = random.Random(f"{seed}:{check_id}")  # noqa: S311 - must be repeatable

    def integer(self, least: int, most: int) -> int:
        """A whole number, both ends included."""
        return self._random.randint(least, most)

    def amount(self, least: int = 100, most: int = 999_900) -> int:
        """A sum of money in kopecks."""
        return self.integer(least, most)

    def choice(self, values: Sequence[T]) -> T:
        """One of `values`."""
        return self._random.choice(values)

    def shuffled(self, values: Sequence[T]) -> list[T]:
        """All of `values` in another order."""
        return self._random.sample(values, len(values))

    def token(self, length: int = 8) -> str:
        """Lower-case letters and digits that nobody can know beforehand."""
        return "".join(self._random.choices("abcdefghijkmnpqrstuvwxyz23456789", k=length))

    def id(self, prefix: str = "o") -> str:
        """An identifier such as `o-7f3k9a2c`."""
        return f"{prefix}-{self.token()}"

    def ids(self, count: int, prefix: str = "o") -> list[str]:
        """`count` different identifiers."""
        found: dict[str, None] = {}
        while len(found) < count:
            found[self.id(prefix)] = None
        return list(found)

    def name(self) -> str:
        """A person's name that no code has trouble with, different in every run: `Alice 4k2p`."""
        return f"{self.choice(_NAMES)} {self.token(4)}"

    def difficult_names(self) -> list[str]:
        """All kinds of names that careless code breaks, every kind in every run, in a drawn order."""
        return [f"{name} {self.token(3)}" for name in self.shuffled(_DIFFICULT)]

    def long_text(self, size: int) -> str:
        """A text of exactly `size` bytes in UTF-8, of letters that take one to four bytes."""
        piece = f"{self.token(6)} ёжик 美 🐝 "
        text = (piece * (size // len(piece.encode()) + 1)).encode()[:size].decode("utf-8", "ignore")
        return text + "x" * (size - len(text.encode()))
