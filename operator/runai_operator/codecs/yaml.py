"""YAML as kubectl reads it, from people who may not wish us well.

Scalars follow the rules of kubectl's reader (YAML 1.1 as Go's library has it: `on` is true, `0o17` and `017` are 15,
dates and `1:30:00` stay strings). libyaml supplies the events; the values are built here without recursion, so that
depth costs nothing, and what aliases expand to is counted before anything is expanded.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from runai_operator.codecs.json import MAX_DEPTH, Unreadable, decode_json

QUICK_NODES = 20_000
"""Values that are read in a few hundredths of a second."""
FULL_NODES = 1_000_000
EXPANDED_CHARACTERS = 3_000_000
"""Text in all scalars after aliases are expanded; more could not be submitted anyhow."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_TRUE = frozenset({"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"})
_FALSE = frozenset({"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"})
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_INTEGER = re.compile(
    r"(?P<sign>[-+]?)(0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<bin>[01]+)|0[oO]?(?P<oct>[0-7]+)|(?P<dec>0|[1-9][0-9]*))"
)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_BAD_CHARACTERS = "the YAML cannot be read: it holds characters that YAML does not allow"
_PREFIX = "tag:yaml.org,2002:"
_BASES = {"hex": 16, "bin": 2, "oct": 8, "dec": 10}


class TooMany(Exception):
    """The text holds more values than the caller wanted to read, and may be fine."""


def read_yaml(text: str, *, max_nodes: int = FULL_NODES) -> Any:
    """The one document of `text` as JSON values; as kubectl does, it overlooks documents that hold nothing.

    Raises `Unreadable` with line and column, never with content, and `TooMany` when it holds more than `max_nodes`
    values and `max_nodes` is less than what is allowed at all.
    """
    reader = _Reader(max_nodes)
    try:
        for event in _events(text):
            reader.take(event)
    except yaml.YAMLError as error:
        if text.lstrip().startswith("{"):
            return _read_json(text, error)
        raise _syntax_error(error) from None
    except UnicodeEncodeError:
        raise Unreadable(_BAD_CHARACTERS) from None
    if reader.value is None:
        raise Unreadable("the YAML is empty: give one Kubernetes object")
    return reader.value


def dump_yaml(value: Any) -> str:
    """JSON values as YAML that `read_yaml`, and so kubectl, reads as the same; keys in the order given."""
    text: str = yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, default_flow_style=False, allow_unicode=True, width=120
    )
    return text


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # no annotations
    def ignore_aliases(self, _: Any) -> bool:
        return True

    def text(self, text: str) -> Any:
        """Quoted where kubectl would read something else than text, and as a block where it has several lines."""
        style = "|" if "\n" in text.rstrip("\n") else "'" if not text or _is_no_text(text) else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _Dumper.text)


def _is_no_text(text: str) -> bool:
    return (
        text in _NULL | _TRUE | _FALSE
        or bool(_NOT_FINITE.fullmatch(text))
        or not isinstance(_number(text.replace("_", ""), text), str)
    )


def _read_json(text: str, error: yaml.YAMLError) -> Any:
    """JSON that libyaml does not take (escaped surrogate pairs), as kubectl reads what begins like JSON."""
    try:
        return decode_json(text.encode(), max_depth=MAX_DEPTH)
    except (Unreadable, UnicodeEncodeError):
        raise _syntax_error(error) from None


def _syntax_error(error: yaml.YAMLError) -> Unreadable:
    if not isinstance(error, yaml.MarkedYAMLError):
        return Unreadable(_BAD_CHARACTERS)
    mark = error.problem_mark or error.context_mark
    return Unreadable(f"the YAML cannot be read{_at(mark)}: {error.problem or 'syntax error'}")


def _events(text: str) -> Iterator[Any]:
    events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
    return events


@dataclass(slots=True)
class _Size:
    """What a value expands to."""

    nodes: int = 0
    characters: int = 0


@dataclass(slots=True)
class _Open:
    """A container that is being read."""

    value: Any
    anchor: str | None
    before: _Size
    key: Any = None
    has_key: bool = False
    height: int = 1
    own_keys: set[str] = field(default_factory=set)
    """Keys that stand in the mapping itself, as opposed to merged ones."""


_MERGE = object()
"""The key `<<`."""


class _Reader:
    def __init__(self, max_nodes: int) -> None:
        self.value: Any = None
        self._max_nodes = max_nodes
        self._size = _Size()
        self._open: list[_Open] = []
        self._document: Any = None
        self._anchors: dict[str, tuple[Any, _Size, int]] = {}

    def take(self, event: Any) -> None:
        """One event of the parser."""
        match event:
            case yaml.DocumentStartEvent():
                self._document = event
                self._anchors.clear()
            case yaml.ScalarEvent():
                self._count(event, 1, len(event.value))
                value = _scalar(event, as_key=self._expects_key())
                if event.anchor:
                    self._anchors[event.anchor] = (value, _Size(1, len(event.value)), 0)
                self._put(event, value, 0)
            case yaml.AliasEvent():
                self._alias(event)
            case yaml.MappingStartEvent():
                self._begin(event, {})
            case yaml.SequenceStartEvent():
                self._begin(event, [])
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._end(event)

    def _expect_first_document(self) -> None:
        if self.value is not None:
            _fail(self._document, "there is more than one document: make one RunaiWorkload for each of them")

    def _expects_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].value, dict) and not self._open[-1].has_key

    def _begin(self, event: Any, value: Any) -> None:
        if self._expects_key():
            _fail(event, "a key must be a string, a number or a boolean")
        if len(self._open) >= MAX_DEPTH:
            _fail(event, f"it is nested deeper than {MAX_DEPTH} levels")
        if not self._open:
            self._expect_first_document()
        self._count(event, 1, 0)
        if event.anchor:
            self._anchors.pop(event.anchor, None)
        self._open.append(_Open(value, event.anchor, _Size(self._size.nodes - 1, self._size.characters)))

    def _end(self, event: Any) -> None:
        done = self._open.pop()
        if done.anchor:
            size = _Size(self._size.nodes - done.before.nodes, self._size.characters - done.before.characters)
            self._anchors[done.anchor] = (done.value, size, done.height)
        self._put(event, done.value, done.height)

    def _alias(self, event: Any) -> None:
        if any(container.anchor == event.anchor for container in self._open) or event.anchor not in self._anchors:
            _fail(event, "an alias refers to something that is not complete or not there")
        value, size, height = self._anchors[event.anchor]
        if len(self._open) + height > MAX_DEPTH:
            _fail(event, f"it is nested deeper than {MAX_DEPTH} levels")
        self._count(event, size.nodes, size.characters)
        if self._expects_key():
            if isinstance(value, dict | list):
                _fail(event, "a key must be a string, a number or a boolean")
            value = _key(event, value)
        self._put(event, value, height)

    def _put(self, event: Any, value: Any, height: int) -> None:
        if not self._open:
            if value is not None:
                self._expect_first_document()
                self.value = value
            return
        parent = self._open[-1]
        parent.height = max(parent.height, height + 1)
        if isinstance(parent.value, list):
            parent.value.append(value)
        elif not parent.has_key:
            if value in parent.own_keys:
                _fail(event, "the same key stands twice in one mapping")
            if value is not _MERGE:
                parent.own_keys.add(value)
            parent.key, parent.has_key = value, True
        else:
            if parent.key is _MERGE:
                for source in reversed(_merge_sources(event, value)):
                    parent.value.update(source)
            else:
                parent.value[parent.key] = value
            parent.has_key = False

    def _count(self, event: Any, nodes: int, characters: int) -> None:
        self._size.nodes += nodes
        self._size.characters += characters
        if self._size.nodes > self._max_nodes:
            if self._max_nodes < FULL_NODES:
                raise TooMany(f"the YAML holds more than {self._max_nodes} values")
            _fail(event, f"it expands to more than {FULL_NODES:,} values")
        if self._size.characters > EXPANDED_CHARACTERS:
            _fail(event, f"it expands to more than {EXPANDED_CHARACTERS:,} characters")


def _merge_sources(event: Any, value: Any) -> list[Any]:
    sources = value if isinstance(value, list) else [value]
    if not all(isinstance(source, dict) for source in sources):
        _fail(event, "the merge key << takes a mapping or a list of mappings")
    return sources


def _scalar(event: Any, *, as_key: bool) -> Any:
    plain = event.implicit[0] and not event.style
    if as_key and plain and event.value == "<<":
        return _MERGE
    value = _resolve(event, event.value) if plain else _tagged(event)
    return _key(event, value) if as_key else value


def _tagged(event: Any) -> Any:
    tag = (event.tag or "").removeprefix(_PREFIX)
    if event.tag is None or not event.tag.startswith(_PREFIX) or tag in ("str", "timestamp"):
        return event.value
    if tag == "binary":
        try:
            return base64.b64decode("".join(event.value.split()), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError, ValueError):
            _fail(event, "a !!binary value is not base64 of text")
    value = _resolve(event, event.value)
    kinds: dict[str, tuple[type, ...]] = {"int": (int,), "float": (float, int), "bool": (bool,), "null": (type(None),)}
    if tag == "float" and type(value) is int:
        return float(value)
    if tag in kinds and isinstance(value, kinds[tag]) and (tag == "bool" or not isinstance(value, bool)):
        return value
    return _fail(event, f"a value cannot be read as !!{tag if tag in kinds else 'that tag'}")


def _resolve(event: Any, text: str) -> Any:
    """A plain scalar, as kubectl takes it."""
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if text[0] not in "+-.0123456789":
        return text
    if _NOT_FINITE.fullmatch(text):
        _fail(event, "a number is not finite, which JSON does not have: put it in quotes if it is text")
    return _number(text.replace("_", ""), text)


def _number(digits: str, text: str) -> Any:
    if found := _INTEGER.fullmatch(digits):
        base, number = next((_BASES[name], found[name]) for name in _BASES if found[name] is not None)
        if len(number) <= 20 and -(2**63) <= (value := int(found["sign"] + number, base)) < 2**64:
            return value
    if _FLOAT.fullmatch(digits):
        as_float = float(digits)
        if math.isfinite(as_float):
            return int(as_float) if as_float.is_integer() and abs(as_float) < 1e21 else as_float
    return text


def _key(event: Any, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return _fail(event, "a key must be a string, a number or a boolean, not null")


def _fail(event: Any, why: str) -> NoReturn:
    raise Unreadable(f"the YAML cannot be used{_at(event.start_mark)}: {why}")


def _at(mark: Any) -> str:
    return f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
