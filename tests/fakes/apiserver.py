"""A small Kubernetes API server on a real socket, for what a real one cannot be made to do.

It lists (in pages) and watches RunaiWorkloads as metadata or tables, answers discovery, checks tokens, and misbehaves as
told: `fault` sees every request first and may answer in the server's place. Loopback and plain HTTP only.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import yaml
from aiohttp import web

GROUP_PATH = "/apis/bridge.run.ai/v1alpha1"
COLLECTION = f"{GROUP_PATH}/runaiworkloads"
NAMESPACED = re.compile(f"{GROUP_PATH}/namespaces/[a-z]+/runaiworkloads")
"""Every namespace shows all objects."""
RESOURCES = {
    "/api/v1": ["namespaces"],
    "/apis/apiextensions.k8s.io/v1": ["customresourcedefinitions"],
    GROUP_PATH: ["runaiworkloads"],
}


def refusal(status: int, message: str = "", *, reason: str = "", headers: dict[str, str] | None = None, **details: Any):
    """An answer as Kubernetes words its errors."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status, "message": message}
    return web.json_response(body | {"reason": reason, "details": details}, status=status, headers=headers)


def an_object(name: str, *, version: int = 1, **metadata: Any) -> dict[str, Any]:
    """A RunaiWorkload with metadata and an empty spec; `spec` and `status` may be given beside metadata's fields."""
    parts = {part: metadata.pop(part) for part in ("spec", "status") if part in metadata}
    base = {"namespace": "team-a", "name": name, "uid": f"uid-{name}", "resourceVersion": str(version), "generation": 1}
    identity = {"apiVersion": "bridge.run.ai/v1alpha1", "kind": "RunaiWorkload"}
    return {**identity, "metadata": {**base, **metadata}, "spec": {}, **parts}


class FakeApiServer:
    """Use as an async context manager; everything public may be changed while it runs."""

    def __init__(self, directory: Path) -> None:
        self.kubeconfig = directory / "kubeconfig"
        self.token_file = directory / "token"
        self.tokens = {"first"}
        self.objects: dict[str, dict[str, Any]] = {}
        self.served = True
        self.version = 100
        self.fault: Callable[[web.Request], web.StreamResponse | None] = lambda _: None
        self.silent_at: str | None = None
        """Requests whose path begins so are never answered."""
        self.requests: list[web.Request] = []
        self.watches: list[asyncio.Queue[bytes | None]] = []
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self.token_file.write_text("first")
        self.write_kubeconfig()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def write_kubeconfig(self, url: str | None = None, **user: Any) -> None:
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "fake", "cluster": {"server": url or self.url}}],
            "users": [{"name": "fake", "user": user or {"tokenFile": str(self.token_file)}}],
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
            "current-context": "fake",
        }
        self.kubeconfig.write_text(yaml.safe_dump(config))

    def add(self, *names: str) -> None:
        for name in names:
            self.version += 1
            self.objects[name] = an_object(name, version=self.version)

    def emit(self, kind: str, obj: dict[str, Any]) -> None:
        """Send an event to every open watch."""
        self.emit_line(json.dumps({"type": kind, "object": obj}).encode())

    def emit_line(self, line: bytes) -> None:
        for queue in self.watches:
            queue.put_nowait(line + b"\n")

    def end_watches(self) -> None:
        for queue in self.watches:
            queue.put_nowait(None)

    def asked(self, path: str, **query: str) -> list[web.Request]:
        """The requests so far for this path with at least these parameters."""
        return [r for r in self.requests if r.path == path and query.items() <= r.query.items()]

    def lists(self) -> list[web.Request]:
        return [request for request in self.asked(COLLECTION) if "watch" not in request.query]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        if self.silent_at is not None and request.path.startswith(self.silent_at):
            await asyncio.Event().wait()
        if request.headers.get("Authorization", "").rpartition(" ")[2] not in self.tokens:
            return refusal(401, "Unauthorized")
        if (answer := self.fault(request)) is not None:
            return answer
        if (request.path == COLLECTION or NAMESPACED.fullmatch(request.path)) and self.served:
            return await (self._watch(request) if request.query.get("watch") == "true" else self._list(request))
        return self._discover(request)

    def _discover(self, request: web.Request) -> web.Response:
        groups = [path.split("/")[2:] for path in RESOURCES if path.startswith("/apis/")]
        if request.path == "/api":
            return web.json_response({"versions": ["v1"]})
        if request.path == "/apis":
            known = [(name, {"groupVersion": f"{name}/{version}", "version": version}) for name, version in groups]
            return web.json_response(
                {
                    "groups": [
                        {"name": name, "versions": [version], "preferredVersion": version}
                        for name, version in known
                        if self.served or name != "bridge.run.ai"
                    ]
                }
            )
        if request.path not in RESOURCES or (request.path == GROUP_PATH and not self.served):
            return web.Response(status=404, text="404 page not found\n")
        verbs = ["get", "list", "watch", "patch"]
        plurals = RESOURCES[request.path]
        resources = [
            {"name": name, "singularName": name[:-1], "kind": name.title(), "namespaced": True, "verbs": verbs}
            for name in plurals
        ]
        return web.json_response({"resources": resources})

    async def _list(self, request: web.Request) -> web.Response:
        start, limit = int(request.query.get("continue", 0)), int(request.query.get("limit", 500))
        names = sorted(self.objects)
        page = [self.objects[name] for name in names[start : start + limit]]
        meta: dict[str, Any] = {"resourceVersion": str(self.version)}
        if start + limit < len(names):
            meta["continue"] = str(start + limit)
        if "as=Table" in request.headers["Accept"]:
            rows = [{"cells": [item["metadata"]["name"]], "object": item} for item in page]
            columns = [{"name": "Phase"}]
            return web.json_response({"metadata": meta, "columnDefinitions": columns, "rows": rows or None})
        return web.json_response({"kind": "List", "metadata": meta, "items": page or None})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.watches.append(queue)
        try:
            while (line := await queue.get()) is not None:
                await response.write(line)
        finally:
            self.watches.remove(queue)
        return response
