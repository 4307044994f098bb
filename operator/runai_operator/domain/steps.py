"""The steps of a pass, as changes of its `State`: how it begins, what each action brings, and what it leaves behind."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime

from runai_operator.domain.access import Access
from runai_operator.domain.actions import (
    AddFinalizer,
    Adopt,
    Create,
    Delete,
    ForgetWorkload,
    RecordId,
    Result,
    Update,
    Verdict,
)
from runai_operator.domain.manifest import Desired, is_keyed, said_of_source, same_content
from runai_operator.domain.memory import Memory, Requests
from runai_operator.domain.model import NOT_SUBMITTED, Candidate, Ended, Json, Remote, Row, Sighting, Workload
from runai_operator.domain.plan import StatusSummary
from runai_operator.domain.reasons import Phase
from runai_operator.domain.requeue import Limits, next_count_read
from runai_operator.domain.state import State
from runai_operator.domain.status import overlay
from runai_operator.domain.stored_status import has_foreign_status

# --- it begins


def begun(
    workload: Workload,
    memory: Memory,
    requests: Requests,
    seen: Sighting | None,
    *,
    install: str,
    limits: Limits,
    access: Access,
    now: float,
    wall: datetime,
) -> State:
    """Nothing is known but the workload as read, what this process remembers of it, and its last row."""
    memory = memory.at(now)
    if workload.meta.deleting and memory.deletion_seen_at is None:
        memory = replace(memory, deletion_seen_at=now)
    unmade = memory.unmade_at == workload.meta.resource_version
    memory = replace(memory, pending_status=_still_pending(workload, memory), unmade_at=None, released=False)
    status = overlay(workload.status, memory.pending_status)
    if memory.proven and status.get("submission") != NOT_SUBMITTED:
        memory = replace(memory, lookup_since=None)
    # The id may have changed since, and the row be that of the workload before.
    row = seen.row if seen is not None and seen.workload_id == status.get("workloadId") else None
    memory = memory.listed(row) if row is not None else memory
    if row is not None and memory.is_stale(row):
        # An edit may have undone that end: until the phase changes, it is neither shown nor what was there before it.
        row = None
        if status.get("phase") is not None:
            memory = memory.owing(_no_phase())
            status = overlay(status, memory.pending_status)
    return State(
        workload=replace(workload, status=status),
        install=install,
        limits=limits,
        access=access,
        now=now,
        began=now,
        wall=wall,
        memory=memory,
        requests=requests,
        row=row,
        unmade=unmade,
    )


def _still_pending(workload: Workload, memory: Memory) -> Json:
    """The fields that a failed write did not reach; a status that was written about another UID is removed."""
    stored = workload.status
    if has_foreign_status(workload):
        return {**dict.fromkeys(stored), **memory.pending_status}
    return {key: value for key, value in memory.pending_status.items() if stored.get(key) != value}


# --- what was read


def seen(s: State, remote: Remote, row: Row | None) -> State:
    since = s.memory.missing_since if remote.may_be_gone else None
    memory = replace(s.memory, missing_since=since, of_secret=is_keyed(remote.content))
    return replace(s, remote=remote, row=row, memory=memory)


def unlisted(s: State, workload_id: str) -> State:
    """Lists do not show the workload, which may be adopted, now or for longer."""
    return replace(s, memory=s.memory.looked_for(workload_id, now=s.now))


def missing(s: State) -> State:
    """Run:ai does not show the workload, now or for longer."""
    since = s.now if s.memory.missing_since is None else s.memory.missing_since
    return replace(s, memory=replace(s.memory, missing_since=since))


def hidden(s: State) -> State:
    """Run:ai does not show its project either."""
    s = missing(s)
    return replace(s, memory=replace(s.memory, project_shown_since=math.inf))


def absent(s: State) -> State:
    """Run:ai shows its project, and not the workload."""
    s = missing(s)
    if s.memory.project_shown_since < math.inf:
        return s
    return replace(s, memory=replace(s.memory, project_shown_since=s.now))


def looked_up(
    s: State, found: tuple[Candidate, ...], *, what: str, is_visible: bool, now: float, ended: tuple[Ended, ...] = ()
) -> State:
    """What has the name; `what`: project and name; `is_visible`: the project that it was looked for in; `ended`: what had the
    name, where nothing of ours has."""
    s = replace(s, ended=ended)
    if s.workload_id is not None:  # whether another may have the name says nothing of the workload on record
        return replace(s, found=found, is_project_visible=is_visible)
    if not is_visible:
        s = hidden(s)
        return replace(s, found=found, is_project_visible=False, memory=replace(s.memory, lookup_since=None))
    of_secret = any(is_keyed(each.remote.content) for each in found if each.remote is not None)
    missing_since = s.memory.missing_since if s.is_gone else None  # that is of what was to be adopted
    memory = replace(s.memory, missing_since=missing_since, of_secret=of_secret or s.memory.of_secret)
    return replace(s, found=found, is_project_visible=True, memory=memory.looked_for(what, now=now))


# --- what was done


def announced(s: State, cluster_id: str | None) -> State:
    """The finalizer was added; `cluster_id`: of the project that the attempt is made in."""
    s = replace(s, done=s.done | {AddFinalizer})
    return s if cluster_id is None else _owing(s, {"clusterId": cluster_id})


def created(s: State, remote: Remote) -> State:
    held = s.desired.content if isinstance(s.desired, Desired) else None
    s = replace(s, memory=replace(s.memory, first_submission=True, of_secret=is_keyed(held), sync_reads=0))
    return replace(_with_id(s, remote, delivered=True), row=None, row_read=None, done=s.done | {Create})


def unanswered(s: State) -> State:
    """A POST may have made something: earlier look-ups say nothing about that."""
    return replace(s, memory=replace(s.memory, lookup_since=None))


def adopted(s: State, action: Adopt) -> State:
    if s.to_adopt not in (None, action.remote.id):
        s = _owing(s, {"adoptedId": s.to_adopt})  # this took its place
    delivered = s.delivered_now or action.finished
    s = replace(s, memory=replace(s.memory, of_secret=is_keyed(action.remote.content)))
    taken = _with_id(s, action.remote, delivered=delivered, content=action.content)
    return replace(taken, row=action.row, row_read=action.row or s.row_read, done=s.done | {Adopt})


def recorded(s: State, workload: Workload) -> State:
    """Status says what was owed."""
    return replace(s, workload=workload, memory=replace(s.memory, pending_status={}), done=s.done | {RecordId})


def updated(s: State, remote: Remote) -> State:
    held, before = s.desired if isinstance(s.desired, Desired) else None, s.held_by(remote.id)
    learnt = {"submittedHash": s.hash_of(held), "submittedFrom": said_of_source(s.workload.spec)}
    s = _owing(s, learnt | {"syncStatus": None, "syncMessage": None})
    if held is not None and not (before and same_content(before, held.content)):
        sent_at = s.memory.moment_of_edit(remote.updated_at, s.row)
        s = _owing(s, {"submittedAt": sent_at, "previousHash": before})
        s = replace(s, memory=s.memory.edited(sent_at))
    s = replace(s, memory=replace(s.memory, first_submission=False, counts_may_lag=True, row_reads=0, sync_reads=0))
    if s.stored_status.failed:
        s = _without_failure(s)
    return replace(s, remote=replace(remote, mark=s.mark), delivered_now=True, done=s.done | {Update})


def update_unanswered(s: State) -> State:
    """What Run:ai holds now is not known."""
    return _owing(replace(s, done=s.done | {Update}), {"submittedHash": s.hash_of(None)})


def deleted(s: State, *, existed: bool) -> State:
    done = replace(s, done=s.done | {Delete})
    if not existed:
        return replace(done, remote=None)  # a second reading shows why
    return replace(done, memory=replace(s.memory, deletion_accepted=True))


def forgotten(s: State, workload: Workload, action: ForgetWorkload) -> State:
    memory = replace(s.memory, pending_status={}, lookup_since=None, missing_since=None, deletion_accepted=False)
    memory = replace(memory, clock_behind=0.0)  # the next may be on another cluster
    if action.lost:
        memory = replace(memory, recreations=s.recreations + 1, recreated_at=s.now)
    return replace(
        s,
        workload=workload,
        memory=memory,
        requests=replace(s.requests, read=False),
        remote=None, row=None, row_read=None, found=None, deletion_wait=None, conflict=False,
        done=s.done - {Delete} | {ForgetWorkload},
    )  # fmt: skip


def _owing(s: State, learnt: Json) -> State:
    """What status has to say even if the next write fails."""
    workload = replace(s.workload, status=overlay(s.workload.status, learnt))
    return replace(s, workload=workload, memory=s.memory.owing(learnt))


def _with_id(s: State, remote: Remote, *, delivered: bool, content: str | None = None) -> State:
    """From here on the id has to get into status, even if the next write fails. `content`: hash of what it holds, unless that
    is what is asked for; not known where neither is so, though something was sent."""
    learnt: Json = {
        "connection": s.connection,
        "workloadId": remote.id,
        "workloadName": remote.name,
        "createdAt": remote.created_at,
        "projectId": remote.project_id,
        "ownerUid": s.workload.ref.uid,
        "submission": None,
    }
    if name := remote.project_name or s.workload.spec.project_name:
        learnt["projectName"] = name
    if remote.id == s.to_adopt:
        learnt |= {
            "adoptedId": remote.id,
            "submittedAt": None,
            "previousHash": None,
        }  # whose end counts as its own, whenever that was
    if isinstance(s.desired, Desired):
        learnt["projectResolvedFrom"] = s.workload.spec.project_name
        if delivered and content is None:
            learnt |= {"submittedHash": s.hash_of(s.desired), "submittedFrom": said_of_source(s.workload.spec)}
        elif content is not None or remote.id != s.workload_id or s.stored_status.content is None:
            held = replace(s.desired, content=content or "")
            learnt |= {"submittedHash": s.hash_of(held), "submittedFrom": None}
    elif content is not None:
        learnt |= {
            "submittedHash": f"{content}.",
            "submittedFrom": None,
        }  # that something was sent, whatever is asked for
    elif s.workload_id not in (None, remote.id):  # it has taken the place of what is on record
        learnt |= {"submittedHash": s.hash_of(None), "submittedFrom": None}
    workload = replace(s.workload, status=overlay(s.workload.status, learnt))
    memory = replace(s.memory.owing(learnt), lookup_since=None, missing_since=None)
    return replace(s, workload=workload, memory=memory, remote=remote, delivered_now=delivered)


def _without_failure(s: State) -> State:
    """The edit may have fixed it: until the phase changes, the lists show the failure from before."""
    return replace(_owing(s, _no_phase()), row=None)


def _no_phase() -> Json:
    return dict.fromkeys(("phase", "phaseMessage", "completedAt"))


# --- it ends


def remembered(s: State, end: Result, summary: StatusSummary, *, written: Workload, wrote_at: float) -> Memory:
    """What this process goes on to remember. `written`: the workload after the last write."""
    waits = end.in_trouble or end.verdict in (Verdict.WAITING, Verdict.DELETING)
    counts_may_lag = (
        s.memory.counts_may_lag and not summary.finished and next_count_read(s.memory.row_reads) is not None
    )
    goes_on = (summary.in_flight or summary.may_recover) and summary.sync == s.workload.status.get("syncStatus")
    memory = s.memory if summary.in_flight else s.memory.synced(now=s.now, grace=s.limits.grace)
    memory = replace(
        memory,
        pending_status={},
        failures=s.memory.failures + 1 if waits else 0,
        broken_off=0,
        proven=end.not_submitted,
        sync_reads=s.memory.sync_reads + 1 if goes_on else 0,
        row_reads=s.memory.row_reads if summary.phase == Phase.PENDING or counts_may_lag else 0,
        counts_may_lag=counts_may_lag,
        retrying_since=s.retrying_since(end),
        unread=s.unread(end),
        recreations=s.recreations,
        name_wanted=s.name_wanted(end),
        verdicts=_verdicts(s, end),
        wrote_at=wrote_at,
    )
    if s.conflict and s.is_first_attempt and Update not in s.done:
        memory = replace(memory, unmade_at=written.meta.resource_version)
    if not written.meta.has_finalizer and s.workload.meta.has_finalizer:
        memory = replace(memory, guarded=False)
    return memory


def _verdicts(s: State, end: Result) -> int:
    if end.verdict is not Verdict.VALID or not isinstance(s.desired, Desired):
        return 0
    before = s.memory.verdicts if s.stored_status.validated_hash == s.desired.fingerprint(adopts=False) else 0
    return before + 1 if s.validated else before


def broken_off(memory: Memory) -> Memory:
    """A copy: the pass came to no end."""
    return replace(memory, broken_off=memory.broken_off + 1)
