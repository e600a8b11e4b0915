"""Header blocks of one direction: HPACK keeps a table from block to block."""

from __future__ import annotations

import hpack

from ...decoder import Undecodable

MAX_BLOCK = 64 << 10  #: bytes of a block, packed and unpacked
MAX_TABLE = 64 << 10
_MAX_KNOWN = 64
Headers = dict[bytes, bytes]


class Blocks:
    """Unpacks block after block."""

    def __init__(self) -> None:
        self._decoder = hpack.Decoder(MAX_BLOCK)
        self._known: dict[bytes, Headers] = {}  #: blocks that say the same while the table stays as it is
        self._newest: object = None

    def allow(self, size: int) -> None:
        """The reader lets the writer keep a table of this size. (Never smaller: the writer may not know yet.)"""
        self._decoder.max_allowed_table_size = max(self._decoder.max_allowed_table_size, min(size, MAX_TABLE))

    def read(self, block: bytes) -> Headers:
        """The fields of a block; of a field that is there twice, the last.

        Raises:
            Undecodable: it is not HPACK, or too large.
        """
        if (known := self._known.get(block)) is not None:
            return known
        try:
            headers = {bytes(name): bytes(value) for name, value, *_ in self._decoder.decode(block, raw=True)}
        except hpack.HPACKError as error:
            raise Undecodable(f"headers: {type(error).__name__}") from error
        entries = self._decoder.header_table.dynamic_entries
        newest = entries[0] if entries else None
        if newest is not self._newest or (block[:1] >= b"\x20" and block[:1] < b"\x40"):
            # The table has changed, so that every index may mean something else.
            self._newest = newest
            self._known.clear()
        elif len(self._known) < _MAX_KNOWN:
            self._known[block] = headers
        return headers
