"""The two writes to a custom resource, finalizers and status: always guarded by the version read, always fenced."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any, TypeVar

from runai_operator.domain.errors import BridgeError
from runai_operator.domain.model import Orphan, Workload
from runai_operator.domain.status import overlay
from runai_operator.engine.ports import Kube, Observer

T = TypeVar("T")


class Writer:
    """Raises what the `Kube` port raises, and `NotLeader`."""

    def __init__(
        self, kube: Kube, guarded: Callable[[], AbstractAsyncContextManager[None]], observer: Observer
    ) -> None:
        """`guarded` raises `NotLeader` where nothing may be written, or no longer."""
        self._kube, self._guarded, self._observer = kube, guarded, observer
        self._first_written: dict[str, tuple[str, str]] = {}
        """By UID: the version that a first status was written over, and the one that this made."""

    async def finalizers(self, workload: Workload, finalizers: tuple[str, ...]) -> Workload:
        """Replaces the finalizers if nobody wrote since `workload` was read; returns the new workload."""
        read = self._version_of(workload)
        version = await self._write(
            "finalizer", lambda: self._kube.write_finalizers(workload.ref, finalizers, resource_version=read)
        )
        meta = replace(workload.meta, finalizers=finalizers, resource_version=version)
        return replace(workload, meta=meta)

    async def status(self, workload: Workload, patch: Mapping[str, Any]) -> Workload:
        """Merge patch of status (None removes a field) if nobody wrote since `workload` was read; returns the new
        workload."""
        read = self._version_of(workload)
        version = await self._write(
            "status", lambda: self._kube.write_status(workload.ref, patch, resource_version=read)
        )
        meta = replace(workload.meta, resource_version=version)
        return replace(workload, meta=meta, status=overlay(workload.status, patch))

    async def first_status(self, workload: Workload, patch: Mapping[str, Any]) -> None:
        """As `status`, beside a pass over the object that may hang: that pass need not take it for somebody else's write."""
        written = await self.status(workload, patch)
        self._first_written[workload.ref.uid] = workload.meta.resource_version, written.meta.resource_version

    def _version_of(self, workload: Workload) -> str:
        """The version that was read, or what our own write of the first status has made of it."""
        before, after = self._first_written.pop(workload.ref.uid, (None, ""))
        return after if before == workload.meta.resource_version else workload.meta.resource_version

    async def orphan(self, orphan: Orphan) -> bool:
        """Records what stays behind in Run:ai; False when the record is full."""
        return await self._write("orphan", lambda: self._kube.record_orphan(orphan))

    async def _write(self, kind: str, write: Callable[[], Awaitable[T]]) -> T:
        try:
            async with self._guarded():
                done = await write()
        except BridgeError as error:
            self._observer.kube_write(kind, error.condition_reason)
            raise
        self._observer.kube_write(kind, "ok")
        return done
