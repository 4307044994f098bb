"""What an installation consists of, read from rendered objects."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from controlplane import ControlPlane

Object = dict[str, Any]

CREDENTIALS = "runai-credentials"
"""Name of the Secret that the installations of the tests refer to."""

HELMS_OWN_LABELS = {"app.kubernetes.io/managed-by", "app.kubernetes.io/version", "helm.sh/chart"}


@dataclass(frozen=True)
class Installed:
    """Where the operator was installed, and as whom it runs."""

    namespace: str
    service_account: str


def make_namespace(plane: ControlPlane, name: str) -> None:
    """A namespace that enforces the Pod Security Standard `restricted`, with the Secret of the credentials."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    plane.client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    metadata = {"name": CREDENTIALS, "namespace": name}
    data = {"clientId": "operator", "clientSecret": "not-a-secret-of-anyone"}
    plane.client.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data})


def only(items: Iterable[Object], kind: str) -> Object:
    """The one object of a kind."""
    (found,) = [item for item in items if item["kind"] == kind]
    return found


def granted(items: Iterable[Object]) -> set[tuple[str, str, str]]:
    """What the operator's ServiceAccount may do: (verb, resource, where and which).

    Where is `cluster`, `watched namespaces` or `own namespace`; a name limits it to that object.
    """
    items = list(items)
    found = set()
    for binding in [item for item in items if item["kind"] in ("ClusterRoleBinding", "RoleBinding")]:
        (role,) = [
            item
            for item in items
            if item["kind"] == binding["roleRef"]["kind"]
            and item["metadata"]["name"] == binding["roleRef"]["name"]
            and item["metadata"].get("namespace") == binding["metadata"].get("namespace")
        ]
        scope = _scope(binding)
        for rule in role["rules"]:
            names = [f"{scope}, only `{name}`" for name in rule.get("resourceNames", ())] or [scope]
            found |= {(verb, thing, where) for verb in rule["verbs"] for thing in rule["resources"] for where in names}
    return found


def _scope(binding: Object) -> str:
    if binding["kind"] == "ClusterRoleBinding":
        return "cluster"
    own = [subject["namespace"] for subject in binding["subjects"]] == [binding["metadata"]["namespace"]]
    return "own namespace" if own and binding["metadata"]["name"].endswith("-records") else "watched namespaces"


def environment(items: Iterable[Object]) -> dict[str, str]:
    """The variables of the operator that are given as text."""
    deployment = only(normalised(items).values(), "Deployment")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    return {variable["name"]: variable["value"] for variable in container["env"] if "value" in variable}


def normalised(items: Iterable[Object]) -> dict[tuple[str, str, str], Object]:
    """Objects by kind, namespace and name, without what only one way of installing can have.

    Helm's labels go, and all labels and annotations of the CRD; the namespace that kustomize makes and Helm does not; Helm's test. The
    environment that kustomize keeps in a ConfigMap moves to the container.
    """
    kept = [copy.deepcopy(item) for item in items if item["kind"] != "Namespace" and not is_hook(item)]
    settings = {item["metadata"]["name"]: item["data"] for item in kept if item["kind"] == "ConfigMap"}
    for item in kept:
        _without_helms_labels(item)
        if item["kind"] == "Deployment":
            _without_helms_labels(item["spec"]["template"])
            _with_environment(item["spec"]["template"]["spec"]["containers"][0], settings)
    return {
        (item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"]): item
        for item in kept
        if item["kind"] != "ConfigMap"
    }


def is_hook(item: Object) -> bool:
    """Whether Helm makes it at its own time, and not with the release."""
    return "helm.sh/hook" in item["metadata"].get("annotations", {})


def _without_helms_labels(item: Object) -> None:
    metadata = item["metadata"]
    labels = metadata.pop("labels", {})
    if item.get("kind") == "CustomResourceDefinition":
        metadata.pop("annotations", None)
    else:
        metadata["labels"] = {key: value for key, value in labels.items() if key not in HELMS_OWN_LABELS}


def _with_environment(container: Object, settings: dict[str, dict[str, str]]) -> None:
    for source in container.pop("envFrom", ()):
        container["env"] += [
            {"name": key, "value": value} for key, value in settings[source["configMapRef"]["name"]].items()
        ]
    container["env"].sort(key=lambda variable: str(variable["name"]))
