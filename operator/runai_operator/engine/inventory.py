"""What the engine remembers of each RunaiWorkload: facts for scheduling and look-up, never a body.

All of it can be rebuilt from one `Table` list; what only this process knows (attempts, timers) is safe to lose.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from runai_operator.domain.model import Meta, Row, SourceRef, TableRow, Workload
from runai_operator.domain.state import COMPLETED, FAILED, condition, is_same_moment


@dataclass(frozen=True, slots=True)
class StatusSummary:
    """The part of status that scheduling looks at."""

    observed_generation: int = -1
    workload_id: str | None = None
    name: str | None = None
    project_id: str | None = None
    phase: str | None = None
    sync: str | None = None
    ready: str | None = None
    reason: str | None = None
    pods: int | None = None
    gpus: str | None = None
    priority: str | None = None
    detail: str | None = None
    handled_token: str | None = None
    created_at: str | None = None
    has_source: bool = False

    @classmethod
    def of_cells(cls, listed: TableRow) -> StatusSummary:
        """From the printer columns of the custom resource."""
        cells = listed.cells
        if cells.get("Owner") not in (None, "", listed.meta.ref.uid):
            return cls()
        observed = cells.get("Observed")
        return cls(
            observed_generation=observed if isinstance(observed, int) else -1,
            workload_id=cells.get("Workload ID") or None,
            name=cells.get("Workload Name") or None,
            project_id=cells.get("Project ID") or None,
            phase=cells.get("Phase") or None,
            sync=cells.get("Sync") or None,
            ready=cells.get("Ready") or None,
            reason=cells.get("Reason") or None,
            pods=cells.get("Pods"),
            gpus=cells.get("GPUs") or None,
            priority=cells.get("Priority") or None,
            detail=cells.get("Detail") or None,
            handled_token=cells.get("Handled") or None,
            created_at=cells.get("Created") or None,
            has_source=bool(cells.get("Source")),
        )

    @classmethod
    def of_status(cls, status: dict[str, Any], *, has_source: bool) -> StatusSummary:
        """From the status we have just written or found right."""
        ready = condition(status, "Ready") or {}
        return cls(
            observed_generation=status.get("observedGeneration", -1),
            workload_id=status.get("workloadId"),
            name=status.get("workloadName"),
            project_id=status.get("projectId"),
            phase=status.get("phase"),
            sync=status.get("syncStatus"),
            ready=ready.get("status"),
            reason=ready.get("reason"),
            pods=status.get("runningPods"),
            gpus=status.get("allocatedGpus"),
            priority=status.get("priority"),
            detail=status.get("phaseMessage"),
            handled_token=status.get("lastHandledReconcileAt"),
            created_at=status.get("createdAt"),
            has_source=has_source,
        )

    def agrees_with(self, row: Row) -> bool:
        """Nothing in the row is news, as far as the cells tell."""
        shown = (self.phase, self.pods, self.gpus, self.detail)
        if row.priority not in (None, self.priority):
            return False
        return shown == (row.phase, row.running_pods, row.allocated_gpus, row.phase_message or None)


@dataclass(slots=True)
class Entry:
    """One RunaiWorkload."""

    meta: Meta
    shown: StatusSummary
    row: Row | None = None
    unwritten: dict[str, Any] = field(default_factory=dict)
    """Status fields that a failed write still owes: the id of a workload made just now, above all."""
    outdated: str | None = None
    """`phaseUpdatedAt` of a failure that an edit may have mended since."""
    look: bool = False
    check_content: bool = False
    large: bool = False
    first_lookup: float | None = None
    """When this process first looked for what an attempt in doubt may have made (loop seconds)."""
    failures: int = 0
    """Passes in a row that ended in trouble or waiting."""
    looks: int = 0
    """Readings in a row that found the sync in flight."""
    renewals: int = 0
    """How often its workload was created again after somebody deleted it in Run:ai."""
    renewed_at: float = float("-inf")
    trouble_since: float | None = None
    """Since when something outstanding could not be done, pass after pass (loop seconds)."""
    last_write: float = float("-inf")
    deletion_seen: float | None = None
    """When this process first saw it being deleted (loop seconds)."""
    source: tuple[SourceRef, str | None] | None = None
    """The manifest's source and the version last read."""
    pending: tuple[str | None, str] | None = None
    """When the phase became Pending, and why it waits."""

    @property
    def uid(self) -> str:
        return self.meta.ref.uid

    @property
    def about(self) -> dict[str, str]:
        """For the fields of a log line."""
        ref = self.meta.ref
        return {"namespace": ref.namespace, "object": ref.name, "uid": ref.uid}

    @property
    def share(self) -> str:
        """Whose turn it takes: the project once it is known, the namespace before."""
        return self.shown.project_id or self.meta.ref.namespace

    @property
    def workload_id(self) -> str | None:
        return self.shown.workload_id

    @property
    def finished(self) -> bool:
        return self.shown.phase in (COMPLETED, FAILED)

    @property
    def in_flight(self) -> bool:
        """Submitted, and the cluster has not got it yet; one that has failed may have been mended by an edit."""
        # Without a word about the sync, Ready goes by the phase once a reading was made.
        silent = self.shown.sync is None and self.shown.reason not in (None, "Syncing")
        settled = self.shown.sync in ("Synced", "Failed", "Deleted") or self.shown.phase == COMPLETED or silent
        return self.workload_id is not None and not settled

    def needs_pass(self) -> bool:
        """At start-up: is there anything that waiting for events and rows would not bring about?"""
        meta, shown = self.meta, self.shown
        if meta.deleting:
            return meta.has_finalizer
        settled = shown.ready == "True" or (shown.workload_id is not None and shown.sync == "Synced")
        return (
            meta.generation != shown.observed_generation
            or meta.reconcile_token not in (None, shown.handled_token)
            or meta.paused != (shown.reason == "Paused")
            or shown.has_source
            or not (settled or shown.phase == FAILED)
            or not (meta.has_finalizer or shown.workload_id is None)
        )

    def deletion_seen_by(self, moment: float) -> float:
        """When its deletion was first seen: `moment`, unless that was earlier (loop seconds)."""
        self.deletion_seen = moment if self.deletion_seen is None else self.deletion_seen
        return self.deletion_seen

    def saw(self, workload: Workload) -> None:
        """A fresh reading, before anything is done."""
        self.meta = replace(
            self.meta,
            resource_version=workload.resource_version,
            generation=workload.generation,
            deleting=workload.deleting,
            has_finalizer=workload.has_finalizer,
            paused=workload.paused,
            reconcile_token=workload.reconcile_token,
        )


class Inventory:
    """All records, by UID, by workload id, and by project and name (where lists know a workload by another id)."""

    def __init__(self) -> None:
        self._by_uid: dict[str, Entry] = {}
        self._by_ref: dict[tuple[str, str], str] = {}
        self._by_workload_id: dict[str, str] = {}
        self._by_name: dict[tuple[str, str], str] = {}
        self._lists_use_our_ids = False

    def __len__(self) -> int:
        return len(self._by_uid)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._by_uid.values())

    def get(self, uid: str) -> Entry | None:
        return self._by_uid.get(uid)

    def add(self, record: Entry) -> None:
        self._by_uid[record.uid] = record
        self._by_ref[record.meta.ref.namespace, record.meta.ref.name] = record.uid
        self.index(record)

    def namesake(self, namespace: str, name: str) -> Entry | None:
        """The record of that custom resource name, whatever its UID."""
        uid = self._by_ref.get((namespace, name))
        return self._by_uid.get(uid) if uid else None

    def index(self, record: Entry) -> None:
        """Call after the record's id, name or project changed."""
        if record.workload_id is not None:
            self._by_workload_id[record.workload_id] = record.uid
            if record.shown.project_id and record.shown.name:
                self._by_name[record.shown.project_id, record.shown.name] = record.uid

    def forget(self, uid: str) -> Entry | None:
        record = self._by_uid.pop(uid, None)
        if record is not None:
            self.unindex(record)
            place = (record.meta.ref.namespace, record.meta.ref.name)
            if self._by_ref.get(place) == uid:
                del self._by_ref[place]
        return record

    def unindex(self, record: Entry) -> None:
        """Call before the record's id is forgotten."""
        if record.workload_id is not None and self._by_workload_id.get(record.workload_id) == record.uid:
            del self._by_workload_id[record.workload_id]
        place = (record.shown.project_id or "", record.shown.name or "")
        if self._by_name.get(place) == record.uid:
            del self._by_name[place]

    def of_row(self, row: Row) -> Entry | None:
        """Whose workload the row shows: by id. By project and name only as long as the lists have never shown an id that
        we know, and only if it was created when ours was: the name alone may be an earlier or another's workload."""
        if (uid := self._by_workload_id.get(row.id)) is not None:
            self._lists_use_our_ids = True
            return self._by_uid.get(uid)
        if self._lists_use_our_ids:
            return None
        uid = self._by_name.get((row.project_id, row.name))
        record = self._by_uid.get(uid) if uid else None
        return record if record is not None and is_same_moment(row.created_at, record.shown.created_at) else None

    def counts(self) -> Counter[tuple[str, str]]:
        """How many, by phase and by the status of Ready."""
        return Counter((record.shown.phase or "None", record.shown.ready or "Unknown") for record in self)
