"""`managementPolicy: DryRun`: Run:ai is asked whether it would accept the workload, and nothing is ever created.

So there is no intent to write, no finalizer, and nothing to delete. What was submitted before cannot be made unsubmitted:
then the policy is refused.
"""

from __future__ import annotations

from runai_operator.domain.actions import Action, AskDryRuns, DryRun, Render, Result, Verdict
from runai_operator.domain.barred import unless_target_barred
from runai_operator.domain.errors import BridgeError, Held, InvalidWorkload
from runai_operator.domain.intent import refuse
from runai_operator.domain.manifest import Desired
from runai_operator.domain.model import ManagementPolicy, Workload
from runai_operator.domain.requested import requested_reading
from runai_operator.domain.state import State
from runai_operator.domain.stored_status import StoredStatus

VALID = Result(Verdict.VALID, not_submitted=True)


def dry_run(s: State) -> Action:
    """The next action for an object that is only to be checked."""
    if (submitted := _submitted_error(s)) is not None:
        return requested_reading(s, outstanding=True) or refuse(s, submitted)
    if s.workload.spec.workload_id is not None:
        return refuse(
            s,
            InvalidWorkload(
                "managementPolicy: DryRun cannot check what is to be written over the workload that spec.workloadId names,"
                " since Run:ai has no dry run of that: remove spec.workloadId, or set managementPolicy: Manage."
            ),
        )
    if barred := unless_target_barred(s):
        return barred
    match s.desired:
        case None:
            return Render()
        case InvalidWorkload() as error:
            return refuse(s, error)
        case BridgeError() as error:
            return Result(Verdict.RETRYING, error, outstanding=True, not_submitted=True)
        case Desired() as desired:
            return _check(s, desired)


def is_its_own(workload: Workload | None, workload_id: str) -> bool | None:
    """What carries the mark of the object, and may have been made by a dry run, is the workload that it submits; None while it
    may be. `workload`: the object as it is now, None where it is gone."""
    if workload is None:
        return False
    recorded = StoredStatus(workload.status).workload_id
    if recorded == workload_id:
        return True
    may_submit = workload.spec.management_policy is ManagementPolicy.MANAGE or workload.meta.has_finalizer
    is_open = workload.spec.workload_id == workload_id or (recorded is None and may_submit)
    return None if is_open else False


def _submitted_error(s: State) -> InvalidWorkload | None:
    """There is, or may be, a workload in Run:ai."""
    if s.workload_id is not None:
        what = f"workload {s.workload_id} is in Run:ai already"
    elif s.in_doubt:
        what = "a submission was begun, and what it made is not known yet"
    else:
        return None
    return InvalidWorkload(
        f"managementPolicy: DryRun is only for what was never submitted, and {what}: set it back to what it was, or create"
        " another object to have a change checked."
    )


def _check(s: State, desired: Desired) -> Action:
    stands = s.stored_status.validated_hash == desired.fingerprint(adopts=False)
    if s.validated or (stands and (s.workload.meta.paused or not s.must_ask_verdict)):
        return VALID
    if s.failed is not None:
        return _not_valid(s, s.failed, stands=stands)
    match s.dry_runs_proven:
        case True:
            return DryRun(desired.submission)
        case False:
            return AskDryRuns(desired.submission.project_id)
        case BridgeError() as error:
            return _not_valid(s, error, stands=stands)


def _not_valid(s: State, error: BridgeError, *, stands: bool) -> Result:
    """Run:ai refuses it, or could not be asked. In that case an earlier verdict stands, unless somebody wants to know anew."""
    if isinstance(error, InvalidWorkload):
        return refuse(s, error)
    if stands and (isinstance(error, Held) or not s.asked):
        return Result(Verdict.VALID, error, not_submitted=True)
    verdict = Verdict.WAITING if isinstance(error, Held) else Verdict.RETRYING
    return Result(verdict, error, outstanding=True, not_submitted=True)
