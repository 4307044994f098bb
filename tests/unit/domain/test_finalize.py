"""What an object leaves behind that vanished although we had not removed its finalizer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import INSTALL, MARK, REF, WORKLOAD_ID
from runai_operator.domain.finalize import left_by_force
from runai_operator.domain.memory import Memory
from runai_operator.domain.model import NOT_SUBMITTED, Orphan
from runai_operator.domain.plan import StatusSummary

SUBMITTED = StatusSummary(workload_id=WORKLOAD_ID, name="ours", project_id="1")
LEFT = Orphan(MARK, "ours", "1", None, WORKLOAD_ID, "FinalizerRemoved")
OWED = Memory(pending_status={"workloadId": "2", "workloadName": "owed", "projectId": "7"})


@pytest.mark.parametrize(
    ("summary", "memory", "expected"),
    [
        pytest.param(SUBMITTED, Memory(), LEFT, id="what status shows"),
        pytest.param(
            SUBMITTED,
            OWED,
            replace(LEFT, workload_id="2", name="owed", project_id="7"),
            id="what status owes comes before what it shows",
        ),
        pytest.param(
            StatusSummary(submission=NOT_SUBMITTED),
            OWED,
            replace(LEFT, workload_id="2", name="owed", project_id="7"),
            id="submitted just now, and not in status yet",
        ),
        pytest.param(
            StatusSummary(),
            Memory(),
            replace(LEFT, workload_id=None, name=REF.name, project_id=None, in_doubt=True),
            id="an attempt in doubt",
        ),
        pytest.param(StatusSummary(submission=NOT_SUBMITTED), Memory(), None, id="nothing was submitted"),
        pytest.param(replace(SUBMITTED, sync="Deleted"), Memory(), None, id="it was deleted"),
        pytest.param(replace(SUBMITTED, sync="Deleting"), Memory(), LEFT, id="it was being deleted"),
        pytest.param(replace(SUBMITTED, keeps_workload=True), Memory(), None, id="it is to stay"),
    ],
)
def test_what_is_left_by_force(summary, memory, expected):
    assert left_by_force(REF, INSTALL, summary, memory) == expected
