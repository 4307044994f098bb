"""The install id of a running install is changed: its workloads are still its own, and nothing is left behind silently."""

from __future__ import annotations

import asyncio

import pytest

from fakes.bench import Bench, ready, standing
from fakes.chance import Mishap
from runai_operator.domain.conditions import condition
from runai_operator.domain.manifest import read_mark
from runai_operator.domain.model import DeletionPolicy, RecreatePolicy

pytestmark = pytest.mark.looptime


@pytest.fixture
async def bench():
    async with Bench().started(install="old") as bench:
        yield bench


def writes(bench):
    return [method for method, _ in bench.runai.writes]


async def test_after_the_id_was_changed_a_deletion_waits_and_says_what_to_do(bench):
    stored = bench.apply("x")
    await asyncio.sleep(30)
    await bench.start(install="new")
    bench.delete(stored)
    await asyncio.sleep(3600)

    assert len(standing(bench)) == 1
    assert bench.kube.objects != {}
    assert "OPERATOR_FORMER_INSTALL_IDS" in ready(stored)["message"]
    assert "old" in ready(stored)["message"]

    await bench.start(install="new", former=("older", "old"))
    await asyncio.sleep(60)
    assert standing(bench) == []
    assert bench.kube.objects == {}


async def test_held_by_a_changed_id_a_person_can_still_let_it_go(bench):
    stored = bench.apply("x")
    await asyncio.sleep(30)
    await bench.start(install="new")
    bench.delete(stored)
    await asyncio.sleep(30)
    bench.edit(stored, deletion_policy=DeletionPolicy.ORPHAN)
    await asyncio.sleep(5)

    assert bench.kube.objects == {}
    assert len(standing(bench)) == 1


@pytest.mark.parametrize("edit", [{"priority": "high"}, {"preemptibility": "preemptible"}], ids=["edit", "recreation"])
async def test_after_the_id_was_changed_edits_are_refused_until_the_old_one_is_named(bench, edit):
    stored = bench.apply("x", recreate_policy=RecreatePolicy.ON_IMMUTABLE_CHANGE)
    await asyncio.sleep(30)
    await bench.start(install="new")
    bench.edit(stored, **edit)
    await asyncio.sleep(60)
    assert ready(stored)["reason"] == "InstallChanged"
    assert writes(bench) == ["POST"]

    await bench.start(install="new", former=("old",))
    await asyncio.sleep(60)
    [workload] = standing(bench)
    assert ready(stored)["reason"] == "Running"
    assert read_mark(workload.manifest).install == "new"


async def test_that_the_id_was_changed_is_said_until_a_reading_shows_otherwise(bench):
    stored = bench.apply("x")
    await asyncio.sleep(30)
    await bench.start(install="new")
    bench.kube.touch(stored, token="look")
    bench.engine.observe("MODIFIED", stored.meta())
    await asyncio.sleep(20)
    [workload] = standing(bench)
    for phase in ("Degraded", "Running"):
        bench.runai.world.set_phase(workload, phase, "", bench.now())
        await asyncio.sleep(30)
        assert [condition(stored.status, kind)["reason"] for kind in ("Ready", "Synced")] == 2 * ["InstallChanged"]

    await bench.start(install="new", former=("old",))
    await asyncio.sleep(60)
    assert [condition(stored.status, kind)["reason"] for kind in ("Ready", "Synced")] == ["Running", "Synced"]
    assert writes(bench) == ["POST"]


@pytest.mark.parametrize("spec", [{}, {"name_prefix": "run"}], ids=["by its name", "by a prefix"])
async def test_the_mark_of_a_former_id_is_renewed_with_the_next_edit_and_not_before(bench, spec):
    stored = bench.apply("x", **spec)
    await asyncio.sleep(30)
    before = dict(stored.status)
    await bench.start(install="new", former=("old",))
    bench.kube.touch(stored, token="look")
    bench.engine.observe("MODIFIED", stored.meta())
    await asyncio.sleep(60)
    assert writes(bench) == ["POST"]
    assert ready(stored)["reason"] == "Running"

    bench.edit(stored, priority="high")
    await asyncio.sleep(60)
    assert writes(bench) == ["POST", "PUT"]
    assert [read_mark(workload.manifest).install for workload in standing(bench)] == ["new"]
    assert stored.status["workloadId"] == before["workloadId"]
    assert ready(stored)["reason"] == "Running"


@pytest.mark.parametrize("deleted", [False, True])
async def test_an_attempt_made_under_the_old_id_is_held_until_that_is_named(bench, deleted):
    bench.chance.named["create"] = Mishap.CRASH_AFTER
    stored = bench.apply("x")
    await asyncio.sleep(5)
    await bench.stop()
    if deleted:
        bench.kube.delete(stored)
    await bench.start(install="new")
    await asyncio.sleep(600)

    assert "OPERATOR_FORMER_INSTALL_IDS" in ready(stored)["message"]
    assert stored.finalizers != ()
    assert len(standing(bench)) == 1

    await bench.start(install="new", former=("old",))
    await asyncio.sleep(60)
    assert len(standing(bench)) == (0 if deleted else 1)
    assert (bench.kube.objects == {}) is deleted


async def test_an_adoption_made_under_the_old_id_is_held_with_its_object(bench):
    content = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "prod"}, "spec": {}}
    workload = bench.runai.world.create({"name": "prod", "projectId": "1"}, content, bench.now())
    await asyncio.sleep(30)
    bench.chance.named["update"] = Mishap.CRASH_AFTER
    stored = bench.apply("x", workload_id=workload.id)
    await asyncio.sleep(5)
    await bench.start(install="new")
    await asyncio.sleep(60)
    assert ready(stored)["reason"] == "InstallChanged"

    bench.delete(stored)
    await asyncio.sleep(600)
    assert bench.kube.objects != {}
    await bench.start(install="new", former=("old",))
    await asyncio.sleep(60)
    assert standing(bench) == []
