"""Manifests of a size."""

from __future__ import annotations


def manifest_of(size: int) -> dict[str, object]:
    """Of about `size` bytes as JSON."""
    variables = [{"name": f"VARIABLE_{number}", "value": "x" * 40} for number in range(size // 72)]
    container = {"name": "main", "image": "busybox", "env": variables}
    return {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": {"containers": [container]}}}}
