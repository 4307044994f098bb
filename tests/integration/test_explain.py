"""`explain` as it is typed, on a real API server, with the operator and the simulator where they are needed."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from readers.live import workload
from stack import manifest_of
from stack.workloads import condition
from typed import rwl

RUNS_ON = manifest_of("Deployment")


@pytest.fixture
def explain(control_plane, namespace):
    def ask(*arguments):
        return rwl("explain", *arguments, "-n", namespace, kubeconfig=control_plane.kubeconfig)

    return ask


def test_a_workload_that_runs_has_one_page(operator, workloads, explain, namespace):
    workloads.apply("train", manifest=RUNS_ON)
    workloads.wait_condition("train", "Synced", "True")
    item = workloads.wait_condition("train", "Ready", "True")
    page = explain("train")

    assert (page.code, page.err) == (0, "")
    assert page.out.startswith(
        f"{namespace}/train\n  The workload is running.\n  The operator has seen generation 1 of 1.\n"
    )
    for title in ("Asked for", "Sent to Run:ai", "Run:ai shows", "Conditions", "Events", "What to do"):
        assert f"\n\n{title}\n" in page.out
    assert item["status"]["workloadId"] in page.out
    assert item["status"]["submittedHash"] in page.out
    assert " ago  Created: Created workload train" in page.out
    assert "\n  Nothing.\n" in page.out
    assert page.out.endswith("docs/status.md#running\n")
    assert "\x1b" not in page.out


def test_a_refused_workload_says_what_to_do_in_every_format(operator, workloads, explain):
    workloads.apply("train", projectName="nowhere")
    workloads.wait_condition("train", "Stalled", "True", reason="ProjectNotFound")
    read = {"json": json.loads, "yaml": yaml.safe_load}
    reports = [parse(explain("train", "-o", output).out) for output, parse in read.items()]

    assert reports[0] == reports[1]
    assert reports[0]["sent"]["submission"].startswith("nothing")
    assert reports[0]["next"][0].startswith("Correct spec.projectName, or give")
    assert reports[0]["links"]["ProjectNotFound"].endswith("/docs/status.md#projectnotfound")
    assert reports[0]["waitsFor"] in explain("train").out


def test_run_ai_out_of_reach_is_said_before_what_was_last_seen(start_operator, runai, workloads, explain):
    start_operator(OPERATOR_STALE_AFTER="1s")
    workloads.apply("train", manifest=RUNS_ON)
    workloads.wait_condition("train", "Ready", "True")
    runai.fault(kind="status", status=503)
    workloads.wait("train", lambda item: (condition(item, "Synced") or {}).get("status") == "Unknown")
    page = explain("train").out

    assert "\n  What Run:ai shows has not been known for " in page
    assert "\n  Why that is not known: " in page
    assert "docs/status.md#runaiunavailable\n" in page


def test_what_nobody_has_seen_is_said_where_no_operator_runs(control_plane, namespace, explain):
    control_plane.client.apply(workload("train", namespace))
    page = explain("train").out

    assert "\n  The operator has not seen this object yet, which is " in page
    assert "\n  The operator has seen generation nothing of 1.\n" not in page
    assert "the operator does not run, does not watch this namespace" in page


def test_an_edit_that_the_operator_has_not_seen_is_said(operator, workloads, explain):
    workloads.apply("train", manifest=RUNS_ON)
    workloads.wait_condition("train", "Ready", "True")
    operator.kill()
    workloads.patch("train", {"spec": {"priority": "low"}})
    report = json.loads(explain("train", "-o", "json").out)

    assert report["operator"] == {"seen": "behind", "generation": 2, "observedGeneration": 1}
    assert report["waitsFor"] == "the operator"


def test_several_have_a_page_each(control_plane, namespace, explain):
    for name in ("a", "b", "c"):
        item = workload(name, namespace)
        item["metadata"]["labels"] = {"team": "blue" if name < "c" else "red"}
        control_plane.client.apply(item)
    named, labelled = explain("a", "rwl/b"), explain("-l", "team=blue")

    assert named.out.count("\nWhat to do\n") == 2
    assert f"\n\n{namespace}/b\n" in named.out
    assert re.sub(r"\b\d+s\b", "", named.out) == re.sub(r"\b\d+s\b", "", labelled.out)
    everywhere = rwl("explain", "-A", "-l", "team=blue", "-o", "json", kubeconfig=control_plane.kubeconfig)
    assert [report["name"] for report in json.loads(everywhere.out)["items"]] == ["a", "b"]
    assert len(list(yaml.safe_load_all(explain("a", "b", "-o", "yaml").out))) == 2


def test_text_of_others_moves_no_cursor(control_plane, namespace, explain):
    item = workload("train", namespace, category="\x1b[2Jx\ny")
    control_plane.client.apply(item)

    assert "\\x1b[2Jx\\ny" in explain("train").out


def test_who_may_not_see_events_is_told_so_and_gets_the_rest(control_plane, namespace):
    control_plane.client.apply(workload("train", namespace))
    kubeconfig = reader(control_plane, namespace)
    page = rwl("explain", "train", kubeconfig=kubeconfig)

    assert page.code == 0
    assert "\nEvents\n  You are not allowed to list events in namespace " in page.out


def reader(control_plane, namespace):
    """The kubeconfig of somebody who may read RunaiWorkloads, and nothing else."""
    metadata = {"name": "reader", "namespace": namespace}
    rules = [{"apiGroups": ["bridge.run.ai"], "resources": ["runaiworkloads"], "verbs": ["get", "list", "watch"]}]
    subject = {"kind": "ServiceAccount", "name": "reader", "namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}
    rbac = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": metadata}
    control_plane.client.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    control_plane.client.apply({**rbac, "kind": "Role", "rules": rules})
    control_plane.client.apply({**rbac, "kind": "RoleBinding", "subjects": [subject], "roleRef": role})
    return control_plane.service_account_kubeconfig(namespace, "reader")


@pytest.mark.parametrize(
    ("typed", "code", "sentence"),
    [
        (["ghost"], 1, "There is no runaiworkloads ghost in namespace {namespace}."),
        (["-l", "team=nobody"], 1, "No RunaiWorkload in namespace {namespace} has the labels team=nobody."),
        (["-l", "!!"], 2, "-l !! cannot be used. Kubernetes does not understand the request to list runaiworkloads"),
        ([], 2, "Give either names or, with -l, labels."),
        (["train", "-l", "a=b"], 2, "Give either names or, with -l, labels."),
    ],
)
def test_what_cannot_be_explained_ends_in_one_sentence(typed, code, sentence, explain, namespace):
    done = explain(*typed)

    assert (done.code, done.out) == (code, "")
    assert done.sentence.startswith(sentence.format(namespace=namespace))


def test_a_name_without_its_namespace_is_not_guessed(control_plane):
    done = rwl("explain", "train", "-A", kubeconfig=control_plane.kubeconfig)

    assert (done.code, done.out) == (2, "")
    assert done.sentence.startswith("A name is of one namespace: give -n, or -l in place of names.")


def test_a_cluster_without_the_crd_ends_in_one_sentence(fresh_control_plane):
    done = rwl("explain", "train", kubeconfig=fresh_control_plane().kubeconfig)

    assert (done.code, done.out) == (3, "")
    assert done.sentence.startswith("This cluster does not know RunaiWorkloads.")
