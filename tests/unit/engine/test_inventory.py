"""What the engine remembers: which workloads still need readings."""

from __future__ import annotations

import pytest

from builders import REF, WORKLOAD_ID
from runai_operator.domain.model import Meta
from runai_operator.engine.inventory import Entry, StatusSummary

HEAD = Meta(REF, "1", 1, deleting=False, has_finalizer=True, paused=False, reconcile_token=None)


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
def test_readings_go_on_until_the_sync_has_an_end(phase, sync, expected):
    record = Entry(HEAD, StatusSummary(workload_id=WORKLOAD_ID, phase=phase, sync=sync))

    assert record.in_flight is expected


def test_what_was_never_submitted_is_not_in_flight():
    assert not Entry(HEAD, StatusSummary()).in_flight
