"""Label selectors: what is taken, and which labels they select. That the API server agrees, tests/integration tells."""

from __future__ import annotations

import pytest

from runai_operator.selector import parse_selector

A, B, NONE, EMPTY = {"shard": "a"}, {"shard": "b", "team": "x"}, {}, {"shard": ""}
CASES = [
    ("shard=a", [A]),
    ("shard==a", [A]),
    ("shard = a", [A]),
    ("shard!=a", [B, NONE, EMPTY]),
    ("shard in (a,b)", [A, B]),
    ("shard in ( a , b )", [A, B]),
    ("shard notin (a)", [B, NONE, EMPTY]),
    ("shard", [A, B, EMPTY]),
    ("!shard", [NONE]),
    ("! shard", [NONE]),
    ("shard=", [EMPTY]),
    ("shard in (,a)", [A, EMPTY]),
    ("shard=b,team=x", [B]),
    ("shard, !team", [A, EMPTY]),
    ("shard notin (a), team", [B]),
    ("example.com/shard=a", []),
    ("in in (in)", []),
]


@pytest.mark.parametrize(("text", "selected"), CASES, ids=[text for text, _ in CASES])
def test_it_selects_what_the_api_server_does(text, selected):
    selector = parse_selector(text)

    assert [labels for labels in (A, B, NONE, EMPTY) if selector.matches(labels)] == selected
    assert str(selector) == text


@pytest.mark.parametrize(
    ("one", "other", "excludes"),
    [
        ("shard=a", "shard!=a", True),
        ("shard=a", "shard=b", True),
        ("shard", "!shard", True),
        ("shard=a", "!shard", True),
        ("shard in (a,b)", "shard notin (a,b,c)", True),
        ("team=x,shard=a", "shard=b", True),
        ("shard in (a,b)", "shard!=a", False),
        ("shard", "shard!=a", False),
        ("shard=a", "shard", False),
        ("!shard", "shard!=a", False),
        ("shard!=a", "shard!=b", False),
        ("shard=a", "team=x", False),
    ],
)
def test_two_exclude_each_other_where_no_object_can_have_the_labels_of_both(one, other, excludes):
    first, second = parse_selector(one), parse_selector(other)

    assert (first.excludes(second), second.excludes(first)) == (excludes, excludes)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ",",
        "a,",
        "a,,b",
        "=a",
        "a=b c",
        "a in b",
        "a in ()b",
        "a in (b",
        "a notin",
        "-a=b",
        "a=-b",
        "a/b/c",
        "a>1",
        "ä",
    ],
)
def test_what_is_no_selector_is_refused_so_that_nothing_is_selected_by_mistake(text):
    with pytest.raises(ValueError, match=r"cannot be read at character \d+: write it as for kubectl"):
        parse_selector(text)
