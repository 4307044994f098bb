"""The manifest we submit: marked as ours, hashed and encoded. `checks` says whether it may be."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runai_operator.domain.errors import InvalidWorkload
from runai_operator.domain.model import GROUP, Gvk, Json, OwnerMark, Spec, Submission

OWNER_INSTALL = f"{GROUP}/owner-install"
OWNER_NAMESPACE = f"{GROUP}/owner-namespace"
OWNER_NAME = f"{GROUP}/owner-name"
OWNER_UID = f"{GROUP}/owner-uid"
OWNER_ANNOTATIONS = (OWNER_INSTALL, OWNER_NAMESPACE, OWNER_NAME, OWNER_UID)
CONTENT = f"{GROUP}/content"
"""Annotation with the hash of what was sent: it shows whether a workload that is found is what is asked for."""

TRACKING_PREFIXES = (
    "argocd.argoproj.io/",
    "kustomize.toolkit.fluxcd.io/",
    "helm.toolkit.fluxcd.io/",
    "meta.helm.sh/",
    "helm.sh/",
    "kubectl.kubernetes.io/",
)
"""Labels and annotations by which GitOps tools recognise what is theirs: copied to the cluster that Run:ai writes to,
they would make such a tool adopt the workload there, and prune it."""
TRACKING_LABELS = frozenset({"app.kubernetes.io/instance", "app.kubernetes.io/managed-by"})

SERVER_OWNED = frozenset(
    {"uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "managedFields", "ownerReferences",
     "selfLink"}
)  # fmt: skip
"""Metadata of an object in some cluster; a manifest that was copied from there still has it."""

HASH_VERSION = "v1"
KEYED_HASH_VERSION = "v2"
"""What came from a Secret, keyed by the Secret's UID. (Such a hash of version v1 was keyed by the install id.)"""


@dataclass(frozen=True, slots=True)
class Desired:
    """What the spec asks for, ready to send."""

    submission: Submission
    gvk: Gvk
    content: str
    """Hash of what a PUT may change: manifest, priority, category."""

    def identity(self, *, adopts: bool, name: str | None = None) -> str:
        """Hash of what only delete and create can change. An adopted workload has a name of its own; `name` stands for
        another than what would be sent."""
        sent = self.submission
        name = "" if adopts else name or sent.name
        parts = (name, sent.project_id, self.gvk.api_version, self.gvk.kind, sent.preemptibility, sent.mnnvl)
        return hashlib.sha256("\n".join(part or "" for part in parts).encode()).hexdigest()[:12]

    def fingerprint(self, *, adopts: bool) -> str:
        """For `status.submittedHash`, which may go on with the time since when it is no Secret's."""
        return f"{self.content}.{self.identity(adopts=adopts)}"


def said_of_source(spec: Spec) -> str | None:
    """What the spec itself says of what is submitted, where the manifest comes from a source: its other changes are not edits."""
    source = spec.manifest_from
    if source is None:
        return None
    said = {"priority": spec.priority, "category": spec.category}
    place = f"{source.kind}/{source.name}/{source.key}"
    return " ".join([place, *(f"{name}={value}" for name, value in said.items() if value is not None)])


def with_mark(manifest: Json, *, name: str, mark: OwnerMark, content: str | None = None) -> Json:
    """A copy that carries our mark, the hash of its content and, if it has no name, ours; unchanged parts are shared with
    the original."""
    normal = normalised(manifest)
    metadata = dict(normal["metadata"])
    metadata["name"] = metadata.get("name") or name
    metadata["annotations"] = metadata.get("annotations", {}) | {
        OWNER_INSTALL: mark.install,
        OWNER_NAMESPACE: mark.namespace,
        OWNER_NAME: mark.name,
        OWNER_UID: mark.uid,
    }
    if content is not None:
        metadata["annotations"][CONTENT] = content
    return normal | {"metadata": metadata}


def normalised(manifest: Json) -> Json:
    """A copy without what must not travel: others' tracking, server-owned metadata, status, and any owner mark."""
    metadata = {
        key: value
        for key, value in (manifest.get("metadata") or {}).items()
        if key not in SERVER_OWNED and value is not None
    }
    for field in ("labels", "annotations"):
        kept = {key: value for key, value in (metadata.pop(field, None) or {}).items() if not _must_stay(key)}
        if kept:
            metadata[field] = kept
    return {key: value for key, value in manifest.items() if key != "status"} | {"metadata": metadata}


def _must_stay(key: str) -> bool:
    return key.startswith(TRACKING_PREFIXES) or key in TRACKING_LABELS or key in (*OWNER_ANNOTATIONS, CONTENT)


def read_mark(manifest: object) -> OwnerMark | None:
    """Who submitted it; None without any of the four annotations. With only some of them it is a stranger's mark."""
    annotations = _annotations(manifest)
    if not any(key in annotations for key in OWNER_ANNOTATIONS):
        return None
    install, namespace, name, uid = (_text(annotations.get(key)) for key in OWNER_ANNOTATIONS)
    return OwnerMark(install, namespace, name, uid)


def read_content(manifest: object) -> str | None:
    """The hash of what it held when it was submitted, where it says so."""
    return _text(_annotations(manifest).get(CONTENT)) or None


def _annotations(manifest: object) -> Mapping[str, object]:
    metadata = manifest.get("metadata") if isinstance(manifest, Mapping) else None
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    return annotations if isinstance(annotations, Mapping) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def content_hash(manifest: Json, *, priority: str | None, category: str | None, key: str | None = None) -> str:
    """A version, a colon and 32 hex digits over what a PUT sends, apart from the mark.

    What comes from a Secret is keyed by `key`, which must not be known to those who may read the hash: else each of them
    could try out what the Secret holds. A field that is null counts as absent, as it does to Kubernetes: tools add and
    drop such fields on their way.
    """
    content = {"manifest": _without_nulls(normalised(manifest)), "priority": priority, "category": category}
    data = _dump(content, sort_keys=True)
    if key is None:
        return f"{HASH_VERSION}:{hashlib.sha256(data).hexdigest()[:32]}"
    return f"{KEYED_HASH_VERSION}:{hmac.new(key.encode(), data, hashlib.sha256).hexdigest()[:32]}"


def is_keyed(content: str | None) -> bool:
    """The hash is of what came from a Secret."""
    return content is not None and content.startswith(f"{KEYED_HASH_VERSION}:")


def _without_nulls(value: Any) -> Any:
    """A copy without the fields that are null. Loops: comprehensions would take a second frame for each level."""
    if isinstance(value, dict):
        kept = {}
        for key, inner in value.items():
            if inner is not None:
                kept[key] = _without_nulls(inner) if isinstance(inner, dict | list) else inner
        return kept
    items = []
    for inner in value:
        items.append(_without_nulls(inner) if isinstance(inner, dict | list) else inner)  # noqa: PERF401
    return items


def same_content(old: str, new: str) -> bool | None:
    """Whether two hashes are of equal content; None when they come from different versions of the normalisation."""
    if old.partition(":")[0] != new.partition(":")[0]:
        return None
    return old == new


def encode(manifest: Json) -> bytes:
    """Compact JSON, which is also YAML."""
    return _dump(manifest, sort_keys=False)


def _dump(value: Any, *, sort_keys: bool) -> bytes:
    try:
        return json.dumps(
            value, ensure_ascii=False, separators=(",", ":"), sort_keys=sort_keys, allow_nan=False
        ).encode()
    except UnicodeEncodeError:
        raise InvalidWorkload(
            "The manifest holds text that is not valid Unicode (half of a surrogate pair). Correct it."
        ) from None
    except ValueError:
        raise InvalidWorkload(
            "The manifest holds a number that is not finite, which JSON cannot express. Correct it."
        ) from None
