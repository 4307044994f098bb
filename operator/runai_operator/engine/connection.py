"""The health of one connection to Run:ai, shared by all workloads behind it.

When the trouble is the connection's (unreachable, throttled, credentials refused), workloads do not each retry: one
probe does, and its success wakes all who wait, spread over a few seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from random import Random
from typing import TypeVar

from runai_operator.domain.errors import AccessDenied, BridgeError, Scope, Throttled, Unavailable

log = logging.getLogger(__name__)

T = TypeVar("T")

PROBE_CEILING = 30.0
"""Longest wait between two probes, in seconds."""
WAKE_WITHIN = 4.0
"""Seconds over which the waiting are woken after a recovery."""
FAILURES_BEFORE_OPENING = 3
"""A single refused connection says little; this many in a row, with no success between, say it is down."""


class Connection:
    """A circuit: closed while calls succeed; open, it answers with the error that opened it."""

    def __init__(
        self,
        probe: Callable[[], Awaitable[object]],
        wake: Callable[[str, float], None],
        *,
        random: Random,
        clock: Callable[[], float],
        report: Callable[[bool], None],
    ) -> None:
        """`probe` makes one cheap call; `wake(uid, delay)` has a workload looked at after `delay` seconds; `clock` in loop
        seconds."""
        self._probe, self._wake, self._random, self._report = probe, wake, random, report
        self._clock = clock
        self._failures = 0
        self._answered_at = clock()
        self._waiting: set[str] = set()
        self._opened = asyncio.Event()
        self.error: BridgeError | None = None
        """Why the circuit is open; None while it is closed."""
        report(True)

    async def call(self, make: Callable[[], Awaitable[T]]) -> T:
        """The answer of one call. Raises at once, without a call, while the circuit is open."""
        if self.error is not None:
            raise self.error.with_traceback(None)  # raised many times: tracebacks would pile up
        try:
            answer = await make()
        except BridgeError as error:
            self._failed(error)
            raise
        self._answered()
        return answer

    def silent_for(self) -> float:
        """Seconds since Run:ai last gave an answer of any use, or since the start."""
        return self._clock() - self._answered_at

    def _answered(self) -> None:
        self._failures, self._answered_at = 0, self._clock()

    def wait(self, uid: str) -> bool:
        """Have `uid` woken on recovery; False when the circuit is closed, so that nothing would wake it."""
        if self.error is None:
            return False
        self._waiting.add(uid)
        return True

    def _failed(self, error: BridgeError) -> None:
        if error.scope is not Scope.CONNECTION:
            self._answered()
            return
        if isinstance(error, Unavailable):
            self._failures += 1
        sure = isinstance(error, (Throttled, AccessDenied))
        if sure or self._failures >= FAILURES_BEFORE_OPENING:
            self._open(error)

    def _open(self, error: BridgeError) -> None:
        if self.error is None:
            log.warning("Run:ai cannot be used for now: %s", error.message, extra={"reason": error.condition_reason})
            self._report(False)
        self.error = error
        self._opened.set()

    def _close(self) -> None:
        log.info("Run:ai can be used again")
        self.error = None
        self._answered()
        self._opened.clear()
        self._report(True)
        waiting, self._waiting = self._waiting, set()
        for uid in waiting:
            self._wake(uid, self._random.uniform(0, WAKE_WITHIN))

    async def watch(self) -> None:
        """Probe while the circuit is open; runs for ever."""
        while True:
            await self._opened.wait()
            attempt = 0
            while self.error is not None:
                await asyncio.sleep(self._pause(self.error, attempt))
                attempt += 1
                with contextlib.suppress(BridgeError):
                    await self._try_again()

    async def _try_again(self) -> None:
        try:
            await self._probe()
        except BridgeError as error:
            if error.scope is Scope.CONNECTION:
                self.error = error
                raise
        # An answer that is about the request, not the connection, proves that the connection works.
        self._close()

    def _pause(self, error: BridgeError, attempt: int) -> float:
        if isinstance(error, Throttled) and error.after is not None:
            return max(error.after, 0.1)
        return self._random.uniform(0.5, 1) * min(PROBE_CEILING, 2.0**attempt)
