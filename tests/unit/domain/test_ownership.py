"""What may be deleted, or taken over as finished."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import GVK, MARK, WORKLOAD_ID, a_remote, a_state, a_workload, completed_status, submitted_status
from runai_operator.domain.ownership import may_be_taken_over, may_delete

EARLIER_LIFE = replace(MARK, uid="uid-0")
NAMESAKE = replace(MARK, namespace="other", uid="uid-5")
LIVE = a_workload(status=submitted_status())
DONE = a_workload(status=completed_status())
ADOPTING_DONE = a_workload(workload_id=WORKLOAD_ID, status=completed_status(submittedHash=None))
ADOPTING = a_workload(workload_id=WORKLOAD_ID, status=submitted_status(submittedHash=None))


def may(state, **remote):
    return may_delete(state, a_remote(**remote))


@pytest.mark.parametrize(
    ("state", "remote"),
    [
        pytest.param(a_state(LIVE), {}, id="our mark"),
        pytest.param(a_state(LIVE), {"mark": None}, id="no mark, and what is on record"),
        pytest.param(
            a_state(a_workload(status=submitted_status(workloadName=None))), {"mark": None}, id="no name is on record"
        ),
        pytest.param(
            a_state(a_workload(status=submitted_status(projectId=None))), {"mark": None}, id="no project is on record"
        ),
        pytest.param(a_state(a_workload(status=submitted_status(gvk=None))), {"mark": None}, id="no kind is on record"),
        pytest.param(a_state(LIVE), {"mark": None, "gvk": None}, id="no kind is shown"),
        pytest.param(
            a_state(LIVE), {"mark": None, "gvk": replace(GVK, version="v2")}, id="another version of the same kind"
        ),
        pytest.param(a_state(DONE), {"mark": EARLIER_LIFE}, id="an earlier life's, taken over as finished"),
        pytest.param(
            a_state(DONE, owner_exists=False), {"mark": NAMESAKE}, id="that of one that is gone, taken over as finished"
        ),
    ],
)
def test_may_be_deleted(state, remote):
    assert may(state, **remote)


@pytest.mark.parametrize(
    ("state", "remote"),
    [
        pytest.param(a_state(LIVE), {"mark": None, "id": "2"}, id="no mark, and another id than on record"),
        pytest.param(a_state(LIVE), {"mark": None, "name": "eval"}, id="no mark, and another name"),
        pytest.param(a_state(LIVE), {"mark": None, "project_id": "2"}, id="no mark, and another project"),
        pytest.param(
            a_state(LIVE), {"mark": None, "gvk": replace(GVK, kind="CronJob")}, id="no mark, and another kind"
        ),
        pytest.param(a_state(ADOPTING), {"mark": None}, id="no mark, and its adoption is not proven"),
        pytest.param(a_state(LIVE), {"mark": EARLIER_LIFE}, id="an earlier life's that has not completed"),
        pytest.param(a_state(DONE), {"mark": EARLIER_LIFE, "id": "2"}, id="another one of an earlier life"),
        pytest.param(
            a_state(LIVE, owner_exists=False), {"mark": NAMESAKE}, id="that of one that is gone, not completed"
        ),
        pytest.param(a_state(DONE), {"mark": NAMESAKE}, id="that of another object that may be there"),
        pytest.param(a_state(DONE, owner_exists=True), {"mark": NAMESAKE}, id="that of another object that is there"),
        pytest.param(
            a_state(DONE, owner_exists=False),
            {"mark": replace(NAMESAKE, install="install-2")},
            id="that of another install, whoever is gone here",
        ),
        pytest.param(a_state(ADOPTING_DONE), {"mark": EARLIER_LIFE}, id="completed, and its adoption is not proven"),
    ],
)
def test_may_not_be_deleted(state, remote):
    assert not may(state, **remote)


def test_only_what_is_on_record_as_completed_is_taken_over():
    assert may_be_taken_over(a_state(DONE), a_remote())
    assert not may_be_taken_over(a_state(DONE), a_remote(id="2"))
    assert not may_be_taken_over(a_state(LIVE), a_remote())
    assert not may_be_taken_over(a_state(ADOPTING_DONE), a_remote())
