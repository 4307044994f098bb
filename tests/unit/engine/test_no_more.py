"""A phase that is no more is not shown: what is gone, or another's, does not run as far as status says."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from fakes.bench import RUNS_ON, WORLD, Bench, UnevenBench
from fakes.runai import FakeRunaiAccess
from runai_operator.domain.errors import Unavailable
from runai_operator.domain.manifest import with_mark
from runai_operator.domain.model import (
    DEFAULT_CONNECTION,
    ExternalDeletionPolicy,
    ManagementPolicy,
    OwnerMark,
    RerunPolicy,
)
from runai_operator.domain.reasons import Reason
from runai_operator.engine.gate import CallClass

pytestmark = pytest.mark.looptime

OF_PODS = ("phase", "phaseMessage", "runningPods", "requestedPods", "allocatedGpus", "desiredPhase", "completedAt")


class Access(FakeRunaiAccess):
    """Its V2 reads fail while told."""

    def __init__(self, bench, chance):
        super().__init__(bench.runai, chance)
        self._bench = bench

    async def get(self, workload_id):
        if self._bench.reads_fail:
            raise Unavailable("HTTP 503")
        return await super().get(workload_id)


class WitnessBench(Bench):
    def __init__(self, world=WORLD):
        super().__init__(world)
        self.reads_fail = False

    def connections(self, chance):
        return {DEFAULT_CONNECTION: Access(self, chance)}


@pytest.fixture
async def bench():
    async with WitnessBench(replace(WORLD, list_lag=8)).started() as bench:
        yield bench


async def running(bench, **spec):
    stored = bench.apply("w", **spec)
    await asyncio.sleep(60)
    assert stored.status["phase"] == "Running"
    [workload] = bench.runai.live()
    return stored, workload


def shown(stored):
    return {key: stored.status[key] for key in OF_PODS if key in stored.status}


async def test_what_was_deleted_in_run_ai_does_not_run(bench):
    stored, workload = await running(bench)
    bench.runai.world.delete(workload, bench.now())
    await asyncio.sleep(30)

    assert stored.status["reason"] == Reason.DELETED_EXTERNALLY
    assert shown(stored) == {}


async def test_it_is_not_shown_again_while_lists_lag_and_reads_fail(bench):
    stored, workload = await running(bench)
    bench.runai.world.delete(workload, bench.now())
    await asyncio.sleep(30)
    bench.reads_fail = True
    row = replace(bench.engine.inventory.get(stored.ref.uid).row, phase="Running", running_pods=7)
    bench.engine.row_seen(DEFAULT_CONNECTION, row)  # from a replica that is behind
    await asyncio.sleep(10)

    assert shown(stored) == {}


async def test_what_carries_another_owners_mark_now_does_not_run_as_ours(bench):
    stored, workload = await running(bench)
    theirs = OwnerMark("other-install", "ns", "w", "uid-of-theirs")
    workload.manifest = with_mark(workload.manifest, name="w", mark=theirs)
    bench.edit(stored, manifest={**RUNS_ON, "spec": {"replicas": 2}})
    await asyncio.sleep(10)
    assert stored.status["reason"] == Reason.MANAGED_BY_OTHER
    assert shown(stored) == {}

    bench.runai.world.set_phase(workload, "Degraded", "theirs", bench.now())
    await asyncio.sleep(30)
    assert shown(stored) == {}


async def test_what_is_only_observed_runs_under_its_owners_mark(bench):
    owner, workload = await running(bench)
    observer = bench.apply(
        "observer",
        manifest=None,
        project_id=None,
        workload_id=workload.id,
        management_policy=ManagementPolicy.OBSERVE,
    )
    await asyncio.sleep(10)

    assert (observer.status["phase"], owner.status["phase"]) == ("Running", "Running")


async def test_what_was_observed_and_is_gone_does_not_run(bench):
    _, workload = await running(bench)
    observer = bench.apply(
        "observer",
        manifest=None,
        project_id=None,
        workload_id=workload.id,
        management_policy=ManagementPolicy.OBSERVE,
    )
    await asyncio.sleep(10)
    bench.runai.world.delete(workload, bench.now())
    await asyncio.sleep(30)

    assert shown(observer) == {}


async def test_what_replaces_it_does_not_run_before_it_does(bench):
    stored, workload = await running(bench, external_deletion_policy=ExternalDeletionPolicy.RECREATE)
    bench.runai.world.delete(workload, bench.now())
    seen = []
    for _ in range(300):
        await asyncio.sleep(0.1)
        if stored.status.get("workloadId") not in (None, workload.id):
            seen.append(stored.status.get("phase"))
            break

    assert seen == [None]


async def test_what_finished_and_is_gone_still_shows_its_end(bench):
    stored = bench.apply(
        "job", manifest={"apiVersion": "batch/v1", "kind": "Job", "spec": {}}, rerun_policy=RerunPolicy.NEVER
    )
    await asyncio.sleep(90)
    [workload] = bench.runai.live()
    bench.runai.world.delete(workload, bench.now())
    await asyncio.sleep(400)

    assert (stored.status["phase"], stored.status["reason"]) == ("Completed", "Completed")


async def test_nor_does_it_once_it_was_found_gone_when_it_cannot_be_read_any_more(bench):
    stored, workload = await running(bench, external_deletion_policy=ExternalDeletionPolicy.RECREATE)
    bench.kube.touch(stored, paused=True)
    bench.engine.observe("MODIFIED", stored.meta())
    bench.runai.world.delete(workload, bench.now())
    await asyncio.sleep(60)
    assert shown(stored) == {}
    bench.reads_fail = True
    bench.edit(stored, priority="low")
    await asyncio.sleep(30)
    assert shown(stored) == {}
    bench.delete(stored)
    await asyncio.sleep(30)
    assert stored.status["reason"] == "Deleting"
    assert shown(stored) == {}


@pytest.mark.parametrize("restarted", [True, False])
async def test_what_was_deleted_during_a_pause_is_created_again_when_that_ends(bench, restarted):
    """It used to wait for the sweep of the lists, and to be shown as being deleted until then."""
    stored, workload = await running(bench, external_deletion_policy=ExternalDeletionPolicy.RECREATE)
    bench.kube.touch(stored, paused=True)
    bench.engine.observe("MODIFIED", stored.meta())
    bench.runai.world.delete(workload, bench.now())
    await asyncio.sleep(200)
    if restarted:
        await bench.start()
    bench.kube.touch(stored, paused=False)
    bench.engine.observe("MODIFIED", stored.meta())
    await asyncio.sleep(20)

    assert stored.status["reason"] == "Running"
    assert [each is workload for each in bench.runai.live()] == [False]


async def test_who_only_observes_what_was_deleted_is_not_advised_to_create_it_again(bench):
    stored, workload = await running(bench)
    observer = bench.apply(
        "observer", manifest=None, workload_id=workload.id, management_policy=ManagementPolicy.OBSERVE
    )
    bench.delete(stored)
    await asyncio.sleep(400)

    assert observer.status["reason"] == "DeletedExternally"
    message = next(entry["message"] for entry in observer.status["conditions"] if entry["type"] == "Ready")
    assert "externalDeletionPolicy" not in message.partition("(docs/")[0]
    assert "spec.workloadId" in message


async def test_where_run_ai_wanted_it_before_it_was_stopped_or_resumed_is_not_shown(bench):
    stored, workload = await running(bench)
    assert stored.status["desiredPhase"] == "Running"

    bench.runai.world.stop(workload, bench.now())
    await asyncio.sleep(60)
    assert stored.status["phase"] == "Stopped"
    assert stored.status.get("desiredPhase") in (None, "Stopped")

    bench.kube.touch(stored, token="read it")
    bench.engine.observe("MODIFIED", stored.meta())
    await asyncio.sleep(5)
    assert stored.status["desiredPhase"] == "Stopped"

    bench.runai.world.resume(workload, bench.now())
    await asyncio.sleep(60)
    assert stored.status["phase"] == "Running"
    assert stored.status.get("desiredPhase") in (None, "Running")


async def test_who_only_observes_what_was_deleted_shows_no_phase_of_it_again_while_nothing_can_be_read():
    async with UnevenBench().started() as bench:
        _, workload = await running(bench)
        observer = bench.apply(
            "observer", manifest=None, workload_id=workload.id, management_policy=ManagementPolicy.OBSERVE
        )
        await asyncio.sleep(20)
        bench.runai.world.delete(workload, bench.now())
        await asyncio.sleep(200)
        assert observer.status["reason"] == "DeletedExternally"

        bench.troubles.update(dict.fromkeys(CallClass, lambda: Unavailable("HTTP 503")))
        bench.edit(observer, category="Train")
        await asyncio.sleep(60)

        assert observer.status.get("phase") is None
        assert observer.status.get("runningPods") is None
