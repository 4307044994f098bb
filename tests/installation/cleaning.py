"""Remove what a test has installed, in whichever way, so that the next one starts on a clean control plane."""

from __future__ import annotations

import contextlib

from controlplane import ControlPlane
from installation.helm import Helm, HelmFailed

CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/runaiworkloads.bridge.run.ai"
WORKLOADS = "/apis/bridge.run.ai/v1alpha1/runaiworkloads"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
CLUSTER_WIDE = (f"{RBAC}/clusterroles", f"{RBAC}/clusterrolebindings")
NAMESPACED = (
    f"{RBAC}/roles",
    f"{RBAC}/rolebindings",
    "/apis/apps/v1/deployments",
    "/api/v1/services",
    "/api/v1/serviceaccounts",
    "/api/v1/configmaps",
)
PART_OF = {"labelSelector": "app.kubernetes.io/part-of=runai-operator"}


def remove_installations(plane: ControlPlane) -> None:
    """Every release, everything with our label, and the CRD. Namespaces stay."""
    for secret in plane.client.list_all("/api/v1/secrets", labelSelector="owner=helm"):
        name, namespace = secret["metadata"]["labels"]["name"], secret["metadata"]["namespace"]
        with contextlib.suppress(HelmFailed):  # another revision of the same release
            Helm(plane, namespace=namespace, release=name).uninstall("--no-hooks")
    for collection in (*CLUSTER_WIDE, *NAMESPACED):
        _remove_all(plane, collection)
    crd = plane.client.find(CRD)
    if crd and "deletionTimestamp" not in crd["metadata"]:
        # Kubernetes lists the objects first, and retries late if it cannot do so yet: not in the first second of a CRD.
        plane.client.wait(WORKLOADS, lambda listed: listed is not None)
        plane.client.delete(CRD)
    # A test may have deleted it in its first second: the pauses between Kubernetes' retries double.
    plane.client.wait_gone(CRD, timeout=240)


def _remove_all(plane: ControlPlane, collection: str) -> None:
    base, _, plural = collection.rpartition("/")
    for item in plane.client.list_all(collection, **PART_OF):
        namespace = item["metadata"].get("namespace")
        place = f"{base}/namespaces/{namespace}" if namespace else base
        plane.client.delete(f"{place}/{plural}/{item['metadata']['name']}")
