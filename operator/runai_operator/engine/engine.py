"""The engine: what was noticed goes in, passes come out. It owns the workers and everything that runs beside them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from random import Random

from runai_operator.domain.actions import Settle, Verdict
from runai_operator.domain.errors import BridgeError, Scope, StaleObject, TooHeavy, Vanished
from runai_operator.domain.model import Head, Listed, Row, SourceRef
from runai_operator.domain.pacing import again_after, backoff, next_look
from runai_operator.domain.situation import COMPLETED, FAILED
from runai_operator.engine.connection import Connection
from runai_operator.engine.definition import DefinitionGuard
from runai_operator.engine.looks import Looks
from runai_operator.engine.poller import Poller
from runai_operator.engine.ports import Kube, Observer, Runai
from runai_operator.engine.preparation import Preparation, Projects
from runai_operator.engine.queue import Lane, Work, WorkQueue
from runai_operator.engine.reconcile import Outcome, Reconciler
from runai_operator.engine.records import Record, Records, Shown
from runai_operator.engine.turns import Turns

log = logging.getLogger(__name__)

WORKERS = 16
WRITE_SPACING = 1.0
"""Seconds between two status writes that only polling asks for: changes within are written together."""
RESYNC_INTERVAL = 600.0
SOURCE_INTERVAL = 60.0
SETTLING_TIME = 2.0
"""Seconds after a submission before a list that lacks it means anything beyond its lag."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Durations in seconds."""

    install: str
    delta_interval: float = 5.0
    sweep_interval: float = 300.0
    stalled_after: float = 600.0
    grace: float = 60.0
    """How long absence from a list is not believed; more than lists lag."""
    release_after: float = 86_400.0
    """How long a deletion waits for a Run:ai that cannot be used."""
    delete_rate: int = 100
    """Workloads deleted in Run:ai within a minute, at most; 0 deletes none."""


class Engine:
    """Reconciles every RunaiWorkload that it is told of."""

    def __init__(
        self,
        *,
        kube: Kube,
        runai: Runai,
        observer: Observer,
        settings: EngineSettings,
        now: Callable[[], datetime],
        random: Random,
    ) -> None:
        """Must be made inside the running event loop. `now` gives UTC."""
        self._clock = asyncio.get_running_loop().time
        self._kube, self._observer, self._random = kube, observer, random
        self._settings = settings
        self.records = Records()
        self._queue = WorkQueue(self._clock)
        self._looks = Looks(self._take_look, self._clock)
        self.connection = Connection(
            self._probe, self._wake, random=random, clock=self._clock, report=observer.connection
        )
        self._turns = Turns(settings.delete_rate, self._clock)
        self._definition = DefinitionGuard(kube.read_definition, self._wake, clock=self._clock, random=random)
        projects = Projects(
            lambda name, cluster: self.connection.call(lambda: runai.projects(name=name, cluster_id=cluster)),
            self._clock,
        )
        self._reconciler = Reconciler(
            kube=kube,
            runai=runai,
            connection=self.connection,
            preparation=Preparation(kube, projects, settings.install),
            records=self.records,
            turns=self._turns,
            definition=self._definition,
            observer=observer,
            install=settings.install,
            grace=settings.grace,
            stalled_after=settings.stalled_after,
            release_after=settings.release_after,
            clock=self._clock,
            now=now,
        )
        self.poller = Poller(
            runai=runai,
            connection=self.connection,
            observer=observer,
            seen=self._row_seen,
            deleted=self._row_deleted,
            swept=self._swept,
            delta_interval=settings.delta_interval,
            sweep_interval=settings.sweep_interval,
            overlap=settings.grace,
            clock=self._clock,
            random=random,
        )
        self._beat = self._clock()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._work())
            group.create_task(self.poller.run())
            group.create_task(self.connection.watch())
            group.create_task(self._looks.run())
            group.create_task(self._definition.run())
            group.create_task(self._every(RESYNC_INTERVAL, self.resync))
            group.create_task(self._every(SOURCE_INTERVAL, self._check_sources))

    def silent_for(self) -> float:
        """Seconds since a worker last took or finished work, 0 while there is none to do."""
        return 0.0 if self._queue.idle() else self._clock() - self._beat

    # --- what is noticed

    def observe(self, kind: str | None, head: Head) -> None:
        """A watch event (`kind` is None for one from a list). Returns at once and never raises for odd input."""
        if kind == "DELETED":
            self._forget(head.ref.uid)
            return
        record = self.records.get(head.ref.uid)
        if record is None:
            self._replace_namesake(head)
            record = Record(head, Shown())
            self.records.add(record)
            self._enqueue(record, Lane.USER)
            return
        before, record.head = record.head, head
        if _is_news(before, head, record):
            record.failures = 0
            self._enqueue(record, Lane.USER)

    def _replace_namesake(self, head: Head) -> None:
        """Deleted and created again while nobody watched: the earlier one is gone."""
        if (other := self.records.namesake(head.ref.namespace, head.ref.name)) is not None:
            self._forget(other.uid)

    def _forget(self, uid: str) -> None:
        if (record := self.records.forget(uid)) is not None:
            self._queue.forget(record.uid)
            self._looks.cancel(record.uid)
            self._turns.forget(record.uid)

    async def load(self) -> None:
        """Rebuild all records from one list, before the watch starts."""
        async for listed in self._kube.list_all():
            self._load(listed)
        log.info("loaded %d workloads", len(self.records))

    def _load(self, listed: Listed) -> Record:
        record = self.records.get(listed.head.ref.uid)
        if record is not None:
            self.observe(None, listed.head)
            return record
        record = Record(listed.head, Shown.of_cells(listed))
        self.records.add(record)
        if record.needs_pass():
            self._enqueue(record, Lane.USER)
        elif record.in_flight:
            self._looks.plan(record.uid, self._random.uniform(0, 1))
        return record

    async def resync(self) -> None:
        """The net under the watch: what it missed is noticed, what is gone is forgotten."""
        known = {record.uid for record in self.records}
        listed = {self._load(entry).uid async for entry in self._kube.list_all()}
        for uid in known - listed:
            self._forget(uid)

    def _row_seen(self, row: Row) -> None:
        record = self.records.of_row(row)
        if record is None or record.shown.phase == COMPLETED:
            return
        if row.phase == FAILED and row.phase_updated_at == record.outdated:
            return
        before, record.row = record.row, row
        news = not record.shown.agrees_with(row) if before is None else _visible(before) != _visible(row)
        if news:
            self._enqueue(record, Lane.PERIODIC)

    def _row_deleted(self, row: Row) -> None:
        record = self.records.of_row(row)
        if record is not None and record.workload_id == row.id and not record.finished:
            self._looks.plan(record.uid, 0)

    def _swept(self, ids: set[str], began: float) -> None:
        """Absence from a complete list is a hint, to be confirmed by a reading."""
        for record in self.records:
            settled = record.last_write + self._settings.grace < began
            if record.workload_id is None or record.finished or not settled:
                continue
            by_name = record.row is not None and record.row.id in ids
            if record.workload_id not in ids and not by_name:
                self._looks.plan(record.uid, 0)

    def _take_look(self, uid: str) -> None:
        if (record := self.records.get(uid)) is not None:
            record.look = True
            self._enqueue(record, Lane.PERIODIC)

    def _wake(self, uid: str, delay: float) -> None:
        if (record := self.records.get(uid)) is not None:
            record.failures = 0
            self._enqueue(record, Lane.USER, delay=delay)

    async def _probe(self) -> None:
        await self.poller.probe()

    def _enqueue(self, record: Record, lane: Lane, *, delay: float = 0.0) -> None:
        if lane is Lane.PERIODIC:
            delay = max(delay, record.last_write + WRITE_SPACING - self._clock())
        self._queue.add(record.uid, Lane.HEAVY if record.heavy else lane, share=record.share, delay=delay)

    # --- working

    async def _work(self) -> None:
        while True:
            work = await self._queue.get()
            self._beat = self._clock()
            self._observer.queue_waited(work.lane, work.waited)
            try:
                if (record := self.records.get(work.key)) is not None:
                    await self._pass(record, work)
            finally:
                self._queue.done(work.key)
                self._beat = self._clock()

    async def _pass(self, record: Record, work: Work) -> None:
        began = self._clock()
        outcome, action = "ok", "none"
        try:
            done = await self._reconciler.reconcile(record, heavy=work.lane is Lane.HEAVY)
            action, outcome = done.action, self._plan(record, done)
        except TooHeavy:
            outcome, record.heavy = "deferred", True
            self._enqueue(record, Lane.HEAVY)
        except (StaleObject, Vanished) as error:
            outcome = error.condition_reason
            self._enqueue(record, Lane.USER, delay=self._random.uniform(0, 0.1))
        except BridgeError as error:
            outcome = error.condition_reason
            record.failures += 1
            self._enqueue(record, work.lane, delay=backoff(record.failures, self._random.random(), ceiling=30.0))
            log.warning("pass failed: %s", error.message, extra=record.about)
        except Exception:
            outcome = "bug"
            self._observer.bug()
            record.failures += 1
            self._enqueue(record, work.lane, delay=backoff(record.failures, self._random.random()))
            log.exception("pass failed unexpectedly", extra=record.about)
        self._observer.pass_done(action, outcome, self._clock() - began)

    def _plan(self, record: Record, done: Outcome) -> str:
        """When to look again; returns the outcome's name."""
        if done.end is None:
            self._forget(record.uid)
            return "released" if done.action == "release" else "gone"
        end = done.end
        if end.verdict is Verdict.TROUBLE and self.connection.wait(record.uid):
            return end.verdict
        delay = again_after(end, record.failures, self._random.random())
        if delay is not None and _waits_for_connection(end):
            # Woken when Run:ai is back; and looked at until then, since such a deletion does not wait for ever.
            self.connection.wait(record.uid)
            delay = min(delay, self._settings.release_after)
        if delay is not None:
            lane = Lane.USER if _is_awaited(end) else Lane.PERIODIC
            self._enqueue(record, lane, delay=delay)
        elif record.in_flight and not record.head.deleting:
            self._looks.plan(record.uid, next_look(record.looks))
        return end.verdict

    # --- beside the workers

    async def _every(self, interval: float, job: Callable[[], object]) -> None:
        while True:
            await asyncio.sleep(interval * self._random.uniform(0.9, 1.1))
            try:
                result = job()
                if asyncio.iscoroutine(result):
                    await result
            except BridgeError as error:
                log.warning("%s", error.message)

    async def _check_sources(self) -> None:
        """One metadata read for each distinct ConfigMap or Secret."""
        users: dict[tuple[str, SourceRef], list[Record]] = {}
        for record in self.records:
            if record.source is not None and record.shown.phase != COMPLETED:
                users.setdefault((record.head.ref.namespace, record.source[0]), []).append(record)
        for (namespace, source), records in users.items():
            version = await self._kube.source_version(namespace, source)
            for record in records:
                if record.source is not None and record.source[1] != version:
                    record.check_content = True
                    self._enqueue(record, Lane.PERIODIC)

    def report(self) -> None:
        """Tell the observer how many there are of everything, by now."""
        self._observer.workloads(self.records.counts())
        now = self._clock()
        waits = [
            now - record.deletion_seen
            for record in self.records
            if record.deletion_seen is not None and record.head.has_finalizer
        ]
        self._observer.deletions(len(waits), max(waits, default=0.0), self._turns.waiting())
        for lane, depth in self._queue.depth().items():
            self._observer.queue_depth(lane, depth)


def _is_news(before: Head, head: Head, record: Record) -> bool:
    """Something that a pass would act on; our own writes come back as events that are not."""
    return (
        head.generation != before.generation
        or head.deleting != before.deleting
        or head.paused != before.paused
        or head.reconcile_token != before.reconcile_token
        or (before.has_finalizer and not head.has_finalizer and record.workload_id is not None)
    )


def _waits_for_connection(end: Settle) -> bool:
    return end.verdict is Verdict.DELETING and end.error is not None and end.error.scope is Scope.CONNECTION


def _is_awaited(end: Settle) -> bool:
    """A person waits for the end of this: a deletion, or a submission on its way."""
    return end.verdict in (Verdict.DELETING, Verdict.PROGRESS)


def _visible(row: Row) -> tuple[object, ...]:
    """What of a row status shows."""
    return (
        row.phase, row.phase_message, row.running_pods, row.requested_pods, row.allocated_gpus, row.completed_at,
        row.project_name, row.department_name, row.priority, row.category,
        row.phase_updated_at if row.phase == "Pending" else None,
    )  # fmt: skip
