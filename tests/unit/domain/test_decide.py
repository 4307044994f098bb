"""The rules, one claim a row: in this state, this is what the pass does next.

Four tables, one for each way through a pass: nothing submitted yet (SUBMIT), a workload of ours exists or did (MAINTAIN),
the object is being deleted (FINALIZE), Run:ai is only watched (OBSERVE). The third column is either the action that is
expected, whole, or `ends(...)`: how the pass ends, whole but for the wording of its message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from unittest.mock import ANY

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
    at_generation,
    completed_status,
    paused,
    submitted_status,
    without_finalizer,
)
from runai_operator.domain.absence import hidden_project
from runai_operator.domain.access import Access, AccessRule
from runai_operator.domain.actions import (
    Action,
    AddFinalizer,
    Adopt,
    BeginSubmission,
    ClaimWorkload,
    Create,
    Delete,
    FindRemote,
    ForgetWorkload,
    MarkInDoubt,
    ReadCRD,
    ReadOwner,
    ReadProject,
    ReadRemote,
    ReadRow,
    RecordId,
    RecordOrphan,
    RemoveFinalizer,
    Render,
    ReserveDeletion,
    Result,
    Update,
    Verdict,
)
from runai_operator.domain.decide import decide
from runai_operator.domain.errors import (
    AccessDenied,
    Busy,
    InvalidWorkload,
    NameTaken,
    OutcomeUnknown,
    Scope,
    SourceUnusable,
    Throttled,
    Unavailable,
)
from runai_operator.domain.memory import Memory, Requests, Source, Unread
from runai_operator.domain.model import (
    NAME_HELD,
    NOT_SUBMITTED,
    REPLACING,
    Candidate,
    CRDState,
    DeletionPolicy,
    ExternalDeletionPolicy,
    ManagementPolicy,
    Missing,
    Orphan,
    OwnerMark,
    RecreatePolicy,
    Ref,
    Remote,
    RerunPolicy,
    SourceRef,
)
from runai_operator.domain.reasons import Reason

# --- what a row expects


@dataclass(frozen=True, slots=True)
class End:
    """How a pass ends; the reason is the one of its error, whose message is free."""

    verdict: Verdict
    reason: str | None = None
    outstanding: bool = False
    not_submitted: bool = False
    in_doubt: bool = False


def ends(verdict: Verdict, reason: str | None = None, **flags: bool) -> End:
    return End(verdict, reason, **flags)


def outcome(action: Action) -> Action | End:
    """The action as a row names it."""
    if not isinstance(action, Result):
        return action
    reason = action.error.condition_reason if action.error else None
    return End(action.verdict, reason, action.outstanding, action.not_submitted, action.in_doubt)


REMOVE_FINALIZER = RemoveFinalizer(ANY)
"""Whatever the log says of the why."""


def case(claim, state, expected):
    return pytest.param(state, expected, id=claim)


# --- what rows are made of

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
READ = Requests(read=True)
RESTATE = Requests(restate=True)
CHECK_CONTENT = Requests(check_content=True)

DESIRED = a_desired()
EDITED = a_desired("v1:bbbb")
OTHER_KIND = a_desired("v1:bbbb", gvk=replace(GVK, kind="CronJob"))

RENAMED = a_desired("v1:bbbb", name="other")
UNNAMEABLE = a_desired("v1:bbbb", name="my.job")

DOWN = Unavailable("down")
FORBIDDEN = AccessDenied("no")
NO_SOURCE = SourceUnusable("gone")
LOST_ANSWER = OutcomeUnknown("lost")
BAD = InvalidWorkload("bad")

ELSEWHERE = OwnerMark("install-2", "x", "y", "uid-9")
NAMESAKE = OwnerMark(MARK.install, "other", "train", "uid-5")
EARLIER_LIFE = replace(MARK, uid="uid-0")
FORMER_INSTALL = replace(MARK, install="install-0")
"""Our own, from when the operator had another install id."""

DELETES = {"finalizer": True, "deleting": True, "deletion_requested": EPOCH}
OBSERVES = {"finalizer": False, "management_policy": ManagementPolicy.OBSERVE}
RECREATES = {"recreate_policy": RecreatePolicy.ON_IMMUTABLE_CHANGE}
RERUNS = {"rerun_policy": RerunPolicy.ON_SPEC_CHANGE}

NEW = a_workload(finalizer=False)
IN_DOUBT = a_workload()
NAME_IS_HELD = a_workload(status={"submission": NAME_HELD})
ATTEMPTED = a_workload(status={"projectId": "1", "projectName": "team-a", "clusterId": "cluster-1"})
REFUSED = a_workload(finalizer=False, status={"submission": NOT_SUBMITTED})
ADOPTING = a_workload(workload_id=WORKLOAD_ID)
LIVE = a_workload(status=submitted_status())
EDITED_LIVE = a_workload(generation=2, status=submitted_status())
FAILED = a_workload(status=submitted_status(phase="Failed"))
EDITED_FAILED = a_workload(generation=2, status=submitted_status(phase="Failed"))
DONE = a_workload(status=completed_status())
EDITED_DONE = a_workload(generation=2, status=completed_status())
REPLACED = a_workload(generation=2, status=submitted_status(), **RECREATES)
RECREATED = a_workload(status=submitted_status(), external_deletion_policy=ExternalDeletionPolicy.RECREATE)
ADOPTED = a_workload(workload_id=WORKLOAD_ID, status=submitted_status(adoptedId=WORKLOAD_ID))
OBSERVED_BEFORE = a_workload(finalizer=False, workload_id=WORKLOAD_ID, status=submitted_status(submittedHash=None))
GOING = a_workload(generation=2, status=submitted_status(), **DELETES)
GOING_IN_DOUBT = a_workload(**DELETES)
GOING_UNSUBMITTED = a_workload(status={"submission": NOT_SUBMITTED}, **DELETES)
GOING_ADOPTING = a_workload(workload_id=WORKLOAD_ID, **DELETES)
GOING_DONE = a_workload(status=completed_status(), **DELETES)


CODE = SourceRef("ConfigMap", "code", "k")
WITHOUT_SOURCE = Memory(source=Source(CODE, "1", lack=SourceUnusable("No source.")))


def from_source(status):
    """Edited since, but not in what it says of its source."""
    return a_workload(
        generation=2, manifest=None, manifest_from=CODE, status=status | {"submittedFrom": "ConfigMap/code/k"}
    )


FIRST_ATTEMPT = {"desired": DESIRED, "done": frozenset({AddFinalizer})}
LOOKED_FOR_LONG = {"memory": Memory(lookup_since=0.0), "now": 60.0}
RECREATED_JUST_NOW = {"memory": Memory(recreations=1, recreated_at=0.0), "now": 10.0}
RECREATED_OFTEN = {"memory": Memory(recreations=5, recreated_at=0.0), "now": 1000.0}
MISSING_NOW = {"memory": Memory(missing_since=0.0), "now": 1.0}
MISSING_FOR_LONG = {"memory": Memory(missing_since=0.0), "now": 100_000.0}
WAITED_OUT = {"trouble_for": 1e6, "wall": EPOCH + timedelta(days=2)}
NOT_SENT = [a_condition("Ready", "False", "RunaiUnavailable"), a_condition("Synced", "False", Reason.NOT_DELIVERED)]
LOST = [a_condition("Ready", "False", "DeletedExternally"), a_condition("Synced", "False", "DeletedExternally")]
LOST_AGAIN = [a_condition("Ready", "False", "WaitingToRecreate")]
FALLING = CRDState(deleting=True, confirmed=False)
FALLING_ON_PURPOSE = CRDState(deleting=True, confirmed=True)
PREFIXED = "job-4c8d68e7"
LEFT_BEHIND = Orphan(MARK, "train", "1", "team-a", WORKLOAD_ID, "RunaiUnavailable")
CHANGED = replace(LEFT_BEHIND, why="HolderUnreadable")
COMPLETED_ROW = a_row(phase="Completed")
MADE_NOW = {
    "desired": DESIRED,
    "remote": a_remote(mark=None, created_at="2026-01-01T00:00:00Z"),
    "claimant": ADOPTING.ref,
}
ANOTHER = Ref("other", "train", "uid-5")
LEFT_FINISHED = {"row": COMPLETED_ROW, "mark": EARLIER_LIFE}
"""What an earlier object of the name left behind."""
DELETED_ROW = a_row(phase="Deleting", deleted_at="2026-01-02T00:00:00Z")
ON_ITS_WAY_AND_UNLISTED = a_remote(desired_phase="Deleted", sync_status=None, unlisted=True)
HIDDEN_PROJECT = hidden_project("team-a")
PENDING_ROW = a_row(phase="Pending", phase_updated_at="2026-01-01T00:00:00Z")


def found(*, row=None, **changes):
    """What a look-up by name brings: one workload."""
    return (Candidate(row or a_row(), a_remote(**changes)),)


UNREADABLE = found(mark=None, mark_readable=False)
HIDDEN = (Candidate(a_row(), None),)
"""A list shows it, and V2 does not know the id."""


SUBMIT = [
    # What would be sent.
    case("a new object: find out first what would be sent", a_state(NEW), Render()),
    case(
        "what was adopted is no more, and its object has a name that Run:ai would refuse",
        a_state(
            a_workload(workload_id=WORKLOAD_ID, status={"adoptedId": WORKLOAD_ID}),
            desired=UNNAMEABLE,
            done=frozenset({ForgetWorkload}),
        ),
        ends(Verdict.REJECTED, "InvalidSpec", outstanding=True, not_submitted=True),
    ),
    case(
        "an adoption in doubt that is ours by its mark, and was moved since",
        a_state(ADOPTING, desired=DESIRED, remote=a_remote(project_id="2"), row=a_row()),
        Adopt(a_remote(project_id="2"), a_row(), finished=False),
    ),
    case(
        "a body that cannot be read is refused and proven unsubmitted",
        a_state(a_workload(finalizer=False, spec_error="too deep")),
        ends(Verdict.REJECTED, "InvalidSpec", outstanding=True, not_submitted=True),
    ),
    case(
        "a body that cannot be read, and somebody asked for a reading: there is nothing to read",
        a_state(a_workload(finalizer=False, spec_error="too deep"), requests=READ),
        ends(Verdict.REJECTED, "InvalidSpec", outstanding=True, not_submitted=True),
    ),
    case(
        "what we refuse ourselves is proven unsubmitted",
        a_state(NEW, desired=BAD),
        ends(Verdict.REJECTED, "InvalidSpec", outstanding=True, not_submitted=True),
    ),
    case(
        "what we refuse ourselves proves nothing of an earlier attempt",
        a_state(IN_DOUBT, desired=BAD),
        ends(Verdict.REJECTED, "InvalidSpec", outstanding=True),
    ),
    case(
        "the project cannot be looked up: tried again, and nothing was submitted",
        a_state(NEW, desired=DOWN),
        ends(Verdict.RETRYING, "RunaiUnavailable", outstanding=True, not_submitted=True),
    ),
    case(
        "the project cannot be looked up, and an earlier attempt is in doubt",
        a_state(IN_DOUBT, desired=DOWN),
        ends(Verdict.RETRYING, "RunaiUnavailable", outstanding=True),
    ),
    # The intent comes before the POST.
    case("all is ready: the finalizer comes before the POST", a_state(NEW, desired=DESIRED), AddFinalizer()),
    case(
        "finalizer added in this very pass: POST without looking for an earlier attempt",
        a_state(IN_DOUBT, **FIRST_ATTEMPT),
        Create(DESIRED.submission),
    ),
    case(
        "after a refusal the submission is begun under guard before anything is sent",
        a_state(REFUSED, desired=DESIRED),
        BeginSubmission(),
    ),
    case(
        "submission begun in this very pass: POST without looking for an earlier attempt",
        a_state(IN_DOUBT, desired=DESIRED, done=frozenset({BeginSubmission})),
        Create(DESIRED.submission),
    ),
    # An earlier attempt is in doubt.
    case(
        "a finalizer without an id: an earlier attempt is looked for before anything is sent",
        a_state(IN_DOUBT, desired=DESIRED),
        FindRemote("train", "1"),
    ),
    case(
        "the look-up failed: not being able to tell leads to no write",
        a_state(IN_DOUBT, desired=DESIRED, found=DOWN),
        ends(Verdict.RETRYING, "RunaiUnavailable", outstanding=True),
    ),
    case(
        "nothing found: before the POST is repeated, whoever may hold a proof of the contrary is made to read again",
        a_state(IN_DOUBT, desired=DESIRED, found=()),
        MarkInDoubt(),
    ),
    case(
        "nothing found: POST again, the unique name makes it safe",
        a_state(IN_DOUBT, desired=DESIRED, found=(), done=frozenset({MarkInDoubt})),
        Create(DESIRED.submission),
    ),
    case(
        "found with our mark: take it",
        a_state(IN_DOUBT, desired=DESIRED, found=found()),
        Adopt(a_remote(), a_row(), finished=False),
    ),
    case(
        "found with our mark and completed: take it as done",
        a_state(IN_DOUBT, desired=DESIRED, found=found(row=COMPLETED_ROW)),
        Adopt(a_remote(), COMPLETED_ROW, finished=True),
    ),
    case(
        "found, but it was deleted: its name is free again",
        a_state(IN_DOUBT, desired=DESIRED, found=found(sync_status="Deleted"), done=frozenset({MarkInDoubt})),
        Create(DESIRED.submission),
    ),
    case(
        "found another's, on its way out: wait for the name",
        a_state(IN_DOUBT, desired=DESIRED, found=found(mark=ELSEWHERE, sync_status="Deleting")),
        ends(Verdict.WAITING, "WaitingForName", outstanding=True),
    ),
    # POST was answered by 409: who holds the name?
    case(
        "409 on the first attempt: look for the holder",
        a_state(IN_DOUBT, **FIRST_ATTEMPT, conflict=True),
        FindRemote("train", "1"),
    ),
    case(
        "the holder is an earlier life of this object: see that no other object has the workload",
        a_state(IN_DOUBT, **FIRST_ATTEMPT, conflict=True, found=found(mark=EARLIER_LIFE)),
        ClaimWorkload(WORKLOAD_ID),
    ),
    case(
        "never attempted, and another object claims it",
        a_state(
            without_finalizer(IN_DOUBT),
            desired=DESIRED,
            found=found(mark=EARLIER_LIFE),
            claimant=ANOTHER,
        ),
        ends(Verdict.REJECTED, "ManagedByOther", outstanding=True, not_submitted=True),
    ),
    case(
        "the holder is an earlier life of this object, and another object has adopted it since",
        a_state(
            IN_DOUBT,
            **FIRST_ATTEMPT,
            conflict=True,
            found=found(mark=EARLIER_LIFE),
            claimant=ANOTHER,
        ),
        ends(Verdict.REJECTED, "ManagedByOther", outstanding=True, not_submitted=True),
    ),
    case(
        "the holder is an earlier life of this object: renew its mark",
        a_state(IN_DOUBT, **FIRST_ATTEMPT, conflict=True, found=found(mark=EARLIER_LIFE), claimant=REF),
        Update(WORKLOAD_ID, DESIRED.submission),
    ),
    case(
        "its mark is renewed: take it",
        a_state(
            IN_DOUBT, **FIRST_ATTEMPT, conflict=True, found=found(mark=EARLIER_LIFE), claimant=REF, delivered_now=True
        ),
        Adopt(a_remote(mark=EARLIER_LIFE), a_row(), finished=False),
    ),
    case(
        "an earlier life's workload that has completed what is asked for is taken without a PUT",
        a_state(
            IN_DOUBT,
            desired=DESIRED,
            conflict=True,
            found=found(**LEFT_FINISHED, content=DESIRED.content),
            claimant=REF,
        ),
        Adopt(a_remote(mark=EARLIER_LIFE, content=DESIRED.content), COMPLETED_ROW, finished=True),
    ),
    case(
        "an earlier life's workload has completed something else: finished work does not run again by itself",
        a_state(
            IN_DOUBT,
            desired=EDITED,
            unmade=True,
            conflict=True,
            found=found(**LEFT_FINISHED, content=DESIRED.content),
            claimant=REF,
        ),
        ends(Verdict.REJECTED, "FinishedNotRerun", outstanding=True, not_submitted=True),
    ),
    case(
        "an earlier life's workload has completed, and does not say what",
        a_state(IN_DOUBT, **FIRST_ATTEMPT, conflict=True, found=found(**LEFT_FINISHED), claimant=REF),
        ends(Verdict.REJECTED, "FinishedNotRerun", outstanding=True, not_submitted=True),
    ),
    case(
        "an earlier life's workload has completed something else, and that may be replaced",
        a_state(a_workload(**RERUNS), desired=DESIRED, found=found(**LEFT_FINISHED), claimant=REF),
        Delete(WORKLOAD_ID),
    ),
    case(
        "it is being replaced: wait for the name",
        a_state(
            a_workload(**RERUNS), desired=DESIRED, found=found(**LEFT_FINISHED), claimant=REF, done=frozenset({Delete})
        ),
        ends(Verdict.WAITING, "WaitingForName", outstanding=True),
    ),
    case(
        "found with our mark, and completed with what was asked for before an edit",
        a_state(IN_DOUBT, desired=EDITED, found=found(row=COMPLETED_ROW, content=DESIRED.content)),
        Adopt(a_remote(content=DESIRED.content), COMPLETED_ROW, finished=False, content=DESIRED.content),
    ),
    case(
        "an earlier life's workload of another kind is not taken over",
        a_state(IN_DOUBT, desired=OTHER_KIND, unmade=True, conflict=True, found=found(mark=EARLIER_LIFE)),
        ends(Verdict.REJECTED, "NameTaken", outstanding=True, not_submitted=True),
    ),
    case(
        "the name belongs to something without a mark",
        a_state(IN_DOUBT, **FIRST_ATTEMPT, conflict=True, found=found(mark=None)),
        ends(Verdict.REJECTED, "NameTaken", outstanding=True, not_submitted=True),
    ),
    case(
        "the holder's mark cannot be read, and it may be what an earlier attempt made",
        a_state(IN_DOUBT, desired=DESIRED, conflict=True, found=UNREADABLE),
        ends(Verdict.REJECTED, "NameTaken", outstanding=True),
    ),
    case(
        "the holder's mark cannot be read, and a first attempt was refused: it is not ours",
        a_state(IN_DOUBT, **FIRST_ATTEMPT, conflict=True, found=UNREADABLE),
        ends(Verdict.REJECTED, "NameTaken", outstanding=True, not_submitted=True),
    ),
    case(
        "the name belongs to another object of this install",
        a_state(IN_DOUBT, **FIRST_ATTEMPT, conflict=True, found=found(mark=NAMESAKE)),
        ends(Verdict.REJECTED, "NameTaken", outstanding=True, not_submitted=True),
    ),
    case(
        "the name belongs to another install",
        a_state(IN_DOUBT, **FIRST_ATTEMPT, conflict=True, found=found(mark=ELSEWHERE)),
        ends(Verdict.REJECTED, "ManagedByOther", outstanding=True, not_submitted=True),
    ),
    case(
        "409, and nobody visible holds the name, but lists may lag: wait",
        a_state(IN_DOUBT, desired=DESIRED, conflict=True, found=()),
        ends(Verdict.WAITING, "WaitingForName", outstanding=True),
    ),
    case(
        "409 on a first attempt, and nobody visible holds the name for longer than lists lag: it is not ours",
        a_state(IN_DOUBT, desired=DESIRED, unmade=True, conflict=True, found=(), **LOOKED_FOR_LONG),
        ends(Verdict.REJECTED, "NameTaken", outstanding=True, not_submitted=True),
    ),
    case(
        "409 after an interrupted attempt, and nobody visible holds the name: it may be what that attempt made",
        a_state(IN_DOUBT, desired=DESIRED, conflict=True, found=(), **LOOKED_FOR_LONG),
        ends(Verdict.REJECTED, "NameTaken", outstanding=True, in_doubt=True),
    ),
    case(
        "the name of an attempt in doubt was refused before: look for the holder, however long ago it was",
        a_state(NAME_IS_HELD, desired=DESIRED, **LOOKED_FOR_LONG),
        FindRemote("train", "1"),
    ),
    # In doubt, and Run:ai does not show the project of the attempt.
    case(
        "the project of the attempt is hidden: nothing is sent to what may be the one of another tenant",
        a_state(ATTEMPTED, desired=DESIRED, found=(), is_project_visible=False),
        ends(Verdict.RETRYING, "NotVisible", outstanding=True),
    ),
    case(
        "the project of the attempt is hidden, and something else has the name where Run:ai looked instead",
        a_state(ATTEMPTED, desired=DESIRED, found=found(mark=ELSEWHERE), is_project_visible=False),
        ends(Verdict.RETRYING, "NotVisible", outstanding=True),
    ),
    case(
        "the project of the attempt is hidden, and what has the name cannot be read",
        a_state(ATTEMPTED, desired=DESIRED, found=HIDDEN, is_project_visible=False),
        ends(Verdict.RETRYING, "NotVisible", outstanding=True),
    ),
    case(
        "the project of the attempt is hidden, and what it made is shown all the same: take it",
        a_state(ATTEMPTED, desired=DESIRED, found=found(), is_project_visible=False),
        Adopt(a_remote(), a_row(), finished=False),
    ),
    case(
        "the project of the attempt is hidden, and its cluster was never known: tried again",
        a_state(replace(ATTEMPTED, status={"projectId": "1"}), desired=DESIRED, found=(), is_project_visible=False),
        MarkInDoubt(),
    ),
    case(
        "a first attempt needs no proof that its project is shown",
        a_state(ATTEMPTED, **FIRST_ATTEMPT, is_project_visible=False),
        Create(DESIRED.submission),
    ),
    case(
        "the project is hidden, its cluster was never known, and another has had the name for long enough",
        a_state(IN_DOUBT, desired=DESIRED, found=found(mark=ELSEWHERE), is_project_visible=False, **LOOKED_FOR_LONG),
        ends(Verdict.REJECTED, "ManagedByOther", outstanding=True, not_submitted=True),
    ),
    case(
        "the name was refused before: POST again, what holds it may be gone",
        a_state(NAME_IS_HELD, desired=DESIRED, found=(), **LOOKED_FOR_LONG),
        Create(DESIRED.submission),
    ),
    case(
        "the name was refused before, and now the content is: that proves nothing of the earlier attempt",
        a_state(NAME_IS_HELD, desired=DESIRED, found=(), failed=BAD, **LOOKED_FOR_LONG),
        ends(Verdict.REJECTED, "InvalidSpec", outstanding=True, in_doubt=True),
    ),
    case(
        "all attempts so far were answered by 409: POST without another look-up",
        a_state(IN_DOUBT, desired=DESIRED, unmade=True),
        Create(DESIRED.submission),
    ),
    case(
        "409, and the holder is listed but not shown by its id: whether it is ours cannot be told",
        a_state(IN_DOUBT, desired=DESIRED, conflict=True, found=HIDDEN, **LOOKED_FOR_LONG),
        ends(Verdict.RETRYING, "HolderUnreadable", outstanding=True),
    ),
    # The attempt failed.
    case(
        "refused by Run:ai on the first attempt: nothing was created",
        a_state(IN_DOUBT, **FIRST_ATTEMPT, failed=BAD),
        ends(Verdict.REJECTED, "InvalidSpec", outstanding=True, not_submitted=True),
    ),
    case(
        "refused by Run:ai while an earlier attempt is in doubt: proves nothing",
        a_state(IN_DOUBT, desired=DESIRED, found=(), failed=BAD),
        ends(Verdict.REJECTED, "InvalidSpec", outstanding=True, in_doubt=True),
    ),
    case(
        "refused by Run:ai after a 409: proves nothing",
        a_state(IN_DOUBT, **FIRST_ATTEMPT, conflict=True, failed=BAD),
        ends(Verdict.REJECTED, "InvalidSpec", outstanding=True, in_doubt=True),
    ),
    case(
        "surely not sent on the first attempt: nothing was created",
        a_state(IN_DOUBT, **FIRST_ATTEMPT, failed=DOWN),
        ends(Verdict.RETRYING, "RunaiUnavailable", outstanding=True, not_submitted=True),
    ),
    case(
        "forbidden on the first attempt: nothing was created",
        a_state(IN_DOUBT, **FIRST_ATTEMPT, failed=FORBIDDEN),
        ends(Verdict.RETRYING, "AccessDenied", outstanding=True, not_submitted=True),
    ),
    case(
        "an answer lost on the first attempt is never called unsubmitted",
        a_state(IN_DOUBT, **FIRST_ATTEMPT, failed=LOST_ANSWER),
        ends(Verdict.RETRYING, "OutcomeUnknown", outstanding=True),
    ),
    case(
        "Run:ai busy on the first attempt is never called unsubmitted",
        a_state(IN_DOUBT, **FIRST_ATTEMPT, failed=Busy("busy")),
        ends(Verdict.RETRYING, "RunaiBusy", outstanding=True),
    ),
    # Adopting by id.
    case(
        "adopting: read it, and whether it has finished",
        a_state(without_finalizer(ADOPTING), desired=DESIRED),
        ReadRemote(WORKLOAD_ID, with_row=True),
    ),
    case(
        "adopting what nobody owns: does another object of this cluster have it?",
        a_state(without_finalizer(ADOPTING), desired=DESIRED, remote=a_remote(mark=None)),
        ClaimWorkload(WORKLOAD_ID),
    ),
    case(
        "adopting what another object of this cluster has, though no mark shows it",
        a_state(
            without_finalizer(ADOPTING),
            desired=DESIRED,
            remote=a_remote(mark=None),
            claimant=ANOTHER,
        ),
        ends(Verdict.REJECTED, "ManagedByOther", outstanding=True, not_submitted=True),
    ),
    case(
        "adopting what nobody owns: the finalizer first",
        a_state(
            without_finalizer(ADOPTING),
            desired=DESIRED,
            remote=a_remote(mark=None),
            row=a_row(),
            claimant=ADOPTING.ref,
        ),
        AddFinalizer(),
    ),
    case(
        "adopting what nobody owns: then our content and mark",
        a_state(ADOPTING, desired=DESIRED, remote=a_remote(mark=None), row=a_row(), claimant=ADOPTING.ref),
        Update(WORKLOAD_ID, DESIRED.submission),
    ),
    case(
        "adopting: our content was accepted, so take it",
        a_state(ADOPTING, desired=DESIRED, remote=a_remote(mark=None), delivered_now=True),
        Adopt(a_remote(mark=None), None, finished=False),
    ),
    case(
        "adopting what carries our mark already: take it without a PUT",
        a_state(ADOPTING, desired=DESIRED, remote=a_remote()),
        Adopt(a_remote(), None, finished=False),
    ),
    case(
        "adopting what has completed: take it without a PUT",
        a_state(ADOPTING, desired=DESIRED, remote=a_remote(mark=None), row=COMPLETED_ROW, claimant=ADOPTING.ref),
        Adopt(a_remote(mark=None), COMPLETED_ROW, finished=True),
    ),
    case(
        "adopting what another install owns",
        a_state(ADOPTING, desired=DESIRED, remote=a_remote(mark=ELSEWHERE)),
        ends(Verdict.REJECTED, "ManagedByOther", outstanding=True),
    ),
    case(
        "adopting what another object of this install owns: does that still exist?",
        a_state(ADOPTING, desired=DESIRED, remote=a_remote(mark=NAMESAKE)),
        ReadOwner(ANOTHER),
    ),
    case(
        "adopting what another object of this install owns, which exists",
        a_state(ADOPTING, desired=DESIRED, remote=a_remote(mark=NAMESAKE), owner_exists=True),
        ends(Verdict.REJECTED, "ManagedByOther", outstanding=True),
    ),
    case(
        "adopting what another object of this install left behind: our content and mark",
        a_state(
            ADOPTING,
            desired=DESIRED,
            remote=a_remote(mark=NAMESAKE),
            row=a_row(),
            owner_exists=False,
            claimant=ADOPTING.ref,
        ),
        Update(WORKLOAD_ID, DESIRED.submission),
    ),
    case(
        "adopting what another object of this install owns, as far as we may look",
        a_state(ADOPTING, desired=DESIRED, remote=a_remote(mark=NAMESAKE), owner_exists=FORBIDDEN),
        ends(Verdict.REJECTED, "ManagedByOther", outstanding=True),
    ),
    case(
        "adopting, and whether the owner exists cannot be asked now",
        a_state(ADOPTING, desired=DESIRED, remote=a_remote(mark=NAMESAKE), owner_exists=DOWN),
        ends(Verdict.RETRYING, "RunaiUnavailable", outstanding=True),
    ),
    case(
        "adopting what carries only a part of a mark of this install",
        a_state(ADOPTING, desired=DESIRED, remote=a_remote(mark=replace(NAMESAKE, uid=""))),
        ends(Verdict.REJECTED, "ManagedByOther", outstanding=True),
    ),
    case(
        "adopting from another project",
        a_state(ADOPTING, desired=DESIRED, remote=a_remote(mark=None, project_id="2")),
        ends(Verdict.REJECTED, "InvalidSpec", outstanding=True),
    ),
    case(
        "adopting what is of another kind",
        a_state(ADOPTING, desired=OTHER_KIND, remote=a_remote(mark=None)),
        ends(Verdict.REJECTED, "InvalidSpec", outstanding=True),
    ),
    case(
        "adopting what is not there",
        a_state(without_finalizer(ADOPTING), desired=DESIRED, remote=Missing()),
        ends(Verdict.REJECTED, "WorkloadNotFound", outstanding=True, not_submitted=True),
    ),
    case(
        "adopting while Run:ai is down",
        a_state(without_finalizer(ADOPTING), desired=DESIRED, remote=DOWN),
        ends(Verdict.RETRYING, "RunaiUnavailable", outstanding=True, not_submitted=True),
    ),
    # Held back.
    case(
        "paused before it was ever submitted",
        a_state(paused(NEW), desired=DESIRED),
        ends(Verdict.PAUSED, outstanding=True, not_submitted=True),
    ),
    case(
        "paused, and found in doubt: it is ours already, with what it holds",
        a_state(paused(IN_DOUBT), desired=DESIRED, found=found(content=EDITED.content)),
        Adopt(a_remote(content=EDITED.content), a_row(), finished=False, content=EDITED.content),
    ),
    case(
        "paused, and found in doubt: what it holds is not known",
        a_state(paused(IN_DOUBT), desired=DESIRED, found=found()),
        Adopt(a_remote(), a_row(), finished=False, content=""),
    ),
    case(
        "paused, and found in doubt and completed with something else",
        a_state(paused(IN_DOUBT), desired=EDITED, found=found(row=COMPLETED_ROW, content=DESIRED.content)),
        Adopt(a_remote(content=DESIRED.content), COMPLETED_ROW, finished=False, content=DESIRED.content),
    ),
    case(
        "paused, and found in doubt and completed",
        a_state(paused(IN_DOUBT), desired=DESIRED, found=found(row=COMPLETED_ROW)),
        Adopt(a_remote(), COMPLETED_ROW, finished=True),
    ),
    case(
        "paused, and in doubt nothing is found: the POST is not repeated",
        a_state(paused(IN_DOUBT), desired=DESIRED, found=()),
        ends(Verdict.PAUSED, outstanding=True),
    ),
    case("paused: what would be sent is still found out", a_state(paused(NEW)), Render()),
    case(
        "paused in doubt: the earlier attempt is still looked for",
        a_state(paused(IN_DOUBT), desired=DESIRED),
        FindRemote("train", "1"),
    ),
    case(
        "the spec names a connection that there is not",
        a_state(NEW, unusable=BAD),
        ends(Verdict.REJECTED, "InvalidSpec", outstanding=True, not_submitted=True),
    ),
    case(
        "the connection cannot be used for now, and an attempt is in doubt",
        a_state(IN_DOUBT, unusable=DOWN),
        ends(Verdict.RETRYING, "RunaiUnavailable", outstanding=True),
    ),
    # Whatever was found, the finalizer comes first.
    case(
        "what an attempt made is found, and somebody took the finalizer",
        a_state(NEW, desired=DESIRED, conflict=True, found=found()),
        AddFinalizer(),
    ),
    case(
        "what an earlier life left is found, and somebody took the finalizer",
        a_state(NEW, desired=DESIRED, conflict=True, found=found(mark=EARLIER_LIFE), claimant=REF),
        AddFinalizer(),
    ),
    case(
        "what an earlier life left is to be replaced, and somebody took the finalizer",
        a_state(
            a_workload(finalizer=False, **RERUNS),
            desired=DESIRED,
            conflict=True,
            found=found(**LEFT_FINISHED),
            claimant=REF,
        ),
        AddFinalizer(),
    ),
    case(
        "the PUT of an adoption was accepted, and somebody took the finalizer",
        a_state(without_finalizer(ADOPTING), desired=DESIRED, remote=a_remote(mark=None), delivered_now=True),
        AddFinalizer(),
    ),
    # What an attempt in doubt made may be anywhere among what is found.
    case(
        "found first what is gone, and then ours",
        a_state(IN_DOUBT, desired=DESIRED, found=(*found(sync_status="Deleted"), *found())),
        Adopt(a_remote(), a_row(), finished=False),
    ),
    case(
        "found with our mark, running, and edited since",
        a_state(IN_DOUBT, desired=EDITED, found=found(content=DESIRED.content)),
        Adopt(a_remote(content=DESIRED.content), a_row(), finished=False),
    ),
    case(
        "found with our mark, and it has completed what is asked for",
        a_state(IN_DOUBT, desired=DESIRED, found=found(row=COMPLETED_ROW, content=DESIRED.content)),
        Adopt(a_remote(content=DESIRED.content), COMPLETED_ROW, finished=True),
    ),
    case(
        "found with our mark from another install id: no proof that nothing is ours",
        a_state(IN_DOUBT, desired=DESIRED, conflict=True, found=found(mark=FORMER_INSTALL)),
        ends(Verdict.REJECTED, "InstallChanged", outstanding=True),
    ),
    case(
        "an earlier life's workload was to be replaced, and is gone: wait for the name",
        a_state(a_workload(**RERUNS), desired=DESIRED, found=found(**LEFT_FINISHED), claimant=REF, remote=Missing()),
        ends(Verdict.WAITING, "WaitingForName", outstanding=True),
    ),
    case(
        "asked to wait on the first attempt: nothing was created",
        a_state(IN_DOUBT, **FIRST_ATTEMPT, failed=Throttled("slowly")),
        ends(Verdict.RETRYING, "RunaiThrottled", outstanding=True, not_submitted=True),
    ),
    # More about adopting.
    case(
        "adopting what is being deleted",
        a_state(without_finalizer(ADOPTING), desired=DESIRED, remote=a_remote(mark=None, sync_status="Deleting")),
        ends(Verdict.REJECTED, "WorkloadNotFound", outstanding=True, not_submitted=True),
    ),
    case(
        "adopting what is shown as deleted",
        a_state(without_finalizer(ADOPTING), desired=DESIRED, remote=a_remote(mark=None, sync_status="Deleted")),
        ends(Verdict.REJECTED, "WorkloadNotFound", outstanding=True, not_submitted=True),
    ),
    case(
        "adopting in doubt what is not there: it may be ours, and only out of sight",
        a_state(ADOPTING, desired=DESIRED, remote=Missing(), found=()),
        ends(Verdict.REJECTED, "WorkloadNotFound", outstanding=True, in_doubt=True),
    ),
    case(
        "adopting in doubt what is not there: it may have been replaced",
        a_state(ADOPTING, desired=DESIRED, remote=Missing()),
        FindRemote("train", None),
    ),
    case(
        "adopting in doubt what is not there: it may have been replaced, in the project that the spec names",
        a_state(replace(ADOPTING, spec=replace(ADOPTING.spec, project_id="3")), desired=DESIRED, remote=Missing()),
        FindRemote("train", "3"),
    ),
    case(
        "adopting in doubt what is not there: it may have been replaced, in the project of the attempt",
        a_state(replace(ADOPTING, status={"projectId": "2"}), desired=DESIRED, remote=Missing()),
        FindRemote("train", "2"),
    ),
    case(
        "adopting in doubt what is not there, and whether it was replaced is not known",
        a_state(ADOPTING, desired=DESIRED, remote=Missing(), found=DOWN),
        ends(Verdict.RETRYING, "RunaiUnavailable", outstanding=True),
    ),
    case(
        "adopting in doubt what is not there, and what has the name cannot be read, however long it is looked at",
        a_state(ADOPTING, desired=DESIRED, remote=Missing(), found=UNREADABLE, **LOOKED_FOR_LONG),
        ends(Verdict.RETRYING, "HolderUnreadable", outstanding=True),
    ),
    case(
        "adopting in doubt what was replaced by a workload of ours",
        a_state(ADOPTING, desired=DESIRED, remote=Missing(), found=found(id="2")),
        Adopt(a_remote(id="2"), a_row(), finished=False),
    ),
    case(
        "adopting in doubt what was replaced by a workload of ours that has completed something else",
        a_state(
            ADOPTING,
            desired=DESIRED,
            remote=Missing(),
            found=found(id="2", row=COMPLETED_ROW, content=EDITED.content),
        ),
        Adopt(a_remote(id="2", content=EDITED.content), COMPLETED_ROW, finished=False, content=EDITED.content),
    ),
    case(
        "adopting in doubt what is not there, and what replaced it is gone, too",
        a_state(ADOPTING, desired=DESIRED, remote=Missing(), found=found(id="2", sync_status="Deleted")),
        ends(Verdict.REJECTED, "WorkloadNotFound", outstanding=True, in_doubt=True),
    ),
    case(
        "adopting in doubt what is not there, and what has the name is listed but not shown by its id",
        a_state(ADOPTING, desired=DESIRED, remote=Missing(), found=HIDDEN),
        ends(Verdict.RETRYING, "HolderUnreadable", outstanding=True),
    ),
    case(
        "adopting in doubt what is not there and was not replaced, for long enough: another may be named",
        a_state(ADOPTING, desired=DESIRED, remote=Missing(), found=(), **LOOKED_FOR_LONG),
        ends(Verdict.REJECTED, "WorkloadNotFound", outstanding=True, not_submitted=True),
    ),
    case(
        "adopting our own from another install id: a deletion is to wait for the id, too",
        a_state(without_finalizer(ADOPTING), desired=DESIRED, remote=a_remote(mark=FORMER_INSTALL)),
        AddFinalizer(),
    ),
    case(
        "adopting our own from another install id",
        a_state(ADOPTING, desired=DESIRED, remote=a_remote(mark=FORMER_INSTALL)),
        ends(Verdict.REJECTED, "InstallChanged", outstanding=True),
    ),
    case(
        "adopting what another install owns is not made possible by who is gone here",
        a_state(ADOPTING, desired=DESIRED, remote=a_remote(mark=ELSEWHERE), owner_exists=False),
        ends(Verdict.REJECTED, "ManagedByOther", outstanding=True),
    ),
    case(
        "adopting what does not say its kind",
        a_state(ADOPTING, desired=DESIRED, remote=a_remote(mark=None, gvk=None), row=a_row(), claimant=ADOPTING.ref),
        Update(WORKLOAD_ID, DESIRED.submission),
    ),
    case(
        "adopting: the PUT was accepted, and the row is kept",
        a_state(ADOPTING, desired=DESIRED, remote=a_remote(mark=None), row=a_row(), delivered_now=True),
        Adopt(a_remote(mark=None), a_row(), finished=False),
    ),
    case(
        "adopting: the PUT was accepted, and it has completed meanwhile",
        a_state(ADOPTING, desired=DESIRED, remote=a_remote(mark=None), row=COMPLETED_ROW, delivered_now=True),
        Adopt(a_remote(mark=None), COMPLETED_ROW, finished=True),
    ),
    case(
        "adopting what is ours already, and has completed something else",
        a_state(ADOPTING, desired=EDITED, remote=a_remote(content=DESIRED.content), row=COMPLETED_ROW),
        Adopt(a_remote(content=DESIRED.content), COMPLETED_ROW, finished=False, content=DESIRED.content),
    ),
    case(
        "adopting what the claim of the owner that is gone stands for",
        a_state(
            ADOPTING,
            desired=DESIRED,
            remote=a_remote(mark=NAMESAKE),
            row=a_row(),
            owner_exists=False,
            claimant=Ref(NAMESAKE.namespace, NAMESAKE.name, NAMESAKE.uid),
        ),
        Update(WORKLOAD_ID, DESIRED.submission),
    ),
    case(
        "adopting what an object claims that the mark does not name",
        a_state(
            ADOPTING,
            desired=DESIRED,
            remote=a_remote(mark=NAMESAKE),
            owner_exists=False,
            claimant=Ref("other", "train", "uid-6"),
        ),
        ends(Verdict.REJECTED, "ManagedByOther", outstanding=True),
    ),
    case(
        "adopting without a mark what another object claims",
        a_state(ADOPTING, desired=DESIRED, remote=a_remote(mark=None), claimant=Ref("other", "train", "uid-6")),
        ends(Verdict.REJECTED, "ManagedByOther", outstanding=True),
    ),
    # Paused: what only reads goes on.
    case(
        "paused: the workload to adopt is read",
        a_state(paused(ADOPTING), desired=DESIRED),
        ReadRemote(WORKLOAD_ID, with_row=True),
    ),
    case(
        "paused: the owner of the workload to adopt is looked up",
        a_state(paused(ADOPTING), desired=DESIRED, remote=a_remote(mark=NAMESAKE)),
        ReadOwner(ANOTHER),
    ),
    case(
        "paused: whether another object of this cluster has the workload to adopt is looked up",
        a_state(paused(without_finalizer(ADOPTING)), desired=DESIRED, remote=a_remote(mark=None)),
        ClaimWorkload(WORKLOAD_ID),
    ),
    case(
        "an earlier life's workload that does not say its kind: renew its mark",
        a_state(IN_DOUBT, **FIRST_ATTEMPT, conflict=True, found=found(mark=EARLIER_LIFE, gvk=None), claimant=REF),
        Update(WORKLOAD_ID, DESIRED.submission),
    ),
    # Lists lag.
    case(
        "adopting what was made just now and is not listed yet: whether it has finished is not known",
        a_state(without_finalizer(ADOPTING), **MADE_NOW, wall=EPOCH + timedelta(seconds=60)),
        ends(Verdict.RETRYING, "RunaiBusy", outstanding=True, not_submitted=True),
    ),
    case(
        "adopting in doubt what was made just now and is not listed yet",
        a_state(ADOPTING, **MADE_NOW, wall=EPOCH + timedelta(seconds=60)),
        ends(Verdict.RETRYING, "RunaiBusy", outstanding=True),
    ),
    case(
        "adopting what seems to be old and is not listed yet: another clock may say so",
        a_state(without_finalizer(ADOPTING), **MADE_NOW, wall=EPOCH + timedelta(days=1)),
        ends(Verdict.RETRYING, "RunaiBusy", outstanding=True, not_submitted=True),
    ),
    case(
        "adopting what lists have not shown for as long as they lag",
        a_state(without_finalizer(ADOPTING), **MADE_NOW, **LOOKED_FOR_LONG),
        AddFinalizer(),
    ),
    case(
        "adopting what was made just now and is listed",
        a_state(without_finalizer(ADOPTING), **MADE_NOW, row=a_row(), wall=EPOCH),
        AddFinalizer(),
    ),
]


MAINTAIN = [
    # Nothing to send.
    case("nothing to do", a_state(LIVE), ends(Verdict.IN_SYNC)),
    case("somebody asked for a reading", a_state(LIVE, requests=READ), ReadRemote(WORKLOAD_ID)),
    case("the reading shows nothing special", a_state(LIVE, requests=READ, remote=a_remote()), ends(Verdict.IN_SYNC)),
    case(
        "Run:ai is deleting it",
        a_state(LIVE, requests=READ, remote=a_remote(sync_status="Deleting")),
        ends(Verdict.IN_SYNC),
    ),
    case(
        "the finalizer was replaced away: put it back, send nothing",
        a_state(without_finalizer(LIVE)),
        AddFinalizer(),
    ),
    case(
        "our workload carries another UID: yield",
        a_state(LIVE, requests=READ, remote=a_remote(mark=EARLIER_LIFE)),
        ends(Verdict.REJECTED, "ManagedByOther"),
    ),
    case(
        "Run:ai is down, nothing outstanding",
        a_state(LIVE, requests=READ, remote=DOWN),
        ends(Verdict.RETRYING, "RunaiUnavailable"),
    ),
    case(
        "pending: ask the scheduler before the pass ends, if it is its time",
        a_state(LIVE, row=PENDING_ROW, requests=Requests(row=True)),
        ReadRow(PENDING_ROW.id),
    ),
    case(
        "pending, and the scheduler was asked",
        a_state(LIVE, row=PENDING_ROW, requests=Requests(row=True), done=frozenset({ReadRow})),
        ends(Verdict.IN_SYNC),
    ),
    # Edits.
    case("edited: what would be sent now?", a_state(EDITED_LIVE), Render()),
    case(
        "edited, and what would be sent is refused by ourselves",
        a_state(EDITED_LIVE, desired=BAD),
        ends(Verdict.REJECTED, "InvalidSpec", outstanding=True),
    ),
    case(
        "edited, and the source cannot be read",
        a_state(EDITED_LIVE, desired=DOWN),
        ends(Verdict.RETRYING, "RunaiUnavailable", outstanding=True),
    ),
    case(
        "only a policy was edited: acknowledge without a call",
        a_state(EDITED_LIVE, desired=DESIRED),
        ends(Verdict.IN_SYNC),
    ),
    case("content was edited: verify before the PUT", a_state(EDITED_LIVE, desired=EDITED), ReadRemote(WORKLOAD_ID)),
    case(
        "content was edited and it is ours: PUT",
        a_state(EDITED_LIVE, desired=EDITED, remote=a_remote()),
        Update(WORKLOAD_ID, EDITED.submission),
    ),
    case(
        "content was edited and it is another's: no PUT",
        a_state(EDITED_LIVE, desired=EDITED, remote=a_remote(mark=ELSEWHERE)),
        ends(Verdict.REJECTED, "ManagedByOther", outstanding=True),
    ),
    case(
        "content was edited while Run:ai deletes it: no PUT",
        a_state(EDITED_LIVE, desired=EDITED, remote=a_remote(sync_status="Deleting")),
        ends(Verdict.IN_SYNC, outstanding=True),
    ),
    case(
        "content was edited and Run:ai is down",
        a_state(EDITED_LIVE, desired=EDITED, remote=DOWN),
        ends(Verdict.RETRYING, "RunaiUnavailable", outstanding=True),
    ),
    case(
        "the PUT was accepted",
        a_state(EDITED_LIVE, desired=EDITED, remote=a_remote(), delivered_now=True),
        ends(Verdict.DELIVERED),
    ),
    case(
        "the PUT was refused",
        a_state(EDITED_LIVE, desired=EDITED, remote=a_remote(), failed=BAD),
        ends(Verdict.REJECTED, "InvalidSpec", outstanding=True),
    ),
    case(
        "the answer to the PUT was lost",
        a_state(EDITED_LIVE, desired=EDITED, remote=a_remote(), failed=LOST_ANSWER),
        ends(Verdict.RETRYING, "OutcomeUnknown", outstanding=True),
    ),
    case(
        "two edits since the last pass: the one between may have been sent, so PUT even if the last equals the first",
        a_state(at_generation(3, EDITED_LIVE), desired=DESIRED, remote=a_remote()),
        Update(WORKLOAD_ID, DESIRED.submission),
    ),
    case(
        "the source changed: PUT",
        a_state(LIVE, requests=CHECK_CONTENT, desired=EDITED, remote=a_remote()),
        Update(WORKLOAD_ID, EDITED.submission),
    ),
    case(
        "hashed by another version, not edited: no PUT for that alone",
        a_state(LIVE, requests=CHECK_CONTENT, desired=replace(DESIRED, content="v9:cccc")),
        ends(Verdict.IN_SYNC),
    ),
    case(
        "hashed by another version, and edited: PUT",
        a_state(EDITED_LIVE, desired=replace(DESIRED, content="v9:cccc"), remote=a_remote()),
        Update(WORKLOAD_ID, DESIRED.submission),
    ),
    case(
        "an edit that could not be sent is tried again although its generation was seen",
        a_state(a_workload(status=submitted_status(conditions=NOT_SENT))),
        Render(),
    ),
    case(
        "a failed workload takes an edit by PUT: that is how a typo is mended",
        a_state(EDITED_FAILED, desired=EDITED, remote=a_remote()),
        Update(WORKLOAD_ID, EDITED.submission),
    ),
    # What a PUT cannot change.
    case(
        "another kind under recreatePolicy Never",
        a_state(EDITED_LIVE, desired=OTHER_KIND),
        ends(Verdict.REJECTED, "ImmutableFieldChanged", outstanding=True),
    ),
    case(
        "another kind under OnImmutableChange: verify before the DELETE",
        a_state(REPLACED, desired=OTHER_KIND),
        ReadRemote(WORKLOAD_ID),
    ),
    case(
        "another kind under OnImmutableChange: ask the rate limiter",
        a_state(REPLACED, desired=OTHER_KIND, remote=a_remote()),
        ReserveDeletion(),
    ),
    case(
        "another kind under OnImmutableChange: rate-limited",
        a_state(REPLACED, desired=OTHER_KIND, remote=a_remote(), deletion_wait=0.1),
        ends(Verdict.WAITING, "Recreating", outstanding=True),
    ),
    case(
        "another kind under OnImmutableChange: the limiter lets it through, so DELETE",
        a_state(REPLACED, desired=OTHER_KIND, remote=a_remote(), deletion_wait=0.0),
        Delete(WORKLOAD_ID),
    ),
    case(
        "another kind under OnImmutableChange, but the workload is another's: no DELETE",
        a_state(REPLACED, desired=OTHER_KIND, remote=a_remote(mark=ELSEWHERE), deletion_wait=0.0),
        ends(Verdict.REJECTED, "ManagedByOther", outstanding=True),
    ),
    case(
        "another kind under OnImmutableChange: the DELETE was sent in this pass",
        a_state(REPLACED, desired=OTHER_KIND, remote=a_remote(), deletion_wait=0.0, done=frozenset({Delete})),
        ends(Verdict.WAITING, "Recreating", outstanding=True),
    ),
    case(
        "another kind under OnImmutableChange: while it goes, wait",
        a_state(REPLACED, desired=OTHER_KIND, remote=a_remote(desired_phase="Deleted")),
        ends(Verdict.WAITING, "Recreating", outstanding=True),
    ),
    case(
        "another kind under OnImmutableChange: it is gone, forget it",
        a_state(REPLACED, desired=OTHER_KIND, remote=Missing()),
        ForgetWorkload(),
    ),
    case(
        "another kind under OnImmutableChange: it is shown as deleted, forget it",
        a_state(REPLACED, desired=OTHER_KIND, remote=a_remote(sync_status="Deleted")),
        ForgetWorkload(),
    ),
    case(
        "another kind under OnImmutableChange, and Run:ai is down",
        a_state(REPLACED, desired=OTHER_KIND, remote=DOWN),
        ends(Verdict.RETRYING, "RunaiUnavailable", outstanding=True),
    ),
    # Finished work.
    case("completed: no call ever again", a_state(DONE, requests=READ), ends(Verdict.IN_SYNC)),
    case(
        "completed, two edits since, the last equal to the first: nothing to send",
        a_state(at_generation(3, DONE), desired=DESIRED),
        ends(Verdict.IN_SYNC),
    ),
    case(
        "completed and edited under rerunPolicy Never",
        a_state(EDITED_DONE, desired=EDITED),
        ends(Verdict.REJECTED, "FinishedNotRerun", outstanding=True),
    ),
    case(
        "completed and edited under OnSpecChange: delete it first",
        a_state(
            replace(EDITED_DONE, spec=replace(DONE.spec, **RERUNS)),
            desired=EDITED,
            remote=a_remote(),
            deletion_wait=0.0,
        ),
        Delete(WORKLOAD_ID),
    ),
    case(
        "completed, a changed source never makes it run again",
        a_state(
            replace(DONE, spec=replace(DONE.spec, **RERUNS)),
            requests=CHECK_CONTENT,
            desired=EDITED,
        ),
        ends(Verdict.IN_SYNC),
    ),
    case(
        "failed and purged: keeps its last status",
        a_state(FAILED, requests=READ, remote=Missing()),
        ends(Verdict.IN_SYNC),
    ),
    case(
        "failed and purged, then edited under rerunPolicy Never",
        a_state(EDITED_FAILED, desired=EDITED, remote=Missing()),
        ends(Verdict.REJECTED, "FinishedNotRerun", outstanding=True),
    ),
    case(
        "failed and purged, then edited under OnSpecChange: forget it, then create",
        a_state(
            replace(EDITED_FAILED, spec=replace(FAILED.spec, **RERUNS)),
            desired=EDITED,
            remote=Missing(),
        ),
        ForgetWorkload(),
    ),
    # Somebody deleted it in Run:ai.
    case(
        "deleted outside",
        a_state(LIVE, requests=READ, found=(), remote=Missing(), row=DELETED_ROW),
        ends(Verdict.REJECTED, "DeletedExternally"),
    ),
    case(
        "gone and listed nowhere, for longer than lists lag: nothing shows that it had finished",
        a_state(LIVE, requests=READ, found=(), remote=Missing(), **MISSING_FOR_LONG),
        ends(Verdict.REJECTED, "DeletedExternally"),
    ),
    case(
        "gone and not listed as deleted yet: how it ended is not known",
        a_state(LIVE, requests=READ, remote=Missing(), **MISSING_NOW),
        ends(Verdict.RETRYING, "NotVisible"),
    ),
    case(
        "shown as deleted, and not listed as such yet",
        a_state(LIVE, requests=READ, remote=a_remote(sync_status="Deleted"), **MISSING_NOW),
        ends(Verdict.RETRYING, "NotVisible"),
    ),
    case(
        "gone and not listed as deleted yet, with an edit to send",
        a_state(EDITED_LIVE, desired=EDITED, remote=Missing(), **MISSING_NOW),
        ends(Verdict.RETRYING, "NotVisible", outstanding=True),
    ),
    case(
        "out of sight: not called deleted",
        a_state(LIVE, requests=READ, remote=HIDDEN_PROJECT, **MISSING_FOR_LONG),
        ends(Verdict.RETRYING, "NotVisible"),
    ),
    case(
        "out of sight under Recreate: not created again",
        a_state(RECREATED, requests=READ, remote=HIDDEN_PROJECT, **MISSING_FOR_LONG),
        ends(Verdict.RETRYING, "NotVisible"),
    ),
    case(
        "had finished when it was deleted",
        a_state(LIVE, requests=READ, remote=Missing(), row=replace(DELETED_ROW, phase="Completed")),
        ends(Verdict.IN_SYNC),
    ),
    case(
        "had finished when it was deleted, under Recreate",
        a_state(RECREATED, requests=READ, remote=Missing(), row=replace(DELETED_ROW, phase="Failed")),
        ends(Verdict.IN_SYNC),
    ),
    case(
        "had finished when it was deleted, with an edit to send",
        a_state(EDITED_LIVE, desired=EDITED, remote=Missing(), row=replace(DELETED_ROW, phase="Completed")),
        ends(Verdict.REJECTED, "FinishedNotRerun", outstanding=True),
    ),
    case(
        "had finished when it was deleted, with an edit to run",
        a_state(
            replace(EDITED_LIVE, spec=replace(LIVE.spec, **RERUNS)),
            desired=EDITED,
            remote=Missing(),
            row=replace(DELETED_ROW, phase="Completed"),
        ),
        ForgetWorkload(),
    ),
    case(
        "had finished, but how is not said",
        a_state(LIVE, requests=READ, remote=Missing(), row=replace(DELETED_ROW, completed_at="2026-01-01T00:00:00Z")),
        ends(Verdict.REJECTED, "EndedUnseen"),
    ),
    case(
        "listed nowhere under Recreate: it may have finished",
        a_state(RECREATED, requests=READ, remote=Missing(), **MISSING_FOR_LONG),
        ends(Verdict.REJECTED, "EndedUnseen"),
    ),
    case(
        "listed nowhere under Recreate, and somebody asks for it",
        a_state(
            replace(RECREATED, meta=replace(RECREATED.meta, reconcile_token="again")),
            desired=DESIRED,
            remote=Missing(),
            **MISSING_FOR_LONG,
        ),
        ForgetWorkload(lost=True),
    ),
    case(
        "reported as deleted outside: only a fresh reading may say otherwise",
        a_state(a_workload(status=submitted_status(conditions=LOST))),
        ReadRemote(WORKLOAD_ID),
    ),
    case(
        "deleted outside under Recreate: forget it, then create",
        a_state(RECREATED, requests=READ, remote=Missing(), row=DELETED_ROW),
        ForgetWorkload(lost=True),
    ),
    case(
        "deleted outside under Recreate a moment after it was created again: wait",
        a_state(RECREATED, requests=READ, remote=Missing(), row=DELETED_ROW, **RECREATED_JUST_NOW),
        ends(Verdict.WAITING, "WaitingToRecreate"),
    ),
    case(
        "while it waits to be created again: it may have come back, so read",
        a_state(replace(RECREATED, status=submitted_status(conditions=LOST_AGAIN))),
        ReadRemote(WORKLOAD_ID),
    ),
    case(
        "deleted outside under Recreate again and again",
        a_state(RECREATED, requests=READ, remote=Missing(), row=DELETED_ROW, **RECREATED_OFTEN),
        ends(Verdict.REJECTED, "RecreateGivenUp"),
    ),
    # An adoption whose id is on record.
    case(
        "its id is owed to status: it is recorded before anything is sent",
        a_state(without_finalizer(ADOPTED), memory=Memory(pending_status={"workloadId": WORKLOAD_ID})),
        RecordId(),
    ),
    case(
        "observed until now: what would be sent?",
        a_state(OBSERVED_BEFORE),
        Render(),
    ),
    case(
        "observed until now: the checks of an adoption are made anew",
        a_state(OBSERVED_BEFORE, desired=DESIRED),
        ReadRemote(WORKLOAD_ID, with_row=True),
    ),
    case(
        "observed until now, and it is another's: refused, and that is no proof about our id",
        a_state(OBSERVED_BEFORE, desired=DESIRED, remote=a_remote(mark=ELSEWHERE)),
        ends(Verdict.REJECTED, "ManagedByOther", outstanding=True),
    ),
    case(
        "observed until now, and the spec is refused",
        a_state(OBSERVED_BEFORE, desired=BAD),
        ends(Verdict.REJECTED, "InvalidSpec", outstanding=True),
    ),
    case(
        "observed until now, and shown as gone, unfinished: another may be named",
        a_state(OBSERVED_BEFORE, desired=DESIRED, remote=a_remote(sync_status="Deleted"), row=DELETED_ROW),
        ForgetWorkload(),
    ),
    case(
        "observed until now, and gone, unfinished: another may be named",
        a_state(OBSERVED_BEFORE, desired=DESIRED, remote=Missing(), row=DELETED_ROW),
        ForgetWorkload(),
    ),
    case(
        "what was submitted is named by its own id, and is gone",
        a_state(
            a_workload(workload_id=WORKLOAD_ID, status=submitted_status()), found=(), remote=Missing(), row=DELETED_ROW
        ),
        ends(Verdict.REJECTED, "DeletedExternally"),
    ),
    case(
        "what was submitted and has completed is named by its own id, and is gone",
        a_state(a_workload(workload_id=WORKLOAD_ID, status=completed_status()), remote=Missing()),
        ends(Verdict.IN_SYNC),
    ),
    case(
        "another is named than what was submitted, and what was submitted is gone",
        a_state(
            a_workload(workload_id="another", status=submitted_status()),
            desired=DESIRED,
            remote=Missing(),
            row=DELETED_ROW,
        ),
        ends(Verdict.REJECTED, "WorkloadNotFound", outstanding=True),
    ),
    case(
        "what was submitted is named by its own id: what would be sent?",
        a_state(a_workload(workload_id=WORKLOAD_ID, status=submitted_status())),
        Render(),
    ),
    case(
        "what was sent makes an adoption whose proof is not on record",
        a_state(
            a_workload(workload_id=WORKLOAD_ID, status=submitted_status()),
            desired=DESIRED,
            remote=a_remote(),
            done=frozenset({Update}),
        ),
        Adopt(a_remote(), None, finished=False),
    ),
    case(
        "completed work lacks no source",
        a_state(a_workload(manifest=None, manifest_from=CODE, status=completed_status()), memory=WITHOUT_SOURCE),
        ends(Verdict.IN_SYNC),
    ),
    case(
        "work that has just completed lacks no source",
        a_state(
            a_workload(manifest=None, manifest_from=CODE, status=submitted_status()),
            row=COMPLETED_ROW,
            memory=WITHOUT_SOURCE,
        ),
        ends(Verdict.IN_SYNC),
    ),
    case(
        "what is known of the source named before says nothing of another",
        a_state(
            a_workload(manifest=None, manifest_from=replace(CODE, name="other"), status=submitted_status()),
            memory=WITHOUT_SOURCE,
        ),
        ends(Verdict.IN_SYNC),
    ),
    case(
        "a replacement that was begun goes on under recreatePolicy: Never",
        a_state(
            a_workload(generation=2, status=submitted_status(submission=REPLACING)),
            desired=OTHER_KIND,
            remote=Missing(),
        ),
        ForgetWorkload(),
    ),
    case(
        "its source is gone, which a pass that reads no source keeps saying",
        a_state(
            a_workload(manifest=None, manifest_from=CODE, status=submitted_status()),
            memory=WITHOUT_SOURCE,
        ),
        ends(Verdict.IN_SYNC, "SourceInvalid"),
    ),
    case(
        "observed until now, gone, and had completed",
        a_state(
            a_workload(finalizer=False, workload_id=WORKLOAD_ID, status=completed_status(submittedHash=None)),
            remote=Missing(),
            **MISSING_FOR_LONG,
        ),
        ends(Verdict.IN_SYNC, "WorkloadNotFound"),
    ),
    case(
        "another is named than what was observed and had completed, and that is gone",
        a_state(
            a_workload(finalizer=False, workload_id="another", status=completed_status(submittedHash=None)),
            desired=DESIRED,
            remote=Missing(),
        ),
        ends(Verdict.REJECTED, "WorkloadNotFound", outstanding=True),
    ),
    case(
        "what was submitted is named by its own id: the checks of an adoption are made",
        a_state(a_workload(workload_id=WORKLOAD_ID, status=submitted_status()), remote=a_remote()),
        Render(),
    ),
    case(
        "observed until now, and the project cannot be looked up",
        a_state(OBSERVED_BEFORE, desired=DOWN),
        ends(Verdict.RETRYING, "RunaiUnavailable", outstanding=True),
    ),
    # Held back.
    case(
        "paused, and its id is not on record yet",
        a_state(paused(LIVE), memory=Memory(pending_status={"workloadId": WORKLOAD_ID})),
        RecordId(),
    ),
    case("paused, nothing outstanding", a_state(paused(LIVE)), ends(Verdict.PAUSED)),
    case(
        "paused, an edit waits",
        a_state(paused(EDITED_LIVE), desired=EDITED, remote=a_remote()),
        ends(Verdict.PAUSED, outstanding=True),
    ),
    case(
        "paused while Run:ai deletes it, an edit waits",
        a_state(paused(EDITED_LIVE), desired=EDITED, remote=a_remote(sync_status="Deleting")),
        ends(Verdict.PAUSED, outstanding=True),
    ),
    case(
        "paused, and deleted outside: that is said all the same",
        a_state(paused(LIVE), requests=READ, found=(), remote=Missing()),
        ends(Verdict.REJECTED, "DeletedExternally"),
    ),
    case(
        "the connection is not configured any more: what exists is never called unsubmitted",
        a_state(LIVE, unusable=BAD),
        ends(Verdict.REJECTED, "InvalidSpec", outstanding=True),
    ),
    # A reading that somebody asked for comes before what is sent.
    case("edited, and somebody asked for a reading", a_state(EDITED_LIVE, requests=READ), ReadRemote(WORKLOAD_ID)),
    case(
        "edited, and the reading that somebody asked for fails",
        a_state(EDITED_LIVE, requests=READ, remote=DOWN),
        ends(Verdict.RETRYING, "RunaiUnavailable", outstanding=True),
    ),
    case("edited, and the reading was made", a_state(EDITED_LIVE, requests=READ, remote=a_remote()), Render()),
    case(
        "edited, and pending: what is to be done comes before the question to the scheduler",
        a_state(EDITED_LIVE, row=PENDING_ROW, requests=Requests(row=True)),
        Render(),
    ),
    case(
        "the reading shows no mark: only another's is a reason to yield",
        a_state(LIVE, requests=READ, remote=a_remote(mark=None)),
        ends(Verdict.IN_SYNC),
    ),
    # The manifest's source.
    case("the source may have changed: what would be sent?", a_state(LIVE, requests=CHECK_CONTENT), Render()),
    case(
        "the source of completed work may have changed: it does not matter",
        a_state(DONE, requests=CHECK_CONTENT),
        ends(Verdict.IN_SYNC),
    ),
    case(
        "the source is gone: the workload goes on, and status says so beside it",
        a_state(LIVE, requests=CHECK_CONTENT, desired=NO_SOURCE),
        ends(Verdict.IN_SYNC, "SourceInvalid"),
    ),
    case(
        "the source is gone, and a reading is asked for that fails",
        a_state(a_workload(status=submitted_status(conditions=LOST)), desired=NO_SOURCE, found=(), remote=Missing()),
        ends(Verdict.REJECTED, "DeletedExternally"),
    ),
    case(
        "the source is gone, and only a fresh reading may say that the workload is back",
        a_state(a_workload(status=submitted_status(conditions=LOST)), desired=NO_SOURCE),
        ReadRemote(WORKLOAD_ID),
    ),
    case(
        "edited, and the source is gone",
        a_state(EDITED_LIVE, desired=NO_SOURCE),
        ends(Verdict.REJECTED, "SourceInvalid", outstanding=True),
    ),
    case("completed and edited, and the project is gone", a_state(EDITED_DONE, desired=BAD), ends(Verdict.IN_SYNC)),
    case(
        "completed and edited under OnSpecChange, and the spec is refused",
        a_state(replace(EDITED_DONE, spec=replace(DONE.spec, **RERUNS)), desired=BAD),
        ends(Verdict.REJECTED, "InvalidSpec", outstanding=True),
    ),
    case(
        "completed before an edit was delivered, and the spec is refused",
        a_state(
            a_workload(
                generation=2, status=completed_status(conditions=[*completed_status()["conditions"][2:], *NOT_SENT])
            ),
            desired=BAD,
        ),
        ends(Verdict.REJECTED, "InvalidSpec", outstanding=True),
    ),
    case(
        "running, and the spec is refused",
        a_state(EDITED_LIVE, desired=Unavailable("down")),
        ends(Verdict.RETRYING, "RunaiUnavailable", outstanding=True),
    ),
    # Being replaced.
    case(
        "being replaced, before a restart: is it gone?",
        a_state(a_workload(status=submitted_status(submission=REPLACING))),
        ReadRemote(WORKLOAD_ID),
    ),
    case(
        "being replaced, and the edit that asked for it is undone: it goes all the same",
        a_state(
            a_workload(status=submitted_status(submission=REPLACING)),
            requests=READ,
            remote=a_remote(sync_status="Deleting"),
        ),
        ends(Verdict.WAITING, "Recreating", outstanding=True),
    ),
    case(
        "being replaced, the edit is undone, and Run:ai is not deleting it: it stays",
        a_state(a_workload(status=submitted_status(submission=REPLACING)), requests=READ, remote=a_remote()),
        ends(Verdict.IN_SYNC),
    ),
    case(
        "being replaced, the edit is undone, and it is gone: create it",
        a_state(a_workload(status=submitted_status(submission=REPLACING)), requests=READ, remote=Missing()),
        ForgetWorkload(),
    ),
    case(
        "completed, to be replaced, and left by an object that may exist: ask",
        a_state(
            replace(EDITED_DONE, spec=replace(DONE.spec, **RERUNS)), desired=EDITED, remote=a_remote(mark=NAMESAKE)
        ),
        ReadOwner(ANOTHER),
    ),
    case(
        "not completed, to be replaced, and another object's: nobody is asked",
        a_state(REPLACED, desired=OTHER_KIND, remote=a_remote(mark=NAMESAKE)),
        ends(Verdict.REJECTED, "ManagedByOther", outstanding=True),
    ),
    # What was submitted, and as what.
    case(
        "another project, and the same content",
        a_state(EDITED_LIVE, desired=a_desired(project_id="2")),
        ends(Verdict.REJECTED, "ImmutableFieldChanged", outstanding=True),
    ),
    case(
        "as what it was submitted is not on record, and Run:ai shows another kind",
        a_state(
            a_workload(generation=2, status=submitted_status(submittedHash=DESIRED.content)),
            desired=OTHER_KIND,
            remote=a_remote(),
        ),
        ends(Verdict.REJECTED, "ImmutableFieldChanged", outstanding=True),
    ),
    case(
        "as what it was submitted is not on record, which is no reason to replace it",
        a_state(
            a_workload(generation=2, status=submitted_status(submittedHash=DESIRED.content)),
            desired=EDITED,
            remote=a_remote(),
        ),
        Update(WORKLOAD_ID, EDITED.submission),
    ),
    case(
        "submitted under a name of ours, and then named by its id: the same workload",
        a_state(
            a_workload(
                generation=2,
                workload_id=WORKLOAD_ID,
                name="renamed",
                status=submitted_status(adoptedId=WORKLOAD_ID),
            ),
            desired=a_desired("v1:bbbb", name="renamed"),
            remote=a_remote(),
        ),
        Update(WORKLOAD_ID, a_desired("v1:bbbb", name="renamed").submission),
    ),
    case(
        "adopted, and edited",
        a_state(
            a_workload(
                generation=2,
                workload_id=WORKLOAD_ID,
                status=submitted_status(adoptedId=WORKLOAD_ID, submittedHash=DESIRED.fingerprint(adopts=True)),
            ),
            desired=EDITED,
            remote=a_remote(),
        ),
        Update(WORKLOAD_ID, EDITED.submission),
    ),
    case(
        "renamed: the name is part of what it was submitted as",
        a_state(EDITED_LIVE, desired=a_desired("v1:bbbb", name="renamed"), remote=a_remote()),
        ends(Verdict.REJECTED, "ImmutableFieldChanged", outstanding=True),
    ),
    case(
        "observed once, and not named by the spec any more: it was never ours",
        a_state(a_workload(finalizer=False, status=submitted_status(submittedHash=None))),
        ForgetWorkload(),
    ),
    # Finished work that was edited.
    case(
        "the row shows that it has completed, and status not yet: an edit does not run it again",
        a_state(EDITED_LIVE, desired=EDITED, row=COMPLETED_ROW),
        ends(Verdict.REJECTED, "FinishedNotRerun", outstanding=True),
    ),
    case(
        "completed before an edit was delivered, whose generation was seen",
        a_state(
            a_workload(status=completed_status(conditions=[*completed_status()["conditions"][2:], *NOT_SENT])),
            desired=EDITED,
        ),
        ends(Verdict.REJECTED, "FinishedNotRerun", outstanding=True),
    ),
    case(
        "failed and purged, and only a policy was edited",
        a_state(EDITED_FAILED, requests=READ, desired=DESIRED, remote=Missing()),
        ends(Verdict.IN_SYNC),
    ),
    # Status is older than what Run:ai holds: Kubernetes was restored from a backup.
    case(
        "gone: has another taken its place?",
        a_state(LIVE, requests=READ, remote=Missing(), row=DELETED_ROW),
        FindRemote("train", "1"),
    ),
    case(
        "gone, and whether another took its place is not known",
        a_state(LIVE, requests=READ, remote=Missing(), row=DELETED_ROW, found=DOWN),
        ends(Verdict.RETRYING, "RunaiUnavailable"),
    ),
    case(
        "gone, and another workload of ours has taken its place: what is asked for?",
        a_state(LIVE, requests=READ, remote=Missing(), row=DELETED_ROW, found=found(id="other")),
        Render(),
    ),
    case(
        "gone, and another workload of ours has taken its place",
        a_state(LIVE, requests=READ, desired=DESIRED, remote=Missing(), row=DELETED_ROW, found=found(id="other")),
        Adopt(a_remote(id="other"), a_row(), finished=False),
    ),
    case(
        "gone, another workload of ours has taken its place, and what is asked for is not known",
        a_state(
            LIVE,
            requests=READ,
            desired=NO_SOURCE,
            remote=Missing(),
            row=DELETED_ROW,
            found=found(id="other", content=EDITED.content),
        ),
        Adopt(a_remote(id="other", content=EDITED.content), a_row(), finished=False),
    ),
    case(
        "gone, and another workload of ours, which has completed what is asked for, has taken its place",
        a_state(
            LIVE,
            requests=READ,
            desired=DESIRED,
            remote=Missing(),
            row=DELETED_ROW,
            found=found(id="other", row=COMPLETED_ROW, content=DESIRED.content),
        ),
        Adopt(a_remote(id="other", content=DESIRED.content), COMPLETED_ROW, finished=True),
    ),
    case(
        "gone, and so is what had taken its place",
        a_state(
            LIVE,
            requests=READ,
            desired=DESIRED,
            remote=Missing(),
            row=DELETED_ROW,
            found=found(id="other", sync_status="Deleted"),
        ),
        ends(Verdict.REJECTED, "DeletedExternally"),
    ),
    case(
        "gone as lists say, though its id still answers: nothing takes its own place",
        a_state(
            LIVE,
            requests=READ,
            desired=DESIRED,
            remote=ON_ITS_WAY_AND_UNLISTED,
            row=DELETED_ROW,
            found=found(desired_phase="Deleted", sync_status=None),
        ),
        ends(Verdict.REJECTED, "DeletedExternally"),
    ),
    case(
        "gone, though lists still show it",
        a_state(LIVE, requests=READ, desired=DESIRED, remote=Missing(), row=DELETED_ROW, found=HIDDEN),
        ends(Verdict.REJECTED, "DeletedExternally"),
    ),
    case(
        "read, and it holds something else than is on record and asked for",
        a_state(LIVE, requests=READ, desired=DESIRED, remote=a_remote(content=EDITED.content)),
        Update(WORKLOAD_ID, DESIRED.submission),
    ),
    case(
        "completed, and it holds something else than is on record",
        a_state(DONE, desired=DESIRED, remote=a_remote(content=EDITED.content)),
        ends(Verdict.IN_SYNC),
    ),
    # What is deleted to be replaced has to leave a name that its replacement can have.
    case(
        "to be replaced under a name that Run:ai would refuse: not deleted",
        a_state(REPLACED, desired=UNNAMEABLE, remote=a_remote()),
        ends(Verdict.REJECTED, "InvalidSpec", outstanding=True),
    ),
    case(
        "to be replaced under another name: is that free?",
        a_state(REPLACED, desired=RENAMED, remote=a_remote()),
        FindRemote("other", "1"),
    ),
    case(
        "to be replaced in the project that the spec names, after it was moved: is the name free there?",
        a_state(REPLACED, desired=OTHER_KIND, remote=a_remote(project_id="2")),
        FindRemote("train", "1"),
    ),
    case(
        "to be replaced under another name, and nobody knows whether it is free",
        a_state(REPLACED, desired=RENAMED, remote=a_remote(), found=DOWN),
        ends(Verdict.RETRYING, "RunaiUnavailable", outstanding=True),
    ),
    case(
        "to be replaced under a name that somebody else has: not deleted",
        a_state(
            REPLACED, desired=RENAMED, remote=a_remote(), found=found(row=a_row(id="other"), id="other", mark=None)
        ),
        ends(Verdict.REJECTED, "NameTaken", outstanding=True),
    ),
    case(
        "to be replaced under a name that is listed, and by what is not shown",
        a_state(REPLACED, desired=RENAMED, remote=a_remote(), found=(Candidate(a_row(id="other"), None),)),
        ends(Verdict.WAITING, "WaitingForName", outstanding=True),
    ),
    case(
        "to be replaced under another name, which lists show it under already",
        a_state(REPLACED, desired=RENAMED, remote=a_remote(), found=HIDDEN),
        ReserveDeletion(),
    ),
    case(
        "to be replaced under a name that something leaves just now",
        a_state(
            REPLACED,
            desired=RENAMED,
            remote=a_remote(),
            found=found(row=a_row(id="other"), id="other", mark=None, sync_status="Deleting"),
        ),
        ends(Verdict.WAITING, "WaitingForName", outstanding=True),
    ),
    case(
        "to be replaced under a name that an earlier object of ours left something under: is it claimed?",
        a_state(
            REPLACED,
            desired=RENAMED,
            remote=a_remote(),
            found=found(row=a_row(id="other"), id="other", mark=EARLIER_LIFE),
        ),
        ClaimWorkload("other"),
    ),
    case(
        "to be replaced by what an earlier object of ours left",
        a_state(
            REPLACED,
            desired=RENAMED,
            remote=a_remote(),
            found=found(row=a_row(id="other"), id="other", mark=EARLIER_LIFE),
            claimant=REF,
        ),
        ReserveDeletion(),
    ),
    case(
        "to be replaced by what an attempt of ours made",
        a_state(REPLACED, desired=RENAMED, remote=a_remote(), found=found(row=a_row(id="other"), id="other")),
        ReserveDeletion(),
    ),
    case(
        "to be replaced under a name that is free",
        a_state(REPLACED, desired=RENAMED, remote=a_remote(), found=()),
        ReserveDeletion(),
    ),
    # The spec can no longer be read, and the workload of before goes on, or does not.
    case(
        "the spec cannot be read, and the workload is to be",
        a_state(replace(EDITED_LIVE, spec_error="too deep"), requests=READ),
        ReadRemote(WORKLOAD_ID),
    ),
    case(
        "the spec cannot be read, nor the workload",
        a_state(replace(EDITED_LIVE, spec_error="too deep"), requests=READ, remote=DOWN),
        ends(Verdict.RETRYING, "RunaiUnavailable", outstanding=True),
    ),
    case(
        "the spec cannot be read, and the workload is gone",
        a_state(replace(EDITED_LIVE, spec_error="too deep"), requests=READ, remote=Missing()),
        ends(Verdict.REJECTED, "InvalidSpec", outstanding=True),
    ),
    case(
        "the spec cannot be read, and the work has completed",
        a_state(replace(EDITED_DONE, spec_error="too deep"), requests=READ),
        ends(Verdict.REJECTED, "InvalidSpec", outstanding=True),
    ),
    case(
        "observed until now, with a manifest that cannot be sent, and to be read",
        a_state(OBSERVED_BEFORE, desired=BAD, requests=READ),
        ReadRemote(WORKLOAD_ID),
    ),
    case(
        "observed until now, what would be sent is refused, and what somebody asked to be read cannot be",
        a_state(OBSERVED_BEFORE, desired=BAD, requests=READ, remote=DOWN),
        ends(Verdict.RETRYING, "RunaiUnavailable", outstanding=True),
    ),
    # Somebody asks about what is gone.
    case(
        "gone under Recreate, somebody asks for it, and lists may still tell how it ended",
        a_state(
            replace(RECREATED, meta=replace(RECREATED.meta, reconcile_token="again")),
            desired=DESIRED,
            remote=Missing(),
            **MISSING_NOW,
        ),
        ends(Verdict.RETRYING, "NotVisible"),
    ),
    case(
        "had finished, but how is not said, and somebody asks: only Recreate makes that a wish to run it again",
        a_state(
            replace(LIVE, meta=replace(LIVE.meta, reconcile_token="again")),
            desired=DESIRED,
            remote=Missing(),
            row=replace(DELETED_ROW, completed_at="2026-01-01T00:00:00Z"),
        ),
        ends(Verdict.REJECTED, "EndedUnseen"),
    ),
    # An adoption whose id is on record.
    case(
        "observed until now, and it is ours: the finalizer comes first",
        a_state(OBSERVED_BEFORE, desired=DESIRED, remote=a_remote()),
        AddFinalizer(),
    ),
    case(
        "observed until now, and sent just now: it is recorded as adopted, whether its mark can be read or not",
        a_state(
            a_workload(workload_id=WORKLOAD_ID, status=submitted_status(submittedHash=None)),
            desired=DESIRED,
            remote=a_remote(mark=None),
            row=a_row(),
            delivered_now=True,
        ),
        Adopt(a_remote(mark=None), a_row(), finished=False),
    ),
    case(
        "observed until now, ours, and completed something else",
        a_state(
            a_workload(workload_id=WORKLOAD_ID, status=submitted_status(submittedHash=None)),
            desired=EDITED,
            remote=a_remote(content=DESIRED.content),
            row=COMPLETED_ROW,
        ),
        Adopt(a_remote(content=DESIRED.content), COMPLETED_ROW, finished=False, content=DESIRED.content),
    ),
    # Nothing has happened, and status is to say what it must by now.
    case(
        "restated while it is retried: still retried, for what status says",
        a_state(
            a_workload(status=submitted_status(conditions=NOT_SENT)),
            requests=RESTATE,
            memory=Memory(retrying_since=1.0),
        ),
        ends(Verdict.RETRYING, "RunaiUnavailable", outstanding=True),
    ),
    case(
        "restated while it is retried, and nothing was submitted",
        a_state(
            a_workload(
                finalizer=False, status={"observedGeneration": 1, "submission": NOT_SUBMITTED, "conditions": NOT_SENT}
            ),
            requests=RESTATE,
            memory=Memory(retrying_since=1.0),
        ),
        ends(Verdict.RETRYING, "RunaiUnavailable", outstanding=True, not_submitted=True),
    ),
    case(
        "restated while it cannot be read",
        a_state(LIVE, requests=RESTATE, memory=Memory(unread=Unread(0.0, "AccessDenied", "No."))),
        ends(Verdict.RETRYING, "AccessDenied"),
    ),
    case("restated while nothing is outstanding", a_state(LIVE, requests=RESTATE), ends(Verdict.IN_SYNC)),
    case(
        "restated while it is paused",
        a_state(
            a_workload(
                paused=True,
                status=submitted_status(
                    conditions=[a_condition("Ready", "True", "Paused"), a_condition("Synced", "True", "Synced")]
                ),
            ),
            requests=RESTATE,
        ),
        ends(Verdict.PAUSED),
    ),
    case(
        "restated, and status shows something else than what Run:ai does: decided anew",
        a_state(a_workload(status=submitted_status(conditions=LOST)), requests=RESTATE),
        ReadRemote(WORKLOAD_ID),
    ),
    case(
        "restated when it is time to ask the scheduler",
        a_state(LIVE, row=PENDING_ROW, requests=Requests(restate=True, row=True)),
        ReadRow(PENDING_ROW.id),
    ),
    case(
        "completed, its source changed, and it is gone from Run:ai: it does not run again",
        a_state(
            replace(LIVE, spec=replace(LIVE.spec, **RERUNS)),
            requests=Requests(read=True, check_content=True),
            desired=EDITED,
            remote=Missing(),
            row=replace(DELETED_ROW, phase="Completed"),
        ),
        ends(Verdict.IN_SYNC),
    ),
    case(
        "completed, and its project is found elsewhere: nobody edited it",
        a_state(LIVE, requests=CHECK_CONTENT, desired=a_desired(project_id="2"), row=COMPLETED_ROW),
        ends(Verdict.IN_SYNC),
    ),
    case(
        "completed, and Ready has said since that it is gone: no call ever again",
        a_state(a_workload(status=completed_status(conditions=[*LOST, a_condition("Completed")]))),
        ends(Verdict.IN_SYNC),
    ),
    case(
        "adopted, and moved to another project",
        a_state(
            a_workload(
                generation=2,
                workload_id=WORKLOAD_ID,
                status=submitted_status(adoptedId=WORKLOAD_ID, submittedHash=DESIRED.fingerprint(adopts=True)),
            ),
            desired=a_desired(project_id="2"),
            remote=a_remote(),
        ),
        ends(Verdict.REJECTED, "ImmutableFieldChanged", outstanding=True),
    ),
    case(
        "restated before the source was read: nothing is read for that",
        a_state(
            a_workload(manifest=None, manifest_from=SourceRef("ConfigMap", "code", "k"), status=submitted_status()),
            requests=RESTATE,
        ),
        ends(Verdict.IN_SYNC),
    ),
    case(
        "two edits since the last pass, and Run:ai says that it holds what was asked for before and is again",
        a_state(at_generation(3, EDITED_LIVE), desired=DESIRED, remote=a_remote(content=DESIRED.content)),
        ends(Verdict.IN_SYNC),
    ),
    case(
        "failed and purged, and its source changed: that is no reason to run it again",
        a_state(FAILED, requests=Requests(read=True, check_content=True), desired=EDITED, remote=Missing()),
        ends(Verdict.IN_SYNC),
    ),
    case(
        "failed and purged, its source changed, and a policy was edited",
        a_state(from_source(submitted_status(phase="Failed")), desired=EDITED, remote=Missing()),
        ends(Verdict.IN_SYNC),
    ),
    case(
        "completed, its source changed, and a policy was edited",
        a_state(from_source(completed_status()), desired=EDITED),
        ends(Verdict.IN_SYNC),
    ),
    case(
        "found gone before, which a pause kept from being said: is it?",
        a_state(a_workload(status=submitted_status(syncStatus="Deleted"))),
        ReadRemote(WORKLOAD_ID),
    ),
]


FINALIZE = [
    # Without a word to Run:ai.
    case("never seen by us: nothing to do", a_state(without_finalizer(GOING)), ends(Verdict.IGNORED)),
    case("proven unsubmitted", a_state(GOING_UNSUBMITTED), REMOVE_FINALIZER),
    case("only observed", a_state(a_workload(status=submitted_status(), **(OBSERVES | DELETES))), REMOVE_FINALIZER),
    case(
        "deletionPolicy Orphan, even paused and without a connection",
        a_state(
            a_workload(paused=True, status=submitted_status(), deletion_policy=DeletionPolicy.ORPHAN, **DELETES),
            unusable=DOWN,
        ),
        REMOVE_FINALIZER,
    ),
    case(
        "a name that could never be submitted",
        a_state(a_workload(name="Not A Name", **DELETES)),
        REMOVE_FINALIZER,
    ),
    case("paused: wait", a_state(paused(GOING)), ends(Verdict.DELETING, "Deleting")),
    case(
        "the connection cannot be used: wait",
        a_state(GOING, unusable=DOWN),
        ends(Verdict.DELETING, "RunaiUnavailable"),
    ),
    # The CustomResourceDefinition.
    case("is it because the CustomResourceDefinition goes?", a_state(GOING, crd=None), ReadCRD()),
    case(
        "the CustomResourceDefinition goes: nothing is asked of Run:ai",
        a_state(GOING, crd=FALLING),
        ends(Verdict.DELETING, "Deleting"),
    ),
    case(
        "the CustomResourceDefinition goes, and somebody confirmed it: an ordinary deletion",
        a_state(GOING, crd=FALLING_ON_PURPOSE, remote=a_remote(), deletion_wait=0.0),
        Delete(WORKLOAD_ID),
    ),
    case(
        "the CustomResourceDefinition goes: what was never submitted goes with it at once",
        a_state(GOING_UNSUBMITTED, crd=FALLING),
        REMOVE_FINALIZER,
    ),
    # An attempt is in doubt.
    case("in doubt: look for what may exist", a_state(GOING_IN_DOUBT), FindRemote("train", None)),
    case(
        "in doubt, and the project of the attempt is on record: look there",
        a_state(a_workload(status={"projectId": "7"}, **DELETES)),
        FindRemote("train", "7"),
    ),
    case(
        "in doubt, and its name was refused to a later attempt: absence from a list proves nothing",
        a_state(a_workload(status={"submission": NAME_HELD}, **DELETES), found=(), **LOOKED_FOR_LONG),
        ends(Verdict.DELETING, "NameTaken"),
    ),
    case(
        "in doubt, and what holds its name is shown and another's: remove the finalizer",
        a_state(a_workload(status={"submission": NAME_HELD}, **DELETES), found=found(mark=NAMESAKE), **LOOKED_FOR_LONG),
        REMOVE_FINALIZER,
    ),
    case(
        "in doubt, nothing found, lists may lag: wait",
        a_state(GOING_IN_DOUBT, found=()),
        ends(Verdict.DELETING, "Deleting"),
    ),
    case(
        "in doubt, nothing found for longer than lists lag: remove the finalizer",
        a_state(GOING_IN_DOUBT, found=(), **LOOKED_FOR_LONG),
        REMOVE_FINALIZER,
    ),
    case(
        "in doubt, found ours: from here on it is known by its id",
        a_state(GOING_IN_DOUBT, found=found()),
        Adopt(a_remote(), a_row(), finished=False),
    ),
    case(
        "in doubt, found ours: its id is recorded before anything is sent",
        a_state(GOING, remote=a_remote(), memory=Memory(pending_status={"workloadId": WORKLOAD_ID})),
        RecordId(),
    ),
    case(
        "in doubt, found ours but gone: wait until lists can be believed",
        a_state(GOING_IN_DOUBT, found=found(sync_status="Deleted")),
        ends(Verdict.DELETING, "Deleting"),
    ),
    case(
        "in doubt, found another's: it is not touched",
        a_state(GOING_IN_DOUBT, found=found(mark=ELSEWHERE), **LOOKED_FOR_LONG),
        REMOVE_FINALIZER,
    ),
    case(
        "in doubt, the holder's mark cannot be read: the finalizer stays while it may be ours",
        a_state(GOING_IN_DOUBT, found=UNREADABLE, **LOOKED_FOR_LONG),
        ends(Verdict.DELETING, "Deleting"),
    ),
    case(
        "in doubt, the holder is listed but not shown by its id: the finalizer stays while it may be ours",
        a_state(GOING_IN_DOUBT, found=HIDDEN, **LOOKED_FOR_LONG),
        ends(Verdict.DELETING, "Deleting"),
    ),
    case(
        "in doubt, and the spec cannot be read: what was submitted cannot be told",
        a_state(a_workload(spec_error="too deep", **DELETES)),
        ends(Verdict.DELETING, "Deleting"),
    ),
    case(
        "what is to become of the workload is said in an unknown word: nothing is deleted until that is corrected",
        a_state(
            a_workload(spec_error="Later?", may_be_to_stay=True, status=submitted_status(), **DELETES),
            remote=a_remote(),
        ),
        ends(Verdict.DELETING, "Deleting"),
    ),
    case(
        "the same where nothing was ever submitted: the object goes",
        a_state(a_workload(spec_error="Later?", may_be_to_stay=True, status={"submission": "NotSubmitted"}, **DELETES)),
        REMOVE_FINALIZER,
    ),
    case(
        "an adoption in doubt of what is gone: it may have been replaced",
        a_state(GOING_ADOPTING, remote=Missing()),
        FindRemote("train", None),
    ),
    case(
        "an adoption in doubt of what was replaced by a workload of ours",
        a_state(GOING_ADOPTING, remote=Missing(), found=found(id="2")),
        Adopt(a_remote(id="2"), a_row(), finished=False),
    ),
    case(
        "an adoption in doubt of what is gone and was not replaced, as far as lists show by now",
        a_state(GOING_ADOPTING, remote=Missing(), found=()),
        ends(Verdict.DELETING, "Deleting"),
    ),
    case(
        "an adoption in doubt of what is gone and was not replaced, for long enough",
        a_state(GOING_ADOPTING, remote=Missing(), found=(), **LOOKED_FOR_LONG),
        REMOVE_FINALIZER,
    ),
    case(
        "an adoption in doubt is read by its id",
        a_state(GOING_ADOPTING),
        ReadRemote(WORKLOAD_ID),
    ),
    case(
        "an adoption in doubt, and our mark is on it: delete it",
        a_state(GOING_ADOPTING, remote=a_remote(), deletion_wait=0.0),
        Delete(WORKLOAD_ID),
    ),
    case(
        "an adoption in doubt, and no mark is on it: it was not carried out, so leave it alone",
        a_state(GOING_ADOPTING, remote=a_remote(mark=None), deletion_wait=0.0),
        REMOVE_FINALIZER,
    ),
    case(
        "what was only observed before its adoption, and no mark is on it: leave it alone",
        a_state(
            a_workload(workload_id=WORKLOAD_ID, status=submitted_status(submittedHash=None), **DELETES),
            remote=a_remote(mark=None),
        ),
        REMOVE_FINALIZER,
    ),
    case(
        "an adoption in doubt, and its mark cannot be read: wait for a person",
        a_state(GOING_ADOPTING, remote=a_remote(mark=None, mark_readable=False), deletion_wait=0.0),
        ends(Verdict.DELETING, "Deleting"),
    ),
    # Submitted.
    case("verify before the DELETE", a_state(GOING), ReadRemote(WORKLOAD_ID)),
    case("marked as ours: ask the rate limiter", a_state(GOING, remote=a_remote()), ReserveDeletion()),
    case(
        "marked as ours, rate-limited: wait",
        a_state(GOING, remote=a_remote(), deletion_wait=0.1),
        ends(Verdict.DELETING, "Deleting"),
    ),
    case(
        "marked as ours, the limiter lets it through: DELETE",
        a_state(GOING, remote=a_remote(), deletion_wait=0.0),
        Delete(WORKLOAD_ID),
    ),
    case(
        "rate-limited, but gone already: remove the finalizer",
        a_state(GOING, found=(), remote=Missing(), deletion_wait=30.0),
        REMOVE_FINALIZER,
    ),
    case(
        "the DELETE was sent: wait",
        a_state(GOING, remote=a_remote(), deletion_wait=0.0, done=frozenset({Delete})),
        ends(Verdict.DELETING, "Deleting"),
    ),
    case(
        "Run:ai is at it: one DELETE is enough",
        a_state(GOING, remote=a_remote(desired_phase="Deleted", sync_status="Deleting")),
        ends(Verdict.DELETING, "Deleting"),
    ),
    case("404: has another taken its place?", a_state(GOING, remote=Missing()), FindRemote("train", "1")),
    case("404, and nothing has its name", a_state(GOING, remote=Missing(), found=()), REMOVE_FINALIZER),
    case(
        "404, and whether another took its place is not known",
        a_state(GOING, remote=Missing(), found=DOWN),
        ends(Verdict.DELETING, "RunaiUnavailable"),
    ),
    case(
        "404 after Run:ai took the deletion: nothing takes its place",
        a_state(GOING, remote=Missing(), memory=Memory(deletion_accepted=True)),
        REMOVE_FINALIZER,
    ),
    case(
        "404, and another workload of ours has taken its place",
        a_state(GOING, remote=Missing(), found=found(id="other")),
        Adopt(a_remote(id="other"), a_row(), finished=False),
    ),
    case(
        "404, and so for what had taken its place",
        a_state(GOING, remote=Missing(), found=found(id="other", sync_status="Deleted")),
        REMOVE_FINALIZER,
    ),
    case(
        "gone as lists say, though its id still answers: nothing takes its own place",
        a_state(GOING, remote=ON_ITS_WAY_AND_UNLISTED, found=found(desired_phase="Deleted", sync_status=None)),
        REMOVE_FINALIZER,
    ),
    case("404, though lists still show it", a_state(GOING, remote=Missing(), found=HIDDEN), REMOVE_FINALIZER),
    case(
        "404, and somebody else's has its name",
        a_state(GOING, remote=Missing(), found=found(id="other", mark=ELSEWHERE)),
        REMOVE_FINALIZER,
    ),
    case(
        "404, and the spec cannot be read: under which name is not known",
        a_state(replace(GOING, spec_error="too deep"), remote=Missing()),
        REMOVE_FINALIZER,
    ),
    case(
        "404, and the project is not visible either: the finalizer stays",
        a_state(GOING, remote=HIDDEN_PROJECT, **MISSING_FOR_LONG),
        ends(Verdict.DELETING, "NotVisible"),
    ),
    case(
        "out of sight for as long as a deletion waits: recorded first",
        a_state(GOING, remote=HIDDEN_PROJECT, wall=EPOCH + timedelta(days=2), **MISSING_FOR_LONG),
        RecordOrphan(replace(LEFT_BEHIND, why="NotVisible")),
    ),
    case(
        "out of sight since a moment ago, whatever the age of the deletion: it may come back",
        a_state(GOING, remote=HIDDEN_PROJECT, wall=EPOCH + timedelta(days=2), **MISSING_NOW),
        ends(Verdict.DELETING, "NotVisible"),
    ),
    case(
        "in doubt, and nothing is found, nor is the project: that proves nothing",
        a_state(GOING_IN_DOUBT, found=(), is_project_visible=False, **LOOKED_FOR_LONG),
        ends(Verdict.DELETING, "NotVisible"),
    ),
    case(
        "in doubt, and the project is out of sight for as long as a deletion waits: recorded first",
        a_state(GOING_IN_DOUBT, found=(), is_project_visible=False, wall=EPOCH + timedelta(days=2), **MISSING_FOR_LONG),
        RecordOrphan(replace(LEFT_BEHIND, project_id=None, in_doubt=True, workload_id=None, why="NotVisible")),
    ),
    case(
        "shown as deleted: remove the finalizer",
        a_state(GOING, found=(), remote=a_remote(sync_status="Deleted")),
        REMOVE_FINALIZER,
    ),
    # Whose is it?
    case(
        "the mark was removed: the id, name, project and kind on record will do",
        a_state(GOING, remote=a_remote(mark=None), deletion_wait=0.0),
        Delete(WORKLOAD_ID),
    ),
    case(
        "no mark and another project than recorded, and that is on record",
        a_state(GOING, remote=a_remote(mark=None, project_id="2"), orphan_recorded=True),
        REMOVE_FINALIZER,
    ),
    case(
        "no mark and another project than recorded, and the record is full",
        a_state(GOING, remote=a_remote(mark=None, project_id="2"), orphan_recorded=False),
        ends(Verdict.DELETING, "Deleting"),
    ),
    case(
        "no mark and another project than recorded",
        a_state(GOING, remote=a_remote(mark=None, project_id="2")),
        RecordOrphan(CHANGED),
    ),
    case(
        "no mark and another name than recorded",
        a_state(GOING, remote=a_remote(mark=None, name="eval")),
        RecordOrphan(CHANGED),
    ),
    case(
        "no mark and another kind than recorded",
        a_state(GOING, remote=a_remote(mark=None, gvk=replace(GVK, kind="CronJob"))),
        RecordOrphan(CHANGED),
    ),
    case("another's mark: leave it alone", a_state(GOING, remote=a_remote(mark=ELSEWHERE)), REMOVE_FINALIZER),
    case(
        "an earlier life's mark: a different mark never permits",
        a_state(GOING, remote=a_remote(mark=EARLIER_LIFE)),
        REMOVE_FINALIZER,
    ),
    # Run:ai cannot be used.
    case("Run:ai is down: hold", a_state(GOING, remote=DOWN), ends(Verdict.DELETING, "RunaiUnavailable")),
    case(
        "in doubt, and Run:ai is down: hold",
        a_state(GOING_IN_DOUBT, found=DOWN),
        ends(Verdict.DELETING, "RunaiUnavailable"),
    ),
    case("forbidden is not gone: hold", a_state(GOING, remote=FORBIDDEN), ends(Verdict.DELETING, "AccessDenied")),
    case(
        "the DELETE was refused as too early: hold",
        a_state(GOING, remote=a_remote(), failed=Busy("busy"), **WAITED_OUT),
        ends(Verdict.DELETING, "RunaiBusy"),
    ),
    case(
        "down for as long as a deletion waits: write down what stays",
        a_state(GOING, remote=DOWN, **WAITED_OUT),
        RecordOrphan(LEFT_BEHIND),
    ),
    case(
        "in doubt, and down for as long as a deletion waits: what may stay is written down, too",
        a_state(GOING_IN_DOUBT, found=DOWN, **WAITED_OUT),
        RecordOrphan(replace(LEFT_BEHIND, workload_id=None, project_id=None, in_doubt=True)),
    ),
    case(
        "an adoption in doubt, and down for as long as a deletion waits: the id that the spec names is written down",
        a_state(GOING_ADOPTING, remote=DOWN, **WAITED_OUT),
        RecordOrphan(replace(LEFT_BEHIND, project_id=None, in_doubt=True)),
    ),
    case(
        "the DELETE got no answer for as long as a deletion waits: write down what may stay",
        a_state(GOING, remote=a_remote(), failed=LOST_ANSWER, **WAITED_OUT),
        RecordOrphan(replace(LEFT_BEHIND, why="OutcomeUnknown")),
    ),
    case(
        "what stays is on record: remove the finalizer",
        a_state(GOING, remote=DOWN, **WAITED_OUT, orphan_recorded=True),
        REMOVE_FINALIZER,
    ),
    case(
        "the record is full: hold",
        a_state(GOING, remote=DOWN, **WAITED_OUT, orphan_recorded=False),
        ends(Verdict.DELETING, "Deleting"),
    ),
    case(
        "forbidden for as long as a deletion waits: hold all the same",
        a_state(GOING, remote=FORBIDDEN, **WAITED_OUT),
        ends(Verdict.DELETING, "AccessDenied"),
    ),
    # The finalizer was taken by somebody else.
    case(
        "our finalizer was taken: what may stay is written down",
        a_state(without_finalizer(GOING), memory=Memory(guarded=True)),
        RecordOrphan(replace(LEFT_BEHIND, why="FinalizerRemoved")),
    ),
    case(
        "our finalizer was taken, and what may stay is on record",
        a_state(without_finalizer(GOING), memory=Memory(guarded=True), orphan_recorded=True),
        ends(Verdict.IGNORED),
    ),
    case(
        "our finalizer was taken, and nothing was submitted",
        a_state(without_finalizer(GOING_UNSUBMITTED), memory=Memory(guarded=True)),
        ends(Verdict.IGNORED),
    ),
    case(
        "our finalizer was taken, and the workload was shown as deleted",
        a_state(
            a_workload(**(DELETES | {"finalizer": False}), status=submitted_status(syncStatus="Deleted")),
            memory=Memory(guarded=True),
        ),
        ends(Verdict.IGNORED),
    ),
    # More about what is in doubt.
    case(
        "in doubt, and the spec names the project by its id: look there",
        a_state(a_workload(project_id="3", **DELETES)),
        FindRemote("train", "3"),
    ),
    case(
        "in doubt, found first what is gone, and then ours",
        a_state(GOING_IN_DOUBT, found=(*found(sync_status="Deleted"), *found())),
        Adopt(a_remote(), a_row(), finished=False),
    ),
    case(
        "in doubt, found ours from another install id: hold",
        a_state(GOING_IN_DOUBT, found=found(mark=FORMER_INSTALL), **LOOKED_FOR_LONG),
        ends(Verdict.DELETING, "Deleting"),
    ),
    case(
        "in doubt, the holder cannot be read for as long as a deletion waits: recorded first",
        a_state(GOING_IN_DOUBT, found=UNREADABLE, wall=EPOCH + timedelta(days=2), **LOOKED_FOR_LONG),
        RecordOrphan(replace(LEFT_BEHIND, project_id=None, in_doubt=True, workload_id=None, why="HolderUnreadable")),
    ),
    case(
        "in doubt, the holder cannot be read, and this process looks only since now",
        a_state(GOING_IN_DOUBT, found=UNREADABLE, wall=EPOCH + timedelta(days=2)),
        ends(Verdict.DELETING, "Deleting"),
    ),
    case(
        "in doubt, its name is held by what nobody shows, for as long as a deletion waits: recorded first",
        a_state(
            a_workload(status={"submission": NAME_HELD}, **DELETES),
            found=(),
            wall=EPOCH + timedelta(days=2),
            **LOOKED_FOR_LONG,
        ),
        RecordOrphan(replace(LEFT_BEHIND, project_id=None, in_doubt=True, workload_id=None, why="NameTaken")),
    ),
    case(
        "in doubt, its name is held by what nobody shows, and this process looks only since now",
        a_state(a_workload(status={"submission": NAME_HELD}, **DELETES), found=(), wall=EPOCH + timedelta(days=2)),
        ends(Verdict.DELETING, "NameTaken"),
    ),
    case(
        "an adoption in doubt whose mark cannot be read, for as long as a deletion waits: recorded first",
        a_state(GOING_ADOPTING, remote=a_remote(mark=None, mark_readable=False), wall=EPOCH + timedelta(days=2)),
        RecordOrphan(replace(LEFT_BEHIND, project_id=None, in_doubt=True, why="HolderUnreadable")),
    ),
    case(
        "in doubt under a name with a hash, and Run:ai cannot be used: written down under that name",
        a_state(a_workload(name_prefix="job", project_id="3", **DELETES), found=DOWN, **WAITED_OUT),
        RecordOrphan(
            replace(LEFT_BEHIND, name=PREFIXED, workload_id=None, project_id="3", in_doubt=True),
        ),
    ),
    # More about whose it is.
    case(
        "the mark cannot be read: the id, name, project and kind on record will do",
        a_state(GOING, remote=a_remote(mark=None, mark_readable=False), deletion_wait=0.0),
        Delete(WORKLOAD_ID),
    ),
    case(
        "ours from another install id: hold",
        a_state(GOING, remote=a_remote(mark=FORMER_INSTALL), deletion_wait=0.0),
        ends(Verdict.DELETING, "Deleting"),
    ),
    case(
        "ours from another install id, and Run:ai is deleting it: wait",
        a_state(GOING, remote=a_remote(mark=FORMER_INSTALL, sync_status="Deleting")),
        ends(Verdict.DELETING, "Deleting"),
    ),
    case(
        "another's, and Run:ai is deleting it: that is not ours to wait for",
        a_state(GOING, remote=a_remote(mark=ELSEWHERE, sync_status="Deleting")),
        REMOVE_FINALIZER,
    ),
    case(
        "an earlier life's, which was taken over as finished: DELETE",
        a_state(GOING_DONE, remote=a_remote(mark=EARLIER_LIFE), deletion_wait=0.0),
        Delete(WORKLOAD_ID),
    ),
    case(
        "another object's, which may have been taken over as finished: is that object gone?",
        a_state(GOING_DONE, remote=a_remote(mark=NAMESAKE), deletion_wait=0.0),
        ReadOwner(ANOTHER),
    ),
    case(
        "another object's, which was taken over as finished: DELETE",
        a_state(GOING_DONE, remote=a_remote(mark=NAMESAKE), owner_exists=False, deletion_wait=0.0),
        Delete(WORKLOAD_ID),
    ),
    case(
        "another object's, which is still there",
        a_state(GOING_DONE, remote=a_remote(mark=NAMESAKE), owner_exists=True, deletion_wait=0.0),
        REMOVE_FINALIZER,
    ),
    case(
        "another object's, and whether it is there cannot be asked now",
        a_state(GOING_DONE, remote=a_remote(mark=NAMESAKE), owner_exists=DOWN, deletion_wait=0.0),
        ends(Verdict.DELETING, "RunaiUnavailable"),
    ),
    case(
        "another object's, and ours has not completed: nobody is asked",
        a_state(GOING, remote=a_remote(mark=NAMESAKE), deletion_wait=0.0),
        REMOVE_FINALIZER,
    ),
    # What is written down.
    case(
        "what stays is written down as status records it, not as the spec asks",
        a_state(
            a_workload(
                project_id="3",
                project_name="team-c",
                status=submitted_status(workloadName="older", projectName="team-d"),
                **DELETES,
            ),
            remote=DOWN,
            **WAITED_OUT,
        ),
        RecordOrphan(replace(LEFT_BEHIND, name="older", project_name="team-d")),
    ),
    case(
        "what stays and has no recorded name is written down by that of the object",
        a_state(
            a_workload(name_prefix="job", status=submitted_status(workloadName=None), **DELETES),
            remote=DOWN,
            **WAITED_OUT,
        ),
        RecordOrphan(LEFT_BEHIND),
    ),
    case(
        "an adoption that was refused, and Run:ai cannot be used: whether it is ours is not known",
        a_state(
            a_workload(workload_id=WORKLOAD_ID, status=submitted_status(submittedHash=None), **DELETES),
            remote=DOWN,
            **WAITED_OUT,
        ),
        RecordOrphan(replace(LEFT_BEHIND, in_doubt=True)),
    ),
    case(
        "an id is on record: whatever else status says, the workload is looked at",
        a_state(a_workload(status=submitted_status(submission=NOT_SUBMITTED), **DELETES)),
        ReadRemote(WORKLOAD_ID),
    ),
    case(
        "in doubt, the holder cannot be read for as long as a deletion waits, and the record is full: hold",
        a_state(
            GOING_IN_DOUBT,
            found=UNREADABLE,
            wall=EPOCH + timedelta(days=2),
            orphan_recorded=False,
            **LOOKED_FOR_LONG,
        ),
        ends(Verdict.DELETING, "Deleting"),
    ),
]


WATCHED = a_workload(workload_id=WORKLOAD_ID, **OBSERVES)
WATCHED_BEFORE = replace(WATCHED, status=submitted_status(submittedHash=None))
REPLACED_IN_DOUBT = replace(ADOPTING, spec=WATCHED.spec, status={"adoptedId": WORKLOAD_ID})

OBSERVE = [
    case("only read", a_state(WATCHED), ReadRemote(WORKLOAD_ID, with_row=True)),
    case("whosever it is", a_state(WATCHED, remote=a_remote(mark=ELSEWHERE)), ends(Verdict.IN_SYNC)),
    case(
        "no id to observe",
        a_state(a_workload(**OBSERVES)),
        ends(Verdict.REJECTED, "InvalidSpec", outstanding=True, not_submitted=True),
    ),
    case(
        "never was there: the id may be corrected",
        a_state(WATCHED, remote=Missing()),
        ends(Verdict.REJECTED, "WorkloadNotFound", outstanding=True, not_submitted=True),
    ),
    case(
        "out of sight: not called gone",
        a_state(WATCHED_BEFORE, remote=HIDDEN_PROJECT),
        ends(Verdict.RETRYING, "NotVisible"),
    ),
    case(
        "had finished when it was deleted",
        a_state(WATCHED_BEFORE, remote=Missing(), row=replace(DELETED_ROW, phase="Completed")),
        ends(Verdict.IN_SYNC),
    ),
    case(
        "had completed: not read any more",
        a_state(a_workload(workload_id=WORKLOAD_ID, status=completed_status(), **OBSERVES)),
        ends(Verdict.IN_SYNC),
    ),
    case(
        "was there and is gone",
        a_state(WATCHED_BEFORE, remote=Missing()),
        ends(Verdict.REJECTED, "DeletedExternally", outstanding=True),
    ),
    case(
        "was there and is shown as deleted",
        a_state(WATCHED_BEFORE, remote=a_remote(sync_status="Deleted")),
        ends(Verdict.REJECTED, "DeletedExternally", outstanding=True),
    ),
    case(
        "Run:ai is down before anything was seen",
        a_state(WATCHED, remote=DOWN),
        ends(Verdict.RETRYING, "RunaiUnavailable", outstanding=True),
    ),
    case(
        "Run:ai is down for what was seen before: nothing is outstanding",
        a_state(WATCHED_BEFORE, remote=DOWN),
        ends(Verdict.RETRYING, "RunaiUnavailable"),
    ),
    case(
        "managed until now: the finalizer goes",
        a_state(replace(LIVE, spec=WATCHED.spec)),
        REMOVE_FINALIZER,
    ),
    case(
        "what replaced an adopted workload is observed, not what is gone",
        a_state(
            a_workload(
                workload_id="22222222-2222-4222-8222-222222222222",
                status=submitted_status(adoptedId="22222222-2222-4222-8222-222222222222"),
                **OBSERVES,
            )
        ),
        ReadRemote(WORKLOAD_ID, with_row=True),
    ),
    case(
        "another one had completed",
        a_state(a_workload(workload_id=WORKLOAD_ID, status=completed_status(workloadId="2"), **OBSERVES)),
        ReadRemote(WORKLOAD_ID, with_row=True),
    ),
    case(
        "an id is on record, and the spec names none",
        a_state(a_workload(status=submitted_status(submittedHash=None), **OBSERVES)),
        ends(Verdict.REJECTED, "InvalidSpec", outstanding=True),
    ),
    case(
        "never was there, and is shown as deleted",
        a_state(WATCHED, remote=a_remote(sync_status="Deleted")),
        ends(Verdict.REJECTED, "WorkloadNotFound", outstanding=True, not_submitted=True),
    ),
    case(
        "had failed",
        a_state(
            replace(WATCHED, status=submitted_status(submittedHash=None, phase="Failed")),
            remote=Missing(),
        ),
        ends(Verdict.IN_SYNC),
    ),
    case(
        "is gone, and not listed as deleted yet",
        a_state(WATCHED_BEFORE, remote=Missing(), **MISSING_NOW),
        ends(Verdict.RETRYING, "NotVisible"),
    ),
    case(
        "in doubt what took the place of what was adopted: looked for first",
        a_state(REPLACED_IN_DOUBT),
        FindRemote("train", None),
    ),
    case(
        "in doubt, and it is found: it is ours, and is to be on record",
        a_state(REPLACED_IN_DOUBT, found=found()),
        Adopt(a_remote(), a_row(), finished=False, content=""),
    ),
    case(
        "in doubt, and it is found and says what it holds",
        a_state(REPLACED_IN_DOUBT, found=found(content=EDITED.content)),
        Adopt(a_remote(content=EDITED.content), a_row(), finished=False, content=EDITED.content),
    ),
    case(
        "found in doubt, beside what cannot be read, and on record: the finalizer goes",
        a_state(replace(LIVE, spec=WATCHED.spec), found=(*HIDDEN, *found())),
        REMOVE_FINALIZER,
    ),
    case(
        "found in doubt: its id is written before the finalizer goes",
        a_state(replace(LIVE, spec=WATCHED.spec), memory=Memory(pending_status={"workloadId": WORKLOAD_ID})),
        RecordId(),
    ),
    case(
        "in doubt, and nothing is found: not proven until lists have had the time to show it",
        a_state(REPLACED_IN_DOUBT, found=()),
        ends(Verdict.RETRYING, "OutcomeUnknown", outstanding=True),
    ),
    case(
        "in doubt, and what has the name cannot be read",
        a_state(REPLACED_IN_DOUBT, found=UNREADABLE, **LOOKED_FOR_LONG),
        ends(Verdict.RETRYING, "HolderUnreadable", outstanding=True),
    ),
    case(
        "in doubt, and Run:ai is down",
        a_state(REPLACED_IN_DOUBT, found=DOWN),
        ends(Verdict.RETRYING, "RunaiUnavailable", outstanding=True),
    ),
    case(
        "in doubt, and nothing was found for long enough: the finalizer goes",
        a_state(REPLACED_IN_DOUBT, found=(), **LOOKED_FOR_LONG),
        REMOVE_FINALIZER,
    ),
    case(
        "an adoption in doubt: what the spec names is read first",
        a_state(replace(ADOPTING, spec=WATCHED.spec)),
        ReadRemote(WORKLOAD_ID, with_row=True),
    ),
    case(
        "an adoption in doubt, and Run:ai is down: the finalizer stays",
        a_state(replace(ADOPTING, spec=WATCHED.spec), remote=DOWN),
        ends(Verdict.RETRYING, "RunaiUnavailable", outstanding=True),
    ),
    case(
        "an adoption in doubt, and it is there: the finalizer goes",
        a_state(replace(ADOPTING, spec=WATCHED.spec), remote=a_remote()),
        REMOVE_FINALIZER,
    ),
    case(
        "an adoption in doubt, and it is not there: what may have replaced it is looked for",
        a_state(replace(ADOPTING, spec=WATCHED.spec), remote=Missing()),
        FindRemote("train", None),
    ),
    case(
        "an adoption in doubt, and it is shown as deleted: what may have replaced it is looked for",
        a_state(replace(ADOPTING, spec=WATCHED.spec), remote=a_remote(sync_status="Deleted")),
        FindRemote("train", None),
    ),
    case(
        "what the spec names was adopted, and is gone: there is nothing to observe",
        a_state(a_workload(workload_id=WORKLOAD_ID, status={"adoptedId": WORKLOAD_ID}, **OBSERVES)),
        ends(Verdict.REJECTED, "InvalidSpec", outstanding=True, not_submitted=True),
    ),
]


NOT_OURS = {
    "something without a mark": ({"found": found(mark=None)}, "NameTaken"),
    "another object of this install": ({"found": found(mark=NAMESAKE)}, "NameTaken"),
    "another install": ({"found": found(mark=ELSEWHERE)}, "ManagedByOther"),
    "an earlier life's workload of another kind": (
        {"desired": OTHER_KIND, "found": found(mark=EARLIER_LIFE)},
        "NameTaken",
    ),
    "what another object has adopted": ({"found": found(mark=EARLIER_LIFE), "claimant": ANOTHER}, "ManagedByOther"),
    "an earlier life's finished work": ({"found": found(**LEFT_FINISHED), "claimant": REF}, "FinishedNotRerun"),
}
"""What holds the name of an object in doubt, and the reason that its status gives."""
SUBMIT += [
    case(
        f"in doubt {since}, {refused}, and {holder} has the name: {consequence}",
        a_state(IN_DOUBT, conflict=conflict, **{"desired": DESIRED, **holds}, memory=Memory(lookup_since=0.0), now=now),
        ends(Verdict.REJECTED, reason, outstanding=True, not_submitted=proven, in_doubt=not proven),
    )
    for holder, (holds, reason) in NOT_OURS.items()
    for conflict, refused in ((False, "not tried again"), (True, "refused"))
    for now, since, proven, consequence in (
        (59.0, "until a moment ago", False, "another process may be about to make one"),
        (60.0, "for long enough", True, "nobody has made one"),
    )
]


@pytest.mark.parametrize(("state", "expected"), SUBMIT)
def test_submit(state, expected):
    assert outcome(decide(state)) == expected


@pytest.mark.parametrize(("state", "expected"), MAINTAIN)
def test_maintain(state, expected):
    assert outcome(decide(state)) == expected


@pytest.mark.parametrize(("state", "expected"), FINALIZE)
def test_finalize(state, expected):
    action = decide(state)

    assert outcome(action) == expected
    if isinstance(action, RemoveFinalizer):
        assert action.why


@pytest.mark.parametrize(("state", "expected"), OBSERVE)
def test_observe(state, expected):
    assert outcome(decide(state)) == expected


EVERY_ROW = [*SUBMIT, *MAINTAIN, *FINALIZE, *OBSERVE]
NAMES = {"1": "team-a", "2": "team-b"}
EVERYTHING = Access((AccessRule(("*",), ("*",), adoption=True),))
NOTHING = Access((AccessRule(("elsewhere",), ("*",), adoption=True),))
NO_ADOPTION = Access((AccessRule(("*",), ("*",)),))


@pytest.mark.parametrize(("state", "expected"), EVERY_ROW)
def test_a_table_of_access_that_allows_everything_changes_nothing(state, expected):
    assert outcome(decide(replace(state, access=EVERYTHING, project_names=NAMES))) == expected


@pytest.mark.parametrize(("state", "expected"), EVERY_ROW)
def test_nothing_is_written_to_runai_for_whom_no_project_is_allowed(state, expected):
    action = decide(replace(state, access=NOTHING, project_names=NAMES))

    assert not isinstance(action, Create | Update | Delete | ReserveDeletion | BeginSubmission | MarkInDoubt)
    if isinstance(expected, Create | Update):
        assert outcome(action).reason == "ProjectNotAllowed"
    if isinstance(expected, Delete):
        assert outcome(action).verdict is not Verdict.IN_SYNC


def moved(reading):
    """The same workload, in another project than the object names."""
    return replace(reading, project_name="team-b") if isinstance(reading, Remote) else reading


@pytest.mark.parametrize(("state", "expected"), EVERY_ROW)
def test_what_is_in_another_project_is_not_written_to_though_the_object_names_one_that_is_allowed(state, expected):
    candidates = state.found if isinstance(state.found, tuple) else ()
    action = decide(
        replace(
            state,
            access=Access((AccessRule(("*",), ("team-a",), adoption=True),)),
            remote=moved(state.remote),
            found=tuple(replace(each, remote=moved(each.remote)) for each in candidates) or state.found,
        )
    )

    assert not isinstance(action, Update | Delete | ReserveDeletion)


@pytest.mark.parametrize(("state", "expected"), EVERY_ROW)
def test_nothing_is_written_to_runai_before_the_name_of_a_project_is_known(state, expected):
    nameless = replace(
        state,
        access=EVERYTHING,
        workload=replace(state.workload, spec=replace(state.workload.spec, project_name=None, project_id="1")),
    )

    assert not isinstance(decide(nameless), Create | Update | Delete | ReserveDeletion)
    for unknown in (None, DOWN):
        action = decide(replace(nameless, project_names=dict.fromkeys(NAMES, unknown)))
        assert not isinstance(action, Create | Update | Delete | ReserveDeletion)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        case(
            "a stranger's workload without a mark is not adopted",
            a_state(without_finalizer(ADOPTING), desired=DESIRED, remote=a_remote(mark=None, project_name="team-a")),
            ends(Verdict.REJECTED, "ProjectNotAllowed", outstanding=True, not_submitted=True),
        ),
        case(
            "nor one with the mark of an object in another namespace",
            a_state(
                without_finalizer(ADOPTING), desired=DESIRED, remote=a_remote(mark=NAMESAKE, project_name="team-a")
            ),
            ends(Verdict.REJECTED, "ProjectNotAllowed", outstanding=True, not_submitted=True),
        ),
        case(
            "one of an earlier object of the name is, since that made it",
            a_state(
                without_finalizer(ADOPTING),
                desired=DESIRED,
                remote=a_remote(mark=EARLIER_LIFE, project_name="team-a"),
                row=a_row(),
                claimant=ADOPTING.ref,
            ),
            AddFinalizer(),
        ),
        case(
            "its own is",
            a_state(without_finalizer(ADOPTING), desired=DESIRED, remote=a_remote(project_name="team-a")),
            AddFinalizer(),
        ),
    ],
)
def test_where_projects_are_allowed_but_no_adoption(state, expected):
    assert outcome(decide(replace(state, access=NO_ADOPTION))) == expected


def test_a_taken_name_names_the_object_that_holds_it():
    action = decide(a_state(IN_DOUBT, desired=DESIRED, conflict=True, found=found(mark=NAMESAKE)))

    assert isinstance(action, Result)
    assert isinstance(action.error, NameTaken)
    assert f"{NAMESAKE.namespace}/{NAMESAKE.name}" in action.error.message


@pytest.mark.parametrize("error", [DOWN, LOST_ANSWER, BAD])
def test_an_error_is_reported_as_it_came(error):
    action = decide(a_state(EDITED_LIVE, desired=EDITED, remote=a_remote(), failed=error))

    assert isinstance(action, Result)
    assert action.error is error


BY_ID = {"project_name": None, "project_id": "1"}
NAMED_BY_ID = a_workload(finalizer=False, **BY_ID)
NAMES_NONE = a_workload(finalizer=False, project_name=None)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        case("a project that is named by its id has a name to read", a_state(NAMED_BY_ID), ReadProject("1")),
        case(
            "its name cannot be read",
            a_state(NAMED_BY_ID, project_names={"1": DOWN}),
            ends(Verdict.RETRYING, "RunaiUnavailable", outstanding=True, not_submitted=True),
        ),
        case("paused: it is read all the same", a_state(paused(NAMED_BY_ID)), ReadProject("1")),
        case("no project is named: that is refused when one is needed", a_state(NAMES_NONE), Render()),
        case(
            "in doubt, what an attempt made is looked for in whatever project",
            a_state(IN_DOUBT, desired=DESIRED),
            FindRemote("train", "1"),
        ),
        case("in doubt, what would be sent is found out", a_state(IN_DOUBT), Render()),
        case(
            "in doubt, and what is refused for another reason is refused for the project first",
            a_state(IN_DOUBT, desired=BAD),
            ends(Verdict.REJECTED, "ProjectNotAllowed", outstanding=True, in_doubt=True),
        ),
        case(
            "in doubt, and who holds the name in the project is not said",
            a_state(IN_DOUBT, desired=DESIRED, found=found(mark=NAMESAKE)),
            ends(Verdict.REJECTED, "ProjectNotAllowed", outstanding=True, in_doubt=True),
        ),
        case(
            "to be replaced: not before the new one may be created",
            a_state(REPLACED, desired=OTHER_KIND, remote=a_remote(mark=ELSEWHERE)),
            ends(Verdict.REJECTED, "ProjectNotAllowed", outstanding=True),
        ),
        case(
            "only observed",
            a_state(WATCHED, remote=a_remote(project_name="team-a")),
            ends(Verdict.REJECTED, "ProjectNotAllowed", outstanding=True, not_submitted=True),
        ),
        case(
            "being deleted: hold",
            a_state(GOING, remote=a_remote(project_name="team-a"), deletion_wait=0.0),
            ends(Verdict.DELETING, "Deleting"),
        ),
    ],
)
def test_where_no_project_is_allowed(state, expected):
    assert outcome(decide(replace(state, access=NOTHING))) == expected


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        case("what is the project of the attempt in doubt called?", a_state(ATTEMPTED, found=()), ReadProject("1")),
        case(
            "it is called otherwise by now, and not allowed",
            a_state(ATTEMPTED, found=(), project_names={"1": "team-b"}),
            ends(Verdict.REJECTED, "ProjectNotAllowed", outstanding=True, in_doubt=True),
        ),
        case("it is allowed", a_state(ATTEMPTED, found=(), project_names={"1": "team-a"}), MarkInDoubt()),
        case(
            "to be replaced in another project: what that of the old one is called does not matter for the new one",
            a_state(REPLACED, desired=a_desired(project_id="2"), project_names={"1": "team-b"}),
            ReadRemote(WORKLOAD_ID),
        ),
        case(
            "to be replaced, and the old one is in a project that is not allowed",
            a_state(
                REPLACED, desired=OTHER_KIND, remote=a_remote(project_name="team-b"), project_names={"1": "team-a"}
            ),
            ends(Verdict.REJECTED, "ProjectNotAllowed", outstanding=True),
        ),
        case(
            "to be replaced under another name, which an earlier life's workload has: in which project is that?",
            a_state(
                REPLACED,
                desired=RENAMED,
                remote=a_remote(project_name="team-a"),
                found=found(row=a_row(id="other"), id="other", mark=EARLIER_LIFE, project_id="2"),
                project_names={"1": "team-a"},
            ),
            ReadProject("2"),
        ),
    ],
)
def test_where_one_project_is_allowed(state, expected):
    allowed = Access((AccessRule(("*",), ("team-a",), adoption=True),))
    desired = DESIRED if state.desired is None else state.desired

    assert outcome(decide(replace(state, access=allowed, desired=desired))) == expected


@pytest.mark.parametrize(("state", "expected"), [*MAINTAIN, *FINALIZE])
def test_who_may_not_adopt_goes_on_with_what_is_its_own(state, expected):
    if state.to_adopt is None:
        assert outcome(decide(replace(state, access=NO_ADOPTION, project_names=NAMES))) == expected


def message_of(state):
    action = decide(state)
    assert isinstance(action, Result)
    assert action.error is not None
    return action.error.message


@pytest.mark.parametrize(
    ("state", "named"),
    [
        case("what is not there to adopt", a_state(ADOPTING, desired=DESIRED, remote=Missing(), found=()), WORKLOAD_ID),
        case(
            "what holds the name is of another kind",
            a_state(IN_DOUBT, desired=OTHER_KIND, conflict=True, found=found(mark=EARLIER_LIFE)),
            "name train is taken in the project by a workload of another kind",
        ),
        case(
            "whose owner may not be looked up",
            a_state(ADOPTING, desired=DESIRED, remote=a_remote(mark=NAMESAKE), owner_exists=FORBIDDEN),
            "may not look",
        ),
        case(
            "the project on record that is not allowed",
            a_state(
                ATTEMPTED,
                desired=DESIRED,
                found=(),
                access=Access((AccessRule(("*",), ("team-a",)),)),
                project_names={"1": "team-b"},
            ),
            "may not use project team-a",
        ),
        case(
            "the project of an attempt that is hidden",
            a_state(ATTEMPTED, desired=DESIRED, found=(), is_project_visible=False),
            "project team-a",
        ),
        case(
            "what has the name of an adoption in doubt, and cannot be read",
            a_state(ADOPTING, desired=DESIRED, remote=Missing(), found=UNREADABLE),
            "a workload named train",
        ),
        case(
            "what has the name that was refused, and cannot be read",
            a_state(IN_DOUBT, desired=DESIRED, conflict=True, found=HIDDEN, **LOOKED_FOR_LONG),
            "a workload named train",
        ),
        case(
            "the project that is hidden, though nothing names it",
            a_state(a_workload(project_name=None, **DELETES), found=(), is_project_visible=False, **LOOKED_FOR_LONG),
            "project (unknown)",
        ),
        case(
            "the former install id of what is in doubt",
            a_state(GOING_IN_DOUBT, found=found(mark=FORMER_INSTALL)),
            "install id install-0, and the operator now has install-1",
        ),
        case("what is gone", a_state(LIVE, requests=READ, found=(), remote=Missing()), WORKLOAD_ID),
        case(
            "what is gone, and may be listed yet",
            a_state(LIVE, requests=READ, remote=Missing(), **MISSING_NOW),
            WORKLOAD_ID,
        ),
        case("what was never there to observe", a_state(WATCHED, remote=Missing()), WORKLOAD_ID),
        case("what was observed", a_state(WATCHED_BEFORE, remote=Missing()), WORKLOAD_ID),
        case(
            "what was observed, and was to be adopted, and is not listed yet",
            a_state(OBSERVED_BEFORE, remote=Missing(), **MISSING_NOW),
            WORKLOAD_ID,
        ),
        case(
            "what was observed, and had completed before it was to be adopted",
            a_state(
                a_workload(finalizer=False, workload_id=WORKLOAD_ID, status=completed_status(submittedHash=None)),
                remote=Missing(),
            ),
            WORKLOAD_ID,
        ),
        case(
            "what to do where it was observed",
            a_state(WATCHED_BEFORE, remote=Missing()),
            "create one that names another",
        ),
        case(
            "what to do where it is gone",
            a_state(LIVE, requests=READ, found=(), remote=Missing()),
            "set externalDeletionPolicy: Recreate to have it created again.",
        ),
        case(
            "what was observed, and may be listed yet",
            a_state(WATCHED_BEFORE, remote=Missing(), **MISSING_NOW),
            WORKLOAD_ID,
        ),
        case(
            "how what is gone has finished",
            a_state(EDITED_LIVE, desired=EDITED, remote=Missing(), row=replace(DELETED_ROW, phase="Completed")),
            "(Completed)",
        ),
        case(
            "how what is gone had finished before",
            a_state(EDITED_FAILED, desired=EDITED, remote=Missing(), row=replace(DELETED_ROW, phase=None)),
            "(Failed)",
        ),
        case("how it has finished", a_state(EDITED_DONE, desired=EDITED), "(Completed)"),
        case(
            "how it has finished, as the row shows",
            a_state(a_workload(generation=2, status=submitted_status(phase=None)), desired=EDITED, row=COMPLETED_ROW),
            "(Completed)",
        ),
        case(
            "the project that is hidden",
            a_state(GOING_IN_DOUBT, found=(), is_project_visible=False, **LOOKED_FOR_LONG),
            "project team-a",
        ),
        case(
            "the project that is hidden, by its id",
            a_state(a_workload(**(BY_ID | DELETES)), found=(), is_project_visible=False, **LOOKED_FOR_LONG),
            "project 1",
        ),
        case("a project that is not allowed", a_state(NEW, access=NOTHING), "project team-a"),
        case(
            "a project that is not allowed, by its id",
            a_state(NAMED_BY_ID, access=NOTHING, project_names=NAMES),
            "project with id 1",
        ),
        case(
            "what may not be adopted",
            a_state(ADOPTING, desired=DESIRED, remote=a_remote(mark=None, project_name="team-a"), access=NO_ADOPTION),
            f"may not adopt workload {WORKLOAD_ID}",
        ),
        case(
            "what may not be used",
            a_state(EDITED_LIVE, desired=EDITED, remote=a_remote(project_name="team-a"), access=NOTHING),
            f"may not use workload {WORKLOAD_ID}",
        ),
        case(
            "the former install id",
            a_state(GOING, remote=a_remote(mark=FORMER_INSTALL), deletion_wait=0.0),
            "install id install-0, and the operator now has install-1",
        ),
        case(
            "why it could not be read",
            a_state(LIVE, requests=RESTATE, memory=Memory(unread=Unread(0.0, "AccessDenied", "No role."))),
            "No role.",
        ),
    ],
)
def test_a_message_names(state, named):
    assert named in message_of(state)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        case("a deletion", a_state(GOING, remote=a_remote(), deletion_wait=12.0), "Deleting"),
        case(
            "a replacement", a_state(REPLACED, desired=OTHER_KIND, remote=a_remote(), deletion_wait=12.0), "Recreating"
        ),
    ],
)
def test_what_is_rate_limited_says_when_it_is_its_turn(state, reason):
    error = decide(state).error

    assert (error.after, error.condition_reason) == (12.0, reason)


def test_a_full_record_is_of_the_scope_of_what_is_waited_for():
    action = decide(a_state(GOING, remote=DOWN, **WAITED_OUT, orphan_recorded=False))

    assert action.error.scope is Scope.CONNECTION


def test_a_source_that_is_gone_is_reported_as_it_came():
    assert decide(a_state(LIVE, requests=CHECK_CONTENT, desired=NO_SOURCE)).error is NO_SOURCE


def test_whose_owner_is_there_is_not_said_to_be_unknown():
    assert "may not look" not in message_of(
        a_state(ADOPTING, desired=DESIRED, remote=a_remote(mark=NAMESAKE), owner_exists=True)
    )


@pytest.mark.parametrize(
    ("refused", "by_then", "desired"),
    [
        pytest.param(EDITED_DONE, EDITED_DONE, EDITED, id="edited, and finished"),
        pytest.param(EDITED_LIVE, EDITED_LIVE, OTHER_KIND, id="another kind, and running"),
        pytest.param(
            EDITED_LIVE, EDITED_DONE, OTHER_KIND, id="another kind, and finished by the time that somebody acts"
        ),
        pytest.param(EDITED_DONE, EDITED_DONE, OTHER_KIND, id="another kind, and finished"),
    ],
)
def test_whoever_sets_the_policies_that_a_refusal_names_is_not_refused_again(refused, by_then, desired):
    named = dict(re.findall(r"(\w+)Policy: (\w+)", message_of(a_state(refused, desired=desired))))
    policies = {
        "recreate_policy": RecreatePolicy(named.get("recreate", "Never")),
        "rerun_policy": RerunPolicy(named.get("rerun", "Never")),
    }
    followed = replace(by_then, spec=replace(by_then.spec, **policies))

    assert not isinstance(decide(a_state(followed, desired=desired)), Result)


# --- an adoption in doubt is claimed before anything else

BEGUN_TO_ADOPT = a_state(ADOPTING, claimant=None)
WITHIN_ACCESS = {"access": EVERYTHING, "project_names": NAMES}
CLAIMS = [
    case("before anything is read", BEGUN_TO_ADOPT, ClaimWorkload(WORKLOAD_ID)),
    case("also while paused", replace(BEGUN_TO_ADOPT, workload=paused(ADOPTING)), ClaimWorkload(WORKLOAD_ID)),
    case("also while it is deleted", replace(BEGUN_TO_ADOPT, workload=GOING_ADOPTING), ClaimWorkload(WORKLOAD_ID)),
    case(
        "not what nothing was sent to",
        replace(BEGUN_TO_ADOPT, workload=without_finalizer(ADOPTING), desired=DESIRED),
        ReadRemote(WORKLOAD_ID, with_row=True),
    ),
    case(
        "under a table of access only what may be adopted: it is read first",
        replace(BEGUN_TO_ADOPT, **WITHIN_ACCESS),
        ReadRemote(WORKLOAD_ID, with_row=True),
    ),
    case(
        "the same without its row, which a deletion does not need",
        replace(BEGUN_TO_ADOPT, workload=GOING_ADOPTING, **WITHIN_ACCESS),
        ReadRemote(WORKLOAD_ID),
    ),
    case(
        "what may be adopted",
        replace(BEGUN_TO_ADOPT, remote=a_remote(mark=None), **WITHIN_ACCESS),
        ClaimWorkload(WORKLOAD_ID),
    ),
    case(
        "what is of a project whose name is not known yet",
        replace(BEGUN_TO_ADOPT, remote=a_remote(mark=None, project_name=None), access=EVERYTHING),
        ReadProject("1"),
    ),
    case(
        "nothing is read without a connection",
        replace(BEGUN_TO_ADOPT, unusable=DOWN, **WITHIN_ACCESS),
        ends(Verdict.RETRYING, "RunaiUnavailable", outstanding=True),
    ),
    case(
        "what may not be adopted does not hold the deletion of what names it",
        replace(
            BEGUN_TO_ADOPT,
            workload=GOING_ADOPTING,
            remote=a_remote(mark=None),
            access=NO_ADOPTION,
            project_names=NAMES,
        ),
        REMOVE_FINALIZER,
    ),
]


@pytest.mark.parametrize(("state", "expected"), CLAIMS)
def test_an_adoption_in_doubt_is_claimed(state, expected):
    assert outcome(decide(state)) == expected


@pytest.mark.parametrize(
    "held",
    [
        pytest.param({"remote": a_remote(mark=None), "access": NO_ADOPTION}, id="what may not be adopted"),
        pytest.param({"remote": a_remote(mark=None), "access": NOTHING}, id="what is in a project of others"),
        pytest.param({"remote": Missing(), "access": EVERYTHING}, id="what is not there"),
        pytest.param({"remote": a_remote(sync_status="Deleted"), "access": EVERYTHING}, id="what is gone"),
        pytest.param({"remote": DOWN, "access": EVERYTHING}, id="what cannot be read"),
        pytest.param({"unusable": DOWN, "access": EVERYTHING}, id="without a connection"),
        pytest.param({"claimant": ANOTHER}, id="what another has claimed"),
    ],
)
def test_under_a_table_of_access_nothing_is_claimed_that_may_not_be_adopted(held):
    state = replace(BEGUN_TO_ADOPT, desired=DESIRED, project_names=NAMES, **held)

    assert decide(state) != ClaimWorkload(WORKLOAD_ID)


@pytest.mark.parametrize(
    ("holder", "said"),
    [(UNREADABLE, "whose owner Run:ai does not show"), (found(mark=None), "that this operator did not submit")],
)
def test_who_finds_a_name_taken_is_told_what_is_known_of_its_holder(holder, said):
    match decide(a_state(IN_DOUBT, **FIRST_ATTEMPT, conflict=True, found=holder)):
        case Result(error=NameTaken() as error):
            assert said in error.message
        case other:
            pytest.fail(f"{other}")
