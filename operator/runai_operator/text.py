"""Text for people: bounded, on one line, and without what is not for them."""

from __future__ import annotations

import re

FIELD_PATH = re.compile(r"\b(?:metadata|spec)(?:\.[A-Za-z][A-Za-z0-9]{0,62}|\[[0-9]{1,4}\])+")


def clip(text: str, limit: int) -> str:
    """`text` in at most `limit` characters, with an ellipsis where something was cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def one_line(text: str) -> str:
    """`text` on one line, with a space for whatever cannot be printed."""
    return "".join(char if char.isprintable() else " " for char in " ".join(text.split()))


def field_paths(text: str, limit: int = 256) -> str:
    """The fields of a manifest that `text` names: what may be kept of a text that may quote their values."""
    return clip(", ".join(dict.fromkeys(FIELD_PATH.findall(text))), limit)
