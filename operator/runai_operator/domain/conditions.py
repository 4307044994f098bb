"""Reads the conditions of a raw status."""

from __future__ import annotations

from typing import Any

_REQUIRED = frozenset({"type", "status", "reason", "message", "lastTransitionTime"})
"""By the schema of this version; a status may have been stored under another one."""


def condition(status: Any, kind: str) -> dict[str, Any] | None:
    """The condition of type `kind`; None when it is absent, or lacks what each must have."""
    entries: list[dict[str, Any]] = status.get("conditions") or []
    return next((entry for entry in entries if entry.get("type") == kind and entry.keys() >= _REQUIRED), None)
