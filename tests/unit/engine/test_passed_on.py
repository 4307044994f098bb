"""An object whose labels this release no longer serves: it is left alone, whole, until it comes back."""

from __future__ import annotations

import asyncio

import pytest

from fakes.bench import reason, standing

pytestmark = pytest.mark.looptime


def move(bench, stored, *, away: bool = True):
    """Somebody changes the labels; the watch shows what is no longer selected as deleted."""
    stored.is_selected = not away
    bench.kube.touch(stored)
    bench.engine.observe("DELETED" if away else "ADDED", stored.meta())


@pytest.mark.parametrize("seen", ["event", "list"])
async def test_it_is_forgotten_and_nothing_is_written_or_recorded(bench, seen):
    stored = bench.apply("x")
    await asyncio.sleep(30)
    if seen == "event":
        move(bench, stored)
    else:
        stored.is_selected = False
        await bench.engine.resync()
    await asyncio.sleep(5)
    before = stored.version
    [workload] = standing(bench)
    bench.runai.world.set_phase(workload, "Failed", "", bench.now())
    await asyncio.sleep(900)

    assert len(bench.engine.inventory) == 0
    assert stored.version == before
    assert bench.kube.orphans == {}
    assert standing(bench) == [workload]


async def test_when_it_comes_back_it_is_served_again(bench):
    stored = bench.apply("x")
    await asyncio.sleep(30)
    before = stored.status["workloadId"]
    move(bench, stored)
    await asyncio.sleep(30)
    move(bench, stored, away=False)
    bench.edit(stored, priority="high")
    await asyncio.sleep(60)

    [workload] = standing(bench)
    assert (workload.id, workload.priority) == (before, "high")
    bench.delete(stored)
    await asyncio.sleep(60)
    assert standing(bench) == []
    assert bench.kube.objects == {}


async def test_what_was_being_submitted_is_not_lost(bench):
    """It leaves between the POST and the record of its id: whoever serves it next finds the workload by its mark."""
    stored = bench.apply("x")
    while not standing(bench):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    move(bench, stored)
    await asyncio.sleep(30)
    move(bench, stored, away=False)
    await asyncio.sleep(120)

    [workload] = standing(bench)
    assert stored.status["workloadId"] == workload.id
    assert reason(stored) == "Running"


async def test_an_owner_that_another_release_serves_exists(bench):
    first = bench.apply("x", name="same")
    await asyncio.sleep(30)
    move(bench, first)
    await asyncio.sleep(5)
    second = bench.apply("y", name="same")
    await asyncio.sleep(120)

    assert reason(second) == "NameTaken"
    assert len(standing(bench)) == 1
