"""Put an object of the combinations on a real API server, the way the operator does."""

from __future__ import annotations

from controlplane import Client
from readers import Json
from readers.argo import Argo
from readers.combinations import Pass, cases, passes, row_of, settled_status
from runai_operator.domain.actions import Result, Verdict
from runai_operator.domain.model import FINALIZER, GROUP, KIND, VERSION
from runai_operator.kube.client import FIELD_MANAGER

MERGE = "application/merge-patch+json"


def workload(name: str, namespace: str, **spec: object) -> Json:
    """A RunaiWorkload as it lies in Git, with the empty values that tools tend to trip over."""
    pod = {
        "restartPolicy": "Never",
        "containers": [{"name": "main", "image": "busybox", "args": [], "resources": {}}],
        "volumes": [{"name": "scratch", "emptyDir": {}}],
    }
    manifest = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"backoffLimit": 2, "template": {"spec": pod}}}
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"projectName": "team-a", "manifest": manifest, **spec},
    }


class LiveObject:
    """One RunaiWorkload on an API server, and the operator's two ways of writing to it."""

    def __init__(self, client: Client, item: Json) -> None:
        self._client, self.path = client, client.path_of(item)
        self.namespace: str = item["metadata"]["namespace"]

    def read(self) -> Json:
        return self._client.get(self.path)

    def delete(self) -> None:
        """Ask for the deletion; the finalizer holds the object."""
        self._client.delete(self.path)

    def release(self) -> None:
        self._write(self.path, {"metadata": {"finalizers": None}})

    def add_finalizer(self) -> Json:
        return self._write(self.path, {"metadata": {"finalizers": [FINALIZER]}})

    def write_status(self, status: Json) -> Json:
        """`status` in the place of what there is, told of the generation that the object has now."""
        live = self.read()
        told = at_generation(status, live["metadata"]["generation"])
        removed = {key: None for key in live.get("status", {}) if key not in told}
        return self._write(f"{self.path}/status", {"status": removed | told})

    def _write(self, path: str, patch: Json) -> Json:
        params = {"fieldManager": FIELD_MANAGER}
        return self._client.request("PATCH", path, params=params, body=patch, content_type=MERGE)


def at_generation(status: Json, generation: int) -> Json:
    conditions = [entry | {"observedGeneration": generation} for entry in status["conditions"]]
    return status | {"observedGeneration": generation, "conditions": conditions}


def life() -> list[Json]:
    """The statuses of a workload from its submission to its end, with what may go wrong in between."""
    shown: list[tuple[str | None, str | None]] = [(None, None), (None, "Queued"), (None, "Applying"), (None, "Synced")]
    shown += [(phase, "Synced") for phase in ("Creating", "Pending", "Initializing", "Running", "Degraded", "Running")]
    ends = [Pass(Result(Verdict.IN_SYNC), phase, sync) for phase, sync in shown]
    ends.append(Pass(Result(Verdict.IN_SYNC), "Completed", "Synced"))
    return [settled_status(one)[1] for one in ends]


def one_of_each_row() -> dict[str, Json]:
    """A written status for each row of the status table that has one."""
    ends = {row_of(settled): settled for settled in passes()}
    return {row: settled_status(settled)[1] for row, settled in ends.items()}


def one_of_each_reason() -> dict[str, Json]:
    """A written status for each reason of Ready, and for both kinds of Ready."""
    found: dict[str, Json] = {}
    for case in cases():
        if case.written:
            ready = case.item["status"]["conditions"][0]
            found[f"{ready['reason']} {ready['status']} {case.row}"] = case.item["status"]
    return found


def act(client: Client, argo: Argo, action: str, item: Json) -> Json:
    """One of Argo CD's actions as its API server does it: the merge patch between the object and what the script left."""
    before = client.get(client.path_of(item))
    patch = _merge_patch(before, argo.act(action, before))
    return client.request(
        "PATCH",
        client.path_of(item),
        params={"fieldManager": "argocd-server"},
        body=patch,
        content_type=MERGE,
    )


def _merge_patch(old: Json, new: Json) -> Json:
    patch: Json = {key: None for key in old if key not in new}
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(old.get(key), dict):
            if inner := _merge_patch(old[key], value):
                patch[key] = inner
        elif value != old.get(key):
            patch[key] = value
    return patch
