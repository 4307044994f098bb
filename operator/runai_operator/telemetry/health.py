"""What the probes ask: named checks, and the pulse of the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

SILENCE_LIMIT = 30.0
"""Seconds without progress after which something counts as stuck."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing a probe looks at; `detail` is public, like the probe."""

    name: str
    ok: bool
    detail: str = ""


def progress(name: str, silent_seconds: float, *, limit: float = SILENCE_LIMIT) -> Check:
    """Fine while the last progress is at most `limit` seconds ago. Who has nothing to do reports 0."""
    ok = silent_seconds <= limit
    return Check(name, ok, "" if ok else f"no progress for {silent_seconds:.0f} s")


class LoopPulse:
    """Shows that the event loop turns, and how late it is.

    A loop that hangs answers no probe at all, so the probe's own timeout catches that. The pulse catches a loop that
    still serves requests but has lost or starves its tasks.
    """

    def __init__(
        self,
        observe: Callable[[float], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        interval: float = 1.0,
    ) -> None:
        self._observe = observe
        self._clock = clock
        self._sleep = sleep
        self._interval = interval
        self._last = clock()

    async def run(self) -> None:
        """Beats until cancelled; each time gives `observe` the seconds by which the loop was late."""
        while True:
            due = self._clock() + self._interval
            await self._sleep(self._interval)
            self._last = self._clock()
            self._observe(max(0.0, self._last - due))

    def check(self) -> Check:
        return progress("event-loop", self._clock() - self._last)
