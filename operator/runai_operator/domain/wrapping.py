"""From a manifest to a RunaiWorkload: which objects are workloads, what they are called, and what is said of them.

A manifest that another tool wrote may be any object. Which kinds Run:ai takes is for its administrators to say, so all are
workloads but those that surely are none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runai_operator.domain.manifest import SERVER_OWNED
from runai_operator.domain.model import GROUP, KIND, VERSION, Json
from runai_operator.domain.naming import PREFIX_LIMIT, nearest_name

API_VERSION = f"{GROUP}/{VERSION}"
HELM_HOOK = "helm.sh/hook"

_CORE_WORKLOADS = frozenset({"Pod", "ReplicationController"})
"""The only ones of version `v1` without a group."""
_OF_KUBERNETES = ".k8s.io"
"""The end of the groups of Kubernetes itself, none of which has workloads; those of its projects end in `.x-k8s.io`."""
_NO_WORKLOADS = frozenset(
    {"autoscaling", "policy", "kueue.x-k8s.io", "keda.sh", "monitoring.coreos.com", "cert-manager.io",
     "external-secrets.io", "networking.istio.io", "security.istio.io"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Name:
    """What a wrapped manifest is called."""

    name: str
    """Of the RunaiWorkload."""
    prefix: str | None = None
    """`spec.namePrefix`, where the name is to be made up."""


def is_workload(manifest: Mapping[str, Any]) -> bool:
    """False for what surely is none: configuration, access, networks, storage, and RunaiWorkloads themselves."""
    group, slash, _ = str(manifest.get("apiVersion", "")).rpartition("/")
    if not slash:
        return manifest.get("kind") in _CORE_WORKLOADS
    return group not in _NO_WORKLOADS and not group.endswith(_OF_KUBERNETES) and not is_wrapped(manifest)


def is_wrapped(manifest: object) -> bool:
    """It is a RunaiWorkload already."""
    return isinstance(manifest, dict) and (manifest.get("apiVersion"), manifest.get("kind")) == (API_VERSION, KIND)


def is_hook(manifest: Mapping[str, Any]) -> bool:
    """Helm runs it at some moment of an installation, and it is not part of what is installed."""
    return HELM_HOOK in _mapping(_mapping(manifest.get("metadata")).get("annotations"))


def is_from_cluster(manifest: Mapping[str, Any]) -> bool:
    """It was read from a cluster, and holds what only a server writes."""
    return "status" in manifest or not SERVER_OWNED.isdisjoint(_mapping(manifest.get("metadata")))


def name_of(manifest: Mapping[str, Any]) -> Name:
    """From its own name, made one that Run:ai takes. Raises ValueError saying what is missing or cannot be used."""
    metadata = _mapping(manifest.get("metadata"))
    name, generate = metadata.get("name"), metadata.get("generateName")
    if isinstance(name, str) and name:
        return Name(nearest_name(name))
    if isinstance(generate, str) and generate.strip("-"):
        prefix = nearest_name(generate, limit=PREFIX_LIMIT)
        return Name(prefix, prefix)
    if name is not None and not isinstance(name, str):
        raise ValueError("its metadata.name is no text, which it would be in quotes")
    raise ValueError("it has no metadata.name")


def workload(name: Name, spec: Json, **metadata: Any) -> Json:
    """A RunaiWorkload without its manifest; what is None or empty is left out."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name.name} | {key: value for key, value in metadata.items() if value},
        "spec": {key: value for key, value in (spec | {"namePrefix": name.prefix}).items() if value is not None},
    }


def without_generate_name(manifest: Json) -> Json:
    """A copy, or the manifest itself where it has none."""
    metadata = manifest.get("metadata")
    if not isinstance(metadata, dict) or "generateName" not in metadata:
        return manifest
    return manifest | {"metadata": {key: value for key, value in metadata.items() if key != "generateName"}}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
