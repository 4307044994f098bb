"""Sends Kubernetes Events beside the passes: late, few, and never at their expense.

To record an event is to queue it. One task sends what is queued, a few a second; what does not fit into the queue is
dropped and counted. So is what an object that goes back and forth would make beyond a few in a while.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
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
MOST_CHANGES = 10
"""Events about changes of one object within the window, none of them like the one before; operations are not limited."""
WINDOW = 600.0
"""Seconds."""
REMEMBERED = 10_000
"""Most objects whose events are counted."""


@dataclass(frozen=True, slots=True)
class _Recent:
    """Of one object, in the window that began at `since`."""

    since: float
    last: int
    """Hash of the words of its last event."""
    count: int = 1


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
        self._recent: OrderedDict[str, _Recent] = OrderedDict()
        """By UID, the oldest window first."""
        self._last = datetime.min.replace(tzinfo=UTC)
        self._troubles: dict[tuple[str, str], float] = {}
        """Where and for what reason they are lost, and since when that is known."""

    def record(self, about: Meta, event: Event) -> None:
        if event.action == RECONCILE and self._is_too_much(about.ref.uid, hash((event.reason, event.message))):
            return
        if self._queue.qsize() >= (QUEUE if event.is_warning else QUEUE // 2):
            self._report("dropped")
            return
        # No two at the same time: the name of an Event is that of its object and its time.
        self._last = max(self._now(), self._last + timedelta(microseconds=1))
        self._queue.put_nowait((about, event, self._last))

    def _is_too_much(self, uid: str, words: int) -> bool:
        now = self._clock()
        while self._recent and now - next(iter(self._recent.values())).since >= WINDOW:
            self._recent.popitem(last=False)
        recent = self._recent.get(uid)
        if recent is not None:
            if words == recent.last or recent.count >= MOST_CHANGES:
                return True
            self._recent[uid] = replace(recent, last=words, count=recent.count + 1)
        elif len(self._recent) < REMEMBERED:
            self._recent[uid] = _Recent(now, words)
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
            self._lost(about.ref.namespace, error)
            return "failed"
        except Exception:
            log.exception("unexpected error while an Event was sent")
            return "failed"
        self._got_through(about.ref.namespace)
        return "sent"

    def _lost(self, namespace: str, error: BridgeError) -> None:
        place = (namespace, error.condition_reason)
        if place not in self._troubles:
            self._troubles[place] = self._clock()
            extra = {"namespace": namespace, "reason": error.condition_reason}
            log.warning("Kubernetes Events are lost: %s", error.message, extra=extra)

    def _got_through(self, namespace: str) -> None:
        """What comes and goes is not reported each time."""
        now = self._clock()
        for place, since in list(self._troubles.items()):
            if place[0] == namespace and now - since >= WINDOW:
                del self._troubles[place]
