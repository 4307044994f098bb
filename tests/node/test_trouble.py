"""What happens to a node, its pods and what is mounted into them, and what the operator makes of it."""

from __future__ import annotations

import base64
import time

import pytest

from controlplane.client import Object
from node.cluster import FIGURES, until
from node.machine import NAME
from stack import manifest_of

pytestmark = [pytest.mark.node, pytest.mark.timeout(900)]

RUNS_ON = manifest_of("Deployment")
SECRET = "/api/v1/namespaces/runai-operator/secrets/runai-credentials"
RESTART = "kubectl rollout status deployment/runai-operator --namespace runai-operator --timeout 180s"
UPGRADE = (
    """helm upgrade runai-operator deploy/helm/runai-operator --namespace runai-operator --reset-then-reuse-values """
)
SHOW = """kubectl exec --namespace runai-operator deployment/runai-operator -- \
  python -c "print(open('/var/run/secrets/runai/clientSecret').read(), end='')" """
BURST = 100


def rotate(cluster, secret: str) -> None:
    cluster.client.merge_patch(SECRET, {"data": {"clientSecret": base64.b64encode(secret.encode()).decode()}})


def restarts(pod: Object) -> int:
    return sum(status["restartCount"] for status in pod["status"].get("containerStatuses", ()))


def served(workloads, name: str) -> None:
    """A workload comes and goes, so that the operator works."""
    workloads.apply(name, manifest=RUNS_ON)
    workloads.wait_condition(name, "Ready", "True")
    workloads.delete(name)
    workloads.wait_gone(name)


def test_a_rotated_secret_is_read_without_a_restart(cluster, operator, workloads, runai):
    before = cluster.pod()
    rotate(cluster, "wrong")
    until("new file", lambda: cluster.sh(SHOW) == "wrong")
    runai.admin("DELETE", "tokens")  # or the old token would do for as long as it lives
    workloads.apply("a", manifest=RUNS_ON)
    workloads.wait("a", lambda item: "AccessDenied" in str(item.get("status")))
    rotate(cluster, "the-next-one")
    started = time.monotonic()
    workloads.wait("a", lambda item: item["status"].get("ready") == "True", timeout=180)
    FIGURES.append(f"the corrected Secret was in use after {time.monotonic() - started:.0f} s")
    workloads.delete("a")
    workloads.wait_gone("a")

    after = cluster.pod()
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert restarts(after) == restarts(before)


def test_a_drain_needs_the_flag_of_the_pages_and_the_pod_comes_back(cluster, operator, workloads):
    (node,) = cluster.client.list_all("/api/v1/nodes")
    name = node["metadata"]["name"]
    drain = (
        f"kubectl drain {name} --ignore-daemonsets --timeout 60s --pod-selector app.kubernetes.io/name=runai-operator"
    )
    refused = cluster.sh(drain, check=False)
    cluster.sh(f"{drain} --delete-emptydir-data")
    (waiting,) = until("pod that waits", lambda: [pod for pod in cluster.pods() if pod["status"]["phase"] == "Pending"])
    cluster.sh(f"kubectl uncordon {name}")
    cluster.sh(RESTART)
    served(workloads, "drained")

    assert "--delete-emptydir-data" in refused
    assert waiting["metadata"]["name"] == cluster.pod()["metadata"]["name"]


def test_an_evicted_pod_is_replaced(cluster, operator, workloads):
    pod = cluster.pod()["metadata"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod["name"]}}
    cluster.client.request("POST", f"/api/v1/namespaces/{pod['namespace']}/pods/{pod['name']}/eviction", body=eviction)
    until("another pod", lambda: cluster.pod()["metadata"]["uid"] != pod["uid"])
    served(workloads, "evicted")


def test_killed_in_the_middle_of_a_burst_it_makes_every_workload_once(cluster, node, operator, workloads, runai):
    creates = runai.effective_creates()
    for number in range(BURST):
        workloads.apply(f"burst-{number}", manifest=RUNS_ON)
        if number in (BURST // 4, BURST // 2):
            node.kill("/app/bin/runai-operator run")
    until("end of the burst", lambda: all(item.get("status", {}).get("ready") == "True" for item in workloads.all()))
    made = runai.effective_creates() - creates
    names = [entry["name"] for entry in runai.live()]
    cluster.sh("kubectl delete runaiworkloads --all --timeout 240s")

    assert restarts(cluster.pod()) >= 1
    assert made == BURST
    assert len(set(names)) == len(names) == BURST
    assert runai.live() == []


def test_while_the_api_server_is_frozen_the_pod_is_not_restarted(cluster, node, operator, workloads, runai):
    before = cluster.pod()
    workloads.apply("frozen", manifest=RUNS_ON)
    workloads.wait_condition("frozen", "Ready", "True")
    creates = runai.effective_creates()
    node.freeze_apiserver(100)
    edited = manifest_of("Deployment")
    edited["spec"]["replicas"] = 3
    workloads.apply("frozen", manifest=edited)
    started = time.monotonic()
    workloads.wait_condition("frozen", "Synced", "True")
    FIGURES.append(f"an edit after the freeze was delivered within {time.monotonic() - started:.0f} s")
    after = cluster.pod()
    workloads.delete("frozen")
    workloads.wait_gone("frozen")

    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert restarts(after) == restarts(before)
    assert runai.effective_creates() == creates


def test_a_node_that_loses_its_power_runs_it_again(cluster, node, operator, workloads):
    """The simulator loses its memory, so no workload is under way."""
    before = cluster.pod()
    node.crash()
    node.boot()
    started = time.monotonic()
    until("restart of the pod", lambda: restarts(cluster.pod()) > restarts(before))
    cluster.sh(RESTART)
    cluster.sh("kubectl rollout status deployment/runai-simulator --namespace runai-simulator --timeout 120s")
    FIGURES.append(f"ready {time.monotonic() - started:.0f} s after the node was")
    served(workloads, "rebooted")

    assert cluster.pod()["spec"]["nodeName"] == NAME


def test_with_too_little_memory_it_is_killed_and_says_so_and_comes_back_with_enough(
    cluster, operator, workloads, runai
):
    workloads.apply("tight", manifest=RUNS_ON)
    workloads.wait_condition("tight", "Ready", "True")
    creates = runai.effective_creates()
    cluster.sh(UPGRADE + "--set resources.requests.memory=32Mi --set resources.limits.memory=32Mi")
    until("kill for memory", lambda: any("OOMKilled" in ends(pod) for pod in cluster.pods()))
    cluster.sh(
        UPGRADE + "--set resources.requests.memory=128Mi --set resources.limits.memory=512Mi --wait --timeout 120s"
    )
    workloads.delete("tight")
    workloads.wait_gone("tight")

    assert runai.effective_creates() == creates
    assert runai.live() == []


def test_with_a_tenth_of_a_core_it_starts_in_time(cluster, operator, workloads):
    started = time.monotonic()
    cluster.sh(UPGRADE + "--set resources.limits.cpu=100m --wait --timeout 180s")
    pod = cluster.pod()
    FIGURES.append(f"ready {time.monotonic() - started:.0f} s after the upgrade with a tenth of a core")
    served(workloads, "slow")
    cluster.sh(UPGRADE + "--set resources.limits.cpu=null --wait --timeout 120s")

    assert restarts(pod) == 0


def ends(pod: Object) -> list[str]:
    """How the pod's container ended, now or before."""
    found = pod["status"].get("containerStatuses", ())
    states = [status.get(key, {}) for status in found for key in ("lastState", "state")]
    return [state["terminated"]["reason"] for state in states if "terminated" in state]
