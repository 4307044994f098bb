"""What a process remembers of an object from pass to pass."""

from __future__ import annotations

import pytest

from builders import a_row
from runai_operator.domain.memory import Memory, Requests

MOMENT, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"
NONE, READ, CHECK, BOTH = Requests(), Requests(read=True), Requests(check_content=True), Requests(True, True)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param(NONE, NONE, NONE, id="nothing asked for"),
        pytest.param(NONE, READ, READ, id="a reading asked for"),
        pytest.param(READ, NONE, READ, id="a reading asked for before"),
        pytest.param(READ, CHECK, BOTH, id="both, one after the other"),
        pytest.param(CHECK, READ, BOTH, id="both, the other way round"),
        pytest.param(BOTH, NONE, BOTH, id="nothing is taken back"),
        pytest.param(Requests(restate=True), Requests(row=True), Requests(restate=True, row=True), id="the rest"),
        pytest.param(Requests(row=True), Requests(restate=True), Requests(restate=True, row=True), id="the rest again"),
        pytest.param(Requests(verdict=True), READ, Requests(read=True, verdict=True), id="a verdict, then a reading"),
        pytest.param(READ, Requests(verdict=True), Requests(read=True, verdict=True), id="a reading, then a verdict"),
    ],
)
def test_requests_add_up(first, second, expected):
    assert first | second == expected


@pytest.mark.parametrize(
    ("owed", "learnt", "expected"),
    [
        pytest.param({}, {"workloadId": "a"}, {"workloadId": "a"}, id="the first thing owed"),
        pytest.param({"workloadId": "a"}, {"phase": None}, {"workloadId": "a", "phase": None}, id="one more"),
        pytest.param({"workloadId": "a"}, {"workloadId": "b"}, {"workloadId": "b"}, id="the later word wins"),
        pytest.param({"phase": None}, {"phase": "Running"}, {"phase": "Running"}, id="a removal that is overtaken"),
        pytest.param({"phase": "Running"}, {"phase": None}, {"phase": None}, id="a removal that overtakes"),
    ],
)
def test_owed_status_fields_add_up_and_the_earlier_memory_is_unchanged(owed, learnt, expected):
    before = Memory(pending_status=dict(owed), failures=3)
    after = before.owing(learnt)

    assert (after.pending_status, after.failures) == (expected, 3)
    assert before.pending_status == owed


@pytest.mark.parametrize(
    ("sent_at", "row", "expected"),
    [
        pytest.param(None, a_row(phase="Failed", phase_updated_at=MOMENT), False, id="a failure, and no edit since"),
        pytest.param(None, a_row(phase="Failed"), False, id="a failure without a time, and no edit since"),
        pytest.param(LATER, a_row(phase="Failed", phase_updated_at=MOMENT), True, id="the failure that was mended"),
        pytest.param(LATER, a_row(phase="Completed", phase_updated_at=MOMENT), True, id="an end that came too early"),
        pytest.param(MOMENT, a_row(phase="Failed", phase_updated_at=LATER), False, id="it failed again"),
        pytest.param(MOMENT, a_row(phase="Completed", phase_updated_at=LATER), False, id="it completed since"),
        pytest.param(MOMENT, a_row(phase="Failed", phase_updated_at=MOMENT), False, id="at the same moment"),
        pytest.param(MOMENT, a_row(phase="Failed"), False, id="a failure without a time"),
        pytest.param(LATER, a_row(phase="Running", phase_updated_at=MOMENT), False, id="it has run since before"),
    ],
)
def test_a_row_is_stale_only_if_it_shows_an_end_from_before_an_edit(sent_at, row, expected):
    assert Memory(sent_at=sent_at).is_stale(row) is expected


def test_what_is_said_again_is_not_asked_of_runai():
    assert Requests(read=True, restate=True).without_restate() == READ


def test_an_end_counts_once_lists_had_the_time_to_show_what_came_of_an_edit():
    sent = Memory(failures=3).edited(MOMENT)
    assert (sent.sent_at, sent.failures) == (MOMENT, 3)
    assert sent.at(1e9) == sent, "the edit is on its way"

    synced = sent.synced(now=100.0, grace=60.0)
    assert synced.at(219.9) == synced
    assert synced.synced(now=200.0, grace=60.0) == synced, "the first time counts"
    assert synced.at(220.0) == Memory(failures=3)
    assert synced.edited(LATER).at(1e9).sent_at == LATER, "another edit"


def test_without_an_edit_every_end_counts():
    assert Memory(failures=3).synced(now=100.0, grace=60.0) == Memory(failures=3)


def test_a_new_object_is_neither_guarded_nor_large_and_nothing_is_requested_of_it():
    assert (Memory().guarded, Memory().large) == (False, False)
    assert (NONE.read, NONE.check_content, NONE.restate, NONE.row) == (False,) * 4


@pytest.mark.parametrize(
    ("created_at", "phase_updated_at", "known", "expected"),
    [
        pytest.param(MOMENT, LATER, 0.0, 0.0, id="the phase began later"),
        pytest.param(MOMENT, MOMENT, 0.0, 0.0, id="at the same moment"),
        pytest.param("2026-01-01T00:00:00.9Z", "2026-01-01T00:00:00Z", 0.0, 0.0, id="with less precision"),
        pytest.param("2026-01-01T00:01:01Z", "2026-01-01T00:00:00Z", 0.0, 60.0, id="before it was created"),
        pytest.param("2026-01-01T00:01:01Z", "2026-01-01T00:00:00Z", 90.0, 90.0, id="more had shown before"),
        pytest.param(None, MOMENT, 5.0, 5.0, id="when it was created is not known"),
        pytest.param(MOMENT, None, 5.0, 5.0, id="when the phase began is not known"),
    ],
)
def test_a_phase_that_began_before_the_creation_shows_another_clock(created_at, phase_updated_at, known, expected):
    row = a_row(created_at=created_at, phase_updated_at=phase_updated_at)
    assert Memory(clock_behind=known).listed(row).clock_behind == expected


EDITED_AT = "2026-01-01T00:01:00Z"


@pytest.mark.parametrize(
    ("behind", "row", "expected"),
    [
        pytest.param(0.0, None, EDITED_AT, id="one clock"),
        pytest.param(60.0, None, "2026-01-01T00:00:00+00:00", id="a clock that is behind"),
        pytest.param(0.0, a_row(phase_updated_at="2026-01-01T01:00:00Z"), EDITED_AT, id="it runs"),
        pytest.param(0.0, a_row(phase="Failed"), EDITED_AT, id="it had failed, and when is not known"),
        pytest.param(
            0.0,
            a_row(phase="Completed", phase_updated_at="2026-01-01T01:00:00Z"),
            "2026-01-01T01:00:01+00:00",
            id="it had completed before, by a clock that is ahead",
        ),
        pytest.param(
            0.0, a_row(phase="Failed", phase_updated_at="2026-01-01T00:00:01Z"), EDITED_AT, id="it had failed before"
        ),
        pytest.param(
            0.0,
            a_row(phase="Failed", phase_updated_at="2026-01-01T01:00:00Z"),
            "2026-01-01T01:00:01+00:00",
            id="it had failed before, by a clock that is ahead",
        ),
    ],
)
def test_an_edit_came_when_it_did_by_the_clock_that_stamps_ends(behind, row, expected):
    assert Memory(clock_behind=behind).moment_of_edit(EDITED_AT, row) == expected
    assert Memory(clock_behind=behind).moment_of_edit(None, row) is None


@pytest.mark.parametrize(
    ("before", "since"),
    [
        pytest.param(Memory(), 9.0, id="for the first time"),
        pytest.param(Memory(lookup_of="1/train", lookup_since=3.0), 3.0, id="for longer"),
        pytest.param(Memory(lookup_of="1/other", lookup_since=3.0), 9.0, id="after something else"),
        pytest.param(
            Memory(lookup_of="1/train"), 9.0, id="again, after what was seen before has come to prove nothing"
        ),
    ],
)
def test_how_long_something_was_looked_for(before, since):
    after = before.looked_for("1/train", now=9.0)
    assert (after.lookup_of, after.lookup_since) == ("1/train", since)
