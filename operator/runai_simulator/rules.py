"""What the control plane refuses, in its documented words."""

from __future__ import annotations

import re
from typing import Any

from runai_simulator.catalogue import CATEGORIES, PRIORITIES, Kind

Json = dict[str, Any]
_NAME = re.compile(r"[a-z][-a-z0-9]*")
_PREEMPTIBILITY = ("preemptible", "non-preemptible", "semi-preemptible")


class Refused(Exception):
    """An error answer: code and message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def check_name(name: object, *, prefix: bool) -> str:
    """The name. Raises `Refused`."""
    if not isinstance(name, str) or not name:
        raise Refused(400, "Workload name must not be empty")
    if len(name) > (57 if prefix else 63):
        raise Refused(400, "The length of a workload name must not exceed 63 characters")
    if not _NAME.fullmatch(name):
        raise Refused(
            400,
            "The workload name must consist of lower case alphanumeric characters or '-', and start with an alphabetic"
            " character.",
        )
    return name


def find_kind(manifest: Json, kinds: dict[tuple[str, str], Kind]) -> tuple[Kind, str]:
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
    return kind, version


def check_metadata(metadata: Json) -> None:
    """Priority, category and preemptibility. Raises `Refused`."""
    for field, known in (("category", CATEGORIES), ("priority", PRIORITIES)):
        value = metadata.get(field)
        if value is not None and value not in known:
            raise Refused(400, f"{field} '{value}' is not available in this cluster")
    preemptibility = metadata.get("preemptibility")
    if preemptibility is not None and preemptibility not in _PREEMPTIBILITY:
        raise Refused(400, f"preemptibility '{preemptibility}' is not supported")
