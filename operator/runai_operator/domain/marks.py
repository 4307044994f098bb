"""Whose a workload is, by the owner mark that it carries."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeGuard

from runai_operator.domain.errors import InvalidWorkload, NameTaken
from runai_operator.domain.model import Candidate, OwnerMark, Remote
from runai_operator.domain.reasons import Reason


def is_ours(mark: OwnerMark | None, own: OwnerMark) -> bool:
    return mark == own


def is_predecessor(mark: OwnerMark | None, own: OwnerMark) -> bool:
    """The same install, namespace and name with another UID: an earlier object of the same name."""
    return (
        mark is not None
        and mark.uid != own.uid
        and (mark.install, mark.namespace, mark.name) == (own.install, own.namespace, own.name)
    )


def is_of_sibling(mark: OwnerMark | None, own: OwnerMark) -> TypeGuard[OwnerMark]:
    """That of an object of this install with another namespace or name."""
    if mark is None or mark.install != own.install or not (mark.namespace and mark.name and mark.uid):
        return False
    return (mark.namespace, mark.name) != (own.namespace, own.name)


def is_of_changed_install(mark: OwnerMark | None, own: OwnerMark) -> bool:
    """This very object's, from when the operator had another install id: UIDs are never given twice."""
    return mark is not None and mark.install != own.install and replace(mark, install=own.install) == own


def is_unreadable(candidate: Candidate) -> bool:
    """Whether it is ours is unknown, because Run:ai does not show it, or does not show its manifest."""
    remote = candidate.remote
    return remote is None or (not remote.mark_readable and not remote.gone)


def is_made(candidate: Candidate, own: OwnerMark) -> bool:
    """It is ours, and there."""
    remote = candidate.remote
    return remote is not None and not remote.gone and is_ours(remote.mark, own)


def may_be_ours(candidate: Candidate, own: OwnerMark) -> bool:
    return is_unreadable(candidate) or (candidate.remote is not None and is_ours(candidate.remote.mark, own))


def install_changed(remote: Remote, own: OwnerMark) -> str:
    """For the person who changed it."""
    former = remote.mark.install if remote.mark else ""
    return (
        f"Workload {remote.id} was submitted for this object under the install id {former}, and the operator now has"
        f" {own.install}: set OPERATOR_INSTALL_ID back, or add {former} to OPERATOR_FORMER_INSTALL_IDS"
    )


def marked_otherwise(remote: Remote, own: OwnerMark) -> InvalidWorkload:
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
