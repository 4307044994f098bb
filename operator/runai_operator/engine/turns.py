"""Whose turn it is to be deleted in Run:ai: no more than so many a minute, so that an accident can be stopped."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

MINUTE = 60.0


class DeletionLimiter:
    """Gives each workload one turn, first come, first served; never more than `rate` of them within any minute."""

    def __init__(self, rate: int, clock: Callable[[], float]) -> None:
        """`rate` of 0 gives no turns at all. `clock` in loop seconds."""
        self._rate, self._clock = rate, clock
        self._last: deque[float] = deque(maxlen=rate)
        self._turns: dict[str, float] = {}

    def wait(self, uid: str) -> float:
        """Seconds until the turn of `uid`; 0 from then on, until `forget`. The first call takes a place in the queue."""
        if self._rate == 0:
            self._turns[uid] = math.inf
        elif uid not in self._turns:
            now = self._clock()
            turn = max(now, self._last[0] + MINUTE) if len(self._last) == self._rate else now
            self._last.append(turn)
            self._turns[uid] = turn
        return max(0.0, self._turns[uid] - self._clock())

    def forget(self, uid: str) -> None:
        """Its workload is gone, or is not to be deleted any more."""
        self._turns.pop(uid, None)

    def waiting(self) -> int:
        """How many wait for their turn."""
        now = self._clock()
        return sum(turn > now for turn in self._turns.values())
