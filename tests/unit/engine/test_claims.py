"""One workload, two objects that name it: it is never changed by more than one of them, whatever Run:ai shows of marks."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from fakes.bench import RUNS_ON, WORLD, Bench, UnevenBench, ready, standing
from fakes.chance import Mishap
from runai_operator.domain.model import (
    FINALIZER,
    DeletionPolicy,
    ManagementPolicy,
    RerunPolicy,
    SourceRef,
    SourceText,
    Spec,
)

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


@pytest.mark.parametrize("by_id_first", [True, False])
async def test_of_two_that_want_what_a_former_object_left_behind_by_id_and_by_its_name_one_gets_it(by_id_first):
    async with UnevenBench().started() as bench:
        former = bench.apply("a", deletion_policy=DeletionPolicy.ORPHAN)
        await asyncio.sleep(30)
        bench.delete(former)
        await asyncio.sleep(3)
        [workload] = standing(bench)
        bench.latency["update"] = 2.0
        both = []
        for by_id in (by_id_first, not by_id_first):
            both.append(bench.apply("b", workload_id=workload.id) if by_id else bench.apply("a"))
            await asyncio.sleep(0.5)
        await asyncio.sleep(60)

        assert sent_to(bench, workload) == ["PUT"]
        assert standing(bench) == [workload]
        assert sorted(ready(stored)["reason"] for stored in both) == ["ManagedByOther", "Running"]


@pytest.mark.parametrize("policy", list(RerunPolicy))
@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("restarted", [True, False])
async def test_finished_work_that_another_object_has_taken_over_is_not_its_former_owners_name_sakes(
    bench, policy, same, restarted
):
    """It goes on carrying the mark of the former owner."""
    job = {"apiVersion": "batch/v1", "kind": "Job", "spec": {}}
    former = bench.apply("a", manifest=job, deletion_policy=DeletionPolicy.ORPHAN)
    await asyncio.sleep(90)
    bench.delete(former)
    await asyncio.sleep(3)
    [workload] = standing(bench)
    taken = bench.apply("b", manifest=job, workload_id=workload.id)
    await asyncio.sleep(30)
    assert ready(taken)["reason"] == "Completed"
    if restarted:
        await bench.start()
    again = bench.apply("a", manifest=job if same else {**job, "spec": {"text": "other"}}, rerun_policy=policy)
    await asyncio.sleep(120)

    assert workload.deleted is None
    assert ready(again)["reason"] in ("ManagedByOther", "NameTaken")
    bench.delete(again)
    await asyncio.sleep(60)
    assert standing(bench) == [workload]
    assert ready(taken)["reason"] == "Completed"


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


@pytest.mark.parametrize("why", ["paused", "deleted while paused", "without its source", "refused"])
@pytest.mark.parametrize("meanwhile", [False, True])
async def test_an_adoption_that_a_crash_left_in_doubt_keeps_others_out_although_it_cannot_go_on(bench, why, meanwhile):
    """`meanwhile`: the other one comes while no operator runs."""
    workload = somebody_makes(bench, "prod")
    await asyncio.sleep(10)
    source = SourceRef("ConfigMap", "content", "manifest.yaml")
    bench.kube.sources[source.name] = SourceText(json.dumps(RUNS_ON), "1", "uid")
    bench.chance.named["update"] = Mishap.CRASH_AFTER
    first = bench.apply("first", workload_id=workload.id, manifest=None, manifest_from=source)
    await asyncio.sleep(1)
    await bench.stop()
    assert (first.finalizers, "workloadId" in first.status) == ((FINALIZER,), False)
    first.paused = "paused" in why
    if why == "deleted while paused":
        bench.kube.delete(first)
    if why == "without its source":
        del bench.kube.sources[source.name]
    if why == "refused":
        bench.kube.sources[source.name] = SourceText("{}", "2", "uid")
    if meanwhile:
        second = bench.kube.create("a", "second", Spec(workload_id=workload.id, manifest=OTHER, project_id="1"))
        bench.kube.objects = dict(reversed(bench.kube.objects.items()))  # it is listed first
    await bench.start()
    await asyncio.sleep(60)
    if not meanwhile:
        second = bench.apply("second", workload_id=workload.id, manifest=OTHER)
    await asyncio.sleep(60)

    assert sent_to(bench, workload) == ["PUT"]
    assert ready(second)["reason"] == "ManagedByOther"
