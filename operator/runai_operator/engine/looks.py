"""Fresh V2 readings, rationed: at most ten a second for one connection, the longest due first."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable

INTERVAL = 0.1
"""Seconds between two readings."""


class ReadScheduler:
    """Has workloads looked at when their turn comes."""

    def __init__(self, look: Callable[[str], None], clock: Callable[[], float]) -> None:
        """`look(uid)` queues one reading; `clock` gives loop seconds."""
        self._look, self._clock = look, clock
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []
        self._changed = asyncio.Event()

    def plan(self, uid: str, delay: float) -> None:
        """Look at `uid` in `delay` seconds, or earlier if that was planned already."""
        due = self._clock() + delay
        if self._due.get(uid, float("inf")) <= due:
            return
        self._due[uid] = due
        heapq.heappush(self._heap, (due, uid))
        self._changed.set()

    def cancel(self, uid: str) -> None:
        self._due.pop(uid, None)

    async def run(self) -> None:
        """Hand out turns for ever."""
        while True:
            pause = self._hand_out()
            if pause is None:
                self._changed.clear()
                await self._changed.wait()
            elif pause > INTERVAL:
                self._changed.clear()
                try:
                    async with asyncio.timeout(pause):
                        await self._changed.wait()
                except TimeoutError:
                    continue
            else:
                await asyncio.sleep(INTERVAL)

    def _hand_out(self) -> float | None:
        """One turn if one is due; seconds until the next, None when nothing is planned."""
        while self._heap:
            due, uid = self._heap[0]
            if self._due.get(uid) != due:
                heapq.heappop(self._heap)
                continue
            if due > self._clock():
                return max(due - self._clock(), INTERVAL)
            heapq.heappop(self._heap)
            del self._due[uid]
            self._look(uid)
            return INTERVAL
        return None
