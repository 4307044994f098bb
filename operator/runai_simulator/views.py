"""Workloads as the two APIs show them, in the documented shapes."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from runai_simulator.catalogue import (
    CATEGORIES,
    DEPARTMENT_ID,
    DEPARTMENT_NAME,
    EPOCH,
    PRIORITIES,
    TENANT_ID,
    Kind,
    Project,
    stable_id,
)
from runai_simulator.switches import Switches
from runai_simulator.world import Workload

Json = dict[str, Any]

SUBMITTER = "operator"


@lru_cache(maxsize=16_384)
def stamp(seconds: float) -> str:
    """RFC 3339 in UTC with milliseconds; the same moments are shown again and again."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def v2_workload(workload: Workload, now: float, switches: Switches) -> Json:
    """`WorkloadV2`."""
    project, kind, skew = workload.project, workload.kind, switches.clock_skew
    shown = _raw(workload.manifest, switches)
    deleted = _deleted(workload, now, switches)
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
            "createdAt": stamp(workload.created + skew),
            "createdBy": SUBMITTER,
            "updatedAt": stamp(workload.updated + skew),
            "updatedBy": SUBMITTER,
            "deletedAt": None if deleted is None else stamp(deleted + skew),
            "deletedBy": None if deleted is None else SUBMITTER,
        },
        "desiredPhase": workload.desired_phase,
        "rawManifest": shown,
        "workloadManifest": _as_applied(shown, workload),
    }


def _deleted(workload: Workload, now: float, switches: Switches) -> float | None:
    if switches.deleted_at_when_asked:
        return workload.deleted
    return workload.gone if workload.is_gone(now) else None


def _raw(manifest: Json, switches: Switches) -> Json:
    if not switches.raw_manifest_echo:
        return {}
    metadata = manifest.get("metadata")
    if switches.raw_annotations or not isinstance(metadata, dict):
        return manifest
    return {**manifest, "metadata": {key: value for key, value in metadata.items() if key != "annotations"}}


def _as_applied(manifest: Json, workload: Workload) -> Json:
    """With what a platform injects."""
    if not manifest:
        return {}
    metadata = manifest.get("metadata") or {}
    given = metadata.get("labels")
    labels = {**(given if isinstance(given, dict) else {}), "project": workload.project.name, "workloadId": workload.id}
    injected = {"name": workload.name, "namespace": workload.project.namespace, "labels": labels}
    return {**manifest, "metadata": {**metadata, **injected}}


def v2_read(workload: Workload, now: float, switches: Switches) -> Json:
    """The answer of a V2 GET."""
    answer = {"workload": v2_workload(workload, now, switches)}
    if switches.sync_info:
        status, message = workload.sync(now)
        answer["syncInfo"] = {"status": status} | ({"message": message} if message else {})
    return answer


def v1_row(workload: Workload, now: float, switches: Switches) -> Json:
    """One item of the v1 list."""
    phase, message, since = workload.phase(now)
    completed = workload.completed(now)
    skew, project, shape = switches.clock_skew, workload.project, workload.shape
    kind = workload.kind.name
    return {
        "id": workload.v1_id,
        "tenantId": TENANT_ID,
        "type": kind if switches.type_is_kind else f"runai-{kind.lower()}",
        "name": workload.name,
        "source": "Other",
        "sourceApi": "WorkloadsV2" if switches.source_api else None,
        "submittedBy": SUBMITTER,
        "priority": PRIORITIES[workload.priority],
        "priorityClassName": workload.priority,
        "preemptible": workload.preemptibility == "preemptible",
        "category": workload.category,
        "clusterId": project.cluster_id,
        "projectId": project.id,
        "projectName": project.name,
        "departmentId": DEPARTMENT_ID,
        "departmentName": DEPARTMENT_NAME,
        "namespace": project.namespace,
        "phase": phase,
        "phaseMessage": message,
        "phaseReason": None,
        "k8sPhase": phase,
        "phaseUpdatedAt": stamp(since + skew),
        "k8sPhaseUpdatedAt": stamp(since + skew),
        "createdAt": stamp(workload.created + skew),
        "updatedAt": stamp(max(since, workload.updated) + skew),
        "completedAt": stamp(completed + skew) if completed is not None else None,
        "deletedAt": stamp(workload.gone + skew) if workload.is_gone(now) else None,
        "runningPods": _running_pods(phase, shape.pods),
        "requestedPods": {
            "number": shape.pods,
            "min": None,
            "max": None,
            "parallelism": shape.parallelism,
            "completions": shape.completions,
        },
        "allocatedResources": {"gpu": shape.gpus} if phase in _SCHEDULED and shape.gpus else None,
        "images": list(shape.images),
        "conditions": [],
        "actionsSupport": {"delete": True, "suspend": False},
        "environmentVariables": {},
    }


_SCHEDULED = ("Initializing", "Running", "Degraded")


def _running_pods(phase: str, pods: int) -> int:
    if phase == "Degraded":
        return max(pods - 1, 0)
    return pods if phase == "Running" else 0


def v1_detail(workload: Workload, now: float, switches: Switches) -> Json:
    """The answer of a v1 GET of one, with what keeps it pending."""
    row = v1_row(workload, now, switches)
    waits = row["phase"] == "Pending" and workload.steering.pending
    is_known = now >= workload.phase(now)[2] + switches.scheduler_time
    reason = {
        "nodePool": "default",
        "phaseReason": "NonPreemptibleOverQuota",
        "reason": "OverQuota",
        "orgType": "PROJECT",
        "userMessage": workload.steering.message or f"project {workload.project.name} has no GPUs left in its quota",
    }
    return {**row, "pendingSchedulingMessages": [reason] if waits and is_known else None}


def events(workload: Workload, now: float, switches: Switches) -> list[Json]:
    """One event for each phase that it has been in, the oldest first."""
    involved = {
        "uid": workload.id,
        "kind": workload.kind.name,
        "name": workload.name,
        "namespace": workload.project.namespace,
    }
    return [
        {
            "createdAt": stamp(step.since + switches.clock_skew),
            "type": "Warning" if step.word in ("Failed", "Degraded") else "Normal",
            "clusterId": workload.project.cluster_id,
            "message": step.message or f"the workload is {step.word}",
            "reason": step.word,
            "source": "simulator",
            "id": str(uuid.uuid5(uuid.UUID(workload.id), f"{number}")),
            "involvedObject": involved,
        }
        for number, step in enumerate(workload.phases.until(now))
    ]


def history(workload: Workload, now: float, switches: Switches) -> list[Json]:
    """One record for each phase that it has been in, the oldest first."""
    return [
        {
            "meta": {"creationTimestamp": stamp(step.since + switches.clock_skew), "type": "PhaseUpdate"},
            "spec": {"phaseUpdate": {"phase": step.word, "phaseMessage": step.message}},
        }
        for step in workload.phases.until(now)
    ]


def pods(workload: Workload, now: float) -> list[Json]:
    """One pod for each that runs: name and phase are all that the simulator knows."""
    count = _running_pods(workload.phase(now)[0], workload.shape.pods)
    return [{"name": f"{workload.name}-{number}", "k8sPhase": "Running"} for number in range(count)]


def project_item(project: Project) -> Json:
    """One item of the projects list."""
    resources: list[Json] = []
    return {
        "id": project.id,
        "name": project.name,
        "clusterId": project.cluster_id,
        "parentId": DEPARTMENT_ID,
        "departmentId": DEPARTMENT_ID,
        "requestedNamespace": None,
        "enforceRunaiScheduler": False,
        "description": "",
        "createdAt": EPOCH,
        "updatedAt": EPOCH,
        "createdBy": "admin",
        "updatedBy": "admin",
        "status": {"namespace": project.namespace, "phase": "Ready", "phaseMessage": ""},
        "totalResources": {"gpuQuota": 8},
        "effective": {},
        "resources": resources,
    }


def cluster_item(cluster_id: str, name: str, *, connected: bool) -> Json:
    """One item of the clusters list."""
    return {
        "uuid": cluster_id,
        "tenantId": TENANT_ID,
        "name": name,
        "createdAt": EPOCH,
        "domain": f"{name}.example.com",
        "version": "2.25.0",
        "status": {"state": "Connected" if connected else "Disconnected", "conditions": []},
    }


def type_item(kind: Kind, clusters: list[str]) -> Json:
    """One registered kind."""
    priority = CATEGORIES[kind.category].priority
    return {
        "id": stable_id(f"type-{kind.group}-{kind.name}"),
        "name": kind.name,
        "group": kind.group,
        "categoryId": stable_id(f"category-{kind.category}"),
        "categoryName": kind.category,
        "priorityId": stable_id(f"priority-{priority}"),
        "priorityName": priority,
        "resourceInterfaces": [{"version": version, "resourceInterface": {}} for version in kind.versions],
        "clusterStatuses": [
            {"clusterId": cluster, "version": version, "phase": kind.phase, "conditions": [], "updatedAt": EPOCH}
            for cluster in clusters
            for version in kind.versions
        ],
    }
