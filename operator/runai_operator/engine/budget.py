"""How many calls may be made: a token bucket whose rate adapts to what the other side can take."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass

SHORTEST_WAIT = 0.001
"""Seconds. Rounding may leave a remainder shorter than any tick of the clock: without the bound, waiting for it may
spin."""
_LONGEST_CREDIT = 1.0
"""Seconds for which one success restores the rate; without the bound, the first one after a quiet hour would restore it
fully."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Calls, and calls a second."""

    rate: float = 400.0
    """More than the workers can use while Run:ai answers well: it only matters once Run:ai asks for less."""
    burst: float = 400.0
    floor: float = 2.0
    """Lowest rate. Some twenty callers (the workers and the poller) then still get a token within ten seconds."""
    restore: float = 4.0
    """Calls a second that the rate regains for each second of success: from half of 400 to all of it in 50 s."""


class TokenBucket:
    """Lowered multiplicatively, restored additively (AIMD). First come, first served."""

    def __init__(self, budget: Budget, clock: Callable[[], float]) -> None:
        """`clock` in loop seconds."""
        self._budget, self._clock = budget, clock
        self.rate = budget.rate
        self._tokens, self._filled_at, self._restored_at = budget.burst, -math.inf, -math.inf
        self._turn = asyncio.Lock()

    async def take(self) -> None:
        """Waits for one token; takes none when cancelled."""
        async with self._turn:
            while (missing := 1 - self._fill()) > 0:  # noqa: ASYNC110 - nothing but time brings a token
                await asyncio.sleep(max(missing / self.rate, SHORTEST_WAIT))
            self._tokens -= 1

    def give_back(self) -> None:
        """Returns the token of a call that was not made."""
        self._tokens += 1

    def lower(self) -> None:
        """Too many calls: halves the rate, and drops what was saved up."""
        self._fill()
        self.rate = max(self._budget.floor, self.rate / 2)
        self._tokens = min(self._tokens, 1.0)
        self._restored_at = self._clock()

    def restore(self) -> None:
        """A call succeeded: the rate rises towards the full one."""
        now = self._clock()
        gained = min(now - self._restored_at, _LONGEST_CREDIT) * self._budget.restore
        self.rate, self._restored_at = min(self._budget.rate, self.rate + gained), now

    def _fill(self) -> float:
        """The tokens available now. How many can be saved up shrinks with the rate."""
        now = self._clock()
        saved = max(1.0, self._budget.burst * self.rate / self._budget.rate)
        self._tokens = min(saved, self._tokens + (now - self._filled_at) * self.rate)
        self._filled_at = now
        return self._tokens
