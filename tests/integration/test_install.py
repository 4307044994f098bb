"""`kubectl apply -k deploy/kustomize` on a real API server, and the operator with nothing but its rights."""

from __future__ import annotations

import pytest

from controlplane import ControlPlane
from installation import KUSTOMIZE, build, granted, install_kustomization, only
from stack import Operator, Simulator, Workloads, manifest_of

NAMESPACE = "runai-operator"
NOT_USED_YET = {
    ("get", "customresourcedefinitions"),
    ("create", "configmaps"),
    ("patch", "configmaps"),
}
"""Reserved for the record of workloads that lost their object, and for a CustomResourceDefinition that is being deleted."""


@pytest.fixture
def installed(fresh_control_plane) -> ControlPlane:
    """A control plane on which the operator is installed as the README says."""
    plane = fresh_control_plane()
    install_kustomization(plane)
    plane.install_crds()
    return plane


def test_everything_is_accepted_and_again_without_a_change(installed: ControlPlane):
    again = installed.kubectl("apply", "--server-side", "-k", str(KUSTOMIZE)).stdout

    assert "deployment.apps/runai-operator serverside-applied" in again
    deployment = installed.client.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/runai-operator")
    assert deployment["metadata"]["generation"] == 1


def test_the_pod_is_taken_where_restricted_is_enforced(installed: ControlPlane):
    deployment = only(build(), "Deployment")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "as-deployed", "namespace": NAMESPACE},
        "spec": deployment["spec"]["template"]["spec"],
    }
    accepted = installed.client.create(pod, dry_run=True)

    assert accepted["spec"]["securityContext"]["runAsUser"] == 65532
    assert accepted["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"]

    del pod["spec"]["containers"][0]["securityContext"]
    with pytest.raises(Exception, match="violates PodSecurity"):
        installed.client.create(pod, dry_run=True)


def test_the_operator_lives_with_its_own_rights_and_uses_all_of_them(
    installed: ControlPlane, tmp_path, runai: Simulator
):
    kubeconfig = installed.service_account_kubeconfig(NAMESPACE, "runai-operator")
    workloads = Workloads(installed.client, "default")
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "source", "namespace": "default"}}
    installed.client.apply({**config, "data": {"job.yaml": "apiVersion: batch/v1\nkind: Job\nspec: {}"}})
    with Operator(tmp_path, kubeconfig, runai.url) as operator:
        operator.wait_ready()
        workloads.apply("from", manifestFrom={"configMapKeyRef": {"name": "source", "key": "job.yaml"}})
        workloads.apply("runs", manifest=manifest_of("Deployment"))
        workloads.wait_condition("from", "Completed", "True")
        workloads.wait_condition("runs", "Ready", "True")
        edited = manifest_of("Deployment")
        edited["spec"]["replicas"] = 2
        workloads.apply("runs", manifest=edited)
        workloads.wait_condition("runs", "Ready", "True")
        for name in ("from", "runs"):
            workloads.delete(name)
            workloads.wait_gone(name)
        assert "forbidden" not in operator.output().lower()
    user = f"system:serviceaccount:{NAMESPACE}:runai-operator"
    events = [
        event
        for event in installed.audit_events()
        if event.get("user", {}).get("username") == user
        and event.get("objectRef")
        and event["stage"] == "ResponseComplete"
    ]
    denied = [event["requestURI"] for event in events if event["responseStatus"]["code"] == 403]
    used = {(event["verb"], _resource(event["objectRef"])) for event in events}

    assert denied == []
    assert {(verb, resource) for verb, resource, _ in granted(build())} - NOT_USED_YET == used


def _resource(reference: dict) -> str:
    return "/".join(filter(None, (reference["resource"], reference.get("subresource"))))
