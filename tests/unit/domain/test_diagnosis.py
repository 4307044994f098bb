"""From observations to findings: what is wrong, how bad it is, and that each says what to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from runai_operator.domain import diagnosis
from runai_operator.domain.diagnosis import (
    Finding,
    InstallSeen,
    Observations,
    PodSeen,
    RunaiSeen,
    Severity,
    Unseen,
    WebhookSeen,
    diagnose,
    worst,
)
from runai_operator.domain.reasons import Reason
from runai_operator.selector import parse_selector

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
LONG_AGO, JUST_NOW = "2026-11-27T11:00:00Z", "2026-11-27T11:59:00Z"
VERSION = {"name": "v1alpha1", "served": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
CRD = {
    "metadata": {},
    "spec": {"versions": [VERSION]},
    "status": {
        "conditions": [{"type": "Established", "status": "True"}, {"type": "NamesAccepted", "status": "True"}],
        "storedVersions": ["v1alpha1"],
    },
}
POD = PodSeen("ops/bridge-1", ready=True, restarts=0)
INSTALL = InstallSeen("ops/bridge", "1.0", 1, 1, (POD,), (), None, "", (), (), 0)
RUNAI = RunaiSeen(token=None, projects=2, ahead=timedelta(seconds=1))
WELL = Observations(
    client="1.0", now=NOW, namespace="ns", kubernetes="v1.34.1", crd=CRD, packaged=CRD, installs=(INSTALL,), forbidden=(),
    webhooks=(), objects=(), runai=RUNAI,
)  # fmt: skip
UNSEEN = Unseen("You are not allowed to look.")


def item(name="train", *, status=None, conditions=(), **metadata):
    metadata = {"namespace": "ns", "name": name, "creationTimestamp": LONG_AGO} | metadata
    status = {"observedGeneration": 1} if status is None else status
    return {"metadata": metadata, "status": status | {"conditions": list(conditions)}}


def says(kind, status, reason="Failed", message="It went wrong."):
    return {"type": kind, "status": status, "reason": reason, "message": message}


def installed(**changes):
    return replace(WELL, installs=(replace(INSTALL, **changes),))


def serving(selector, **changes):
    return replace(INSTALL, selector=parse_selector(selector), **changes)


def crd(**spec):
    return replace(WELL, crd=CRD | spec)


def of_pod(**changes):
    return installed(pods=(replace(POD, **changes),))


def asked(**answers):
    return replace(WELL, runai=replace(RUNAI, **answers))


HELD = {"deletionTimestamp": LONG_AGO, "finalizers": ["bridge.run.ai/workload"]}
E, W, N, U = Severity.ERROR, Severity.WARNING, Severity.NOTE, Severity.UNSEEN
CASES = {
    "an old Kubernetes": (replace(WELL, kubernetes="v1.30.9"), "kubernetes", E, "v1.30.9 is too old"),
    "a Kubernetes with a name": (replace(WELL, kubernetes="latest"), "kubernetes", N, "no version"),
    "Kubernetes that does not say": (replace(WELL, kubernetes=UNSEEN), "kubernetes", U, "not checked"),
    "no CRD": (replace(WELL, crd=None), "crd", E, "There is no CustomResourceDefinition"),
    "a CRD that may not be read": (replace(WELL, crd=UNSEEN), "crd", U, "not checked"),
    "a CRD that is being deleted": (crd(metadata={"deletionTimestamp": LONG_AGO}), "crd", E, "is being deleted"),
    "a CRD that was not accepted": (crd(status={"conditions": []}), "crd", E, "Established is not True"),
    "a CRD without our version": (crd(spec={"versions": [VERSION | {"name": "v1"}]}), "crd", E, "v1alpha1 of"),
    "a CRD that is not served": (crd(spec={"versions": [VERSION | {"served": False}]}), "crd", E, "is not served"),
    "a CRD of another release": (
        crd(spec={"versions": [VERSION | {"schema": {"openAPIV3Schema": {}}}]}), "crd", W, "not the one that version 1.0 has",
    ),
    "objects in a version that is no more": (
        crd(status=CRD["status"] | {"storedVersions": ["v1alpha1", "v0"]}), "crd", W, "not defined any more: v0",
    ),
    "no operator": (replace(WELL, installs=()), "operator", W, "No Deployment has the label"),
    "operators that may not be seen": (replace(WELL, installs=UNSEEN), "operator", U, "not checked"),
    "an operator that is scaled away": (installed(replicas=0, ready=0), "operator", E, "scaled to 0"),
    "an operator that is not ready": (installed(ready=0), "operator", E, "not ready (0 of 1)"),
    "an operator of another version": (installed(version="0.9"), "operator", N, "has version 0.9, this program 1.0"),
    "pods that may not be seen": (installed(pods=UNSEEN), "operator", U, "The pods of ops/bridge"),
    "a pod without its Secret": (
        of_pod(waiting="CreateContainerConfigError"), "operator", E, "waits: CreateContainerConfigError",
    ),
    "a pod that crashes": (of_pod(waiting="CrashLoopBackOff"), "operator", E, "CrashLoopBackOff"),
    "a pod without its image": (of_pod(waiting="ImagePullBackOff"), "operator", E, "ImagePullBackOff"),
    "a pod that was restarted often": (of_pod(restarts=4), "operator", W, "restarted 4 times"),
    "two operators of everything": (
        replace(WELL, installs=(INSTALL, replace(INSTALL, name="b/b"))), "operator", E, "serve the same objects",
    ),
    "two operators of one namespace": (
        replace(WELL, installs=(replace(INSTALL, namespaces=("a", "c")), replace(INSTALL, namespaces=("b", "a")))),
        "operator", E, "serve the same objects",
    ),
    "two operators of everything, of which one leaves out nothing": (
        replace(WELL, installs=(INSTALL, serving("shard=a"))), "operator", E, "serve the same objects",
    ),
    "two operators whose labels overlap": (
        replace(WELL, installs=(serving("shard"), serving("shard!=a"))), "operator", E, "serve the same objects",
    ),
    "two operators by labels, with different ids": (
        replace(WELL, installs=(serving("shard=a"), serving("shard!=a", install_id="x"))),
        "operator", W, "different installation ids",
    ),
    "wrong settings": (installed(problems=("RUNAI_BASE_URL is not set",)), "settings", E, "RUNAI_BASE_URL is not set."),
    "a setting that nobody reads": (
        installed(problems=("OPERATOR_X is not a known setting and is ignored",)), "settings", W, "OPERATOR_X",
    ),
    "settings that may not be seen": (installed(problems=UNSEEN), "settings", U, "The settings of ops/bridge"),
    "an operator that may not list": (installed(missing_rights=("list x",)), "rights", E, "ops/bridge may not list x"),
    "rights that may not be asked for": (installed(missing_rights=UNSEEN), "rights", U, "What ops/bridge may do"),
    "a caller who may not create": (replace(WELL, forbidden=("create",)), "rights", N, "You may not create RunaiWorkloads"),
    "a webhook that blocks": (replace(WELL, webhooks=(WebhookSeen("V x (y)", blocks=True),)), "webhooks", W, "V x (y)"),
    "a webhook that may fail": (replace(WELL, webhooks=(WebhookSeen("V x", blocks=False),)), "webhooks", N, "passed over"),
    "webhooks that may not be seen": (replace(WELL, webhooks=UNSEEN), "webhooks", U, "not checked"),
    "no credentials": (replace(WELL, runai=Unseen("RUNAI_BASE_URL is not set.")), "run:ai", U, "not checked"),
    "wrong credentials": (asked(token="They are refused."), "run:ai", E, "does not let the client in"),
    "no project": (asked(projects=0), "projects", E, "no project"),
    "no list of projects": (asked(projects="It is broken."), "projects", E, "does not list projects"),
    "no list": (asked(rows="It is broken."), "answers", E, "the list of workloads."),
    "no list of deleted ones": (asked(deleted_rows="It is broken."), "answers", E, "the list of deleted workloads"),
    "no V2": (asked(v2="It is not there."), "answers", E, "V2"),
    "a clock that is ahead": (asked(ahead=timedelta(seconds=61)), "clock", W, "61 s ahead of"),
    "a clock that is behind": (asked(ahead=timedelta(seconds=-90)), "clock", W, "90 s behind"),
    "no clock": (asked(ahead=None), "clock", U, "does not say what time"),
    "objects that may not be seen": (replace(WELL, objects=UNSEEN), "objects", U, "not checked"),
    "a deletion that hangs": (replace(WELL, objects=(item(**HELD),)), "objects", E, "being deleted for more than 10 minutes"),
    "an object that nobody looked at": (
        replace(WELL, objects=(item(status={"observedGeneration": -1}),)), "objects", E, "waiting for an operator",
    ),
    "a stalled object": (
        replace(WELL, objects=(item(conditions=[says("Stalled", "True")]),)), "objects", W, "1 RunaiWorkload is stalled: Failed",
    ),
    "many stalled objects": (
        replace(WELL, objects=tuple(item(f"t{n}", conditions=[says("Stalled", "True")]) for n in range(9))),
        "objects", W, "9 RunaiWorkloads are stalled: Failed (ns/t0, ns/t1, ns/t2 and 6 more).",
    ),
    "a status that may be old": (
        replace(WELL, objects=(item(conditions=[says("Synced", "Unknown", "RunaiUnavailable")]),)),
        "objects", W, "as they were last seen: RunaiUnavailable",
    ),
    "a reason that is not known": (
        replace(WELL, objects=(item(conditions=[says("Stalled", "True", "Moonshine")]),)), "objects", W, "Moonshine",
    ),
    "a paused object": (
        replace(WELL, objects=(item(annotations={"bridge.run.ai/paused": "true"}),)), "objects", N, "paused",
    ),
    "orphans": (installed(orphans=2), "orphans", W, "left 2 workloads behind"),
    "orphans that may not be counted": (installed(orphans=UNSEEN), "orphans", U, "not checked"),
}  # fmt: skip


@pytest.mark.parametrize(("seen", "check", "severity", "words"), CASES.values(), ids=CASES)
def test_what_is_wrong_is_found_and_said(seen, check, severity, words):
    found = [finding for finding in diagnose(seen) if finding.severity is not Severity.OK]

    assert [(finding.check, finding.severity) for finding in found if words in finding.message] == [(check, severity)]
    assert worst(found) is severity
    for finding in found:
        assert finding.remedy or finding.severity in (Severity.NOTE, Severity.UNSEEN), finding


def test_nothing_is_found_where_nothing_is_wrong_and_every_check_says_so():
    found = diagnose(WELL)

    assert worst(found) is Severity.OK
    assert {finding.check for finding in found} == {
        "kubernetes", "crd", "operator", "settings", "rights", "webhooks", "run:ai", "projects", "answers", "dry runs", "clock", "objects",
    }  # fmt: skip


FINE = {
    "a deletion that has just begun": item(**HELD | {"deletionTimestamp": JUST_NOW}),
    "a deletion that others hold up": item(**HELD | {"finalizers": ["other"]}),
    "an object that was just made": item(status={"observedGeneration": -1}, creationTimestamp=JUST_NOW),
    "an object on its way": item(
        conditions=[says("Ready", "False", "Pending"), says("Reconciling", "True", "Pending")]
    ),
    "a stalled object that is being deleted": item(
        conditions=[says("Stalled", "True")], **HELD | {"deletionTimestamp": JUST_NOW}
    ),
}


@pytest.mark.parametrize("one", FINE.values(), ids=FINE)
def test_what_is_only_under_way_is_not_stuck(one):
    assert worst(diagnose(replace(WELL, objects=(one,)))) is Severity.OK


@pytest.mark.parametrize(
    "both",
    [
        (replace(INSTALL, namespaces=("a",)), replace(INSTALL, name="b/b", namespaces=("b",), install_id="x")),
        (serving("shard=a"), serving("shard!=a")),
    ],
    ids=["by namespaces", "by labels"],
)
def test_operators_that_share_the_work_are_no_rivals(both):
    assert worst(diagnose(replace(WELL, installs=both))) is Severity.OK


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason.in_conditions])
def test_every_reason_brings_its_remedy_and_where_to_read_on(reason):
    (found,) = diagnosis.objects(replace(WELL, objects=(item(conditions=[says("Stalled", "True", str(reason))]),)))

    assert found.remedy == f"{reason.remedy} (docs/status.md#{reason.anchor})"


def test_what_others_said_is_kept_apart_from_our_own_words():
    others = "s3cret"
    seen = replace(
        WELL,
        kubernetes=Unseen(others),
        installs=(replace(INSTALL, pods=(replace(POD, waiting="CrashLoopBackOff", said=others),)),),
        runai=replace(RUNAI, projects=others, rows=others, deleted_rows=others, v2=others),
        objects=(item(conditions=[says("Stalled", "True", message=others)]), item(**HELD)),
    )

    for finding in diagnose(seen):
        assert others not in finding.message + finding.remedy
    assert sum(finding.detail == others for finding in diagnose(seen)) == 7


def test_the_worst_is_that_of_the_order_of_severities():
    findings = [Finding("x", severity, "") for severity in Severity]

    assert [worst(findings[:many]) for many in range(1, len(findings) + 1)] == list(Severity)
    assert worst([]) is Severity.OK


def asking(name, reason, status="False"):
    return item(name, conditions=[says("Ready", status, reason)]) | {"spec": {"managementPolicy": "DryRun"}}


UNKNOWN = "Whether Run:ai has dry runs is not known: no RunaiWorkload seen"
DRY_RUNS = {
    "nobody asks": ([item(conditions=[says("Ready", "True", "Valid")]) | {"spec": {}}], Severity.OK, f"{UNKNOWN} asks for one."),
    "no answer yet": ([asking("a", "InvalidSpec")], Severity.OK, f"{UNKNOWN} shows the answer."),
    "proven": ([asking("a", "Valid", "True")], Severity.OK, "Run:ai has dry runs: it found ns/a valid."),
    "being proven": (
        [asking("a", "ProvingDryRun")], Severity.NOTE, "Whether Run:ai has dry runs is being found out, for ns/a.",
    ),
    "unsupported": ([asking("a", "DryRunUnsupported")], Severity.NOTE, "Dry runs are off: ns/a says DryRunUnsupported."),
    "proven elsewhere": (
        [asking("a", "DryRunUnsupported"), asking("b", "Valid", "True")], Severity.OK, "Run:ai has dry runs: it found ns/b valid.",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("items", "severity", "message"), DRY_RUNS.values(), ids=DRY_RUNS)
def test_whether_there_are_dry_runs_is_told_by_those_who_asked(items, severity, message):
    (finding,) = diagnosis.dry_runs(replace(WELL, objects=tuple(items)))

    assert (finding.severity, finding.message) == (severity, message)
    assert bool(finding.remedy) == (severity is Severity.NOTE)


def test_who_may_see_no_objects_is_told_once():
    assert list(diagnosis.dry_runs(replace(WELL, objects=UNSEEN))) == []
