"""What a structural schema of Kubernetes says of a value: types, bounds, required and unknown fields, and defaults.

As much of OpenAPI as the CustomResourceDefinition uses; a test holds the two together. Values are not quoted, since a manifest
may hold secrets. Rules in CEL are for `commands.crd`, which has the interpreter.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runai_operator.text import clip, one_line

Path = tuple[str | int, ...]

_NAMES = {
    "object": "an object", "array": "a list", "string": "text", "integer": "a whole number", "number": "a number",
    "boolean": "true or false",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that the schema refuses."""

    path: Path
    message: str
    """The rest of a sentence that begins with the field."""


def violations(schema: Mapping[str, Any], value: Any, path: Path = ()) -> Iterator[Violation]:
    """All of them, in the order of the value. Null counts as not set, as it does to Kubernetes, which drops it."""
    if value is None and (schema.get("nullable") or path):
        return
    kind = schema.get("type", "object")
    if not _is_a(kind, value):
        yield Violation(path, f"must be {_NAMES[kind]}, not {_kind(value)}")
        return
    if (words := schema.get("enum")) and value not in words:
        yield Violation(path, f"must be {' or '.join(map(str, words))}")
    for bound, (measure, rule) in _BOUNDS.items():
        if bound in schema and not measure(value, schema[bound]):
            yield Violation(path, rule.format(f"{schema[bound]:,}" if isinstance(schema[bound], int) else ""))
    if kind == "object":
        yield from _of_fields(schema, value, path)
    elif kind == "array":
        for at, item in enumerate(value):
            yield from violations(schema.get("items", {}), item, (*path, at))


def known(schema: Mapping[str, Any], value: Any) -> Any:
    """A copy with the defaults, and without what the schema has no words for: what a rule can see."""
    if isinstance(value, dict) and "additionalProperties" not in schema:
        fields = schema.get("properties", {})
        seen = {name: known(field, value[name]) for name, field in fields.items() if value.get(name) is not None}
        defaults = {name: field["default"] for name, field in fields.items() if "default" in field and name not in seen}
        return seen | defaults
    if isinstance(value, list):
        return [known(schema.get("items", {}), item) for item in value]
    return value


def _of_fields(schema: Mapping[str, Any], value: Mapping[str, Any], path: Path) -> Iterator[Violation]:
    fields, others = schema.get("properties", {}), schema.get("additionalProperties")
    for name in schema.get("required", ()):
        if value.get(name) is None:
            yield Violation((*path, name), "is missing")
    for name, inner in value.items():
        if name in fields:
            yield from violations(fields[name], inner, (*path, name))
        elif isinstance(others, Mapping):
            yield from violations(others, inner, (*path, name))
        elif not (schema.get("x-kubernetes-preserve-unknown-fields") or others):
            nearest = difflib.get_close_matches(name, fields, n=1)
            advice = f"did you mean {nearest[0]}?" if nearest else "remove it"
            yield Violation((*path, name), f"is a field that there is not: {advice}")


_BOUNDS: Mapping[str, tuple[Callable[[Any, Any], bool], str]] = {
    "minLength": (lambda value, bound: len(value) >= bound, "must have at least {} characters"),
    "maxLength": (lambda value, bound: len(value) <= bound, "must have at most {} characters"),
    "pattern": (lambda value, bound: re.search(bound, value) is not None, "has characters that are not allowed there"),
    "minimum": (lambda value, bound: value >= bound, "must be at least {}"),
    "maximum": (lambda value, bound: value <= bound, "must be at most {}"),
    "minItems": (lambda value, bound: len(value) >= bound, "must have at least {} items"),
    "maxItems": (lambda value, bound: len(value) <= bound, "must have at most {} items"),
    "minProperties": (lambda value, bound: len(value) >= bound, "must have at least {} entries"),
    "maxProperties": (lambda value, bound: len(value) <= bound, "must have at most {} entries"),
}


def _is_a(kind: str, value: object) -> bool:
    match kind:
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list)
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, int | float) and not isinstance(value, bool)


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
    return "an object"


def shown(path: Path) -> str:
    """As people write it: `spec.manifest.metadata.labels`, `items[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{clip(one_line(part), 64)}"
    return text.removeprefix(".")
