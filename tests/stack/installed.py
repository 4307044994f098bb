"""The operator as the kustomization installs it, in a namespace of a test's own and without pods."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from controlplane import Client
from stack.processes import CLIENT_ID, CLIENT_SECRET
from stack.workloads import Object

KUSTOMIZE = Path(__file__).parents[2] / "deploy" / "kustomize" / "base"
LABELS = {"app.kubernetes.io/name": "runai-operator", "app.kubernetes.io/instance": "runai-operator"}
RBAC = "/apis/rbac.authorization.k8s.io/v1"
MERGE = "application/merge-patch+json"


class Installed:
    """Deployment, settings, Secret and ServiceAccount; the rights come with `allow`."""

    def __init__(self, client: Client, namespace: str, url: str) -> None:
        self.client, self.namespace = client, namespace
        self.apply("v1", "ServiceAccount", "runai-operator")
        self.secret(clientId=CLIENT_ID, clientSecret=CLIENT_SECRET)
        self.settings(RUNAI_BASE_URL=url, RUNAI_ALLOW_HTTP="true")
        (deployment,) = _documents("deployment.yaml")
        deployment["metadata"] |= {"namespace": namespace, "labels": LABELS}
        deployment["spec"]["template"]["metadata"]["labels"] = LABELS
        client.apply(deployment)
        self.path = client.path_of(deployment)

    def apply(self, version: str, kind: str, name: str, **content: Any) -> Object:
        metadata = {"name": name, "namespace": self.namespace}
        return self.client.apply({"apiVersion": version, "kind": kind, "metadata": metadata, **content})

    def settings(self, **values: str) -> None:
        self.apply("v1", "ConfigMap", "runai-operator", data=values)

    def secret(self, **values: str) -> None:
        """Replaces the credentials."""
        path = f"/api/v1/namespaces/{self.namespace}/secrets/runai-credentials"
        if self.client.find(path):
            self.client.delete(path)
        self.apply("v1", "Secret", "runai-credentials", stringData=values)

    def allow(self) -> None:
        """Its roles; those of the cluster are named like the namespace."""
        for item in _documents("rbac.yaml"):
            if item["kind"].startswith("Cluster"):
                item["metadata"]["name"] = self.namespace
            else:
                item["metadata"]["namespace"] = self.namespace
            if "roleRef" in item:
                item["subjects"][0]["namespace"] = self.namespace
                if item["roleRef"]["kind"] == "ClusterRole":
                    item["roleRef"]["name"] = self.namespace
            self.client.apply(item)

    def disallow(self) -> None:
        """Takes back those of the cluster, if there are any."""
        for kind in ("clusterroles", "clusterrolebindings"):
            if self.client.find(f"{RBAC}/{kind}/{self.namespace}"):
                self.client.delete(f"{RBAC}/{kind}/{self.namespace}")

    def is_ready(self) -> None:
        """As if its pod ran."""
        status = {"replicas": 1, "readyReplicas": 1, "observedGeneration": 1}
        self.client.request("PATCH", f"{self.path}/status", body={"status": status}, content_type=MERGE)


def _documents(name: str) -> list[Object]:
    return list(yaml.safe_load_all((KUSTOMIZE / name).read_text()))
