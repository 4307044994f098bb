"""Text for people: bounded, and on one line."""

from __future__ import annotations


def clip(text: str, limit: int) -> str:
    """`text` in at most `limit` characters, with an ellipsis where something was cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def one_line(text: str) -> str:
    """`text` on one line, with a space for whatever cannot be printed."""
    return "".join(char if char.isprintable() else " " for char in " ".join(text.split()))
