"""Passwords: the rules, and argon2id hashes that are renewed when its parameters change."""

from __future__ import annotations

import secrets
import threading
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.accounts import names

SHORTEST, LONGEST = 8, 200
#: 19 MiB, two passes, one lane: 20-30 ms of one core, the lowest parameters that OWASP accepts
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_at_once = threading.BoundedSemaphore(4)  #: a storm of sign-ins holds at most 4 × 19 MiB per process
_COMMON = frozenset(Path(__file__).with_name("common_passwords.txt").read_text(encoding="utf-8").split())


def fault(password: str, name: str) -> str | None:
    """Code of the first rule that the password breaks, or None."""
    if len(password) < SHORTEST:
        return "password-short"
    if len(password) > LONGEST:
        return "password-long"
    if names.key(password) == names.key(name):
        return "password-is-name"
    if password.casefold() in _COMMON or len(set(password)) == 1:
        return "password-common"
    return None


def make_hash(password: str) -> str:
    """An argon2id hash with its parameters and salt."""
    with _at_once:
        return _hasher.hash(password)


def verify(stored: str | None, password: str) -> bool:
    """Whether the password fits; takes as long for `None` (an unknown person) as for a real hash."""
    if len(password) > LONGEST:
        return False
    with _at_once:
        try:
            return _hasher.verify(stored or _nobody(), password) and stored is not None
        except (VerificationError, InvalidHashError):
            return False


def outdated(stored: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(stored)


def one_time() -> str:
    """A password for a single use: 16 unambiguous characters in groups of four, 79 random bits."""
    alphabet = "23456789abcdefghjkmnpqrstuvwxyz"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(4)) for _ in range(4))


@cache
def _nobody() -> str:
    return _hasher.hash(secrets.token_hex(16))
