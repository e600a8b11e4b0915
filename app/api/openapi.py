"""OpenAPI 3.1, made from the declared operations and their schemas."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from flask import Response, json
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from app.api.operations import OPERATIONS, Operation, blueprint
from app.api.schemas import Problem

_PART = re.compile(r"<(?:(int):)?(\w+)>")
_REF = "#/components/schemas/{model}"
_PROBLEMS = {
    "400": "the request breaks a rule; `details.field` names the field",
    "401": "sign in, or send a living token",
    "403": "your role does not allow this",
    "404": "there is no such thing, or it is not yours",
    "409": "the thing has changed, or its state forbids this",
    "413": "too large",
    "415": "send application/json",
    "422": "the Idempotency-Key was used with another body",
    "429": "too many requests; see Retry-After",
    "503": "a part of the platform does not answer; see Retry-After",
}


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """This description."""
    return Response(json.dumps(document()), mimetype="application/json")


@cache
def document() -> dict[str, Any]:
    """The whole document."""
    models = {model for op in OPERATIONS for model in (op.body, op.reply) if model is not None} | {Problem}
    directions = [(model, "validation") for model in sorted(models, key=lambda model: model.__name__)]
    _, schemas = models_json_schema(directions, ref_template=_REF)  # type: ignore[arg-type]
    paths: dict[str, dict[str, Any]] = {}
    for op in OPERATIONS:
        paths.setdefault("/api/v1" + _PART.sub(r"{\2}", op.path), {})[op.method.lower()] = _operation(op)
    paths["/api/v1/openapi.json"] = {
        "get": {
            "operationId": "openapi",
            "summary": "This description.",
            "security": [],
            "responses": {"200": {"description": "OK"}},
        }
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Soty", "version": "1", "description": "Errors are problem details (RFC 9457)."},
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(op: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {"operationId": op.name, "summary": op.summary, "parameters": _parameters(op)}
    if op.access == "anyone":
        described["security"] = [{}, {"token": []}]
    if op.body is not None:
        described["requestBody"] = {"content": {"application/json": {"schema": _schema(op.body)}}}
    answer: dict[str, Any] = {"description": "no content" if op.reply is None else "OK"}
    if op.reply is not None:
        answer["content"] = {"application/json": {"schema": _schema(op.reply)}}
    problem = {"application/problem+json": {"schema": _schema(Problem)}}
    faults = {code: {"description": what, "content": problem} for code, what in _PROBLEMS.items()}
    described["responses"] = {str(op.status if op.reply is not None else 204): answer, **faults}
    return described


def _parameters(op: Operation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "integer" if kind else "string"}}
        for kind, name in _PART.findall(op.path)
    ]
    if op.query is not None:
        for name, schema in op.query.model_json_schema()["properties"].items():
            found.append({"name": name, "in": "query", "required": False, "schema": schema})
    for name, meaning in op.headers.items():
        found.append({"name": name, "in": "header", "required": False, "description": meaning, "schema": {"type": "string"}})
    return found


def _schema(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}
