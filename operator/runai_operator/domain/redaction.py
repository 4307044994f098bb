"""What of an object may leave the cluster in a support archive: fields that are named here, and no others.

Nothing that a person or Run:ai wrote freely is among them: no manifest, label, annotation, message, argument or address that
may hold a password.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from runai_operator.domain.model import GROUP, Json

_METADATA = ("namespace", "name", "uid", "generation", "creationTimestamp", "deletionTimestamp", "finalizers")
_SPEC = (
    "projectName", "projectId", "clusterId", "name", "namePrefix", "priority", "category", "preemptibility", "mnnvl", "workloadId",
    "deletionPolicy", "managementPolicy", "recreatePolicy", "rerunPolicy", "externalDeletionPolicy",
)  # fmt: skip
_MANIFESTS = ("manifest", "manifestYaml", "manifestFrom")
_STATUS = (
    "observedGeneration", "workloadId", "adoptedId", "workloadName", "projectId", "projectName", "clusterId", "gvk", "priority",
    "category", "preemptibility", "desiredPhase", "syncStatus", "phase", "runningPods", "requestedPods", "allocatedGpus",
    "createdAt", "completedAt", "ownerUid", "submission",
)  # fmt: skip
_CONDITION = ("type", "status", "reason", "observedGeneration", "lastTransitionTime")


def workload(item: Mapping[str, Any]) -> Json:
    """A RunaiWorkload: identity, choices, and how it fares; of its manifest only the kind, and how it is given."""
    metadata, spec, status = (_mapping(item.get(part)) for part in ("metadata", "spec", "status"))
    annotations = sorted(key for key in _mapping(metadata.get("annotations")) if key.startswith(f"{GROUP}/"))
    conditions = [_only(one, _CONDITION) for one in status.get("conditions") or () if isinstance(one, Mapping)]
    return {
        "metadata": _only(metadata, _METADATA) | ({"annotations of ours": annotations} if annotations else {}),
        "spec": _only(spec, _SPEC) | {"given as": [field for field in _MANIFESTS if spec.get(field) is not None]},
        "status": _only(status, _STATUS) | {"conditions": conditions},
    }


def deployment(item: Mapping[str, Any], environment: Mapping[str, str], public: Collection[str]) -> Json:
    """The operator's Deployment; `public`: the variables of `environment` whose values may be shown."""
    metadata, spec, status = (_mapping(item.get(part)) for part in ("metadata", "spec", "status"))
    containers = _mapping(_mapping(spec.get("template")).get("spec")).get("containers") or ()
    return {
        "metadata": _only(metadata, _METADATA),
        "replicas": spec.get("replicas"),
        "containers": [_only(one, ("name", "image", "resources")) for one in containers],
        "status": _only(status, ("replicas", "readyReplicas", "updatedReplicas", "observedGeneration")),
        "environment": {name: value if name in public else "(set)" for name, value in sorted(environment.items())},
    }


def crd(item: Mapping[str, Any]) -> Json:
    """The CustomResourceDefinition without its schema."""
    metadata, spec, status = (_mapping(item.get(part)) for part in ("metadata", "spec", "status"))
    return {
        "metadata": _only(metadata, _METADATA),
        "versions": [_only(one, ("name", "served", "storage")) for one in spec.get("versions") or ()],
        "conditions": [_only(one, _CONDITION) for one in status.get("conditions") or ()],
        "storedVersions": status.get("storedVersions"),
    }


def _only(item: Mapping[str, Any], fields: Collection[str]) -> Json:
    return {field: item[field] for field in fields if item.get(field) is not None}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
