"""The story that status tells: conditions are settled here, in one place, once per pass.

`Ready`, `Reconciling` and `Stalled` follow the kstatus conventions, so that Helm, Flux, Argo CD and `kubectl wait`
agree: at most one of Reconciling and Stalled is there, and neither beside Ready=True.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from runai_operator.domain.actions import Result, Verdict
from runai_operator.domain.conditions import condition
from runai_operator.domain.errors import BridgeError, OutcomeUnknown, clip
from runai_operator.domain.model import NOT_SUBMITTED, Json, ManagementPolicy, Remote, Row
from runai_operator.domain.state import (
    COMPLETED,
    FAILED,
    LOST_REASONS,
    NOT_DELIVERED,
    SYNC_NOT_REPORTED,
    Desired,
    Missing,
    State,
)

MESSAGE_LIMIT = 2048
"""Bound of every message in the schema, in characters."""

BOUNDS: Mapping[str, int] = {
    "workloadId": 64,
    "adoptedId": 64,
    "workloadName": 253,
    "projectId": 64,
    "projectName": 253,
    "clusterId": 64,
    "departmentName": 253,
    "priority": 63,
    "category": 63,
    "preemptibility": 63,
    "desiredPhase": 63,
    "syncStatus": 63,
    "syncMessage": MESSAGE_LIMIT,
    "phase": 63,
    "phaseMessage": MESSAGE_LIMIT,
    "allocatedGpus": 32,
    "ownerUid": 64,
    "submission": 32,
    "submittedHash": 128,
    "lastHandledReconcileAt": 256,
}
"""Longest value of each string in the schema, in characters: one over its bound would refuse the whole write."""

GVK_BOUNDS: Mapping[str, int] = {"group": 253, "version": 63, "kind": 63}

RUN_FIELDS = (
    "workloadId", "workloadName", "projectId", "projectName", "clusterId", "departmentName", "gvk", "priority",
    "category", "preemptibility", "desiredPhase", "syncStatus", "syncMessage", "phase", "phaseMessage", "runningPods",
    "requestedPods", "allocatedGpus", "createdAt", "completedAt", "submittedHash",
)  # fmt: skip
"""What belongs to one workload in Run:ai and goes with it."""

TYPES = frozenset({"Ready", "Reconciling", "Stalled", "Synced", COMPLETED})
"""The conditions that are settled here."""

RUNNING_PHASES = frozenset({"Running"})
PROGRESSING_PHASES: Mapping[str, str] = {
    "Creating": "Creating",
    "Pending": "Pending",
    "Initializing": "Initializing",
    "Updating": "Updating",
    "Resuming": "Resuming",
    "Stopping": "Stopping",
    "Deleting": "RunaiDeleting",
    "Terminating": "RunaiDeleting",
}


@dataclass(frozen=True, slots=True)
class ReadyCondition:
    """What Ready says, and which of the two abnormal conditions stands beside it."""

    ready: str
    reason: str
    message: str
    reconciling: bool = False
    stalled: bool = False


def build_status(s: State, end: Result, *, now: datetime, stalled: bool = False) -> Json:
    """The whole status after this pass.

    `now` stamps transitions (UTC). `stalled` says that the trouble has lasted too long to be called progress.
    """
    status = mirrored(s)
    _record_delivery(status, s, end)
    status["observedGeneration"] = s.workload.generation
    status["submission"] = NOT_SUBMITTED if end.not_submitted and s.workload_id is None else None
    if s.workload.reconcile_token is not None:
        status["lastHandledReconcileAt"] = s.workload.reconcile_token
    completed = status.get("phase") == COMPLETED or (bool(s.workload_id) and s.stored_status.completed)
    if completed:
        status["phase"] = COMPLETED
    silent = _is_silent_about_sync(s, end)
    story = tell(s, status, end, stalled=stalled, silent=silent)
    status["conditions"] = _conditions(s, story, _synced(status, end, silent=silent), completed=completed, now=now)
    return {key: _bounded(key, value) for key, value in status.items() if value is not None}


def patch_between(stored: Mapping[str, Any], desired: Mapping[str, Any]) -> Json:
    """Merge patch that makes `stored` say `wanted`; empty when it does. Fields of a newer version are left alone."""
    known = {*RUN_FIELDS, *BOUNDS, "observedGeneration", "conditions"}
    patch: Json = {key: value for key, value in desired.items() if stored.get(key) != value}
    patch.update({key: None for key in stored if key not in desired and key in known})
    return patch


def forget_run() -> Json:
    """Merge patch that forgets a workload which is proven gone, before the next one is created."""
    return dict.fromkeys(RUN_FIELDS)


def mirrored(s: State) -> Json:
    """Status fields as Run:ai shows them now, over what was stored."""
    status: Json = dict(s.workload.status)
    remote = s.remote
    if isinstance(remote, Missing) or (isinstance(remote, Remote) and remote.gone):
        if s.workload_id is not None:
            status.update(syncStatus="Deleted", syncMessage=None)
    elif isinstance(remote, Remote) and remote.id == shown_id(s):
        status.update(_from_remote(remote))
    if s.shown_row is not None and shown_id(s) is not None:
        status.update(_from_row(s.shown_row))
    if status.get("workloadId"):
        status["ownerUid"] = s.workload.ref.uid
    return status


def shown_id(s: State) -> str | None:
    """The id of the workload that status is about. What is merely looked at, to be adopted perhaps, is not shown."""
    is_observed = s.workload.spec.management_policy is ManagementPolicy.OBSERVE
    return s.workload_id or (s.workload.spec.workload_id if is_observed else None)


def _from_remote(remote: Remote) -> Json:
    gvk = remote.gvk
    return _known(
        {
            "workloadId": remote.id,
            "workloadName": remote.name,
            "projectId": remote.project_id,
            "projectName": remote.project_name,
            "clusterId": remote.cluster_id,
            "departmentName": remote.department_name,
            "gvk": {"group": gvk.group, "version": gvk.version, "kind": gvk.kind} if gvk else None,
            "priority": remote.priority,
            "category": remote.category,
            "preemptibility": remote.preemptibility,
            "desiredPhase": remote.desired_phase,
            "createdAt": remote.created_at,
        }
    ) | {"syncStatus": remote.sync_status, "syncMessage": remote.sync_message}


def _from_row(row: Row) -> Json:
    named = {
        "projectName": row.project_name,
        "departmentName": row.department_name,
        "priority": row.priority,
        "category": row.category,
    }
    return _known(named) | {
        "phase": row.phase,
        "phaseMessage": row.phase_message or None,
        "runningPods": row.running_pods,
        "requestedPods": row.requested_pods,
        "allocatedGpus": row.allocated_gpus,
        "completedAt": row.completed_at,
    }


def _known(values: Json) -> Json:
    return {key: value for key, value in values.items() if value is not None}


def _record_delivery(status: Json, s: State, end: Result) -> None:
    if end.verdict is Verdict.DELIVERED and isinstance(s.desired, Desired):
        status["submittedHash"] = s.desired.fingerprint(adopts=s.to_adopt is not None)
    elif isinstance(end.error, OutcomeUnknown) and s.failed is end.error:
        # What Run:ai holds now is not known, so the next comparison must not find it equal; its identity is.
        status["submittedHash"] = f".{s.stored_status.identity}" if s.stored_status.identity else None


def _is_silent_about_sync(s: State, end: Result) -> bool:
    """Readings of this Run:ai leave `syncInfo` out, as the schema allows; what answers a POST or PUT always does."""
    if end.verdict is Verdict.DELIVERED:
        return False
    if isinstance(s.remote, Remote):
        return s.remote.sync_status is None
    before = condition(s.workload.status, "Synced")
    return before is not None and before.get("reason") == SYNC_NOT_REPORTED


def tell(s: State, status: Mapping[str, Any], end: Result, *, stalled: bool, silent: bool = False) -> ReadyCondition:
    """What Ready says, first match wins: deleting, refused, trouble, paused, then what Run:ai shows."""
    error, before = end.error, s.stored_status.reason
    match end.verdict:
        case Verdict.DELETING:
            return ReadyCondition("False", "Deleting", error.message if error else "being deleted", reconciling=True)
        case Verdict.REJECTED:
            return _failing(error, stalled=True)
        case Verdict.WAITING:
            return _failing(error, stalled=False)
        case Verdict.RETRYING if end.outstanding:
            return _failing(error, stalled=stalled)
        case Verdict.RETRYING if before in LOST_REASONS:
            told = condition(s.workload.status, "Ready") or {}
            abnormal = condition(s.workload.status, "Stalled") is not None
            return ReadyCondition(
                "False", before, str(told.get("message", "")), reconciling=not abnormal, stalled=abnormal
            )
        case Verdict.PAUSED if end.outstanding:
            return ReadyCondition(
                "False",
                "Paused",
                "paused, with changes not yet submitted: remove the annotation bridge.run.ai/paused to go on",
                stalled=True,
            )
    shown = _as_shown(status, silent=silent)
    if s.workload.paused and shown.ready == "True":
        return ReadyCondition(
            "True", "Paused", "paused: nothing is written to Run:ai until the annotation bridge.run.ai/paused is gone"
        )
    return shown


def _failing(error: BridgeError | None, *, stalled: bool) -> ReadyCondition:
    error = error or BridgeError("the operator gave no reason")
    return ReadyCondition("False", error.condition_reason, error.message, stalled=stalled, reconciling=not stalled)


def _as_shown(status: Mapping[str, Any], *, silent: bool) -> ReadyCondition:
    """What Run:ai shows: what has finished stays so when it is gone; else how the sync goes, else the phase."""
    phase, detail = status.get("phase"), status.get("phaseMessage") or ""
    if phase == COMPLETED:
        return ReadyCondition("True", COMPLETED, "the workload has completed")
    if phase == FAILED and status.get("syncStatus") == "Deleted":
        return _of_phase(phase, detail)
    return _before_phases(status, silent=silent) or _of_phase(phase, detail)


def _before_phases(status: Mapping[str, Any], *, silent: bool) -> ReadyCondition | None:
    """What has to be said before a phase counts."""
    sync = status.get("syncStatus")
    if sync == "Failed":
        message = status.get("syncMessage") or "Run:ai could not bring the workload to its cluster and gave no reason"
        return ReadyCondition("False", "SyncFailed", message, stalled=True)
    if status.get("desiredPhase") == "Deleted" or sync in ("Deleting", "Deleted"):
        return ReadyCondition("False", "RunaiDeleting", "Run:ai is deleting the workload", reconciling=True)
    if sync != "Synced" and not silent:
        message = f"Run:ai accepted the workload and is bringing it to its cluster ({sync})" if sync else "submitted"
        return ReadyCondition("False", "Syncing", message, reconciling=True)
    return None


def _of_phase(phase: str | None, detail: str) -> ReadyCondition:
    if phase in RUNNING_PHASES:
        return ReadyCondition("True", "Running", "the workload is running")
    if phase == "Stopped":
        return ReadyCondition("True", "Stopped", detail or "the workload is stopped in Run:ai")
    if phase == FAILED:
        return ReadyCondition("False", FAILED, detail or "the workload has failed", stalled=True)
    if phase == "Degraded":
        return ReadyCondition("False", "Degraded", detail or "the workload runs with a problem", reconciling=True)
    if phase is None:
        return ReadyCondition(
            "False", "Creating", "the workload is on its cluster and has no phase yet", reconciling=True
        )
    reason = PROGRESSING_PHASES.get(phase, "UnknownPhase")
    return ReadyCondition("False", reason, detail or f"phase in Run:ai: {phase}", reconciling=True)


def _synced(status: Mapping[str, Any], end: Result, *, silent: bool) -> tuple[str, str, str]:
    """Status, reason and message of Synced: has our last word reached the cluster?"""
    sync, error = status.get("syncStatus"), end.error
    if end.verdict is Verdict.DELETING:
        return "False", "Deleting", "being deleted"
    if end.outstanding:
        return "False", NOT_DELIVERED, error.message if error else "the last change has not been sent to Run:ai"
    if end.verdict is Verdict.RETRYING and error:
        return "Unknown", error.condition_reason, error.message
    if end.verdict in (Verdict.REJECTED, Verdict.WAITING) and error:
        return "False", error.condition_reason, error.message
    if sync == "Synced":
        return "True", "Synced", "what was submitted has reached the cluster"
    if sync == "Failed":
        return "False", "SyncFailed", status.get("syncMessage") or "Run:ai gave no reason"
    if silent and sync is None:
        return "Unknown", SYNC_NOT_REPORTED, "this Run:ai does not tell whether a workload has reached its cluster"
    return "False", "Syncing", f"Run:ai says {sync}" if sync else "submitted"


def _conditions(
    s: State, story: ReadyCondition, synced: tuple[str, str, str], *, completed: bool, now: datetime
) -> list[Json]:
    told = [("Ready", story.ready, story.reason, story.message)]
    if story.reconciling:
        told.append(("Reconciling", "True", story.reason, story.message))
    if story.stalled:
        told.append(("Stalled", "True", story.reason, story.message))
    told.append(("Synced", *synced))
    if completed:
        told.append((COMPLETED, "True", COMPLETED, "the workload has completed"))
    settled: list[Json] = [
        {
            "type": kind,
            "status": status,
            "reason": clip(reason, 256),
            "message": clip(message, MESSAGE_LIMIT),
            "observedGeneration": s.workload.generation,
            "lastTransitionTime": _transition_time(s, kind, status, now),
        }
        for kind, status, reason, message in told
    ]
    # A newer version may have written more types; they are its own to keep true.
    return settled + [entry for entry in s.workload.status.get("conditions") or () if entry.get("type") not in TYPES]


def _transition_time(s: State, kind: str, status: str, now: datetime) -> str:
    before = condition(s.workload.status, kind)
    if before is not None and before.get("status") == status and before.get("lastTransitionTime"):
        return str(before["lastTransitionTime"])
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _bounded(key: str, value: Any) -> Any:
    if key == "gvk":
        return {part: clip(text, GVK_BOUNDS[part]) for part, text in value.items()}
    return clip(value, BOUNDS[key]) if key in BOUNDS else value


def watched(row: Row) -> tuple[object, ...]:
    """What of a row status shows."""
    return (
        row.phase, row.phase_message, row.running_pods, row.requested_pods, row.allocated_gpus, row.completed_at,
        row.project_name, row.department_name, row.priority, row.category,
        row.phase_updated_at if row.phase == "Pending" else None,
    )  # fmt: skip
