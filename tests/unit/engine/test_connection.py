"""The circuit's promises: one probe for everybody, and everybody woken by its success."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from runai_operator.engine.connection import FAILURES_BEFORE_OPENING, PROBE_CEILING, Connection

from runai_operator.domain.errors import AccessDenied, Busy, OutcomeUnknown, Scope, Throttled, Unavailable

pytestmark = pytest.mark.looptime


class World:
    """A control plane that is up or down, and what the connection did about it."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.calls: list[float] = []
        self.probes: list[float] = []
        self.woken: dict[str, float] = {}
        self.reports: list[bool] = []
        self.clock = asyncio.get_running_loop().time
        self.connection = Connection(
            self.probe, self.woken.__setitem__, random=Random(1), clock=self.clock, report=self.reports.append
        )

    async def probe(self) -> None:
        self.probes.append(self.clock())
        if self.error is not None:
            raise self.error

    async def answer(self) -> str:
        self.calls.append(self.clock())
        if self.error is not None:
            raise self.error
        return "fine"

    async def try_call(self, error: Exception | None) -> None:
        self.error = error
        try:
            await self.connection.call(self.answer)
        except type(error):
            pass


@pytest.fixture
async def world():
    made = World()
    watching = asyncio.create_task(made.connection.watch())
    yield made
    watching.cancel()


async def test_one_refused_call_says_little_and_several_in_a_row_open_the_circuit(world):
    for _ in range(FAILURES_BEFORE_OPENING - 1):
        await world.try_call(Unavailable("refused"))
    assert world.connection.error is None

    await world.try_call(Unavailable("refused"))

    assert isinstance(world.connection.error, Unavailable)
    assert world.reports == [True, False]


async def test_a_success_between_keeps_the_circuit_closed(world):
    for _ in range(10):
        await world.try_call(Unavailable("refused"))
        await world.try_call(None)

    assert world.connection.error is None


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Throttled("slow down", after=7), id="the control plane asks everybody to wait"),
        pytest.param(AccessDenied("no", scope=Scope.CONNECTION), id="the credentials are refused"),
    ],
)
async def test_trouble_that_is_surely_the_connections_opens_at_once(world, error):
    await world.try_call(error)

    assert world.connection.error is error


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(AccessDenied("no"), id="one project is forbidden"),
        pytest.param(Busy("applying"), id="one workload is busy"),
        pytest.param(OutcomeUnknown("lost"), id="one answer is lost"),
    ],
)
async def test_the_trouble_of_one_workload_never_stops_the_others(world, error):
    for _ in range(20):
        await world.try_call(error)

    assert world.connection.error is None


async def test_while_open_no_call_goes_out_and_only_the_probe_does(world):
    world.error = AccessDenied("no", scope=Scope.CONNECTION)
    await world.try_call(world.error)
    calls = len(world.calls)
    for _ in range(50):
        await world.try_call(world.error)
    await asyncio.sleep(600)

    assert len(world.calls) == calls
    pauses = [later - earlier for earlier, later in zip(world.probes, world.probes[1:], strict=False)]
    assert max(pauses) <= PROBE_CEILING
    assert len(world.probes) <= 60


async def test_recovery_wakes_all_who_wait_within_five_seconds(world):
    await world.try_call(AccessDenied("no", scope=Scope.CONNECTION))
    for n in range(100):
        assert world.connection.wait(f"w{n}")
    await asyncio.sleep(60)
    assert world.woken == {}

    world.error = None
    await asyncio.sleep(PROBE_CEILING)

    assert len(world.woken) == 100
    assert max(world.woken.values()) < 5
    assert len({round(delay, 2) for delay in world.woken.values()}) > 10, "all at once is a stampede"
    assert world.reports[-1] is True
    assert not world.connection.wait("late"), "who comes after the recovery would wait for ever"


async def test_a_throttled_connection_waits_as_long_as_it_was_told(world):
    await world.try_call(Throttled("slow down", after=42))
    opened = world.clock()
    world.error = None
    await asyncio.sleep(120)

    assert world.probes[0] - opened == pytest.approx(42, abs=0.5)
