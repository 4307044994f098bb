"""A Run:ai that knows nothing and is slow or broken as told, for tests of what stands before it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from copy import copy

from runai_operator.domain.errors import BridgeError
from runai_operator.domain.model import Remote, RowPage
from runai_operator.engine.gate import CallClass


class TroubledRunai:
    """A Run:ai where each class of calls takes `latency` seconds and then meets `trouble`: an error, or a function of
    the object that gives one or None."""

    def __init__(self) -> None:
        self.trouble: dict[CallClass, BridgeError | Callable[[str], BridgeError | None] | None] = {}
        self.latency: dict[CallClass, float] = {}
        self.calls: list[tuple[float, CallClass, str]] = []
        self.missing: set[str] = set()
        """Ids that are answered by 404 when they are read."""
        self.closed = False

    async def _call(self, kind: CallClass, subject: str) -> None:
        self.calls.append((asyncio.get_running_loop().time(), kind, subject))
        await asyncio.sleep(self.latency.get(kind, 0.01))
        trouble = self.trouble.get(kind)
        error = trouble(subject) if callable(trouble) else trouble
        if error is not None:
            raise copy(error)  # one instance raised again and again would collect tracebacks

    def times(self, kind: CallClass, since: float = 0.0) -> list[float]:
        return [time for time, each, _ in self.calls if each is kind and time >= since]

    async def create(self, submission):
        await self._call(CallClass.WRITES, f"{submission.project_id}/{submission.name}")
        return Remote(submission.name, submission.name, submission.project_id)

    async def dry_run(self, submission):
        await self._call(CallClass.WRITES, f"{submission.project_id}/{submission.name}")

    async def update(self, workload_id, submission):
        await self._call(CallClass.WRITES, f"{submission.project_id}/{workload_id}")
        return Remote(workload_id, submission.name, submission.project_id)

    async def delete(self, workload_id):
        await self._call(CallClass.WRITES, workload_id)
        return True

    async def get(self, workload_id):
        await self._call(CallClass.READS, workload_id)
        return None if workload_id in self.missing else Remote(workload_id, workload_id, "1")

    async def row(self, row_id):
        await self._call(CallClass.READS, row_id)

    async def rows(self, query):
        is_for_one = query.project_id is not None or query.name is not None
        await self._call(CallClass.LOOKUPS if is_for_one else CallClass.LISTS, query.name or "all")
        return RowPage((), None, None)

    async def find(self, *, name, project_id):
        await self._call(CallClass.LOOKUPS, f"{project_id}/{name}")
        return ()

    async def projects(self, *, name, cluster_id):
        await self._call(CallClass.LOOKUPS, name)
        return ()

    async def project(self, project_id):
        await self._call(CallClass.LOOKUPS, project_id)

    async def aclose(self):
        self.closed = True
