"""Names of people: what is allowed, and the key under which look-alikes collide."""

from __future__ import annotations

import re
import unicodedata

SHORTEST, LONGEST = 2, 40
_PUNCTUATION = frozenset(" .-_'’")
_SCRIPTS = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "HEBREW", "ARABIC")
_WORD = re.compile(r"[^\W\d_]+")
#: lower-case letters of other alphabets that are drawn like Latin ones; ё is written as е by half of its owners
_TWINS = str.maketrans("авекмнорстухёѕіјһԁԛԝӏαικνορτυχ", "abekmhopctyxesijhdqwlaikvoptux")


def shown(text: str) -> str:
    """The name as it is displayed: NFKC, trimmed, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def key(text: str) -> str:
    """The folded name: equal for names that a reader could take for one another."""
    return shown(text).casefold().translate(_TWINS).replace("’", "'")


def fault(text: str) -> str | None:
    """Code of the first rule that the name breaks, or None."""
    name = shown(text)
    if len(name) < SHORTEST:
        return "name-short"
    if len(name) > LONGEST:
        return "name-long"
    if not _plain(text) or not any(map(str.isalnum, name)):
        return "name-characters"
    if any(len(_scripts(word)) > 1 for word in _WORD.findall(name)):
        return "name-mixed"
    return None


def _plain(text: str) -> bool:
    """Letters with at most two marks each, digits and little else: nothing invisible, no override of direction."""
    if any(unicodedata.category(character).startswith("C") for character in text):
        return False
    kinds = "".join("p" if c in _PUNCTUATION else unicodedata.category(c)[0] for c in shown(text))
    return set(kinds) <= set("LNMp") and "MMM" not in kinds


def _scripts(word: str) -> set[str]:
    return {script for letter in word for script in _SCRIPTS if unicodedata.name(letter, "").startswith(script)}
