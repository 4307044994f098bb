"""Workloads as the two APIs show them, in the documented shapes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from runai_simulator.catalogue import DEPARTMENT_ID, DEPARTMENT_NAME, PRIORITIES, TENANT_ID, stable_id
from runai_simulator.switches import Switches
from runai_simulator.world import PENDING, Workload

Json = dict[str, Any]


def stamp(seconds: float) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def v2_workload(workload: Workload, switches: Switches) -> Json:
    """`WorkloadV2`."""
    project, kind = workload.project, workload.kind
    shown = workload.manifest if switches.raw_manifest_echo else {}
    return {
        "metadata": {
            "id": workload.id,
            "name": workload.name,
            "projectId": project.id,
            "projectName": project.name,
            "clusterId": project.cluster_id,
            "tenantId": TENANT_ID,
            "departmentId": DEPARTMENT_ID,
            "departmentName": DEPARTMENT_NAME,
            "gvk": {"group": kind.group, "version": workload.version, "kind": kind.name},
            "priority": workload.priority,
            "category": workload.category,
            "preemptibility": workload.preemptibility,
            "createdAt": stamp(workload.created),
            "createdBy": "operator",
            "updatedAt": stamp(workload.submitted),
            "updatedBy": "operator",
            "deletedAt": None if workload.deleted is None else stamp(workload.deleted),
            "deletedBy": None if workload.deleted is None else "operator",
        },
        "desiredPhase": workload.desired_phase,
        "rawManifest": shown,
        "workloadManifest": _as_applied(shown, workload),
    }


def _as_applied(manifest: Json, workload: Workload) -> Json:
    """With what a platform injects."""
    if not manifest:
        return {}
    metadata = manifest.get("metadata") or {}
    labels = {**(metadata.get("labels") or {}), "project": workload.project.name, "workloadId": workload.id}
    return {**manifest, "metadata": {**metadata, "namespace": workload.project.namespace, "labels": labels}}


def v2_read(workload: Workload, now: float, switches: Switches) -> Json:
    """The answer of a V2 GET."""
    status, message = workload.sync(now, switches)
    sync = {"status": status} | ({"message": message} if message else {})
    return {"workload": v2_workload(workload, switches), "syncInfo": sync}


def v1_row(workload: Workload, now: float, switches: Switches) -> Json:
    """One item of the v1 list."""
    phase, message, since = workload.phase(now, switches)
    gone = workload.is_gone(now, switches)
    pods, gpus = workload.pods(), workload.gpus()
    runs = phase in ("Running", "Degraded")
    return {
        "id": workload.v1_id,
        "tenantId": TENANT_ID,
        "type": workload.kind.name,
        "name": workload.name,
        "source": "Other",
        "sourceApi": "WorkloadsV2",
        "submittedBy": "operator",
        "priority": PRIORITIES[workload.priority],
        "priorityClassName": workload.priority,
        "preemptible": workload.preemptibility == "preemptible",
        "category": workload.category,
        "clusterId": workload.project.cluster_id,
        "projectId": workload.project.id,
        "projectName": workload.project.name,
        "departmentId": DEPARTMENT_ID,
        "departmentName": DEPARTMENT_NAME,
        "namespace": workload.project.namespace,
        "phase": phase,
        "phaseMessage": message,
        "phaseReason": None,
        "k8sPhase": phase,
        "phaseUpdatedAt": stamp(since),
        "k8sPhaseUpdatedAt": stamp(since),
        "createdAt": stamp(workload.created),
        "updatedAt": stamp(max(since, workload.submitted)),
        "completedAt": stamp(since) if phase in ("Completed", "Failed") else None,
        "deletedAt": stamp(workload.deleted + switches.delete_time) if gone and workload.deleted is not None else None,
        "runningPods": pods if runs else 0,
        "requestedPods": {"number": pods, "min": None, "max": None, "parallelism": None, "completions": None},
        "allocatedResources": {"gpu": gpus} if runs and gpus else None,
        "conditions": [],
        "actionsSupport": {"delete": True, "suspend": False},
        "environmentVariables": {},
    }


def v1_detail(workload: Workload, now: float, switches: Switches) -> Json:
    """The answer of a v1 GET of one."""
    row = v1_row(workload, now, switches)
    waits = row["phase"] == "Pending" and workload.annotations.get(PENDING) == "true"
    reason = {
        "nodePool": "default",
        "phaseReason": "NonPreemptibleOverQuota",
        "reason": "OverQuota",
        "orgType": "PROJECT",
        "userMessage": f"project {workload.project.name} has no GPUs left in its quota",
    }
    return {**row, "pendingSchedulingMessages": [reason] if waits else None}


def workload_type(name: str, group: str, versions: tuple[str, ...], category: str, clusters: list[str]) -> Json:
    """One registered kind."""
    return {
        "id": stable_id(f"type-{group}-{name}"),
        "name": name,
        "group": group,
        "categoryId": stable_id(f"category-{category}"),
        "categoryName": category,
        "priorityId": stable_id("priority"),
        "priorityName": "low",
        "resourceInterfaces": [{"version": version, "resourceInterface": {}} for version in versions],
        "clusterStatuses": [
            {
                "clusterId": cluster,
                "version": version,
                "phase": "Ready",
                "conditions": [],
                "updatedAt": "2026-01-01T00:00:00Z",
            }
            for cluster in clusters
            for version in versions
        ],
    }
