"""Where a form may lead afterwards: places of this site only."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlencode, urlsplit

_LOCAL = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")


def local_path(text: str | None, default: str = "/") -> str:
    """`text` when it is a path of this site, else `default`; no scheme, host, `//`, backslash, blank or control character."""
    if not text or len(text) > 2000 or not _LOCAL.fullmatch(text):
        return default
    try:
        parts = urlsplit(text)
    except ValueError:
        return default
    return default if parts.scheme or parts.netloc else text


def without_language(path: str) -> str:
    """The same place without `?lang=`, which would win over the language just chosen."""
    parts = urlsplit(path)
    query = urlencode([(key, value) for key, value in parse_qsl(parts.query, keep_blank_values=True) if key != "lang"])
    return parts._replace(query=query).geturl()
