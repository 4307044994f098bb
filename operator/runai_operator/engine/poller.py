"""Status from lists: a few calls for any number of workloads.

A *delta* asks every few seconds for rows whose phase changed since a watermark, and for those deleted since; a *sweep*
reads all rows every few minutes, as a safety net. The watermark is the server's clock at the first page of the last
complete delta, minus an overlap that exceeds the lag of the lists. If it were taken from the rows, it would stand still
after a burst, and every poll would return the burst again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random

from runai_operator.domain.errors import BridgeError
from runai_operator.domain.model import Row, RowPage, RowQuery
from runai_operator.domain.requeue import regularly
from runai_operator.engine.ports import Listener, Observer, Runai

log = logging.getLogger(__name__)

SWEEP_SECONDS_PER_PAGE = 6.0
"""At most ten sweep calls a minute, however many workloads there are."""


class Poller:
    """Reads lists, and reports their rows to the listener."""

    def __init__(
        self,
        connection: str,
        *,
        runai: Runai,
        observer: Observer,
        listener: Listener,
        delta_interval: float,
        sweep_interval: float,
        overlap: float,
        clock: Callable[[], float],
        random: Random,
    ) -> None:
        """`connection`: its name. Intervals and `overlap` in seconds, `clock` in loop seconds."""
        self._connection, self._runai, self._observer, self._listener = connection, runai, observer, listener
        self._delta_interval, self._sweep_interval = delta_interval, sweep_interval
        self._overlap = timedelta(seconds=overlap)
        self._clock, self._random = clock, random
        self._watermark: datetime | None = None
        self._watermark_set_at = clock()
        self.fresh_at: float | None = None
        """Loop seconds when the last complete delta or sweep began; None before the first."""

    async def run(self) -> None:
        """Polls for ever. An error ends one poll, never the poller."""
        next_sweep = self._clock()
        while True:
            began = self._clock()
            kind = "sweep" if began >= next_sweep or self._watermark is None else "delta"
            result = "ok"
            try:
                if kind == "sweep":
                    pages = await self._sweep()
                    next_sweep = began + max(self._sweep_interval, pages * SWEEP_SECONDS_PER_PAGE)
                else:
                    await self._delta()
                self.fresh_at = began
            except BridgeError as error:
                result = error.condition_reason
            except Exception:
                log.exception("unexpected error while polling %s", self._connection)
                self._observer.bug()
                result = BridgeError.reason
            self._observer.polled(self._connection, kind, result, self._clock() - began)
            if self.fresh_at is not None:
                self._observer.status_age(self._connection, self._clock() - self.fresh_at)
            await asyncio.sleep(regularly(self._delta_interval, self._random.random()))

    async def _delta(self) -> None:
        since = self._watermark - self._overlap if self._watermark else None
        first = await self._pages(RowQuery(changed_since=since), self._listener.row_seen)
        await self._pages(RowQuery(changed_since=since, deleted=True), self._listener.row_deleted)
        self._advance(first)

    async def _sweep(self) -> int:
        began = self._clock()
        ids: set[str] = set()

        def collect(row: Row) -> None:
            ids.add(row.id)
            self._listener.row_seen(self._connection, row)

        pages = 0
        first: RowPage | None = None
        offset: int | None = 0
        while offset is not None:
            page = await self._runai.rows(RowQuery(offset=offset))
            first = first or page
            pages += 1
            for row in page.rows:
                collect(row)
            offset = page.next_offset
        if first is not None:
            self._advance(first)
        self._listener.swept(self._connection, ids, began)
        return pages

    async def _pages(self, query: RowQuery, report: Callable[[str, Row], None]) -> RowPage:
        first = page = await self._runai.rows(query)
        while True:
            for row in page.rows:
                report(self._connection, row)
            if page.next_offset is None:
                return first
            page = await self._runai.rows(
                RowQuery(deleted=query.deleted, changed_since=query.changed_since, offset=page.next_offset)
            )

    def _advance(self, first: RowPage) -> None:
        now = self._clock()
        if first.server_time is not None:
            self._watermark = first.server_time
        elif self._watermark is not None:
            self._watermark += timedelta(seconds=now - self._watermark_set_at)
        else:
            stamps = [stamp for row in first.rows if (stamp := _moment(row.phase_updated_at))]
            self._watermark = max(stamps, default=None)
        self._watermark_set_at = now


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
