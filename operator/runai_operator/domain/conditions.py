"""Reads the conditions of a raw status."""

from __future__ import annotations

from typing import Any


def condition(status: Any, kind: str) -> dict[str, Any] | None:
    """The condition of type `kind`; None when it is absent."""
    found: list[dict[str, Any]] = [entry for entry in status.get("conditions") or () if entry.get("type") == kind]
    return found[0] if found else None
