"""What a text of SQL does to its transaction, as far as its words tell."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from ...decoder import MAX_TEXT

_SKIPPED = re.compile(
    r"""'(?:[^']|'')*'?|"(?:[^"]|"")*"?|--[^\n]*|/\*.*?(?:\*/|\Z)|\$((?:[A-Za-z_]\w*)?)\$.*?(?:\$\1\$|\Z)""", re.DOTALL
)
_WORDS = re.compile(r"[A-Za-z]+")
_WRITING = frozenset(
    {
        "INSERT", "UPDATE", "DELETE", "MERGE", "CREATE", "ALTER", "DROP", "TRUNCATE", "GRANT", "REVOKE", "COMMENT", "REFRESH",
        "REINDEX", "CALL", "DO", "IMPORT",
    }
)  # fmt: skip
_WRITING_WITHIN = re.compile(r"\b(INSERT|UPDATE|DELETE|MERGE)\b", re.IGNORECASE)
_KINDS = {
    "BEGIN": "begin",
    "START": "begin",
    "COMMIT": "commit",
    "END": "commit",
    "ROLLBACK": "rollback",
    "ABORT": "rollback",
}


class Statement(NamedTuple):
    """One statement. `kind` is that of its event; `writes`: it would be committed by itself outside a transaction."""

    kind: str
    writes: bool
    text: str
    cut: bool


@lru_cache(256)
def read(text: str) -> tuple[Statement, ...]:
    """The statements of a text; none when it is empty."""
    # What is quoted or a comment keeps its length, so that places in both texts are the same.
    bare = _SKIPPED.sub(lambda found: " " * len(found[0]), text)
    statements = []
    begin = 0
    for part in bare.split(";"):
        end = begin + len(part)
        if part.strip():
            statements.append(_statement(part, text[begin:end].strip()))
        begin = end + 1
    return tuple(statements)


def _statement(bare: str, text: str) -> Statement:
    words = [word.upper() for word in _WORDS.findall(bare[:200])[:3]]
    first = words[0] if words else ""
    kind = _KINDS.get(first, "statement")
    if kind == "rollback" and "TO" in words[1:]:
        kind = "statement"  # to a savepoint
    writes = first in _WRITING
    if first == "WITH":
        writes = bool(_WRITING_WITHIN.search(bare))
    elif first == "COPY":
        writes = bool(re.search(r"\bFROM\b", bare, re.IGNORECASE)) and not re.match(r"\s*COPY\s*\(", bare, re.IGNORECASE)
    elif first in ("SELECT", "EXPLAIN"):
        writes = first == "SELECT" and bool(re.search(r"\bINTO\b", bare, re.IGNORECASE))
    return Statement(kind, writes, text[:MAX_TEXT], len(text) > MAX_TEXT)
