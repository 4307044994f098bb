"""The fence: may this process write? Every write to Kubernetes and every call to Run:ai goes through it.

It is open for ever unless somebody limits it (a leader's lease will). Writes in flight are cancelled when it closes, so
that one that waits inside a client is never sent later.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable

from runai_operator.domain.errors import NotLeader


class _Passage:
    """One task on its way through the fence."""

    def __init__(self, task: asyncio.Task[object]) -> None:
        self._task, self._cancelled_before = task, task.cancelling()
        self.is_cut = False

    def cut(self) -> None:
        """Takes effect before the task does another step, even if that is scheduled already."""
        self.is_cut = True
        self._task.cancel()

    def was_all(self) -> bool:
        """Whether nobody else has cancelled the task; ends the cancellation of the passage."""
        return self._task.uncancel() <= self._cancelled_before


class Fence:
    """Open until a moment in loop seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until = math.inf
        self._passages: set[_Passage] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._moved = asyncio.Event()

    def open_until(self, moment: float) -> None:
        """Allows writes until `moment`, those in flight too."""
        self._until = moment
        self._moved.set()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if moment <= self._clock():
            self._cut()
        elif not math.isinf(moment):
            self._timer = asyncio.get_running_loop().call_at(moment, self._cut)

    def close(self) -> None:
        """Allows no writes from now on. Not to be called from within a write."""
        self.open_until(self._clock())

    def _cut(self) -> None:
        for passage in self._passages:
            passage.cut()
        self._passages.clear()

    @property
    def closed(self) -> bool:
        left = self.left()
        return left is not None and left <= 0

    async def opened(self) -> None:
        """Returns once this process may write."""
        while self.closed:
            self._moved.clear()
            await self._moved.wait()

    def left(self) -> float | None:
        """Seconds for which this process may write; None without a limit."""
        return None if math.isinf(self._until) else self._until - self._clock()

    @contextlib.asynccontextmanager
    async def guarded(self) -> AsyncIterator[None]:
        """For one write or call. Raises `NotLeader` when the fence is closed, or closes before it has ended."""
        if self.closed:
            raise NotLeader("This process is not the leader: nothing is written.")
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can pass the fence")
        passage = _Passage(task)
        self._passages.add(passage)
        try:
            yield
        except asyncio.CancelledError:
            if passage.is_cut and passage.was_all():
                raise NotLeader("This process ceased to be the leader in the middle of a write.") from None
            raise
        finally:
            self._passages.discard(passage)
