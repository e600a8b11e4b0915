"""Tickets: what `web` hands to a page, and `live` and `sandboxd` honour, for one stream of one sandbox.

A ticket is `base64url(JSON) "." base64url(Ed25519 signature)`. Only `web` holds the private key.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from app.errors import Forbidden, Unavailable
from app.settings import read_or_make_secret

LIFETIME_SECONDS = 30
MAX_TICKET = 2048  #: characters
_MAX_REMEMBERED = 200_000
_CONTEXT = b"soty ticket 1\0"  #: so that no other signature of this key can pass for a ticket


class Kind(StrEnum):
    """What a stream is for."""

    WATCH = "watch"
    LOGS = "logs"
    TERMINAL = "terminal"


class TicketRefused(Forbidden):
    """The ticket is not valid; ask the page for a fresh one."""

    code = "ticket-refused"


@dataclass(frozen=True, slots=True)
class Grant:
    """What a ticket allows.

    Attributes:
        user: opaque id.
        service: full name of a replica; empty for `watch`.
        audience: origin of the `live` process that it is meant for.
        expires: seconds since the epoch.
        nonce: makes it single-use.
    """

    user: str
    sandbox: str
    service: str
    kind: Kind
    audience: str
    expires: float
    nonce: str

    def same_stream(self, other: Grant) -> bool:
        """Whether `other` may keep alive the stream that this one opened."""
        return (self.user, self.sandbox, self.service, self.kind, self.audience) == (
            other.user, other.sandbox, other.service, other.kind, other.audience
        )  # fmt: skip


def private_key_path(home: Path) -> Path:
    """Readable by `web` alone."""
    return home / "secrets" / "ticket_key"


def public_key_path(home: Path) -> Path:
    """Readable by `live` and `sandboxd`."""
    return home / "public" / "ticket_key.pub"


class TicketMint:
    """Signs tickets."""

    def __init__(self, key: Ed25519PrivateKey, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._clock = clock

    @classmethod
    def open(cls, home: Path) -> Self:
        """The mint of a `SOTY_HOME`; makes the pair of keys at the first start. Safe against two starters."""
        key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(read_or_make_secret(private_key_path(home))))
        public, raw = public_key_path(home), key.public_key().public_bytes_raw()
        if not public.exists() or public.read_bytes() != raw:
            public.parent.mkdir(parents=True, exist_ok=True)
            part = public.with_name(f"{public.name}.{os.getpid()}.part")
            part.write_bytes(raw)
            part.chmod(0o644)
            part.replace(public)
        return cls(key)

    def mint(self, *, user: str, sandbox: str, kind: Kind, audience: str, service: str = "") -> str:
        """A ticket that is good for one use within 30 seconds."""
        expires = self._clock() + LIFETIME_SECONDS
        grant = Grant(user, sandbox, service, kind, audience, expires, secrets.token_urlsafe(12))
        payload = _encode(json.dumps(asdict(grant), separators=(",", ":")).encode())
        return f"{payload}.{_encode(self._key.sign(_CONTEXT + payload.encode()))}"


class TicketVerifier:
    """Reads tickets; each one is good once per verifier. The public key is read when the first ticket comes.

    Args:
        audience: the only origin whose tickets are good here.
    """

    def __init__(self, public_key: Path, audience: str, clock: Callable[[], float] = time.time) -> None:
        self._path = public_key
        self._audience = audience
        self._clock = clock
        self._used: dict[str, float] = {}

    def redeem(self, ticket: str) -> Grant:
        """What the ticket allows; a second call with the same one is refused.

        Raises:
            TicketRefused: forged, expired, used, or for another place; it never says which.
            Unavailable: there is no public key yet.
        """
        grant = self._read(ticket)
        now = self._clock()
        if grant.audience != self._audience or not now < grant.expires <= now + LIFETIME_SECONDS + 1:
            raise TicketRefused
        for nonce in [nonce for nonce, expires in self._used.items() if expires < now]:
            del self._used[nonce]
        if grant.nonce in self._used or len(self._used) >= _MAX_REMEMBERED:
            raise TicketRefused
        self._used[grant.nonce] = grant.expires
        return grant

    def _read(self, ticket: str) -> Grant:
        try:
            if len(ticket) > MAX_TICKET:
                raise ValueError
            payload, signature = ticket.split(".")
            self._key().verify(_decode(signature), _CONTEXT + payload.encode())
            data = json.loads(_decode(payload))
            return Grant(**{**data, "kind": Kind(data["kind"])})
        except (ValueError, TypeError, KeyError, InvalidSignature, binascii.Error):
            raise TicketRefused from None

    def _key(self) -> Ed25519PublicKey:
        # Read each time: it is 32 bytes, and an operator may replace the pair while we run.
        try:
            return Ed25519PublicKey.from_public_bytes(self._path.read_bytes())
        except FileNotFoundError:
            raise Unavailable("Tickets cannot be checked yet: the app has not made its key.", code="no-ticket-key") from None


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
