"""Output of services as text that is safe to put on a page or into a terminal."""

from __future__ import annotations

import codecs
import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class TextOf:
    """Turns pieces of bytes into text: invalid UTF-8 is replaced, control characters but newline and tab are left out.

    A character that a cut split in two waits for its second half.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes) -> str:
        """The text of one more piece."""
        return _CONTROL.sub("", self._decoder.decode(data))
