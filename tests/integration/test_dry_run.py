"""`managementPolicy: DryRun` as a user sees it, with the operator and the simulator as real processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from controlplane import ApiError
from stack import manifest_of
from stack.workloads import condition
from typed import rwl

MANIFESTS = Path(__file__).parents[1] / "manifests"

RUNS_ON = manifest_of("Deployment")
DRY = {"manifest": RUNS_ON, "managementPolicy": "DryRun"}
QUICK_PROOF = {"OPERATOR_GRACE_PERIOD": "1s"}


def shown(control_plane, namespace, name="a"):
    """The line that people see."""
    printed = control_plane.kubectl("get", "runaiworkloads", name, "--namespace", namespace).stdout
    header, line = printed.splitlines()
    assert header.split()[:3] == ["NAME", "READY", "REASON"]
    return line.split()[1:3]


def test_the_verdict_is_what_kubectl_shows_and_manage_submits(
    control_plane, namespace, start_operator, runai, workloads
):
    start_operator(**QUICK_PROOF)
    workloads.apply("a", **DRY)
    item = workloads.wait_condition("a", "Ready", "True", reason="Valid")

    assert shown(control_plane, namespace) == ["True", "Valid"]
    assert not item["metadata"].get("finalizers")
    assert runai.all() == []

    workloads.apply("a", **DRY | {"managementPolicy": "Manage"})
    workloads.wait_condition("a", "Ready", "True", reason="Running")
    assert len(runai.live()) == 1

    with pytest.raises(ApiError, match="managementPolicy cannot become DryRun now"):
        workloads.apply("a", **DRY)


def test_what_wrap_writes_is_only_checked_until_it_is_written_to_be_managed(
    control_plane, namespace, start_operator, runai, workloads, tmp_path
):
    start_operator(**QUICK_PROOF)

    def apply(policy):
        typed = ["--project", "team-a", "--name", "a", "-n", namespace, "--management-policy", policy]
        (tmp_path / "wrapped.yaml").write_text(rwl("wrap", MANIFESTS / "deployment.yaml", *typed).out)
        control_plane.kubectl("apply", "--server-side", "--filename", str(tmp_path / "wrapped.yaml"))

    apply("DryRun")
    workloads.wait_condition("a", "Ready", "True", reason="Valid")
    assert runai.all() == []
    apply("Manage")
    workloads.wait_condition("a", "Ready", "True", reason="Running")


def test_a_refusal_is_shown_in_the_words_of_run_ai(control_plane, namespace, start_operator, runai, workloads):
    start_operator(**QUICK_PROOF)
    workloads.apply("a", **DRY | {"category": "Trian"})
    item = workloads.wait_condition("a", "Stalled", "True", reason="InvalidSpec")

    assert "category 'Trian' is not available in this cluster" in condition(item, "Ready")["message"]
    assert shown(control_plane, namespace) == ["False", "InvalidSpec"]
    assert runai.all() == []

    workloads.apply("a", **DRY | {"category": "Train"})
    workloads.wait_condition("a", "Ready", "True", reason="Valid")
    workloads.delete("a")
    workloads.wait_gone("a")
    assert runai.all() == []


def test_a_run_ai_that_is_downgraded_while_the_operator_runs_keeps_nothing_of_a_dry_run(
    namespace, start_operator, runai, workloads
):
    start_operator(**QUICK_PROOF)
    workloads.apply("first", **DRY)
    workloads.wait_condition("first", "Ready", "True", reason="Valid")

    runai.switch(dry_run=False)
    workloads.apply("second", **DRY)
    runai.wait_until("one was created", lambda: runai.effective_creates() == 1)
    runai.wait_until("nothing is there", lambda: runai.live() == [])
    workloads.apply("third", **DRY)
    workloads.wait_condition("third", "Stalled", "True", reason="DryRunUnsupported")
    assert runai.effective_creates() == 1


def test_a_run_ai_that_ignores_the_flag_keeps_nothing_of_it(control_plane, namespace, start_operator, runai, workloads):
    runai.switch(dry_run=False)
    operator = start_operator(**QUICK_PROOF)
    workloads.apply("a", **DRY)
    workloads.wait_condition("a", "Stalled", "True", reason="DryRunUnsupported")

    assert shown(control_plane, namespace) == ["False", "DryRunUnsupported"]
    operator.wait_until("what was made is gone", lambda: runai.live() == [])
    assert [entry["name"].startswith("dry-run-probe-") for entry in runai.all()] == [True]


@pytest.mark.parametrize("spec", [{"workloadId": "11111111-1111-4111-8111-111111111111"}])
def test_what_is_to_be_written_over_a_workload_has_no_dry_run(workloads, spec):
    with pytest.raises(ApiError, match="DryRun cannot check what is to be written over an existing workload"):
        workloads.apply("a", **DRY, **spec)


def test_what_may_have_been_submitted_cannot_become_a_dry_run(control_plane, workloads):
    """As the operator left it, and in the middle of its work."""
    workloads.apply("a", manifest=RUNS_ON)
    client, path = control_plane.client, workloads.path("a")
    for status, is_open in (
        ({"observedGeneration": 1, "submission": "NotSubmitted"}, True),
        ({"observedGeneration": 1, "submission": None, "projectId": "1"}, False),
        ({"observedGeneration": 1, "submission": "InDoubt"}, False),
        ({"submission": None, "workloadId": "11111111-1111-4111-8111-111111111111"}, False),
    ):
        client.patch_status(path, status)
        if is_open:
            workloads.apply("a", **DRY)
            workloads.apply("a", **DRY | {"managementPolicy": "Manage"})
            continue
        with pytest.raises(ApiError, match="managementPolicy cannot become DryRun now"):
            workloads.apply("a", **DRY)
