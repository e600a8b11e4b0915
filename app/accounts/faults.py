"""What may be wrong with the fields of an account form: one code and one plain sentence each."""

from __future__ import annotations

from collections.abc import Mapping

from app.errors import InvalidInput

#: code -> sentence; `web` translates the sentence, `api` and `cli` print it as it stands
SENTENCES: Mapping[str, str] = {
    "name-short": "A name has at least two characters.",
    "name-long": "A name has at most 40 characters.",
    "name-characters": "A name may hold letters, digits, spaces and . - _ ' only.",
    "name-mixed": "Letters of different alphabets do not mix within one word.",
    "name-taken": "This name, or one that looks the same, is taken.",
    "email-invalid": "This does not look like an e-mail address.",
    "email-taken": "Another account has this e-mail address.",
    "password-short": "A password has at least eight characters.",
    "password-long": "A password has at most 200 characters.",
    "password-is-name": "The password must not be the name.",
    "password-common": "This password is among the first that anybody would guess.",
    "password-same": "The new password must differ from the present one.",
    "password-wrong": "This is not your present password.",
    "language-unknown": "There is no such language.",
    "label-long": "A label has at most 64 characters.",
}


class FieldsInvalid(InvalidInput):
    """Some fields need another value.

    Args:
        faults: field -> code out of `SENTENCES`.
    """

    code = "fields-invalid"

    def __init__(self, faults: Mapping[str, str]) -> None:
        self.faults = dict(faults)
        sentences = {field: SENTENCES[code] for field, code in faults.items()}
        super().__init__(" ".join(sentences.values()), details={"fields": sentences})
