"""What some ask of the operator delays nobody else: how long it takes until a bystander's change is shown."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from fakes.bench import RUNS_ON, WORLD, UnevenBench
from runai_operator.domain.conditions import condition
from runai_operator.domain.errors import OutcomeUnknown, TooLarge, Unavailable, UnexpectedReply
from runai_operator.domain.model import RecreatePolicy
from runai_operator.engine.gate import CallClass

pytestmark = pytest.mark.looptime

LISTS, READS, WRITES, *_ = CallClass
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


async def test_nor_an_edit_in_another_project(bench):
    stored = await bystander_of(bench)
    bench.latency["create"] = 1.0
    for number in range(3000):
        bench.apply(f"w{number}")
    await asyncio.sleep(0.1)
    began = bench.loop.time()
    bench.edit(stored, manifest=EDITED)
    await asyncio.sleep(IN_TIME)

    assert bench.called("update", since=began) == 1
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
async def test_nor_a_status_of_an_object_that_is_large(each_takes):
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


@pytest.mark.parametrize("sick", ["projects", "names", "deleted ones"])
async def test_what_lists_are_asked_for_single_objects_holds_up_no_status_when_it_fails(bench, sick):
    """Those who wait for it take turns as the canary, and would leave none to the polls."""
    await bench.start(grace=60)
    made = [bench.apply(f"w{number}") for number in range(5)]
    await asyncio.sleep(400)
    if sick == "projects":
        bench.troubles["projects"] = down
        for number in range(6):
            bench.apply(f"new{number}", project_id=None, project_name=f"team-{'ab'[number % 2]}")
    elif sick == "names":
        bench.troubles |= {"find": down, "create": lambda: OutcomeUnknown("no answer")}
        for number in range(6):
            bench.apply(f"new{number}")
    else:
        bench.runai.distort = deleted_ones_cannot_be_read
        going = {each.status["workloadId"] for each in made[:3]}
        for workload in [each for each in bench.runai.live() if each.id in going]:
            bench.runai.world.delete(workload, bench.now())
    began = bench.loop.time()
    for phase in ("Degraded", "Running") * 3:
        await asyncio.sleep(300)
        assert condition(made[4].status, "Synced")["status"] == "True"
        assert await bench.shown_after(phase, made[4]) <= IN_TIME
    assert bench.calls_in_worst_minute(began) <= 75


def down():
    return Unavailable("HTTP 500")


@pytest.mark.parametrize("is_listed", [True, False])
async def test_objects_whose_workloads_were_deleted_cost_few_calls_at_rest(is_listed):
    bench = UnevenBench(replace(WORLD, deleted_list=is_listed))
    await bench.start(grace=60)
    made = [bench.apply(f"w{number}") for number in range(100)]
    await asyncio.sleep(400)
    for workload in bench.runai.live():
        bench.runai.world.delete(workload, bench.now())
    await asyncio.sleep(5400)
    assert {condition(stored.status, "Ready")["reason"] for stored in made} == {"DeletedExternally"}

    began = bench.loop.time()
    await asyncio.sleep(1200)
    probes = 100 * 1200 / 1800 * 3  # every half an hour, three calls each
    assert len([time for time, _ in bench.calls if time >= began]) <= 20 * 30 + probes
    await bench.stop()


def deleted_ones_cannot_be_read(query, page):
    if query.deleted:
        raise UnexpectedReply("a login page")
    return page
