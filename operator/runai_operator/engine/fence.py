"""The fence: may this process write? Every write to Kubernetes goes through it, and the gates ask it.

It is open for ever unless somebody limits it (a leader's lease will). Writes in flight are cancelled when it closes, so
that one that waits inside a client is never sent later.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable

from runai_operator.domain.errors import NotLeader


class Fence:
    """Open until a moment in loop seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until = math.inf
        self._held: set[asyncio.Timeout] = set()

    def open_until(self, moment: float) -> None:
        """Allows writes until `moment`, those in flight too."""
        self._until = moment
        for timeout in self._held:
            timeout.reschedule(None if math.isinf(moment) else moment)

    def close(self) -> None:
        """Allows no writes from now on."""
        self.open_until(self._clock())

    def left(self) -> float | None:
        """Seconds for which this process may write; None without a limit."""
        return None if math.isinf(self._until) else self._until - self._clock()

    @contextlib.asynccontextmanager
    async def guarded(self) -> AsyncIterator[None]:
        """For one write. Raises `NotLeader` when the fence is closed, or closes before the write has ended."""
        left = self.left()
        if left is not None and left <= 0:
            raise NotLeader("This process is not the leader: nothing is written.")
        timeout = asyncio.timeout_at(None if left is None else self._until)
        try:
            async with timeout:
                self._held.add(timeout)
                yield
        except TimeoutError:
            if not timeout.expired():
                raise
            raise NotLeader("This process ceased to be the leader in the middle of a write.") from None
        finally:
            self._held.discard(timeout)
