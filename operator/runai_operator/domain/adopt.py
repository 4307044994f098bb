"""How a workload that Run:ai already has becomes ours: named by `spec.workloadId`, or found under our name."""

from __future__ import annotations

from dataclasses import replace

from runai_operator.domain.actions import (
    Action,
    Adopt,
    ClaimWorkload,
    FindRemote,
    ForgetWorkload,
    ReadRemote,
    Render,
    Result,
    Update,
    Verdict,
)
from runai_operator.domain.barred import unless_barred
from runai_operator.domain.doubt import find_made, is_open
from runai_operator.domain.errors import AccessDenied, BridgeError, Busy, InvalidWorkload
from runai_operator.domain.intent import intent_first, is_proven, refuse
from runai_operator.domain.manifest import Desired, same_content
from runai_operator.domain.marks import is_of_changed_install, is_of_sibling, is_ours, is_predecessor, marked_otherwise
from runai_operator.domain.model import Candidate, Missing, Remote, Row
from runai_operator.domain.ownership import is_own, owner_first, unless_claimed
from runai_operator.domain.reasons import Reason
from runai_operator.domain.requested import requested_reading
from runai_operator.domain.state import State, has_completed


def claimed_first(s: State) -> Action | None:
    """An adoption in doubt has begun: nobody else may begin one, whatever this pass can do about it. What the namespace may
    not adopt it has not begun to: a finalizer can be put there by hand."""
    if not s.in_doubt or s.to_adopt is None or s.claimant is not None:
        return None
    if not s.access.limited:
        return ClaimWorkload(s.to_adopt)
    if s.unusable is not None:
        return None
    match s.remote:
        case None:
            return ReadRemote(s.to_adopt, with_row=not s.workload.meta.deleting)
        case Remote(gone=False) as remote:
            barred = unless_barred(s, remote, adopts=not is_own(s, remote))
            return None if isinstance(barred, Result) else barred or ClaimWorkload(s.to_adopt)
    return None


def adopt_what_was_observed(s: State) -> Action:
    """Its id is in status already, but it is not ours yet: everything is checked as for any other adoption."""
    match s.desired:
        case None:
            return Render()
        case InvalidWorkload() as error:
            return requested_reading(s, outstanding=True) or Result(Verdict.REJECTED, error, outstanding=True)
        case BridgeError() as error:
            return Result(Verdict.RETRYING, error, outstanding=True)
        case Desired() as desired:
            return adopt_by_id(s, str(s.to_adopt), desired)


def adopt_by_id(s: State, workload_id: str, desired: Desired) -> Action:
    """The workload that the spec names."""
    match s.remote:
        case None:
            return ReadRemote(workload_id, with_row=True)
        case BridgeError() as error:
            return Result(Verdict.RETRYING, error, outstanding=True, not_submitted=not s.in_doubt)
        case Missing() | Remote(gone=True) if s.workload_id == workload_id:
            return ForgetWorkload()  # it was only observed, so another may be named
        case Missing() | Remote(gone=True):
            return _find_replacement(s, desired) or replace(
                refuse(s, not_found_error(workload_id)), in_doubt=s.in_doubt
            )
        case Remote(being_deleted=True):
            error = InvalidWorkload(
                f"Workload {workload_id} is being deleted in Run:ai: correct spec.workloadId, or remove it to create a new"
                " one.",
                reason=Reason.WORKLOAD_NOT_FOUND,
            )
            return refuse(s, error)
        case Remote() as remote:
            if barred := unless_barred(s, remote, adopts=not is_own(s, remote)):
                return barred
            return owner_first(s, remote.mark) or _adopt(s, remote, desired)


def _find_replacement(s: State, desired: Desired) -> Action | None:
    """In doubt, what the spec names may have been ours already: out of sight, or replaced by what has the object's own name. None
    for nothing, as far as lists show."""
    if not is_open(s):
        return None
    match find_made(s):
        case Candidate(row, Remote() as remote):
            return adopt_ours(remote, row, desired)
        case FindRemote() | Result() as action:
            return action
    return None


def _adopt(s: State, remote: Remote, desired: Desired) -> Action:
    if is_of_changed_install(remote.mark, s.mark):
        # With the finalizer, a deletion waits too.
        return intent_first(s) or Result(Verdict.REJECTED, marked_otherwise(remote, s.mark), outstanding=True)
    if obstacle := _adoption_obstacle(s, remote, desired):
        return refuse(s, obstacle)
    if s.delivered_now:
        return intent_first(s) or Adopt(remote, s.row, finished=has_completed(s.row))
    if is_ours(remote.mark, s.mark):
        return intent_first(s) or adopt_ours(remote, s.row, desired)
    return (
        unless_claimed(s, remote)
        or _unless_unlisted(s, remote)
        or intent_first(s)
        or take_over(s, remote, s.row, desired)
    )


def _unless_unlisted(s: State, remote: Remote) -> Result | None:
    """Lists lag: whether what was made just now has finished already is not known before they show it. By our own clock, since the
    one that says when it was made may be another."""
    if s.row is not None or s.looked_long_enough:
        return None
    error = Busy(f"Run:ai does not list workload {remote.id} yet, so whether it has finished is not known.")
    return Result(Verdict.RETRYING, error, outstanding=True, not_submitted=is_proven(s))


def adopt_ours(remote: Remote, row: Row | None, desired: Desired) -> Adopt:
    """It is what an attempt of ours made, or adopted; the content may have been edited since."""
    is_same = remote.content is None or same_content(remote.content, desired.content)
    if has_completed(row) and not is_same:
        return Adopt(remote, row, finished=False, content=remote.content)
    return Adopt(remote, row, finished=has_completed(row))


def take_over(s: State, remote: Remote, row: Row | None, desired: Desired) -> Action:
    """Renew the mark first, then record the id: after a crash in between, the workload is simply ours."""
    if has_completed(row) or s.delivered_now:
        return Adopt(remote, row, finished=has_completed(row))
    return Update(remote.id, desired.submission)


def _adoption_obstacle(s: State, remote: Remote, desired: Desired) -> InvalidWorkload | None:
    is_free = is_of_sibling(remote.mark, s.mark) and s.owner_exists is False
    if not (remote.mark is None or is_free or is_ours(remote.mark, s.mark) or is_predecessor(remote.mark, s.mark)):
        error = marked_otherwise(remote, s.mark)
        if isinstance(s.owner_exists, AccessDenied):
            unknown = "The operator may not look whether that object still exists, so it counts as its owner."
            return InvalidWorkload(f"{error.message} {unknown}", reason=error.condition_reason)
        return error
    # What is ours already may have been moved since.
    if remote.project_id != desired.submission.project_id and not is_ours(remote.mark, s.mark):
        return InvalidWorkload(
            f"Workload {remote.id} is in project {remote.project_name or remote.project_id}, not in the project that"
            " the spec names: correct spec.projectName or spec.projectId."
        )
    if remote.gvk is not None and not is_of_kind(remote, desired):
        return InvalidWorkload(
            f"Workload {remote.id} is a {remote.gvk.kind}, the manifest a {desired.gvk.kind}: give a manifest of the same"
            " kind, or correct spec.workloadId."
        )
    return None


def is_of_kind(remote: Remote, desired: Desired) -> bool:
    return remote.gvk is None or (remote.gvk.group, remote.gvk.kind) == (desired.gvk.group, desired.gvk.kind)


def not_found_error(workload_id: str) -> InvalidWorkload:
    return InvalidWorkload(
        f"Run:ai shows no workload with id {workload_id}: correct spec.workloadId, have the service account given a role in"
        " its project, or remove it to create a new one.",
        reason=Reason.WORKLOAD_NOT_FOUND,
    )
