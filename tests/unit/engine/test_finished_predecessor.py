"""Finished work counts as what an object asks for only if that is proven: nothing is Completed that never ran."""

from __future__ import annotations

import asyncio

import pytest

from fakes.bench import ready, standing
from fakes.chance import Mishap
from runai_operator.domain.conditions import condition
from runai_operator.domain.model import DeletionPolicy, RerunPolicy

pytestmark = pytest.mark.looptime

JOB = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"text": "first"}}
OTHER_JOB = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"text": "second"}}


async def left_behind(bench, name="j", manifest=JOB):
    """A completed workload whose object was deleted under `Orphan`."""
    stored = bench.apply(name, manifest=manifest, deletion_policy=DeletionPolicy.ORPHAN)
    await asyncio.sleep(60)
    assert ready(stored)["reason"] == "Completed"
    bench.delete(stored)
    await asyncio.sleep(5)
    assert bench.kube.objects == {}
    [workload] = standing(bench)
    return workload


async def test_another_manifest_under_the_name_of_finished_work_is_not_completed(bench):
    left = await left_behind(bench)
    stored = bench.apply("j", manifest=OTHER_JOB)
    await asyncio.sleep(120)

    assert ready(stored)["reason"] == "FinishedNotRerun"
    assert left.id in ready(stored)["message"]
    assert condition(stored.status, "Completed") is None
    assert condition(stored.status, "Stalled") is not None
    assert "workloadId" not in stored.status
    assert stored.status["submission"] == "NotSubmitted", "so that it can be corrected, or deleted at once"
    assert standing(bench) == [left]


async def test_under_rerun_on_spec_change_finished_work_of_the_name_is_replaced(bench):
    left = await left_behind(bench)
    stored = bench.apply("j", manifest=OTHER_JOB, rerun_policy=RerunPolicy.ON_SPEC_CHANGE)
    await asyncio.sleep(120)

    [workload] = standing(bench)
    assert workload is not left
    assert workload.manifest["spec"] == {"text": "second"}
    assert ready(stored)["reason"] == "Completed"


async def test_the_same_manifest_counts_as_completed_without_a_call(bench):
    left = await left_behind(bench)
    stored = bench.apply("j", manifest=JOB, rerun_policy=RerunPolicy.ON_SPEC_CHANGE)
    await asyncio.sleep(60)

    assert ready(stored)["reason"] == "Completed"
    assert standing(bench) == [left]
    assert [method for method, _ in bench.runai.writes] == ["POST"]


async def test_finished_work_that_does_not_say_what_it_ran_is_not_taken_for_what_is_asked_for(bench):
    left = await left_behind(bench)
    del left.manifest["metadata"]["annotations"]["bridge.run.ai/content"]
    stored = bench.apply("j", manifest=JOB)
    await asyncio.sleep(60)

    assert ready(stored)["reason"] == "FinishedNotRerun"


@pytest.mark.parametrize("policy", list(RerunPolicy))
async def test_what_an_interrupted_attempt_ran_is_not_taken_for_what_was_edited_since(bench, policy):
    bench.chance.named["create"] = Mishap.CRASH_AFTER
    stored = bench.apply("j", manifest=JOB, rerun_policy=policy)
    await asyncio.sleep(1)
    await bench.stop()
    await asyncio.sleep(120)
    bench.kube.edit(stored, bench.kube.objects["ns", "j"].spec)
    before = standing(bench)
    bench.kube.edit(stored, type(stored.spec)(manifest=OTHER_JOB, project_id="1", rerun_policy=policy))
    await bench.start()
    await asyncio.sleep(180)

    if policy is RerunPolicy.NEVER:
        assert ready(stored)["reason"] == "FinishedNotRerun"
        assert standing(bench) == before
        bench.edit(stored, manifest=JOB)
        await asyncio.sleep(60)
        assert ready(stored)["reason"] == "Completed", "the edit was undone"
        assert standing(bench) == before
    else:
        [workload] = standing(bench)
        assert workload.manifest["spec"] == {"text": "second"}
        assert ready(stored)["reason"] == "Completed"
