"""What an object needs, from its status and metadata alone: nothing that is outstanding is kept only in memory.

The first load, the resync and a takeover call `plan_of`; whatever a restart must resume can be read from the cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from runai_operator.domain.conditions import condition
from runai_operator.domain.freshness import Freshness
from runai_operator.domain.model import DEFAULT_CONNECTION, NOT_SUBMITTED, DeletionPolicy, Meta, Row, TableRow
from runai_operator.domain.reasons import ConditionType, Group, Phase, Reason

PHASE_REASONS = frozenset({reason for reason in Reason if reason.group is Group.SHOWN} | {Reason.PAUSED})
"""Reasons of Ready that mirror Run:ai: the lists show the next change."""
SYNC_REASONS = frozenset({Reason.SYNCED, Reason.SYNCING, Reason.SYNC_FAILED, Reason.SYNC_NOT_REPORTED})
"""Reasons of Synced that mirror Run:ai. Any other says that something is owed, or unknown."""
SETTLED_SYNCS = frozenset({"Synced", "Failed", "Deleted"})
"""Words of Run:ai for a sync that has come to its end."""
SOURCE_REASONS = frozenset({Reason.SOURCE_NOT_FOUND, Reason.SOURCE_FORBIDDEN, Reason.SOURCE_INVALID})
"""Reasons of Synced beside a workload that goes on without its source, at which every process looks by itself."""
BESIDE_REASONS = SOURCE_REASONS | {Reason.WORKLOAD_NOT_FOUND}
"""Reasons of Synced beside a workload that goes on, or that had finished, without what is amiss: nothing is outstanding."""
RETRY_REASONS = frozenset(reason for reason in Reason if reason.group is Group.RETRYING)
"""Reasons of a retry."""
MENDED_BY_RESTART = frozenset({Reason.CONNECTION_NOT_FOUND, Reason.MANAGED_BY_OTHER, Reason.INSTALL_CHANGED})
"""A restart is what brings a connection back, and what gives the operator another install id."""
REJECTED_REASONS = frozenset(reason for reason in Reason if reason.group is Group.REJECTED) - MENDED_BY_RESTART
"""Reasons of Ready that only a change here or in Run:ai clears. Beside a retry the last reading of Run:ai is owed."""
MIRROR_REASONS = SYNC_REASONS | RETRY_REASONS
"""Reasons of Synced while nothing is outstanding: what Run:ai shows, or why that is unknown."""


class Need(StrEnum):
    NOTHING = "nothing"
    """Events and rows show the next change."""
    READ = "read"
    """Its sync is in flight, or has failed and may recover: the workload is read in Run:ai, at a limited rate."""
    PROBE = "probe"
    """It was rejected: it is tried again now and then, since the other side may have changed."""
    VERDICT = "verdict"
    """A dry run found it valid: Run:ai is asked again now and then."""
    ROW = "row"
    """It is pending: the scheduler is asked why now and then."""
    PASS = "pass"  # noqa: S105 - no password
    """Something is outstanding, or not known."""


@dataclass(frozen=True, slots=True)
class StatusSummary:
    """The part of status that scheduling needs, from the cells of a list or from the last write."""

    observed_generation: int = -1
    connection: str = DEFAULT_CONNECTION
    workload_id: str | None = None
    name: str | None = None
    project_id: str | None = None
    created_at: str | None = None
    phase: str | None = None
    sync: str | None = None
    ready: str | None = None
    reason: str | None = None
    """Of Ready."""
    synced_reason: str | None = None
    stalled: bool = False
    submission: str | None = None
    sent: bool = False
    """Something was submitted for it, so our finalizer belongs on it; what is only observed has none."""
    pods: int | None = None
    requested: int | None = None
    gpus: str | None = None
    priority: str | None = None
    category: str | None = None
    detail: str | None = None
    handled_token: str | None = None
    has_source: bool = False
    keeps_workload: bool = False
    """`deletionPolicy: Orphan`: the workload is to stay in Run:ai."""

    @classmethod
    def of_cells(cls, row: TableRow) -> StatusSummary:
        """From the printer columns of the custom resource."""
        cells = row.cells
        has_source = bool(cells.get("Source"))
        keeps_workload = cells.get("Deletion Policy") == DeletionPolicy.ORPHAN
        if cells.get("Owner") not in (None, "", row.meta.ref.uid):
            return cls(has_source=has_source, keeps_workload=keeps_workload)
        return cls(
            **_known({name: cells.get(column) for name, (column, _) in _SHOWN.items()}),
            **_known({name: cells.get(column) for name, (column, _, _) in _OF_CONDITIONS.items()}),
            stalled=cells.get("Stalled") == "True",
            sent=bool(cells.get("Hash")),
            has_source=has_source,
            keeps_workload=keeps_workload,
        )

    @classmethod
    def of_status(cls, status: Mapping[str, Any], *, has_source: bool, keeps_workload: bool = False) -> StatusSummary:
        """From a status that was just written, or that needed no write."""
        conditions = {name: (condition(status, kind) or {}).get(key) for name, (_, kind, key) in _OF_CONDITIONS.items()}
        return cls(
            **_known({name: status.get(field) for name, (_, field) in _SHOWN.items()}),
            **_known(conditions),
            stalled=condition(status, ConditionType.STALLED) is not None,
            sent=bool(status.get("submittedHash")),
            has_source=has_source,
            keeps_workload=keeps_workload,
        )

    @property
    def finished(self) -> bool:
        return self.phase in (Phase.COMPLETED, Phase.FAILED)

    @property
    def in_flight(self) -> bool:
        """Submitted, and not on its cluster yet; one that has failed may have been fixed by an edit."""
        # Where the sync is not reported, Ready follows the phase once the workload has been read.
        silent = self.sync is None and self.reason not in (None, Reason.SYNCING)
        settled = self.sync in SETTLED_SYNCS or self.phase == Phase.COMPLETED or silent
        return self.workload_id is not None and not settled

    @property
    def may_recover(self) -> bool:
        """It could not be brought to its cluster, where Run:ai may try again: no list shows how that ends."""
        return self.sync == "Failed" and self.phase != Phase.COMPLETED and self.workload_id is not None

    def agrees_with(self, row: Row) -> bool:
        """Nothing in the row is news, as far as the cells say."""
        if row.priority not in (None, self.priority) or row.category not in (None, self.category):
            return False
        shown = (self.phase, self.pods, self.requested, self.gpus, self.detail)
        return shown == (
            row.phase, row.running_pods, row.requested_pods, row.allocated_gpus, row.phase_message or None
        )  # fmt: skip


_SHOWN = {
    "observed_generation": ("Observed", "observedGeneration"),
    "connection": ("Connection", "connection"),
    "workload_id": ("Workload ID", "workloadId"),
    "name": ("Workload Name", "workloadName"),
    "project_id": ("Project ID", "projectId"),
    "created_at": ("Created", "createdAt"),
    "phase": ("Phase", "phase"),
    "sync": ("Sync", "syncStatus"),
    "submission": ("Submission", "submission"),
    "pods": ("Pods", "runningPods"),
    "requested": ("Requested", "requestedPods"),
    "gpus": ("GPUs", "allocatedGpus"),
    "priority": ("Priority", "priority"),
    "category": ("Category", "category"),
    "detail": ("Detail", "phaseMessage"),
    "handled_token": ("Handled", "lastHandledReconcileAt"),
}
"""Of a summary: the printer column, and the field of status that it shows."""
_OF_CONDITIONS = {
    "ready": ("Ready", ConditionType.READY, "status"),
    "reason": ("Reason", ConditionType.READY, "reason"),
    "synced_reason": ("Synced Reason", ConditionType.SYNCED, "reason"),
}
"""Of a summary: the printer column, the condition that it shows, and what of that."""


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "")}


def plan_of(summary: StatusSummary, meta: Meta) -> Need:
    """What the object needs most urgently, beyond waiting for events and rows."""
    if meta.deleting:
        return Need.PASS if meta.has_finalizer else Need.NOTHING
    if _is_unseen(summary, meta) or _is_in_doubt(summary, meta):
        return Need.PASS
    if summary.synced_reason in MIRROR_REASONS | BESIDE_REASONS and summary.reason in PHASE_REASONS:
        # Where it is unknown, the lists say when it is known again (`is_misstated`).
        return _needed_of_run(summary)
    if summary.reason == Reason.PAUSED and summary.synced_reason == Reason.NOT_DELIVERED:
        # What is outstanding waits until somebody removes the annotation; what is on its way is followed.
        return _needed_of_run(summary)
    if summary.reason == Reason.VALID:
        return Need.VERDICT
    is_refused = summary.reason in REJECTED_REASONS and summary.synced_reason not in RETRY_REASONS
    return Need.PROBE if is_refused else Need.PASS


def shows_news(meta: Meta, before: Meta, summary: StatusSummary) -> bool:
    """Something changed that a pass would act on; events of our own writes bring no such change."""
    lost_finalizer = before.has_finalizer and not meta.has_finalizer
    return (
        meta.generation != before.generation
        or meta.deleting != before.deleting
        or meta.paused != before.paused
        or meta.reconcile_token != before.reconcile_token
        or (lost_finalizer and (meta.deleting or summary.workload_id is not None))
    )


def is_owed(summary: StatusSummary, meta: Meta) -> bool:
    """The operator has not done yet what was asked of it: to submit, to send an edit, to delete. Neither what waits for a
    person nor what Run:ai is at is owed."""
    return plan_of(summary, meta) is Need.PASS and summary.reason not in MENDED_BY_RESTART


def _needed_of_run(summary: StatusSummary) -> Need:
    """Of a workload with nothing outstanding."""
    if summary.in_flight or summary.may_recover:
        return Need.READ
    return Need.ROW if summary.phase == Phase.PENDING else Need.NOTHING


def is_misstated(summary: StatusSummary, meta: Meta, freshness: Freshness) -> bool:
    """Status vouches for what nobody knows, or calls unknown what is known."""
    if meta.deleting or summary.workload_id is None or summary.reason not in PHASE_REASONS:
        return False
    if summary.in_flight:  # once it can be read again, that reading sets it right
        return freshness.reads is not None and summary.synced_reason in SYNC_REASONS
    if not freshness.is_known:
        return False
    # What has completed stays so, whatever becomes of it.
    is_stale = freshness.lists is not None and summary.phase != Phase.COMPLETED
    return summary.synced_reason in (SYNC_REASONS if is_stale else RETRY_REASONS)


def _is_unseen(summary: StatusSummary, meta: Meta) -> bool:
    """Something has changed since the last status was written."""
    shows_pause = summary.reason == Reason.PAUSED
    return (
        meta.generation != summary.observed_generation
        or meta.reconcile_token not in (None, summary.handled_token)
        or (shows_pause and not meta.paused)
        or (meta.paused and summary.ready == "True" and not shows_pause)
        or (summary.workload_id is not None and summary.sent and not meta.has_finalizer)
    )


def _is_in_doubt(summary: StatusSummary, meta: Meta) -> bool:
    """An attempt may have made a workload whose id is not in status; it is looked up even if the object is paused."""
    return meta.has_finalizer and summary.workload_id is None and summary.submission != NOT_SUBMITTED
