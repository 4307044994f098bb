"""Nothing is submitted yet, as far as we know: create the workload, or find the one that an attempt of ours made."""

from __future__ import annotations

from dataclasses import replace

from runai_operator.domain.absence import hidden_project
from runai_operator.domain.actions import (
    Action,
    ClaimWorkload,
    Create,
    Delete,
    FindRemote,
    ReadProject,
    Render,
    Result,
    Verdict,
)
from runai_operator.domain.adopt import adopt_by_id, adopt_ours, is_of_kind, take_over
from runai_operator.domain.barred import unless_barred, unless_target_barred
from runai_operator.domain.doubt import holder_unreadable, made_and_ended
from runai_operator.domain.errors import BridgeError, Busy, InvalidWorkload, NameTaken
from runai_operator.domain.intent import after_failed_attempt, in_doubt_first, intent_first, refuse
from runai_operator.domain.manifest import Desired, same_content
from runai_operator.domain.marks import (
    is_made,
    is_of_changed_install,
    is_ours,
    is_predecessor,
    is_unreadable,
    marked_otherwise,
)
from runai_operator.domain.model import Candidate, Missing, OwnerMark, Remote, RerunPolicy
from runai_operator.domain.naming import name_error
from runai_operator.domain.ownership import unless_claimed
from runai_operator.domain.reasons import Reason
from runai_operator.domain.state import State, has_completed


def submit(s: State) -> Action:
    """The next action for an object without a workload id."""
    # In doubt, what an earlier attempt made is found first.
    if not s.in_doubt and (barred := unless_target_barred(s)):
        return barred
    match s.desired:
        case None:
            return Render()
        case InvalidWorkload() as error:
            return unless_target_barred(s) or refuse(s, error)
        case BridgeError() as error:
            return Result(Verdict.RETRYING, error, outstanding=True, not_submitted=not s.in_doubt)
        case Desired() as desired:
            return _create_or_adopt(s, desired)


def _create_or_adopt(s: State, desired: Desired) -> Action:
    if s.failed is not None:
        return after_failed_attempt(s, s.failed)
    if s.to_adopt is not None:
        return adopt_by_id(s, s.to_adopt, desired)
    if (s.in_doubt or s.conflict) and s.found is None:
        return FindRemote(desired.submission.name, desired.submission.project_id)
    if isinstance(s.found, BridgeError):
        return Result(Verdict.RETRYING, s.found, outstanding=True)
    if hidden := _unless_in_sight(s):
        return hidden
    found = s.found or ()
    if not any(is_made(each, s.mark) for each in found) and (ended := _unless_ended(s, desired)):
        return ended  # what another has under the name by now says nothing of what ours was
    if action := _resolve(s, found, desired):
        return action
    if s.conflict:
        return _name_is_held(s, desired)
    if error := name_error(desired.submission.name):
        return refuse(s, error)  # the object adopted, and what it adopted is no more
    return unless_target_barred(s) or intent_first(s) or in_doubt_first(s) or Create(desired.submission)


def _unless_in_sight(s: State) -> Result | None:
    """In doubt, where Run:ai does not show the project of the attempt: what it shows instead is that of somebody else, and
    nothing may be sent there, nor learnt. Where its cluster is not known, as where projects may not be read, that cannot be
    known, and the attempt is repeated."""
    found = s.found if isinstance(s.found, tuple) else ()
    is_shown = s.is_project_visible or any(each.remote and is_ours(each.remote.mark, s.mark) for each in found)
    if not s.in_doubt or is_shown or s.place.cluster_id is None:
        return None
    return Result(Verdict.RETRYING, hidden_project(str(s.place)), outstanding=True)


def _unless_ended(s: State, desired: Desired) -> Action | None:
    match made_and_ended(s):
        case Candidate(row, Remote() as remote):
            return intent_first(s) or adopt_ours(remote, row, desired)
        case Result() as refused:
            return unless_target_barred(s) or refused
    return None


def unless_name_taken(s: State, remote: Remote, desired: Desired) -> Action | None:
    """Why `remote`, which is to be deleted, could not be replaced by a new workload, or what to read first; None when it
    could, as far as that can be known before."""
    name, project_id = desired.submission.name, desired.submission.project_id
    if (unusable := name_error(name)) is not None:
        return Result(Verdict.REJECTED, unusable, outstanding=True)
    if (name, project_id) == (remote.name, remote.project_id):
        return None  # it has the name itself, and frees it
    match s.found:
        case None:
            return FindRemote(name, project_id)
        case BridgeError() as error:
            return Result(Verdict.RETRYING, error, outstanding=True)
        case found:
            holders = tuple(each for each in found if each.row.id != remote.id)
    match _resolve(s, holders, desired):
        case Result() as refused:
            return replace(refused, not_submitted=False, in_doubt=False)
        case ReadProject() | ClaimWorkload() as reading:
            return reading
        case None if any(each.remote is None for each in holders):
            return Result(Verdict.WAITING, _freeing(desired), outstanding=True)
    return None  # nothing has the name, or what would become ours


def _resolve(s: State, found: tuple[Candidate, ...], desired: Desired) -> Action | None:
    """What holds the name: our workload, that of an earlier object of our name, or another's. None when it is free."""
    for candidate in found:
        remote = candidate.remote
        if remote is None or remote.gone:
            continue
        if is_ours(remote.mark, s.mark):
            return intent_first(s) or adopt_ours(remote, candidate.row, desired)
        if remote.being_deleted:
            return Result(Verdict.WAITING, _freeing(desired), outstanding=True)
        if is_predecessor(remote.mark, s.mark) and is_of_kind(remote, desired):
            if barred := unless_barred(s, remote):
                return barred
            if claimed := unless_claimed(s, remote):
                return _none_submitted(s, claimed) if isinstance(claimed, Result) else claimed
            if has_completed(candidate.row) and not same_content(remote.content or "", desired.content):
                return _follow_finished_predecessor(s, remote, desired)
            return intent_first(s) or take_over(s, remote, candidate.row, desired)
        # Another owner's mark, or the conflict of a first attempt, proves that no attempt of ours made it.
        is_other = not is_of_changed_install(remote.mark, s.mark)
        rejected = Result(Verdict.REJECTED, _holder_error(remote, desired, s.mark), outstanding=True)
        if is_other and (remote.mark_readable or s.is_first_attempt):
            rejected = _none_submitted(s, rejected)
        return unless_target_barred(s) or rejected  # what holds names in a project is not for everybody to know
    return None


def _follow_finished_predecessor(s: State, remote: Remote, desired: Desired) -> Action:
    """An earlier object of our name left finished work behind, which is not proven to be what is asked for now."""
    if s.workload.spec.rerun_policy is RerunPolicy.ON_SPEC_CHANGE:
        if Delete in s.done or isinstance(s.remote, Missing):
            return Result(Verdict.WAITING, _freeing(desired), outstanding=True)
        return intent_first(s) or Delete(remote.id)  # that ends nothing, so no rate limits it
    error = InvalidWorkload(
        f"An earlier object of this name left a completed workload behind ({remote.id}), which is not known to have run"
        " this content: set rerunPolicy: OnSpecChange to have it deleted and this one run, delete it in Run:ai, or set"
        " spec.name to another name.",
        reason=Reason.FINISHED_NOT_RERUN,
    )
    return _none_submitted(s, Result(Verdict.REJECTED, error, outstanding=True))


def _none_submitted(s: State, result: Result) -> Result:
    """What holds the name shows that no attempt of ours made it. One of a process that overlaps with this one may be about to
    be made, so that proves nothing until such a process would have ended."""
    proven = not s.in_doubt or s.looked_long_enough
    return replace(result, not_submitted=proven, in_doubt=not proven)


def _name_is_held(s: State, desired: Desired) -> Action:
    """POST answered 409, and no list leads to the holder. On a first attempt that proves that nothing of ours exists; later
    it may be what an earlier one made."""
    if not s.looked_long_enough:
        return Result(Verdict.WAITING, _freeing(desired), outstanding=True)
    if isinstance(s.found, tuple) and any(map(is_unreadable, s.found)):
        return Result(Verdict.RETRYING, holder_unreadable(desired.submission.name), outstanding=True)
    held = (
        f"The name {desired.submission.name} is taken in the project, and what holds it is not visible to the operator"
    )
    if s.is_first_attempt:
        error = NameTaken(f"{held}: set spec.name to another name, or remove the holder in Run:ai.")
        return Result(Verdict.REJECTED, error, outstanding=True, not_submitted=True)
    error = NameTaken(
        f"{held}. It may be what an interrupted attempt of this object made, so the operator waits until Run:ai shows it:"
        " see that the project's cluster is connected, or remove the holder in Run:ai."
    )
    return Result(Verdict.REJECTED, error, outstanding=True, in_doubt=True)


def _freeing(desired: Desired) -> Busy:
    return Busy(
        f"Waiting until the name {desired.submission.name} is free, or until Run:ai shows what holds it. If that lasts, see"
        " that the project's cluster is connected, and what has the name in Run:ai.",
        reason=Reason.WAITING_FOR_NAME,
    )


def _holder_error(remote: Remote, desired: Desired, own: OwnerMark) -> NameTaken:
    name = desired.submission.name
    if not remote.mark_readable:
        return NameTaken(
            f"The name {name} is taken in the project by a workload whose owner Run:ai does not show ({remote.id}): set"
            " spec.name to another name, or, if it is this object's, adopt it by spec.workloadId."
        )
    if remote.mark is None:
        return NameTaken(
            f"The name {name} is taken in the project by a workload that this operator did not submit ({remote.id}):"
            " set spec.name to another name, or adopt it by spec.workloadId."
        )
    holder = f"{remote.mark.namespace}/{remote.mark.name}"
    if is_predecessor(remote.mark, own):
        return NameTaken(
            f"The name {name} is taken in the project by a workload of another kind, which an earlier object of this name"
            f" left behind ({remote.id}): delete it in Run:ai, or set spec.name to another name."
        )
    if remote.mark.install == own.install:
        return NameTaken(
            f"The name {name} is taken in the project by RunaiWorkload {holder}: set spec.name to another name, or, if that"
            f" object is gone, adopt what it left behind by spec.workloadId ({remote.id})."
        )
    error = marked_otherwise(remote, own)
    return NameTaken(error.message, reason=error.condition_reason)
