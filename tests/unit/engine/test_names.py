"""Names that are taken in Run:ai, in virtual time: who waits for one is told when it is free."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from fakes.bench import RUNS_ON, WORLD, Bench, ready, reason, standing
from fakes.chance import Mishap
from runai_operator.domain.model import DeletionPolicy, RecreatePolicy

pytestmark = pytest.mark.looptime

OF_OTHER_KIND = {**RUNS_ON, "kind": "StatefulSet"}


async def two_of_a_name(bench):
    """The holder of a name, and who wants it; the second was refused long ago."""
    holder = bench.apply("holder", name="shared", recreate_policy=RecreatePolicy.ON_IMMUTABLE_CHANGE)
    await asyncio.sleep(30)
    second = bench.apply("second", name="shared")
    await asyncio.sleep(120)
    assert (reason(holder), reason(second)) == ("Running", "NameTaken")
    return holder, second


async def test_whoever_wants_the_name_of_what_a_moved_object_left_behind_is_told_how_to_get_it():
    """The object was moved to another namespace; its old self is gone, and left the workload in Run:ai."""
    async with Bench().started() as bench:
        former = bench.apply("a", namespace="here", deletion_policy=DeletionPolicy.ORPHAN)
        await asyncio.sleep(30)
        bench.delete(former)
        await asyncio.sleep(5)
        stored = bench.apply("a", namespace="there")
        await asyncio.sleep(30)
        [workload] = bench.runai.live()
        assert reason(stored) == "NameTaken"
        assert f"spec.workloadId ({workload.id})" in ready(stored)["message"]

        bench.edit(stored, workload_id=workload.id)
        await asyncio.sleep(30)
        assert (reason(stored), bench.runai.live()) == ("Running", [workload])


async def test_a_name_that_our_own_deletion_frees_is_used_at_once(bench):
    holder, second = await two_of_a_name(bench)
    bench.delete(holder)
    await asyncio.sleep(20)

    assert reason(second) == "Running"


async def test_a_name_that_our_own_recreation_under_another_frees_is_used_at_once(bench):
    holder, second = await two_of_a_name(bench)
    bench.edit(holder, name="another")
    await asyncio.sleep(30)

    assert (reason(holder), reason(second)) == ("Running", "Running")


async def test_a_name_that_a_stranger_frees_is_used_soon(bench):
    theirs = bench.runai.world.create({"name": "shared", "projectId": "1"}, RUNS_ON, bench.now())
    await asyncio.sleep(30)
    second = bench.apply("second", name="shared")
    await asyncio.sleep(120)
    assert reason(second) == "NameTaken"
    bench.runai.world.delete(theirs, bench.now())
    await asyncio.sleep(30)

    assert reason(second) == "Running"


async def test_a_name_in_another_project_wakes_nobody(bench):
    _, second = await two_of_a_name(bench)
    other = bench.apply("other", name="shared", project_id="2")
    await asyncio.sleep(30)
    assert reason(other) == "Running"
    posts = bench.runai.calls["create"]
    bench.delete(other)
    await asyncio.sleep(120)

    assert reason(second) == "NameTaken"
    assert bench.runai.calls["create"] == posts


async def test_a_name_that_stays_taken_after_its_deletion_is_tried_a_few_times_only():
    """The lists show each deletion for a minute."""
    bench = Bench(replace(WORLD, name_blocked_for=600))
    await bench.start()
    holder, second = await two_of_a_name(bench)
    posts, writes = bench.runai.calls["create"], bench.kube.writes
    bench.delete(holder)
    await asyncio.sleep(550)
    assert reason(second) in ("NameTaken", "WaitingForName")
    assert bench.runai.calls["create"] - posts <= 50
    assert bench.kube.writes - writes <= 20

    await asyncio.sleep(2400)
    assert reason(second) == "Running"
    await bench.stop()


async def test_a_holder_that_cannot_be_read_is_looked_at_ever_more_rarely_and_its_end_is_used_soon():
    """Where lists have other ids than readings, what an interrupted attempt made cannot be told from a stranger's."""
    bench = Bench(replace(WORLD, ids_equal=False))
    await bench.start()
    stored = []
    for name in "abcde":
        bench.chance.named["create"] = Mishap.LOST_AFTER
        stored.append(bench.apply(name))
        await asyncio.sleep(10)
    await asyncio.sleep(1800)
    assert {reason(each) for each in stored} == {"HolderUnreadable"}
    attempts = bench.runai.calls["create"]
    await asyncio.sleep(3600)
    assert 0 < bench.runai.calls["create"] - attempts <= 40 * len(stored)

    for holder in bench.runai.live():
        bench.runai.world.delete(holder, bench.now())
    await asyncio.sleep(60)
    assert {reason(each) for each in stored} == {"Running"}
    await bench.stop()


@pytest.mark.parametrize("name", ["my.job", "2nd"])
async def test_nothing_is_deleted_to_be_replaced_by_what_can_have_no_name(name):
    """An object that adopts needs no name that Run:ai takes, until its workload is replaced."""
    async with Bench().started() as bench:
        x = bench.runai.world.create({"name": "x", "projectId": "1"}, {**RUNS_ON, "metadata": {}}, bench.now())
        await asyncio.sleep(10)
        stored = bench.apply(name, workload_id=x.id, recreate_policy=RecreatePolicy.ON_IMMUTABLE_CHANGE)
        await asyncio.sleep(30)
        assert reason(stored) == "Running"
        bench.edit(stored, manifest=OF_OTHER_KIND)
        await asyncio.sleep(60)
        assert standing(bench) == [x], ([each.name for each in standing(bench)], ready(stored))


async def test_nothing_is_deleted_to_be_replaced_under_a_name_that_somebody_else_has():
    async with Bench().started() as bench:
        x, theirs = (
            bench.runai.world.create({"name": name, "projectId": "1"}, {**RUNS_ON, "metadata": {}}, bench.now())
            for name in ("x", "j")
        )
        await asyncio.sleep(10)
        stored = bench.apply("j", workload_id=x.id, recreate_policy=RecreatePolicy.ON_IMMUTABLE_CHANGE)
        await asyncio.sleep(30)
        assert reason(stored) == "Running"
        bench.edit(stored, manifest=OF_OTHER_KIND)
        await asyncio.sleep(60)
        assert standing(bench) == [x, theirs], ([each.name for each in standing(bench)], ready(stored))
