"""Workloads in another project than the spec names: somebody moved them, or they were only observed there."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from fakes.bench import RUNS_ON, WORLD, Bench, ready, reason, standing
from fakes.chance import Chance
from runai_operator.commands.cleaning import Cleaner
from runai_operator.domain.access import Access
from runai_operator.domain.model import ExternalDeletionPolicy, ManagementPolicy, RecreatePolicy

pytestmark = pytest.mark.looptime


@pytest.mark.parametrize("project", ["2", "1"])
async def test_what_is_created_instead_of_what_was_observed_is_in_the_project_of_the_spec(project):
    async with Bench().started() as bench:
        made = bench.runai.world.create({"name": "x", "projectId": project}, {**RUNS_ON, "metadata": {}}, bench.now())
        await asyncio.sleep(10)
        stored = bench.apply("j", workload_id=made.id, management_policy=ManagementPolicy.OBSERVE)
        await asyncio.sleep(30)
        assert reason(stored) == "Running"
        bench.edit(
            stored,
            workload_id=None,
            management_policy=ManagementPolicy.MANAGE,
            recreate_policy=RecreatePolicy.ON_IMMUTABLE_CHANGE,
        )
        await asyncio.sleep(60)
        assert [each.project.id for each in standing(bench) if each is not made] == ["1"], ready(stored)


async def test_what_is_created_again_is_in_the_project_of_the_spec_although_somebody_had_moved_it():
    async with Bench().started() as bench:
        stored = bench.apply("j", external_deletion_policy=ExternalDeletionPolicy.RECREATE)
        await asyncio.sleep(30)
        [ours] = standing(bench)
        ours.project = bench.runai.world.projects["2"]
        bench.kube.touch(stored, token="look")
        bench.engine.observe("MODIFIED", stored.meta())
        await asyncio.sleep(30)
        assert stored.status["projectId"] == "2"
        bench.runai.world.delete(ours, bench.now())
        await asyncio.sleep(120)
        assert [each.project.id for each in standing(bench)] == ["1"], ready(stored)


async def moved(bench, stored):
    await asyncio.sleep(30)
    assert reason(stored) == "Running"
    [ours] = standing(bench)
    ours.project = bench.runai.world.projects["2"]
    return ours


async def wiped(bench, stored):
    await bench.stop()
    stored.status = {"observedGeneration": -1}
    bench.kube.touch(stored)
    await bench.start()


@pytest.mark.parametrize("deleted", [False, True])
async def test_what_was_moved_is_found_again_after_status_was_wiped(deleted):
    async with Bench().started() as bench:
        stored = bench.apply("x")
        ours = await moved(bench, stored)
        await wiped(bench, stored)
        if deleted:
            bench.delete(stored)
            await asyncio.sleep(900)
            assert (standing(bench), bench.kube.objects) == ([], {})
        else:
            await asyncio.sleep(120)
            assert standing(bench) == [ours], [(each.name, each.project.id) for each in standing(bench)]
            assert reason(stored) == "Running"


async def test_what_was_adopted_and_moved_is_still_ours_after_status_was_wiped():
    async with Bench().started() as bench:
        x = bench.runai.world.create({"name": "x", "projectId": "1"}, {**RUNS_ON, "metadata": {}}, bench.now())
        await asyncio.sleep(10)
        stored = bench.apply("j", workload_id=x.id)
        await moved(bench, stored)
        await wiped(bench, stored)
        await asyncio.sleep(120)
        assert reason(stored) == "Running", ready(stored)


async def test_what_was_moved_and_left_behind_stays_on_record_where_no_mark_can_be_read():
    async with Bench(replace(WORLD, raw_annotations=False)).started(release_after=100, stalled_after=50) as bench:
        stored = bench.apply("x")
        ours = await moved(bench, stored)
        bench.chance.down = True
        bench.delete(stored)
        await asyncio.sleep(3600)
        assert bench.kube.objects == {}
        assert len(bench.kube.orphans) == 1
        cleaner = Cleaner(
            bench.kube.client(Chance()), bench.runai.client(Chance()), access=Access(), clock=bench.loop.time
        )
        [orphan] = bench.kube.orphans.values()
        said = await cleaner.clean(orphan)
        assert standing(bench) == [] or bench.kube.orphans, (str(said), ours.id)


@pytest.mark.parametrize("mark_shown", [True, False])
async def test_a_workload_that_somebody_moved_is_deleted_or_put_on_record(mark_shown):
    async with Bench(replace(WORLD, raw_annotations=mark_shown)).started() as bench:
        stored = bench.apply("x")
        await asyncio.sleep(30)
        [ours] = standing(bench)
        ours.project = bench.runai.world.projects["2"]
        await asyncio.sleep(60)
        bench.delete(stored)
        await asyncio.sleep(900)
        assert standing(bench) == [] or bench.kube.orphans or bench.kube.objects
