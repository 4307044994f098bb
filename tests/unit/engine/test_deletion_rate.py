"""The brake on deletions in virtual time: it is on what runs, and forgets who was called off."""

from __future__ import annotations

import asyncio

import pytest

from fakes.bench import RUNS_ON, WORLD, Bench
from runai_operator.domain.conditions import condition
from runai_operator.domain.model import DeletionPolicy, RecreatePolicy

pytestmark = pytest.mark.looptime

JOB = {"apiVersion": "batch/v1", "kind": "Job", "spec": {}}


@pytest.fixture
async def bench():
    async with Bench(WORLD).started(delete_rate=10) as bench:
        yield bench


async def settled(bench, count, **spec):
    made = [bench.apply(f"w{number}", **spec) for number in range(count)]
    await asyncio.sleep(90)
    assert bench.ready() == count
    return made


def deleted(bench):
    return [method for method, _ in bench.runai.writes].count("DELETE")


async def test_a_deletion_after_an_accident_that_was_called_off_does_not_wait_for_it(bench):
    """Each of the 200 used to stay booked, so that the next one came twenty minutes later."""
    made = await settled(bench, 201)
    for stored in made[:200]:
        bench.delete(stored)
    await asyncio.sleep(60)
    bench.delete(made[200])
    await asyncio.sleep(5)
    for stored in made[:200]:
        if bench.kube.of(stored.ref) is not None:
            bench.edit(stored, deletion_policy=DeletionPolicy.ORPHAN)
    await asyncio.sleep(70)

    assert bench.kube.objects == {}
    assert deleted(bench) <= 31


async def test_a_recreation_that_was_undone_leaves_the_queue(bench):
    made = await settled(bench, 40, recreate_policy=RecreatePolicy.ON_IMMUTABLE_CHANGE)
    before = [stored.status["workloadId"] for stored in made]
    for stored in made:
        bench.edit(stored, preemptibility="preemptible")
    await asyncio.sleep(5)
    for stored in made:
        bench.edit(stored, preemptibility=None)
    await asyncio.sleep(1)
    [upstream] = bench.engine.upstreams
    assert upstream.deletions.waiting() == 10, "those which are recreated already, to undo it"

    await asyncio.sleep(90)
    assert upstream.deletions.waiting() == 0
    assert bench.ready() == 40
    assert sum(stored.status["workloadId"] in before for stored in made) == 30


async def test_finished_workloads_are_deleted_as_they_come(bench):
    """Deleting them ends nothing; at the rate of what runs, a fleet of short jobs piles up without end."""
    await settled(bench, 100, manifest=JOB)
    bench.delete_everything()
    await asyncio.sleep(20)

    assert bench.kube.objects == {}
    assert deleted(bench) == 100


async def test_what_runs_is_held_back_beside_a_fleet_of_jobs(bench):
    jobs = [bench.apply(f"job{number}", manifest=JOB) for number in range(50)]
    [*running] = [bench.apply(f"run{number}", manifest=RUNS_ON) for number in range(20)]
    await asyncio.sleep(90)
    assert {condition(job.status, "Ready")["reason"] for job in jobs} == {"Completed"}
    bench.delete_everything()
    await asyncio.sleep(30)

    assert {stored.ref.name for stored in bench.kube.objects.values()} < {stored.ref.name for stored in running}
    assert len(bench.kube.objects) == 10

    await asyncio.sleep(60)
    assert bench.kube.objects == {}
