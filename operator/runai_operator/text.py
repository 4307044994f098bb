"""Text for people: bounded, on one line, and without what is not for them."""

from __future__ import annotations

import re

_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))} | {
    ord("\n"): "\\n",
    ord("\r"): "\\r",
    ord("\t"): "\\t",
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}

FIELD_PATH = re.compile(r"\b(?:metadata|spec)(?:\.[A-Za-z][A-Za-z0-9]{0,62}|\[[0-9]{1,4}\])+")


def clip(text: str, limit: int) -> str:
    """`text` in at most `limit` characters, with an ellipsis where something was cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def one_line(text: str) -> str:
    """`text` on one line, with a space for whatever cannot be printed."""
    return "".join(char if char.isprintable() else " " for char in " ".join(text.split()))


def escaped(text: str) -> str:
    """`text` as it is, but control characters as escapes: it can neither start a new line nor move the cursor."""
    return text.translate(_CONTROLS)


def field_paths(text: str, limit: int = 256) -> str:
    """The fields of a manifest that `text` names: what may be kept of a text that may quote their values."""
    return clip(", ".join(dict.fromkeys(FIELD_PATH.findall(text))), limit)
