"""The baseline: an operator as the first pages of kopf's documentation lead to one. `kopf run naive.py` runs it.

Handlers for create, update and delete, and a timer for each object that reads its workload; kopf's storages and settings as
they are by default. It knows nothing of what may go wrong between two calls, and is not an example to follow.
"""

from __future__ import annotations

import os
from typing import Any

import httpx
import kopf

RESOURCE = "runaiworkloads.bridge.run.ai"
INTERVAL = 10.0
"""Seconds between two readings of a workload."""
URL = os.environ["RUNAI_BASE_URL"]
http: httpx.AsyncClient


@kopf.on.startup()
async def log_in(**_: Any) -> None:
    global http  # noqa: PLW0603 - as short examples do
    form = {
        "grant_type": "client_credentials",
        "client_id": os.environ["RUNAI_CLIENT_ID"],
        "client_secret": os.environ["RUNAI_CLIENT_SECRET"],
    }
    http = httpx.AsyncClient(base_url=URL, trust_env=False)
    answer = await http.post("/api/v2/token", data=form)
    http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


def content(spec: kopf.Spec) -> dict[str, Any]:
    if "manifest" in spec:
        return {"manifest": spec["manifest"]}
    import base64

    return {"manifestBase64Encoded": base64.b64encode(spec["manifestYaml"].encode()).decode()}


@kopf.on.create(RESOURCE)
async def create(name: str, spec: kopf.Spec, patch: kopf.Patch, **_: Any) -> None:
    body = {"metadata": {"name": name, "projectId": "1"}, **content(spec)}
    answer = await http.post("/api/v2/workloads", json=body)
    answer.raise_for_status()
    patch.status["workloadId"] = answer.json()["metadata"]["id"]


@kopf.on.update(RESOURCE, field="spec")
async def update(status: kopf.Status, spec: kopf.Spec, **_: Any) -> None:
    answer = await http.put(f"/api/v2/workloads/{status['workloadId']}", json=content(spec))
    answer.raise_for_status()


@kopf.on.delete(RESOURCE)
async def delete(status: kopf.Status, **_: Any) -> None:
    answer = await http.delete(f"/api/v2/workloads/{status['workloadId']}")
    if answer.status_code != 404:
        answer.raise_for_status()


@kopf.timer(RESOURCE, interval=INTERVAL)
async def show(status: kopf.Status, patch: kopf.Patch, **_: Any) -> None:
    if workload_id := status.get("workloadId"):
        answer = await http.get(f"/api/v1/workloads/{workload_id}")
        if answer.status_code == 200:
            patch.status["phase"] = answer.json()["phase"]
