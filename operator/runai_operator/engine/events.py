"""Sends Kubernetes Events beside the passes: late, few, and never at their expense.

To record an event is to queue it. One task sends what is queued, a few a second; what does not fit into the queue is
dropped and counted. What was found, rather than done, is sent once in a while in the same words.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta

from runai_operator.domain.errors import BridgeError, NotLeader, Vanished
from runai_operator.domain.events import RECONCILE, Event
from runai_operator.domain.model import Meta
from runai_operator.engine.budget import Budget, TokenBucket

log = logging.getLogger(__name__)

BUDGET = Budget(rate=10.0, burst=20.0)
"""Events a second. A burst of submissions makes hundreds of writes a second to the same API server."""
QUEUE = 2000
"""Events that wait at most; only those that call for a person may take the second half of the places."""
REPEAT_AFTER = 600.0
"""Seconds in which the same words about the same object are not sent again."""
REMEMBERED = 10_000
"""Most events that are known to be repeated; beyond, some may be sent twice."""


class EventRecorder:
    """`record` never waits and never fails."""

    def __init__(
        self,
        send: Callable[[Meta, Event, datetime], Awaitable[None]],
        *,
        guarded: Callable[[], AbstractAsyncContextManager[None]],
        report: Callable[[str], None],
        clock: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        """`guarded` raises `NotLeader` where nothing may be written; `report` is called for each event: `sent`, `dropped` or
        `failed`. `clock` in loop seconds, `now` in UTC."""
        self._send, self._guarded, self._report, self._clock, self._now = send, guarded, report, clock, now
        self._queue: asyncio.Queue[tuple[Meta, Event, datetime]] = asyncio.Queue(QUEUE)
        self._budget = TokenBucket(BUDGET, clock)
        self._recorded: OrderedDict[int, float] = OrderedDict()
        """When each was recorded, by the hash of its words, the oldest first."""
        self._last = datetime.min.replace(tzinfo=UTC)
        self._trouble: str | None = None

    def record(self, about: Meta, event: Event) -> None:
        if event.action == RECONCILE and self._is_repeated(hash((about.ref.uid, event.reason, event.message))):
            return
        if self._queue.qsize() >= (QUEUE if event.is_warning else QUEUE // 2):
            self._report("dropped")
            return
        # No two at the same time: the name of an Event is that of its object and its time.
        self._last = max(self._now(), self._last + timedelta(microseconds=1))
        self._queue.put_nowait((about, event, self._last))

    def _is_repeated(self, words: int) -> bool:
        now = self._clock()
        while self._recorded and now - next(iter(self._recorded.values())) >= REPEAT_AFTER:
            self._recorded.popitem(last=False)
        if words in self._recorded:
            return True
        if len(self._recorded) < REMEMBERED:
            self._recorded[words] = now
        return False

    async def run(self) -> None:
        """Sends what is recorded, for ever."""
        while True:
            about, event, when = await self._queue.get()
            await self._budget.take()
            self._report(await self._sent(about, event, when))

    async def _sent(self, about: Meta, event: Event, when: datetime) -> str:
        try:
            async with self._guarded():
                await self._send(about, event, when)
        except (NotLeader, Vanished):
            return "failed"
        except BridgeError as error:
            if self._trouble != error.condition_reason:
                self._trouble = error.condition_reason
                log.warning("Kubernetes Events are lost: %s", error.message, extra={"reason": error.condition_reason})
            return "failed"
        except Exception:
            log.exception("unexpected error while an Event was sent")
            return "failed"
        self._trouble = None
        return "sent"
