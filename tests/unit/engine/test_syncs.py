"""What becomes of a sync that nobody follows any more: it failed, or the work has completed."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from fakes.bench import RUNS_ON, WORLD, Bench, UnevenBench, reason
from runai_operator.domain.conditions import condition
from runai_operator.domain.requeue import SLOW_PROBE

pytestmark = pytest.mark.looptime

JOB = {"apiVersion": "batch/v1", "kind": "Job", "spec": {}}


def failing(replicas=1):
    steering = {"simulator.run.ai/sync": "fail"}
    return {**RUNS_ON, "metadata": {"annotations": steering}, "spec": {"replicas": replicas}}


def synced(stored):
    found = condition(stored.status, "Synced")
    return found["status"], found["reason"]


@pytest.mark.parametrize("of", ["a submission", "an edit"])
@pytest.mark.parametrize("restarted", [False, True])
async def test_a_sync_that_failed_and_recovers_is_shown_to_have(of, restarted):
    """Whether Run:ai tries again is not documented; no list shows that it did for what runs already."""
    async with Bench(replace(WORLD, sync_failure_recovers=True, sync_time=4)).started() as bench:
        stored = bench.apply("w", manifest=RUNS_ON if of == "an edit" else failing())
        if of == "an edit":
            await asyncio.sleep(60)
            bench.edit(stored, manifest=failing(2))
        while reason(stored) != "SyncFailed":  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        if restarted:
            await bench.start()
        await asyncio.sleep(60)

        assert (reason(stored), synced(stored)) == ("Running", ("True", "Synced"))
        assert condition(stored.status, "Stalled") is None


async def test_a_sync_that_stays_failed_is_read_less_and_less_often():
    async with UnevenBench().started() as bench:
        for number in range(5):
            bench.apply(f"w-{number}", manifest=failing())
        await asyncio.sleep(2 * SLOW_PROBE)
        written, since = bench.kube.writes, bench.loop.time()
        await asyncio.sleep(10 * SLOW_PROBE)

        assert bench.called("get", since=since) <= 5 * 11
        assert bench.kube.writes == written


@pytest.mark.parametrize("after", [0.05, 0.5, 1.2])
async def test_what_completed_while_the_operator_was_away_has_reached_its_cluster(after):
    """It is read no more, so it used to be on its way for ever."""
    async with Bench().started() as bench:
        stored = bench.apply("w", manifest=JOB)
        await asyncio.sleep(after)
        await bench.stop()
        await asyncio.sleep(100)
        await bench.start()
        await asyncio.sleep(20)

        assert (reason(stored), synced(stored)) == ("Completed", ("True", "Synced"))


@pytest.mark.parametrize("before", [0.3, 2])
async def test_an_edit_just_before_the_end_is_not_on_its_way_for_ever(before):
    async with Bench(replace(WORLD, sync_time=4)).started() as bench:
        stored = bench.apply("w", manifest=JOB)
        await asyncio.sleep(15)
        [workload] = bench.runai.live()
        [end] = [step.since for step in workload.phases.steps if step.word == "Completed"]
        await asyncio.sleep(end - bench.now() - before)
        bench.edit(stored, priority="high")
        await asyncio.sleep(60)

        assert (reason(stored), synced(stored)) == ("Completed", ("True", "Synced"))


async def test_an_edit_of_what_could_not_be_brought_to_its_cluster_is_followed_as_soon_as_any_other():
    """However often the sync that failed has been read."""
    async with Bench().started() as bench:
        stored = bench.apply("w", manifest=failing())
        await asyncio.sleep(1000)
        bench.edit(stored, manifest=RUNS_ON)
        began = bench.loop.time()
        while synced(stored) != ("True", "Synced"):  # noqa: ASYNC110
            await asyncio.sleep(0.1)

        assert bench.loop.time() - began < 5
