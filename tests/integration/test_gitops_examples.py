"""The examples for Argo CD and Flux: they belong together, and what they say of the chart and of workloads is accepted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from controlplane import ControlPlane
from installation import CHART, Helm, only

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
OPERATOR_RELEASE = next(item for item in FLUX["HelmRelease"] if "values" in item["spec"])
each_of_workloads = pytest.mark.parametrize(
    "application", [WORKLOADS, OF_MANY_TEAMS["spec"]["template"]], ids=["Application", "ApplicationSet"]
)


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


def test_the_project_of_the_team_lets_its_application_pass():
    (project,) = ARGO["AppProject"]
    allowed = [(entry["group"], entry["kind"]) for entry in project["spec"]["namespaceResourceWhitelist"]]

    assert WORKLOADS["spec"]["project"] == project["metadata"]["name"]
    assert WORKLOADS["spec"]["source"]["repoURL"] in project["spec"]["sourceRepos"]
    assert WORKLOADS["spec"]["destination"] in project["spec"]["destinations"]
    assert ("bridge.run.ai", "RunaiWorkload") in allowed


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


def test_flux_waits_for_workloads_and_applies_the_operator_first():
    """docs/flux.md names the Kustomization of the operator."""
    (kustomization,) = FLUX["Kustomization"]
    (release,) = [item for item in FLUX["HelmRelease"] if item is not OPERATOR_RELEASE]

    assert kustomization["spec"]["wait"] is True
    assert kustomization["spec"]["dependsOn"] == [{"name": OPERATOR_RELEASE["metadata"]["name"]}]
    assert release["spec"]["waitStrategy"] == {"name": "poller"}


def test_flux_finds_every_source():
    sources = {item["metadata"]["name"] for item in FLUX["GitRepository"]}
    named = {item["spec"]["sourceRef"]["name"] for item in FLUX["Kustomization"]}
    named |= {item["spec"]["chart"]["spec"]["sourceRef"]["name"] for item in FLUX["HelmRelease"]}

    assert named == sources
