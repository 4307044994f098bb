"""A list is read completely although it changes meanwhile, in pieces that can be read, and to an end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from runai_operator.domain.model import MOST_ROWS, Row, RowPage, RowQuery
from runai_operator.domain.walk import Walk

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def row(number, second=None):
    stamp = (BEGIN + timedelta(seconds=number if second is None else second)).isoformat()
    return Row(f"id-{number}", f"w{number}", "1", created_at=stamp, phase_updated_at=stamp, deleted_at=stamp)


@dataclass
class Server:
    """A list of rows, and what it does with what it is asked for."""

    rows: list[Row]
    cap: int = 3
    """Rows on a page, at most."""
    names_a_next_always: bool = False
    honours_time: bool = True
    honours_offset: bool = True
    unreadable: tuple[str, ...] = ()
    huge: tuple[str, ...] = ()
    """Ids of rows that no answer has room for, so that a page with one is too large."""

    def page(self, query):
        since = query.created_since or query.changed_since
        rows = [
            row
            for row in self.rows
            if not self.honours_time or since is None or datetime.fromisoformat(row.created_at) >= since
        ]
        offset = query.offset if self.honours_offset else 0
        end = offset + min(query.limit, self.cap)
        shown = rows[offset:end]
        if any(row.id in self.huge for row in shown):
            return None
        readable = tuple(row for row in shown if row.id not in self.unreadable)
        following = query.offset + query.limit if self.names_a_next_always or end < len(rows) else None
        return RowPage(readable, following if following is None else end, None, len(shown) - len(readable))


def read(server, query=None, *, meanwhile=lambda page: None, calls=200):
    """The ids that a walk shows, and the walk at its end."""
    walk, seen = Walk(query or RowQuery()), []
    for number in range(calls):
        if (asked := walk.query) is None:
            break
        page = server.page(asked)
        walk = walk.smaller() if page is None else walk.after(page)
        seen += [row.id for row in page.rows] if page is not None else []
        meanwhile(number)
    return seen, walk


def ids(*numbers):
    return {f"id-{number}" for number in numbers}


@pytest.mark.parametrize("count", [0, 1, 3, 4, 30])
@pytest.mark.parametrize("names_a_next_always", [False, True])
@pytest.mark.parametrize("honours_time", [False, True])
@pytest.mark.parametrize("distance", [0, 1], ids=["all at once", "one a second"])
def test_every_row_is_read_and_the_list_ends(count, names_a_next_always, honours_time, distance):
    server = Server([row(n, n * distance) for n in range(count)], 3, names_a_next_always, honours_time)

    seen, walk = read(server)

    assert set(seen) == ids(*range(count))
    assert walk.complete


def test_a_row_that_goes_hides_none_behind_it():
    server = Server([row(number) for number in range(30)])

    def one_goes(page):
        if page == 2:
            del server.rows[0:3]

    seen, walk = read(server, meanwhile=one_goes)

    assert set(seen) == ids(*range(30))
    assert walk.complete


def test_a_list_that_shows_the_same_page_again_and_again_is_not_read_for_ever():
    server = Server([row(n) for n in range(3)], 500, names_a_next_always=True, honours_time=False, honours_offset=False)
    server.rows *= 200

    _, walk = read(server)

    assert walk.query is None
    assert walk.endless
    assert not walk.complete
    assert walk.pages <= 5


def test_a_list_that_shows_its_last_page_for_whatever_lies_behind_it_is_complete():
    server = Server([row(n) for n in range(3)], 500, names_a_next_always=True, honours_offset=False)

    seen, walk = read(server)

    assert set(seen) == ids(0, 1, 2)
    assert walk.complete


def test_an_unreadable_row_is_left_out_and_the_walk_says_so():
    seen, walk = read(Server([row(n) for n in range(10)], unreadable=("id-9",)))

    assert set(seen) == ids(*range(9))
    assert (walk.ended, walk.unreadable > 0, walk.complete) == (True, True, False)


@pytest.mark.parametrize("place", [0, 7, 19])
def test_a_page_that_is_too_large_is_halved_until_only_the_row_at_fault_is_left_out(place):
    server = Server([row(n) for n in range(20)], MOST_ROWS, huge=(f"id-{place}",))

    seen, walk = read(server)

    assert set(seen) == ids(*range(20)) - ids(place)
    assert (walk.ended, walk.complete) == (True, False)


def test_after_a_small_page_the_next_ones_grow_again():
    walk = replace(Walk(RowQuery()), limit=1)

    walk = walk.after(RowPage((row(1),), 1, None))

    assert walk.limit == 2
    assert replace(walk, limit=MOST_ROWS).after(RowPage((row(2),), 2, None)).limit == MOST_ROWS


@pytest.mark.parametrize(
    ("query", "field"),
    [
        (RowQuery(), "created_since"),
        (RowQuery(changed_since=BEGIN), "changed_since"),
        (RowQuery(deleted=True, changed_since=BEGIN), "changed_since"),
    ],
)
def test_a_page_begins_at_the_time_where_the_last_one_ended(query, field):
    walk = Walk(query).after(RowPage((row(1), row(2)), 2, None))

    assert getattr(walk.query, field) == walk.reached == BEGIN + timedelta(seconds=2)
    assert walk.query.offset == 0
    assert walk.query.deleted == query.deleted
