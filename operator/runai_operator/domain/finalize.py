"""How an object that is being deleted loses its finalizer: every transition of a deletion.

The workload in Run:ai is deleted first, and only if it is ours. Deletions end, and an accident can be stopped:

- What was never submitted is released at once, without a call to Run:ai.
- While the CustomResourceDefinition is being deleted, and every object with it, nothing is deleted in Run:ai until
  an administrator confirms it there.
- Deletions beyond a rate wait until the rate allows them.
- Where Run:ai cannot be used for very long, the finalizer is removed, after what stays behind has been written down.
"""

from __future__ import annotations

from runai_operator.domain.absence import hidden_project
from runai_operator.domain.actions import (
    Action,
    Delete,
    FindRemote,
    ReadCRD,
    ReadRemote,
    RecordOrphan,
    RemoveFinalizer,
    ReserveDeletion,
    Result,
    Verdict,
)
from runai_operator.domain.errors import BridgeError, Busy, Held, InvalidWorkload, Scope
from runai_operator.domain.model import DeletionPolicy, ManagementPolicy, Orphan, Remote
from runai_operator.domain.reasons import Reason
from runai_operator.domain.state import Desired, Missing, State, desired_name, is_ours, is_unreadable


def finalize(s: State) -> Action:
    """The next action for an object that is being deleted."""
    workload = s.workload
    if not workload.meta.has_finalizer:
        return Result(Verdict.IGNORED)
    if why := _nothing_to_delete(s):
        return RemoveFinalizer(why)
    if workload.meta.paused:
        return _held("Paused: the workload is deleted in Run:ai once the annotation bridge.run.ai/paused is removed.")
    if s.unusable is not None:
        return Result(Verdict.DELETING, s.unusable)
    if s.crd is None:
        return ReadCRD()
    if s.crd.deleting and not s.crd.confirmed:
        return _held(
            "The CustomResourceDefinition is being deleted, so nothing is deleted in Run:ai: annotate it with"
            " bridge.run.ai/confirm-delete=true to delete the workloads too, or set deletionPolicy: Orphan here."
        )
    if s.failed is not None:
        return _out_of_reach(s, s.failed)
    if s.workload_id is not None:
        return _delete(s, s.workload_id)
    if workload.spec_error is not None:
        return _deleting(f"{workload.spec_error} Until that is corrected, the operator cannot find what was submitted.")
    return _finalize_in_doubt(s)


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
    if s.to_adopt is not None:
        return _delete(s, s.to_adopt)
    try:
        name = desired_name(s)
    except InvalidWorkload:
        return RemoveFinalizer("its name could never be submitted")
    if s.found is None:
        project_id = s.desired.submission.project_id if isinstance(s.desired, Desired) else s.workload.spec.project_id
        return FindRemote(name, project_id)
    if isinstance(s.found, BridgeError):
        return _out_of_reach(s, s.found)
    for candidate in s.found:
        if candidate.remote is not None and is_ours(candidate.remote.mark, s.mark) and not candidate.remote.gone:
            return _delete_present(s, candidate.remote)
    if any(is_unreadable(candidate) for candidate in s.found):
        return _deleting(
            f"A workload named {name} exists in Run:ai, and whether it is ours cannot be read there;"
            " delete it in Run:ai if it is, or set deletionPolicy: Orphan to leave it alone."
        )
    if not s.is_project_visible:
        return _out_of_reach(
            s, hidden_project(s.workload.spec.project_name or s.workload.spec.project_id or "(unknown)")
        )
    if s.absence_proven:
        return RemoveFinalizer("no workload of ours is in Run:ai")
    return _deleting("Looking for a workload that an interrupted submission may have made.")


def _delete(s: State, workload_id: str) -> Action:
    match s.remote:
        case None:
            return ReadRemote(workload_id)
        case Missing():
            return RemoveFinalizer("the workload is gone from Run:ai")
        case BridgeError() as error:
            return _out_of_reach(s, error)
        case Remote() as remote:
            return _delete_present(s, remote)


def _delete_present(s: State, remote: Remote) -> Action:
    if remote.gone:
        return RemoveFinalizer("the workload is gone from Run:ai")
    if remote.being_deleted or Delete in s.done:
        return _deleting("Waiting until Run:ai has deleted the workload.")
    if s.adoption_unproven and remote.mark is None and not remote.mark_readable:
        return _deleting(
            f"Whether workload {remote.id} was adopted before the deletion cannot be read in Run:ai: delete it there if it"
            " was, or set deletionPolicy: Orphan to leave it alone."
        )
    if not may_delete(s, remote):
        return RemoveFinalizer("the workload in Run:ai carries the mark of another owner and is left alone")
    if s.deletion_wait is None:
        return ReserveDeletion()
    if s.deletion_wait > 0:
        return Result(Verdict.DELETING, rate_limited(s.deletion_wait, Reason.DELETING))
    return Delete(remote.id)


def _deleting(message: str) -> Result:
    return Result(Verdict.DELETING, Busy(message, reason=Reason.DELETING))


def _held(message: str) -> Result:
    return Result(Verdict.DELETING, Held(message))


def rate_limited(wait: float, reason: Reason) -> Held:
    """The error for a deletion that was not sent; `wait`: seconds until it may be."""
    return Held(
        "Rate-limited: more workloads are to be deleted in Run:ai than OPERATOR_DELETE_RATE allows a minute. It is deleted"
        " as soon as the rate allows; set deletionPolicy: Orphan to leave it in Run:ai.",
        reason=reason,
        after=wait,
    )


def _out_of_reach(s: State, error: BridgeError) -> Action:
    """Run:ai cannot be asked: wait, but not for ever if more than this object is affected, as by a 403."""
    if error.scope is Scope.OBJECT or not s.may_give_up:
        return Result(Verdict.DELETING, error)
    if s.orphan_recorded is None:
        return RecordOrphan(_left_behind(s, error))
    if not s.orphan_recorded:
        full = Held(
            f"{error.message} The record of workloads left behind is full: clean it with runai-operator orphans,"
            " or set deletionPolicy: Orphan to remove the finalizer unrecorded.",
            scope=error.scope,  # that is still what is waited for
        )
        return Result(Verdict.DELETING, full)
    return RemoveFinalizer("Run:ai cannot be used; what may be left there is on record (runai-operator orphans)")


def _left_behind(s: State, error: BridgeError) -> Orphan:
    recorded, spec = s.stored_status, s.workload.spec
    return Orphan(
        mark=s.mark,
        name=recorded.name or (desired_name(s) if s.workload_id is None else s.workload.ref.name),
        project_id=recorded.project_id or spec.project_id,
        project_name=recorded.project_name or spec.project_name,
        workload_id=s.workload_id or s.to_adopt,
        why=error.condition_reason,
    )


def may_delete(s: State, remote: Remote) -> bool:
    """It carries our mark; or it shows none, and is the one that our own status records."""
    if remote.mark is not None:
        return is_ours(remote.mark, s.mark)
    recorded = s.stored_status
    if s.adoption_unproven:
        return False
    return (
        remote.id == s.workload_id
        and recorded.name in (None, remote.name)
        and recorded.project_id in (None, remote.project_id)
        and (recorded.gvk is None or remote.gvk is None or recorded.gvk.kind == remote.gvk.kind)
    )
