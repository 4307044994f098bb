"""`kubectl apply -k deploy/kustomize` on a real API server, and the operator with nothing but its rights."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from controlplane import ControlPlane
from stack import Operator, Simulator, Workloads, manifest_of

ROOT = Path(__file__).parents[2]
KUSTOMIZE = ROOT / "deploy" / "kustomize"
NAMESPACE = "runai-operator"


@pytest.fixture
def installed(fresh_control_plane) -> ControlPlane:
    """A control plane on which the operator is installed as the README says."""
    plane = fresh_control_plane()
    plane.kubectl("apply", "--server-side", "-k", str(KUSTOMIZE))
    plane.install_crds()
    return plane


def rendered(plane: ControlPlane) -> list[dict]:
    return [item for item in yaml.safe_load_all(plane.kubectl("kustomize", str(KUSTOMIZE)).stdout) if item]


def test_everything_is_accepted_and_again_without_a_change(installed: ControlPlane):
    again = installed.kubectl("apply", "--server-side", "-k", str(KUSTOMIZE)).stdout

    assert "deployment.apps/runai-operator serverside-applied" in again
    deployment = installed.client.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/runai-operator")
    assert deployment["metadata"]["generation"] == 1


def test_the_pod_is_taken_where_restricted_is_enforced(installed: ControlPlane):
    [deployment] = [item for item in rendered(installed) if item["kind"] == "Deployment"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "as-deployed", "namespace": NAMESPACE},
        "spec": deployment["spec"]["template"]["spec"],
    }
    accepted = installed.client.create(pod, dry_run=True)

    assert accepted["spec"]["securityContext"]["runAsUser"] == 65532

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
    assert granted(rendered(installed)) == used


def _resource(reference: dict) -> str:
    return "/".join(filter(None, (reference["resource"], reference.get("subresource"))))


def granted(items: list[dict]) -> set[tuple[str, str]]:
    """Every verb on every resource that the roles give."""
    rules = [rule for item in items if item["kind"] in ("ClusterRole", "Role") for rule in item["rules"]]
    return {(verb, resource) for rule in rules for verb in rule["verbs"] for resource in rule["resources"]}


def test_the_page_tells_of_every_permission_and_of_no_other(control_plane: ControlPlane):
    rows = re.findall(r"^\| `(\w+)` \| `([\w/]+)` \|", (ROOT / "docs" / "rbac.md").read_text(), re.MULTILINE)

    assert set(rows) == granted(rendered(control_plane))
