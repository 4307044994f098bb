"""What `status` says, as it was written last."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runai_operator.domain.conditions import condition
from runai_operator.domain.errors import BridgeError
from runai_operator.domain.model import NAME_HELD, NOT_SUBMITTED, REPLACING, Gvk, Spec, Workload
from runai_operator.domain.plan import MIRROR_REASONS, PHASE_REASONS, RETRY_REASONS
from runai_operator.domain.reasons import ConditionType, Phase, Reason

LOST_REASONS = frozenset(
    {
        Reason.DELETED_EXTERNALLY,
        Reason.WAITING_TO_RECREATE,
        Reason.RECREATE_GIVEN_UP,
        Reason.ENDED_UNSEEN,
        Reason.MANAGED_BY_OTHER,
        Reason.INSTALL_CHANGED,
        Reason.RECREATING,
    }
)
"""Reasons of Ready that only a fresh reading of Run:ai may clear."""
GONE_REASONS = frozenset({Reason.DELETED_EXTERNALLY, Reason.RECREATE_GIVEN_UP, Reason.ENDED_UNSEEN})
"""Those of a workload that was found gone, and is not to be created again."""

IDENTITY = re.compile(r"[0-9a-f]{12}")
SINCE = "+"
"""In `status.submittedHash`, before the time when a manifest took the place of one from a Secret."""


@dataclass(frozen=True, slots=True)
class StoredStatus:
    """What `status` says; each part is read when it is asked for, since a pass asks often and for little."""

    status: Mapping[str, Any]

    @property
    def workload_id(self) -> str | None:
        return self.status.get("workloadId")

    @property
    def adopted_id(self) -> str | None:
        """The `spec.workloadId` that was adopted, so that it is never adopted again."""
        return self.status.get("adoptedId")

    @property
    def name(self) -> str | None:
        return self.status.get("workloadName")

    @property
    def project_id(self) -> str | None:
        return self.status.get("projectId")

    @property
    def project_name(self) -> str | None:
        return self.status.get("projectName")

    @property
    def cluster_id(self) -> str | None:
        return self.status.get("clusterId")

    def project_named_by(self, spec: Spec) -> str | None:
        """The id of the project on record, if the spec names it as it did when it was found: however the project is called
        by now, and whatever else has its name."""
        name, found = spec.project_name, self.status.get("projectResolvedFrom")
        is_same = name is not None and name == found and spec.cluster_id in (None, self.cluster_id)
        return self.project_id if is_same else None

    @property
    def created_at(self) -> str | None:
        return self.status.get("createdAt")

    @property
    def gvk(self) -> Gvk | None:
        gvk = self.status.get("gvk")
        return Gvk(gvk.get("group") or "", gvk.get("version") or "", gvk.get("kind") or "") if gvk else None

    @property
    def observed_generation(self) -> int:
        observed: int = self.status.get("observedGeneration", -1)
        return observed

    @property
    def submitted_hash(self) -> str | None:
        return self.status.get("submittedHash")

    @property
    def submitted_at(self) -> str | None:
        return self.status.get("submittedAt")

    @property
    def submitted_from(self) -> str | None:
        return self.status.get("submittedFrom")

    @property
    def previous_hash(self) -> str | None:
        """Of the content that was submitted before."""
        return self.status.get("previousHash")

    @property
    def validated_hash(self) -> str | None:
        """Of what a dry run found valid."""
        return self.status.get("validatedHash")

    @property
    def completed_at(self) -> str | None:
        """When it completed; None for what failed."""
        return self.status.get("completedAt") if self.completed else None

    @property
    def content(self) -> str | None:
        """Hash of it. Empty where something was sent, and what Run:ai holds of it is not known."""
        return self.submitted_hash.rpartition(".")[0] if self.submitted_hash else None

    @property
    def identity(self) -> str | None:
        """None where the hash holds none: that alone must not have a workload deleted and created anew."""
        found = (self.submitted_hash or "").rpartition(".")[2].partition(SINCE)[0]
        return found if IDENTITY.fullmatch(found) else None

    @property
    def left_secret_at(self) -> float | None:
        """Seconds of the wall clock when another manifest took the place of one from a Secret, if the last one did."""
        since = (self.submitted_hash or "").partition(SINCE)[2]
        return float(since) if since.isdecimal() else None

    @property
    def phase(self) -> str | None:
        return self.status.get("phase")

    @property
    def failed(self) -> bool:
        return self.phase == Phase.FAILED

    @property
    def completed(self) -> bool:
        return self._said(ConditionType.COMPLETED, "status") == "True"

    @property
    def being_deleted(self) -> bool:
        """Run:ai was deleting the workload."""
        status = self.status
        return status.get("desiredPhase") == "Deleted" or status.get("syncStatus") in ("Deleting", "Deleted")

    @property
    def is_gone(self) -> bool:
        """The last reading found no workload any more."""
        return self.status.get("syncStatus") == "Deleted"

    @property
    def lost(self) -> bool:
        """The workload was gone, unfinished, which a pause may have kept from being said or answered."""
        return self.status.get("syncStatus") == "Deleted" and self.phase not in (Phase.COMPLETED, Phase.FAILED)

    @property
    def delivered(self) -> bool:
        """Run:ai has accepted the last change."""
        return bool(self.content) and self.synced_reason != Reason.NOT_DELIVERED

    @property
    def not_submitted(self) -> bool:
        return self.status.get("submission") == NOT_SUBMITTED

    @property
    def name_held(self) -> bool:
        return self.status.get("submission") == NAME_HELD

    @property
    def replacing(self) -> bool:
        """We are having the workload deleted, to create it anew."""
        return self.status.get("submission") == REPLACING

    @property
    def handled_token(self) -> str | None:
        return self.status.get("lastHandledReconcileAt")

    @property
    def reason(self) -> str | None:
        """Reason of Ready."""
        return self._said(ConditionType.READY, "reason")

    @property
    def synced_reason(self) -> str | None:
        return self._said(ConditionType.SYNCED, "reason")

    @property
    def unknown(self) -> BridgeError | None:
        """Why Synced calls unknown what Run:ai shows, if it does."""
        synced = condition(self.status, ConditionType.SYNCED)
        if synced is None or synced.get("status") != "Unknown" or synced.get("reason") not in RETRY_REASONS:
            return None
        return BridgeError(str(synced.get("message", "")), reason=synced.get("reason"))

    @property
    def mirrors(self) -> bool:
        """Nothing is outstanding: status shows what Run:ai does, or that this is unknown."""
        return self.reason in PHASE_REASONS and self.synced_reason in MIRROR_REASONS

    def _said(self, kind: ConditionType, part: str) -> str | None:
        found = condition(self.status, kind)
        return found.get(part) if found else None


def has_foreign_status(workload: Workload) -> bool:
    """The status was written about another UID and then restored from a backup: it says nothing about this object."""
    return workload.status.get("ownerUid") not in (None, workload.ref.uid)
