"""What an attempt in doubt may have made, where that is gone by the time somebody looks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from builders import MARK, a_condition, a_desired, a_remote, a_row, a_state, a_workload
from runai_operator.domain.access import Access, AccessRule
from runai_operator.domain.actions import Adopt, BeginSubmission, MarkInDoubt, Result, Verdict
from runai_operator.domain.decide import decide
from runai_operator.domain.doubt import is_open
from runai_operator.domain.errors import BridgeError, InvalidWorkload
from runai_operator.domain.memory import Memory
from runai_operator.domain.model import NOT_SUBMITTED, Candidate, Ended, ExternalDeletionPolicy
from runai_operator.domain.reasons import Reason

CREATED = datetime(2026, 1, 1, 12, tzinfo=UTC)
SHOWN = a_remote(sync_status="Deleted", content="v1:aaaa")
OF_ANOTHER = replace(MARK, uid="uid-2")
OF_OTHERS = Access((AccessRule(("elsewhere",), ("*",)),))
HIDDEN = replace(SHOWN, mark=None, mark_readable=False)


def ended(remote: Any = None, *, at: str = "12:00:01", ahead: float = 0.0, **row: Any) -> Ended:
    known = {"phase": "Completed", "created_at": f"2026-01-01T{at}Z", "deleted_at": "2026-01-01T13:00:00Z"}
    return Ended(a_row(**known | row), remote, ahead)


def in_doubt(gone: Ended | None, *, status: dict[str, Any] | None = None, **changes: Any) -> Any:
    token, policy = changes.pop("token", None), changes.pop("policy", ExternalDeletionPolicy.REPORT)
    workload = a_workload(status=status, token=token, external_deletion_policy=policy)
    return a_state(
        replace(workload, created=CREATED),
        desired=a_desired(),
        found=(),
        ended=() if gone is None else (gone,),
        **changes,
    )


@pytest.mark.parametrize("phase", ["Completed", "Failed", "Running"])
def test_what_carries_our_mark_is_adopted_as_it_ended(phase: str):
    gone = ended(SHOWN, phase=phase)

    assert decide(in_doubt(gone)) == Adopt(SHOWN, gone.row, finished=phase == "Completed")


def test_the_guarded_writes_come_first():
    assert decide(in_doubt(ended(SHOWN), status={"submission": NOT_SUBMITTED})) == BeginSubmission()


MAY_BE_OURS = {
    "it is not shown any more": ended(),
    "it failed": ended(phase="Failed"),
    "when it finished is all that is told": ended(phase="Deleting", completed_at="2026-01-01T12:30:00Z"),
    "its manifest is not shown": ended(HIDDEN),
    "it was made in the same second": ended(at="11:59:58"),
    "Run:ai's clock is behind": ended(at="11:00:03", ahead=-3600),
}


@pytest.mark.parametrize("case", MAY_BE_OURS)
def test_what_may_be_ours_and_finished_is_not_run_again(case: str):
    match decide(in_doubt(MAY_BE_OURS[case])):
        case Result(Verdict.REJECTED, InvalidWorkload() as error, outstanding=True, not_submitted=False):
            assert error.condition_reason == Reason.ENDED_UNSEEN
            assert "named train" in error.message
        case other:
            pytest.fail(f"{other}")


NOT_OURS = {
    "there is none": None,
    "it has another owner": ended(replace(SHOWN, mark=OF_ANOTHER)),
    "it has none": ended(replace(SHOWN, mark=None)),
    "it had not finished": ended(phase="Running"),
    "it is older than the object": ended(at="11:59:57"),
    "it is older, and Run:ai's clock is ahead": ended(at="12:59:57", ahead=3600),
}


@pytest.mark.parametrize("case", NOT_OURS)
def test_any_other_does_not_keep_the_attempt_from_being_repeated(case: str):
    assert decide(in_doubt(NOT_OURS[case])) == MarkInDoubt()


@pytest.mark.parametrize(("at", "is_earlier"), [("12:00:01", True), ("12:00:01.9", True), ("12:00:03", False)])
@pytest.mark.parametrize("remote", [SHOWN, None])
def test_an_earlier_run_of_the_same_object_is_none_of_this_attempt(at: str, is_earlier: bool, remote: Any):
    repeated = decide(in_doubt(ended(remote, at=at), status={"createdAt": "2026-01-01T12:00:01Z"}))

    assert (repeated == MarkInDoubt()) is is_earlier


def test_an_earlier_run_does_not_hide_what_the_attempt_made():
    runs = (ended(SHOWN, at="12:00:01"), ended(SHOWN, at="12:00:05"))
    state = replace(in_doubt(None, status={"createdAt": "2026-01-01T12:00:01Z"}), ended=runs)

    assert decide(state) == Adopt(SHOWN, runs[1].row, finished=True)


def test_what_is_there_and_ours_comes_before_what_is_gone():
    there = Candidate(a_row(id="there"), a_remote(id="there"))

    match decide(replace(in_doubt(ended(SHOWN)), found=(there,))):
        case Adopt(remote):
            assert remote == there.remote
        case other:
            pytest.fail(f"{other}")


def test_where_nothing_tells_when_the_object_was_made_any_may_be_ours():
    state = in_doubt(ended())

    assert isinstance(decide(replace(state, workload=replace(state.workload, created=None))), Result)


def test_that_the_project_may_not_be_used_is_told_first():
    match decide(in_doubt(ended(), access=OF_OTHERS)):
        case Result(Verdict.REJECTED, BridgeError() as error):
            assert error.condition_reason == Reason.PROJECT_NOT_ALLOWED
        case other:
            pytest.fail(f"{other}")


@pytest.mark.parametrize("gone", [ended(), None])
@pytest.mark.parametrize("token", [None, "now"])
@pytest.mark.parametrize("policy", ExternalDeletionPolicy)
def test_a_request_runs_it_again_where_that_is_what_the_policy_says(
    gone: Ended | None, token: str | None, policy: ExternalDeletionPolicy
):
    status = {"conditions": [a_condition("Ready", "False", Reason.ENDED_UNSEEN)]}
    asks = token is not None and policy is ExternalDeletionPolicy.RECREATE

    assert isinstance(
        decide(in_doubt(gone, status=status, token=token, policy=policy)), MarkInDoubt if asks else Result
    )


def test_the_refusal_outlives_the_lists_and_every_proof_of_absence():
    status = {"conditions": [a_condition("Ready", "False", Reason.ENDED_UNSEEN)]}
    watched = in_doubt(None, status=status, memory=Memory(lookup_since=-1000.0))

    assert watched.absence_proven
    assert is_open(watched)
    assert isinstance(decide(watched), Result)
    assert not isinstance(decide(replace(watched, unmade=True)), Result), "no attempt has made anything"
