"""One Run:ai connection: the client behind its gate, and everything that is limited or remembered per connection.

Its owner closes it. A pass gets the one of its workload from `Upstreams.of` and hands it on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from random import Random

from runai_operator.domain.errors import BridgeError, InvalidWorkload, Unavailable
from runai_operator.domain.freshness import Freshness, Source
from runai_operator.domain.model import DEFAULT_CONNECTION, Ref, Workload
from runai_operator.domain.reasons import Reason
from runai_operator.engine.dry_runs import DryRuns, Leftovers
from runai_operator.engine.gate import CallClass, Gate
from runai_operator.engine.limits import (
    MOST_ROW_READS,
    PATIENT_INTERVAL,
    READ_INTERVAL,
    ROW_READ_INTERVAL,
    STATUS_INTERVAL,
    VERDICT_INTERVAL,
    DeletionLimiter,
    PacedScheduler,
    ReadScheduler,
)
from runai_operator.engine.poller import Poller
from runai_operator.engine.ports import EngineSettings, Listener, Observer, Runai
from runai_operator.engine.projects import Projects, Witness

log = logging.getLogger(__name__)

SILENCE = 1.0
"""Seconds after which calls without an answer are said to be held up."""
MEASUREMENTS = 12
"""How often freshness is measured within the time after which a source of status is stale."""
SHORTEST_PAUSE = 0.5
"""Seconds."""


class Upstream:
    """One connection; passes use its `gate`, `projects`, `witness`, `reads`, `deletions`, `dry_runs` and `leftovers`."""

    def __init__(
        self,
        name: str,
        runai: Runai,
        *,
        read: Callable[[Ref], Awaitable[Workload | None]],
        listener: Listener,
        observer: Observer,
        fence: Callable[[], float | None],
        guarded: Callable[[], AbstractAsyncContextManager[None]],
        settings: EngineSettings,
        clock: Callable[[], float],
        now: Callable[[], datetime],
        random: Random,
    ) -> None:
        """Takes ownership of `runai`; `read` gives an object as `ports.Kube.read` does; `fence` and `guarded` are those of its
        gate. `clock` in loop seconds, `now` returns UTC."""
        self.name = name
        self._listener, self._observer, self._random, self._clock = listener, observer, random, clock
        self._lists = self._readings = Source(settings.limits.stale_after)
        self.freshness = Freshness(is_known=False)
        self.gate = Gate(
            runai,
            wake=listener.wake,
            clock=clock,
            random=random,
            report=lambda call_class, up: observer.circuit(name, call_class, up),
            fence=fence,
            guarded=guarded,
        )
        self.projects = Projects(self.gate, clock)
        self.witness = Witness(self.gate, clock)
        self.reads = ReadScheduler(listener.read_due, clock)
        self.row_reads = PacedScheduler(listener.row_due, clock, interval=ROW_READ_INTERVAL, most=MOST_ROW_READS)
        self.patient_row_reads = PacedScheduler(
            lambda uid: self.row_reads.plan(uid, 0), clock, interval=PATIENT_INTERVAL
        )
        self.verdicts = PacedScheduler(listener.verdict_due, clock, interval=VERDICT_INTERVAL)
        self.comparisons = PacedScheduler(listener.comparison_due, clock, interval=READ_INTERVAL)
        self.restatements = PacedScheduler(listener.restate_due, clock, interval=STATUS_INTERVAL)
        self.deletions = DeletionLimiter(settings.delete_rate, clock, listener.wake)
        self.dry_runs = DryRuns(
            self.gate,
            self.witness,
            install=settings.install,
            former=settings.former_installs,
            grace=settings.limits.grace,
            wake=listener.wake,
            bug=observer.bug,
            clock=clock,
            random=random,
        )
        self.leftovers = Leftovers(
            self.gate,
            read=read,
            serves_all=settings.serves_all,
            made=self.dry_runs.refute,
            bug=observer.bug,
            clock=clock,
            random=random,
        )
        self.poller = Poller(
            name,
            runai=self.gate,
            observer=observer,
            listener=listener,
            delta_interval=settings.delta_interval,
            sweep_interval=settings.sweep_interval,
            overlap=settings.limits.grace,
            clock=clock,
            now=now,
            random=random,
        )

    async def run(self) -> None:
        """Runs everything that a connection does beside the passes, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.poller.run())
            group.create_task(self.gate.run())
            group.create_task(self.reads.run())
            group.create_task(self.row_reads.run())
            group.create_task(self.patient_row_reads.run())
            group.create_task(self.verdicts.run())
            group.create_task(self.comparisons.run())
            group.create_task(self.restatements.run())
            group.create_task(self._watch_freshness())
            group.create_task(self.deletions.run())
            group.create_task(self.dry_runs.run())
            group.create_task(self.leftovers.run())

    async def aclose(self) -> None:
        await self.gate.aclose()

    def holds_up(self) -> BridgeError | None:
        """Why nothing can be submitted now, if it cannot: calls are held back, or those under way get no answer."""
        for kind in (CallClass.LISTS, CallClass.LOOKUPS, CallClass.WRITES):  # a project is looked up
            if (error := self.gate.error(kind)) is not None:
                return error
            if self.gate.silent_for(kind) >= SILENCE:
                return Unavailable("Run:ai has not answered yet: the workload is submitted as soon as it does.")
        return None

    def trouble_for(self, workload_id: str | None) -> float:
        """Seconds for which the calls that one workload needs have had no useful answer; one whose id is not known is
        looked for in lists."""
        return self.gate.trouble_for(*CallClass if workload_id is None else (CallClass.READS, CallClass.WRITES))

    def plan_row_read(self, uid: str, delay: float, *, patiently: bool) -> None:
        """Reads the row of a workload by itself. `patiently`: it shares a few readings a minute with all that wait so."""
        (self.patient_row_reads if patiently else self.row_reads).plan(uid, delay)

    def cancel_row_read(self, uid: str) -> None:
        self.row_reads.cancel(uid)
        self.patient_row_reads.cancel(uid)

    def read_ended(self, uid: str) -> None:
        """A pass over the object has ended, and with it any read that was due."""
        self.reads.ended(uid)
        self.row_reads.ended(uid)
        self.verdicts.ended(uid)
        self.comparisons.ended(uid)

    async def _watch_freshness(self) -> None:
        while True:
            await asyncio.sleep(max(SHORTEST_PAUSE, self._lists.stale_after / MEASUREMENTS))
            before, self.freshness = self.freshness, self._measure()
            if self.freshness == before:
                continue
            for was, why in ((before.lists, self.freshness.lists), (before.reads, self.freshness.reads)):
                if why is not None and was is None:
                    about = {"connection": self.name, "reason": why.condition_reason}
                    log.warning("what Run:ai shows is unknown for too long: %s", why.message, extra=about)
                elif was is not None and why is None:
                    log.info("what Run:ai shows is known again", extra={"connection": self.name})
            self._listener.freshness_changed(self.name)

    def _measure(self) -> Freshness:
        now, poller, gate = self._clock(), self.poller, self.gate
        self._lists = self._lists.seen(
            now=now, silent_for=poller.silent_for(), trouble=poller.trouble or self._silence(CallClass.LISTS)
        )
        self._readings = self._readings.seen(
            now=now, silent_for=gate.trouble_for(CallClass.READS), trouble=gate.error(CallClass.READS)
        )
        is_known = self.freshness.is_known or poller.has_answered or self._lists.stale is not None
        return Freshness(self._lists.stale, self._readings.stale, is_known)

    def _silence(self, kind: CallClass) -> Unavailable | None:
        """What there is to say while calls get no answer: not even an error, until their deadline."""
        if self.gate.silent_for(kind) < self._lists.stale_after:
            return None
        return Unavailable("Run:ai accepts requests and does not answer.")

    def forget(self, uid: str) -> None:
        """The object no longer exists."""
        self.gate.unpark(uid)
        self.reads.cancel(uid)
        self.cancel_row_read(uid)
        self.verdicts.cancel(uid)
        self.comparisons.cancel(uid)
        self.restatements.cancel(uid)
        self.deletions.forget(uid)
        self.dry_runs.leave(uid)


class Upstreams:
    """All connections, by name."""

    def __init__(self, upstreams: Mapping[str, Upstream], choose: Callable[[Workload], str]) -> None:
        """`choose` names the connection for a workload that was not submitted yet."""
        self._by_name, self._choose = upstreams, choose

    def __iter__(self) -> Iterator[Upstream]:
        return iter(self._by_name.values())

    def of(self, workload: Workload) -> Upstream:
        """The connection that holds the workload, by its status, or through which it is to be submitted.

        Raises `InvalidWorkload` when there is none of that name.
        """
        name = workload.status.get("connection") or self._choose(workload)
        if (found := self._by_name.get(name)) is None:
            raise InvalidWorkload(
                f"There is no Run:ai connection named {name} any more: restore it, so that the workload behind it can be"
                " reached.",
                reason=Reason.CONNECTION_NOT_FOUND,
            )
        return found

    def named(self, name: str | None) -> Upstream | None:
        return self._by_name.get(name or DEFAULT_CONNECTION)

    def is_parked(self, uid: str) -> bool:
        """Whether a gate will wake the object."""
        return any(upstream.gate.is_parked(uid) for upstream in self)

    def is_planned(self, uid: str) -> bool:
        """Whether a gate will wake the object, or a read of it is planned."""
        return any(upstream.gate.is_parked(uid) or upstream.reads.knows(uid) for upstream in self)

    def unpark(self, uid: str) -> None:
        """A pass over the object begins."""
        for upstream in self:
            upstream.gate.unpark(uid)

    def read_ended(self, uid: str) -> None:
        """A pass over the object has ended, and with it any read that was due."""
        for upstream in self:
            upstream.read_ended(uid)

    def forget(self, uid: str) -> None:
        for upstream in self:
            upstream.forget(uid)

    async def aclose(self) -> None:
        for upstream in self:
            await upstream.aclose()
