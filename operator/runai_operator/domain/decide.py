"""What a pass does next: where it begins to decide, and which rules come before which. The rules themselves are in

- `submit`: nothing is in Run:ai yet, as far as we know (`intent`: what is written before anything is sent);
- `adopt`: it is there already, and is to be ours;
- `maintain`: it is ours (`lost`: it was);
- `observe`: it is only shown;
- `dry_run`: Run:ai is only asked whether it would accept it (`probe`: once it is known that it then creates nothing);
- `finalize`: the object is being deleted.

All of them ask `ownership` (may we, given whose it is?) and `barred` (may we, given its project?).

Theory of operation
-------------------
A pass starts from a fresh reading of the custom resource and knows nothing else. `decide` is called again after each
action, with what that action brought, until it returns a `Result`. It is total and pure; the rules are tried in order.

The one promise is *exactly one workload in Run:ai for each custom resource*:

- The finalizer is the intent. Without it (and without an id) nothing was created; with it and no id, an attempt is
  *in doubt* and is looked up by name before anything else. It is added only when everything is ready to be sent.
- `submission: NotSubmitted` proves the opposite; it is written with a rejection and removed before the next attempt.
- A look-up that finds nothing proves nothing until lists have been watched for longer than they lag
  (`absence_proven`). A POST may be repeated without that proof, since names are unique; the finalizer may not be
  removed without it.
- Uncertainty (an error in place of a reading) never leads to a write to Run:ai.
- Only a workload that carries our mark is changed or deleted; where no mark can be read, the id from our own status
  is enough, together with equal name, project and kind. A different mark never is.
- What has completed never runs again unless the user said so (`rerunPolicy`).
"""

from __future__ import annotations

from dataclasses import replace

from runai_operator.domain.actions import (
    Action,
    Adopt,
    ClaimWorkload,
    FindRemote,
    ReadOwner,
    ReadProject,
    ReadRemote,
    ReadRow,
    RecordId,
    Render,
    Result,
    Verdict,
)
from runai_operator.domain.adopt import claimed_first
from runai_operator.domain.dry_run import dry_run
from runai_operator.domain.errors import BridgeError, InvalidWorkload
from runai_operator.domain.finalize import finalize
from runai_operator.domain.intent import is_proven, refuse
from runai_operator.domain.maintain import maintain
from runai_operator.domain.model import ManagementPolicy
from runai_operator.domain.observe import observe
from runai_operator.domain.requested import requested_reading
from runai_operator.domain.state import State
from runai_operator.domain.submit import submit


def decide(s: State) -> Action:
    """The next action in this state."""
    action = claimed_first(s) or _next(s)
    if isinstance(action, Result) and s.must_read_row and s.row is not None:
        return ReadRow(s.row.id)
    return action


def _next(s: State) -> Action:
    workload = s.workload
    if workload.meta.deleting:
        return finalize(s)
    if s.unusable is not None:
        return _not_connected(s, s.unusable)
    if s.only_restates and (restated := _restated(s)) is not None:
        return restated
    if workload.spec_error is not None:
        return requested_reading(s, outstanding=True) or refuse(s, InvalidWorkload(workload.spec_error))
    if workload.spec.management_policy is ManagementPolicy.OBSERVE:
        return observe(s)
    if workload.spec.management_policy is ManagementPolicy.DRY_RUN:
        action = dry_run(s)
    else:
        action = submit(s) if s.workload_id is None else maintain(s)
    return _hold(s, action) if workload.meta.paused else action


def _restated(s: State) -> Action | None:
    """The end of the last pass again, whatever that says by now; None when it is not known."""
    if s.memory.retrying_since is not None:
        return Result(Verdict.RETRYING, s.trouble, outstanding=True, not_submitted=s.stored_status.not_submitted)
    if (unread := s.memory.unread) is not None:
        return Result(Verdict.RETRYING, BridgeError(unread.message, reason=unread.reason))
    if not s.stored_status.mirrors:
        return None
    return Result(Verdict.PAUSED if s.workload.meta.paused else Verdict.IN_SYNC)


def _hold(s: State, action: Action) -> Action:
    """Paused: reads go on, and writes to Run:ai wait. What is found to be ours is recorded as what it is."""
    match action:
        case Adopt(finished=False):  # nothing is sent to make it what is asked for
            return replace(action, content=action.remote.content or "")
        case (
            Render()
            | ReadRemote()
            | FindRemote()
            | ReadOwner()
            | ReadProject()
            | ClaimWorkload()
            | Adopt()
            | RecordId()
        ):
            return action
        case Result(verdict=Verdict.IN_SYNC):
            return replace(action, verdict=Verdict.PAUSED)
        case Result():
            return action
    return Result(Verdict.PAUSED, outstanding=True, not_submitted=is_proven(s))


def _not_connected(s: State, error: BridgeError) -> Result:
    verdict = Verdict.REJECTED if isinstance(error, InvalidWorkload) else Verdict.RETRYING
    return Result(verdict, error, outstanding=True, not_submitted=is_proven(s))
