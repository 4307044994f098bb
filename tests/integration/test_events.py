"""What the operator tells of a workload, where people look for it: kubectl on a real API server, and jq on the log."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from controlplane import ControlPlane
from stack import Operator, Simulator, Workloads, manifest_of

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text()
RUNS_ON = manifest_of("Deployment")


def edited(replicas: int) -> dict:
    return RUNS_ON | {"spec": RUNS_ON["spec"] | {"replicas": replicas}}


def live(workloads: Workloads, namespace: str, control_plane: ControlPlane, operator: Operator) -> None:
    """Created, running, edited; a second one refused."""
    workloads.apply("train", manifest=RUNS_ON)
    workloads.wait_condition("train", "Ready", "True", reason="Running")
    workloads.apply("train", manifest=edited(2))
    workloads.apply("wrong", manifest=RUNS_ON | {"kind": "Nonsense"})
    workloads.wait_condition("wrong", "Stalled", "True")
    operator.wait_until("all events", lambda: len(reasons(control_plane, namespace)) >= 4)


def made(control_plane: ControlPlane, namespace: str) -> list[dict]:
    return control_plane.client.request("GET", f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")["items"]


def reasons(control_plane: ControlPlane, namespace: str) -> list[str]:
    return [item["reason"] for item in made(control_plane, namespace)]


def test_kubectl_shows_the_events_with_the_object(
    operator: Operator, workloads: Workloads, namespace: str, control_plane: ControlPlane
):
    live(workloads, namespace, control_plane, operator)
    described = control_plane.kubectl("describe", "--namespace", namespace, "runaiworkload", "train").stdout
    events = described.partition("Events:")[2]
    listed = control_plane.kubectl("events", "--namespace", namespace, "--for", "runaiworkload/wrong").stdout

    assert re.search(r"Normal +Created .* Created workload train \(", events)
    assert re.search(r"Normal +Running ", events)
    assert re.search(r"Normal +Updated .* Sent generation 2 to workload ", events)
    assert "bridge.run.ai/runai-operator" in events
    assert "InvalidSpec" not in events
    assert re.search(r"Warning +InvalidSpec +RunaiWorkload/wrong ", listed)
    item = workloads.get("train")
    (created,) = [
        one
        for one in made(control_plane, namespace)
        if one["reason"] == "Created" and one["regarding"]["name"] == "train"
    ]
    assert created["regarding"]["uid"] == item["metadata"]["uid"]
    assert created["regarding"]["apiVersion"] == item["apiVersion"]
    assert created["regarding"]["resourceVersion"]
    assert created["action"] == "Create"


def test_a_note_that_is_too_long_for_an_event_is_cut_and_not_refused(
    operator: Operator, runai: Simulator, workloads: Workloads, namespace: str, control_plane: ControlPlane
):
    workloads.apply("train", manifest=RUNS_ON)
    workload_id = workloads.wait_id("train")
    workloads.wait_condition("train", "Ready", "True", reason="Running")
    runai.set_phase(workload_id, "Failed", "ü" * 1000)
    operator.wait_until("the event", lambda: "Failed" in reasons(control_plane, namespace))
    (failed,) = [one for one in made(control_plane, namespace) if one["reason"] == "Failed"]

    assert 1000 < len(failed["note"].encode()) <= 1024


@pytest.mark.parametrize("steering", ["refuse", "message"])
def test_what_a_secret_holds_is_nowhere_to_be_read_when_run_ai_quotes_it(
    start_operator, workloads: Workloads, namespace: str, control_plane: ControlPlane, steering: str
):
    operator = start_operator(OPERATOR_LOG_LEVEL="debug")
    quoting = {
        f"simulator.run.ai/{steering}": "spec.replicas: Invalid value: hunter2",
        "simulator.run.ai/end": "Failed",
    }
    content = json.dumps(RUNS_ON | {"metadata": {"annotations": quoting}})
    metadata = {"name": "held", "namespace": namespace}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"m.yaml": content}}
    made_secret = control_plane.client.apply(secret)
    workloads.apply("train", manifestFrom={"secretKeyRef": {"name": "held", "key": "m.yaml"}})
    workloads.wait_condition("train", "Stalled", "True")
    operator.wait_until("the event", lambda: {"Failed", "InvalidSpec"} & set(reasons(control_plane, namespace)))
    shown = [workloads.get("train"), made(control_plane, namespace)]
    everything = json.dumps(shown) + operator.output() + operator.metrics()

    assert "hunter2" not in everything
    assert "about spec.replicas" in json.dumps(shown[0]), "what may be shown is"
    assert made_secret["metadata"]["uid"] not in everything


def test_an_operator_without_events_makes_none(
    start_operator, workloads: Workloads, namespace: str, control_plane: ControlPlane
):
    start_operator(OPERATOR_EVENTS="false")
    workloads.apply("train", manifest=RUNS_ON)
    workloads.wait_condition("train", "Ready", "True", reason="Running")
    workloads.delete("train")
    workloads.wait_gone("train")

    assert reasons(control_plane, namespace) == []


@pytest.mark.skipif(shutil.which("jq") is None, reason="the example on the page needs jq")
def test_the_example_on_the_page_tells_the_life_of_one_workload_from_the_log(
    operator: Operator, workloads: Workloads, namespace: str, control_plane: ControlPlane
):
    live(workloads, namespace, control_plane, operator)
    workload_id = workloads.wait_id("train")
    workloads.delete("train")
    workloads.wait_gone("train")
    operator.wait_until("its last line", lambda: '"Released"' in operator.output())  # it follows the write
    (script,) = re.findall(r"jq --raw-output '(.*?)'\n", PAGE, re.DOTALL)
    done = subprocess.run(
        ["jq", "--raw-output", script.replace('"team-a"', f'"{namespace}"')],
        input=operator.output(),
        capture_output=True,
        text=True,
        check=True,
    )
    told = [line.split("\t") for line in done.stdout.splitlines()]

    actions = [(action, reason) for _, _, action, reason, _, _ in told if action != "Reconcile"]
    assert actions == [("Create", "Created"), ("Update", "Updated"), ("Delete", "Deleted"), ("Release", "Released")]
    assert {of for _, _, _, _, of, _ in told} == {workload_id}
    assert all(message.endswith(".") for *_, message in told)
    assert [moment for moment, *_ in told] == sorted(moment for moment, *_ in told)
    assert "Running" in [reason for _, _, _, reason, _, _ in told]
