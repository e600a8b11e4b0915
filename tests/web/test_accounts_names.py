"""Names that could be taken for one another, or that break pages, are refused (W07)."""

from __future__ import annotations

import pytest

from app.accounts import names


@pytest.mark.parametrize(
    "name", ["Анна", "Jean-Luc", "О'Брайен", "Nguyễn Văn", "user_1", "José", "Jose\u0301", "नमस्ते", "Иван Smith"]
)
def test_it_takes_the_names_that_people_have(name: str) -> None:
    assert names.fault(name) is None


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", "name-short"),
        ("   ", "name-short"),
        ("x", "name-short"),
        ("x" * 41, "name-long"),
        ("x" * 10_000, "name-long"),
        ("ad\u200bmin", "name-characters"),
        ("ad\u00admin", "name-characters"),
        ("abc\u202edef", "name-characters"),
        ("ad\x00min", "name-characters"),
        ("two\nlines", "name-characters"),
        ("<b>bold</b>", "name-characters"),
        ("👩‍💻 dev", "name-characters"),
        ("Z\u0351\u0352\u0353algo", "name-characters"),
        ("...", "name-characters"),
        ("аdmin", "name-mixed"),
        ("раypal", "name-mixed"),
    ],
)
def test_it_refuses_a_name_that_deceives_or_breaks(name: str, code: str) -> None:
    assert names.fault(name) == code


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("admin", "ADMIN"),
        ("admin", " admin "),
        ("admin", "ＡＤＭＩＮ"),
        ("Артём", "Артем"),
        ("ace", "асе"),  # the second is Cyrillic
        ("Анна  Ли", "Анна Ли"),
        ("José", "Jose\u0301"),
    ],
)
def test_names_that_look_the_same_collide(one: str, other: str) -> None:
    assert names.key(one) == names.key(other)


def test_different_people_do_not_collide() -> None:
    assert len({names.key(name) for name in ("Анна", "Инна", "Anna", "Hanna", "Яна", "Ёла", "Алла")}) == 7
