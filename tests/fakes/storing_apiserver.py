"""The fake API server with a memory: RunaiWorkloads that can be read and patched under guard, and every PATCH kept."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from fakes.apiserver import GROUP_PATH, FakeApiServer, an_object, refusal

CRD_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/runaiworkloads.bridge.run.ai"


@dataclass(frozen=True, slots=True)
class Patch:
    path: str
    body: dict[str, Any]

    @property
    def is_of_status(self) -> bool:
        return self.path.endswith("/status")

    @property
    def version(self) -> str | None:
        """The one that it is guarded by."""
        return (self.body.get("metadata") or {}).get("resourceVersion")


class StoringApiServer(FakeApiServer):
    """All objects are in namespace team-a."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.patches: list[Patch] = []
        """All that arrived, whatever they were answered."""

    def put(self, name: str, **parts: Any) -> dict[str, Any]:
        """A new object, or other parts of one that exists: as people do, by a new generation."""
        known = self.objects.get(name)
        made = known or an_object(name, status={"observedGeneration": -1})
        if known is not None:
            made["metadata"]["generation"] += 1
        made.update(parts)
        return self._store(name, made)

    def delete(self, name: str) -> dict[str, Any]:
        """Asked for by a person; it goes when its finalizers have gone."""
        made = self.objects[name]
        made["metadata"]["deletionTimestamp"] = "2026-06-01T12:00:00Z"
        made["metadata"]["generation"] += 1
        return self._store(name, made)

    def _store(self, name: str, made: dict[str, Any]) -> dict[str, Any]:
        self.version += 1
        made["metadata"]["resourceVersion"] = str(self.version)
        self.objects[name] = made
        if made["metadata"].get("deletionTimestamp") and not made["metadata"].get("finalizers"):
            del self.objects[name]
        return made

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.method == "PATCH":
            self.patches.append(Patch(request.path, await request.json()))
        return await super()._answer(request)

    def _discover(self, request: web.Request) -> web.Response:
        if request.path == CRD_PATH:
            return web.json_response({"metadata": {"name": "runaiworkloads.bridge.run.ai"}})
        own, _, name = request.path.removesuffix("/status").rpartition("/")
        if own != f"{GROUP_PATH}/namespaces/team-a/runaiworkloads":
            return super()._discover(request)
        if (found := self.objects.get(name)) is None:
            return refusal(404, reason="NotFound")
        return web.json_response(found) if request.method == "GET" else self._patch(name, found)

    def _patch(self, name: str, found: dict[str, Any]) -> web.Response:
        patch = self.patches[-1]
        if patch.version not in (None, found["metadata"]["resourceVersion"]):
            return refusal(409, "the object has been modified", reason="Conflict")
        made = json.loads(json.dumps(found))
        if patch.is_of_status:
            merged = {**made["status"], **patch.body["status"]}
            made["status"] = {key: value for key, value in merged.items() if value is not None}
        else:
            made["metadata"]["finalizers"] = patch.body["metadata"]["finalizers"]
        return web.json_response(self._store(name, made))
