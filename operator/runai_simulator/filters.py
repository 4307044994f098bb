"""`filterBy`, `sortBy`, paging and `search` of the lists."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from runai_simulator.rules import Refused

Json = dict[str, Any]

MAX_LIMIT = 500
DEFAULT_LIMIT = 50
DATES = frozenset({"createdAt", "deletedAt", "completedAt", "phaseUpdatedAt"})
WORKLOAD_FIELDS = DATES | {
    "type", "name", "clusterId", "projectId", "projectName", "departmentId", "departmentName", "submittedBy", "phase",
    "nodepool", "distributedFramework", "allocatedGPU", "idleGpus", "idleAllocatedGpus", "category", "priority",
    "totalPendingTimeSeconds", "totalRunningTimeSeconds", "priorityClassName", "guaranteedRuntimeEndsAt",
    "aiApplicationId", "aiApplicationName",
}  # fmt: skip
PROJECT_FIELDS = frozenset({"name", "clusterId", "departmentId", "parentId", "parentName", "phase", "createdAt", "id"})

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


def select(items: Iterable[Json], query: Mapping[str, str], fields: frozenset[str]) -> tuple[list[Json], int | None]:
    """The page of `items` that the query asks for, and the offset of the next. Raises `Refused` with 400."""
    found = [item for item in items if _matches(item, query.get("search", ""))]
    for text in filter(None, query.get("filterBy", "").split(",")):
        keep = _filter(text, fields)
        found = [item for item in found if keep(item)]
    sort_by = query.get("sortBy")
    if sort_by:
        if sort_by not in fields:
            raise Refused(400, f"sortBy: {sort_by} is not supported")
        found.sort(key=lambda item: str(item.get(sort_by) or ""), reverse=query.get("sortOrder") == "desc")
    offset = _number(query, "offset", 0, 0, 2**31 - 1)
    limit = _number(query, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    following = offset + limit
    return found[offset:following], following if following < len(found) else None


def _matches(item: Json, search: str) -> bool:
    return not search or any(search in str(item.get(field) or "") for field in ("name", "projectName", "type", "phase"))


def _filter(text: str, fields: frozenset[str]) -> Callable[[Json], bool]:
    place, symbol = min(((text.find(symbol), symbol) for symbol in _OPERATORS if symbol in text), default=(-1, ""))
    field, wanted = text[:place], text[place + 2 :]
    if place < 1 or field not in fields:
        raise Refused(400, f"filterBy: cannot be understood near {text[:40]!r}")
    if field in DATES:
        if symbol not in ("==", "!=", "<=", ">="):
            raise Refused(400, f"filterBy: {symbol} does not go with a date")
        moment = _date(wanted)
        return lambda item: bool(item.get(field)) and _OPERATORS[symbol](_date(item[field]), moment)
    return lambda item: _OPERATORS[symbol](str(item.get(field) if item.get(field) is not None else ""), wanted)


def _date(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise Refused(400, "filterBy: a date must be ISO 8601") from None


def _number(query: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = query.get(name, str(default))
    if not text.isdecimal() or not low <= int(text) <= high:
        raise Refused(400, f"{name} must be a number from {low} to {high}")
    return int(text)
