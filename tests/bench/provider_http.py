"""Crossplane's provider-http as a contender: the closest peer, a custom resource that makes calls to a REST API.

`PROVIDER_HTTP` names its binary, `go build ./cmd/provider` in a checkout of github.com/crossplane-contrib/provider-http, and
`PROVIDER_HTTP_CRDS` the folder `package/crds` of that checkout. It runs with its defaults. It knows no phases, and no tokens that
end: it is measured in a burst, at rest and at deletion, with one token of the simulator in a Secret. It calls an object Ready once
it has read the workload.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import httpx
import yaml

from bench.contenders import Contender
from bench.driver import PATIENCE, Driver, Object, Seen
from controlplane import ControlPlane
from stack import Simulator
from stack.processes import CLIENT_ID, CLIENT_SECRET, Process

BINARY, CRDS = "PROVIDER_HTTP", "PROVIDER_HTTP_CRDS"
GROUP = "http.m.crossplane.io"
SECRET = "runai-token"
ID = "((.response.body.metadata.id // .response.body.workload.metadata.id) | tostring)"
ID_IN_ANSWER = re.compile(r'"id": ?"([0-9a-f-]{36})"')
SAME = ".response.body.workload.rawManifest == .payload.body.manifest"
GONE = '.response.statusCode == 404 or (.response.body.syncInfo.status // "") == "Deleted"'


class Requests(Driver):
    """RunaiWorkloads as Requests with the same content."""

    collection = f"/apis/{GROUP}/v1alpha2/namespaces/default/requests"
    workloads_url = ""
    """Of Run:ai."""

    @classmethod
    @asynccontextmanager
    async def beside(cls, plane: ControlPlane, runai: Simulator) -> AsyncIterator[Self]:
        async with cls.of(plane) as driver:
            driver.workloads_url = f"{runai.url}/api/v2/workloads"
            yield driver

    def item(self, name: str, spec: Object) -> Object:
        manifest = spec.get("manifest") or yaml.safe_load(spec["manifestYaml"])
        body = {"metadata": {"name": name, "projectId": "1"}, "manifest": manifest}
        return {
            "apiVersion": f"{GROUP}/v1alpha2",
            "kind": "Request",
            "metadata": {"name": name},
            "spec": request(self.workloads_url, body),
        }

    async def all(self) -> list[Seen]:
        """Read in full, since no column shows the id: what it knows of a workload is the last answer, as text."""
        return [_seen(item) for item in json.loads(await self._call("GET", ""))["items"]]

    async def until(self, holds: Callable[[list[Seen]], bool]) -> float:
        """By lists, for the same reason."""
        async with asyncio.timeout(PATIENCE):
            while True:
                began = time.monotonic()
                seen = await self.all()
                now = time.monotonic()
                if holds(seen):
                    return now
                await asyncio.sleep(max(0.25, (now - began) * 2))


def _seen(item: Object) -> Seen:
    status = item.get("status") or {}
    conditions = {condition["type"]: condition["status"] for condition in status.get("conditions", ())}
    answer = status.get("response") or {}
    found = ID_IN_ANSWER.search(answer.get("body") or "") if answer.get("statusCode", 0) < 400 else None
    return Seen(
        item["metadata"]["name"],
        found and found[1],
        conditions.get("Ready"),
        conditions.get("Synced"),
        None,
        "deletionTimestamp" in item["metadata"],
    )


def request(url: str, body: Object) -> Object:
    """The spec of a Request that keeps one workload."""
    one = f'.payload.baseUrl + "/" + {ID}'
    content = "{metadata: .payload.body.metadata, manifest: .payload.body.manifest}"
    return {
        "providerConfigRef": {"name": "bench", "kind": "ProviderConfig"},
        "forProvider": {
            "waitTimeout": "30s",
            "headers": {
                "Content-Type": ["application/json"],
                "Authorization": [f"Bearer {{{{ {SECRET}:default:token }}}}"],
            },
            "payload": {"baseUrl": url, "body": json.dumps(body)},
            "mappings": [
                {"action": "CREATE", "url": ".payload.baseUrl", "body": content},
                {"action": "OBSERVE", "url": one},
                {"action": "UPDATE", "url": one, "body": "{manifest: .payload.body.manifest}"},
                {"action": "REMOVE", "url": one},
            ],
            "expectedResponseCheck": {"type": "CUSTOM", "logic": SAME},
            "isRemovedCheck": {"type": "CUSTOM", "logic": GONE},
        },
    }


def configuration(runai_url: str) -> list[Object]:
    """What it needs beside its CRDs: its own configuration, and a token of the simulator."""
    form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    token = (
        httpx.post(f"{runai_url}/api/v2/token", data=form, trust_env=False).raise_for_status().json()["access_token"]
    )
    return [
        {
            "apiVersion": f"{GROUP}/v1alpha2",
            "kind": "ProviderConfig",
            "metadata": {"name": "bench", "namespace": "default"},
            "spec": {"credentials": {"source": "None"}},
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": SECRET, "namespace": "default"},
            "stringData": {"token": token},
        },
    ]


def provider_http() -> Contender:
    """Raises `LookupError`, which says what of the environment is missing."""
    found = {name: os.environ.get(name, "") for name in (BINARY, CRDS)}
    for name, path in found.items():
        if not Path(path or "/nowhere").exists():
            raise LookupError(f"{name} names nothing that is there" if path else f"{name} is not set")
    binary = Path(found[BINARY])

    def start(directory: Path, plane: ControlPlane, runai: Simulator) -> Process:
        for item in configuration(runai.url):
            plane.client.apply(item)
        return Process([str(binary)], env={"KUBECONFIG": str(plane.kubeconfig)}, log=directory / "provider-http.log")

    def wait_ready(process: Process) -> None:
        process.wait_until("metrics", _listens)

    return Contender(
        "provider-http",
        Path(found[CRDS]),
        start,
        wait_ready,
        is_ready=lambda seen: seen.ready == "True",
        agent=f"{binary.name}/",
        shows_phases=False,
        drive=Requests.beside,
    )


def _listens() -> bool:
    """At the port of its metrics, which cannot be chosen."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", 8080), timeout=1):
        return True
    return False
