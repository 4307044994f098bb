"""What else Run:ai shows when it answers 404: projects by id, also renamed or where they may not be listed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest

from builders import WORKLOAD_ID, a_row
from fakes.entries import entries
from runai_operator.domain.absence import BRAKE, MANY, Place
from runai_operator.domain.errors import AccessDenied, Scope
from runai_operator.domain.model import Project, RowPage, RowQuery
from runai_operator.engine.projects import HIDDEN_MEMORY, HIDDEN_PAUSE, VISIBLE_MEMORY, Witness

PLACE = Place("1", "team-a", "c1")


class Lists:
    """A Run:ai that has these projects and rows."""

    def __init__(self) -> None:
        self.listed: tuple[Project, ...] | AccessDenied = ()
        self.rows_found: tuple = ()
        self.rows_since: Callable[[RowQuery], tuple] | None = None
        self.calls: list[object] = []

    async def projects(self, *, name, cluster_id):
        self.calls.append(name)
        if isinstance(self.listed, AccessDenied):
            raise self.listed
        return tuple(project for project in self.listed if name in (None, project.name))

    async def rows(self, query):
        self.calls.append(query)
        return RowPage(self.rows_found if self.rows_since is None else self.rows_since(query), None, None)


@pytest.fixture
def lists():
    return Lists()


@pytest.fixture
def clock():
    return [0.0]


@pytest.fixture
def witness(lists, clock):
    return Witness(lists, lambda: clock[0])


@pytest.mark.parametrize(
    ("projects", "place", "visible"),
    [
        pytest.param((Project("1", "team-a", "c1"),), PLACE, True, id="listed"),
        pytest.param((Project("1", "team-a", None),), PLACE, True, id="listed without its cluster"),
        pytest.param((Project("1", "renamed", "c1"),), PLACE, True, id="renamed"),
        pytest.param((Project("1", "team-a", "c1"),), Place("1", None), True, id="known by its id alone"),
        pytest.param((Project("1", "team-a", "c1"),), Place(None, "team-a"), True, id="known by its name alone"),
        pytest.param((), PLACE, False, id="none"),
        pytest.param((Project("9", "team-a", "c1"),), PLACE, False, id="another of the name"),
        pytest.param((Project("1", "team-a", "c9"),), PLACE, False, id="that of another tenant"),
        pytest.param((Project("1", "team-a", "c1"),), Place(None, None), False, id="nothing known of it"),
    ],
)
async def test_a_project_is_visible_if_it_is_listed(lists, witness, projects, place, visible):
    lists.listed = projects

    assert await witness.shows(place) is visible


@pytest.mark.parametrize("used", [True, False])
async def test_where_projects_may_not_be_listed_what_is_in_one_shows_it(lists, witness, used):
    lists.listed = AccessDenied("no")
    lists.rows_found = (a_row(),) if used else ()

    assert await witness.shows(PLACE) is used


async def test_a_refused_token_is_no_answer(lists, witness):
    lists.listed = AccessDenied("no", scope=Scope.CONNECTION)

    with pytest.raises(AccessDenied):
        await witness.shows(PLACE)


async def test_a_project_is_asked_for_once_in_a_while(lists, witness, clock):
    lists.listed = (Project("1", "team-a", "c1"),)
    for _ in range(10):
        await witness.shows(PLACE)
    assert len(lists.calls) == 1

    clock[0] += VISIBLE_MEMORY + 1
    lists.listed = ()
    assert not await witness.shows(PLACE)
    asked = len(lists.calls)
    clock[0] += HIDDEN_PAUSE - 1
    assert not await witness.shows(PLACE)
    assert len(lists.calls) == asked, "twice the calls, so it waits for twice as long"
    clock[0] += 2
    lists.listed = (Project("1", "team-a", "c1"),)
    assert await witness.shows(PLACE)


async def test_what_is_to_be_shown_newly_is_not_taken_from_memory(lists, witness, clock):
    lists.listed = (Project("1", "team-a", "c1"),)
    assert await witness.shows(PLACE)
    lists.listed = ()

    assert not await witness.shows(PLACE, newly=True)
    lists.listed = (Project("1", "team-a", "c1"),)
    assert not await witness.shows(PLACE, newly=True), "that it is hidden is the safe answer, and may be a little old"


async def test_those_who_wait_for_an_answer_share_the_next_one(lists, clock):
    lists.listed = (Project("1", "team-a", "c1"),)
    asked = 0

    class Slow:
        async def projects(self, **of):
            nonlocal asked
            asked += 1
            for _ in range(5):
                await asyncio.sleep(0)
                clock[0] += 0.01
            return await lists.projects(**of)

    witness = Witness(Slow(), lambda: clock[0])
    first = asyncio.create_task(witness.shows(PLACE, newly=True))
    await asyncio.sleep(0)
    clock[0] += 0.001
    others = [asyncio.create_task(witness.shows(PLACE, newly=True)) for _ in range(20)]
    assert all([await first, *[await each for each in others]])

    assert asked == 2


async def test_a_deletion_is_found_also_if_its_time_comes_before_that_of_the_creation(lists, witness):
    ours = replace(a_row(), created_at="2026-01-01T10:00:00Z")
    ten_minutes_behind = replace(ours, deleted_at="2026-01-01T09:50:05Z")

    def later_than(query):
        shown = datetime.fromisoformat(ten_minutes_behind.deleted_at) >= query.changed_since
        return (ten_minutes_behind,) if shown else ()

    lists.rows_since = later_than
    assert await witness.deleted_row(ours) == ten_minutes_behind


async def test_a_deleted_workload_is_found_by_its_id_or_by_when_it_was_made(lists, witness):
    ours = a_row(created_at="2026-01-01T00:00:00Z", deleted_at="2026-01-02T00:00:00Z")
    lists.rows_found = (replace(ours, id="other", created_at="2026-01-01T09:00:00Z"), ours)
    assert (await witness.deleted_row(ours)).id == WORKLOAD_ID

    lists.rows_found = (replace(ours, id="of-the-lists"),)
    assert (await witness.deleted_row(ours)).id == "of-the-lists"

    lists.rows_found = (replace(ours, id="other", created_at="2026-01-01T09:00:00Z"),)
    assert await witness.deleted_row(ours) is None


async def test_without_a_time_a_workload_is_deleted_that_no_other_list_shows(lists, witness):
    ours = a_row()
    lists.rows_since = lambda query: (ours,) if query.deleted else ()
    assert (await witness.deleted_row(ours)).is_deleted

    lists.rows_since = lambda query: (ours,)  # whether deleted ones are asked for or not
    assert await witness.deleted_row(ours) is None


def test_many_that_a_sweep_misses_without_an_explanation_are_a_mass_loss(witness, clock):
    many = [str(number) for number in range(MANY)]
    witness.swept(many, vanished=many[1:])
    assert not witness.in_mass_loss()
    assert witness.is_unlisted("0")

    witness.swept(many, vanished=many)
    assert witness.in_mass_loss()

    witness.explained("0")
    assert not witness.in_mass_loss()


def test_a_mass_loss_lasts_for_an_hour_from_the_first_sweep_that_missed_it(witness, clock):
    many = [str(number) for number in range(MANY)]
    witness.swept(many, vanished=many)
    clock[0] += BRAKE - 1
    witness.swept(many, vanished=many)
    assert witness.in_mass_loss()

    clock[0] += 1
    assert not witness.in_mass_loss()


async def test_what_was_lost_out_of_sight_is_missing_only_since_it_could_be_seen_again(lists, witness, clock):
    many = [str(number) for number in range(MANY)]
    assert not await witness.shows(PLACE)
    witness.swept(many, vanished=many)
    clock[0] += 2 * BRAKE
    assert not witness.in_mass_loss()

    lists.listed = (Project("1", "team-a", "c1"),)
    assert await witness.shows(PLACE)
    assert witness.in_mass_loss()


async def test_projects_that_nobody_asks_for_any_more_are_forgotten(witness, clock):
    for number in range(200):
        clock[0] += HIDDEN_MEMORY / 10
        await witness.shows(Place(f"{number}", None))

    assert max(entries(witness).values()) <= 12
