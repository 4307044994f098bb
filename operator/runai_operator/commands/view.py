"""What the commands read of a RunaiWorkload, from the object as the API server has it.

Whatever is in there may have been written by another version of the operator, or by nobody yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from runai_operator import __version__
from runai_operator.domain.conditions import condition
from runai_operator.domain.model import FINALIZER, PAUSED_ANNOTATION, RECONCILE_ANNOTATION
from runai_operator.domain.reasons import ConditionType, Reason

REPOSITORY = "https://github.com/runai-operator/runai-operator"
STATUS_PAGE = f"{REPOSITORY}/blob/v{__version__}/docs/status.md"

_REASONS: Mapping[str, Reason] = {str(reason): reason for reason in Reason}


class Seen(Enum):
    """How far the operator is with an object."""

    NEVER = "never"
    """It has not written a status yet."""
    BEHIND = "behind"
    """Its status speaks of an earlier generation of the spec."""
    ANOTHER = "another"
    """The status was written about another object, and came with a backup or a copy."""
    CURRENT = "current"


@dataclass(frozen=True, slots=True)
class View:
    """One RunaiWorkload, raw."""

    item: Mapping[str, Any]

    @property
    def metadata(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.item["metadata"]
        return found

    @property
    def spec(self) -> Mapping[str, Any]:
        return _mapping(self.item.get("spec"))

    @property
    def status(self) -> Mapping[str, Any]:
        return _mapping(self.item.get("status"))

    @property
    def namespace(self) -> str:
        return str(self.metadata["namespace"])

    @property
    def name(self) -> str:
        return str(self.metadata["name"])

    @property
    def uid(self) -> str:
        return str(self.metadata["uid"])

    @property
    def generation(self) -> int:
        return int(self.metadata.get("generation", 0))

    @property
    def observed(self) -> int:
        """-1: never."""
        return int(self.status.get("observedGeneration", -1))

    @property
    def seen(self) -> Seen:
        if self.observed < 0 or self.condition(ConditionType.READY) is None:
            return Seen.NEVER
        if self.status.get("ownerUid") not in (None, self.uid):
            return Seen.ANOTHER
        return Seen.CURRENT if self.observed >= self.generation else Seen.BEHIND

    @property
    def deleting(self) -> bool:
        return self.metadata.get("deletionTimestamp") is not None

    @property
    def held(self) -> bool:
        """By the operator's finalizer."""
        return FINALIZER in (self.metadata.get("finalizers") or ())

    @property
    def other_finalizers(self) -> list[str]:
        return [name for name in self.metadata.get("finalizers") or () if name != FINALIZER]

    @property
    def paused(self) -> bool:
        return self.annotation(PAUSED_ANNOTATION) == "true"

    @property
    def token(self) -> str | None:
        """The last that requests a reconcile."""
        return self.annotation(RECONCILE_ANNOTATION)

    def annotation(self, name: str) -> str | None:
        return (self.metadata.get("annotations") or {}).get(name)

    def condition(self, kind: ConditionType) -> Mapping[str, Any] | None:
        return condition(self.status, kind)

    def is_true(self, kind: ConditionType) -> bool:
        found = self.condition(kind)
        return found is not None and found["status"] == "True"

    @property
    def reason(self) -> str:
        """Of Ready, and its message."""
        ready = self.condition(ConditionType.READY)
        if not ready:
            return "not seen by the operator yet"
        word = f"{ready['reason']}: "
        return word + str(ready["message"]).removeprefix(word)


def reason_of(word: str) -> Reason | None:
    """None for one that this version does not know."""
    return _REASONS.get(word)


def link_to(reason: Reason) -> str:
    """Its line in the documentation of this version."""
    return f"{STATUS_PAGE}#{reason.anchor}"


def plain(sentence: str) -> str:
    """Without the marks of Markdown."""
    return sentence.replace("`", "")


def moment(text: object) -> datetime | None:
    """A time of an object; None for what is none."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found


def age(since: datetime | None, now: datetime) -> str:
    """As kubectl shows it: `45s`, `12m`, `3h5m`, `4d`."""
    if since is None:
        return "-"
    seconds = max(0, int((now - since) / timedelta(seconds=1)))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 2:
        return f"{seconds}s"
    if hours < 2:
        return f"{minutes}m"
    if days < 2:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    return f"{days}d"


def applied_by(item: Mapping[str, Any]) -> str | None:
    """The tool or object that would apply this one again, as far as its marks show."""
    return next(_appliers(_mapping(item.get("metadata"))), None)


def _appliers(metadata: Mapping[str, Any]) -> Iterator[str]:
    labels, annotations = _mapping(metadata.get("labels")), _mapping(metadata.get("annotations"))
    for part, kind in (("kustomize", "Kustomization"), ("helm", "HelmRelease")):
        if name := labels.get(f"{part}.toolkit.fluxcd.io/name"):
            yield f"Flux ({kind} {labels.get(f'{part}.toolkit.fluxcd.io/namespace', '')}/{name})"
    if tracking := annotations.get("argocd.argoproj.io/tracking-id"):
        yield f"Argo CD (Application {str(tracking).partition(':')[0]})"
    if application := labels.get("argocd.argoproj.io/instance"):
        yield f"Argo CD (Application {application})"
    if release := annotations.get("meta.helm.sh/release-name"):
        yield f"Helm (release {annotations.get('meta.helm.sh/release-namespace', '')}/{release})"
    for owner in metadata.get("ownerReferences") or ():
        if owner.get("controller"):
            yield f"its owner ({owner.get('kind')} {owner.get('name')})"
    if any(_mapping(entry).get("manager") == "argocd-controller" for entry in metadata.get("managedFields") or ()):
        yield "Argo CD"


def who_set(item: Mapping[str, Any], annotation: str) -> str | None:
    """The field manager that holds an annotation of the object, if one does."""
    for entry in _mapping(item.get("metadata")).get("managedFields") or ():
        fields = _mapping(_mapping(_mapping(entry.get("fieldsV1")).get("f:metadata")).get("f:annotations"))
        if f"f:{annotation}" in fields:
            return str(entry.get("manager"))
    return None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
