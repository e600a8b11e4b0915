"""The few families of errors that the rooms raise; no HTTP here.

Every error carries a stable machine code, a message for the person who caused it and, where there is one, a cure.
Delivery layers map the *family* to a status: `web` and `api` to HTTP, `cli` to an exit code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class PlatformError(Exception):
    """Something that the platform can explain.

    Args:
        message: one sentence for a person, without secrets or paths of the host.
        code: kebab-case identifier that tests and clients may rely on.
        cure: what to do next, if anything helps.
        details: JSON-able facts (`{"path": ..., "limit": ...}`).
    """

    code = "platform-error"

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        cure: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        self.message = message or (self.__doc__ or "").strip().splitlines()[0]
        self.code = code or type(self).code
        self.cure = cure
        self.details = dict(details or {})
        super().__init__(self.message)


class InvalidInput(PlatformError):
    """The request cannot be understood or breaks a rule."""

    code = "invalid-input"


class TooLarge(InvalidInput):
    """The request is over a size limit."""

    code = "too-large"


class NotFound(PlatformError):
    """There is no such thing, or it is not yours."""

    code = "not-found"


class Forbidden(PlatformError):
    """Your role does not allow this."""

    code = "forbidden"


class SignInNeeded(PlatformError):
    """Sign in first."""

    code = "sign-in-needed"


class Conflict(PlatformError):
    """The thing has changed since you read it, or is in a state that forbids this."""

    code = "conflict"


class TooMany(PlatformError):
    """Too many requests; wait a little."""

    code = "too-many-requests"

    def __init__(self, message: str | None = None, *, retry_after: float = 30.0, **kwargs: Any) -> None:
        super().__init__(message, **kwargs)
        self.retry_after = retry_after


class Unavailable(PlatformError):
    """A part of the platform does not answer; nothing was lost."""

    code = "unavailable"

    def __init__(self, message: str | None = None, *, retry_after: float = 5.0, **kwargs: Any) -> None:
        super().__init__(message, **kwargs)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault in a file that an author wrote: `path:line: what; cure`."""

    path: str
    line: int
    what: str
    cure: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}" + (f" - {self.cure}" if self.cure else "")


class ContentInvalid(PlatformError):
    """Files that authors wrote have faults; all of them are listed at once."""

    code = "content-invalid"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))
