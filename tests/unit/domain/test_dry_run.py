"""What `decide` does about `managementPolicy: DryRun`, rule by rule."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import (
    WORKLOAD_ID,
    a_condition,
    a_desired,
    a_remote,
    a_state,
    a_workload,
    completed_status,
    submitted_status,
)
from runai_operator.domain.access import parse_access
from runai_operator.domain.actions import AskDryRuns, DryRun, ReadRemote, Render, Result, Verdict
from runai_operator.domain.decide import decide
from runai_operator.domain.dry_run import is_its_own
from runai_operator.domain.errors import AccessDenied, InvalidWorkload, NameTaken, OutcomeUnknown, Unavailable
from runai_operator.domain.memory import Memory, Requests
from runai_operator.domain.model import IN_DOUBT, NAME_HELD, NOT_SUBMITTED, ManagementPolicy
from runai_operator.domain.plan import Need, StatusSummary, plan_of
from runai_operator.domain.probe import PROVING, UNSUPPORTED
from runai_operator.domain.reasons import Reason
from runai_operator.domain.requeue import next_verdict, requeue_after
from runai_operator.domain.status import build_status
from runai_operator.domain.steps import remembered

DESIRED = a_desired()
HASH = DESIRED.fingerprint(adopts=False)
OTHER = a_desired("v1:bbbb")
VALID_STATUS = {
    "observedGeneration": 1,
    "submission": NOT_SUBMITTED,
    "validatedHash": HASH,
    "conditions": [a_condition("Ready", "True", "Valid"), a_condition("Synced", "False", "NotDelivered")],
}
DOWN = Unavailable("Run:ai cannot be reached.")
REFUSED = InvalidWorkload("Run:ai refused the workload: category 'Trian' is not available. Correct what it names.")
ASKED = Requests(verdict=True)


def a_dry_run(status=None, *, finalizer=False, **more):
    seen = {key: more.pop(key) for key in list(more) if key in SEEN}
    workload = a_workload(finalizer=finalizer, status=status, management_policy=ManagementPolicy.DRY_RUN, **more)
    return a_state(workload, **seen)


SEEN = ("desired", "dry_runs_proven", "validated", "failed", "requests", "memory", "access", "install")


def test_nothing_is_written_on_the_way_to_the_verdict():
    assert decide(a_dry_run()) == Render()
    assert decide(a_dry_run(desired=DESIRED)) == AskDryRuns("1")
    assert decide(a_dry_run(desired=DESIRED, dry_runs_proven=True)) == DryRun(DESIRED.submission)
    end = decide(a_dry_run(desired=DESIRED, dry_runs_proven=True, validated=True))
    assert end == Result(Verdict.VALID, not_submitted=True)


@pytest.mark.parametrize("status", [submitted_status(), completed_status(), submitted_status(syncStatus="Deleted")])
def test_what_was_submitted_cannot_become_a_dry_run(status):
    end = decide(a_dry_run(status, finalizer=True))

    assert (end.verdict, end.not_submitted) == (Verdict.REJECTED, False)
    assert WORKLOAD_ID in end.error.message


def test_a_reading_that_somebody_asks_for_is_made_before_it_is_refused():
    asked = a_dry_run(submitted_status(), finalizer=True, token="now")

    assert decide(asked) == ReadRemote(WORKLOAD_ID)
    assert decide(replace(asked, remote=a_remote())).verdict is Verdict.REJECTED
    assert decide(replace(asked, remote=DOWN)) == Result(Verdict.RETRYING, DOWN, outstanding=True)


@pytest.mark.parametrize("submission", [None, IN_DOUBT, NAME_HELD])
def test_what_may_have_been_submitted_cannot_either(submission):
    status = {"observedGeneration": 1, "submission": submission, "projectId": "1"}
    end = decide(a_dry_run({key: value for key, value in status.items() if value}, finalizer=True))

    assert (end.verdict, end.not_submitted) == (Verdict.REJECTED, False)
    assert "is not known yet" in end.error.message


def test_a_finalizer_beside_the_proof_that_nothing_was_submitted_goes():
    s = a_dry_run(
        {"observedGeneration": 1, "submission": NOT_SUBMITTED}, finalizer=True, desired=DESIRED, validated=True
    )

    assert decide(s) == Result(Verdict.VALID, not_submitted=True)


def test_what_is_to_be_written_over_a_workload_has_no_dry_run():
    end = decide(a_dry_run(workload_id=WORKLOAD_ID))

    assert (end.verdict, end.error.condition_reason) == (Verdict.REJECTED, Reason.INVALID_SPEC)


def test_a_project_that_the_namespace_may_not_use_is_not_asked_about():
    access = parse_access('[{"namespaces": ["others"], "projects": ["*"]}]')
    end = decide(a_dry_run(desired=DESIRED, access=access))

    assert (end.verdict, end.error.condition_reason) == (Verdict.REJECTED, Reason.PROJECT_NOT_ALLOWED)


@pytest.mark.parametrize("error", [REFUSED, NameTaken("A workload with this name already exists."), UNSUPPORTED])
def test_a_refusal_is_shown_in_the_words_of_who_refuses(error):
    of_run_ai = a_dry_run(VALID_STATUS, desired=DESIRED, dry_runs_proven=True, failed=error, requests=ASKED)
    of_the_guard = a_dry_run(VALID_STATUS, desired=DESIRED, dry_runs_proven=error, requests=ASKED)

    for s in (of_run_ai, of_the_guard):
        end = decide(s)
        assert end == Result(Verdict.REJECTED, error, outstanding=True, not_submitted=True)
        assert "validatedHash" not in build_status(s, end, now=s.wall)


def test_what_the_operator_refuses_itself_is_not_asked_about():
    end = decide(a_dry_run(VALID_STATUS, desired=REFUSED))

    assert end == Result(Verdict.REJECTED, REFUSED, outstanding=True, not_submitted=True)


@pytest.mark.parametrize("error", [DOWN, AccessDenied("Run:ai denies it."), OutcomeUnknown("No answer came.")])
def test_trouble_is_retried_until_there_is_a_verdict(error):
    asked = a_dry_run(desired=DESIRED, dry_runs_proven=True, failed=error)
    project_unread = a_dry_run(VALID_STATUS, desired=error)

    for s in (asked, project_unread):
        assert decide(s) == Result(Verdict.RETRYING, error, outstanding=True, not_submitted=True)


def test_what_waits_for_the_proof_waits_without_polling():
    end = decide(a_dry_run(desired=DESIRED, dry_runs_proven=PROVING))

    assert end == Result(Verdict.WAITING, PROVING, outstanding=True, not_submitted=True)
    assert all(requeue_after(end, failures, 0.5) > 200 for failures in range(5))


def test_a_verdict_stands_until_something_else_would_be_sent():
    assert decide(a_dry_run(VALID_STATUS, desired=DESIRED)).verdict is Verdict.VALID
    for other in (a_desired("v1:bbbb"), a_desired(name="other"), a_desired(project_id="2")):
        assert isinstance(decide(a_dry_run(VALID_STATUS, desired=other)), AskDryRuns)


@pytest.mark.parametrize("more", [{"requests": ASKED}, {"token": "again"}])
def test_it_is_asked_again_when_that_is_due_or_requested(more):
    assert isinstance(decide(a_dry_run(VALID_STATUS, desired=DESIRED, **more)), AskDryRuns)


@pytest.mark.parametrize("error", [DOWN, PROVING])
def test_a_verdict_stands_while_run_ai_cannot_be_asked_again(error):
    s = a_dry_run(VALID_STATUS, desired=DESIRED, requests=ASKED, dry_runs_proven=True, failed=error)
    before_the_proof = a_dry_run(VALID_STATUS, desired=DESIRED, requests=ASKED, dry_runs_proven=error)
    end = decide(s)

    assert end == decide(before_the_proof) == Result(Verdict.VALID, error, not_submitted=True)
    assert end.in_trouble, "it is still to be asked"
    assert requeue_after(end, 1, 0.5) is not None
    status = build_status(s, end, now=s.wall)
    assert (status["ready"], status["reason"], status["validatedHash"]) == ("True", "Valid", HASH)


def test_who_requests_a_fresh_verdict_is_shown_why_there_is_none_and_the_old_one_comes_back():
    s = a_dry_run(VALID_STATUS, desired=DESIRED, token="again", dry_runs_proven=True, failed=DOWN)
    end = decide(s)
    assert end == Result(Verdict.RETRYING, DOWN, outstanding=True, not_submitted=True)
    status = build_status(s, end, now=s.wall)

    assert "lastHandledReconcileAt" not in status
    assert decide(a_dry_run(status, desired=DESIRED)).verdict is Verdict.VALID


def test_who_requests_a_fresh_verdict_keeps_the_old_one_while_the_operator_finds_out_how_to_ask():
    end = decide(a_dry_run(VALID_STATUS, desired=DESIRED, token="again", dry_runs_proven=PROVING))

    assert end == Result(Verdict.VALID, PROVING, not_submitted=True)


def test_while_it_is_paused_nothing_is_asked():
    new = decide(a_dry_run(desired=DESIRED, paused=True))
    assert (new.verdict, new.outstanding, new.not_submitted) == (Verdict.PAUSED, True, True)

    s = a_dry_run(VALID_STATUS, desired=DESIRED, paused=True, token="again", requests=ASKED)
    status = build_status(s, decide(s), now=s.wall)
    assert (status["ready"], status["reason"]) == ("True", "Paused")
    again = a_dry_run(status, desired=DESIRED, paused=True, token="again")
    assert build_status(again, decide(again), now=s.wall) == status


def test_status_says_that_nothing_was_sent_and_leaves_the_identity_open():
    s = a_dry_run(desired=DESIRED, dry_runs_proven=True, validated=True)
    status = build_status(s, decide(s), now=s.wall)

    synced = next(each for each in status["conditions"] if each["type"] == "Synced")
    assert (synced["status"], synced["reason"]) == ("False", "NotDelivered")
    assert status["submission"] == NOT_SUBMITTED
    assert not {"workloadId", "submittedHash", "projectId", "ownerUid"} & status.keys()


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param({"dry_runs_proven": True, "validated": True}, OTHER.fingerprint(adopts=False), id="accepted"),
        pytest.param({"dry_runs_proven": True, "failed": DOWN}, HASH, id="not known yet"),
        pytest.param({"dry_runs_proven": True, "failed": REFUSED}, None, id="refused"),
    ],
)
def test_status_says_what_run_ai_would_accept(seen, expected):
    s = a_dry_run(VALID_STATUS, desired=OTHER, **seen)

    assert build_status(s, decide(s), now=s.wall).get("validatedHash") == expected


def test_nothing_of_the_verdict_stays_once_it_is_to_be_submitted():
    s = a_state(a_workload(status=submitted_status(validatedHash=HASH)))

    assert "validatedHash" not in build_status(s, Result(Verdict.IN_SYNC), now=s.wall)


@pytest.mark.parametrize(
    ("reason", "synced", "need"),
    [
        ("Valid", "NotDelivered", Need.VERDICT),
        ("DryRunUnsupported", "NotDelivered", Need.PROBE),
        ("InvalidSpec", "NotDelivered", Need.PROBE),
        ("ProvingDryRun", "NotDelivered", Need.PASS),
        ("RunaiUnavailable", "NotDelivered", Need.PASS),
        ("Paused", "NotDelivered", Need.NOTHING),
    ],
)
def test_what_a_restart_finds_in_status_says_what_is_owed(reason, synced, need):
    meta = a_workload(finalizer=False, paused=reason == "Paused").meta
    ready = "True" if reason in ("Valid", "Paused") else "False"
    summary = StatusSummary(
        observed_generation=1, ready=ready, reason=reason, synced_reason=synced, submission=NOT_SUBMITTED
    )

    assert plan_of(summary, meta) is need


def test_pauses_grow_from_half_an_hour_to_six():
    assert [next_verdict(times) for times in range(1, 7)] == [1800, 3600, 7200, 14400, 21600, 21600]


def test_verdicts_are_counted_until_the_content_changes():
    def after(status, desired, *, validated=True, before=3, **seen):
        s = a_dry_run(status, desired=desired, validated=validated, memory=Memory(verdicts=before), **seen)
        return remembered(s, decide(s), StatusSummary(), written=s.workload, wrote_at=0.0).verdicts

    assert after(VALID_STATUS, DESIRED) == 4
    assert after(VALID_STATUS, DESIRED, validated=False) == 3
    assert after(VALID_STATUS, OTHER) == 1
    assert after(VALID_STATUS, DESIRED, validated=False, token="again", dry_runs_proven=True, failed=DOWN) == 0


def test_an_object_that_goes_takes_nothing_with_it():
    assert decide(a_dry_run(VALID_STATUS, deleting=True)) == Result(Verdict.IGNORED)


def test_what_was_submitted_is_deleted_with_the_object_although_its_policy_is_refused():
    s = a_dry_run(submitted_status(), finalizer=True, deleting=True)

    assert decide(s) == ReadRemote(WORKLOAD_ID)


@pytest.mark.parametrize(
    ("status", "changes", "finalizer", "expected"),
    [
        ({}, {}, False, False),
        ({}, {}, True, None),
        ({}, {"management_policy": ManagementPolicy.MANAGE}, False, None),
        ({}, {"management_policy": ManagementPolicy.OBSERVE, "workload_id": "id-1"}, False, False),
        ({}, {"management_policy": ManagementPolicy.OBSERVE, "workload_id": "id-0"}, False, None),
        ({}, {"management_policy": ManagementPolicy.OBSERVE, "workload_id": "id-1"}, True, None),
        ({"workloadId": "id-0"}, {}, False, True),
        ({"workloadId": "id-0"}, {"management_policy": ManagementPolicy.MANAGE}, True, True),
        ({"workloadId": "id-1"}, {"management_policy": ManagementPolicy.MANAGE}, True, False),
        ({"workloadId": "id-1"}, {"workload_id": "id-0"}, True, None),
    ],
    ids=[
        "only to be checked",
        "only to be checked from now on, and an attempt may have made it",
        "to be submitted",
        "another is to be observed",
        "to be observed",
        "another is to be observed, and an attempt may have made it",
        "submitted, and only to be checked from now on",
        "submitted",
        "submitted as another workload",
        "submitted as another workload, and to take this one over",
    ],
)
def test_what_a_dry_run_made_is_nobodys_once_its_object_cannot_have_submitted_it(status, changes, finalizer, expected):
    s = a_dry_run(status, finalizer=finalizer)
    workload = replace(s.workload, spec=replace(s.workload.spec, **changes))
    assert is_its_own(workload, "id-0") is expected


def test_what_a_dry_run_made_of_an_object_that_is_gone_is_nobodys():
    assert is_its_own(None, "id-0") is False
