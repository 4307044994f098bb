"""The event loop of a history: virtual time, in which things of the same moment happen in the order in which they were planned."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from itertools import count
from typing import Any

import looptime


class _Planned(asyncio.TimerHandle):
    __slots__ = ("_number",)

    def __init__(self, number: int, *planned: Any) -> None:
        super().__init__(*planned)
        self._number = number

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, _Planned):
            return NotImplemented
        return (self.when(), self._number) < (other.when(), other._number)


class _InOrder(asyncio.SelectorEventLoop):
    """asyncio leaves the order of timers of one moment to the heap that they are in, which each Python keeps in its own way."""

    _scheduled: list[asyncio.TimerHandle]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._numbers = count()

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        timer = _Planned(next(self._numbers), when, callback, args, self, context)
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True  # type: ignore[attr-defined]
        return timer


_Loop = looptime.make_event_loop_class(_InOrder)


def virtual_loop() -> asyncio.AbstractEventLoop:
    return _Loop(start=0, noop_cycles=0)
