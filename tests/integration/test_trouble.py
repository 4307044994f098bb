"""When Run:ai, the user or the network do what they should not: what status says, and that all is well afterwards."""

from __future__ import annotations

import base64
import json

import pytest

from controlplane import ControlPlane
from stack import QUICK, Simulator, manifest_of
from stack.processes import CLIENT_SECRET
from stack.workloads import condition

RUNS_ON = manifest_of("Deployment")


def test_runai_down_while_applying_converges_when_it_is_back(start_operator, workloads, tmp_path, runai):
    runai.kill()
    operator = start_operator(RUNAI_BASE_URL=runai.url)
    workloads.apply("a", manifest=RUNS_ON)
    item = workloads.wait_condition("a", "Ready", "False", reason="RunaiUnavailable")

    assert condition(item, "Reconciling")["status"] == "True"
    assert condition(item, "Synced")["reason"] == "NotDelivered"
    assert "Run:ai" in condition(item, "Ready")["message"]

    with Simulator(tmp_path, port=runai.port, **QUICK) as again:
        workloads.wait_condition("a", "Ready", "True")

        assert len(again.live()) == 1
    assert operator.alive


def test_runai_down_for_long_is_stalled_and_heals(start_operator, workloads, tmp_path, runai):
    runai.kill()
    start_operator(RUNAI_BASE_URL=runai.url, OPERATOR_STALLED_AFTER="1s")
    workloads.apply("a", manifest=RUNS_ON)
    workloads.wait_condition("a", "Stalled", "True", reason="RunaiUnavailable")
    with Simulator(tmp_path, port=runai.port, **QUICK):
        item = workloads.wait_condition("a", "Ready", "True")

    assert condition(item, "Stalled") is None


def test_never_submitted_goes_at_once_while_runai_is_down(start_operator, workloads, runai):
    runai.kill()
    start_operator(RUNAI_BASE_URL=runai.url)
    workloads.apply("a", manifest=RUNS_ON)
    workloads.wait_condition("a", "Ready", "False", reason="RunaiUnavailable")
    workloads.delete("a")

    workloads.wait_gone("a", timeout=20)


@pytest.mark.parametrize("fault", [{"kind": "status", "status": 503}, {"kind": "reset"}], ids=["503", "cut off"])
def test_runai_down_while_deleting_holds_the_object_and_says_why(operator, workloads, runai, fault):
    workloads.apply("a", manifest=RUNS_ON)
    workloads.wait_condition("a", "Ready", "True")
    runai.fault(**fault)
    workloads.delete("a")
    item = workloads.wait_condition("a", "Ready", "False", reason="Deleting")

    assert condition(item, "Reconciling")["status"] == "True"
    assert "Run:ai" in condition(item, "Ready")["message"]

    runai.heal()
    workloads.wait_gone("a")

    assert runai.live() == []


def test_orphan_releases_an_object_that_hangs_in_deletion(operator, workloads, runai):
    workloads.apply("a", manifest=RUNS_ON)
    workloads.wait_condition("a", "Ready", "True")
    runai.fault(kind="status", status=503)
    workloads.delete("a")
    workloads.wait_condition("a", "Ready", "False", reason="Deleting")
    workloads.patch("a", {"spec": {"deletionPolicy": "Orphan"}})
    workloads.wait_gone("a")
    runai.heal()

    assert len(runai.live()) == 1


def test_trouble_after_success_leaves_ready_alone(start_operator, workloads, runai):
    start_operator(OPERATOR_STALE_AFTER="3s")
    workloads.apply("a", manifest=RUNS_ON)
    workloads.wait_condition("a", "Ready", "True")
    runai.fault(kind="status", status=503)
    workloads.annotate("a", "reconcile-requested-at", "1")
    item = workloads.wait_condition("a", "Synced", "Unknown")

    assert condition(item, "Ready")["status"] == "True"

    runai.heal()
    workloads.wait_condition("a", "Synced", "True")


def test_a_refused_manifest_is_stalled_with_the_words_of_the_api_and_can_be_corrected(operator, workloads, runai):
    workloads.apply("a", manifest={"apiVersion": "example.com/v1", "kind": "Unheard", "spec": {}})
    item = workloads.wait_condition("a", "Stalled", "True", reason="InvalidSpec")

    assert "workload type not found" in condition(item, "Ready")["message"]
    workloads.wait("a", lambda item: not item["metadata"].get("finalizers"), what="nothing was created, but it is held")

    workloads.apply("a", manifest=RUNS_ON)
    workloads.wait_condition("a", "Ready", "True")

    assert len(runai.live()) == 1


@pytest.mark.parametrize("form", ["details", "message", "problem", "empty"])
def test_a_refusal_in_any_form_is_stalled_and_leaves_nothing_in_doubt(operator, workloads, runai, form):
    runai.fault(kind="status", status=400, method="POST", path="/api/v2/workloads", body=form)
    workloads.apply("a", manifest=RUNS_ON)
    item = workloads.wait_condition("a", "Stalled", "True", reason="InvalidSpec")

    assert ("injected by the simulator" if form != "empty" else "HTTP 400") in condition(item, "Ready")["message"]
    workloads.wait("a", lambda item: not item["metadata"].get("finalizers"), what="nothing was created, but it is held")


def test_a_404_that_proves_nothing_holds_a_deletion_and_is_shown(operator, workloads, runai):
    workloads.apply("a", manifest=RUNS_ON)
    workloads.wait_condition("a", "Ready", "True")
    runai.fault(kind="status", status=404, method="GET", path="/api/v2/workloads", body="problem")
    workloads.delete("a")
    item = workloads.wait_condition("a", "Ready", "False", reason="Deleting")

    assert "HTTP 404 with application/problem+json" in condition(item, "Ready")["message"]
    assert "Refused" not in condition(item, "Ready")["message"], "the detail says more than the title"

    runai.heal()
    workloads.wait_gone("a")


def test_an_unknown_project_is_stalled_and_can_be_corrected(operator, workloads, runai):
    workloads.apply("a", projectName="no-such-project", manifest=RUNS_ON)
    item = workloads.wait_condition("a", "Stalled", "True", reason="ProjectNotFound")

    assert "no-such-project" in condition(item, "Ready")["message"]

    workloads.apply("a", projectName="team-a", manifest=RUNS_ON)
    workloads.wait_condition("a", "Ready", "True")


def test_a_refused_object_can_be_deleted_while_runai_is_down(operator, workloads, runai):
    workloads.apply("a", projectName="no-such-project", manifest=RUNS_ON)
    workloads.wait_condition("a", "Stalled", "True")
    runai.kill()
    workloads.delete("a")

    workloads.wait_gone("a", timeout=20)


def test_a_taken_name_names_its_holder(operator, workloads, runai):
    workloads.apply("first", name="shared", manifest=RUNS_ON)
    workloads.wait_condition("first", "Ready", "True")
    workloads.apply("second", name="shared", manifest=RUNS_ON)
    item = workloads.wait_condition("second", "Stalled", "True", reason="NameTaken")

    assert "/first" in condition(item, "Ready")["message"]
    assert len(runai.live()) == 1

    workloads.delete("second")
    workloads.wait_gone("second")

    assert len(runai.live()) == 1


def test_a_failed_workload_is_stalled_and_mended_by_an_edit(operator, workloads, runai):
    workloads.apply("a", manifest=RUNS_ON)
    workload_id = workloads.wait_id("a")
    workloads.wait_condition("a", "Ready", "True")
    runai.set_phase(workload_id, "Failed", "ImagePullBackOff")
    item = workloads.wait_condition("a", "Stalled", "True", reason="Failed")

    assert "ImagePullBackOff" in condition(item, "Ready")["message"]

    mended = manifest_of("Deployment")
    mended["spec"]["replicas"] = 2
    workloads.apply("a", manifest=mended)
    workloads.wait("a", lambda found: found["status"]["observedGeneration"] == 2)
    runai.set_phase(workload_id, "Running", "")
    workloads.wait_condition("a", "Ready", "True", reason="Running")

    assert runai.effective_creates() == 1


def test_deleted_outside_is_reported_and_not_created_again(operator, workloads, runai):
    workloads.apply("a", manifest=RUNS_ON)
    workload_id = workloads.wait_id("a")
    workloads.wait_condition("a", "Ready", "True")
    runai.delete_outside(workload_id)
    workloads.wait_condition("a", "Stalled", "True", reason="DeletedExternally")

    assert runai.effective_creates() == 1

    workloads.delete("a")
    workloads.wait_gone("a")


def test_deleted_outside_under_recreate_comes_back_once(operator, workloads, runai):
    workloads.apply("a", manifest=RUNS_ON, externalDeletionPolicy="Recreate")
    first = workloads.wait_id("a")
    workloads.wait_condition("a", "Ready", "True")
    runai.delete_outside(first)
    workloads.wait("a", lambda item: item["status"].get("workloadId") not in (None, first))
    workloads.wait_condition("a", "Ready", "True")

    assert len(runai.live()) == 1
    assert runai.effective_creates() == 2


@pytest.mark.parametrize("answer", ["garbage", "huge", "deep"])
def test_answers_that_make_no_sense_never_make_a_second_workload(operator, workloads, runai, answer):
    runai.fault(kind=answer, method="POST", path="/api/v2/workloads", count=2)
    workloads.apply("a", manifest=RUNS_ON)
    workloads.wait_condition("a", "Ready", "True")

    assert len(runai.live()) == 1
    assert operator.alive


def test_a_lost_answer_leads_to_one_workload(operator, workloads, runai):
    runai.fault(kind="lost-answer", method="POST", path="/api/v2/workloads", count=1)
    workloads.apply("a", manifest=RUNS_ON)
    workloads.wait_condition("a", "Ready", "True")

    assert runai.effective_creates() == 1


def everywhere(secret: str) -> set[str]:
    """The secret, and what shows of it in Base64, whatever stands before and after it."""
    coded = [base64.b64encode(b"x" * before + secret.encode())[4 if before else 0 : -4] for before in range(3)]
    return {secret, *(code.decode() for code in coded)}


def test_secrets_and_tokens_never_show(start_operator, workloads, runai, control_plane: ControlPlane, namespace):
    marker, hidden = "hunter2-hunter2", "correct-horse-battery"
    manifest = manifest_of("Deployment")
    manifest["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "PASSWORD", "value": marker}]
    metadata = {"name": "source", "namespace": namespace}
    texts = {"good": json.dumps(manifest).replace(marker, hidden), "bad": f"apiVersion: v1\nkind: [unclosed {hidden}"}
    control_plane.client.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": texts})
    operator = start_operator(OPERATOR_LOG_LEVEL="debug", OPERATOR_STALE_AFTER="3s")
    fine = {"fine": {"manifest": manifest}, "text": {"manifestYaml": json.dumps(manifest)}, "from": source_of("good")}
    refused = {
        "refused": {"manifest": {**manifest, "kind": "Unheard", "apiVersion": "example.com/v1"}},
        "broken": {"manifestYaml": f"apiVersion: v1\nkind: [unclosed {marker}"},
        "broken-from": source_of("bad"),
    }
    for name, spec in {**fine, **refused}.items():
        workloads.apply(name, **spec)
    for name in fine:
        workloads.wait_condition(name, "Ready", "True")
    for name in refused:
        workloads.wait_condition(name, "Stalled", "True")
    runai.fault(kind="status", status=500)
    workloads.annotate("fine", "reconcile-requested-at", "1")
    workloads.wait_condition("fine", "Synced", "Unknown")
    places = {
        "log": operator.output(),
        "metrics": operator.metrics(),
        "status": str([item["status"] for item in workloads.all()]),
        "events": str(control_plane.client.list_all(f"/api/v1/namespaces/{namespace}/events")),
        "new events": str(control_plane.client.list_all(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")),
    }

    for place, text in places.items():
        for secret in (*everywhere(marker), *everywhere(hidden), *everywhere(CLIENT_SECRET), "eyJ"):
            assert secret not in text, f"{secret} is in the {place}"


def source_of(key: str):
    return {"manifestFrom": {"secretKeyRef": {"name": "source", "key": key}}}


def test_bad_configuration_ends_with_two_and_one_line(control_plane, runai, tmp_path):
    from stack import Operator

    operator = Operator(tmp_path, control_plane.kubeconfig, "", RUNAI_CLIENT_ID="")
    with operator:
        code = operator.wait()

    assert code == 2
    assert len(operator.output().strip().splitlines()) == 1
    assert "RUNAI_BASE_URL" in operator.output()
    assert "RUNAI_CLIENT_ID" in operator.output()


def test_a_table_of_access_that_cannot_be_used_ends_with_two_and_one_line(control_plane, runai, tmp_path):
    from stack import Operator

    table = tmp_path / "access.yaml"
    table.write_text("- namespaces: [team-a]\n  projects: [team-a]\n- namespaces: [team-b]\n")
    with Operator(tmp_path, control_plane.kubeconfig, runai.url, RUNAI_ACCESS_FILE=str(table)) as operator:
        code = operator.wait()

    assert code == 2
    assert operator.output().strip() == (
        "runai-operator: RUNAI_ACCESS_FILE cannot be used: entry 2 needs projects, a list of names or patterns"
    )


def test_a_namespace_gets_only_the_projects_of_the_table(control_plane, runai, workloads, tmp_path):
    from stack import Operator

    table = tmp_path / "access.yaml"
    table.write_text('- namespaces: ["*"]\n  projects: [team-a]\n')
    with Operator(tmp_path, control_plane.kubeconfig, runai.url, RUNAI_ACCESS_FILE=str(table)):
        workloads.apply("a", manifest=RUNS_ON, projectName="team-a")
        workloads.apply("b", manifest=RUNS_ON, projectName=None, projectId="2")
        workloads.apply("c", manifest=RUNS_ON, projectName=None, projectId="1")
        workloads.wait_id("a")
        workloads.wait_id("c")
        item = workloads.wait("b", lambda item: "ProjectNotAllowed" in str(item.get("status")))

    assert not item["metadata"].get("finalizers")
    assert {entry["projectId"] for entry in runai.live()} == {"1"}


@pytest.mark.parametrize(
    "fault", [None, {"kind": "timeout"}], ids=["while all is well", "while Run:ai does not answer"]
)
def test_it_stops_cleanly_on_a_signal(operator, workloads, runai, fault):
    """How long that takes is a figure of `make bench`."""
    workloads.apply("a", manifest=RUNS_ON)
    workloads.wait_id("a")
    if fault:
        runai.fault(**fault)
        workloads.apply("b", manifest=RUNS_ON)
        workloads.wait("b", lambda item: item["metadata"].get("finalizers"))

    assert operator.terminate() == 0
    assert "Traceback" not in operator.output()


def test_an_operator_started_before_its_crd_comes_to_work_by_itself(fresh_control_plane, runai, tmp_path):
    from stack import Operator, Workloads

    plane = fresh_control_plane()
    with Operator(tmp_path, plane.kubeconfig, runai.url) as operator:
        operator.wait_until("liveness", lambda: operator.probe("healthz") == 200)
        assert operator.probe("readyz") == 503

        plane.install_crds()
        operator.wait_ready()
        workloads = Workloads(plane.client, "default")
        workloads.apply("a", manifest=RUNS_ON, deletionPolicy="Orphan")
        workloads.wait_condition("a", "Ready", "True")

        crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/runaiworkloads.bridge.run.ai"
        plane.client.delete(crd)
        plane.client.wait_gone(crd)
        operator.wait_until("not ready", lambda: operator.probe("readyz") == 503)

        plane.install_crds()
        operator.wait_ready()
        workloads.apply("b", manifest=RUNS_ON)
        workloads.wait_condition("b", "Ready", "True")

        assert len(runai.live()) == 2, "one orphaned, one new"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"kind": "status", "status": 503}, "RunaiUnavailable"),
        ({"kind": "status", "status": 403}, "AccessDenied"),
        ({"kind": "login"}, "UnexpectedReply"),
        ({"kind": "huge"}, "UnexpectedReply"),
    ],
    ids=["fail", "are forbidden", "are a login page", "are larger than what is read"],
)
def test_while_the_lists_are_useless_what_runs_is_shown_as_unknown(start_operator, workloads, runai, fault, reason):
    start_operator(RUNAI_BASE_URL=runai.url, OPERATOR_STALE_AFTER="3s")
    workloads.apply("a", manifest=RUNS_ON)
    workloads.wait_condition("a", "Ready", "True")
    workloads.wait_condition("a", "Synced", "True")

    runai.fault(path="/api/v1/workloads$", **fault)
    item = workloads.wait_condition("a", "Synced", "Unknown", reason=reason)
    assert condition(item, "Ready")["status"] == "True"

    runai.heal()
    item = workloads.wait_condition("a", "Synced", "True")
    assert condition(item, "Ready")["status"] == "True"
