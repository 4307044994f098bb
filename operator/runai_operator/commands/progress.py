"""Shows how a command gets on: a line for each object that is kept up to date on a terminal, else a line for each change."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from runai_operator.text import clip, escaped

if TYPE_CHECKING:
    from runai_operator.commands.waiting import Standing

_UP, _CLEAR = "\x1b[{}A\r", "\x1b[J"


class Progress:
    """On standard error. `close` takes the lines of a terminal away again: what counts is in the result."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._drawn = 0
        self._last: dict[str, Standing] = {}

    def show(self, standings: Mapping[str, Standing]) -> None:
        """By the name of the object."""
        changed = {name: standing for name, standing in standings.items() if self._last.get(name) != standing}
        self._last |= changed
        if self._live:
            self._draw([_line(name, standing) for name, standing in standings.items()])
        elif changed:
            sys.stderr.write("".join(f"{_line(name, standing)}\n" for name, standing in changed.items()))
            sys.stderr.flush()

    def close(self) -> None:
        if self._live:
            self._draw([])

    def _draw(self, lines: list[str]) -> None:
        width, height = shutil.get_terminal_size()
        room = max(1, height - 2)
        if len(lines) > room:
            lines = [*lines[: room - 1], f"and {len(lines) - room + 1} more"]
        up = _UP.format(self._drawn) if self._drawn else ""
        sys.stderr.write(up + _CLEAR + "".join(f"{clip(line, width - 1)}\n" for line in lines))
        sys.stderr.flush()
        self._drawn = len(lines)


def _line(name: str, standing: Standing) -> str:
    return escaped(f"{name}: {standing.reason}: {standing.words}")
