"""The work queue: keyed, deduplicating, in lanes, fair between flows. It decides when and in what order, never what."""

from __future__ import annotations

import asyncio
import heapq
import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from runai_operator.domain.requeue import faster, slower


class Lane(StrEnum):
    """The priority of work: a lane is served while those above it are empty, and has a share that they cannot take."""

    USER = "user"
    """Edits and deletes by people."""
    PERIODIC = "periodic"
    """What polling found, and retries. A quarter of the workers is reserved for it, also while there is none: a call
    that hangs holds its worker for a minute, and what comes meanwhile must not wait for that."""
    LARGE = "large"
    """What would hold up others: one at a time, and at first only while nothing in the user lane is being worked on. Status
    of what is large comes this way too, so it never waits for a worker."""


LARGE_PATIENCE = 1.0
"""Seconds after which large work is served whatever else is being worked on."""
SLOWEST_RATE = 1.0
"""How often in a second failed work is begun again while it goes on failing, however much there is: what fails at Kubernetes
fails for thousands at once."""
FASTEST_RATE = 64.0
MOST_RETRIES = 5
"""Under way at the same time: a call that hangs holds its worker for a minute."""


@dataclass(frozen=True, slots=True)
class Work:
    key: str
    lane: Lane
    waited: float
    """Seconds from being ready to being taken."""


@dataclass(frozen=True, slots=True)
class _Place:
    lane: Lane
    flow: str
    since: float


class _FairLane:
    """Round robin over flows; first come, first served within one."""

    def __init__(self) -> None:
        self._flows: OrderedDict[str, OrderedDict[str, float]] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def put(self, key: str, flow: str, since: float) -> None:
        self._flows.setdefault(flow, OrderedDict())[key] = since
        self._size += 1

    def take(self) -> tuple[str, float]:
        flow, keys = self._flows.popitem(last=False)
        key, since = keys.popitem(last=False)
        if keys:
            self._flows[flow] = keys
        self._size -= 1
        return key, since

    def oldest(self) -> float:
        return min(next(iter(keys.values())) for keys in self._flows.values())

    def remove(self, key: str, flow: str) -> None:
        keys = self._flows[flow]
        del keys[key]
        if not keys:
            del self._flows[flow]
        self._size -= 1


@dataclass(frozen=True, slots=True)
class _Retry:
    due: float
    failures: int
    lane: Lane
    flow: str


class _Retries:
    """Failed work that waits to be begun again: each piece for a pause of its own, and all together no faster than goes well.

    The rate halves when what was begun again has failed again, and doubles in a second in which it ended well. Of what is due,
    the least tried comes first, and of that each flow in turn, so that a short failure waits neither behind what fails for
    hours nor behind all that failed when it did.
    """

    def __init__(self, begin: Callable[[str, _Retry], None], clock: Callable[[], float]) -> None:
        self._begin, self._clock = begin, clock
        self._later: dict[str, _Retry] = {}
        self._times: list[tuple[float, str]] = []
        """When each is due, and some that are not planned any more."""
        self._due: dict[str, _Retry] = {}
        self._lanes: dict[int, _FairLane] = {}
        """Of what is due, by the number of failures; none is empty."""
        self._under_way: set[str] = set()
        self._rate, self._next, self._stepped_at = FASTEST_RATE, -math.inf, -math.inf
        self._goes_well = False
        self._timer: asyncio.TimerHandle | None = None

    def __contains__(self, key: str) -> bool:
        return key in self._later or key in self._due

    def plan(self, key: str, retry: _Retry) -> None:
        """Work has failed, and is begun again when that is due, or later."""
        self.cancel(key)
        self._later[key] = retry
        heapq.heappush(self._times, (retry.due, key))
        if key in self._under_way:
            self._rate, self._goes_well = slower(self._rate, floor=SLOWEST_RATE), False
        self._arrange()

    def cancel(self, key: str) -> None:
        """The work begins, or is not wanted any more."""
        self._later.pop(key, None)
        if not self._later:
            self._times.clear()
        if (retry := self._due.pop(key, None)) is not None:
            self._lanes[retry.failures].remove(key, retry.flow)
            self._drop_if_empty(retry.failures)

    def ended(self, key: str) -> None:
        """The work is over, or was dropped; if it has failed, `plan` was called before."""
        if key in self._under_way:
            self._under_way.discard(key)
            self._goes_well |= key not in self
            self._arrange()

    def _arrange(self) -> None:
        """Begins what may begin now, and sets the timer for the next."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._clock()
        while (at := self._next_at(now)) <= now:
            self._begin_first(now)
        if at < math.inf:
            self._timer = asyncio.get_running_loop().call_at(at, self._arrange)

    def _next_at(self, now: float) -> float:
        """When something may begin; inf when something else has to happen first."""
        while self._times and (self._times[0][0] <= now or not self._is_planned(*self._times[0])):
            due, key = heapq.heappop(self._times)
            if self._is_planned(due, key):
                retry = self._due[key] = self._later.pop(key)
                self._lanes.setdefault(retry.failures, _FairLane()).put(key, retry.flow, due)
        if len(self._under_way) >= MOST_RETRIES:
            return math.inf
        if self._due:
            return self._next
        return max(self._next, self._times[0][0]) if self._times else math.inf

    def _is_planned(self, due: float, key: str) -> bool:
        retry = self._later.get(key)
        return retry is not None and retry.due == due

    def _begin_first(self, now: float) -> None:
        failures = min(self._lanes)
        key, _ = self._lanes[failures].take()
        self._drop_if_empty(failures)
        retry = self._due.pop(key)
        self._under_way.add(key)
        if now - self._stepped_at >= 1.0:
            if self._goes_well:
                self._rate = faster(self._rate, ceiling=FASTEST_RATE)
            self._stepped_at, self._goes_well = now, False
        self._next = now + 1 / self._rate
        self._begin(key, retry)

    def _drop_if_empty(self, failures: int) -> None:
        if not self._lanes[failures]:
            del self._lanes[failures]


class WorkQueue:
    """A key is queued once at most and worked on by one worker at a time; adding it again moves it up, never down."""

    def __init__(self, clock: Callable[[], float], *, workers: int = 4) -> None:
        """`clock`: seconds of the running event loop. `workers` take from it at the same time."""
        self._clock = clock
        self._most_users = max(1, workers - max(1, workers // 4) - 1)
        """The others are for periodic work, and one for large work."""
        self._lanes = {lane: _FairLane() for lane in Lane}
        self._ready: dict[str, _Place] = {}
        self._delayed: dict[str, tuple[float, Lane, str, asyncio.TimerHandle]] = {}
        self._active: dict[str, Lane] = {}
        self._again: dict[str, tuple[float, Lane, str]] = {}
        self._retries = _Retries(lambda key, retry: self.add(key, retry.lane, flow=retry.flow), clock)
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()
        """Of the one worker that waits for work. All of them would wake up each time, and all but one for nothing."""

    def add(self, key: str, lane: Lane, *, flow: str = "", delay: float = 0.0) -> None:
        """Queues `key` in `lane` after `delay` seconds, or earlier if it is due earlier already."""
        due = self._clock() + delay
        if key in self._active:
            planned = self._again.get(key)
            if planned is not None:
                due, lane = min(due, planned[0]), _upper(lane, planned[1])
            self._again[key] = (due, lane, flow)
            return
        if key in self._ready:
            self._move_up(key, lane, flow)
            return
        self._schedule(key, due, lane, flow)

    def retry(self, key: str, lane: Lane, *, failures: int, flow: str = "", delay: float = 0.0) -> None:
        """Work on `key` has failed, `failures` times in a row: queues it after `delay` seconds, or later when much fails."""
        self._retries.plan(key, _Retry(self._clock() + delay, failures, lane, flow))

    def _move_up(self, key: str, lane: Lane, flow: str) -> None:
        place = self._ready[key]
        upper = _upper(lane, place.lane)
        if upper is not place.lane:
            self._lanes[place.lane].remove(key, place.flow)
            self._put(key, upper, flow, place.since)

    def _schedule(self, key: str, due: float, lane: Lane, flow: str) -> None:
        if (planned := self._delayed.pop(key, None)) is not None:
            planned[3].cancel()
            if planned[0] <= due:
                due, lane = planned[0], _upper(lane, planned[1])
        delay = due - self._clock()
        if delay <= 0:
            self._put(key, lane, flow, self._clock())
        else:
            timer = asyncio.get_running_loop().call_later(delay, self._ripen, key)
            self._delayed[key] = (due, lane, flow, timer)

    def _ripen(self, key: str) -> None:
        _, lane, flow, _ = self._delayed.pop(key)
        self._put(key, lane, flow, self._clock())

    def _put(self, key: str, lane: Lane, flow: str, since: float) -> None:
        self._lanes[lane].put(key, flow, since)
        self._ready[key] = _Place(lane, flow, since)
        self._wake.set()
        if lane is Lane.LARGE:
            asyncio.get_running_loop().call_later(LARGE_PATIENCE, self._wake.set)

    async def get(self) -> Work:
        """The next piece of work; `done` must be called for its key."""
        async with self._turn:
            while (work := self._take()) is None:
                self._wake.clear()
                await self._wake.wait()
        return work

    def _take(self) -> Work | None:
        lane = self._next_lane(self._clock())
        return None if lane is None else self._start(lane, self._clock())

    def _next_lane(self, now: float) -> Lane | None:
        if self._large_is_overdue(now):
            return Lane.LARGE
        if self._lanes[Lane.USER] and self._users_at_work() < self._most_users:
            return Lane.USER
        if self._lanes[Lane.PERIODIC]:
            return Lane.PERIODIC
        if self._lanes[Lane.LARGE] and not {Lane.USER, Lane.LARGE} & set(self._active.values()):
            return Lane.LARGE
        return None

    def _users_at_work(self) -> int:
        return sum(lane is Lane.USER for lane in self._active.values())

    def _start(self, lane: Lane, now: float) -> Work:
        key, since = self._lanes[lane].take()
        del self._ready[key]
        self._active[key] = lane
        self._retries.cancel(key)
        return Work(key, lane, now - since)

    def _large_is_overdue(self, now: float) -> bool:
        large = self._lanes[Lane.LARGE]
        return len(large) > 0 and Lane.LARGE not in self._active.values() and now - large.oldest() >= LARGE_PATIENCE

    def done(self, key: str) -> None:
        """The worker has finished with `key`; what was added meanwhile is due now."""
        self._active.pop(key, None)
        if (planned := self._again.pop(key, None)) is not None:
            self._schedule(key, *planned)
        self._retries.ended(key)
        self._wake.set()

    def forget(self, key: str) -> None:
        """Drops what is planned for `key`; work in progress goes on."""
        self._again.pop(key, None)
        if (planned := self._delayed.pop(key, None)) is not None:
            planned[3].cancel()
        if (place := self._ready.pop(key, None)) is not None:
            self._lanes[place.lane].remove(key, place.flow)
        self._retries.cancel(key)
        self._retries.ended(key)

    def knows(self, key: str) -> bool:
        """Whether `key` is planned, ready or being worked on."""
        return any(key in those for those in (self._active, self._ready, self._delayed, self._retries))

    def depth(self) -> dict[Lane, int]:
        """Ready pieces of work by lane."""
        return {lane: len(keys) for lane, keys in self._lanes.items()}

    def idle(self) -> bool:
        """Nothing is ready and nothing is being worked on; delayed work may be planned."""
        return not self._ready and not self._active


def _upper(first: Lane, second: Lane) -> Lane:
    order = list(Lane)
    return min(first, second, key=order.index)
