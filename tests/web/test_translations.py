"""Everything that pages say in English they also say in Russian, with the same placeholders and three plural forms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from app.accounts.faults import SENTENCES
from app.settings import CHECKOUT
from app.web.language import TRANSLATIONS

WEB = CHECKOUT / "app" / "web"
_PLACE = re.compile(r"%\(\w+\)s")


def said() -> Iterator[tuple[str, str]]:
    """(place, msgid) of every text in templates and views; of plurals the singular."""
    methods = [("**.py", "python"), ("templates/**.html", "jinja2")]
    for name, line, message, _comments, _context in extract_from_dir(str(WEB), methods, {"**.html": {"trimmed": "true"}}):
        yield f"{name}:{line}", message[0] if isinstance(message, tuple) else message


def russian() -> dict[str, list[Message]]:
    """msgid -> its entries in the rooms' catalogues."""
    found: dict[str, list[Message]] = {}
    for path in sorted(Path(TRANSLATIONS).glob("*/ru/LC_MESSAGES/messages.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale="ru"):
                if message.id:
                    found.setdefault(message.id if isinstance(message.id, str) else message.id[0], []).append(message)
    return found


def test_every_text_of_the_pages_has_its_russian() -> None:
    have = russian()
    texts = [*said(), *(("app/accounts/faults.py", sentence) for sentence in SENTENCES.values())]
    assert len(texts) > 100  # the extraction itself works
    missing = sorted({f"{place}: {text!r}" for place, text in texts if text not in have})
    assert not missing, "\n".join(missing)


def test_russian_texts_are_finished_and_keep_their_placeholders() -> None:
    for msgid, messages in russian().items():
        for message in messages:
            plural = not isinstance(message.id, str)
            forms = list(message.string) if plural else [message.string]
            assert all(forms), msgid
            assert not message.fuzzy, msgid
            assert len(forms) == (3 if plural else 1), msgid
            wanted = set(_PLACE.findall(message.id[1] if plural else message.id))
            for form in forms:
                assert set(_PLACE.findall(form)) == wanted, f"{msgid!r}: {form!r}"


def test_russian_uses_its_own_quotes() -> None:
    for messages in russian().values():
        for message in messages:
            for form in [message.string] if isinstance(message.string, str) else message.string:
                assert '"' not in re.sub(r"<[^>]*>", "", form), form
