"""The examples are what a user starts from: each must be accepted as it is, and say what it means to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from controlplane import ControlPlane
from runai_operator.domain import model

Json = dict[str, Any]

FOLDER = Path(__file__).parents[2] / "deploy" / "examples"
FILES = sorted(path for path in FOLDER.glob("*.yaml") if path.name != "kustomization.yaml")
NEED_AN_EXISTING_WORKLOAD = {"observe.yaml", "adopt.yaml"}
SUBMIT_NOTHING = {"dry-run.yaml"}
KIBI = 1024

REGISTERED = {
    "Job", "JobSet", "PyTorchJob", "RayCluster", "RayJob",
    "Deployment", "InferenceService", "LeaderWorkerSet", "NIMService",
}  # fmt: skip
"""Kinds that Run:ai ships as workload types and that the examples show."""

each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)


def documents(path: Path) -> list[Json]:
    return list(yaml.safe_load_all(path.read_text()))


def workload(path: Path) -> Json:
    (found,) = [document for document in documents(path) if document["kind"] == model.KIND]
    return found


def manifest(path: Path) -> Json | None:
    """What Run:ai gets, wherever it comes from; None where nothing is sent."""
    match workload(path)["spec"]:
        case {"manifest": content}:
            return content
        case {"manifestYaml": text}:
            return yaml.safe_load(text)
        case {"manifestFrom": {"configMapKeyRef": source}}:
            (config,) = [document for document in documents(path) if document["kind"] == "ConfigMap"]
            assert config["metadata"]["name"] == source["name"]
            return yaml.safe_load(config["data"][source["key"]])
    return None


def pod_specs(value: object) -> Iterator[Json]:
    """Everything that looks like a pod's spec, at any depth."""
    if isinstance(value, dict):
        if isinstance(value.get("containers"), list):
            yield value
        for inner in value.values():
            yield from pod_specs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from pod_specs(inner)


@each_file
def test_the_api_server_takes_it_whole(control_plane: ControlPlane, namespace: str, path: Path):
    """Server-side apply refuses unknown fields, and what is stored is what was written."""
    for document in documents(path):
        document["metadata"]["namespace"] = namespace
        stored = control_plane.client.apply(document)
        for part in {"spec", "data"} & document.keys():
            assert {key: stored[part][key] for key in document[part]} == document[part]


@pytest.mark.parametrize("path", [path for path in FILES if manifest(path)], ids=lambda path: path.name)
def test_its_manifest_is_one_that_kubernetes_takes(control_plane: ControlPlane, namespace: str, path: Path):
    """Whole where the API server knows the kind; of other kinds, the pods in it."""
    client, content = control_plane.client, manifest(path)
    assert content is not None
    name = {"name": "example", "namespace": namespace}
    if content["apiVersion"] in {"batch/v1", "apps/v1"}:
        client.apply(content | {"metadata": content.get("metadata", {}) | name}, dry_run=True)
    for spec in pod_specs(content):
        template = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": name, "template": {"spec": spec}}
        client.apply(template, dry_run=True)


@each_file
def test_it_says_what_it_shows_and_runs_in_team_a(path: Path):
    assert path.read_text().startswith("# ")
    spec = workload(path)["spec"]
    assert spec.get("projectName") == (None if spec.get("managementPolicy") == "Observe" else "team-a")


def test_the_examples_show_the_kinds_that_run_ai_ships():
    assert {content["kind"] for content in map(manifest, FILES) if content} == REGISTERED


def test_the_examples_show_every_policy_and_every_way_to_give_a_manifest():
    shown = {key for path in FILES for key in workload(path)["spec"]}
    assert shown >= {"manifest", "manifestYaml", "manifestFrom", "deletionPolicy", "managementPolicy", "recreatePolicy"}
    assert shown >= {"rerunPolicy", "workloadId", "namePrefix", "priority", "category", "preemptibility"}


def test_no_two_examples_share_a_name():
    names = [workload(path)["metadata"]["name"] for path in FILES]
    assert len(set(names)) == len(names)


def test_the_large_one_is_large():
    assert len(workload(FOLDER / "large-job.yaml")["spec"]["manifestYaml"]) > 300 * KIBI


def test_all_that_need_nothing_else_are_applied_by_kustomize(control_plane: ControlPlane, namespace: str):
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
    assert {*listed} == {path.name for path in FILES} - NEED_AN_EXISTING_WORKLOAD - SUBMIT_NOTHING
    for _again in range(2):
        control_plane.kubectl("apply", "--server-side", "--namespace", namespace, "-k", str(FOLDER))
    applied = control_plane.client.list_all(
        f"/apis/{model.GROUP}/{model.VERSION}/namespaces/{namespace}/{model.PLURAL}"
    )
    assert {item["metadata"]["name"]: item["metadata"]["generation"] for item in applied} == {
        workload(FOLDER / file)["metadata"]["name"]: 1 for file in listed
    }
