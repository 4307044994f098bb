"""What may be taken over as it runs, and what the object then says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runai_operator.domain.checks import examine
from runai_operator.domain.importing import Owners, choose, cleaned, object_name, obstacle_to_reading
from runai_operator.domain.manifest import content_hash, with_mark
from runai_operator.domain.model import Gvk, OwnerMark, Project, Remote, Row
from runai_operator.domain.probe import probe_mark

ID = "3f6b1c9a-52d4-4f0e-8a39-6a1f0f2f7d11"
PROJECT = Project("1", "team-a", "71f6a0b2-0000-4000-8000-000000000001")
MANIFEST = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "train"}, "spec": {"n": 1}}
ROW = Row(ID, "train", "1", phase="Running")
REMOTE = Remote(
    ID, "train", "1", gvk=Gvk("batch", "v1", "Job"), priority="low", category="Train", preemptibility="preemptible",
    desired_phase="Running", sync_status="Synced",
)  # fmt: skip
NOBODY = Owners({}, {}, complete=True, installs=frozenset({"here"}))
MARK = OwnerMark("here", "ns", "gone", "u-1")


def chosen(remote=REMOTE, manifest=MANIFEST, owners=NOBODY, *, name="train", narrow=False, observe=False):
    return choose(ROW, (remote, manifest), owners, name=name, project=PROJECT, narrow=narrow, observe=observe)


ROWS = {
    "running": (ROW, None),
    "stopped": (replace(ROW, phase="Stopped"), None),
    "in a phase that is not known": (replace(ROW, phase="Dreaming"), None),
    "completed": (replace(ROW, phase="Completed"), "it has completed"),
    "failed": (replace(ROW, phase="Failed"), "it has failed, and a change could run it again"),
    "on its way out": (replace(ROW, phase="Deleting"), "it is being deleted"),
    "deleted": (replace(ROW, deleted_at="2026-01-01T00:00:00Z"), "it is being deleted"),
}


@pytest.mark.parametrize(("row", "obstacle"), ROWS.values(), ids=ROWS)
def test_what_has_ended_is_not_even_read(row, obstacle):
    assert obstacle_to_reading(row, NOBODY) == obstacle


def test_what_an_object_has_or_is_to_adopt_is_not_read():
    assert obstacle_to_reading(ROW, replace(NOBODY, by_workload={ID: "ns/mine"})) == "RunaiWorkload ns/mine has it"


OBSTACLES = {
    "nobody's": (REMOTE, NOBODY, None),
    "of an object that is gone": (replace(REMOTE, mark=MARK), NOBODY, None),
    "of an object that lives": (replace(REMOTE, mark=MARK), replace(NOBODY, by_uid={"u-1": "ns/gone"}), "ns/gone has it"),
    "of an object that may live where nobody may look": (
        replace(REMOTE, mark=MARK), replace(NOBODY, complete=False), "you may not look whether",
    ),
    "of another install": (replace(REMOTE, mark=replace(MARK, install="there")), NOBODY, "give --install-id there"),
    "of another install, whose object is here": (
        replace(REMOTE, mark=replace(MARK, install="there")), replace(NOBODY, by_uid={"u-1": "ns/x"}), "ns/x has it",
    ),
    "of a dry run": (replace(REMOTE, mark=probe_mark("i")), NOBODY, "a dry run has left it behind"),
    "being deleted": (replace(REMOTE, desired_phase="Deleted", sync_status="Deleting"), NOBODY, "being deleted"),
    "deleted": (replace(REMOTE, sync_status="Deleted"), NOBODY, "being deleted"),
    "to be deleted, and nobody knows how far": (
        replace(REMOTE, desired_phase="Deleted", sync_status=None), NOBODY, "being deleted",
    ),
}  # fmt: skip


@pytest.mark.parametrize("observe", [False, True])
@pytest.mark.parametrize(("remote", "owners", "obstacle"), OBSTACLES.values(), ids=OBSTACLES)
def test_only_what_is_nobodys_and_stays_is_taken(remote, owners, obstacle, observe):
    choice = chosen(remote, owners=owners, observe=observe)

    assert (choice.item is None) == (obstacle is not None)
    assert (obstacle or "") in (choice.obstacle or "")


def test_what_v2_does_not_show_is_left_out():
    choice = choose(ROW, None, NOBODY, name="train", project=PROJECT, narrow=False, observe=False)

    assert choice.item is None
    assert "V2" in choice.obstacle


def test_without_a_manifest_a_workload_can_only_be_observed():
    assert "does not show its manifest" in chosen(manifest={}).obstacle
    assert chosen(manifest={}, observe=True).item["spec"] == {"managementPolicy": "Observe", "workloadId": ID}


def test_what_the_operator_would_refuse_is_left_out():
    wrong = MANIFEST | {"kind": "JobList", "items": []}

    assert "a RunaiWorkload cannot hold it: spec.manifest holds a list of objects" in chosen(manifest=wrong).obstacle


@pytest.mark.parametrize("narrow", [False, True])
def test_the_object_says_all_that_a_put_sends_or_a_recreation_needs(narrow):
    item = chosen(name="train-3f6b1c9a", narrow=narrow).item

    assert item["spec"] == {
        "projectName": "team-a",
        **({"clusterId": PROJECT.cluster_id} if narrow else {}),
        "workloadId": ID,
        "name": "train",
        "priority": "low",
        "category": "Train",
        "preemptibility": "preemptible",
        "manifest": MANIFEST,
    }
    assert examine(item["spec"], name="train-3f6b1c9a").findings == ()


def test_a_manifest_that_was_cleaned_is_the_same_content():
    mark = with_mark(MANIFEST, name="train", mark=MARK, content="v1:0")
    written = mark | {
        "status": {"active": 1},
        "metadata": mark["metadata"] | {"uid": "1", "managedFields": [], "generateName": "t"},
    }

    assert cleaned(written) == MANIFEST
    same = {"priority": None, "category": None}
    assert content_hash(cleaned(mark), **same) == content_hash(mark, **same)


@pytest.mark.parametrize("spec", [{"a": None}, {"a": [None, {}, []]}, {"ü": "\x00\n"}, {"n": 1e300}])
def test_a_cleaned_manifest_keeps_every_value_of_its_spec(spec):
    assert cleaned(MANIFEST | {"spec": spec})["spec"] == spec


NAMES = {
    "as it is": ("train", set(), "train"),
    "taken": ("train", {"train"}, "train-3f6b1c9a"),
    "taken twice": ("train", {"train", "train-3f6b1c9a"}, "train-3f6b1c9a52d44f0e8a396a1f0f2f7d11"),
    "with a dash at the end, which Run:ai takes": ("train-", set(), "train"),
    "of nothing that a name may have": ("_", set(), "workload"),
    "with what a name may not have": ("Train_A.b", set(), "train-a-b"),
    "too long": ("a" * 80, set(), "a" * 63),
    "too long, and taken": ("a" * 80, {"a" * 63}, "a" * 54 + "-3f6b1c9a"),
}


@pytest.mark.parametrize(("workload", "taken", "name"), NAMES.values(), ids=NAMES)
def test_names_are_valid_and_unique(workload, taken, name):
    assert object_name(workload, ID, taken) == name
