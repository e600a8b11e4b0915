"""What comes in: JSON without surprises, checked against a schema; every fault names the field."""

from __future__ import annotations

import json
from typing import Any, NoReturn, TypeVar

from flask import request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import UnsupportedMediaType

from app.errors import InvalidInput

MAX_PROBLEMS = 20
Model = TypeVar("Model", bound=BaseModel)


def read_body(model: type[Model]) -> Model:
    """The request's JSON body. An empty body counts as `{}`.

    Raises:
        InvalidInput: not JSON, a duplicate key, NaN or infinity, nested too deeply, or not as `model` says.
    """
    raw = request.get_data(cache=True)
    if not raw:
        return validated(model, {})
    if request.mimetype != "application/json":
        raise UnsupportedMediaType
    try:
        data = json.loads(raw.decode("utf-8"), object_pairs_hook=_without_duplicates, parse_constant=_not_json)
    except (ValueError, RecursionError) as error:
        what = "nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]
        raise InvalidInput(
            f"The body is not JSON that can be read: {what}.", code="bad-json", details={"problem": what}
        ) from error
    if not isinstance(data, dict):
        raise InvalidInput("The body must be a JSON object.", code="bad-json")
    return validated(model, data)


def read_query(model: type[Model]) -> Model:
    """The request's query parameters; each may be given once.

    Raises:
        InvalidInput: an unknown one, one given twice, or one not as `model` says.
    """
    for name, values in request.args.lists():
        if len(values) > 1:
            raise InvalidInput(f"`{name[:64]}` is given {len(values)} times.", code="bad-query", details={"field": name[:64]})
    return validated(model, request.args.to_dict())


def validated(model: type[Model], data: dict[str, Any]) -> Model:
    """`data` as a `model`.

    Raises:
        InvalidInput: with the first fault as its message and all of them in `details["fields"]`.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        faults = [_fault(item) for item in error.errors(include_url=False, include_input=False)[:MAX_PROBLEMS]]
        first = faults[0]
        raise InvalidInput(
            f"`{first['field']}`: {first['problem']}.",
            code="invalid-fields",
            details={"field": first["field"], "fields": faults},
        ) from error


def _fault(item: Any) -> dict[str, str]:
    field = ".".join(str(part) for part in item["loc"])[:120] or "body"
    problem = "unknown field" if item["type"] == "extra_forbidden" else str(item["msg"])
    return {"field": field.encode("utf-8", "replace").decode(), "problem": problem[:200]}


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key appears twice in one object")
    return result


def _not_json(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")
