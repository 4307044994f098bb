"""What can be told of an object from the summary of its status alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import REF, WORKLOAD_ID, a_condition, a_row
from runai_operator.domain.errors import Unavailable
from runai_operator.domain.freshness import Freshness
from runai_operator.domain.model import FINALIZER, NOT_SUBMITTED, Meta, TableRow
from runai_operator.domain.plan import Need, StatusSummary, is_misstated, is_owed, plan_of, shows_news


@pytest.mark.parametrize(
    ("phase", "sync", "expected"),
    [
        pytest.param(None, None, True, id="just submitted"),
        pytest.param("Running", "Applying", True, id="an update on its way"),
        pytest.param("Running", "Synced", False, id="arrived"),
        pytest.param("Running", "Failed", False, id="could not be applied"),
        pytest.param("Failed", "Applying", True, id="failed before its arrival was seen, or being mended"),
        pytest.param("Failed", "Synced", False, id="failed"),
        pytest.param("Failed", "Deleting", True, id="failed and on its way out"),
        pytest.param("Failed", "Deleted", False, id="failed and gone"),
        pytest.param("Completed", "Applying", False, id="completed: no more calls, whatever the sync said last"),
    ],
)
def test_a_sync_is_in_flight_until_it_has_an_end(phase, sync, expected):
    assert StatusSummary(workload_id=WORKLOAD_ID, phase=phase, sync=sync).in_flight is expected


@pytest.mark.parametrize(
    ("summary", "expected"),
    [
        pytest.param(StatusSummary(workload_id=WORKLOAD_ID, phase="Running", sync="Failed"), True, id="it runs"),
        pytest.param(StatusSummary(workload_id=WORKLOAD_ID, sync="Failed"), True, id="it has no phase"),
        pytest.param(
            StatusSummary(workload_id=WORKLOAD_ID, phase="Completed", sync="Failed"), False, id="it completed"
        ),
        pytest.param(StatusSummary(workload_id=WORKLOAD_ID, phase="Running", sync="Synced"), False, id="it arrived"),
        pytest.param(StatusSummary(phase="Running", sync="Failed"), False, id="there is none"),
    ],
)
def test_a_sync_that_failed_may_recover_unless_the_work_has_completed(summary, expected):
    assert summary.may_recover is expected


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        pytest.param(None, True, id="no reading was made yet"),
        pytest.param("Syncing", True, id="Ready waits for the sync"),
        pytest.param("Running", False, id="Ready goes by the phase"),
    ],
)
def test_where_the_sync_is_not_reported_one_read_is_enough(reason, expected):
    assert StatusSummary(workload_id=WORKLOAD_ID, phase="Running", reason=reason).in_flight is expected


def test_an_unsubmitted_object_is_not_in_flight():
    assert not StatusSummary().in_flight


DOWN = Unavailable("Run:ai cannot be reached.")
FRESH, STALE, UNKNOWN = Freshness(), Freshness(lists=DOWN), Freshness(is_known=False)
UNREAD = Freshness(reads=DOWN)


def at_rest(synced_reason="Synced", phase="Running", reason="Running", **more):
    return StatusSummary(
        workload_id=WORKLOAD_ID, phase=phase, reason=reason, sync="Synced", synced_reason=synced_reason, **more
    )


def in_flight(synced_reason="Syncing"):
    return StatusSummary(workload_id=WORKLOAD_ID, phase="Running", reason="Syncing", synced_reason=synced_reason)


@pytest.mark.parametrize(
    ("summary", "freshness", "expected"),
    [
        pytest.param(at_rest(), FRESH, False, id="all is well"),
        pytest.param(at_rest(), STALE, True, id="the lists are silent"),
        pytest.param(at_rest("RunaiUnavailable"), STALE, False, id="and status says so"),
        pytest.param(at_rest("RunaiUnavailable"), FRESH, True, id="they answer again"),
        pytest.param(at_rest("RunaiUnavailable"), UNKNOWN, False, id="after a start, nothing is known yet"),
        pytest.param(at_rest(), UNKNOWN, False, id="either way"),
        pytest.param(at_rest(), UNREAD, False, id="readings by id say nothing of what is at rest"),
        pytest.param(at_rest("SyncNotReported"), STALE, True, id="the sync is not reported"),
        pytest.param(at_rest("SyncFailed", reason="SyncFailed"), STALE, True, id="the sync failed"),
        pytest.param(at_rest(phase="Failed", reason="Failed"), STALE, True, id="it failed, and may recover"),
        pytest.param(at_rest(phase="Completed", reason="Completed"), STALE, False, id="it completed"),
        pytest.param(at_rest("AccessDenied", "Completed", "Completed"), STALE, True, id="it completed meanwhile"),
        pytest.param(at_rest("NotDelivered", reason="InvalidSpec"), STALE, False, id="an edit was refused"),
        pytest.param(at_rest("SourceNotFound"), STALE, False, id="what is amiss is known"),
        pytest.param(in_flight(), FRESH, False, id="on its way"),
        pytest.param(in_flight(), STALE, False, id="on its way, which the lists do not show"),
        pytest.param(in_flight(), UNREAD, True, id="on its way, and it cannot be read how far"),
        pytest.param(in_flight("RunaiUnavailable"), UNREAD, False, id="and status says so"),
        pytest.param(in_flight("RunaiUnavailable"), FRESH, False, id="the next reading sets it right"),
        pytest.param(StatusSummary(reason="RunaiUnavailable"), STALE, False, id="nothing was submitted"),
        pytest.param(
            StatusSummary(reason="Running", sync="Synced", synced_reason="Synced"),
            STALE,
            False,
            id="what is only observed",
        ),
        pytest.param(at_rest(reason="ManagedByOther"), STALE, False, id="it is another's"),
    ],
)
def test_what_status_says_is_compared_with_what_is_known(summary, freshness, expected):
    meta = Meta(REF, "7", 1, False, (), False, None)

    assert is_misstated(summary, meta, freshness) is expected
    assert is_misstated(summary, replace(meta, deleting=True), freshness) is False


META = Meta(REF, "7", 1, deleting=False, finalizers=(FINALIZER,), paused=False, reconcile_token=None)
REST = at_rest(observed_generation=1, ready="True", sent=True)
PENDING = replace(REST, phase="Pending")
GOING = {"deleting": True}


@pytest.mark.parametrize(
    ("summary", "meta", "expected"),
    [
        pytest.param(REST, {}, Need.NOTHING, id="all is well"),
        pytest.param(PENDING, {}, Need.ROW, id="the scheduler may say why it is pending"),
        pytest.param(replace(REST, sync="Applying"), {}, Need.READ, id="on its way"),
        pytest.param(replace(REST, synced_reason="RunaiUnavailable"), {}, Need.NOTHING, id="what is shown is unknown"),
        pytest.param(replace(REST, synced_reason="SourceNotFound"), {}, Need.NOTHING, id="its source is lost"),
        pytest.param(replace(REST, synced_reason="NotDelivered"), {}, Need.PASS, id="an edit is to be sent"),
        pytest.param(REST, GOING, Need.PASS, id="it is deleted"),
        pytest.param(REST, GOING | {"finalizers": ()}, Need.NOTHING, id="it is deleted, and not held by us"),
        pytest.param(REST, {"generation": 2}, Need.PASS, id="it was edited"),
        pytest.param(REST, {"reconcile_token": "a"}, Need.PASS, id="somebody asks"),
        pytest.param(replace(REST, handled_token="a"), {"reconcile_token": "a"}, Need.NOTHING, id="that was answered"),
        pytest.param(replace(REST, handled_token="a"), {}, Need.NOTHING, id="nobody asks any more"),
        pytest.param(REST, {"finalizers": ()}, Need.PASS, id="our finalizer was taken"),
        pytest.param(
            replace(REST, sent=False), {"finalizers": ()}, Need.NOTHING, id="what is observed has no finalizer"
        ),
        pytest.param(REST, {"paused": True}, Need.PASS, id="that it is paused is to be shown"),
        pytest.param(replace(REST, ready="False"), {"paused": True}, Need.NOTHING, id="paused, and not ready anyway"),
        pytest.param(replace(REST, reason="Paused"), {"paused": True}, Need.NOTHING, id="paused"),
        pytest.param(replace(REST, reason="Paused"), {}, Need.PASS, id="not paused any more"),
        pytest.param(
            replace(REST, ready="False", reason="Paused", synced_reason="NotDelivered"),
            {"paused": True},
            Need.NOTHING,
            id="paused with an edit",
        ),
        pytest.param(
            replace(PENDING, ready="False", reason="Paused", synced_reason="NotDelivered"),
            {"paused": True},
            Need.ROW,
            id="paused with an edit, and pending",
        ),
        pytest.param(
            replace(REST, ready="False", reason="RunaiBusy", synced_reason="NotDelivered"),
            {"paused": True},
            Need.PASS,
            id="paused while an edit was tried",
        ),
        pytest.param(StatusSummary(observed_generation=1), {}, Need.PASS, id="an attempt in doubt"),
        pytest.param(
            StatusSummary(observed_generation=1, submission=NOT_SUBMITTED, reason="InvalidSpec"),
            {},
            Need.PROBE,
            id="refused, and proven to have made nothing",
        ),
        pytest.param(
            StatusSummary(observed_generation=1, reason="InvalidSpec"), {"finalizers": ()}, Need.PROBE, id="refused"
        ),
        pytest.param(
            StatusSummary(observed_generation=1, reason="InvalidSpec"), {}, Need.PASS, id="refused while in doubt"
        ),
        pytest.param(
            replace(REST, ready="False", reason="Paused", synced_reason="RunaiBusy"),
            {"paused": True},
            Need.NOTHING,
            id="paused, and what is shown is unknown",
        ),
        pytest.param(
            replace(REST, ready="False", reason="Paused", synced_reason="SourceForbidden", sync="Applying"),
            {"paused": True},
            Need.READ,
            id="paused, without its source, and on its way",
        ),
        pytest.param(
            replace(REST, ready="False", reason="Paused", synced_reason="InvalidSpec"),
            {"paused": True},
            Need.PASS,
            id="paused beside something else",
        ),
        pytest.param(
            StatusSummary(observed_generation=1, sent=True, submission=NOT_SUBMITTED, reason="InvalidSpec"),
            {"finalizers": ()},
            Need.PROBE,
            id="refused, and nothing is left of what was sent once",
        ),
        pytest.param(
            StatusSummary(observed_generation=1, reason="ManagedByOther"),
            {"finalizers": ()},
            Need.PASS,
            id="refused for what a restart may mend",
        ),
        pytest.param(
            replace(REST, ready="False", reason="InvalidSpec", synced_reason="RunaiUnavailable"),
            {},
            Need.PASS,
            id="refused, and the last reading is owed",
        ),
    ],
)
def test_what_an_object_needs(summary, meta, expected):
    assert plan_of(summary, replace(META, **meta)) is expected
    waits_for_restart = summary.reason == "ManagedByOther"
    assert is_owed(summary, replace(META, **meta)) is (expected is Need.PASS and not waits_for_restart)


@pytest.mark.parametrize(
    ("change", "before", "summary", "expected"),
    [
        pytest.param({}, {}, REST, False, id="nothing but a write of ours"),
        pytest.param({"resource_version": "8"}, {}, REST, False, id="a write of ours"),
        pytest.param({"generation": 2}, {}, REST, True, id="an edit"),
        pytest.param(GOING, {}, REST, True, id="a deletion"),
        pytest.param({"paused": True}, {}, REST, True, id="a pause"),
        pytest.param({"reconcile_token": "a"}, {}, REST, True, id="a request"),
        pytest.param({"finalizers": ()}, {}, REST, True, id="our finalizer was taken"),
        pytest.param({"finalizers": ()}, {}, StatusSummary(), False, id="we removed it, since nothing was made"),
        pytest.param(GOING | {"finalizers": ()}, GOING, StatusSummary(), True, id="it was taken during the deletion"),
        pytest.param({}, {"finalizers": ()}, REST, False, id="we added it"),
        pytest.param(
            {"finalizers": ("another",)}, {"finalizers": ("another", "third")}, REST, False, id="another's was taken"
        ),
    ],
)
def test_what_is_news(change, before, summary, expected):
    assert shows_news(replace(META, **change), replace(META, **before), summary) is expected


SHOWN = StatusSummary(phase="Pending", pods=1, requested=2, gpus="1", detail="why", priority="high", category="train")
ROW = a_row(
    phase="Pending",
    running_pods=1,
    requested_pods=2,
    allocated_gpus="1",
    phase_message="why",
    priority="high",
    category="train",
)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"priority": None, "category": None}, True),
        ({"phase": "Running"}, False),
        ({"running_pods": 2}, False),
        ({"requested_pods": 1}, False),
        ({"allocated_gpus": "2"}, False),
        ({"phase_message": "because"}, False),
        ({"priority": "low"}, False),
        ({"category": "build"}, False),
    ],
    ids=str,
)
def test_a_row_is_news_if_it_differs_from_the_cells(change, expected):
    assert SHOWN.agrees_with(replace(ROW, **change)) is expected


def test_an_empty_message_is_none():
    assert replace(SHOWN, detail=None).agrees_with(replace(ROW, phase_message=""))


@pytest.mark.parametrize(
    ("phase", "expected"), [("Completed", True), ("Failed", True), ("Running", False), (None, False)]
)
def test_what_has_finished(phase, expected):
    assert StatusSummary(phase=phase).finished is expected


CELLS = {
    "Observed": 3,
    "Connection": "second",
    "Workload ID": WORKLOAD_ID,
    "Workload Name": "train",
    "Project ID": "1",
    "Created": "t",
    "Phase": "Running",
    "Sync": "Synced",
    "Submission": "InDoubt",
    "Pods": 1,
    "Requested": 0,
    "GPUs": "1",
    "Priority": "high",
    "Category": "build",
    "Detail": "why",
    "Handled": "a",
    "Ready": "True",
    "Reason": "Running",
    "Synced Reason": "Synced",
    "Stalled": "True",
    "Hash": "h",
    "Source": "code",
    "Deletion Policy": "Orphan",
}
STATUS = {
    "observedGeneration": 3,
    "connection": "second",
    "workloadId": WORKLOAD_ID,
    "workloadName": "train",
    "projectId": "1",
    "createdAt": "t",
    "phase": "Running",
    "syncStatus": "Synced",
    "submission": "InDoubt",
    "runningPods": 1,
    "requestedPods": 0,
    "allocatedGpus": "1",
    "priority": "high",
    "category": "build",
    "phaseMessage": "why",
    "lastHandledReconcileAt": "a",
    "submittedHash": "h",
    "conditions": [
        a_condition("Ready", "True", "Running"),
        a_condition("Synced", "True", "Synced"),
        a_condition("Stalled"),
    ],
}
WHOLE = StatusSummary(
    observed_generation=3,
    connection="second",
    workload_id=WORKLOAD_ID,
    name="train",
    project_id="1",
    created_at="t",
    phase="Running",
    sync="Synced",
    ready="True",
    reason="Running",
    synced_reason="Synced",
    stalled=True,
    submission="InDoubt",
    sent=True,
    pods=1,
    requested=0,
    gpus="1",
    priority="high",
    category="build",
    detail="why",
    handled_token="a",
    has_source=True,
    keeps_workload=True,
)


def of_cells(**changes):
    return StatusSummary.of_cells(TableRow(META, CELLS | changes))


def test_a_summary_of_cells():
    assert of_cells(Owner=REF.uid) == of_cells(Owner=None) == of_cells(Owner="") == of_cells() == WHOLE
    assert of_cells(Owner="uid-0") == StatusSummary(has_source=True, keeps_workload=True), "another's status"
    assert StatusSummary.of_cells(TableRow(META, dict.fromkeys(CELLS, ""))) == StatusSummary()
    assert StatusSummary.of_cells(TableRow(META, {})) == StatusSummary()


def test_a_summary_of_a_status():
    assert StatusSummary.of_status(STATUS, has_source=True, keeps_workload=True) == WHOLE
    assert StatusSummary.of_status({}, has_source=False) == StatusSummary()


@pytest.mark.parametrize("reason", ["SourceNotFound", "SourceForbidden", "SourceInvalid"])
def test_work_whose_source_is_lost_needs_nothing(reason):
    assert plan_of(replace(REST, synced_reason=reason), META) is Need.NOTHING


@pytest.mark.parametrize("reason", ["ConnectionNotFound", "ManagedByOther", "InstallChanged"])
def test_what_a_restart_may_mend_is_tried_then_and_is_not_owed(reason):
    summary = replace(REST, ready="False", reason=reason)

    assert plan_of(summary, META) is Need.PASS
    assert not is_owed(summary, META)


def test_nothing_was_observed_of_a_new_object():
    assert StatusSummary().observed_generation == -1
