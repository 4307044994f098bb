"""The main stories once more, with the built image in a real cluster."""

from __future__ import annotations

import subprocess

import pytest

from stack import manifest_of

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

RUNS_ON = manifest_of("Deployment")


def test_a_life_from_apply_to_delete(workloads, runai):
    workloads.apply("a", manifest=RUNS_ON)
    workloads.wait_condition("a", "Ready", "True", reason="Running")
    edited = manifest_of("Deployment")
    edited["spec"]["replicas"] = 2
    workloads.apply("a", manifest=edited)
    workloads.wait_condition("a", "Ready", "True")
    workloads.delete("a")
    workloads.wait_gone("a")

    assert runai.live() == []
    assert runai.calls("PUT") == 1


def test_the_pod_is_killed_and_there_is_still_one_workload(installed, workloads, runai):
    workloads.apply("b", manifest=RUNS_ON)
    installed.kubectl("delete", "pods", "--namespace", "runai-operator", "--all", "--grace-period=0", "--force")
    workloads.wait_condition("b", "Ready", "True")

    assert len(runai.live()) == 1

    workloads.delete("b")
    workloads.wait_gone("b")


def test_a_namespace_can_be_deleted_with_its_workloads(installed, workloads, runai):
    installed.kubectl("create", "namespace", "short-lived")
    item = workloads.apply("c", manifest=RUNS_ON)
    item["metadata"] = {"name": "c", "namespace": "short-lived"}
    workloads.client.apply({key: item[key] for key in ("apiVersion", "kind", "metadata", "spec")})
    installed.kubectl("wait", "runaiworkload/c", "--namespace", "short-lived", "--for=condition=Ready", "--timeout=60s")
    installed.kubectl("delete", "namespace", "short-lived", "--timeout=120s")
    workloads.delete("c")
    workloads.wait_gone("c")

    assert runai.live() == []


def test_helms_own_test_passes(way, installed):
    if way != "helm":
        pytest.skip("installed with kubectl")
    done = subprocess.run(
        ["helm", "test", "runai-operator", "--namespace=runai-operator", f"--kubeconfig={installed.kubeconfig_path}"],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_is_logged_that_should_not_be(installed):
    log = installed.kubectl("logs", "deployment/runai-operator", "--namespace", "runai-operator")

    assert "not-a-secret-of-anyone" not in log
    assert "Traceback" not in log
