"""What `decide` asks of a state: waiting, counting and doubting, each a table with the moments just before, at and after."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from builders import (
    MARK,
    WORKLOAD_ID,
    a_condition,
    a_remote,
    a_row,
    a_state,
    a_workload,
    submitted_status,
)
from runai_operator.domain.actions import (
    AddFinalizer,
    BeginSubmission,
    MarkInDoubt,
    ReadRow,
    Result,
    Verdict,
)
from runai_operator.domain.errors import Busy, OutcomeUnknown, Unavailable
from runai_operator.domain.memory import Memory, Requests
from runai_operator.domain.model import NOT_SUBMITTED, Candidate, ManagementPolicy, OwnerMark, is_same_moment
from runai_operator.domain.reasons import Reason
from runai_operator.domain.requeue import RECREATION_PAUSE, Limits
from runai_operator.domain.state import LASTING, MAX_RECREATIONS, Recreation
from runai_operator.domain.stored_status import has_foreign_status

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
DOWN = Unavailable("down")
OURS = Candidate(a_row(), a_remote())
ANOTHERS = Candidate(a_row(), a_remote(mark=OwnerMark("install-2", "x", "y", "uid-9")))
EARLIER_LIFE = Candidate(a_row(), a_remote(mark=OwnerMark(MARK.install, MARK.namespace, MARK.name, "uid-0")))
HIDDEN = Candidate(a_row(), None)


def case(claim, *values):
    return pytest.param(*values, id=claim)


# --- absence


@pytest.mark.parametrize(
    ("found", "looked_for", "expected"),
    [
        case("nobody has looked", None, 1e6, False),
        case("the look-up failed", DOWN, 1e6, False),
        case("nothing found, and when the first look-up was is not known", (), None, False),
        case("nothing found at the first look-up", (), 0.0, False),
        case("nothing found until just before lists can be believed", (), 59.9, False),
        case("nothing found until lists can be believed", (), 60.0, True),
        case("nothing found for longer", (), 60.1, True),
        case("only another's workload", (ANOTHERS,), 60.0, True),
        case("only an earlier life's workload", (EARLIER_LIFE,), 60.0, True),
        case("only one that V2 does not show", (HIDDEN,), 60.0, True),
        case("ours", (OURS,), 1e6, False),
        case("ours among others", (ANOTHERS, HIDDEN, OURS), 1e6, False),
    ],
)
def test_absence_is_proven_by_look_ups_over_longer_than_lists_lag(found, looked_for, expected):
    since = None if looked_for is None else 1000.0
    memory = Memory(lookup_since=since)
    state = a_state(found=found, memory=memory, now=1000.0 + (looked_for or 0.0), limits=Limits(grace=60.0))

    assert state.absence_proven is expected


# --- an attempt in doubt

UNSUBMITTED = {"submission": NOT_SUBMITTED}
PROOF = {"found": (), "memory": Memory(lookup_since=0.0), "now": 60.0}


@pytest.mark.parametrize(
    ("workload", "seen", "expected"),
    [
        case("no finalizer: nothing was ever sent", a_workload(finalizer=False), {}, False),
        case("a finalizer, no id and no proof", a_workload(), {}, True),
        case("the id is on record", a_workload(status=submitted_status()), {}, False),
        case("proven unsubmitted", a_workload(status=UNSUBMITTED), {}, False),
        case("the finalizer was added in this pass", a_workload(), {"done": {AddFinalizer}}, False),
        case("the submission was begun in this pass", a_workload(), {"done": {BeginSubmission}}, False),
        case("it was only marked in this pass", a_workload(), {"done": {MarkInDoubt}}, True),
        case("nothing found, lists may lag", a_workload(), {**PROOF, "now": 59.9}, True),
        case("absence is proven", a_workload(), PROOF, False),
    ],
)
def test_an_attempt_is_in_doubt_until_something_proves_its_outcome(workload, seen, expected):
    assert a_state(workload, **seen).in_doubt is expected


# --- creating again what somebody deletes


def recreated(times, ago, **workload):
    return a_state(
        a_workload(**workload), memory=Memory(recreations=times, recreated_at=1e6), now=1e6 + ago, limits=Limits()
    )


GIVEN_UP = submitted_status(conditions=[a_condition("Ready", "False", Reason.RECREATE_GIVEN_UP)])
ASKED = {"token": "try again"}


def pauses():
    """Of each further time: just before, at and after the end of its pause."""
    for times in range(1, MAX_RECREATIONS):
        pause = RECREATION_PAUSE * 2 ** (times - 1)
        yield case(f"after {times}, just before {pause:g} s", recreated(times, pause - 0.1), Recreation.LATER)
        yield case(f"after {times}, at {pause:g} s", recreated(times, pause), Recreation.NOW)
        yield case(f"after {times}, past {pause:g} s", recreated(times, pause + 0.1), Recreation.NOW)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        case("the first time", a_state(), Recreation.NOW),
        *pauses(),
        case("as often as it may be", recreated(MAX_RECREATIONS, 600.0), Recreation.GIVEN_UP),
        case("too often, just before it counts as lasting", recreated(MAX_RECREATIONS, LASTING), Recreation.GIVEN_UP),
        case("too often, but the last one lasted", recreated(MAX_RECREATIONS, LASTING + 0.1), Recreation.NOW),
        case("too often, but a person asks", recreated(MAX_RECREATIONS, 0.0, **ASKED), Recreation.NOW),
        case("a moment ago, but a person asks", recreated(1, 0.0, **ASKED), Recreation.NOW),
        case("given up before a restart", a_state(a_workload(status=GIVEN_UP)), Recreation.GIVEN_UP),
        case("given up, but a person asks", a_state(a_workload(status=GIVEN_UP, **ASKED)), Recreation.NOW),
        case(
            "given up, and what the person asked was done",
            a_state(a_workload(status={**GIVEN_UP, "lastHandledReconcileAt": "try again"}, **ASKED)),
            Recreation.GIVEN_UP,
        ),
    ],
)
def test_recreation_waits_longer_each_time_and_then_gives_up(state, expected):
    assert state.recreation is expected


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        case("none", a_state(), 0),
        case("three, the last just now", recreated(3, 0.0), 3),
        case("three, just before the last counts as lasting", recreated(3, LASTING), 3),
        case("three, but the last one lasted", recreated(3, LASTING + 0.1), 0),
        case("three, but a person asks", recreated(3, 0.0, **ASKED), 0),
    ],
)
def test_recreations_are_counted_from_zero_once_one_lasted_or_a_person_asked(state, expected):
    assert state.recreations == expected


# --- giving up a deletion

PATIENCE = Limits(release_after=1000.0, stalled_after=600.0)
SHORT_PATIENCE = Limits(release_after=100.0, stalled_after=600.0)


@pytest.mark.parametrize(
    ("limits", "age", "trouble_for", "expected"),
    [
        case("old enough, in trouble for long", PATIENCE, 1000.0, 600.0, True),
        case("just before it is old enough", PATIENCE, 999.9, 600.0, False),
        case("just before the trouble counts as lasting", PATIENCE, 1000.0, 599.9, False),
        case("very old, no trouble", PATIENCE, 1e6, 0.0, False),
        case("young, in trouble for very long", PATIENCE, 1.0, 1e6, False),
        case("an impatient operator waits no longer for the trouble either", SHORT_PATIENCE, 100.0, 100.0, True),
        case("an impatient operator, just before", SHORT_PATIENCE, 100.0, 99.9, False),
        case("not being deleted", PATIENCE, None, 1e6, False),
    ],
)
def test_a_deletion_is_given_up_only_if_it_is_old_and_the_trouble_lasts(limits, age, trouble_for, expected):
    requested = None if age is None else EPOCH
    workload = a_workload(deleting=requested is not None, deletion_requested=requested)
    wall = EPOCH + timedelta(seconds=age or 0.0)

    assert a_state(workload, limits=limits, trouble_for=trouble_for, wall=wall).may_give_up is expected


# --- retried for too long

RETRYING = Result(Verdict.RETRYING, DOWN, outstanding=True)


@pytest.mark.parametrize(
    ("end", "since", "expected"),
    [
        case("for the first time", RETRYING, None, 100.0),
        case("once more", RETRYING, 40.0, 40.0),
        case("once more, since the start of the clock", RETRYING, 0.0, 0.0),
        case("nothing outstanding", Result(Verdict.RETRYING, DOWN), 40.0, None),
        case("waiting for Run:ai", Result(Verdict.WAITING, DOWN, outstanding=True), 40.0, 40.0),
        case("waiting for Run:ai, which deletes it", Result(Verdict.IN_SYNC, outstanding=True), 40.0, 40.0),
        case("waiting for a moment of our own choice", Result(Verdict.WAITING, DOWN), 40.0, None),
        case("in the end it was delivered", Result(Verdict.DELIVERED), 40.0, None),
        case("in the end it was rejected", Result(Verdict.REJECTED, DOWN, outstanding=True), 40.0, None),
    ],
)
def test_retrying_since_the_first_of_the_passes_in_a_row(end, since, expected):
    assert a_state(memory=Memory(retrying_since=since), now=100.0).retrying_since(end) == expected


STALLED_BY_IT = {"conditions": [a_condition("Stalled", "True", "RunaiUnavailable")]}


@pytest.mark.parametrize(
    ("end", "retried_for", "status", "expected"),
    [
        case("for the first time", RETRYING, None, {}, False),
        case("just before the limit", RETRYING, 599.9, {}, False),
        case("at the limit", RETRYING, 600.0, {}, True),
        case("past the limit", RETRYING, 600.1, {}, True),
        case("past the limit, nothing outstanding", Result(Verdict.RETRYING, DOWN), 1e6, {}, False),
        case("past the limit, only waiting", Result(Verdict.WAITING, Busy("x"), outstanding=True), 1e6, {}, True),
        case("past the limit, by our own choice", Result(Verdict.WAITING, Busy("x")), 1e6, {}, False),
        case("stalled by the same before a restart", RETRYING, None, STALLED_BY_IT, True),
        case(
            "stalled by something else before a restart",
            Result(Verdict.RETRYING, OutcomeUnknown("lost"), outstanding=True),
            None,
            STALLED_BY_IT,
            False,
        ),
        case("stalled by it, and then mended", Result(Verdict.IN_SYNC), None, STALLED_BY_IT, False),
    ],
)
def test_an_object_retried_for_too_long_has_stalled(end, retried_for, status, expected):
    since = None if retried_for is None else 50.0
    state = a_state(
        a_workload(status=status),
        memory=Memory(retrying_since=since),
        now=50.0 + (retried_for or 0.0),
        limits=Limits(stalled_after=600.0),
    )

    assert state.has_stalled(end) is expected


# --- what a row says

OTHER_ID = "22222222-2222-4222-8222-222222222222"

PENDING = a_row(phase="Pending")
ASKED = {"requests": Requests(row=True)}


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        case("nobody asked for it", {"row": PENDING}, False),
        case("asked for", {"row": PENDING, **ASKED}, True),
        case("asked for, and under which id is not known", {"row": None, **ASKED}, False),
        case("asked for, and read", {"row": PENDING, "done": {ReadRow}, **ASKED}, False),
        case("being deleted", {"row": PENDING, "workload": a_workload(deleting=True), **ASKED}, False),
    ],
)
def test_a_row_is_read_by_itself_once_when_asked_for(seen, expected):
    assert a_state(**seen).must_read_row is expected


FIRST = {"memory": Memory(first_submission=True)}


@pytest.mark.parametrize(
    ("row", "seen", "expected"),
    [
        *[
            case(phase, a_row(phase=phase), FIRST, True)
            for phase in ("Initializing", "Running", "Degraded", "Completed")
        ],
        *[
            case(phase, a_row(phase=phase), FIRST, False)
            for phase in ("Creating", "Pending", "Failed", "Stopped", "Deleting", "Unknown", "Invented", None)
        ],
        case("no row", None, FIRST, False),
        case("something was sent since, or an earlier process submitted it", a_row(), {}, False),
        case("lists use other ids", a_row(id=OTHER_ID), FIRST, False),
    ],
)
def test_pods_prove_that_the_first_submission_has_reached_the_cluster(row, seen, expected):
    assert a_state(a_workload(status=submitted_status()), row=row, **seen).row_proves_sync is expected


# --- adoption


@pytest.mark.parametrize(
    ("spec_id", "status", "to_adopt", "pending"),
    [
        case("no id in the spec", None, {}, None, False),
        case("no id in the spec, and one of our own making", None, {"workloadId": OTHER_ID}, None, False),
        case("not taken yet", WORKLOAD_ID, {}, WORKLOAD_ID, True),
        case("observed, or taken and not proven", WORKLOAD_ID, {"workloadId": WORKLOAD_ID}, WORKLOAD_ID, True),
        case(
            "carried out",
            WORKLOAD_ID,
            {"workloadId": WORKLOAD_ID, "adoptedId": WORKLOAD_ID},
            WORKLOAD_ID,
            False,
        ),
        case("carried out, then deleted to be replaced", WORKLOAD_ID, {"adoptedId": WORKLOAD_ID}, None, False),
        case(
            "carried out, then replaced by one of our own making",
            WORKLOAD_ID,
            {"workloadId": OTHER_ID, "adoptedId": WORKLOAD_ID},
            None,
            False,
        ),
        case(
            "another was adopted before",
            WORKLOAD_ID,
            {"workloadId": OTHER_ID, "adoptedId": OTHER_ID},
            WORKLOAD_ID,
            True,
        ),
    ],
)
def test_an_adoption_is_pending_until_carried_out_and_spent_once_replaced(spec_id, status, to_adopt, pending):
    state = a_state(a_workload(workload_id=spec_id, status=status))

    assert (state.to_adopt, state.adoption_pending) == (to_adopt, pending)


# --- what somebody asked for


@pytest.mark.parametrize(
    ("token", "handled", "requests", "asked", "read", "check_content"),
    [
        case("nobody asked", None, None, Requests(), False, False, False),
        case("a first token", "a", None, Requests(), True, True, True),
        case("a token that was handled", "a", "a", Requests(), False, False, False),
        case("a new token", "b", "a", Requests(), True, True, True),
        case("the token was removed", None, "a", Requests(), False, False, False),
        case("a reading was requested", None, None, Requests(read=True), False, True, False),
        case("the source changed", None, None, Requests(check_content=True), False, False, True),
    ],
)
def test_a_new_token_requests_everything_and_a_request_only_its_own_part(
    token, handled, requests, asked, read, check_content
):
    status = {"lastHandledReconcileAt": handled} if handled else {}
    state = a_state(a_workload(token=token, status=status), requests=requests)

    assert (state.asked, state.must_read, state.must_check_content) == (asked, read, check_content)


# --- whose status, which moment


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        case("nobody's yet", {}, False),
        case("written about this very object", {"ownerUid": MARK.uid}, False),
        case("written about an earlier life of it", {"ownerUid": "uid-0"}, True),
    ],
)
def test_a_status_is_foreign_if_it_was_written_about_another_uid(status, expected):
    assert has_foreign_status(a_workload(status=status)) is expected


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        case("the same", "2026-01-01T00:00:00Z", True),
        case("in another time zone", "2026-01-01T02:00:00+02:00", True),
        case("almost a second later", "2026-01-01T00:00:00.999Z", True),
        case("almost a second earlier", "2025-12-31T23:59:59.001Z", True),
        case("a second later", "2026-01-01T00:00:01Z", False),
        case("a second earlier", "2025-12-31T23:59:59Z", False),
        case("not known", None, False),
    ],
)
def test_two_times_are_the_same_moment_within_a_second(second, expected):
    first = "2026-01-01T00:00:00Z"

    assert (is_same_moment(first, second), is_same_moment(second, first)) == (expected, expected)


# --- whose it is


OBSERVED = submitted_status(submittedHash=None)


@pytest.mark.parametrize(
    ("workload", "expected"),
    [
        case("managed", a_workload(status=submitted_status()), True),
        case(
            "managed, and its spec cannot be read", a_workload(status=submitted_status(), spec_error="too deep"), True
        ),
        case(
            "observed",
            a_workload(
                finalizer=False,
                workload_id=WORKLOAD_ID,
                management_policy=ManagementPolicy.OBSERVE,
                status=OBSERVED,
            ),
            False,
        ),
        case("observed until now", a_workload(finalizer=False, status=OBSERVED), True),
        case(
            "observed, and its spec cannot be read",
            a_workload(finalizer=False, status=OBSERVED, spec_error="too deep"),
            False,
        ),
    ],
)
def test_what_carries_the_mark_of_another_is_lost_unless_it_is_only_observed(workload, expected):
    assert a_state(workload, remote=ANOTHERS.remote).is_lost is expected
