"""`decode_json` takes ordinary JSON and answers everything else with `Unreadable`."""

from __future__ import annotations

import json

import pytest

from runai_operator.codecs.json import MAX_DEPTH, TooDeep, Unreadable, cut, decode_json


def nested(levels: int) -> bytes:
    return b'{"a":' * (levels - 1) + b"{}" + b"}" * (levels - 1)


@pytest.mark.parametrize(
    "value",
    [None, 1, -1.5, "text", "ünïcödé 😀", [], {}, {"a": [1, {"b": None}]}, {str(i): [] for i in range(2000)}],
    ids=lambda value: f"{type(value).__name__} {str(value)[:20]}",
)
def test_whatever_json_dumps_writes_is_read(value):
    assert decode_json(json.dumps(value).encode()) == value
    assert decode_json(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(nested(MAX_DEPTH + 1), "nested deeper than 500 levels", id="one level too deep"),
        pytest.param(nested(50_000), "nested deeper than 500 levels", id="deeper than Python's own parser goes"),
        pytest.param(b"[" * 600 + b"]" * 600, "nested deeper than 500 levels", id="lists too deep"),
        pytest.param(b"[" * 50_000, "nested deeper than 500 levels", id="deep and never closed"),
        pytest.param(b"", "not JSON: Expecting value at character 0", id="nothing"),
        pytest.param(b"<html>secret</html>", "not JSON: Expecting value at character 0", id="a proxy's page"),
        pytest.param(b'{"a": 1', "not JSON: Expecting ',' delimiter at character 7", id="cut off"),
        pytest.param(b'"\xff"', "not UTF-8 at byte 1", id="not UTF-8"),
        pytest.param('{"a": 1}'.encode("utf-16"), "not UTF-8 at byte 0", id="UTF-16"),
        pytest.param(b'{"a": NaN}', "NaN is not a JSON number", id="NaN"),
        pytest.param(b"[-Infinity]", "-Infinity is not a JSON number", id="minus infinity"),
        pytest.param(b"1e999", "a number is too large", id="a number that would become infinite"),
        pytest.param(b"1" * 5000, "a number has too many digits", id="an integer beyond Python's limit"),
    ],
)
def test_unreadable_json_is_refused_with_its_reason(data, why):
    with pytest.raises(Unreadable) as caught:
        decode_json(data)

    assert str(caught.value) == why


def test_the_deepest_allowed_nesting_is_read():
    assert json.dumps(decode_json(nested(MAX_DEPTH)), separators=(",", ":")).encode() == nested(MAX_DEPTH)


def test_a_lone_surrogate_becomes_a_question_mark_and_a_pair_a_character():
    assert decode_json(rb'{"half": "a\ud83db", "whole": "\ud83d\ude00"}') == {"half": "a?b", "whole": "😀"}


DEEP = b"[" * 50_000 + b"]" * 50_000


@pytest.mark.parametrize(
    ("data", "paths", "left"),
    [
        pytest.param(b'{"a": %b, "b": 1}', ["a"], {"a": None, "b": 1}, id="at the top"),
        pytest.param(b'{"s": {"m": {"x": %b}, "n": 2}}', ["s.m"], {"s": {"m": None, "n": 2}}, id="a level below"),
        pytest.param(
            b'{"items": [{"f": %b, "g": 1}, {"g": 2}, {"f": [%b]}]}',
            ["items.*.f"],
            {"items": [{"f": None, "g": 1}, {"g": 2}, {"f": None}]},
            id="in every item of a list",
        ),
        pytest.param(
            rb'{"t": "\"a\": [{", "\"a": "}", "a" : %b, "z": "]"}',
            ["a"],
            {"t": '"a": [{', '"a': "}", "a": None, "z": "]"},
            id="strings with quotes and brackets confuse nothing",
        ),
        pytest.param(
            b'{"a": %b, "b": {"a": [3]}}', ["a"], {"a": None, "b": {"a": [3]}}, id="not the same key elsewhere"
        ),
        pytest.param(b'{"a": %b, "b": %b, "c": 4}', ["b", "a"], {"a": None, "b": None, "c": 4}, id="several paths"),
    ],
)
def test_cut_removes_only_the_unreadable_parts(data, paths, left):
    with pytest.raises(TooDeep):
        decode_json(data.replace(b"%b", DEEP))

    assert decode_json(cut(data.replace(b"%b", DEEP), *paths)) == left


@pytest.mark.parametrize("data", [b"", b"]]}}", b'{"a": [', b'{"a": "', b"<html>[{</html>", b'{"a"'])
def test_cut_does_not_turn_garbage_into_json(data):
    with pytest.raises(Unreadable):
        decode_json(cut(data, "a"))
