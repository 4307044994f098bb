"""The owner that a mark names is gone: a person who names the id may take the workload over, and nobody else."""

from __future__ import annotations

import asyncio

import pytest

from fakes.bench import RUNS_ON, ready, standing
from runai_operator.domain.errors import AccessDenied, KubernetesUnavailable
from runai_operator.domain.manifest import read_mark
from runai_operator.domain.model import DeletionPolicy, Spec

pytestmark = pytest.mark.looptime

JOB = {"apiVersion": "batch/v1", "kind": "Job", "spec": {}}


def elsewhere(bench, name, **spec):
    """An object of that name in another namespace."""
    stored = bench.kube.create("other", name, Spec(**({"manifest": RUNS_ON, "project_id": "1"} | spec)))
    bench.engine.observe("ADDED", stored.meta())
    return stored


async def orphaned(bench, manifest=RUNS_ON):
    """The workload of an object that was deleted under `Orphan`."""
    stored = bench.apply("a", manifest=manifest, deletion_policy=DeletionPolicy.ORPHAN)
    await asyncio.sleep(60)
    bench.delete(stored)
    await asyncio.sleep(5)
    assert bench.kube.objects == {}
    [workload] = standing(bench)
    return workload


async def test_what_an_object_left_behind_on_purpose_can_be_adopted_from_another_namespace(bench):
    workload = await orphaned(bench)
    stored = elsewhere(bench, "b", workload_id=workload.id)
    await asyncio.sleep(60)

    assert ready(stored)["reason"] == "Running"
    assert standing(bench) == [workload]
    assert read_mark(workload.manifest).uid == stored.ref.uid
    bench.delete(stored)
    await asyncio.sleep(60)
    assert standing(bench) == []


async def test_finished_work_that_an_object_left_behind_can_be_adopted_from_another_namespace(bench):
    workload = await orphaned(bench, JOB)
    stored = elsewhere(bench, "b", manifest=JOB, workload_id=workload.id)
    await asyncio.sleep(60)

    assert ready(stored)["reason"] == "Completed"


@pytest.mark.parametrize("is_deleting", [False, True])
async def test_while_its_owner_exists_a_workload_cannot_be_adopted(bench, is_deleting):
    owner = bench.apply("a")
    await asyncio.sleep(30)
    [workload] = standing(bench)
    if is_deleting:
        bench.kube.touch(owner, paused=True)
        bench.delete(owner)
    stored = elsewhere(bench, "b", workload_id=workload.id)
    await asyncio.sleep(3600)

    assert ready(stored)["reason"] == "ManagedByOther"
    assert [method for method, _ in bench.runai.writes] == ["POST"]


async def test_once_its_owner_is_gone_the_adoption_is_carried_out(bench):
    owner = bench.apply("a")
    await asyncio.sleep(30)
    [workload] = standing(bench)
    stored = elsewhere(bench, "b", workload_id=workload.id)
    await asyncio.sleep(30)
    bench.edit(owner, deletion_policy=DeletionPolicy.ORPHAN)
    bench.delete(owner)
    await asyncio.sleep(3600)

    assert ready(stored)["reason"] == "Running"


async def test_an_owner_of_the_name_with_another_uid_is_not_the_one_that_the_mark_names(bench):
    workload = await orphaned(bench)
    bench.kube.create("ns", "a", Spec(manifest=RUNS_ON, project_id="2"))
    stored = elsewhere(bench, "b", workload_id=workload.id)
    await asyncio.sleep(60)

    assert ready(stored)["reason"] == "Running"


@pytest.mark.parametrize(
    ("error", "reason", "says"),
    [
        (AccessDenied("no right there"), "ManagedByOther", "may not look"),
        (KubernetesUnavailable("not now"), "KubernetesUnavailable", "not now"),
    ],
)
async def test_where_the_owner_cannot_be_looked_up_the_mark_stands(bench, error, reason, says):
    workload = await orphaned(bench)
    kube = bench.engine._kube
    read = kube.read

    async def refusing(ref, *, large):
        if ref.name == "a":
            raise error
        return await read(ref, large=large)

    kube.read = refusing
    stored = elsewhere(bench, "b", workload_id=workload.id)
    await asyncio.sleep(600)

    assert ready(stored)["reason"] == reason
    assert says in ready(stored)["message"]
    assert [method for method, _ in bench.runai.writes] == ["POST"]
    del kube.read


async def test_without_naming_the_id_the_name_stays_taken(bench):
    await orphaned(bench)
    stored = elsewhere(bench, "a")
    await asyncio.sleep(600)

    assert ready(stored)["reason"] == "NameTaken"
