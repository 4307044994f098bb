"""Workloads in another project than the spec names: somebody moved them, or they were only observed there."""

from __future__ import annotations

import asyncio

import pytest

from fakes.bench import RUNS_ON, Bench, ready, reason, standing
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
