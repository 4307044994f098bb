"""What GitOps tools do to a RunaiWorkload on a real API server, beside an operator that writes finalizer and status."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import yaml

from controlplane import ApiError, Client, ControlPlane
from readers import Json
from readers.argo import FLAVOURS, Argo
from readers.live import LiveObject, act, life, one_of_each_reason, workload
from readers.write_testdata import FOLDER
from runai_operator.domain.model import FINALIZER, PAUSED_ANNOTATION, RECONCILE_ANNOTATION

pytestmark = pytest.mark.installation

REPOSITORY = Path(__file__).parents[2]
ARGO = REPOSITORY / "deploy" / "argocd"
TOOL = "argocd-controller"
VOLATILE = ("managedFields", "resourceVersion")


def in_git(namespace: str, **spec: object) -> Json:
    item = workload("train", namespace, **spec)
    item["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": "jobs:bridge.run.ai/RunaiWorkload:a/train"}
    return item


def sync(client: Client, item: Json, *, force: bool = False, dry_run: bool = False) -> Json:
    return client.apply(copy.deepcopy(item), field_manager=TOOL, force=force, dry_run=dry_run)


def comparable(item: Json) -> Json:
    return item | {"metadata": {key: value for key, value in item["metadata"].items() if key not in VOLATILE}}


@pytest.mark.parametrize("force", [False, True], ids=["politely", "with force, as Argo CD and Flux do"])
def test_applying_again_and_again_through_a_whole_life_changes_nothing(control_plane: ControlPlane, namespace, force):
    """No conflict, no difference, no write, no new generation: nothing that would wake the operator."""
    client, item = control_plane.client, in_git(namespace)
    sync(client, item, force=force)
    live = LiveObject(client, item)
    written = live.add_finalizer()
    for status in life():
        previewed = sync(client, item, force=force, dry_run=True)
        assert comparable(previewed) == comparable(written)
        assert sync(client, item, force=force)["metadata"]["resourceVersion"] == written["metadata"]["resourceVersion"]
        written = live.write_status(status)
    final = sync(client, item, force=force)

    assert final["metadata"]["generation"] == 1
    assert final["metadata"]["finalizers"] == [FINALIZER]
    assert final["status"] == written["status"]


def test_the_operators_writes_never_take_a_field_from_the_tool(control_plane: ControlPlane, namespace):
    client, item = control_plane.client, in_git(namespace)
    sync(client, item)
    live = LiveObject(client, item)
    live.add_finalizer()
    fields = {
        (entry["manager"], entry.get("subresource", "")): set(entry["fieldsV1"])
        for entry in live.write_status(life()[-1])["metadata"]["managedFields"]
    }

    assert fields == {
        (TOOL, ""): {"f:metadata", "f:spec"},
        ("runai-operator", ""): {"f:metadata"},
        ("runai-operator", "status"): {"f:status"},
    }


def test_an_edit_in_git_is_one_new_generation(control_plane: ControlPlane, namespace):
    client = control_plane.client
    sync(client, in_git(namespace))
    live = LiveObject(client, in_git(namespace))
    live.add_finalizer()
    live.write_status(life()[-2])
    edited = sync(client, in_git(namespace, priority="high"))
    again = sync(client, in_git(namespace, priority="high"))

    assert edited["metadata"]["generation"] == again["metadata"]["generation"] == 2
    assert edited["status"]["observedGeneration"] == 1


def test_an_edit_in_git_of_what_cannot_change_is_refused_and_leaves_the_rest(control_plane: ControlPlane, namespace):
    client, item = control_plane.client, in_git(namespace)
    sync(client, item)
    live = LiveObject(client, item)
    live.add_finalizer()
    before = live.write_status(life()[-2])
    with pytest.raises(ApiError, match="projectName") as refused:
        sync(client, in_git(namespace, projectName="team-b"))

    assert refused.value.status == 422
    assert live.read() == before


def test_client_side_apply_and_diff_find_nothing_either(control_plane: ControlPlane, namespace, tmp_path):
    item, file = in_git(namespace), tmp_path / "train.yaml"
    file.write_text(yaml.safe_dump(item))
    control_plane.kubectl("apply", "-f", str(file))
    live = LiveObject(control_plane.client, item)
    live.add_finalizer()
    written = live.write_status(life()[-2])

    assert "unchanged" in control_plane.kubectl("apply", "-f", str(file)).stdout
    assert control_plane.kubectl("diff", "-f", str(file)).stdout == ""
    assert live.read() == written


def test_every_kind_of_status_is_stored_as_it_is_written(control_plane: ControlPlane, namespace):
    """For each reason: nothing is refused, nothing pruned, nothing defaulted."""
    client, item = control_plane.client, in_git(namespace)
    sync(client, item)
    live = LiveObject(client, item)
    statuses = one_of_each_reason()
    assert len(statuses) > 40
    for told, status in statuses.items():
        stored = live.write_status(status)["status"]
        stored = json.loads(json.dumps(stored).replace('"observedGeneration": 1', '"observedGeneration": 3'))
        assert stored == status, told


# --- Argo CD's actions


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_actions_write_annotations_that_self_heal_leaves_alone(control_plane: ControlPlane, namespace, flavour):
    client, item, argo = control_plane.client, in_git(namespace), Argo(FOLDER, flavour)
    sync(client, item)
    live = LiveObject(client, item)
    live.add_finalizer()
    live.write_status(life()[-2])
    act(client, argo, "refresh", item)
    paused = act(client, argo, "pause", item)
    healed = sync(client, item, force=True)

    assert healed == paused
    assert healed["metadata"]["generation"] == 1
    assert healed["metadata"]["annotations"][PAUSED_ANNOTATION] == "true"
    assert healed["metadata"]["annotations"][RECONCILE_ANNOTATION] == "2026-06-01T12:00:00Z"

    resumed = act(client, argo, "resume", item)

    assert PAUSED_ANNOTATION not in resumed["metadata"]["annotations"]
    assert resumed["metadata"]["generation"] == 1


def test_an_action_drops_explicit_nulls_as_docs_argocd_warns(control_plane: ControlPlane, namespace):
    client, argo = control_plane.client, Argo(FOLDER, "Lua 5.1")
    item = in_git(namespace)
    metadata = {"creationTimestamp": None, "labels": {"app": "train"}}
    item["spec"]["manifest"]["spec"]["template"]["metadata"] = metadata
    sync(client, item)

    assert act(client, argo, "pause", item)["metadata"]["generation"] == 2


# --- Flux takes over what field managers wrote whose names begin with "kubectl", and drops it


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        pytest.param([], False, id="a plain kubectl annotate is undone"),
        pytest.param(["--field-manager=by-hand"], True, id="one with the name that docs/flux.md gives is kept"),
    ],
)
def test_flux_and_annotations_by_hand(control_plane: ControlPlane, namespace, arguments, kept):
    client, item = control_plane.client, in_git(namespace)
    sync(client, item)
    annotation = f"{PAUSED_ANNOTATION}=true"
    control_plane.kubectl("annotate", "rwl/train", "--namespace", namespace, annotation, *arguments)
    as_flux_does(client, item)

    assert (PAUSED_ANNOTATION in sync(client, item)["metadata"]["annotations"]) is kept


def as_flux_does(client: Client, item: Json) -> None:
    """Hand the fields of kubectl's managers to the tool's own (fluxcd/pkg, ssa/patch.go)."""
    entries = client.get(client.path_of(item))["metadata"]["managedFields"]
    own = next(entry for entry in entries if entry["manager"] == TOOL)
    for entry in entries:
        if entry["manager"].startswith("kubectl"):
            annotations = entry["fieldsV1"]["f:metadata"]["f:annotations"]
            own["fieldsV1"]["f:metadata"]["f:annotations"] |= annotations
    kept = [entry for entry in entries if not entry["manager"].startswith("kubectl")]
    replaced = [{"op": "replace", "path": "/metadata/managedFields", "value": kept}]
    client.json_patch(client.path_of(item), replaced)


# --- the settings for Argo CD


@pytest.mark.parametrize("place", [{}, {"namespace": "argocd"}], ids=["as Argo CD ships it", "with a namespace"])
def test_the_component_puts_the_settings_into_argocd_cm(control_plane: ControlPlane, tmp_path, place):
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "argocd-cm"} | place,
        "data": {"url": "https://argocd.example.com"},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "argocd").symlink_to(ARGO)
    (tmp_path / "kustomization.yaml").write_text("resources: [config.yaml]\ncomponents: [argocd]\n")
    built = yaml.safe_load(control_plane.kubectl("kustomize", str(tmp_path)).stdout)
    settings = yaml.safe_load((ARGO / "argocd-cm.yaml").read_text())["data"]

    assert built["data"] == config["data"] | settings


def test_the_patch_file_does_the_same_by_kubectl(control_plane: ControlPlane, namespace):
    control_plane.kubectl("create", "configmap", "argocd-cm", "-n", namespace, "--from-literal=url=https://example.com")
    patch = str(ARGO / "argocd-cm.yaml")
    control_plane.kubectl("patch", "configmap", "argocd-cm", "--namespace", namespace, "--patch-file", patch)
    stored = control_plane.client.get(f"/api/v1/namespaces/{namespace}/configmaps/argocd-cm")

    assert stored["data"] == {"url": "https://example.com"} | yaml.safe_load(Path(patch).read_text())["data"]
