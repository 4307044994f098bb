"""The whole engine before a Run:ai whose refusals do not look as documented: a 404 then proves nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from fakes.bench import RUNS_ON, WORLD, Bench
from runai_operator.domain.conditions import condition
from runai_operator.domain.model import DeletionPolicy, ExternalDeletionPolicy

pytestmark = pytest.mark.looptime


@pytest.fixture
async def bench():
    async with Bench(replace(WORLD, errors_documented=False)).started() as bench:
        yield bench


async def test_a_deletion_is_held_says_what_it_got_and_costs_little_until_a_person_decides(bench):
    stored, bystander = bench.apply("a"), bench.apply("b")
    await asyncio.sleep(60)
    bench.delete(stored)
    await asyncio.sleep(600)
    before = dict(bench.runai.calls)
    await asyncio.sleep(3600)

    shown = condition(stored.status, "Ready")
    assert shown["reason"] == "Deleting"
    assert "HTTP 404" in shown["message"]
    assert bench.runai.calls["get"] - before["get"] <= 60
    assert condition(bystander.status, "Ready")["status"] == "True"

    bench.edit(stored, deletion_policy=DeletionPolicy.ORPHAN)
    await asyncio.sleep(10)
    assert ("ns", "a") not in bench.kube.objects


async def test_nothing_is_made_again_because_of_it(bench):
    stored = bench.apply("a", external_deletion_policy=ExternalDeletionPolicy.RECREATE)
    await asyncio.sleep(60)
    [workload] = bench.runai.live()
    bench.runai.world.delete(workload, bench.now())
    await asyncio.sleep(3600)
    bench.edit(stored, manifest={**RUNS_ON, "spec": {"replicas": 2}})
    await asyncio.sleep(3600)

    assert [method for method, _ in bench.runai.writes] == ["POST"]
    assert bench.runai.live() == []
