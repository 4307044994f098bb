"""The rules, one claim a row: in this situation, this is what the pass does next."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from builders import (
    GVK,
    MARK,
    WORKLOAD_ID,
    a_condition,
    a_desired,
    a_remote,
    a_row,
    a_state,
    a_workload,
    completed,
    recorded,
)
from runai_operator.domain.actions import (
    AddFinalizer,
    Adopt,
    BeginSubmission,
    Create,
    Delete,
    FindRemote,
    ForgetWorkload,
    MarkInDoubt,
    ReadCRD,
    ReadRemote,
    RecordOrphan,
    RemoveFinalizer,
    Render,
    Result,
    Update,
    Verdict,
)
from runai_operator.domain.decide import decide
from runai_operator.domain.errors import AccessDenied, Busy, InvalidWorkload, OutcomeUnknown, Unavailable
from runai_operator.domain.memory import Memory, Requests
from runai_operator.domain.model import (
    NOT_SUBMITTED,
    CRDState,
    DeletionPolicy,
    ExternalDeletionPolicy,
    ManagementPolicy,
    Orphan,
    OwnerMark,
    RecreatePolicy,
    RerunPolicy,
)
from runai_operator.domain.reasons import Reason
from runai_operator.domain.state import Candidate, Missing

WANTED = a_desired()
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
READ = Requests(read=True)
CHECK_CONTENT = Requests(check_content=True)
WAITED_OUT = {"trouble_for": 1e6, "wall": EPOCH + timedelta(days=2)}
LOOKED_FOR_LONG = {"memory": Memory(lookup_since=0.0), "now": 61.0}
RECREATED_JUST_NOW = {"memory": Memory(recreations=1, recreated_at=0.0), "now": 10.0}
RECREATED_OFTEN = {"memory": Memory(recreations=5, recreated_at=0.0), "now": 1000.0}
EDITED = a_desired("v1:bbbb")
OTHER_KIND = a_desired("v1:bbbb", gvk=replace(GVK, kind="CronJob"))
NEW = a_workload(finalizer=False)
IN_DOUBT = a_workload()
REFUSED = a_workload(finalizer=False, status={"submission": NOT_SUBMITTED})
LIVE = a_workload(status=recorded())
EDITED_LIVE = a_workload(generation=2, status=recorded())
DONE = a_workload(status=completed())
EDITED_DONE = a_workload(generation=2, status=completed())
RECREATED = a_workload(status=recorded(), external_deletion_policy=ExternalDeletionPolicy.RECREATE)
GOING = a_workload(deleting=True, generation=2, status=recorded(), deletion_requested=EPOCH)
GOING_IN_DOUBT = a_workload(deleting=True, deletion_requested=EPOCH)
DOWN = Unavailable("down")
ELSEWHERE = OwnerMark("install-2", "x", "y", "uid-9")
NAMESAKE = OwnerMark(MARK.install, "other", "train", "uid-5")
EARLIER_LIFE = replace(MARK, uid="uid-0")
NOT_SENT = [a_condition("Ready", "False", "RunaiUnavailable"), a_condition("Synced", "False", Reason.NOT_DELIVERED)]
LOST = [a_condition("Ready", "False", "DeletedExternally"), a_condition("Synced", "False", "DeletedExternally")]

LOST_AGAIN = [a_condition("Ready", "False", "WaitingToRecreate")]
STANDING = CRDState(deleting=False, confirmed=False)
FALLING = CRDState(deleting=True, confirmed=False)
FALLING_ON_PURPOSE = CRDState(deleting=True, confirmed=True)
LEFT = Orphan(MARK, "train", "1", "team-a", WORKLOAD_ID, "RunaiUnavailable")


def candidate(**changes):
    return (Candidate(a_row(), a_remote(**changes)),)


def case(claim, situation, expected):
    return pytest.param(situation, expected, id=claim)


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        case("a new object: find out first what would be sent", a_state(NEW), Render()),
        case("all is ready: the finalizer comes before the POST", a_state(NEW, desired=WANTED), AddFinalizer()),
        case(
            "claimed in this very pass: POST without looking for an earlier attempt",
            a_state(IN_DOUBT, desired=WANTED, done={AddFinalizer}),
            Create(WANTED.submission),
        ),
        case(
            "a finalizer without an id: an earlier attempt is looked for before anything is sent",
            a_state(IN_DOUBT, desired=WANTED),
            FindRemote("train", "1"),
        ),
        case(
            "nothing found: before the POST is repeated, whoever may hold a proof of the contrary is made to read again",
            a_state(IN_DOUBT, desired=WANTED, found=()),
            MarkInDoubt(),
        ),
        case(
            "nothing found: POST again, the unique name makes it safe",
            a_state(IN_DOUBT, desired=WANTED, found=(), done={MarkInDoubt}),
            Create(WANTED.submission),
        ),
        case(
            "found with our mark: take it",
            a_state(IN_DOUBT, desired=WANTED, found=candidate()),
            Adopt(a_remote(), a_row(), finished=False),
        ),
        case(
            "found with our mark and completed: take it as done",
            a_state(IN_DOUBT, desired=WANTED, found=(Candidate(a_row(phase="Completed"), a_remote()),)),
            Adopt(a_remote(), a_row(phase="Completed"), finished=True),
        ),
        case(
            "found, but it was deleted: its name is free again",
            a_state(IN_DOUBT, desired=WANTED, found=candidate(sync_status="Deleted"), done={MarkInDoubt}),
            Create(WANTED.submission),
        ),
        case(
            "409 on the first attempt: who holds the name?",
            a_state(IN_DOUBT, desired=WANTED, done={AddFinalizer}, conflict=True),
            FindRemote("train", "1"),
        ),
        case(
            "409, and the holder is an earlier life of this object: renew its mark",
            a_state(IN_DOUBT, desired=WANTED, done={AddFinalizer}, conflict=True, found=candidate(mark=EARLIER_LIFE)),
            Update(WORKLOAD_ID, WANTED.submission),
        ),
        case(
            "its mark is renewed: record the id",
            a_state(
                IN_DOUBT,
                desired=WANTED,
                done={AddFinalizer},
                conflict=True,
                found=candidate(mark=EARLIER_LIFE),
                delivered_now=True,
            ),
            Adopt(a_remote(mark=EARLIER_LIFE), a_row(), finished=False),
        ),
        case(
            "an earlier life's workload that has completed is taken without a PUT",
            a_state(
                IN_DOUBT,
                desired=WANTED,
                conflict=True,
                found=(Candidate(a_row(phase="Completed"), a_remote(mark=EARLIER_LIFE)),),
            ),
            Adopt(a_remote(mark=EARLIER_LIFE), a_row(phase="Completed"), finished=True),
        ),
        case(
            "after a refusal the way is opened under guard before anything is sent",
            a_state(REFUSED, desired=WANTED),
            BeginSubmission(),
        ),
        case(
            "adopting by id: read it, and whether it has finished",
            a_state(a_workload(finalizer=False, workload_id=WORKLOAD_ID), desired=WANTED),
            ReadRemote(WORKLOAD_ID, with_row=True),
        ),
        case(
            "adopting what nobody owns: the finalizer first",
            a_state(a_workload(finalizer=False, workload_id=WORKLOAD_ID), desired=WANTED, remote=a_remote(mark=None)),
            AddFinalizer(),
        ),
        case(
            "adopting what nobody owns: then our content and mark",
            a_state(a_workload(workload_id=WORKLOAD_ID), desired=WANTED, remote=a_remote(mark=None)),
            Update(WORKLOAD_ID, WANTED.submission),
        ),
        case("deleting, never seen by us: nothing to do", a_state(a_workload(deleting=True, finalizer=False)), None),
        case(
            "deleting, proven unsubmitted: let go without a call",
            a_state(a_workload(deleting=True, status={"submission": NOT_SUBMITTED})),
            RemoveFinalizer,
        ),
        case("deleting in doubt: look for what may exist", a_state(GOING_IN_DOUBT), FindRemote("train", None)),
        case(
            "deleting in doubt, nothing found, lists may lag: wait",
            a_state(GOING_IN_DOUBT, found=()),
            Verdict.DELETING,
        ),
        case(
            "deleting in doubt, nothing found for longer than lists lag: let go",
            a_state(GOING_IN_DOUBT, found=(), **LOOKED_FOR_LONG),
            RemoveFinalizer,
        ),
        case(
            "deleting in doubt, found ours: delete it",
            a_state(GOING_IN_DOUBT, found=candidate()),
            Delete(WORKLOAD_ID),
        ),
        case(
            "deleting in doubt, found another's: it is not touched",
            a_state(GOING_IN_DOUBT, found=candidate(mark=ELSEWHERE), **LOOKED_FOR_LONG),
            RemoveFinalizer,
        ),
        case(
            "deleting in doubt, the holder's mark cannot be read: never let go of what may be ours",
            a_state(GOING_IN_DOUBT, found=candidate(mark=None, mark_readable=False), **LOOKED_FOR_LONG),
            Verdict.DELETING,
        ),
        case("deleting: verify before the DELETE", a_state(GOING), ReadRemote(WORKLOAD_ID)),
        case("deleting, marked as ours: DELETE", a_state(GOING, remote=a_remote()), Delete(WORKLOAD_ID)),
        case("deleting, sent: wait", a_state(GOING, remote=a_remote(), done={Delete}), Verdict.DELETING),
        case(
            "deleting, Run:ai is at it: one DELETE is enough",
            a_state(GOING, remote=a_remote(desired_phase="Deleted", sync_status="Deleting")),
            Verdict.DELETING,
        ),
        case("deleting, 404: let go", a_state(GOING, remote=Missing()), RemoveFinalizer),
        case(
            "deleting, shown as deleted: let go",
            a_state(GOING, remote=a_remote(sync_status="Deleted")),
            RemoveFinalizer,
        ),
        case("deleting, Run:ai is down: hold", a_state(GOING, remote=DOWN), Verdict.DELETING),
        case(
            "deleting, Run:ai is down for as long as a deletion waits: write down what stays",
            a_state(GOING, remote=DOWN, **WAITED_OUT),
            RecordOrphan(LEFT),
        ),
        case(
            "deleting, what stays is on record: let go",
            a_state(GOING, remote=DOWN, **WAITED_OUT, orphan_recorded=True),
            RemoveFinalizer,
        ),
        case(
            "deleting, the record is full: hold",
            a_state(GOING, remote=DOWN, **WAITED_OUT, orphan_recorded=False),
            Verdict.DELETING,
        ),
        case(
            "deleting in doubt, Run:ai is down for as long as a deletion waits: what may stay is written down, too",
            a_state(GOING_IN_DOUBT, found=DOWN, **WAITED_OUT),
            RecordOrphan(replace(LEFT, workload_id=None, project_id=None)),
        ),
        case(
            "deleting, the DELETE got no answer for as long as a deletion waits: write down what may stay",
            a_state(GOING, remote=a_remote(), failed=OutcomeUnknown("lost"), **WAITED_OUT),
            RecordOrphan(replace(LEFT, why="OutcomeUnknown")),
        ),
        case(
            "deleting, forbidden for as long as a deletion waits: hold all the same",
            a_state(GOING, remote=AccessDenied("no"), **WAITED_OUT),
            Verdict.DELETING,
        ),
        case(
            "deleting: is it because the CustomResourceDefinition goes?",
            a_state(GOING, crd=None),
            ReadCRD(),
        ),
        case(
            "the CustomResourceDefinition goes: nothing is asked of Run:ai",
            a_state(GOING, crd=FALLING),
            Verdict.DELETING,
        ),
        case(
            "the CustomResourceDefinition goes, and somebody confirmed it: an ordinary deletion",
            a_state(GOING, crd=FALLING_ON_PURPOSE, remote=a_remote()),
            Delete(WORKLOAD_ID),
        ),
        case(
            "the CustomResourceDefinition goes: what was never submitted goes with it at once",
            a_state(a_workload(deleting=True, status={"submission": NOT_SUBMITTED}), crd=FALLING),
            RemoveFinalizer,
        ),
        case(
            "deleting, but it is not its turn: wait",
            a_state(GOING, remote=a_remote(), deletion_wait=30.0),
            Verdict.DELETING,
        ),
        case(
            "deleting, not its turn, but gone already: let go",
            a_state(GOING, remote=Missing(), deletion_wait=30.0),
            RemoveFinalizer,
        ),
        case(
            "deleted to be created anew, but it is not its turn: wait",
            a_state(
                a_workload(generation=2, status=recorded(), recreate_policy=RecreatePolicy.ON_IMMUTABLE_CHANGE),
                desired=OTHER_KIND,
                remote=a_remote(),
                deletion_wait=30.0,
            ),
            Verdict.WAITING,
        ),
        case("deleting, forbidden is not gone: hold", a_state(GOING, remote=AccessDenied("no")), Verdict.DELETING),
        case(
            "deleting, the mark was removed: the id, name, project and kind we recorded will do",
            a_state(GOING, remote=a_remote(mark=None)),
            Delete(WORKLOAD_ID),
        ),
        case(
            "deleting, no mark and another project than recorded: not ours",
            a_state(GOING, remote=a_remote(mark=None, project_id="2")),
            RemoveFinalizer,
        ),
        case(
            "deleting, another's mark: leave it alone", a_state(GOING, remote=a_remote(mark=ELSEWHERE)), RemoveFinalizer
        ),
        case(
            "deleting, an earlier life's mark: a different mark never permits",
            a_state(GOING, remote=a_remote(mark=EARLIER_LIFE)),
            RemoveFinalizer,
        ),
        case(
            "deleting with Orphan: let go without a call, even paused",
            a_state(a_workload(deleting=True, paused=True, status=recorded(), deletion_policy=DeletionPolicy.ORPHAN)),
            RemoveFinalizer,
        ),
        case("deleting while paused: wait", a_state(replace(GOING, paused=True)), Verdict.DELETING),
        case("nothing to do", a_state(LIVE), Verdict.IN_SYNC),
        case("nothing to do, somebody asked: look", a_state(LIVE, requests=READ), ReadRemote(WORKLOAD_ID)),
        case(
            "the finalizer was replaced away: put it back, send nothing",
            a_state(replace(LIVE, finalizers=())),
            AddFinalizer(),
        ),
        case("edited: what would be sent now?", a_state(EDITED_LIVE), Render()),
        case(
            "only a policy was edited: acknowledge without a call",
            a_state(EDITED_LIVE, desired=WANTED),
            Verdict.IN_SYNC,
        ),
        case(
            "content was edited: verify before the PUT",
            a_state(EDITED_LIVE, desired=EDITED),
            ReadRemote(WORKLOAD_ID),
        ),
        case(
            "content was edited and it is ours: PUT",
            a_state(EDITED_LIVE, desired=EDITED, remote=a_remote()),
            Update(WORKLOAD_ID, EDITED.submission),
        ),
        case(
            "two edits since the last look: the one between may have been sent, so PUT even if the last equals the first",
            a_state(replace(EDITED_LIVE, generation=3), desired=WANTED, remote=a_remote()),
            Update(WORKLOAD_ID, WANTED.submission),
        ),
        case(
            "the source changed: PUT",
            a_state(LIVE, requests=CHECK_CONTENT, desired=replace(EDITED, from_source=True), remote=a_remote()),
            Update(WORKLOAD_ID, EDITED.submission),
        ),
        case(
            "hashed by another version, not edited: no PUT for that alone",
            a_state(LIVE, requests=CHECK_CONTENT, desired=replace(WANTED, content="v9:cccc")),
            Verdict.IN_SYNC,
        ),
        case(
            "an edit that could not be sent is tried again although its generation was seen",
            a_state(a_workload(status=recorded(conditions=NOT_SENT))),
            Render(),
        ),
        case(
            "a failed workload takes an edit by PUT: that is how a typo is mended",
            a_state(a_workload(generation=2, status=recorded(phase="Failed")), desired=EDITED, remote=a_remote()),
            Update(WORKLOAD_ID, EDITED.submission),
        ),
        case(
            "another kind under OnImmutableChange: delete first",
            a_state(
                a_workload(generation=2, status=recorded(), recreate_policy=RecreatePolicy.ON_IMMUTABLE_CHANGE),
                desired=OTHER_KIND,
                remote=a_remote(),
            ),
            Delete(WORKLOAD_ID),
        ),
        case(
            "another kind under OnImmutableChange: while it goes, wait",
            a_state(
                a_workload(generation=2, status=recorded(), recreate_policy=RecreatePolicy.ON_IMMUTABLE_CHANGE),
                desired=OTHER_KIND,
                remote=a_remote(desired_phase="Deleted"),
            ),
            Verdict.WAITING,
        ),
        case(
            "another kind under OnImmutableChange: it is gone, forget it",
            a_state(
                a_workload(generation=2, status=recorded(), recreate_policy=RecreatePolicy.ON_IMMUTABLE_CHANGE),
                desired=OTHER_KIND,
                remote=Missing(),
            ),
            ForgetWorkload(),
        ),
        case("completed: no call ever again", a_state(DONE, requests=READ), Verdict.IN_SYNC),
        case(
            "completed, edited under OnSpecChange: delete first",
            a_state(
                replace(EDITED_DONE, spec=replace(DONE.spec, rerun_policy=RerunPolicy.ON_SPEC_CHANGE)),
                desired=EDITED,
                remote=a_remote(),
            ),
            Delete(WORKLOAD_ID),
        ),
        case(
            "completed, a changed source never makes it run again",
            a_state(
                replace(DONE, spec=replace(DONE.spec, rerun_policy=RerunPolicy.ON_SPEC_CHANGE)),
                requests=CHECK_CONTENT,
                desired=replace(EDITED, from_source=True),
            ),
            Verdict.IN_SYNC,
        ),
        case(
            "deleted outside under Recreate: forget it, then create",
            a_state(RECREATED, requests=READ, remote=Missing()),
            ForgetWorkload(lost=True),
        ),
        case(
            "deleted outside under Recreate a moment after it was created again: wait",
            a_state(RECREATED, requests=READ, remote=Missing(), **RECREATED_JUST_NOW),
            Verdict.WAITING,
        ),
        case(
            "while it waits to be created again: it may have come back, so look",
            a_state(replace(RECREATED, status=recorded(conditions=LOST_AGAIN))),
            ReadRemote(WORKLOAD_ID),
        ),
        case(
            "failed and purged: keeps its last status",
            a_state(a_workload(status=recorded(phase="Failed")), requests=READ, remote=Missing()),
            Verdict.IN_SYNC,
        ),
        case(
            "reported as deleted outside: only a fresh reading may say otherwise",
            a_state(a_workload(status=recorded(conditions=LOST))),
            ReadRemote(WORKLOAD_ID),
        ),
        case(
            "Run:ai is down, nothing outstanding",
            a_state(LIVE, requests=READ, remote=DOWN),
            Result(Verdict.RETRYING, DOWN),
        ),
        case(
            "Run:ai is down, an edit waits",
            a_state(EDITED_LIVE, desired=EDITED, remote=DOWN),
            Result(Verdict.RETRYING, DOWN, outstanding=True),
        ),
        case("paused, nothing outstanding", a_state(replace(LIVE, paused=True)), Result(Verdict.PAUSED)),
        case(
            "paused, an edit waits",
            a_state(replace(EDITED_LIVE, paused=True), desired=EDITED, remote=a_remote()),
            Result(Verdict.PAUSED, outstanding=True),
        ),
        case(
            "paused while Run:ai deletes it, an edit waits",
            a_state(replace(EDITED_LIVE, paused=True), desired=EDITED, remote=a_remote(sync_status="Deleting")),
            Result(Verdict.PAUSED, outstanding=True),
        ),
        case(
            "paused before it was ever submitted",
            a_state(replace(NEW, paused=True), desired=WANTED),
            Result(Verdict.PAUSED, outstanding=True),
        ),
        case(
            "observing: only read",
            a_state(a_workload(finalizer=False, workload_id=WORKLOAD_ID, management_policy=ManagementPolicy.OBSERVE)),
            ReadRemote(WORKLOAD_ID, with_row=True),
        ),
        case(
            "observing what is there",
            a_state(
                a_workload(finalizer=False, workload_id=WORKLOAD_ID, management_policy=ManagementPolicy.OBSERVE),
                remote=a_remote(mark=ELSEWHERE),
            ),
            Verdict.IN_SYNC,
        ),
    ],
)
def test_next_action(situation, expected):
    action = decide(situation)

    if expected is None:
        assert action == Result(Verdict.IGNORED)
    elif isinstance(expected, Verdict):
        assert isinstance(action, Result)
        assert action.verdict is expected
    elif isinstance(expected, type):
        assert isinstance(action, expected)
    else:
        assert action == expected


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        case(
            "what we refuse ourselves is proven unsubmitted",
            a_state(NEW, desired=InvalidWorkload("x")),
            ("InvalidSpec", True),
        ),
        case(
            "a body that cannot be read",
            a_state(a_workload(finalizer=False, spec_error="too deep")),
            ("InvalidSpec", True),
        ),
        case(
            "refused by Run:ai on the first attempt: nothing was created",
            a_state(IN_DOUBT, desired=WANTED, done={AddFinalizer}, failed=InvalidWorkload("bad")),
            ("InvalidSpec", True),
        ),
        case(
            "refused by Run:ai while an earlier attempt is in doubt: proves nothing",
            a_state(IN_DOUBT, desired=WANTED, found=(), failed=InvalidWorkload("bad")),
            ("InvalidSpec", False),
        ),
        case(
            "the name belongs to something without a mark",
            a_state(IN_DOUBT, desired=WANTED, conflict=True, found=candidate(mark=None)),
            ("NameTaken", True),
        ),
        case(
            "the name belongs to another object of this install",
            a_state(IN_DOUBT, desired=WANTED, conflict=True, found=candidate(mark=NAMESAKE)),
            ("NameTaken", True),
        ),
        case(
            "the name belongs to another install",
            a_state(IN_DOUBT, desired=WANTED, conflict=True, found=candidate(mark=ELSEWHERE)),
            ("ManagedByOther", True),
        ),
        case(
            "409, and nobody visible holds the name for longer than lists lag",
            a_state(IN_DOUBT, desired=WANTED, conflict=True, found=(), **LOOKED_FOR_LONG),
            ("NameTaken", True),
        ),
        case(
            "adopting what another install owns",
            a_state(a_workload(workload_id=WORKLOAD_ID), desired=WANTED, remote=a_remote(mark=ELSEWHERE)),
            ("ManagedByOther", False),
        ),
        case(
            "adopting what is not there",
            a_state(a_workload(finalizer=False, workload_id=WORKLOAD_ID), desired=WANTED, remote=Missing()),
            ("WorkloadNotFound", True),
        ),
        case(
            "observing what never was there: the id may be corrected",
            a_state(
                a_workload(finalizer=False, workload_id=WORKLOAD_ID, management_policy=ManagementPolicy.OBSERVE),
                remote=Missing(),
            ),
            ("WorkloadNotFound", True),
        ),
        case(
            "another kind under recreatePolicy Never",
            a_state(EDITED_LIVE, desired=OTHER_KIND),
            ("ImmutableFieldChanged", False),
        ),
        case(
            "completed and edited under rerunPolicy Never",
            a_state(EDITED_DONE, desired=EDITED),
            ("FinishedNotRerun", False),
        ),
        case("deleted outside", a_state(LIVE, requests=READ, remote=Missing()), ("DeletedExternally", False)),
        case(
            "deleted outside again and again",
            a_state(RECREATED, requests=READ, remote=Missing(), **RECREATED_OFTEN),
            ("RecreateGivenUp", False),
        ),
        case(
            "our workload carries another UID: yield",
            a_state(LIVE, requests=READ, remote=a_remote(mark=EARLIER_LIFE)),
            ("ManagedByOther", False),
        ),
    ],
)
def test_refusals_say_why_and_whether_nothing_exists(situation, expected):
    action = decide(situation)

    assert isinstance(action, Result)
    assert action.verdict is Verdict.REJECTED
    assert action.error is not None
    assert (action.error.condition_reason, action.not_submitted) == expected


@pytest.mark.parametrize("error", [OutcomeUnknown("lost"), Busy("busy")])
def test_an_attempt_whose_outcome_is_unknown_is_never_called_unsubmitted(error):
    action = decide(a_state(IN_DOUBT, desired=WANTED, done={AddFinalizer}, failed=error))

    assert action == Result(Verdict.RETRYING, error, outstanding=True, not_submitted=False)


def test_the_second_of_two_that_want_one_name_is_told_the_first():
    action = decide(a_state(IN_DOUBT, desired=WANTED, conflict=True, found=candidate(mark=NAMESAKE)))

    assert isinstance(action, Result)
    assert action.error is not None
    assert f"{NAMESAKE.namespace}/{NAMESAKE.name}" in action.error.message
