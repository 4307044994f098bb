"""RunaiWorkloads as tests and the demo make and read them, over the plain Kubernetes API."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from controlplane import Client

API_VERSION = "bridge.run.ai/v1alpha1"
Object = dict[str, Any]
HANG_GUARD = 90.0


def manifest_of(kind: str = "Job", **annotations: str) -> Object:
    """A small manifest of a registered kind; `annotations` (with `_` for `.` and `/` unchanged) steer the simulator."""
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}]}}
    if kind == "Deployment":
        spec: Object = {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "x"}},
            "template": {"metadata": {"labels": {"app": "x"}}, **template},
        }
        api = "apps/v1"
    else:
        spec, api = {"template": template}, "batch/v1"
    made: Object = {"apiVersion": api, "kind": kind, "spec": spec}
    if annotations:
        made["metadata"] = {"annotations": annotations}
    return made


def workload(name: str, namespace: str, /, **spec: Any) -> Object:
    """A RunaiWorkload of a Job in team-a, unless `spec` says otherwise."""
    content = {"projectName": "team-a", **spec}
    if not {"manifest", "manifestYaml", "manifestFrom"} & content.keys() and "workloadId" not in content:
        content["manifest"] = manifest_of()
    if "projectId" in content:
        del content["projectName"]
    return {
        "apiVersion": API_VERSION,
        "kind": "RunaiWorkload",
        "metadata": {"name": name, "namespace": namespace},
        "spec": content,
    }


class Workloads:
    """The RunaiWorkloads of one namespace."""

    def __init__(self, client: Client, namespace: str) -> None:
        self.client, self.namespace = client, namespace
        self.collection = f"/apis/{API_VERSION}/namespaces/{namespace}/runaiworkloads"

    def path(self, name: str) -> str:
        return f"{self.collection}/{name}"

    def apply(self, name: str, /, **spec: Any) -> Object:
        return self.client.apply(workload(name, self.namespace, **spec))

    def get(self, name: str) -> Object:
        return self.client.get(self.path(name))

    def find(self, name: str) -> Object | None:
        return self.client.find(self.path(name))

    def patch(self, name: str, patch: Object) -> Object:
        return self.client.merge_patch(self.path(name), patch)

    def annotate(self, name: str, key: str, value: str | None) -> Object:
        return self.patch(name, {"metadata": {"annotations": {f"bridge.run.ai/{key}": value}}})

    def delete(self, name: str) -> None:
        self.client.delete(self.path(name))

    def all(self) -> list[Object]:
        return self.client.list_all(self.collection)

    def wait(self, name: str, until: Callable[[Object], Any], *, what: str = "", timeout: float = HANG_GUARD) -> Object:
        """The object once `until` holds for it; fails with its status otherwise."""
        deadline = time.monotonic() + timeout
        item: Object | None = None
        while time.monotonic() < deadline:
            item = self.find(name)
            if item is not None and until(item):
                return item
            time.sleep(0.05)
        raise AssertionError(f"{name}: {what or 'never'} within {timeout} s; status: {(item or {}).get('status')}")

    def wait_condition(self, name: str, kind: str, status: str, *, reason: str | None = None) -> Object:
        """The object once the condition has that status (and reason) for the current generation."""

        def holds(item: Object) -> bool:
            found = condition(item, kind)
            return (
                item["status"].get("observedGeneration") == item["metadata"]["generation"]
                and found is not None
                and found["status"] == status
                and reason in (None, found["reason"])
            )

        return self.wait(name, holds, what=f"{kind} is not {status} {reason or ''}")

    def wait_id(self, name: str) -> str:
        return str(self.wait(name, lambda item: item["status"].get("workloadId"), what="no id")["status"]["workloadId"])

    def wait_gone(self, name: str, *, timeout: float = HANG_GUARD) -> None:
        deadline = time.monotonic() + timeout
        while (item := self.find(name)) is not None:
            assert time.monotonic() < deadline, f"{name} is not gone; status: {item.get('status')}"
            time.sleep(0.05)


def condition(item: Object, kind: str) -> Object | None:
    found = [entry for entry in item.get("status", {}).get("conditions", ()) if entry["type"] == kind]
    return found[0] if found else None
