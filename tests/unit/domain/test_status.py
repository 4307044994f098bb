"""What a pass leaves behind for the next one; how status reads is tested in `tests/unit/readers`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from builders import WORKLOAD_ID, a_condition, a_desired, a_remote, a_row, a_state, a_workload, submitted_status
from runai_operator.domain.actions import Delete, ReadRemote, Result, Update, Verdict
from runai_operator.domain.conditions import condition
from runai_operator.domain.decide import decide
from runai_operator.domain.errors import InvalidWorkload, OutcomeUnknown, Unavailable
from runai_operator.domain.memory import Requests
from runai_operator.domain.model import ManagementPolicy, RecreatePolicy
from runai_operator.domain.reasons import Reason
from runai_operator.domain.status import build_status, patch_between
from runai_operator.domain.steps import update_unanswered

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LOST = OutcomeUnknown("lost")
GONE = InvalidWorkload("It was deleted.", reason=Reason.DELETED_EXTERNALLY)


def after_a_lost_answer(*, put=False, **spec):
    workload = a_workload(generation=2, status=submitted_status(), **spec)
    s = a_state(workload, desired=a_desired("v1:bbbb"), remote=a_remote(), failed=LOST)
    s = update_unanswered(s) if put else s
    return build_status(s, Result(Verdict.RETRYING, LOST, outstanding=True), now=NOW)


def test_after_a_lost_put_even_the_old_content_is_sent_again():
    status = after_a_lost_answer(put=True)
    s = a_state(a_workload(generation=3, status=status), desired=a_desired(), remote=a_remote())

    assert isinstance(decide(s), Update)


def test_after_a_lost_answer_a_changed_identity_is_still_recognised():
    """A DELETE on the way to a recreate whose answer is lost must not turn into a PUT of another kind."""
    policy = {"recreate_policy": RecreatePolicy.ON_IMMUTABLE_CHANGE}
    status = after_a_lost_answer(**policy)
    other = a_desired("v1:bbbb", project_id="2")
    s = a_state(a_workload(generation=3, status=status, **policy), desired=other, remote=a_remote(), deletion_wait=0.0)

    assert isinstance(decide(s), Delete)


def test_status_written_by_a_newer_version_is_kept():
    """Fields and types of conditions that this version does not know, after a downgrade."""
    newer = a_condition("Audited", "True", "ByNextYear")
    stored = submitted_status(costCenter="x")
    stored["conditions"] = [*stored["conditions"], newer]
    s = a_state(a_workload(generation=2, status=stored), remote=a_remote())
    status = build_status(s, Result(Verdict.IN_SYNC), now=NOW)

    assert newer in status["conditions"]
    assert "costCenter" not in patch_between(stored, status), "neither written nor removed"


FIRST_RELEASE = {
    "observedGeneration": 1,
    "workloadId": WORKLOAD_ID,
    "workloadName": "train",
    "projectId": "1",
    "projectName": "team-a",
    "clusterId": "71f69d83-ba66-4822-adf5-55ce55efd210",
    "gvk": {"group": "batch", "version": "v1", "kind": "Job"},
    "priority": "low",
    "category": "Train",
    "desiredPhase": "Running",
    "syncStatus": "Synced",
    "phase": "Running",
    "runningPods": 1,
    "requestedPods": 1,
    "allocatedGpus": "1",
    "createdAt": "2026-01-01T00:00:00Z",
    "ownerUid": "uid-1",
    "submittedHash": "v1:fbf7a2ff8b5cc8f9c8ed34e2a3ce8f0f.e3a1c4b9d20f",
    "conditions": [
        {
            "type": "Ready",
            "status": "True",
            "reason": "Running",
            "message": "the workload is running",
            "observedGeneration": 1,
            "lastTransitionTime": "2026-01-01T00:00:10Z",
        },
        {
            "type": "Synced",
            "status": "True",
            "reason": "Synced",
            "message": "what was submitted has reached the cluster",
            "observedGeneration": 1,
            "lastTransitionTime": "2026-01-01T00:00:05Z",
        },
    ],
}
"""As 0.1.0 wrote it, word for word: to be understood for ever."""


def test_a_status_of_the_first_release_is_read_and_nothing_it_says_changes():
    workload = a_workload(status=FIRST_RELEASE)
    s = a_state(workload, row=a_row(phase="Running", running_pods=1, requested_pods=1, allocated_gpus="1"))
    status = build_status(s, Result(Verdict.IN_SYNC), now=NOW)

    assert decide(s) == Result(Verdict.IN_SYNC)
    assert without_messages(status) == without_messages(FIRST_RELEASE) | {"ready": "True", "reason": "Running"}
    again = replace(s, workload=replace(workload, status=status))
    assert patch_between(status, build_status(again, Result(Verdict.IN_SYNC), now=NOW)) == {}


def without_messages(status):
    conditions = [{key: value for key, value in entry.items() if key != "message"} for entry in status["conditions"]]
    return status | {"conditions": conditions}


@pytest.mark.parametrize(
    ("hashed", "expected"),
    [
        pytest.param("v0:0123.e3a1", Result, id="another normalisation: no PUT for that alone"),
        pytest.param("v1:0123.IDENTITY", ReadRemote, id="the same normalisation, other content: on the way to a PUT"),
    ],
)
def test_a_hash_of_another_version_alone_causes_no_put(hashed, expected):
    desired = a_desired("v1:4567")
    status = FIRST_RELEASE | {
        "submittedHash": hashed.replace("IDENTITY", desired.identity(adopts=False)).replace(
            "e3a1", desired.identity(adopts=False)
        )
    }
    s = a_state(a_workload(status=status), desired=desired, requests=Requests(check_content=True))

    assert isinstance(decide(s), expected)


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (Result(Verdict.REJECTED, GONE, outstanding=True), ("False", "DeletedExternally")),
        (
            Result(Verdict.RETRYING, Unavailable("It cannot be reached."), outstanding=True),
            ("Unknown", "RunaiUnavailable"),
        ),
    ],
)
def test_of_what_is_only_observed_nothing_is_said_to_wait_to_be_sent(end, expected):
    state = a_state(a_workload(workload_id="w", management_policy=ManagementPolicy.OBSERVE), remote=None)
    synced = condition(build_status(state, end, now=NOW), "Synced")

    assert (synced["status"], synced["reason"]) == expected


def test_a_deletion_that_waits_for_a_person_does_not_say_that_it_goes_on_by_itself():
    state = a_state(a_workload(deleting=True, paused=True, status=submitted_status()))
    end = decide(state)
    ready = condition(build_status(state, end, now=NOW), "Ready")

    assert "once the annotation bridge.run.ai/paused is removed" in ready["message"]
    assert "by itself" not in ready["message"]
    assert "deletionPolicy: Orphan" in ready["message"]
