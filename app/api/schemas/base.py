"""What all schemas share."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class In(BaseModel):
    """A body: unknown fields are refused, nothing is converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Query(BaseModel):
    """Query parameters: unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Out(BaseModel):
    """Output; made from use-case values by attribute names."""

    model_config = ConfigDict(from_attributes=True)


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str
    cure: str = ""
    details: dict[str, Any] = {}
