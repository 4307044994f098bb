"""Public manifests on their way: wrapped, validated, taken by a real API server, and submitted to the simulator."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from controlplane import ApiError
from runai_operator.codecs.documents import documents_of
from runai_operator.commands import crd
from runai_operator.commands.validate import check
from stack import Installed, Workloads, workload
from typed import rwl

FOLDER = Path(__file__).parents[1] / "manifests"
FILES = sorted(FOLDER.iterdir())


def wrapped(*files, **options):
    typed = [word for option, value in options.items() for word in (f"--{option}", value)]
    done = rwl("wrap", *files, "--project", "team-a", "--others", "drop", *typed)
    assert (done.code, done.err) == (0, "")
    return [document.read() for document in documents_of(done.out)], done.out


def test_the_api_server_takes_whatever_wrap_writes_and_validate_agrees(control_plane, namespace, tmp_path):
    values, text = wrapped(FOLDER, namespace=namespace)
    (tmp_path / "wrapped.yaml").write_text(text)
    applied = control_plane.kubectl("apply", "--server-side", "--filename", str(tmp_path / "wrapped.yaml"))

    assert applied.stdout.count("serverside-applied") == len(values) >= len(FILES)
    names = [value["metadata"]["name"] for value in values]
    by_name = rwl("validate", *(f"rwl/{name}" for name in names), "-n", namespace, kubeconfig=control_plane.kubeconfig)
    assert (by_name.code, by_name.out) == (0, "")


def test_a_manifest_in_a_configmap_of_the_cluster_is_read_and_checked(control_plane, namespace):
    source = {"configMapKeyRef": {"name": "jobs", "key": "job.yaml"}}
    item = {
        "apiVersion": "bridge.run.ai/v1alpha1", "kind": "RunaiWorkload", "metadata": {"name": "train", "namespace": namespace},
        "spec": {"projectName": "team-a", "manifestFrom": source},
    }  # fmt: skip
    control_plane.client.apply(item)
    typed = ("validate", "train", "-n", namespace)
    missing = rwl(*typed, kubeconfig=control_plane.kubeconfig)
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "jobs", "namespace": namespace}}
    control_plane.client.apply(config | {"data": {"job.yaml": "kind: Job"}})
    wrong = rwl(*typed, kubeconfig=control_plane.kubeconfig)

    assert missing.out == (
        f"runaiworkload/{namespace}/train: spec.manifestFrom: there is no ConfigMap jobs in namespace {namespace}\n"
    )
    assert wrong.code == 1
    assert "apiVersion of the manifest in the text of ConfigMap jobs, key job.yaml must be given as text" in wrong.out


def test_run_ai_is_asked_with_the_access_of_the_operator(control_plane, namespace, runai):
    Installed(control_plane.client, namespace, runai.url)
    _, text = wrapped(FOLDER / "job.json", namespace=namespace)
    typed = ["validate", "--dry-run", "--as-operator", "--operator-namespace", namespace, "-"]
    valid = rwl(*typed, stdin=text, kubeconfig=control_plane.kubeconfig)
    unknown = rwl(*typed, stdin=text.replace("team-a", "team-z"), kubeconfig=control_plane.kubeconfig)

    assert (valid.code, valid.out) == (0, ""), valid.err
    assert (unknown.code, "Project team-z is not in Run:ai" in unknown.out) == (1, True)
    assert runai.all() == []


def test_a_name_that_is_not_there_is_named(control_plane, namespace):
    done = rwl("validate", "train", "-n", namespace, kubeconfig=control_plane.kubeconfig)

    assert (done.code, done.sentence) == (1, f"There is no runaiworkloads train in namespace {namespace}.")


BAD = [
    {"projectId": "17"},
    {"projectName": "Team A"},
    {"deletionPolicy": "Never"},
    {"name": "a", "namePrefix": "b"},
    {"clusterId": "x"},
    {"manifestYaml": "a"},
    {"managementPolicy": "Observe"},
    {"unheardOf": 1},
    {"manifest": {"apiVersion": "v1", "kind": ""}},
    {"manifest": {"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"a": 1}}}},
]


@pytest.mark.parametrize("change", BAD, ids=json.dumps)
def test_what_the_packaged_crd_refuses_the_api_server_refuses_at_the_same_field(control_plane, namespace, change):
    manifest = {"apiVersion": "batch/v1", "kind": "Job"}
    item = {
        "apiVersion": "bridge.run.ai/v1alpha1", "kind": "RunaiWorkload", "metadata": {"name": "train", "namespace": namespace},
        "spec": {"projectName": "team-a", "manifest": manifest} | change,
    }  # fmt: skip
    refused = list(crd.refusals(item, name="train"))

    assert refused
    with pytest.raises(ApiError) as caught:
        control_plane.client.apply(item)
    (field,) = change if len(change) == 1 else ("namePrefix",)
    assert any(
        re.search(rf"\b{part}\b", str(caught.value)) for refusal in refused for part in map(str, refusal.path)
    ), field


KEYS = ["a", "A.b-c_d", "-a", "a-", "a b", "ä", "", "a" * 63, "a" * 64, "a.b/c", "A.b/c", "a..b/c", "a.b./c", "a/", "/b", "a/b/c", "x" * 254 + "/a"]  # fmt: skip
VALUES = ["", "a", "A_1.x", "-a", ".", "a b", "a/b", "ä", "a" * 63, "a" * 64]
METADATA = [
    *({"labels": {key: "x"}} for key in KEYS),
    *({"annotations": {key: "x y"}} for key in KEYS),
    *({"labels": {"a": value}} for value in VALUES),
    *({"annotations": {"a": "ä" * 65_536, "b": "x" * (left - 2)}} for left in (131_072, 131_073)),
]


def test_of_labels_and_annotations_validate_refuses_what_the_api_server_refuses(control_plane, namespace):
    for metadata in METADATA:
        item = {
            "apiVersion": "bridge.run.ai/v1alpha1", "kind": "RunaiWorkload",
            "metadata": {"name": "train", "namespace": namespace} | metadata,
            "spec": {"projectName": "team-a", "manifest": {"apiVersion": "batch/v1", "kind": "Job"}},
        }  # fmt: skip
        try:
            control_plane.client.apply(item)
        except ApiError:
            is_refused = True
        else:
            is_refused = False
        assert bool(list(check(item))) is is_refused, metadata


@pytest.mark.parametrize(
    ("char", "stored"),
    [("x", 1), ("<", 6), ("&", 6), ('"', 2), ("\n", 2), ("\x01", 6), ("\u2028", 6)],
    ids=ascii,
)
def test_of_large_objects_validate_refuses_what_the_api_server_refuses_or_could_give_no_status(
    control_plane, namespace, char, stored
):
    def sized(size):
        manifest = {"apiVersion": "batch/v1", "kind": "Job", "data": char * ((size - 300) // stored)}
        return workload("train", namespace, manifest=manifest)

    refused = sized(1_580_000)
    with pytest.raises(ApiError):
        control_plane.client.apply(refused)
    assert [path for path, _ in check(refused)] == [("spec", "manifest")]

    taken = sized(1_499_900)
    assert list(check(taken)) == []
    control_plane.client.apply(taken)
    message = {"syncMessage": "x" * 1024, "phaseMessage": "x" * 1024, "workloadName": "x" * 253}
    Workloads(control_plane.client, namespace).patch("train", {"metadata": {"finalizers": ["a.b/c"]}})
    control_plane.client.request(
        "PATCH",
        f"{control_plane.client.path_of(taken)}/status",
        body={"status": message},
        content_type="application/merge-patch+json",
    )
    Workloads(control_plane.client, namespace).patch("train", {"metadata": {"finalizers": None}})
