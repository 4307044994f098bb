"""The record of orphans as a person reads and cleans it: a ConfigMap in the namespace of each operator."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from runai_operator.commands.cleaning import Cleaned, Cleaner
from runai_operator.commands.exits import CommandError, ExitCode
from runai_operator.commands.runai_access import RunaiOptions
from runai_operator.domain.access import Access, parse_access
from runai_operator.domain.errors import AccessDenied, Vanished
from runai_operator.domain.model import Orphan, TableRow
from runai_operator.kube.objects import Cluster
from runai_operator.kube.wire import ORPHANS, TABLE, collection_path, configmaps_path, orphans_of, page_of_table
from runai_operator.runai.client import RunaiClient
from runai_operator.settings import SettingsError

PAGE = 500


class Book:
    """One record, as `cleaning.OrphanRecord` has it."""

    scopes: Sequence[str | None] = (None,)

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster, self.namespace = cluster, namespace
        self._path = f"{configmaps_path(namespace)}/{ORPHANS}"

    async def orphans(self) -> dict[str, Orphan | None]:
        try:
            return orphans_of(await self._cluster.get(self._path))
        except Vanished:
            return {}

    async def entries(self) -> list[Leftover]:
        """By UID."""
        return [Leftover(self, uid, orphan) for uid, orphan in sorted((await self.orphans()).items())]

    async def forget_orphan(self, uid: str) -> None:
        await self._cluster.patch(self._path, {"data": {uid: None}})

    async def list_all(self, scope: str | None) -> AsyncIterator[TableRow]:
        token = ""
        while True:
            query = {"limit": str(PAGE)} | ({"continue": token} if token else {})
            rows, token = page_of_table(
                await self._cluster.call("GET", collection_path(scope), query=query, accept=TABLE)
            )
            for row in rows:
                yield row
            if not token:
                return


@dataclass(frozen=True, slots=True)
class Leftover:
    """One entry of a record."""

    book: Book
    uid: str
    orphan: Orphan | None
    """None: it cannot be read."""

    @property
    def owner(self) -> str:
        return f"{self.orphan.mark.namespace}/{self.orphan.mark.name}" if self.orphan else "(unreadable)"

    def row(self) -> tuple[object, ...]:
        orphan = self.orphan
        if orphan is None:
            return self.uid, self.owner, None, None, None, None, None, self.book.namespace
        project, since = orphan.project_name or orphan.project_id, orphan.released and orphan.released.isoformat()
        return self.uid, self.owner, project, orphan.name, orphan.workload_id, since, orphan.why, self.book.namespace

    def report(self) -> dict[str, Any]:
        titles = ("uid", "object", "project", "workload", "workloadId", "since", "reason", "record")
        return {title: value for title, value in zip(titles, self.row(), strict=True) if value is not None}


async def find(cluster: Cluster, namespace: str | None) -> list[Book]:
    """The record of a namespace, or every one of the cluster. Raises as `Cluster.list` does."""
    if namespace is not None:
        return [Book(cluster, namespace)]
    query = {"fieldSelector": f"metadata.name={ORPHANS}"}
    try:
        found = [item["metadata"]["namespace"] async for item in cluster.metadata("/api/v1/configmaps", query)]
    except AccessDenied as error:
        raise CommandError(
            f"{error.message} Or name the namespace of the operator with -n.", ExitCode.NO_ACCESS
        ) from None
    return [Book(cluster, name) for name in found]


def chosen(entries: Sequence[Leftover], which: Sequence[str]) -> list[Leftover]:
    """Those that are named by UID or object, or all where none is. Raises `CommandError` for one that is not on record."""
    for name in which:
        if not any(name in (entry.uid, entry.owner) for entry in entries):
            raise CommandError(f"{name} is not on record. See kubectl rwl orphans.")
    return [entry for entry in entries if not which or {entry.uid, entry.owner} & set(which)]


async def forget(entries: Sequence[Leftover]) -> AsyncGenerator[Cleaned]:
    """Only takes them off the record; what became of each, in turn."""
    for entry in entries:
        await entry.book.forget_orphan(entry.uid)
        yield Cleaned("taken off the record; Run:ai was not asked")


async def delete(entries: Sequence[Leftover], cluster: Cluster, options: RunaiOptions) -> AsyncGenerator[Cleaned]:
    """Deletes in Run:ai what is still ours; what became of each, in turn. Raises as `RunaiOptions.connect` does."""
    async with options.connect(cluster) as runai:
        access = _access(await options.table(cluster))
        for entry in entries:
            yield await _delete(entry, runai, access)


async def _delete(entry: Leftover, runai: RunaiClient, access: Access) -> Cleaned:
    if entry.orphan is None:
        return Cleaned("the entry cannot be read; forget takes it off the record", kept=True)
    return await Cleaner(entry.book, runai, access=access).clean(entry.orphan)


def _access(table: str | None) -> Access:
    if table is None:
        return Access()
    try:
        return parse_access(table)
    except ValueError as error:
        raise SettingsError([f"RUNAI_ACCESS_FILE {error}"]) from None
