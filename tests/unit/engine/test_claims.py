"""One workload, two objects that name it: it is never changed by more than one of them, whatever Run:ai shows of marks."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from fakes.bench import RUNS_ON, WORLD, Bench, ready, standing
from fakes.chance import Mishap
from runai_operator.domain.model import DeletionPolicy, ManagementPolicy, Spec

pytestmark = pytest.mark.looptime

OTHER = {**RUNS_ON, "spec": {"replicas": 9}}


@pytest.fixture(
    params=[{}, {"raw_manifest_echo": False}, {"raw_annotations": False}], ids=["marks", "no echo", "no annotations"]
)
async def bench(request):
    async with Bench(replace(WORLD, **request.param)).started() as bench:
        yield bench


def somebody_makes(bench, name):
    return bench.runai.world.create({"name": name, "projectId": "1"}, {**RUNS_ON, "metadata": {}}, bench.now())


def sent_to(bench, workload):
    return [method for method, subject in bench.runai.writes if method != "POST" and subject is workload]


@pytest.mark.parametrize("adopted", [False, True])
@pytest.mark.parametrize("restarted", [False, True])
async def test_what_another_object_submitted_or_adopted_is_not_adopted(bench, adopted, restarted):
    named = {"workload_id": somebody_makes(bench, "prod").id} if adopted else {}
    await asyncio.sleep(10)
    first = bench.apply("first", namespace="theirs", **named)
    await asyncio.sleep(30)
    [workload] = standing(bench)
    assert first.status["workloadId"] == workload.id
    sent = sent_to(bench, workload)
    if restarted:
        await bench.start()
    second = bench.apply("second", workload_id=workload.id, manifest=OTHER)
    await asyncio.sleep(30)

    assert ready(second)["reason"] == "ManagedByOther"
    assert "theirs/first" in ready(second)["message"]
    assert "workloadId" not in second.status
    await bench.start()
    await asyncio.sleep(7200)
    bench.delete(second)
    await asyncio.sleep(60)

    assert list(bench.kube.objects.values()) == [first]
    assert sent_to(bench, workload) == sent
    assert (workload.deleted, ready(first)["reason"]) == (None, "Running")


async def test_of_two_that_adopt_the_same_at_the_same_moment_one_does(bench):
    workload = somebody_makes(bench, "prod")
    await asyncio.sleep(10)
    both = [bench.apply(f"x{number}", workload_id=workload.id) for number in range(2)]
    await asyncio.sleep(30)

    assert sent_to(bench, workload) == ["PUT"]
    assert sorted(ready(stored)["reason"] for stored in both) == ["ManagedByOther", "Running"]


async def test_what_another_object_may_have_adopted_is_not_adopted(bench):
    workload = somebody_makes(bench, "prod")
    await asyncio.sleep(10)
    bench.chance.named["update"] = Mishap.LOST_AFTER
    first = bench.apply("first", workload_id=workload.id)
    await asyncio.sleep(0.1)
    second = bench.apply("second", workload_id=workload.id, manifest=OTHER)
    await asyncio.sleep(120)

    assert (ready(first)["reason"], ready(second)["reason"]) == ("Running", "ManagedByOther")
    assert workload.manifest["spec"] == RUNS_ON["spec"]


@pytest.mark.parametrize("how", ["observes it", "observes it from now on", "was refused", "let it go"])
async def test_who_does_not_have_a_workload_keeps_nobody_from_adopting_it(bench, how):
    workload = somebody_makes(bench, "prod")
    await asyncio.sleep(10)
    if how == "was refused":
        first = bench.apply("first", workload_id=workload.id, manifest={**RUNS_ON, "kind": "StatefulSet"})
    else:
        first = bench.apply("first", workload_id=workload.id, deletion_policy=DeletionPolicy.ORPHAN)
        if how == "observes it":
            bench.edit(first, management_policy=ManagementPolicy.OBSERVE)
    await asyncio.sleep(30)
    if how == "observes it from now on":
        bench.edit(first, management_policy=ManagementPolicy.OBSERVE)
        await asyncio.sleep(30)
    if how == "let it go":
        bench.delete(first)
        await asyncio.sleep(30)
    if how == "observes it from now on" and bench.runai.world.switches == WORLD:
        return  # its mark says whose it is
    await bench.start()
    second = bench.apply("second", workload_id=workload.id)
    await asyncio.sleep(60)

    assert ready(second)["reason"] == "Running"


async def test_what_was_observed_is_not_adopted_while_another_object_has_it(bench):
    first = bench.apply("first")
    await asyncio.sleep(30)
    [workload] = standing(bench)
    second = bench.apply("second", workload_id=workload.id, management_policy=ManagementPolicy.OBSERVE)
    await asyncio.sleep(30)
    bench.edit(second, management_policy=ManagementPolicy.MANAGE)
    await asyncio.sleep(4000)
    assert ready(second)["reason"] == "ManagedByOther"
    bench.delete(second)
    await asyncio.sleep(60)

    assert sent_to(bench, workload) == []
    assert list(bench.kube.objects.values()) == [first]


async def test_an_adoption_that_a_crash_left_in_doubt_comes_before_a_newcomer(bench):
    workload = somebody_makes(bench, "prod")
    await asyncio.sleep(10)
    bench.chance.named["update"] = Mishap.CRASH_AFTER
    first = bench.apply("first", workload_id=workload.id)
    await asyncio.sleep(1)
    await bench.stop()
    second = bench.kube.create("aa", "second", Spec(manifest=OTHER, project_id="1", workload_id=workload.id))
    await bench.start()
    await asyncio.sleep(120)

    assert (ready(first)["reason"], ready(second)["reason"]) == ("Running", "ManagedByOther")
    assert workload.manifest["spec"] == RUNS_ON["spec"]
