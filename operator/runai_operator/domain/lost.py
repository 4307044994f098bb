"""A workload of ours is not what it was: gone from Run:ai, being deleted there, or taken by another owner."""

from __future__ import annotations

from runai_operator.domain.actions import Action, Adopt, FindRemote, ForgetWorkload, Render, Result, Verdict
from runai_operator.domain.adopt import adopt_ours
from runai_operator.domain.errors import BridgeError, Busy, InvalidWorkload
from runai_operator.domain.manifest import Desired
from runai_operator.domain.marks import is_ours, marked_otherwise
from runai_operator.domain.model import ExternalDeletionPolicy, Missing, Remote, RerunPolicy
from runai_operator.domain.naming import external_name
from runai_operator.domain.reasons import Phase, Reason
from runai_operator.domain.state import Ending, Recreation, State


def unless_lost(s: State, *, on_the_way: bool = False) -> Action | None:
    """Why the reading does not allow going on as usual; None when it does. `on_the_way`: there is something to send."""
    match s.remote:
        case BridgeError() as error:
            return Result(Verdict.RETRYING, error, outstanding=on_the_way)
        case Missing() | Remote(gone=True):
            return _lost(s, on_the_way=on_the_way)
        case Remote(mark=mark) as remote if mark is not None and not is_ours(mark, s.mark):
            return Result(Verdict.REJECTED, marked_otherwise(remote, s.mark), outstanding=on_the_way)
        case Remote(being_deleted=True) if s.stored_status.replacing:
            return recreating()  # by us: the change that asked for it was undone too late
        case Remote(being_deleted=True):
            return Result(Verdict.IN_SYNC, outstanding=on_the_way)
    return None


def _lost(s: State, *, on_the_way: bool) -> Action:
    recorded = s.stored_status
    if recorded.replacing:
        return ForgetWorkload()
    if recorded.failed or s.ending is Ending.FINISHED:
        if not _edit_waits(s):
            return Result(Verdict.IN_SYNC)
        if s.workload.spec.rerun_policy is RerunPolicy.ON_SPEC_CHANGE:
            return ForgetWorkload()
        return Result(Verdict.REJECTED, finished_error(Phase.FAILED), outstanding=True)
    if unseen := ended_unseen(s, str(s.workload_id), outstanding=on_the_way):
        return unseen
    if s.workload.spec.external_deletion_policy is ExternalDeletionPolicy.RECREATE:
        return _recreate(s)
    return _report_or_follow(s, on_the_way=on_the_way)


def _report_or_follow(s: State, *, on_the_way: bool) -> Action:
    """Somebody deleted it, unless another workload of ours has taken its place."""
    match successor(s):
        case BridgeError() as error:
            return Result(Verdict.RETRYING, error, outstanding=on_the_way)
        case None:
            return Result(Verdict.REJECTED, gone_error(str(s.workload_id)))
        case Adopt() if s.desired is None:
            return Render()
        case Adopt(remote, row) if isinstance(s.desired, Desired):
            return adopt_ours(remote, row, s.desired)
        case action:
            return action


def successor(s: State) -> FindRemote | Adopt | BridgeError | None:
    """What has our name and mark in the place of a workload that is gone though we did not have it deleted, as far as status
    says: that may be older, as after Kubernetes was restored from a backup. None where there is nothing."""
    if s.absence_is_expected or (name := own_name(s)) is None:
        return None
    if s.found is None:
        return FindRemote(name, s.stored_status.project_id)
    if isinstance(s.found, BridgeError):
        return s.found
    for candidate in s.found:
        remote = candidate.remote
        if remote is not None and not remote.gone and remote.id != s.workload_id and is_ours(remote.mark, s.mark):
            return Adopt(remote, candidate.row, finished=False)
    return None


def own_name(s: State) -> str | None:
    """The name that a workload of ours is created under; None where there can be none, or the spec cannot be read."""
    ref, spec = s.workload.ref, s.workload.spec
    if s.workload.spec_error is not None:
        return None
    try:
        return external_name(name=ref.name, spec=spec, namespace=ref.namespace, install=s.install)
    except InvalidWorkload:
        return None


def as_it_ended(s: State, workload_id: str, error: InvalidWorkload | None = None) -> Result | None:
    """What was only shown is gone, and stays as it ended; None where it had not finished. `error`: what is amiss beside it."""
    recorded = s.stored_status
    if recorded.completed or recorded.failed or s.ending is Ending.FINISHED:
        return Result(Verdict.IN_SYNC, error)
    return ended_unseen(s, workload_id, outstanding=error is not None)


def ended_unseen(s: State, workload_id: str, *, outstanding: bool) -> Result | None:
    """It is gone, and whether it had finished is not known (yet). None where it had not, or need not be known."""
    recreates = s.workload.spec.external_deletion_policy is ExternalDeletionPolicy.RECREATE
    ending = s.ending
    if s.asked_to_run_again and ending is not Ending.NOT_LISTED_YET:
        return None
    match ending:
        case Ending.NOT_LISTED_YET:
            error = Busy(
                f"Workload {workload_id} is gone from Run:ai, which does not list it as deleted yet, so how it ended is not"
                " known.",
                reason=Reason.NOT_VISIBLE,
            )
            return Result(Verdict.RETRYING, error, outstanding=outstanding)
        case Ending.UNTOLD:
            how = "has finished and is gone from Run:ai, which does not say whether it completed or failed"
        case Ending.UNLISTED if recreates:
            how = "is gone from Run:ai, whose list of deleted workloads does not show it, so it may have finished"
        case _:
            return None
    ended = InvalidWorkload(
        f"Workload {workload_id} {how}; it is not run again by itself. To run it again, create a new RunaiWorkload, or under"
        " externalDeletionPolicy: Recreate change bridge.run.ai/reconcile-requested-at.",
        reason=Reason.ENDED_UNSEEN,
    )
    return Result(Verdict.REJECTED, ended)


def _recreate(s: State) -> Action:
    match s.recreation:
        case Recreation.NOW:
            return ForgetWorkload(lost=True)
        case Recreation.LATER:
            error = Busy(
                "The workload was deleted in Run:ai by somebody else, not for the first time: it is created again in a while.",
                reason=Reason.WAITING_TO_RECREATE,
            )
            return Result(Verdict.WAITING, error)
        case Recreation.GIVEN_UP:
            given_up = InvalidWorkload(
                "The workload was deleted in Run:ai again and again, so it is not created any more: find out who"
                " deletes it, then change bridge.run.ai/reconcile-requested-at to try again.",
                reason=Reason.RECREATE_GIVEN_UP,
            )
            return Result(Verdict.REJECTED, given_up)


def _edit_waits(s: State) -> bool:
    """There is an edit that was not sent."""
    return isinstance(s.desired, Desired) and not s.holds(s.desired) and s.has_finished_work_run_again(s.desired)


def recreating() -> Result:
    error = Busy(
        "Waiting until Run:ai has deleted the workload, to create it anew. If that lasts, see that its cluster is connected.",
        reason=Reason.RECREATING,
    )
    return Result(Verdict.WAITING, error, outstanding=True)


def finished_error(phase: str) -> InvalidWorkload:
    return InvalidWorkload(
        f"The workload has finished ({phase}) and finished work does not run again by itself: undo the change, or set"
        " rerunPolicy: OnSpecChange to run it again, or create a new RunaiWorkload.",
        reason=Reason.FINISHED_NOT_RERUN,
    )


def ended_unowned_error(workload_id: str) -> InvalidWorkload:
    return InvalidWorkload(
        f"Workload {workload_id} had finished and was gone from Run:ai before it could be adopted, so nothing is sent to it: to"
        " run it again, create a new RunaiWorkload.",
        reason=Reason.WORKLOAD_NOT_FOUND,
    )


def gone_error(workload_id: str, *, observed: bool = False) -> InvalidWorkload:
    """`observed`: it was only shown, and cannot be created again."""
    advice = (
        "and create one that names another workload in spec.workloadId"
        if observed
        else "or set externalDeletionPolicy: Recreate to have it created again"
    )
    return InvalidWorkload(
        f"Workload {workload_id} was deleted in Run:ai by somebody else, and nothing shows that it had finished: delete this"
        f" object, {advice}.",
        reason=Reason.DELETED_EXTERNALLY,
    )
