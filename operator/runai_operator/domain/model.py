"""The nouns: a workload as Kubernetes holds it, and the same workload as Run:ai shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

GROUP = "bridge.run.ai"
VERSION = "v1alpha1"
PLURAL = "runaiworkloads"
KIND = "RunaiWorkload"

FINALIZER = f"{GROUP}/workload"
PAUSED_ANNOTATION = f"{GROUP}/paused"
RECONCILE_ANNOTATION = f"{GROUP}/reconcile-requested-at"
CONFIRM_DELETE_ANNOTATION = f"{GROUP}/confirm-delete"
"""On the CustomResourceDefinition: the workloads in Run:ai are to be deleted with it."""

NOT_SUBMITTED = "NotSubmitted"
"""`status.submission` while it is proven that nothing exists in Run:ai and nothing is in doubt."""
IN_DOUBT = "InDoubt"
"""`status.submission` while an attempt that was interrupted is repeated."""
NAME_HELD = "NameHeld"
"""`status.submission` after such a repetition was refused since the name is taken, and while nothing shows by what: it may
be what the attempt made, so that absence from a list proves nothing any more."""
REPLACING = "Replacing"
"""`status.submission` while we have the workload deleted in Run:ai, to create it anew."""

DEFAULT_CONNECTION = "default"
"""The Run:ai connection that is configured by the environment."""

Json = dict[str, Any]
"""A JSON object."""


class DeletionPolicy(StrEnum):
    DELETE = "Delete"
    ORPHAN = "Orphan"


class ManagementPolicy(StrEnum):
    MANAGE = "Manage"
    OBSERVE = "Observe"
    DRY_RUN = "DryRun"


class RecreatePolicy(StrEnum):
    NEVER = "Never"
    ON_IMMUTABLE_CHANGE = "OnImmutableChange"


class RerunPolicy(StrEnum):
    NEVER = "Never"
    ON_SPEC_CHANGE = "OnSpecChange"


class ExternalDeletionPolicy(StrEnum):
    REPORT = "Report"
    RECREATE = "Recreate"


@dataclass(frozen=True, slots=True)
class Ref:
    """Which custom resource: the UID distinguishes it from an earlier one of the same name."""

    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Gvk:
    """Group (empty for the core group), version and kind."""

    group: str
    version: str
    kind: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @classmethod
    def parse(cls, api_version: str, kind: str) -> Gvk:
        group, _, version = api_version.rpartition("/")
        return cls(group, version, kind)


@dataclass(frozen=True, slots=True)
class OwnerMark:
    """Who submitted a workload; travels in the submitted manifest's annotations."""

    install: str
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class SourceRef:
    """What `manifestFrom` refers to: a key of a ConfigMap or Secret in the workload's own namespace."""

    kind: str
    """`ConfigMap` or `Secret`."""
    name: str
    key: str


@dataclass(frozen=True, slots=True)
class SourceText:
    """The text behind a `SourceRef`, and which object at which resourceVersion it was read from."""

    text: str = field(repr=False)
    version: str
    uid: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Spec:
    """`RunaiWorkload.spec`, read; exactly one of the three manifest fields is set unless only observing."""

    manifest: Json | None = field(default=None, repr=False)
    manifest_yaml: str | None = field(default=None, repr=False)
    manifest_from: SourceRef | None = None
    project_name: str | None = None
    project_id: str | None = None
    cluster_id: str | None = None
    name: str | None = None
    name_prefix: str | None = None
    priority: str | None = None
    category: str | None = None
    preemptibility: str | None = None
    mnnvl: str | None = None
    workload_id: str | None = None
    deletion_policy: DeletionPolicy = DeletionPolicy.DELETE
    management_policy: ManagementPolicy = ManagementPolicy.MANAGE
    recreate_policy: RecreatePolicy = RecreatePolicy.NEVER
    rerun_policy: RerunPolicy = RerunPolicy.NEVER
    external_deletion_policy: ExternalDeletionPolicy = ExternalDeletionPolicy.REPORT
    may_be_to_stay: bool = False
    """What is to become of the workload is said in a word that this version does not know."""


@dataclass(frozen=True, slots=True)
class Meta:
    """The metadata of one RunaiWorkload: all that a metadata-only watch or a `Table` list shows of it."""

    ref: Ref
    resource_version: str
    generation: int
    deleting: bool
    finalizers: tuple[str, ...]
    paused: bool
    reconcile_token: str | None
    deletion_requested: datetime | None = None
    """When somebody deleted it, by the API server's clock."""

    @property
    def has_finalizer(self) -> bool:
        """Ours."""
        return FINALIZER in self.finalizers

    @property
    def fields(self) -> dict[str, str | int | float]:
        """For a log line about the object."""
        ref = self.ref
        return {"namespace": ref.namespace, "object": ref.name, "uid": ref.uid, "generation": self.generation}


@dataclass(frozen=True, slots=True)
class Workload:
    """One RunaiWorkload, freshly read."""

    meta: Meta
    spec: Spec
    status: Mapping[str, Any]
    """As stored, raw. Empty or without `conditions` before the operator's first reconcile."""
    spec_error: str | None = None
    """Why `spec` could not be read (then it holds defaults), for the person who applied it."""
    labels: Mapping[str, str] = field(default_factory=dict)
    created: datetime | None = None
    """By the API server's clock."""

    @property
    def ref(self) -> Ref:
        return self.meta.ref


@dataclass(frozen=True, slots=True)
class TableRow:
    """A `Meta` with the printer-column cells of the status, by column name."""

    meta: Meta
    cells: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CRDState:
    """The CustomResourceDefinition of RunaiWorkloads; deleting it deletes all of them."""

    deleting: bool
    confirmed: bool
    """Somebody annotated it: the workloads in Run:ai are to be deleted too."""


@dataclass(frozen=True, slots=True)
class Orphan:
    """A workload, or what may be one, that stays in Run:ai although its RunaiWorkload had to be released."""

    mark: OwnerMark
    name: str
    """Its name in Run:ai."""
    project_id: str | None
    """None where the project was never resolved; `project_name` then names it."""
    project_name: str | None
    workload_id: str | None
    """None for an attempt whose answer never came: there may be no workload at all."""
    why: str
    """A reason in CamelCase."""
    in_doubt: bool = False
    """Whether it was submitted, or adopted, never came to be known: only its mark can say so."""
    released: datetime | None = None
    """When the finalizer was removed; set when the orphan is recorded."""


@dataclass(frozen=True, slots=True)
class Remote:
    """One workload as the V2 API shows it. Enums are kept as the words that Run:ai used."""

    id: str
    name: str
    project_id: str
    project_name: str | None = None
    cluster_id: str | None = None
    department_name: str | None = None
    gvk: Gvk | None = None
    priority: str | None = None
    category: str | None = None
    preemptibility: str | None = None
    desired_phase: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    """When anybody changed it last, by Run:ai's clock."""
    deleted_at: str | None = None
    sync_status: str | None = None
    """From `syncInfo`; only a GET carries it."""
    sync_message: str | None = None
    mark: OwnerMark | None = None
    content: str | None = None
    """Hash of what was submitted, as its annotation says."""
    mark_readable: bool = True
    """False where the answer shows no annotations of the manifest at all, so that a missing mark proves nothing; never where
    there is a mark."""
    unlisted: bool = False
    """Lists say that it is gone, where the answer itself does not."""

    @property
    def gone(self) -> bool:
        """It no longer exists: a deleted record may still be readable (undocumented, so both are understood)."""
        return self.sync_status == "Deleted" or (self.is_to_go and self.unlisted)

    @property
    def may_be_gone(self) -> bool:
        """It was to be deleted, and without `syncInfo` the answer does not say whether it is."""
        return self.is_to_go and self.sync_status is None and not self.unlisted

    @property
    def being_deleted(self) -> bool:
        return not self.gone and (self.is_to_go or self.sync_status == "Deleting")

    @property
    def is_to_go(self) -> bool:
        """Somebody asked to delete it."""
        return self.desired_phase == "Deleted" or (self.deleted_at is not None and self.sync_status is None)


@dataclass(frozen=True, slots=True)
class UnreadRow:
    """What is readable of a row that as a whole is not."""

    name: str | None = None
    id: str | None = None
    project_id: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One workload as the v1 list shows it: what the pods do. Never holds environment, command or arguments."""

    id: str
    name: str
    project_id: str
    project_name: str | None = None
    cluster_id: str | None = None
    department_name: str | None = None
    phase: str | None = None
    phase_message: str | None = None
    by_scheduler: bool = False
    """The message is the scheduler's, which lists do not show: it comes with a row that is read by itself."""
    phase_updated_at: str | None = None
    running_pods: int | None = None
    requested_pods: int | None = None
    allocated_gpus: str | None = None
    """A decimal string."""
    priority: str | None = None
    category: str | None = None
    created_at: str | None = None
    completed_at: str | None = None
    deleted_at: str | None = None
    in_list_of_deleted: bool = False
    """It is there without `deletedAt`, and in no other list."""

    @property
    def is_deleted(self) -> bool:
        return self.in_list_of_deleted or self.deleted_at is not None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A workload found by name: its row, and its V2 reading where the id led to one."""

    row: Row
    remote: Remote | None


@dataclass(frozen=True, slots=True)
class Ended:
    """A workload that had a name and is gone from Run:ai."""

    row: Row
    """From the list of deleted workloads."""
    remote: Remote | None
    """None where Run:ai does not show it by its id any more, so that nothing says whose it was."""
    clock_ahead: float = 0.0
    """Seconds by which the clock of Run:ai is ahead of ours; may be negative."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Run:ai answered, by 404, that it has no such workload; where it had one, there is a second witness (`absence`)."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A row, and the V2 id of the workload that it was matched with: lists may use another id."""

    workload_id: str
    row: Row


MOST_ROWS = 500
"""Rows per page, the most that `GET /api/v1/workloads` allows."""


@dataclass(frozen=True, slots=True)
class RowQuery:
    """A page of the v1 workload list, oldest first: by the time of change if `changed_since` is set, else of creation."""

    deleted: bool = False
    changed_since: datetime | None = None
    """Only rows with `phaseUpdatedAt` (`deletedAt` for deleted ones) at or after this, by the server's clock."""
    phase: str | None = None
    created_since: datetime | None = None
    """Only rows created at or after this, by the server's clock."""
    name: str | None = None
    project_id: str | None = None
    offset: int = 0
    limit: int = MOST_ROWS
    latest: bool = False
    """Only the row that changed last (deleted last, if `deleted`)."""


@dataclass(frozen=True, slots=True)
class RowPage:
    rows: tuple[Row, ...]
    next_offset: int | None
    """None on the last page."""
    server_time: datetime | None
    """The `Date` of the answer, UTC."""
    unreadable: int = 0
    """How many rows of the page are left out, since they cannot be understood."""


@dataclass(frozen=True, slots=True)
class Project:
    id: str
    name: str
    cluster_id: str | None


@dataclass(frozen=True, slots=True)
class Submission:
    """What a create sends; `manifest` is marked and complete."""

    name: str
    project_id: str
    manifest: Json = field(repr=False)
    priority: str | None = None
    category: str | None = None
    preemptibility: str | None = None
    mnnvl: str | None = None
    encoded: bool = False
    """Send the manifest as `manifestBase64Encoded` instead of as an object."""
    small: bool = False
    """It is written as JSON in less time than another thread takes to begin."""


def is_later(first: str | None, second: str | None) -> bool:
    """Whether the first of two RFC 3339 times is known to be the later one."""
    if first is None or second is None:
        return False
    return datetime.fromisoformat(first) > datetime.fromisoformat(second)


def is_same_moment(first: str | None, second: str | None) -> bool:
    """Whether two RFC 3339 times name the same second; two APIs may give them with different precision."""
    if first is None or second is None:
        return False
    return abs(datetime.fromisoformat(first) - datetime.fromisoformat(second)) < timedelta(seconds=1)


def seconds_between(first: str | None, second: str | None) -> float:
    """From the first of two RFC 3339 times to the second; 0 where one is not known."""
    if first is None or second is None:
        return 0.0
    return (datetime.fromisoformat(second) - datetime.fromisoformat(first)).total_seconds()


def shifted(time: str, seconds: float) -> str:
    """An RFC 3339 time so much later."""
    return (datetime.fromisoformat(time) + timedelta(seconds=seconds)).isoformat() if seconds else time
