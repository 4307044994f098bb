"""What can be told of an object from the summary of its status alone."""

from __future__ import annotations

import pytest

from builders import WORKLOAD_ID
from runai_operator.domain.plan import StatusSummary


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
