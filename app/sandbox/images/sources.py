"""Where Debian packages come from: the host's own apt sources with the release swapped, or a mirror that the operator names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from app.sandbox.images.progress import BuildFailed

SUITE = "trixie"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_DEBIAN_SUITES = frozenset(
    {"stable", "oldstable", "testing", "unstable", "sid", "buster", "bullseye", "bookworm", "trixie", "forky", "duke"}
)
_SCHEMES = frozenset({"http", "https", "file", "copy"})


@dataclass(frozen=True, slots=True)
class Source:
    """One `deb` line of a host: `uri suite components`."""

    uri: str
    suite: str
    components: tuple[str, ...]


def read_sources(etc: Path = Path("/etc/apt")) -> list[Source]:
    """Every enabled binary source of a host, one-line (`.list`) and deb822 (`.sources`) alike."""
    found: list[Source] = []
    for path in [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]:
        if not path.is_file():
            continue
        text = path.read_text("utf-8", errors="replace")
        if path.suffix == ".list":
            found += parse_list(text)
        elif path.suffix == ".sources":
            found += parse_deb822(text)
    return found


def parse_list(text: str) -> Iterator[Source]:
    """`deb [options] uri suite component…` lines."""
    for line in text.splitlines():
        words = line.split("#", 1)[0].split()
        if words[:1] != ["deb"]:
            continue
        words = words[1:]
        if words and words[0].startswith("["):
            closing = next((index for index, word in enumerate(words) if word.endswith("]")), len(words))
            words = words[closing + 1 :]
        if len(words) >= 2:
            yield Source(words[0].rstrip("/"), words[1], tuple(words[2:]))


def parse_deb822(text: str) -> Iterator[Source]:
    """Stanzas of `Types`, `URIs`, `Suites`, `Components`; values may go on over indented lines."""
    for fields in _stanzas(text):
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in ("no", "false", "0"):
            continue
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield Source(uri.rstrip("/"), suite, tuple(fields.get("components", "").split()))


def _stanzas(text: str) -> Iterator[dict[str, str]]:
    fields: dict[str, str] = {}
    last = ""
    for line in [*text.splitlines(), ""]:
        if line.startswith("#"):
            continue
        if not line.strip():
            if fields:
                yield fields
            fields = {}
        elif line[0].isspace():
            fields[last] = f"{fields.get(last, '')} {line.strip()}"
        else:
            last, _, value = line.partition(":")
            last = last.strip().lower()
            fields[last] = value.strip()


def choose(sources: Iterable[Source], mirror: str = "") -> list[str]:
    """The lines of our private sources list.

    Args:
        sources: what the host uses.
        mirror: URL of a Debian mirror, optionally followed by the URL of a mirror of its security archive.

    Raises:
        BuildFailed: the host names no Debian mirror and the operator none either.
    """
    main, security = _named(mirror) if mirror.strip() else _found(sources)
    lines = [_line(main, SUITE), _line(main, f"{SUITE}-updates")]
    return lines + ([_line(security, f"{SUITE}-security")] if security else [])


def _named(mirror: str) -> tuple[str, str]:
    urls = mirror.split()
    if len(urls) > 2 or any(urlsplit(url).scheme not in _SCHEMES for url in urls):
        raise BuildFailed(
            "SOTY_APT_MIRROR is not a mirror.",
            cure="Give the URL of a Debian mirror and, after a space, that of its security archive if you have one.",
        )
    return urls[0].rstrip("/"), urls[1].rstrip("/") if len(urls) == 2 else ""


def _found(sources: Iterable[Source]) -> tuple[str, str]:
    main = security = ""
    for source in sources:
        if urlsplit(source.uri).scheme not in _SCHEMES or "main" not in source.components:
            continue
        release, _, rest = source.suite.partition("/")[0].partition("-")
        if release in _DEBIAN_SUITES:
            main = main or (source.uri if not rest else "")
            security = security or (source.uri if rest == "security" else "")
    if not main:
        raise BuildFailed(
            "This machine's apt sources name no Debian mirror, and images are made of Debian packages.",
            cure="Set SOTY_APT_MIRROR to the URL of a Debian mirror (it ends in /debian).",
        )
    return main, security


def _line(uri: str, suite: str) -> str:
    return f"deb [signed-by={KEYRING}] {uri} {suite} main"
