"""The examples for Argo CD and Flux: they belong together, and what they say of the chart and of workloads is accepted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from controlplane import ControlPlane
from installation import CHART, Helm, only
from runai_operator import __version__

pytestmark = pytest.mark.installation

ROOT = CHART.parents[2]
WAVE = "argocd.argoproj.io/sync-wave"


def documents(folder: str) -> dict[str, list[dict[str, Any]]]:
    """All documents of a folder of examples, by kind."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted((ROOT / "deploy" / folder / "examples").glob("*.yaml")):
        for item in yaml.safe_load_all(path.read_text()):
            found.setdefault(item["kind"], []).append(item)
    return found


ARGO, FLUX = documents("argocd"), documents("flux")
OPERATOR, WORKLOADS = sorted(ARGO["Application"], key=lambda item: str(item["metadata"]["name"]))
(OF_MANY_TEAMS,) = ARGO["ApplicationSet"]
PROJECTS = {item["metadata"]["name"]: item["spec"] for item in ARGO["AppProject"]}
OPERATOR_RELEASE = next(item for item in FLUX["HelmRelease"] if "values" in item["spec"])
TAG = f"v{__version__}"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
each_of_workloads = pytest.mark.parametrize(
    "application", [WORKLOADS, OF_MANY_TEAMS["spec"]["template"]], ids=["Application", "ApplicationSet"]
)
each_release = pytest.mark.parametrize("release", FLUX["HelmRelease"], ids=lambda item: item["metadata"]["name"])


def of_team(name: str) -> dict[str, Any]:
    """What the ApplicationSet makes of the team's folder."""
    text = json.dumps(OF_MANY_TEAMS["spec"]["template"])
    return json.loads(text.replace("{{ .path.basename }}", name).replace("{{ .path.path }}", f"teams/{name}"))


def allows(patterns: list[dict[str, str]], item: dict[str, Any]) -> bool:
    group, _, _ = item["apiVersion"].rpartition("/")
    return {"group": group, "kind": item["kind"]} in patterns


def wave(item: dict[str, Any]) -> int:
    return int(item["metadata"]["annotations"][WAVE])


def test_the_operator_goes_before_the_workloads():
    assert OPERATOR["metadata"]["name"] == "runai-operator"
    assert wave(OPERATOR) < wave(WORKLOADS)
    assert [wave(item) for item in ARGO["RunaiWorkload"]] == [0, 1]


@each_of_workloads
def test_workloads_are_applied_and_compared_on_the_server_and_pruned_last(application):
    assert application["metadata"]["annotations"]["argocd.argoproj.io/compare-options"] == "ServerSideDiff=true"
    assert {"ServerSideApply=true", "PruneLast=true"} <= set(application["spec"]["syncPolicy"]["syncOptions"])


def test_no_application_replaces_or_ignores_differences():
    """docs/argocd.md advises against the one, and says that there is no need for the other."""
    for application in (OPERATOR, WORKLOADS, OF_MANY_TEAMS["spec"]["template"]):
        assert "ignoreDifferences" not in application["spec"]
        assert not {"Replace=true", "Force=true"} & set(application["spec"]["syncPolicy"]["syncOptions"])


@pytest.mark.parametrize(
    "application", [OPERATOR, WORKLOADS, of_team("team-a")], ids=["operator", "team", "ApplicationSet"]
)
def test_every_application_passes_its_project(application):
    project = PROJECTS[application["spec"]["project"]]

    assert application["spec"]["source"]["repoURL"] in project["sourceRepos"]
    assert application["spec"]["destination"] in project["destinations"]


def test_the_repository_that_an_application_set_reads_is_the_one_of_its_applications():
    (generator,) = OF_MANY_TEAMS["spec"]["generators"]

    assert generator["git"]["repoURL"] == of_team("team-a")["spec"]["source"]["repoURL"]


def test_the_project_of_a_team_lets_workloads_pass():
    allowed = PROJECTS["team-a"]["namespaceResourceWhitelist"]

    assert all(allows(allowed, item) for item in ARGO["RunaiWorkload"])


def test_the_project_of_the_operator_lets_the_chart_pass_and_the_namespace_that_argo_cd_makes():
    project = PROJECTS[OPERATOR["spec"]["project"]]
    values = OPERATOR["spec"]["source"]["helm"]["valuesObject"]
    namespace = OPERATOR["spec"]["destination"]["namespace"]
    placed, of_the_cluster = [], [{"apiVersion": "v1", "kind": "Namespace"}]
    for item in Helm(namespace=namespace).objects(values):
        (placed if "namespace" in item["metadata"] else of_the_cluster).append(item)

    assert {item["metadata"]["namespace"] for item in placed} == {namespace}
    assert "namespaceResourceWhitelist" not in project, "anything in its own namespace"
    assert [item["kind"] for item in of_the_cluster if not allows(project["clusterResourceWhitelist"], item)] == []
    assert len(project["clusterResourceWhitelist"]) == len({item["kind"] for item in of_the_cluster}), "and no more"


def test_the_namespace_of_the_operator_enforces_restricted():
    """As the one of the kustomization does."""
    (of_flux,) = FLUX["Namespace"]
    policy = OPERATOR["spec"]["syncPolicy"]

    assert of_flux["metadata"]["labels"] == policy["managedNamespaceMetadata"]["labels"] == RESTRICTED
    assert "CreateNamespace=true" in policy["syncOptions"], "else the labels go nowhere"


def test_the_operator_comes_at_the_tag_of_this_version():
    (source,) = [item for item in FLUX["GitRepository"] if item["metadata"]["name"] == "runai-operator"]

    assert OPERATOR["spec"]["source"]["targetRevision"] == source["spec"]["ref"]["tag"] == TAG


@pytest.mark.parametrize(
    ("path", "values"),
    [
        pytest.param(
            OPERATOR["spec"]["source"]["path"], OPERATOR["spec"]["source"]["helm"]["valuesObject"], id="Argo CD"
        ),
        pytest.param(OPERATOR_RELEASE["spec"]["chart"]["spec"]["chart"], OPERATOR_RELEASE["spec"]["values"], id="Flux"),
    ],
)
def test_the_chart_takes_the_values_of_the_operator(path, values):
    assert ROOT / Path(path) == CHART
    assert only(Helm().objects(values), "Deployment")


def test_workloads_are_accepted(control_plane: ControlPlane, namespace):
    for item in ARGO["RunaiWorkload"]:
        placed = {**item, "metadata": {**item["metadata"], "namespace": namespace}}
        assert control_plane.client.create(placed, dry_run=True)["kind"] == "RunaiWorkload"


def kustomization(name: str) -> dict[str, Any]:
    (found,) = [item["spec"] for item in FLUX["Kustomization"] if item["metadata"]["name"] == name]
    return dict(found)


def test_flux_applies_the_namespace_then_the_operator_then_workloads_and_waits_for_each():
    """docs/flux.md says so; the Secret is encrypted beside the namespace."""
    namespace, operator, workloads = map(
        kustomization, ("runai-operator-namespace", "runai-operator", "team-a-workloads")
    )

    assert [item["wait"] for item in (namespace, operator, workloads)] == [True] * 3
    assert operator["dependsOn"] == [{"name": "runai-operator-namespace"}]
    assert workloads["dependsOn"] == [{"name": "runai-operator"}]
    assert "decryption" in namespace
    assert "createNamespace" not in OPERATOR_RELEASE["spec"]["install"]


@each_release
def test_a_release_that_fails_is_tried_again_and_helm_finds_it_where_its_objects_are(release):
    spec = release["spec"]

    assert spec["install"]["strategy"] == spec["upgrade"]["strategy"] == {"name": "RetryOnFailure"}
    assert spec["storageNamespace"] == spec["targetNamespace"]


@each_release
def test_a_release_from_a_branch_follows_its_commits(release):
    chart = release["spec"]["chart"]["spec"]
    (source,) = [item for item in FLUX["GitRepository"] if item["metadata"]["name"] == chart["sourceRef"]["name"]]

    assert "tag" in source["spec"]["ref"] or chart["reconcileStrategy"] == "Revision"


def test_a_release_of_workloads_comes_after_that_of_the_operator():
    (release,) = [item["spec"] for item in FLUX["HelmRelease"] if item is not OPERATOR_RELEASE]

    assert release["waitStrategy"] == {"name": "poller"}
    assert release["dependsOn"] == [{"name": OPERATOR_RELEASE["metadata"]["name"]}]


def test_flux_finds_every_source():
    """The one that Flux itself was installed from is there."""
    sources = {item["metadata"]["name"] for item in FLUX["GitRepository"]}
    named = {item["spec"]["sourceRef"]["name"] for item in FLUX["Kustomization"]}
    named |= {item["spec"]["chart"]["spec"]["sourceRef"]["name"] for item in FLUX["HelmRelease"]}

    assert named == sources | {"flux-system"}
