"""What belongs to others: it is neither changed nor deleted nor shown, at the second pass and after a restart either."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from fakes.bench import RUNS_ON, WORLD, Bench
from runai_operator.domain.conditions import condition
from runai_operator.domain.manifest import read_mark
from runai_operator.domain.model import ExternalDeletionPolicy, ManagementPolicy, RecreatePolicy, RerunPolicy

pytestmark = pytest.mark.looptime

JOB = {"apiVersion": "batch/v1", "kind": "Job", "spec": {}}
FOREIGN_MARK = {
    "bridge.run.ai/owner-install": "other",
    "bridge.run.ai/owner-namespace": "n",
    "bridge.run.ai/owner-name": "theirs",
    "bridge.run.ai/owner-uid": "z",
}


def somebody_makes(bench, name, manifest=RUNS_ON, *, project="1", annotations=None):
    content = {**manifest, "metadata": {"name": name, "annotations": annotations or {}}}
    return bench.runai.world.create({"name": name, "projectId": project}, content, bench.now())


def sent_to(bench, workload):
    return [method for method, subject in bench.runai.writes if method != "POST" and subject is workload]


@pytest.mark.parametrize(
    ("theirs", "spec"),
    [
        pytest.param({"project": "2"}, {}, id="it is in another project"),
        pytest.param({"manifest": JOB}, {}, id="it is of another kind"),
        pytest.param({"annotations": FOREIGN_MARK}, {}, id="it carries another owner's mark"),
        pytest.param(
            {"manifest": JOB},
            {"management_policy": ManagementPolicy.OBSERVE},
            id="of another kind, and observed before",
        ),
    ],
)
async def test_a_refused_adoption_is_never_carried_out_by_later_passes(bench, theirs, spec):
    workload = somebody_makes(bench, "prod", **theirs)
    await asyncio.sleep(30)
    stored = bench.apply("x", workload_id=workload.id, **spec)
    await asyncio.sleep(30)
    if spec:
        bench.edit(stored, management_policy=ManagementPolicy.MANAGE)
        await asyncio.sleep(30)
    assert condition(stored.status, "Stalled") is not None

    bench.runai.world.set_phase(workload, "Degraded", "one pod restarts", bench.now())
    await asyncio.sleep(7200)
    await bench.start()
    await asyncio.sleep(7200)

    assert condition(stored.status, "Stalled") is not None
    if not spec:
        assert "workloadId" not in stored.status, "nothing of it is shown"
        assert "phase" not in stored.status
        assert stored.status["submission"] == "NotSubmitted", "so that the spec can be corrected"
        assert stored.finalizers == ()

    bench.delete(stored)
    await asyncio.sleep(60)

    assert bench.kube.objects == {}
    assert sent_to(bench, workload) == []
    assert workload in bench.runai.live()


@pytest.mark.parametrize("lag", [1, 15, 50])
async def test_lagging_lists_do_not_give_a_new_workload_the_end_of_the_old_one(lag):
    bench = Bench(replace(WORLD, list_lag=lag, run_time=600))
    await bench.start(grace=60)
    stored = bench.apply("j", manifest=JOB, rerun_policy=RerunPolicy.ON_SPEC_CHANGE)
    await asyncio.sleep(900)
    assert condition(stored.status, "Completed") is not None

    bench.edit(stored, manifest={**JOB, "spec": {"x": 2}})
    await asyncio.sleep(300)

    [running] = [workload for workload in bench.runai.live() if workload.deleted is None]
    assert stored.status["workloadId"] == running.id
    assert condition(stored.status, "Completed") is None, "it runs"

    bench.edit(stored, priority="high")
    await asyncio.sleep(60)

    assert "DELETE" not in sent_to(bench, running)
    await bench.stop()


async def test_a_foreign_workload_of_the_same_name_is_not_shown_as_ours(bench):
    stored = bench.apply("w")
    await asyncio.sleep(60)
    await bench.stop()
    [ours] = bench.runai.live()
    bench.runai.world.delete(ours, bench.now())
    await asyncio.sleep(30)
    somebody_makes(bench, "w", JOB)
    await bench.start()
    await asyncio.sleep(3600)

    assert condition(stored.status, "Completed") is None
    assert condition(stored.status, "Ready")["reason"] == "DeletedExternally"


async def test_rows_with_other_ids_are_matched_by_name_and_creation_time():
    bench = Bench(replace(WORLD, ids_equal=False))
    await bench.start()
    stored = bench.apply("w")
    await asyncio.sleep(60)
    assert condition(stored.status, "Ready")["reason"] == "Running"

    await bench.start()
    bench.runai.world.set_phase(bench.runai.live()[0], "Degraded", "one pod restarts", bench.now())
    await asyncio.sleep(60)

    assert condition(stored.status, "Ready")["reason"] == "Degraded"
    await bench.stop()


ADOPTED = [
    pytest.param(
        RUNS_ON,
        {"recreate_policy": RecreatePolicy.ON_IMMUTABLE_CHANGE},
        lambda bench, stored, workload: bench.edit(stored, preemptibility="preemptible"),
        id="an immutable field changes",
    ),
    pytest.param(
        JOB,
        {"rerun_policy": RerunPolicy.ON_SPEC_CHANGE},
        lambda bench, stored, workload: bench.edit(stored, manifest={**JOB, "spec": {"x": 2}}),
        id="finished work is edited",
    ),
    pytest.param(
        RUNS_ON,
        {"external_deletion_policy": ExternalDeletionPolicy.RECREATE},
        lambda bench, stored, workload: bench.runai.world.delete(workload, bench.now()),
        id="somebody deletes it in Run:ai",
    ),
]


@pytest.mark.parametrize(("manifest", "policy", "happens"), ADOPTED)
async def test_replacing_an_adopted_workload_creates_a_new_one(bench, manifest, policy, happens):
    old = somebody_makes(bench, "prod", manifest)
    await asyncio.sleep(60)
    stored = bench.apply("x", manifest=manifest, workload_id=old.id, **policy)
    await asyncio.sleep(60)
    assert condition(stored.status, "Ready")["status"] == "True"

    happens(bench, stored, old)
    await asyncio.sleep(600)
    await bench.start()
    await asyncio.sleep(600)

    [made] = [workload for workload in bench.runai.live() if workload.deleted is None]
    assert made is not old
    assert read_mark(made.manifest).name == "x"
    assert condition(stored.status, "Ready")["status"] == "True"
    assert stored.status["workloadId"] == made.id
    assert len(bench.runai.world.creates) == 2, "exactly one new one"
