"""The CRD on a real API server: what it refuses and in which words, what it lets change, and what it shows."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from controlplane import ApiError, Client, ControlPlane
from runai_operator.domain import model
from runai_operator.domain.status import FIELDS, MESSAGE_LIMIT

Json = dict[str, Any]
Edit = Callable[[Json, Json, Json], None]

REPOSITORY = Path(__file__).parents[2]
CRD_FILE = REPOSITORY / "crds" / "runaiworkloads.yaml"
CRD = yaml.safe_load(CRD_FILE.read_text())
VERSION = CRD["spec"]["versions"][0]
ROOT = VERSION["schema"]["openAPIV3Schema"]

API_VERSION = f"{model.GROUP}/{model.VERSION}"
API = f"/apis/{API_VERSION}"
CRD_PATH = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{CRD['metadata']['name']}"
OPEN_API_PATH = f"/openapi/v3{API}"
KIBI = 1024

JOB: Json = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}]}}},
}
ID = "9f55253e-11ed-47c7-acef-fc4054768dbc"
OTHER_ID = "3f6b1c9a-52d4-4f0e-8a39-6a1f0f2f7d11"
CLUSTER = "71f69d83-ba66-4822-adf5-55ce55efd210"
OTHER_CLUSTER = "0c1d2e3f-1111-4222-8333-55ce55efd210"
KEY = {"name": "jobs", "key": "job.yaml"}


def workload(called: str = "train-a", /, **spec: object) -> Json:
    """A valid RunaiWorkload with `spec` laid over its own; None removes a field."""
    merged = {"projectName": "team-a", "manifest": JOB} | spec
    return {
        "apiVersion": API_VERSION,
        "kind": model.KIND,
        "metadata": {"name": called, "namespace": "default"},
        "spec": copy.deepcopy({key: value for key, value in merged.items() if value is not None}),
    }


def job(**changes: object) -> Json:
    return JOB | changes


def observed(**spec: object) -> Json:
    return workload(**{"managementPolicy": "Observe", "workloadId": ID, "manifest": None, "projectName": None} | spec)


def rules(schema: Json) -> Iterator[Json]:
    """Every CEL rule at or below this schema."""
    yield from schema.get("x-kubernetes-validations", ())
    for field in schema.get("properties", {}).values():
        yield from rules(field)


def fields(schema: Json, path: str) -> Iterator[tuple[str, Json]]:
    """Every field below this schema, entries of lists and maps included, with its path."""
    below = dict(schema.get("properties", {}))
    below |= {name: schema[key] for key, name in (("items", "[]"), ("additionalProperties", "{}")) if key in schema}
    for name, field in below.items():
        yield f"{path}.{name}", field
        yield from fields(field, f"{path}.{name}")


OWN_FIELDS = {path: field for part in ("spec", "status") for path, field in fields(ROOT["properties"][part], part)}
LEAVES = {path: field for path, field in OWN_FIELDS.items() if field["type"] not in {"object", "array"}}


# --- what is refused, and in which words

ONE_MANIFEST = "set exactly one of manifest, manifestYaml and manifestFrom"
ONE_PROJECT = "set exactly one of projectName and projectId"
ONE_SOURCE = "set exactly one of configMapKeyRef and secretKeyRef"
WORKLOAD_NAME = "a workload name has lower case letters, digits and '-'"
FROM_METADATA = "metadata.name cannot be the name in Run:ai"

REFUSED: dict[str, tuple[Json, str, str]] = {
    "no manifest": (workload(manifest=None), "spec: Invalid", ONE_MANIFEST),
    "two manifests": (workload(manifestYaml="kind: Job"), "spec: Invalid", ONE_MANIFEST),
    "three manifests": (
        workload(manifestYaml="kind: Job", manifestFrom={"configMapKeyRef": KEY}),
        "spec: Invalid",
        ONE_MANIFEST,
    ),
    "two manifests under Observe": (observed(manifest=JOB, manifestYaml="kind: Job"), "spec: Invalid", ONE_MANIFEST),
    "a manifest without apiVersion": (workload(manifest={"kind": "Job"}), "spec.manifest.apiVersion: Required", ""),
    "a manifest without kind": (workload(manifest={"apiVersion": "v1"}), "spec.manifest.kind: Required", ""),
    "a manifest of an empty kind": (workload(manifest=job(kind="")), "spec.manifest.kind: Invalid", "at least 1 char"),
    "a manifest that is text": (workload(manifest="kind: Job"), "spec.manifest: Invalid", "must be of type object"),
    "a number as a label in the manifest": (
        workload(manifest=job(metadata={"labels": {"size": 3}})),
        "spec.manifest.metadata.labels.size: Invalid",
        "must be of type string",
    ),
    "an empty manifestYaml": (
        workload(manifest=None, manifestYaml=""),
        "spec.manifestYaml: Invalid",
        "at least 1 char",
    ),
    "a manifestYaml of too many bytes in fewer characters": (
        workload(manifest=None, manifestYaml="\u00e9" * 500_001),
        "spec.manifestYaml: Forbidden",
        "at most 1,000,000 bytes of UTF-8",
    ),
    "a manifestYaml of too many characters": (
        workload(manifest=None, manifestYaml="x" * 1_000_001),
        "spec.manifestYaml: Too long",
        "1000000",
    ),
    "a manifestFrom without a source": (workload(manifest=None, manifestFrom={}), "spec.manifestFrom: Inv", ONE_SOURCE),
    "a manifestFrom with two sources": (
        workload(manifest=None, manifestFrom={"configMapKeyRef": KEY, "secretKeyRef": KEY}),
        "spec.manifestFrom: Invalid",
        ONE_SOURCE,
    ),
    "a source without a key": (
        workload(manifest=None, manifestFrom={"configMapKeyRef": {"name": "jobs"}}),
        "spec.manifestFrom.configMapKeyRef.key: Required",
        "",
    ),
    "a ConfigMap whose name is a path": (
        workload(manifest=None, manifestFrom={"configMapKeyRef": KEY | {"name": "../secrets/jobs"}}),
        "spec.manifestFrom.configMapKeyRef.name: Invalid",
        "the name of a ConfigMap has lower case letters",
    ),
    "a Secret whose name is a path": (
        workload(manifest=None, manifestFrom={"secretKeyRef": KEY | {"name": "../configmaps/jobs"}}),
        "spec.manifestFrom.secretKeyRef.name: Invalid",
        "the name of a Secret has lower case letters",
    ),
    "a key that no ConfigMap can have": (
        workload(manifest=None, manifestFrom={"configMapKeyRef": KEY | {"key": "jobs/job.yaml"}}),
        "spec.manifestFrom.configMapKeyRef.key: Invalid",
        "a key has letters, digits, '-', '_' and '.'",
    ),
    "no project": (workload(projectName=None), "spec: Invalid", ONE_PROJECT),
    "two projects": (workload(projectId="17"), "spec: Invalid", ONE_PROJECT),
    "two projects under Observe": (observed(projectName="team-a", projectId="17"), "spec: Invalid", ONE_PROJECT),
    "a project name that Run:ai cannot have": (
        workload(projectName="Team A"),
        "spec.projectName: Invalid",
        "copy it from the Projects page of Run:ai",
    ),
    "a project name that would change the filter it travels in": (
        workload(projectName="a,clusterId==b"),
        "spec.projectName: Invalid",
        "copy it from the Projects page of Run:ai",
    ),
    "a project id that would change the filter it travels in": (
        workload(projectName=None, projectId="17,name==b"),
        "spec.projectId: Invalid",
        "a project id has letters, digits, '-', '_' and '.'",
    ),
    "a project id that is a number": (
        workload(projectName=None, projectId=17),
        "spec.projectId: Invalid",
        "must be of type string",
    ),
    "a cluster beside a project id": (
        workload(projectName=None, projectId="17", clusterId=CLUSTER),
        "spec.clusterId: Forbidden",
        "set projectName, or remove clusterId",
    ),
    "a cluster by its name": (
        workload(clusterId="prod"),
        "spec.clusterId: Invalid",
        "copy it from the Clusters page of Run:ai",
    ),
    "a cluster id in upper case": (
        workload(clusterId=CLUSTER.upper()),
        "spec.clusterId: Invalid",
        "a UUID in lower case",
    ),
    "a name and a prefix": (
        workload(name="a", namePrefix="b"),
        "spec.namePrefix: Forbidden",
        "set only one of name and namePrefix",
    ),
    "a name with an upper case letter": (workload(name="Train"), "spec.name: Invalid", WORKLOAD_NAME),
    "a name that starts with a digit": (workload(name="1train"), "spec.name: Invalid", WORKLOAD_NAME),
    "a name that ends with a hyphen": (workload(name="train-"), "spec.name: Invalid", WORKLOAD_NAME),
    "a name with a dot": (workload(name="train.a"), "spec.name: Invalid", WORKLOAD_NAME),
    "a name with a line break": (workload(name="train\n"), "spec.name: Invalid", WORKLOAD_NAME),
    "a name of 64 characters": (workload(name="a" * 64), "spec.name: Too long", "63"),
    "a prefix with an upper case letter": (
        workload(namePrefix="Train"),
        "spec.namePrefix: Invalid",
        "a name prefix has lower case letters, digits and '-'",
    ),
    "a prefix that leaves no room for the rest": (workload(namePrefix="a" * 55), "spec.namePrefix: Too long", "54"),
    "a metadata.name that starts with a digit": (workload("1train"), "spec.name: Invalid", FROM_METADATA),
    "a metadata.name with a dot": (workload("train.a"), "spec.name: Invalid", FROM_METADATA),
    "a metadata.name of 64 characters": (workload("a" * 64), "spec.name: Invalid", FROM_METADATA),
    "Observe without an id": (
        workload(managementPolicy="Observe"),
        "spec.workloadId: Required",
        "managementPolicy: Observe needs the id of the workload to observe",
    ),
    "a dry run of what is there": (
        workload(managementPolicy="DryRun", workloadId=ID),
        "spec.workloadId: Forbidden",
        "DryRun cannot check what is to be written over an existing workload",
    ),
    "a workload id that is a name": (
        workload(workloadId="train-a"),
        "spec.workloadId: Invalid",
        "a workload id is a UUID in lower case",
    ),
    **{
        f"an unknown {field}": (workload(**{field: "Perhaps"}), f"spec.{field}: Unsupported", schema["enum"][1])
        for field, schema in ROOT["properties"]["spec"]["properties"].items()
        if "enum" in schema
    },
    **{
        f"a {field} of 64 characters": (workload(**{field: "x" * 64}), f"spec.{field}: Too long", "63")
        for field in ("priority", "category", "preemptibility", "mnnvl")
    },
    **{
        f"an empty {field}": (workload(**{field: ""}), f"spec.{field}: Invalid", "at least 1 char")
        for field in ("name", "namePrefix", "projectName", "projectId", "clusterId", "workloadId", "priority", "mnnvl")
    },
    "no spec": ({key: part for key, part in workload().items() if key != "spec"}, "spec: Required", ""),
}


@pytest.mark.parametrize(("item", "field", "message"), REFUSED.values(), ids=REFUSED)
def test_refused_with_the_field_and_what_to_do(control_plane: ControlPlane, item: Json, field: str, message: str):
    with pytest.raises(ApiError) as refusal:
        control_plane.client.create(item, dry_run=True)
    assert refusal.value.status == 422
    assert field in refusal.value.message
    assert message in refusal.value.message


def test_a_refusal_never_repeats_the_manifest(control_plane: ControlPlane):
    """Manifests may hold what nobody should find in a log."""
    for text in ("hunter2", "hunter2" * 200_000, "hunter2\u00e9" * 140_000):
        with pytest.raises(ApiError) as refusal:
            control_plane.client.create(workload(manifest=job(password=text), manifestYaml=text), dry_run=True)
        assert "hunter2" not in json.dumps(refusal.value.body)


def test_kubectl_shows_a_refusal_as_field_and_sentence(control_plane: ControlPlane, namespace: str):
    given = json.dumps(workload(clusterId="prod") | {"metadata": {"name": "train-a", "namespace": namespace}})
    for dry_run in ("none", "server"):
        told = control_plane.kubectl("apply", f"--dry-run={dry_run}", "-f", "-", input=given, check=False)
        assert told.returncode == 1
        assert 'The RunaiWorkload "train-a" is invalid: spec.clusterId: Invalid value: ' in told.stderr
        assert told.stderr.strip().endswith(
            "a cluster id is a UUID in lower case: copy it from the Clusters page of Run:ai"
        )


# --- what is accepted

ACCEPTED: dict[str, Json] = {
    "a manifest": workload(),
    "a manifest of the core group": workload(manifest=job(apiVersion="v1", kind="Pod")),
    "a manifest with metadata that is null": workload(manifest=job(metadata=None)),
    "a manifest with unknown fields anywhere": workload(manifest=job(metadata={"x": {"y": 1}}, z=[1, "2", None])),
    "a manifestYaml": workload(manifest=None, manifestYaml="kind: Job"),
    "a manifestYaml of exactly 1,000,000 bytes": workload(manifest=None, manifestYaml="\u00e9" * 500_000),
    "a manifestFrom a ConfigMap": workload(manifest=None, manifestFrom={"configMapKeyRef": KEY}),
    "a manifestFrom a Secret": workload(manifest=None, manifestFrom={"secretKeyRef": KEY}),
    "a project by its id": workload(projectName=None, projectId="17"),
    "a project by an id that is a UUID": workload(projectName=None, projectId=ID),
    "a project in a given cluster": workload(clusterId=CLUSTER),
    "a name": workload(name="a"),
    "a name of 63 characters": workload(name="a" * 63),
    "a prefix of 54 characters": workload(namePrefix="a" * 54),
    "a metadata.name that Run:ai cannot have, beside a name": workload("1.train", name="train"),
    "a metadata.name that Run:ai cannot have, beside a prefix": workload("1.train", namePrefix="train"),
    "a metadata.name that Run:ai cannot have, beside an id": workload("1.train", workloadId=ID),
    "an adoption": workload(workloadId=ID),
    "an observer": observed(),
    "an observer that keeps manifest and project": observed(manifest=JOB, projectName="team-a"),
    "words that only Run:ai can judge": workload(
        priority="my-class", category="My category", preemptibility="semi-preemptible", mnnvl="Preferred"
    ),
    "every policy": workload(
        deletionPolicy="Orphan",
        managementPolicy="Manage",
        recreatePolicy="OnImmutableChange",
        rerunPolicy="OnSpecChange",
        externalDeletionPolicy="Recreate",
    ),
}


@pytest.mark.parametrize("item", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted_as_it_is(control_plane: ControlPlane, item: Json):
    """Also means: nothing of it is dropped."""
    stored = control_plane.client.create(item, dry_run=True)["spec"]
    assert {key: stored[key] for key in item["spec"]} == item["spec"]


def test_policies_have_defaults_and_nothing_else_is_added(control_plane: ControlPlane):
    given = workload()
    stored = control_plane.client.create(given, dry_run=True)["spec"]
    assert {key: value for key, value in stored.items() if key not in given["spec"]} == {
        "deletionPolicy": "Delete",
        "managementPolicy": "Manage",
        "recreatePolicy": "Never",
        "rerunPolicy": "Never",
        "externalDeletionPolicy": "Report",
    }


def test_a_generated_name_that_run_ai_takes_is_accepted(control_plane: ControlPlane):
    item = workload()
    item["metadata"] = {"generateName": "train-", "namespace": "default"}
    assert control_plane.client.create(item, dry_run=True)["metadata"]["name"].startswith("train-")


@pytest.mark.parametrize("text", ["x" * 1_000_000, "\u00e9" * 500_000], ids=["ASCII", "two-byte characters"])
def test_the_largest_manifest_yaml_still_takes_finalizer_and_status(
    control_plane: ControlPlane, namespace: str, text: str
):
    client = control_plane.client
    path = create(client, namespace, workload(manifest=None, manifestYaml=text))
    client.merge_patch(path, {"metadata": {"finalizers": [model.FINALIZER]}})
    client.patch_status(path, {"syncMessage": "x" * 2048, "phaseMessage": "y" * 2048})
    client.merge_patch(path, {"metadata": {"finalizers": None}})


# --- the identity

SUBMITTED: Json = {
    "observedGeneration": 1,
    "workloadId": ID,
    "workloadName": "in-runai",
    "projectName": "team-a",
    "projectId": "17",
    "clusterId": CLUSTER,
    "gvk": {"group": "batch", "version": "v1", "kind": "Job"},
    "preemptibility": "preemptible",
}
UNSEEN: Json = {}
REFUSED_BY_RUNAI: Json = {"observedGeneration": 1, "submission": model.NOT_SUBMITTED}
BY_ID = {"projectName": None, "projectId": "17"}

CHANGES: dict[str, tuple[Json, Json, str]] = {
    "name": ({"name": "a"}, {"name": "b"}, "name"),
    "name, added": ({}, {"name": "b"}, "name"),
    "name, removed": ({"name": "b"}, {"name": None}, "name"),
    "name to namePrefix": ({"name": "train-a"}, {"name": None, "namePrefix": "train"}, "name"),
    "namePrefix": ({"namePrefix": "a"}, {"namePrefix": "b"}, "name"),
    "namePrefix, removed": ({"namePrefix": "train"}, {"namePrefix": None}, "name"),
    "projectName": ({}, {"projectName": "team-b"}, "projectName"),
    "projectName to another's id": ({}, {"projectName": None, "projectId": "18"}, "projectId"),
    "projectId": (BY_ID, {"projectId": "18"}, "projectId"),
    "projectId to another's name": (BY_ID, {"projectId": None, "projectName": "team-b"}, "projectName"),
    "clusterId": ({"clusterId": CLUSTER}, {"clusterId": OTHER_CLUSTER}, "clusterId"),
    "clusterId, added": ({}, {"clusterId": OTHER_CLUSTER}, "clusterId"),
    "apiVersion": ({}, {"manifest": {"apiVersion": "batch/v2"}}, "manifest.apiVersion"),
    "kind": ({}, {"manifest": {"kind": "CronJob"}}, "manifest.kind"),
    "preemptibility": ({"preemptibility": "preemptible"}, {"preemptibility": "non-preemptible"}, "preemptibility"),
    "preemptibility, added": ({}, {"preemptibility": "non-preemptible"}, "preemptibility"),
    "preemptibility, removed": ({"preemptibility": "preemptible"}, {"preemptibility": None}, "preemptibility"),
    "mnnvl": ({"mnnvl": "Required"}, {"mnnvl": "Other"}, "mnnvl"),
    "mnnvl, added": ({}, {"mnnvl": "Required"}, "mnnvl"),
    "mnnvl, removed": ({"mnnvl": "Required"}, {"mnnvl": None}, "mnnvl"),
    "workloadId": ({"workloadId": ID}, {"workloadId": OTHER_ID}, "workloadId"),
    "workloadId, added": ({}, {"workloadId": OTHER_ID}, "workloadId"),
    "workloadId, removed": ({"workloadId": ID}, {"workloadId": None}, "workloadId"),
}
"""Changes of the identity: the spec before, the patch, and the field that a refusal names."""

CONFIRMATIONS: dict[str, tuple[Json, Json]] = {
    "name, undone": ({"name": "edited"}, {"name": "in-runai"}),
    "namePrefix, spelled out": ({"namePrefix": "train"}, {"namePrefix": None, "name": "in-runai"}),
    "projectName, undone": ({"projectName": "edited"}, {"projectName": "team-a"}),
    "projectId, undone": ({"projectName": None, "projectId": "99"}, {"projectId": "17"}),
    "projectName to its id": ({}, {"projectName": None, "projectId": "17"}),
    "projectName in its cluster to its id": (
        {"clusterId": CLUSTER},
        {"projectName": None, "clusterId": None, "projectId": "17"},
    ),
    "projectId to its name": (BY_ID, {"projectId": None, "projectName": "team-a"}),
    "clusterId, added": ({}, {"clusterId": CLUSTER}),
    "clusterId, undone": ({"clusterId": OTHER_CLUSTER}, {"clusterId": CLUSTER}),
    "clusterId, removed": ({"clusterId": CLUSTER}, {"clusterId": None}),
    "apiVersion, undone": ({"manifest": job(apiVersion="batch/v2")}, {"manifest": {"apiVersion": "batch/v1"}}),
    "kind, undone": ({"manifest": job(kind="CronJob")}, {"manifest": {"kind": "Job"}}),
    "preemptibility, added": ({}, {"preemptibility": "preemptible"}),
    "preemptibility, undone": ({"preemptibility": "non-preemptible"}, {"preemptibility": "preemptible"}),
    "workloadId, added": ({}, {"workloadId": ID}),
    "to Observe, leaving the rest behind": (
        {},
        {"managementPolicy": "Observe", "workloadId": ID, "manifest": None, "projectName": None},
    ),
    "from Observe, with what it is": (
        {"managementPolicy": "Observe", "workloadId": ID, "manifest": None, "projectName": None},
        {"managementPolicy": "Manage", "manifest": JOB, "projectName": "team-a"},
    ),
}
"""Changes after which the spec says what `SUBMITTED` has: allowed once that is known."""


@pytest.fixture(scope="module")
def client(control_plane: ControlPlane) -> Client:
    return control_plane.client


def create(client: Client, namespace: str, item: Json) -> str:
    """Create the object and return its path."""
    item["metadata"]["namespace"] = namespace
    created = client.create(item)
    return client.path_of(created)


@pytest.fixture
def edit(client: Client, namespace: str) -> Edit:
    """A function that creates an object, gives it a status as the operator would, and patches its spec."""

    def run(before: Json, status: Json, patch: Json) -> None:
        path = create(client, namespace, workload(**before))
        if status:
            client.patch_status(path, status)
        client.merge_patch(path, {"spec": patch})

    return run


@pytest.mark.parametrize("status", [UNSEEN, SUBMITTED], ids=["not yet seen", "submitted"])
@pytest.mark.parametrize(("before", "patch", "field"), CHANGES.values(), ids=CHANGES)
def test_identity_is_frozen(edit: Edit, before: Json, patch: Json, field: str, status: Json):
    with pytest.raises(ApiError) as refusal:
        edit(before, status, patch)
    assert f"spec.{field}: Forbidden: " in refusal.value.message
    assert "cannot change now" in refusal.value.message
    assert "Undo the change" in refusal.value.message


@pytest.mark.parametrize(("before", "patch", "_field"), CHANGES.values(), ids=CHANGES)
def test_identity_is_open_when_nothing_was_submitted(edit: Edit, before: Json, patch: Json, _field: str):
    edit(before, REFUSED_BY_RUNAI, patch)


@pytest.mark.parametrize(("before", "patch", "field"), CHANGES.values(), ids=CHANGES)
def test_recreate_policy_opens_the_identity_of_what_exists(edit: Edit, before: Json, patch: Json, field: str):
    """Policy and change may come in one apply. Only another workload's id is no way to recreate this one."""
    both = {"recreatePolicy": "OnImmutableChange", **patch}
    if patch.get("workloadId"):
        with pytest.raises(ApiError, match=f"spec.{field}: Forbidden: "):
            edit(before, SUBMITTED, both)
    else:
        edit(before, SUBMITTED, both)


@pytest.mark.parametrize(("before", "patch", "field"), CHANGES.values(), ids=CHANGES)
def test_recreate_policy_opens_nothing_while_submission_is_in_doubt(edit: Edit, before: Json, patch: Json, field: str):
    with pytest.raises(ApiError, match=f"spec.{field}: Forbidden: "):
        edit(before, UNSEEN, {"recreatePolicy": "OnImmutableChange", **patch})


@pytest.mark.parametrize("status", [SUBMITTED, {"observedGeneration": 1}], ids=["submitted", "in doubt"])
def test_what_was_submitted_cannot_become_a_dry_run(edit: Edit, status: Json):
    with pytest.raises(ApiError, match=r"spec\.managementPolicy: Forbidden: managementPolicy cannot become DryRun now"):
        edit({}, status, {"managementPolicy": "DryRun"})


@pytest.mark.parametrize("status", [UNSEEN, REFUSED_BY_RUNAI], ids=["not yet seen", "refused"])
@pytest.mark.parametrize(("before", "after"), [("Manage", "DryRun"), ("DryRun", "Manage")])
def test_what_was_not_submitted_may_become_a_dry_run_and_the_other_way(
    edit: Edit, before: str, after: str, status: Json
):
    edit({"managementPolicy": before}, status, {"managementPolicy": after})


@pytest.mark.parametrize(("before", "patch"), CONFIRMATIONS.values(), ids=CONFIRMATIONS)
def test_the_spec_may_become_what_run_ai_has(edit: Edit, before: Json, patch: Json):
    edit(before, SUBMITTED, patch)


def test_a_name_may_be_removed_where_the_default_is_what_run_ai_has(edit: Edit):
    edit({"name": "edited"}, SUBMITTED | {"workloadName": "train-a"}, {"name": None})


def test_a_manifest_of_the_core_group_may_become_what_run_ai_has(edit: Edit):
    status = SUBMITTED | {"gvk": {"group": "", "version": "v1", "kind": "Pod"}}
    edit({"manifest": job(kind="Pod")}, status, {"manifest": {"apiVersion": "v1"}})


@pytest.mark.parametrize("patch", [{"projectName": "team-b"}, {"projectName": None, "projectId": "17"}], ids=json.dumps)
def test_an_id_alone_confirms_no_project(edit: Edit, patch: Json):
    with pytest.raises(ApiError, match="cannot change now"):
        edit({}, {"workloadId": ID}, patch)


@pytest.mark.parametrize("status", [UNSEEN, SUBMITTED, REFUSED_BY_RUNAI], ids=["not yet seen", "submitted", "refused"])
@pytest.mark.parametrize(
    "patch",
    [
        {"name": "train-a"},
        {"priority": "high", "category": "Train"},
        {"manifest": {"spec": {"parallelism": 2}, "metadata": {"labels": {"a": "b"}}}},
        {"manifest": None, "manifestYaml": "kind: Job"},
        {"manifest": None, "manifestFrom": {"configMapKeyRef": KEY}},
        {"deletionPolicy": "Orphan", "rerunPolicy": "OnSpecChange", "externalDeletionPolicy": "Recreate"},
    ],
    ids=["the same name spelled out", "priority and category", "content", "to text", "to a source", "policies"],
)
def test_what_is_no_identity_may_change_at_any_time(edit: Edit, patch: Json, status: Json):
    edit({}, status, patch)


def test_an_object_whose_spec_is_edited_away_from_run_ai_can_still_be_released(client: Client, namespace: str):
    """Status writes and the removal of the finalizer never run into the identity rules."""
    path = create(client, namespace, workload(recreatePolicy="OnImmutableChange"))
    client.merge_patch(path, {"metadata": {"finalizers": [model.FINALIZER]}})
    client.patch_status(path, SUBMITTED)
    client.merge_patch(path, {"spec": {"projectName": "team-b"}})
    client.merge_patch(path, {"spec": {"recreatePolicy": "Never"}})
    client.patch_status(path, {"workloadId": None, "phase": "Deleting"})
    client.delete(path)
    client.merge_patch(path, {"metadata": {"finalizers": None}})
    assert client.find(path) is None


def test_every_rule_has_a_case_that_it_refuses():
    frozen = {".spec.managementPolicy", *(f".spec.{field}" for *_, field in CHANGES.values())}
    said = [message for *_, message in REFUSED.values() if message]
    untried = [
        rule["message"]
        for rule in rules(ROOT)
        if not any(message in rule["message"] for message in said)
        and not ("oldSelf" in rule["rule"] and rule["fieldPath"] in frozen)
    ]
    assert untried == []


# --- status


def test_status_says_not_yet_seen_from_the_first_moment(client: Client, namespace: str):
    path = create(client, namespace, workload())
    assert client.get(path)["status"] == {"observedGeneration": -1}


def test_a_status_given_by_the_user_is_dropped(client: Client, namespace: str):
    path = create(client, namespace, workload() | {"status": SUBMITTED})
    assert client.get(path)["status"] == {"observedGeneration": -1}


@pytest.mark.parametrize("status", [None, {"phase": "Running", "observedGeneration": None}], ids=["whole", "field"])
def test_not_yet_seen_comes_back_when_it_is_removed(client: Client, namespace: str, status: Json | None):
    path = create(client, namespace, workload())
    client.patch_status(path, SUBMITTED)
    client.merge_patch(f"{path}/status", {"status": status})
    assert client.get(path)["status"]["observedGeneration"] == -1


def test_status_shows_words_that_nobody_knew(client: Client, namespace: str):
    path = create(client, namespace, workload())
    words = {
        "phase": "Hibernating",
        "syncStatus": "Teleporting",
        "desiredPhase": "Elsewhere",
        "preemptibility": "maybe",
    }
    client.patch_status(path, words)
    assert client.get(path)["status"] == {"observedGeneration": -1, **words}


def test_status_has_room_for_everything_the_operator_may_write(client: Client, namespace: str):
    path = create(client, namespace, workload())
    condition = {
        "status": "Unknown",
        "observedGeneration": 1,
        "lastTransitionTime": "2026-01-15T10:30:00Z",
        "reason": "R" * 256,
        "message": "m" * MESSAGE_LIMIT,
    }
    status = {field.name: "x" * field.bound for field in FIELDS if isinstance(field.bound, int)} | {
        "observedGeneration": 1,
        "gvk": {"group": "g" * 253, "version": "v" * 63, "kind": "k" * 63},
        "runningPods": 2**31 - 1,
        "requestedPods": 0,
        "createdAt": "2026-01-15T10:30:00Z",
        "submittedAt": "2026-01-15T11:30:00Z",
        "completedAt": "2026-01-15T12:30:00.123456+02:00",
        "conditions": [
            {"type": kind, **condition} for kind in ("Ready", "Reconciling", "Stalled", "Synced", "Completed")
        ],
    }
    assert set(status) == set(ROOT["properties"]["status"]["properties"])
    client.patch_status(path, status)
    assert client.get(path)["status"] == status


def test_the_operators_policies_are_those_of_the_schema():
    schema = ROOT["properties"]["spec"]["properties"]
    defaults = model.Spec()
    for name, own in (
        ("deletionPolicy", defaults.deletion_policy),
        ("managementPolicy", defaults.management_policy),
        ("recreatePolicy", defaults.recreate_policy),
        ("rerunPolicy", defaults.rerun_policy),
        ("externalDeletionPolicy", defaults.external_deletion_policy),
    ):
        assert schema[name]["enum"] == list(type(own))
        assert schema[name]["default"] == own


# --- GitOps


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {},
        {"creationTimestamp": None},
        {"labels": {}, "annotations": {}},
        {"labels": None, "annotations": None, "name": None},
        {"ownerReferences": [], "finalizers": None, "unheardOf": {"a": [None]}},
    ],
    ids=json.dumps,
)
def test_applying_the_same_again_changes_nothing(client: Client, namespace: str, metadata: Json | None):
    item = workload(manifest=job(metadata=metadata))
    item["metadata"]["namespace"] = namespace
    client.apply(item, field_manager="argocd")
    client.patch_status(client.path_of(item), {"phase": "Running"})
    seen = [client.apply(item, field_manager=manager)["metadata"] for manager in ("argocd", "argocd", "flux", "flux")]
    assert {entry["generation"] for entry in seen} == {1}
    assert seen[0]["resourceVersion"] == seen[1]["resourceVersion"]
    assert seen[2]["resourceVersion"] == seen[3]["resourceVersion"]


def test_a_manifest_belongs_to_its_manager_as_a_whole(client: Client, namespace: str):
    item = workload()
    item["metadata"]["namespace"] = namespace
    client.apply(item, field_manager="argocd", force=False)
    client.patch_status(client.path_of(item), SUBMITTED)
    item["spec"]["manifest"]["spec"]["parallelism"] = 2
    with pytest.raises(ApiError, match=r'conflict with "argocd".*: \.spec\.manifest$'):
        client.apply(item, field_manager="somebody", force=False)


def test_a_field_taken_out_of_the_manifest_goes(client: Client, namespace: str):
    item = workload(manifest=job(metadata={"labels": {"a": "b"}}))
    item["metadata"]["namespace"] = namespace
    client.apply(item)
    del item["spec"]["manifest"]["metadata"]
    assert "metadata" not in client.apply(item)["spec"]["manifest"]


@pytest.mark.parametrize("spec", [{"projektName": "a"}, {"manifestFrom": {"secret": {}}}], ids=json.dumps)
def test_an_unknown_field_is_named_when_applied(client: Client, spec: Json):
    with pytest.raises(ApiError, match="field not declared in schema"):
        client.apply(workload(**spec), dry_run=True)


def test_applying_the_crd_again_changes_nothing(client: Client):
    before = client.get(CRD_PATH)["metadata"]
    after = client.apply(CRD)["metadata"]
    assert after["generation"] == before["generation"]


# --- what people see

COLUMNS = [
    ("Ready", 0), ("Reason", 0), ("Phase", 0), ("Synced", 0), ("Kind", 0), ("Project", 0), ("Age", 0),
    ("Message", 1), ("Workload ID", 1), ("Sync", 1), ("Pods", 1), ("GPUs", 1), ("Priority", 1),
    ("Workload Name", 1), ("Project ID", 1), ("Observed", 1), ("Handled", 1), ("Owner", 1), ("Created", 1),
    ("Requested", 1), ("Category", 1), ("Detail", 1),
    ("Source", 1), ("Synced Reason", 1), ("Submission", 1), ("Stalled", 1), ("Completed", 1), ("Connection", 1), ("Hash", 1),
    ("Deletion Policy", 1),
]  # fmt: skip


def test_a_table_shows_every_column_by_its_name(client: Client, namespace: str):
    """The operator reads its own records from these cells."""
    source = {"configMapKeyRef": KEY}
    path = create(client, namespace, workload(manifest=None, manifestFrom=source))
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "Running",
        "message": "it runs",
        "lastTransitionTime": "2026-01-15T10:30:00Z",
    }
    others = [
        ready | {"type": kind, "status": status, "reason": f"{kind}Reason", "message": "no"}
        for kind, status in (("Completed", "False"), ("Stalled", "Unknown"), ("Synced", "Unknown"))
    ]
    status = SUBMITTED | {
        "phase": "Running",
        "phaseMessage": "all well",
        "syncStatus": "Synced",
        "runningPods": 4,
        "requestedPods": 5,
        "category": "Train",
        "allocatedGpus": "2.5",
        "priority": "high",
        "lastHandledReconcileAt": "token",
        "ownerUid": "some-uid",
        "createdAt": "2026-01-15T10:30:00Z",
        "submission": "InDoubt",
        "connection": "default",
        "submittedHash": "v1:a.b",
        "conditions": [*others, ready],
    }
    client.patch_status(path, status)
    table = client._http.get(
        path.rpartition("/")[0], headers={"Accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}
    ).json()

    columns = [column for column in table["columnDefinitions"] if column["name"] != "Name"]
    assert [(column["name"], column["priority"]) for column in columns] == COLUMNS
    assert all(column["description"] for column in columns)
    names = [column["name"] for column in table["columnDefinitions"]]
    cells = dict(zip(names, table["rows"][0]["cells"], strict=True))
    cells["Source"] = json.loads(cells["Source"])
    assert cells.pop("Age").endswith("s")
    assert cells == {
        "Name": "train-a",
        "Ready": "True",
        "Reason": "Running",
        "Phase": "Running",
        "Synced": "Unknown",
        "Kind": "Job",
        "Project": "team-a",
        "Message": "it runs",
        "Workload ID": ID,
        "Sync": "Synced",
        "Pods": 4,
        "GPUs": "2.5",
        "Priority": "high",
        "Workload Name": "in-runai",
        "Project ID": "17",
        "Observed": 1,
        "Handled": "token",
        "Owner": "some-uid",
        "Created": "2026-01-15T10:30:00Z",
        "Requested": 5,
        "Category": "Train",
        "Detail": "all well",
        "Source": source,
        "Synced Reason": "SyncedReason",
        "Submission": "InDoubt",
        "Stalled": "Unknown",
        "Completed": "False",
        "Connection": "default",
        "Hash": "v1:a.b",
        "Deletion Policy": "Delete",
    }


@pytest.mark.parametrize(
    "selector",
    [
        "spec.projectName=team-a",
        "status.ready=True",
        "status.reason=Running",
        "status.phase=Running",
        "status.projectName=team-a",
        f"status.workloadId={ID}",
        "status.workloadName=in-runai",
        "status.gvk.kind=Job",
    ],
)
def test_objects_can_be_selected_by_field(client: Client, namespace: str, selector: str):
    path = create(client, namespace, workload())
    client.patch_status(path, SUBMITTED | {"phase": "Running", "ready": "True", "reason": "Running"})
    create(client, namespace, workload("other", projectName="team-b", manifest=job(kind="CronJob")))
    found = client.list_all(path.rpartition("/")[0], fieldSelector=selector)
    assert [item["metadata"]["name"] for item in found] == ["train-a"]


def test_kubectl_knows_the_short_name_and_the_category(client: Client):
    resource = next(entry for entry in client.get(API)["resources"] if entry["name"] == model.PLURAL)
    assert resource["shortNames"] == ["rwl"]
    assert resource["categories"] == ["runai"]
    assert resource["kind"] == model.KIND


def test_every_field_the_server_publishes_is_described(client: Client):
    schemas = client.get(OPEN_API_PATH)["components"]["schemas"]
    own = next(schema for name, schema in schemas.items() if name.endswith(f".{model.KIND}"))
    published = dict(fields(own, model.KIND))
    assert len(published) > len(OWN_FIELDS)
    assert [path for path, field in published.items() if not field.get("description")] == []


def test_kubectl_explain_leaves_nothing_empty(control_plane: ControlPlane):
    objects = [path for path, field in OWN_FIELDS.items() if "properties" in field and "[]" not in path]
    for path in ["", "spec", "status", "status.conditions", *objects]:
        told = control_plane.kubectl("explain", f"{model.PLURAL}.{path}".rstrip(".")).stdout
        assert "DESCRIPTION" in told
        assert "<empty>" not in told
        assert "<no description>" not in told


@pytest.mark.parametrize(("path", "field"), LEAVES.items(), ids=LEAVES)
def test_every_value_has_an_example_a_default_and_a_bound(path: str, field: Json):
    assert "Example: " in field["description"]
    if path.startswith("spec.") and path.count(".") == 1:
        assert "Default: " in field["description"]
        assert "default" not in field or f"Default: {field['default']}. " in field["description"]
    if field["type"] == "string":
        assert {"maxLength", "enum", "format"} & field.keys()
    else:
        assert field["format"] in {"int32", "int64"}


def test_every_list_and_map_is_bounded():
    for path, field in OWN_FIELDS.items():
        assert field["type"] != "array" or "maxItems" in field, path
        assert "additionalProperties" not in field or "maxProperties" in field, path


def test_the_crd_can_be_applied_client_side_and_kept_in_an_annotation():
    assert len(CRD_FILE.read_bytes()) < 256 * KIBI
    assert len(json.dumps(CRD, separators=(",", ":"))) < 256 * KIBI


def test_kustomize_takes_the_crd(control_plane: ControlPlane):
    """Beside it there is only what keeps GitOps tools from pruning it."""
    built = yaml.safe_load(control_plane.kubectl("kustomize", str(CRD_FILE.parent)).stdout)
    annotations = built["metadata"].pop("annotations")

    assert built == CRD
    assert annotations.keys() == {"argocd.argoproj.io/sync-options", "kustomize.toolkit.fluxcd.io/prune"}
