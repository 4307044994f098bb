"""What a pass does next. Every transition of a workload is in this file, except those of a deletion (`finalize`).

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
    AddFinalizer,
    Adopt,
    BeginSubmission,
    ClaimWorkload,
    Create,
    Delete,
    FindRemote,
    ForgetWorkload,
    MarkInDoubt,
    ReadOwner,
    ReadProject,
    ReadRemote,
    ReadRow,
    RecordId,
    RemoveFinalizer,
    Render,
    ReserveDeletion,
    Result,
    Update,
    Verdict,
)
from runai_operator.domain.errors import (
    AccessDenied,
    BridgeError,
    Busy,
    InvalidWorkload,
    NameTaken,
    SourceUnusable,
    Throttled,
    Unavailable,
)
from runai_operator.domain.finalize import ask_for_owner, finalize, may_be_taken_over, may_delete, rate_limited
from runai_operator.domain.manifest import same_content
from runai_operator.domain.model import (
    ExternalDeletionPolicy,
    ManagementPolicy,
    OwnerMark,
    RecreatePolicy,
    Remote,
    RerunPolicy,
    Row,
)
from runai_operator.domain.reasons import Phase, Reason
from runai_operator.domain.state import (
    LOST_REASONS,
    Candidate,
    Desired,
    Ending,
    Missing,
    Recreation,
    State,
    install_changed,
    is_of_changed_install,
    is_of_sibling,
    is_ours,
    is_predecessor,
    is_unreadable,
)


def decide(s: State) -> Action:
    """The next action in this state."""
    action = _next(s)
    if isinstance(action, Result) and s.must_read_row and s.row is not None and not s.only_restates:
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
        return _refuse(s, InvalidWorkload(workload.spec_error))
    if workload.spec.management_policy is ManagementPolicy.OBSERVE:
        return _observe(s)
    action = _submit(s) if s.workload_id is None else _maintain(s)
    return _hold(action) if workload.meta.paused else action


def _restated(s: State) -> Action | None:
    """The end of the last pass again, whatever that says by now; None when it is not known."""
    if s.memory.retrying_since is not None:
        return Result(Verdict.RETRYING, s.trouble, outstanding=True, not_submitted=s.stored_status.not_submitted)
    if (unread := s.memory.unread) is not None:
        return Result(Verdict.RETRYING, BridgeError(unread.message, reason=unread.reason))
    if not s.stored_status.mirrors:
        return None
    return Result(Verdict.PAUSED if s.workload.meta.paused else Verdict.IN_SYNC)


def _hold(action: Action) -> Action:
    """Paused: reads go on, and writes wait."""
    match action:
        case Render() | ReadRemote() | FindRemote() | ReadOwner() | ReadProject():
            return action
        case Result(verdict=Verdict.IN_SYNC, outstanding=outstanding):
            return Result(Verdict.PAUSED, outstanding=outstanding)
        case Result():
            return action
    return Result(Verdict.PAUSED, outstanding=True)


def _not_connected(s: State, error: BridgeError) -> Result:
    verdict = Verdict.REJECTED if isinstance(error, InvalidWorkload) else Verdict.RETRYING
    return Result(verdict, error, outstanding=True, not_submitted=s.workload_id is None and not s.in_doubt)


# --- observe only


def _observe(s: State) -> Action:
    # What replaced an adopted workload is observed, not what is gone.
    workload_id = s.to_adopt or s.workload_id
    if s.workload.meta.has_finalizer:
        return RemoveFinalizer("the workload is only observed from now on")
    if workload_id is None or s.workload.spec.workload_id is None:
        return _refuse(
            s,
            InvalidWorkload(
                "managementPolicy: Observe needs spec.workloadId: set it to the id of the workload in Run:ai."
            ),
        )
    if s.stored_status.completed and s.stored_status.workload_id == workload_id:
        return Result(Verdict.IN_SYNC)
    match s.remote:
        case None:
            return ReadRemote(workload_id, with_row=True)
        case BridgeError() as error:
            return Result(Verdict.RETRYING, error, outstanding=s.stored_status.workload_id is None)
        case Remote(gone=False) as remote:
            return _unless_barred(s, remote) or Result(Verdict.IN_SYNC)
        case Missing() | Remote() if s.stored_status.workload_id == workload_id:
            return _lost_from_sight(s, workload_id)
        case Missing() | Remote():
            return _refuse(s, _not_found_error(workload_id))


def _lost_from_sight(s: State, workload_id: str) -> Action:
    if s.stored_status.failed or s.ending is Ending.FINISHED:
        return Result(Verdict.IN_SYNC)
    return _ended_unseen(s, workload_id, outstanding=False) or _refuse(s, _gone_error(workload_id))


# --- nothing submitted yet, as far as we know


def _submit(s: State) -> Action:
    # In doubt, what an earlier attempt made is found first.
    if not s.in_doubt and (barred := _unless_target_barred(s)):
        return barred
    match s.desired:
        case None:
            return Render()
        case InvalidWorkload() as error:
            return _unless_target_barred(s) or _refuse(s, error)
        case BridgeError() as error:
            return Result(Verdict.RETRYING, error, outstanding=True, not_submitted=not s.in_doubt)
        case Desired() as desired:
            return _create_or_adopt(s, desired)


def _create_or_adopt(s: State, desired: Desired) -> Action:
    if s.failed is not None:
        return _after_failed_attempt(s, s.failed)
    if s.to_adopt is not None:
        return _adopt_by_id(s, s.to_adopt, desired)
    if (s.in_doubt or s.conflict) and s.found is None:
        return FindRemote(desired.submission.name, desired.submission.project_id)
    if isinstance(s.found, BridgeError):
        return Result(Verdict.RETRYING, s.found, outstanding=True)
    if s.found and (action := _resolve(s, s.found, desired)):
        return action
    if s.conflict:
        return _name_is_held(s, desired)
    return _unless_target_barred(s) or _intent_first(s) or _in_doubt_first(s) or Create(desired.submission)


def _unless_target_barred(s: State) -> Action | None:
    """Why nothing may be created in the project that the spec names; None when it may."""
    return _as_action(s, s.barred_from_target)


def _unless_barred(s: State, remote: Remote, *, adopts: bool = False) -> Action | None:
    """Why the workload may not be used, by the project that it really is in; None when it may."""
    return _as_action(s, s.barred_from(remote, adopts=adopts))


def _as_action(s: State, barred: ReadProject | BridgeError | None) -> Action | None:
    match barred:
        case InvalidWorkload():
            return replace(_refuse(s, barred), in_doubt=s.in_doubt)
        case BridgeError():
            return Result(Verdict.RETRYING, barred, outstanding=True, not_submitted=_is_proven(s))
    return barred


def _intent_first(s: State) -> Action | None:
    """The two guarded writes that must be done before anything is sent."""
    if s.stored_status.not_submitted:
        return BeginSubmission()
    if not s.workload.meta.has_finalizer:
        return AddFinalizer()
    return None


def _in_doubt_first(s: State) -> Action | None:
    """The process that added the finalizer may hold, or be about to write, the proof that it created nothing."""
    return None if s.is_first_attempt or s.name_held or MarkInDoubt in s.done else MarkInDoubt()


NOT_SENT_OR_REFUSED = (InvalidWorkload, AccessDenied, Throttled, Unavailable)
"""Answers to a POST that prove that it made nothing."""


def _after_failed_attempt(s: State, error: BridgeError) -> Action:
    proven = not s.in_doubt and not s.conflict and isinstance(error, NOT_SENT_OR_REFUSED)
    if isinstance(error, InvalidWorkload):
        return Result(Verdict.REJECTED, error, outstanding=True, not_submitted=proven, in_doubt=not proven)
    return Result(Verdict.RETRYING, error, outstanding=True, not_submitted=proven)


def _resolve(s: State, found: tuple[Candidate, ...], desired: Desired) -> Action | None:
    """What holds the name: our workload, that of an earlier object of our name, or another's. None when it is free."""
    for candidate in found:
        remote = candidate.remote
        if remote is None or remote.gone:
            continue
        if is_ours(remote.mark, s.mark):
            return _intent_first(s) or _adopt_ours(remote, candidate.row, desired)
        if remote.being_deleted:
            return Result(Verdict.WAITING, _freeing(desired), outstanding=True)
        if is_predecessor(remote.mark, s.mark) and _is_of_kind(remote, desired):
            if barred := _unless_barred(s, remote):
                return barred
            if _completed(candidate.row) and not same_content(remote.content or "", desired.content):
                return _follow_finished_predecessor(s, remote, desired)
            return _intent_first(s) or _take_over(s, remote, candidate.row, desired)
        # Another owner's mark, or the conflict of a first attempt, proves that no attempt of ours made it.
        is_other = not is_of_changed_install(remote.mark, s.mark)
        proven = is_other and (remote.mark is not None or remote.mark_readable or s.is_first_attempt)
        rejected = Result(
            Verdict.REJECTED, _holder_error(remote, desired, s.mark), outstanding=True, not_submitted=proven
        )
        return _unless_target_barred(s) or rejected  # what holds names in a project is not for everybody to know
    return None


def _adopt_ours(remote: Remote, row: Row | None, desired: Desired) -> Adopt:
    """It is what an attempt of ours made, or adopted; the content may have been edited since."""
    is_same = remote.content is None or same_content(remote.content, desired.content)
    if _completed(row) and not is_same:
        return Adopt(remote, row, finished=False, content=remote.content)
    return Adopt(remote, row, finished=_completed(row))


def _follow_finished_predecessor(s: State, remote: Remote, desired: Desired) -> Action:
    """An earlier object of our name left finished work behind, which is not proven to be what is asked for now."""
    if s.workload.spec.rerun_policy is RerunPolicy.ON_SPEC_CHANGE:
        if Delete in s.done or isinstance(s.remote, Missing):
            return Result(Verdict.WAITING, _freeing(desired), outstanding=True)
        return _intent_first(s) or Delete(remote.id)  # that ends nothing, so no rate limits it
    error = InvalidWorkload(
        f"An earlier object of this name left a completed workload behind ({remote.id}), which is not known to have run"
        " this content: set rerunPolicy: OnSpecChange to have it deleted and this one run, delete it in Run:ai, or set"
        " spec.name to another name.",
        reason=Reason.FINISHED_NOT_RERUN,
    )
    return Result(Verdict.REJECTED, error, outstanding=True, not_submitted=True)


def _take_over(s: State, remote: Remote, row: Row | None, desired: Desired) -> Action:
    """Renew the mark first, then record the id: after a crash in between, the workload is simply ours."""
    if _completed(row) or s.delivered_now:
        return Adopt(remote, row, finished=_completed(row))
    return Update(remote.id, desired.submission)


def _adopt_by_id(s: State, workload_id: str, desired: Desired) -> Action:
    match s.remote:
        case None:
            return ReadRemote(workload_id, with_row=True)
        case BridgeError() as error:
            return Result(Verdict.RETRYING, error, outstanding=True, not_submitted=not s.in_doubt)
        case Missing() | Remote(gone=True):
            return _refuse(s, _not_found_error(workload_id))
        case Remote(being_deleted=True):
            error = InvalidWorkload(
                f"Workload {workload_id} is being deleted in Run:ai: correct spec.workloadId, or remove it to create a new"
                " one.",
                reason=Reason.WORKLOAD_NOT_FOUND,
            )
            return _refuse(s, error)
        case Remote() as remote:
            if barred := _unless_barred(s, remote, adopts=not _is_own(s, remote)):
                return barred
            return _ask_for_owner(s, remote.mark) or _adopt(s, remote, desired)


def _adopt(s: State, remote: Remote, desired: Desired) -> Action:
    if is_of_changed_install(remote.mark, s.mark):
        # With the finalizer, a deletion waits too.
        return _intent_first(s) or Result(Verdict.REJECTED, _marked_otherwise(remote, s.mark), outstanding=True)
    if obstacle := _adoption_obstacle(s, remote, desired):
        return _refuse(s, obstacle)
    if Adopt in s.done or s.delivered_now:
        return _intent_first(s) or Adopt(remote, s.row, finished=_completed(s.row))
    if is_ours(remote.mark, s.mark):
        return _intent_first(s) or _adopt_ours(remote, s.row, desired)
    return _unless_claimed(s, remote) or _intent_first(s) or _take_over(s, remote, s.row, desired)


def _unless_claimed(s: State, remote: Remote) -> Action | None:
    """Where no mark can be read, or none was written yet, only this cluster's own objects say whose it is."""
    if s.claimant is None:
        return ClaimWorkload(remote.id)
    if s.claimant == s.workload.ref or (remote.mark is not None and s.claimant.uid == remote.mark.uid):
        return None  # the owner that the mark names is known to be gone
    error = InvalidWorkload(
        f"Workload {remote.id} is managed by RunaiWorkload {s.claimant} (uid {s.claimant.uid}): remove one of the two, or"
        " correct spec.workloadId.",
        reason=Reason.MANAGED_BY_OTHER,
    )
    return _refuse(s, error)


def _ask_for_owner(s: State, mark: OwnerMark | None) -> Action | None:
    action = ask_for_owner(s, mark)
    if isinstance(action, BridgeError):
        return Result(Verdict.RETRYING, action, outstanding=True, not_submitted=_is_proven(s))
    return action


def _is_own(s: State, remote: Remote) -> bool:
    """The object submitted it, or an earlier object of its name did."""
    return may_delete(s, remote) or is_predecessor(remote.mark, s.mark)


def _adopt_what_was_observed(s: State) -> Action:
    """Its id is in status already, but it is not ours yet: everything is checked as for any other adoption."""
    match s.desired:
        case None:
            return Render()
        case InvalidWorkload() as error:
            return Result(Verdict.REJECTED, error, outstanding=True)
        case BridgeError() as error:
            return Result(Verdict.RETRYING, error, outstanding=True)
        case Desired() as desired:
            return _adopt_by_id(s, str(s.to_adopt), desired)


def _adoption_obstacle(s: State, remote: Remote, desired: Desired) -> InvalidWorkload | None:
    is_free = is_of_sibling(remote.mark, s.mark) and s.owner_exists is False
    if not (remote.mark is None or is_free or is_ours(remote.mark, s.mark) or is_predecessor(remote.mark, s.mark)):
        error = _marked_otherwise(remote, s.mark)
        if isinstance(s.owner_exists, AccessDenied):
            unknown = "The operator may not look whether that object still exists, so it counts as its owner."
            return InvalidWorkload(f"{error.message} {unknown}", reason=error.condition_reason)
        return error
    if remote.project_id != desired.submission.project_id:
        return InvalidWorkload(
            f"Workload {remote.id} is in project {remote.project_name or remote.project_id}, not in the project that"
            " the spec names: correct spec.projectName or spec.projectId."
        )
    if remote.gvk is not None and not _is_of_kind(remote, desired):
        return InvalidWorkload(
            f"Workload {remote.id} is a {remote.gvk.kind}, the manifest a {desired.gvk.kind}: give a manifest of the same"
            " kind, or correct spec.workloadId."
        )
    return None


def _is_of_kind(remote: Remote, desired: Desired) -> bool:
    return remote.gvk is None or (remote.gvk.group, remote.gvk.kind) == (desired.gvk.group, desired.gvk.kind)


def _name_is_held(s: State, desired: Desired) -> Action:
    """POST answered 409, and no list leads to the holder. On a first attempt that proves that nothing of ours exists; later
    it may be what an earlier one made."""
    if not s.looked_long_enough:
        return Result(Verdict.WAITING, _freeing(desired), outstanding=True)
    if isinstance(s.found, tuple) and any(map(is_unreadable, s.found)):
        unreadable = Busy(
            f"Run:ai lists a workload named {desired.submission.name} in the project but does not show it by its id, so"
            " whether it is ours is not known: remove it in Run:ai, or set spec.workloadId to its id.",
            reason=Reason.HOLDER_UNREADABLE,
        )
        return Result(Verdict.RETRYING, unreadable, outstanding=True)
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
        f"Waiting until the name {desired.submission.name} is free, or until Run:ai shows what holds it.",
        reason=Reason.WAITING_FOR_NAME,
    )


def _holder_error(remote: Remote, desired: Desired, own: OwnerMark) -> NameTaken:
    name = desired.submission.name
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
            f"The name {name} is taken in the project by RunaiWorkload {holder}: set spec.name to another name."
        )
    error = _marked_otherwise(remote, own)
    return NameTaken(error.message, reason=error.condition_reason)


def _marked_otherwise(remote: Remote, own: OwnerMark) -> InvalidWorkload:
    """What is to be ours, or was, carries another mark: two operators would fight for ever, so we stop."""
    mark = remote.mark
    if mark is None:
        return NameTaken("The workload in Run:ai is not ours: set another spec.name.")
    if is_of_changed_install(mark, own):
        return InvalidWorkload(f"{install_changed(remote, own)}.", reason=Reason.INSTALL_CHANGED)
    return InvalidWorkload(
        f"The workload in Run:ai is managed by RunaiWorkload {mark.namespace}/{mark.name} (uid {mark.uid}) of install"
        f" {mark.install}: remove one of the two, or set another spec.name.",
        reason=Reason.MANAGED_BY_OTHER,
    )


def _refuse(s: State, error: InvalidWorkload) -> Result:
    return Result(Verdict.REJECTED, error, outstanding=True, not_submitted=_is_proven(s))


def _is_proven(s: State) -> bool:
    """Nothing of ours is in Run:ai."""
    return s.workload_id is None and not s.in_doubt


# --- a workload of ours exists, or did


def _maintain(s: State) -> Action:
    if s.delivered_now:
        return Result(Verdict.DELIVERED)
    if s.failed is not None:
        return _after_failed_update(s.failed)
    if "workloadId" in s.memory.pending_status:
        return RecordId()
    if s.adoption_pending:
        return _adopt_what_was_observed(s)
    if s.only_observed:
        return ForgetWorkload()
    if not s.workload.meta.has_finalizer:
        return AddFinalizer()
    return _follow_spec(s)


def _follow_spec(s: State) -> Action:
    if action := _requested_reading(s):
        return action
    if s.desired is None and _may_be_outstanding(s):
        return Render()
    match s.desired:
        case None:
            return _check_on(s)
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


def _requested_reading(s: State) -> Action | None:
    """First, since what follows may end the pass without it."""
    if not s.must_read or s.stored_status.completed:
        return None
    if s.remote is None:
        return ReadRemote(str(s.workload_id))
    if isinstance(s.remote, BridgeError):
        return Result(Verdict.RETRYING, s.remote, outstanding=s.edited)
    return None


def _can_send_nothing(s: State) -> bool:
    """Finished work stays as it is, so it does not matter whether what the spec names is still there."""
    recorded, never = s.stored_status, s.workload.spec.rerun_policy is RerunPolicy.NEVER
    return never and recorded.completed and recorded.delivered


def _may_be_outstanding(s: State) -> bool:
    return s.edited or (s.must_check_content and not s.stored_status.completed)


def _beside(action: Action, error: BridgeError) -> Action:
    """The workload goes on as it was sent, and status says what is amiss beside it."""
    if isinstance(action, Result) and action.verdict is Verdict.IN_SYNC:
        return replace(action, error=error)
    return action


def _check_on(s: State) -> Action:
    """There is nothing to send: read the workload if somebody asked for it."""
    if s.stored_status.completed:
        return Result(Verdict.IN_SYNC)
    if s.remote is None:
        recorded = s.stored_status
        must_read = s.must_read or recorded.reason in LOST_REASONS or recorded.replacing
        return ReadRemote(str(s.workload_id)) if must_read else Result(Verdict.IN_SYNC)
    return _unless_lost(s) or Result(Verdict.IN_SYNC)


def _follow_edit(s: State, desired: Desired) -> Action:
    recorded = s.stored_status
    same, same_identity = _is_same_content(s, desired), _is_same_identity(s, desired)
    # Two edits since the last pass: the first may have been sent, and its answer lost in a crash.
    may_have_sent_another = s.workload.meta.generation > recorded.observed_generation + 1
    completed = recorded.completed or _completed(s.row)
    if same and same_identity and (completed or not may_have_sent_another):
        return _check_on(s)
    if completed:
        return _follow_edit_of_finished(s, desired)
    if not same_identity:
        return _follow_change_of_identity(s)
    if s.remote is None:
        return ReadRemote(str(s.workload_id))
    if action := _unless_lost(s, on_the_way=True):
        return action
    barred = _unless_barred(s, s.remote) if isinstance(s.remote, Remote) else None
    return barred or Update(str(s.workload_id), desired.submission)


def _is_same_content(s: State, desired: Desired) -> bool:
    recorded = s.stored_status
    same = same_content(recorded.content, desired.content) if recorded.content else False
    # Hashed by another version of the operator: that alone is no reason for a PUT, but an edit of the spec is.
    return s.workload.meta.generation == recorded.observed_generation if same is None else same


def _is_same_identity(s: State, desired: Desired) -> bool:
    recorded = s.stored_status
    if recorded.identity in (None, desired.identity(adopts=s.to_adopt is not None)):
        return True
    # Submitted by us under a name of ours, before the spec named it by its id.
    return s.to_adopt is not None and recorded.identity == desired.identity(adopts=False, name=recorded.name)


def _follow_edit_of_finished(s: State, desired: Desired) -> Action:
    edited = s.workload.meta.generation != s.stored_status.observed_generation or not s.stored_status.delivered
    if desired.from_source and not edited:
        return _check_on(s)
    if s.workload.spec.rerun_policy is RerunPolicy.ON_SPEC_CHANGE:
        return _replace(s)
    return Result(Verdict.REJECTED, _finished_error(s.stored_status.phase or Phase.COMPLETED), outstanding=True)


def _follow_change_of_identity(s: State) -> Action:
    if s.workload.spec.recreate_policy is RecreatePolicy.ON_IMMUTABLE_CHANGE:
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
    if barred := _unless_target_barred(s):
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
        return _recreating()
    if may_be_taken_over(s, remote) and (action := _ask_for_owner(s, remote.mark)):
        return action
    if not may_delete(s, remote):
        return Result(Verdict.REJECTED, _marked_otherwise(remote, s.mark), outstanding=True)
    if barred := _unless_barred(s, remote):
        return barred
    if s.deletion_wait is None:
        return ReserveDeletion()
    if s.deletion_wait > 0:
        return Result(Verdict.WAITING, rate_limited(s.deletion_wait, Reason.RECREATING), outstanding=True)
    return Delete(remote.id)


def _recreating() -> Result:
    error = Busy("Waiting until Run:ai has deleted the workload, to create it anew.", reason=Reason.RECREATING)
    return Result(Verdict.WAITING, error, outstanding=True)


def _unless_lost(s: State, *, on_the_way: bool = False) -> Action | None:
    """Why the reading does not allow going on as usual; None when it does. `on_the_way`: there is something to send."""
    match s.remote:
        case BridgeError() as error:
            return Result(Verdict.RETRYING, error, outstanding=on_the_way)
        case Missing() | Remote(gone=True):
            return _lost(s, on_the_way=on_the_way)
        case Remote(mark=mark) as remote if mark is not None and not is_ours(mark, s.mark):
            return Result(Verdict.REJECTED, _marked_otherwise(remote, s.mark), outstanding=True)
        case Remote(being_deleted=True) if s.stored_status.replacing:
            return _recreating()  # by us: the change that asked for it was undone too late
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
        phase = (s.row.phase if s.row is not None else None) or Phase.FAILED
        return Result(Verdict.REJECTED, _finished_error(phase), outstanding=True)
    if unseen := _ended_unseen(s, str(s.workload_id), outstanding=on_the_way):
        return unseen
    if s.workload.spec.external_deletion_policy is ExternalDeletionPolicy.RECREATE:
        return _recreate(s)
    return Result(Verdict.REJECTED, _gone_error(str(s.workload_id)))


def _ended_unseen(s: State, workload_id: str, *, outstanding: bool) -> Result | None:
    """It is gone, and whether it had finished is not known (yet). None where it had not, or need not be known."""
    recreates = s.workload.spec.external_deletion_policy is ExternalDeletionPolicy.RECREATE
    ending = s.ending
    if recreates and s.asked and ending is not Ending.NOT_LISTED_YET:
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
    return isinstance(s.desired, Desired) and not _is_same_content(s, s.desired)


def _after_failed_update(error: BridgeError) -> Action:
    if isinstance(error, InvalidWorkload):
        return Result(Verdict.REJECTED, error, outstanding=True)
    return Result(Verdict.RETRYING, error, outstanding=True)


def _finished_error(phase: str) -> InvalidWorkload:
    return InvalidWorkload(
        f"The workload has finished ({phase}) and finished work does not run again by itself: undo the change, or set"
        " rerunPolicy: OnSpecChange to run it again, or create a new RunaiWorkload.",
        reason=Reason.FINISHED_NOT_RERUN,
    )


def _not_found_error(workload_id: str) -> InvalidWorkload:
    return InvalidWorkload(
        f"Run:ai shows no workload with id {workload_id}: correct spec.workloadId, have the service account given a role in"
        " its project, or remove it to create a new one.",
        reason=Reason.WORKLOAD_NOT_FOUND,
    )


def _gone_error(workload_id: str) -> InvalidWorkload:
    return InvalidWorkload(
        f"Workload {workload_id} was deleted in Run:ai by somebody else, and nothing shows that it had finished: delete this"
        " object, or set externalDeletionPolicy: Recreate to have it created again.",
        reason=Reason.DELETED_EXTERNALLY,
    )


def _completed(row: Row | None) -> bool:
    return row is not None and row.phase == Phase.COMPLETED
