"""Cleans up what had to be left behind in Run:ai, when an administrator asks for it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from runai_operator.domain.absence import Place
from runai_operator.domain.access import Access
from runai_operator.domain.errors import BridgeError, Held
from runai_operator.domain.model import Orphan, Remote, Row, TableRow, is_same_moment
from runai_operator.domain.plan import StatusSummary
from runai_operator.engine.ports import Runai
from runai_operator.engine.projects import Witness


class OrphanRecord(Protocol):
    """Where orphans are recorded, and RunaiWorkloads listed."""

    @property
    def scopes(self) -> Sequence[str | None]:
        """As `ports.Kube` has it, like the next."""

    def list_all(self, scope: str | None) -> AsyncIterator[TableRow]: ...

    async def orphans(self) -> dict[str, Orphan | None]:
        """All of them by the UID of their RunaiWorkload; None for an entry that cannot be read."""

    async def forget_orphan(self, uid: str) -> None:
        """Removes one entry from the record."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What was found and done, in a few words."""

    words: str
    kept: bool = False
    """Nothing was done, and the entry stays."""

    def __str__(self) -> str:
        return f"kept: {self.words}" if self.kept else self.words


class Cleaner:
    """Deletes in Run:ai what is still ours, and removes from the record what is gone or has another owner."""

    def __init__(
        self, record: OrphanRecord, runai: Runai, *, access: Access, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`access`: the projects in which what the objects of a namespace left may be deleted. `clock` in seconds."""
        self._record, self._runai, self._access, self._clock = record, runai, access, clock
        self._witness = Witness(runai, clock)

    async def clean(self, orphan: Orphan) -> Cleaned:
        """The entry stays until its workload is gone or has another owner."""
        try:
            began = self._clock()
            there = await self._there(orphan)
            for remote in there:
                if _is_ours(remote, orphan) and not await self._has_new_owner(remote, orphan):
                    return await self._unless_barred(remote, orphan) or await self._delete(remote)
            if [
                remote
                for remote in there
                if _may_be_ours(remote, orphan) and not await self._has_new_owner(remote, orphan)
            ]:
                return _kept("a workload that may be ours is in Run:ai, and whether it is cannot be read there")
            place = Place(orphan.project_id, orphan.project_name)
            if not there and not await self._is_gone(orphan, place):
                return _kept(f"Run:ai does not show its project {place}, so whether it is gone is not known")
            if not there and not self._witness.has_shown_since(place, began) and await self._there(orphan):
                return _kept("Run:ai shows it again")
            await self._record.forget_orphan(orphan.mark.uid)
        except BridgeError as error:
            return _kept(error.message)
        if there:
            return Cleaned("another owner has it now: left alone, and taken out of the record")
        return Cleaned("gone from Run:ai: taken out of the record")

    async def _there(self, orphan: Orphan) -> list[Remote]:
        return [remote for remote in await self._find(orphan) if not await self._is_deleted(remote)]

    async def _is_deleted(self, remote: Remote) -> bool:
        if not remote.may_be_gone:
            return remote.gone
        listed = await self._runai.find(name=remote.name, project_id=remote.project_id)
        return not any(row.id == remote.id or is_same_moment(row.created_at, remote.created_at) for row in listed)

    async def _is_gone(self, orphan: Orphan, place: Place) -> bool:
        """Whether there is a proof that what is not found does not exist."""
        if await self._witness.shows(place, newly=True):
            return True
        if orphan.workload_id is None or orphan.project_id is None:
            return False
        row = Row(orphan.workload_id, orphan.name, orphan.project_id)
        return await self._witness.deleted_row(row) is not None

    async def _has_new_owner(self, remote: Remote, orphan: Orphan) -> bool:
        """Another RunaiWorkload has taken it over, which its mark shows only if it can be read, and was written anew."""
        for scope in self._record.scopes:
            async for row in self._record.list_all(scope):
                is_it = StatusSummary.of_cells(row).workload_id == remote.id and row.meta.has_finalizer
                if is_it and row.meta.ref.uid != orphan.mark.uid:
                    return True
        return False

    async def _unless_barred(self, remote: Remote, orphan: Orphan) -> Cleaned | None:
        """As for a deletion by an object: the project that the workload really is in decides."""
        if not self._access.limited:
            return None
        name = remote.project_name
        if name is None and (project := await self._runai.project(remote.project_id)) is not None:
            name = project.name
        namespace = orphan.mark.namespace
        if self._access.allows(namespace, name):
            return None
        return _kept(
            f"objects in namespace {namespace} may not use its project {name or remote.project_id} (runai.access):"
            " allow it, or delete the workload in Run:ai"
        )

    async def _delete(self, remote: Remote) -> Cleaned:
        if remote.being_deleted:
            return Cleaned("being deleted in Run:ai: run this again to see it gone")
        await self._runai.delete(remote.id)
        return Cleaned("deletion requested: run this again to see it gone")

    async def _find(self, orphan: Orphan) -> list[Remote]:
        """The workloads it may be: by id, or by name where the answer with the id never came."""
        if orphan.workload_id is not None:
            ids = [orphan.workload_id]
        else:
            ids = [
                row.id
                for project_id in await self._projects(orphan)
                for row in await self._runai.find(name=orphan.name, project_id=project_id)
            ]
        found = [await self._runai.get(workload_id) for workload_id in ids]
        return [remote for remote in found if remote is not None]

    async def _projects(self, orphan: Orphan) -> list[str]:
        """The ids of the projects that it may be in."""
        if orphan.project_id is not None:
            return [orphan.project_id]
        name = orphan.project_name
        if name is None:
            raise Held("In which project it was submitted is not on record: look for it in Run:ai, then use --forget.")
        return [project.id for project in await self._runai.projects(name=name, cluster_id=None)]


def _kept(why: str) -> Cleaned:
    return Cleaned(why, kept=True)


def _may_be_ours(remote: Remote, orphan: Orphan) -> bool:
    """No mark shows whose it is. What is on record by its id may have been moved or renamed since."""
    is_known = remote.id == orphan.workload_id and not orphan.in_doubt
    return remote.mark is None and (is_known or not remote.mark_readable)


def _is_ours(remote: Remote, orphan: Orphan) -> bool:
    """By its mark; where it shows none, by the id from our own record with equal name and project."""
    if remote.mark is not None:
        return (
            replace(remote.mark, install=orphan.mark.install) == orphan.mark
        )  # the id of the install may have changed
    same = remote.name == orphan.name and orphan.project_id in (None, remote.project_id)
    return same and remote.id == orphan.workload_id and not orphan.in_doubt
