"""What the engine needs from the outside, as contracts. Adapters implement them; `main` connects the two.

All methods raise only classes of `domain.errors`. Reads are idempotent and never change anything outside.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol

from runai_operator.domain.model import (
    CRDState,
    Orphan,
    Project,
    Ref,
    Remote,
    Row,
    RowPage,
    RowQuery,
    SourceRef,
    SourceText,
    Submission,
    TableRow,
    Workload,
)


class Runai(Protocol):
    """The Run:ai control plane behind one connection."""

    async def create(self, submission: Submission) -> Remote:
        """POST. Raises `NameTaken` on 409, `InvalidWorkload` on 400 and 422, `AccessDenied`, `Throttled`,
        `Unavailable` when surely nothing was sent, `OutcomeUnknown` otherwise."""

    async def get(self, workload_id: str) -> Remote | None:
        """V2 GET; None on 404."""

    async def update(self, workload_id: str, submission: Submission) -> Remote | None:
        """PUT of manifest, priority and category, all three always sent; None on 404; `Busy` on 409."""

    async def delete(self, workload_id: str) -> bool:
        """DELETE; False on 404; `Busy` on 409."""

    async def rows(self, query: RowQuery) -> RowPage:
        """One page of the v1 list."""

    async def find(self, *, name: str, project_id: str) -> tuple[Row, ...]:
        """Every row of this name in the project. What is missing from it is not in the list: it raises where that was not
        read to its end."""

    async def scheduling_messages(self, workload_id: str) -> tuple[str, ...]:
        """Why a workload is pending (v1 GET of one); empty when there is no message or no such workload."""

    async def projects(self, *, name: str | None, cluster_id: str | None) -> tuple[Project, ...]:
        """Projects with exactly this name, or all, that the credentials may see."""


class Kube(Protocol):
    """The Kubernetes API, as far as workloads need it."""

    async def read(self, ref: Ref, *, large: bool) -> Workload | None:
        """The whole object; None when it is gone or has another UID.

        With `large` false, raises `TooLarge` for a body that is large or nested deeply. With `large` true such a body
        is parsed off the event loop, and one that cannot be read at all comes back with `spec_error` set and the few
        status fields that a `Table` shows.
        """

    async def write_finalizers(self, ref: Ref, finalizers: tuple[str, ...], *, resource_version: str) -> str:
        """Replaces the finalizers if nobody wrote since `resource_version`; returns the new one.

        Raises `StaleObject` on a conflict, `Vanished`, `InvalidWorkload` when the API server refuses the object.
        """

    async def write_status(self, ref: Ref, patch: Mapping[str, Any], *, resource_version: str) -> str:
        """Merge patch of `status` (None removes a field) if nobody wrote since `resource_version`; returns the new one.

        Raises as `write_finalizers` does."""

    def list_all(self) -> AsyncIterator[TableRow]:
        """Every RunaiWorkload in scope, in pages, without building bodies."""

    async def read_source(self, namespace: str, source: SourceRef) -> SourceText:
        """The text of a `manifestFrom`. Raises `SourceUnusable` when it, its key or the right to it is missing."""

    async def source_version(self, namespace: str, source: SourceRef) -> str | None:
        """resourceVersion of the source by a metadata-only read; None when it is missing or forbidden."""

    async def read_crd(self) -> CRDState | None:
        """The CustomResourceDefinition of RunaiWorkloads; None where it may not be read."""

    async def record_orphan(self, orphan: Orphan) -> bool:
        """Records it where an administrator finds it; False when the record is full. Doing it again changes nothing.

        Raises `AccessDenied`, `KubernetesUnavailable`."""


class Observer(Protocol):
    """What the engine reports to telemetry. Labels are from small fixed sets, never names of objects; `connection` is
    the name of a Run:ai connection."""

    def reconciled(self, action: str, result: str, seconds: float) -> None:
        """One pass: the last change that it made (`none` when it only read), and how it ended."""

    def queue_waited(self, lane: str, seconds: float) -> None: ...

    def queue_depth(self, lane: str, depth: int) -> None: ...

    def kube_write(self, kind: str, result: str) -> None:
        """`kind`: `status`, `finalizer` or `orphan`; `result`: `ok` or the reason of the error."""

    def polled(self, connection: str, kind: str, result: str, seconds: float) -> None:
        """One poll; `kind`: `delta` or `sweep`. It was complete only if `result` is `ok`."""

    def deletions(self, waiting: int, oldest_seconds: float) -> None:
        """How many deletions have not ended, and how long the oldest has waited."""

    def deletions_rate_limited(self, connection: str, waiting: int) -> None:
        """How many workloads wait until the rate allows their deletion in Run:ai."""

    def orphaned(self) -> None:
        """A finalizer was removed although the workload may still exist; that is recorded."""

    def status_age(self, connection: str, seconds: float) -> None:
        """The age of what the lists show."""

    def workloads(self, counts: Mapping[tuple[str, str], int]) -> None:
        """The number of RunaiWorkloads by phase and by the status of Ready."""

    def circuit(self, connection: str, call_class: str, up: bool) -> None:
        """Whether calls of that class go out."""

    def bug(self) -> None:
        """An exception nobody expected."""


class Listener(Protocol):
    """Is called with what a connection brings; `connection` is its name, `uid` that of a custom resource."""

    def wake(self, uid: str) -> None:
        """The object was parked at the gate, and may try again."""

    def read_due(self, uid: str) -> None:
        """A planned read is due."""

    def stall_due(self, uid: str) -> None:
        """It has waited for so long that status must say so."""

    def row_seen(self, connection: str, row: Row) -> None: ...

    def row_deleted(self, connection: str, row: Row) -> None: ...

    def swept(self, connection: str, ids: set[str], began: float) -> None:
        """The ids of a complete list, and when it began (loop seconds)."""
