"""How the tests install the operator, and take it away again."""

from __future__ import annotations

import contextlib

from controlplane import ApiError
from controlplane.client import Object
from node.cluster import NAMESPACE, SIMULATOR, Cluster, until
from stack import Workloads

CREATE_NAMESPACE = f"""
kubectl create namespace {NAMESPACE}
kubectl label namespace {NAMESPACE} pod-security.kubernetes.io/enforce=restricted
kubectl create secret generic runai-credentials --namespace {NAMESPACE} \\
  --from-literal=clientId=operator --from-literal=clientSecret=not-a-secret-of-anyone
"""
QUICKLY = "--set operator.deltaInterval=1s --set operator.gracePeriod=3s"
INSTALL = f"""
helm install runai-operator deploy/helm/runai-operator --namespace {NAMESPACE} --wait --timeout 120s \\
  --set runai.baseUrl={SIMULATOR} --set runai.allowHttp=true --set runai.existingSecret=runai-credentials {QUICKLY}
"""


def remove(cluster: Cluster) -> None:
    """Take the whole installation out of the cluster, whatever state it is in."""
    cluster.sh("kubectl delete runaiworkloads --all --all-namespaces --wait=false", check=False)
    with contextlib.suppress(AssertionError):  # nobody is there to do it
        until("end of the workloads", lambda: not leftovers(cluster), timeout=30)
    for item in leftovers(cluster):
        place = item["metadata"]
        with contextlib.suppress(ApiError):  # gone in between
            Workloads(cluster.client, place["namespace"]).patch(place["name"], {"metadata": {"finalizers": None}})
    for command in (
        f"helm uninstall runai-operator --namespace {NAMESPACE} --ignore-not-found --wait",
        "kubectl delete crd runaiworkloads.bridge.run.ai --ignore-not-found",
        "kubectl delete clusterrole,clusterrolebinding --selector app.kubernetes.io/part-of=runai-operator",
        f"kubectl delete namespace {NAMESPACE} team-a team-b --ignore-not-found",
    ):
        cluster.sh(command, check=False)


def leftovers(cluster: Cluster) -> list[Object]:
    collection = cluster.client.find("/apis/bridge.run.ai/v1alpha1/runaiworkloads")
    return collection["items"] if collection else []
