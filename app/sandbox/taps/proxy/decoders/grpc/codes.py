"""Codes of gRPC, and what stands for them when a call ends without one."""

from __future__ import annotations

from collections.abc import Mapping

NAMES = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip
UNKNOWN, INTERNAL = 2, 13
_OF_RESET: Mapping[int, int] = {7: 14, 8: 1, 11: 8, 12: 7}
_OF_STATUS: Mapping[bytes, int] = {
    b"400": 13, b"401": 16, b"403": 7, b"404": 12, b"429": 14, b"502": 14, b"503": 14, b"504": 14,
}  # fmt: skip


def of_reset(error: int) -> int:
    """The code that a client sees when a stream is reset with an error of HTTP/2."""
    return _OF_RESET.get(error, INTERNAL)


def of_headers(status: bytes | None, http: bytes) -> int:
    """The code of `grpc-status`, or the one that a client makes of an HTTP status."""
    if status is not None:
        return int(status) if status.isdigit() and len(status) < 4 else UNKNOWN
    return _OF_STATUS.get(http, UNKNOWN)


def name(code: int) -> str:
    """`UNAVAILABLE` for 14."""
    return NAMES[code] if code < len(NAMES) else str(code)
