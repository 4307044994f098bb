"""Two releases, each with its part: what is moved from one to the other is neither lost nor made twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from controlplane import ControlPlane
from runai_operator.domain.model import FINALIZER
from runai_operator.kube.wire import meta_from_object
from runai_operator.selector import parse_selector
from stack import Operator, Simulator, Workloads, manifest_of

RUNS_ON = manifest_of("Deployment")


@pytest.fixture
def start(control_plane: ControlPlane, namespace: str, runai: Simulator, tmp_path: Path):
    """Starts an operator with a name of its own, all with one installation id."""
    running = []

    def start(name: str, **settings: str) -> Operator:
        (tmp_path / name).mkdir(exist_ok=True)
        own = {"OPERATOR_NAMESPACES": namespace, "OPERATOR_INSTALL_ID": "tests", **settings}
        running.append(Operator(tmp_path / name, control_plane.kubeconfig, runai.url, **own).start().wait_ready())
        return running[-1]

    yield start
    for operator in running:
        operator.kill()


def label(workloads: Workloads, name: str, value: str | None) -> None:
    workloads.patch(name, {"metadata": {"labels": {"shard": value}}})


def edit(workloads: Workloads, name: str, priority: str) -> None:
    workloads.patch(name, {"spec": {"priority": priority}})
    workloads.wait_condition(name, "Ready", "True")


def test_a_label_decides_who_serves_and_moving_loses_nothing(start, runai, workloads):
    first, second = start("first", OPERATOR_SELECTOR="shard=a"), start("second", OPERATOR_SELECTOR="shard!=a")
    workloads.apply("x", manifest=RUNS_ON)
    workload_id = workloads.wait_condition("x", "Ready", "True")["status"]["workloadId"]
    assert first.metric("runai_operator_runai_requests_total") == 0 or "created" not in first.output()

    label(workloads, "x", "a")
    second.wait_until("leaving it", lambda: "left to another release" in second.output())
    edit(workloads, "x", "high")
    label(workloads, "x", None)
    first.wait_until("leaving it", lambda: "left to another release" in first.output())
    edit(workloads, "x", "low")

    assert [entry["id"] for entry in runai.live()] == [workload_id]
    assert runai.effective_creates() == 1
    assert runai.calls("PUT") == 2, "each edit was sent by one of them"
    workloads.delete("x")
    workloads.wait_gone("x")
    assert runai.live() == []


def test_an_object_that_is_moved_while_it_is_submitted_is_made_once(start, runai, workloads):
    """Back and forth, at every moment of its first seconds."""
    start("first", OPERATOR_SELECTOR="shard=a")
    start("second", OPERATOR_SELECTOR="shard=b")
    names = [f"x{number}" for number in range(8)]
    for name in names:
        workloads.apply(name, manifest=RUNS_ON)
    for turn in range(4):
        for number, name in enumerate(names):
            label(workloads, name, "ab"[(turn + number) % 2])
    ids = {workloads.wait_condition(name, "Ready", "True")["status"]["workloadId"] for name in names}

    assert {entry["id"] for entry in runai.live()} == ids
    assert runai.effective_creates() == len(names)


def test_what_one_release_has_checked_and_the_other_submits_runs_on(start, runai, workloads):
    """The first one remembers its dry run, and its lists show a workload of that name and mark."""
    first, second = start("first", OPERATOR_SELECTOR="shard=a"), start("second", OPERATOR_SELECTOR="shard=b")
    workloads.apply("x", manifest=RUNS_ON, managementPolicy="DryRun")
    label(workloads, "x", "a")
    workloads.wait_condition("x", "Ready", "True")
    label(workloads, "x", "b")
    workloads.patch("x", {"spec": {"managementPolicy": "Manage"}})
    workload_id = second.wait_until("its id", lambda: workloads.get("x")["status"].get("workloadId"))
    before = runai.calls("GET", "/api/v1/workloads")
    first.wait_until("lists of both", lambda: runai.calls("GET", "/api/v1/workloads") >= before + 8)

    assert [entry["id"] for entry in runai.live()] == [workload_id]
    assert runai.calls("DELETE") == 0


@pytest.mark.parametrize("labels", ["shard=b", "shard in (a,b)"], ids=["moved", "served by both"])
def test_what_is_deleted_by_another_release_is_not_put_on_record(start, runai, workloads, labels):
    both = start("first", OPERATOR_SELECTOR="shard=a"), start("second", OPERATOR_SELECTOR=labels)
    names = [f"x{number}" for number in range(12)]
    for name in names:
        workloads.apply(name, manifest=RUNS_ON)
        label(workloads, name, "a")
    for name in names:
        workloads.wait_condition(name, "Ready", "True")
    for name in names:
        if labels == "shard=b":
            label(workloads, name, "b")
        workloads.delete(name)
    for name in names:
        workloads.wait_gone(name)

    assert runai.live() == []
    assert [operator.metric("runai_operator_orphaned_total") for operator in both] == [0, 0]


def test_a_namespace_moves_from_one_list_to_the_other(start, control_plane, namespace, runai, workloads):
    other = f"{namespace}-other"
    control_plane.client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other}})
    elsewhere = Workloads(control_plane.client, other)
    first = start("first", OPERATOR_NAMESPACES=f"{namespace},{other}")
    workloads.apply("x", manifest=RUNS_ON)
    elsewhere.apply("y", manifest=RUNS_ON)
    before = [
        each.wait_condition(name, "Ready", "True")["status"]["workloadId"]
        for each, name in ((workloads, "x"), (elsewhere, "y"))
    ]

    first.terminate()
    start("first", OPERATOR_NAMESPACES=namespace)
    start("second", OPERATOR_NAMESPACES=other)
    edit(workloads, "x", "high")
    edit(elsewhere, "y", "high")

    assert sorted(entry["id"] for entry in runai.live()) == sorted(before)
    assert runai.effective_creates() == 2
    elsewhere.delete("y")
    elsewhere.wait_gone("y")


def test_what_a_watch_shows_as_deleted_has_either_lost_its_labels_or_was_being_deleted(control_plane, workloads):
    """As long as it has a finalizer: what `engine.Engine._has_left` goes by."""
    since = control_plane.client.get(workloads.collection)["metadata"]["resourceVersion"]
    for name in ("moved", "gone"):
        workloads.apply(name, manifest=RUNS_ON)
        workloads.patch(name, {"metadata": {"finalizers": [FINALIZER], "labels": {"shard": "a"}}})
    label(workloads, "moved", "b")
    workloads.delete("gone")
    workloads.patch("gone", {"metadata": {"finalizers": []}})
    workloads.patch("moved", {"metadata": {"finalizers": []}})

    query = f"watch=true&labelSelector=shard%3Da&timeoutSeconds=1&resourceVersion={since}"
    events = map(json.loads, control_plane.client.text(f"{workloads.collection}?{query}").splitlines())
    metas = [meta_from_object(event["object"]["metadata"]) for event in events if event["type"] == "DELETED"]

    assert {meta.ref.name: (meta.has_finalizer, meta.deleting) for meta in metas} == {
        "moved": (True, False),
        "gone": (True, True),
    }


@pytest.mark.parametrize(
    "text",
    [
        "shard=a",
        "shard == a",
        "shard!=a",
        "shard in (a,b)",
        "shard notin (a)",
        "shard",
        "!shard",
        "shard=",
        "shard in (,a)",
        "shard=a,!team",
    ],
)
def test_we_read_a_selector_as_the_api_server_does(control_plane, namespace, text):
    kept = {"a": {"shard": "a"}, "b": {"shard": "b", "team": "x"}, "none": {}, "empty": {"shard": ""}}
    collection = f"/api/v1/namespaces/{namespace}/configmaps"
    for name, labels in kept.items():
        if control_plane.client.find(f"{collection}/{name}") is None:
            metadata = {"name": name, "namespace": namespace, "labels": labels}
            control_plane.client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})

    selected = {item["metadata"]["name"] for item in control_plane.client.list_all(collection, labelSelector=text)}

    assert {name for name, labels in kept.items() if parse_selector(text).matches(labels)} == selected & kept.keys()
