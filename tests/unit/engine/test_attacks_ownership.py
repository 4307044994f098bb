"""Worlds in which the operator was led astray once: whose workload it is, how many there are, what is owed, what is true."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from fakes.bench import RUNS_ON, WORLD, Bench, ready, standing
from fakes.chance import Mishap
from runai_operator.domain.conditions import condition
from runai_operator.domain.model import ExternalDeletionPolicy, ManagementPolicy, RecreatePolicy, RerunPolicy

pytestmark = pytest.mark.looptime

JOB = {"apiVersion": "batch/v1", "kind": "Job", "spec": {}}


def somebody_makes(bench, name, manifest=RUNS_ON, *, project="1"):
    content = {**manifest, "metadata": {"name": name}}
    return bench.runai.world.create({"name": name, "projectId": project}, content, bench.now())


def sent_to(bench, workload):
    return [method for method, subject in bench.runai.writes if method != "POST" and subject is workload]


@pytest.mark.parametrize(
    "theirs", [{}, {"project": "2"}, {"manifest": JOB}], ids=["alike", "other project", "other kind"]
)
async def test_what_was_only_observed_is_not_taken_for_ours_when_the_spec_ceases_to_name_it(bench, theirs):
    workload = somebody_makes(bench, "prod", **theirs)
    await asyncio.sleep(30)
    stored = bench.apply("x", workload_id=workload.id, management_policy=ManagementPolicy.OBSERVE)
    await asyncio.sleep(30)
    assert stored.status["workloadId"] == workload.id

    bench.edit(
        stored,
        workload_id=None,
        management_policy=ManagementPolicy.MANAGE,
        recreate_policy=RecreatePolicy.ON_IMMUTABLE_CHANGE,
    )
    await asyncio.sleep(60)

    [ours] = [each for each in standing(bench) if each is not workload]
    assert stored.status["workloadId"] == ours.id
    bench.delete(stored)
    await asyncio.sleep(60)
    assert bench.kube.objects == {}
    assert sent_to(bench, workload) == []
    assert standing(bench) == [workload]


@pytest.mark.parametrize("policy", list(RecreatePolicy))
async def test_naming_its_own_workload_in_the_spec_changes_nothing_in_runai(bench, policy):
    stored = bench.apply("x", recreate_policy=policy)
    await asyncio.sleep(30)
    [ours] = standing(bench)

    bench.edit(stored, workload_id=ours.id)
    await asyncio.sleep(60)

    assert sent_to(bench, ours) == []
    assert ready(stored)["reason"] == "Running"

    bench.edit(stored, management_policy=ManagementPolicy.OBSERVE)
    await asyncio.sleep(60)
    bench.edit(stored, management_policy=ManagementPolicy.MANAGE)
    await asyncio.sleep(60)

    assert standing(bench) == [ours]
    assert ready(stored)["reason"] == "Running"


@pytest.mark.parametrize("observed", [False, True])
async def test_its_own_workload_named_in_the_spec_is_created_again_if_it_was_deleted_meanwhile(bench, observed):
    """It used to be looked for in vain, as if it had still to be adopted."""
    stored = bench.apply("x", external_deletion_policy=ExternalDeletionPolicy.RECREATE)
    await asyncio.sleep(30)
    [old] = standing(bench)
    if observed:
        bench.edit(stored, workload_id=old.id, management_policy=ManagementPolicy.OBSERVE)
        await asyncio.sleep(30)
    await bench.stop()
    bench.kube.edit(stored, replace(stored.spec, workload_id=old.id, management_policy=ManagementPolicy.MANAGE))
    bench.runai.world.delete(old, bench.now())
    await asyncio.sleep(30)
    await bench.start()
    await asyncio.sleep(120)

    [new] = standing(bench)
    assert (ready(stored)["reason"], stored.status["workloadId"]) == ("Running", new.id)
    bench.edit(stored, priority="high")
    await asyncio.sleep(30)
    bench.delete(stored)
    await asyncio.sleep(60)
    assert standing(bench) == []


async def test_its_own_workload_named_in_the_spec_while_it_is_replaced_is_replaced_all_the_same():
    bench = Bench(replace(WORLD, delete_time=60))
    await bench.start()
    stored = bench.apply("x", recreate_policy=RecreatePolicy.ON_IMMUTABLE_CHANGE)
    await asyncio.sleep(30)
    bench.edit(stored, preemptibility="preemptible")
    await asyncio.sleep(5)
    bench.edit(stored, workload_id=stored.status["workloadId"])
    await asyncio.sleep(10)
    assert ready(stored)["reason"] == "Recreating"
    await asyncio.sleep(300)

    [new] = standing(bench)
    assert (ready(stored)["reason"], stored.status["workloadId"]) == ("Running", new.id)
    await bench.stop()


async def test_its_own_workload_named_in_the_spec_is_deleted_where_no_mark_is_shown():
    bench = Bench(replace(WORLD, raw_annotations=False))
    await bench.start()
    stored = bench.apply("x")
    await asyncio.sleep(30)
    await bench.stop()
    bench.kube.edit(stored, replace(stored.spec, workload_id=standing(bench)[0].id))
    bench.kube.delete(stored)
    await bench.start()
    await asyncio.sleep(60)

    assert bench.kube.objects == {}
    assert standing(bench) == []
    await bench.stop()


async def test_observing_after_a_replaced_adoption_shows_the_workload_that_there_is(bench):
    old = somebody_makes(bench, "prod")
    await asyncio.sleep(30)
    stored = bench.apply("x", workload_id=old.id, recreate_policy=RecreatePolicy.ON_IMMUTABLE_CHANGE)
    await asyncio.sleep(30)
    bench.edit(stored, preemptibility="preemptible")
    await asyncio.sleep(60)
    [new] = standing(bench)
    assert new is not old

    bench.edit(stored, management_policy=ManagementPolicy.OBSERVE)
    await asyncio.sleep(60)

    assert stored.status["workloadId"] == new.id
    assert ready(stored)["reason"] == "Running"


async def test_a_rerun_whose_id_took_two_writes_to_record_does_not_get_the_end_of_the_run_before():
    bench = Bench(replace(WORLD, run_time=300))
    await bench.start()
    stored = bench.apply("j", manifest=JOB, rerun_policy=RerunPolicy.ON_SPEC_CHANGE)
    await asyncio.sleep(400)
    assert ready(stored)["reason"] == "Completed"

    bench.chance.meanwhile["create"] = lambda: bench.kube.touch(stored)
    bench.edit(stored, manifest={**JOB, "spec": {"x": 2}})
    await asyncio.sleep(60)

    [running] = standing(bench)
    assert stored.status["workloadId"] == running.id
    assert condition(stored.status, "Completed") is None
    assert ready(stored)["reason"] == "Running"
    await bench.stop()


@pytest.mark.parametrize("undone", [1, 30])
async def test_an_immutable_change_that_is_undone_while_the_old_workload_goes_still_ends_with_one(undone):
    bench = Bench(replace(WORLD, delete_time=60))
    await bench.start()
    stored = bench.apply("x", recreate_policy=RecreatePolicy.ON_IMMUTABLE_CHANGE)
    await asyncio.sleep(30)
    bench.edit(stored, preemptibility="preemptible")
    await asyncio.sleep(undone)
    bench.edit(stored, preemptibility=None)
    await asyncio.sleep(300)

    assert len(standing(bench)) == 1
    assert ready(stored)["reason"] == "Running"
    await bench.stop()


@pytest.mark.parametrize("mishap", [Mishap.LOST_AFTER, Mishap.LOST_BEFORE])
@pytest.mark.parametrize("restarted", [False, True])
async def test_an_immutable_change_undone_after_the_answer_to_the_deletion_was_lost_ends_with_one(
    bench, mishap, restarted
):
    stored = bench.apply("x", recreate_policy=RecreatePolicy.ON_IMMUTABLE_CHANGE)
    await asyncio.sleep(30)
    bench.chance.named["delete"] = mishap
    bench.edit(stored, preemptibility="preemptible")
    await asyncio.sleep(0.3)
    assert "delete" not in bench.chance.named
    if restarted:
        await bench.stop()
        bench.kube.edit(stored, replace(stored.spec, preemptibility=None))
        await asyncio.sleep(30)
        await bench.start()
    else:
        bench.edit(stored, preemptibility=None)
    await asyncio.sleep(300)

    assert len(standing(bench)) == 1
    assert ready(stored)["reason"] == "Running"
    methods = [method for method, _ in bench.runai.writes]
    assert methods == (["POST", "DELETE", "POST"] if mishap is Mishap.LOST_AFTER else ["POST"])


async def test_a_workload_that_is_being_deleted_is_not_adopted(bench):
    bench.runai.world.switches = replace(WORLD, delete_time=300)
    workload = somebody_makes(bench, "prod")
    other = somebody_makes(bench, "other")
    await asyncio.sleep(30)
    bench.runai.world.delete(workload, bench.now())
    stored = bench.apply("x", workload_id=workload.id)
    await asyncio.sleep(900)

    assert sent_to(bench, workload) == []
    assert stored.status["submission"] == "NotSubmitted", "so that the id can be corrected"
    bench.edit(stored, workload_id=other.id)
    await asyncio.sleep(60)
    assert ready(stored)["reason"] == "Running"


async def test_a_late_event_of_an_earlier_object_of_the_name_does_not_hide_the_present_one(bench):
    earlier = bench.apply("x")
    await asyncio.sleep(30)
    bench.delete(earlier)
    await asyncio.sleep(60)
    bench.engine.observe("DELETED", earlier.meta())
    stored = bench.apply("x")
    await asyncio.sleep(30)

    bench.engine.observe(None, earlier.meta())
    await asyncio.sleep(1)
    bench.runai.world.set_phase(standing(bench)[0], "Degraded", "a pod restarts", bench.now())
    await asyncio.sleep(20)

    assert ready(stored)["reason"] == "Degraded"


async def test_an_exception_nobody_expected_stops_neither_the_engine_nor_the_neighbour():
    bench = Bench()
    await bench.start()
    victim, neighbour = bench.apply("victim"), bench.apply("neighbour")
    await asyncio.sleep(30)
    read = bench.engine._kube.read

    async def broken(ref, *, large):
        if ref == victim.ref:
            raise ValueError("an answer nobody has seen before")
        return await read(ref, large=large)

    bench.engine._kube.read = broken
    bench.edit(victim, priority="high")
    await asyncio.sleep(30)
    assert not bench.task.done()
    bench.edit(neighbour, priority="high")
    await asyncio.sleep(30)
    assert [each.priority for each in standing(bench) if each.name == "neighbour"] == ["high"]

    del bench.engine._kube.read
    await asyncio.sleep(600)
    assert [each.priority for each in standing(bench)] == ["high", "high"]
    await bench.stop()


@pytest.mark.parametrize("broken", ["rows", "list_all"])
async def test_an_exception_nobody_expected_beside_the_passes_stops_nothing(broken):
    bench = Bench()
    await bench.start()
    stored = bench.apply("x")
    await asyncio.sleep(30)
    upstream = bench.engine.upstreams.named(None)
    port = upstream.gate if broken == "rows" else bench.engine._kube

    def fails(*args):
        raise ValueError("an answer nobody has seen before")

    setattr(port, broken, fails)
    await asyncio.sleep(1000)
    assert not bench.task.done()
    assert bench.observer.bugs > 0
    delattr(port, broken)
    bench.runai.world.set_phase(standing(bench)[0], "Degraded", "a pod restarts", bench.now())
    await asyncio.sleep(30)

    assert ready(stored)["reason"] == "Degraded"
    await bench.stop()


async def test_everything_that_waits_at_the_gate_stalls_in_time(bench):
    bench.chance.down = True
    for number in range(100):
        bench.apply(f"w{number}")
    await asyncio.sleep(700)

    stalled = [stored for stored in bench.kube.objects.values() if condition(stored.status, "Stalled")]
    assert len(stalled) == 100
    assert {condition(stored.status, "Ready")["reason"] for stored in stalled} == {"RunaiUnavailable"}

    bench.chance.down = False
    await asyncio.sleep(120)
    assert bench.ready() == 100, "nobody was forgotten at the gate"


async def test_pods_of_a_workload_that_is_no_more_are_not_shown(bench):
    stored = bench.apply("x")
    await asyncio.sleep(30)
    bench.runai.world.delete(standing(bench)[0], bench.now())
    await asyncio.sleep(120)

    assert ready(stored)["reason"] == "DeletedExternally"
    assert not {"phase", "runningPods", "requestedPods"} & stored.status.keys()
