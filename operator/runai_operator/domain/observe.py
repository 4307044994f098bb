"""`managementPolicy: Observe`: the workload is shown, and never written to."""

from __future__ import annotations

from runai_operator.domain.actions import (
    Action,
    Adopt,
    FindRemote,
    ReadRemote,
    RecordId,
    RemoveFinalizer,
    Result,
    Verdict,
)
from runai_operator.domain.adopt import not_found_error
from runai_operator.domain.barred import unless_barred
from runai_operator.domain.doubt import find_made, is_open
from runai_operator.domain.errors import BridgeError, Busy, InvalidWorkload
from runai_operator.domain.intent import refuse
from runai_operator.domain.lost import as_it_ended, gone_error
from runai_operator.domain.model import Candidate, Missing, Remote
from runai_operator.domain.reasons import Reason
from runai_operator.domain.state import State


def observe(s: State) -> Action:
    """The next action for an object that only shows a workload."""
    # What replaced an adopted workload is observed, not what is gone.
    workload_id = s.to_adopt or s.workload_id
    if s.workload.meta.has_finalizer:
        return _release(s)
    if workload_id is None or s.workload.spec.workload_id is None:
        return refuse(
            s,
            InvalidWorkload(
                "managementPolicy: Observe needs spec.workloadId: set it to the id of the workload in Run:ai."
            ),
        )
    if s.stored_status.completed and s.stored_status.workload_id == workload_id:
        return Result(Verdict.IN_SYNC)
    match s.remote:
        case None:
            return ReadRemote(workload_id, with_row=s.row is None)
        case BridgeError() as error:
            return Result(Verdict.RETRYING, error, outstanding=s.stored_status.workload_id is None)
        case Remote(gone=False) as remote:
            return unless_barred(s, remote) or Result(Verdict.IN_SYNC)
        case Missing() | Remote() if s.stored_status.workload_id == workload_id:
            return as_it_ended(s, workload_id) or refuse(s, gone_error(workload_id, observed=True))
        case Missing() | Remote():
            return refuse(s, not_found_error(workload_id))


def _release(s: State) -> Action:
    if is_open(s) and (action := _resolve_doubt(s)):
        return action
    if "workloadId" in s.memory.pending_status:
        return RecordId()  # once the finalizer is gone, only the id shows that it was ours
    return RemoveFinalizer("the workload is only observed from now on")


def _resolve_doubt(s: State) -> Action | None:
    """What an attempt of before may have made is found, and recorded, to be observed in its place; None once the workload that
    the spec names is there, so that nothing was made instead."""
    if s.to_adopt is not None:
        match s.remote:
            case None:
                return ReadRemote(s.to_adopt, with_row=s.row is None)
            case BridgeError() as error:
                return Result(Verdict.RETRYING, error, outstanding=True)
            case Remote(gone=False):
                return None
    match find_made(s):
        case Candidate(row, Remote() as remote):
            return Adopt(remote, row, finished=False, content=remote.content or "")
        case FindRemote() | Result() as action:
            return action
    error = Busy(
        "Looking for what an interrupted attempt of this object may have made, which is to be observed instead.",
        reason=Reason.OUTCOME_UNKNOWN,
    )
    return Result(Verdict.RETRYING, error, outstanding=True)
