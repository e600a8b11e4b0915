"""How our errors travel over gRPC: a status that everybody understands, and the whole error for our own client."""

from __future__ import annotations

import json
from typing import Any

import grpc

from app.errors import Conflict, Forbidden, InvalidInput, NotFound, PlatformError, TooMany, Unavailable

METADATA_KEY = "soty-error-bin"
MAX_METADATA = 4096

# The most special family first: the first that fits is taken.
_FAMILIES: tuple[tuple[type[PlatformError], grpc.StatusCode], ...] = (
    (InvalidInput, grpc.StatusCode.INVALID_ARGUMENT),
    (NotFound, grpc.StatusCode.NOT_FOUND),
    (TooMany, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (Conflict, grpc.StatusCode.FAILED_PRECONDITION),
    (Forbidden, grpc.StatusCode.PERMISSION_DENIED),
)
_NOT_FOUND = frozenset({"no-such-sandbox", "no-such-service"})
_PRECONDITION = frozenset({"content-changed", "image-not-ready", "engine-refused", "sandbox-too-big", "content-invalid"})


def as_status(error: Exception) -> tuple[grpc.StatusCode, str]:
    """Status and message; what we did not foresee is INTERNAL and says nothing about our inside."""
    if not isinstance(error, PlatformError):
        return grpc.StatusCode.INTERNAL, "A fault inside sandboxd; its log tells more."
    if error.code in _NOT_FOUND:
        return grpc.StatusCode.NOT_FOUND, error.message
    if error.code in _PRECONDITION:
        return grpc.StatusCode.FAILED_PRECONDITION, " ".join(filter(None, (error.message, error.cure)))
    for family, status in _FAMILIES:
        if isinstance(error, family):
            return status, error.message
    return grpc.StatusCode.UNAVAILABLE, error.message


def encode(error: Exception) -> tuple[tuple[str, bytes], ...]:
    """Trailing metadata that `decode` reads."""
    if not isinstance(error, PlatformError):
        return ()
    whole = {"message": error.message[:1000], "code": error.code, "cure": error.cure, "details": error.details}
    data = json.dumps(whole, ensure_ascii=False).encode()
    if len(data) > MAX_METADATA:
        data = json.dumps({**whole, "details": {}}, ensure_ascii=False).encode()
    return ((METADATA_KEY, data),)


def decode(error: grpc.RpcError) -> PlatformError:
    """The error that the other side meant.

    The family follows from the status: precondition and exhaustion are what a caller can act upon, everything without a
    meaning of its own is `Unavailable` (sandboxd does not answer, or its engine has trouble; nothing was lost).
    """
    status = error.code()
    metadata: dict[str, Any] = dict(error.trailing_metadata() or ())  # type: ignore[arg-type]
    known: dict[str, Any] = json.loads(metadata.get(METADATA_KEY, b"{}"))
    if status is grpc.StatusCode.DEADLINE_EXCEEDED:
        return Unavailable("The sandbox service did not answer in time.", code="sandboxd-slow")
    if not known:
        if status is grpc.StatusCode.RESOURCE_EXHAUSTED:
            return InvalidInput("The request is too large.", code="too-large")
        if status is grpc.StatusCode.CANCELLED:
            return Unavailable("The call was cancelled.", code="cancelled")
        return Unavailable("The sandbox service does not answer.", code="sandboxd-down")
    families: dict[grpc.StatusCode, type[PlatformError]] = {status: family for family, status in _FAMILIES}
    return families.get(status, Unavailable)(
        known["message"], code=known["code"], cure=known["cure"], details=known["details"]
    )  # fmt: skip
