"""What can be told of an object from the summary of its status alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import REF, WORKLOAD_ID
from runai_operator.domain.errors import Unavailable
from runai_operator.domain.freshness import Freshness
from runai_operator.domain.model import Meta
from runai_operator.domain.plan import StatusSummary, is_misstated


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
    ],
)
def test_what_status_says_is_compared_with_what_is_known(summary, freshness, expected):
    meta = Meta(REF, "7", 1, False, (), False, None)

    assert is_misstated(summary, meta, freshness) is expected
    assert is_misstated(summary, replace(meta, deleting=True), freshness) is False
