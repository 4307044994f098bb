"""What the engine knows of each object: whose row it is, what was asked for, and indexes that forget nothing too late."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from builders import WORKLOAD_ID, a_row
from runai_operator.domain.actions import Result, Verdict
from runai_operator.domain.memory import Memory, Requests
from runai_operator.domain.model import DEFAULT_CONNECTION, FINALIZER, Meta, Ref, Sighting
from runai_operator.domain.plan import StatusSummary
from runai_operator.engine.inventory import Inventory

CREATED = "2026-01-01T00:00:00Z"
FAILED_AT, EDITED_AT, LATER = "2026-01-01T01:00:00Z", "2026-01-01T01:30:00Z", "2026-01-01T02:00:00Z"
OTHER_ID = "22222222-2222-4222-8222-222222222222"
LISTS_ID = "99999999-9999-4999-8999-999999999999"
"""An id that only the lists use."""
READ, CHECK_CONTENT = Requests(read=True), Requests(check_content=True)


def a_meta(uid="uid-1", name="train", *, generation=1, **changes):
    known = {"deleting": False, "finalizers": (FINALIZER,), "paused": False, "reconcile_token": None}
    return Meta(Ref("team-a", name, uid), "7", generation, **(known | changes))


def a_summary(**changes):
    """Of a workload that was submitted and runs."""
    known = {"workload_id": WORKLOAD_ID, "name": "train", "project_id": "1", "created_at": CREATED, "phase": "Running"}
    return StatusSummary(**(known | changes))


def a_result(verdict=Verdict.IN_SYNC, *, answered=True, **changes):
    return Result(verdict, answered=answered, **changes)


@pytest.fixture
def inventory():
    return Inventory(lambda: 0.0)


def assert_nothing_is_left(inventory):
    assert len(inventory) == 0
    assert [index for index in vars(inventory).values() if isinstance(index, dict) and index] == []


# --- whose row is it?


@pytest.mark.parametrize(
    ("row", "is_ours"),
    [
        pytest.param(a_row(), True, id="our id"),
        pytest.param(a_row(name="renamed", project_id="9"), True, id="our id, whatever else the row says"),
        pytest.param(a_row(id=LISTS_ID, created_at=CREATED), True, id="our name, created when ours was"),
        pytest.param(
            a_row(id=LISTS_ID, created_at="2026-01-01T00:00:00.9Z"), True, id="our name, told with more precision"
        ),
        pytest.param(
            a_row(id=LISTS_ID, created_at="2026-01-01T02:00:00+02:00"), True, id="our name, told in another time zone"
        ),
        pytest.param(a_row(id=LISTS_ID, created_at="2026-01-01T00:00:01Z"), False, id="our name, created later"),
        pytest.param(a_row(id=LISTS_ID, created_at="2025-12-31T23:59:59Z"), False, id="our name, created earlier"),
        pytest.param(a_row(id=LISTS_ID), False, id="our name, and nobody knows when it was created"),
        pytest.param(a_row(id=LISTS_ID, created_at=CREATED, project_id="2"), False, id="our name in another project"),
        pytest.param(a_row(id=LISTS_ID, created_at=CREATED, name="eval"), False, id="another name"),
    ],
)
def test_a_row_is_ours_by_id_or_by_name_and_time_of_creation(inventory, row, is_ours):
    entry = inventory.add(a_meta(), a_summary())

    assert inventory.of_row(DEFAULT_CONNECTION, row) == ([entry] if is_ours else [])


def test_a_name_is_not_enough_where_we_do_not_know_when_ours_was_created(inventory):
    inventory.add(a_meta(), a_summary(created_at=None))

    assert inventory.of_row(DEFAULT_CONNECTION, a_row(id=LISTS_ID, created_at=CREATED)) == []


def test_once_lists_have_shown_an_id_that_we_know_names_count_no_more(inventory):
    inventory.add(a_meta(), a_summary())
    inventory.add(a_meta("uid-2", "eval"), a_summary(workload_id=OTHER_ID, name="eval"))
    by_name = a_row(id=LISTS_ID, created_at=CREATED)
    assert inventory.of_row(DEFAULT_CONNECTION, by_name)

    inventory.of_row(DEFAULT_CONNECTION, a_row(id=OTHER_ID, name="eval"))

    assert inventory.of_row(DEFAULT_CONNECTION, by_name) == []


def test_what_was_never_submitted_has_no_rows(inventory):
    inventory.add(a_meta(), StatusSummary(name="train", project_id="1", created_at=CREATED))

    assert inventory.of_row(DEFAULT_CONNECTION, a_row(id=LISTS_ID, created_at=CREATED)) == []


def test_connections_are_kept_apart(inventory):
    """Two control planes may use the same id and the same names."""
    here = inventory.add(a_meta(), a_summary(connection="here"))
    there = inventory.add(a_meta("uid-2", "twin"), a_summary(connection="there"))
    by_name = a_row(id=LISTS_ID, created_at=CREATED)

    assert inventory.of_row("there", by_name) == [there]
    assert inventory.of_row("here", a_row()) == [here]
    assert inventory.of_row("there", by_name) == [there], "only the lists of `here` are known to use our ids"
    assert inventory.of_row("here", by_name) == []
    assert inventory.of_row("there", a_row()) == [there]
    assert inventory.of_row("elsewhere", a_row()) == []


def test_a_workload_that_was_replaced_is_known_by_its_new_id_only(inventory):
    entry = inventory.add(a_meta(), a_summary())
    inventory.finish(entry.uid, a_result(summary=a_summary(workload_id=OTHER_ID)), Requests())

    assert inventory.of_row(DEFAULT_CONNECTION, a_row()) == []
    assert inventory.of_row(DEFAULT_CONNECTION, a_row(id=OTHER_ID))


def test_an_id_that_moved_to_another_object_is_not_forgotten_with_the_first(inventory):
    """A restore under another UID: the watch brings the new one before it brings the end of the old one."""
    inventory.add(a_meta("uid-1"), a_summary())
    later = inventory.add(a_meta("uid-2"), a_summary())
    inventory.forget("uid-1")

    assert inventory.of_row(DEFAULT_CONNECTION, a_row()) == [later]
    assert inventory.namesake(Ref("team-a", "train", "any")) == later


# --- is the row news?


@pytest.mark.parametrize(
    ("rows", "is_news"),
    [
        pytest.param([a_row(running_pods=1)], True, id="the first row, and it differs from the status"),
        pytest.param([a_row()], False, id="the first row, and the status says the same"),
        pytest.param([a_row(phase="Pending"), a_row(phase="Pending")], False, id="the same row once more"),
        pytest.param([a_row(), a_row(phase="Completed")], True, id="another phase"),
    ],
)
def test_a_row_is_news_if_it_says_something_else(inventory, rows, is_news):
    inventory.add(a_meta(), a_summary())
    seen = [inventory.see(DEFAULT_CONNECTION, row) for row in rows]

    assert bool(seen[-1]) is is_news
    assert inventory.get("uid-1").row == rows[-1], "kept in any case"


def test_rows_of_what_has_completed_are_ignored(inventory):
    inventory.add(a_meta(), a_summary(phase="Completed"))

    assert inventory.see(DEFAULT_CONNECTION, a_row(phase="Failed")) == []
    assert inventory.get("uid-1").row is None


def test_a_failure_from_before_the_last_edit_is_no_news_until_it_fails_again(inventory):
    entry = inventory.add(a_meta(), a_summary(phase="Failed"))
    failed = a_row(phase="Failed", phase_updated_at=FAILED_AT)
    inventory.see(DEFAULT_CONNECTION, failed)
    mended = a_result(memory=Memory(sent_at=EDITED_AT), summary=a_summary(phase=None))
    inventory.finish(entry.uid, mended, Requests())

    assert inventory.see(DEFAULT_CONNECTION, failed) == []

    again = replace(failed, phase_updated_at=LATER)
    assert inventory.see(DEFAULT_CONNECTION, again)
    assert inventory.get(entry.uid).sighting == Sighting(WORKLOAD_ID, again)


def test_the_row_of_a_workload_that_was_replaced_goes_with_it(inventory):
    entry = inventory.add(a_meta(), a_summary())
    inventory.see(DEFAULT_CONNECTION, a_row())
    entry = inventory.finish(entry.uid, a_result(summary=a_summary(workload_id=OTHER_ID)), Requests())

    assert entry.row is None


# --- requests


def test_requests_are_taken_at_the_start_of_a_pass(inventory):
    inventory.add(a_meta(), a_summary())
    inventory.request("uid-1", READ)
    entry = inventory.request("uid-1", CHECK_CONTENT)

    assert inventory.begin(entry) == READ | CHECK_CONTENT
    assert inventory.get("uid-1").requests == Requests()


@pytest.mark.parametrize(
    ("answered", "meanwhile", "left"),
    [
        pytest.param(True, Requests(), Requests(), id="done, and nobody asked again"),
        pytest.param(True, READ, READ, id="done, and somebody asked for the same meanwhile"),
        pytest.param(True, CHECK_CONTENT, CHECK_CONTENT, id="done, and somebody asked for something else meanwhile"),
        pytest.param(False, Requests(), READ, id="not done: given back"),
        pytest.param(False, CHECK_CONTENT, READ | CHECK_CONTENT, id="not done, and somebody asked for more meanwhile"),
    ],
)
def test_no_request_is_lost(inventory, answered, meanwhile, left):
    inventory.add(a_meta(), a_summary())
    taken = inventory.begin(inventory.request("uid-1", READ))
    inventory.request("uid-1", meanwhile)

    assert inventory.finish("uid-1", a_result(answered=answered), taken).requests == left


def test_requests_for_what_is_not_known_are_dropped(inventory):
    assert inventory.request("uid-1", READ) is None
    assert_nothing_is_left(inventory)


# --- what a pass leaves behind


def test_a_pass_leaves_memory_meta_and_summary_behind(inventory):
    inventory.add(a_meta())
    memory, meta, summary = Memory(failures=2), a_meta(finalizers=(FINALIZER, "other")), a_summary()
    entry = inventory.finish("uid-1", a_result(memory=memory, meta=meta, summary=summary), Requests())

    assert (entry.memory, entry.meta, entry.summary) == (memory, meta, summary)
    assert inventory.get("uid-1") is entry


def test_a_pass_that_did_not_read_keeps_meta_and_summary(inventory):
    before = inventory.add(a_meta(), a_summary())
    entry = inventory.finish("uid-1", a_result(Verdict.FAILED, answered=False), Requests())

    assert (entry.meta, entry.summary) == (before.meta, before.summary)


@pytest.mark.parametrize(
    ("noticed", "read", "kept"),
    [
        pytest.param(1, 2, 2, id="the pass has read an edit that no event told of"),
        pytest.param(2, 2, 2, id="both know the edit"),
        pytest.param(3, 2, 3, id="an event told of an edit after the pass had read"),
    ],
)
def test_the_newer_generation_is_kept(inventory, noticed, read, kept):
    entry = inventory.add(a_meta())
    inventory.update_meta(entry, a_meta(generation=noticed))
    entry = inventory.finish("uid-1", a_result(meta=a_meta(generation=read)), Requests())

    assert entry.meta.generation == kept


def test_what_was_forgotten_during_its_pass_stays_forgotten(inventory):
    entry = inventory.add(a_meta(), a_summary())
    taken = inventory.begin(entry)
    inventory.forget("uid-1")

    assert inventory.finish("uid-1", a_result(summary=a_summary(workload_id=OTHER_ID)), taken) is None
    assert_nothing_is_left(inventory)


# --- events


@pytest.mark.parametrize(
    ("generation", "anew", "failures", "large"),
    [
        pytest.param(1, False, 3, True, id="our own write comes back"),
        pytest.param(1, True, 0, True, id="a person touched it: failures count from zero"),
        pytest.param(2, True, 0, False, id="a person edited it: it may have become small"),
    ],
)
def test_what_an_event_makes_us_forget(inventory, generation, anew, failures, large):
    entry = inventory.add(a_meta())
    entry = inventory.finish("uid-1", a_result(memory=Memory(failures=3, broken_off=3, large=True)), Requests())
    entry = inventory.update_meta(entry, a_meta(generation=generation), anew=anew)

    assert (entry.memory.failures, entry.memory.broken_off, entry.memory.large) == (failures, failures, large)


def test_objects_are_counted_by_phase_and_ready(inventory):
    inventory.add(a_meta("uid-1", "a"), a_summary(ready="True"))
    inventory.add(a_meta("uid-2", "b"), a_summary(workload_id=OTHER_ID, ready="True"))
    inventory.add(a_meta("uid-3", "c"))

    assert inventory.counts() == {("Running", "True"): 2, ("", "Unknown"): 1}


# --- indexes, whatever happens

UIDS = ("uid-1", "uid-2", "uid-3")
SUMMARIES = st.builds(
    StatusSummary,
    connection=st.sampled_from(["here", "there"]),
    workload_id=st.sampled_from([None, WORKLOAD_ID, OTHER_ID]),
    name=st.sampled_from([None, "train", "eval"]),
    project_id=st.sampled_from([None, "1", "2"]),
    created_at=st.just(CREATED),
)
STEPS = st.one_of(
    st.tuples(st.just("add"), st.sampled_from(UIDS), SUMMARIES),
    st.tuples(st.just("list"), st.sampled_from(UIDS), SUMMARIES),
    st.tuples(st.just("finish"), st.sampled_from(UIDS), st.one_of(st.none(), SUMMARIES)),
    st.tuples(st.just("forget"), st.sampled_from(UIDS), st.none()),
)


def step(inventory, act, uid, summary):
    entry = inventory.get(uid)
    if act == "add" and entry is None:
        inventory.add(a_meta(uid, uid), summary)
    elif act == "list" and entry is not None:
        inventory.update_summary(entry, summary)
    elif act == "finish":
        inventory.finish(uid, a_result(summary=summary), Requests())
    elif act == "forget":
        inventory.forget(uid)


def rows_of(summary):
    """The row by id, and the row of lists that use other ids."""
    yield a_row(id=summary.workload_id)
    if summary.project_id and summary.name:
        yield a_row(id=LISTS_ID, name=summary.name, project_id=summary.project_id, created_at=CREATED)


@given(st.lists(STEPS, max_size=30))
def test_every_index_leads_to_an_entry_that_it_describes(steps):
    inventory = Inventory(lambda: 0.0)
    for each in steps:
        step(inventory, *each)
        for connection in ("here", "there"):
            for row in (a_row(), a_row(id=OTHER_ID)):
                for owner in inventory.of_row(connection, row):
                    assert inventory.get(owner.uid) is owner
                    assert (owner.summary.connection, owner.summary.workload_id) == (connection, row.id)


SHARED = StatusSummary(connection="here", workload_id=WORKLOAD_ID, name="train", project_id="1", created_at=CREATED)


@given(st.lists(STEPS, max_size=30))
@example([("add", "uid-1", SHARED), ("add", "uid-2", SHARED), ("forget", "uid-2", None)])
def test_a_workload_is_found_by_everybody_who_shows_it(steps):
    for by_id in (True, False):
        inventory = Inventory(lambda: 0.0)  # anew, since a match by id ends those by name
        for each in steps:
            step(inventory, *each)
        for entry in list(inventory):
            if entry.summary.workload_id is None:
                continue
            rows = list(rows_of(entry.summary))
            for row in rows[:1] if by_id else rows[1:]:
                assert entry in inventory.of_row(entry.summary.connection, row)
