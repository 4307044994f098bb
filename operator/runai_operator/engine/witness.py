"""Asks Run:ai for a second witness when it answers 404 for a workload: see `domain.absence` for what that proves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from datetime import datetime

from runai_operator.domain.absence import Place, is_mass_loss
from runai_operator.domain.errors import AccessDenied, Scope
from runai_operator.domain.model import Row, RowQuery, is_same_moment
from runai_operator.engine.ports import Runai

PROJECT_MEMORY = 5.0
"""Seconds for which it is remembered whether a project is visible: many workloads of one project may go together."""


class Witness:
    """What one connection shows of projects and of deleted workloads, and what the lists miss."""

    def __init__(self, runai: Runai, clock: Callable[[], float]) -> None:
        """`clock` in loop seconds."""
        self._runai, self._clock = runai, clock
        self._visible: dict[Place, tuple[bool, float]] = {}
        self._asking: dict[Place, asyncio.Lock] = {}
        self._unlisted: frozenset[str] = frozenset()
        self._vanished: dict[str, float] = {}
        """When a sweep first missed each workload whose absence nothing explains so far."""
        self._shown_at = float("-inf")
        """When a project that had been hidden was shown again."""

    async def shows(self, place: Place) -> bool:
        """Whether the credentials may see the project."""
        async with self._asking.setdefault(place, asyncio.Lock()):
            known = self._visible.get(place)
            if known is None or self._clock() - known[1] > PROJECT_MEMORY:
                was_hidden = known is not None and not known[0]
                known = self._visible[place] = (await self._look_for(place), self._clock())
                if was_hidden and known[0]:
                    self._shown_at = self._clock()
        return known[0]

    async def _look_for(self, place: Place) -> bool:
        try:
            if place.project_name is not None and await self._is_listed(place, place.project_name):
                return True
            return place.project_id is not None and await self._is_listed(place, None)  # it may have been renamed
        except AccessDenied as error:
            if error.scope is Scope.CONNECTION or place.project_id is None:
                raise
            # Projects may not be listed, but what is in it shows it, too.
            return await self._is_in_use(place.project_id)

    async def _is_in_use(self, project_id: str) -> bool:
        try:
            return bool((await self._runai.rows(RowQuery(project_id=project_id))).rows)
        except AccessDenied as error:
            if error.scope is Scope.CONNECTION:
                raise
            return False

    async def _is_listed(self, place: Place, name: str | None) -> bool:
        return any(
            place.project_id in (None, project.id)
            and (place.cluster_id is None or project.cluster_id in (None, place.cluster_id))
            for project in await self._runai.projects(name=name, cluster_id=None)
        )

    async def deleted_row(self, row: Row) -> Row | None:
        """The row of a workload in the list of deleted ones; `row` says what is known of it."""
        # Of its name only one lives at a time, so none was deleted between its creation and its own deletion: it is the
        # first, and one page is enough.
        since = datetime.fromisoformat(row.created_at) if row.created_at else None
        query = RowQuery(deleted=True, name=row.name, project_id=row.project_id, changed_since=since)
        try:
            page = await self._runai.rows(query)
        except AccessDenied as error:
            if error.scope is Scope.CONNECTION:
                raise
            return None
        by_id = [found for found in page.rows if found.id == row.id]
        by_time = [found for found in page.rows if is_same_moment(found.created_at, row.created_at)]
        return next(iter(by_id or by_time), None)

    # --- the brake on mass loss

    def swept(self, unlisted: Collection[str], vanished: Collection[str]) -> None:
        """A sweep has ended. `unlisted`: the workloads of unfinished work that it missed; `vanished`: those of them for which
        nothing explains that."""
        now = self._clock()
        self._unlisted = frozenset(unlisted)
        self._vanished = {each: self._vanished.get(each, now) for each in vanished}

    def is_unlisted(self, workload_id: str) -> bool:
        """The last sweep missed it."""
        return workload_id in self._unlisted

    def explained(self, workload_id: str) -> None:
        """It is there after all, or what became of it is known."""
        self._vanished.pop(workload_id, None)

    def in_mass_loss(self) -> bool:
        # What was lost while nobody could see it is missing only since it could be seen again.
        now = self._clock()
        return is_mass_loss(now - max(since, self._shown_at) for since in self._vanished.values())
