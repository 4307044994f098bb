"""What the engine needs from the outside: its settings, and contracts that adapters implement. `main` connects the two.

All methods raise only classes of `domain.errors`. Reads are idempotent and never change anything outside.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from runai_operator.domain.access import Access
from runai_operator.domain.events import Event
from runai_operator.domain.model import (
    CRDState,
    Meta,
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
from runai_operator.domain.requeue import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """How the operator was configured. Durations in seconds."""

    install: str
    former_installs: tuple[str, ...] = ()
    """Their marks count as ours."""
    delta_interval: float = 5.0
    sweep_interval: float = 300.0
    limits: Limits = field(default_factory=Limits)
    delete_rate: int = 100
    """Workloads deleted in Run:ai within a minute, at most; 0 deletes none."""
    access: Access = field(default_factory=Access)
    events: bool = True
    """Whether Kubernetes Events are made."""
    serves_all: bool = True
    """False where the watch shows only objects with certain labels: what loses them looks deleted there."""


class Runai(Protocol):
    """The Run:ai control plane behind one connection."""

    async def create(self, submission: Submission) -> Remote:
        """POST. Raises `NameTaken` on 409, `InvalidWorkload` on 400 and 422, `AccessDenied`, `Throttled`,
        `Unavailable` when surely nothing was sent, `OutcomeUnknown` otherwise."""

    async def dry_run(self, submission: Submission) -> str | None:
        """POST with `dryRun`; raises as `create` does. A release that ignores the flag creates the workload: its id is returned,
        if the answer has one."""

    async def get(self, workload_id: str) -> Remote | None:
        """V2 GET; None on 404."""

    async def update(self, workload_id: str, submission: Submission) -> Remote | None:
        """PUT of manifest, priority and category, all three always sent; None on 404; `Busy` on 409."""

    async def delete(self, workload_id: str) -> bool:
        """DELETE; False on 404; `Busy` on 409."""

    async def rows(self, query: RowQuery) -> RowPage:
        """One page of the v1 list. Raises `PageTooLarge` when fewer rows may do."""

    async def find(self, *, name: str, project_id: str | None) -> tuple[Row, ...]:
        """Every row of this name in the project, or in any if that is None. What is missing from it is not in the list: it raises where that was not
        read to its end."""

    async def row(self, row_id: str) -> Row | None:
        """v1 GET of one, by the id that lists use; with the scheduler's message if it is pending. None on 404."""

    async def projects(self, *, name: str | None, cluster_id: str | None) -> tuple[Project, ...]:
        """Projects with exactly this name, or all, that the credentials may see."""

    async def project(self, project_id: str) -> Project | None:
        """The project of this id; None where Run:ai reports that there is none."""


class Kube(Protocol):
    """The Kubernetes API, as far as workloads need it."""

    async def read(self, ref: Ref, *, large: bool) -> Workload | None:
        """The whole object; None when it is gone or has another UID. Raises `NotSelected` when another release serves it.

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

    scopes: Sequence[str | None]
    """The watched namespaces; None alone is the whole cluster."""

    def list_all(self, scope: str | None) -> AsyncIterator[TableRow]:
        """Every RunaiWorkload in the scope, in pages, without building bodies."""

    async def read_source(self, namespace: str, source: SourceRef) -> SourceText:
        """The text of a `manifestFrom`. Raises `SourceUnusable` when it, its key or the right to it is missing."""

    async def source_version(self, namespace: str, source: SourceRef) -> str:
        """resourceVersion of the source by a metadata-only read, or the reason when it is missing or forbidden."""

    async def read_crd(self) -> CRDState | None:
        """The CustomResourceDefinition of RunaiWorkloads; None where it may not be read."""

    async def record_orphan(self, orphan: Orphan) -> bool:
        """Records it where an administrator finds it; False when the record is full. Doing it again changes nothing.

        Raises `AccessDenied`, `KubernetesUnavailable`."""

    async def record_event(self, about: Meta, event: Event, when: datetime) -> None:
        """Makes a Kubernetes Event about the object as it was in `about`. Raises as the other writes do."""


class Observer(Protocol):
    """What the engine reports to telemetry. Labels are from small fixed sets, never names of objects; `connection` is
    the name of a Run:ai connection."""

    def reconciled(self, action: str, result: str, seconds: float) -> None:
        """One pass: the last change that it made (`none` when it only read), and how it ended."""

    def queue_waited(self, lane: str, seconds: float) -> None: ...

    def queue_depth(self, lane: str, depth: int) -> None: ...

    def kube_write(self, kind: str, result: str) -> None:
        """`kind`: `status`, `finalizer` or `orphan`; `result`: `ok` or the reason of the error."""

    def event(self, result: str) -> None:
        """A Kubernetes Event was `sent`, `dropped` (too many) or has `failed`."""

    def polled(self, connection: str, kind: str, result: str, seconds: float) -> None:
        """One poll; `kind`: `delta`, `deleted` or `sweep`. It was complete only if `result` is `ok`."""

    def deletions(self, waiting: int, oldest_seconds: float) -> None:
        """How many deletions have not ended, and how long the oldest has waited."""

    def deletions_rate_limited(self, connection: str, waiting: int) -> None:
        """How many workloads wait until the rate allows their deletion in Run:ai."""

    def orphaned(self) -> None:
        """A finalizer was removed although the workload may still exist; that is recorded."""

    def status_age(self, connection: str, seconds: float) -> None:
        """The age of what the lists show."""

    def lists(self, connection: str, up: bool) -> None:
        """Whether the lists can be read and understood."""

    def list_lag(self, connection: str, seconds: float) -> None:
        """How late the lists showed a change at worst, since the sweep before the last one."""

    def workloads(self, counts: Mapping[tuple[str, str], int]) -> None:
        """The number of RunaiWorkloads by phase and by the status of Ready."""

    def reasons(self, counts: Mapping[str, int]) -> None:
        """The number of RunaiWorkloads by the reason of Ready."""

    def outstanding(self, stalled: int, oldest_seconds: float) -> None:
        """How many do not go on without somebody's help, and for how long the operator has owed something to one."""

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

    def row_due(self, uid: str) -> None:
        """A planned reading of its row is due."""

    def verdict_due(self, uid: str) -> None:
        """A planned dry run is due."""

    def comparison_due(self, uid: str) -> None:
        """What its workload holds has to be compared with what was sent."""

    def restate_due(self, uid: str) -> None:
        """Status may have to say something else, though nothing has happened to the object."""

    def freshness_changed(self, connection: str) -> None:
        """What the connection shows has become unknown, or is known again."""

    def row_seen(self, connection: str, row: Row) -> bool:
        """A list showed the row; whether its phase has changed since one last showed the workload."""

    def row_deleted(self, connection: str, row: Row) -> None: ...

    def swept(self, connection: str, ids: set[str], began: float, *, is_nearly_complete: bool) -> None:
        """The ids of a list that was read to its end, and when it began (loop seconds). It leaves out what could not be read:
        few rows, if it is nearly complete."""
