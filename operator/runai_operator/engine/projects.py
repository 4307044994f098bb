"""What one connection shows of projects: their ids and names, and whether they vouch for it that a workload is gone."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Hashable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from runai_operator.domain import checks
from runai_operator.domain.absence import Place, is_mass_loss
from runai_operator.domain.errors import AccessDenied, BridgeError, CircuitOpen, InvalidWorkload, Scope
from runai_operator.domain.model import Project, Row, RowQuery, Spec, is_same_moment
from runai_operator.domain.reasons import Reason
from runai_operator.engine.ports import Runai

PROJECT_MEMORY = 300.0
"""Seconds for which a resolved project is cached."""
FIRST_MISS_MEMORY, MISS_MEMORY = 5.0, 60.0
"""Seconds for which it is cached that there is no such project, or that we may not ask: at first, and doubled each time up to
this."""

TROUBLE_MEMORY = 0.5
"""Seconds for which a failed question is not asked again: enough for all who wait for a worker to hear of it."""
CLUSTER_PATIENCE = 2.0
"""Seconds that a first attempt waits to know the cluster of its project: it says later whether Run:ai is still the same."""
VISIBLE_MEMORY = 5.0
"""Seconds for which it is remembered that a project is visible: many workloads of one project may go together."""
HIDDEN_PAUSE = 10.0
"""Seconds until a hidden one is looked for again, which takes two questions."""
CLOCK_DIFFERENCE = timedelta(hours=1)
"""By which a deletion may seem to come before the creation, if another clock stamps it, such as a cluster's."""
HIDDEN_MEMORY = 3600.0
"""Seconds for which it is remembered that a project was hidden, to notice when it is shown again."""

K = TypeVar("K", bound=Hashable)
_Key = tuple[str, str, str | None]


class KeyedLocks(Generic[K]):
    """One lock for each key, first come, first served; none is kept for nothing."""

    def __init__(self) -> None:
        self._locks: dict[K, asyncio.Lock] = {}
        self._users: Counter[K] = Counter()
        """Those that hold a lock or wait for it."""

    def __len__(self) -> int:
        return len(self._locks)

    @asynccontextmanager
    async def of(self, key: K) -> AsyncIterator[None]:
        """Holds the lock of this key."""
        self._users[key] += 1
        try:
            async with self._locks.setdefault(key, asyncio.Lock()):
                yield
        finally:
            self._users[key] -= 1
            if not self._users[key]:
                del self._users[key], self._locks[key]


@dataclass(frozen=True, slots=True)
class _Answer:
    """What Run:ai said to a question about a project."""

    at: float
    """Loop seconds."""
    found: Project | BridgeError | None
    lasts: float
    """Seconds for which nobody asks again."""


class Projects:
    """Resolves project names to ids, and ids to names, with one question at a time for each.

    Whoever waits while the question is under way gets its answer, be it an error. What was found is cached for a while, and
    what was not for a moment, which grows: a misspelt name may be in hundreds of specs.
    """

    def __init__(
        self,
        runai: Runai,
        clock: Callable[[], float],
        *,
        timeout: Callable[[float], AbstractAsyncContextManager[object]] = asyncio.timeout,
    ) -> None:
        """`clock` in loop seconds; `timeout`: ends what takes longer than so many of them, by `TimeoutError`."""
        self._runai, self._clock, self._timeout = runai, clock, timeout
        self._answers: dict[_Key, _Answer] = {}
        self._asking = KeyedLocks[_Key]()
        self._no_cluster_until: dict[str, float] = {}
        """By the ids of projects whose cluster could not be found out."""

    async def of(self, spec: Spec, *, anew: bool = False) -> str:
        """The id of the project that the spec names. Raises as `resolve` does."""
        if spec.project_id is not None:
            return spec.project_id
        if spec.project_name is not None:
            return await self.resolve(spec.project_name, spec.cluster_id, anew=anew)
        raise checks.refusal(checks.NO_PROJECT)

    async def resolve(self, name: str, cluster_id: str | None, *, anew: bool = False) -> str:
        """The id of the project. `anew`: somebody asked to try again, so that what was not found is asked for.

        Raises `InvalidWorkload` when there is none or more than one, and what the question raised.
        """

        async def ask() -> Project:
            return _only(await self._runai.projects(name=name, cluster_id=cluster_id), name, cluster_id)

        project = await self._answer(("name", name, cluster_id), ask, anew=anew)
        return project.id if project is not None else ""

    async def name_of(self, project_id: str, *, anew: bool = False) -> str | None:
        """The name of the project; None when there is none of that id. `anew` as above. Raises what the question raised."""
        project = await self._of_id(project_id, anew=anew)
        return project.name if project is not None else None

    async def cluster_of(self, project_id: str) -> str | None:
        """The id of the cluster of a project; None where that is not known soon: whoever asks can do without."""
        if self._clock() < self._no_cluster_until.get(project_id, 0.0):
            return None
        try:
            async with self._timeout(CLUSTER_PATIENCE):
                project = await self._of_id(project_id, anew=False)
        except (BridgeError, TimeoutError):
            now = self._clock()
            self._no_cluster_until = {each: until for each, until in self._no_cluster_until.items() if now < until}
            self._no_cluster_until[project_id] = now + MISS_MEMORY
            return None
        return project.cluster_id if project is not None else None

    async def _of_id(self, project_id: str, *, anew: bool) -> Project | None:
        return await self._answer(("id", project_id, None), lambda: self._runai.project(project_id), anew=anew)

    async def _answer(self, key: _Key, ask: Callable[[], Awaitable[Project | None]], *, anew: bool) -> Project | None:
        began = self._clock()
        async with self._asking.of(key):
            answer = self._answers.get(key)
            if answer is None or not self._holds(answer, began, anew=anew):
                answer = await self._ask(ask, answer)
                self._answers = {each: known for each, known in self._answers.items() if self._is_recent(known)}
                self._answers[key] = answer
                if isinstance(answer.found, Project):
                    self._answers["id", answer.found.id, None] = answer
        if isinstance(answer.found, BridgeError):
            raise answer.found.twin()
        return answer.found

    def _is_recent(self, answer: _Answer) -> bool:
        """An older one neither holds nor says how long the next is to hold: whoever misspells names makes ever new ones."""
        return self._clock() - answer.at < PROJECT_MEMORY

    def _holds(self, answer: _Answer, began: float, *, anew: bool) -> bool:
        """Whether it is an answer to a question of `began`."""
        is_doubted = anew and not isinstance(answer.found, Project)
        return answer.at > began or (began - answer.at < answer.lasts and not is_doubted)

    async def _ask(self, ask: Callable[[], Awaitable[Project | None]], before: _Answer | None) -> _Answer:
        found: Project | BridgeError | None
        try:
            found = await ask()
        except BridgeError as error:
            found = error
        if isinstance(found, Project):
            lasts = PROJECT_MEMORY
        elif _is_refusal(found):
            was_refused = before is not None and _is_refusal(before.found)
            lasts = min(MISS_MEMORY, 2 * before.lasts) if before is not None and was_refused else FIRST_MISS_MEMORY
        else:
            lasts = 0.0 if isinstance(found, CircuitOpen) else TROUBLE_MEMORY
        return _Answer(self._clock(), found, lasts)


def _is_refusal(found: Project | BridgeError | None) -> bool:
    """There is no such project, or we may not ask."""
    if isinstance(found, AccessDenied):
        return found.scope is not Scope.CONNECTION
    return found is None or isinstance(found, InvalidWorkload)


def _only(found: tuple[Project, ...], name: str, cluster_id: str | None) -> Project:
    where = f" on cluster {cluster_id}" if cluster_id else ""
    if not found:
        raise InvalidWorkload(
            f"Project {name}{where} is not in Run:ai, or the operator's credentials may not see it: correct"
            " spec.projectName, or ask a Run:ai administrator for access.",
            reason=Reason.PROJECT_NOT_FOUND,
        )
    if len(found) > 1:
        raise InvalidWorkload(
            f"Several projects are named {name}{where}: set spec.clusterId, or spec.projectId instead of projectName.",
            reason=Reason.PROJECT_AMBIGUOUS,
        )
    return found[0]


@dataclass(frozen=True, slots=True)
class _Sight:
    """Whether a project is visible: when that was asked, and since when it has been so without a gap, as far as was asked."""

    is_visible: bool = False
    asked: float = float("-inf")
    since: float = float("-inf")

    def then(self, is_visible: bool, asked: float) -> _Sight:
        goes_on = is_visible is self.is_visible and asked - self.asked <= VISIBLE_MEMORY
        return _Sight(is_visible, asked, self.since if goes_on else asked)

    def is_recent(self, now: float) -> bool:
        """What is in a hidden project is looked for again and again, so an old answer is about one that nobody uses."""
        return now - self.asked <= (VISIBLE_MEMORY if self.is_visible else HIDDEN_MEMORY)


class Witness:
    """The second witness when Run:ai answers 404 for a workload: what one connection shows of projects and of deleted
    workloads, and what the lists miss. What that proves is in `domain.absence`."""

    def __init__(self, runai: Runai, clock: Callable[[], float]) -> None:
        """`clock` in loop seconds."""
        self._runai, self._clock = runai, clock
        self._sights: dict[Place, _Sight] = {}
        self._asking = KeyedLocks[Place]()
        self._unlisted = set[str]()
        self._vanished: dict[str, float] = {}
        """When a sweep first missed each workload whose absence nothing explains so far."""
        self._shown_at = float("-inf")
        """When a project that had been hidden was shown again."""

    async def shows(self, place: Place, *, newly: bool = False) -> bool:
        """Whether the credentials may see the project. `newly`: that they may was found out after this call, since they may
        have lost it a moment ago; those who wait for an answer share the next one."""
        called = self._clock()
        async with self._asking.of(place):
            sight = self._sights.get(place, _Sight())
            lasts = VISIBLE_MEMORY if sight.is_visible else HIDDEN_PAUSE
            if self._clock() - sight.asked > lasts or (newly and sight.is_visible and sight.asked <= called):
                was_hidden = place in self._sights and not sight.is_visible
                asked = self._clock()
                sight = sight.then(await self._look_for(place), asked)
                now = self._clock()
                self._sights = {each: seen for each, seen in self._sights.items() if seen.is_recent(now)}
                self._sights[place] = sight
                if was_hidden and sight.is_visible:
                    self._shown_at = now
        return sight.is_visible

    def has_shown_since(self, place: Place, moment: float) -> bool:
        """Whether the project has been visible all the time since then, as far as was asked. Otherwise what was not found may
        only have been hidden when it was looked for."""
        sight = self._sights.get(place, _Sight())
        return sight.is_visible and sight.since < moment

    async def _look_for(self, place: Place) -> bool:
        try:
            if place.project_name is not None and await self._is_listed(place, place.project_name):
                return True
            return place.project_id is not None and await self._is_listed(place, None)  # it may have been renamed
        except AccessDenied as error:
            if error.scope is Scope.CONNECTION or place.project_id is None:
                raise
            # Projects may not be listed, but what is in it shows it, too.
            return await self._is_in_use(place)

    async def _is_in_use(self, place: Place) -> bool:
        try:
            page = await self._runai.rows(RowQuery(project_id=place.project_id))
            return any(place.is_on(row.cluster_id) for row in page.rows)
        except AccessDenied as error:
            if error.scope is Scope.CONNECTION:
                raise
            return False

    async def _is_listed(self, place: Place, name: str | None) -> bool:
        return any(
            place.project_id in (None, project.id) and place.is_on(project.cluster_id)
            for project in await self._runai.projects(name=name, cluster_id=None)
        )

    async def deleted_row(self, row: Row) -> Row | None:
        """The row of a workload in the list of deleted ones; `row` says what is known of it."""
        # Of its name only one lives at a time, so none was deleted between its creation and its own deletion: it is among
        # the first, and one page is enough.
        since = datetime.fromisoformat(row.created_at) - CLOCK_DIFFERENCE if row.created_at else None
        query = RowQuery(deleted=True, name=row.name, project_id=row.project_id, changed_since=since)
        try:
            page = await self._runai.rows(query)
        except AccessDenied as error:
            if error.scope is Scope.CONNECTION:
                raise
            return None
        by_id = [found for found in page.rows if found.id == row.id]
        by_time = [found for found in page.rows if is_same_moment(found.created_at, row.created_at)]
        deleted = next(iter(by_id or by_time), None)
        if deleted is None or deleted.is_deleted:
            return deleted
        # Without a time it may be a list of all, whose filter is not honoured.
        others = await self._runai.rows(RowQuery(name=row.name, project_id=row.project_id))
        is_alive = any(found.id == deleted.id for found in others.rows)
        return None if is_alive else replace(deleted, in_list_of_deleted=True)

    async def deleted_of(
        self, name: str, project_id: str, *, since: datetime | None
    ) -> tuple[list[Row], datetime | None]:
        """The rows of deleted workloads of this name, the newest first, and Run:ai's time; none where none was deleted `since`,
        about, or where Run:ai does not say that."""
        query = RowQuery(
            deleted=True, name=name, project_id=project_id, changed_since=since and since - CLOCK_DIFFERENCE
        )
        try:
            page = await self._runai.rows(query)
        except AccessDenied as error:
            if error.scope is Scope.CONNECTION:
                raise
            return [], None
        # Without a time it may be a list of all, whose filter is not honoured.
        rows = [row for row in page.rows if row.deleted_at is not None and row.created_at is not None]
        newest_first = sorted(rows, key=lambda row: datetime.fromisoformat(str(row.created_at)), reverse=True)
        return newest_first, page.server_time

    # --- the brake on mass loss

    def swept(self, unlisted: Collection[str], vanished: Collection[str]) -> None:
        """A sweep has ended. `unlisted`: the workloads of unfinished work that it missed; `vanished`: those of them for which
        nothing explains that."""
        now = self._clock()
        self._unlisted = set(unlisted)
        self._vanished = {each: self._vanished.get(each, now) for each in vanished}

    def is_unlisted(self, workload_id: str) -> bool:
        """The last sweep missed it."""
        return workload_id in self._unlisted

    def is_back(self, workload_id: str) -> bool:
        """A list shows it, for the first time since the last sweep missed it."""
        was_missed = workload_id in self._unlisted
        self._unlisted.discard(workload_id)
        return was_missed

    def explained(self, workload_id: str) -> None:
        """It is there after all, or what became of it is known."""
        self._vanished.pop(workload_id, None)

    def in_mass_loss(self) -> bool:
        # What was lost while nobody could see it is missing only since it could be seen again.
        now = self._clock()
        return is_mass_loss(now - max(since, self._shown_at) for since in self._vanished.values())
