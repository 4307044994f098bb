"""Two limits of one connection: how often workloads are read by id, and how many are deleted within a minute."""

from __future__ import annotations

import asyncio
import heapq
import math
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import islice

STATUS_INTERVAL = 0.02
"""Seconds between two objects whose status is written although nothing happened to them: 50 a second."""
READ_INTERVAL = 0.1
"""Seconds between two reads."""
MOST_READS = 3
"""Reads under way at the same time, and readings of rows: fewer together than the workers reserved for status work.
While a read takes seconds, what the lists show, which needs no call, still finds a worker."""
MOST_ROW_READS = 1
ROW_READ_INTERVAL = 0.2
"""Seconds between two readings of rows."""
PATIENT_INTERVAL = 20.0
"""Seconds between two such readings of what has been pending for a while, however many are: three a minute."""

VERDICT_INTERVAL = 20.0
"""Seconds between two dry runs that nobody waits for, however many objects have one: three a minute."""


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
        self._following: set[str] = set()

    def plan(self, uid: str, delay: float) -> None:
        self._following.discard(uid)
        super().plan(uid, delay)

    def follow(self, uid: str, delay: float) -> None:
        """Plans a read that only follows a sync in flight; `arrived` cancels it."""
        is_for_another = uid in self._due and uid not in self._following
        self.plan(uid, delay)
        if not is_for_another:
            self._following.add(uid)

    def arrived(self, uid: str) -> None:
        """The sync has come to its end; perhaps lists have shown that while the read was waiting."""
        if uid in self._following:
            self.cancel(uid)

    def cancel(self, uid: str) -> None:
        self._following.discard(uid)
        super().cancel(uid)


MINUTE = 60.0
_TICK = 0.001
"""Seconds. Rounding may leave a remainder shorter than any tick of the clock."""
PATIENCE = 10.0
"""Seconds in which an object that was woken has to ask again; then it goes to the end of the queue."""


class DeletionLimiter:
    """Lets the waiting delete their workloads, first come, first served; never more than `rate` of them within any minute.

    Nothing is booked ahead: whoever leaves the queue leaves no gap, and those behind are woken the sooner.
    """

    def __init__(self, rate: int, clock: Callable[[], float], wake: Callable[[str], None]) -> None:
        """`rate` of 0 lets nobody through. `wake(uid)` is called when `uid`, which waits, may be deleted. `clock` in loop
        seconds."""
        self._rate, self._clock, self._wake = rate, clock, wake
        self._admissions: deque[float] = deque()
        """Those of the last minute."""
        self._admitted: set[str] = set()
        self._queue: dict[str, None] = {}
        self._woken: dict[str, float] = {}
        self._changed = asyncio.Event()

    def wait(self, uid: str, *, runs: bool = True) -> float:
        """Seconds until `uid` may be deleted, at most; 0 from then on, until `forget`. The first call
        queues it. What no longer `runs` need not wait: its deletion ends nothing."""
        if uid in self._admitted or not (runs or self._rate == 0):
            return 0.0
        self._queue.setdefault(uid)
        self._changed.set()
        now = self._clock()
        free, place = self._free(now), list(self._queue).index(uid)
        if place >= free:
            return self._until_free(place - free, now)
        self._leave_queue(uid)
        self._admissions.append(now)
        self._admitted.add(uid)
        return 0.0

    def forget(self, uid: str) -> None:
        """Its workload is gone, or is not to be deleted (any more)."""
        self._admitted.discard(uid)
        if uid in self._queue:
            self._leave_queue(uid)
            self._changed.set()

    def waiting(self) -> int:
        """How many are held back."""
        return len(self._queue)

    async def run(self) -> None:
        """Wakes those that may be deleted, for ever."""
        while True:
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._wake_due()):
                    await self._changed.wait()

    def _wake_due(self) -> float | None:
        """Seconds until the next one has to be looked at; None when something has to happen first."""
        now = self._clock()
        free = self._free(now)
        for uid in list(islice(self._queue, free)):
            woken = self._woken.setdefault(uid, now)
            if woken == now:
                self._wake(uid)
            elif now - woken >= PATIENCE:
                self._leave_queue(uid)
                self._queue[uid] = None
                return _TICK
        if not self._queue or self._rate == 0:
            return None
        next_free = self._admissions[0] + MINUTE - now if self._admissions else math.inf
        return max(_TICK, min(next_free, PATIENCE if free else math.inf))

    def _leave_queue(self, uid: str) -> None:
        del self._queue[uid]
        self._woken.pop(uid, None)

    def _free(self, now: float) -> int:
        """How many may be admitted now."""
        while self._admissions and self._admissions[0] + MINUTE <= now:
            self._admissions.popleft()
        return self._rate - len(self._admissions)

    def _until_free(self, ahead: int, now: float) -> float:
        """Seconds, if `ahead` others are admitted before, each as soon as possible, and those who may go now go now."""
        if self._rate == 0:
            return math.inf
        rounds, place = divmod(ahead, self._rate)
        since = self._admissions[place] if place < len(self._admissions) else now
        return since + MINUTE * (rounds + 1) - now
