"""A cluster whose etcd was restored from a snapshot: UIDs stay, and status is older than what Run:ai holds."""

from __future__ import annotations

import asyncio
import copy

import pytest

from fakes.bench import RUNS_ON, Bench, ready, reason, standing
from runai_operator.domain.model import RecreatePolicy

pytestmark = pytest.mark.looptime

OF_OTHER_KIND = {**RUNS_ON, "kind": "StatefulSet"}
SCALED = {**RUNS_ON, "spec": {"replicas": 9}}


def snapshot(stored):
    return copy.deepcopy((stored.spec, stored.generation, stored.status, stored.finalizers))


async def restored(bench, stored, before):
    await bench.stop()
    stored.spec, stored.generation, stored.status, stored.finalizers = copy.deepcopy(before)
    bench.kube.touch(stored)
    await bench.start()


@pytest.mark.parametrize("deleted", [True, False])
async def test_what_was_made_after_the_snapshot_is_found(deleted):
    async with Bench().started() as bench:
        stored = bench.apply("j", recreate_policy=RecreatePolicy.ON_IMMUTABLE_CHANGE)
        await asyncio.sleep(30)
        before = snapshot(stored)
        bench.edit(stored, manifest=OF_OTHER_KIND)
        await asyncio.sleep(60)
        [made] = standing(bench)
        assert stored.status["workloadId"] == made.id
        await restored(bench, stored, before)
        if deleted:
            await asyncio.sleep(5)
            bench.delete(stored)
            await asyncio.sleep(900)
            assert bench.kube.objects == {}
            assert standing(bench) == [] or bench.kube.orphans
        else:
            await asyncio.sleep(900)
            assert reason(stored) != "DeletedExternally", (ready(stored), "but it runs under our mark")


async def test_a_reading_that_was_asked_for_shows_that_runai_holds_another_manifest():
    async with Bench().started() as bench:
        stored = bench.apply("j")
        await asyncio.sleep(30)
        before = snapshot(stored)
        bench.edit(stored, manifest=SCALED)
        await asyncio.sleep(60)
        [made] = standing(bench)
        assert made.manifest["spec"] == {"replicas": 9}
        await restored(bench, stored, before)
        await asyncio.sleep(60)
        bench.kube.touch(stored, token="look")
        bench.engine.observe("MODIFIED", stored.meta())
        await asyncio.sleep(60)
        assert stored.status["lastHandledReconcileAt"] == "look"
        assert made.manifest["spec"] == RUNS_ON["spec"]
