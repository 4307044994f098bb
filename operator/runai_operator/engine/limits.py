"""Two limits of one connection: how often workloads are read by id, and how many are deleted within a minute."""

from __future__ import annotations

import asyncio
import heapq
import math
from collections import deque
from collections.abc import Callable

STATUS_INTERVAL = 0.02
"""Seconds between two objects whose status is written although nothing happened to them: 50 a second."""
READ_INTERVAL = 0.1
"""Seconds between two reads."""
MOST_READS = 4
"""Reads under way at the same time: fewer than the workers reserved for status work. While a read takes seconds, what
the lists show, which needs no call, still finds a worker."""


class PacedScheduler:
    """Calls for each object what is due, the longest due first, with a pause between two, and few at a time."""

    def __init__(
        self, begin: Callable[[str], None], clock: Callable[[], float], *, interval: float, most: float = math.inf
    ) -> None:
        """`begin(uid)` begins what is due; `ended` has to be called when it is over if there may be `most` at a time.
        `interval` in seconds, `clock` in loop seconds."""
        self._begin, self._clock, self._interval, self._most = begin, clock, interval, most
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []
        self._under_way: set[str] = set()
        self._changed = asyncio.Event()

    def plan(self, uid: str, delay: float) -> None:
        """Reads `uid` in `delay` seconds, or earlier if that was planned already."""
        due = self._clock() + delay
        if self._due.get(uid, float("inf")) <= due:
            return
        self._due[uid] = due
        heapq.heappush(self._heap, (due, uid))
        self._changed.set()

    def knows(self, uid: str) -> bool:
        """Something is planned for it."""
        return uid in self._due

    def ended(self, uid: str) -> None:
        """What was begun for `uid` has ended, if there was anything."""
        if uid in self._under_way:
            self._under_way.discard(uid)
            self._changed.set()

    def cancel(self, uid: str) -> None:
        self._due.pop(uid, None)
        self.ended(uid)

    def cancel_later(self, uid: str) -> None:
        """Unless it is due already: then somebody has a reason to read at once."""
        if self._due.get(uid, -math.inf) > self._clock():
            self.cancel(uid)

    async def run(self) -> None:
        """Begins everything when it is due, for ever."""
        while True:
            pause = self._hand_out()
            if pause is None:
                self._changed.clear()
                await self._changed.wait()
            elif pause > self._interval:
                self._changed.clear()
                try:
                    async with asyncio.timeout(pause):
                        await self._changed.wait()
                except TimeoutError:
                    continue
            else:
                await asyncio.sleep(self._interval)

    def _hand_out(self) -> float | None:
        """Begins with one object if one is due; returns the seconds until the next, None when something has to happen first."""
        while self._heap:
            due, uid = self._heap[0]
            if self._due.get(uid) != due:
                heapq.heappop(self._heap)
                continue
            if due > self._clock():
                return max(due - self._clock(), self._interval)
            if len(self._under_way) >= self._most:
                return None
            heapq.heappop(self._heap)
            del self._due[uid]
            self._under_way.add(uid)
            self._begin(uid)
            return self._interval
        return None


class ReadScheduler(PacedScheduler):
    """Queues reads of workloads in Run:ai, ten a second at most and few at a time."""

    def __init__(self, read: Callable[[str], None], clock: Callable[[], float]) -> None:
        """`read(uid)` queues one read, and `ended` has to be called when it is over."""
        super().__init__(read, clock, interval=READ_INTERVAL, most=MOST_READS)


MINUTE = 60.0


class DeletionLimiter:
    """Gives each workload one slot, first come, first served; never more than `rate` of them within any minute."""

    def __init__(self, rate: int, clock: Callable[[], float]) -> None:
        """`rate` of 0 gives no slots at all. `clock` in loop seconds."""
        self._rate, self._clock = rate, clock
        self._last: deque[float] = deque(maxlen=rate)
        self._slots: dict[str, float] = {}

    def wait(self, uid: str) -> float:
        """Seconds until `uid` may be deleted; 0 from then on, until `forget`. The first call books its slot."""
        if self._rate == 0:
            self._slots[uid] = math.inf
        elif uid not in self._slots:
            now = self._clock()
            slot = max(now, self._last[0] + MINUTE) if len(self._last) == self._rate else now
            self._last.append(slot)
            self._slots[uid] = slot
        return max(0.0, self._slots[uid] - self._clock())

    def forget(self, uid: str) -> None:
        """Its workload is gone, or is not to be deleted any more."""
        self._slots.pop(uid, None)

    def waiting(self) -> int:
        """How many wait for their slots."""
        now = self._clock()
        return sum(slot > now for slot in self._slots.values())
