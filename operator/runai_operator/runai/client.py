"""The Run:ai control plane behind one connection: one method per need of the operator.

Admitted here: which request answers which need, and what counts as success. Bodies are in `wire`, errors in `failures`,
tokens in `auth`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import httpx

from runai_operator.codecs.json import Unreadable
from runai_operator.domain.errors import BridgeError, Busy, PageTooLarge
from runai_operator.domain.model import Json, Project, Remote, Row, RowPage, RowQuery, Submission, UnreadRow
from runai_operator.runai import wire
from runai_operator.runai.auth import Credentials, RunaiAuth
from runai_operator.runai.failures import Operation, failure
from runai_operator.runai.transport import OnCall, Request, Timeouts, Transport, ignore, read_answer
from runai_operator.runai.trust import Trust
from runai_operator.runai.wire import Answer

__all__ = ["Credentials", "OnCall", "RunaiClient", "Timeouts"]

_WORKLOADS_V2 = "/api/v2/workloads"
_WORKLOADS_V1 = "/api/v1/workloads"
_PROJECTS = "/api/v1/org-unit/projects"

_MIB = 1024 * 1024
_SINGLE_LIMIT = 6 * _MIB
"""Two manifests of 1.5 MiB, escaped, and the rest."""
_PAGE_LIMIT = 8 * _MIB
_MOST_PROJECT_PAGES = 100
_MOST_LOOKUP_PAGES = 40
"""20,000 rows, where a server heeds no filter."""

_ACCEPTED = (200, 201, 202)
"""Writes are documented to answer 202; early releases said 201."""

_T = TypeVar("_T")


class RunaiClient:
    """Implements the engine's `Runai` port; every method raises only classes of `domain.errors`.

    Raises `ValueError` when the base URL or the CA file cannot be used. `transport` replaces the network in tests.
    """

    def __init__(
        self,
        *,
        base_url: str,
        credentials: Credentials,
        ca_file: Path | None = None,
        allow_http: bool = False,
        proxy: str | None = None,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
        on_call: OnCall = ignore,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._transport = Transport(
            base_url,
            trust=Trust(ca_file),
            allow_http=allow_http,
            proxy=proxy,
            timeouts=timeouts,
            on_call=on_call,
            transport=transport,
        )
        self._auth = RunaiAuth(credentials, self._exchange_token, clock=clock, wall=wall)

    async def aclose(self) -> None:
        """Closes the connections; may be called twice."""
        await self._transport.aclose()

    async def authorize(self) -> None:
        """Returns when there is a token to use; raises the errors of getting one. Every other call does so by itself."""
        await self._auth.ready()

    async def create(self, submission: Submission) -> Remote:
        """POST of a new workload. 409 is `NameTaken`: the holder may still be our own earlier attempt."""
        content = await _written(wire.create_body, submission)
        answer = await self._send(Operation.CREATE, "POST", _WORKLOADS_V2, content)
        return await self._read(Operation.CREATE, answer, wire.read_created(submission))

    async def dry_run(self, submission: Submission) -> str | None:
        """POST with `dryRun`: returns if Run:ai would accept the workload, raises as `create` does if not.

        Only for releases known to have the flag (2.25): an older one ignores it and creates the workload. Its id is then in
        the answer, and is what this returns; what is in the answer otherwise is not documented.
        """
        content = await _written(wire.create_body, submission)
        answer = await self._send(Operation.DRY_RUN, "POST", f"{_WORKLOADS_V2}?dryRun=true", content)
        if answer.status not in (*_ACCEPTED, 204):
            raise self._failure(Operation.DRY_RUN, answer)
        return wire.told_id(answer)

    async def get(self, workload_id: str) -> Remote | None:
        """V2 GET; None when Run:ai itself reports that there is no such workload."""
        answer = await self._get(Operation.GET, f"{_WORKLOADS_V2}/{wire.safe_id(workload_id)}")
        if wire.is_absent(answer):
            return None
        return await self._read(Operation.GET, answer, wire.read_remote_of(workload_id))

    async def submitted(self, workload_id: str) -> tuple[Remote, Json] | None:
        """As `get`, with the manifest as it was submitted; an empty one where Run:ai does not show it."""
        answer = await self._get(Operation.GET, f"{_WORKLOADS_V2}/{wire.safe_id(workload_id)}")
        if wire.is_absent(answer):
            return None
        if answer.status not in _ACCEPTED:
            raise self._failure(Operation.GET, answer)
        return await read_answer(Operation.GET, answer, wire.read_submitted(workload_id), parse=wire.parse_whole)

    async def update(self, workload_id: str, submission: Submission) -> Remote | None:
        """PUT of manifest, priority and category; None when there is no such workload; `Busy` on 409."""
        path = f"{_WORKLOADS_V2}/{wire.safe_id(workload_id)}"
        content = await _written(wire.update_body, submission)
        answer = await self._send(Operation.UPDATE, "PUT", path, content)
        if wire.is_absent(answer):
            return None
        return await self._read(Operation.UPDATE, answer, wire.read_remote_of(workload_id))

    async def delete(self, workload_id: str) -> bool:
        """DELETE; False when there is no such workload; `Busy` on 409. It takes time: read until gone."""
        answer = await self._send(Operation.DELETE, "DELETE", f"{_WORKLOADS_V2}/{wire.safe_id(workload_id)}")
        if wire.is_absent(answer):
            return False
        if answer.status in (202, 204) and answer.body == b"":
            return True
        return await self._read(Operation.DELETE, answer, lambda _: True)

    async def rows(self, query: RowQuery) -> RowPage:
        """One page of the v1 list. Raises `PageTooLarge` for one over 8 MiB."""
        answer = await self._list(Operation.LIST, _WORKLOADS_V1, wire.list_params(query))
        if answer.body is None and answer.status in _ACCEPTED:
            raise PageTooLarge("A page of Run:ai's list of workloads is larger than the 8 MiB that are read.")
        return await self._read(Operation.LIST, answer, wire.read_page(query, answer.date))

    async def find(self, *, name: str, project_id: str | None) -> tuple[Row, ...]:
        """Every row of this name in the project, or in any if that is None, from all pages: how the server combines filters is
        not stated.

        Raises `UnexpectedReply` for a list that cannot be read to its end, `Busy` for one that changed meanwhile.
        """
        rows, _ = await self._listed(RowQuery(name=name, project_id=project_id))
        return rows

    async def in_project(self, project_id: str) -> tuple[tuple[Row, ...], tuple[UnreadRow, ...]]:
        """Every row of the project, the oldest first, and those that cannot be read; raises as `find` does."""
        return await self._listed(RowQuery(project_id=project_id))

    async def _listed(self, query: RowQuery) -> tuple[tuple[Row, ...], tuple[UnreadRow, ...]]:
        name, project_id = query.name, query.project_id
        found: dict[str, Row] = {}
        unread: dict[UnreadRow, None] = {}
        last: Row | None = None
        for _ in range(_MOST_LOOKUP_PAGES):
            answer = await self._list(Operation.LIST, _WORKLOADS_V1, wire.list_params(query))
            page = await self._read(Operation.LIST, answer, wire.read_whole_page(query))
            rows = page.rows
            if last is not None and last.id not in [row.id for row in rows]:
                raise Busy("The list of workloads in Run:ai changed while it was read: it is read again.")
            found |= {row.id: row for row in rows if project_id in (None, row.project_id) and name in (None, row.name)}
            unread |= dict.fromkeys(row for row in page.unread if row.project_id in (None, project_id))
            if page.following is None:
                return tuple(found.values()), tuple(unread)
            if not (rows or page.unread):
                break
            # From the last row on: if that has moved to the front, so may have another, from a page not yet read to one that was.
            overlap = 1 + page.tail if rows and page.following - 1 - page.tail > query.offset else 0
            last = rows[-1] if overlap else None
            query = replace(query, offset=page.following - overlap)
        raise failure(Operation.LIST, Unreadable("a list without an end"))

    async def row(self, row_id: str) -> Row | None:
        """The v1 GET, which also says why a pending workload waits; None also when v1 does not know it (yet)."""
        answer = await self._get(Operation.DETAIL, f"{_WORKLOADS_V1}/{wire.safe_id(row_id)}")
        if wire.is_absent(answer):
            return None
        return await self._read(Operation.DETAIL, answer, wire.read_row_of(row_id))

    async def projects(self, *, name: str | None, cluster_id: str | None) -> tuple[Project, ...]:
        """Projects of exactly this name, or all, on this cluster if one is given, that the credentials may see."""
        found: dict[Project, None] = {}
        offset: int | None = 0
        for _ in range(_MOST_PROJECT_PAGES):
            if offset is None:
                break
            params = wire.project_params(name, cluster_id, offset)
            answer = await self._list(Operation.PROJECTS, _PROJECTS, params)
            page, offset = await self._read(Operation.PROJECTS, answer, wire.read_projects_from(offset))
            if found.keys() >= set(page):
                break  # whatever it names as the next page
            found |= dict.fromkeys(page)
        return tuple(p for p in found if name in (None, p.name) and cluster_id in (None, p.cluster_id))

    async def project(self, project_id: str) -> Project | None:
        """The project of exactly this id; None when Run:ai itself reports that there is none, or shows another."""
        answer = await self._get(Operation.PROJECT, f"{_PROJECTS}/{wire.safe_project_id(project_id)}")
        if wire.is_absent(answer):
            return None
        project = await self._read(Operation.PROJECT, answer, wire.read_project)
        return project if project.id == project_id else None

    async def _get(self, operation: Operation, path: str) -> Answer:
        return await self._call(Request(operation, "GET", path, limit=_SINGLE_LIMIT))

    async def _list(self, operation: Operation, path: str, params: Mapping[str, str | int]) -> Answer:
        return await self._call(Request(operation, "GET", path, params, limit=_PAGE_LIMIT))

    async def _send(self, operation: Operation, method: str, path: str, content: bytes | None = None) -> Answer:
        return await self._call(Request(operation, method, path, content=content, limit=_SINGLE_LIMIT))

    async def _call(self, request: Request) -> Answer:
        """The token is fetched first, within its own deadline: after that of the call, a write may have been sent."""
        await self._auth.ready()
        return await self._transport.call(request, self._auth)

    async def _read(self, operation: Operation, answer: Answer, read: Callable[[Json], _T]) -> _T:
        if answer.status not in _ACCEPTED:
            raise self._failure(operation, answer)
        return await read_answer(operation, answer, read)

    def _failure(self, operation: Operation, answer: Answer) -> BridgeError:
        return failure(operation, answer, credentials=self._auth.settings)

    async def _exchange_token(self, path: str, content: bytes, content_type: str) -> Answer:
        return await self._transport.call(Request(Operation.TOKEN, "POST", path, None, content, content_type))


async def _written(write: Callable[[Submission], bytes], submission: Submission) -> bytes:
    """What `write` makes of it, which may take long: then off the event loop."""
    return write(submission) if submission.small else await asyncio.to_thread(write, submission)
