"""What the prober may say: JSON lines, bounded and validated before anything is believed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from app.errors import PlatformError

MAX_LINE = 1 << 20
MAX_TOTAL = 32 << 20  #: of one run
MAX_TEXT = 8000  #: characters of one part of a message
_CHUNK = 65536


class ProberFault(PlatformError):
    """The prober did not keep to its protocol, died or took too long: a fault of ours or of the author."""

    code = "prober-fault"


def _cut(value: Any) -> Any:
    return value[:MAX_TEXT] if isinstance(value, str) else value


def _finite(value: float) -> float:
    if not 0 <= value < 1e6:
        raise ValueError("must be between 0 and a million seconds")
    return value


Words = Annotated[str, BeforeValidator(_cut)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Seconds = Annotated[float, AfterValidator(_finite)]


class Frame(BaseModel):
    """Unknown keys are ignored, so that a newer kit can say more."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class Explanation(Frame):
    """Why a check did not pass, in one language."""

    done: Words = ""
    expected: Words = ""
    seen: Words = ""
    where: Words = ""


class Cause(Frame):
    """What a check met besides a wrong answer: a service that ended or ran out of memory, or the end of its time."""

    kind: Literal["crashed", "out-of-memory", "timed-out"]
    service: Annotated[str, StringConstraints(max_length=64)] = ""
    exit_code: int | None = None
    signal: int | None = None
    seconds: Seconds = 0.0


class Message(Frame):
    """The explanation in both languages."""

    ru: Explanation
    en: Explanation
    cause: Cause | None = None


class StageFrame(Frame):
    """A stage of the prober's own has ended."""

    type: Literal["stage"]
    name: Name
    seconds: Seconds


class CheckStarted(Frame):
    type: Literal["check_started"]
    id: Name


class CheckFinished(Frame):
    type: Literal["check_finished"]
    id: Name
    status: Literal["passed", "failed", "errored", "skipped"]
    seconds: Seconds
    message: Message | None = None


class NoteFrame(Frame):
    """A moment worth a place in the timeline."""

    type: Literal["note"]
    kind: Name
    ru: Words
    en: Words


class SignalFrame(Frame):
    """Something unusual that a probe met; for instructors, never for the verdict."""

    type: Literal["signal"]
    kind: Literal["answer-too-large", "redirect-elsewhere"]


class Finished(Frame):
    type: Literal["finished"]
    scale: float = Field(default=1.0, ge=1, le=10)


class Call(Frame):
    """Something the prober asks of the sandbox; answered by its number."""

    type: Literal["call"]
    n: int = Field(ge=0, lt=1 << 53)
    op: Literal[
        "status", "start", "stop", "kill", "pause", "resume", "restart", "scale", "await_exit", "logs", "reset",
        "tap_arm", "tap_disarm", "tap_await", "tap_trace", "tap_mark", "tap_cut",
    ]  # fmt: skip
    service: Annotated[str, StringConstraints(max_length=40)] = ""
    replicas: int = Field(default=1, ge=0, le=8)
    timeout: float = Field(default=10.0, ge=0, le=120)
    offset: int = Field(default=0, ge=0)
    upstream: Annotated[str, StringConstraints(max_length=40)] = ""
    client: Annotated[str, StringConstraints(max_length=40)] = Field(default="", alias="from")
    rule: dict[str, Any] | Annotated[str, StringConstraints(max_length=40)] = ""
    count: int = Field(default=1, ge=0, le=1000)
    after: int = Field(default=0, ge=0)


AnyFrame = StageFrame | CheckStarted | CheckFinished | NoteFrame | SignalFrame | Finished | Call
_FRAMES: TypeAdapter[AnyFrame] = TypeAdapter(Annotated[AnyFrame, Field(discriminator="type")])


def parse(line: bytes) -> AnyFrame:
    """One line as a frame.

    Raises:
        ProberFault: not JSON, or not a frame.
    """
    try:
        return _FRAMES.validate_python(json.loads(line, parse_constant=_no_constants))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ProberFault(f"The prober sent a frame that is not valid: {where}: {first['msg']}.") from None
    except (ValueError, RecursionError):
        raise ProberFault("The prober sent a line that is not JSON.") from None


async def read_frames(pipe: asyncio.StreamReader) -> AsyncIterator[AnyFrame]:
    """Frames until the end of the pipe.

    Raises:
        ProberFault: a line over 1 MiB, more than 32 MiB in all, or a line that is not a frame.
    """
    buffer, total = bytearray(), 0
    while chunk := await pipe.read(_CHUNK):
        total += len(chunk)
        buffer += chunk
        *lines, rest = bytes(buffer).split(b"\n") if b"\n" in chunk else (bytes(buffer),)
        if len(rest) > MAX_LINE or any(len(line) > MAX_LINE for line in lines) or total > MAX_TOTAL:
            raise ProberFault("The prober wrote more than its pipe may carry.")
        for line in lines:
            if line.strip():
                yield parse(line)
        buffer = bytearray(rest)
    if buffer.strip():
        raise ProberFault("The prober's last line is incomplete.")


def _no_constants(name: str) -> float:
    raise ValueError(name)
