"""Forms of pages: only the fields that a form declares, what was typed, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping

from flask import request

from app.accounts.faults import FieldsInvalid
from app.errors import InvalidInput, PlatformError

LONGEST = 10_000  #: characters of one field


class Form:
    """What a person typed.

    Args:
        names: the fields of this form; any other field is refused.
        start: values before anything was typed.

    Raises:
        InvalidInput: the request has a field that the form does not have, or one that is far too long.
    """

    def __init__(self, *names: str, start: Mapping[str, str] | None = None) -> None:
        unknown = set(request.form) - {*names, "csrf_token"}
        if unknown:
            raise InvalidInput("This form has no such field.", code="unknown-field", details={"fields": sorted(unknown)})
        if any(len(value) > LONGEST for value in request.form.values()):
            raise InvalidInput("A field is too long.", code="field-too-long")
        typed = request.method == "POST"
        self._values = {name: request.form.get(name, "") if typed else (start or {}).get(name, "") for name in names}
        self.faults: dict[str, str] = {}  #: field -> sentence
        self.trouble: PlatformError | None = None  #: what is wrong with the form as a whole

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    @classmethod
    def blank(cls, values: Mapping[str, str]) -> Form:
        """A form that this request did not send."""
        form = cls.__new__(cls)
        form._values, form.faults, form.trouble = dict(values), {}, None
        return form

    def blame(self, error: FieldsInvalid) -> Form:
        """Take over the faults of an attempt."""
        self.faults = {field: str(sentence) for field, sentence in error.details["fields"].items()}
        return self
