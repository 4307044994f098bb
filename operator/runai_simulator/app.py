"""One control plane: the part of Run:ai's REST API that the operator uses, and the simulator's own endpoint beside it."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runai_simulator import filters, views
from runai_simulator.admin import CALLS, Admin
from runai_simulator.answers import Handler, answering, no_route, page, rows_page
from runai_simulator.catalogue import CATEGORIES, DEPARTMENT_ID, DEPARTMENT_NAME, PRIORITIES, stable_id
from runai_simulator.faults import App, Fault, Faults, Receive, Scope, Send
from runai_simulator.intake import read_manifest, read_metadata, read_object
from runai_simulator.listing import Listing
from runai_simulator.rules import Refused
from runai_simulator.switches import Switches
from runai_simulator.tokens import Tokens
from runai_simulator.world import Workload, World

Json = dict[str, Any]

WORKLOADS_V2 = "/api/v2/workloads"
TYPE_FIELDS = frozenset({"name", "group"})
NO_FIELDS: frozenset[str] = frozenset()


class Simulator:
    """A world, its faults and its counters. `app` is what a server serves."""

    def __init__(
        self, switches: Switches | None = None, *, seed: int | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        """`clock` gives seconds since the epoch."""
        self._clock = clock
        self.world = World(switches, seed=seed)
        self._listing = Listing(self.world)
        self._tokens = Tokens(self.world, clock)
        faults: list[Fault] = []
        calls = CALLS()
        admin = Admin(
            world=self.world, listing=self._listing, tokens=self._tokens, faults=faults, calls=calls, clock=clock
        )
        counted = Middleware(_Counted, world=self.world, calls=calls, clock=clock)
        routes = [*self._tokens.routes(), *self._routes(), *admin.routes()]
        self.app: App = Faults(Starlette(routes=routes, middleware=[counted]), faults, seed=seed)

    def _routes(self) -> list[Route]:
        return [
            self._route("POST", WORKLOADS_V2, self._create),
            self._route("GET", f"{WORKLOADS_V2}/{{id}}", self._get),
            self._route("PUT", f"{WORKLOADS_V2}/{{id}}", self._update),
            self._route("DELETE", f"{WORKLOADS_V2}/{{id}}", self._delete),
            self._route("GET", "/api/v1/workloads", self._list),
            self._route("GET", "/api/v1/workloads/{id}", self._detail),
            self._route("GET", "/api/v1/workloads/{id}/events", self._events),
            self._route("GET", "/api/v1/workloads/{id}/history", self._history),
            self._route("GET", "/api/v1/workloads/{id}/pods", self._pods),
            self._route("GET", "/api/v1/org-unit/projects", self._projects),
            self._route("GET", "/api/v1/org-unit/projects/{id}", self._project),
            self._route("GET", "/api/v1/org-unit/departments", self._departments),
            self._route("GET", "/api/v1/clusters", self._clusters),
            self._route("GET", "/api/v1/clusters/minimal", self._clusters),
            self._route("GET", "/api/v1/workload-types", self._types),
            self._route("GET", "/api/v1/workload-categories", self._categories),
            self._route("GET", "/api/v1/workload-priorities", self._priorities),
        ]

    def _route(self, method: str, path: str, handle: Handler) -> Route:
        """A route of the API, where it exists, and for those who have a token."""

        async def guarded(request: Request) -> Response:
            switches = self.world.switches
            if path.startswith(WORKLOADS_V2) and not switches.v2_known:
                return no_route()
            if method == "PUT" and not switches.put_known:
                return no_route(405)
            if not self._tokens.accept(request.headers.get("authorization", "")):
                raise Refused(401, "Issuer is not familiar.")
            return await handle(request)

        def form() -> str:
            return "documented" if self.world.switches.errors_documented else "problem"

        return Route(path, answering(guarded, form), methods=[method])

    # --- V2

    async def _create(self, request: Request) -> Response:
        body = read_object(await request.body())
        metadata, manifest = read_metadata(body), read_manifest(body)
        if manifest is None:
            raise Refused(400, "a manifest must be provided")
        world, now = self.world, self._clock()
        if request.query_params.get("dryRun") == "true" and world.switches.dry_run:
            world.validate(metadata, manifest, now)
            return JSONResponse({}, 202)
        made = world.create(metadata, manifest, now)
        return self._accepted(made, 201 if world.switches.create_answers_201 else 202)

    async def _get(self, request: Request) -> Response:
        return JSONResponse(views.v2_read(self._found(request), self._clock(), self.world.switches))

    async def _update(self, request: Request) -> Response:
        body = read_object(await request.body())
        workload = self._found(request)
        self.world.update(workload, read_metadata(body), read_manifest(body), self._clock())
        return self._accepted(workload)

    async def _delete(self, request: Request) -> Response:
        workload = self._found(request)
        self.world.delete(workload, self._clock())
        return self._accepted(workload)

    def _found(self, request: Request) -> Workload:
        return _existing(self.world.find(request.path_params["id"], self._clock()))

    def _accepted(self, workload: Workload, code: int = 202) -> Response:
        return JSONResponse(views.v2_workload(workload, self._clock(), self.world.switches), code)

    # --- v1, a read model that lags

    async def _list(self, request: Request) -> Response:
        return rows_page("workloads", *self._listing.page(request.query_params, self._clock()))

    async def _detail(self, request: Request) -> Response:
        return JSONResponse(views.v1_detail(*self._found_v1(request), self.world.switches))

    async def _events(self, request: Request) -> Response:
        return self._newest_first(request, "events", views.events(*self._found_v1(request), self.world.switches))

    async def _history(self, request: Request) -> Response:
        return self._newest_first(request, "records", views.history(*self._found_v1(request), self.world.switches))

    async def _pods(self, request: Request) -> Response:
        return self._page(request, "pods", views.pods(*self._found_v1(request)), NO_FIELDS)

    def _found_v1(self, request: Request) -> tuple[Workload, float]:
        """The workload, and the moment as of which v1 shows it."""
        now = self._clock()
        return _existing(self.world.find_v1(request.path_params["id"], now)), now - self.world.switches.list_lag

    # --- the organisation

    async def _projects(self, request: Request) -> Response:
        items = [views.project_item(project) for project in self.world.visible_projects()]
        return self._page(request, "projects", items, filters.PROJECT_FIELDS)

    async def _project(self, request: Request) -> Response:
        project = self.world.find_project(request.path_params["id"])
        if project is None:
            raise Refused(404, "The requested project was not found")
        return JSONResponse(views.project_item(project))

    async def _departments(self, request: Request) -> Response:
        item = {"id": DEPARTMENT_ID, "name": DEPARTMENT_NAME, "clusterId": next(iter(self.world.clusters))}
        return self._page(request, "departments", [item], frozenset(item))

    async def _clusters(self, request: Request) -> Response:
        del request
        connected = self.world.switches.cluster_connected
        items = [views.cluster_item(uuid, name, connected=connected) for uuid, name in self.world.clusters.items()]
        return JSONResponse(items)

    async def _types(self, request: Request) -> Response:
        """Without core kinds: how they are listed is not documented, and the schema has no room for them."""
        clusters = list(self.world.clusters)
        items = [views.type_item(kind, clusters) for kind in self.world.kinds.values() if kind.group]
        return self._page(request, "types", items, TYPE_FIELDS)

    async def _categories(self, request: Request) -> Response:
        del request
        items = [{"id": stable_id(f"category-{name}"), "name": name} for name in CATEGORIES]
        return JSONResponse({"categories": items})

    async def _priorities(self, request: Request) -> Response:
        del request
        items = [
            {"id": stable_id(f"priority-{name}"), "name": name, "value": value} for name, value in PRIORITIES.items()
        ]
        return JSONResponse({"priorities": items})

    # --- pages

    def _page(self, request: Request, name: str, items: list[Json], fields: frozenset[str]) -> Response:
        asked = filters.read(request.query_params, fields, all_hold=self.world.switches.filters_all_hold)
        return page(name, *filters.select(items, asked))

    def _newest_first(self, request: Request, name: str, items: list[Json]) -> Response:
        """A page of what is in the order of time, turned round unless `sortOrder` is asc."""
        if request.query_params.get("sortOrder") != "asc":
            items.reverse()
        return self._page(request, name, items, NO_FIELDS)


class _Counted:
    """Counts answers and dates them by the control plane's own clock."""

    def __init__(self, app: App, *, world: World, calls: CALLS, clock: Callable[[], float]) -> None:
        self._app, self._world, self._calls, self._clock = app, world, calls, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/_admin"):
            await self._app(scope, receive, send)
            return

        async def counted(message: Any) -> None:
            if message["type"] == "http.response.start":
                self._calls[scope["method"], _template(scope["path"]), message["status"]] += 1
                if (switches := self._world.switches).date_header:
                    date = formatdate(self._clock() + switches.clock_skew, usegmt=True)
                    message["headers"] = [*message["headers"], (b"date", date.encode())]
            await send(message)

        await self._app(scope, receive, counted)


def _template(path: str) -> str:
    parts = path.split("/")
    return "/".join([*parts[:4], "{id}", *parts[5:]]) if len(parts) > 4 and parts[3] == "workloads" else path


def _existing(workload: Workload | None) -> Workload:
    if workload is None:
        raise Refused(404, "The requested workload was not found")
    return workload
