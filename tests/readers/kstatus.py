"""kstatus, by which Helm 4 and Flux wait (cli-utils, pkg/kstatus/status: generic.go and status.go)."""

from __future__ import annotations

from readers import Json


def status_of(item: Json) -> str:
    """`Terminating`, `InProgress`, `Failed` or `Current`, for a kind that kstatus has no rules of its own for."""
    metadata, status = item["metadata"], item.get("status") or {}
    if metadata.get("deletionTimestamp"):
        return "Terminating"
    if "observedGeneration" in status and status["observedGeneration"] != metadata["generation"]:
        return "InProgress"
    conditions = status.get("conditions") or []
    for entry in conditions:
        if entry["type"] == "Reconciling" and entry["status"] == "True":
            return "InProgress"
        if entry["type"] == "Stalled" and entry["status"] == "True":
            return "Failed"
    for entry in conditions:
        if entry["type"] == "Ready":
            return "Current" if entry["status"] == "True" else "InProgress"
    return "Current"
