"""What an attempt in doubt may have made, where it is not tried again to find out."""

from __future__ import annotations

from datetime import datetime, timedelta

from runai_operator.domain.actions import FindRemote, Result, Verdict
from runai_operator.domain.errors import BridgeError, InvalidWorkload
from runai_operator.domain.marks import is_made, is_ours, is_unreadable
from runai_operator.domain.model import Candidate, Ended, is_later, shifted
from runai_operator.domain.naming import external_name
from runai_operator.domain.reasons import Reason
from runai_operator.domain.state import FINISHED, State

CLOCK_TOLERANCE = timedelta(seconds=2)
"""Kubernetes gives times in whole seconds."""


def is_open(s: State) -> bool:
    """Nothing proves what an attempt has made: not even that lists were watched for long, where what has the name cannot be
    read and nothing is sent that its name would refuse, or where what had it has ended."""
    if s.in_doubt or s.workload_id is not None or not isinstance(s.found, tuple):
        return s.in_doubt
    return any(map(is_unreadable, s.found)) or made_and_ended(s) is not None


def find_made(s: State) -> FindRemote | Result | Candidate | None:
    """What carries our mark under the object's own name, or carried it, or what to read first, or why that is not known; None for
    nothing, which `absence_proven` believes only after a while."""
    match s.found:
        case None:
            return FindRemote(attempted_name(s), s.attempted_project or s.workload.spec.project_id)
        case BridgeError() as error:
            return Result(Verdict.RETRYING, error, outstanding=True)
        case found:
            return _made(s, found)


def _made(s: State, found: tuple[Candidate, ...]) -> Result | Candidate | None:
    for candidate in found:
        if is_made(candidate, s.mark):
            return candidate
    if any(map(is_unreadable, found)):
        return Result(Verdict.RETRYING, holder_unreadable(attempted_name(s)), outstanding=True)
    return made_and_ended(s)


def made_and_ended(s: State) -> Candidate | Result | None:
    """What an attempt in doubt made, if that is gone by now; or, where it may be what has finished and nothing says whose that
    was, why the attempt is not repeated. None where it may be."""
    unread: list[Ended] = []
    for ended in s.ended:
        if _is_earlier_run(s, ended):
            continue
        if ended.remote is None or not ended.remote.mark_readable:
            unread.append(ended)
        elif is_ours(ended.remote.mark, s.mark):
            return Candidate(ended.row, ended.remote)
    # Lists forget what was deleted, so what status says of it stands.
    was_refused = s.stored_status.reason == Reason.ENDED_UNSEEN and not s.is_first_attempt
    if (was_refused or any(_may_have_finished(s, each) for each in unread)) and not s.asked_to_run_again:
        return Result(Verdict.REJECTED, _ended_unproven(attempted_name(s)), outstanding=True)
    return None


def _is_earlier_run(s: State, ended: Ended) -> bool:
    """Of the object itself; another API may show its time with another precision."""
    before = s.stored_status.created_at
    return before is not None and not is_later(ended.row.created_at, shifted(before, 1.0))


def _may_have_finished(s: State, ended: Ended) -> bool:
    """It has finished, and was made after the object was."""
    row, since = ended.row, s.workload.created
    made_at = datetime.fromisoformat(str(row.created_at)) - timedelta(seconds=ended.clock_ahead)
    is_since = since is None or made_at >= since - CLOCK_TOLERANCE
    return is_since and (row.phase in FINISHED or row.completed_at is not None)


def _ended_unproven(name: str) -> InvalidWorkload:
    return InvalidWorkload(
        f"A workload named {name} has finished and is gone from Run:ai, which does not say whose it was. An interrupted"
        " submission of this object may have made it, so it is not run again by itself. To run it again, create a new"
        " RunaiWorkload, or under externalDeletionPolicy: Recreate change bridge.run.ai/reconcile-requested-at.",
        reason=Reason.ENDED_UNSEEN,
    )


def attempted_name(s: State) -> str:
    """The name that an attempt in doubt used; the identity is frozen while there may have been one. Raises `InvalidWorkload`
    for one that could never be submitted."""
    ref = s.workload.ref
    return external_name(name=ref.name, spec=s.workload.spec, namespace=ref.namespace, install=s.install)


def holder_unreadable(name: str) -> BridgeError:
    """The error for what has the name, and may be ours."""
    return BridgeError(
        f"Run:ai lists a workload named {name} in the project but does not show it by its id, so whether it is ours is not"
        " known: remove it in Run:ai, or set spec.workloadId to its id.",
        reason=Reason.HOLDER_UNREADABLE,
    )
