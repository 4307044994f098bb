"""What some ask of the operator delays nobody else: how long it takes until a bystander's change is shown."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from fakes.bench import RUNS_ON, UnevenBench
from runai_operator.domain.conditions import condition
from runai_operator.domain.errors import OutcomeUnknown, TooLarge, Unavailable
from runai_operator.domain.model import RecreatePolicy
from runai_operator.engine.gate import CallClass

pytestmark = pytest.mark.looptime

LISTS, READS, WRITES = CallClass
IN_TIME = 7.0
"""A delta interval and two seconds."""
EDITED = {**RUNS_ON, "spec": {"replicas": 2}}


@pytest.fixture
async def bench():
    async with UnevenBench().started() as bench:
        yield bench


async def bystander_of(bench):
    stored = bench.apply("bystander", project_id="2")
    await asyncio.sleep(60)
    assert bench.ready() >= 1
    return stored


async def delays_of(bench, stored, changes):
    """Seconds until each of so many changes is shown."""
    delays = []
    for number in range(changes):
        delays.append(await bench.shown_after(("Degraded", "Running")[number % 2], stored))
        await asyncio.sleep(1)
    return delays


async def test_thousands_of_new_objects_of_one_project_delay_no_status_of_another(bench):
    stored = await bystander_of(bench)
    bench.latency["create"] = 1.0
    for number in range(3000):
        bench.apply(f"w{number}")
    await asyncio.sleep(0.1)

    delays = await delays_of(bench, stored, 6)

    print(f"3,000 new objects: shown after {max(delays):.1f} s at worst")
    assert max(delays) <= IN_TIME
    assert len(bench.runai.live()) < 3001, "it is still going on"


class LargeBench(UnevenBench):
    """Reading the bystander would hold up others."""

    def kube_access(self, chance):
        access = super().kube_access(chance)
        read = access.read

        async def sized(ref, *, large):
            if ref.name == "bystander":
                if not large:
                    raise TooLarge("The object has more than 256 KiB.")
                await asyncio.sleep(0.05)
            return await read(ref, large=large)

        access.read = sized
        return access


@pytest.mark.parametrize("each_takes", [1.0, 25.0])
async def test_nor_of_an_object_that_is_large(each_takes):
    async with LargeBench().started() as bench:
        stored = await bystander_of(bench)
        bench.latency["create"] = each_takes
        for number in range(3000):
            bench.apply(f"w{number}")
        await asyncio.sleep(0.1)

        delays = await delays_of(bench, stored, 20)

        assert max(delays) <= IN_TIME
        assert len(bench.runai.live()) < 3001, "it is still going on"


async def test_deletions_that_run_ai_cannot_finish_are_read_less_and_less_often_and_delay_nobody(bench):
    stored = await bystander_of(bench)
    made = [bench.apply(f"w{number}") for number in range(90)]
    await asyncio.sleep(200)
    bench.runai.world.switches = bench.runai.switches = replace(bench.runai.switches, cluster_connected=False)
    for each in made:
        bench.delete(each)
    await asyncio.sleep(10)
    delays = await delays_of(bench, stored, 6)
    await asyncio.sleep(1800)
    began = bench.loop.time()
    await asyncio.sleep(600)

    reads = bench.called("get", since=began)
    print(f"90 deletions that go on: {reads / 10:.0f} reads a minute; shown after {max(delays):.1f} s at worst")
    assert max(delays) <= IN_TIME
    assert reads <= 90 * 600 / 200, "each is read every five minutes, minus up to a quarter"
    assert {condition(each.status, "Ready")["reason"] for each in made} == {"Deleting"}


@pytest.mark.parametrize("kind", ["new ones", "edited ones"])
async def test_what_a_cluster_that_is_not_connected_keeps_in_flight_is_read_less_and_less_often(bench, kind):
    stored = await bystander_of(bench)
    made = [] if kind == "new ones" else [bench.apply(f"w{number}") for number in range(200)]
    await asyncio.sleep(60)
    bench.runai.world.switch({"cluster_connected": False}, bench.now())
    for each in made:
        bench.edit(each, manifest=EDITED)
    made = made or [bench.apply(f"w{number}") for number in range(200)]
    await asyncio.sleep(1800)
    assert {condition(each.status, "Ready")["reason"] for each in made} == {"Syncing"}
    began = bench.loop.time()
    await asyncio.sleep(600)

    reads = bench.called("get", since=began)
    print(f"200 {kind} in flight: {reads / 10:.0f} reads a minute")
    assert reads <= 200 * 600 / 300 + 200
    assert max(await delays_of(bench, stored, 4)) <= IN_TIME

    bench.runai.world.switch({"cluster_connected": True}, bench.now())
    await asyncio.sleep(60 if kind == "new ones" else 330)
    assert bench.ready() == 201


@pytest.mark.parametrize("kind", ["a deletion", "a recreation"])
async def test_the_end_of_a_long_deletion_is_noticed_in_the_list_of_the_deleted(bench, kind):
    stored = bench.apply("w", recreate_policy=RecreatePolicy.ON_IMMUTABLE_CHANGE)
    await asyncio.sleep(60)
    bench.runai.world.switches = bench.runai.switches = replace(
        bench.runai.switches, delete_time=3600, deleted_at_when_asked=False
    )
    if kind == "a deletion":
        bench.delete(stored)
    else:
        bench.edit(stored, name="other")
    await asyncio.sleep(3600 - 5)
    began, posts = bench.loop.time(), bench.called("create")

    def is_over():
        return not bench.kube.objects if kind == "a deletion" else bench.called("create") > posts

    while not is_over() and bench.loop.time() - began < 400:  # noqa: ASYNC110 - a fake's status
        await asyncio.sleep(0.25)
    assert bench.loop.time() - began <= 5 + IN_TIME + 2
    assert bench.called("get", since=began - 3000) <= 20


async def test_with_only_v2_down_a_bystanders_change_is_shown_in_time_whatever_waits(bench):
    stored = await bystander_of(bench)
    made = [bench.apply(f"w{number}") for number in range(200)]
    await asyncio.sleep(200)
    bench.troubles.update({READS: lambda: Unavailable("HTTP 503"), WRITES: lambda: OutcomeUnknown("HTTP 503")})
    for each in made:
        bench.edit(each, manifest=EDITED)
    delays = await delays_of(bench, stored, 6)
    await asyncio.sleep(590)
    delays += await delays_of(bench, stored, 10)  # while all are shown as stalled

    print(f"V2 down, 200 edits: shown after {max(delays):.1f} s at worst")
    assert max(delays) <= IN_TIME
    assert condition(stored.status, "Synced")["status"] == "True"
