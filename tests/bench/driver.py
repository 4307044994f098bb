"""What the bench does to RunaiWorkloads, and how it looks at them, at little cost to the machine that it shares with what it
measures."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
import yaml

from controlplane import ControlPlane
from controlplane.client import tls_context
from stack import manifest_of
from stack.processes import CLIENT_ID, CLIENT_SECRET, Runai

PARALLEL = 16
PAGE = 2000
PATIENCE = 1800.0
"""Seconds after which something is called hanging."""
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
MERGE = {"Content-Type": "application/merge-patch+json"}
Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """One RunaiWorkload as a table shows it."""

    name: str
    workload_id: str | None
    ready: str | None
    synced: str | None
    phase: str | None
    deleting: bool


@dataclass(frozen=True, slots=True)
class Form:
    """How large manifests are, and whether they come as YAML text."""

    size: int = 4096
    as_yaml: bool = False

    def spec(self, mark: str = "") -> Object:
        """`mark` makes another manifest of it."""
        manifest = manifest_of("Deployment")
        variables = [{"name": f"VARIABLE_{number}", "value": "x" * 40} for number in range(self.size // 72)]
        manifest["spec"]["template"]["spec"]["containers"][0]["env"] = [*variables, {"name": "MARK", "value": mark}]
        content = {"manifestYaml": yaml.safe_dump(manifest)} if self.as_yaml else {"manifest": manifest}
        return {"projectName": "team-a", **content}

    def __str__(self) -> str:
        return f"{self.size // 1024} KiB{' as YAML' if self.as_yaml else ''}"


class Driver:
    """Sixteen calls at a time, as the cluster's administrator."""

    collection = "/apis/bridge.run.ai/v1alpha1/namespaces/default/runaiworkloads"

    def __init__(self, plane: ControlPlane, session: aiohttp.ClientSession) -> None:
        self._url, self.session = f"{plane.url}{self.collection}", session

    @classmethod
    @asynccontextmanager
    async def of(cls, plane: ControlPlane) -> AsyncIterator[Self]:
        config = yaml.safe_load(plane.kubeconfig.read_text())
        tls = tls_context(config["clusters"][0]["cluster"], config["users"][0]["user"])
        connector = aiohttp.TCPConnector(ssl=tls, limit=PARALLEL)
        async with aiohttp.ClientSession(connector=connector, headers={"User-Agent": "bench"}) as session:
            yield cls(plane, session)

    async def create(self, name: str, spec: Object, **metadata: Any) -> str:
        """Gives its UID."""
        item = self.item(name, spec)
        item["metadata"] |= metadata
        return str(json.loads(await self._call("POST", "", json=item))["metadata"]["uid"])

    def item(self, name: str, spec: Object) -> Object:
        return {
            "apiVersion": "bridge.run.ai/v1alpha1",
            "kind": "RunaiWorkload",
            "metadata": {"name": name},
            "spec": spec,
        }

    async def get(self, name: str) -> Object:
        found: Object = json.loads(await self._call("GET", f"/{name}"))
        return found

    async def patch(self, name: str, patch: Object, part: str = "") -> None:
        await self._call("PATCH", f"/{name}{part}", data=json.dumps(patch), headers=MERGE)

    async def delete(self, name: str) -> None:
        await self._call("DELETE", f"/{name}")

    async def all(self) -> list[Seen]:
        """Read as a table, from the API server's cache, so that looking costs it little."""
        found: list[Seen] = []
        columns: list[str] = []
        query = {"limit": str(PAGE), "includeObject": "Metadata"}
        while True:
            async with self.session.get(self._url, params=query, headers={"Accept": TABLE}) as answer:
                answer.raise_for_status()
                page = json.loads(await answer.read())
            columns = [column["name"] for column in page.get("columnDefinitions") or ()] or columns
            found += [_seen(dict(zip(columns, row["cells"], strict=True)), row["object"]) for row in page["rows"] or ()]
            token = page["metadata"].get("continue")
            if not token:
                return found
            query["continue"] = token

    async def changes(self) -> AsyncIterator[tuple[float, Seen]]:
        """What a watch shows from now on, with the moment at which it came, on the monotonic clock."""
        async with aclosing(self._watch(await self._version())) as shown:
            async for _, seen in shown:
                yield time.monotonic(), seen

    async def _watch(self, version: str) -> AsyncIterator[tuple[str, Seen]]:
        """Events with their types, until the API server ends it."""
        query = {"watch": "true", "includeObject": "Metadata", "resourceVersion": version}
        timeout = aiohttp.ClientTimeout(total=None)
        columns: list[str] = []
        async with self.session.get(self._url, params=query, headers={"Accept": TABLE}, timeout=timeout) as answer:
            answer.raise_for_status()
            async for line in answer.content:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                table = event["object"]
                columns = [column["name"] for column in table.get("columnDefinitions") or ()] or columns
                for row in table["rows"] or ():
                    yield event["type"], _seen(dict(zip(columns, row["cells"], strict=True)), row["object"])

    async def _version(self) -> str:
        async with self.session.get(self._url, params={"limit": "1"}, headers={"Accept": TABLE}) as answer:
            return str(json.loads(await answer.read())["metadata"]["resourceVersion"])

    async def until(self, holds: Callable[[list[Seen]], bool]) -> float:
        """When it first held for all that is there, on the monotonic clock.

        Followed by a watch: to list a thousand again and again takes a third of a core, which what is measured then lacks."""
        async with asyncio.timeout(PATIENCE):
            while True:
                version = await self._version()
                there = {each.name: each for each in await self.all()}
                if holds(list(there.values())):
                    return time.monotonic()
                async with aclosing(self._watch(version)) as shown:
                    async for kind, seen in shown:
                        if kind == "DELETED":
                            there.pop(seen.name, None)
                        else:
                            there[seen.name] = seen
                        if holds(list(there.values())):
                            return time.monotonic()

    async def _call(self, method: str, path: str, **more: Any) -> bytes:
        async with self.session.request(method, self._url + path, **more) as answer:
            body = await answer.read()
            if answer.status >= 400:
                raise AssertionError(f"{method} {path}: {answer.status} {body[:500]!r}")
            return body


def _seen(cells: Object, item: Object) -> Seen:
    metadata = item["metadata"]
    return Seen(
        metadata["name"],
        cells["Workload ID"],
        cells["Ready"],
        cells["Synced"],
        cells["Phase"],
        "deletionTimestamp" in metadata,
    )


async def in_parallel(act: Callable[[str], Any], names: Iterable[str], *, a_second: float = math.inf) -> None:
    """Does it for each name, sixteen at a time, no more than so many a second."""
    left, began, done = iter(names), time.monotonic(), 0

    async def some() -> None:
        nonlocal done
        for name in left:
            done += 1
            await asyncio.sleep(max(0.0, began + done / a_second - time.monotonic()))
            await act(name)

    await asyncio.gather(*(some() for _ in range(PARALLEL)))


# --- the raw script


@asynccontextmanager
async def raw_runai(runai_url: str) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    """A session that may call Run:ai."""
    form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    async with aiohttp.ClientSession() as plain, plain.post(f"{runai_url}/api/v2/token", data=form) as answer:
        token = (await answer.json())["access_token"]
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
        yield session, f"{runai_url}/api/v2/workloads"


async def raw_create(driver: Driver, http: aiohttp.ClientSession, url: str, name: str, form: Form) -> str:
    """Object, finalizer, POST, status: the four calls that cannot be left out."""
    spec = form.spec()
    await driver.create(name, spec)
    await driver.patch(name, {"metadata": {"finalizers": ["example.com/raw"]}})
    manifest = spec.get("manifest") or yaml.safe_load(spec["manifestYaml"])
    body = {"metadata": {"name": name, "projectId": "1"}, "manifest": manifest}
    async with http.post(url, json=body) as done:
        done.raise_for_status()
        made = str((await done.json())["metadata"]["id"])
    await driver.patch(name, {"status": {"workloadId": made, "observedGeneration": 1}}, "/status")
    return made


async def raw_delete(driver: Driver, http: aiohttp.ClientSession, url: str, name: str, workload_id: str) -> None:
    """DELETE of the object, DELETE of the workload, a look whether it is gone, and the finalizer."""
    await driver.delete(name)
    async with http.delete(f"{url}/{workload_id}") as done:
        done.raise_for_status()
    while True:
        async with http.get(f"{url}/{workload_id}") as answer:
            if answer.status == 404:
                break
        await asyncio.sleep(0.2)
    await driver.patch(name, {"metadata": {"finalizers": None}})


def ids_of(runai: Runai) -> dict[str, str]:
    """The id of each live workload, by its name."""
    return {entry["name"]: entry["id"] for entry in runai.live()}
