"""The two writes to a custom resource, finalizers and status, each told to the observer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from runai_operator.domain.errors import BridgeError
from runai_operator.domain.model import Ref
from runai_operator.domain.state import State
from runai_operator.engine.inventory import Entry
from runai_operator.engine.ports import Kube, Observer


class Writer:
    """Raises what the `Kube` port raises."""

    def __init__(self, kube: Kube, observer: Observer) -> None:
        self._kube, self._observer = kube, observer

    async def finalizers(self, record: Entry, s: State, finalizers: tuple[str, ...]) -> State:
        """Replaces them if nobody wrote since the workload was read; the situation goes on from there."""
        workload = s.workload
        try:
            version = await self._kube.write_finalizers(
                workload.ref, finalizers, resource_version=workload.resource_version
            )
        except BridgeError as error:
            self._observer.kube_write("finalizer", error.condition_reason)
            raise
        self._observer.kube_write("finalizer", "ok")
        workload = replace(workload, finalizers=finalizers, resource_version=version)
        record.saw(workload)
        return replace(s, workload=workload)

    async def status(self, ref: Ref, patch: Mapping[str, object], *, guard: str | None) -> str:
        """Merge patch of status, only over the version `guard` if one is given; returns the new version."""
        try:
            version = await self._kube.write_status(ref, patch, resource_version=guard)
        except BridgeError as error:
            self._observer.kube_write("status", error.condition_reason)
            raise
        self._observer.kube_write("status", "ok")
        return version
