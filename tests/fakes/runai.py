"""The control plane in memory: the simulator's own world behind the engine's port, without sockets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from fakes.chance import Chance, call
from runai_operator.domain import manifest as manifests
from runai_operator.domain.errors import AccessDenied, Busy, InvalidWorkload, NameTaken
from runai_operator.domain.model import Project, Remote, Row, RowPage, RowQuery, Submission
from runai_operator.runai.wire import read_remote
from runai_simulator.rules import Refused
from runai_simulator.switches import Switches
from runai_simulator.views import v1_row, v2_read, v2_workload
from runai_simulator.world import Workload, World

PAGE = 500


@dataclass(slots=True)
class FakeRunai:
    """Shared by all processes; `now` is the control plane's clock in seconds."""

    now: Callable[[], float]
    switches: Switches = field(default_factory=Switches)
    world: World = field(init=False)
    writes: list[tuple[str, Any]] = field(default_factory=list)
    """Every write that took effect: method, and the mark or the workload it was about."""
    calls: dict[str, int] = field(default_factory=dict)
    allow: Callable[[str, Any], None] = lambda method, subject: None
    """Told of each write before its effect; raises where it must not be."""

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
            metadata = {"name": submission.name, "projectId": submission.project_id, "priority": submission.priority}
            try:
                made = self._runai.world.create(metadata, submission.manifest, self._runai.now())
            except Refused as refused:
                raise _error(refused) from None
            self._runai.writes.append(("POST", mark_of(made)))
            return self._remote(made, with_sync=False)

        return await self._call("create", effect, is_write=True)

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
            rows = self._rows(query)
            page = rows[query.offset : query.offset + PAGE]
            more = query.offset + PAGE < len(rows)
            time = datetime.fromtimestamp(self._runai.now(), UTC)
            return RowPage(tuple(page), query.offset + PAGE if more else None, time)

        return await self._call("list", effect)

    async def find(self, *, name: str, project_id: str) -> tuple[Row, ...]:
        """From all pages; that each is read, and what spoils a list, is tried on the wire."""
        return await self._call("find", lambda: tuple(self._rows(RowQuery(name=name, project_id=project_id))))

    async def scheduling_messages(self, workload_id: str) -> tuple[str, ...]:
        del workload_id
        return await self._call("detail", lambda: ("no room",))

    async def projects(self, *, name: str | None, cluster_id: str | None) -> tuple[Project, ...]:
        def effect() -> tuple[Project, ...]:
            return tuple(
                Project(entry.id, entry.name, entry.cluster_id)
                for entry in self._runai.world.visible_projects()
                if name in (None, entry.name) and cluster_id in (None, entry.cluster_id)
            )

        return await self._call("projects", effect)

    def _rows(self, query: RowQuery) -> list[Row]:
        now, world = self._runai.now(), self._runai.world
        seen = now - world.switches.list_lag
        rows = [_row(v1_row(workload, seen, world.switches)) for workload in world.listed(now, deleted=query.deleted)]
        return [row for row in rows if _matches(row, query)]

    async def _call(self, name: str, effect: Callable[[], Any], *, is_write: bool = False) -> Any:
        self._runai.count(name)
        return await call(self._chance, effect, to_runai=True, is_write=is_write, name=name)

    def _find(self, workload_id: str) -> Workload | None:
        try:
            return self._runai.world.find(workload_id, self._runai.now())
        except Refused as refused:
            raise _error(refused) from None

    def _remote(self, workload: Workload, *, with_sync: bool) -> Remote:
        view = v2_read if with_sync else v2_workload
        return read_remote(view(workload, self._runai.now(), self._runai.world.switches))


def _error(refused: Refused, *, write: str = "POST") -> Exception:
    if refused.code == 409:
        return NameTaken(refused.message) if write == "POST" else Busy(refused.message)
    return AccessDenied(refused.message) if refused.code == 403 else InvalidWorkload(refused.message)


def _row(item: dict[str, Any]) -> Row:
    return Row(
        id=item["id"],
        name=item["name"],
        project_id=item["projectId"],
        project_name=item["projectName"],
        phase=item["phase"],
        phase_message=item["phaseMessage"] or None,
        phase_updated_at=item["phaseUpdatedAt"],
        running_pods=item["runningPods"],
        requested_pods=item["requestedPods"]["number"],
        created_at=item["createdAt"],
        completed_at=item["completedAt"],
        deleted_at=item["deletedAt"],
    )


def _matches(row: Row, query: RowQuery) -> bool:
    moment = row.deleted_at if query.deleted else row.phase_updated_at
    return (
        query.name in (None, row.name)
        and query.project_id in (None, row.project_id)
        and (
            query.changed_since is None
            or (moment is not None and datetime.fromisoformat(moment) >= query.changed_since)
        )
    )
