"""Names of projects in virtual time: how often Run:ai is asked for them, and who waits for the answer."""

from __future__ import annotations

import asyncio

import pytest

from fakes.bench import Bench, reason
from fakes.entries import entries
from fakes.uneven_runai import Troubles, UnevenRunai
from runai_operator.domain.errors import AccessDenied, InvalidWorkload, Scope, Unavailable
from runai_operator.domain.model import DEFAULT_CONNECTION, Project
from runai_operator.engine.projects import MISS_MEMORY, PROJECT_MEMORY, KeyedLocks, Projects

pytestmark = pytest.mark.looptime


class SlowBench(Bench):
    def __init__(self):
        super().__init__()
        self.troubles, self.latency, self.asked = Troubles(), {"projects": 0.1}, []

    def connections(self, chance):
        return {DEFAULT_CONNECTION: UnevenRunai(self.runai.client(chance), self.troubles, self.latency, self.note)}

    def note(self, method):
        if method == "projects":
            self.asked.append(self.loop.time())


@pytest.fixture
async def bench():
    async with SlowBench().started() as bench:
        yield bench


async def test_a_misspelt_project_in_hundreds_of_specs_costs_one_question_and_delays_no_neighbour(bench):
    """They used to ask one after the other, and to keep the workers meanwhile: forty seconds."""
    for number in range(400):
        bench.apply(f"w{number}", project_id=None, project_name="team-z")
    neighbour = bench.apply("neighbour")
    await asyncio.sleep(2)
    assert "workloadId" in neighbour.status
    assert len(bench.asked) == 1

    await asyncio.sleep(3600)
    assert {reason(stored) for stored in bench.kube.objects.values()} == {"ProjectNotFound", "Running"}
    assert len(bench.asked) <= 60 + 10, "once a minute, however many there are"


async def test_a_question_that_is_never_answered_costs_the_workers_one_deadline(bench):
    bench.latency["projects"] = 1e6
    for number in range(100):
        bench.apply(f"w{number}", project_id=None, project_name="team-a")
    neighbour = bench.apply("neighbour")
    await asyncio.sleep(70)

    assert "workloadId" in neighbour.status
    assert len(bench.asked) <= 5


async def test_a_project_that_is_made_later_is_found_and_at_once_when_somebody_asks_for_a_reconcile(bench):
    stored = [bench.apply(f"w{number}", project_id=None, project_name="team-z") for number in range(3)]
    await asyncio.sleep(1800)
    bench.runai.world.add_project("team-z", next(iter(bench.runai.world.clusters)))
    bench.kube.touch(stored[0], token="again")
    bench.engine.observe("MODIFIED", stored[0].meta())
    await asyncio.sleep(30)
    assert reason(stored[0]) == "Running"

    await asyncio.sleep(450)
    assert bench.ready() == 3


# --- the cache alone


class Catalogue:
    """Knows projects by name."""

    def __init__(self):
        self.known, self.asked, self.error = {}, 0, None

    async def projects(self, *, name, cluster_id):
        self.asked += 1
        await asyncio.sleep(1)
        if self.error is not None:
            raise self.error
        return tuple(Project(found, name, None) for found in self.known.get(name, ()))


@pytest.fixture
def catalogue():
    return Catalogue()


@pytest.fixture
async def projects(catalogue):
    return Projects(catalogue, asyncio.get_running_loop().time)


async def outcomes(projects, count, **options):
    asked = (projects.resolve("p", None, **options) for _ in range(count))
    return {str(outcome) for outcome in await asyncio.gather(*asked, return_exceptions=True)}


@pytest.mark.parametrize(
    ("known", "error"),
    [(("1",), None), ((), None), (("1", "2"), None), (("1",), Unavailable("It is down."))],
    ids=["found", "not found", "several", "trouble"],
)
async def test_all_who_ask_at_the_same_time_share_one_answer(projects, catalogue, known, error):
    catalogue.known["p"], catalogue.error = known, error

    assert len(await outcomes(projects, 50)) == 1
    assert catalogue.asked == 1


@pytest.mark.parametrize("error", [None, AccessDenied("HTTP 403")], ids=["a miss", "a denied permission"])
async def test_a_refusal_is_cached_for_longer_each_time_and_a_find_ends_that(projects, catalogue, error):
    loop, catalogue.error = asyncio.get_running_loop(), error
    pauses, last = [], loop.time()
    while len(pauses) < 8:
        before = catalogue.asked
        await outcomes(projects, 1)
        if catalogue.asked > before:
            pauses.append(loop.time() - last)
            last = loop.time()
        await asyncio.sleep(0.5)
    assert pauses[1:4] == pytest.approx([6, 11, 21], abs=1)
    assert pauses[-1] == pytest.approx(MISS_MEMORY, abs=3)

    catalogue.known["p"], catalogue.error = ("1",), None
    await asyncio.sleep(MISS_MEMORY)
    assert await outcomes(projects, 1) == {"1"}


@pytest.mark.parametrize(
    "error",
    [Unavailable("It is down."), AccessDenied("HTTP 401", scope=Scope.CONNECTION)],
    ids=["an outage", "the token"],
)
async def test_trouble_is_cached_for_a_moment_only(projects, catalogue, error):
    catalogue.known["p"], catalogue.error = ("1",), error
    await outcomes(projects, 1)
    catalogue.error = None
    await asyncio.sleep(1)

    assert await outcomes(projects, 1) == {"1"}


async def test_who_asks_anew_is_not_given_an_old_miss(projects, catalogue):
    with pytest.raises(InvalidWorkload):
        await projects.resolve("p", None)
    catalogue.known["p"] = ("1",)

    assert await projects.resolve("p", None, anew=True) == "1"
    await outcomes(projects, 3, anew=True)
    assert catalogue.asked == 2, "a find needs no second question"


async def test_an_error_that_many_share_carries_no_traceback_of_others(projects):
    errors = await asyncio.gather(*(projects.resolve("p", None) for _ in range(3)), return_exceptions=True)

    assert len({id(error) for error in errors}) == 3


async def test_names_that_nobody_asks_for_any_more_are_forgotten(projects):
    for number in range(1000):
        with pytest.raises(InvalidWorkload):
            await projects.resolve(f"misspelt-{number}", None)

    assert max(entries(projects).values()) <= PROJECT_MEMORY, "one a second was asked for"


async def test_one_at_a_time_within_a_key_and_all_keys_at_once():
    locks, order = KeyedLocks[str](), []

    async def use(key: str, who: str) -> None:
        async with locks.of(key):
            order.append(f"{who} begins")
            await asyncio.sleep(1)
            order.append(f"{who} ends")

    await asyncio.gather(use("a", "first"), use("a", "second"), use("b", "other"))

    assert order == ["first begins", "other begins", "first ends", "other ends", "second begins", "second ends"]
    assert len(locks) == 0


async def test_who_stops_waiting_for_a_lock_leaves_none_behind():
    locks = KeyedLocks[str]()
    async with locks.of("a"):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1), locks.of("a"):
                raise AssertionError("it is held")

    assert len(locks) == 0
