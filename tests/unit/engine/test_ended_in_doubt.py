"""What an interrupted attempt made has ended and is gone by the time somebody looks: finished work does not run again."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from fakes.bench import RUNS_ON, WORLD, Bench, UnevenBench, ready, reason, standing
from fakes.chance import Mishap
from runai_operator.domain.model import ExternalDeletionPolicy, ManagementPolicy, RerunPolicy

pytestmark = pytest.mark.looptime

JOB = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"parallelism": 1}}
SHOWN = {"deleted_answers_404": False}
"""Run:ai goes on showing what was deleted."""
UNREADABLE = SHOWN | {"raw_annotations": False}
BRIEF = replace(WORLD, run_time=5)


def posts(bench):
    return [method for method, _ in bench.runai.writes if method == "POST"]


async def interrupted(bench, mishap=Mishap.CRASH_AFTER, **spec):
    """An object whose first attempt ended with its process, and nobody started another yet."""
    bench.chance.named["create"] = mishap
    stored = bench.apply("x", **spec)
    await asyncio.sleep(0.5)
    await bench.stop()
    return stored


async def made_and_gone(bench, *, finishes=True, **spec):
    """What the attempt made is deleted in Run:ai, once it has finished if it does."""
    stored = await interrupted(bench, **spec)
    [made] = standing(bench)
    await asyncio.sleep(60 if finishes else 1)
    bench.runai.world.delete(made, bench.now())
    await asyncio.sleep(30)
    return stored


async def test_what_finished_and_was_removed_is_shown_as_it_ended():
    async with Bench(replace(BRIEF, **SHOWN)).started() as bench:
        stored = await made_and_gone(bench, manifest=JOB)
        await bench.start()
        await asyncio.sleep(60)
        assert reason(stored) == "Completed", ready(stored)
        assert stored.status["phase"] == "Completed"
        assert posts(bench) == ["POST"]


@pytest.mark.parametrize("world", [{}, UNREADABLE, {"deleted_keeps_phase": False}, {"ids_equal": False}])
async def test_what_may_be_ours_and_has_finished_is_not_run_again_without_a_word(world):
    async with Bench(replace(BRIEF, **world)).started() as bench:
        stored = await made_and_gone(bench, manifest=JOB)
        await bench.start()
        await asyncio.sleep(3600)
        assert reason(stored) == "EndedUnseen", ready(stored)
        assert "create a new RunaiWorkload" in ready(stored)["message"]
        assert posts(bench) == ["POST"]

        bench.delete(stored)
        await asyncio.sleep(100)
        assert bench.kube.objects == {}, "nothing is left to wait for"


async def test_that_stays_so_when_run_ai_has_forgotten_what_was_deleted():
    async with Bench(replace(BRIEF, retention=3600)).started() as bench:
        stored = await made_and_gone(bench, manifest=JOB)
        await bench.start()
        await asyncio.sleep(60)
        writes = bench.kube.writes
        await asyncio.sleep(2 * 3600)
        assert (reason(stored), posts(bench), bench.kube.writes) == ("EndedUnseen", ["POST"], writes)

        await bench.start()
        await asyncio.sleep(3600)
        assert (reason(stored), posts(bench)) == ("EndedUnseen", ["POST"])


@pytest.mark.parametrize("seconds", [5, 25])
async def test_a_slow_look_does_not_make_it_older_than_the_object(seconds):
    async with UnevenBench(BRIEF).started() as bench:
        stored = await made_and_gone(bench, manifest=JOB)
        bench.latency["find"] = seconds
        await bench.start()
        await asyncio.sleep(3600)
        assert (reason(stored), posts(bench)) == ("EndedUnseen", ["POST"])


@pytest.mark.parametrize("lives_on", [False, True])
@pytest.mark.parametrize("run_time", [1, 30])
@pytest.mark.parametrize("world", [{}, SHOWN])
async def test_what_another_has_or_had_under_the_name_since_does_not_hide_it(world, run_time, lives_on):
    async with Bench(replace(BRIEF, **world)).started() as bench:
        stored = await made_and_gone(bench, manifest=JOB)
        marked = {**JOB, "metadata": {"annotations": {"a": "b"}}}
        theirs = bench.runai.world.create({"name": "x", "projectId": "1"}, marked, bench.now())
        await asyncio.sleep(run_time)
        if lives_on:
            await bench.start()
            await asyncio.sleep(100)
        bench.runai.world.delete(theirs, bench.now())
        await asyncio.sleep(30)
        await bench.start()
        await asyncio.sleep(3600)
        assert (reason(stored), posts(bench)) == ("Completed" if world else "EndedUnseen", ["POST"])


async def test_it_runs_again_when_somebody_says_so():
    async with Bench(BRIEF).started() as bench:
        recreate = ExternalDeletionPolicy.RECREATE
        stored = await made_and_gone(bench, manifest=JOB, external_deletion_policy=recreate)
        await bench.start()
        await asyncio.sleep(60)
        assert reason(stored) == "EndedUnseen"

        stored.token = "again"
        bench.engine.observe("MODIFIED", stored.meta())
        await asyncio.sleep(100)
        assert reason(stored) == "Completed"
        assert len(posts(bench)) == 2


async def test_what_somebody_deleted_before_it_finished_is_told_or_made_again_as_the_policy_says():
    for policy, told, made in (
        (ExternalDeletionPolicy.REPORT, "DeletedExternally", 1),
        (ExternalDeletionPolicy.RECREATE, "Running", 2),
    ):
        async with Bench(replace(WORLD, **SHOWN)).started() as bench:
            stored = await made_and_gone(bench, finishes=False, external_deletion_policy=policy)
            await bench.start()
            await asyncio.sleep(100)
            assert (reason(stored), len(posts(bench))) == (told, made), ready(stored)


@pytest.mark.parametrize("world", [{}, SHOWN, UNREADABLE])
async def test_unfinished_work_of_which_nobody_knows_whose_it_was_is_submitted(world):
    async with Bench(replace(WORLD, **world)).started() as bench:
        theirs = bench.runai.world.create({"name": "x", "projectId": "1"}, {**RUNS_ON, "metadata": {}}, bench.now())
        await asyncio.sleep(10)
        bench.runai.world.delete(theirs, bench.now())
        await asyncio.sleep(10)
        stored = await interrupted(bench, Mishap.CRASH_BEFORE)
        await bench.start()
        await asyncio.sleep(60)
        assert reason(stored) == "Running", ready(stored)


@pytest.mark.parametrize("skew", [0, 1200, -1200])
@pytest.mark.parametrize("world", [{}, SHOWN, UNREADABLE])
async def test_what_an_earlier_object_of_the_name_ran_is_no_run_of_this_one(world, skew):
    async with Bench(replace(BRIEF, clock_skew=skew, **world)).started() as bench:
        first = bench.apply("x", manifest=JOB)
        await asyncio.sleep(60)
        assert reason(first) == "Completed"
        bench.delete(first)
        await asyncio.sleep(20)
        assert bench.kube.objects == {}

        stored = await interrupted(bench, Mishap.CRASH_BEFORE, manifest=JOB)
        await bench.start()
        await asyncio.sleep(60)
        assert (reason(stored), len(posts(bench))) == ("Completed", 2), ready(stored)


@pytest.mark.parametrize("world", [{}, SHOWN, UNREADABLE])
async def test_an_earlier_run_of_the_object_itself_is_not_what_the_attempt_made(world):
    async with Bench(replace(BRIEF, **world)).started() as bench:
        stored = bench.apply("x", manifest=JOB, rerun_policy=RerunPolicy.ON_SPEC_CHANGE)
        await asyncio.sleep(60)
        assert reason(stored) == "Completed"
        bench.chance.named["create"] = Mishap.CRASH_BEFORE
        bench.edit(stored, manifest=JOB | {"spec": {"parallelism": 2}})
        await asyncio.sleep(60)
        assert stored.status.get("workloadId") is None
        bench.edit(stored, manifest=JOB)
        await bench.start()
        await asyncio.sleep(100)
        assert (reason(stored), len(posts(bench))) == ("Completed", 2), ready(stored)


async def test_another_owners_finished_work_under_the_name_is_no_run_of_this_object():
    async with Bench(replace(BRIEF, **SHOWN)).started() as bench:
        stored = await interrupted(bench, Mishap.CRASH_BEFORE, manifest=JOB)
        marked = {**JOB, "metadata": {"annotations": {"a": "b"}}}
        theirs = bench.runai.world.create({"name": "x", "projectId": "1"}, marked, bench.now())
        await asyncio.sleep(60)
        bench.runai.world.delete(theirs, bench.now())
        await asyncio.sleep(30)
        await bench.start()
        await asyncio.sleep(100)
        assert (reason(stored), len(posts(bench))) == ("Completed", 1), ready(stored)


@pytest.mark.parametrize("world", [{}, SHOWN])
@pytest.mark.parametrize("policy", [ManagementPolicy.OBSERVE, ManagementPolicy.DRY_RUN])
@pytest.mark.parametrize("is_told", [False, True])
async def test_it_does_not_run_again_after_a_while_of_another_policy_either(policy, is_told, world):
    async with Bench(replace(BRIEF, **world)).started() as bench:
        stored = await made_and_gone(bench, manifest=JOB)
        if is_told:
            await bench.start()
            await asyncio.sleep(60)
            await bench.stop()
        bench.edit(stored, management_policy=policy)
        await bench.start()
        await asyncio.sleep(100)
        bench.edit(stored, management_policy=ManagementPolicy.MANAGE)
        await asyncio.sleep(100)
        assert reason(stored) in ("Completed", "EndedUnseen"), ready(stored)
        assert posts(bench) == ["POST"]


async def test_it_does_not_run_again_after_an_outage_in_which_it_was_forgotten():
    async with Bench(replace(BRIEF, retention=600)).started() as bench:
        stored = await made_and_gone(bench, manifest=JOB)
        await bench.start()
        await asyncio.sleep(60)
        bench.chance.down = True
        await asyncio.sleep(1200)
        bench.chance.down = False
        await asyncio.sleep(600)
        assert (reason(stored), posts(bench)) == ("EndedUnseen", ["POST"])


async def test_deleted_and_applied_again_it_runs():
    async with Bench(BRIEF).started() as bench:
        stored = await made_and_gone(bench, manifest=JOB)
        await bench.start()
        await asyncio.sleep(60)
        bench.delete(stored)
        await asyncio.sleep(60)
        again = await interrupted(bench, Mishap.CRASH_BEFORE, manifest=JOB)
        await bench.start()
        await asyncio.sleep(60)
        assert (reason(again), len(posts(bench))) == ("Completed", 2), ready(again)
