"""What an error says to a person, in their language.

Rooms below the web write errors in English. A sentence without figures is its own key in the catalogue `errors`; one with
figures is built here from the error's `details`.
"""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy

from app.errors import PlatformError

#: code -> sentence over the error's `details`
SENTENCES: Mapping[str, object] = {
    "file-too-large": lazy("“%(path)s” is larger than 64 KiB."),
    "workspace-too-large": lazy("The files together are larger than 256 KiB."),
    "path-not-editable": lazy("“%(path)s” is not a file that can be edited here."),
    "not-editable": lazy("“%(path)s” is not a file that can be edited here."),
    "not-text": lazy("“%(path)s” holds characters that are not text."),
    "no-such-check": lazy("There is no check “%(check)s”."),
    "too-many-submissions": lazy("Three of your submissions are still being graded."),
    "image-not-ready": lazy("What this exercise runs on is still being prepared."),
    "engine-refused": lazy("Sandboxes cannot run on this machine yet: isolation is missing. Lessons work all the same."),
    "sandbox-not-ready": lazy("The sandbox is not ready yet."),
    "content-changed": lazy("The exercise has changed meanwhile. Reload the page."),
    "sandboxd-not-started": lazy("The sandbox service did not start."),
    "bad-json": lazy("The body is not JSON that can be read: %(problem)s."),
    "bad-page": lazy("There is no such page of the list."),
    "message-too-long": lazy("At most 2,000 characters, please."),
    "too-many-objections": lazy("Five of your objections are not answered yet."),
    "invalid-fields": lazy("“%(field)s” has a value that is not accepted."),
}


def worded(error: PlatformError) -> tuple[str, str]:
    """Sentence and cure of an error, in the reader's language; English where no translation exists."""
    cure = _(error.cure) if error.cure else ""
    if sentence := SENTENCES.get(error.code):
        try:
            return str(sentence) % {key: str(value)[:120] for key, value in error.details.items()}, cure
        except KeyError:
            pass
    return _(error.message), cure
