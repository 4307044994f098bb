"""Everything `decide` may know: the workload as read, what we want, and what was seen of Run:ai in this pass."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from runai_operator.domain.errors import BridgeError
from runai_operator.domain.model import (
    NOT_SUBMITTED,
    CRDState,
    Gvk,
    OwnerMark,
    Remote,
    Row,
    Submission,
    Workload,
)
from runai_operator.domain.naming import external_name

COMPLETED = "Completed"
FAILED = "Failed"
NOT_DELIVERED = "NotDelivered"
"""Reason of `Synced` while the last edit has not reached Run:ai."""
SYNC_NOT_REPORTED = "SyncNotReported"
"""Reason of `Synced` where readings carry no `syncInfo`: then the phase alone tells how it goes."""
WAITING_TO_RECREATE = "WaitingToRecreate"
RECREATE_GIVEN_UP = "RecreateGivenUp"
LOST_REASONS = frozenset({"DeletedExternally", WAITING_TO_RECREATE, RECREATE_GIVEN_UP, "ManagedByOther"})
"""Reasons of Ready that only a fresh reading of Run:ai may clear."""


@dataclass(frozen=True, slots=True)
class Desired:
    """What the spec asks for, ready to send."""

    submission: Submission
    gvk: Gvk
    content: str
    """Hash of what a PUT may change: manifest, priority, category."""
    from_source: bool = False
    """The manifest comes from a ConfigMap or Secret, whose changes are no edits of the spec."""

    def identity(self, *, adopts: bool) -> str:
        """Hash of what only delete and create can change. An adopted workload has a name of its own."""
        sent = self.submission
        name = "" if adopts else sent.name
        parts = (name, sent.project_id, self.gvk.api_version, self.gvk.kind, sent.preemptibility, sent.mnnvl)
        return hashlib.sha256("\n".join(part or "" for part in parts).encode()).hexdigest()[:12]

    def fingerprint(self, *, adopts: bool) -> str:
        """For `status.submittedHash`."""
        return f"{self.content}.{self.identity(adopts=adopts)}"


@dataclass(frozen=True, slots=True)
class Missing:
    """Run:ai answered, by 404, that it has no such workload."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A workload found by name: its row, and its V2 reading where the id led to one."""

    row: Row
    remote: Remote | None


@dataclass(frozen=True, slots=True)
class StoredStatus:
    """What `status` says."""

    workload_id: str | None = None
    adopted_id: str | None = None
    """The `spec.workloadId` whose adoption was carried out, so that it is never carried out again."""
    name: str | None = None
    project_id: str | None = None
    gvk: Gvk | None = None
    observed_generation: int = -1
    submitted_hash: str | None = None
    phase: str | None = None
    completed: bool = False
    delivered: bool = False
    """The last word we had to say was accepted by Run:ai."""
    not_submitted: bool = False
    handled_token: str | None = None
    reason: str | None = None
    """Reason of Ready."""

    @property
    def failed(self) -> bool:
        return self.phase == FAILED

    @property
    def content(self) -> str | None:
        return self.submitted_hash.rpartition(".")[0] if self.submitted_hash else None

    @property
    def identity(self) -> str | None:
        return self.submitted_hash.rpartition(".")[2] if self.submitted_hash else None

    @classmethod
    def of(cls, workload: Workload) -> StoredStatus:
        status = workload.status
        gvk = status.get("gvk")
        completed = condition(status, COMPLETED)
        ready = condition(status, "Ready")
        synced = condition(status, "Synced")
        return cls(
            workload_id=status.get("workloadId"),
            adopted_id=status.get("adoptedId"),
            name=status.get("workloadName"),
            project_id=status.get("projectId"),
            gvk=Gvk(gvk.get("group") or "", gvk.get("version") or "", gvk.get("kind") or "") if gvk else None,
            observed_generation=status.get("observedGeneration", -1),
            submitted_hash=status.get("submittedHash"),
            phase=status.get("phase"),
            completed=bool(completed and completed.get("status") == "True"),
            delivered=bool(status.get("submittedHash")) and not (synced and synced.get("reason") == NOT_DELIVERED),
            not_submitted=status.get("submission") == NOT_SUBMITTED,
            handled_token=status.get("lastHandledReconcileAt"),
            reason=ready.get("reason") if ready else None,
        )


def condition(status: Any, kind: str) -> dict[str, Any] | None:
    """The condition of that type in a raw status, if it is there."""
    found: list[dict[str, Any]] = [entry for entry in status.get("conditions") or () if entry.get("type") == kind]
    return found[0] if found else None


class Recreation(StrEnum):
    """What `externalDeletionPolicy: Recreate` may do about a workload that somebody deleted in Run:ai."""

    NOW = "now"
    LATER = "later"
    """It was created again a moment ago."""
    GIVEN_UP = "given up"
    """Too often already."""


@dataclass(frozen=True, slots=True)
class State:
    """One moment of one pass. What is None or False has not been looked at or has not happened."""

    workload: Workload
    """As read; its status is our own word about this very UID, with what a failed write still owes it."""
    install: str
    desired: Desired | BridgeError | None = None
    remote: Remote | Missing | BridgeError | None = None
    row: Row | None = None
    found: tuple[Candidate, ...] | BridgeError | None = None
    look: bool = False
    """Somebody asked for a fresh V2 reading: sync in flight, missing from the lists, or by annotation."""
    check_content: bool = False
    """The manifest's source changed, or a reconcile was asked for: compare what we would send."""
    absence_proven: bool = False
    """Lists have been looked at for longer than they lag."""
    recreation: Recreation = Recreation.NOW
    crd: CRDState | None = None
    """As read after the deletion was seen."""
    deletion_turn_in: float = 0.0
    """Seconds until this workload may be deleted in Run:ai, where deletions are slowed down."""
    waited_out: bool = False
    """The deletion has waited as long as it may for a Run:ai that cannot be used."""
    orphan_recorded: bool | None = None
    """False when the record is full."""
    begun_now: bool = False
    finalizer_added_now: bool = False
    marked_in_doubt_now: bool = False
    conflict: bool = False
    """POST was answered by 409."""
    delivered_now: bool = False
    """POST or PUT was accepted."""
    adopted_now: bool = False
    deleted_now: bool = False
    failed: BridgeError | None = None
    """A write to Run:ai went wrong."""

    @property
    def stored_status(self) -> StoredStatus:
        return StoredStatus.of(self.workload)

    @property
    def workload_id(self) -> str | None:
        return self.stored_status.workload_id

    @property
    def to_adopt(self) -> str | None:
        """The id of the workload to adopt, or of the one that is adopted: `spec.workloadId`, until what it named was
        replaced by a workload of our own making."""
        spec_id, recorded = self.workload.spec.workload_id, self.stored_status
        is_spent = recorded.adopted_id == spec_id and recorded.workload_id != spec_id
        return None if is_spent else spec_id

    @property
    def adoption_pending(self) -> bool:
        """The id is on record, and whether the workload may be adopted has not been proven by a delivery yet."""
        return self.to_adopt is not None and self.stored_status.adopted_id != self.to_adopt

    @property
    def mark(self) -> OwnerMark:
        ref = self.workload.ref
        return OwnerMark(self.install, ref.namespace, ref.name, ref.uid)

    @property
    def in_doubt(self) -> bool:
        """An attempt to create may have succeeded without our knowing: finalizer, but no id and no proof."""
        return (
            self.workload.has_finalizer
            and self.workload_id is None
            and not self.stored_status.not_submitted
            and not (self.finalizer_added_now or self.begun_now or self.absence_proven)
        )


def has_foreign_status(workload: Workload) -> bool:
    """The status was written about another UID, and came along with a restore: it says nothing about this object."""
    return workload.status.get("ownerUid") not in (None, workload.ref.uid)


def is_ours(mark: OwnerMark | None, own: OwnerMark) -> bool:
    return mark == own


def is_predecessor(mark: OwnerMark | None, own: OwnerMark) -> bool:
    """The same install, namespace and name with another UID: an earlier life of the same custom resource."""
    return (
        mark is not None
        and mark.uid != own.uid
        and (mark.install, mark.namespace, mark.name) == (own.install, own.namespace, own.name)
    )


def is_unreadable(candidate: Candidate) -> bool:
    """Whether it is ours cannot be told, because Run:ai does not show it, or does not show its manifest."""
    remote = candidate.remote
    return remote is None or (remote.mark is None and not remote.mark_readable and not remote.gone)


def desired_name(s: State) -> str:
    """The name an attempt in doubt used; the identity is frozen while there may have been one."""
    ref = s.workload.ref
    return external_name(name=ref.name, spec=s.workload.spec, namespace=ref.namespace, install=s.install)


def is_same_moment(first: str | None, second: str | None) -> bool:
    """Whether two RFC 3339 times name the same second; two APIs may tell them with different precision."""
    if first is None or second is None:
        return False
    return abs(datetime.fromisoformat(first) - datetime.fromisoformat(second)) < timedelta(seconds=1)
