"""The poller alone: what its watermarks are taken from, what it asks for and what it makes of the answers."""

from __future__ import annotations

import asyncio
import itertools
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from builders import a_row
from runai_operator.domain.errors import AccessDenied, PageTooLarge, UnexpectedReply
from runai_operator.domain.model import RowPage, RowQuery
from runai_operator.engine import poller
from runai_operator.engine.poller import (
    DELETED,
    DELTA,
    INCONCLUSIVE,
    LONG_INTERVAL,
    MOST_BACK,
    MOST_UNREADABLE,
    RECOUNT,
    SHORT_OVERLAP,
    SWEEP,
    SWEEP_RATE,
    Poller,
    _Delta,
    _Source,
)

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def test_metrics_name_the_lists_so():
    assert (DELTA, DELETED, SWEEP, INCONCLUSIVE) == ("delta", "deleted", "sweep", "Inconclusive")


def at(seconds: float) -> datetime:
    return EPOCH + timedelta(seconds=seconds)


def stamp(seconds: float) -> str:
    return at(seconds).isoformat()


def dated(seconds: float | None) -> RowPage:
    return RowPage((), None, None if seconds is None else at(seconds))


def a_delta(kind: str = DELTA, **known) -> _Delta:
    return _Delta(kind, report=lambda _: None, **known)


class TestAWatermark:
    def test_is_the_date_of_the_answer(self):
        delta = a_delta()
        delta.advance(dated(100), at(90), now=7.0, wall=at(500))

        assert (delta.watermark, delta.set_at, delta.taken_from) == (at(100), 7.0, _Source.DATE)

    def test_is_the_newest_row_without_a_date(self):
        delta = a_delta()
        delta.advance(dated(None), at(90), now=7.0, wall=at(500))

        assert (delta.watermark, delta.taken_from) == (at(90), _Source.ROWS)

    def test_is_our_own_clock_at_most(self):
        delta = a_delta()
        delta.advance(dated(None), at(900), now=7.0, wall=at(500))

        assert delta.watermark == at(500)

    def test_goes_on_with_our_own_clock_where_rows_are_older(self):
        delta = a_delta(watermark=at(100), set_at=7.0)
        delta.advance(dated(None), at(90), now=17.0, wall=at(500))
        assert (delta.watermark, delta.set_at) == (at(110), 17.0)

        delta.advance(dated(None), None, now=18.0, wall=at(500))
        assert delta.watermark == at(111)

    def test_is_not_known_where_nothing_says_what_time_it_is(self):
        delta = a_delta()
        delta.advance(dated(None), None, now=7.0, wall=at(500))

        assert delta.watermark is None

    def test_that_passed_over_a_change_is_taken_from_something_else_from_then_on(self):
        delta = a_delta(watermark=at(100), set_at=7.0)
        delta.step_back(at(60), now=8.0, wall=at(500))
        assert (delta.watermark, delta.set_at, delta.trusted) == (at(60), 8.0, _Source.ROWS)

        delta.advance(dated(200), at(90), now=9.0, wall=at(500))
        assert (delta.watermark, delta.taken_from) == (at(90), _Source.ROWS)

        for _ in range(2):
            delta.step_back(at(50), now=10.0, wall=at(500))
            delta.watermark = at(70)
            delta.advance(dated(200), at(90), now=15.0, wall=at(500))
        assert (delta.trusted, delta.taken_from) == (_Source.CLOCK, _Source.CLOCK)
        assert delta.watermark == at(75), "rows are not believed either"

    def test_goes_back_two_days_at_most(self):
        delta = a_delta(watermark=at(0))
        delta.step_back(at(-1e7), now=0.0, wall=at(0))

        assert delta.watermark == at(0) - MOST_BACK

    def test_goes_back_two_days_from_now_where_it_is_far_in_the_future(self):
        delta = a_delta(watermark=at(1e9))
        delta.step_back(at(60), now=0.0, wall=at(100))

        assert delta.watermark == at(60)

    def test_does_not_go_on_beyond_the_end_of_the_calendar(self):
        delta = a_delta(watermark=datetime.max.replace(tzinfo=UTC), set_at=7.0)
        delta.advance(dated(None), at(90), now=9.0, wall=at(500))

        assert delta.watermark == at(90)

    def test_is_taken_from_the_rows_where_they_are_much_later_than_the_date(self):
        delta = a_delta()
        delta.advance(dated(0), at(3600), now=7.0, wall=at(1e6))
        assert (delta.watermark, delta.trusted) == (at(0), _Source.DATE)

        delta.advance(dated(0), at(3601), now=8.0, wall=at(1e6))
        assert (delta.watermark, delta.taken_from, delta.trusted) == (at(3601), _Source.ROWS, _Source.ROWS)

    def test_is_the_date_where_rows_name_the_future(self):
        delta = a_delta()
        delta.advance(dated(0), at(1e9), now=7.0, wall=at(3600))

        assert (delta.watermark, delta.trusted) == (at(0), _Source.DATE)

    @pytest.mark.parametrize("watermark", [None, at(50), at(60)])
    def test_that_passed_over_nothing_stays(self, watermark):
        delta = a_delta(watermark=watermark)
        delta.step_back(at(60), now=8.0, wall=at(500))

        assert (delta.watermark, delta.trusted) == (watermark, _Source.DATE)

    def test_of_the_deleted_goes_by_when_they_were_deleted(self):
        rows = [a_row(phase_updated_at=stamp(9), deleted_at=stamp(3)), a_row(phase_updated_at=stamp(5)), a_row()]

        assert a_delta(DELETED).newest_of(rows) == at(3)
        assert a_delta(DELTA).newest_of(rows) == at(9)
        assert a_delta(DELTA).newest_of([a_row()]) is None


class Bench:
    """A poller before lists that answer as told, and a listener that takes note."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.asked: list[tuple[float, RowQuery]] = []
        self.answers = {DELTA: [], DELETED: [], SWEEP: [], RECOUNT: []}
        """Rows, an error, or a function of the query that gives a page."""
        self.latency = 0.0
        self.latency_of_all = 0.0
        self.is_dated = True
        self.has_changed = True
        """What the listener says of each row."""
        self.rows_seen = []
        self.seen, self.deleted, self.swept_ids, self.told = [], [], [], []
        self.timed: list[tuple[str, str, float]] = []
        self.polls, self.ages, self.up, self.lags, self.bugs = [], [], [], [], 0
        self.poller = Poller(
            "main", runai=self, observer=self, listener=self, delta_interval=5.0, sweep_interval=300.0, overlap=60.0,
            clock=self.loop.time, now=self.now, random=Random(1),
        )  # fmt: skip

    def now(self) -> datetime:
        return at(self.loop.time())

    async def rows(self, query: RowQuery) -> RowPage:
        self.asked.append((self.loop.time(), query))
        kind = RECOUNT if query.phase else SWEEP
        kind = DELETED if query.deleted else DELTA if query.changed_since or query.latest else kind
        await asyncio.sleep(self.latency_of_all if kind == SWEEP else self.latency)
        answer = self.answers[kind]
        if isinstance(answer, Exception):
            raise answer
        page = answer(query) if callable(answer) else RowPage(tuple(answer), None, None)
        return replace(page, server_time=self.now() if self.is_dated else None)

    def row_seen(self, connection, row):
        self.seen.append((connection, row.id))
        self.rows_seen.append(row)
        return self.has_changed

    def row_deleted(self, connection, row):
        self.deleted.append((connection, row.id))

    def swept(self, connection, ids, began, *, is_nearly_complete):
        self.swept_ids.append((connection, set(ids), began, is_nearly_complete))

    def polled(self, connection, kind, result, seconds):
        self.polls.append((kind, result))
        self.timed.append((connection, kind, seconds))

    def status_age(self, connection, seconds):
        assert connection == "main"
        self.ages.append(seconds)

    def lists(self, connection, up):
        assert connection == "main"
        self.up.append(up)

    def list_lag(self, connection, seconds):
        assert connection == "main"
        self.lags.append(seconds)

    def bug(self):
        self.bugs += 1


@pytest.fixture
async def bench():
    made = Bench()
    task = asyncio.create_task(made.poller.run())
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def paged(rows, size):
    """A list in pages, by offset."""

    def answer(query):
        part = rows[query.offset : query.offset + min(size, query.limit)]
        end = query.offset + len(part)
        return RowPage(tuple(part), end if end < len(rows) else None, None)

    return answer


def unreadable(count, rows=()):
    return lambda query: RowPage(tuple(rows), None, None, unreadable=count)


def of_all(bench):
    return [(time, query) for time, query in bench.asked if query == RowQuery(limit=query.limit, offset=query.offset)]


def deltas(bench, *, deleted=False):
    return [(time, query) for time, query in bench.asked if query.changed_since and query.deleted is deleted]


@pytest.mark.looptime
class TestThePoller:
    async def test_begins_with_the_latest_row_of_each_list_what_changed_while_it_was_away_and_one_of_all(self, bench):
        await asyncio.sleep(1)
        since = at(-3600 - 60 - LONG_INTERVAL)

        assert sorted(map(str, (query for _, query in bench.asked))) == sorted(
            str(query)
            for query in (
                RowQuery(latest=True),
                RowQuery(deleted=True, latest=True),
                RowQuery(changed_since=since),
                RowQuery(deleted=True, changed_since=since),
                RowQuery(),
            )
        )

    async def test_reaches_back_a_little_each_time_and_further_each_minute(self, bench):
        await asyncio.sleep(200)
        for deleted in (False, True):
            asked = deltas(bench, deleted=deleted)
            back = [round(time - (query.changed_since - EPOCH).total_seconds()) for time, query in asked]
            pauses = [later - earlier for (earlier, _), (later, _) in itertools.pairwise(asked)]

            assert all(4 < pause < 6 for pause in pauses)
            far = [time for (time, _), each in zip(asked, back, strict=True) if each > 60 + LONG_INTERVAL - 1]
            assert len(far) in (3, 4)
            assert all(abs(each - SHORT_OVERLAP - 5) < 2 for each in back if each < 60)

    async def test_reports_what_it_reads(self, bench):
        await asyncio.sleep(1)
        assert bench.poller.has_answered
        bench.answers[DELTA], bench.answers[DELETED] = [a_row(id="a")], [a_row(id="b")]
        await asyncio.sleep(6)

        assert (DELTA, "ok") in bench.polls
        assert bench.ages[:2] == [0.0, 0.0]
        assert ("main", "a") in bench.seen
        assert ("main", "b") in bench.deleted
        assert ("main", "b") not in bench.seen

    async def test_sweeps_every_five_minutes(self, bench):
        bench.answers[SWEEP] = [a_row(id="a")]
        await asyncio.sleep(1000)

        begun = [began for _, _, began, _ in bench.swept_ids]
        assert begun[0] == 0
        assert all(270 <= later - earlier <= 330 for earlier, later in itertools.pairwise(begun))
        assert len(begun) in (3, 4)
        assert {(connection, *ids) for connection, ids, _, _ in bench.swept_ids} == {("main", "a")}
        assert ("main", "a") in bench.seen
        assert (SWEEP, "ok") in bench.polls

    async def test_says_why_lists_do_not_show_what_happens_and_for_how_long(self, bench):
        await asyncio.sleep(10)
        assert bench.poller.trouble is None
        assert bench.poller.silent_for() < 6
        denied = AccessDenied("no")
        bench.answers[DELTA] = denied
        await asyncio.sleep(100)

        assert bench.poller.trouble is denied
        assert 100 <= bench.poller.silent_for() <= 106
        assert (DELTA, "AccessDenied") in bench.polls
        assert bench.up[-1] is False
        assert 60 < bench.ages[-1] < 106

        bench.answers[DELTA] = []
        await asyncio.sleep(40)
        assert bench.poller.trouble is None
        assert bench.poller.silent_for() < 6
        assert bench.up[-1] is True

    async def test_asks_less_often_while_it_fails_unless_a_circuit_breaker_holds_it_up(self, bench):
        await asyncio.sleep(10)
        bench.answers[DELTA] = UnexpectedReply("no JSON")
        before = len(deltas(bench))
        await asyncio.sleep(300)
        assert 10 <= len(deltas(bench)) - before <= 25

        bench.answers[DELTA] = UnexpectedReply("no JSON").within("lists")
        before = len(deltas(bench))
        await asyncio.sleep(300)
        assert len(deltas(bench)) - before >= 45

    async def test_may_fail_from_the_first(self):
        bench = Bench()
        bench.answers[DELTA] = UnexpectedReply("no JSON")
        task = asyncio.create_task(bench.poller.run())
        await asyncio.sleep(60)
        task.cancel()

        assert not bench.poller.has_answered
        assert bench.poller.silent_for() == 60
        assert len([query for _, query in bench.asked if query.latest and not query.deleted]) >= 6
        assert bench.bugs == 0

    async def test_survives_a_bug(self, bench):
        await asyncio.sleep(10)
        bench.answers[DELTA] = ValueError("a bug")
        await asyncio.sleep(10)
        assert bench.bugs > 0
        assert bench.poller.trouble is not None

        bench.answers[DELTA] = [a_row(id="a")]
        await asyncio.sleep(40)
        assert ("main", "a") in bench.seen

    async def test_asks_for_ten_pages_of_all_in_a_minute_at_most(self, bench):
        bench.answers[SWEEP] = UnexpectedReply("no JSON")
        await asyncio.sleep(600)
        times = [time for time, query in bench.asked if not (query.deleted or query.latest or query.changed_since)]

        assert len(times) > 5
        assert all(sum(begin <= time < begin + 60 for time in times) <= SWEEP_RATE for begin in times)
        assert bench.swept_ids == []

    async def test_measures_how_late_the_lists_are(self, bench):
        await asyncio.sleep(100)
        bench.answers[DELTA] = [a_row(id="a", phase_updated_at=stamp(60))]
        await asyncio.sleep(6)
        bench.answers[DELTA] = []
        await asyncio.sleep(300)

        assert 35 < max(bench.lags) < 50

    async def test_tells_how_long_each_poll_took(self, bench):
        await asyncio.sleep(7)
        bench.timed.clear()
        bench.latency = bench.latency_of_all = 2.0
        await asyncio.sleep(400)

        assert {connection for connection, _, _ in bench.timed} == {"main"}
        assert {(kind, round(seconds)) for _, kind, seconds in bench.timed} == {(DELTA, 2), (DELETED, 2), (SWEEP, 2)}

        bench.timed.clear()
        bench.answers[SWEEP] = UnexpectedReply("no JSON")
        await asyncio.sleep(400)
        assert (SWEEP, "UnexpectedReply") in bench.polls
        assert min(seconds for connection, kind, seconds in bench.timed if kind == SWEEP and connection == "main") == 2

    async def test_counts_what_runs_anew_a_page_every_half_minute(self, bench):
        bench.answers[RECOUNT] = paged([a_row(id=str(number)) for number in range(5)], 2)
        await asyncio.sleep(200)
        asked = [(time, query) for time, query in bench.asked if query.phase == "Running"]

        assert [query.offset for _, query in asked][:4] == [0, 2, 4, 0]
        assert all(27 <= later - earlier <= 33 for (earlier, _), (later, _) in itertools.pairwise(asked))
        assert {("main", str(number)) for number in range(5)} <= set(bench.seen)

        bench.answers[DELTA] = UnexpectedReply("no JSON")
        await asyncio.sleep(40)
        before = len([query for _, query in bench.asked if query.phase])
        await asyncio.sleep(300)
        assert len([query for _, query in bench.asked if query.phase]) == before, "until lists can be read again"

        bench.answers[DELTA] = []
        await asyncio.sleep(100)
        assert len([query for _, query in bench.asked if query.phase]) > before

    async def test_counts_from_the_beginning_after_a_page_that_failed(self, bench):
        bench.answers[RECOUNT] = paged([a_row(id=str(number)) for number in range(5)], 2)
        await asyncio.sleep(40)
        good, bench.answers[RECOUNT] = bench.answers[RECOUNT], UnexpectedReply("no JSON")
        await asyncio.sleep(30)
        bench.answers[RECOUNT] = good
        await asyncio.sleep(30)

        assert [query.offset for _, query in bench.asked if query.phase] == [0, 2, 0]
        assert bench.poller.trouble is None

    async def test_begins_at_the_newest_row_where_answers_have_no_date(self, bench):
        bench.is_dated = False
        bench.answers[DELTA] = [a_row(phase_updated_at=stamp(-1000))]
        await asyncio.sleep(8)

        [(_, first), *_] = deltas(bench)
        assert first.changed_since == at(-1000 - 3600 - 60 - LONG_INTERVAL)

    async def test_goes_on_where_a_delta_that_was_too_long_had_come_to(self, bench):
        await asyncio.sleep(1)

        def endless(query):
            begin = query.changed_since or EPOCH
            row = a_row(id=str(begin), phase_updated_at=(begin + timedelta(seconds=30)).isoformat())
            return RowPage((row,), query.offset + 1, None)

        bench.answers[DELTA] = endless
        await asyncio.sleep(6)
        first = [query for _, query in deltas(bench)][1:]
        assert len(first) == 40
        assert bench.poller.trouble is not None
        assert (DELTA, "UnexpectedReply") in bench.polls

        await asyncio.sleep(6)
        again = [query for _, query in deltas(bench)][41:]
        assert again[0].changed_since > first[-3].changed_since

    async def test_tells_of_a_sweep_that_left_something_out(self, bench):
        bench.answers[SWEEP] = unreadable(MOST_UNREADABLE, [a_row(id="a")])
        await asyncio.sleep(1)
        assert (SWEEP, INCONCLUSIVE) in bench.polls
        assert bench.swept_ids == [("main", {"a"}, 0.0, True)]

        bench.answers[SWEEP] = unreadable(MOST_UNREADABLE + 1, [a_row(id="a")])
        await asyncio.sleep(330)
        assert bench.swept_ids[-1][3] is False
        assert bench.poller.trouble is None

    async def test_is_blind_while_it_understands_nothing(self, bench):
        bench.answers[SWEEP] = unreadable(3)
        await asyncio.sleep(200)
        assert isinstance(bench.poller.trouble, UnexpectedReply)
        assert bench.up[-1] is False
        assert bench.poller.silent_for() == 200, "since the sweep began"
        await asyncio.sleep(200)
        assert bench.poller.silent_for() == 400, "since the first of them"

        bench.answers[SWEEP] = unreadable(3, [a_row()])
        await asyncio.sleep(330)
        assert bench.poller.trouble is None
        assert bench.up[-1] is True
        assert bench.poller.silent_for() < 6

    async def test_says_once_that_rows_cannot_be_understood_and_once_that_they_can(self, bench, caplog):
        caplog.set_level(logging.INFO)
        bench.answers[SWEEP] = unreadable(1, [a_row()])
        await asyncio.sleep(700)
        bench.answers[SWEEP] = []
        await asyncio.sleep(700)

        assert [record.getMessage() for record in caplog.records if record.name.endswith("poller")] == [
            "1 rows of the list of workloads cannot be understood and are left out",
            "all rows of the list of workloads can be understood again",
        ]

    async def test_reads_a_long_list_ten_pages_a_minute(self, bench):
        bench.answers[SWEEP] = paged([a_row(id=str(number)) for number in range(25)], 1)
        await asyncio.sleep(130)

        times = [time for time, _ in of_all(bench)]
        assert len(times) == 25
        assert times[9] < 1
        assert 60 <= times[10] <= times[19] < 61
        assert times[20] >= 120
        [(_, ids, began, _)] = bench.swept_ids
        assert (len(ids), began) == (25, 0.0)

    async def test_asks_for_less_where_the_list_of_all_fails_alone(self, bench):
        bench.answers[SWEEP] = UnexpectedReply("no JSON")
        await asyncio.sleep(100)
        limits = [query.limit for _, query in of_all(bench)]
        assert limits[:5] == [500, 500, 250, 250, 125]

    async def test_asks_for_no_less_where_all_lists_fail(self, bench):
        for kind in (DELTA, SWEEP):
            bench.answers[kind] = UnexpectedReply("no JSON")
        await asyncio.sleep(100)
        assert {query.limit for _, query in of_all(bench)} == {500}

    async def test_asks_for_less_at_once_where_a_page_is_too_large(self, bench):
        rows = [a_row(id=str(number)) for number in range(4)]

        def large(query):
            if query.limit > 2:
                raise PageTooLarge("huge")
            return paged(rows, 2)(query)

        bench.answers[SWEEP] = large
        await asyncio.sleep(130)
        [(_, ids, _, _)] = bench.swept_ids
        assert len(ids) == 4

    async def test_ends_a_sweep_that_shows_the_same_rows_again_and_again(self, bench):
        bench.answers[SWEEP] = lambda query: RowPage((a_row(id="a"),), query.offset + 500, None)
        await asyncio.sleep(200)

        assert bench.swept_ids == [] or bench.swept_ids[0][1] == {"a"}
        assert len(of_all(bench)) <= 12

    async def test_takes_no_older_page_of_all_for_news(self, bench):
        await asyncio.sleep(260)
        bench.latency_of_all = 20.0
        bench.answers[SWEEP] = [a_row(id="a"), a_row(id="b"), a_row(id="c")]
        bench.answers[DELTA], bench.answers[DELETED] = [a_row(id="a")], [a_row(id="b")]
        await asyncio.sleep(140)

        assert bench.swept_ids[-1][1] == {"a", "b", "c"}
        assert ("main", "b") not in bench.seen
        assert ("main", "c") in bench.seen

    async def test_goes_back_for_what_lists_showed_later_than_they_may(self, bench, caplog):
        caplog.set_level(logging.INFO)
        await asyncio.sleep(260)
        bench.answers[SWEEP] = lambda query: RowPage(
            tuple(a_row(id=name, phase_updated_at=(bench.now() - timedelta(seconds=160)).isoformat()) for name in "ab"),
            None,
            None,
        )
        await asyncio.sleep(90)
        late = [query for time, query in deltas(bench) if time > 260]
        assert min(query.changed_since for query in late) < at(190)
        assert max(bench.lags) > 60
        assert bench.lags.count(max(bench.lags)) == 2, "when it is noticed, and at the end of the sweep"

        bench.answers[SWEEP] = []
        await asyncio.sleep(1000)
        assert bench.lags[-1] == 0
        lines = [record.getMessage() for record in caplog.records if "show changes" in record.getMessage()]
        assert len(lines) == 2, "and not with each sweep"
        assert lines[1] == "the lists of Run:ai show changes in time again"
        assert bench.bugs == 0

    async def test_takes_a_lag_that_may_be_for_none(self, bench, caplog):
        await asyncio.sleep(260)
        bench.answers[SWEEP] = [a_row(id="a", phase_updated_at=stamp(250))]
        await asyncio.sleep(100)

        assert "show changes" not in caplog.text
        back = [round(time - (query.changed_since - EPOCH).total_seconds()) for time, query in deltas(bench)][-5:]
        assert min(back) < SHORT_OVERLAP + 7, "dates are believed as before"

    async def test_takes_a_row_that_shows_no_change_for_no_lag(self, bench):
        await asyncio.sleep(260)
        bench.has_changed = False
        bench.answers[SWEEP] = [a_row(id="a", phase_updated_at=stamp(100))]
        await asyncio.sleep(100)

        assert max(bench.lags) == 0

    async def test_knows_no_lag_before_it_knows_what_time_it_is(self, bench):
        bench.is_dated = False
        bench.answers[SWEEP] = [a_row(id="a", phase_updated_at=stamp(-100))]
        await asyncio.sleep(10)

        assert ("main", "a") in bench.seen
        assert len(bench.swept_ids) == 1

    async def test_goes_on_by_the_clock_and_by_rows_where_answers_have_no_date(self, bench):
        bench.is_dated = False
        bench.answers[DELTA] = [a_row(phase_updated_at=stamp(-1000))]
        await asyncio.sleep(1)
        bench.answers[DELTA] = []
        await asyncio.sleep(60)
        last = max(query.changed_since for _, query in deltas(bench))
        assert (last - at(61 - 1000 - SHORT_OVERLAP)).total_seconds() == pytest.approx(0, abs=8)

        bench.answers[DELTA] = paged([a_row(id="a", phase_updated_at=stamp(50)), a_row(id="b")], 1)
        await asyncio.sleep(6)
        bench.answers[DELTA] = []
        await asyncio.sleep(12)
        # What asks for the second page begins at the row of the first.
        last = max(query.changed_since for _, query in deltas(bench) if query.changed_since != at(50))
        assert 0 <= (last - at(50 - SHORT_OVERLAP)).total_seconds() <= 20
        assert bench.bugs == 0

    async def test_takes_the_date_of_the_first_page(self, bench):
        await asyncio.sleep(20)
        bench.latency = 3.0
        bench.answers[DELTA] = paged([a_row(id=str(number)) for number in range(5)], 1)
        await asyncio.sleep(60)

        begun = [(time, query) for time, query in deltas(bench) if query.offset == 0 and time > 20]
        for (earlier, _), (_, query) in itertools.pairwise(begun[:3]):
            assert (query.changed_since - at(earlier + 3 - SHORT_OVERLAP)).total_seconds() == pytest.approx(0, abs=0.1)

    async def test_reads_a_delta_in_smaller_pages_where_one_is_too_large(self, bench):
        await asyncio.sleep(1)

        def large(query):
            if query.limit > 2:
                raise PageTooLarge("huge")
            return paged([a_row(id=str(number)) for number in range(4)], 2)(query)

        bench.answers[DELTA] = large
        await asyncio.sleep(6)
        assert {("main", str(number)) for number in range(4)} <= set(bench.seen)
        assert bench.poller.trouble is None

    async def test_leaves_out_three_rows_in_a_row_and_no_more(self, bench):
        await asyncio.sleep(1)
        bench.answers[DELTA] = PageTooLarge("huge")
        await asyncio.sleep(6)

        assert isinstance(bench.poller.trouble, PageTooLarge)
        assert [query.offset for _, query in deltas(bench) if query.limit == 1][:4] == [0, 1, 2, 3]
        assert max(query.offset for _, query in deltas(bench)) == 3

    async def test_does_not_go_back_where_a_delta_that_was_too_long_came_to_nothing(self, bench):
        await asyncio.sleep(100)
        bench.answers[DELTA] = lambda query: RowPage((a_row(id=str(query.offset)),), query.offset + 1, None)
        await asyncio.sleep(60)

        begun = [query.changed_since for time, query in deltas(bench) if query.offset == 0 and time > 100]
        further = timedelta(seconds=60 + LONG_INTERVAL - SHORT_OVERLAP)
        assert len(begun) > 3
        assert set(begun) <= {max(begun), max(begun) - further}
        assert bench.bugs == 0

    async def test_gives_up_a_list_of_all_that_has_no_end(self, bench, monkeypatch, caplog):
        monkeypatch.setattr(poller, "MOST_SWEEP_PAGES", 3)
        bench.answers[SWEEP] = bench.answers[RECOUNT] = paged([a_row(id=str(number)) for number in range(9)], 1)
        await asyncio.sleep(130)

        assert [query.offset for _, query in of_all(bench)] == [0, 1, 2]
        assert [query.offset for _, query in bench.asked if query.phase] == [0, 1, 2, 0]
        assert (SWEEP, "UnexpectedReply") in bench.polls
        assert bench.swept_ids == []
        assert bench.up[-1] is False
        assert {record.list for record in caplog.records} == {SWEEP}

        bench.answers[SWEEP] = []
        await asyncio.sleep(330)
        assert bench.up[-1] is True

    async def test_shows_again_what_a_delta_has_shown_before(self, bench):
        await asyncio.sleep(1)
        bench.answers[DELTA] = [a_row(id="a"), a_row(id="b")]
        await asyncio.sleep(6)
        bench.answers[DELTA], bench.answers[RECOUNT], bench.answers[SWEEP] = [], [a_row(id="a")], [a_row(id="b")]
        bench.seen.clear()
        await asyncio.sleep(330)

        assert {("main", "a"), ("main", "b")} <= set(bench.seen)

    async def test_shows_nothing_older_than_what_a_delta_brings_meanwhile(self, bench):
        await asyncio.sleep(260)
        bench.latency_of_all = 20.0
        bench.answers[DELTA] = [a_row(id="a")]
        bench.answers[SWEEP] = [a_row(id="a", phase="Pending")]
        await asyncio.sleep(140)

        assert [row for row in bench.rows_seen if row.phase == "Pending"] == []

    async def test_asks_by_time_until_a_sweep_shows_that_this_is_not_honoured(self, bench):
        await asyncio.sleep(260)
        rows = [a_row(id=str(number), created_at=stamp(10 * number)) for number in range(4)]
        bench.answers[SWEEP] = paged(rows, 2)

        def by_time():
            return [query for time, query in bench.asked if query.created_since and time > 260]

        await asyncio.sleep(140)
        first = len(by_time())
        assert first > 0
        await asyncio.sleep(330)
        assert len(by_time()) == first
        assert bench.swept_ids[-1][1] == {"0", "1", "2", "3"}

    async def test_says_what_is_wrong_with_a_list_once_and_anew_when_it_is_something_else(self, bench, caplog):
        caplog.set_level(logging.INFO)
        await asyncio.sleep(10)
        for error in (AccessDenied("no"), UnexpectedReply("no JSON")):
            bench.answers[DELTA] = error
            await asyncio.sleep(100)
        bench.answers[DELTA] = []
        await asyncio.sleep(100)

        said = [record for record in caplog.records if record.name.endswith("poller")]
        assert [(record.levelname, record.getMessage()) for record in said] == [
            ("WARNING", "the list of workloads cannot be read: no"),
            ("WARNING", "the list of workloads cannot be read: no JSON"),
            ("INFO", "the list of workloads can be read again"),
        ]
        assert {(record.connection, record.list) for record in said} == {("main", DELTA)}
        assert [record.reason for record in said[:2]] == ["AccessDenied", "UnexpectedReply"]

    async def test_says_which_list_it_is(self, bench, caplog):
        bench.answers[SWEEP] = UnexpectedReply("no JSON")
        await asyncio.sleep(10)

        assert {record.list for record in caplog.records} == {SWEEP}

    async def test_asks_for_no_less_after_failures_that_a_page_came_between(self, bench):
        await asyncio.sleep(260)
        asked = []

        def now_and_then(query):
            asked.append(query)
            if len(asked) % 2 == 0:
                raise UnexpectedReply("no JSON")
            return paged([a_row(id=str(number)) for number in range(4)], 1)(query)

        bench.answers[SWEEP] = now_and_then
        await asyncio.sleep(140)
        assert [(query.offset, query.limit) for query in asked] == [(0, 500), *[(n, 500) for n in (1, 1, 2, 2, 3, 3)]]
        assert bench.swept_ids[-1][1] == {"0", "1", "2", "3"}
        assert bench.bugs == 0

    async def test_is_late_as_long_as_a_sweep_shows_it(self, bench, caplog):
        caplog.set_level(logging.INFO)
        await asyncio.sleep(260)
        for seconds in (160, 1000):
            late = (bench.now() - timedelta(seconds=seconds)).isoformat()
            bench.answers[SWEEP] = [a_row(id="a", phase_updated_at=late)]
            await asyncio.sleep(280)
        assert len([lag for lag in bench.lags if lag > 60]) == 3, "when it is noticed, and at the end of each sweep"
        assert len([record for record in caplog.records if "show changes" in record.getMessage()]) == 1
