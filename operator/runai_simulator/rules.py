"""What the control plane refuses, in its documented words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from runai_simulator import steering
from runai_simulator.catalogue import CATEGORIES, PRIORITIES, Kind

Json = dict[str, Any]
_NAME = re.compile(r"[a-z][-a-z0-9]*")
_PREEMPTIBILITY = ("preemptible", "non-preemptible", "semi-preemptible")
SUFFIX = 6
"""Length of what `useGivenNameAsPrefix` appends."""


class Refused(Exception):
    """An error answer: code and message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def check_name(name: object, *, prefix: bool) -> str:
    """The name. Raises `Refused`."""
    if not isinstance(name, str) or not name:
        raise Refused(400, "Workload name must not be empty")
    if len(name) > (63 - SUFFIX if prefix else 63):
        raise Refused(400, "The length of a workload name must not exceed 63 characters")
    if not _NAME.fullmatch(name):
        raise Refused(
            400,
            "The workload name must consist of lower case alphanumeric characters or '-', and start with an alphabetic"
            " character.",
        )
    return name


def find_kind(manifest: Json, kinds: Mapping[tuple[str, str], Kind], cluster_id: str) -> tuple[Kind, str]:
    """The registered kind and the version. Raises `Refused`."""
    for field in ("apiVersion", "kind"):
        if not isinstance(manifest.get(field), str) or not manifest[field]:
            raise Refused(400, f"missing required field: {field}")
    if not isinstance(manifest.get("metadata", {}), dict):
        raise Refused(400, "manifest metadata is not a valid map")
    group, _, version = manifest["apiVersion"].rpartition("/")
    kind = kinds.get((group, manifest["kind"]))
    if kind is None or version not in kind.versions:
        raise Refused(400, f"workload type not found for GVK: {group}/{version}/{manifest['kind']}")
    if kind.phase != "Ready":
        raise Refused(400, f"workload type is not ready in cluster {cluster_id} (phase: {kind.phase}) - []")
    return kind, version


def check_metadata(metadata: Json) -> None:
    """Priority, category and preemptibility. Raises `Refused`."""
    for field, known in (("category", CATEGORIES), ("priority", PRIORITIES)):
        value = metadata.get(field)
        if value is not None and (not isinstance(value, str) or value not in known):
            raise Refused(400, f"{field} '{value}' is not available in this cluster")
    preemptibility = metadata.get("preemptibility")
    if preemptibility is not None and preemptibility not in _PREEMPTIBILITY:
        raise Refused(400, f"preemptibility '{preemptibility}' is not supported")


def read_steering(manifest: Json) -> steering.Steering:
    """The simulator's own annotations. Raises `Refused`."""
    try:
        return steering.read(annotations_of(manifest))
    except ValueError as problem:
        raise Refused(400, f"simulator: {problem}") from None


def annotations_of(manifest: Json) -> Json:
    """The annotations of a manifest, as far as it has any that can be read."""
    metadata = manifest.get("metadata")
    found = metadata.get("annotations") if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}
