"""The simulator's own endpoint, without authentication: what people do in the UI, switches, faults and counters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runai_simulator import views
from runai_simulator.answers import Handler, answering
from runai_simulator.catalogue import CATEGORIES, CLUSTER_A, Kind
from runai_simulator.faults import Fault
from runai_simulator.intake import read_manifest, read_metadata, read_object
from runai_simulator.listing import Listing
from runai_simulator.rules import Refused
from runai_simulator.tokens import Tokens
from runai_simulator.world import Workload, World

Json = dict[str, Any]

OWNER = "bridge.run.ai/owner-"
CALLS = Counter[tuple[str, str, int]]
"""Answers by method, path and code."""


class Admin:
    """Reads and changes one simulator; `clock` gives seconds since the epoch."""

    def __init__(
        self,
        *,
        world: World,
        listing: Listing,
        tokens: Tokens,
        faults: list[Fault],
        calls: CALLS,
        clock: Callable[[], float],
    ) -> None:
        self._world, self._listing, self._tokens = world, listing, tokens
        self._faults, self._calls, self._clock = faults, calls, clock

    def routes(self) -> list[Route]:
        return [
            _route("GET", "workloads", self._show_workloads),
            _route("POST", "workloads", self._add_workloads),
            _route("GET", "workloads/{id}", self._show_workload),
            _route("POST", "workloads/{id}", self._change_workload),
            _route("DELETE", "workloads/{id}", self._purge_workload),
            _route("GET", "counters", self._show_counters),
            _route("DELETE", "counters", self._clear_counters),
            _route("GET", "faults", self._show_faults),
            _route("POST", "faults", self._add_fault),
            _route("DELETE", "faults", self._clear_faults),
            _route("GET", "switches", self._show_switches),
            _route("POST", "switches", self._change_switches),
            _route("POST", "clock", self._skew_clock),
            _route("DELETE", "tokens", self._revoke_tokens),
            _route("POST", "projects", self._add_project),
            _route("POST", "projects/{id}", self._change_project),
            _route("POST", "types", self._register_type),
        ]

    # --- workloads

    async def _show_workloads(self, request: Request) -> Response:
        del request
        return JSONResponse([self._shown(workload) for workload in self._world])

    async def _add_workloads(self, request: Request) -> Response:
        now, wish = self._clock(), read_object(await request.body())
        submitted, phase, age = wish.get("workloads"), str(wish.get("phase", "Running")), wish.get("age", 0)
        if not (isinstance(submitted, list) and all(isinstance(body, dict) for body in submitted)):
            raise Refused(400, "workloads is a list of what a POST submits")
        if not (isinstance(age, int | float) and 0 <= age <= now):
            raise Refused(400, "age is a number of seconds, and no more than there were since 1970")
        made = [
            self._world.add(read_metadata(body), read_manifest(body) or {}, phase, now, age=age) for body in submitted
        ]
        self._listing.catch_up(now)  # else whoever lists next waits for all of them
        return JSONResponse([{"id": workload.id, "name": workload.name} for workload in made])

    async def _show_workload(self, request: Request) -> Response:
        return self._in_full(self._found(request))

    async def _change_workload(self, request: Request) -> Response:
        workload, world, now = self._found(request), self._world, self._clock()
        wish = read_object(await request.body())
        message = str(wish.get("message", ""))
        if wish.keys() & {"priority", "category", "manifest"}:
            world.edit(workload, wish, read_manifest(wish), now)
        match wish.get("desiredPhase"):
            case None:
                pass
            case "Stopped":
                world.stop(workload, now)
            case "Running":
                world.resume(workload, now)
            case _:
                raise Refused(400, "desiredPhase is Running or Stopped; for Deleted there is deleted")
        if "phase" in wish:
            world.set_phase(workload, str(wish["phase"]), message, now)
        if "sync" in wish:
            world.set_sync(workload, str(wish["sync"]), message, now)
        if wish.get("deleted"):
            world.delete(workload, now)
        return self._in_full(workload)

    async def _purge_workload(self, request: Request) -> Response:
        workload = self._found(request)
        self._world.purge(workload)
        return self._in_full(workload)

    def _found(self, request: Request) -> Workload:
        workload = self._world.get(request.path_params["id"])
        if workload is None:
            raise Refused(404, "no such workload")
        return workload

    def _in_full(self, workload: Workload) -> Response:
        return JSONResponse({**self._shown(workload), "manifest": workload.manifest})

    def _shown(self, workload: Workload) -> Json:
        now = self._clock()
        owner = {key.removeprefix(OWNER): value for key, value in workload.annotations.items() if key.startswith(OWNER)}
        return {
            "id": workload.id,
            "v1Id": workload.v1_id,
            "name": workload.name,
            "projectId": workload.project.id,
            "kind": workload.kind.name,
            "live": not workload.is_gone(now),
            "desiredPhase": workload.desired_phase,
            "sync": workload.sync(now)[0],
            "phase": workload.phase(now)[0],
            "priority": workload.priority,
            "category": workload.category,
            "owner": owner,
        }

    # --- counters and faults

    async def _show_counters(self, request: Request) -> Response:
        del request
        requests = [
            {"method": method, "path": path, "code": code, "count": count}
            for (method, path, code), count in sorted(self._calls.items())
        ]
        return JSONResponse({"requests": requests, "creates": [list(made) for made in self._world.creates]})

    async def _clear_counters(self, request: Request) -> Response:
        self._calls.clear()
        self._world.creates.clear()
        return await self._show_counters(request)

    async def _show_faults(self, request: Request) -> Response:
        del request
        return JSONResponse([asdict(fault) for fault in self._faults])

    async def _add_fault(self, request: Request) -> Response:
        try:
            self._faults.append(Fault(**read_object(await request.body())))
        except (TypeError, ValueError) as problem:
            raise Refused(400, str(problem)) from None
        return await self._show_faults(request)

    async def _clear_faults(self, request: Request) -> Response:
        self._faults.clear()
        return await self._show_faults(request)

    # --- behaviour and the organisation

    async def _show_switches(self, request: Request) -> Response:
        del request
        return JSONResponse(self._world.switches.shown())

    async def _change_switches(self, request: Request) -> Response:
        self._switch(read_object(await request.body()))
        return await self._show_switches(request)

    async def _skew_clock(self, request: Request) -> Response:
        self._switch({"clock_skew": read_object(await request.body()).get("skew", 0)})
        return JSONResponse({"skew": self._world.switches.clock_skew})

    def _switch(self, values: Json) -> None:
        try:
            self._world.switch(values, self._clock())
        except ValueError as problem:
            raise Refused(400, str(problem)) from None
        self._listing.reset()

    async def _revoke_tokens(self, request: Request) -> Response:
        del request
        self._tokens.revoke()
        return JSONResponse({})

    async def _add_project(self, request: Request) -> Response:
        wish = read_object(await request.body())
        if not isinstance(wish.get("name"), str):
            raise Refused(400, "a project has a name")
        try:
            project = self._world.add_project(wish["name"], str(wish.get("clusterId", CLUSTER_A)))
        except ValueError as problem:
            raise Refused(400, str(problem)) from None
        return JSONResponse(views.project_item(project))

    async def _change_project(self, request: Request) -> Response:
        project = self._world.projects.get(request.path_params["id"])
        if project is None:
            raise Refused(404, "no such project")
        self._world.hide_project(project, hidden=bool(read_object(await request.body()).get("hidden")))
        self._listing.reset()
        return JSONResponse(views.project_item(project))

    async def _register_type(self, request: Request) -> Response:
        kind = _kind(read_object(await request.body()), self._world)
        self._world.register(kind)
        return JSONResponse(views.type_item(kind, list(self._world.clusters)))


def _kind(wish: Json, world: World) -> Kind:
    """The type that `name` and `group` say, with the other fields changed. Raises `Refused`."""
    name, group = str(wish.get("name", "")), str(wish.get("group", ""))
    if not name:
        raise Refused(400, "a type has a name")
    known = world.kinds.get((group, name)) or Kind(name, group, ("v1",), "Build", completes=False)
    versions, category = wish.get("versions", list(known.versions)), wish.get("category", known.category)
    if not (isinstance(versions, list) and all(isinstance(version, str) for version in versions)):
        raise Refused(400, "versions is a list of strings")
    if category not in list(CATEGORIES):
        raise Refused(400, f"category is one of {', '.join(CATEGORIES)}")
    return replace(
        known,
        versions=tuple(versions),
        category=category,
        completes=bool(wish.get("completes", known.completes)),
        phase=str(wish.get("phase", known.phase)),
    )


def _route(method: str, path: str, handle: Handler) -> Route:
    return Route(f"/_admin/{path}", answering(handle), methods=[method])
