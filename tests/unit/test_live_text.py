"""P11: what a service prints cannot act on a page or a terminal."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from app.live.text import TextOf


@given(st.binary(max_size=300), st.integers(0, 300))
def test_however_it_is_cut_no_control_character_but_newline_and_tab_comes_through(data: bytes, cut: int) -> None:
    text = TextOf()
    whole = text.feed(data[:cut]) + text.feed(data[cut:])
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", whole)
    assert whole == TextOf().feed(data)


@given(st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=100), st.integers(0, 400))
def test_text_comes_through_as_it_is(words: str, cut: int) -> None:
    data = words.encode()
    text = TextOf()
    assert text.feed(data[:cut]) + text.feed(data[cut:]) == words


@given(st.integers(0, 60))
def test_colours_are_left_out_however_they_are_cut(cut: int) -> None:
    data = b"\x1b[31m\x1b[1mWARNING:\x1b[0m [33m is text \x1b[2K\x1b[38;5;214mhere\x1b[m"
    text = TextOf()
    assert text.feed(data[:cut]) + text.feed(data[cut:]) == "WARNING: [33m is text here"
