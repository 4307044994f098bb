"""One pass, from values to a value: read the workload, do what `decide` says, build status and write it.

No decision is taken here, and no shared state is changed: everything that the pass brings is in its `Result`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from random import Random

from runai_operator.domain import events
from runai_operator.domain.absence import Absence, Place
from runai_operator.domain.access import Access
from runai_operator.domain.actions import (
    Action,
    AddFinalizer,
    Adopt,
    BeginSubmission,
    ClaimWorkload,
    Create,
    Delete,
    FindRemote,
    ForgetWorkload,
    MarkInDoubt,
    ReadCRD,
    ReadOwner,
    ReadProject,
    ReadRemote,
    ReadRow,
    RecordId,
    RecordOrphan,
    RemoveFinalizer,
    Render,
    ReserveDeletion,
    Result,
    Update,
    Verdict,
    Writing,
)
from runai_operator.domain.decide import decide
from runai_operator.domain.errors import (
    BridgeError,
    Busy,
    InvalidWorkload,
    NameTaken,
    OutcomeUnknown,
    Scope,
    StaleObject,
    TooLarge,
    Vanished,
)
from runai_operator.domain.finalize import left_by_force
from runai_operator.domain.manifest import Desired
from runai_operator.domain.marks import may_be_ours
from runai_operator.domain.memory import Memory, Requests
from runai_operator.domain.model import (
    FINALIZER,
    IN_DOUBT,
    Candidate,
    DeletionPolicy,
    Json,
    Meta,
    Missing,
    Orphan,
    Ref,
    Remote,
    Row,
    Sighting,
    Workload,
    is_same_moment,
)
from runai_operator.domain.naming import former_names
from runai_operator.domain.plan import StatusSummary
from runai_operator.domain.reasons import ConditionType, Phase, Reason
from runai_operator.domain.requeue import Limits, next_count_read, requeue_after
from runai_operator.domain.state import State
from runai_operator.domain.status import build_status, forget_run, patch_between
from runai_operator.domain.stored_status import has_foreign_status
from runai_operator.engine.crd_guard import CRDGuard
from runai_operator.engine.fence import Fence
from runai_operator.engine.ports import Kube, Observer
from runai_operator.engine.render import Renderer
from runai_operator.engine.upstream import Upstream, Upstreams
from runai_operator.engine.writing import Writer, overlay

log = logging.getLogger(__name__)

MAX_STEPS = 20
"""More actions than any pass needs: a guard against rules that make no progress."""


class Reconciler:
    """Performs what `decide` asks for."""

    def __init__(
        self,
        *,
        kube: Kube,
        upstreams: Upstreams,
        fence: Fence,
        crd_guard: CRDGuard,
        observer: Observer,
        record: Callable[[Meta, events.Event], None],
        claim: Callable[[Ref, str, str], Ref],
        install: str,
        former_installs: tuple[str, ...] = (),
        limits: Limits,
        access: Access,
        clock: Callable[[], float],
        now: Callable[[], datetime],
        random: Random,
    ) -> None:
        """`record` is given what people should know; it must not block. `claim` is given an object, a connection and the
        id of a workload, and returns the object that has it. `clock` in loop seconds, `now` in UTC."""
        self._kube, self._upstreams, self._record, self._claim = kube, upstreams, record, claim
        self._render, self._writer = Renderer(kube, install, former_installs), Writer(kube, fence, observer)
        self._crd_guard, self._observer = crd_guard, observer
        self._install, self._former_installs = install, former_installs
        self._limits, self._access = limits, access
        self._clock, self._now, self._random = clock, now, random

    async def reconcile(
        self, meta: Meta, memory: Memory, requests: Requests, seen: Sighting | None, summary: StatusSummary
    ) -> Result:
        """One pass over one object. Errors are in the result, so that the memory is never lost."""
        try:
            workload = await self._kube.read(meta.ref, large=memory.large)
            if workload is None:
                if (meta.has_finalizer or memory.guarded) and not memory.released:
                    await self._record_what_force_left(meta.ref, memory, summary)
                return Result(Verdict.GONE, memory=memory)
            s = self._begin(workload, memory, requests, seen)
        except BridgeError as error:
            return self._failed(error, memory)
        except Exception:
            log.exception("unexpected error", extra=meta.fields)
            return self._bug(memory)
        return await self._run(s)

    async def show_waiting(self, meta: Meta) -> StatusSummary | None:
        """Writes the first status of an object that cannot be submitted now; None when it has one, or its pass will write
        it."""
        workload = await self._kube.read(meta.ref, large=True)
        if workload is None or workload.meta.deleting or workload.status.get("conditions"):
            return None
        upstream = self._upstreams.of(workload)
        if (error := upstream.holds_up()) is None:
            return None
        s = replace(self._begin(workload, Memory(), Requests(), None), connection=upstream.name)
        status = build_status(s, Result(Verdict.RETRYING, error, outstanding=True), now=s.wall)
        await self._writer.first_status(workload, patch_between(workload.status, status))
        return StatusSummary.of_status(status, has_source=workload.spec.manifest_from is not None)

    def _begin(self, workload: Workload, memory: Memory, requests: Requests, seen: Sighting | None) -> State:
        now = self._clock()
        memory = memory.at(now)
        if workload.meta.deleting and memory.deletion_seen_at is None:
            memory = replace(memory, deletion_seen_at=now)
        unmade = memory.unmade_at == workload.meta.resource_version
        memory = replace(memory, pending_status=_still_pending(workload, memory), unmade_at=None, released=False)
        stored = {} if has_foreign_status(workload) else workload.status
        status = overlay(stored, memory.pending_status)
        # The id may have changed since, and the row be that of the workload before.
        row = seen.row if seen is not None and seen.workload_id == status.get("workloadId") else None
        if row is not None and memory.is_stale(row):
            row = None
        return State(
            workload=replace(workload, status=status),
            install=self._install,
            limits=self._limits,
            access=self._access,
            now=now,
            wall=self._now(),
            memory=memory,
            requests=requests,
            row=row,
            unmade=unmade,
        )

    async def _run(self, s: State) -> Result:
        began, did = self._clock(), "none"
        upstream: Upstream | None = None
        try:
            upstream = self._upstreams.of(s.workload)
        except InvalidWorkload as error:
            s = replace(s, unusable=error)
        if upstream is not None:
            s = replace(s, connection=upstream.name, trouble_for=upstream.trouble_for(s.workload_id or s.to_adopt))
        try:
            for _ in range(MAX_STEPS):
                action = self._decided(s)
                if isinstance(action, Result):
                    return await self._finish(_at_end(s, upstream), replace(action, did=did), began)
                s = _before(s, action)
                s = await self._do(s, action, upstream)
                if isinstance(action, Writing):
                    did = type(action).__name__
                if isinstance(action, RemoveFinalizer) and s.workload.meta.deleting:
                    return Result(Verdict.RELEASED, did=did, memory=s.memory)
        except BridgeError as error:
            return self._failed(error, s.memory, did=did, meta=s.workload.meta)
        except Exception:
            log.exception("unexpected error", extra=_about(s))
            return self._bug(s.memory, did=did)
        log.error("no end after %d actions, the last being %s", MAX_STEPS, did, extra=_about(s))
        return self._bug(s.memory, did=did)

    def _decided(self, s: State) -> Action:
        action = decide(s)
        if log.isEnabledFor(logging.DEBUG):
            log.debug("decided: %s", events.in_words(action), extra=_about(s))
        return action

    async def _do(self, s: State, action: Action, upstream: Upstream | None) -> State:
        after = replace(await self._perform(s, action, upstream), now=self._clock())
        if after.is_confidential:
            after = after.without_quotes()
        if event := events.of_operation(action, s, after):
            self._report(after, event, since=s.now)
        return after

    def _report(self, s: State, event: events.Event, *, since: float) -> None:
        """The one place where what happens to an object is logged, and recorded as a Kubernetes Event."""
        about = _about(s, event.workload_id)
        about |= {"reason": event.reason, "action": event.action, "duration": round(s.now - since, 3)}
        log.log(logging.WARNING if event.is_warning else logging.INFO, "%s", event.message, extra=about)
        if event.is_public:
            self._record(s.workload.meta, event)

    def _bug(self, memory: Memory, *, did: str = "none") -> Result:
        return self._scheduled(Result(Verdict.BUG, did=did, memory=_once_more_failed(memory)))

    def _failed(self, error: BridgeError, memory: Memory, *, did: str = "none", meta: Meta | None = None) -> Result:
        """The object could not be read or written."""
        match error:
            case TooLarge():
                verdict, memory = Verdict.TOO_LARGE, replace(memory, large=True)
            case StaleObject() | Vanished():
                verdict, memory = Verdict.CONFLICT, _once_more_failed(memory)
            case _:
                verdict, memory = Verdict.FAILED, _once_more_failed(memory)
        return self._scheduled(Result(verdict, error, did=did, memory=memory, meta=meta))

    def _scheduled(self, result: Result) -> Result:
        return replace(result, requeue_after=requeue_after(result, result.memory.failures, self._random.random()))

    # --- the end of a pass

    async def _finish(self, s: State, end: Result, began: float) -> Result:
        """Writes status if it has changed, removes a finalizer if nothing was submitted, and updates the memory."""
        if end.verdict is Verdict.IGNORED:
            return replace(end, memory=s.memory, meta=s.workload.meta, answered=True)
        status = build_status(s, end, now=s.wall, stalled=s.has_stalled(end))
        patch = patch_between(s.workload.status, status) | {key: status.get(key) for key in s.memory.pending_status}
        written = s
        if patch:
            written = replace(s, workload=await self._writer.status(s.workload, patch))
        if end.not_submitted and s.workload.meta.has_finalizer and s.workload_id is None:
            # Guarded by the version that was written with the proof: somebody may have begun an attempt since.
            written = replace(
                written, workload=await self._writer.finalizers(written.workload, _without_ours(s.workload))
            )
        summary = StatusSummary.of_status(
            status,
            has_source=s.workload.spec.manifest_from is not None,
            keeps_workload=s.workload.spec.deletion_policy is DeletionPolicy.ORPHAN,
        )
        if s.workload_id is None:
            summary = replace(summary, connection=s.connection)  # where it waits, if it has to
        for event in events.of_changes(s.workload.status, status):
            self._report(replace(written, now=self._clock()), event, since=began)
        memory = self._remembered(s, end, summary, wrote=bool(patch))
        if s.conflict and s.is_first_attempt:
            memory = replace(memory, unmade_at=written.workload.meta.resource_version)
        if not written.workload.meta.has_finalizer and s.workload.meta.has_finalizer:
            memory = replace(memory, guarded=False)
        row = s.row if ReadRow in s.done else None
        done = replace(end, memory=memory, meta=written.workload.meta, summary=summary, row=row)
        return self._scheduled(replace(done, answered=not end.in_trouble))

    def _remembered(self, s: State, end: Result, summary: StatusSummary, *, wrote: bool) -> Memory:
        waits = end.verdict in (Verdict.RETRYING, Verdict.WAITING, Verdict.DELETING)
        counts_may_lag = (
            s.memory.counts_may_lag and not summary.finished and next_count_read(s.memory.row_reads) is not None
        )
        goes_on = summary.in_flight and summary.sync == s.workload.status.get("syncStatus")
        memory = s.memory if summary.in_flight else s.memory.synced(now=s.now, grace=self._limits.grace)
        return replace(
            memory,
            pending_status={},
            failures=s.memory.failures + 1 if waits else 0,
            sync_reads=s.memory.sync_reads + 1 if goes_on else 0,
            row_reads=s.memory.row_reads if summary.phase == Phase.PENDING or counts_may_lag else 0,
            counts_may_lag=counts_may_lag,
            retrying_since=s.retrying_since(end),
            unread=s.unread(end),
            recreations=s.recreations,
            name_wanted=s.name_wanted(end),
            wrote_at=self._clock() if wrote else s.memory.wrote_at,
        )

    # --- performing

    async def _perform(  # noqa: C901, PLR0912 - one case for each verb
        self, s: State, action: Action, upstream: Upstream | None
    ) -> State:
        match action:
            case ReadCRD():
                seen = s.now if s.memory.deletion_seen_at is None else s.memory.deletion_seen_at
                return replace(s, crd=await self._crd_guard.seen_since(s.workload.ref.uid, seen))
            case ReadOwner(owner):
                return await self._do_read_owner(s, owner)
            case ClaimWorkload(workload_id):
                return replace(s, claimant=self._claim(s.workload.ref, s.connection, workload_id))
            case BeginSubmission():
                return await self._do_write_submission(s, None, BeginSubmission)
            case MarkInDoubt():
                return await self._do_write_submission(s, IN_DOUBT, MarkInDoubt)
            case AddFinalizer():
                if s.memory.guarded:
                    log.warning("somebody removed the finalizer: it is added again", extra=_about(s))
                finalizers = (*s.workload.meta.finalizers, FINALIZER)
                return replace(
                    s, workload=await self._writer.finalizers(s.workload, finalizers), done=s.done | {AddFinalizer}
                )
            case RemoveFinalizer():
                return replace(s, workload=await self._writer.finalizers(s.workload, _without_ours(s.workload)))
            case Adopt():
                return self._do_adopt(s, action)
            case RecordId():
                return await self._do_record_id(s)
            case ForgetWorkload():
                return await self._do_forget(s, action)
            case RecordOrphan(orphan):
                return await self._do_record_orphan(s, orphan)
        if upstream is None:
            raise RuntimeError(f"{type(action).__name__} without a connection")
        return await self._ask_runai(s, action, upstream)

    async def _do_read_owner(self, s: State, owner: Ref) -> State:
        try:
            return replace(s, owner_exists=await self._kube.read(owner, large=True) is not None)
        except BridgeError as error:
            return replace(s, owner_exists=error)

    async def _ask_runai(self, s: State, action: Action, upstream: Upstream) -> State:
        match action:
            case Render():
                return await self._do_render(s, upstream)
            case ReadRemote():
                return await self._do_read(s, action, upstream)
            case FindRemote():
                return await self._do_find(s, action, upstream)
            case ReadProject(project_id):
                return await self._do_read_project(s, project_id, upstream)
            case ReadRow(row_id):
                return await self._do_read_row(s, row_id, upstream)
            case ReserveDeletion():
                return replace(s, deletion_wait=upstream.deletions.wait(s.workload.ref.uid, runs=not s.has_finished))
            case Create():
                return await self._do_create(s, action, upstream)
            case Update():
                return await self._do_update(s, action, upstream)
            case Delete():
                return await self._do_delete(s, action, upstream)
        raise RuntimeError(f"nobody performs {type(action).__name__}")

    async def _do_render(self, s: State, upstream: Upstream) -> State:
        try:
            rendered = await self._render(
                s.workload, upstream.projects, project_id=s.attempted_project, large=s.memory.large, anew=s.asked
            )
        except TooLarge:
            raise
        except BridgeError as error:
            return replace(s, desired=error)
        memory = replace(s.memory, source=rendered.source)
        return replace(s, desired=rendered.desired, gvk=rendered.gvk, memory=memory)

    async def _do_read(self, s: State, action: ReadRemote, upstream: Upstream) -> State:
        try:
            remote = await self._get(action.workload_id, upstream, project=_project_of(s, action.workload_id))
            if remote is None or remote.gone:
                return await self._do_explain_absence(s, remote, action.workload_id, upstream)
            row = s.row
            # What became of it while it was out of sight is in no delta.
            if (action.with_row and row is None) or s.memory.missing_since is not None:
                row = await self._row_of(remote, upstream) or row
        except BridgeError as error:
            return replace(_missing_from_now_on(s) if error.scope is Scope.PROJECT else s, remote=error)
        upstream.witness.found(remote.id)
        return replace(s, remote=remote, row=row, memory=replace(s.memory, missing_since=None))

    async def _do_explain_absence(self, s: State, remote: Remote | None, workload_id: str, upstream: Upstream) -> State:
        """It is gone, or shown to us no more: asks other witnesses which, and how it ended."""
        s = _missing_from_now_on(s)
        was_never_ours = workload_id != s.workload_id and not s.workload.meta.deleting
        if was_never_ours or (remote is not None and s.is_to_go):
            return replace(s, remote=remote or Missing())  # how it ended matters to nobody
        doubt: BridgeError | None
        try:
            row, is_project_visible = await self._ask_witnesses(s, workload_id, upstream)
        except BridgeError as error:
            doubt = error
        else:
            s = replace(s, row=row or s.row)
            doubt = self._doubt(s, workload_id, is_project_visible, upstream) if remote is None else None
        error_told = upstream.gate.not_found(workload_id, project=_project_of(s, workload_id), doubt=doubt)
        return replace(s, remote=error_told or remote or Missing())

    async def _ask_witnesses(self, s: State, workload_id: str, upstream: Upstream) -> tuple[Row | None, bool]:
        """Its row in the list of deleted workloads, and whether its project is visible to us; as far as it matters."""
        if s.absence_is_explained and await upstream.witness.shows(_place_of(s)):
            return None, True
        row, status = s.row if s.row is not None and s.row.deleted_at else None, s.stored_status
        if row is None and workload_id == s.workload_id and status.name is not None and status.project_id is not None:
            known = Row(workload_id, status.name, status.project_id, created_at=status.created_at)
            row = await upstream.witness.deleted_row(known)
        return row, row is not None or await upstream.witness.shows(_place_of(s))

    def _doubt(self, s: State, workload_id: str, is_project_visible: bool, upstream: Upstream) -> BridgeError | None:
        """Why its absence is not believed; None when it is."""
        is_listed = s.row is not None and s.row.deleted_at is not None
        if not is_project_visible or is_listed or s.absence_is_expected:
            upstream.witness.found(workload_id)
        elif s.missing_for < s.limits.grace:
            upstream.witness.lost(workload_id)
        absence = Absence(
            lasted=s.missing_for,
            expected=s.absence_is_expected,
            is_listed_as_deleted=is_listed,
            is_project_visible=is_project_visible,
            in_mass_loss=upstream.witness.in_mass_loss(),
            project=str(_place_of(s)),
        )
        return absence.doubt(s.limits.grace)

    async def _get(self, workload_id: str, upstream: Upstream, *, project: str | None) -> Remote | None:
        remote = await upstream.gate.get(workload_id, project=project)
        if remote is None or remote.mark is None or remote.mark.install not in self._former_installs:
            return remote
        return replace(remote, mark=replace(remote.mark, install=self._install))

    async def _row_of(self, remote: Remote, upstream: Upstream) -> Row | None:
        rows = await upstream.gate.find(name=remote.name, project_id=remote.project_id)
        by_id = [row for row in rows if row.id == remote.id]
        by_time = [row for row in rows if is_same_moment(row.created_at, remote.created_at)]
        return next(iter(by_id or by_time), None)

    async def _do_find(self, s: State, action: FindRemote, upstream: Upstream) -> State:
        try:
            project_id = action.project_id or await upstream.projects.of(s.workload.spec)
            found = await self._named(action.name, project_id, upstream)
            for name in former_names(s.workload, self._former_installs, but=action.name):
                of_name = await self._named(name, project_id, upstream)
                found += tuple(each for each in of_name if may_be_ours(each, s.mark))
            is_visible = bool(found) or await upstream.witness.shows(_place_of(s))
        except BridgeError as error:
            if error.condition_reason != Reason.PROJECT_NOT_FOUND:
                return replace(s, found=error)
            found, is_visible = (), False
        if not is_visible:
            s = _missing_from_now_on(s)
            return replace(s, found=found, is_project_visible=False, memory=replace(s.memory, lookup_since=None))
        since = self._clock() if s.memory.lookup_since is None else s.memory.lookup_since
        memory = replace(s.memory, lookup_since=since, missing_since=None)
        return replace(s, found=found, is_project_visible=True, memory=memory)

    async def _named(self, name: str, project_id: str, upstream: Upstream) -> tuple[Candidate, ...]:
        rows = await upstream.gate.find(name=name, project_id=project_id)
        return tuple([Candidate(row, await self._get(row.id, upstream, project=row.project_id)) for row in rows])

    async def _do_read_project(self, s: State, project_id: str, upstream: Upstream) -> State:
        name: str | BridgeError | None
        try:
            name = await upstream.projects.name_of(project_id, anew=s.asked)
        except BridgeError as error:
            name = error
        return replace(s, project_names={**s.project_names, project_id: name})

    async def _do_read_row(self, s: State, row_id: str, upstream: Upstream) -> State:
        memory = replace(s.memory, row_reads=s.memory.row_reads + 1)
        s = replace(s, done=s.done | {ReadRow}, memory=memory)
        try:
            row = await upstream.gate.row(row_id)
        except BridgeError:
            return s  # it is planned again
        return s if row is None or memory.is_stale(row) else replace(s, row=row)

    async def _do_write_submission(self, s: State, word: str | None, done: type) -> State:
        project_id = s.desired.submission.project_id if isinstance(s.desired, Desired) else None
        attempt = {"submission": word, "projectId": project_id, "ownerUid": s.workload.ref.uid}
        workload = await self._writer.status(s.workload, attempt)
        return replace(s, workload=workload, done=s.done | {done})

    async def _do_create(self, s: State, action: Create, upstream: Upstream) -> State:
        try:
            remote = await upstream.gate.create(action.submission)
        except NameTaken:
            return replace(s, conflict=True)
        except OutcomeUnknown as error:
            # Earlier look-ups say nothing about this attempt.
            return replace(s, failed=error, memory=replace(s.memory, lookup_since=None))
        except BridgeError as error:
            return replace(s, failed=error)
        s = replace(s, memory=replace(s.memory, first_submission=True))
        return replace(_with_id(s, remote, delivered=True), row=None, done=s.done | {Create})

    def _do_adopt(self, s: State, action: Adopt) -> State:
        delivered = s.delivered_now or action.finished
        taken = _with_id(s, action.remote, delivered=delivered, content=action.content)
        return replace(taken, row=action.row, done=s.done | {Adopt})

    async def _do_record_id(self, s: State) -> State:
        workload = await self._writer.status(s.workload, s.memory.pending_status)
        return replace(s, workload=workload, memory=replace(s.memory, pending_status={}), done=s.done | {RecordId})

    async def _do_update(self, s: State, action: Update, upstream: Upstream) -> State:
        try:
            remote = await upstream.gate.update(action.workload_id, action.submission)
        except BridgeError as error:
            return replace(s, failed=error)
        if remote is None:
            return replace(
                s, failed=Busy("The workload vanished from Run:ai while it was being changed: it is read again.")
            )
        s = replace(s, memory=replace(s.memory.edited(), first_submission=False, counts_may_lag=True, row_reads=0))
        if s.stored_status.failed:
            s = _without_failure(s)
        return replace(s, remote=replace(remote, mark=s.mark), delivered_now=True, done=s.done | {Update})

    async def _do_delete(self, s: State, action: Delete, upstream: Upstream) -> State:
        try:
            project = s.remote.project_id if isinstance(s.remote, Remote) else _project_of(s, action.workload_id)
            existed = await upstream.gate.delete(action.workload_id, project=project)
        except OutcomeUnknown as error:
            return replace(s, failed=error, done=s.done | {Delete})
        except BridgeError as error:
            return replace(s, failed=error)
        done = replace(s, done=s.done | {Delete})
        if not existed:
            return replace(done, remote=None)  # a second reading shows why
        return replace(done, memory=replace(s.memory, deletion_accepted=True))

    async def _do_record_orphan(self, s: State, orphan: Orphan) -> State:
        recorded = await self._left_behind(s.workload.ref, orphan)
        return replace(s, orphan_recorded=recorded, memory=replace(s.memory, guarded=not recorded))

    async def _record_what_force_left(self, ref: Ref, memory: Memory, summary: StatusSummary) -> None:
        if (orphan := left_by_force(ref, self._install, summary, memory)) is not None:
            await self._left_behind(ref, orphan)

    async def _left_behind(self, ref: Ref, orphan: Orphan) -> bool:
        recorded = await self._writer.orphan(replace(orphan, released=self._now()))
        said = "see runai-operator orphans" if recorded else "it is not on record, since that is full"
        extra = {
            "namespace": ref.namespace,
            "object": ref.name,
            "uid": ref.uid,
            "workload_id": orphan.workload_id,
            "reason": orphan.why,
        }
        log.warning("Run:ai may still hold the workload %s: %s", orphan.name, said, extra=extra)
        if recorded:
            self._observer.orphaned()
        return recorded

    async def _do_forget(self, s: State, action: ForgetWorkload) -> State:
        kept = [
            entry for entry in s.workload.status.get("conditions") or () if entry.get("type") != ConditionType.COMPLETED
        ]
        workload = await self._writer.status(s.workload, {**forget_run(), "submission": None, "conditions": kept})
        memory = replace(s.memory, pending_status={}, lookup_since=None, missing_since=None, deletion_accepted=False)
        if action.lost:
            memory = replace(memory, recreations=s.recreations + 1, recreated_at=s.now)
        return replace(
            s,
            workload=workload,
            memory=memory,
            requests=replace(s.requests, read=False),
            remote=None, row=None, found=None, deletion_wait=None, conflict=False,
            done=s.done - {Delete} | {ForgetWorkload},
        )  # fmt: skip


def _before(s: State, action: Action) -> State:
    """What is remembered even if the answer to the action is lost."""
    if not isinstance(action, RemoveFinalizer):
        return s
    return replace(s, memory=replace(s.memory, guarded=False, released=True))


def _project_of(s: State, workload_id: str) -> str | None:
    """The id of the project of a workload, if it is the one that status is about."""
    return s.stored_status.project_id if workload_id == s.workload_id else None


def _place_of(s: State) -> Place:
    """The project of what was submitted, or may have been."""
    spec, status = s.workload.spec, s.stored_status
    if status.project_id is not None:
        return Place(status.project_id, status.project_name, status.cluster_id)
    return Place(spec.project_id, spec.project_name, spec.cluster_id)


def _missing_from_now_on(s: State) -> State:
    since = s.now if s.memory.missing_since is None else s.memory.missing_since
    return replace(s, memory=replace(s.memory, missing_since=since))


def _about(s: State, workload_id: str | None = None) -> dict[str, str | int | float]:
    """For the fields of a log line; `workload_id` where it is not the one of status."""
    known = {"workload_id": workload_id or s.workload_id, "connection": s.connection}
    return s.workload.meta.fields | {name: value for name, value in known.items() if value is not None}


def _with_id(s: State, remote: Remote, *, delivered: bool, content: str | None = None) -> State:
    """From here on the id has to get into status, even if the next write fails. `content`: hash of what it holds, unless that
    is what is asked for."""
    learnt: Json = {
        "connection": s.connection,
        "workloadId": remote.id,
        "workloadName": remote.name,
        "projectId": remote.project_id,
        "ownerUid": s.workload.ref.uid,
        "submission": None,
    }
    if name := remote.project_name or s.workload.spec.project_name:
        learnt["projectName"] = name
    if remote.id == s.to_adopt:
        learnt["adoptedId"] = remote.id
    if isinstance(s.desired, Desired) and (delivered or content is not None):
        held = s.desired if content is None else replace(s.desired, content=content)
        learnt["submittedHash"] = held.fingerprint(adopts=s.to_adopt is not None)
    workload = replace(s.workload, status=overlay(s.workload.status, learnt))
    memory = replace(s.memory.owing(learnt), lookup_since=None, missing_since=None)
    return replace(s, workload=workload, memory=memory, remote=remote, delivered_now=delivered)


def _without_failure(s: State) -> State:
    """The edit may have fixed it: until the phase changes, the lists show the failure from before."""
    forgotten: Json = dict.fromkeys(("phase", "phaseMessage", "completedAt"))
    memory = replace(s.memory.owing(forgotten), stale_failure_at=s.row.phase_updated_at if s.row else None)
    workload = replace(s.workload, status=overlay(s.workload.status, forgotten))
    return replace(s, row=None, memory=memory, workload=workload)


def _still_pending(workload: Workload, memory: Memory) -> Json:
    """The fields that a failed write did not reach; a status that was written about another UID is removed."""
    stored = workload.status
    if has_foreign_status(workload):
        return {**dict.fromkeys(stored), **memory.pending_status}
    return {key: value for key, value in memory.pending_status.items() if stored.get(key) != value}


def _without_ours(workload: Workload) -> tuple[str, ...]:
    return tuple(entry for entry in workload.meta.finalizers if entry != FINALIZER)


def _at_end(s: State, upstream: Upstream | None) -> State:
    """What the end of a pass has to know of the connection."""
    if upstream is None:
        return s
    if s.deletion_wait is None:
        upstream.deletions.forget(s.workload.ref.uid)  # it was not asked, so nothing waits for it
    return replace(s, freshness=upstream.freshness)


def _once_more_failed(memory: Memory) -> Memory:
    return replace(memory, failures=memory.failures + 1)
