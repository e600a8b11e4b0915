"""Where packages come from: the host's apt sources, whatever their form, or the operator's mirror."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.sandbox.images.apt import Apt
from app.sandbox.images.progress import BuildFailed
from app.sandbox.images.sources import KEYRING, Source, choose, parse_deb822, parse_list, read_sources

ONE_LINE = """\
# deb http://old.example/debian bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/k.gpg] https://mirror.example/debian/ bookworm main contrib # ours
deb-src https://mirror.example/debian bookworm main
deb http://security.example/debian-security bookworm-security main
deb cdrom:[disc]/ bookworm main
"""
DEB822 = """\
Types: deb deb-src
# a comment inside
URIs: http://mirror.example/debian
  http://second.example/debian
Suites: bookworm bookworm-updates
Components: main
 contrib

Enabled: no
Types: deb
URIs: http://disabled.example/debian
Suites: bookworm
Components: main

Types: deb-src
URIs: http://sources.example/debian
Suites: bookworm
Components: main
"""


def test_one_line_sources_are_read_with_options_and_comments() -> None:
    found = list(parse_list(ONE_LINE))
    assert found[0] == Source("https://mirror.example/debian", "bookworm", ("main", "contrib"))
    assert [source.suite for source in found[:2]] == ["bookworm", "bookworm-security"]


def test_deb822_stanzas_multiply_and_disabled_ones_do_not_count() -> None:
    found = list(parse_deb822(DEB822))
    assert [(source.uri, source.suite) for source in found] == [
        ("http://mirror.example/debian", "bookworm"),
        ("http://mirror.example/debian", "bookworm-updates"),
        ("http://second.example/debian", "bookworm"),
        ("http://second.example/debian", "bookworm-updates"),
    ]
    assert found[0].components == ("main", "contrib")


def test_the_release_is_swapped_and_the_rest_is_the_hosts(tmp_path: Path) -> None:
    # Given a host with both forms and a source that is not Debian's
    (tmp_path / "sources.list").write_text(ONE_LINE)
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d/node.sources").write_text(
        "Types: deb\nURIs: https://node.example\nSuites: nodistro\nComponents: main\n"
    )
    # When our own list is made, then it names the host's mirrors, our release and Debian's keys
    assert choose(read_sources(tmp_path)) == [
        f"deb [signed-by={KEYRING}] https://mirror.example/debian trixie main",
        f"deb [signed-by={KEYRING}] https://mirror.example/debian trixie-updates main",
        f"deb [signed-by={KEYRING}] http://security.example/debian-security trixie-security main",
    ]


def test_a_host_that_is_not_debian_is_told_what_to_set() -> None:
    with pytest.raises(BuildFailed) as caught:
        choose([Source("http://archive.example/ubuntu", "noble", ("main", "universe"))])
    assert "SOTY_APT_MIRROR" in (caught.value.cure or "")


def test_the_operators_mirror_wins_and_must_be_one() -> None:
    assert choose([], "http://m.example/debian http://m.example/debian-security")[2].endswith(
        "/debian-security trixie-security main"
    )
    with pytest.raises(BuildFailed):
        choose([], "m.example/debian")


def test_fresh_package_lists_are_used_where_they_are_now_after_the_folder_got_another_path(tmp_path: Path) -> None:
    # Given lists that were fetched a moment ago, under another path
    mirror = "http://127.0.0.1:9/debian"
    lines = "".join(f"{line}\n" for line in choose(read_sources(), mirror))
    (tmp_path / "old").mkdir()
    (tmp_path / "old/lists.stamp").write_text(lines)
    Apt(tmp_path / "old", mirror).refresh()
    # When the folder is moved
    (tmp_path / "old").rename(tmp_path / "new")
    Apt(tmp_path / "new", mirror).refresh()
    # Then apt reads them there, without the network
    settings = (tmp_path / "new/apt.conf").read_text()
    assert str(tmp_path / "new/lists") in settings
    assert str(tmp_path / "old") not in settings
