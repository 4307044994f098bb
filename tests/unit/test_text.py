"""Text for people is bounded and stays on one line."""

from __future__ import annotations

import pytest

from runai_operator.text import clip, one_line


@pytest.mark.parametrize(("text", "clipped"), [("", ""), ("abc", "abc"), ("abcd", "ab…"), ("ééééé", "éé…")])
def test_what_is_cut_ends_with_an_ellipsis(text, clipped):
    assert clip(text, 3) == clipped


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a b", "a b"),
        (" a\n\tb\r\n", "a b"),
        ("a\x1b[31mb", "a [31mb"),
        ("a\u2028b\u202ec", "a b c"),
        ("ключ 😀", "ключ 😀"),
    ],
)
def test_nothing_breaks_the_line_or_moves_the_cursor(text, line):
    assert one_line(text) == line
