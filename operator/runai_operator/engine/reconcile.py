"""One pass: read the workload, let `decide` say what to do, do it, have status settled. No decision is taken here."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from runai_operator.domain.actions import (
    Action,
    AddFinalizer,
    Adopt,
    BeginSubmission,
    Create,
    Delete,
    FindRemote,
    ForgetWorkload,
    MarkInDoubt,
    ReadCRD,
    ReadRemote,
    RecordOrphan,
    RemoveFinalizer,
    Render,
    Result,
    Update,
)
from runai_operator.domain.decide import decide
from runai_operator.domain.errors import BridgeError, Busy, NameTaken, OutcomeUnknown, TooLarge
from runai_operator.domain.model import (
    FINALIZER,
    IN_DOUBT,
    Json,
    Orphan,
    Remote,
    Row,
    RowQuery,
    Submission,
    Workload,
)
from runai_operator.domain.state import (
    COMPLETED,
    RECREATE_GIVEN_UP,
    Candidate,
    Desired,
    Missing,
    Recreation,
    State,
    condition,
    has_foreign_status,
    is_ours,
    is_same_moment,
)
from runai_operator.domain.status import forget_run
from runai_operator.engine.connection import Connection
from runai_operator.engine.crd_guard import CRDGuard
from runai_operator.engine.inventory import Entry, Inventory, StatusSummary
from runai_operator.engine.ports import Kube, Observer, Runai
from runai_operator.engine.render import Renderer
from runai_operator.engine.settling import Settler
from runai_operator.engine.turns import DeletionLimiter
from runai_operator.engine.writing import Writer

log = logging.getLogger(__name__)

MAX_STEPS = 20
"""More actions than any pass needs; a guard against a rule that makes no progress."""
MAX_CANDIDATES = 5
"""Workloads of one name that are read to find ours; a project has one live one at most."""
MAX_RENEWALS = 5
"""How often `externalDeletionPolicy: Recreate` creates again before it gives up."""
RENEWAL_PAUSE = 15.0
"""Seconds between the first and the second time; doubled each time."""
LASTING = 3600.0
"""Seconds after which a workload that was created again counts as one that lasts, and the count begins anew."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a pass ended."""

    action: str
    """The last thing done to the world, `none` when it only looked."""
    end: Result | None
    """None when the custom resource is gone or was released."""


class Reconciler:
    """Performs what `decide` asks for."""

    def __init__(
        self,
        *,
        kube: Kube,
        runai: Runai,
        connection: Connection,
        preparation: Renderer,
        records: Inventory,
        turns: DeletionLimiter,
        crd: CRDGuard,
        observer: Observer,
        install: str,
        grace: float,
        stalled_after: float,
        release_after: float,
        clock: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        """`grace`, `stalled_after` and `release_after` in seconds; `clock` in loop seconds, `now` in UTC."""
        self._kube, self._runai, self._connection = kube, runai, connection
        self._prepare, self._records, self._observer = preparation, records, observer
        self._turns, self._crd_guard = turns, crd
        self._install, self._grace = install, grace
        self._stalled_after, self._release_after = stalled_after, release_after
        self._clock, self._now = clock, now
        self._writer = Writer(kube, observer)
        self._settler = Settler(
            writer=self._writer,
            runai=runai,
            connection=connection,
            records=records,
            stalled_after=stalled_after,
            clock=clock,
            now=now,
        )

    async def reconcile(self, record: Entry, *, large: bool) -> Outcome:
        """One pass. Raises `TooLarge` (nothing was done yet), `StaleObject`, and errors of the Kubernetes API."""
        workload = await self._kube.read(record.meta.ref, large=large)
        if workload is None:
            return Outcome("none", None)
        record.saw(workload)
        s = self._situation(record, workload)
        did = "none"
        for _ in range(MAX_STEPS):
            action = decide(s)
            if isinstance(action, Result):
                await self._settler.settle(record, s, action)
                return Outcome(did, action)
            s = await self._perform(record, s, action, large=large)
            if not isinstance(action, (Render, ReadRemote, FindRemote, ReadCRD)) and not s.deletion_turn_in:
                did = type(action).__name__.lower()
            if isinstance(action, RemoveFinalizer) and s.workload.deleting:
                log.info("released: %s", action.why, extra=record.about)
                return Outcome(did, None)
        raise RuntimeError(f"no end after {MAX_STEPS} actions, the last being {did}")

    def _situation(self, record: Entry, workload: Workload) -> State:
        asked = workload.reconcile_token not in (None, workload.status.get("lastHandledReconcileAt"))
        if asked or self._clock() - record.renewed_at > LASTING:
            record.renewals = 0
        if workload.deleting:
            record.deletion_seen_by(self._clock())
        workload = replace(workload, status=_own_status(record, workload))
        return State(
            workload,
            self._install,
            row=record.row,
            look=record.look or asked,
            check_content=record.check_content or asked,
            recreation=self._recreation(record, workload, asked=asked),
            waited_out=self._has_waited_out(workload),
        )

    def _recreation(self, record: Entry, workload: Workload, *, asked: bool) -> Recreation:
        ready = condition(workload.status, "Ready")
        gave_up = ready is not None and ready.get("reason") == RECREATE_GIVEN_UP
        if record.renewals >= MAX_RENEWALS or (gave_up and not asked):
            return Recreation.GIVEN_UP
        pause = RENEWAL_PAUSE * 2.0 ** (record.renewals - 1) if record.renewals else 0.0
        return Recreation.NOW if self._clock() - record.renewed_at >= pause else Recreation.LATER

    def _has_waited_out(self, workload: Workload) -> bool:
        """Both the age of the deletion, which a restart does not shorten, and a silence of Run:ai that this process has
        heard: a deletion that waited for something else is not given up at the first hiccup."""
        if workload.deletion_requested is None:
            return False
        age = (self._now() - workload.deletion_requested).total_seconds()
        is_lasting = self._connection.silent_for() >= min(self._release_after, self._stalled_after)
        return is_lasting and age >= self._release_after

    # --- performing

    async def _perform(  # noqa: C901, PLR0912 - one line for each verb
        self, record: Entry, s: State, action: Action, *, large: bool
    ) -> State:
        match action:
            case Render():
                return await self._do_render(record, s, large=large)
            case ReadRemote():
                return await self._do_read(s, action)
            case FindRemote():
                return await self._do_find(record, s, action)
            case ReadCRD():
                seen = record.deletion_seen_by(self._clock())
                return replace(s, crd=await self._crd_guard.seen_since(record.uid, seen))
            case BeginSubmission():
                return replace(await self._guarded_submission(s, None), begun_now=True)
            case AddFinalizer():
                return replace(
                    await self._writer.finalizers(record, s, (*s.workload.finalizers, FINALIZER)),
                    finalizer_added_now=True,
                )
            case MarkInDoubt():
                return replace(await self._guarded_submission(s, IN_DOUBT), marked_in_doubt_now=True)
            case Create(submission):
                return await self._do_create(record, s, submission)
            case Adopt():
                return await self._do_adopt(record, s, action)
            case Update(workload_id, submission):
                return await self._do_update(record, s, workload_id, submission)
            case Delete(workload_id):
                return await self._do_delete(s, workload_id)
            case ForgetWorkload(lost):
                if lost:
                    record.renewals, record.renewed_at = record.renewals + 1, self._clock()
                return await self._do_forget(record, s)
            case RecordOrphan(orphan):
                return await self._do_record(record, s, orphan)
            case RemoveFinalizer():
                kept = tuple(entry for entry in s.workload.finalizers if entry != FINALIZER)
                return await self._writer.finalizers(record, s, kept)
            case Result():
                return s

    async def _do_render(self, record: Entry, s: State, *, large: bool) -> State:
        try:
            prepared = await self._prepare(s.workload, large=large)
        except TooLarge:
            raise
        except BridgeError as error:
            return replace(s, desired=error)
        record.source = prepared.source
        return replace(s, desired=prepared.desired)

    async def _do_read(self, s: State, action: ReadRemote) -> State:
        try:
            remote = await self._connection.call(lambda: self._runai.get(action.workload_id))
            if remote is None:
                return replace(s, remote=Missing())
            row = await self._row_of(remote) if action.with_row and s.row is None else s.row
        except BridgeError as error:
            return replace(s, remote=error)
        return replace(s, remote=remote, row=row)

    async def _row_of(self, remote: Remote) -> Row | None:
        rows = await self._rows(remote.name, remote.project_id)
        by_id = [row for row in rows if row.id == remote.id]
        by_time = [row for row in rows if is_same_moment(row.created_at, remote.created_at)]
        return next(iter(by_id or by_time), None)

    async def _rows(self, name: str, project_id: str | None) -> tuple[Row, ...]:
        query = RowQuery(name=name, project_id=project_id)
        page = await self._connection.call(lambda: self._runai.rows(query))
        return page.rows

    async def _do_find(self, record: Entry, s: State, action: FindRemote) -> State:
        project_name = s.workload.spec.project_name if action.project_id is None else None
        try:
            rows = await self._rows(action.name, action.project_id)
            inside = [row for row in rows if project_name in (None, row.project_name)]
            candidates = tuple([await self._candidate(row) for row in inside[:MAX_CANDIDATES]])
        except BridgeError as error:
            return replace(s, found=error)
        if record.first_lookup is None:
            record.first_lookup = self._clock()
        ours = any(c.remote is not None and is_ours(c.remote.mark, s.mark) for c in candidates)
        waited = self._clock() - record.first_lookup >= self._grace
        return replace(s, found=candidates, absence_proven=waited and not ours)

    async def _candidate(self, row: Row) -> Candidate:
        return Candidate(row, await self._connection.call(lambda: self._runai.get(row.id)))

    async def _guarded_submission(self, s: State, word: str | None) -> State:
        workload, patch = s.workload, dict[str, object](submission=word)
        version = await self._writer.status(workload.ref, patch, guard=workload.resource_version)
        status = _overlay(workload.status, patch)
        return replace(s, workload=replace(workload, resource_version=version, status=status))

    async def _do_create(self, record: Entry, s: State, submission: Submission) -> State:
        # What was looked for before says nothing about this attempt, unless it is surely over.
        first_lookup, record.first_lookup = record.first_lookup, None
        try:
            remote = await self._connection.call(lambda: self._runai.create(submission))
        except NameTaken:
            record.first_lookup = first_lookup
            return replace(s, conflict=True)
        except BridgeError as error:
            record.first_lookup = None if isinstance(error, OutcomeUnknown) else first_lookup
            return replace(s, failed=error)
        return replace(self._learn_id(record, s, remote, delivered=True), row=None)

    def _learn_id(self, record: Entry, s: State, remote: Remote, *, delivered: bool) -> State:
        """From here on the id is owed to status, whatever happens to the next write."""
        learnt: Json = {
            "workloadId": remote.id,
            "workloadName": remote.name,
            "projectId": remote.project_id,
            "ownerUid": s.workload.ref.uid,
            "submission": None,
        }
        if remote.id == s.to_adopt:
            learnt["adoptedId"] = remote.id
        if delivered and isinstance(s.desired, Desired):
            learnt["submittedHash"] = s.desired.fingerprint(adopts=s.to_adopt is not None)
        record.unwritten.update(learnt)
        record.first_lookup, record.row = None, None
        record.shown = replace(record.shown, workload_id=remote.id, name=remote.name, project_id=remote.project_id)
        self._records.index(record)
        workload = replace(s.workload, status=_overlay(s.workload.status, learnt))
        return replace(s, workload=workload, remote=remote, delivered_now=delivered)

    async def _do_adopt(self, record: Entry, s: State, action: Adopt) -> State:
        delivered = s.delivered_now or action.finished
        s = replace(self._learn_id(record, s, action.remote, delivered=delivered), row=action.row, adopted_now=True)
        record.row = action.row
        if not delivered:
            # A PUT follows: the id is on record before it.
            await self._writer.status(s.workload.ref, dict(record.unwritten), guard=None)
            record.unwritten = {}
        return s

    async def _do_update(self, record: Entry, s: State, workload_id: str, submission: Submission) -> State:
        try:
            remote = await self._connection.call(lambda: self._runai.update(workload_id, submission))
        except BridgeError as error:
            return replace(s, failed=error)
        if remote is None:
            if s.workload_id is None:
                return replace(s, failed=Busy("the workload vanished from Run:ai while it was being adopted"))
            return replace(s, remote=Missing())
        if s.stored_status.failed:
            s = _without_failure(record, s)
        return replace(s, remote=replace(remote, mark=s.mark), delivered_now=True)

    async def _do_delete(self, s: State, workload_id: str) -> State:
        if (wait := self._turns.wait(s.workload.ref.uid)) > 0:
            return replace(s, deletion_turn_in=wait)
        try:
            existed = await self._connection.call(lambda: self._runai.delete(workload_id))
        except BridgeError as error:
            return replace(s, failed=error)
        return replace(s, deleted_now=True) if existed else replace(s, remote=Missing())

    async def _do_record(self, record: Entry, s: State, orphan: Orphan) -> State:
        recorded = await self._kube.record_orphan(replace(orphan, released=self._now()))
        if recorded:
            self._observer.orphaned()
            extra = {**record.about, "workload_id": orphan.workload_id, "reason": orphan.why}
            log.warning("Run:ai may still hold the workload %s: see runai-operator orphans", orphan.name, extra=extra)
        return replace(s, orphan_recorded=recorded)

    async def _do_forget(self, record: Entry, s: State) -> State:
        workload = s.workload
        kept = [entry for entry in workload.status.get("conditions") or () if entry.get("type") != COMPLETED]
        patch = {**forget_run(), "conditions": kept}
        version = await self._writer.status(workload.ref, patch, guard=workload.resource_version)
        status = _overlay(workload.status, patch)
        self._records.unindex(record)
        record.unwritten, record.row, record.look, record.first_lookup = {}, None, False, None
        self._turns.forget(record.uid)
        record.shown = StatusSummary.of_status(status, has_source=record.shown.has_source)
        return replace(
            s,
            workload=replace(workload, resource_version=version, status=status),
            remote=None, row=None, found=None, deleted_now=False, conflict=False,
        )  # fmt: skip


def _own_status(record: Entry, workload: Workload) -> Json:
    """Status as it is meant to be: what is stored about this UID, and what a failed write still owes."""
    stored = workload.status
    if has_foreign_status(workload):
        record.unwritten = {**dict.fromkeys(stored), **record.unwritten}
        return _overlay({}, record.unwritten)
    record.unwritten = {key: value for key, value in record.unwritten.items() if stored.get(key) != value}
    return _overlay(stored, record.unwritten)


def _without_failure(record: Entry, s: State) -> State:
    """The edit may have mended it: until its phase moves, what the lists show is the failure from before."""
    record.outdated = record.row.phase_updated_at if record.row else None
    record.row = None
    forgotten = dict.fromkeys(("phase", "phaseMessage", "completedAt"))
    record.unwritten.update(forgotten)
    return replace(s, row=None, workload=replace(s.workload, status=_overlay(s.workload.status, forgotten)))


def _overlay(status: Mapping[str, Any], patch: Mapping[str, Any]) -> Json:
    return {key: value for key, value in {**status, **patch}.items() if value is not None}
