"""Text for people is bounded and stays on one line."""

from __future__ import annotations

import pytest

from runai_operator.text import clip, field_paths, one_line


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


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("spec.a[0].b: Invalid value: x", "spec.a[0].b"),
        ("spec.a and spec.b, then spec.a again", "spec.a, spec.b"),
        ('metadata.labels: Invalid value: "spec"', "metadata.labels"),
        ("metadata.annotations[my-secret]: refused", "metadata.annotations"),
        ("my.secret.example.com is not spec", ""),
        ("", ""),
    ],
)
def test_of_a_text_that_may_quote_values_the_fields_can_be_kept(text, fields):
    assert field_paths(text) == fields
