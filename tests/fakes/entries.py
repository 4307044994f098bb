"""How much something of the operator remembers."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any


def entries(root: object) -> Counter[str]:
    """The containers that hang at an object of the operator, and how many entries each has; one name for all that hang in the
    same place."""
    found = Counter[str]()
    for path, count in _contained(root, "", set()):
        found[path] += count
    return found


def _contained(value: Any, path: str, seen: set[int]) -> Iterator[tuple[str, int]]:
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, Mapping | AbstractSet | list | deque):
        yield path, len(value)
        for inner in list(value.values() if isinstance(value, Mapping) else value):
            yield from _contained(inner, f"{path}[]", seen)
    elif type(value).__module__.startswith("runai_operator"):
        for name in sorted({*getattr(value, "__dict__", ()), *getattr(type(value), "__slots__", ())}):
            yield from _contained(getattr(value, name, None), f"{path}.{name}", seen)
