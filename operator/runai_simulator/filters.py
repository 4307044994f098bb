"""`filterBy`, `sortBy`, paging and `search` of the lists."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from runai_simulator.rules import Refused

Json = dict[str, Any]

MAX_LIMIT = 500
DEFAULT_LIMIT = 50
DATES = frozenset({"createdAt", "deletedAt", "completedAt", "phaseUpdatedAt", "guaranteedRuntimeEndsAt"})
NUMBERS = frozenset({
    "priority", "allocatedGPU", "idleGpus", "idleAllocatedGpus", "totalPendingTimeSeconds", "totalRunningTimeSeconds",
})  # fmt: skip
WORKLOAD_FIELDS = DATES | NUMBERS | {
    "type", "name", "clusterId", "projectId", "projectName", "departmentId", "departmentName", "submittedBy", "phase",
    "nodepool", "distributedFramework", "category", "priorityClassName", "aiApplicationId", "aiApplicationName",
}  # fmt: skip
PROJECT_FIELDS = frozenset({"name", "clusterId", "departmentId", "parentId", "parentName", "phase", "createdAt"})
SEARCHED = ("name", "projectName", "type", "phase")

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "=@": lambda value, text: text in value,
    "!@": lambda value, text: text not in value,
    "=^": lambda value, text: value.startswith(text),
    "=$": lambda value, text: value.endswith(text),
}
_ORDERED = ("==", "!=", "<=", ">=")
"""What goes with dates and numbers."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One item of `filterBy`; `wanted` is a datetime, a float or a string, as its field is."""

    field: str
    symbol: str
    wanted: Any

    def holds(self, item: Json) -> bool:
        value = value_of(item, self.field)
        if value is None:
            return self.symbol in ("!=", "!@")
        return _OPERATORS[self.symbol](value, self.wanted)


@dataclass(frozen=True, slots=True)
class Query:
    """What a list was asked for."""

    conditions: tuple[Condition, ...]
    search: str
    sort_by: str
    descending: bool
    offset: int
    limit: int
    all_hold: bool = True
    """What matches fulfils all conditions; else one is enough."""

    def matches(self, item: Json) -> bool:
        if self.search and not any(self.search in str(item.get(field) or "") for field in SEARCHED):
            return False
        held = (condition.holds(item) for condition in self.conditions)
        return all(held) if self.all_hold or not self.conditions else any(held)

    def sort_key(self, item: Json) -> tuple[bool, Any]:
        """What has no value comes first."""
        value = value_of(item, self.sort_by)
        return value is not None, "" if value is None else value

    def page(self, items: Iterable[Any]) -> tuple[list[Any], int | None]:
        """The asked part of what matches, in order; and the offset of the next."""
        end = self.offset + self.limit
        found = list(islice(items, self.offset, end + 1))
        return found[: self.limit], end if len(found) > self.limit else None


def read(query: Mapping[str, str], fields: frozenset[str], *, all_hold: bool = True) -> Query:
    """Raises `Refused` with 400 for what is outside of the documented."""
    sort_by = query.get("sortBy", "")
    if sort_by and sort_by not in fields:
        raise Refused(400, f"sortBy: {sort_by} is not supported")
    if query.get("sortOrder", "asc") not in ("asc", "desc"):
        raise Refused(400, "sortOrder is asc or desc")
    return Query(
        conditions=tuple(_condition(text, fields) for text in query.get("filterBy", "").split(",") if text),
        search=query.get("search", ""),
        sort_by=sort_by,
        descending=query.get("sortOrder") == "desc",
        offset=_number(query, "offset", 0, 0, 2**31 - 1),
        limit=_number(query, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT),
        all_hold=all_hold,
    )


def select(items: Iterable[Json], asked: Query) -> tuple[list[Json], int | None]:
    """The page of `items` that the query asks for, and the offset of the next."""
    found = [item for item in items if asked.matches(item)]
    if asked.sort_by:
        found.sort(key=asked.sort_key, reverse=asked.descending)
    return asked.page(found)


def value_of(item: Json, field: str) -> Any:
    """A field as it compares: dates as datetimes, numbers as floats, all else as strings; None where it is absent."""
    value = (item.get("allocatedResources") or {}).get("gpu") if field == "allocatedGPU" else item.get(field)
    if value is None:
        return None
    if field in DATES:
        return _date(str(value))
    return float(value) if field in NUMBERS else str(value)


def _condition(text: str, fields: frozenset[str]) -> Condition:
    place, symbol = min(((text.find(symbol), symbol) for symbol in _OPERATORS if symbol in text), default=(-1, ""))
    field, wanted = text[:place], text[place + 2 :]
    if place < 1 or field not in fields or not wanted:
        raise Refused(400, f"filterBy: cannot be understood near {text[:40]!r}")
    if field not in DATES | NUMBERS:
        return Condition(field, symbol, wanted)
    if symbol not in _ORDERED:
        raise Refused(400, f"filterBy: {symbol} does not go with {field}")
    try:
        return Condition(field, symbol, _date(wanted) if field in DATES else float(wanted))
    except ValueError:
        kind = "a date must be ISO 8601" if field in DATES else "a number is needed"
        raise Refused(400, f"filterBy: {kind}, not {wanted[:40]!r}") from None


def _date(text: str) -> datetime:
    """In UTC, also where it does not say. Raises `ValueError`."""
    found = datetime.fromisoformat(text)
    try:
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError("before or after all dates") from None


def _number(query: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) <= 10 and low <= int(text) <= high):
        raise Refused(400, f"{name} must be a number from {low} to {high}")
    return int(text)
