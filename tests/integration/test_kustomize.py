"""What kustomize has to be told about RunaiWorkloads, by the real kustomize."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from installation import KUSTOMIZE, build

COMPONENT = KUSTOMIZE / "components" / "name-reference"
KINDS = {"ConfigMap": ("configMapGenerator", "configMapKeyRef"), "Secret": ("secretGenerator", "secretKeyRef")}


def kustomization(folder: Path, kind: str, **more: Any) -> Path:
    """A RunaiWorkload whose manifest is in a generated ConfigMap or Secret."""
    generator, reference = KINDS[kind]
    workload = {
        "apiVersion": "bridge.run.ai/v1alpha1",
        "kind": "RunaiWorkload",
        "metadata": {"name": "train"},
        "spec": {"projectName": "team-a", "manifestFrom": {reference: {"name": "train", "key": "job.yaml"}}},
    }
    (folder / "workload.yaml").write_text(yaml.safe_dump(workload))
    (folder / "job.yaml").write_text("apiVersion: batch/v1\nkind: Job\n")
    shutil.copytree(COMPONENT, folder / "name-reference", dirs_exist_ok=True)
    made = {"resources": ["workload.yaml"], generator: [{"name": "train", "files": ["job.yaml"]}]}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(made | more))
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_the_component_lets_a_reference_follow_a_generated_name(tmp_path: Path, kind: str):
    more = {"components": ["name-reference"], "namePrefix": "blue-", "namespace": "team"}
    objects = {item["kind"]: item for item in build(kustomization(tmp_path, kind, **more))}
    name = objects[kind]["metadata"]["name"]

    assert name.startswith("blue-train-"), "prefix and hash"
    assert objects["RunaiWorkload"]["spec"]["manifestFrom"][KINDS[kind][1]]["name"] == name


@pytest.mark.parametrize("kind", KINDS)
def test_without_it_the_reference_leads_nowhere(tmp_path: Path, kind: str):
    objects = {item["kind"]: item for item in build(kustomization(tmp_path, kind))}

    assert objects["RunaiWorkload"]["spec"]["manifestFrom"][KINDS[kind][1]]["name"] == "train"
    assert objects[kind]["metadata"]["name"] != "train"


@pytest.mark.parametrize("place", ["base", "overlays/namespaced", "overlays/monitoring"])
def test_another_namespace_and_prefix_keep_the_rights_with_the_operator(tmp_path: Path, place: str):
    made = {
        "resources": [os.path.relpath((KUSTOMIZE / place).resolve(), tmp_path.resolve())],
        "namespace": "bridge",
        "namePrefix": "prod-",
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(made))
    objects = build(tmp_path)
    [account] = [item["metadata"] for item in objects if item["kind"] == "ServiceAccount"]
    [pod] = [item["spec"]["template"]["spec"] for item in objects if item["kind"] == "Deployment"]
    subjects = [subject for item in objects for subject in item.get("subjects", [])]

    assert (account["namespace"], account["name"]) == ("bridge", pod["serviceAccountName"])
    assert subjects
    assert {(subject["namespace"], subject["name"]) for subject in subjects} == {("bridge", account["name"])}
