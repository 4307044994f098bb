"""One pass, from values to a value: read the workload, do what `decide` says, build status and write it.

No decision is taken here, and no shared state is changed: everything that the pass brings is in its `Result`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime
from functools import partial
from random import Random

from runai_operator.domain import events, steps
from runai_operator.domain.actions import (
    Action,
    AddFinalizer,
    Adopt,
    AskDryRuns,
    BeginSubmission,
    ClaimWorkload,
    Create,
    Delete,
    DryRun,
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
    NotSelected,
    OutcomeUnknown,
    StaleObject,
    TooLarge,
    UnexpectedReply,
    Vanished,
)
from runai_operator.domain.finalize import left_by_force
from runai_operator.domain.manifest import Desired
from runai_operator.domain.marks import is_ours
from runai_operator.domain.memory import Memory, Requests
from runai_operator.domain.model import (
    FINALIZER,
    IN_DOUBT,
    CRDState,
    DeletionPolicy,
    ManagementPolicy,
    Meta,
    Orphan,
    Ref,
    Remote,
    Sighting,
    Submission,
    Workload,
)
from runai_operator.domain.plan import StatusSummary
from runai_operator.domain.reasons import ConditionType
from runai_operator.domain.requeue import requeue_after
from runai_operator.domain.state import State
from runai_operator.domain.status import build_status, forget_run, patch_between
from runai_operator.engine.ports import EngineSettings, Kube, Observer
from runai_operator.engine.reader import Reader
from runai_operator.engine.render import Renderer
from runai_operator.engine.upstream import Upstream, Upstreams
from runai_operator.engine.writing import Writer

log = logging.getLogger(__name__)

GONE_TIMEOUT = 5.0
"""Seconds in which Run:ai may say that nothing is left of what vanished, before it is put on record."""
MAX_STEPS = 20
"""More actions than any pass needs: a guard against rules that make no progress."""


class Reconciler:
    """Performs what `decide` asks for."""

    def __init__(
        self,
        *,
        kube: Kube,
        upstreams: Upstreams,
        guarded: Callable[[], AbstractAsyncContextManager[None]],
        observer: Observer,
        read_crd: Callable[[str, float], Awaitable[CRDState]],
        claim: Callable[[Ref, str, str], Ref],
        record: Callable[[Meta, events.Event], None],
        settings: EngineSettings,
        clock: Callable[[], float],
        now: Callable[[], datetime],
        random: Random,
    ) -> None:
        """`guarded` raises `NotLeader` where nothing may be written. `read_crd` is given an object and since when its deletion
        is known, and `claim` an object, a connection and the id of a workload, of which it returns the object that has it.
        `record` is given what people should know; it must not block. `clock` in loop seconds, `now` in UTC."""
        self._kube, self._upstreams, self._observer = kube, upstreams, observer
        self._read_crd, self._claim, self._record = read_crd, claim, record
        self._settings, self._writer = settings, Writer(kube, guarded, observer)
        self._render = Renderer(kube.read_source, settings.install, settings.former_installs)
        self._read = Reader(install=settings.install, former_installs=settings.former_installs, clock=clock)
        self._clock, self._now, self._random = clock, now, random

    async def reconcile(
        self,
        meta: Meta,
        memory: Memory,
        requests: Requests,
        seen: Sighting | None,
        summary: StatusSummary,
        *,
        has_left: bool = False,
    ) -> Result:
        """One pass over one object. Errors are in the result, so that the memory is never lost. `has_left`: others serve it, or
        have served it meanwhile, so that what is remembered of it is out of date."""
        try:
            workload = await self._kube.read(meta.ref, large=memory.large)
            if workload is None:
                # What others have made of it is their matter, but not what only this process knows of.
                is_known = has_left and not memory.pending_status.get("workloadId")
                if (meta.has_finalizer or memory.guarded) and not memory.released and not is_known:
                    await self._record_what_force_left(meta.ref, memory, summary)
                return Result(Verdict.GONE, memory=memory)
            s = self._begin(workload, Memory() if has_left else memory, requests, seen)
        except NotSelected:
            return Result(Verdict.PASSED_ON, memory=memory)
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
        return steps.begun(
            workload,
            memory,
            requests,
            seen,
            install=self._settings.install,
            limits=self._settings.limits,
            access=self._settings.access,
            now=self._clock(),
            wall=self._now(),
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
        if after.may_be_confidential:
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
        memory = steps.broken_off(memory)
        return self._scheduled(Result(Verdict.BUG, did=did, memory=memory), memory.broken_off)

    def _failed(self, error: BridgeError, memory: Memory, *, did: str = "none", meta: Meta | None = None) -> Result:
        """The object could not be read or written."""
        match error:
            case TooLarge():
                verdict, memory = Verdict.TOO_LARGE, replace(memory, large=True)
            case StaleObject() | Vanished():
                verdict, memory = Verdict.CONFLICT, steps.broken_off(memory)
            case _:
                verdict, memory = Verdict.FAILED, steps.broken_off(memory)
                if (event := events.of_refusal(error)) is not None and meta is not None:
                    self._record(meta, event)
        return self._scheduled(Result(verdict, error, did=did, memory=memory, meta=meta), memory.broken_off)

    def _scheduled(self, result: Result, failures: int) -> Result:
        return replace(result, requeue_after=requeue_after(result, failures, self._random.random()))

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
        wrote_at = self._clock() if patch else s.memory.wrote_at
        memory = steps.remembered(s, end, summary, written=written.workload, wrote_at=wrote_at)
        done = replace(end, memory=memory, meta=written.workload.meta, summary=summary, row=s.row_read)
        return self._scheduled(replace(done, answered=not end.in_trouble), memory.failures)

    # --- performing

    async def _perform(  # noqa: C901, PLR0912 - one case for each verb
        self, s: State, action: Action, upstream: Upstream | None
    ) -> State:
        match action:
            case ReadCRD():
                seen = s.now if s.memory.deletion_seen_at is None else s.memory.deletion_seen_at
                return replace(s, crd=await self._read_crd(s.workload.ref.uid, seen))
            case ReadOwner(owner):
                return await self._do_read_owner(s, owner)
            case ClaimWorkload(workload_id):
                return replace(s, claimant=self._claim(s.workload.ref, s.connection, workload_id))
            case BeginSubmission():
                return await self._do_write_submission(s, None, BeginSubmission, upstream)
            case MarkInDoubt():
                return await self._do_write_submission(s, IN_DOUBT, MarkInDoubt, upstream)
            case AddFinalizer():
                if s.memory.guarded:
                    log.warning("somebody removed the finalizer: it is added again", extra=_about(s))
                return await self._do_add_finalizer(s, upstream)
            case RemoveFinalizer():
                return replace(s, workload=await self._writer.finalizers(s.workload, _without_ours(s.workload)))
            case Adopt():
                return self._do_adopt(s, action, upstream)
            case RecordId():
                return steps.recorded(s, await self._writer.status(s.workload, s.memory.pending_status))
            case ForgetWorkload():
                return await self._do_forget(s, action, upstream)
            case RecordOrphan(orphan):
                return await self._do_record_orphan(s, orphan)
        if upstream is None:
            raise RuntimeError(f"{type(action).__name__} without a connection")
        return await self._ask_runai(s, action, upstream)

    def _do_adopt(self, s: State, action: Adopt, upstream: Upstream | None) -> State:
        """Where it has finished, nothing brings it the mark of its new object, so it is noted here that it has one."""
        going = None
        if upstream is not None and not is_ours(action.remote.mark, s.mark):
            going = upstream.leftovers.spare_adopted(action.remote)
        return steps.adopted(s, action) if going is None else replace(s, failed=going)

    async def _do_add_finalizer(self, s: State, upstream: Upstream | None) -> State:
        cluster_id = None if s.to_adopt is not None else await self._cluster_of(s, s.target_project, upstream)
        finalizers = (*s.workload.meta.finalizers, FINALIZER)
        return steps.announced(replace(s, workload=await self._writer.finalizers(s.workload, finalizers)), cluster_id)

    async def _cluster_of(self, s: State, project_id: str | None, upstream: Upstream | None) -> str | None:
        """The id of the cluster of the project of an attempt: as it is on record, else as Run:ai says now, if it does."""
        recorded = s.stored_status
        if project_id is not None and recorded.project_id == project_id and recorded.cluster_id is not None:
            return recorded.cluster_id
        return None if project_id is None or upstream is None else await upstream.projects.cluster_of(project_id)

    async def _do_read_owner(self, s: State, owner: Ref) -> State:
        try:
            return replace(s, owner_exists=await self._kube.read(owner, large=True) is not None)
        except NotSelected:
            return replace(s, owner_exists=True)
        except BridgeError as error:
            return replace(s, owner_exists=error)

    async def _ask_runai(  # noqa: C901 - one case for each verb
        self, s: State, action: Action, upstream: Upstream
    ) -> State:
        match action:
            case Render():
                return await self._do_render(s, upstream)
            case ReadRemote():
                return await self._read.remote(s, action, upstream)
            case FindRemote():
                return await self._read.named(s, action, upstream)
            case ReadProject():
                return await self._read.project(s, action, upstream)
            case ReadRow():
                return await self._read.row(s, action, upstream)
            case ReserveDeletion():
                return replace(s, deletion_wait=upstream.deletions.wait(s.workload.ref.uid, runs=not s.has_finished))
            case AskDryRuns(project_id):
                return replace(s, dry_runs_proven=upstream.dry_runs.ask(s.workload.ref.uid, project_id))
            case DryRun(submission):
                return await self._do_dry_run(s, submission, upstream)
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
                s.workload,
                partial(upstream.projects.of, anew=s.asked),
                project_id=s.attempted_project,
                large=s.memory.large,
            )
        except TooLarge:
            raise
        except BridgeError as error:
            return replace(s, desired=error)
        memory = replace(s.memory, source=rendered.source)
        desired = rendered.desired
        is_only_checked = s.workload.spec.management_policy is ManagementPolicy.DRY_RUN
        if isinstance(desired, Desired) and not is_only_checked:
            desired = upstream.leftovers.spare(desired.submission) or desired
        return replace(s, desired=desired, gvk=rendered.gvk, memory=memory)

    async def _do_write_submission(self, s: State, word: str | None, done: type, upstream: Upstream | None) -> State:
        cluster_id = await self._cluster_of(s, s.target_project, upstream)
        made_by = {"projectId": s.target_project, "clusterId": cluster_id, "ownerUid": s.workload.ref.uid}
        attempt = {"submission": word, **made_by, **s.place_of_attempt}
        workload = await self._writer.status(s.workload, attempt)
        return replace(s, workload=workload, done=s.done | {done})

    async def _do_create(self, s: State, action: Create, upstream: Upstream) -> State:
        try:
            remote = await upstream.gate.create(action.submission)
        except NameTaken:
            return replace(s, conflict=True)
        except OutcomeUnknown as error:
            return replace(steps.unanswered(s), failed=error)
        except BridgeError as error:
            return replace(s, failed=error)
        upstream.leftovers.created(action.submission)
        return steps.created(s, remote)

    async def _do_dry_run(self, s: State, submission: Submission, upstream: Upstream) -> State:
        try:
            told_id = await upstream.gate.dry_run(submission)
        except BridgeError as error:
            if isinstance(error, OutcomeUnknown | UnexpectedReply):
                upstream.leftovers.sent(submission, None)
            return replace(s, failed=error)
        upstream.leftovers.sent(submission, told_id)
        return replace(s, validated=True)

    async def _do_update(self, s: State, action: Update, upstream: Upstream) -> State:
        for before in s.readings_of(action.workload_id):
            if (going := upstream.leftovers.spare_adopted(before)) is not None:
                return replace(s, failed=going)
        try:
            remote = await upstream.gate.update(action.workload_id, action.submission)
        except OutcomeUnknown as error:
            return replace(steps.update_unanswered(s), failed=error)
        except BridgeError as error:
            return replace(s, failed=error)
        if remote is None:
            return replace(
                s, failed=Busy("The workload vanished from Run:ai while it was being changed: it is read again.")
            )
        return steps.updated(s, remote)

    async def _do_delete(self, s: State, action: Delete, upstream: Upstream) -> State:
        try:
            project = s.remote.project_id if isinstance(s.remote, Remote) else s.project_of(action.workload_id)
            existed = await upstream.gate.delete(action.workload_id, project=project)
        except OutcomeUnknown as error:
            return replace(s, failed=error, done=s.done | {Delete})
        except BridgeError as error:
            return replace(s, failed=error)
        return steps.deleted(s, existed=existed)

    async def _do_record_orphan(self, s: State, orphan: Orphan) -> State:
        recorded = await self._left_behind(s.workload.ref, orphan)
        return replace(s, orphan_recorded=recorded, memory=replace(s.memory, guarded=not recorded))

    async def _record_what_force_left(self, ref: Ref, memory: Memory, summary: StatusSummary) -> None:
        orphan = left_by_force(ref, self._settings.install, summary, memory)
        # Where nobody else serves it, it is put on record without delay: a restart meanwhile would lose it.
        is_alone = self._settings.serves_all
        if orphan is not None and (is_alone or not await self._is_gone(orphan, summary.connection)):
            await self._left_behind(ref, orphan)

    async def _is_gone(self, orphan: Orphan, connection: str) -> bool:
        """Whoever removed the finalizer, as another process may, has had the workload deleted before."""
        upstream = self._upstreams.named(connection)
        try:
            async with asyncio.timeout(GONE_TIMEOUT):
                return upstream is not None and await self._read.is_gone(orphan, upstream)
        except (BridgeError, TimeoutError):
            return False

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

    async def _do_forget(self, s: State, action: ForgetWorkload, upstream: Upstream | None) -> State:
        project_id = s.project_of_next
        place = {"projectId": project_id, "clusterId": await self._cluster_of(s, project_id, upstream)}
        kept = [
            entry for entry in s.workload.status.get("conditions") or () if entry.get("type") != ConditionType.COMPLETED
        ]
        patch = {**forget_run(), **place, "submission": None, "conditions": kept}
        if s.names_own:
            patch["adoptedId"] = s.workload_id  # what takes its place is created
        workload = await self._writer.status(s.workload, patch)
        return steps.forgotten(s, workload, action)


def _before(s: State, action: Action) -> State:
    """What is remembered even if the answer to the action is lost."""
    if not isinstance(action, RemoveFinalizer):
        return s
    return replace(s, memory=replace(s.memory, guarded=False, released=True))


def _about(s: State, workload_id: str | None = None) -> dict[str, str | int | float]:
    """For the fields of a log line; `workload_id` where it is not the one of status."""
    known = {"workload_id": workload_id or s.workload_id, "connection": s.connection}
    return s.workload.meta.fields | {name: value for name, value in known.items() if value is not None}


def _without_ours(workload: Workload) -> tuple[str, ...]:
    return tuple(entry for entry in workload.meta.finalizers if entry != FINALIZER)


def _at_end(s: State, upstream: Upstream | None) -> State:
    """What the end of a pass has to know of the connection."""
    if upstream is None:
        return s
    if s.deletion_wait is None:
        upstream.deletions.forget(s.workload.ref.uid)  # it was not asked, so nothing waits for it
    if s.dry_runs_proven is False:
        upstream.dry_runs.leave(s.workload.ref.uid)
    return replace(s, freshness=upstream.freshness)
