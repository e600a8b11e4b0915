"""Output of services as text that is safe to put on a page or into a terminal."""

from __future__ import annotations

import codecs
import re

_STYLE = re.compile(r"\x1b\[[0-?]{0,32}[ -/]{0,4}[@-~]")  #: colours and cursor movements, as programs print them
_BEGUN = re.compile(r"\x1b(?:\[[0-?]{0,32}[ -/]{0,4})?\Z")  #: one that a cut may have split
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class TextOf:
    """Turns pieces of bytes into text: invalid UTF-8 is replaced; colours and control characters are left out.

    Newline and tab stay. A character or a colour that a cut split in two waits for its second half.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._begun = ""

    def feed(self, data: bytes) -> str:
        """The text of one more piece."""
        text = self._begun + self._decoder.decode(data)
        cut = _BEGUN.search(text)
        self._begun = cut[0] if cut else ""
        return _CONTROL.sub("", _STYLE.sub("", text.removesuffix(self._begun)))
