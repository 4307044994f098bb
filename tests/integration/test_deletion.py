"""Deletions on a real API server: they end, they never leak unrecorded, and an accident can be stopped."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from stack import Operator, Workloads, manifest_of
from stack.processes import CLIENT_SECRET
from stack.workloads import condition

RUNS_ON = manifest_of("Deployment")
CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/runaiworkloads.bridge.run.ai"
RECORD = "runai-operator-orphans"
PAGE = (Path(__file__).parents[2] / "docs" / "deletion.md").read_text()
TO_ORPHAN, TO_CONFIRM, TO_LIST = [shlex.split(block) for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)]
"""The page's commands: two are run as they stand, the third without a pod."""


def run_some(workloads, count: int) -> list[str]:
    names = [f"w{number}" for number in range(count)]
    for name in names:
        workloads.apply(name, manifest=RUNS_ON)
    for name in names:
        workloads.wait_condition(name, "Ready", "True")
    return names


def orphans(operator: Operator, *arguments: str, code: int = 0) -> str:
    """What `runai-operator orphans` prints, with the settings of the operator."""
    assert TO_LIST[-2:] == ["runai-operator", "orphans"]
    command = [sys.executable, "-m", "runai_operator", "orphans", *arguments]
    done = subprocess.run(command, env=operator.environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout


def test_an_accident_is_slowed_down_says_so_and_can_be_stopped(start_operator, workloads, runai):
    operator = start_operator(OPERATOR_DELETE_RATE="2")
    names = run_some(workloads, 5)
    for name in names:
        workloads.delete(name)
    operator.wait_until("two deletions", lambda: len(workloads.all()) == 3)
    slowed = [
        workloads.wait(item["metadata"]["name"], lambda found: message(found).startswith("Rate-limited"))
        for item in workloads.all()
    ]

    assert {condition(item, "Ready")["reason"] for item in slowed} == {"Deleting"}
    assert {condition(item, "Reconciling")["status"] for item in slowed} == {"True"}
    assert len(runai.live()) == 3
    operator.wait_until("the metric", lambda: operator.metric("runai_operator_deletions_rate_limited") == 3)

    for item in slowed:
        workloads.patch(item["metadata"]["name"], {"spec": {"deletionPolicy": "Orphan"}})
    operator.wait_until("all released", lambda: not workloads.all())

    assert len(runai.live()) == 3, "those that were stopped in time stay in Run:ai"


def test_deleting_the_crd_deletes_no_workload_until_it_is_confirmed(fresh_control_plane, runai, tmp_path):
    plane = fresh_control_plane()
    plane.install_crds()
    workloads = Workloads(plane.client, "default")
    with Operator(tmp_path, plane.kubeconfig, runai.url) as operator:
        operator.wait_ready()
        run_some(workloads, 4)
        plane.client.delete(CRD)
        for name in ("w0", "w3"):
            workloads.wait(name, lambda found: "bridge.run.ai/confirm-delete=true" in message(found))

        assert runai.calls("DELETE") == 0
        assert len(runai.live()) == 4

        plane.kubectl(*["w0" if word == "NAME" else word for word in TO_ORPHAN[1:]])
        workloads.wait_gone("w0")
        plane.kubectl(*TO_CONFIRM[1:])
        plane.client.wait_gone(CRD)

        assert [entry["owner"]["name"] for entry in runai.live()] == ["w0"]
        assert operator.alive


def test_a_run_ai_that_cannot_be_used_holds_a_deletion_only_so_long_and_the_orphan_can_be_cleaned_up(
    start_operator, control_plane, workloads, namespace, runai
):
    operator = start_operator(OPERATOR_RELEASE_AFTER="2s", OPERATOR_RECORDS_NAMESPACE=namespace)
    run_some(workloads, 2)
    runai.fault(kind="status", status=503)
    workloads.delete("w0")
    workloads.wait_gone("w0")

    record = control_plane.client.get(f"/api/v1/namespaces/{namespace}/configmaps/{RECORD}")["data"]
    [entry] = [json.loads(text) for text in record.values()]
    left = next(found for found in runai.live() if found["owner"]["name"] == "w0")
    assert (entry["name"], entry["workloadId"], entry["reason"]) == ("w0", left["id"], "RunaiUnavailable")
    assert operator.metric("runai_operator_orphaned_total") == 1

    listed = orphans(operator)
    assert f"{namespace}/w0" in listed
    assert left["id"] in listed
    assert "kept: Run:ai" in orphans(operator, "--delete", code=1)

    runai.heal()

    assert "deletion requested" in orphans(operator, "--delete")
    operator.wait_until("gone", lambda: len(runai.live()) == 1)
    assert "taken out of the record" in orphans(operator, "--delete")
    assert orphans(operator) == "no orphans on record\n"
    assert [found["owner"]["name"] for found in runai.live()] == ["w1"]


@pytest.mark.parametrize("others", [[], ["example.com/other"]], ids=["ours alone", "beside another's"])
def test_a_finalizer_taken_off_by_hand_during_an_outage_leaves_the_workload_on_record(
    start_operator, control_plane, workloads, namespace, runai, others
):
    operator = start_operator(OPERATOR_RECORDS_NAMESPACE=namespace)
    run_some(workloads, 1)
    finalizers = workloads.get("w0")["metadata"]["finalizers"]
    workloads.patch("w0", {"metadata": {"finalizers": [*finalizers, *others]}})
    runai.fault(kind="status", status=503)
    workloads.delete("w0")
    workloads.wait_condition("w0", "Ready", "False", reason="Deleting")
    control_plane.kubectl(
        "patch", "runaiworkload", "w0", f"--namespace={namespace}", "--type=merge",
        "--patch", json.dumps({"metadata": {"finalizers": others}}),
    )  # fmt: skip
    [left] = runai.live()
    listed = operator.wait_until("the record", lambda: left["id"] in orphans(operator) and orphans(operator))

    assert "FinalizerRemoved" in listed
    assert "runai-operator orphans" in operator.output()
    if others:
        workloads.patch("w0", {"metadata": {"finalizers": None}})
    workloads.wait_gone("w0")
    runai.heal()
    assert "deletion requested" in orphans(operator, "--delete")


def test_an_orphan_can_be_forgotten_without_a_word_to_run_ai(start_operator, workloads, namespace, runai):
    operator = start_operator(OPERATOR_RELEASE_AFTER="1s", OPERATOR_RECORDS_NAMESPACE=namespace)
    run_some(workloads, 1)
    uid = workloads.get("w0")["metadata"]["uid"]
    runai.fault(kind="status", status=503)
    workloads.delete("w0")
    workloads.wait_gone("w0")

    assert orphans(operator, "--forget", uid) == "no orphans on record\n"
    assert len(runai.live()) == 1


def test_what_comes_back_under_the_name_of_an_orphan_takes_it_over_and_cleaning_leaves_it_alone(
    start_operator, workloads, namespace, runai
):
    operator = start_operator(OPERATOR_RELEASE_AFTER="1s", OPERATOR_RECORDS_NAMESPACE=namespace)
    run_some(workloads, 1)
    runai.fault(kind="status", status=503)
    workloads.delete("w0")
    workloads.wait_gone("w0")
    runai.heal()
    run_some(workloads, 1)

    assert "another owner" in orphans(operator, "--delete")
    assert len(runai.live()) == 1
    assert runai.effective_creates() == 1


def test_where_the_record_cannot_be_written_the_object_stays(start_operator, workloads, runai):
    operator = start_operator(OPERATOR_RELEASE_AFTER="1s", OPERATOR_RECORDS_NAMESPACE="no-such-namespace")
    run_some(workloads, 1)
    runai.fault(kind="status", status=503)
    workloads.delete("w0")
    operator.wait_until("said", lambda: "no-such-namespace" in operator.output())

    assert workloads.find("w0") is not None

    runai.heal()
    workloads.wait_gone("w0")

    assert runai.live() == []


def test_a_forbidden_deletion_is_kept_and_says_why(start_operator, workloads, runai):
    operator = start_operator(OPERATOR_RELEASE_AFTER="1s")
    run_some(workloads, 1)
    runai.fault(kind="status", status=403, method="DELETE", path="/api/v2/workloads", count=1)
    workloads.delete("w0")
    item = workloads.wait("w0", lambda found: "permission" in message(found))

    assert condition(item, "Ready")["reason"] == "Deleting"

    workloads.wait_gone("w0")

    assert runai.live() == [], "its finalizer stayed until the deletion was allowed"
    assert operator.metric("runai_operator_orphaned_total") == 0


def test_a_secret_that_is_gone_already_does_not_stop_a_deletion(start_operator, workloads, runai, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(CLIENT_SECRET)
    start_operator(RUNAI_CLIENT_SECRET="", RUNAI_CLIENT_SECRET_FILE=str(secret))
    run_some(workloads, 1)
    secret.unlink()
    runai.admin("DELETE", "tokens")
    workloads.delete("w0")
    workloads.wait_gone("w0")

    assert runai.live() == []


@pytest.mark.parametrize("running", [True, False], ids=["beside the operator", "while the operator is down"])
def test_a_namespace_that_is_deleted_is_an_ordinary_deletion(fresh_control_plane, runai, tmp_path, running):
    plane = fresh_control_plane()
    plane.install_crds()
    plane.start_controller_manager()
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}
    plane.client.apply(namespace)
    workloads = Workloads(plane.client, "team")
    with Operator(tmp_path, plane.kubeconfig, runai.url) as operator:
        operator.wait_ready()
        run_some(workloads, 3)
        if not running:
            operator.kill()
        plane.client.delete("/api/v1/namespaces/team")
        if not running:
            operator.start().wait_ready()
        plane.client.wait_gone("/api/v1/namespaces/team")

    assert runai.live() == []
    assert runai.effective_creates() == 3


def message(item) -> str:
    return (condition(item, "Ready") or {}).get("message", "")
