"""The whole engine over lists that fail, lie, lag or do not end: status goes on, and calls stay few."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from fakes.bench import RUNS_ON, WORLD, Bench, UnevenBench
from runai_operator.domain.conditions import condition
from runai_operator.domain.errors import AccessDenied, PageTooLarge, UnexpectedReply
from runai_operator.domain.model import RowQuery

pytestmark = pytest.mark.looptime

IN_TIME = 7.0
"""A delta interval and two seconds."""
SWEEP = 330.0
"""Seconds from one complete list to the next."""
CALLS_A_MINUTE = 40
HALVINGS = 8
"""Of a page of 500 rows, until it is one of a single row."""
SINGLE_ROWS = 4
"""Tried by each poll, before it is sure that it is not the row."""
POLLS = 7
"""Of a list that fails, within its first minute: it is polled more and more seldom."""
SWEEP_QUERY = RowQuery()


class ListBench(UnevenBench):
    """Notes what the poller reports."""

    def __init__(self, world=WORLD):
        super().__init__(world)
        self.up, self.lag, self.polls = [], [], []
        self.observer.lists = lambda connection, up: self.up.append(up)
        self.observer.list_lag = lambda connection, seconds: self.lag.append(seconds)
        self.observer.polled = lambda connection, kind, result, seconds: self.polls.append((kind, result))

    async def with_foreign(self, count):
        """A running object of ours, among workloads of others made before and after it, few to a page."""
        for number in range(count):
            content = {**RUNS_ON, "metadata": {"name": f"foreign-{number}"}}
            self.runai.world.create({"name": f"foreign-{number}", "projectId": "2"}, content, self.now())
            if number == count // 2:
                self.apply("ours")
            await asyncio.sleep(2)
        self.runai.most_rows = 3
        await asyncio.sleep(400)
        assert self.ready() == 1

    @property
    def stored(self):
        return self.kube.objects["ns", "ours"]

    @property
    def workload(self):
        [found] = [each for each in self.runai.live() if each.name == "ours"]
        return found

    async def ours_shown_after(self, phase):
        return await self.shown_after(phase, self.stored)


@pytest.fixture
async def bench():
    async with ListBench().started() as bench:
        yield bench


def is_of_sweep(query):
    return query.changed_since is None and not query.latest and query.name is None


def pages_behind_the_first_fail(query, page):
    if is_of_sweep(query) and query.created_since is not None:
        raise UnexpectedReply("no JSON")
    return page


def pages_are_too_large(query, page):
    if is_of_sweep(query) and len(page.rows) > 1:
        raise PageTooLarge("too large")
    return page


def a_foreign_row_is_too_large(query, page):
    if any(row.name == "foreign-4" for row in page.rows):
        raise PageTooLarge("too large")
    return page


def a_foreign_row_cannot_be_read(query, page):
    rows = tuple(row for row in page.rows if row.name != "foreign-9")
    return replace(page, rows=rows, unreadable=len(page.rows) - len(rows))


def the_last_page_names_a_next(query, page):
    return replace(page, next_offset=page.next_offset or query.offset + query.limit)


def every_page_is_the_first(query, page):
    if is_of_sweep(query) and page.rows:
        return replace(page, next_offset=query.offset + query.limit)
    return page


SICK_LISTS = [
    pages_behind_the_first_fail,
    pages_are_too_large,
    a_foreign_row_is_too_large,
    a_foreign_row_cannot_be_read,
    the_last_page_names_a_next,
    every_page_is_the_first,
]


@pytest.mark.parametrize("sickness", SICK_LISTS, ids=lambda each: each.__name__.replace("_", " "))
async def test_what_ails_the_list_of_all_holds_up_no_change_and_costs_no_storm_of_calls(bench, sickness):
    await bench.with_foreign(10)

    bench.runai.distort = sickness
    began = bench.loop.time()
    delays = []
    for phase in ("Degraded", "Running") * 3:
        delays.append(await bench.ours_shown_after(phase))
        await asyncio.sleep(200)

    assert max(delays) <= IN_TIME
    assert bench.calls_in_worst_minute(began) <= CALLS_A_MINUTE


def nothing_ails_it(query, page):
    return page


@pytest.mark.parametrize(
    "sickness",
    [nothing_ails_it, the_last_page_names_a_next, a_foreign_row_cannot_be_read, a_foreign_row_is_too_large],
    ids=lambda each: each.__name__.replace("_", " "),
)
async def test_a_complete_sweep_still_finds_what_nobody_told_of(bench, sickness):
    await bench.with_foreign(10)
    bench.troubles["rows"] = lambda: None
    bench.runai.distort = sickness

    bench.runai.world.switches = bench.runai.switches = replace(bench.runai.switches, deleted_list=False)
    del bench.runai.world._workloads[bench.workload.id]
    await asyncio.sleep(400)

    assert condition(bench.stored.status, "Ready")["reason"] == "DeletedExternally"


def ours_cannot_be_read(query, page):
    rows = tuple(row for row in page.rows if row.name != "ours")
    return replace(page, rows=rows, unreadable=len(page.rows) - len(rows))


async def test_what_a_sweep_cannot_read_is_not_taken_for_gone_and_costs_one_call_each_time(bench):
    await bench.with_foreign(10)
    bench.runai.distort = ours_cannot_be_read
    began, before = bench.loop.time(), bench.called("get")

    await asyncio.sleep(3600)

    sweeps = 12
    assert bench.ready() == 1
    assert 0 < bench.called("get") - before <= sweeps + 1
    assert bench.calls_in_worst_minute(began) <= CALLS_A_MINUTE


def hundreds_of_rows_cannot_be_read(query, page):
    rows = tuple(row for row in page.rows if row.name == "foreign-4")
    return replace(page, rows=rows, unreadable=100 * (len(page.rows) - len(rows)))


async def test_a_sweep_that_can_read_little_sends_nobody_to_read_the_rest(bench):
    await bench.with_foreign(10)
    bench.runai.distort = hundreds_of_rows_cannot_be_read
    before = bench.called("get")

    await asyncio.sleep(1000)

    assert bench.called("get") == before


async def test_another_row_that_cannot_be_read_costs_no_call(bench):
    await bench.with_foreign(10)
    bench.runai.distort = a_foreign_row_cannot_be_read
    before = len([1 for _, method in bench.calls if method == "get"])

    await asyncio.sleep(1000)

    assert ("sweep", "Inconclusive") in bench.polls
    assert len([1 for _, method in bench.calls if method == "get"]) == before


def refused():
    return AccessDenied("Run:ai denies the permission to list workloads: no role.")


def not_found():
    return UnexpectedReply("this address does not know the request (HTTP 404).")


def a_login_page():
    return UnexpectedReply("its answer cannot be used (not JSON but text/html).")


def huge():
    return PageTooLarge("A page of Run:ai's list of workloads is larger than the 8 MiB that are read.")


@pytest.mark.parametrize("trouble", [refused, not_found, a_login_page, huge])
async def test_trouble_with_the_lists_is_told_once_shown_in_metrics_and_costs_few_calls(bench, caplog, trouble):
    await bench.with_foreign(1)
    caplog.set_level(logging.INFO, "runai_operator.engine.poller")
    assert bench.up[-1:] in ([], [True])
    caplog.clear()

    bench.troubles["rows"] = trouble
    began = bench.loop.time()
    await asyncio.sleep(20)
    assert bench.up[-1] is False
    await asyncio.sleep(1800)

    told = [(record.levelname, record.list) for record in caplog.records if hasattr(record, "list")]
    assert sorted(told) == [("WARNING", "deleted"), ("WARNING", "delta"), ("WARNING", "sweep")]
    assert all(trouble().message in record.getMessage() for record in caplog.records if hasattr(record, "list"))
    # Smaller and smaller pages are asked for, of what changed and of what was deleted.
    at_first = 2 * (HALVINGS + SINGLE_ROWS * POLLS) if trouble is huge else CALLS_A_MINUTE
    assert bench.calls_in_worst_minute(began) <= at_first
    assert bench.calls_in_worst_minute(began + 60) <= CALLS_A_MINUTE

    caplog.clear()
    bench.troubles.clear()
    await asyncio.sleep(90)

    assert bench.up[-1] is True
    assert {record.levelname for record in caplog.records if hasattr(record, "list")} == {"INFO"}
    assert await bench.ours_shown_after("Degraded") <= IN_TIME


async def test_the_list_of_the_deleted_that_fails_holds_up_no_change(bench):
    await bench.with_foreign(1)

    def only_the_deleted(query, page):
        if query.deleted:
            raise UnexpectedReply("no JSON")
        return page

    bench.runai.distort = only_the_deleted
    await asyncio.sleep(600)

    assert await bench.ours_shown_after("Degraded") <= IN_TIME
    assert bench.up[-1] is False

    # What was deleted meanwhile is found, since that list has a watermark of its own.
    bench.runai.world.delete(bench.workload, bench.now())
    await asyncio.sleep(100)
    bench.runai.distort = lambda query, page: page
    await asyncio.sleep(60)
    assert condition(bench.stored.status, "Ready")["reason"] == "DeletedExternally"


async def test_an_old_page_of_a_sweep_does_not_undo_what_a_delta_has_shown(bench):
    await bench.with_foreign(1)
    old = (await bench.runai.client(bench.chance).rows(SWEEP_QUERY)).rows
    assert await bench.ours_shown_after("Degraded") <= IN_TIME
    shown = []
    bench.observer.reconciled = lambda *args: shown.append(bench.stored.status.get("phase"))

    def as_it_was(query, page):
        return replace(page, rows=old) if is_of_sweep(query) else page

    bench.runai.distort = as_it_was
    bench.latency["rows"] = 4.0  # pages are slow, so that a delta overtakes them
    for phase in ("Running", "Degraded") * 100:
        bench.runai.world.set_phase(bench.workload, phase, "", bench.now())
        await asyncio.sleep(6)

    phases = [before for before, after in pairwise(shown) if before != after]
    assert len(phases) <= 201


async def test_changes_that_the_lists_show_too_late_are_warned_of_and_measured(caplog):
    bench = ListBench(replace(WORLD, list_lag=1))
    await bench.start(grace=20)
    await bench.with_foreign(1)
    assert max(bench.lag, default=0.0) <= 20

    bench.runai.world.switches = bench.runai.switches = replace(bench.runai.switches, list_lag=100)
    await asyncio.sleep(10)
    await bench.ours_shown_after("Degraded")
    await asyncio.sleep(400)

    assert max(bench.lag) > 20
    told = [record for record in caplog.records if "late" in record.getMessage()]
    assert [record.levelname for record in told] == ["WARNING"]
    await bench.stop()


@pytest.mark.parametrize("ahead", [90, 3600, 86_400, 1e9], ids="{:.0f} s".format)
async def test_a_date_ahead_of_the_clock_that_stamps_the_rows_makes_one_change_late_and_no_more(bench, ahead):
    """As from a proxy whose clock is wrong: deltas ask for what changes in the future."""
    bench.runai.distort = lambda query, page: replace(page, server_time=page.server_time + timedelta(seconds=ahead))
    await bench.start()
    bench.apply("ours")
    await asyncio.sleep(60)
    await bench.ours_shown_after("Degraded")

    began, delays = bench.loop.time(), []
    for phase in ("Running", "Degraded") * 10:
        await asyncio.sleep(97)
        delays.append(await bench.ours_shown_after(phase))
    assert max(delays) <= IN_TIME
    bench.runai.world.delete(bench.workload, bench.now())
    await asyncio.sleep(30)
    assert condition(bench.stored.status, "Ready")["reason"] == "DeletedExternally"
    assert bench.calls_in_worst_minute(began) <= CALLS_A_MINUTE


@pytest.mark.parametrize("behind", [7200, 86_400, 1.7e9], ids="{:.0f} s".format)
async def test_a_date_far_behind_the_clock_that_stamps_the_rows_costs_no_storm_of_calls(bench, behind):
    """Deltas ask for all that has changed since then, each time."""
    bench.runai.distort = lambda query, page: replace(page, server_time=page.server_time - timedelta(seconds=behind))
    await bench.with_foreign(30)
    await bench.start()
    await asyncio.sleep(400)
    began = bench.loop.time()
    await asyncio.sleep(600)

    assert await bench.ours_shown_after("Degraded") <= IN_TIME
    assert bench.calls_in_worst_minute(began) <= CALLS_A_MINUTE


@pytest.mark.parametrize("count", [0, 30])
async def test_at_rest_the_calls_do_not_grow_with_the_number_of_workloads(bench, count):
    for number in range(count):
        bench.apply(f"w{number}")
    await asyncio.sleep(200)
    assert bench.ready() == count
    bench.runai.most_rows = 2
    began = bench.loop.time()

    await asyncio.sleep(1200)

    assert bench.calls_in_worst_minute(began) <= CALLS_A_MINUTE


async def test_what_lists_show_late_is_shown_about_a_minute_after_that_whenever_it_happens():
    lag, runs_for = 45.0, 200.0
    bench = ListBench(replace(WORLD, list_lag=lag, run_time=runs_for, phase_time=0))
    await bench.start(grace=60)
    jobs, late = [], {}

    async def watch():
        while bench.loop.time() < 3600 and len(late) < 15:
            await asyncio.sleep(1)
            for stored in jobs:
                if stored.ref.name not in late and condition(stored.status, "Completed"):
                    ended = bench.runai.world.get(stored.status["workloadId"]).phases.steps[-1].since
                    late[stored.ref.name] = bench.now() - ended - lag

    watching = asyncio.create_task(watch())
    for number in range(15):
        jobs.append(bench.apply(f"j{number}", manifest={"apiVersion": "batch/v1", "kind": "Job", "spec": {}}))
        await asyncio.sleep(21.3)
    await watching
    await bench.stop()

    assert len(late) == len(jobs)
    assert max(late.values()) <= 60 + IN_TIME


async def test_a_server_that_does_not_tell_the_time_is_not_asked_again_for_all_that_has_changed_in_days(bench):
    await bench.stop()
    bench.runai.distort = lambda query, page: replace(page, server_time=None)
    foreign = {**RUNS_ON, "metadata": {"name": "foreign"}}
    bench.runai.world.create({"name": "foreign", "projectId": "2"}, foreign, bench.now())
    await asyncio.sleep(3 * 86_400)
    await bench.start()
    for number in range(200):
        bench.apply(f"w{number}")
    bench.runai.most_rows = 20
    await asyncio.sleep(1200)
    began = bench.loop.time()
    await asyncio.sleep(600)

    assert bench.called("rows", since=began) <= CALLS_A_MINUTE * 10
    assert await bench.shown_after("Degraded", bench.kube.objects["ns", "w7"]) <= IN_TIME


async def test_a_row_from_the_future_hides_no_change_where_the_server_does_not_tell_the_time(bench):
    def in_a_day(row):
        return replace(row, phase_updated_at="2027-01-16T12:00:00Z") if row.name == "foreign-0" else row

    await bench.with_foreign(1)
    bench.runai.distort = lambda query, page: replace(page, rows=tuple(map(in_a_day, page.rows)), server_time=None)
    [theirs] = [each for each in bench.runai.live() if each.name == "foreign-0"]
    bench.runai.world.set_phase(theirs, "Degraded", "", bench.now())
    await asyncio.sleep(20)

    assert await bench.ours_shown_after("Degraded") <= IN_TIME
    await bench.start()
    await asyncio.sleep(20)
    assert await bench.ours_shown_after("Running") <= IN_TIME


async def test_where_our_own_clock_is_ahead_too_a_row_from_the_future_hides_changes_until_the_next_sweep_at_most():
    def in_a_day(row):
        return replace(row, phase_updated_at="2027-01-16T12:00:00Z") if row.name == "foreign-0" else row

    bench = ListBench(replace(WORLD, clock_skew=-3600))
    bench.runai.distort = lambda query, page: replace(page, rows=tuple(map(in_a_day, page.rows)), server_time=None)
    await bench.start()
    await bench.with_foreign(1)
    assert await bench.ours_shown_after("Degraded") <= SWEEP

    began = bench.loop.time()
    for phase in ("Running", "Degraded", "Running"):
        assert await bench.ours_shown_after(phase) <= IN_TIME
        await asyncio.sleep(600)
    assert bench.called("rows", since=began) <= CALLS_A_MINUTE * 31
    await bench.stop()


@pytest.mark.parametrize("ids_equal", [True, False])
async def test_a_deletion_that_the_lists_tell_is_shown_in_time_whatever_ids_they_use(ids_equal):
    bench = ListBench(replace(WORLD, list_lag=0, ids_equal=ids_equal))
    await bench.start()
    await bench.with_foreign(1)

    bench.runai.world.delete(bench.workload, bench.now())
    await asyncio.sleep(WORLD.delete_time + IN_TIME + 2)

    assert condition(bench.stored.status, "Ready")["reason"] == "DeletedExternally"
    await bench.stop()


async def test_what_changed_while_no_operator_was_running_is_shown_soon_after_the_start():
    """However long a sweep takes."""
    async with Bench().started() as bench:
        bench.runai.most_rows = 1
        for number in range(30):
            bench.runai.world.create({"name": f"other-{number}", "projectId": "1"}, RUNS_ON, bench.now())
        stored = bench.apply("x")
        await asyncio.sleep(60)
        assert stored.status["phase"] == "Running"
        await bench.stop()
        workload = bench.runai.world.get(stored.status["workloadId"])
        bench.runai.world.set_phase(workload, "Failed", "", bench.now())
        await asyncio.sleep(3000)
        await bench.start()
        await asyncio.sleep(20)

        assert stored.status["phase"] == "Failed"
