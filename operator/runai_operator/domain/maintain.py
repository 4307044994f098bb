"""A workload of ours exists, or did: send what was edited, and replace what cannot be edited."""

from __future__ import annotations

from dataclasses import replace

from runai_operator.domain.actions import (
    Action,
    AddFinalizer,
    Delete,
    ForgetWorkload,
    ReadRemote,
    RecordId,
    Render,
    ReserveDeletion,
    Result,
    Update,
    Verdict,
)
from runai_operator.domain.adopt import adopt_what_was_observed, is_of_kind
from runai_operator.domain.barred import unless_barred, unless_target_barred
from runai_operator.domain.errors import BridgeError, InvalidWorkload, SourceUnusable
from runai_operator.domain.finalize import rate_limited
from runai_operator.domain.lost import as_it_ended, ended_unowned_error, finished_error, recreating, unless_lost
from runai_operator.domain.manifest import Desired
from runai_operator.domain.marks import marked_otherwise
from runai_operator.domain.model import Missing, RecreatePolicy, Remote, RerunPolicy
from runai_operator.domain.ownership import may_be_taken_over, may_delete, owner_first
from runai_operator.domain.reasons import Phase, Reason
from runai_operator.domain.requested import requested_reading
from runai_operator.domain.state import State, has_completed
from runai_operator.domain.stored_status import LOST_REASONS
from runai_operator.domain.submit import unless_name_taken


def maintain(s: State) -> Action:
    """The next action for an object whose status has a workload id."""
    if s.delivered_now and s.adoption_pending:
        return adopt_what_was_observed(s)  # where no mark can be read, only status says that it is ours
    if s.delivered_now:
        return Result(Verdict.DELIVERED)
    if s.failed is not None:
        return _after_failed_update(s.failed)
    if "workloadId" in s.memory.pending_status:
        return RecordId()
    if ended := _as_it_ended(s):
        return ended
    if s.adoption_pending and not (s.names_own and s.is_going):
        return adopt_what_was_observed(s)
    if s.only_observed:
        return ForgetWorkload()
    if not s.workload.meta.has_finalizer:
        return AddFinalizer()
    return _follow_spec(s)


def _as_it_ended(s: State) -> Result | None:
    """Of what was only observed and is gone; None where it had not finished, so that another may be named."""
    workload_id = s.workload_id
    if workload_id is None or workload_id != s.to_adopt or not (s.adoption_unproven and s.is_gone):
        return None
    return as_it_ended(s, workload_id, ended_unowned_error(workload_id))


def _after_failed_update(error: BridgeError) -> Action:
    if isinstance(error, InvalidWorkload):
        return Result(Verdict.REJECTED, error, outstanding=True)
    return Result(Verdict.RETRYING, error, outstanding=True)


def _follow_spec(s: State) -> Action:
    if action := requested_reading(s, outstanding=s.edited):
        return action
    if s.desired is None and _may_be_outstanding(s):
        return Render()
    match s.desired:
        case None:
            return _beside(_check_on(s), s.lack_of_source)
        case BridgeError() if _can_send_nothing(s):
            return Result(Verdict.IN_SYNC)
        case SourceUnusable() as error if not s.edited:
            return _beside(_check_on(s), error)
        case InvalidWorkload() as error:
            return Result(Verdict.REJECTED, error, outstanding=True)
        case BridgeError() as error:
            return Result(Verdict.RETRYING, error, outstanding=s.edited)
        case Desired() as desired:
            return _follow_edit(s, desired)


def _can_send_nothing(s: State) -> bool:
    """Finished work stays as it is, so it does not matter whether what the spec names is still there."""
    recorded, never = s.stored_status, s.workload.spec.rerun_policy is RerunPolicy.NEVER
    return never and recorded.completed and recorded.delivered


def _may_be_outstanding(s: State) -> bool:
    return s.edited or (s.must_check_content and not s.stored_status.completed)


def _beside(action: Action, error: BridgeError | None) -> Action:
    """The workload goes on as it was sent, and status says what is amiss beside it."""
    if isinstance(action, Result) and action.verdict is Verdict.IN_SYNC:
        return replace(action, error=error)
    return action


def _check_on(s: State) -> Action:
    """There is nothing to send, and nobody asked for a reading: is there anything that only a reading can show?"""
    if s.stored_status.completed:
        return Result(Verdict.IN_SYNC)
    if s.remote is None:
        recorded = s.stored_status
        must_read = recorded.reason in LOST_REASONS or recorded.replacing or recorded.lost
        return ReadRemote(str(s.workload_id)) if must_read else Result(Verdict.IN_SYNC)
    return unless_lost(s) or Result(Verdict.IN_SYNC)


def _follow_edit(s: State, desired: Desired) -> Action:
    recorded = s.stored_status
    same, same_identity = s.holds(desired), s.is_same_identity(desired)
    completed = recorded.completed or has_completed(s.row)
    is_held = not s.may_have_sent_another if s.record_holds is None else s.record_holds
    if same and same_identity and (completed or is_held):
        return _check_on(s)
    if completed:
        return _follow_edit_of_finished(s, desired)
    is_of_other_kind = isinstance(s.remote, Remote) and not is_of_kind(s.remote, desired)
    if not same_identity or is_of_other_kind:
        return _follow_change_of_identity(s)
    if s.remote is None:
        return ReadRemote(str(s.workload_id))
    if action := unless_lost(s, on_the_way=True):
        return action
    barred = unless_barred(s, s.remote) if isinstance(s.remote, Remote) else None
    return barred or Update(str(s.workload_id), desired.submission)


def _follow_edit_of_finished(s: State, desired: Desired) -> Action:
    if not s.has_finished_work_run_again(desired):
        return _check_on(s)
    if s.workload.spec.rerun_policy is RerunPolicy.ON_SPEC_CHANGE:
        return _replace(s)
    return Result(Verdict.REJECTED, finished_error(Phase.COMPLETED), outstanding=True)


def _follow_change_of_identity(s: State) -> Action:
    # A replacement that was begun goes on, whatever the policy is by now: else nothing would be left.
    if s.replacement_goes_on or s.workload.spec.recreate_policy is RecreatePolicy.ON_IMMUTABLE_CHANGE:
        return _replace(s)
    error = InvalidWorkload(
        "Name, project, preemptibility, mnnvl and the manifest's apiVersion and kind cannot be changed in Run:ai: undo"
        " the change, or set recreatePolicy: OnImmutableChange to have the workload deleted and created again; if it has"
        " finished by then, rerunPolicy: OnSpecChange too.",
        reason=Reason.IMMUTABLE_FIELD_CHANGED,
    )
    return Result(Verdict.REJECTED, error, outstanding=True)


def _replace(s: State) -> Action:
    """Delete, wait until gone, forget; the next step then creates."""
    if barred := unless_target_barred(s):
        return barred
    match s.remote:
        case None:
            return ReadRemote(str(s.workload_id))
        case BridgeError() as error:
            return Result(Verdict.RETRYING, error, outstanding=True)
        case Missing() | Remote(gone=True):
            return ForgetWorkload()
        case Remote() as remote:
            return _delete_to_replace(s, remote)


def _delete_to_replace(s: State, remote: Remote) -> Action:
    if remote.being_deleted or Delete in s.done:
        return recreating()
    if may_be_taken_over(s, remote) and (action := owner_first(s, remote.mark)):
        return action
    if not may_delete(s, remote):
        return Result(Verdict.REJECTED, marked_otherwise(remote, s.mark), outstanding=True)
    if barred := unless_barred(s, remote):
        return barred
    if isinstance(s.desired, Desired) and (refused := unless_name_taken(s, remote, s.desired)):
        return refused
    if s.deletion_wait is None:
        return ReserveDeletion()
    if s.deletion_wait > 0:
        return Result(Verdict.WAITING, rate_limited(s.deletion_wait, Reason.RECREATING), outstanding=True)
    return Delete(remote.id)
