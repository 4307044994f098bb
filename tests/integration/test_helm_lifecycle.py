"""The chart on a real API server with the real Helm: install, upgrade, rollback, uninstall, adoption. Pods do not run here."""

from __future__ import annotations

import base64
import contextlib
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from controlplane import ApiError, ControlPlane
from installation import (
    CHART,
    CLUSTER_WIDE,
    CRD,
    KUSTOMIZE,
    MINIMAL,
    PART_OF,
    Helm,
    HelmFailed,
    install_chart,
    install_kustomization,
    is_hook,
    make_namespace,
    may,
    only,
    remove_installations,
    soon,
)
from stack import workload

pytestmark = pytest.mark.installation

ROOT = CHART.parents[2]
CI = {
    path.name.removesuffix("-values.yaml"): yaml.safe_load(path.read_text()) for path in (CHART / "ci").glob("*.yaml")
}
WORKLOADS = "bridge.run.ai/runaiworkloads"
AGGREGATION = ("clusterrole-aggregation-controller",)
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def shared_plane() -> Iterator[ControlPlane]:
    """One control plane for this module, where CRDs come and go; with somebody else's CRDs of the monitors."""
    with ControlPlane() as plane:
        for kind in ("ServiceMonitor", "PodMonitor"):
            plane.client.apply(monitor_crd(kind))
            plane.client.wait(f"/apis/monitoring.coreos.com/v1/{kind.lower()}s", lambda served: served is not None)
        for namespace in ("team-a", "team-b"):
            make_namespace(plane, namespace)
        plane.start_controller_manager(AGGREGATION)
        yield plane


@pytest.fixture
def plane(shared_plane: ControlPlane) -> Iterator[ControlPlane]:
    """The control plane, with nothing of ours on it before and after."""
    yield shared_plane
    remove_installations(shared_plane)


@pytest.fixture
def namespace(plane: ControlPlane) -> str:
    name = f"test-{uuid.uuid4().hex[:8]}"
    make_namespace(plane, name)
    return name


@pytest.fixture
def jane(plane: ControlPlane) -> Iterator[str]:
    """A user who may do everything in the namespaces `runai-operator` and `team-a`, and nothing beside them."""
    make_namespace(plane, "runai-operator")
    namespaces = ("runai-operator", "team-a")
    for namespace in namespaces:
        plane.kubectl(
            "create", "rolebinding", "jane", "--clusterrole=cluster-admin", "--user=jane", f"--namespace={namespace}"
        )
    yield "jane"
    for namespace in namespaces:
        plane.kubectl("delete", "rolebinding", "jane", f"--namespace={namespace}")


@pytest.fixture
def newer_chart(tmp_path: Path) -> Path:
    """The chart of a later version: its CRD says something new."""
    copy = tmp_path / "runai-operator"
    shutil.copytree(CHART, copy)
    file = copy / "files" / "crds" / "runaiworkloads.yaml"
    text = file.read_text().replace("shortNames: [rwl]", "shortNames: [rwl, rw]")
    file.write_text(text.replace("description: Kind of the submitted manifest.", "description: Kind of what runs."))
    return copy


def monitor_crd(kind: str) -> dict:
    names = {"kind": kind, "plural": f"{kind.lower()}s", "singular": kind.lower(), "listKind": f"{kind}List"}
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{names['plural']}.monitoring.coreos.com",
            "annotations": {"api-approved.kubernetes.io": "unapproved, for tests"},
        },
        "spec": {"group": "monitoring.coreos.com", "names": names, "scope": "Namespaced", "versions": [version]},
    }


def apply_workload(plane: ControlPlane, namespace: str) -> str:
    """Its UID, once the API server serves the kind."""
    served = f"/apis/bridge.run.ai/v1alpha1/namespaces/{namespace}/runaiworkloads"
    plane.client.wait(served, lambda collection: collection is not None)
    return plane.client.apply(workload("kept", namespace))["metadata"]["uid"]


def short_names(plane: ControlPlane) -> list[str]:
    return plane.client.get(CRD)["spec"]["names"]["shortNames"]


@pytest.mark.parametrize("values", CI.values(), ids=CI)
def test_every_set_of_values_installs_and_goes_again(plane: ControlPlane, namespace, values):
    for other in {values.get("namespaceOverride"), values.get("serviceMonitor", {}).get("namespace")} - {None}:
        make_namespace(plane, other)
    helm = Helm(plane, namespace=namespace)

    helm.install(values=values)

    objects = [with_namespace(item, namespace) for item in helm.objects(values) if not is_hook(item)]
    for item in objects:
        assert plane.client.find(plane.client.path_of(item)), item["kind"]
    [release] = plane.client.list_all(f"/api/v1/namespaces/{namespace}/secrets", labelSelector="owner=helm")
    assert len(release["data"]["release"]) < MIB

    helm.uninstall("--no-hooks")

    left = [item["kind"] for item in objects if is_there(plane, item)]
    kept = values.get("crds", {}).get("keep", True) and values.get("crds", {}).get("install", True)
    assert left == (["CustomResourceDefinition"] if kept else [])


def with_namespace(item: dict, namespace: str) -> dict:
    """The object where Helm puts it: the release's namespace unless it names one."""
    cluster_wide = item["kind"] in ("ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition")
    place = {} if cluster_wide else {"namespace": item["metadata"].get("namespace", namespace)}
    return {**item, "metadata": {**item["metadata"], **place}}


def is_there(plane: ControlPlane, item: dict) -> bool:
    with contextlib.suppress(ApiError, LookupError):
        found = plane.client.find(plane.client.path_of(item))
        return found is not None and "deletionTimestamp" not in found["metadata"]
    return False


@pytest.mark.parametrize("name", sorted(CI.keys() - {"everything"}))
def test_the_pods_are_taken_where_restricted_is_enforced(plane: ControlPlane, namespace, name):
    objects = Helm(plane, namespace=namespace).objects(CI[name] | {"uninstallGuard": {"enabled": True}})
    templates = [only(objects, kind)["spec"]["template"] for kind in ("Deployment", "Job")]
    specs = [template["spec"] for template in templates] + [item["spec"] for item in objects if item["kind"] == "Pod"]
    for spec in specs:
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "as-rendered", "namespace": namespace},
            "spec": spec,
        }
        spec["serviceAccountName"] = "default"
        plane.client.apply(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": namespace}}
        )
        assert plane.client.create(pod, dry_run=True)["spec"]["securityContext"]["runAsNonRoot"]

        del spec["containers"][0]["securityContext"]
        with pytest.raises(ApiError, match="violates PodSecurity"):
            plane.client.create(pod, dry_run=True)


def test_the_server_itself_judges_a_dry_run(plane: ControlPlane, namespace):
    said = Helm(plane, namespace=namespace).install("--dry-run=server")

    assert "kind: Deployment" in said
    assert plane.client.list_all(f"/apis/apps/v1/namespaces/{namespace}/deployments") == []


def test_the_examples_on_artifact_hub_are_accepted(plane: ControlPlane, namespace):
    plane.install_crds()
    annotations = yaml.safe_load((CHART / "Chart.yaml").read_text())["annotations"]

    for example in yaml.safe_load(annotations["artifacthub.io/crdsExamples"]):
        metadata = {**example["metadata"], "namespace": namespace}
        assert plane.client.create({**example, "metadata": metadata}, dry_run=True)["kind"] == "RunaiWorkload"


def test_the_same_again_changes_nothing(plane: ControlPlane, namespace):
    helm = Helm(plane, namespace=namespace)
    helm.install()
    objects = [with_namespace(item, namespace) for item in helm.objects() if item["kind"] != "Pod"]
    before = [plane.client.get(plane.client.path_of(item))["metadata"]["resourceVersion"] for item in objects]

    helm.upgrade()

    assert [plane.client.get(plane.client.path_of(item))["metadata"]["resourceVersion"] for item in objects] == before


def test_an_upgrade_brings_the_new_crd_and_a_rollback_the_old_one(plane: ControlPlane, namespace, newer_chart):
    old, new = Helm(plane, namespace=namespace), Helm(plane, namespace=namespace, chart=newer_chart)
    old.install()
    uid = apply_workload(plane, namespace)

    new.upgrade(values={**MINIMAL, "operator": {"logLevel": "debug"}})
    assert short_names(plane) == ["rwl", "rw"]

    old.run("rollback", old.release, "1")
    assert short_names(plane) == ["rwl"]
    assert plane.client.get(plane.client.path_of(workload("kept", namespace)))["metadata"]["uid"] == uid
    deployment = plane.client.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/runai-operator")
    variables = {
        one["name"]: one.get("value") for one in deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    }
    assert variables["OPERATOR_LOG_LEVEL"] == "info"


def test_workloads_outlive_an_uninstall_and_are_there_after_a_reinstall(plane: ControlPlane, namespace):
    helm = Helm(plane, namespace=namespace)
    helm.install()
    uid = apply_workload(plane, namespace)

    said = helm.uninstall()
    assert "kept" in said
    assert plane.client.get(plane.client.path_of(workload("kept", namespace)))["metadata"]["uid"] == uid

    helm.install()
    assert plane.client.get(plane.client.path_of(workload("kept", namespace)))["metadata"]["uid"] == uid


GUARDED = {**MINIMAL, "uninstallGuard": {"enabled": True}}


def guard(plane: ControlPlane, folder: Path, namespace: str, values: dict) -> subprocess.CompletedProcess[str]:
    """The command of the hook, run with the rights that its pod has."""
    pod = only(Helm(namespace=namespace).objects(values), "Job")["spec"]["template"]["spec"]
    kubeconfig = yaml.safe_load(plane.service_account_kubeconfig(namespace, pod["serviceAccountName"]).read_text())
    cluster = kubeconfig["clusters"][0]["cluster"]
    (folder / "token").write_text(kubeconfig["users"][0]["user"]["token"])
    (folder / "ca.crt").write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
    (container,) = pod["containers"]
    given = {variable["name"]: variable["value"] for variable in container["env"]}
    ours = {"API_SERVER": cluster["server"], "SERVICE_ACCOUNT": str(folder)}
    assert given.keys() - {"SELECTOR"} == ours.keys()
    ours = given | ours
    command = [sys.executable, *container["command"][1:]]
    return subprocess.run(command, env=ours, capture_output=True, text=True, timeout=60, check=False)


def test_the_guard_of_the_longest_name_can_be_made(plane: ControlPlane, namespace):
    values = {**GUARDED, "nameOverride": "a" * 63, "fullnameOverride": "b" * 63}
    job = only(Helm(namespace=namespace, release="c" * 53).objects(values), "Job")

    assert plane.client.create(job, dry_run=True)["metadata"]["name"].endswith("-guard")


@pytest.mark.parametrize("watched", [[], ["team-a", "team-b"]], ids=["the whole cluster", "single namespaces"])
def test_the_guard_refuses_to_uninstall_while_runaiworkloads_exist(plane: ControlPlane, namespace, tmp_path, watched):
    values = {**GUARDED, "installId": "a", "operator": {"watchNamespaces": watched}}
    Helm(plane, namespace=namespace).install(values=values)
    user = f"system:serviceaccount:{namespace}:runai-operator"
    assert all(soon(plane, user, "list", WORKLOADS, name) for name in watched or [""])
    assert guard(plane, tmp_path, namespace, values).returncode == 0

    apply_workload(plane, "team-b")
    refused = guard(plane, tmp_path, namespace, values)
    assert refused.returncode == 1
    assert refused.stderr.startswith("RunaiWorkloads exist, such as team-b/kept: delete them first")

    plane.client.delete(plane.client.path_of(workload("kept", "team-b")))
    assert guard(plane, tmp_path, namespace, values).returncode == 0


def test_the_guard_of_a_release_with_labels_looks_at_what_would_go_without_it(plane: ControlPlane, namespace, tmp_path):
    values = {**GUARDED, "operator": {"selector": "shard=a"}}
    Helm(plane, namespace=namespace).install(values=values)
    assert soon(plane, f"system:serviceaccount:{namespace}:runai-operator", "list", WORKLOADS, "")
    apply_workload(plane, "team-b")
    kept = plane.client.path_of(workload("kept", "team-b"))
    assert guard(plane, tmp_path, namespace, values).returncode == 0, "another release serves it"
    takes_all_along = {**values, "crds": {"keep": False}}
    assert guard(plane, tmp_path, namespace, takes_all_along).returncode == 1, "it would go with its definition"

    plane.client.merge_patch(kept, {"metadata": {"labels": {"shard": "a"}}})
    refused = guard(plane, tmp_path, namespace, values)
    assert refused.returncode == 1
    assert "or give them labels that another release serves" in refused.stderr
    plane.client.delete(kept)


def test_a_guard_that_may_not_look_refuses(plane: ControlPlane, namespace, tmp_path):
    values = {**GUARDED, "rbac": {"create": False}}
    Helm(plane, namespace=namespace).install(values=values)

    refused = guard(plane, tmp_path, namespace, values)

    assert (refused.returncode, refused.stderr) == (
        1,
        "It is not known whether RunaiWorkloads exist: the API server answered 403.\n",
    )


def test_after_a_refusal_the_release_goes_on_as_the_page_says(plane: ControlPlane, namespace):
    """Here no pod runs: Helm waits for the hook in vain, which is a refusal like any other."""
    assert "`helm rollback runai-operator REVISION`" in (ROOT / "docs" / "install.md").read_text()
    helm = Helm(plane, namespace=namespace)
    helm.install(values=GUARDED)

    with pytest.raises(HelmFailed, match="runai-operator-guard"):
        helm.uninstall("--timeout=1s")
    assert plane.client.find(f"/apis/apps/v1/namespaces/{namespace}/deployments/runai-operator")
    helm.run("rollback", helm.release, "1")
    helm.upgrade(values=GUARDED)
    assert "uninstalled" in helm.uninstall("--no-hooks")


def test_a_kept_crd_is_not_taken_over_by_another_release_unasked(plane: ControlPlane, namespace):
    Helm(plane, namespace=namespace).install()
    Helm(plane, namespace=namespace).uninstall()
    other = Helm(plane, namespace=namespace, release="other")

    with pytest.raises(HelmFailed, match="invalid ownership metadata"):
        other.install()
    other.install("--take-ownership")


@pytest.mark.parametrize("way", [["apply", "--server-side"], ["apply"]], ids=["server-side", "client-side"])
def test_a_crd_of_kubectl_is_adopted_by_labels(plane: ControlPlane, namespace, newer_chart, way):
    plane.kubectl(*way, "-k", str(ROOT / "crds"))
    uid = apply_workload(plane, namespace)
    helm = Helm(plane, namespace=namespace)
    with pytest.raises(HelmFailed, match="invalid ownership metadata"):
        helm.install()

    plane.kubectl("label", "crd", "runaiworkloads.bridge.run.ai", "app.kubernetes.io/managed-by=Helm")
    plane.kubectl("annotate", "crd", "runaiworkloads.bridge.run.ai", f"meta.helm.sh/release-name={helm.release}")
    plane.kubectl("annotate", "crd", "runaiworkloads.bridge.run.ai", f"meta.helm.sh/release-namespace={namespace}")
    helm.install()

    assert_upgrades_need_force_once(plane, namespace, newer_chart)
    assert plane.client.get(plane.client.path_of(workload("kept", namespace)))["metadata"]["uid"] == uid


def assert_upgrades_need_force_once(plane: ControlPlane, namespace: str, newer_chart: Path) -> None:
    """kubectl stays an owner of what it has applied, until somebody insists."""
    new = Helm(plane, namespace=namespace, chart=newer_chart)
    with pytest.raises(HelmFailed, match=r"conflicts? with .*kubectl"):
        new.upgrade()
    new.upgrade("--force-conflicts")
    assert short_names(plane) == ["rwl", "rw"]

    Helm(plane, namespace=namespace).upgrade()
    assert short_names(plane) == ["rwl"]


def test_a_crd_of_kubectl_is_adopted_by_flags_though_it_is_older(plane: ControlPlane, namespace, newer_chart):
    plane.kubectl("apply", "--server-side", "-k", str(ROOT / "crds"))
    new = Helm(plane, namespace=namespace, chart=newer_chart)

    new.install("--take-ownership", "--force-conflicts")
    assert short_names(plane) == ["rwl", "rw"]

    Helm(plane, namespace=namespace).upgrade()
    assert short_names(plane) == ["rwl"]


def test_a_whole_installation_of_kubectl_moves_to_helm(plane: ControlPlane):
    installed = install_kustomization(plane)
    uid = apply_workload(plane, installed.namespace)
    plane.kubectl("delete", "deployment", "runai-operator", f"--namespace={installed.namespace}")
    helm = Helm(plane, namespace=installed.namespace)

    helm.install("--take-ownership", "--force-conflicts")

    deployment = plane.client.get(f"/apis/apps/v1/namespaces/{installed.namespace}/deployments/runai-operator")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert "envFrom" not in container, "nothing of the other way is left"
    assert plane.client.get(plane.client.path_of(workload("kept", installed.namespace)))["metadata"]["uid"] == uid


@pytest.mark.parametrize("overlay", [KUSTOMIZE, KUSTOMIZE / "overlays" / "monitoring"], ids=lambda path: path.name)
def test_kubectl_takes_the_kustomizations_and_finds_nothing_to_change_after(plane: ControlPlane, overlay):
    installed = install_kustomization(plane, overlay)

    deployment = plane.client.path_of(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "runai-operator", "namespace": installed.namespace},
        }
    )
    before = plane.client.get(deployment)["metadata"]["resourceVersion"]
    plane.kubectl("apply", "--server-side", "-k", str(overlay))
    assert plane.client.get(deployment)["metadata"]["resourceVersion"] == before
    assert plane.kubectl("diff", "--server-side", "-k", str(overlay), check=False).stdout == ""


def test_the_namespaced_overlay_needs_nothing_cluster_wide(plane: ControlPlane, jane: str):
    """Applied by somebody who may do everything in the two namespaces, and nothing beside them."""
    plane.kubectl("apply", "--server-side", f"--as={jane}", "-k", str(KUSTOMIZE / "overlays" / "namespaced"))

    user = "system:serviceaccount:runai-operator:runai-operator"
    assert soon(plane, user, "watch", WORKLOADS, "team-a")
    assert not may(plane, user, "watch", WORKLOADS, "team-b")


def test_a_second_operator_for_the_whole_cluster_is_refused_until_the_first_is_gone(plane: ControlPlane, namespace):
    first = Helm(plane, namespace=namespace)
    first.install()
    make_namespace(plane, f"{namespace}-other")
    second = Helm(plane, namespace=f"{namespace}-other", release="second")
    without_crd = {**MINIMAL, "crds": {"install": False}}

    with pytest.raises(
        HelmFailed, match=r"another operator .* \(ClusterRoleBinding runai-operator\).* uninstall it first"
    ):
        second.install(values=without_crd)
    first.upgrade()
    first.upgrade(values={**MINIMAL, "fullnameOverride": "renamed"})
    first.uninstall()

    second.install("--take-ownership")
    second.upgrade()


def test_one_of_kustomize_counts_as_another_operator_too(plane: ControlPlane, namespace):
    install_kustomization(plane)

    with pytest.raises(HelmFailed, match="another operator serves the whole cluster"):
        Helm(plane, namespace=namespace, release="second").install("--take-ownership", "--force-conflicts")


def test_an_operator_for_single_namespaces_needs_no_look_at_the_whole_cluster(plane: ControlPlane, jane: str):
    """Whoever may do everything in these namespaces, and nothing beside them, installs it."""
    plane.install_crds()
    values = {
        **MINIMAL,
        "crds": {"install": False},
        "installId": "a",
        "operator": {"watchNamespaces": ["team-a"]},
    }

    Helm(plane).install(f"--kube-as-user={jane}", values=values)


def test_two_namespaced_installations_live_side_by_side(plane: ControlPlane):
    plane.install_crds()
    values = {**MINIMAL, "crds": {"install": False}}
    users = {}
    for team in ("team-a", "team-b"):
        own = {**values, "installId": team, "operator": {"watchNamespaces": [team]}}
        installed = install_chart(plane, f"operator-of-{team}", values=own)
        users[team] = f"system:serviceaccount:{installed.namespace}:{installed.service_account}"

    for team, user in users.items():
        other = {"team-a": "team-b", "team-b": "team-a"}[team]
        assert soon(plane, user, "patch", f"{WORKLOADS}/status", team)
        assert soon(plane, user, "patch", "/configmaps", f"operator-of-{team}", name="runai-operator-orphans")
        assert not may(plane, user, "get", WORKLOADS, other)
        assert not may(plane, user, "get", "/secrets", team)
        assert not may(plane, user, "get", "/configmaps", f"operator-of-{team}", name="another")
    assert [plane.client.list_all(collection, **PART_OF) for collection in CLUSTER_WIDE] == [[], []]


def test_people_get_rights_on_workloads_with_the_roles_they_have(plane: ControlPlane, namespace):
    Helm(plane, namespace=namespace).install()
    for role in ("view", "edit", "admin"):
        plane.kubectl(
            "create", "rolebinding", role, f"--clusterrole={role}", f"--user={role}", f"--namespace={namespace}"
        )
        path = f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{role}"
        plane.client.wait(path, lambda found: resource_is_in(found, "runaiworkloads"))

    verbs = ("get", "list", "watch", "create", "patch", "delete", "deletecollection")
    assert all(soon(plane, role, "list", WORKLOADS, namespace) for role in ("view", "edit", "admin"))
    allowed = {
        role: [verb for verb in verbs if may(plane, role, verb, WORKLOADS, namespace)]
        for role in ("view", "edit", "admin")
    }
    assert allowed == {"view": list(verbs[:3]), "edit": list(verbs[:6]), "admin": list(verbs)}
    assert not may(plane, "admin", "patch", f"{WORKLOADS}/status", namespace)


def resource_is_in(role: dict | None, resource: str) -> bool:
    return any(resource in rule.get("resources", ()) for rule in (role or {}).get("rules") or ())
