"""What may be done with a workload, given whose it is. Where its mark is not ours, what it names is looked up first."""

from __future__ import annotations

from runai_operator.domain.actions import Action, ClaimWorkload, ReadOwner, Result, Verdict
from runai_operator.domain.errors import AccessDenied, BridgeError, InvalidWorkload
from runai_operator.domain.intent import is_proven, refuse
from runai_operator.domain.marks import is_of_sibling, is_ours, is_predecessor
from runai_operator.domain.model import OwnerMark, Ref, Remote
from runai_operator.domain.reasons import Reason
from runai_operator.domain.state import State


def may_delete(s: State, remote: Remote) -> bool:
    """It carries our mark, or was taken over from an owner that is gone; or it shows none, and is the one that our own
    status records."""
    if remote.mark is not None:
        is_left = is_predecessor(remote.mark, s.mark) or (
            is_of_sibling(remote.mark, s.mark) and s.owner_exists is False
        )
        return is_ours(remote.mark, s.mark) or (is_left and may_be_taken_over(s, remote))
    recorded = s.stored_status
    if s.adoption_unproven:
        return False
    return (
        remote.id == s.workload_id
        and recorded.name in (None, remote.name)
        and recorded.project_id in (None, remote.project_id)
        and (recorded.gvk is None or remote.gvk is None or recorded.gvk.kind == remote.gvk.kind)
    )


def may_be_taken_over(s: State, remote: Remote) -> bool:
    """Finished work is taken over as it is, and so goes on carrying the mark of an earlier owner."""
    return s.stored_status.completed and remote.id == s.workload_id and not s.adoption_unproven


def is_own(s: State, remote: Remote) -> bool:
    """The object submitted it, or an earlier object of its name did."""
    return may_delete(s, remote) or is_predecessor(remote.mark, s.mark)


def ask_for_owner(s: State, mark: OwnerMark | None) -> ReadOwner | BridgeError | None:
    """What to read first, or why that cannot be known now: the mark of another object of this install does not stand in the
    way once that object is gone for certain."""
    if not is_of_sibling(mark, s.mark) or isinstance(s.owner_exists, (bool, AccessDenied)):
        return None
    return ReadOwner(Ref(mark.namespace, mark.name, mark.uid)) if s.owner_exists is None else s.owner_exists


def owner_first(s: State, mark: OwnerMark | None) -> Action | None:
    """The same where something is to be sent."""
    action = ask_for_owner(s, mark)
    if isinstance(action, BridgeError):
        return Result(Verdict.RETRYING, action, outstanding=True, not_submitted=is_proven(s))
    return action


def unless_claimed(s: State, remote: Remote) -> Action | None:
    """Where no mark can be read, or none of the present owner's was written (yet), only this cluster's own objects say whose
    it is."""
    if s.claimant is None:
        return ClaimWorkload(remote.id)
    if s.claimant == s.workload.ref or (remote.mark is not None and s.claimant.uid == remote.mark.uid):
        return None  # the owner that the mark names is known to be gone
    error = InvalidWorkload(
        f"Workload {remote.id} is managed by RunaiWorkload {s.claimant} (uid {s.claimant.uid}): remove one of the two, or"
        " set another spec.name or spec.workloadId.",
        reason=Reason.MANAGED_BY_OTHER,
    )
    return refuse(s, error)
