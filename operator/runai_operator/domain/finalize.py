"""How an object that is being deleted loses its finalizer: every transition of a deletion.

The workload in Run:ai is deleted first, and only if it is ours. Deletions end, and an accident can be stopped:

- What was never submitted is released at once, without a call to Run:ai.
- While the CustomResourceDefinition is being deleted, and every object with it, nothing is deleted in Run:ai until
  an administrator confirms it there.
- Deletions beyond a rate wait until the rate allows them.
- What is in a project that the namespace may not use (any more) is neither deleted nor forgotten.
- Where Run:ai cannot be used for very long, the finalizer is removed, after what stays behind has been written down.
"""

from __future__ import annotations

from runai_operator.domain.absence import hidden_project
from runai_operator.domain.actions import (
    Action,
    Adopt,
    Delete,
    FindRemote,
    ReadCRD,
    ReadOwner,
    ReadProject,
    ReadRemote,
    RecordId,
    RecordOrphan,
    RemoveFinalizer,
    ReserveDeletion,
    Result,
    Verdict,
)
from runai_operator.domain.barred import barred_from
from runai_operator.domain.doubt import attempted_name
from runai_operator.domain.errors import BridgeError, Busy, Held, InvalidWorkload, Scope
from runai_operator.domain.lost import own_name, successor
from runai_operator.domain.marks import install_changed, is_of_changed_install, is_ours, is_unreadable
from runai_operator.domain.memory import Memory
from runai_operator.domain.model import (
    NOT_SUBMITTED,
    Candidate,
    DeletionPolicy,
    ManagementPolicy,
    Missing,
    Orphan,
    OwnerMark,
    Ref,
    Remote,
)
from runai_operator.domain.ownership import ask_for_owner, may_be_taken_over, may_delete
from runai_operator.domain.plan import StatusSummary
from runai_operator.domain.reasons import Reason
from runai_operator.domain.state import State


def finalize(s: State) -> Action:
    """The next action for an object that is being deleted."""
    workload = s.workload
    if not workload.meta.has_finalizer:
        return _after_force(s)
    if why := _nothing_to_delete(s):
        return RemoveFinalizer(why)
    if held := _held_by_author(s):
        return held
    if s.unusable is not None:
        return Result(Verdict.DELETING, s.unusable)
    if s.crd is None:
        return ReadCRD()
    if s.crd.deleting and not s.crd.confirmed:
        return _held(
            "The CustomResourceDefinition is being deleted, so nothing is deleted in Run:ai: annotate it with"
            " bridge.run.ai/confirm-delete=true to delete the workloads too."
        )
    if s.failed is not None:
        return _out_of_reach(s, s.failed)
    if s.workload_id is not None:
        return _delete(s, s.workload_id)
    if workload.spec_error is not None:
        return _deleting(f"{workload.spec_error} Until that is corrected, the operator cannot find what was submitted.")
    return _finalize_in_doubt(s)


def _after_force(s: State) -> Action:
    """The object goes without us; what somebody else's removal of the finalizer leaves in Run:ai is put on record."""
    if not s.memory.guarded or s.orphan_recorded is not None or _nothing_to_delete(s):
        return Result(Verdict.IGNORED)
    if s.stored_status.is_gone:
        return Result(Verdict.IGNORED)
    return RecordOrphan(_orphan(s, Reason.FINALIZER_REMOVED))


def left_by_force(ref: Ref, install: str, summary: StatusSummary, memory: Memory) -> Orphan | None:
    """What may be in Run:ai of an object that vanished, although we did not remove its finalizer; None for nothing."""
    owed = memory.pending_status
    workload_id = owed.get("workloadId") or summary.workload_id
    was_submitted = workload_id is not None or summary.submission != NOT_SUBMITTED
    if summary.keeps_workload or summary.sync == "Deleted" or not was_submitted:
        return None
    return Orphan(
        mark=OwnerMark(install, ref.namespace, ref.name, ref.uid),
        name=owed.get("workloadName") or summary.name or ref.name,
        project_id=owed.get("projectId") or summary.project_id,
        project_name=None,
        workload_id=workload_id,
        in_doubt=workload_id is None,
        why=Reason.FINALIZER_REMOVED,
    )


def _held_by_author(s: State) -> Result | None:
    """Until whoever wrote the object says otherwise."""
    if s.workload.spec.may_be_to_stay:
        return _held(f"{s.workload.spec_error} Until that is corrected, nothing is deleted in Run:ai.")
    if s.workload.meta.paused:
        return _held("Paused: the workload is deleted in Run:ai once the annotation bridge.run.ai/paused is removed.")
    return None


def _nothing_to_delete(s: State) -> str | None:
    """Why the object may be released without a call to Run:ai; None when it may not."""
    spec = s.workload.spec
    if spec.deletion_policy is DeletionPolicy.ORPHAN:
        return "the workload stays in Run:ai, as deletionPolicy: Orphan asks"
    if spec.management_policy is ManagementPolicy.OBSERVE:
        return "the workload was only observed"
    if s.workload_id is None and s.stored_status.not_submitted:
        return "nothing was ever submitted"
    return None


def _finalize_in_doubt(s: State) -> Action:
    """An earlier attempt may have created a workload whose id is unknown, or adopted the one that the spec names."""
    if s.to_adopt is not None and not s.is_gone:
        return _delete(s, s.to_adopt)  # else it may have been replaced
    try:
        name = attempted_name(s)
    except InvalidWorkload:
        return RemoveFinalizer("its name could never be submitted")
    if s.found is None:
        return FindRemote(name, s.attempted_project or s.workload.spec.project_id)
    if isinstance(s.found, BridgeError):
        return _out_of_reach(s, s.found)
    if action := _delete_found(s, s.found):
        return action
    if not s.is_project_visible:
        return _out_of_reach(s, hidden_project(str(s.place)))
    if any(is_unreadable(candidate) for candidate in s.found):
        why = f"A workload named {name} exists in Run:ai, and whether it is ours cannot be read there"
        return _unreadable(s, f"{why}: delete it there if it is", gives_up=s.is_overdue and s.looked_long_enough)
    if s.absence_proven:
        return RemoveFinalizer("no workload of ours is in Run:ai")
    if s.name_held:
        hidden = Held(
            f"The name {name} was taken by something that Run:ai does not show, perhaps by what an interrupted submission"
            " made: see that the project's cluster is connected. Where the name is free by now, nothing of this object is"
            " left: set deletionPolicy: Orphan, which also leaves alone whatever has it.",
            reason=Reason.NAME_TAKEN,
        )
        return _leave_behind(s, hidden) if s.is_overdue and s.looked_long_enough else Result(Verdict.DELETING, hidden)
    return _deleting("Looking for a workload that an interrupted submission may have made.")


def _delete_found(s: State, found: tuple[Candidate, ...]) -> Action | None:
    for candidate in found:
        remote = candidate.remote
        if remote is None or remote.gone:
            continue
        if is_of_changed_install(remote.mark, s.mark):
            return _delete_present(s, remote)
        if is_ours(remote.mark, s.mark):
            return Adopt(remote, candidate.row, finished=False)
    return None


def _delete(s: State, workload_id: str) -> Action:
    if "workloadId" in s.memory.pending_status:
        return RecordId()  # once it is gone, only its id shows that it was ours
    match s.remote:
        case None:
            return ReadRemote(workload_id)
        case Missing():
            return _delete_successor(s)
        case BridgeError() as error:
            return _out_of_reach(s, error)
        case Remote() as remote:
            return _delete_present(s, remote)


def _delete_successor(s: State) -> Action:
    match successor(s):
        case BridgeError() as error:
            return _out_of_reach(s, error)
        case None:
            return RemoveFinalizer("the workload is gone from Run:ai")
        case action:
            return action


def _delete_present(s: State, remote: Remote) -> Action:
    if remote.gone:
        return _delete_successor(s)
    if action := _unless_anothers(s, remote):
        return action
    if remote.being_deleted or Delete in s.done:
        return _deleting("Waiting until Run:ai has deleted the workload.")
    if s.adoption_unproven and not remote.mark_readable:
        why = f"Whether workload {remote.id} was adopted before the deletion cannot be read in Run:ai"
        return _unreadable(s, f"{why}: delete it there if it was", gives_up=s.is_overdue)
    if is_of_changed_install(remote.mark, s.mark):
        return _held(f"{install_changed(remote, s.mark)}; or set deletionPolicy: Orphan to leave it in Run:ai.")
    if not may_delete(s, remote):
        return _leave_changed(s, remote)
    return _unless_barred(s, remote) or _delete_in_turn(s, remote)


def _leave_changed(s: State, remote: Remote) -> Action:
    """It carries no mark; under the id on record it is what we submitted, and somebody has moved or renamed it since."""
    if s.adoption_unproven:
        return RemoveFinalizer("the workload in Run:ai is not known to be ours and is left alone")
    changed = Held(
        f"Workload {remote.id} has another project, name or kind in Run:ai than it was submitted with, and no mark shows"
        " that it is ours: delete it there if it is."
    )
    return _leave_behind(s, changed, why=Reason.HOLDER_UNREADABLE)


def _unless_anothers(s: State, remote: Remote) -> Action | None:
    """What the mark of another owner leads to; None where there is none. Its deletion is not ours to wait for, either."""
    if remote.mark is None or is_of_changed_install(remote.mark, s.mark):
        return None
    match ask_for_owner(s, remote.mark) if may_be_taken_over(s, remote) else None:
        case ReadOwner() as action:
            return action
        case BridgeError() as error:
            return Result(Verdict.DELETING, error)
    if may_delete(s, remote):
        return None
    return RemoveFinalizer("the workload in Run:ai carries the mark of another owner and is left alone")


def _delete_in_turn(s: State, remote: Remote) -> Action:
    if s.deletion_wait is None:
        return ReserveDeletion()
    if s.deletion_wait > 0:
        return Result(Verdict.DELETING, rate_limited(s.deletion_wait, Reason.DELETING))
    return Delete(remote.id)


def _unless_barred(s: State, remote: Remote) -> Action | None:
    """Why the namespace may not delete it, by the project that it really is in; None when it may."""
    match barred_from(s, remote):
        case None:
            return None
        case ReadProject() as action:
            return action
        case InvalidWorkload():
            return _held(
                f"Workload {remote.id} stays in Run:ai: objects in namespace {s.workload.ref.namespace} may not use its"
                f" project ({remote.project_name or remote.project_id}). Set deletionPolicy: Orphan to leave it there, or ask"
                " whoever runs the operator to allow the project (runai.access)."
            )
        case BridgeError() as error:
            return _out_of_reach(s, error)


def _deleting(message: str) -> Result:
    return Result(Verdict.DELETING, Busy(message, reason=Reason.DELETING))


def _unreadable(s: State, message: str, *, gives_up: bool) -> Action:
    """Only a person can say whether the workload is ours; it is not waited for for ever."""
    error = Busy(f"{message}.", reason=Reason.DELETING)
    return _leave_behind(s, error, why=Reason.HOLDER_UNREADABLE) if gives_up else Result(Verdict.DELETING, error)


def _held(message: str) -> Result:
    return Result(Verdict.DELETING, Held(message))


def rate_limited(wait: float, reason: Reason) -> Held:
    """The error for a deletion that was not sent; `wait`: seconds until it may be."""
    return Held(
        "Rate-limited: more workloads are to be deleted in Run:ai than OPERATOR_DELETE_RATE allows a minute. It is deleted"
        " as soon as the rate allows.",
        reason=reason,
        after=wait,
    )


def _out_of_reach(s: State, error: BridgeError) -> Action:
    """Run:ai cannot be asked: wait, but not for ever if more than this object is affected, as by a 403."""
    if error.scope is Scope.OBJECT or not s.may_give_up:
        return Result(Verdict.DELETING, error)
    return _leave_behind(s, error)


def _leave_behind(s: State, error: BridgeError, *, why: Reason | None = None) -> Action:
    """The deletion has waited for long enough, for what `error` says."""
    if s.orphan_recorded is None:
        return RecordOrphan(_orphan(s, why or error.condition_reason))
    if not s.orphan_recorded:
        full = Held(
            f"{error.message} The record of workloads left behind is full: clean it with runai-operator orphans.",
            scope=error.scope,  # that is still what is waited for
        )
        return Result(Verdict.DELETING, full)
    return RemoveFinalizer("what may be left in Run:ai is on record (runai-operator orphans)")


def _orphan(s: State, why: str) -> Orphan:
    recorded, spec = s.stored_status, s.workload.spec
    return Orphan(
        mark=s.mark,
        name=recorded.name or (own_name(s) if s.workload_id is None else None) or s.workload.ref.name,
        project_id=recorded.project_id or spec.project_id,
        project_name=recorded.project_name or spec.project_name,
        workload_id=s.workload_id or s.to_adopt,
        in_doubt=s.workload_id is None or s.adoption_unproven,
        why=why,
    )
