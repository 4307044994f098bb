"""Status from lists: a few calls for any number of workloads.

Four tasks, none of which holds up another. Two *deltas* ask every few seconds for the rows whose phase changed since a
watermark, and for those deleted since. The *sweep*, a safety net, reads all rows every few minutes, slowly enough for any
tenant. The *recount* reads the rows of what runs, a page now and then: pods and GPUs may change without a change of phase,
as under an autoscaler, and no delta shows that.

Each delta has its watermark: the server's clock at the first page of its last complete way through the list, at first that of an
hour before the start. It reaches back before that by an overlap, since lists lag: a short one each time, and each minute a long one, of the longest lag and that
minute. A watermark taken from the rows would stand still after a burst, and every poll would return the burst again. Where no
answer has a `Date`, it is estimated. Where a sweep shows a row that deltas should have shown, or the rows of an answer are much
later than its `Date`, what it was taken from is not believed any more: a proxy may have put the `Date` there, and rows may
name the future.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import MAXYEAR, datetime, timedelta
from enum import IntEnum
from random import Random
from typing import TypeVar

from runai_operator.domain.errors import BridgeError, PageTooLarge, UnexpectedReply
from runai_operator.domain.model import MOST_ROWS, Row, RowPage, RowQuery
from runai_operator.domain.reasons import Phase
from runai_operator.domain.requeue import next_poll, regularly, retry_page_after
from runai_operator.domain.walk import Walk
from runai_operator.engine.ports import Listener, Observer, Runai

log = logging.getLogger(__name__)

T = TypeVar("T")

DELTA, DELETED, SWEEP = "delta", "deleted", "sweep"
"""The tasks, as metrics name them."""
RECOUNT = "recount"
RECOUNT_INTERVAL = 30.0
"""Seconds between two pages of running workloads."""
SHORT_OVERLAP = 15.0
"""Seconds by which each delta reaches back before its watermark."""
LONG_INTERVAL = 60.0
"""Seconds between two deltas that reach back for what lists showed late."""
AWAY = timedelta(hours=1)
"""How far the first delta goes back for what changed while no process was there: a sweep may take long to show that."""
MOST_BACK = timedelta(days=2)
"""How far a delta goes back for what lists showed late."""
MOST_BEHIND = timedelta(hours=1)
"""By which the rows of an answer may be later than its `Date`, as where clusters stamp them."""
MOST_DELTA_PAGES = 40
"""What one delta reads at most; the next goes on from there."""
SWEEP_RATE = 10
"""Pages of sweeps within any minute, at most, however many workloads there are."""
MOST_SWEEP_PAGES = 2000
"""A million workloads: what is longer has no end."""
MOST_SKIPPED = 3
"""So many rows in a row may be too large to be read: then it is not the rows."""
MINUTE = 60.0
MOST_UNREADABLE = 50
"""So many rows may be left out of a sweep that counts: what it does not show is read by id, which no more can be each time."""
INCONCLUSIVE = "Inconclusive"
"""The result, for metrics, of a sweep that left something out."""
TRIES = 2
"""A page that fails so often while deltas succeed is asked for in smaller pieces: something in it may be at fault."""


class _Source(IntEnum):
    """What a watermark is taken from."""

    DATE = 0
    """Of an answer: when its lists were made."""
    ROWS = 1
    """The newest of them, or our own clock since the last watermark, if that is later."""
    CLOCK = 2
    """Our own clock since the last watermark."""


@dataclass(slots=True)
class _Delta:
    """One of the two deltas, and how far it has come."""

    kind: str
    report: Callable[[Row], None]
    watermark: datetime | None = None
    set_at: float = 0.0
    """Loop seconds when the watermark was set."""
    long_at: float = float("-inf")
    """Loop seconds when one with a long overlap last began."""
    limit: int = MOST_ROWS
    trusted: _Source = _Source.DATE
    """What watermarks are taken from, if answers have it."""
    taken_from: _Source = _Source.DATE
    """The last one."""

    def advance(self, first: RowPage, newest: datetime | None, now: float, wall: datetime) -> None:
        """A way through the list that began with this page is complete; `newest` is the latest time that its rows name, and
        `wall` what our own clock says."""
        date = first.server_time if self.trusted is _Source.DATE else None
        if date is not None and newest is not None and min(newest, wall) - date > MOST_BEHIND:
            # Each poll would return everything since then.
            self.trusted, date = _Source.ROWS, None
        self.taken_from = _Source.DATE if date is not None else max(self.trusted, _Source.ROWS)
        self.watermark, self.set_at = date or self._estimated(newest, now, wall), now

    def _estimated(self, newest: datetime | None, now: float, wall: datetime) -> datetime | None:
        """Where no answer says what time it is there, or none is believed: the clock has gone on, and what rows show is in the
        past. A row that names the future is not believed, or what changes until then would be passed over."""
        # The calendar ends with its last year, so from there nothing goes on.
        known = self.watermark if self.watermark is not None and self.watermark.year < MAXYEAR else None
        gone_on = None if known is None else known + timedelta(seconds=now - self.set_at)
        asks_rows = self.taken_from is _Source.ROWS or gone_on is None
        shown = min(newest, wall) if newest is not None and asks_rows else None
        return max((time for time in (gone_on, shown) if time is not None), default=None)

    def step_back(self, to: datetime, now: float, wall: datetime) -> None:
        """What happened at this time was not shown, though the watermark says so: from now on it is taken from something else."""
        if self.watermark is None or to >= self.watermark:
            return
        self.trusted = _Source(min(self.taken_from + 1, _Source.CLOCK))
        self.watermark, self.set_at = max(to, min(self.watermark, wall) - MOST_BACK), now

    def newest_of(self, rows: Iterable[Row]) -> datetime | None:
        stamps = (row.deleted_at if self.kind == DELETED else row.phase_updated_at for row in rows)
        return max((datetime.fromisoformat(stamp) for stamp in stamps if stamp), default=None)


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
        now: Callable[[], datetime],
        random: Random,
    ) -> None:
        """`connection`: its name. Intervals and `overlap`, the longest time that lists lag, in seconds; `clock` in loop
        seconds, `now` our wall clock in UTC."""
        self._connection, self._runai, self._observer, self._listener = connection, runai, observer, listener
        self._delta_interval, self._sweep_interval, self._overlap = delta_interval, sweep_interval, overlap
        self._clock, self._now, self._random = clock, now, random
        self._changes, self._deletions = _Delta(DELTA, self._see_change), _Delta(DELETED, self._see_deletion)
        self._newer: dict[str, set[str]] = {SWEEP: set(), RECOUNT: set()}
        """Ids of rows that a delta has brought since each of these asked for its page: what that shows may be older."""
        self._sweep_calls: deque[float] = deque(maxlen=SWEEP_RATE)
        self._by_time = True
        self._troubles: dict[str, BridgeError] = {}
        self._fresh_at = clock()
        self.has_answered = False
        """The lists have answered usefully once."""
        self._blind: BridgeError | None = None
        """Set while sweeps bring rows of which none can be understood."""
        self._blind_since = 0.0
        self._skips, self._lags, self._lag = False, False, 0.0

    @property
    def trouble(self) -> BridgeError | None:
        """Why the lists do not show what happens; None while they do, even if a part of them cannot be read."""
        return self._troubles.get(DELTA) or self._blind

    def silent_for(self) -> float:
        """Seconds since the lists last answered usefully, or since the start."""
        since = self._fresh_at if self._blind is None else min(self._fresh_at, self._blind_since)
        return self._clock() - since

    async def run(self) -> None:
        """Polls for ever. An error ends one poll, never the poller."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._poll(self._changes))
            group.create_task(self._poll(self._deletions))
            group.create_task(self._sweep_on())
            group.create_task(self._recount())

    # --- deltas

    async def _poll(self, delta: _Delta) -> None:
        failures = 0
        while True:
            began = self._clock()
            _, trouble = await self._try(delta.kind, self._read(delta))
            self._observer.polled(self._connection, delta.kind, _result(trouble), self._clock() - began)
            if delta is self._changes:
                if trouble is None:
                    self._fresh_at, self.has_answered = began, True
                self._observer.status_age(self._connection, self._clock() - self._fresh_at)
            # A failure that counts against a circuit breaker is braked there.
            failures = failures + 1 if trouble is not None and trouble.circuit is None else 0
            await asyncio.sleep(next_poll(self._delta_interval, failures, self._random.random()))

    async def _read(self, delta: _Delta) -> None:
        now, is_deleted = self._clock(), delta.kind == DELETED
        if delta.watermark is None:
            latest = await self._runai.rows(RowQuery(deleted=is_deleted, latest=True))
            delta.advance(latest, delta.newest_of(latest.rows), now, self._now())
            if delta.watermark is None:
                return
            delta.watermark -= AWAY
        is_long = now - delta.long_at >= LONG_INTERVAL
        # What appears just after a long one must be within reach of the next, as late as it is by then.
        overlap = self._overlap + LONG_INTERVAL if is_long else min(SHORT_OVERLAP, self._overlap)
        since = delta.watermark - timedelta(seconds=overlap)
        first: RowPage | None = None
        newest: datetime | None = None
        walk = Walk(RowQuery(deleted=is_deleted, changed_since=since), limit=delta.limit)
        while (query := walk.query) is not None and walk.pages < MOST_DELTA_PAGES:
            walk, page = await self._step(walk, query)
            delta.limit = walk.limit
            if page is None:
                continue
            # By time: the last page has the newest.
            first, newest = first or page, delta.newest_of(page.rows) or newest
            for row in page.rows:
                delta.report(row)
        if is_long:
            delta.long_at = now
        if not walk.ended:
            if walk.reached is not None and walk.reached > delta.watermark:
                delta.watermark, delta.set_at = walk.reached, now
            raise _endless()
        if first is not None:
            delta.advance(first, newest, now, self._now())

    def _see_change(self, row: Row) -> None:
        self._note_newer(row)
        self._see(row)

    def _see_deletion(self, row: Row) -> None:
        self._note_newer(row)
        self._listener.row_deleted(self._connection, row)

    def _note_newer(self, row: Row) -> None:
        for ids in self._newer.values():
            ids.add(row.id)

    def _see(self, row: Row) -> None:
        if self._listener.row_seen(self._connection, row):
            self._note_lag(row)

    # --- the sweep

    async def _sweep_on(self) -> None:
        while True:
            began = self._clock()
            await self._sweep(began)
            pause = regularly(self._sweep_interval, self._random.random())
            await asyncio.sleep(max(0.0, began + pause - self._clock()))

    async def _sweep(self, began: float) -> None:
        walk, ids, failures = Walk(RowQuery(), by_time=self._by_time), set[str](), 0
        while (query := walk.query) is not None and walk.pages < MOST_SWEEP_PAGES:
            await asyncio.sleep(self._until_next_page())
            self._sweep_calls.append(self._clock())
            self._newer[SWEEP].clear()
            step, trouble = await self._try(SWEEP, self._step(walk, query))
            if step is not None:
                failures = 0
                walk, page = step
                ids.update(self._see_page(SWEEP, page))
                continue
            self._observer.polled(self._connection, SWEEP, _result(trouble), self._clock() - began)
            failures += 1
            if failures % TRIES == 0 and DELTA not in self._troubles:
                walk = walk.smaller()
            await asyncio.sleep(retry_page_after(failures, self._random.random()))
        self._by_time = walk.by_time
        self._conclude(walk, ids, began)

    def _see_page(self, kind: str, page: RowPage | None) -> set[str]:
        """The ids on it; a row that may be older than what a delta has brought shows nothing else."""
        rows = page.rows if page is not None else ()
        for row in rows:
            if row.id not in self._newer[kind]:
                self._see(row)
        return {row.id for row in rows}

    def _until_next_page(self) -> float:
        """Seconds until a page may be asked for."""
        if len(self._sweep_calls) < SWEEP_RATE:
            return 0.0
        return max(0.0, self._sweep_calls[0] + MINUTE - self._clock())

    def _conclude(self, walk: Walk, ids: set[str], began: float) -> None:
        """A sweep has ended."""
        trouble = None if walk.ended else _endless()
        self._note(SWEEP, trouble)
        self._note_blindness(walk, began)
        self._note_skipped(walk.unreadable)
        self._observer.list_lag(self._connection, self._lag)
        if self._lags and self._lag <= self._overlap:
            self._lags = False
            log.info("the lists of Run:ai show changes in time again", extra=self._about)
        self._lag = 0.0
        result = "ok" if walk.complete else INCONCLUSIVE if trouble is None else _result(trouble)
        self._observer.polled(self._connection, SWEEP, result, self._clock() - began)
        if walk.ended:
            is_nearly_complete = walk.unreadable <= MOST_UNREADABLE
            self._listener.swept(self._connection, ids, began, is_nearly_complete=is_nearly_complete)

    # --- the recount

    async def _recount(self) -> None:
        anew = walk = Walk(RowQuery(phase=Phase.RUNNING))
        while True:
            await asyncio.sleep(regularly(RECOUNT_INTERVAL, self._random.random()))
            if self.trouble is not None:
                continue  # the deltas find out when lists can be read again
            query = walk.query if walk.pages < MOST_SWEEP_PAGES else None
            if query is None:
                walk, query = anew, anew.start
            self._newer[RECOUNT].clear()
            step, _ = await self._attempt(self._step(walk, query))  # the sweep reads the same list, and reports it
            walk, page = step or (anew, None)
            self._see_page(RECOUNT, page)

    # --- one call

    async def _step(self, walk: Walk, query: RowQuery) -> tuple[Walk, RowPage | None]:
        """How far the list has been read after the next page, and that page; None if it has to be smaller."""
        try:
            page = await self._runai.rows(query)
        except PageTooLarge:
            if walk.skipped >= MOST_SKIPPED:
                raise
            return walk.smaller(), None
        return walk.after(page), page

    async def _try(self, kind: str, read: Awaitable[T]) -> tuple[T | None, BridgeError | None]:
        """What it brings, or the error, which is reported."""
        result, trouble = await self._attempt(read)
        self._note(kind, trouble)
        return result, trouble

    async def _attempt(self, read: Awaitable[T]) -> tuple[T | None, BridgeError | None]:
        """What it brings, or the error."""
        try:
            result, trouble = await read, None
        except BridgeError as error:
            result, trouble = None, error
        except Exception:
            log.exception("unexpected error while polling", extra=self._about)
            self._observer.bug()
            result, trouble = None, BridgeError("The operator cannot read the list of workloads; its log says why.")
        return result, trouble

    # --- what is reported of it, once per change

    @property
    def _about(self) -> dict[str, str]:
        return {"connection": self._connection}

    def _note(self, kind: str, trouble: BridgeError | None) -> None:
        before = self._troubles.pop(kind, None)
        if trouble is not None:
            self._troubles[kind] = trouble
        if before is None and trouble is None:
            return
        if trouble is None:
            log.info("the list of workloads can be read again", extra={**self._about, "list": kind})
        elif before is None or before.condition_reason != trouble.condition_reason:
            about = {**self._about, "list": kind, "reason": trouble.condition_reason}
            log.warning("the list of workloads cannot be read: %s", trouble.message, extra=about)
        self._report()

    def _note_blindness(self, walk: Walk, began: float) -> None:
        if walk.rows or not walk.unreadable:
            self._blind = None
        elif self._blind is None:
            self._blind, self._blind_since = (
                UnexpectedReply("Nothing in Run:ai's list of workloads can be understood. Check Run:ai's version."),
                began,
            )
        self._report()

    def _report(self) -> None:
        self._observer.lists(self._connection, not self._troubles and self._blind is None)

    def _note_skipped(self, rows: int) -> None:
        if rows and not self._skips:
            log.warning(
                "%d rows of the list of workloads cannot be understood and are left out", rows, extra=self._about
            )
        elif self._skips and not rows:
            log.info("all rows of the list of workloads can be understood again", extra=self._about)
        self._skips = rows > 0

    def _note_lag(self, row: Row) -> None:
        """The row shows a change that the last complete delta did not show yet, although it was before that."""
        watermark = self._changes.watermark
        if watermark is None or row.phase_updated_at is None:
            return
        changed = datetime.fromisoformat(row.phase_updated_at)
        lag = (watermark - changed).total_seconds()
        self._lag = max(self._lag, lag)
        if lag > self._overlap:
            for delta in (self._changes, self._deletions):
                delta.step_back(changed, self._clock(), self._now())
        if self._lag > self._overlap and not self._lags:
            self._lags = True
            log.warning(
                "the lists of Run:ai show changes %.0f s late or with a clock that is behind: status is late too;"
                " OPERATOR_GRACE_PERIOD should be longer than that",
                self._lag,
                extra=self._about,
            )
            self._observer.list_lag(self._connection, self._lag)


def _endless() -> UnexpectedReply:
    return UnexpectedReply("Run:ai lists more workloads than can be read at a time, or the same ones without an end.")


def _result(trouble: BridgeError | None) -> str:
    """For metrics."""
    return "ok" if trouble is None else trouble.condition_reason
