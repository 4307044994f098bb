"""The routes: the part of Run:ai's REST API that the operator uses, and an admin endpoint of the simulator's own."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import time
import urllib.parse
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from email.utils import formatdate
from typing import Any

import yaml
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runai_simulator import filters, views
from runai_simulator.catalogue import (
    CATEGORIES,
    CLUSTERS,
    DEPARTMENT_ID,
    DEPARTMENT_NAME,
    EPOCH,
    KINDS,
    PRIORITIES,
    TENANT_ID,
    Project,
    stable_id,
)
from runai_simulator.faults import App, Fault, Faults, Receive, Scope, Send
from runai_simulator.rules import Refused
from runai_simulator.switches import Switches
from runai_simulator.world import Workload, World

Json = dict[str, Any]

ENCODED_LIMIT = 2_097_152
OWNER = "bridge.run.ai/owner-"


class Simulator:
    """One control plane: its world, its faults and its counters. `app` is what a server serves."""

    def __init__(
        self, switches: Switches | None = None, *, seed: int | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        """`clock` gives seconds since the epoch."""
        self._clock = clock
        self.world = World(switches, seed=seed)
        self.counters: Counter[tuple[str, str, int]] = Counter()
        self._tokens: dict[str, float] = {}
        self.skew = 0.0
        """Seconds by which this control plane's clock is ahead."""
        routed = Starlette(routes=self._routes(), middleware=[Middleware(_Counted, simulator=self)])
        self.faults = Faults(routed, seed=seed)
        self.app: App = self.faults

    @property
    def now(self) -> float:
        return self._clock() + self.skew

    def _routes(self) -> list[Route]:
        return [
            Route("/api/v2/token", self._token_v2, methods=["POST"]),
            Route("/api/v1/token", self._token_v1, methods=["POST"]),
            self._route("/api/v2/workloads", POST=self._create),
            self._route("/api/v2/workloads/{id}", GET=self._get, PUT=self._update, DELETE=self._delete),
            self._route("/api/v1/workloads", GET=self._list),
            self._route("/api/v1/workloads/{id}", GET=self._detail),
            self._route("/api/v1/workloads/{id}/events", GET=self._events),
            self._route("/api/v1/workloads/{id}/history", GET=self._history),
            self._route("/api/v1/workloads/{id}/pods", GET=self._pods),
            self._route("/api/v1/org-unit/projects", GET=self._projects),
            self._route("/api/v1/org-unit/departments", GET=self._departments),
            self._route("/api/v1/clusters", GET=self._clusters),
            self._route("/api/v1/clusters/minimal", GET=self._clusters),
            self._route("/api/v1/workload-types", GET=self._types),
            self._route("/api/v1/workload-categories", GET=self._categories),
            self._route("/api/v1/workload-priorities", GET=self._priorities),
            Route("/_admin/workloads", self._admin_workloads, methods=["GET"]),
            Route("/_admin/workloads/{id}", self._admin_workload, methods=["GET", "POST", "DELETE"]),
            Route("/_admin/counters", self._admin_counters, methods=["GET", "DELETE"]),
            Route("/_admin/faults", self._admin_faults, methods=["GET", "POST", "DELETE"]),
            Route("/_admin/switches", self._admin_switches, methods=["GET", "POST"]),
            Route("/_admin/clock", self._admin_clock, methods=["POST"]),
            Route("/_admin/tokens", self._admin_tokens, methods=["DELETE"]),
            Route("/_admin/projects", self._admin_projects, methods=["POST"]),
        ]

    def _route(self, path: str, **handlers: Callable[[Request], Awaitable[Response]]) -> Route:
        """A route of the API: bearer token first, refusals as documented errors."""

        async def handle(request: Request) -> Response:
            if not self._is_known(request):
                return error(401, "Issuer is not familiar.")
            try:
                return await handlers[request.method](request)
            except Refused as refused:
                return error(refused.code, refused.message)

        return Route(path, handle, methods=list(handlers))

    # --- tokens

    def _is_known(self, request: Request) -> bool:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self._tokens.get(token, 0) > self._clock()

    def _new_token(self) -> tuple[str, int]:
        lifetime = self.world.switches.token_lifetime
        claims = {"exp": int(self.now + lifetime), "jti": secrets.token_hex(8)}
        token = (
            ".".join(_base64url(json.dumps(part)) for part in ({"alg": "none", "typ": "JWT"}, claims)) + ".simulated"
        )
        self._tokens[token] = self._clock() + lifetime
        return token, int(lifetime)

    async def _token_v2(self, request: Request) -> Response:
        if not self.world.switches.token_v2:
            return error(404, "Not Found")
        form = dict(urllib.parse.parse_qsl((await request.body()).decode(errors="replace")))
        if form.get("grant_type") != "client_credentials":
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        if not form.get("client_id") or not form.get("client_secret") or form["client_secret"] == "wrong":  # noqa: S105 - refused on purpose
            return JSONResponse({"error": "invalid_client", "error_description": "unknown client"}, 401)
        token, lifetime = self._new_token()
        return JSONResponse({"access_token": token, "token_type": "Bearer", "expires_in": lifetime})

    async def _token_v1(self, request: Request) -> Response:
        body = _object(await request.body())
        client = body.get("clientID") or body.get("clientId") or body.get("AppId")
        secret = body.get("clientSecret") or body.get("AppSecret")
        if body.get("grantType") not in ("client_credentials", "app_token"):
            return error(400, "unsupported grant type")
        if not client or not secret or secret == "wrong":  # noqa: S105 - refused on purpose
            return error(400, "invalid client")
        token, lifetime = self._new_token()
        return JSONResponse({"accessToken": token, "expiresIn": lifetime})

    # --- V2

    async def _create(self, request: Request) -> Response:
        body = _object(await request.body())
        metadata = body.get("metadata")
        if not isinstance(metadata, dict):
            raise Refused(400, "Failed to read request body")
        manifest = _manifest(body)
        if manifest is None:
            raise Refused(400, "a manifest must be provided")
        world, now = self.world, self.now
        if request.query_params.get("dryRun") == "true" and world.switches.dry_run:
            world.validate(metadata, manifest, now)
            return JSONResponse({}, 202)
        return JSONResponse(views.v2_workload(world.create(metadata, manifest, now), world.switches), 202)

    async def _get(self, request: Request) -> Response:
        return JSONResponse(views.v2_read(self._found(request), self.now, self.world.switches))

    async def _update(self, request: Request) -> Response:
        workload = self._found(request)
        body = _object(await request.body())
        self.world.update(workload, body.get("metadata") or {}, _manifest(body), self.now)
        return JSONResponse(views.v2_workload(workload, self.world.switches), 202)

    async def _delete(self, request: Request) -> Response:
        workload = self._found(request)
        self.world.delete(workload, self.now)
        return JSONResponse(views.v2_workload(workload, self.world.switches), 202)

    def _found(self, request: Request) -> Workload:
        workload = self.world.find(request.path_params["id"], self.now)
        if workload is None:
            raise Refused(404, "The requested workload was not found")
        return workload

    # --- v1

    async def _list(self, request: Request) -> Response:
        now, switches = self.now, self.world.switches
        deleted = request.query_params.get("deleted") == "true"
        seen = now - switches.list_lag
        rows = [views.v1_row(workload, seen, switches) for workload in self.world.listed(now, deleted=deleted)]
        return _page("workloads", *filters.select(rows, request.query_params, filters.WORKLOAD_FIELDS))

    def _found_v1(self, request: Request) -> Workload:
        workload = self.world.find_v1(request.path_params["id"], self.now)
        if workload is None:
            raise Refused(404, "The requested workload was not found")
        return workload

    async def _detail(self, request: Request) -> Response:
        return JSONResponse(views.v1_detail(self._found_v1(request), self.now, self.world.switches))

    async def _events(self, request: Request) -> Response:
        workload = self._found_v1(request)
        event = {
            "createdAt": views.stamp(workload.created),
            "type": "Normal",
            "clusterId": workload.project.cluster_id,
            "message": "the workload was submitted",
            "reason": "Submitted",
            "source": "simulator",
            "id": stable_id(workload.id),
        }
        return _page("events", [event], None)

    async def _history(self, request: Request) -> Response:
        phase, message, since = self._found_v1(request).phase(self.now, self.world.switches)
        meta = {"creationTimestamp": views.stamp(since), "type": "PhaseUpdate"}
        record = {"meta": meta, "spec": {"phaseUpdate": {"phase": phase, "phaseMessage": message}}}
        return _page("records", [record], None)

    async def _pods(self, request: Request) -> Response:
        self._found_v1(request)
        return _page("pods", [], None)

    # --- the organisation

    async def _projects(self, request: Request) -> Response:
        items = [_project(project) for project in self.world.projects.values()]
        return _page("projects", *filters.select(items, request.query_params, filters.PROJECT_FIELDS))

    async def _departments(self, request: Request) -> Response:
        del request
        return _page(
            "departments", [{"id": DEPARTMENT_ID, "name": DEPARTMENT_NAME, "clusterId": next(iter(CLUSTERS))}], None
        )

    async def _clusters(self, request: Request) -> Response:
        del request
        return JSONResponse(
            [
                {
                    "uuid": cluster_id,
                    "tenantId": TENANT_ID,
                    "name": name,
                    "createdAt": EPOCH,
                    "domain": f"{name}.example.com",
                    "version": "2.25.0",
                    "status": {"state": "Connected", "conditions": []},
                }
                for cluster_id, name in CLUSTERS.items()
            ]
        )

    async def _types(self, request: Request) -> Response:
        items = [
            views.workload_type(kind.name, kind.group, kind.versions, kind.category, list(CLUSTERS))
            for kind in KINDS.values()
            if kind.group  # how core kinds are listed is not documented, and the schema has no room for them
        ]
        return _page("types", *filters.select(items, request.query_params, frozenset({"name", "group"})))

    async def _categories(self, request: Request) -> Response:
        del request
        return JSONResponse(
            {"categories": [{"id": stable_id(f"category-{name}"), "name": name} for name in CATEGORIES]}
        )

    async def _priorities(self, request: Request) -> Response:
        del request
        items = [
            {"id": stable_id(f"priority-{name}"), "name": name, "value": value} for name, value in PRIORITIES.items()
        ]
        return JSONResponse({"priorities": items})

    # --- the simulator's own

    async def _admin_workloads(self, request: Request) -> Response:
        del request
        return JSONResponse([self._shown(workload) for workload in self.world])

    def _shown(self, workload: Workload) -> Json:
        now, switches = self.now, self.world.switches
        owner = {key.removeprefix(OWNER): value for key, value in workload.annotations.items() if key.startswith(OWNER)}
        return {
            "id": workload.id,
            "v1Id": workload.v1_id,
            "name": workload.name,
            "projectId": workload.project.id,
            "kind": workload.kind.name,
            "live": not workload.is_gone(now, switches),
            "sync": workload.sync(now, switches)[0],
            "phase": workload.phase(now, switches)[0],
            "priority": workload.priority,
            "category": workload.category,
            "owner": owner,
        }

    async def _admin_workload(self, request: Request) -> Response:
        """GET shows its manifest; POST sets `phase`, `message`, `priority`, `desiredPhase`, `deleted`; DELETE purges it."""
        workload = next((w for w in self.world if w.id == request.path_params["id"]), None)
        if workload is None:
            return error(404, "no such workload")
        if request.method == "DELETE":
            self.world.purge(workload)
        elif request.method == "POST":
            wish = _object(await request.body())
            if "phase" in wish:
                workload.forced.append((self.now, str(wish["phase"]), str(wish.get("message", ""))))
            workload.priority = wish.get("priority", workload.priority)
            workload.desired_phase = wish.get("desiredPhase", workload.desired_phase)
            if wish.get("deleted"):
                self.world.delete(workload, self.now)
        return JSONResponse({**self._shown(workload), "manifest": workload.manifest})

    async def _admin_counters(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.counters.clear()
            self.world.creates.clear()
        requests = [
            {"method": method, "path": path, "code": code, "count": count}
            for (method, path, code), count in sorted(self.counters.items())
        ]
        return JSONResponse({"requests": requests, "creates": [list(made) for made in self.world.creates]})

    async def _admin_faults(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.faults.rules.clear()
        elif request.method == "POST":
            try:
                self.faults.rules.append(Fault(**_object(await request.body())))
            except (TypeError, ValueError) as problem:
                return error(400, str(problem))
        return JSONResponse([asdict(rule) for rule in self.faults.rules])

    async def _admin_switches(self, request: Request) -> Response:
        if request.method == "POST":
            try:
                self.world.switches = self.world.switches.changed(_object(await request.body()))
            except ValueError as problem:
                return error(400, str(problem))
        return JSONResponse(self.world.switches.shown())

    async def _admin_clock(self, request: Request) -> Response:
        self.skew = float(_object(await request.body()).get("skew", 0))
        return JSONResponse({"skew": self.skew})

    async def _admin_tokens(self, request: Request) -> Response:
        """Revoke all tokens."""
        del request
        self._tokens.clear()
        return JSONResponse({})

    async def _admin_projects(self, request: Request) -> Response:
        wish = _object(await request.body())
        return JSONResponse(
            _project(self.world.add_project(str(wish["name"]), str(wish.get("clusterId", next(iter(CLUSTERS))))))
        )


class _Counted:
    """Counts answers and dates them by the control plane's own clock."""

    def __init__(self, app: App, simulator: Simulator) -> None:
        self._app, self._simulator = app, simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/_admin"):
            await self._app(scope, receive, send)
            return

        async def counted(message: Any) -> None:
            if message["type"] == "http.response.start":
                path = _template(scope["path"])
                self._simulator.counters[scope["method"], path, message["status"]] += 1
                message["headers"] = [
                    *message["headers"],
                    (b"date", formatdate(self._simulator.now, usegmt=True).encode()),
                ]
            await send(message)

        await self._app(scope, receive, counted)


def _template(path: str) -> str:
    parts = path.split("/")
    return "/".join([*parts[:4], "{id}", *parts[5:]]) if len(parts) > 4 and parts[3] == "workloads" else path


def error(code: int, message: str) -> JSONResponse:
    """The documented error body."""
    return JSONResponse({"code": code, "message": message}, code)


def _page(name: str, items: list[Json], following: int | None) -> JSONResponse:
    return JSONResponse({name: items} | ({} if following is None else {"next": following}))


def _object(body: bytes) -> Json:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "Failed to read request body") from None
    if not isinstance(value, dict):
        raise Refused(400, "Failed to read request body")
    return value


def _manifest(body: Json) -> Json | None:
    manifest, encoded = body.get("manifest"), body.get("manifestBase64Encoded")
    if manifest is not None and encoded is not None:
        raise Refused(400, "manifest and manifestBase64Encoded are mutually exclusive, provide only one")
    if encoded is not None:
        manifest = _decoded(encoded)
    if manifest is not None and not isinstance(manifest, dict):
        raise Refused(400, "failed to unmarshal JSON manifest")
    return manifest


def _decoded(encoded: object) -> object:
    if not isinstance(encoded, str) or len(encoded) > ENCODED_LIMIT:
        raise Refused(400, f"manifestBase64Encoded must be at most {ENCODED_LIMIT} characters")
    try:
        text = base64.b64decode(encoded, validate=True)
        return json.loads(text) if text.lstrip()[:1] == b"{" else yaml.safe_load(text)
    except (binascii.Error, ValueError, yaml.YAMLError, RecursionError):
        raise Refused(400, "failed to convert YAML to JSON") from None


def _project(project: Project) -> Json:
    resources: list[Json] = []
    return {
        "id": project.id,
        "name": project.name,
        "clusterId": project.cluster_id,
        "parentId": DEPARTMENT_ID,
        "requestedNamespace": None,
        "enforceRunaiScheduler": False,
        "description": "",
        "createdAt": EPOCH,
        "updatedAt": EPOCH,
        "createdBy": "admin",
        "updatedBy": "admin",
        "status": {"namespace": project.namespace, "phase": "Ready", "phaseMessage": ""},
        "totalResources": {"gpuQuota": 8},
        "effective": {},
        "resources": resources,
    }


def _base64url(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
