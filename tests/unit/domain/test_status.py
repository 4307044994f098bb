"""What status tells in cases that need more than one glance; tests/readers goes through all combinations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from builders import WORKLOAD_ID, a_condition, a_remote, a_row, a_situation, a_workload, completed, recorded
from runai_operator.domain.actions import Settle, Verdict
from runai_operator.domain.errors import InvalidWorkload, Unavailable
from runai_operator.domain.situation import Missing, condition
from runai_operator.domain.status import patch_between, settle

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
MIRROR = Settle(Verdict.MIRROR)
UNREACHABLE = Settle(Verdict.TROUBLE, Unavailable("Run:ai cannot be reached"))
GONE = Settle(Verdict.REFUSED, InvalidWorkload("somebody deleted it", reason="DeletedExternally"))


def ready(status):
    found = condition(status, "Ready")
    assert found is not None
    return found["status"], found["reason"]


def told(status):
    return {entry["type"] for entry in status["conditions"]}


def test_an_outage_does_not_turn_what_was_deleted_outside_green():
    """Only a fresh reading may say that it is there after all."""
    lost = settle(a_situation(a_workload(status=recorded()), remote=Missing()), GONE, now=NOW)
    after = settle(a_situation(a_workload(status=lost)), UNREACHABLE, now=NOW)

    assert ready(after) == ("False", "DeletedExternally")
    assert "Stalled" in told(after)
    assert condition(after, "Ready") == condition(lost, "Ready")
    assert condition(after, "Synced")["status"] == "Unknown"


def test_an_outage_does_not_hide_a_pause():
    paused = a_workload(status=recorded(), paused=True)

    assert ready(settle(a_situation(paused), Settle(Verdict.PAUSED), now=NOW)) == ("True", "Paused")
    assert ready(settle(a_situation(paused), UNREACHABLE, now=NOW)) == ("True", "Paused")


def test_a_failed_workload_that_is_purged_stays_failed():
    failed = recorded(phase="Failed", syncStatus="Deleting")
    status = settle(a_situation(a_workload(status=failed), remote=Missing()), MIRROR, now=NOW)

    assert ready(status) == ("False", "Failed")
    assert "Stalled" in told(status)
    again = settle(a_situation(a_workload(status=status)), MIRROR, now=NOW)
    assert again == status


def test_a_completed_workload_that_is_purged_stays_completed():
    status = settle(a_situation(a_workload(status=completed()), remote=Missing()), MIRROR, now=NOW)

    assert ready(status) == ("True", "Completed")


@pytest.mark.parametrize("desired", ["Running", "Deleted"])
def test_a_failed_sync_is_said_even_of_a_deletion(desired):
    remote = a_remote(sync_status="Failed", sync_message="no room", desired_phase=desired)
    status = settle(a_situation(a_workload(status=recorded()), remote=remote), MIRROR, now=NOW)

    assert ready(status) == ("False", "SyncFailed")
    assert condition(status, "Stalled")["message"] == "no room"


def test_transition_times_follow_the_status_and_nothing_else():
    first = settle(a_situation(a_workload(status=recorded()), row=a_row(phase="Pending")), MIRROR, now=NOW)
    later = NOW + timedelta(minutes=1)
    second = settle(a_situation(a_workload(status=first, generation=2), row=a_row(phase="Updating")), MIRROR, now=later)
    third = settle(a_situation(a_workload(status=second, generation=2), row=a_row()), MIRROR, now=later)

    assert condition(first, "Ready")["lastTransitionTime"] == "2026-06-01T12:00:00Z"
    assert condition(second, "Ready")["lastTransitionTime"] == "2026-06-01T12:00:00Z"
    assert condition(second, "Ready")["reason"] == "Updating"
    assert condition(second, "Ready")["observedGeneration"] == 2
    assert condition(third, "Ready")["lastTransitionTime"] == "2026-06-01T12:01:00Z"


def test_a_status_that_is_already_so_needs_no_write():
    status = settle(a_situation(a_workload(status=recorded()), row=a_row()), MIRROR, now=NOW)
    again = settle(a_situation(a_workload(status=status), row=a_row()), MIRROR, now=NOW + timedelta(hours=1))

    assert patch_between(status, again) == {}


def test_fields_of_a_newer_version_are_left_alone():
    stored = recorded() | {"ofTheFuture": 1, "conditions": [a_condition("Ready"), a_condition("Brighter")]}

    assert "ofTheFuture" not in patch_between(
        stored, settle(a_situation(a_workload(status=recorded())), MIRROR, now=NOW)
    )


def test_the_id_stays_through_everything():
    status = settle(a_situation(a_workload(status=recorded()), remote=Missing()), GONE, now=NOW)

    assert status["workloadId"] == WORKLOAD_ID
