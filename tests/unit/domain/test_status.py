"""What a pass leaves behind for the next one; how status reads is tested in `tests/unit/readers`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from builders import (
    GVK,
    MARK,
    REF,
    WORKLOAD_ID,
    a_condition,
    a_desired,
    a_remote,
    a_row,
    a_state,
    a_workload,
    completed_status,
    submitted_status,
)
from runai_operator.domain.access import Access, AccessRule
from runai_operator.domain.actions import Delete, ReadRemote, Result, Update, Verdict
from runai_operator.domain.conditions import condition
from runai_operator.domain.decide import decide
from runai_operator.domain.errors import Busy, InvalidWorkload, OutcomeUnknown, SourceUnusable, Unavailable
from runai_operator.domain.freshness import Freshness
from runai_operator.domain.memory import Memory, Requests, Source, Unread
from runai_operator.domain.model import ManagementPolicy, Missing, RecreatePolicy, SourceRef
from runai_operator.domain.reasons import Reason
from runai_operator.domain.status import build_status, patch_between
from runai_operator.domain.steps import update_unanswered
from runai_operator.domain.stored_status import SINCE

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
    workload = a_workload(generation=3, status=status, **policy)
    s = a_state(workload, desired=other, remote=a_remote(), found=(), deletion_wait=0.0)

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


# --- what a person reads

SENT = "What was submitted has reached the cluster."
UNTOLD = "This Run:ai does not report whether a workload has reached its cluster."
LOOK = "Its logs in Run:ai may say more; an edit of the manifest is sent (docs/status.md#failed)."
MEND = "Mend what is named: an edit is sent (docs/status.md#syncfailed)."
WHO = "Find out who deleted it (docs/status.md#runaideleting)."


def words(status, kind):
    """Status, reason and message of a condition; None when it is absent."""
    found = condition(status, kind)
    return found and (found["status"], found["reason"], found["message"])


def abnormal(status):
    return [kind for kind in ("Reconciling", "Stalled") if condition(status, kind)]


def shown(phase, detail=None, **remote):
    """What status says once Run:ai has taken everything, and shows this."""
    row = a_row(phase=phase, phase_message=detail)
    s = a_state(a_workload(status=submitted_status()), desired=a_desired(), remote=a_remote(**remote), row=row)
    return build_status(s, Result(Verdict.IN_SYNC), now=NOW)


@pytest.mark.parametrize(
    ("phase", "detail", "ready", "beside"),
    [
        ("Running", "all is well", ("True", "Running", "The workload is running."), []),
        ("Completed", None, ("True", "Completed", "The workload has completed."), []),
        ("Stopped", None, ("True", "Stopped", "The workload is stopped in Run:ai."), []),
        ("Stopped", "by an admin", ("True", "Stopped", "Run:ai reports: by an admin."), []),
        ("Failed", None, ("False", "Failed", f"The workload has failed. {LOOK}"), ["Stalled"]),
        ("Failed", " lost with node X. ", ("False", "Failed", f"Run:ai reports: lost with node X. {LOOK}"), ["Stalled"]),
        ("Pending", None, ("False", "Pending", "The phase in Run:ai is Pending."), ["Reconciling"]),
        ("Pending", "no GPU is free.", ("False", "Pending", "Run:ai reports: no GPU is free."), ["Reconciling"]),
        (
            None,
            None,
            ("False", "Creating", "The workload is on its cluster and has no phase yet."),
            ["Reconciling"],
        ),
        (
            "Degraded",
            None,
            (
                "False",
                "Degraded",
                "The workload runs with a problem. Run:ai may get over it by itself (docs/status.md#degraded).",
            ),
            ["Reconciling"],
        ),
        (
            "Degraded",
            "a pod is lost",
            (
                "False",
                "Degraded",
                "Run:ai reports: a pod is lost. Run:ai may get over it by itself (docs/status.md#degraded).",
            ),
            ["Reconciling"],
        ),
        (
            "Suspending",
            None,
            ("False", "UnknownPhase", "The phase in Run:ai is Suspending. See it in Run:ai (docs/status.md#unknownphase)."),
            ["Reconciling"],
        ),
    ],
)  # fmt: skip
def test_once_it_is_on_its_cluster_the_phase_is_told(phase, detail, ready, beside):
    status = shown(phase, detail)

    assert (words(status, "Ready"), abnormal(status)) == (ready, beside)
    assert words(status, "Synced") == ("True", "Synced", SENT)


@pytest.mark.parametrize(
    ("sync", "said", "ready", "beside"),
    [
        (
            "Failed",
            "no such image.",
            ("False", "SyncFailed", f"Run:ai reports: no such image. {MEND}"),
            ["Stalled"],
        ),
        (
            "Failed",
            None,
            (
                "False",
                "SyncFailed",
                f"Run:ai could not bring the workload to its cluster and gave no reason. {MEND}",
            ),
            ["Stalled"],
        ),
        (
            "Queued",
            None,
            ("False", "Syncing", "Run:ai accepted the workload and is bringing it to its cluster (Queued)."),
            ["Reconciling"],
        ),
    ],
)
def test_before_that_how_it_gets_there_is_told_whatever_the_phase(sync, said, ready, beside):
    status = shown("Running", sync_status=sync, sync_message=said)

    assert (words(status, "Ready"), abnormal(status)) == (ready, beside)
    assert words(status, "Synced") == ready


@pytest.mark.parametrize(
    ("remote", "synced"),
    [
        ({"desired_phase": "Deleted"}, ("True", "Synced")),
        ({"sync_status": "Deleting"}, ("False", "Syncing")),
    ],
)
def test_what_run_ai_deletes_is_no_longer_ready_whatever_the_phase(remote, synced):
    status = shown("Running", **remote)

    assert words(status, "Ready") == ("False", "RunaiDeleting", f"Run:ai is deleting the workload. {WHO}")
    assert abnormal(status) == ["Reconciling"]
    assert words(status, "Synced")[:2] == synced


def test_where_run_ai_does_not_report_the_sync_ready_goes_by_the_phase():
    status = shown("Running", sync_status=None)

    assert words(status, "Ready") == ("True", "Running", "The workload is running.")
    assert words(status, "Synced") == ("Unknown", "SyncNotReported", UNTOLD)


def test_the_answer_to_a_submission_never_reports_the_sync():
    s = a_state(a_workload(status=submitted_status()), desired=a_desired(), remote=a_remote(sync_status=None))
    status = build_status(s, Result(Verdict.DELIVERED), now=NOW)

    assert words(status, "Ready") == ("False", "Syncing", "The workload was submitted to Run:ai.")
    assert words(status, "Synced") == words(status, "Ready")
    assert abnormal(status) == ["Reconciling"]


ORPHAN = (
    "Setting deletionPolicy: Orphan leaves the workload in Run:ai and removes this object at once"
    " (docs/status.md#deleting)."
)
AGAIN = "The operator tries again by itself (docs/status.md#runaiunavailable)."
INVALID = InvalidWorkload("It has no name.", reason=Reason.INVALID_SPEC)
DOWN = Unavailable("It cannot be reached.")
BUSY = Busy("The name is held.", reason=Reason.WAITING_FOR_NAME)
NO_SOURCE = SourceUnusable("It is not there.", reason=Reason.SOURCE_NOT_FOUND)
RUNS = ("True", "Running", "The workload is running.")
EDIT = "It has no name. An edit is tried at once (docs/status.md#invalidspec)."
REACH = f"It cannot be reached. {AGAIN}"


@pytest.mark.parametrize(
    ("end", "ready", "beside", "synced"),
    [
        pytest.param(
            Result(Verdict.DELETING),
            ("False", "Deleting", f"The workload is being deleted. {ORPHAN}"),
            ["Reconciling"],
            ("False", "Deleting", f"The workload is being deleted. {ORPHAN}"),
            id="it is being deleted",
        ),
        pytest.param(
            Result(Verdict.DELETING, BUSY),
            ("False", "Deleting", f"The name is held. {ORPHAN}"),
            ["Reconciling"],
            ("False", "Deleting", f"The name is held. {ORPHAN}"),
            id="its deletion waits for something",
        ),
        pytest.param(
            Result(Verdict.REJECTED, INVALID, outstanding=True),
            ("False", "InvalidSpec", EDIT),
            ["Stalled"],
            ("False", "NotDelivered", EDIT),
            id="what was to be sent is refused",
        ),
        pytest.param(
            Result(Verdict.REJECTED, GONE),
            ("False", "DeletedExternally", "It was deleted."),
            ["Stalled"],
            ("False", "DeletedExternally", "It was deleted."),
            id="nothing was to be sent, and it is lost",
        ),
        pytest.param(
            Result(Verdict.WAITING, BUSY, outstanding=True),
            ("False", "WaitingForName", "The name is held."),
            ["Reconciling"],
            ("False", "NotDelivered", "The name is held."),
            id="Run:ai has to finish something first",
        ),
        pytest.param(
            Result(Verdict.WAITING, BUSY),
            ("False", "WaitingForName", "The name is held."),
            ["Reconciling"],
            ("False", "WaitingForName", "The name is held."),
            id="it is created again in a while",
        ),
        pytest.param(
            Result(Verdict.RETRYING, DOWN, outstanding=True),
            ("False", "RunaiUnavailable", REACH),
            ["Reconciling"],
            ("False", "NotDelivered", REACH),
            id="it cannot be sent now",
        ),
        pytest.param(
            Result(Verdict.RETRYING, DOWN),
            RUNS,
            [],
            ("True", "Synced", SENT),
            id="it cannot be read now",
        ),
        pytest.param(
            Result(Verdict.IN_SYNC, outstanding=True),
            RUNS,
            [],
            ("False", "NotDelivered", "The last change has not been sent to Run:ai."),
            id="an edit waits for another turn",
        ),
        pytest.param(
            Result(Verdict.IN_SYNC, NO_SOURCE),
            RUNS,
            [],
            ("False", "SourceNotFound", "It is not there."),
            id="it goes on without its source",
        ),
        pytest.param(
            Result(Verdict.PAUSED, outstanding=True),
            (
                "False",
                "Paused",
                "Paused, with changes not yet submitted: remove the annotation bridge.run.ai/paused to submit them.",
            ),
            ["Stalled"],
            ("False", "NotDelivered", "The last change has not been sent to Run:ai."),
            id="it is paused, with something to send",
        ),
    ],
)
def test_what_the_pass_could_not_do_is_told_before_what_run_ai_shows(end, ready, beside, synced):
    status = build_status(a_state(a_workload(status=submitted_status())), end, now=NOW)

    assert (words(status, "Ready"), abnormal(status)) == (ready, beside)
    assert words(status, "Synced") == synced


@pytest.mark.parametrize(
    "end",
    [
        Result(Verdict.RETRYING, DOWN, outstanding=True),
        Result(Verdict.WAITING, BUSY, outstanding=True),
    ],
)
def test_what_waits_for_too_long_has_stalled(end):
    s = a_state(a_workload(status=submitted_status()))

    assert abnormal(build_status(s, end, now=NOW, stalled=True)) == ["Stalled"]


@pytest.mark.parametrize(
    ("phase", "ready", "reason"),
    [
        ("Running", "True", "Paused"),
        ("Completed", "True", "Paused"),
        ("Failed", "False", "Failed"),
        ("Pending", "False", "Pending"),
    ],
)
def test_what_is_paused_says_so_unless_something_is_wrong(phase, ready, reason):
    s = a_state(a_workload(paused=True, status=submitted_status(phase=phase)))
    told = words(build_status(s, Result(Verdict.PAUSED), now=NOW), "Ready")

    assert told[:2] == (ready, reason)
    assert told[2].startswith("Paused: nothing is written to Run:ai") is (reason == "Paused")


@pytest.mark.parametrize(
    ("phase", "beside"),
    [
        pytest.param("Pending", ["Stalled"], id="on its way for too long"),
        pytest.param("Running", [], id="what runs has not stalled"),
    ],
)
def test_an_edit_that_waits_for_too_long_has_stalled_what_is_on_its_way(phase, beside):
    s = a_state(a_workload(status=submitted_status(phase=phase)))
    status = build_status(s, Result(Verdict.IN_SYNC, outstanding=True), now=NOW, stalled=True)

    assert abnormal(status) == beside


FINISHED = completed_status()
DONE = ("True", "Completed", "The workload has completed.")


@pytest.mark.parametrize("end", [Verdict.REJECTED, Verdict.RETRYING])
@pytest.mark.parametrize(
    ("status", "desired", "expected"),
    [
        pytest.param(FINISHED, INVALID, "Completed", id="its manifest cannot be had any more"),
        pytest.param(FINISHED, a_desired(), "InvalidSpec", id="something else is wrong with it"),
        pytest.param(submitted_status(), INVALID, "InvalidSpec", id="it has not completed"),
    ],
)
def test_what_has_completed_stays_so_when_nothing_is_known_to_be_sent_instead(end, status, desired, expected):
    s = a_state(a_workload(generation=2, status=status), desired=desired)

    assert words(build_status(s, Result(end, INVALID, outstanding=True), now=NOW), "Ready")[1] == expected


@pytest.mark.parametrize(
    ("requests", "stored", "expected"),
    [
        pytest.param(Requests(restate=True), FINISHED, "Completed", id="said again"),
        pytest.param(Requests(), FINISHED, "RunaiUnavailable", id="not said again: something is to be sent"),
        pytest.param(Requests(restate=True), submitted_status(), "RunaiUnavailable", id="it has not completed"),
    ],
)
def test_completed_work_that_is_told_again_has_still_completed(requests, stored, expected):
    s = a_state(a_workload(status=stored), requests=requests)

    assert words(build_status(s, Result(Verdict.RETRYING, DOWN, outstanding=True), now=NOW), "Ready")[1] == expected


@pytest.mark.parametrize(
    ("stored", "row", "expected"),
    [
        pytest.param(FINISHED, a_row(phase="Running"), True, id="it had, whatever is shown now"),
        pytest.param(submitted_status(), a_row(phase="Completed"), True, id="it has"),
        pytest.param(submitted_status(), a_row(phase="Failed"), False, id="it failed"),
        pytest.param({"conditions": FINISHED["conditions"]}, None, False, id="the one before had"),
    ],
)
def test_completed_stays_for_as_long_as_the_workload_is_on_record(stored, row, expected):
    status = build_status(a_state(a_workload(status=stored), row=row), Result(Verdict.IN_SYNC), now=NOW)

    assert words(status, "Completed") == (DONE if expected else None)
    assert (status.get("phase") == "Completed") is expected


LOST_AT = a_condition("Ready", "False", "DeletedExternally") | {"message": "It was deleted on Monday."}
OLD_SYNCED = a_condition("Synced", "False", "DeletedExternally") | {"message": "Deleted, it was."}


@pytest.mark.parametrize("kind", ["Reconciling", "Stalled"])
def test_that_it_is_lost_is_told_as_before_until_it_can_be_read_again(kind):
    stored = submitted_status(conditions=[LOST_AT, LOST_AT | {"type": kind, "status": "True"}, OLD_SYNCED])
    s = a_state(a_workload(status=stored))
    unreadable = build_status(s, Result(Verdict.RETRYING, DOWN), now=NOW)
    read = build_status(replace(s, remote=a_remote(), row=a_row()), Result(Verdict.IN_SYNC), now=NOW)

    assert words(unreadable, "Ready") == ("False", "DeletedExternally", "It was deleted on Monday.")
    assert words(unreadable, "Synced") == ("False", "DeletedExternally", "Deleted, it was.")
    assert abnormal(unreadable) == [kind]
    assert words(unreadable, kind) == ("True", "DeletedExternally", "It was deleted on Monday.")
    assert (words(read, "Ready"), words(read, "Synced")[:2]) == (RUNS, ("True", "Synced"))


@pytest.mark.parametrize(
    ("kind", "status", "since"),
    [
        ("Ready", "True", "2025-12-31T00:00:00Z"),
        ("Ready", "False", "2026-01-01T00:00:00Z"),
        ("Synced", "True", "2025-12-31T00:00:00Z"),
        ("Synced", "Unknown", "2026-01-01T00:00:00Z"),
    ],
)
def test_the_transition_time_is_that_of_the_status_of_the_condition(kind, status, since):
    before = [
        a_condition(one, "True", "Other") | {"lastTransitionTime": "2025-12-31T00:00:00Z"}
        for one in ("Ready", "Synced")
    ]
    changed = [entry | ({"status": status} if entry["type"] == kind else {}) for entry in before]
    s = a_state(a_workload(status=submitted_status(conditions=changed)))

    assert condition(build_status(s, Result(Verdict.IN_SYNC), now=NOW), kind)["lastTransitionTime"] == since


# --- which workload it is about, and what is on record of it

SECRET = SourceRef("Secret", "train", "job.yaml")
NOTHING_SENT = {"observedGeneration": -1}
IN_SYNC = Result(Verdict.IN_SYNC)
OTHER_ID = "22222222-2222-4222-8222-222222222222"


def recorded(s, end=IN_SYNC):
    return build_status(s, end, now=NOW)


@pytest.mark.parametrize(
    ("stored", "end", "expected"),
    [
        pytest.param(NOTHING_SENT, Result(Verdict.REJECTED, INVALID, not_submitted=True), "NotSubmitted", id="proven"),
        pytest.param(NOTHING_SENT, Result(Verdict.REJECTED, INVALID), None, id="in doubt"),
        pytest.param(
            NOTHING_SENT | {"submission": "NameHeld"}, Result(Verdict.RETRYING, DOWN, outstanding=True), "NameHeld",
            id="in doubt, and the name was refused",
        ),
        pytest.param(
            submitted_status(), Result(Verdict.WAITING, Busy("It goes.", reason=Reason.RECREATING), outstanding=True),
            "Replacing", id="the old one has to go first",
        ),
        pytest.param(submitted_status(), Result(Verdict.RETRYING, DOWN, not_submitted=True), None, id="it is there"),
    ],
)  # fmt: skip
def test_how_far_the_submission_is(stored, end, expected):
    assert recorded(a_state(a_workload(status=stored)), end).get("submission") == expected


@pytest.mark.parametrize(
    ("end", "desired", "project", "owner"),
    [
        pytest.param(
            Result(Verdict.REJECTED, INVALID, not_submitted=True), a_desired(), None, None, id="none was made"
        ),
        pytest.param(Result(Verdict.RETRYING, DOWN, outstanding=True), a_desired(), "1", REF.uid, id="one may be"),
        pytest.param(Result(Verdict.RETRYING, DOWN, outstanding=True), None, None, None, id="no project is known"),
    ],
)
def test_an_attempt_in_doubt_has_its_project_and_its_owner_on_record(end, desired, project, owner):
    status = recorded(a_state(a_workload(), desired=desired), end)

    assert (status.get("projectId"), status.get("ownerUid")) == (project, owner)


@pytest.mark.parametrize(
    ("end", "unusable", "expected"),
    [
        pytest.param(Result(Verdict.RETRYING, DOWN, outstanding=True), None, "second", id="one may be"),
        pytest.param(Result(Verdict.REJECTED, INVALID, outstanding=True), INVALID, "third", id="it is not there now"),
        pytest.param(Result(Verdict.REJECTED, INVALID, not_submitted=True), None, None, id="none was made"),
    ],
)
def test_an_attempt_in_doubt_has_its_connection_on_record(end, unusable, expected):
    workload = a_workload(status={"connection": "third"})
    s = a_state(workload, desired=a_desired(), connection="second", unusable=unusable)

    assert recorded(s, end).get("connection") == expected


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        pytest.param(Result(Verdict.RETRYING, DOWN, outstanding=True), "cluster-1", id="one may be"),
        pytest.param(Result(Verdict.REJECTED, INVALID, not_submitted=True), None, id="none was made"),
    ],
)
def test_an_attempt_in_doubt_has_the_cluster_of_its_project_on_record(end, expected):
    s = a_state(a_workload(status={"projectId": "1", "clusterId": "cluster-1"}), desired=a_desired())

    assert recorded(s, end).get("clusterId") == expected


@pytest.mark.parametrize(
    ("desired", "expected"),
    [
        pytest.param(a_desired(), "team-a", id="as the spec names it"),
        pytest.param(a_desired(project_id="2"), None, id="the spec names another"),
        pytest.param(None, None, id="the spec was not read"),
    ],
)
def test_the_name_by_which_the_project_was_found_is_on_record(desired, expected):
    s = a_state(a_workload(status=submitted_status()), desired=desired)

    assert recorded(s).get("projectResolvedFrom") == expected


@pytest.mark.parametrize(
    ("end", "token", "expected"),
    [
        (Result(Verdict.IN_SYNC), "now", "now"),
        (Result(Verdict.IN_SYNC), None, "before"),
        (Result(Verdict.RETRYING, DOWN), "now", "before"),
    ],
)
def test_what_was_asked_by_annotation_is_done_unless_it_failed(end, token, expected):
    s = a_state(a_workload(token=token, status=submitted_status(lastHandledReconcileAt="before")))

    assert recorded(s, end)["lastHandledReconcileAt"] == expected


def test_before_there_is_a_workload_status_names_what_is_asked_for():
    asked = recorded(a_state(a_workload(), gvk=GVK, connection="east"))
    unread = recorded(a_state(a_workload(), connection="east"))

    assert (asked["projectName"], asked["gvk"]) == ("team-a", {"group": "batch", "version": "v1", "kind": "Job"})
    assert unread["projectName"] == "team-a"
    assert "gvk" not in unread
    assert "ownerUid" not in unread
    assert "connection" not in unread


def test_what_is_there_keeps_its_own_project_and_connection():
    s = a_state(a_workload(status=submitted_status(projectName="renamed")), connection="east")
    status = recorded(s)

    assert (status["projectName"], status["ownerUid"]) == ("renamed", REF.uid)
    assert "connection" not in status


BARRED = Access((AccessRule(("team-a",), ("other",)),))


@pytest.mark.parametrize(
    ("spec", "remote", "access", "expected"),
    [
        pytest.param({"management_policy": ManagementPolicy.OBSERVE}, a_remote(), Access(), WORKLOAD_ID, id="observed"),
        pytest.param(
            {"management_policy": ManagementPolicy.OBSERVE}, a_remote(project_name="p"), BARRED, None,
            id="it may not be observed",
        ),
        pytest.param(
            {"management_policy": ManagementPolicy.OBSERVE}, a_remote(id=OTHER_ID), Access(), None, id="another was read"
        ),
        pytest.param({}, a_remote(), Access(), None, id="it may be adopted yet"),
    ],
)  # fmt: skip
def test_a_workload_that_the_spec_names_is_shown_once_it_may_be(spec, remote, access, expected):
    s = a_state(a_workload(workload_id=WORKLOAD_ID, **spec), remote=remote, row=a_row(), access=access)
    status = recorded(s)

    assert status.get("workloadId") == expected
    assert status.get("workloadName") == ("train" if expected else None)
    assert status.get("connection") == ("default" if expected else None)
    assert status.get("ownerUid") == (REF.uid if expected else None)


HASH = a_desired().fingerprint(adopts=False)
OTHER = a_desired("v1:bbbb")
DOUBT = f".{a_desired().identity(adopts=False)}"
LONG_AGO = "2025-01-01T00:00:00Z"
UNDONE = Result(Verdict.RETRYING, DOWN, outstanding=True)


@pytest.mark.parametrize(
    ("end", "stored", "expected"),
    [
        pytest.param(Result(Verdict.DELIVERED), HASH, OTHER.fingerprint(adopts=False), id="it was sent"),
        pytest.param(Result(Verdict.IN_SYNC), HASH, HASH, id="it was not"),
        pytest.param(Result(Verdict.IN_SYNC), "v0:12.34", OTHER.fingerprint(adopts=False), id="hashed otherwise"),
        pytest.param(Result(Verdict.IN_SYNC, outstanding=True), "v0:12.34", "v0:12.34", id="hashed otherwise, edited"),
        pytest.param(Result(Verdict.RETRYING, DOWN), "v0:12.34", "v0:12.34", id="hashed otherwise, not read"),
        pytest.param(Result(Verdict.IN_SYNC), None, None, id="nothing was ever sent"),
    ],
)
def test_the_hash_of_what_was_sent_is_on_record(end, stored, expected):
    s = a_state(a_workload(status=submitted_status(submittedHash=stored)), desired=OTHER)

    assert recorded(s, end).get("submittedHash") == expected


@pytest.mark.parametrize(
    ("seen", "generation", "end", "expected"),
    [
        pytest.param({"remote": a_remote(content="v1:cccc")}, 1, UNDONE, DOUBT, id="it holds something else"),
        pytest.param({"remote": a_remote(content="v1:cccc")}, 1, Result(Verdict.IN_SYNC), HASH, id="nothing is owed"),
        pytest.param({"remote": a_remote(content="v1:aaaa")}, 3, UNDONE, HASH, id="it holds what is on record"),
        pytest.param({}, 2, UNDONE, HASH, id="one edit, which was not sent"),
        pytest.param({}, 3, UNDONE, DOUBT, id="two edits, the first of which may have been sent"),
        pytest.param({"row": a_row(phase="Completed")}, 3, UNDONE, HASH, id="it has completed, and takes none"),
    ],
)
def test_the_hash_is_given_up_when_run_ai_may_hold_something_else(seen, generation, end, expected):
    s = a_state(a_workload(generation=generation, status=submitted_status()), **seen)

    assert recorded(s, end)["submittedHash"] == expected


def test_what_had_completed_holds_what_is_on_record():
    s = a_state(a_workload(generation=3, status=completed_status()))

    assert recorded(s, UNDONE)["submittedHash"] == HASH


@pytest.mark.parametrize(
    ("status", "remote", "expected"),
    [
        pytest.param(submitted_status(), Missing(), "Deleted", id="it is gone"),
        pytest.param(
            submitted_status(syncStatus="Synced"),
            a_remote(mark=replace(MARK, uid="another")),
            "Synced",
            id="it is another's now",
        ),
        pytest.param({}, Missing(), None, id="it is named by the spec, and was never ours"),
    ],
)
def test_only_what_was_ours_and_is_gone_is_deleted(status, remote, expected):
    s = a_state(a_workload(workload_id=WORKLOAD_ID, status=status), remote=remote)

    assert recorded(s).get("syncStatus") == expected


def test_fields_of_a_newer_version_stay():
    assert patch_between({"ofTheNextVersion": 1, "phase": "Running"}, {}) == {"phase": None}


@pytest.mark.parametrize("key", ["type", "status", "reason", "message", "lastTransitionTime"])
def test_a_condition_that_was_stored_without_a_part_of_it_is_made_anew(key):
    """Under another schema, or by hand on an API server that has none."""
    stored = [a_condition(kind, "False") | {"lastTransitionTime": LONG_AGO} for kind in ("Ready", "Synced")]
    for each in stored:
        del each[key]
    s = a_state(a_workload(status=submitted_status(reason="WorkloadNotFound", conditions=stored)))
    status = recorded(s, UNDONE)

    for kind in ("Ready", "Synced"):
        assert condition(status, kind)["lastTransitionTime"] == "2026-01-01T00:00:00Z"


# --- what Run:ai shows of it


def a_memory(**known):
    return replace(Memory(), **known)


@pytest.mark.parametrize(
    ("stored", "first", "phase", "expected"),
    [
        pytest.param("Applying", True, "Running", "Synced", id="its pods run, so it has reached the cluster"),
        pytest.param(None, True, "Initializing", "Synced", id="the same, and no sync was ever read"),
        pytest.param("Applying", False, "Running", "Applying", id="they may be those from before an edit"),
        pytest.param("Applying", True, "Pending", "Applying", id="it has no pods yet"),
        pytest.param("Failed", True, "Running", "Failed", id="it failed"),
        pytest.param("Deleted", True, "Running", "Deleted", id="it is gone"),
        pytest.param("Deleting", True, "Running", "Deleting", id="it goes"),
    ],
)
def test_pods_prove_a_first_sync_that_is_not_over(stored, first, phase, expected):
    status = submitted_status(syncStatus=stored)
    s = a_state(a_workload(status=status), memory=a_memory(first_submission=first), row=a_row(phase=phase))

    assert recorded(s).get("syncStatus") == expected


PODS = {"runningPods": 1, "requestedPods": 2}


@pytest.mark.parametrize(
    ("stored", "row", "phase", "pods"),
    [
        pytest.param("Running", None, None, None, id="while it ran"),
        pytest.param("Failed", None, "Failed", 1, id="when it had failed"),
        pytest.param("Completed", None, "Completed", 1, id="when it had completed"),
        pytest.param("Running", a_row(phase="Completed", running_pods=0), "Completed", 0, id="when it ended unseen"),
        pytest.param("Running", a_row(phase="Running", running_pods=1), None, None, id="when it was last seen running"),
    ],
)
def test_of_what_is_gone_only_how_it_ended_is_shown(stored, row, phase, pods):
    status = submitted_status(phase=stored, desiredPhase="Running", **PODS)
    status = recorded(a_state(a_workload(status=status), remote=Missing(), row=row))

    assert (status.get("phase"), status.get("runningPods")) == (phase, pods)
    assert status.get("desiredPhase") == (phase and "Running")


@pytest.mark.parametrize("was_read", [False, True])
@pytest.mark.parametrize(
    ("wanted", "phase", "contradicts"),
    [
        ("Running", "Stopping", True),
        ("Running", "Stopped", True),
        ("Running", "Running", False),
        ("Running", "Resuming", False),
        ("Stopped", "Resuming", True),
        ("Stopped", "Running", True),
        ("Stopped", "Stopping", False),
        ("Stopped", "Stopped", False),
    ],
)
def test_what_is_wanted_of_it_goes_when_a_list_shows_otherwise_unless_it_was_just_read(
    wanted, phase, contradicts, was_read
):
    s = a_state(
        a_workload(status=submitted_status(desiredPhase=wanted)),
        remote=a_remote(desired_phase=wanted) if was_read else None,
        row=a_row(phase=phase),
    )

    assert recorded(s).get("desiredPhase") == (wanted if was_read or not contradicts else None)


# --- what may quote a Secret

SAID = "spec.template is wrong: hunter2"
CUT = "a message about spec.template, left out since the manifest comes from a Secret"
PLAIN = f"{HASH}"
SHORTLY_AGO = f"{HASH}{SINCE}{int(NOW.timestamp()) - 1}"


@pytest.mark.parametrize("field", ["syncMessage", "phaseMessage"])
@pytest.mark.parametrize(
    ("source", "of_secret", "hashed", "before", "sync", "is_cut"),
    [
        pytest.param(None, False, PLAIN, None, "Failed", False, id="no Secret"),
        pytest.param(SECRET, False, PLAIN, None, "Failed", True, id="the manifest comes from one"),
        pytest.param(SECRET, False, PLAIN, SAID, "Failed", True, id="the same, although it was shown before"),
        pytest.param(None, True, PLAIN, None, "Failed", True, id="what Run:ai holds does"),
        pytest.param(None, False, PLAIN, CUT, "Failed", True, id="it was cut before"),
        pytest.param(None, None, PLAIN, None, "Failed", False, id="not read yet, but on record"),
        pytest.param(None, None, None, None, "Failed", True, id="not read yet, and not on record"),
        pytest.param(None, None, None, SAID, "Failed", False, id="the same, and it was shown before"),
        pytest.param(None, False, SHORTLY_AGO, None, "Failed", True, id="it has just taken the place of one"),
        pytest.param(None, False, SHORTLY_AGO, SAID, "Failed", False, id="the same, and it was shown before"),
    ],
)
def test_a_message_is_cut_where_it_may_quote_a_secret(field, source, of_secret, hashed, before, sync, is_cut):
    """What Run:ai says of the manifest that it holds."""
    status = submitted_status(submittedHash=hashed, syncStatus=sync, **{field: before})
    said = a_remote(sync_status=sync, sync_message=SAID if field == "syncMessage" else None)
    row = a_row(phase_message=SAID) if field == "phaseMessage" else None
    memory = a_memory(of_secret=of_secret)
    s = a_state(a_workload(status=status, manifest_from=source), remote=said, row=row, memory=memory, wall=NOW)

    assert recorded(s)[field] == (CUT if is_cut else SAID)


@pytest.mark.parametrize(
    ("field", "before", "is_cut"),
    [
        pytest.param("syncMessage", "Applying", False, id="a sync that was seen on its way is the present one"),
        pytest.param("syncMessage", "Synced", True, id="one that had come to its end is not"),
        pytest.param("syncMessage", None, True, id="nor one that was never seen"),
        pytest.param("phaseMessage", "Applying", True, id="of pods that tells nothing"),
    ],
)
def test_shortly_after_a_secret_the_end_of_a_sync_is_shown_if_it_was_seen_on_its_way(field, before, is_cut):
    said = a_remote(sync_status="Failed", sync_message=SAID)
    status = submitted_status(submittedHash=SHORTLY_AGO, syncStatus=before)
    memory = a_memory(of_secret=False)
    s = a_state(a_workload(status=status), remote=said, row=a_row(phase_message=SAID), memory=memory, wall=NOW)

    assert recorded(s)[field] == (CUT if is_cut else SAID)


def test_a_message_that_names_no_field_is_left_out_wholly():
    s = a_state(a_workload(status=submitted_status(), manifest_from=SECRET), remote=a_remote(sync_message="hunter2"))

    assert recorded(s)["syncMessage"] == "a message, left out since the manifest comes from a Secret"


# --- what Ready makes of that


def ready_of(stored, **seen):
    ready = condition(recorded(a_state(a_workload(status=stored), **seen)), "Ready")
    return ready["status"], ready["reason"]


@pytest.mark.parametrize(
    ("synced", "ready", "sync", "expected"),
    [
        pytest.param(("Unknown", "SyncNotReported"), "Running", None, "Running", id="Run:ai never tells"),
        pytest.param(("Unknown", "RunaiUnavailable"), "Running", None, "Running", id="it did not, before an outage"),
        pytest.param(("Unknown", "RunaiUnavailable"), "Syncing", None, "Syncing", id="it was in flight"),
        pytest.param(("Unknown", "RunaiUnavailable"), "Running", "Applying", "Syncing", id="it did, before an outage"),
        pytest.param(("True", "Synced"), "Running", None, "Syncing", id="it did"),
    ],
)
def test_where_run_ai_tells_nothing_of_the_sync_the_phase_decides(synced, ready, sync, expected):
    """Until it is read again."""
    conditions = [a_condition("Ready", "True", ready), a_condition("Synced", *synced)]
    status = submitted_status(syncStatus=sync, reason=ready, conditions=conditions)

    assert ready_of(status, row=a_row())[1] == expected


def test_an_edit_that_status_does_not_show_yet_is_no_sign_that_run_ai_tells_nothing_of_the_sync():
    conditions = [a_condition("Ready", "True", "Running"), a_condition("Synced", "Unknown", "RunaiUnavailable")]
    status = submitted_status(syncStatus=None, reason="Running", conditions=conditions)

    assert ready_of(status, row=a_row(), memory=Memory().owing({"syncStatus": None}))[1] == "Syncing"


@pytest.mark.parametrize(
    ("phase", "sync", "expected"),
    [
        pytest.param("Failed", "Deleted", ("False", "Failed"), id="it had failed before it went"),
        pytest.param("Failed", "Failed", ("False", "SyncFailed"), id="its last edit did not reach the cluster"),
        pytest.param("Failed", "Deleting", ("False", "RunaiDeleting"), id="it goes"),
        pytest.param("Running", "Deleted", ("False", "RunaiDeleting"), id="it ran until it went"),
        pytest.param("Completed", "Deleted", ("True", "Completed"), id="it had completed"),
    ],
)
def test_the_end_of_the_work_says_more_than_that_of_the_workload(phase, sync, expected):
    assert ready_of(submitted_status(phase=phase, syncStatus=sync)) == expected


def test_what_run_ai_leaves_empty_is_not_shown():
    s = a_state(a_workload(status=submitted_status(phaseMessage="why")), row=a_row(phase_message=""))

    assert "phaseMessage" not in recorded(s)


def test_a_wait_without_a_reason_says_so():
    status = recorded(a_state(a_workload(status=submitted_status())), Result(Verdict.WAITING, outstanding=True))

    assert condition(status, "Ready")["message"].startswith("The operator gave no reason. ")


def test_what_is_only_observed_and_owes_something_without_a_reason_says_that_it_was_not_sent():
    workload = a_workload(status=submitted_status(), management_policy=ManagementPolicy.OBSERVE)
    status = recorded(a_state(workload), Result(Verdict.PAUSED, outstanding=True))

    assert condition(status, "Synced")["reason"] == "NotDelivered"


@pytest.mark.parametrize("remote", [a_remote(), Missing()])
def test_of_what_may_be_adopted_yet_nothing_is_shown(remote):
    s = a_state(a_workload(workload_id=WORKLOAD_ID), remote=remote, row=a_row(phase="Completed", running_pods=1))
    status = recorded(s)

    assert not {"phase", "runningPods", "syncStatus", "desiredPhase"} & status.keys()


def test_of_what_is_only_observed_lists_show_the_phase_whatever_was_refused_before():
    refused = [a_condition("Ready", "False", "ManagedByOther")]
    workload = a_workload(status=submitted_status(conditions=refused), management_policy=ManagementPolicy.OBSERVE)

    assert recorded(a_state(workload, row=a_row(phase="Running")))["phase"] == "Running"


def test_what_has_changed_is_written_and_nothing_else():
    assert patch_between({"phase": "Running", "name": "w"}, {"phase": "Failed", "name": "w"}) == {"phase": "Failed"}


# --- what Synced says


def synced_of(stored, end=IN_SYNC, policy=ManagementPolicy.MANAGE, **seen):
    s = a_state(a_workload(status=stored, management_policy=policy), **seen)
    synced = condition(recorded(s, end), "Synced")
    return synced["status"], synced["reason"]


def was(synced, **fields):
    """A status whose Synced said this."""
    return submitted_status(
        conditions=[a_condition("Ready", "True", "Running"), a_condition("Synced", *synced)], **fields
    )


SOURCE = SourceRef("ConfigMap", "code", "k")
LACKS, OUTAGE = ("False", "SourceNotFound"), ("Unknown", "RunaiUnavailable")


@pytest.mark.parametrize(
    ("synced", "source", "end", "expected"),
    [
        pytest.param(LACKS, None, Verdict.RETRYING, LACKS, id="not looked at since the start"),
        pytest.param(LACKS, Source(SOURCE, "1", SourceUnusable("No.")), Verdict.RETRYING, LACKS, id="gone, at a look"),
        pytest.param(LACKS, Source(SOURCE, "2"), Verdict.RETRYING, OUTAGE, id="there, at a look"),
        pytest.param(LACKS, None, Verdict.IN_SYNC, ("True", "Synced"), id="what was done needs none"),
        pytest.param(("True", "Synced"), None, Verdict.RETRYING, OUTAGE, id="it lacked nothing"),
    ],
)
def test_that_a_source_is_lost_is_told_as_before_while_the_workload_cannot_be_read(synced, source, end, expected):
    """Even for longer than anything else is vouched for: the source has nothing to do with Run:ai."""
    workload = a_workload(manifest=None, manifest_from=SOURCE, status=was(synced))
    memory = Memory(source=source, unread=Unread(0.0, "RunaiUnavailable", "Down."))
    status = recorded(
        a_state(workload, memory=memory, now=1000.0), Result(end, DOWN if end is Verdict.RETRYING else None)
    )

    assert words(status, "Synced")[:2] == expected


@pytest.mark.parametrize(
    ("phase", "sync", "expected"),
    [
        pytest.param("Completed", "Deleted", "True", id="it completed, and was removed"),
        pytest.param("Completed", "Deleting", "True", id="it completed, and is being removed"),
        pytest.param("Failed", "Deleted", "True", id="it failed, and was removed"),
        pytest.param("Failed", "Deleting", "False", id="it failed, and is being removed"),
        pytest.param("Running", "Deleted", "False", id="it ran until it was removed"),
        pytest.param("Completed", "Failed", "False", id="it completed, without its last edit"),
    ],
)
def test_what_ended_on_the_cluster_had_reached_it(phase, sync, expected):
    assert synced_of(submitted_status(phase=phase, syncStatus=sync))[0] == expected


YES = ("True", "Synced")
IN_FLIGHT, UNREPORTED = ("False", "Syncing"), ("Unknown", "SyncNotReported")


@pytest.mark.parametrize(
    ("sync", "stored", "fresh", "expected"),
    [
        pytest.param("Synced", YES, Freshness(lists=DOWN), OUTAGE, id="lists are silent"),
        pytest.param("Synced", YES, Freshness(reads=DOWN), YES, id="readings are, which it does not need"),
        pytest.param("Synced", OUTAGE, Freshness(), YES, id="lists answer again"),
        pytest.param("Synced", YES, Freshness(is_known=False), YES, id="not known yet, as before"),
        pytest.param("Synced", OUTAGE, Freshness(is_known=False), OUTAGE, id="not known yet, and was not before"),
        pytest.param("Applying", IN_FLIGHT, Freshness(reads=DOWN), OUTAGE, id="readings are, of a sync in flight"),
        pytest.param("Applying", IN_FLIGHT, Freshness(lists=DOWN), IN_FLIGHT, id="lists are, which do not show that"),
        pytest.param("Applying", OUTAGE, Freshness(), OUTAGE, id="nobody has read it again yet"),
        pytest.param(None, UNREPORTED, Freshness(reads=DOWN), UNREPORTED, id="readings are, and Run:ai never tells"),
        pytest.param(None, UNREPORTED, Freshness(lists=DOWN), OUTAGE, id="lists are, and Run:ai never tells"),
    ],
)
def test_whether_it_is_in_sync_is_unknown_while_what_shows_it_is_silent(sync, stored, fresh, expected):
    assert synced_of(was(stored, syncStatus=sync), freshness=fresh) == expected


SILENT = Freshness(lists=DOWN, reads=DOWN)


@pytest.mark.parametrize(
    ("status", "end", "remote", "expected"),
    [
        pytest.param(was(IN_FLIGHT, syncStatus="Applying"), IN_SYNC, a_remote(sync_status="Applying"), IN_FLIGHT,
                     id="it was just read"),
        pytest.param(was(YES), Result(Verdict.DELIVERED), None, YES, id="it was just delivered"),
        pytest.param(completed_status(), IN_SYNC, None, YES, id="it has completed, which is for good"),
        pytest.param(was(YES), IN_SYNC, None, OUTAGE, id="otherwise it is"),
    ],
)  # fmt: skip
def test_what_is_known_for_another_reason_is_not_unknown(status, end, remote, expected):
    assert synced_of(status, end, remote=remote, freshness=SILENT) == expected


@pytest.mark.parametrize("policy", [ManagementPolicy.MANAGE, ManagementPolicy.OBSERVE])
@pytest.mark.parametrize(
    ("stored", "since", "now", "expected"),
    [
        pytest.param(YES, None, 159.0, YES, id="for the first time"),
        pytest.param(YES, 100.0, 159.0, YES, id="for less than a minute"),
        pytest.param(YES, 100.0, 160.0, ("Unknown", "RunaiBusy"), id="for a minute"),
        pytest.param(OUTAGE, 100.0, 159.0, OUTAGE, id="which was unknown before"),
        pytest.param(OUTAGE, 100.0, 160.0, OUTAGE, id="the same, for a minute"),
    ],
)
def test_what_cannot_be_read_is_unknown_after_a_while(policy, stored, since, now, expected):
    """By itself, while others can be read."""
    unread = None if since is None else Unread(since, Reason.RUNAI_BUSY, "It is busy.")
    end = Result(Verdict.RETRYING, Busy("It is busy.", reason=Reason.RUNAI_BUSY))

    assert synced_of(was(stored), end, policy, memory=a_memory(unread=unread), now=now) == expected


def test_that_a_workload_is_gone_is_told_whether_or_not_the_answer_speaks_of_the_sync():
    gone = a_remote(deleted_at=LONG_AGO, sync_status=None, unlisted=True)

    assert synced_of(was(YES), remote=gone)[1] == synced_of(was(YES), remote=Missing())[1] == "Syncing"


def test_that_it_is_lost_is_told_even_where_synced_was_never_stored():
    lost = was(YES) | {"conditions": [LOST_AT]}

    assert synced_of(lost, Result(Verdict.RETRYING, DOWN)) == YES


def test_that_it_is_lost_is_told_as_before_only_as_long_as_anything_is_vouched_for():
    lost = was(("False", "DeletedExternally")) | {"conditions": [LOST_AT, OLD_SYNCED]}
    unread = Memory(unread=Unread(0.0, "RunaiUnavailable", "Down."))

    assert synced_of(lost, Result(Verdict.RETRYING, DOWN), memory=unread, now=1000.0) == OUTAGE


def test_what_is_paused_tells_what_it_lacks():
    assert synced_of(was(YES), Result(Verdict.PAUSED, SourceUnusable("No."))) == ("False", "SourceInvalid")


@pytest.mark.parametrize(
    ("sync", "remote", "expected"),
    [
        pytest.param(None, None, ("True", "Synced"), id="nobody had read how it went"),
        pytest.param("Applying", None, ("True", "Synced"), id="it was on its way"),
        pytest.param("Failed", None, ("False", "SyncFailed"), id="the last edit did not reach the cluster"),
        pytest.param(None, a_remote(sync_status=None), ("Unknown", "SyncNotReported"), id="Run:ai never tells"),
    ],
)
def test_completed_work_has_reached_its_cluster_unless_run_ai_says_otherwise(sync, remote, expected):
    stored = completed_status(syncStatus=sync)
    status = recorded(a_state(a_workload(status=stored), remote=remote))

    assert words(status, "Synced")[:2] == expected


@pytest.mark.parametrize(("project_id", "expected"), [("1", "team-a"), ("2", None)])
def test_where_it_was_moved_its_project_is_not_the_one_that_was_named(project_id, expected):
    stored = submitted_status(projectResolvedFrom="team-a")
    status = recorded(a_state(a_workload(status=stored), remote=a_remote(project_id=project_id)))

    assert status.get("projectResolvedFrom") == expected


def test_an_end_from_before_an_edit_is_not_shown_of_what_is_gone_either():
    row = a_row(phase="Failed", phase_updated_at="2026-01-01T00:00:00Z")
    edited = Memory(sent_at="2026-01-01T00:00:01Z")
    status = recorded(a_state(a_workload(status=submitted_status()), remote=Missing(), row=row, memory=edited))

    assert status.get("phase") is None


def test_completed_work_that_was_on_its_way_has_arrived_also_where_the_sync_is_not_reported_any_more():
    assert synced_of(was(UNREPORTED, phase="Completed", syncStatus="Applying")) == YES
