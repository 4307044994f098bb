"""Pods and GPUs after an edit: lists are asked for changes of phase, and an edit may change these without one."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from fakes.bench import RUNS_ON, WORLD, Bench
from runai_operator.domain.model import DEFAULT_CONNECTION
from runai_operator.domain.reasons import Phase
from runai_simulator.pods import Shape

pytestmark = pytest.mark.looptime


def of_size(replicas):
    return {**RUNS_ON, "spec": {"replicas": replicas}}


@pytest.fixture
async def bench():
    async with Bench(replace(WORLD, list_lag=5)).started() as bench:
        yield bench


async def running(bench, count=1):
    made = [bench.apply(f"w{number}", manifest=of_size(1)) for number in range(count)]
    await asyncio.sleep(100)  # so that no delta reaches back to the last change of phase
    assert {stored.status["runningPods"] for stored in made} == {1}
    return made


def counts(stored):
    return stored.status["runningPods"], stored.status["requestedPods"]


async def test_an_edit_that_changes_no_phase_shows_its_pods_within_seconds(bench):
    [stored] = await running(bench)
    for replicas in (4, 2, 7):
        bench.edit(stored, manifest=of_size(replicas))
        await asyncio.sleep(20)
        assert counts(stored) == (replicas, replicas)


async def test_pods_that_come_late_are_shown_all_the_same(bench):
    """An edit of content that the shape does not follow at once: the platform takes half a minute."""
    [stored] = await running(bench)
    [workload] = bench.runai.live()
    bench.edit(stored, manifest=of_size(3))
    await asyncio.sleep(4)
    workload.shape = Shape(pods=1, gpus=0)
    await asyncio.sleep(35)
    workload.shape = Shape(pods=3, gpus=0)
    await asyncio.sleep(140)

    assert counts(stored) == (3, 3)


async def test_it_is_read_a_few_times_and_then_left_alone(bench):
    [stored] = await running(bench)
    reads = bench.kube.reads
    bench.edit(stored, manifest=of_size(2))
    await asyncio.sleep(300)
    details, writes = bench.runai.calls["detail"], bench.kube.writes
    assert details <= 4
    assert bench.kube.reads - reads == 1 + 2 + details, "for the edit, its sync, and the counts"
    await asyncio.sleep(3600)

    assert (bench.runai.calls["detail"], bench.kube.writes) == (details, writes)


async def test_many_edits_share_five_calls_a_second(bench):
    made = await running(bench, 100)
    before = bench.runai.calls.get("detail", 0)
    for stored in made:
        bench.edit(stored, manifest=of_size(2))
    await asyncio.sleep(10)
    assert bench.runai.calls.get("detail", 0) - before <= 5 * 10 + 1
    await asyncio.sleep(60)

    assert {counts(stored) for stored in made} == {(2, 2)}


async def test_what_an_autoscaler_does_is_shown_within_a_minute(bench):
    made = await running(bench, 3)
    for replicas in (5, 0, 2):
        for workload in bench.runai.live():
            workload.shape = Shape(pods=replicas, gpus=0)
        await asyncio.sleep(20 * 1.1 + 5 + 2)
        assert {counts(stored) for stored in made} == {(replicas, replicas)}


async def test_running_workloads_cost_three_calls_a_minute_however_many_they_are(bench):
    made = await running(bench, 600)
    before = bench.runai.calls["list"]
    for workload in bench.runai.live():
        workload.shape = Shape(pods=5, gpus=0)
    await asyncio.sleep(60)

    assert {counts(stored) for stored in made} == {(5, 5)}
    await asyncio.sleep(540)
    assert bench.runai.calls["list"] - before <= 10 * (24 * 1.1 + 3 * 1.1) + 4


async def test_a_page_of_running_workloads_that_comes_late_shows_nothing_that_is_over():
    class LateBench(Bench):
        def connections(self, chance):
            access = self.runai.client(chance)
            rows = access.rows

            async def late(query):
                page = await rows(query)
                await asyncio.sleep(40 if query.phase == Phase.RUNNING else 0)
                return page

            access.rows = late
            return {DEFAULT_CONNECTION: access}

    bench = LateBench()
    await bench.start()
    stored = bench.apply("w", manifest=of_size(1))
    await asyncio.sleep(120)
    [workload] = bench.runai.live()
    bench.runai.world.set_phase(workload, "Degraded", "", bench.now())
    shown = [stored.status["phase"]]
    for _ in range(400):
        await asyncio.sleep(0.25)
        if shown[-1] != stored.status["phase"]:
            shown.append(stored.status["phase"])
    await bench.stop()

    assert shown == ["Running", "Degraded"]
