"""RunaiWorkloads in memory: versions, generations, finalizers, guards, and the freezing of the identity."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from fakes.chance import Chance, call
from runai_operator.domain.errors import (
    AccessDenied,
    InvalidWorkload,
    KubernetesUnavailable,
    NotSelected,
    SourceUnusable,
    StaleObject,
    TooLarge,
    Vanished,
)
from runai_operator.domain.events import Event
from runai_operator.domain.model import (
    FINALIZER,
    NOT_SUBMITTED,
    CRDState,
    Meta,
    Orphan,
    RecreatePolicy,
    Ref,
    SourceRef,
    SourceText,
    Spec,
    TableRow,
    Workload,
)
from runai_operator.domain.reasons import Reason

IDENTITY = ("name", "project_id", "project_name", "workload_id")


class AdmissionRefused(Exception):
    """The API server's admission says no."""


@dataclass(slots=True)
class Stored:
    """One object as etcd holds it."""

    ref: Ref
    spec: Spec
    version: int
    generation: int = 1
    deleting: bool = False
    created: datetime | None = None
    deletion_requested: datetime | None = None
    finalizers: tuple[str, ...] = ()
    paused: bool = False
    token: str | None = None
    status: dict[str, Any] = field(default_factory=lambda: {"observedGeneration": -1})
    is_selected: bool = True
    """It has the labels that the operator serves."""
    shard: str = ""
    """Its label, where releases serve objects by one."""

    def as_read(self) -> Workload:
        status = {"observedGeneration": -1, **self.status}
        return Workload(self.meta(), self.spec, status, created=self.created)

    def meta(self) -> Meta:
        return Meta(
            self.ref,
            str(self.version),
            self.generation,
            self.deleting,
            self.finalizers,
            self.paused,
            self.token,
            self.deletion_requested,
        )


def is_selected(stored: Stored) -> bool:
    return stored.is_selected


class Versions:
    """Each one is a change that watches show."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.last, self._changed = 0, changed

    def __next__(self) -> int:
        self.last += 1
        self._changed()
        return self.last

    def __iter__(self) -> Iterator[int]:
        return self


class FakeKube:
    """Implements `engine.ports.Kube`; people act on it by the methods that are not async."""

    def __init__(self, now: Callable[[], float] = lambda: 0.0) -> None:
        """`now` is the API server's clock in seconds."""
        self._now = now
        self.objects: dict[tuple[str, str], Stored] = {}
        self.crd: CRDState | None = CRDState(deleting=False, confirmed=False)
        """None where it may not be read."""
        self.orphans: dict[str, Orphan] = {}
        self.orphan_limit = 1000
        self.events: list[tuple[Meta, Event, datetime]] = []
        """Kubernetes Events, which count apart from the writes."""
        self.writes = 0
        self.reads = 0
        self.sources: dict[str, SourceText] = {}
        """ConfigMaps by name: the text of any key, and the version."""
        self.broken_sources: set[str] = set()
        """The API server answers 500 for these, as for a Secret that it cannot decrypt."""
        self.forbidden_sources: set[str] = set()
        self.missing_keys: set[str] = set()
        self.large: set[str] = set()
        """UIDs of objects with more than is read at once."""
        self.looks: Counter[str] = Counter()
        """Metadata reads of sources, by name."""
        self.scopes: Sequence[str | None] = (None,)
        """The watched namespaces."""
        self.forbidden_namespaces: set[str | None] = set()
        """Where a RoleBinding is missing, or the namespace."""
        self.released: list[Stored] = []
        """Objects whose finalizer was removed while they were deleting."""
        self._versions: Iterator[int] = itertools.count(1)
        self._uids = itertools.count(1)

    # --- what people do

    def create(self, namespace: str, name: str, spec: Spec, *, status: dict[str, Any] | None = None) -> Stored:
        ref = Ref(namespace, name, f"uid-{next(self._uids)}")
        made = Stored(ref, spec, next(self._versions), created=datetime.fromtimestamp(int(self._now()), UTC))
        if status is not None:
            made.status = status
        self.objects[namespace, name] = made
        return made

    def edit(self, stored: Stored, spec: Spec) -> None:
        """Raises `AdmissionRefused` for a change of the identity that is not open."""
        status = stored.status
        open_now = status.get("submission") == NOT_SUBMITTED or (
            spec.recreate_policy is RecreatePolicy.ON_IMMUTABLE_CHANGE and status.get("workloadId")
        )
        changed = {field for field in IDENTITY if getattr(spec, field) != getattr(stored.spec, field)}
        if spec.workload_id is not None and spec.workload_id == status.get("workloadId"):
            changed.discard("workload_id")
        if changed and not open_now:
            raise AdmissionRefused
        if spec != stored.spec:
            stored.spec = spec
            stored.generation += 1
            stored.version = next(self._versions)

    def delete(self, stored: Stored) -> None:
        if not stored.finalizers:
            self._remove(stored)
        elif not stored.deleting:
            stored.deleting, stored.version = True, next(self._versions)
            stored.deletion_requested = datetime.fromtimestamp(self._now(), UTC)
            stored.generation += 1

    def replace(self, stored: Stored) -> None:
        """`kubectl replace` by a manifest without finalizers; status survives."""
        stored.finalizers, stored.version = (), next(self._versions)
        if stored.deleting:
            self._remove(stored)

    def touch(self, stored: Stored, **changes: Any) -> None:
        """Annotations, which bump no generation."""
        for key, value in changes.items():
            setattr(stored, key, value)
        stored.version = next(self._versions)

    def lose(self, stored: Stored) -> None:
        """Gone without a trace, as when etcd is restored from before it."""
        self._remove(stored)

    def _remove(self, stored: Stored) -> None:
        place = (stored.ref.namespace, stored.ref.name)
        if self.objects.get(place) is stored:
            del self.objects[place]

    def delete_crd(self) -> None:
        """The CustomResourceDefinition goes, and takes all objects along."""
        self.crd = CRDState(deleting=True, confirmed=False)
        for stored in list(self.objects.values()):
            self.delete(stored)

    def of(self, ref: Ref) -> Stored | None:
        stored = self.objects.get((ref.namespace, ref.name))
        return stored if stored and stored.ref.uid == ref.uid else None

    def client(self, chance: Chance, serves: Callable[[Stored], bool] = is_selected) -> FakeKubeAccess:
        """One process's access, and which objects are selected there."""
        return FakeKubeAccess(self, chance, serves)


class FakeKubeAccess:
    """What one process calls."""

    def __init__(self, kube: FakeKube, chance: Chance, serves: Callable[[Stored], bool] = is_selected) -> None:
        self._kube, self._chance, self._serves = kube, chance, serves

    async def read(self, ref: Ref, *, large: bool) -> Workload | None:
        def effect() -> Workload | None:
            self._refuse_forbidden(ref.namespace)
            self._kube.reads += 1
            stored = self._kube.of(ref)
            if ref.uid in self._kube.large and not large:
                raise TooLarge("It is large.")
            if stored is not None and not self._serves(stored):
                raise NotSelected("Another release serves it.")
            return stored.as_read() if stored else None

        return await call(self._chance, effect, to_runai=False, name="read")

    async def write_finalizers(self, ref: Ref, finalizers: tuple[str, ...], *, resource_version: str) -> str:
        def effect() -> str:
            stored = self._guarded(ref, resource_version)
            if stored.deleting and set(finalizers) - set(stored.finalizers):
                raise InvalidWorkload("no new finalizers can be added if the object is being deleted")
            stored.finalizers = finalizers
            if stored.deleting and FINALIZER not in finalizers:
                self._kube.released.append(replace(stored))
                if not finalizers:
                    self._kube.lose(stored)
            return self._bump(stored)

        return await call(self._chance, effect, to_runai=False, name="write_finalizers")

    async def write_status(self, ref: Ref, patch: Mapping[str, Any], *, resource_version: str) -> str:
        def effect() -> str:
            stored = self._guarded(ref, resource_version)
            merged = {key: value for key, value in {**stored.status, **patch}.items() if value is not None}
            changes = merged != stored.status
            stored.status = merged
            return self._bump(stored, changes=changes)

        return await call(self._chance, effect, to_runai=False, name="write_status")

    def _guarded(self, ref: Ref, version: str) -> Stored:
        self._refuse_forbidden(ref.namespace)
        stored = self._kube.of(ref)
        if stored is None:
            raise Vanished("gone")
        if version != str(stored.version):
            raise StaleObject("somebody wrote in between")
        return stored

    def _bump(self, stored: Stored, *, changes: bool = True) -> str:
        """A write that changes nothing is taken, and makes no new version."""
        self._kube.writes += 1
        if changes:
            stored.version = next(self._kube._versions)
        return str(stored.version)

    @property
    def scopes(self) -> Sequence[str | None]:
        return self._kube.scopes

    async def list_all(self, scope: str | None) -> AsyncIterator[TableRow]:
        self._refuse_forbidden(scope)
        for stored in list(self._kube.objects.values()):
            if scope in (None, stored.ref.namespace) and self._serves(stored):
                yield TableRow(stored.meta(), cells_of(stored))

    def _refuse_forbidden(self, namespace: str | None) -> None:
        if namespace in self._kube.forbidden_namespaces:
            raise AccessDenied(f"RunaiWorkloads in {namespace} are forbidden.")

    async def read_crd(self) -> CRDState | None:
        return await call(self._chance, lambda: self._kube.crd, to_runai=False, name="read_crd")

    async def record_orphan(self, orphan: Orphan) -> bool:
        def effect() -> bool:
            known = self._kube.orphans
            if orphan.mark.uid not in known and len(known) >= self._kube.orphan_limit:
                return False
            known[orphan.mark.uid] = orphan
            return True

        return await call(self._chance, effect, to_runai=False, name="record_orphan")

    async def record_event(self, about: Meta, event: Event, when: datetime) -> None:
        def effect() -> None:
            assert len(event.reason) <= 128, "as the API server does"
            self._kube.events.append((about, event, when))

        await call(self._chance, effect, to_runai=False, name="record_event")

    async def orphans(self) -> dict[str, Orphan | None]:
        return await call(self._chance, lambda: dict(self._kube.orphans), to_runai=False, name="orphans")

    async def forget_orphan(self, uid: str) -> None:
        await call(self._chance, lambda: self._kube.orphans.pop(uid, None), to_runai=False, name="forget_orphan")

    async def read_source(self, namespace: str, source: SourceRef) -> SourceText:
        self._refuse_broken(source)
        held = self._kube.sources.get(source.name)
        if source.name in self._kube.forbidden_sources:
            raise SourceUnusable(f"{source.name} may not be read.", reason=Reason.SOURCE_FORBIDDEN)
        if held is None:
            raise SourceUnusable(f"No source {source.name} in {namespace}.", reason=Reason.SOURCE_NOT_FOUND)
        if source.key in self._kube.missing_keys:
            raise SourceUnusable(f"No key {source.key}.", reason=Reason.SOURCE_NOT_FOUND, version=held.version)
        return held

    async def source_version(self, namespace: str, source: SourceRef) -> str:
        del namespace
        self._kube.looks[source.name] += 1
        self._refuse_broken(source)
        if source.name in self._kube.forbidden_sources:
            return Reason.SOURCE_FORBIDDEN
        found = self._kube.sources.get(source.name)
        return found.version if found else Reason.SOURCE_NOT_FOUND

    def _refuse_broken(self, source: SourceRef) -> None:
        if source.name in self._kube.broken_sources:
            raise KubernetesUnavailable("The API server answered with HTTP 500.")


def cells_of(stored: Stored) -> dict[str, Any]:
    """The printer columns, as the CRD has them."""
    status = stored.status

    def of(kind: str, part: str) -> Any:
        return next((entry.get(part) for entry in status.get("conditions", ()) if entry["type"] == kind), None)

    return {
        "Ready": of("Ready", "status"),
        "Reason": of("Ready", "reason"),
        "Phase": status.get("phase"),
        "Synced": of("Synced", "status"),
        "Kind": (status.get("gvk") or {}).get("kind"),
        "Project": status.get("projectName"),
        "Message": of("Ready", "message"),
        "Workload ID": status.get("workloadId"),
        "Sync": status.get("syncStatus"),
        "Pods": status.get("runningPods"),
        "GPUs": status.get("allocatedGpus"),
        "Priority": status.get("priority"),
        "Workload Name": status.get("workloadName"),
        "Project ID": status.get("projectId"),
        "Observed": status.get("observedGeneration", -1),
        "Handled": status.get("lastHandledReconcileAt"),
        "Owner": status.get("ownerUid"),
        "Created": status.get("createdAt"),
        "Requested": status.get("requestedPods"),
        "Category": status.get("category"),
        "Detail": status.get("phaseMessage"),
        "Source": _source_cell(stored.spec.manifest_from),
        "Synced Reason": of("Synced", "reason"),
        "Submission": status.get("submission"),
        "Stalled": of("Stalled", "status"),
        "Completed": of("Completed", "status"),
        "Connection": status.get("connection"),
        "Hash": status.get("submittedHash"),
        "Deletion Policy": stored.spec.deletion_policy.value,
    }


def _source_cell(source: SourceRef | None) -> str | None:
    """A column of an object shows its JSON."""
    if source is None:
        return None
    form = "secretKeyRef" if source.kind == "Secret" else "configMapKeyRef"
    return json.dumps({form: {"name": source.name, "key": source.key}})
