"""One declaration per operation: the route, its check of input, its rate class and its page of OpenAPI come from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from flask import Blueprint, Response, url_for
from pydantic import BaseModel

from app.accounts.limits import Rate
from app.api.context import viewer
from app.api.requests import read_body, read_query
from app.errors import NotFound

View = Callable[..., Any]
Access = Literal["anyone", "signed-in", "mentor", "instructor"]
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")


@dataclass(frozen=True)
class Operation:
    """What OpenAPI tells of a route. `path` has Flask's `<name>` or `<int:name>` for its parts."""

    method: str
    path: str
    name: str
    summary: str
    access: Access
    status: int
    body: type[BaseModel] | None
    query: type[BaseModel] | None
    reply: type[BaseModel] | None
    headers: Mapping[str, str]


OPERATIONS: list[Operation] = []


def operation(
    method: str,
    path: str,
    *,
    access: Access = "signed-in",
    status: int = 200,
    body: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None,
    reply: type[BaseModel] | None = None,
    headers: Mapping[str, str] | None = None,
    rate: Rate | None = None,
) -> Callable[[View], View]:
    """Declare the decorated function as an operation.

    The function receives the parts of the path, and `body` and `query` when they are declared. It returns an instance of
    `reply`, or None for an empty answer, or a pair of the reply and the address for `Location`.

    Args:
        headers: request headers that matter -> what they mean.
        rate: rate class; without one the application's default for the method counts.
    """

    def declare(view: View) -> View:
        summary = (view.__doc__ or "").strip().splitlines()[0]
        name = view.__name__
        OPERATIONS.append(Operation(method, path, name, summary, access, status, body, query, reply, headers or {}))

        def answer(**parts: Any) -> Response:
            for part in parts.values():
                if isinstance(part, str) and not _ID.fullmatch(part):
                    raise NotFound
            if access != "anyone":
                viewer()
            if body is not None:
                parts["body"] = read_body(body)
            if query is not None:
                parts["query"] = read_query(query)
            return _response(view(**parts), status)

        if rate is not None:
            answer.rate = rate  # type: ignore[attr-defined]
        answer.__doc__, answer.__name__ = view.__doc__, name
        blueprint.add_url_rule(path, endpoint=name, view_func=answer, methods=[method])
        return view

    return declare


def _response(result: Any, status: int) -> Response:
    location = None
    if isinstance(result, tuple):
        result, location = result
    if result is None:
        response = Response(status=204)
    else:
        response = Response(result.model_dump_json(), status, mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    if location:
        response.headers["Location"] = location
    return response


def place(view: str, **parts: str) -> str:
    """Address of an operation, for `Location`."""
    values: dict[str, Any] = dict(parts)
    return url_for(f"{blueprint.name}.{view}", **values)
