"""Whose workload it is: lives of one object, two installs, restores; and what people do in Run:ai itself."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from controlplane import ControlPlane
from stack import Operator, Simulator, Workloads, manifest_of, workload
from stack.workloads import condition

RUNS_ON = manifest_of("Deployment")


def kept(item, *, status: bool):
    """What a backup keeps of an object."""
    copy = {key: item[key] for key in ("apiVersion", "kind", "spec")}
    copy["metadata"] = {key: item["metadata"][key] for key in ("name", "namespace")}
    if status:
        copy["status"] = item["status"]
    return copy


def lose(workloads: Workloads, name: str) -> None:
    """Gone without a word to the operator, as when etcd is lost: only while no operator runs."""
    workloads.patch(name, {"metadata": {"finalizers": None}})
    workloads.delete(name)
    workloads.wait_gone(name)


def is_marked(runai, item) -> bool:
    [entry] = runai.live()
    return bool(entry["owner"]["uid"] == item["metadata"]["uid"])


# --- lives of one object


@pytest.mark.parametrize("way", [["apply", "--force"], ["replace", "--force"]], ids=" ".join)
def test_forced_by_kubectl_there_is_one_workload(
    operator, runai, workloads, control_plane: ControlPlane, namespace, way
):
    first = json.dumps(workload("a", namespace, manifest=RUNS_ON))
    control_plane.kubectl("apply", "-f", "-", input=first)
    workloads.wait_condition("a", "Ready", "True")
    control_plane.kubectl(*way, "-f", "-", input=first)
    item = workloads.wait_condition("a", "Ready", "True")

    assert [entry["id"] for entry in runai.live()] == [item["status"]["workloadId"]]
    assert is_marked(runai, item)


def test_deleted_and_created_again_with_the_same_name_it_is_a_workload_of_its_own(operator, runai, workloads):
    workloads.apply("a", manifest=RUNS_ON)
    first = workloads.wait_condition("a", "Ready", "True")
    workloads.delete("a")
    workloads.wait_gone("a")
    workloads.apply("a", manifest=RUNS_ON)
    second = workloads.wait_condition("a", "Ready", "True")

    assert first["status"]["workloadId"] != second["status"]["workloadId"]
    assert is_marked(runai, second)


def test_a_name_that_is_not_free_yet_is_waited_for(operator, runai, workloads):
    runai.switch(name_blocked_for=2)
    workloads.apply("a", manifest=RUNS_ON)
    workloads.wait_condition("a", "Ready", "True")
    workloads.delete("a")
    workloads.wait_gone("a")
    workloads.apply("a", manifest=RUNS_ON)
    item = workloads.wait_condition("a", "Ready", "True")

    assert is_marked(runai, item)


@pytest.mark.parametrize("with_status", [False, True], ids=["without its status", "with its status"])
def test_restored_from_a_backup_it_takes_its_workload_over_by_one_put(
    start_operator, runai, workloads, control_plane: ControlPlane, with_status
):
    first = start_operator()
    workloads.apply("a", manifest=RUNS_ON)
    item = workloads.wait_condition("a", "Ready", "True")
    first.kill()
    lose(workloads, "a")
    copy = kept(item, status=with_status)
    control_plane.client.apply({key: value for key, value in copy.items() if key != "status"})
    if with_status:
        control_plane.client.patch_status(workloads.path("a"), copy["status"])
    start_operator()
    restored = workloads.wait("a", lambda found: found["status"].get("ownerUid") == found["metadata"]["uid"])
    workloads.wait_condition("a", "Ready", "True")

    assert restored["status"]["workloadId"] == item["status"]["workloadId"]
    assert runai.effective_creates() == 1
    assert runai.calls("PUT") == 1
    assert is_marked(runai, restored)


def test_restored_after_it_completed_it_is_taken_over_without_a_put(start_operator, runai, workloads, control_plane):
    first = start_operator()
    workloads.apply("a")
    item = workloads.wait_condition("a", "Completed", "True")
    first.kill()
    lose(workloads, "a")
    control_plane.client.apply(kept(item, status=False))
    start_operator()
    restored = workloads.wait_condition("a", "Completed", "True")

    assert restored["status"]["workloadId"] == item["status"]["workloadId"]
    assert (runai.effective_creates(), runai.calls("PUT")) == (1, 0), "finished work never runs again by itself"


def test_after_its_install_id_was_changed_the_operator_leaves_nothing_behind(start_operator, runai, workloads):
    first = start_operator(OPERATOR_INSTALL_ID="old")
    workloads.apply("a", manifest=RUNS_ON)
    workloads.wait_condition("a", "Ready", "True")
    first.terminate()
    second = start_operator(OPERATOR_INSTALL_ID="new")
    workloads.delete("a")
    item = workloads.wait_condition("a", "Ready", "False", reason="Deleting")
    message = condition(item, "Ready")["message"]

    assert "add old to OPERATOR_FORMER_INSTALL_IDS" in message
    assert len(runai.live()) == 1

    second.terminate()
    start_operator(OPERATOR_INSTALL_ID="new", OPERATOR_FORMER_INSTALL_IDS="old")
    workloads.wait_gone("a")
    assert runai.live() == []


def test_another_job_of_the_name_of_finished_work_does_not_pass_for_completed(operator, runai, workloads):
    workloads.apply("a", deletionPolicy="Orphan")
    workloads.wait_condition("a", "Completed", "True")
    workloads.delete("a")
    workloads.wait_gone("a")
    other = manifest_of(team="another")
    workloads.apply("a", manifest=other)
    item = workloads.wait_condition("a", "Ready", "False", reason="FinishedNotRerun")
    assert condition(item, "Completed") is None

    workloads.patch("a", {"spec": {"rerunPolicy": "OnSpecChange"}})
    item = workloads.wait_condition("a", "Completed", "True")
    assert runai.effective_creates() == 2
    assert [entry["id"] for entry in runai.live()] == [item["status"]["workloadId"]]


def test_what_an_object_left_behind_may_be_adopted_by_another_that_names_its_id(operator, runai, workloads):
    workloads.apply("a", manifest=RUNS_ON, deletionPolicy="Orphan")
    item = workloads.wait_condition("a", "Ready", "True")
    workload_id = item["status"]["workloadId"]
    workloads.apply("b", manifest=RUNS_ON, workloadId=workload_id)
    workloads.wait_condition("b", "Ready", "False", reason="ManagedByOther")
    workloads.delete("b")
    workloads.delete("a")
    workloads.wait_gone("a")
    workloads.wait_gone("b")
    workloads.apply("b", manifest=RUNS_ON, workloadId=workload_id)
    adopted = workloads.wait_condition("b", "Ready", "True")

    assert is_marked(runai, adopted)


# --- two installs, two clusters


class Clusters:
    """Two clusters with a namespace of the same name each, in front of one Run:ai."""

    def __init__(self, old: ControlPlane, new: ControlPlane, namespace: str, folder: Path, runai: Simulator) -> None:
        self._planes = {"old": old, "new": new}
        self._namespace, self._folder, self._runai = namespace, folder, runai
        self._running = ExitStack()
        self.old = Workloads(old.client, namespace)
        self.new = Workloads(new.client, namespace)

    def start(self, cluster: str, install: str) -> Operator:
        """An operator there, with that install id."""
        folder = self._folder / cluster
        folder.mkdir(exist_ok=True)
        settings = {"OPERATOR_NAMESPACES": self._namespace, "OPERATOR_INSTALL_ID": install}
        made = Operator(folder, self._planes[cluster].kubeconfig, self._runai.url, **settings)
        return self._running.enter_context(made).wait_ready()

    def stop(self) -> None:
        self._running.close()


@pytest.fixture
def clusters(fresh_control_plane, control_plane: ControlPlane, namespace, tmp_path, runai):
    other = fresh_control_plane()
    other.install_crds()
    other.client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    made = Clusters(control_plane, other, namespace, tmp_path, runai)
    yield made
    made.stop()


def test_two_installs_in_one_project_refuse_each_others_objects(clusters, runai):
    old, new = clusters.old, clusters.new
    clusters.start("old", "install-old")
    clusters.start("new", "install-new")
    old.apply("a", manifest=RUNS_ON)
    first = old.wait_condition("a", "Ready", "True")
    new.apply("a", manifest=RUNS_ON)
    refused = new.wait_condition("a", "Stalled", "True", reason="ManagedByOther")

    assert "install-old" in condition(refused, "Ready")["message"]

    new.apply("adopts", manifest=RUNS_ON, workloadId=first["status"]["workloadId"])
    new.wait_condition("adopts", "Stalled", "True", reason="ManagedByOther")
    for name in ("a", "adopts"):
        new.delete(name)
        new.wait_gone(name)

    assert (runai.effective_creates(), runai.calls("PUT"), runai.calls("DELETE")) == (1, 0, 0)
    assert is_marked(runai, first)


def test_restored_into_a_fresh_cluster_it_is_a_conflict_until_the_old_install_id_is_set(clusters, runai):
    old, new = clusters.old, clusters.new
    before = clusters.start("old", "install-old")
    old.apply("a", manifest=RUNS_ON)
    item = old.wait_condition("a", "Ready", "True")
    before.kill()
    wrong = clusters.start("new", "install-new")
    new.client.apply(kept(item, status=False))
    new.wait_condition("a", "Stalled", "True", reason="ManagedByOther")
    wrong.terminate()
    clusters.start("new", "install-old")
    restored = new.wait_condition("a", "Ready", "True")

    assert restored["status"]["workloadId"] == item["status"]["workloadId"]
    assert runai.effective_creates() == 1
    assert is_marked(runai, restored)


def test_two_clusters_with_one_install_id_by_mistake_never_fight(clusters, runai):
    """The newer object takes the workload over, once; the older one finds another UID on it and yields."""
    old, new = clusters.old, clusters.new
    clusters.start("old", "same")
    clusters.start("new", "same")
    old.apply("a", manifest=RUNS_ON)
    first = old.wait_condition("a", "Ready", "True")
    new.apply("a", manifest=RUNS_ON)
    second = new.wait_condition("a", "Ready", "True")
    old.annotate("a", "reconcile-requested-at", "now")
    old.wait_condition("a", "Stalled", "True", reason="ManagedByOther")

    assert second["status"]["workloadId"] == first["status"]["workloadId"]
    puts = runai.calls("PUT")
    old.patch("a", {"spec": {"priority": "high"}})
    old.wait_condition("a", "Stalled", "True", reason="ManagedByOther")
    old.delete("a")
    old.wait_gone("a")

    assert (runai.effective_creates(), runai.calls("PUT"), runai.calls("DELETE")) == (1, puts, 0)
    assert puts == 1
    assert is_marked(runai, second)


# --- what people do in Run:ai


def test_stopped_and_resumed_in_run_ai_it_shows(operator, runai, workloads):
    workloads.apply("a", manifest=RUNS_ON)
    workloads.wait_condition("a", "Ready", "True", reason="Running")
    [entry] = runai.live()
    runai.admin("POST", f"workloads/{entry['id']}", {"desiredPhase": "Stopped"})
    workloads.wait_condition("a", "Ready", "True", reason="Stopped")
    runai.admin("POST", f"workloads/{entry['id']}", {"desiredPhase": "Running"})
    workloads.wait_condition("a", "Ready", "True", reason="Running")

    assert runai.calls("PUT") == 0


def test_re_prioritised_in_run_ai_it_shows_also_after_a_restart(start_operator, runai, workloads):
    first = start_operator(OPERATOR_SWEEP_INTERVAL="10s")
    workloads.apply("a", manifest=RUNS_ON)
    workloads.wait_condition("a", "Ready", "True")
    [entry] = runai.live()
    runai.admin("POST", f"workloads/{entry['id']}", {"priority": "low"})
    workloads.wait("a", lambda item: item["status"]["priority"] == "low")
    first.kill()
    runai.admin("POST", f"workloads/{entry['id']}", {"priority": "high"})
    start_operator(OPERATOR_SWEEP_INTERVAL="10s")
    workloads.wait("a", lambda item: item["status"]["priority"] == "high")

    assert runai.calls("PUT") == 0, "shown, not fought"


@pytest.mark.parametrize("remove", ["delete_outside", "purge"])
def test_finished_work_that_is_removed_in_run_ai_keeps_its_status_and_never_runs_again(
    start_operator, runai, workloads, remove
):
    first = start_operator(OPERATOR_SWEEP_INTERVAL="10s")
    workloads.apply("a", externalDeletionPolicy="Recreate")
    workload_id = workloads.wait_condition("a", "Completed", "True")["status"]["workloadId"]
    getattr(runai, remove)(workload_id)
    workloads.annotate("a", "reconcile-requested-at", "now")
    item = workloads.wait("a", lambda found: found["status"].get("lastHandledReconcileAt") == "now")
    first.kill()
    start_operator(OPERATOR_SWEEP_INTERVAL="10s")
    workloads.annotate("a", "reconcile-requested-at", "later")
    item = workloads.wait("a", lambda found: found["status"].get("lastHandledReconcileAt") == "later")

    assert condition(item, "Ready")["reason"] == "Completed"
    assert item["status"]["workloadId"] == workload_id
    assert runai.effective_creates() == 1
