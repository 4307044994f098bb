"""What admins do without Helm, and with rights in single namespaces only."""

from __future__ import annotations

import pytest

from node.cluster import SIMULATOR
from node.installing import CREATE_NAMESPACE, QUICKLY, remove
from stack import Workloads, manifest_of

pytestmark = [pytest.mark.node, pytest.mark.timeout(900)]

RUNS_ON = manifest_of("Deployment")
READY = "kubectl rollout status deployment/runai-operator --namespace runai-operator --timeout 120s"
ADDRESS = f"""
sed -i 's|^RUNAI_BASE_URL=.*|RUNAI_BASE_URL={SIMULATOR}|; s|^OPERATOR_GRACE_PERIOD=.*|OPERATOR_GRACE_PERIOD=3s|' \\
  deploy/kustomize/base/settings.env
grep -q ALLOW_HTTP deploy/kustomize/base/settings.env || echo RUNAI_ALLOW_HTTP=true >>deploy/kustomize/base/settings.env
"""
MONITORS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "servicemonitors.monitoring.coreos.com"},
    "spec": {
        "group": "monitoring.coreos.com",
        "scope": "Namespaced",
        "names": {"plural": "servicemonitors", "singular": "servicemonitor", "kind": "ServiceMonitor"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


@pytest.fixture(autouse=True)
def place(cluster, runai):
    """The namespace and the Secret that every way starts with, and the address in the settings."""
    cluster.sh(CREATE_NAMESPACE + ADDRESS)
    yield
    remove(cluster)


def served(cluster, namespace: str = "default") -> None:
    workloads = Workloads(cluster.client, namespace)
    workloads.apply("a", manifest=RUNS_ON)
    workloads.wait_condition("a", "Ready", "True")
    workloads.delete("a")
    workloads.wait_gone("a")


def test_the_default_works_and_can_be_taken_away(cluster):
    cluster.sh("kubectl apply --server-side -k deploy/kustomize")
    cluster.sh(READY)
    served(cluster)
    cluster.sh("kubectl delete -k deploy/kustomize/base")

    assert cluster.client.find("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/runaiworkloads.bridge.run.ai")


def test_with_monitoring_the_service_has_the_metrics(cluster):
    cluster.client.apply(MONITORS)
    cluster.client.wait("/apis/monitoring.coreos.com/v1/servicemonitors", lambda listed: listed is not None)
    cluster.sh("kubectl apply --server-side -k deploy/kustomize/overlays/monitoring")
    cluster.sh(READY)
    (monitor,) = cluster.client.list_all("/apis/monitoring.coreos.com/v1/servicemonitors")
    (endpoint,) = monitor["spec"]["endpoints"]
    services = cluster.client.list_all(
        "/api/v1/namespaces/runai-operator/services",
        labelSelector=",".join(f"{key}={value}" for key, value in monitor["spec"]["selector"]["matchLabels"].items()),
    )
    (service,) = [item["metadata"]["name"] for item in services]
    base = f"/api/v1/namespaces/runai-operator/services/{service}:{endpoint['port']}/proxy"
    metrics = cluster.client.text(base + endpoint["path"])
    cluster.sh("kubectl delete -k deploy/kustomize/overlays/monitoring --wait=false")
    cluster.sh("kubectl delete crd servicemonitors.monitoring.coreos.com")

    assert "runai_operator_" in metrics


def test_the_namespaced_overlay_serves_its_namespace_with_no_right_elsewhere(cluster):
    cluster.sh(
        "sed -i 's|^OPERATOR_INSTALL_ID=.*|OPERATOR_INSTALL_ID=node|' deploy/kustomize/overlays/namespaced/settings.env"
    )
    cluster.sh("kubectl create namespace team-a && kubectl apply --server-side -k crds/")
    cluster.sh("kubectl apply --server-side -k deploy/kustomize/overlays/namespaced")
    cluster.sh(READY)
    served(cluster, "team-a")

    assert may(cluster, "team-a")
    assert not may(cluster, "default")


def test_the_chart_for_single_namespaces_serves_them_with_no_right_elsewhere(cluster):
    cluster.sh(
        "kubectl create namespace team-a && kubectl create namespace team-b && kubectl apply --server-side -k crds/"
    )
    cluster.sh(
        f"""helm install runai-operator deploy/helm/runai-operator --namespace runai-operator --wait --timeout 120s \\
        --set runai.baseUrl={SIMULATOR} --set runai.allowHttp=true --set runai.existingSecret=runai-credentials \\
        --set crds.install=false --set installId=node --set 'operator.watchNamespaces={{team-a,team-b}}' {QUICKLY}"""
    )
    for namespace in ("team-a", "team-b"):
        served(cluster, namespace)

    assert may(cluster, "team-b")
    assert not may(cluster, "default")


def may(cluster, namespace: str) -> bool:
    """Whether the operator may read RunaiWorkloads there."""
    account = "system:serviceaccount:runai-operator:runai-operator"
    asked = f"kubectl auth can-i list runaiworkloads.bridge.run.ai --as {account} --namespace {namespace}"
    return cluster.sh(asked, check=False).strip().endswith("yes")
