"""What Run:ai shows no longer: gone, finished and removed, or only out of sight. Real sockets, one real API server."""

from __future__ import annotations

import pytest

from stack import Simulator, manifest_of
from stack.workloads import condition

RUNS_ON = manifest_of("Deployment")
QUICKLY = {"OPERATOR_SWEEP_INTERVAL": "10s"}


def hide(runai: Simulator, *, hidden: bool = True) -> None:
    """The service account loses its role in every project, or has it back."""
    for project in range(1, 6):
        runai.admin("POST", f"projects/{project}", {"hidden": hidden})


def test_a_deletion_waits_while_the_role_is_lost_also_across_a_restart(start_operator, runai, workloads):
    first = start_operator(**QUICKLY)
    workloads.apply("a", manifest=RUNS_ON)
    workloads.wait_condition("a", "Ready", "True")
    hide(runai)
    workloads.delete("a")
    item = workloads.wait("a", lambda found: "team-a" in condition(found, "Ready")["message"])

    assert condition(item, "Ready")["reason"] == "Deleting"

    first.kill()
    reads = runai.calls("GET")
    second = start_operator(**QUICKLY)
    second.wait_until("a read after the restart", lambda: runai.calls("GET") > reads + 1)
    assert workloads.get("a")["metadata"]["finalizers"]
    assert len(runai.live()) == 1

    hide(runai, hidden=False)
    workloads.annotate("a", "reconcile-requested-at", "now")
    workloads.wait_gone("a")
    assert runai.live() == []


@pytest.mark.parametrize("policy", ["Report", "Recreate"])
def test_what_is_out_of_sight_is_neither_called_deleted_nor_made_again(start_operator, runai, workloads, policy):
    first = start_operator(**QUICKLY)
    workloads.apply("a", manifest=RUNS_ON, externalDeletionPolicy=policy)
    workloads.wait_condition("a", "Ready", "True")
    hide(runai)
    workloads.wait_condition("a", "Synced", "Unknown", reason="NotVisible")
    first.kill()
    start_operator(**QUICKLY)
    workloads.annotate("a", "reconcile-requested-at", "1")
    item = workloads.wait_condition("a", "Synced", "Unknown", reason="NotVisible")

    assert condition(item, "Ready")["reason"] == "Running"

    hide(runai, hidden=False)
    workloads.annotate("a", "reconcile-requested-at", "2")
    item = workloads.wait_condition("a", "Synced", "True")
    assert condition(item, "Ready")["reason"] == "Running"
    assert runai.effective_creates() == 1


@pytest.mark.parametrize("policy", ["Report", "Recreate"])
def test_what_finished_and_was_removed_while_the_operator_was_away_has_finished(
    start_operator, runai, workloads, policy
):
    first = start_operator(**QUICKLY)
    workloads.apply("a", manifest=RUNS_ON, externalDeletionPolicy=policy)
    workload_id = workloads.wait_condition("a", "Ready", "True", reason="Running")["status"]["workloadId"]
    first.kill()
    runai.set_phase(workload_id, "Completed")
    runai.delete_outside(workload_id)
    start_operator(**QUICKLY)
    item = workloads.wait_condition("a", "Completed", "True")

    assert condition(item, "Ready")["reason"] == "Completed"
    assert item["status"]["completedAt"]
    assert runai.effective_creates() == 1


def test_completed_work_stays_so_when_its_project_is_hidden_and_a_policy_is_edited(operator, runai, workloads):
    workloads.apply("a", projectName="team-a")
    workloads.wait_condition("a", "Completed", "True")
    hide(runai)
    workloads.patch("a", {"spec": {"rerunPolicy": "OnSpecChange"}})
    item = workloads.wait(
        "a", lambda found: found["status"]["observedGeneration"] == found["metadata"]["generation"] > 1
    )

    assert condition(item, "Ready")["reason"] == "Completed"
    assert condition(item, "Synced")["status"] == "True"
