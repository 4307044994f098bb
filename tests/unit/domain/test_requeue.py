"""When a pass that ended so is followed by the next, in seconds, for the least, the middle and the most jitter."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runai_operator.domain.actions import Result, Verdict
from runai_operator.domain.errors import (
    AccessDenied,
    Busy,
    CircuitOpen,
    Held,
    InvalidWorkload,
    KubernetesUnavailable,
    NameTaken,
    NotVisible,
    OutcomeUnknown,
    Scope,
    StaleObject,
    Throttled,
    TooLarge,
    Unavailable,
    UnexpectedReply,
)
from runai_operator.domain.memory import Memory, Unread
from runai_operator.domain.reasons import Reason
from runai_operator.domain.requeue import (
    BACKOFF_CEILING,
    Limits,
    around,
    backoff,
    breaker_pause,
    faster,
    give_up_after,
    goes_on,
    is_paced,
    next_count_read,
    next_failed_sync_read,
    next_first_status,
    next_poll,
    next_row_read,
    next_sync_read,
    reconnect_after,
    regularly,
    repeat_call_after,
    requeue_after,
    retry_page_after,
    retry_start_after,
    slower,
    spread,
    until_ends_count,
    until_restated,
)

JITTERS = (0.0, 0.5, 1.0)
NOT_AT_ALL = (None, None, None)
FAILED_SYNC_READS = [15, 30, 60, 120, 1800, 1800, 1800]
DOWN = Unavailable("down")
BAD = InvalidWorkload("bad")
NO_PROJECT = InvalidWorkload("bad", reason="ProjectNotFound")
TWO_PROJECTS = InvalidWorkload("bad", reason="ProjectAmbiguous")


def case(claim, end, failures, expected):
    return pytest.param(end, failures, expected, id=claim)


REQUEUED = [
    # An event or a poll brings the next pass.
    case("in sync", Result(Verdict.IN_SYNC), 0, NOT_AT_ALL),
    case(
        "in sync, though an edit waits for Run:ai's deletion", Result(Verdict.IN_SYNC, outstanding=True), 9, NOT_AT_ALL
    ),
    case("delivered", Result(Verdict.DELIVERED), 0, NOT_AT_ALL),
    case("paused", Result(Verdict.PAUSED, outstanding=True), 0, NOT_AT_ALL),
    case("found valid by a dry run", Result(Verdict.VALID), 0, NOT_AT_ALL),
    case("found valid, and not asked again", Result(Verdict.VALID, Unavailable("x")), 4, [1, 8, 16]),
    case("found valid, and dry runs are to be proven anew", Result(Verdict.VALID, Held("x")), 4, [225, 300, 375]),
    case("ignored", Result(Verdict.IGNORED), 0, NOT_AT_ALL),
    case("released", Result(Verdict.RELEASED), 0, NOT_AT_ALL),
    case("gone", Result(Verdict.GONE), 0, NOT_AT_ALL),
    case("passed on", Result(Verdict.PASSED_ON), 0, NOT_AT_ALL),
    # Rejected: a slow probe, around an interval that no number of failures changes.
    case("rejected", Result(Verdict.REJECTED, BAD), 0, (1350, 1800, 2250)),
    case("rejected for the tenth time", Result(Verdict.REJECTED, BAD), 10, (1350, 1800, 2250)),
    case("the name is taken", Result(Verdict.REJECTED, NameTaken("taken")), 0, (1350, 1800, 2250)),
    case("the project is not there", Result(Verdict.REJECTED, NO_PROJECT), 0, (225, 300, 375)),
    case("the project is ambiguous", Result(Verdict.REJECTED, TWO_PROJECTS), 0, (225, 300, 375)),
    case("rejected, an attempt in doubt", Result(Verdict.REJECTED, BAD, in_doubt=True), 0, (22.5, 30, 37.5)),
    case(
        "the project is not there, an attempt in doubt",
        Result(Verdict.REJECTED, NO_PROJECT, in_doubt=True),
        0,
        (22.5, 30, 37.5),
    ),
    # Retrying: full jitter over a doubling ceiling, never less than a second.
    case("down, at once", Result(Verdict.RETRYING, DOWN), 0, (1, 1, 1)),
    case("down, once", Result(Verdict.RETRYING, DOWN), 1, (1, 1, 2)),
    case("down, three times", Result(Verdict.RETRYING, DOWN), 3, (1, 4, 8)),
    # What belongs to the connection: half a minute at most.
    case("down, just before the ceiling", Result(Verdict.RETRYING, DOWN), 4, (1, 8, 16)),
    case("down, at the ceiling", Result(Verdict.RETRYING, DOWN), 5, (1, 15, 30)),
    case("down, for weeks", Result(Verdict.RETRYING, DOWN), 10_000, (1, 15, 30)),
    case("not even sent", Result(Verdict.RETRYING, CircuitOpen("x", circuit="lists")), 9, (1, 15, 30)),
    case("the token is refused", Result(Verdict.RETRYING, AccessDenied("no", scope=Scope.CONNECTION)), 9, (1, 15, 30)),
    # What belongs to the object or its project: five minutes at most.
    case("forbidden, just before the ceiling", Result(Verdict.RETRYING, AccessDenied("no")), 8, (1, 128, 256)),
    case("forbidden", Result(Verdict.RETRYING, AccessDenied("no")), 9, (1, 150, 300)),
    case("forbidden, for weeks", Result(Verdict.RETRYING, AccessDenied("no")), 10_000, (1, 150, 300)),
    case(
        "the project is forbidden",
        Result(Verdict.RETRYING, CircuitOpen("x", circuit="create:1", scope=Scope.PROJECT)),
        9,
        (1, 150, 300),
    ),
    case("not visible", Result(Verdict.RETRYING, NotVisible("?")), 9, (1, 150, 300)),
    case("an unexpected reply", Result(Verdict.RETRYING, UnexpectedReply("?")), 9, (1, 150, 300)),
    case("outcome unknown, just before its ceiling", Result(Verdict.RETRYING, OutcomeUnknown("lost")), 4, (1, 8, 16)),
    case("outcome unknown, at its ceiling", Result(Verdict.RETRYING, OutcomeUnknown("lost")), 5, (1, 15, 30)),
    case("busy, at its ceiling", Result(Verdict.RETRYING, Busy("busy")), 5, (1, 15, 30)),
    case("busy for five minutes", Result(Verdict.RETRYING, Busy("busy")), 24, (1, 15, 30)),
    case("busy for longer", Result(Verdict.RETRYING, Busy("busy")), 25, (1, 150, 300)),
    case("throttled, with a hint", Result(Verdict.RETRYING, Throttled("wait", after=20)), 9, (20, 20.5, 21)),
    case("throttled, with a hint of nothing", Result(Verdict.RETRYING, Throttled("wait", after=0)), 9, (0, 0.5, 1)),
    case("throttled, without a hint", Result(Verdict.RETRYING, Throttled("wait")), 3, (1, 4, 8)),
    case("throttled for long, without a hint", Result(Verdict.RETRYING, Throttled("wait")), 9, (1, 15, 30)),
    # Waiting and deleting: soon, and later and later, at most five minutes apart.
    case("waiting, at once", Result(Verdict.WAITING, Busy("wait")), 0, (0.75, 0.875, 1)),
    case("waiting, twice", Result(Verdict.WAITING, Busy("wait")), 2, (1.6875, 1.96875, 2.25)),
    case("waiting, for the sixth time", Result(Verdict.WAITING, Busy("wait")), 6, (8.54, 9.97, 11.39)),
    case("waiting, at the ceiling", Result(Verdict.WAITING, Busy("wait")), 15, (225, 262.5, 300)),
    case("deleting, at the ceiling", Result(Verdict.DELETING, Busy("wait")), 10_000, (225, 262.5, 300)),
    case(
        "waiting to recreate, which we do ourselves",
        Result(Verdict.WAITING, Busy("wait", reason=Reason.WAITING_TO_RECREATE)),
        15,
        (22.5, 26.25, 30),
    ),
    case("deleting without a word", Result(Verdict.DELETING), 15, (225, 262.5, 300)),
    case("deleting, rate-limited", Result(Verdict.DELETING, Held("slow", after=42)), 9, (42, 42.5, 43)),
    case("deleting, at a rate of zero", Result(Verdict.DELETING, Held("no", after=math.inf)), 0, (math.inf,) * 3),
    case("recreating, rate-limited", Result(Verdict.WAITING, Held("slow", after=0.5)), 0, (0.5, 1, 1.5)),
    case("deleting, held until a person acts", Result(Verdict.DELETING, Held("hold")), 9, (225, 300, 375)),
    case("deleting, down", Result(Verdict.DELETING, DOWN), 9, (1, 15, 30)),
    case("deleting, forbidden", Result(Verdict.DELETING, AccessDenied("no")), 9, (1, 150, 300)),
    case("deleting, outcome unknown", Result(Verdict.DELETING, OutcomeUnknown("lost")), 9, (1, 15, 30)),
    case("deleting, throttled", Result(Verdict.DELETING, Throttled("wait", after=20)), 9, (20, 20.5, 21)),
    # No status could be written.
    case("somebody wrote in between", Result(Verdict.CONFLICT, StaleObject("again")), 1, (0, 0.05, 0.1)),
    case("somebody wrote in between again", Result(Verdict.CONFLICT, StaleObject("again")), 3, (0, 0.8, 1.6)),
    case("somebody writes all the time", Result(Verdict.CONFLICT, StaleObject("again")), 9, (0, 15, 30)),
    case("somebody has written for minutes", Result(Verdict.CONFLICT, StaleObject("again")), 24, (0, 15, 30)),
    case("somebody writes for hours", Result(Verdict.CONFLICT, StaleObject("again")), 25, (0, 150, 300)),
    case("to be read apart", Result(Verdict.TOO_LARGE, TooLarge("large")), 9, (0, 0.05, 0.1)),
    case("Kubernetes hiccups", Result(Verdict.FAILED, KubernetesUnavailable("?")), 5, (1, 15, 30)),
    case("a bug", Result(Verdict.BUG), 9, (1, 150, 300)),
]


@pytest.mark.parametrize(("end", "failures", "expected"), REQUEUED)
def test_requeue_after(end, failures, expected):
    seconds = [requeue_after(end, failures, jitter) for jitter in JITTERS]

    if expected is NOT_AT_ALL:
        assert seconds == [None, None, None]
    else:
        assert seconds == pytest.approx(expected, abs=0.01)


def test_the_table_has_every_verdict():
    assert {row.values[0].verdict for row in REQUEUED} == set(Verdict)


@given(failures=st.integers(0, 10**9), jitter=st.floats(0, 1), ceiling=st.floats(1, 1e4))
def test_a_back_off_is_never_below_a_second_nor_above_its_ceiling(failures, jitter, ceiling):
    assert 1 <= backoff(failures, jitter, ceiling=ceiling) <= ceiling
    assert backoff(failures, jitter) <= BACKOFF_CEILING


@pytest.mark.parametrize(
    ("pause", "expected"),
    [
        pytest.param(lambda jitter: spread(8.0, jitter), (4, 6, 8), id="spread: from half of it to all of it"),
        pytest.param(lambda jitter: around(8.0, jitter), (6, 8, 10), id="around: a quarter more or less"),
        pytest.param(lambda jitter: reconnect_after(1, jitter), (0.5, 0.75, 1), id="the first reconnection"),
        pytest.param(lambda jitter: regularly(10, jitter), (9, 10, 11), id="a poll"),
        pytest.param(
            lambda jitter: breaker_pause(0, jitter, first=1, ceiling=30),
            (0.75, 0.875, 1),
            id="a circuit breaker's first pause",
        ),
        pytest.param(
            lambda jitter: breaker_pause(10**6, jitter, first=1, ceiling=30),
            (22.5, 26.25, 30),
            id="the pause of a circuit breaker that opens for ever",
        ),
        pytest.param(lambda jitter: next_poll(5, 0, jitter), (4.5, 5, 5.5), id="the next poll"),
        pytest.param(lambda jitter: next_poll(5, 3, jitter), (4.5, 6, 8), id="a poll after three failures"),
        pytest.param(lambda jitter: next_poll(5, 10_000, jitter), (15, 22.5, 30), id="a poll after hours of failure"),
        pytest.param(lambda jitter: next_poll(3600, 3, jitter), (3240, 3600, 3960), id="a poll each hour"),
        pytest.param(lambda jitter: retry_page_after(1, jitter), (5, 7.5, 10), id="a page again"),
        pytest.param(lambda jitter: retry_page_after(10_000, jitter), (30, 45, 60), id="a page that always fails"),
        pytest.param(lambda jitter: reconnect_after(5, jitter), (8, 12, 16), id="just before the ceiling"),
        pytest.param(lambda jitter: reconnect_after(6, jitter), (15, 22.5, 30), id="at the ceiling"),
        pytest.param(lambda jitter: reconnect_after(10_000, jitter), (15, 22.5, 30), id="after weeks"),
    ],
)
def test_how_jitter_spreads_a_pause(pause, expected):
    assert [pause(jitter) for jitter in JITTERS] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("reads", "seconds"),
    [(0, 1), (1, 1.5), (6, 11.39), (7, 15), (24, 15), (25, 30), (28, 240), (29, 300), (10_000, 300)],
)
def test_a_sync_in_flight_is_read_less_and_less_often(reads, seconds):
    assert next_sync_read(reads) == pytest.approx(seconds, abs=0.01)


@pytest.mark.parametrize(
    ("end", "failures", "expected"),
    [
        pytest.param(Result(Verdict.DELETING, Busy("wait")), 6, False, id="half a minute"),
        pytest.param(Result(Verdict.DELETING, Busy("wait")), 7, True, id="longer"),
        pytest.param(Result(Verdict.WAITING, Busy("wait")), 7, True, id="a recreation or a name"),
        pytest.param(Result(Verdict.DELETING), 7, True, id="without a word"),
        pytest.param(Result(Verdict.DELETING, DOWN), 7, False, id="Run:ai cannot be reached"),
        pytest.param(Result(Verdict.DELETING, Held("slow", after=42)), 7, False, id="it is held"),
        pytest.param(Result(Verdict.RETRYING, Busy("busy")), 7, False, id="an edit"),
        pytest.param(
            Result(Verdict.WAITING, Busy("wait", reason=Reason.WAITING_TO_RECREATE)), 7, False, id="a moment of ours"
        ),
    ],
)
def test_nobody_waits_any_more_for_what_goes_on_for_long(end, failures, expected):
    assert goes_on(end, failures) is expected


@pytest.mark.parametrize(
    ("memory", "expected"),
    [
        pytest.param(Memory(), None, id="nothing waits"),
        pytest.param(Memory(retrying_since=1000), 600, id="something waits to be sent"),
        pytest.param(Memory(retrying_since=500), 100, id="for long"),
        pytest.param(Memory(retrying_since=400), None, id="it is shown already"),
        pytest.param(Memory(unread=Unread(980, "AccessDenied", "no")), 40, id="it could not be read"),
        pytest.param(Memory(unread=Unread(940, "AccessDenied", "no")), None, id="that is shown already"),
    ],
)
def test_when_status_has_to_say_more_of_what_waits(memory, expected):
    assert until_restated(memory, Limits(), now=1000) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (lambda: [next_row_read(reads) for reads in (0, 1, 2, 3, 7, 50)], [2, 15, 30, 60, 600, 600]),
        (lambda: [next_failed_sync_read(reads) for reads in (0, 1, 2, 3, 7, 8, 50)], FAILED_SYNC_READS),
        (lambda: [next_count_read(reads) for reads in range(6)], [2, 8, 32, 128, None, None]),
        (lambda: [next_first_status(waited) for waited in (0, 1.5, 10, 1e9)], [1.5, 1.5, 10, 300]),
        (lambda: [give_up_after(seconds, 0.0) for seconds in (-5, 0.2, 1.5, 10)], [1, 1, 1.5, 10]),
        (lambda: [give_up_after(10, jitter) for jitter in (0.5, 1.0)], [40, 70]),
        (lambda: [retry_start_after(failures, 1.0) for failures in (1, 2, 3, 4, 9)], [1, 2, 4, 5, 5]),
        (lambda: [retry_start_after(1, jitter) for jitter in JITTERS], [0.5, 0.75, 1.0]),
        (lambda: [repeat_call_after(hint) for hint in (0.5, 10, 3600)], [0.5, 10, 10]),
        (lambda: [faster(rate, ceiling=64) for rate in (1, 2, 32, 40, 64)], [2, 4, 64, 64, 64]),
        (lambda: [next_poll(0.1, 0, jitter) for jitter in JITTERS], [0.09, 0.1, 0.11]),
    ],
    ids=[
        "rows of the pending",
        "a sync that failed",
        "rows after an edit",
        "first status",
        "giving up",
        "giving up, spread",
        "start",
        "start, spread",
        "hints of Kubernetes",
        "waking",
        "polls without failures",
    ],
)
def test_how_a_pause_grows(seconds, expected):
    found = seconds()  # not before: whoever tries changes of the code makes them after the tests were collected

    assert found == pytest.approx(expected) if None not in expected else found == expected


def test_when_an_end_counts_again():
    assert until_ends_count(Memory(), phase=None, now=10.0) is None
    assert until_ends_count(Memory(ends_count_at=20.0), phase=None, now=10.0) == 10.0
    assert until_ends_count(Memory(ends_count_at=20.0), phase=None, now=19.9) == 1.0
    assert until_ends_count(Memory(ends_count_at=11.5), phase=None, now=10.0) == 1.5
    assert until_ends_count(Memory(ends_count_at=20.0), phase="Running", now=10.0) is None, (
        "lists show it by themselves"
    )


def test_what_is_to_be_said_in_half_a_second_is_said_then():
    assert until_restated(Memory(retrying_since=0.0), Limits(stalled_after=10.0), now=9.5) == 0.5


def test_a_missing_right_or_what_a_policy_refuses_is_tried_less_often_than_a_short_failure():
    def longest(error):
        return requeue_after(Result(Verdict.FAILED, error), 20, 1.0)

    assert longest(AccessDenied("no")) == 300
    assert longest(InvalidWorkload("a policy says no")) == 300
    assert longest(KubernetesUnavailable("down")) == 30


def test_no_reason_is_needed_to_try_again():
    assert requeue_after(Result(Verdict.RETRYING), 20, 1.0) == 300
    assert requeue_after(Result(Verdict.REJECTED), 0, 0.5) == 1800


@pytest.mark.parametrize(
    ("verdict", "broken_off", "paced"),
    [
        (Verdict.FAILED, 1, True),
        (Verdict.BUG, 1, True),
        (Verdict.CONFLICT, 2, False),
        (Verdict.CONFLICT, 3, True),
        (Verdict.RETRYING, 9, False),
        (Verdict.TOO_LARGE, 9, False),
        (Verdict.DELETING, 9, False),
    ],
)
def test_what_fails_for_thousands_at_once_is_rate_limited_and_a_first_conflict_is_not(verdict, broken_off, paced):
    assert is_paced(Result(verdict, memory=Memory(failures=9, broken_off=broken_off))) is paced


def test_failures_halve_the_rate_of_retries_to_a_floor():
    assert slower(8.0, floor=1.0) == 4.0
    assert slower(1.5, floor=1.0) == 1.0
