"""The control plane in memory: the simulator's own world behind the engine's port, without sockets."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from fakes.chance import Chance, call
from runai_operator.domain import manifest as manifests
from runai_operator.domain.errors import UnexpectedReply
from runai_operator.domain.model import MOST_ROWS, Project, Remote, Row, RowPage, RowQuery, Submission
from runai_operator.runai.failures import Operation, failure
from runai_operator.runai.wire import Answer, read_remote, read_row_of
from runai_simulator.rules import Refused
from runai_simulator.switches import Switches
from runai_simulator.views import stamp, v1_detail, v1_row, v2_read, v2_workload
from runai_simulator.world import Workload, World


@dataclass(slots=True)
class FakeRunai:
    """Shared by all processes; `now` is the control plane's clock in seconds."""

    now: Callable[[], float]
    switches: Switches = field(default_factory=Switches)
    world: World = field(init=False)
    writes: list[tuple[str, Any]] = field(default_factory=list)
    """Every write that took effect: method, and the mark or the workload it was about."""
    unasked: dict[str, float] = field(default_factory=dict)
    """Ids of what dry runs made, and when."""
    calls: dict[str, int] = field(default_factory=dict)
    allow: Callable[[str, Any], None] = lambda method, subject: None
    """Told of each write before its effect; raises where it must not be."""
    most_rows: int = MOST_ROWS
    """What a page of the list holds at most, whatever was asked for."""
    distort: Callable[[RowQuery, RowPage], RowPage] = lambda query, page: page
    """What becomes of a page of the list on its way; may raise."""

    def __post_init__(self) -> None:
        self.world = World(self.switches, seed=1)

    def client(self, chance: Chance) -> FakeRunaiAccess:
        """One process's access."""
        return FakeRunaiAccess(self, chance)

    def live(self) -> list[Workload]:
        return self.world.live(self.now())

    def count(self, name: str) -> None:
        self.calls[name] = self.calls.get(name, 0) + 1


def mark_of(workload: Workload) -> Any:
    return manifests.read_mark(workload.manifest)


class FakeRunaiAccess:
    """What one process calls; implements `engine.ports.Runai`."""

    def __init__(self, runai: FakeRunai, chance: Chance) -> None:
        self._runai, self._chance = runai, chance

    async def create(self, submission: Submission) -> Remote:
        def effect() -> Remote:
            self._runai.allow("POST", submission)
            return self._remote(self._create(submission), with_sync=False)

        return await self._call("create", effect, is_write=True)

    async def dry_run(self, submission: Submission) -> str | None:
        def effect() -> str | None:
            self._runai.allow("DRY RUN", submission)
            if not self._runai.world.switches.dry_run:
                made = self._create(submission)
                self._runai.unasked[made.id] = self._runai.now()
                return made.id
            try:
                self._runai.world.validate(metadata_of(submission), submission.manifest, self._runai.now())
            except Refused as refused:
                raise _error(refused) from None
            return None

        return await self._call("dry_run", effect, is_write=True)

    def _create(self, submission: Submission) -> Workload:
        try:
            made = self._runai.world.create(metadata_of(submission), submission.manifest, self._runai.now())
        except Refused as refused:
            raise _error(refused) from None
        self._runai.writes.append(("POST", mark_of(made)))
        return made

    async def get(self, workload_id: str) -> Remote | None:
        def effect() -> Remote | None:
            found = self._find(workload_id)
            return self._remote(found, with_sync=True) if found else None

        return await self._call("get", effect)

    async def update(self, workload_id: str, submission: Submission) -> Remote | None:
        def effect() -> Remote | None:
            found = self._find(workload_id)
            if found is None:
                return None
            self._runai.allow("PUT", (found, submission))
            try:
                metadata = {"priority": submission.priority, "category": submission.category}
                self._runai.world.update(found, metadata, submission.manifest, self._runai.now())
            except Refused as refused:
                raise _error(refused, write="PUT") from None
            self._runai.writes.append(("PUT", found))
            return self._remote(found, with_sync=False)

        return await self._call("update", effect, is_write=True)

    async def delete(self, workload_id: str) -> bool:
        def effect() -> bool:
            found = self._find(workload_id)
            if found is None:
                return False
            self._runai.allow("DELETE", (found, None))
            try:
                self._runai.world.delete(found, self._runai.now())
            except Refused as refused:
                raise _error(refused, write="DELETE") from None
            self._runai.writes.append(("DELETE", found))
            return True

        return await self._call("delete", effect, is_write=True)

    async def rows(self, query: RowQuery) -> RowPage:
        def effect() -> RowPage:
            rows = _in_order(self._rows(query), query)
            end = query.offset + (1 if query.latest else min(query.limit, self._runai.most_rows))
            time = datetime.fromtimestamp(self._runai.now() + self._runai.world.switches.clock_skew, UTC)
            page = RowPage(tuple(rows[query.offset : end]), end if end < len(rows) else None, time)
            return self._runai.distort(query, page)

        return await self._call("list", effect)

    async def find(self, *, name: str, project_id: str | None) -> tuple[Row, ...]:
        """From all pages of what has the name anywhere; what spoils a list is tried on the wire."""

        def effect() -> tuple[Row, ...]:
            pages = self._pages(_in_order(self._rows(RowQuery(name=name)), RowQuery(name=name)))
            return tuple(row for page in pages for row in page if project_id in (None, row.project_id))

        return await self._call("find", effect)

    def _pages(self, rows: list[Row]) -> list[list[Row]]:
        most = self._runai.most_rows
        return [rows[begin : begin + most] for begin in range(0, len(rows), most)]

    async def row(self, row_id: str) -> Row | None:
        def effect() -> Row | None:
            now, world = self._runai.now(), self._runai.world
            try:
                found = world.find_v1(row_id, now)
            except Refused as refused:
                raise _error(refused) from None
            if found is None:
                return None
            item = v1_detail(found, now - world.switches.list_lag, world.switches)
            read = read_row_of(row_id)(item)
            return replace(_row(item), phase_message=read.phase_message, by_scheduler=read.by_scheduler)

        return await self._call("detail", effect)

    async def projects(self, *, name: str | None, cluster_id: str | None) -> tuple[Project, ...]:
        def effect() -> tuple[Project, ...]:
            return tuple(
                Project(entry.id, entry.name, entry.cluster_id)
                for entry in self._runai.world.visible_projects()
                if name in (None, entry.name) and cluster_id in (None, entry.cluster_id)
            )

        return await self._call("projects", effect)

    async def project(self, project_id: str) -> Project | None:
        def effect() -> Project | None:
            try:
                found = self._runai.world.find_project(project_id)
            except Refused as refused:
                raise _error(refused) from None
            return Project(found.id, found.name, found.cluster_id) if found else None

        return await self._call("project", effect)

    def _rows(self, query: RowQuery) -> list[Row]:
        now, world = self._runai.now(), self._runai.world
        seen = now - world.switches.list_lag
        return [
            _row(v1_row(workload, seen, world.switches))
            for workload in world.listed(now, deleted=query.deleted)
            if _matches(workload, query, seen, world.switches.clock_skew)
        ]

    async def _call(self, name: str, effect: Callable[[], Any], *, is_write: bool = False) -> Any:
        self._runai.count(name)
        return await call(self._chance, effect, to_runai=True, is_write=is_write, name=name)

    def _find(self, workload_id: str) -> Workload | None:
        try:
            found = self._runai.world.find(workload_id, self._runai.now())
        except Refused as refused:
            raise _error(refused) from None
        if found is None and not self._runai.world.switches.errors_documented:
            raise UnexpectedReply("Run:ai was asked about the workload, but it answered HTTP 404 in another form.")
        return found

    def _remote(self, workload: Workload, *, with_sync: bool) -> Remote:
        view = v2_read if with_sync else v2_workload
        return read_remote(view(workload, self._runai.now(), self._runai.world.switches))


def metadata_of(submission: Submission) -> dict[str, Any]:
    """What a POST says of it beside the manifest."""
    return {
        "name": submission.name,
        "projectId": submission.project_id,
        "priority": submission.priority,
        "category": submission.category,
        "preemptibility": submission.preemptibility,
    }


def _error(refused: Refused, *, write: str = "POST") -> Exception:
    """As the client maps the answer of the simulator."""
    operation = {"POST": Operation.CREATE, "PUT": Operation.UPDATE, "DELETE": Operation.DELETE}[write]
    body = json.dumps({"code": refused.code, "message": refused.message}).encode()
    return failure(operation, Answer(refused.code, body, "application/json"))


def _row(item: dict[str, Any]) -> Row:
    return Row(
        id=item["id"],
        name=item["name"],
        project_id=item["projectId"],
        project_name=item["projectName"],
        cluster_id=item["clusterId"],
        phase=item["phase"],
        phase_message=item["phaseMessage"] or None,
        phase_updated_at=item["phaseUpdatedAt"],
        running_pods=item["runningPods"],
        requested_pods=item["requestedPods"]["number"],
        created_at=item["createdAt"],
        completed_at=item["completedAt"],
        deleted_at=item["deletedAt"],
    )


def _changed(row: Row, query: RowQuery) -> str:
    return (row.deleted_at if query.deleted else row.phase_updated_at) or ""


def _in_order(rows: list[Row], query: RowQuery) -> list[Row]:
    if query.latest:
        return sorted(rows, key=lambda row: _changed(row, query), reverse=True)
    if query.changed_since is not None:
        return sorted(rows, key=lambda row: _changed(row, query))
    return sorted(rows, key=lambda row: row.created_at or "")


def _matches(workload: Workload, query: RowQuery, seen: float, skew: float) -> bool:
    """Asked of the workload and not of its row, since making the many rows that nobody asked for costs most."""
    phase, _, since = workload.phase(seen)
    changed = workload.gone if query.deleted else since
    return (
        query.name in (None, workload.name)
        and query.phase in (None, phase)
        and query.project_id in (None, workload.project.id)
        and (query.changed_since is None or _shown(changed + skew) >= query.changed_since)
        and (query.created_since is None or _shown(workload.created + skew) >= query.created_since)
    )


@lru_cache(maxsize=4096)
def _shown(seconds: float) -> datetime:
    """A moment as a row tells it."""
    return datetime.fromisoformat(stamp(seconds))
