"""Kubernetes' JSON to the domain's words and back; no I/O.

Admitted here: field names of the API, media types, paths. Readers are tolerant: what an object says wrongly becomes its
`spec_error`, for its author to read, never an exception.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from runai_operator.codecs.json import TooDeep, Unreadable, cut, decode_json
from runai_operator.domain.checks import MANIFEST, TOO_DEEP, Finding, read_spec, refusal
from runai_operator.domain.errors import SourceUnusable
from runai_operator.domain.events import Event
from runai_operator.domain.model import (
    CONFIRM_DELETE_ANNOTATION,
    FINALIZER,
    GROUP,
    KIND,
    PAUSED_ANNOTATION,
    PLURAL,
    RECONCILE_ANNOTATION,
    VERSION,
    CRDState,
    Meta,
    Orphan,
    OwnerMark,
    Ref,
    SourceRef,
    SourceText,
    TableRow,
    Workload,
)
from runai_operator.domain.reasons import Reason
from runai_operator.text import clip

METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
MERGE_PATCH = "application/merge-patch+json"

GROUP_PATH = f"/apis/{GROUP}/{VERSION}"

CRD_NAME = f"{PLURAL}.{GROUP}"
CRD_PATH = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{CRD_NAME}"
ACCESS_REVIEWS_PATH = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
MAY_WE_READ_THE_CRD: Mapping[str, Any] = {
    "apiVersion": "authorization.k8s.io/v1",
    "kind": "SelfSubjectAccessReview",
    "spec": {
        "resourceAttributes": {
            "verb": "get",
            "group": "apiextensions.k8s.io",
            "resource": "customresourcedefinitions",
            "name": CRD_NAME,
        }
    },
}

ORPHANS = "runai-operator-orphans"
"""Name of the ConfigMap that records them, one key for each, which is the UID of the RunaiWorkload."""

COLUMNS = (
    "Ready",
    "Reason",
    "Phase",
    "Synced",
    "Kind",
    "Workload ID",
    "Sync",
    "Pods",
    "GPUs",
    "Priority",
    "Workload Name",
    "Project ID",
    "Observed",
    "Handled",
    "Owner",
    "Created",
    "Requested",
    "Category",
    "Detail",
    "Source",
    "Synced Reason",
    "Submission",
    "Stalled",
    "Completed",
    "Connection",
    "Hash",
    "Deletion Policy",
)
"""Printer columns of the CustomResourceDefinition that a `TableRow` always names; None where the server has none."""

METADATA_DEPTH = 100
"""Far above any honest metadata; what walks through metadata by recursion then has room."""
_MANAGED_FIELDS = tuple(f"{prefix}metadata.managedFields" for prefix in ("", "object.", "items.*.", "rows.*.object."))


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, read to its end."""

    status: int
    body: bytes = field(default=b"", repr=False)
    retry_after: str | None = None
    """The header, as it came."""
    complete: bool = True
    """False if the body was longer than wanted: then it is only the start."""


def collection_path(namespace: str | None) -> str:
    """Of the RunaiWorkloads in one namespace; None means the whole cluster."""
    return f"{GROUP_PATH}/{PLURAL}" if namespace is None else f"{GROUP_PATH}/namespaces/{_safe(namespace)}/{PLURAL}"


def workload_path(ref: Ref) -> str:
    return f"{collection_path(ref.namespace)}/{_safe(ref.name)}"


def source_path(namespace: str, source: SourceRef) -> str:
    plural = "secrets" if source.kind == "Secret" else "configmaps"
    return f"/api/v1/namespaces/{_safe(namespace)}/{plural}/{_safe(source.name)}"


def _safe(segment: str) -> str:
    return quote(segment, safe="")


def decode_metadata(data: bytes, *, lean: bool = False) -> Any:
    """Objects without their bodies, lists and tables of them; raises `Unreadable`.

    Whoever may create an object may nest its `managedFields` at will (the API server keeps thousands of levels), and
    they travel with the metadata. We do not need them. With `lean`, they and the annotations of others (client-side
    apply puts the whole object into one) are dropped while parsing, before they take memory.
    """
    hook = _lean if lean else None
    try:
        return decode_json(data, max_depth=METADATA_DEPTH, object_hook=hook)
    except TooDeep:
        return decode_json(cut(data, *_MANAGED_FIELDS), max_depth=METADATA_DEPTH, object_hook=hook)


def _lean(part: dict[str, Any]) -> dict[str, Any]:
    if "uid" in part and "resourceVersion" in part:
        part.pop("managedFields", None)
        if isinstance(annotations := part.get("annotations"), dict):
            part["annotations"] = {key: value for key, value in annotations.items() if key.startswith(f"{GROUP}/")}
    return part


def decode_workload(data: bytes) -> Workload:
    """A whole RunaiWorkload however it is nested; raises `Unreadable` for what is no JSON object.

    A manifest nested too deeply comes back as a spec_error; everything else is as stored.
    """
    try:
        return workload_from_object(decode_json(data))
    except TooDeep:
        data = cut(data, *_MANAGED_FIELDS)
    try:
        return workload_from_object(decode_json(data))
    except TooDeep:
        return workload_from_object(decode_json(cut(data, MANIFEST)), spec_error=_sentence([TOO_DEEP]))


def workload_from_object(obj: Any, *, spec_error: str | None = None) -> Workload:
    """One RunaiWorkload. `spec_error` is what is already known to be wrong with it."""
    meta = meta_from_object(obj["metadata"])
    spec, unreadable = read_spec(_mapping(obj.get("spec")))
    return Workload(
        meta=meta,
        spec=spec,
        status=_mapping(obj.get("status")),
        spec_error=spec_error or _sentence(unreadable),
        labels=obj["metadata"].get("labels") or {},
        created=_moment(obj["metadata"].get("creationTimestamp")),
    )


_ONLY_OURS = (FINALIZER,)


def _sentence(findings: Sequence[Finding]) -> str | None:
    return refusal(*(finding.message for finding in findings)).message if findings else None


TOKEN_LIMIT = 256
"""Longest reconcile token that status holds, in characters."""


def meta_from_object(meta: Mapping[str, Any]) -> Meta:
    """From `metadata` alone; labels, managed fields and foreign annotations are not kept."""
    annotations = meta.get("annotations") or {}
    return Meta(
        ref=Ref(meta["namespace"], meta["name"], meta["uid"]),
        resource_version=meta["resourceVersion"],
        generation=meta.get("generation", 0),
        deleting=meta.get("deletionTimestamp") is not None,
        finalizers=_finalizers(meta),
        paused=annotations.get(PAUSED_ANNOTATION) == "true",
        reconcile_token=_token(annotations),
        deletion_requested=_moment(meta.get("deletionTimestamp")),
    )


def _finalizers(meta: Mapping[str, Any]) -> tuple[str, ...]:
    """Mostly ours alone: tens of thousands of objects then share one value."""
    finalizers = tuple(meta.get("finalizers") or ())
    return _ONLY_OURS if finalizers == _ONLY_OURS else finalizers


def _token(annotations: Mapping[str, Any]) -> str | None:
    """As long as status can acknowledge it: a longer one would never count as handled. An empty one asks for nothing."""
    token = annotations.get(RECONCILE_ANNOTATION)
    return clip(token, TOKEN_LIMIT) if token else None


def page_of_table(table: Mapping[str, Any]) -> tuple[list[TableRow], str]:
    """The rows of a `Table` answer, and the token of the next page; empty on the last one."""
    names = [column["name"] for column in table["columnDefinitions"]]
    nothing = dict.fromkeys(COLUMNS)
    rows = [
        TableRow(meta_from_object(row["object"]["metadata"]), nothing | dict(zip(names, row["cells"], strict=False)))
        for row in table["rows"] or ()
    ]
    return rows, table["metadata"].get("continue") or ""


def source_text(held: Mapping[str, Any], source: SourceRef) -> SourceText:
    """The text under the source's key of a ConfigMap or Secret. Raises `SourceUnusable`."""
    version = held["metadata"]["resourceVersion"]
    plain, encoded = held.get("data") or {}, held.get("binaryData") or {}
    if source.kind == "Secret":
        plain, encoded = {}, plain
    text = plain.get(source.key)
    if text is None:
        if source.key not in encoded:
            raise SourceUnusable(
                f"{source.kind} {source.name} has no key {source.key}: add it, or correct spec.manifestFrom.",
                reason=Reason.SOURCE_NOT_FOUND,
                version=version,
            )
        try:
            text = base64.b64decode(encoded[source.key]).decode()
        except UnicodeDecodeError:
            raise SourceUnusable(
                f"Key {source.key} of {source.kind} {source.name} holds no UTF-8 text: put the manifest there as text.",
                version=version,
            ) from None
    return SourceText(text, version, held["metadata"]["uid"])


def crd_from_metadata(meta: Mapping[str, Any]) -> CRDState:
    """From `metadata` of the CustomResourceDefinition."""
    annotations = meta.get("annotations") or {}
    return CRDState(
        deleting=meta.get("deletionTimestamp") is not None,
        confirmed=annotations.get(CONFIRM_DELETE_ANNOTATION) == "true",
    )


def configmaps_path(namespace: str) -> str:
    return f"/api/v1/namespaces/{_safe(namespace)}/configmaps"


def events_path(namespace: str) -> str:
    return f"/apis/events.k8s.io/v1/namespaces/{_safe(namespace)}/events"


NOTE_BYTES = 1024
"""Longest note of an Event; longer ones are refused, and so are words of more than 128 characters."""


def event_object(about: Meta, event: Event, when: datetime, *, controller: str, instance: str) -> dict[str, Any]:
    """An Event of `events.k8s.io/v1`, named as client-go names them."""
    ref = about.ref
    name = f"{ref.name[:236].rstrip('-.')}.{int(when.timestamp() * 1e6):x}"
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": ref.namespace},
        "eventTime": when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "type": "Warning" if event.is_warning else "Normal",
        "reason": event.reason,
        "action": event.action,
        "note": _within_bytes(event.message, NOTE_BYTES),
        "reportingController": f"{GROUP}/{controller}",
        "reportingInstance": clip(instance, 128),
        "regarding": {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": KIND,
            "namespace": ref.namespace,
            "name": ref.name,
            "uid": ref.uid,
            "resourceVersion": about.resource_version,
        },
    }


def _within_bytes(text: str, limit: int) -> str:
    encoded = text.encode()
    return text if len(encoded) <= limit else encoded[: limit - 3].decode(errors="ignore") + "…"


def orphan_entry(orphan: Orphan) -> str:
    """The value under its key in the record, for people to read and for `orphans_of`."""
    entry = {
        "namespace": orphan.mark.namespace,
        "name": orphan.mark.name,
        "install": orphan.mark.install,
        "workloadName": orphan.name,
        "workloadId": orphan.workload_id,
        "projectId": orphan.project_id,
        "projectName": orphan.project_name,
        "releasedAt": orphan.released.isoformat(timespec="seconds") if orphan.released else None,
        "inDoubt": orphan.in_doubt,
        "reason": orphan.why,
    }
    return json.dumps({key: value for key, value in entry.items() if value is not None})


def orphans_of(held: Mapping[str, Any]) -> dict[str, Orphan | None]:
    """All entries of the record by UID; None for one that cannot be read."""
    return {uid: _orphan(uid, text) for uid, text in (held.get("data") or {}).items()}


def _orphan(uid: str, text: str) -> Orphan | None:
    try:
        entry = decode_json(text.encode())
        return Orphan(
            mark=OwnerMark(entry["install"], entry["namespace"], entry["name"], uid),
            name=entry["workloadName"],
            project_id=entry.get("projectId"),
            project_name=entry.get("projectName"),
            workload_id=entry.get("workloadId"),
            why=entry.get("reason", ""),
            in_doubt=bool(entry.get("inDoubt")),
            released=_moment(entry.get("releasedAt")),
        )
    except (Unreadable, KeyError, TypeError, AttributeError):
        return None


def _moment(text: object) -> datetime | None:
    """A time as Kubernetes writes it; None for anything else."""
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


def is_watchable(resources: Mapping[str, Any]) -> bool:
    """Whether the discovery answer of our group and version knows RunaiWorkloads."""
    return any(item["name"] == PLURAL and "watch" in item["verbs"] for item in resources["resources"])


def is_in_groups(groups: Mapping[str, Any]) -> bool:
    """Whether the list of all groups knows our group in our version."""
    ours = [group["versions"] for group in groups["groups"] if group["name"] == GROUP]
    return any(version["version"] == VERSION for versions in ours for version in versions)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
