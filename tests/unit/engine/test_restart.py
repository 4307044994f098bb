"""A restart in virtual time: what was owed is carried on from what status says, and what is at rest costs nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from fakes.bench import RUNS_ON, WORLD, Bench, ready, standing
from fakes.chance import Mishap
from runai_operator.domain.conditions import condition
from runai_operator.domain.errors import InvalidWorkload
from runai_operator.domain.model import (
    ExternalDeletionPolicy,
    ManagementPolicy,
    RecreatePolicy,
    RerunPolicy,
    SourceRef,
    SourceText,
)
from runai_operator.domain.requeue import SLOW_PROBE

pytestmark = pytest.mark.looptime

JOB = {"apiVersion": "batch/v1", "kind": "Job", "spec": {}}
TWO = {**RUNS_ON, "spec": {"replicas": 2}}


def puts(bench):
    return [method for method, _ in bench.runai.writes].count("PUT")


async def settled(bench, **spec):
    stored = bench.apply("w", **spec)
    await asyncio.sleep(60)
    assert ready(stored)["status"] == "True"
    return stored


# --- what is owed


@pytest.mark.parametrize("recovers", ["before the restart", "after the restart"])
async def test_an_edit_that_an_outage_held_back_is_delivered(bench, recovers):
    stored = await settled(bench)
    bench.chance.down = True
    bench.edit(stored, manifest=TWO)
    await asyncio.sleep(120)
    assert condition(stored.status, "Synced")["reason"] == "NotDelivered"

    await bench.start()
    if recovers == "after the restart":
        bench.chance.down = True
        await asyncio.sleep(120)
        assert puts(bench) == 0
        bench.chance.down = False
    await asyncio.sleep(60)

    assert bench.runai.live()[0].manifest["spec"] == {"replicas": 2}
    assert puts(bench) == 1
    assert ready(stored)["reason"] == "Running"


async def test_trouble_that_the_last_process_showed_is_taken_back(bench):
    """Nothing is owed to Run:ai; what is owed is the truth."""
    stored = await settled(bench)
    bench.chance.down = True
    bench.engine.read_due(stored.ref.uid)
    await asyncio.sleep(90)
    assert condition(stored.status, "Synced")["status"] == "Unknown"

    await bench.start()
    await asyncio.sleep(30)

    assert condition(stored.status, "Synced")["status"] == "True"


async def test_trouble_beside_a_failure_is_taken_back_as_soon(bench):
    """The failure needs a person, the trouble does not."""
    stored = await settled(bench)
    bench.runai.world.set_phase(bench.runai.live()[0], "Failed", "out of memory", bench.now())
    await asyncio.sleep(30)
    bench.chance.down = True
    bench.engine.read_due(stored.ref.uid)
    await asyncio.sleep(90)
    assert condition(stored.status, "Synced")["status"] == "Unknown"

    await bench.start()
    await asyncio.sleep(30)

    assert ready(stored)["reason"] == "Failed"
    assert condition(stored.status, "Synced")["status"] == "True"


async def test_a_refused_edit_is_tried_again_now_and_then(bench):
    stored = await settled(bench)

    def refuse(method, subject):
        raise InvalidWorkload("The quota does not allow it.")

    bench.runai.allow = refuse
    bench.edit(stored, manifest=TWO)
    await asyncio.sleep(30)
    assert condition(stored.status, "Stalled") is not None

    await bench.start()
    await asyncio.sleep(4 * SLOW_PROBE)
    assert 3 <= bench.runai.calls["update"] <= 7, "one by the process before, and one each half hour, more or less"

    bench.runai.allow = lambda method, subject: None
    await bench.start()
    await asyncio.sleep(1.25 * SLOW_PROBE)

    assert puts(bench) == 1
    assert ready(stored)["reason"] == "Running"


REPLACED = [
    pytest.param(
        RUNS_ON,
        {"recreate_policy": RecreatePolicy.ON_IMMUTABLE_CHANGE},
        lambda bench, stored: bench.edit(stored, preemptibility="preemptible"),
        id="an immutable field changes",
    ),
    pytest.param(
        JOB,
        {"rerun_policy": RerunPolicy.ON_SPEC_CHANGE},
        lambda bench, stored: bench.edit(stored, manifest={**JOB, "spec": {"x": 2}}),
        id="finished work is edited",
    ),
]


@pytest.mark.parametrize(("manifest", "policy", "happens"), REPLACED)
async def test_a_replacement_that_waits_for_the_end_of_the_old_one_is_carried_on(manifest, policy, happens):
    bench = Bench(replace(WORLD, delete_time=200))
    await bench.start()
    stored = await settled(bench, manifest=manifest, **policy)
    [old] = standing(bench)
    happens(bench, stored)
    await asyncio.sleep(30)
    assert ready(stored)["reason"] == "Recreating"

    await bench.start()
    await asyncio.sleep(400)

    [new] = standing(bench)
    assert new is not old
    assert stored.status["workloadId"] == new.id
    assert ready(stored)["status"] == "True"
    assert len(bench.runai.world.creates) == 2
    await bench.stop()


async def test_a_recreation_that_waits_because_it_was_so_before_is_carried_on(bench):
    stored = await settled(bench, external_deletion_policy=ExternalDeletionPolicy.RECREATE)
    while ready(stored)["reason"] != "WaitingToRecreate":
        for workload in standing(bench):
            bench.runai.world.delete(workload, bench.now())
        await asyncio.sleep(1)
    made = len(bench.runai.world.creates)

    await bench.start()
    await asyncio.sleep(60)

    assert len(bench.runai.world.creates) == made + 1
    assert ready(stored)["reason"] == "Running"


async def test_a_source_that_changed_while_no_operator_ran_is_delivered_and_one_that_did_not_is_not(bench):
    for name in ("changed", "same"):
        bench.kube.sources[name] = SourceText("apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: 1}", "1")
        bench.apply(name, manifest=None, manifest_from=SourceRef("ConfigMap", name, "x.yaml"))
    await asyncio.sleep(60)
    await bench.stop()
    bench.kube.sources["changed"] = SourceText("apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: 5}", "2")
    bench.kube.sources["same"] = replace(bench.kube.sources["same"], version="2")

    await bench.start()
    await asyncio.sleep(30)

    assert {w.name: w.manifest["spec"]["replicas"] for w in bench.runai.live()} == {"changed": 5, "same": 1}
    assert puts(bench) == 1


async def test_a_sync_in_flight_is_followed_to_its_end(bench):
    await bench.stop()
    bench = Bench(replace(WORLD, sync_time=60))
    await bench.start()
    stored = bench.apply("w")
    await asyncio.sleep(20)
    assert ready(stored)["reason"] == "Syncing"

    await bench.start()
    await asyncio.sleep(180)

    assert ready(stored)["reason"] == "Running"
    await bench.stop()


@pytest.mark.parametrize("mishap", [Mishap.LOST_BEFORE, Mishap.LOST_AFTER])
async def test_an_attempt_in_doubt_is_resolved(bench, mishap):
    bench.chance.named["create"] = mishap
    stored = bench.apply("w")
    await asyncio.sleep(0.5)
    assert "workloadId" not in stored.status

    await bench.start()
    await asyncio.sleep(60)

    assert ready(stored)["reason"] == "Running"
    assert len(bench.runai.world.creates) == 1


async def test_a_paused_edit_waits_on_and_is_delivered_when_the_pause_ends_while_no_operator_runs(bench):
    stored = await settled(bench)
    bench.kube.touch(stored, paused=True)
    bench.edit(stored, manifest=TWO)
    await asyncio.sleep(10)
    assert ready(stored)["reason"] == "Paused"

    await bench.start()
    await asyncio.sleep(1800)
    assert puts(bench) == 0

    await bench.stop()
    bench.kube.touch(stored, paused=False)
    await bench.start()
    await asyncio.sleep(30)

    assert puts(bench) == 1
    assert ready(stored)["reason"] == "Running"


async def test_a_sync_in_flight_beside_a_pause_with_changes_is_shown_to_its_end():
    """Taking the pause away is an event, and the end of a sync is none."""
    bench = Bench(replace(WORLD, sync_time=60))
    await bench.start()
    stored = bench.apply("w")
    await asyncio.sleep(300)
    bench.edit(stored, manifest=TWO)
    await asyncio.sleep(5)
    bench.kube.touch(stored, paused=True)
    bench.edit(stored, manifest=RUNS_ON)
    await asyncio.sleep(2)
    assert (ready(stored)["reason"], stored.status["syncStatus"]) == ("Paused", "Queued")

    await bench.start()
    await asyncio.sleep(300)

    assert stored.status["syncStatus"] == "Synced"
    await bench.stop()


# --- what is at rest


def completes(bench):
    return bench.apply("w", manifest=JOB)


def observes(bench):
    theirs = bench.runai.world.create({"name": "theirs", "projectId": "1"}, RUNS_ON, bench.now())
    return bench.apply("w", workload_id=theirs.id, management_policy=ManagementPolicy.OBSERVE, manifest=None)


def pauses(bench):
    stored = bench.apply("w")

    def pause():
        bench.kube.touch(stored, paused=True)
        bench.engine.observe("MODIFIED", stored.meta())

    bench.loop.call_later(60, pause)
    return stored


@pytest.mark.parametrize(
    ("begin", "phase", "reason"),
    [
        pytest.param(completes, None, "Completed", id="completed"),
        pytest.param(lambda bench: bench.apply("w"), "Failed", "Failed", id="failed"),
        pytest.param(lambda bench: bench.apply("w"), None, "Running", id="running"),
        pytest.param(lambda bench: bench.apply("w"), "Stopped", "Stopped", id="stopped"),
        pytest.param(lambda bench: bench.apply("w"), "Degraded", "Degraded", id="degraded"),
        pytest.param(pauses, None, "Paused", id="paused with nothing outstanding"),
        pytest.param(observes, None, "Running", id="observed"),
    ],
)
async def test_what_is_at_rest_costs_no_call_of_its_own_and_no_write(bench, begin, phase, reason):
    stored = begin(bench)
    await asyncio.sleep(90)
    if phase is not None:
        bench.runai.world.set_phase(bench.runai.live()[0], phase, "as somebody wants it", bench.now())
        await asyncio.sleep(60)
    assert ready(stored)["reason"] == reason

    def spent():
        return bench.kube.writes, {name: count for name, count in bench.runai.calls.items() if name != "list"}

    before = spent()
    await bench.start()
    await asyncio.sleep(7200)

    assert spent() == before, "two hours, with a dozen lists of Kubernetes and hundreds of Run:ai"
