"""What Run:ai shows no longer: gone, finished and removed, or only out of sight. Real sockets, one real API server."""

from __future__ import annotations

from stack import Simulator, Workloads, manifest_of
from stack.workloads import condition

RUNS_ON = manifest_of("Deployment")
QUICKLY = {"OPERATOR_SWEEP_INTERVAL": "10s", "OPERATOR_STALE_AFTER": "3s"}
POLICIES = {"reported": "Report", "recreated": "Recreate"}
"""An object for each, side by side: what is waited for takes long."""


def hide(runai: Simulator, *, hidden: bool = True) -> None:
    """The service account loses its role in every project, or has it back."""
    for project in range(1, 6):
        runai.admin("POST", f"projects/{project}", {"hidden": hidden})


def apply_both(workloads: Workloads):
    for name, policy in POLICIES.items():
        workloads.apply(name, manifest=RUNS_ON, externalDeletionPolicy=policy)
    return [workloads.wait_condition(name, "Ready", "True", reason="Running") for name in POLICIES]


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


def test_what_is_out_of_sight_is_neither_called_deleted_nor_made_again_under_either_policy(
    start_operator, runai, workloads
):
    def wait_synced(status, *, reason=None):
        return [workloads.wait_condition(name, "Synced", status, reason=reason) for name in POLICIES]

    def ask(token):
        for name in POLICIES:
            workloads.annotate(name, "reconcile-requested-at", token)

    first = start_operator(**QUICKLY)
    apply_both(workloads)
    hide(runai)
    wait_synced("Unknown", reason="NotVisible")
    first.kill()
    start_operator(**QUICKLY)
    ask("1")
    items = wait_synced("Unknown", reason="NotVisible")

    assert [condition(item, "Ready")["reason"] for item in items] == ["Running", "Running"]

    hide(runai, hidden=False)
    ask("2")
    items = wait_synced("True")
    assert [condition(item, "Ready")["reason"] for item in items] == ["Running", "Running"]
    assert runai.effective_creates() == 2


def test_what_finished_and_was_removed_while_the_operator_was_away_has_finished_under_either_policy(
    start_operator, runai, workloads
):
    first = start_operator(**QUICKLY)
    ids = [item["status"]["workloadId"] for item in apply_both(workloads)]
    first.kill()
    for workload_id in ids:
        runai.set_phase(workload_id, "Completed")
        runai.delete_outside(workload_id)
    start_operator(**QUICKLY)
    for name in POLICIES:
        item = workloads.wait_condition(name, "Completed", "True")

        assert condition(item, "Ready")["reason"] == "Completed"
        assert item["status"]["completedAt"]
    assert runai.effective_creates() == 2


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
