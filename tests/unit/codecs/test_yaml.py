"""YAML is read as kubectl reads it, and never costs more than it says."""

from __future__ import annotations

import json
import os
import subprocess
import time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane import binaries
from runai_operator.codecs.json import Unreadable
from runai_operator.codecs.yaml import FULL_NODES, QUICK_NODES, TooMany, dump_yaml, read_yaml

SCALARS = """\
0 7 -7 +7 017 0o17 0O17 08 09 0x1F 0X1f -0x1F 0b101 0b2 1_000 0x_ff _1 1__0 9223372036854775807 9223372036854775808
18446744073709551615 18446744073709551616 -9223372036854775808 -9223372036854775809 12345678901234567890123
1.5 -1.5 +1.5 1. .5 -.5 1e3 1E3 1e-3 1.5e3 1e400 1.e3 .e3 1_0.5 1.0 -0 -0.0 0.1 100000000000000000000.0 1e21 1e20
y Y yes Yes YES yEs n N no No NO true True TRUE tRue false False FALSE on On ON off Off OFF t f
~ null Null NULL nUll none
2020-01-01 2020-01-01T00:00:00Z 1:30:00 1:30 12:30:45.5 190:20:30
0.0.0.0 1.2.3 v1 1Gi 500m 0x 0b 0o - + . .. ... -- 1-2 a:b <<x ! = "" '' "017" '1' "yes" "\\u00e9" 'it''s'
!!str 017 !!str yes !!int "3" !!int 017 !!float 3 !!float "1.5" !!bool "yes" !!null "" !!timestamp 2020-01-01
!!binary aGVsbG8=
"""
DOCUMENTS = {
    "anchors and aliases": "base: &b {x: 1, y: [1, 2]}\ncopy: *b\nscalar: &s 017\nagain: *s\n",
    "merge keys": "base: &b {x: 1, y: 2}\nother: &o {y: 3, z: 4}\nm1: {<<: *b, y: 9}\nm2:\n  <<: [*b, *o]\n  q: 5\n",
    "a merge key after what it would overwrite": "base: &b {x: 1, q: 2}\nm: {q: 9, <<: *b}\n",
    "a quoted merge key is a key": 'a: {"<<": {x: 1}}\n',
    "block scalars": "a: |\n  one\n  two\nb: >-\n  one\n  two\nc: |+\n  one\n\nd: |2\n    x\n",
    "keys that are no strings": "a: {1: x, 0x10: y, true: z, no: w, 1.5: v, 2020-01-01: u, 017: t}\n",
    "an empty value, list and mapping": "a:\nb: []\nc: {}\nd: [~, '']\n",
    "flow and comments": "a: [1, {b: 2}, [3]] # comment\nb: {c: 'd # no comment'}\n",
    "a document marker": "---\na: 1\n...\n",
    "tabs and escapes": 'a: "x\\ty\\n"\nb: "\\x41\\u263A"\n',
    "multi-line plain": "a: one\n  two\n\n  three\n",
    "unicode": "ключ: значение 😀\n",
    "complex keys in quotes": '"a b": 1\n? c\n: d\n',
    "windows line ends": "a: 1\r\nb: |\r\n  x\r\n  y\r\n",
}


@pytest.fixture(scope="module")
def kubectl_reads():
    """A function that has kubectl read a document, without any server."""
    kubectl = binaries.require("kubectl")

    def read(text: str):
        done = subprocess.run(
            [kubectl, "label", "--local", "--filename=-", "--output=json", "read=yes"],
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "KUBECONFIG": os.devnull},
            check=True,
        )
        return json.loads(done.stdout)

    return read


def wrapped(body: str) -> str:
    indented = "".join(f"  {line}" for line in body.splitlines(keepends=True) if not line.startswith(("---", "...")))
    return f"apiVersion: example.com/v1\nkind: Thing\nmetadata: {{name: a}}\nspec:\n{indented}"


def scalars() -> list[str]:
    """Words of the table; a tag stays with its value."""
    words: list[str] = []
    for word in SCALARS.split():
        if words and words[-1].startswith("!") and " " not in words[-1] and words[-1] != "!":
            words[-1] += f" {word}"
        else:
            words.append(word)
    return [word for word in words if word not in ("-", "!", "...")]


def same(ours, theirs) -> bool:
    """Of one type and value; beyond 64 bits kubectl shows what a float keeps."""
    if isinstance(ours, int) and abs(ours) >= 2**63:
        return float(ours) == float(theirs)
    return ours == theirs and isinstance(ours, bool) == isinstance(theirs, bool)


def test_every_scalar_is_read_as_kubectl_reads_it(kubectl_reads):
    words = scalars()
    text = wrapped("".join(f"k{n}: {word}\n" for n, word in enumerate(words)))
    theirs, ours = kubectl_reads(text)["spec"], read_yaml(text)["spec"]
    wrong = {
        word: (ours[f"k{n}"], theirs[f"k{n}"])
        for n, word in enumerate(words)
        if not same(ours[f"k{n}"], theirs[f"k{n}"])
    }

    assert len(words) > 100
    assert wrong == {}, "word: (ours, kubectl's)"


@pytest.mark.parametrize("body", DOCUMENTS.values(), ids=DOCUMENTS)
def test_every_document_is_read_as_kubectl_reads_it(kubectl_reads, body):
    text = wrapped(body)

    assert read_yaml(text)["spec"] == kubectl_reads(text)["spec"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("", "---\n", id="a marker at the end"),
        pytest.param("# one\n---\n# two\n---\n", "---\n# three\n", id="comments between markers"),
        pytest.param("---\n~\n---\n", "---\nnull\n", id="null"),
    ],
)
def test_documents_that_hold_nothing_are_overlooked_as_kubectl_does(kubectl_reads, before, after):
    text = before + wrapped("a: 1\n") + after

    assert read_yaml(text) == read_yaml(wrapped("a: 1\n"))
    assert read_yaml(text)["spec"] == kubectl_reads(text)["spec"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("", "empty", id="nothing"),
        pytest.param("# only a comment\n", "empty", id="only a comment"),
        pytest.param("---\n---\nnull\n---\n", "empty", id="only empty documents"),
        pytest.param("---\n--- []\n---\na: 1\n", r"line 3.*more than one document", id="an empty list is a document"),
        pytest.param("--- &x\n---\na: *x\n", "alias", id="an alias to another document"),
        pytest.param("a: 1\n---\nb: 2\n", r"line 2.*more than one document", id="two documents"),
        pytest.param("a: 1\nb: 2\na: 3\n", r"line 3, column 1.*same key", id="a key twice"),
        pytest.param("1: x\n'1': y\n", "same key", id="keys that become the same"),
        pytest.param("a: .nan\n", "not finite", id="not a number"),
        pytest.param("a: [-.inf]\n", "not finite", id="infinity"),
        pytest.param("{a: b, [c]: d}", "key must be", id="a list as key"),
        pytest.param("~: x\n", "not null", id="null as key"),
        pytest.param("a: *nowhere\n", "alias", id="an alias to nothing"),
        pytest.param("a: &x [*x]\n", "alias", id="an alias to itself"),
        pytest.param("a: {<<: 3}\n", "merge key", id="merging a number"),
        pytest.param("a: [1, 2\n", "line", id="unclosed"),
        pytest.param("a: \x00b", "characters", id="a control character"),
        pytest.param("a: \ud800", "characters", id="half a surrogate pair"),
        pytest.param("a: !!int x\n", "!!int", id="a tag that does not fit"),
        pytest.param("a: !!binary '%%%'\n", "base64", id="no base64"),
        pytest.param("[" * 100_000, "deeper than 500|nesting depth", id="100,000 levels of lists"),
        pytest.param("{a: " * 100_000, "deeper than 500|nesting depth", id="100,000 levels of mappings"),
        pytest.param("- " * 100_000 + "x", "deeper than 500", id="100,000 levels of block lists"),
    ],
)
def test_unusable_yaml_is_refused_with_its_place(text, why):
    with pytest.raises(Unreadable, match=why):
        read_yaml(text)


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(bomb(20), id="a bomb of aliases"),
        pytest.param(
            "a: &a " + "x" * 100_000 + "\nb: [" + ", ".join(["*a"] * 1000) + "]", id="one long text many times"
        ),
        pytest.param(
            "\n".join(["a0: &a0 {x: 1}", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 700))]), id="depth by aliases"
        ),
    ],
)
def test_aliases_are_bounded_before_they_are_expanded(text):
    began = time.process_time()
    with pytest.raises(Unreadable, match=r"expands to more than|deeper than"):
        read_yaml(text)

    assert time.process_time() - began < 30, "a hang guard, not a measurement"


def test_slow_documents_are_told_apart_from_unusable_ones():
    text = "[" + ",".join("1" * (QUICK_NODES + 1)) + "]"

    with pytest.raises(TooMany):
        read_yaml(text, max_nodes=QUICK_NODES)
    assert len(read_yaml(text)) == QUICK_NODES + 1


def test_errors_never_quote_the_content():
    marker = "hunter2"
    for text in (f"a: {marker}\na: {marker}\n", f"a: [{marker}", f"{marker}: *{marker}\n", f"a: !!int {marker}\n"):
        with pytest.raises(Unreadable) as refused:
            read_yaml(text)

        assert marker not in str(refused.value)


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]))
KEYS = st.from_regex("key[a-zA-Z]{0,4}", fullmatch=True)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | TEXT
    | st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
@settings(max_examples=200, deadline=None)
def test_json_is_yaml_and_reads_the_same(value):
    assert read_yaml(json.dumps({"key": value})) == {"key": value}


@given(st.dictionaries(KEYS, JSON, min_size=1))
@settings(max_examples=100, deadline=None)
def test_values_written_with_tags_read_back(value):
    assert read_yaml(yaml.safe_dump(value, allow_unicode=True, default_style='"')) == value


def test_the_limit_on_values_is_far_above_what_fits_into_the_field():
    assert FULL_NODES >= 1_000_000 // 2, "a million bytes hold at most half a million values"


TEXTS = ["y", "n", "on", "Off", "~", "null", "0o17", "017", "0x1f", "1e3", "1_000", "1:30:00", "2026-01-15", ".inf", "", " a ", "a: b", "#", "- a", "a\nb\n", "a\n\n  b", "a \nb", "\n", "tab\t", "é\u2028", "<<", "=", "!x", "&a", "*a", "%", "@", "{}", "[", "'", '"']  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_text_that_is_written_is_read_as_the_same_text(text):
    value = {"key": text, "list": [text, {"inner": text}]} | ({text: 1} if text.strip() and "\n" not in text else {})

    assert read_yaml(dump_yaml(value)) == value


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1), inner, max_size=4),
    max_leaves=10,
)


@given(JSON_VALUES)
def test_whatever_is_written_is_read_as_the_same(value):
    assert read_yaml(dump_yaml({"value": value})) == {"value": value}
