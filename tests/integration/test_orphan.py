"""`orphan` as it is typed: the object goes and the workload stays, whatever others do meanwhile."""

from __future__ import annotations

import os
import subprocess

import pytest

from readers.live import workload
from stack import manifest_of
from stack.workloads import condition
from typed import BIN, rwl

RUNS_ON = manifest_of("Deployment")


@pytest.fixture
def orphan(control_plane, namespace):
    def run(*arguments):
        return rwl("orphan", *arguments, "-n", namespace, kubeconfig=control_plane.kubeconfig)

    return run


@pytest.fixture
def running(operator, workloads):
    """The id of a workload that runs."""
    workloads.apply("train", manifest=RUNS_ON)
    workloads.wait_condition("train", "Ready", "True", reason="Running")
    return workloads.wait_id("train")


def live(runai):
    return [entry["id"] for entry in runai.live()]


def test_the_object_goes_and_the_workload_stays(running, runai, workloads, orphan):
    done = orphan("train")

    assert done.code == 0
    assert done.out.splitlines()[1].split(maxsplit=3) == [
        "train",
        "orphaned",
        "Orphaned",
        f"Workload train ({running}) stays in Run:ai.",
    ]
    assert workloads.find("train") is None
    assert (live(runai), runai.calls("DELETE")) == ([running], 0)


def test_a_deletion_that_hangs_ends_and_the_workload_stays(running, runai, workloads, orphan):
    runai.fault(kind="status", status=503, method="DELETE")
    workloads.delete("train")
    workloads.wait_condition("train", "Ready", "False", reason="Deleting")
    done = orphan("train")

    assert (done.code, workloads.find("train")) == (0, None)
    assert live(runai) == [running]


def test_without_an_operator_the_object_waits_and_the_workload_stays(
    running, operator, start_operator, runai, workloads, orphan
):
    operator.kill()
    done = orphan("train", "--timeout", "2s")

    assert done.code == 4
    assert "It waits for the operator to remove its finalizer" in done.out
    start_operator()
    workloads.wait_gone("train")
    assert (live(runai), runai.calls("DELETE")) == ([running], 0)


def test_who_puts_the_policy_back_meanwhile_does_not_win(
    running, operator, start_operator, runai, workloads, control_plane, namespace
):
    operator.kill()
    env = {"KUBECONFIG": str(control_plane.kubeconfig), "HOME": "/nonexistent", "PATH": os.environ["PATH"]}
    command = [BIN / "kubectl-rwl", "orphan", "train", "-n", namespace]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as waiting:
        workloads.wait("train", lambda item: item["metadata"].get("deletionTimestamp"))
        assert waiting.stderr.readline().startswith("train: Deleting: ")
        workloads.patch("train", {"spec": {"deletionPolicy": "Delete"}})
        workloads.wait("train", lambda item: item["spec"]["deletionPolicy"] == "Orphan")
        start_operator()
        out, err = waiting.communicate(timeout=90)

    assert waiting.returncode == 0, out
    assert "train: PutBack: Somebody else has put deletionPolicy back" in err
    assert (live(runai), runai.calls("DELETE")) == ([running], 0)


def test_even_when_nobody_looks_any_more_a_policy_that_was_put_back_deletes_nothing(
    running, operator, start_operator, runai, workloads, orphan
):
    operator.kill()
    assert orphan("train", "--timeout", "0").code == 0
    workloads.patch("train", {"spec": {"deletionPolicy": "Delete"}})
    start_operator()
    item = workloads.wait_condition("train", "Ready", "False", reason="Deleting")

    assert "Paused" in condition(item, "Ready")["message"]
    assert live(runai) == [running]


def test_what_run_ai_was_asked_to_delete_before_is_not_said_to_stay(running, runai, workloads, orphan):
    runai.switch(delete_time=60)
    workloads.delete("train")
    workloads.wait("train", lambda item: item["status"].get("desiredPhase") == "Deleted")
    done = orphan("train")

    assert done.code == 1
    assert done.out.splitlines()[1].split()[:3] == ["train", "failed", "TooLate"]
    assert workloads.find("train") is None


def test_what_the_operator_has_not_seen_goes_at_once(control_plane, namespace, workloads, orphan):
    control_plane.client.apply(workload("train", namespace))
    done = orphan("train")

    assert done.code == 0
    assert "The operator had not seen it: nothing was in Run:ai." in done.out
    assert workloads.find("train") is None


def test_what_a_tool_would_make_again_is_refused_unless_it_is_forced(control_plane, namespace, workloads, orphan):
    item = workload("train", namespace)
    item["metadata"]["labels"] = {"argocd.argoproj.io/instance": "jobs"}
    control_plane.client.apply(item)
    before = workloads.get("train")
    refused = orphan("train")

    assert (refused.code, refused.out) == (1, "")
    assert refused.sentence.startswith("train comes from Argo CD (Application jobs), which would make it again")
    assert workloads.get("train") == before
    assert orphan("train", "--force").code == 0
    assert workloads.find("train") is None


def test_who_may_not_delete_changes_nothing_either(control_plane, namespace, workloads):
    metadata = {"name": "editor", "namespace": namespace}
    subject = {"kind": "ServiceAccount", "name": "editor", "namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "editor"}
    rbac = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": metadata}
    rules = [
        {"apiGroups": ["bridge.run.ai"], "resources": ["runaiworkloads"], "verbs": ["get", "list", "watch", "patch"]}
    ]
    for item in (
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {**rbac, "kind": "Role", "rules": rules},
        {**rbac, "kind": "RoleBinding", "subjects": [subject], "roleRef": role},
        workload("train", namespace),
    ):
        control_plane.client.apply(item)
    before = workloads.get("train")
    done = rwl("orphan", "train", kubeconfig=control_plane.service_account_kubeconfig(namespace, "editor"))

    assert (done.code, done.out) == (3, "")
    assert done.sentence.startswith(f"You are not allowed to delete runaiworkloads in namespace {namespace}.")
    assert workloads.get("train") == before
