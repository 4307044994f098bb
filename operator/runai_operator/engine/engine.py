"""The engine turns events into passes. It owns the workers and everything that runs beside them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from random import Random

from runai_operator.domain.actions import Result, Verdict
from runai_operator.domain.errors import BridgeError
from runai_operator.domain.events import Event
from runai_operator.domain.memory import NEVER, Requests, Source
from runai_operator.domain.model import DEFAULT_CONNECTION, Meta, Row, TableRow, Workload
from runai_operator.domain.plan import Need, StatusSummary, is_misstated, plan_of, shows_news
from runai_operator.domain.reasons import Reason
from runai_operator.domain.requeue import (
    FIRST_STATUS,
    LONGEST_PASS,
    NAME_SPACING,
    PROBE_AT_START,
    PROMPT_SYNC_READS,
    ROW_READ_CEILING,
    SLOW_PROBE,
    WRITE_SPACING,
    give_up_after,
    goes_on,
    is_paced,
    next_count_read,
    next_failed_sync_read,
    next_first_status,
    next_row_read,
    next_sync_read,
    next_verdict,
    probe_interval,
    regularly,
    until_ends_count,
    until_restated,
)
from runai_operator.engine.crd_guard import CRDGuard
from runai_operator.engine.events import EventRecorder
from runai_operator.engine.fence import Fence
from runai_operator.engine.inventory import Entry, Inventory
from runai_operator.engine.ports import EngineSettings, Kube, Observer, Runai
from runai_operator.engine.reconcile import Reconciler
from runai_operator.engine.sources import SourceKey, Sources
from runai_operator.engine.upstream import Upstream, Upstreams
from runai_operator.engine.workqueue import Lane, Work, WorkQueue

log = logging.getLogger(__name__)

WORKERS = 21
RESYNC_INTERVAL = 600.0
SOURCE_INTERVAL = 60.0


def always_default(_: Workload) -> str:
    """The connection of every workload, while only one can be configured."""
    return DEFAULT_CONNECTION


class Engine:
    """Reconciles every RunaiWorkload that it has seen."""

    def __init__(
        self,
        *,
        kube: Kube,
        connections: Mapping[str, Runai],
        observer: Observer,
        settings: EngineSettings,
        now: Callable[[], datetime],
        random: Random,
        choose: Callable[[Workload], str] = always_default,
    ) -> None:
        """Must be created in the running event loop. `now` returns UTC. Owns the clients in `connections`; `choose`
        names the connection for a workload that was not submitted yet."""
        self._clock = asyncio.get_running_loop().time
        self._kube, self._observer, self._random, self._now = kube, observer, random, now
        self._settings = settings
        self.fence = Fence(self._clock)
        self.inventory = Inventory(self._clock)
        self._queue = WorkQueue(self._clock, workers=WORKERS)
        self.upstreams = Upstreams({name: self._upstream(name, runai) for name, runai in connections.items()}, choose)
        self._crd_guard = CRDGuard(kube.read_crd, self._wake_urgently, clock=self._clock, random=random)
        self._events = EventRecorder(
            kube.record_event, guarded=self.fence.guarded, report=observer.event, clock=self._clock, now=now
        )
        self._reconciler = Reconciler(
            kube=kube,
            upstreams=self.upstreams,
            guarded=self.fence.guarded,
            observer=observer,
            read_crd=self._crd_guard.seen_since,
            claim=self.inventory.claim,
            record=self._events.record if settings.events else _record_nothing,
            settings=settings,
            clock=self._clock,
            now=now,
            random=random,
        )
        self._unlisted: dict[str | None, str] = {}
        """Scopes whose last list failed, and why, which is logged once."""
        self._newcomers = WorkQueue(self._clock, workers=1)
        self._sources = Sources(kube.source_version, self._source_changed)
        self._beat = self._clock()
        self._freshness_changes = 0

    def _upstream(self, name: str, runai: Runai) -> Upstream:
        return Upstream(
            name,
            runai,
            read=partial(self._kube.read, large=True),
            listener=self,
            observer=self._observer,
            fence=self.fence.left,
            guarded=self.fence.guarded,
            settings=self._settings,
            clock=self._clock,
            now=self._now,
            random=self._random,
        )

    async def run(self) -> None:
        """Works until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._work())
            for upstream in self.upstreams:
                group.create_task(upstream.run())
            group.create_task(self._crd_guard.run())
            group.create_task(self._events.run())
            group.create_task(self._watch_newcomers())
            group.create_task(self._every(RESYNC_INTERVAL, self.resync))
            group.create_task(self._every(SOURCE_INTERVAL, self._check_sources))

    async def aclose(self) -> None:
        """Closes the connections."""
        await self.upstreams.aclose()

    def silent_for(self) -> float:
        """Seconds since a worker last took or finished work; 0 while there is none, or none may be done."""
        return 0.0 if self._queue.idle() or self.fence.closed else self._clock() - self._beat

    # --- what the watch and the lists of Kubernetes bring

    def observe(self, kind: str | None, meta: Meta) -> None:
        """A watch event (`kind` is None for one from a list). Returns at once and never raises for odd input."""
        if kind == "DELETED":
            if self._has_left(meta):
                self.inventory.leave(meta.ref.uid)
            self._vanished(meta.ref.uid)
            return
        if self.inventory.has_ended(meta.ref.uid):
            return
        entry = self.inventory.get(meta.ref.uid)
        if entry is not None and entry.has_left:  # it is back; what is known of it is from before others served it
            self._drop(self.inventory.forget(entry.uid))
            entry = None
        if entry is None:
            self._doubt_namesake(meta)
            entry = self.inventory.add(meta, taken_over=not self._settings.serves_all and meta.has_finalizer)
            self._enqueue(entry, Lane.USER)
            self._newcomers.add(entry.uid, Lane.USER, flow=entry.flow, delay=FIRST_STATUS)
            return
        is_news = shows_news(meta, entry.meta, entry.summary)
        entry = self.inventory.update_meta(entry, meta, anew=is_news)
        if is_news:
            self._enqueue(entry, Lane.USER)

    def knows(self, uid: str, resource_version: str) -> bool:
        """Whether the object would be no news at this version."""
        entry = self.inventory.get(uid)
        return entry is not None and entry.meta.resource_version == resource_version

    def _doubt_namesake(self, meta: Meta) -> None:
        """One of two objects of a name is gone. Only a pass can find out which: an event or a list may be late."""
        if (other := self.inventory.namesake(meta.ref)) is not None:
            self._enqueue(other, Lane.USER)

    def _has_left(self, meta: Meta) -> bool:
        """What the watch shows as deleted has only lost its labels: as long as it has a finalizer, an object does not go before its
        deletion was asked for."""
        return not self._settings.serves_all and meta.has_finalizer and not meta.deleting

    def _vanished(self, uid: str) -> None:
        """The object is gone. If it had our finalizer, or a pass may just have added it, a pass finds out what that leaves
        in Run:ai."""
        entry = self.inventory.get(uid)
        if entry is not None and (entry.meta.has_finalizer or entry.memory.guarded or self._queue.knows(uid)):
            self._enqueue(entry, Lane.USER)
        else:
            self._drop(self.inventory.forget(uid))

    def _drop(self, entry: Entry | None) -> None:
        """Nothing is planned any more for an entry that the inventory no longer has."""
        if entry is not None:
            self._queue.forget(entry.uid)
            self._newcomers.forget(entry.uid)
            self.upstreams.forget(entry.uid)
            self._name_freed(entry.name)

    def _is_new(self, uid: str) -> bool:
        entry = self.inventory.get(uid)
        return entry is not None and entry.summary.observed_generation < 0 and not entry.meta.deleting

    async def load(self) -> None:
        """Rebuilds the inventory from lists, before the watch starts. Raises when no scope can be listed."""
        await self.resync()
        log.info("loaded %d workloads", len(self.inventory))

    def _load(self, row: TableRow) -> str:
        uid = row.meta.ref.uid
        if self.inventory.has_ended(uid):
            return uid
        entry = self.inventory.get(uid)
        if entry is not None:
            self.observe(None, row.meta)
            if not self._is_planned(uid) and entry.meta.resource_version == row.meta.resource_version:
                self._carry_on(
                    self.inventory.update_summary(entry, StatusSummary.of_cells(row)), probe_within=SLOW_PROBE
                )
            return uid
        self._doubt_namesake(row.meta)
        entry = self.inventory.add(row.meta, StatusSummary.of_cells(row))
        if self._is_new(uid):
            self._newcomers.add(uid, Lane.USER, flow=entry.flow, delay=FIRST_STATUS)
        if entry.summary.has_source and entry.takes_changes:
            self._enqueue(entry, Lane.PERIODIC)  # no process but this one knows what the source held when it was read
        self._carry_on(entry, probe_within=PROBE_AT_START)
        return uid

    def _carry_on(self, entry: Entry, *, probe_within: float) -> None:
        """Queues what status and metadata say is outstanding, if nothing is planned."""
        match plan_of(entry.summary, entry.meta):
            case Need.PASS:
                self._enqueue(entry, Lane.USER)
            case Need.PROBE:
                within = min(probe_within, probe_interval(entry.summary.reason))
                self._enqueue(entry, Lane.PERIODIC, delay=self._random.uniform(0, within))
            case Need.READ:
                self._plan_read(entry, self._random.uniform(0, 1))
            case Need.ROW:
                self._plan_row_read(entry, self._random.uniform(0, ROW_READ_CEILING), patiently=True)
            case Need.VERDICT:
                self._plan_verdict(entry, self._random.uniform(0, SLOW_PROBE))

    def _is_planned(self, uid: str) -> bool:
        return self._queue.knows(uid) or self.upstreams.is_planned(uid)

    async def resync(self) -> None:
        """The safety net for the watch and for every timer: finds what was missed, and forgets what is gone.

        Each scope is listed for itself, since one may be forbidden, or gone. Raises when none can be listed.
        """
        errors = [await self._resync_scope(scope) for scope in self._kube.scopes]
        if all(errors) and errors[0] is not None:
            raise errors[0]

    async def _resync_scope(self, scope: str | None) -> BridgeError | None:
        """The error if it cannot be listed; what is known of its objects then stays as it is."""
        known = {entry.uid: entry for entry in self.inventory if scope in (None, entry.ref.namespace)}
        try:
            listed = {self._load(row) async for row in self._kube.list_all(scope)}
        except BridgeError as error:
            if self._unlisted.get(scope) != error.message and len(self._kube.scopes) > 1:
                log.warning("%s", error.message)
            self._unlisted[scope] = error.message
            return error
        if self._unlisted.pop(scope, None) is not None:
            log.info("RunaiWorkloads in %s can be listed again", scope or "the whole cluster")
        for uid, entry in known.items():
            if uid in listed:
                continue
            now = self.inventory.get(uid)
            if now is not None and now.meta.resource_version != entry.meta.resource_version:
                self._enqueue(now, Lane.USER)  # it may have been back before the list ended
            else:
                self._vanished(uid)
        return None

    # --- what the connections bring (`Listener`)

    def wake(self, uid: str) -> None:
        if (entry := self.inventory.get(uid)) is not None:
            self._enqueue(entry, Lane.PERIODIC)

    def read_due(self, uid: str) -> None:
        if (entry := self.inventory.request(uid, Requests(read=True))) is not None:
            self._enqueue(entry, Lane.PERIODIC)

    def row_due(self, uid: str) -> None:
        if (entry := self.inventory.request(uid, Requests(row=True))) is not None:
            self._enqueue(entry, Lane.PERIODIC)

    def verdict_due(self, uid: str) -> None:
        if (entry := self.inventory.request(uid, Requests(verdict=True))) is not None:
            self._enqueue(entry, Lane.PERIODIC)

    def comparison_due(self, uid: str) -> None:
        if (entry := self.inventory.request(uid, Requests(read=True, check_content=True))) is not None:
            self._enqueue(entry, Lane.PERIODIC)

    def restate_due(self, uid: str) -> None:
        entry = self.inventory.get(uid)
        if entry is None:
            return
        if self.upstreams.is_parked(uid) or self._is_misstated(entry):
            entry = self.inventory.request(uid, Requests(restate=True)) or entry
        elif entry.memory.retrying_since is None and entry.memory.unread is None:
            return
        self._enqueue(entry, Lane.PERIODIC)

    def freshness_changed(self, connection: str) -> None:
        self._freshness_changes += 1
        for entry in self.inventory:
            if entry.summary.connection == connection:
                self._restate(entry)

    def _restate(self, entry: Entry) -> None:
        upstream = self.upstreams.named(entry.summary.connection)
        if upstream is not None and self._is_misstated(entry):
            upstream.restatements.plan(entry.uid, 0)

    def _is_misstated(self, entry: Entry) -> bool:
        upstream = self.upstreams.named(entry.summary.connection)
        if upstream is None or entry.memory.unread is not None:
            return False  # what could not be read is unknown until it can be
        if entry.row is None and not entry.summary.finished and upstream.freshness.lists is None:
            return False  # what was unknown to the last process is known again once a list has shown it
        return is_misstated(entry.summary, entry.meta, upstream.freshness)

    def row_seen(self, connection: str, row: Row) -> bool:
        if (upstream := self.upstreams.named(connection)) is not None:
            upstream.dry_runs.seen(row)
            upstream.leftovers.seen(row)
        has_changed = self.inventory.shows_change(connection, row)
        for entry in self.inventory.see(connection, row):
            self._enqueue(entry, Lane.PERIODIC)
            is_patient = entry.summary.in_flight and entry.memory.sync_reads > PROMPT_SYNC_READS
            if is_patient or entry.summary.may_recover:
                self._plan_read(entry, 0)
        for entry in self.inventory.of_row(connection, row):
            self._restate(entry)
            if entry.is_found_gone and self._is_back(entry):
                self._plan_read(entry, 0)
        return has_changed

    def _is_back(self, entry: Entry) -> bool:
        """A list shows again what the last sweep missed."""
        upstream = self.upstreams.named(entry.summary.connection)
        return upstream is not None and upstream.witness.is_back(str(entry.summary.workload_id))

    def row_deleted(self, connection: str, row: Row) -> None:
        self._name_freed((connection, row.project_id, row.name))
        self.inventory.see_deleted(connection, row)
        for entry in self.inventory.of_row(connection, row):
            if entry.meta.deleting or entry.summary.reason == Reason.RECREATING:
                self._enqueue(entry, Lane.USER)
            elif not entry.summary.finished:
                self._plan_read(entry, 0)

    def swept(self, connection: str, ids: set[str], began: float, *, is_nearly_complete: bool) -> None:
        """Absence from the list of everything is a hint, which a reading by id has to confirm."""
        missing, shown_since = self.inventory.missing_from(connection, ids), began - self._settings.limits.grace
        if (upstream := self.upstreams.named(connection)) is not None:
            vanished = (entry for entry in missing if entry.has_vanished(shown_since=shown_since))
            upstream.witness.swept(
                unlisted=[str(entry.summary.workload_id) for entry in missing],
                vanished=[str(entry.summary.workload_id) for entry in vanished],
            )
        for entry in missing if is_nearly_complete else ():
            if entry.memory.wrote_at < shown_since and not entry.is_found_gone:
                self._plan_read(entry, 0)

    def _name_freed(self, name: tuple[str, str, str] | None) -> None:
        """Connection, project and name of a workload that is gone, as far as is known: those who wait for it try again."""
        for entry in self.inventory.waiting_for(*name) if name is not None else ():
            # The lists show a deletion many times, and first when the name may not be free yet.
            self._enqueue(entry, Lane.PERIODIC, delay=entry.memory.wrote_at + NAME_SPACING - self._clock())

    def _plan_read(self, entry: Entry, delay: float) -> None:
        if (upstream := self.upstreams.named(entry.summary.connection)) is not None:
            upstream.reads.plan(entry.uid, delay)

    def _plan_row_read(self, entry: Entry, delay: float, *, patiently: bool) -> None:
        if (upstream := self.upstreams.named(entry.summary.connection)) is not None:
            upstream.plan_row_read(entry.uid, delay, patiently=patiently)

    def _plan_verdict(self, entry: Entry, delay: float) -> None:
        """Unless one is planned: to look at the object is no reason to ask sooner."""
        upstream = self.upstreams.named(entry.summary.connection)
        if upstream is not None and not upstream.verdicts.knows(entry.uid):
            upstream.verdicts.plan(entry.uid, delay)

    def _wake_urgently(self, uid: str, delay: float) -> None:
        if (entry := self.inventory.get(uid)) is not None:
            self._enqueue(entry, Lane.USER, delay=delay)

    def _enqueue(self, entry: Entry, lane: Lane, *, delay: float = 0.0) -> None:
        if lane is Lane.PERIODIC:
            delay = max(delay, entry.memory.wrote_at + WRITE_SPACING - self._clock())
        self._queue.add(entry.uid, Lane.LARGE if entry.memory.large else lane, flow=entry.flow, delay=delay)

    # --- working

    async def _work(self) -> None:
        while True:
            work = await self._queue.get()
            await self.fence.opened()  # what is begun without leave ends as a failure, over and over
            self._beat = self._clock()
            self._observer.queue_waited(work.lane, work.waited)
            try:
                if (entry := self.inventory.get(work.key)) is not None:
                    await self._pass(entry, work)
            finally:
                self._queue.done(work.key)
                self.upstreams.read_ended(work.key)
                self._beat = self._clock()

    async def _pass(self, entry: Entry, work: Work) -> None:
        began = self._clock()
        is_parked, changes = self.upstreams.is_parked(entry.uid), self._freshness_changes
        taken = self.inventory.begin(entry, waits=is_parked)
        if not (is_parked and taken.restate):
            self.upstreams.unpark(entry.uid)
        result = await self._reconciler.reconcile(
            entry.meta, entry.memory, taken, entry.sighting, entry.summary, has_left=entry.has_left
        )
        self._observer.reconciled(result.did, result.verdict, self._clock() - began)
        if self._is_over(entry, result):
            return
        if result.summary is not None and result.summary.workload_id != entry.summary.workload_id:
            self._name_freed(entry.name)
        if result.verdict is Verdict.BUG:
            self._observer.bug()
        if result.verdict is Verdict.FAILED and result.error is not None:
            level = (
                logging.WARNING if result.memory.broken_off.bit_count() == 1 else logging.DEBUG
            )  # the 1st, 2nd, 4th ...
            log.log(level, "could not reconcile: %s", result.error.message, extra=entry.meta.fields)
        if (entry_after := self.inventory.finish(entry.uid, result, taken)) is not None:
            self._schedule(entry_after, result, work.lane)
            if self._freshness_changes != changes:  # what the pass wrote may have been overtaken
                self._restate(entry_after)

    def _is_over(self, entry: Entry, result: Result) -> bool:
        """Nothing follows from the pass, which began with `entry`: the object has gone, or others serve it, or have meanwhile."""
        if result.verdict in (Verdict.GONE, Verdict.RELEASED):
            self._drop(self.inventory.end(entry.uid))
            return True
        now = self.inventory.get(entry.uid)
        if now is not None and now.arrival != entry.arrival:
            return True  # it left and is back, which has queued it
        if result.verdict is not Verdict.PASSED_ON:
            return False
        if now is not None and now.meta.resource_version != entry.meta.resource_version:
            self._enqueue(now, Lane.USER)  # its labels may have come back
        else:
            log.info("left to another release: its labels are no longer selected", extra=entry.meta.fields)
            self._drop(self.inventory.forget(entry.uid))
        return True

    def _schedule(self, entry: Entry, result: Result, lane: Lane) -> None:
        """Queues the next pass, unless the gate or an event will."""
        delay = result.requeue_after
        self._plan_restatement(entry)
        if entry.is_taken_over and result.summary is not None:
            self._plan_comparison(self.inventory.served(entry))
        if result.verdict is Verdict.RETRYING and self.upstreams.is_parked(entry.uid):
            return  # status was only restated
        if (upstream := self._parked_at(entry, result)) is not None:
            delay = self._give_up_after(entry, upstream)
        elif delay is None and not entry.meta.deleting:
            self._follow_sync(entry)
            delay = until_ends_count(entry.memory, phase=entry.summary.phase, now=self._clock())
        if result.summary is not None:
            self._follow_row(entry)
            self._follow_verdict(entry, result)
        if delay is None:
            return
        if is_paced(result):
            lane = Lane.LARGE if entry.memory.large else _lane_after(result, lane)
            self._queue.retry(entry.uid, lane, failures=entry.memory.broken_off, flow=entry.flow, delay=delay)
        elif goes_on(result, entry.memory.failures):
            self._plan_read(entry, delay)
        else:
            self._enqueue(entry, _lane_after(result, lane), delay=delay)

    def _plan_restatement(self, entry: Entry) -> None:
        """What waits is shown as stalled or as unknown in time, whether it is tried again until then or not."""
        upstream = self.upstreams.named(entry.summary.connection)
        left = until_restated(entry.memory, self._settings.limits, now=self._clock())
        if upstream is not None and left is not None:
            upstream.restatements.plan(entry.uid, left)

    def _plan_comparison(self, entry: Entry) -> None:
        """What was outstanding when the object came may also be on its way from who served it before, and arrive last."""
        upstream = self.upstreams.named(entry.summary.connection)
        if upstream is not None and entry.memory.wrote_at > NEVER and entry.summary.workload_id is not None:
            upstream.comparisons.plan(entry.uid, LONGEST_PASS)

    def _follow_sync(self, entry: Entry) -> None:
        upstream = self.upstreams.named(entry.summary.connection)
        if upstream is None:
            return
        if entry.summary.in_flight:
            upstream.reads.follow(entry.uid, next_sync_read(entry.memory.sync_reads))
        elif entry.summary.may_recover:
            upstream.reads.follow(entry.uid, next_failed_sync_read(entry.memory.sync_reads))
        else:
            upstream.reads.arrived(entry.uid)

    def _follow_row(self, entry: Entry) -> None:
        """The scheduler's reason appears, and changes, without news in any list; so do the counts after an edit."""
        reads = entry.memory.row_reads if entry.row is not None else 1
        if entry.counts_may_lag and (pause := next_count_read(reads)) is not None:
            self._plan_row_read(entry, pause, patiently=False)
        elif entry.asks_scheduler:
            self._plan_row_read(entry, next_row_read(reads), patiently=reads > 0)
        elif (upstream := self.upstreams.named(entry.summary.connection)) is not None:
            upstream.cancel_row_read(entry.uid)

    def _follow_verdict(self, entry: Entry, result: Result) -> None:
        """What Run:ai would accept may change without news of it."""
        if result.verdict is not Verdict.VALID:
            if (upstream := self.upstreams.named(entry.summary.connection)) is not None:
                upstream.verdicts.cancel(entry.uid)
        elif result.error is None:
            self._plan_verdict(entry, next_verdict(entry.memory.verdicts))

    def _parked_at(self, entry: Entry, result: Result) -> Upstream | None:
        """The connection where the object is parked now, whose gate wakes it when calls go out again."""
        upstream = self.upstreams.named(entry.summary.connection)
        if upstream is None or result.error is None or not upstream.gate.park(entry.uid, result.error):
            return None
        return upstream

    def _give_up_after(self, entry: Entry, upstream: Upstream) -> float | None:
        """Seconds until a parked deletion is reconciled all the same, since it does not wait for ever."""
        if not entry.meta.deleting:
            return None
        missing_since = entry.memory.missing_since
        missing_for = 0.0 if missing_since is None else self._clock() - missing_since
        trouble_for = max(missing_for, upstream.trouble_for(entry.summary.workload_id))
        soonest = self._settings.limits.gives_up_in(entry.meta, wall=self._now(), trouble_for=trouble_for)
        return give_up_after(soonest, self._random.random())

    # --- beside the workers

    async def _watch_newcomers(self) -> None:
        """Writes a first status for what cannot be submitted: while Run:ai does not answer, a pass over it hangs, or does
        not begin because others hang, and a blank one reads as if no operator were running."""
        while True:
            uid, is_tried = (await self._newcomers.get()).key, False
            try:
                if self._is_new(uid) and any(upstream.holds_up() for upstream in self.upstreams):
                    is_tried = True
                    await self._show_waiting(uid)
            except BridgeError as error:  # its pass has written meanwhile, or nothing can be written now
                log.debug("no first status: %s", error.message)
            except Exception:
                log.exception("unexpected error")
                self._observer.bug()
            finally:
                self._newcomers.done(uid)
            if (entry := self.inventory.get(uid)) is not None and self._is_new(uid):
                waited = self._clock() - (entry.owed_since or self._clock())
                delay = next_first_status(waited) if is_tried else FIRST_STATUS
                self._newcomers.add(uid, Lane.USER, flow=entry.flow, delay=delay)

    async def _show_waiting(self, uid: str) -> None:
        entry = self.inventory.get(uid)
        summary = await self._reconciler.show_waiting(entry.meta) if entry is not None else None
        if summary is not None and self._is_new(uid) and (entry := self.inventory.get(uid)) is not None:
            self.inventory.update_summary(entry, summary)

    async def _every(self, interval: float, job: Callable[[], object]) -> None:
        while True:
            await asyncio.sleep(regularly(interval, self._random.random()))
            try:
                result = job()
                if asyncio.iscoroutine(result):
                    await result
            except BridgeError as error:
                log.warning("%s", error.message)
            except Exception:
                log.exception("unexpected error")
                self._observer.bug()

    async def _check_sources(self) -> None:
        users: dict[SourceKey, list[tuple[str, Source]]] = {}
        for entry in self.inventory:
            if (source := entry.memory.source) is not None and entry.takes_changes:
                key = (entry.ref.namespace, source.ref.kind, source.ref.name)
                users.setdefault(key, []).append((entry.uid, source))
        await self._sources.check(users)

    def _source_changed(self, uid: str) -> None:
        if (entry := self.inventory.request(uid, Requests(check_content=True))) is not None:
            self._enqueue(entry, Lane.PERIODIC)

    def report(self) -> None:
        """Reports to the observer how many there are of everything now."""
        self._observer.workloads(self.inventory.counts())
        self._observer.reasons(self.inventory.reasons())
        self._observer.outstanding(self.inventory.stalled(), self.inventory.oldest_owed())
        waits = [entry.meta for entry in self.inventory if entry.meta.deleting and entry.meta.has_finalizer]
        oldest = min((meta.deletion_requested for meta in waits if meta.deletion_requested is not None), default=None)
        waited = 0.0 if oldest is None else (self._now() - oldest).total_seconds()
        self._observer.deletions(len(waits), max(waited, 0.0))
        for upstream in self.upstreams:
            self._observer.deletions_rate_limited(upstream.name, upstream.deletions.waiting())
        for lane, depth in self._queue.depth().items():
            self._observer.queue_depth(lane, depth)


def _record_nothing(_: Meta, __: Event) -> None:
    """Where Kubernetes Events are not wanted."""


def _lane_after(result: Result, lane: Lane) -> Lane:
    """Somebody is waiting for the end of a deletion or of a submission; everything else is status work."""
    match result.verdict:
        case Verdict.DELETING | Verdict.WAITING | Verdict.CONFLICT:
            return Lane.USER
        case Verdict.FAILED | Verdict.BUG | Verdict.TOO_LARGE:
            return lane
    return Lane.PERIODIC
