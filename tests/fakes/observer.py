"""An observer for tests that are not about metrics."""

from __future__ import annotations

from typing import Any


class SilentObserver:
    """Keeps the last of everything that it hears, and counts the bugs, since no test expects one."""

    def __init__(self) -> None:
        self.bugs = 0
        self.last: dict[str, tuple[Any, ...]] = {}

    def bug(self) -> None:
        self.bugs += 1

    def __getattr__(self, name: str) -> Any:
        return lambda *args: self.last.update({name: args})
