"""What `status` says, as it was written last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runai_operator.domain.conditions import condition
from runai_operator.domain.errors import BridgeError
from runai_operator.domain.model import NAME_HELD, NOT_SUBMITTED, REPLACING, Gvk, Workload
from runai_operator.domain.plan import MIRROR_REASONS, PHASE_REASONS, RETRY_REASONS
from runai_operator.domain.reasons import ConditionType, Phase, Reason

LOST_REASONS = frozenset(
    {
        Reason.DELETED_EXTERNALLY,
        Reason.WAITING_TO_RECREATE,
        Reason.RECREATE_GIVEN_UP,
        Reason.ENDED_UNSEEN,
        Reason.MANAGED_BY_OTHER,
        Reason.RECREATING,
    }
)
"""Reasons of Ready that only a fresh reading of Run:ai may clear."""


@dataclass(frozen=True, slots=True)
class StoredStatus:
    """What `status` says."""

    workload_id: str | None = None
    adopted_id: str | None = None
    """The `spec.workloadId` that was adopted, so that it is never adopted again."""
    name: str | None = None
    project_id: str | None = None
    project_name: str | None = None
    cluster_id: str | None = None
    created_at: str | None = None
    gvk: Gvk | None = None
    observed_generation: int = -1
    submitted_hash: str | None = None
    phase: str | None = None
    completed: bool = False
    being_deleted: bool = False
    """Run:ai was deleting the workload."""
    delivered: bool = False
    """Run:ai has accepted the last change."""
    not_submitted: bool = False
    name_held: bool = False
    replacing: bool = False
    """We are having the workload deleted, to create it anew."""
    handled_token: str | None = None
    reason: str | None = None
    """Reason of Ready."""
    synced_reason: str | None = None
    unknown: BridgeError | None = None
    """Why Synced calls unknown what Run:ai shows, if it does."""

    @property
    def mirrors(self) -> bool:
        """Nothing is outstanding: status shows what Run:ai does, or that this is unknown."""
        return self.reason in PHASE_REASONS and self.synced_reason in MIRROR_REASONS

    @property
    def failed(self) -> bool:
        return self.phase == Phase.FAILED

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
        completed = condition(status, ConditionType.COMPLETED)
        ready = condition(status, ConditionType.READY)
        synced = condition(status, ConditionType.SYNCED)
        return cls(
            workload_id=status.get("workloadId"),
            adopted_id=status.get("adoptedId"),
            name=status.get("workloadName"),
            project_id=status.get("projectId"),
            project_name=status.get("projectName"),
            cluster_id=status.get("clusterId"),
            created_at=status.get("createdAt"),
            gvk=Gvk(gvk.get("group") or "", gvk.get("version") or "", gvk.get("kind") or "") if gvk else None,
            observed_generation=status.get("observedGeneration", -1),
            submitted_hash=status.get("submittedHash"),
            phase=status.get("phase"),
            completed=bool(completed and completed.get("status") == "True"),
            being_deleted=status.get("desiredPhase") == "Deleted"
            or status.get("syncStatus") in ("Deleting", "Deleted"),
            delivered=bool(status.get("submittedHash"))
            and not (synced and synced.get("reason") == Reason.NOT_DELIVERED),
            not_submitted=status.get("submission") == NOT_SUBMITTED,
            name_held=status.get("submission") == NAME_HELD,
            replacing=status.get("submission") == REPLACING,
            handled_token=status.get("lastHandledReconcileAt"),
            reason=ready.get("reason") if ready else None,
            synced_reason=synced.get("reason") if synced else None,
            unknown=_why_unknown(synced),
        )


def _why_unknown(synced: Mapping[str, Any] | None) -> BridgeError | None:
    if synced is None or synced.get("status") != "Unknown" or synced.get("reason") not in RETRY_REASONS:
        return None
    return BridgeError(str(synced.get("message", "")), reason=synced.get("reason"))


def has_foreign_status(workload: Workload) -> bool:
    """The status was written about another UID and then restored from a backup: it says nothing about this object."""
    return workload.status.get("ownerUid") not in (None, workload.ref.uid)
