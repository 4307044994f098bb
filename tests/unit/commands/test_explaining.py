"""What `explain` says of an object in each state, without a cluster."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from runai_operator.commands import cli, view
from runai_operator.commands.explaining import BY_COMMAND, explain
from runai_operator.commands.view import age, link_to, plain
from runai_operator.domain.model import FINALIZER
from runai_operator.domain.reasons import Reason

REPOSITORY = Path(__file__).parents[3]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def of_reason(reason, ready="False"):
    """An object whose conditions all give one reason."""
    kinds = {"Ready": ready, "Synced": "True" if ready == "True" else "False"}
    kinds |= {} if ready == "True" else {"Stalled": "True"}
    conditions = [
        {"type": kind, "status": status, "reason": str(reason), "message": "Look.", "lastTransitionTime": "2026-03-01T11:00:00Z"}
        for kind, status in kinds.items()
    ]  # fmt: skip
    metadata = {"namespace": "team-a", "name": "train", "uid": "uid-1", "generation": 2, "finalizers": [FINALIZER]}
    spec = {"projectName": "team-a", "manifest": {"apiVersion": "batch/v1", "kind": "Job"}}
    status = {"observedGeneration": 2, "ownerUid": "uid-1", "workloadId": "id-1", "conditions": conditions}
    return {"metadata": metadata, "spec": spec, "status": status}


def running():
    item = of_reason("Running", ready="True")
    item["status"]["conditions"][1]["reason"] = "Synced"
    return item


def said(item, **options):
    return explain(item, options.pop("events", ()), now=NOW)


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason.in_conditions], ids=str)
def test_the_link_of_every_reason_leads_to_its_line_in_the_documentation(reason):
    chart = yaml.safe_load((REPOSITORY / "deploy/helm/runai-operator/Chart.yaml").read_text())
    page, _, anchor = link_to(reason).partition("#")
    before, path = re.fullmatch(r"(.+)/blob/v[^/]+/(.+)", page).groups()

    assert before == view.REPOSITORY == chart["home"]
    assert f'<a id="{anchor}"></a>`{reason}`' in (REPOSITORY / path).read_text()


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason.in_conditions], ids=str)
def test_of_every_reason_it_says_what_it_means_what_to_do_and_where_there_is_more(reason):
    report = said(of_reason(reason))

    assert {entry["meaning"] for entry in report["conditions"]} == {plain(reason.meaning)}
    assert report["links"] == {str(reason): link_to(reason)}
    assert report["next"][0] == plain(reason.remedy)
    assert report["waitsFor"] == "Look."


@pytest.mark.parametrize(("reason", "command"), BY_COMMAND.items(), ids=str)
def test_a_command_that_helps_is_named_and_exists(reason, command):
    assert command in [entry.name for entry in cli.COMMANDS]
    assert said(of_reason(reason))["next"][1] == f"kubectl rwl {command} train -n team-a"


def test_what_needs_nothing_says_so():
    assert said(running())["next"] == ["Nothing."]


def test_what_the_operator_has_not_seen_is_said_first():
    item = running() | {"status": {"observedGeneration": -1}}
    item["metadata"]["creationTimestamp"] = "2026-03-01T11:50:00Z"
    report = said(item)

    assert report["summary"] == "The operator has not seen this object yet, which is 10m old."
    assert report["operator"] == {"seen": "never", "generation": item["metadata"]["generation"]}
    assert report["waitsFor"] == "the operator"
    assert "the operator does not run" in report["next"][0]
    assert "sent" not in report


def test_a_status_of_an_earlier_generation_is_not_taken_for_the_present_one():
    item = running()
    item["metadata"]["generation"] += 1
    report = said(item)

    assert report["summary"].startswith("The operator has seen generation ")
    assert report["operator"]["seen"] == "behind"
    assert report["waitsFor"] == "the operator"


def test_a_status_that_came_with_a_backup_is_not_taken_for_this_object():
    item = running()
    item["status"]["ownerUid"] = "another"
    report = said(item)

    assert "an earlier object of this name" in report["summary"]
    assert "sent" not in report
    assert "links" not in report


def test_what_is_not_known_is_not_claimed():
    item = running()
    for entry in item["status"]["conditions"]:
        if entry["type"] == "Synced":
            entry |= {
                "status": "Unknown",
                "reason": "RunaiUnavailable",
                "message": "Run:ai cannot be reached.",
                "lastTransitionTime": "2026-03-01T11:55:00Z",
            }
    report = said(item)

    assert report["summary"] == "What Run:ai shows has not been known for 5m: status is what was last seen."
    assert report["operator"]["runaiUnknown"] == "Run:ai cannot be reached."
    assert plain(Reason.RUNAI_UNAVAILABLE.remedy) in report["next"]


def test_a_run_ai_that_never_reports_syncs_is_no_trouble():
    item = running()
    for entry in item["status"]["conditions"]:
        if entry["type"] == "Synced":
            entry |= {"status": "Unknown", "reason": "SyncNotReported", "message": "It does not."}
    report = said(item)

    assert report["summary"] == Reason.RUNNING.meaning
    assert "runaiUnknown" not in report["operator"]


@pytest.mark.parametrize(
    ("spec", "status", "said_of_it"),
    [
        ({}, {}, "the workload in Run:ai is deleted, too"),
        ({"deletionPolicy": "Orphan"}, {}, "the workload stays in Run:ai"),
        ({"managementPolicy": "Observe", "workloadId": "id-1"}, {}, "the workload stays in Run:ai"),
        ({"managementPolicy": "DryRun"}, {"workloadId": None, "submission": "NotSubmitted"}, "nothing is in Run:ai"),
        ({"managementPolicy": "DryRun"}, {}, "the workload in Run:ai is deleted, too"),
    ],
)
def test_it_says_what_a_deletion_does(spec, status, said_of_it):
    item = running()
    item["spec"] |= spec
    item["status"] |= status

    assert said(item)["asked"]["onDeletion"] == said_of_it


def test_what_is_pending_waits_in_the_schedulers_words():
    item = of_reason(Reason.PENDING)
    item["status"]["phaseMessage"] = "0/3 nodes have 8 free GPUs"

    assert said(item)["waitsFor"] == "0/3 nodes have 8 free GPUs"


def test_what_only_others_hold_waits_for_them():
    item = running()
    item["metadata"] |= {"deletionTimestamp": "2026-03-01T11:59:00Z", "finalizers": ["example.com/backup"]}
    report = said(item)

    assert report["summary"] == "It is being deleted, 60s after that was asked for."
    assert report["waitsFor"] == "whoever removes the finalizers example.com/backup"


def test_a_reason_of_a_newer_operator_is_shown_as_it_is():
    item = running()
    item["status"]["conditions"][0] |= {"status": "False", "reason": "Quantum", "message": "It is both."}
    report = said(item)

    assert report["summary"] == "Quantum: It is both."
    assert report["conditions"][0]["meaning"] == "This version does not know the reason."


def test_the_manifest_is_named_and_never_shown():
    item = running()
    item["spec"]["manifestYaml"] = "kind: Job\nsecret: hunter2\n"
    del item["spec"]["manifest"]

    assert said(item)["asked"]["manifest"] == "spec.manifestYaml (26 bytes)"
    assert "hunter2" not in str(said(item))


@pytest.mark.parametrize(
    ("metadata", "tool"),
    [
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "jobs", "kustomize.toolkit.fluxcd.io/namespace": "flux"}}, "Flux (Kustomization flux/jobs)"),
        ({"labels": {"helm.toolkit.fluxcd.io/name": "jobs", "helm.toolkit.fluxcd.io/namespace": "flux"}}, "Flux (HelmRelease flux/jobs)"),
        ({"annotations": {"argocd.argoproj.io/tracking-id": "jobs:bridge.run.ai/RunaiWorkload:a/b"}}, "Argo CD (Application jobs)"),
        ({"labels": {"argocd.argoproj.io/instance": "jobs"}}, "Argo CD (Application jobs)"),
        ({"managedFields": [{"manager": "argocd-controller", "operation": "Update"}]}, "Argo CD"),
        ({"annotations": {"meta.helm.sh/release-name": "jobs", "meta.helm.sh/release-namespace": "a"}}, "Helm (release a/jobs)"),
        ({"ownerReferences": [{"kind": "Workflow", "name": "nightly", "controller": True}]}, "its owner (Workflow nightly)"),
        ({"ownerReferences": [{"kind": "Workflow", "name": "nightly"}], "labels": {"app": "x"}}, None),
    ],
)  # fmt: skip
def test_whoever_would_apply_it_again_is_named(metadata, tool):
    item = running()
    item["metadata"] = {
        key: value for key, value in item["metadata"].items() if key not in ("annotations", "labels")
    } | metadata

    assert said(item)["asked"].get("appliedBy") == tool


@pytest.mark.parametrize(
    ("event", "time"),
    [
        ({"eventTime": "2026-03-01T11:00:00.000000Z"}, "2026-03-01T11:00:00.000000Z"),
        ({"eventTime": "2026-03-01T11:00:00Z", "series": {"lastObservedTime": "2026-03-01T11:30:00Z", "count": 3}}, "2026-03-01T11:30:00Z"),
        ({"deprecatedLastTimestamp": "2026-03-01T10:00:00Z", "eventTime": None}, "2026-03-01T10:00:00Z"),
    ],
)  # fmt: skip
def test_events_of_every_age_have_the_time_when_they_were_seen_last(event, time):
    report = said(running(), events=[event | {"metadata": {}, "reason": "Created", "note": "Created it."}])

    assert report["events"][0]["time"] == time


def test_events_come_in_the_order_in_which_they_happened():
    events = [{"metadata": {}, "eventTime": f"2026-03-01T11:0{minute}:00Z", "reason": str(minute)} for minute in (2, 1)]

    assert [event["reason"] for event in said(running(), events=events)["events"]] == ["1", "2"]


@pytest.mark.parametrize(
    ("passed", "shown_as"),
    [(-5, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (7199, "119m"), (7200, "2h"), (11100, "3h5m"), (172800, "2d")],
)
def test_ages_are_shown_as_kubectl_does(passed, shown_as):
    assert age(NOW - timedelta(seconds=passed), NOW) == shown_as
