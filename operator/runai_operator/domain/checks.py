"""What can be said of a spec without asking anybody: what it means, and what is wrong with it.

For objects that an API server has stored, and for those that none has seen: a file, or a request for admission. So this
repeats what the CustomResourceDefinition says of a new object (a test holds the two together) and adds what a schema
cannot say. Total: every JSON value is answered with findings, never with an exception. Values are not quoted, since a
manifest may hold secrets.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, islice
from typing import Any, TypeVar

from runai_operator.codecs.json import MAX_DEPTH, Unreadable, is_deeper
from runai_operator.codecs.yaml import FULL_NODES, TooMany, read_yaml
from runai_operator.domain.errors import InvalidWorkload, TooLarge
from runai_operator.domain.model import (
    DeletionPolicy,
    ExternalDeletionPolicy,
    Gvk,
    Json,
    ManagementPolicy,
    RecreatePolicy,
    RerunPolicy,
    SourceRef,
    Spec,
)
from runai_operator.domain.naming import NAME, NAME_LIMIT, NAME_RULE, PREFIX_LIMIT, external_name
from runai_operator.text import clip, one_line

MANIFEST = "spec.manifest"
MANIFEST_YAML = "spec.manifestYaml"
MANIFEST_FROM = "spec.manifestFrom"
"""Where a manifest can be given; what is said of one names the place."""

NO_MANIFEST = (
    "spec has no manifest: set exactly one of manifest, manifestYaml and manifestFrom (none is needed with"
    " managementPolicy: Observe)"
)
NO_PROJECT = (
    "spec has no project: set exactly one of projectName and projectId (none is needed with managementPolicy: Observe)"
)

YAML_LIMIT = 1_000_000
"""Most bytes of `manifestYaml` in UTF-8."""
OBJECT_LIMIT = 1_500_000
"""Most bytes of an object as it is stored: etcd takes 1.5 MiB, of which status and the record of who wrote what take a part."""
ANNOTATIONS_LIMIT = 262_144
"""Most bytes of all annotations of an object together, keys and values."""
MANIFEST_DEPTH = MAX_DEPTH - 2
"""Deepest nesting of `spec.manifest`: two levels of what we read are around it."""
MOST_FINDINGS = 100
"""Most findings that are returned: nobody would read more."""

Policy = TypeVar("Policy", bound=StrEnum)


class Cause(StrEnum):
    """The kind of a finding, in the words that the Kubernetes API has for the causes of a refusal."""

    REQUIRED = "FieldValueRequired"
    INVALID = "FieldValueInvalid"
    FORBIDDEN = "FieldValueForbidden"
    NOT_SUPPORTED = "FieldValueNotSupported"
    TOO_LONG = "FieldValueTooLong"
    WRONG_TYPE = "FieldValueTypeInvalid"
    UNKNOWN_FIELD = "UnknownField"
    """Our own word: the API server drops such a field with a warning, kubectl refuses it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a spec."""

    path: str
    """The field of the RunaiWorkload, such as `spec.manifest.metadata.labels`; always one that the schema has."""
    message: str
    """A sentence for the author: which field, what is wrong, what to do."""
    reason: Cause


TOO_DEEP = Finding(
    MANIFEST, f"{MANIFEST} is nested deeper than {MANIFEST_DEPTH} levels: make it flatter", Cause.INVALID
)


@dataclass(frozen=True, slots=True)
class Examined:
    """A spec as read, a field that does not fit being as if it were not set, and all that is wrong with it."""

    spec: Spec
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Text:
    """A field that holds text: most characters, what it may hold, and the rest of a sentence for what does not fit."""

    attribute: str
    limit: int = 63
    pattern: re.Pattern[str] | None = None
    rule: str = ""


_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TEXTS = {
    "projectName": _Text(
        "project_name",
        253,
        re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"),
        "must have lower case letters, digits and '-', with a letter or digit at both ends: copy it from the Projects"
        " page of Run:ai",
    ),
    "projectId": _Text(
        "project_id",
        64,
        re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?"),
        "must have letters, digits, '-', '_' and '.', with a letter or digit at both ends: copy it from Run:ai, or set"
        " projectName instead",
    ),
    "clusterId": _Text(
        "cluster_id", 36, _UUID, "must be a UUID in lower case: copy it from the Clusters page of Run:ai"
    ),
    "name": _Text("name", NAME_LIMIT, NAME, f"must be a name that Run:ai takes ({NAME_RULE}): correct it"),
    "namePrefix": _Text(
        "name_prefix", PREFIX_LIMIT, NAME, f"must be a name that Run:ai takes ({NAME_RULE}): correct it"
    ),
    "priority": _Text("priority"),
    "category": _Text("category"),
    "preemptibility": _Text("preemptibility"),
    "mnnvl": _Text("mnnvl"),
    "workloadId": _Text(
        "workload_id", 36, _UUID, "must be a UUID in lower case: copy it from the workload's details in Run:ai"
    ),
}
_FIELDS = (
    "manifest",
    "manifestYaml",
    "manifestFrom",
    *_TEXTS,
    "deletionPolicy",
    "managementPolicy",
    "recreatePolicy",
    "rerunPolicy",
    "externalDeletionPolicy",
)
_DECIDE_ITS_FATE = frozenset({"spec.deletionPolicy", "spec.managementPolicy"})
_SOURCES = {"configMapKeyRef": "ConfigMap", "secretKeyRef": "Secret"}
_REFERENCE = {
    "name": (
        re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?"),
        "must have lower case letters, digits, '-' and '.', with a letter or digit at both ends: correct it",
    ),
    "key": (re.compile(r"[-._a-zA-Z0-9]+"), "must have letters, digits, '-', '_' and '.': correct it"),
}
_REFERENCE_LIMIT = 253

_MANIFEST_TEXTS = {"apiVersion": (317, "batch/v1"), "kind": (63, "Job")}
_MANIFEST_MAPS = {"labels": 63, "annotations": 262_144}
"""Most characters of a value in each."""
_MANIFEST_NAME_LIMIT = 253
_MOST_ENTRIES = 256

_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_LABEL_RULE = "must have letters, digits, '-', '_' and '.', with a letter or digit at both ends, 63 at most"
_KEY = re.compile(
    r"((?=[^/]{1,253}/)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
    r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def examine_metadata(metadata: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Path and sentence of what the API server would refuse of a new object beside its name.
    https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set"""
    namespace = metadata.get("namespace")
    if namespace is not None and not (isinstance(namespace, str) and _NAMESPACE.fullmatch(namespace)):
        rule = "lower case letters, digits and '-', with a letter or digit at both ends, 63 at most"
        yield ("metadata", "namespace"), f"metadata.namespace must have {rule}: correct it"
    for field in ("labels", "annotations"):
        entries = metadata.get(field)
        if entries is None:
            continue
        if not isinstance(entries, dict) or not all(isinstance(value, str) for value in entries.values()):
            yield ("metadata", field), f"metadata.{field} must be a mapping of names to text: put numbers into quotes"
            continue
        if field == "annotations" and sum(map(_bytes, chain(*entries.items()))) > ANNOTATIONS_LIMIT:
            together = f"must have {ANNOTATIONS_LIMIT:,} bytes at most, all keys and values together: shorten them"
            yield ("metadata", field), f"metadata.{field} {together}"
        for key, value in entries.items():
            # The API server takes the domain of an annotation in upper case, too.
            if not _KEY.fullmatch(key if field == "labels" else key.lower()):
                rule = f"{_LABEL_RULE}, and before it perhaps a domain and '/': correct it"
                yield ("metadata", field, key), f"a key in metadata.{field} {rule}"
            elif field == "labels" and not _LABEL_VALUE.fullmatch(value):
                yield ("metadata", field, key), f"a value in metadata.labels {_LABEL_RULE}: correct it"


def examine_size(value: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Path and sentence where an object is larger than an API server can store with its status."""
    if is_deeper(value, MAX_DEPTH):
        return
    metadata, spec = value.get("metadata"), value.get("spec")
    kept = {key: part for key, part in metadata.items() if key != "managedFields"} if isinstance(metadata, dict) else {}
    size = _stored_size({"metadata": kept, "spec": spec})
    if size > OBJECT_LIMIT:
        fields = spec if isinstance(spec, dict) else {}
        path = next((("spec", field) for field in ("manifest", "manifestYaml") if fields.get(field)), ("metadata",))
        takes = f"the object takes {size:,} bytes as Kubernetes stores it ('<', '>' and '&' take 6 each)"
        advice = "shorten it, for example by moving data into a volume or the image"
        yield path, f"{takes}, and above {OBJECT_LIMIT:,} there is no room for it and its status: {advice}"


def _bytes(text: str) -> int:
    return len(text.encode(errors="surrogatepass"))


def _stored_size(value: object) -> int:
    """In bytes, as the JSON that Go writes. https://pkg.go.dev/encoding/json#Marshal"""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    escaped = 5 * sum(map(text.count, "<>&")) + 3 * sum(map(text.count, "\u2028\u2029"))
    return _bytes(text) + escaped


def examine(raw_spec: object, *, name: str | None, yaml_nodes: int = 0) -> Examined:
    """The findings for `spec` in an object of this `metadata.name`; None where the API server will generate the name.

    `manifestYaml` is parsed if it holds at most `yaml_nodes` values, which takes a second for half a million of them.
    """
    spec, unreadable = read_spec(raw_spec)
    if not isinstance(raw_spec, dict):
        return Examined(spec, unreadable)
    more = islice(_checks(raw_spec, spec, name, yaml_nodes), MOST_FINDINGS)
    return Examined(spec, (*unreadable, *more))


def read_spec(raw_spec: object) -> tuple[Spec, tuple[Finding, ...]]:
    """The spec as it says, and what cannot be read of it: fields of a wrong type, or policies of an unknown word."""
    read = _Reader(raw_spec)
    spec = Spec(
        manifest=read.manifest(),
        manifest_yaml=read.text("manifestYaml"),
        manifest_from=read.source(),
        deletion_policy=read.policy("deletionPolicy", DeletionPolicy.DELETE),
        management_policy=read.policy("managementPolicy", ManagementPolicy.MANAGE),
        recreate_policy=read.policy("recreatePolicy", RecreatePolicy.NEVER),
        rerun_policy=read.policy("rerunPolicy", RerunPolicy.NEVER),
        external_deletion_policy=read.policy("externalDeletionPolicy", ExternalDeletionPolicy.REPORT),
        may_be_to_stay=any(finding.path in _DECIDE_ITS_FATE for finding in read.findings),
        **{field.attribute: read.text(name) for name, field in _TEXTS.items()},
    )
    return spec, tuple(read.findings)


def read_manifest(text: str, *, place: str, max_nodes: int = FULL_NODES) -> Any:
    """The value of a manifest given as YAML; `place` is the field that it comes from.

    Raises `InvalidWorkload` for text that cannot be used, and `TooLarge` for more than `max_nodes` values where that is
    fewer than may ever be.
    """
    try:
        return read_yaml(text, max_nodes=max_nodes)
    except Unreadable as error:
        raise refusal(f"{place}: {error}") from None
    except TooMany as error:
        raise TooLarge(f"{place}: {error}") from None


def gvk_of(manifest: object, *, place: str) -> Gvk:
    """The kind of a manifest that may be submitted. Raises `InvalidWorkload` for the first thing that is wrong."""
    for finding in _object_findings(manifest, place):
        raise refusal(finding.message)
    checked: Any = manifest
    return Gvk.parse(checked["apiVersion"], checked["kind"])


def refusal(*messages: str) -> InvalidWorkload:
    """The error for a spec with these findings; those begin with the path of a field, an error is a sentence."""
    return InvalidWorkload(f"The spec cannot be used: {'; '.join(messages)}.")


class _Reader:
    """Reads fields by type and notes which do not fit. Null counts as not set, as it does to Kubernetes."""

    def __init__(self, raw_spec: object) -> None:
        self.findings: list[Finding] = []
        self._raw = self._mapping(raw_spec, "spec") or {}
        if raw_spec is None:
            self._note("spec", "is missing: give a project and a manifest", Cause.REQUIRED)

    def text(self, name: str) -> str | None:
        return self._text(self._raw.get(name), f"spec.{name}")

    def manifest(self) -> Json | None:
        value = self._raw.get("manifest")
        if isinstance(value, str):
            self._note(MANIFEST, "must be an object, not text: use manifestYaml for text", Cause.WRONG_TYPE)
            return None
        return self._mapping(value, MANIFEST)

    def policy(self, name: str, default: Policy) -> Policy:
        words = type(default)
        value = self._raw.get(name)
        if value is None:
            return default
        if isinstance(value, str) and value in set(words):
            return words(value)
        reason = Cause.NOT_SUPPORTED if isinstance(value, str) else Cause.WRONG_TYPE
        allowed = " or ".join(words)
        self._note(f"spec.{name}", f"must be {allowed}: correct it, or leave it out for {default}", reason)
        return default

    def source(self) -> SourceRef | None:
        value = self._mapping(self._raw.get("manifestFrom"), MANIFEST_FROM)
        if value is None:
            return None
        given = [form for form in _SOURCES if value.get(form) is not None]
        if len(given) != 1:
            self._note(MANIFEST_FROM, f"must have exactly one of {' and '.join(_SOURCES)}", Cause.INVALID)
            return None
        form = given[0]
        reference = self._mapping(value[form], f"{MANIFEST_FROM}.{form}")
        if reference is None:
            return None
        name, key = (self._required(reference.get(part), f"{MANIFEST_FROM}.{form}.{part}") for part in _REFERENCE)
        return None if name is None or key is None else SourceRef(_SOURCES[form], name, key)

    def _required(self, value: object, path: str) -> str | None:
        if value is None:
            self._note(path, "is missing: a source takes name and key", Cause.REQUIRED)
        return self._text(value, path)

    def _text(self, value: object, path: str) -> str | None:
        if value is None or isinstance(value, str):
            return value
        advice = "give one string" if isinstance(value, dict | list) else "put it in quotes"
        self._note(path, f"must be text, not {_kind(value)}: {advice}", Cause.WRONG_TYPE)
        return None

    def _mapping(self, value: object, path: str) -> Json | None:
        if value is None or isinstance(value, dict):
            return value
        self._note(path, f"must be an object, not {_kind(value)}: give fields and values", Cause.WRONG_TYPE)
        return None

    def _note(self, path: str, what: str, reason: Cause) -> None:
        self.findings.append(Finding(path, f"{path} {what}", reason))


def _kind(value: object) -> str:
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
    return "an object"


def _checks(raw: Mapping[str, Any], spec: Spec, name: str | None, yaml_nodes: int) -> Iterator[Finding]:
    """What is wrong with a spec beyond the types of its fields."""
    yield from _choices({field for field in _FIELDS if raw.get(field) is not None}, spec)
    for field, bounds in _TEXTS.items():
        yield from _text_findings(getattr(spec, bounds.attribute), f"spec.{field}", bounds)
    if name is not None and raw.get("name") is None and raw.get("namePrefix") is None:
        yield from _default_name(name, spec)
    yield from _source_findings(raw.get("manifestFrom"))
    if spec.manifest is not None:
        yield from _manifest_findings(spec.manifest)
    if spec.manifest_yaml is not None:
        yield from _yaml_findings(spec.manifest_yaml, yaml_nodes)
    yield from _unknown_fields(raw, _FIELDS, "spec")


def _unknown_fields(raw: Mapping[str, Any], known: Collection[str], path: str) -> Iterator[Finding]:
    for field in raw:
        if field not in known:
            named = clip(one_line(field), 64)
            nearest = difflib.get_close_matches(named, known, n=1)
            advice = f"did you mean {nearest[0]}?" if nearest else "remove it"
            yield Finding(path, f"{path} has no field {named}: {advice}", Cause.UNKNOWN_FIELD)


def _choices(given: Collection[str], spec: Spec) -> Iterator[Finding]:
    """What fields say of each other."""
    observes = spec.management_policy is ManagementPolicy.OBSERVE
    for choice, missing in (
        (("manifest", "manifestYaml", "manifestFrom"), NO_MANIFEST),
        (("projectName", "projectId"), NO_PROJECT),
    ):
        chosen = [field for field in choice if field in given]
        if not chosen and not observes:
            yield Finding("spec", missing, Cause.INVALID)
        if len(chosen) > 1:
            yield Finding("spec", f"spec has {' and '.join(chosen)}: keep exactly one of them", Cause.INVALID)
    if "clusterId" in given and "projectName" not in given:
        yield Finding(
            "spec.clusterId",
            "spec.clusterId only says which of several projects called projectName is meant: set projectName, or remove"
            " clusterId (a projectId belongs to one cluster already)",
            Cause.FORBIDDEN,
        )
    if "name" in given and "namePrefix" in given:
        yield Finding("spec.namePrefix", "spec.namePrefix is set beside name: keep only one of them", Cause.FORBIDDEN)
    if observes and "workloadId" not in given:
        yield Finding(
            "spec.workloadId",
            "spec.workloadId is missing: managementPolicy: Observe needs the id of the workload to observe",
            Cause.REQUIRED,
        )
    if spec.management_policy is ManagementPolicy.DRY_RUN and "workloadId" in given:
        yield Finding(
            "spec.workloadId",
            "spec.workloadId is set beside managementPolicy: DryRun, and Run:ai has no dry run of what is to be written over a"
            " workload: remove it, or set managementPolicy: Manage",
            Cause.FORBIDDEN,
        )


def _text_findings(value: str | None, path: str, bounds: _Text) -> Iterator[Finding]:
    if value is None:
        return
    if not value:
        yield Finding(path, f"{path} is empty: give a value, or leave it out", Cause.INVALID)
    elif len(value) > bounds.limit:
        message = f"{path} has more than {bounds.limit} characters: shorten it"
        yield Finding(path, message, Cause.TOO_LONG)
    elif bounds.pattern is not None and not bounds.pattern.fullmatch(value):
        yield Finding(path, f"{path} {bounds.rule}", Cause.INVALID)


def _default_name(name: str, spec: Spec) -> Iterator[Finding]:
    try:
        external_name(name=name, spec=spec, namespace="", install="")
    except InvalidWorkload as error:
        yield Finding("spec.name", error.message.removesuffix("."), Cause.INVALID)


def _source_findings(source: object) -> Iterator[Finding]:
    if not isinstance(source, dict):
        return
    yield from _unknown_fields(source, _SOURCES, MANIFEST_FROM)
    for form in _SOURCES:
        reference, path = source.get(form), f"{MANIFEST_FROM}.{form}"
        if not isinstance(reference, dict):
            continue
        yield from _unknown_fields(reference, _REFERENCE, path)
        for part, (pattern, rule) in _REFERENCE.items():
            value = reference.get(part)
            if isinstance(value, str):
                yield from _text_findings(value, f"{path}.{part}", _Text("", _REFERENCE_LIMIT, pattern, rule))


def _yaml_findings(text: str, nodes: int) -> Iterator[Finding]:
    if not text:
        yield Finding(MANIFEST_YAML, f"{MANIFEST_YAML} is empty: give one Kubernetes object", Cause.INVALID)
    elif _bytes(text) > YAML_LIMIT:
        message = (
            f"{MANIFEST_YAML} holds at most {YAML_LIMIT:,} bytes of UTF-8: shorten it, for example by moving data into a"
            " volume or the image"
        )
        yield Finding(MANIFEST_YAML, message, Cause.TOO_LONG)
    elif nodes:
        try:
            manifest = read_yaml(text, max_nodes=nodes)
        except TooMany:
            return
        except Unreadable as error:
            yield Finding(MANIFEST_YAML, f"{MANIFEST_YAML}: {error}", Cause.INVALID)
        else:
            yield from _object_findings(manifest, MANIFEST_YAML)


def _manifest_findings(manifest: Json) -> Iterator[Finding]:
    """For `spec.manifest`: what holds for any manifest, and the bounds of its schema."""
    if is_deeper(manifest, MANIFEST_DEPTH):
        yield TOO_DEEP
    yield from _object_findings(manifest, MANIFEST)
    for field, (limit, _) in _MANIFEST_TEXTS.items():
        yield from _too_long(manifest.get(field), f"{MANIFEST}.{field}", limit)
    metadata = manifest.get("metadata")
    if not isinstance(metadata, dict):
        return
    yield from _too_long(metadata.get("name"), f"{MANIFEST}.metadata.name", _MANIFEST_NAME_LIMIT)
    for field, limit in _MANIFEST_MAPS.items():
        entries = metadata.get(field)
        if isinstance(entries, dict):
            yield from _entries(entries, f"{MANIFEST}.metadata.{field}", limit)


def _entries(entries: Json, path: str, limit: int) -> Iterator[Finding]:
    if len(entries) > _MOST_ENTRIES:
        yield Finding(path, f"{path} has more than {_MOST_ENTRIES} entries: remove some", Cause.TOO_LONG)
    for key, value in entries.items():
        named = f"the value of {clip(one_line(key), 80)} in {path}"
        if isinstance(value, str) and len(value) > limit:
            yield Finding(path, f"{named} has more than {limit:,} characters: shorten it", Cause.TOO_LONG)
        elif value is not None and not isinstance(value, str):
            yield Finding(path, f"{named} must be text, not {_kind(value)}: put it in quotes", Cause.WRONG_TYPE)


def _too_long(value: object, path: str, limit: int) -> Iterator[Finding]:
    if isinstance(value, str) and len(value) > limit:
        yield Finding(path, f"{path} has more than {limit} characters: shorten it", Cause.TOO_LONG)


def _object_findings(manifest: object, place: str) -> Iterator[Finding]:
    """What keeps a value from being submitted as a manifest, wherever it was given."""
    if not isinstance(manifest, dict):
        said = "must hold one Kubernetes object, a mapping with apiVersion and kind: correct it"
        yield Finding(place, f"{place} {said}", Cause.WRONG_TYPE)
        return
    for field, (_, example) in _MANIFEST_TEXTS.items():
        value = manifest.get(field)
        if not isinstance(value, str) or not value:
            reason = Cause.REQUIRED if value is None else Cause.INVALID
            yield _about(place, field, f"must be given as text, such as {example}", reason)
    kind = manifest.get("kind")
    if isinstance(kind, str) and kind.endswith("List") and "items" in manifest:
        yield Finding(place, f"{place} holds a list of objects: make one RunaiWorkload for each of them", Cause.INVALID)
    metadata = manifest.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        yield _about(place, "metadata", f"must be a mapping, not {_kind(metadata)}", Cause.WRONG_TYPE)
    elif metadata:
        yield from _metadata_findings(metadata, place)


def _metadata_findings(metadata: Json, place: str) -> Iterator[Finding]:
    if metadata.get("generateName"):
        what = (
            "has generateName, which cannot be submitted exactly once: remove it, and set spec.namePrefix if the name is"
            " to be made up"
        )
        yield _about(place, "metadata", what, Cause.FORBIDDEN)
    name = metadata.get("name")
    if name is not None and not isinstance(name, str):
        yield _about(place, "metadata.name", f"must be text, not {_kind(name)}: put it in quotes", Cause.WRONG_TYPE)
    for field in _MANIFEST_MAPS:
        entries = metadata.get(field)
        if entries is not None and not isinstance(entries, dict):
            what = f"must be a mapping of names to text, not {_kind(entries)}"
            yield _about(place, f"metadata.{field}", what, Cause.WRONG_TYPE)


def _about(place: str, field: str, what: str, reason: Cause) -> Finding:
    """Of a field in a manifest: only those of `spec.manifest` are fields of the RunaiWorkload, too."""
    if place == MANIFEST:
        return Finding(f"{place}.{field}", f"{place}.{field} {what}", reason)
    return Finding(place, f"{field} of the manifest in {place} {what}", reason)
