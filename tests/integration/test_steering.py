"""`pause`, `resume` and `refresh` as they are typed, on a real API server with the operator and the simulator."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from readers.live import workload
from stack import manifest_of
from stack.workloads import condition
from typed import rwl

RUNS_ON = manifest_of("Deployment")


def edited():
    manifest = manifest_of("Deployment")
    manifest["spec"]["replicas"] = 3
    return manifest


@pytest.fixture
def typed(control_plane, namespace):
    def run(command, *arguments):
        return rwl(command, *arguments, "-n", namespace, kubeconfig=control_plane.kubeconfig)

    return run


def result(done, row=1):
    return done.out.splitlines()[row].split()[:3]


def test_what_is_paused_is_sent_nothing_until_it_is_resumed(operator, runai, workloads, typed):
    workloads.apply("train", manifest=RUNS_ON)
    workloads.wait_condition("train", "Ready", "True", reason="Running")
    assert result(typed("pause", "train")) == ["train", "paused", "Paused"]
    workloads.wait_condition("train", "Ready", "True", reason="Paused")
    workloads.apply("train", manifest=edited())
    workloads.wait_condition("train", "Stalled", "True", reason="Paused")
    assert runai.calls("PUT") == 0

    assert result(typed("resume", "train")) == ["train", "resumed", "Resumed"]
    workloads.wait_condition("train", "Ready", "True", reason="Running")
    assert runai.calls("PUT") == 1


def test_to_pause_or_resume_twice_changes_nothing(control_plane, namespace, typed, workloads):
    control_plane.client.apply(workload("train", namespace))
    typed("pause", "train")
    before = workloads.get("train")
    assert result(typed("pause", "rwl/train")) == ["train", "paused", "Unchanged"]
    assert workloads.get("train") == before
    typed("resume", "train")

    assert result(typed("resume", "train")) == ["train", "resumed", "Unchanged"]
    assert workloads.get("train")["metadata"].get("annotations") is None


def test_neither_flux_nor_the_tool_that_applies_takes_a_pause_away(control_plane, namespace, typed, workloads):
    """Flux undoes what managers have written whose names begin with kubectl; server-side apply leaves others' fields alone."""
    control_plane.client.apply(workload("train", namespace))
    typed("pause", "train")
    control_plane.client.apply(workload("train", namespace, priority="low"))
    [manager] = [
        entry["manager"]
        for entry in workloads.get("train")["metadata"]["managedFields"]
        if "f:bridge.run.ai/paused" in str(entry["fieldsV1"])
    ]

    assert not manager.startswith("kubectl")


def test_whoever_would_pause_it_again_is_named(control_plane, namespace, typed):
    item = workload("train", namespace)
    item["metadata"]["annotations"] = {"bridge.run.ai/paused": "true"}
    item["metadata"]["labels"] = {"argocd.argoproj.io/instance": "jobs"}
    control_plane.client.apply(item)

    assert "Argo CD (Application jobs) had paused it and may do so again" in typed("resume", "train").out


def test_a_refresh_ends_when_the_operator_has_read_run_ai(operator, runai, workloads, typed):
    workloads.apply("train", manifest=RUNS_ON)
    workloads.wait_condition("train", "Ready", "True")
    before = runai.calls("GET")
    done = typed("refresh", "train")

    assert (done.code, result(done)) == (0, ["train", "refreshed", "Refreshed"])
    assert runai.calls("GET") > before
    item = workloads.get("train")
    assert (
        item["status"]["lastHandledReconcileAt"]
        == item["metadata"]["annotations"]["bridge.run.ai/reconcile-requested-at"]
    )
    asked = datetime.fromisoformat(item["status"]["lastHandledReconcileAt"].rpartition("-")[0])
    assert abs((datetime.now(UTC) - asked).total_seconds()) < 120


def test_a_refresh_that_cannot_be_says_what_stands_in_the_way(start_operator, runai, workloads, typed):
    start_operator(OPERATOR_STALE_AFTER="1s")
    workloads.apply("train", manifest=RUNS_ON)
    workloads.wait_condition("train", "Ready", "True")
    runai.fault(kind="status", status=503)
    workloads.wait("train", lambda item: (condition(item, "Synced") or {}).get("status") == "Unknown")
    done = typed("refresh", "train", "--timeout", "2s", "-o", "json")
    [told] = json.loads(done.out)["items"]

    assert (done.code, told["result"]) == (4, "waiting")
    assert told["message"] == condition(workloads.get("train"), "Synced")["message"]


def test_without_an_operator_a_refresh_waits_in_vain_or_not_at_all(control_plane, namespace, typed):
    control_plane.client.apply(workload("train", namespace))

    assert typed("refresh", "train", "--timeout", "1s").code == 4
    assert result(typed("refresh", "train", "--timeout", "0")) == ["train", "refreshed", "Requested"]


@pytest.mark.parametrize("command", ["pause", "resume", "refresh", "orphan"])
def test_one_unknown_name_and_none_of_them_is_touched(command, control_plane, namespace, typed, workloads):
    control_plane.client.apply(workload("train", namespace))
    before = workloads.get("train")
    done = typed(command, "train", "ghost")

    assert (done.code, done.out) == (1, "")
    assert done.sentence == f"There is no runaiworkloads ghost in namespace {namespace}."
    assert workloads.get("train") == before


def test_who_may_only_read_is_told_so(control_plane, namespace):
    metadata = {"name": "reader", "namespace": namespace}
    subject = {"kind": "ServiceAccount", "name": "reader", "namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}
    rbac = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": metadata}
    rules = [{"apiGroups": ["bridge.run.ai"], "resources": ["runaiworkloads"], "verbs": ["get", "list", "watch"]}]
    for item in (
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {**rbac, "kind": "Role", "rules": rules},
        {**rbac, "kind": "RoleBinding", "subjects": [subject], "roleRef": role},
        workload("train", namespace),
    ):
        control_plane.client.apply(item)
    kubeconfig = control_plane.service_account_kubeconfig(namespace, "reader")

    for command in ("pause", "refresh", "orphan"):
        done = rwl(command, "train", kubeconfig=kubeconfig)
        assert (done.code, done.out) == (3, "")
        assert done.sentence.startswith(f"You are not allowed to patch runaiworkloads in namespace {namespace}.")


def test_what_is_refused_for_one_is_told_beside_what_was_done_to_the_other(control_plane, namespace, typed, workloads):
    for name in ("a", "b"):
        control_plane.client.apply(workload(name, namespace))
    rule = {"apiGroups": ["bridge.run.ai"], "resources": ["runaiworkloads"]}
    rules = [rule | {"verbs": ["get", "list"]}, rule | {"verbs": ["patch"], "resourceNames": ["a"]}]
    metadata = {"name": "somebody", "namespace": namespace}
    subject = {"kind": "ServiceAccount", "name": "somebody", "namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "somebody"}
    rbac = "rbac.authorization.k8s.io/v1"
    for item in (
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {"apiVersion": rbac, "kind": "Role", "metadata": metadata, "rules": rules},
        {"apiVersion": rbac, "kind": "RoleBinding", "metadata": metadata, "roleRef": role, "subjects": [subject]},
    ):
        control_plane.client.apply(item)
    kubeconfig = control_plane.service_account_kubeconfig(namespace, "somebody")
    done = rwl("pause", "a", "b", "-n", namespace, kubeconfig=kubeconfig)

    assert done.code == 1
    assert [line.split()[:3] for line in done.out.splitlines()[1:]] == [
        ["a", "paused", "Paused"],
        ["b", "failed", "Refused"],
    ]
    assert "You are not allowed to patch runaiworkloads" in done.out
