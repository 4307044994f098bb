"""Streams of YAML are cut where YAML cuts them, and every value is found on its line."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runai_operator.codecs.documents import Document, documents_of, indented, wanted_line
from runai_operator.codecs.json import Unreadable
from runai_operator.codecs.yaml import dump_yaml

STREAMS = {
    "one": ("a: 1\n", [(1, {"a": 1})]),
    "a marker before": ("---\na: 1\n", [(2, {"a": 1})]),
    "several": ("a: 1\n---\n\nb: 2\n---\nc: 3", [(1, {"a": 1}), (4, {"b": 2}), (6, {"c": 3})]),
    "empty ones and comments": ("---\n# x\n---\n---\na: 1\n---\n# y\n", [(5, {"a": 1})]),
    "nothing": ("", []),
    "an end": ("a: 1\n...\n---\nb: 2\n...\n", [(1, {"a": 1}), (4, {"b": 2})]),
    "content behind a marker": ("--- {a: 1}\n--- # x\nb: 2\n", [(1, {"a": 1}), (2, {"b": 2})]),
    "directives": ("%YAML 1.1\n---\na: 1\n...\n# x\n%YAML 1.1\n---\nb: 2\n", [(3, {"a": 1}), (8, {"b": 2})]),
    "a marker within a text": ("a: |\n  x\n  ---\n  y\n", [(1, {"a": "x\n---\ny\n"})]),
    "what only begins like a marker": ("---a: 1\n", [(1, {"---a": 1})]),
    "from Windows": ("\ufeffa: 1\r\n---\r\nb: |\r\n  x\r\n", [(1, {"a": 1}), (3, {"b": "x\n"})]),
}


@pytest.mark.parametrize(("text", "found"), STREAMS.values(), ids=STREAMS)
def test_a_stream_is_cut_into_documents_with_their_lines(text, found):
    """An empty line after a marker belongs to nobody."""
    documents = list(documents_of(text))

    assert [document.read() for document in documents] == [value for _, value in found]
    lines = [document.line + len(document.text) - len(document.text.lstrip("\n")) for document in documents]
    assert lines == [line for line, _ in found]


@given(st.lists(st.dictionaries(st.text(min_size=1), st.text() | st.integers(), min_size=1), max_size=4))
def test_what_was_written_one_after_the_other_is_found_again(values):
    text = "---\n".join(dump_yaml(value) for value in values)

    assert [document.read() for document in documents_of(text)] == values
    assert text.count("\n") == sum(document.text.count("\n") for document in documents_of(text)) + max(
        len(values) - 1, 0
    )


def test_an_error_names_the_line_of_the_stream():
    *_, broken = documents_of("a: 1\n---\nb: 1\nb: 2\n")

    with pytest.raises(Unreadable, match=r"\(line 4, column 1\): the same key") as caught:
        broken.read()
    assert wanted_line(caught.value) == 4


TEXT = "# x\na:\n  b:\n  - c: 1\n  - {d: 2,\n     e: 3}\n"


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 12),
        (("a",), 12),
        (("a", "b"), 13),
        (("a", "b", 0, "c"), 14),
        (("a", "b", 1, "e"), 16),
        (("a", "nothing", "more"), 12),
        (("a", "b", 7), 13),
    ],
)
def test_a_value_is_found_on_its_line_or_on_that_of_its_parent(path, line):
    assert Document(TEXT, 11).line_of(path) == line


def test_a_document_that_cannot_be_read_is_on_its_first_line():
    assert Document("a: [", 3).line_of(["a"]) == 3


WITHOUT = {
    "a line of its own": ("m:\n  g: x # y\n  n: 1\n", "m:\n  n: 1\n"),
    "the last one": ("m:\n  g: x\n", "m:\n"),
    "beside others": ("m: {g: x, n: 1}\n", None),
    "on several lines": ("m:\n  g: >\n    x\n", None),
    "not there": ("m:\n  n: 1\n", None),
}


@pytest.mark.parametrize(("text", "left"), WITHOUT.values(), ids=WITHOUT)
def test_a_field_is_taken_out_where_it_has_lines_of_its_own(text, left):
    found = Document(text, 1).without(["m", "g"])

    assert (found and found.text) == left


@given(st.recursive(st.text(), lambda inner: st.dictionaries(st.text(min_size=1), inner), max_leaves=6))
def test_moving_a_text_to_the_right_does_not_change_what_it_says(value):
    text = dump_yaml({"value": value})

    assert yaml.safe_load(f"a:\n{indented(text, 4)}") == {"a": yaml.safe_load(text)}
