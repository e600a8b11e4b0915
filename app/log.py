"""Structured logs: one JSON line per event on stderr, secrets blacked out, line breaks impossible."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

_SECRET_KEY = re.compile(r"passw|secret|token|cookie|authorization|credential|ticket|private", re.IGNORECASE)
_SECRET_TEXT = re.compile(r"(soty_[\w-]{20,}|\bBearer\s+\S+|(?<=://)[^/\s:@]+:[^/\s@]+(?=@))", re.IGNORECASE)
HIDDEN = "[hidden]"
_LONGEST = 8000


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Processor of structlog: hides values under secret-sounding keys and tokens or passwords inside texts."""
    for key, value in event.items():
        event[key] = HIDDEN if _SECRET_KEY.search(key) else _clean(value)
    return event


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _SECRET_TEXT.sub(HIDDEN, value)[:_LONGEST]
    if isinstance(value, Mapping):
        return {str(key): HIDDEN if _SECRET_KEY.search(str(key)) else _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value if isinstance(value, int | float | bool | None) else _SECRET_TEXT.sub(HIDDEN, str(value))[:_LONGEST]


def configure(process: str, level: str = "info") -> None:
    """Send all logs of this process, libraries included, to stderr.

    Args:
        process: `web`, `live`, `worker`, `sandboxd` or `cli`; a field of every line.
        level: `debug`, `info`, `warning` or `error`.
    """

    def name(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.setdefault("process", process)
        return event

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars, structlog.stdlib.add_log_level, name,
        structlog.processors.TimeStamper(fmt="iso", utc=True), structlog.processors.format_exc_info, redact,
    ]  # fmt: skip
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),  # a line that is not wanted costs nothing
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("flask_wtf.csrf", "werkzeug", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
