"""The user's stories, on a real API server, with the operator and the simulator as real processes."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable

import pytest

from controlplane import Client, ControlPlane
from controlplane.client import FIELD_MANAGER
from stack import Feed, Operator, Workloads, manifest_of, workload
from stack.workloads import condition


def edited(backoff_limit: int = 3):
    manifest = manifest_of("Deployment")
    manifest["spec"]["replicas"] = backoff_limit
    return manifest


RUNS_ON = manifest_of("Deployment")
"""A kind that never completes."""


def test_apply_and_the_id_and_the_status_appear(operator, runai, workloads):
    workloads.apply("a", manifest=RUNS_ON)
    workload_id = workloads.wait_id("a")
    item = workloads.wait_condition("a", "Ready", "True", reason="Running")

    status = item["status"]
    assert [entry["id"] for entry in runai.live()] == [workload_id]
    assert status["phase"] == "Running"
    assert status["syncStatus"] == "Synced"
    assert status["projectName"] == "team-a"
    assert status["gvk"] == {"group": "apps", "version": "v1", "kind": "Deployment"}
    assert condition(item, "Reconciling") is None
    assert condition(item, "Stalled") is None


def test_a_job_runs_to_completion_and_stays_completed(operator, runai, workloads):
    workloads.apply("a")
    item = workloads.wait_condition("a", "Completed", "True")

    assert condition(item, "Ready")["reason"] == "Completed"

    runai.purge(item["status"]["workloadId"])
    workloads.annotate("a", "reconcile-requested-at", "now")
    item = workloads.wait("a", lambda found: found["status"].get("lastHandledReconcileAt") == "now")

    assert condition(item, "Ready")["reason"] == "Completed"
    assert runai.effective_creates() == 1


def test_an_edited_manifest_is_put_exactly_once(operator, runai, workloads):
    workloads.apply("a", manifest=RUNS_ON)
    workloads.wait_condition("a", "Ready", "True")
    workloads.apply("a", manifest=edited())
    workloads.wait_condition("a", "Ready", "True")

    assert runai.calls("PUT") == 1
    assert runai.manifest(workloads.get("a")["status"]["workloadId"])["spec"]["replicas"] == 3


def test_edited_labels_cause_no_call(operator, runai, workloads):
    workloads.apply("a", manifest=RUNS_ON)
    workloads.wait_condition("a", "Ready", "True")
    before = runai.calls("PUT"), runai.calls("POST"), runai.calls("DELETE")
    workloads.patch("a", {"metadata": {"labels": {"team": "blue"}}})
    workloads.annotate("a", "reconcile-requested-at", "after-the-label")
    workloads.wait("a", lambda item: item["status"].get("lastHandledReconcileAt") == "after-the-label")

    assert (runai.calls("PUT"), runai.calls("POST"), runai.calls("DELETE")) == before


def test_delete_removes_the_workload_first_and_then_the_object(operator, runai, workloads):
    workloads.apply("a", manifest=RUNS_ON)
    workloads.wait_condition("a", "Ready", "True")
    runai.fault(kind="latency", method="DELETE", seconds=3, count=1)
    workloads.delete("a")
    seen_while_live = []
    while workloads.find("a") is not None:
        seen_while_live.append(len(runai.live()))
    workloads.wait_gone("a")

    assert runai.live() == []
    assert 1 in seen_while_live
    assert runai.calls("DELETE") == 1


def test_orphan_leaves_the_workload_in_runai(operator, runai, workloads):
    workloads.apply("a", manifest=RUNS_ON, deletionPolicy="Orphan")
    workload_id = workloads.wait_id("a")
    workloads.delete("a")
    workloads.wait_gone("a")

    assert [entry["id"] for entry in runai.live()] == [workload_id]
    assert runai.calls("DELETE") == 0


def test_replace_makes_no_second_workload(operator, runai, workloads, control_plane: ControlPlane, namespace):
    workloads.apply("a", manifest=RUNS_ON)
    workloads.wait_condition("a", "Ready", "True")
    before = workloads.get("a")
    replaced = workload("a", namespace, manifest=RUNS_ON)
    control_plane.kubectl("replace", "-f", "-", input=json.dumps(replaced))
    item = workloads.wait("a", lambda found: found["metadata"].get("finalizers"), what="no finalizer again")

    assert item["status"]["workloadId"] == before["status"]["workloadId"]
    assert runai.effective_creates() == 1

    workloads.delete("a")
    workloads.wait_gone("a")

    assert runai.live() == []


def test_forced_replacement_under_a_new_uid_leaves_one_workload(
    operator, runai, workloads, control_plane: ControlPlane, namespace
):
    workloads.apply("a", manifest=RUNS_ON)
    workloads.wait_condition("a", "Ready", "True")
    before = workloads.get("a")["metadata"]["uid"]
    replaced = workload("a", namespace, manifest=RUNS_ON)
    control_plane.kubectl("replace", "--force", "-f", "-", input=json.dumps(replaced))
    workloads.wait("a", lambda found: found["metadata"]["uid"] != before)
    workloads.wait_condition("a", "Ready", "True")

    assert len(runai.live()) == 1


@pytest.mark.parametrize(
    "reached",
    [
        pytest.param(lambda w: w.wait("a", lambda item: item["metadata"].get("finalizers")), id="after the finalizer"),
        pytest.param(lambda w: w.wait_id("a"), id="after the id"),
        pytest.param(lambda w: w.wait_condition("a", "Synced", "True"), id="after the sync"),
        pytest.param(lambda w: w.wait_condition("a", "Ready", "True"), id="when it runs"),
    ],
)
def test_killed_and_started_again_there_is_still_one(
    reached: Callable[[Workloads], object], start_operator, runai, workloads
):
    first = start_operator()
    workloads.apply("a", manifest=RUNS_ON)
    reached(workloads)
    first.kill()
    start_operator()
    workloads.wait_condition("a", "Ready", "True")

    assert runai.effective_creates() == 1
    assert runai.calls("PUT") <= 1


def test_killed_after_an_edit_it_arrives_once(start_operator, runai, workloads):
    first = start_operator()
    workloads.apply("a", manifest=RUNS_ON)
    workloads.wait_condition("a", "Ready", "True")
    workloads.apply("a", manifest=edited())
    first.kill()
    start_operator()
    item = workloads.wait_condition("a", "Ready", "True")

    assert runai.effective_creates() == 1
    assert runai.calls("PUT") in (1, 2), "again where the kill came between the PUT and its record"
    assert runai.manifest(item["status"]["workloadId"])["spec"]["replicas"] == 3


def test_killed_while_deleting_it_finishes_after_the_restart(start_operator, runai, workloads):
    first = start_operator()
    workloads.apply("a", manifest=RUNS_ON)
    workloads.wait_condition("a", "Ready", "True")
    workloads.delete("a")
    first.kill()
    start_operator()
    workloads.wait_gone("a")

    assert runai.live() == []


def test_the_spec_is_the_same_to_the_byte_through_the_whole_life(
    operator, runai, workloads, control_plane: ControlPlane
):
    """And no annotation is added."""

    def written_by_the_user() -> tuple[str, object]:
        text = control_plane.client.text(workloads.path("a"))
        spec = text[text.index('"spec":') : text.rindex(',"status":{')]
        return spec, json.loads(text)["metadata"].get("annotations")

    manifest = manifest_of("Job", odd="  spaces, ünïcode, 1.0, \t tabs ")
    manifest["spec"]["number"] = 1.50
    workloads.apply("a", manifest=manifest)
    before = written_by_the_user()
    workloads.wait_condition("a", "Completed", "True")

    assert written_by_the_user() == before

    runai.fault(kind="status", method="DELETE")
    workloads.delete("a")
    workloads.wait_condition("a", "Ready", "False", reason="Deleting")

    assert written_by_the_user() == before

    runai.heal()
    workloads.wait_gone("a")


def test_text_and_sources_are_submitted_like_objects(
    operator, runai, workloads, control_plane: ControlPlane, namespace
):
    text = json.dumps(RUNS_ON)
    client: Client = control_plane.client
    client.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "source", "namespace": namespace},
            "data": {"job.yaml": text},
        }
    )
    workloads.apply("text", manifestYaml=text)
    workloads.apply("from", manifestFrom={"configMapKeyRef": {"name": "source", "key": "job.yaml"}})
    workloads.wait_condition("text", "Ready", "True")
    workloads.wait_condition("from", "Ready", "True")

    assert {entry["name"] for entry in runai.live()} == {"text", "from"}


def test_paused_holds_an_edit_until_resumed(operator, runai, workloads):
    workloads.apply("a", manifest=RUNS_ON)
    workloads.wait_condition("a", "Ready", "True")
    workloads.annotate("a", "paused", "true")
    workloads.wait_condition("a", "Ready", "True", reason="Paused")
    workloads.apply("a", manifest=edited())
    workloads.wait_condition("a", "Stalled", "True", reason="Paused")

    assert runai.calls("PUT") == 0

    workloads.annotate("a", "paused", None)
    workloads.wait_condition("a", "Ready", "True", reason="Running")

    assert runai.calls("PUT") == 1


def test_observing_never_writes_and_leaves_everything_behind(operator, runai, workloads):
    workloads.apply("owner", manifest=RUNS_ON)
    workload_id = workloads.wait_id("owner")
    workloads.wait_condition("owner", "Ready", "True")
    writes = runai.calls("POST"), runai.calls("PUT"), runai.calls("DELETE")
    workloads.apply("observer", projectId="1", managementPolicy="Observe", workloadId=workload_id)
    item = workloads.wait_condition("observer", "Ready", "True", reason="Running")

    assert "finalizers" not in item["metadata"]

    workloads.delete("observer")
    workloads.wait_gone("observer")

    assert (runai.calls("POST"), runai.calls("PUT"), runai.calls("DELETE")) == writes
    assert len(runai.live()) == 1


def test_an_orphan_is_adopted_by_its_id(operator, runai, workloads):
    workloads.apply("first", name="shared", manifest=RUNS_ON, deletionPolicy="Orphan")
    workload_id = workloads.wait_id("first")
    workloads.wait_condition("first", "Ready", "True")
    workloads.delete("first")
    workloads.wait_gone("first")
    workloads.apply("first", name="shared", manifest=RUNS_ON, workloadId=workload_id)
    workloads.wait_condition("first", "Ready", "True")

    assert runai.effective_creates() == 1
    assert workloads.get("first")["status"]["workloadId"] == workload_id

    workloads.delete("first")
    workloads.wait_gone("first")

    assert runai.live() == []


def test_writes_of_one_life_are_five_and_one_for_each_change_shown(
    operator: Operator, workloads, control_plane: ControlPlane, namespace, tmp_path
):
    with Feed(tmp_path, control_plane, namespace) as feed:
        workloads.apply("a", manifest=RUNS_ON)
        workloads.wait_condition("a", "Ready", "True")
        workloads.apply("a", manifest=edited())
        workloads.wait_condition("a", "Ready", "True")
        workloads.delete("a")
        workloads.wait_gone("a")
        shown = [(change["sync"], change["phase"]) for change in feed.changes()]
    changes = sum(before != after for before, after in itertools.pairwise(shown))
    writes = writes_below(control_plane, workloads.path("a"))

    assert changes
    assert len(writes) <= 5 + changes, shown
    assert {agent.partition("/")[0] for agent in writes} == {"runai-operator"}


def test_nothing_is_written_while_nothing_changes(operator: Operator, workloads, control_plane: ControlPlane):
    workloads.apply("a", manifest=RUNS_ON)
    workloads.wait_condition("a", "Ready", "True")
    polls = operator.metric("runai_operator_polls_total")
    operator.wait_until("quiet", lambda: operator.metric("runai_operator_polls_total") > polls + 4)
    before = writes_below(control_plane, workloads.path("a"))
    operator.wait_until("more polls", lambda: operator.metric("runai_operator_polls_total") > polls + 8)

    assert writes_below(control_plane, workloads.path("a")) == before


def writes_below(control_plane: ControlPlane, path: str) -> list[str]:
    """The user agent of each write that took effect on the object and was not the test's own."""
    return [
        event["userAgent"]
        for event in control_plane.audit_events(path)
        if event["stage"] == "ResponseComplete"
        and event["verb"] not in ("get", "list", "watch")
        and event["requestURI"].startswith(path)
        and event["responseStatus"]["code"] < 400
        and event["userAgent"] != FIELD_MANAGER
    ]


def test_kopf_writes_nothing_and_only_watches(operator, workloads, control_plane: ControlPlane):
    """By its user agent, which has a test of its own."""
    workloads.apply("a")
    workloads.wait_condition("a", "Completed", "True")
    workloads.delete("a")
    workloads.wait_gone("a")
    by_kopf = [event for event in control_plane.audit_events("kopf") if event.get("userAgent", "").startswith("kopf")]

    assert {event["verb"] for event in by_kopf} <= {"get", "list", "watch"}
    assert any(event["verb"] == "watch" for event in by_kopf)


def test_metrics_show_the_work_and_no_single_object(operator: Operator, runai, workloads, namespace):
    assert operator.metric("runai_operator_watch_established") == 1, "as soon as it is ready"

    workloads.apply("peculiar-name", manifest=RUNS_ON)
    workload_id = workloads.wait_id("peculiar-name")
    workloads.wait_condition("peculiar-name", "Ready", "True")
    operator.wait_until("a poll", lambda: operator.metric("runai_operator_status_age_seconds_count"))
    text = operator.metrics()

    for sample in (
        r'workqueue_depth\{lane="user"\} 0',
        r'workqueue_queue_duration_seconds_count\{lane="user"\} [1-9]',
        r'reconcile_total\{action="\w+",result="\w+"\} [1-9]',
        r'runai_requests_total\{code="202",connection="default",operation="create"\} 1',
        r'status_age_seconds_count\{connection="default"\} [1-9]',
        r'connection_up\{connection="default"\} 1',
        r"watch_established 1",
        r'workloads\{phase="Running",ready="True"\} 1',
    ):
        assert re.search(f"^runai_operator_{sample}", text, re.MULTILINE), f"{sample} in\n{text}"
    for one in ("peculiar-name", namespace, workload_id, "team-a"):
        assert one not in text
