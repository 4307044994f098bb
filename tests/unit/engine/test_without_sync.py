"""A Run:ai that leaves `syncInfo` out, as its schema allows: only lists say whether what was to be deleted is gone."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from fakes.bench import WORLD, Bench, reason
from runai_operator.commands.cleaning import Cleaner
from runai_operator.domain.access import Access
from runai_operator.domain.model import ExternalDeletionPolicy, Orphan, OwnerMark, RecreatePolicy

pytestmark = pytest.mark.looptime

SLOW = 120.0
"""Seconds that a deletion takes in Run:ai."""
WORLDS = [
    pytest.param({"deleted_at_when_asked": True}, id="deletedAt with the DELETE, then 404"),
    pytest.param({"deleted_at_when_asked": True, "deleted_answers_404": False}, id="deletedAt with the DELETE, and on"),
    pytest.param({"deleted_at_when_asked": False, "deleted_answers_404": False}, id="deletedAt at the end, and on"),
    pytest.param(
        {"deleted_at_when_asked": True, "deleted_answers_404": False, "deleted_list": False},
        id="deletedAt with the DELETE, and on, and no list of deleted ones",
    ),
]


async def running(world):
    bench = Bench(replace(WORLD, sync_info=False, delete_time=SLOW, **world))
    await bench.start(grace=60)
    return bench


@pytest.mark.parametrize("world", WORLDS)
async def test_an_object_stays_until_its_workload_is_gone_and_goes_then(world):
    bench = await running(world)
    stored = bench.apply("a")
    await asyncio.sleep(60)
    bench.delete(stored)
    for _ in range(int(SLOW) - 5):
        await asyncio.sleep(1)
        assert bench.kube.objects, "its workload is still being deleted"
    await asyncio.sleep(300)

    assert bench.kube.objects == {}
    assert bench.observer.bugs == 0
    await bench.stop()


async def test_while_a_deletion_takes_its_time_nobody_looks_for_how_the_work_ended():
    bench = await running({})
    stored = bench.apply("a")
    await asyncio.sleep(60)
    found, read = bench.runai.calls.get("find", 0), bench.runai.calls["get"]
    bench.delete(stored)
    await asyncio.sleep(50)

    assert bench.runai.calls["get"] > read + 4
    assert bench.runai.calls.get("find", 0) == found
    await bench.stop()


@pytest.mark.parametrize("world", WORLDS)
async def test_what_is_replaced_is_created_again_when_the_old_one_is_gone(world):
    bench = await running(world)
    stored = bench.apply("a", recreate_policy=RecreatePolicy.ON_IMMUTABLE_CHANGE)
    await asyncio.sleep(60)
    bench.edit(stored, preemptibility="preemptible")
    await asyncio.sleep(SLOW - 20)
    assert len(bench.runai.world.creates) == 1
    assert reason(stored) == "Recreating"

    await asyncio.sleep(500)
    assert reason(stored) == "Running"
    assert len(bench.runai.live()) == 1
    await bench.stop()


@pytest.mark.parametrize("policy", list(ExternalDeletionPolicy))
@pytest.mark.parametrize("world", WORLDS[:3])
async def test_what_somebody_deletes_is_lost_when_it_is_gone(world, policy):
    bench = await running(world)
    stored = bench.apply("a", external_deletion_policy=policy)
    await asyncio.sleep(60)
    [workload] = bench.runai.live()
    bench.runai.world.delete(workload, bench.now())
    bench.kube.touch(stored, token="look")
    bench.engine.observe("MODIFIED", stored.meta())
    await asyncio.sleep(SLOW - 20)
    assert reason(stored) != "DeletedExternally"
    assert len(bench.runai.world.creates) == 1

    await asyncio.sleep(400)
    recreates = policy is ExternalDeletionPolicy.RECREATE
    assert reason(stored) == ("Running" if recreates else "DeletedExternally")
    assert len(bench.runai.world.creates) == (2 if recreates else 1)
    await bench.stop()


@pytest.mark.parametrize("world", WORLDS)
async def test_an_orphan_stays_on_record_until_it_is_gone(world):
    bench = await running(world)
    bench.apply("a")
    await asyncio.sleep(60)
    await bench.stop()
    [workload] = bench.runai.live()
    mark = OwnerMark("i", "ns", "a", next(iter(bench.kube.objects.values())).ref.uid)
    orphan = Orphan(mark, "a", "1", "team-a", workload.id, "RunaiUnavailable", in_doubt=False)
    bench.kube.orphans[mark.uid] = orphan
    bench.kube.objects.clear()
    client = bench.runai.client(bench.chance)
    cleaner = Cleaner(bench.kube.client(bench.chance), client, access=Access(), clock=bench.loop.time)

    assert "deletion requested" in str(await cleaner.clean(orphan))
    await asyncio.sleep(SLOW - 5)
    assert "run this again" in str(await cleaner.clean(orphan))
    assert bench.kube.orphans

    await asyncio.sleep(30)
    assert "gone from Run:ai" in str(await cleaner.clean(orphan))
    assert bench.kube.orphans == {}
