"""What admins do with Helm, with the built image on a real kubelet."""

from __future__ import annotations

import datetime as dt
import json
import re
import time
from pathlib import Path

import pytest

from node.cluster import FIGURES
from node.installing import INSTALL
from stack import manifest_of

pytestmark = [pytest.mark.node, pytest.mark.timeout(900)]

RUNS_ON = manifest_of("Deployment")
NEEDS_PODS = re.compile(r"<!-- needs running pods -->\n```sh\n(.*?)```", re.DOTALL)
UPGRADE = """helm upgrade runai-operator deploy/helm/runai-operator --namespace runai-operator --reset-then-reuse-values \
  --wait --timeout 120s """


def test_it_is_ready_and_says_how_soon(cluster, operator):
    pod = cluster.pod()
    status = pod["status"]
    started = status["containerStatuses"][0]["state"]["running"]["startedAt"]
    (ready,) = [one["lastTransitionTime"] for one in status["conditions"] if one["type"] == "Ready"]
    taken = dt.datetime.fromisoformat(ready) - dt.datetime.fromisoformat(started)
    FIGURES.append(f"start of the container to ready: {taken.total_seconds():.0f} s, in whole seconds")

    assert status["containerStatuses"][0]["restartCount"] == 0
    assert status["qosClass"] == "Burstable"


@pytest.mark.parametrize("page", ["install.md", "deletion.md"])
def test_the_commands_that_the_pages_say_need_pods_work(cluster, operator, page):
    blocks = NEEDS_PODS.findall((Path(__file__).parents[2] / "docs" / page).read_text())

    assert blocks
    for commands in blocks:
        print(cluster.sh(commands))


def test_a_life_from_apply_to_delete(cluster, operator, workloads, runai):
    before = runai.calls("PUT")
    workloads.apply("a", manifest=RUNS_ON)
    workloads.wait_condition("a", "Ready", "True", reason="Running")
    edited = manifest_of("Deployment")
    edited["spec"]["replicas"] = 2
    workloads.apply("a", manifest=edited)
    workloads.wait_condition("a", "Ready", "True")
    workloads.delete("a")
    workloads.wait_gone("a")

    assert runai.live() == []
    assert runai.calls("PUT") == before + 1


def test_a_namespace_can_be_deleted_with_its_workloads(cluster, operator, workloads, runai):
    cluster.sh("kubectl create namespace short-lived")
    other = type(workloads)(cluster.client, "short-lived")
    other.apply("c", manifest=RUNS_ON)
    other.wait_condition("c", "Ready", "True")
    cluster.sh("kubectl delete namespace short-lived --timeout=120s")

    assert runai.live() == []


def test_a_new_rollout_leaves_one_workload_and_takes_seconds(cluster, operator, workloads, runai):
    workloads.apply("b", manifest=RUNS_ON)
    workloads.wait_condition("b", "Ready", "True")
    creates = runai.effective_creates()
    before, started = cluster.pod(), time.monotonic()
    cluster.sh("kubectl delete pod --namespace runai-operator --wait " + before["metadata"]["name"])
    ended = time.monotonic() - started
    cluster.sh("kubectl rollout status deployment/runai-operator --namespace runai-operator --timeout 120s")
    FIGURES.append(
        f"SIGTERM to the end of the pod: {ended:.1f} s; to another that is ready: {time.monotonic() - started:.1f} s"
    )
    workloads.delete("b")
    workloads.wait_gone("b")

    assert ended < 10, "the grace period passed: it does not heed SIGTERM"
    assert runai.effective_creates() == creates
    assert runai.live() == []


def test_an_upgrade_and_its_rollback_leave_the_workloads_alone(cluster, operator, workloads, runai):
    workloads.apply("d", manifest=RUNS_ON)
    workloads.wait_condition("d", "Ready", "True")
    creates, updates = runai.effective_creates(), runai.calls("PUT")
    cluster.sh(UPGRADE + "--set operator.logLevel=debug")
    upgraded = cluster.pod()
    cluster.sh("helm rollback runai-operator --namespace runai-operator --wait --timeout 120s")
    back = cluster.pod()
    workloads.delete("d")
    workloads.wait_gone("d")

    assert environment(upgraded)["OPERATOR_LOG_LEVEL"] == "debug"
    assert environment(back)["OPERATOR_LOG_LEVEL"] == "info"
    assert (runai.effective_creates(), runai.calls("PUT")) == (creates, updates)


def test_a_uid_that_the_cluster_chooses_will_do(cluster, operator):
    """As OpenShift does: a number out of the namespace's range, and a group of its own."""
    uid = 1000690000
    cluster.sh(UPGRADE + "".join(f" --set podSecurityContext.{name}={uid}" for name in ("runAsUser", "fsGroup")))
    shown = "import os; print(os.getuid(), os.access('/app', os.W_OK))"
    told = cluster.sh(f'kubectl exec --namespace runai-operator deployment/runai-operator -- python -c "{shown}"')
    cluster.sh("helm rollback runai-operator --namespace runai-operator --wait --timeout 120s")

    assert told.split() == [str(uid), "False"]


def test_the_guard_keeps_an_operator_with_workloads_from_being_uninstalled(cluster, operator, workloads, runai):
    uninstall = "helm uninstall runai-operator --namespace runai-operator --wait --timeout 120s"
    cluster.sh(UPGRADE + "--set uninstallGuard.enabled=true")
    pod = cluster.pod()["metadata"]["uid"]
    workloads.apply("guarded", manifest=RUNS_ON)
    workloads.wait_condition("guarded", "Ready", "True")
    refused = cluster.sh(f"{uninstall} && echo it is gone", check=False)
    workloads.delete("guarded")
    workloads.wait_gone("guarded")
    revisions = json.loads(cluster.sh("helm history runai-operator --namespace runai-operator --output json"))

    assert "default/guarded" in refused
    assert "it is gone" not in refused
    assert cluster.pod()["metadata"]["uid"] == pod
    last = revisions[-1]["revision"]
    cluster.sh(f"helm rollback runai-operator {last} --namespace runai-operator --wait --timeout 120s")
    cluster.sh(uninstall)
    cluster.sh(INSTALL)
    assert runai.live() == []


def test_what_is_uninstalled_with_workloads_left_takes_them_up_again(cluster, operator, workloads, runai):
    workloads.apply("e", manifest=RUNS_ON)
    workloads.wait_condition("e", "Ready", "True")
    creates = runai.effective_creates()
    cluster.sh("helm uninstall runai-operator --namespace runai-operator --wait")
    workloads.delete("e")
    left = workloads.find("e")
    cluster.sh(INSTALL)
    workloads.wait_gone("e")

    assert left is not None, "without an operator its finalizer holds the object"
    assert runai.effective_creates() == creates
    assert runai.live() == []


def test_no_secret_and_no_traceback_is_logged(cluster, operator):
    log = cluster.sh("kubectl logs deployment/runai-operator --namespace runai-operator")

    assert log
    assert "not-a-secret-of-anyone" not in log
    assert "Traceback" not in log


def environment(pod):
    return {entry["name"]: entry.get("value") for entry in pod["spec"]["containers"][0]["env"]}
