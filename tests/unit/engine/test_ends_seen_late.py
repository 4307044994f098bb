"""Work that ends, and is edited or adopted before the lists of Run:ai show the end."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

import fakes.runai
from fakes.bench import RUNS_ON, WORLD, Bench, UnevenBench, ready, reason, standing
from runai_operator.domain.conditions import condition
from runai_operator.domain.model import DeletionPolicy, RerunPolicy

pytestmark = pytest.mark.looptime

JOB = {"apiVersion": "batch/v1", "kind": "Job", "spec": {}}
OTHER_JOB = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"text": "second"}}
TWO = {**RUNS_ON, "spec": {"replicas": 2}}


async def started(**switches):
    bench = UnevenBench(replace(WORLD, list_lag=8, **switches))
    await bench.start()
    return bench


async def ended(bench):
    await bench.stop()
    assert bench.observer.bugs == 0


async def until(bench, workload, phase):
    """Run:ai's cluster knows; the lists do not yet."""
    while workload.phase(bench.now())[0] != phase:  # noqa: ASYNC110
        await asyncio.sleep(0.5)
    await asyncio.sleep(1)


async def running(bench, **spec):
    stored = bench.apply("j", **{"manifest": JOB} | spec)
    await asyncio.sleep(20)
    [workload] = bench.runai.live()
    assert reason(stored) == "Running"
    return stored, workload


def shown(stored):
    """Ready and Synced, and the phase."""
    return reason(stored), condition(stored.status, "Synced")["reason"], stored.status["phase"]


def writes(bench):
    return [method for method, _ in bench.runai.writes]


@pytest.mark.parametrize("restarted", ["no", "before it is shown", "after it is shown"])
async def test_an_edit_that_came_too_late_is_not_shown_as_completed(restarted):
    """It used to be: Run:ai had taken it, and shows completed work."""
    bench = await started()
    stored, workload = await running(bench)
    await until(bench, workload, "Completed")
    bench.edit(stored, manifest=OTHER_JOB)
    await asyncio.sleep(3)
    assert writes(bench) == ["POST", "PUT"]
    if restarted == "before it is shown":
        await bench.start()
    await asyncio.sleep(120)
    if restarted == "after it is shown":
        await bench.start()
    await asyncio.sleep(900)

    assert shown(stored) == ("FinishedNotRerun", "NotDelivered", "Completed")
    assert condition(stored.status, "Completed") is not None
    assert writes(bench) == ["POST", "PUT"]
    await ended(bench)


@pytest.mark.parametrize("restarted", [True, False])
@pytest.mark.parametrize("policy", list(RerunPolicy))
async def test_an_edit_that_came_too_late_can_be_undone(policy, restarted):
    """What completed is what the object asks for again."""
    bench = await started()
    stored, workload = await running(bench)
    await until(bench, workload, "Completed")
    bench.edit(stored, manifest=OTHER_JOB)
    await asyncio.sleep(300)
    assert shown(stored) == ("FinishedNotRerun", "NotDelivered", "Completed")
    if restarted:
        await bench.stop()
    bench.kube.edit(stored, replace(stored.spec, manifest=JOB, rerun_policy=policy))
    if restarted:
        await bench.start()
    else:
        bench.engine.observe("MODIFIED", stored.meta())
    await asyncio.sleep(900)
    await bench.start()
    await asyncio.sleep(300)

    assert shown(stored) == ("Completed", "Synced", "Completed")
    assert stored.status["observedGeneration"] == stored.generation
    assert writes(bench) == ["POST", "PUT"]
    bench.edit(stored, manifest=OTHER_JOB)
    await asyncio.sleep(300)
    assert (reason(stored) == "FinishedNotRerun") == (policy is RerunPolicy.NEVER)
    await ended(bench)


@pytest.mark.parametrize("restarted", [True, False])
async def test_an_edit_that_came_too_late_runs_if_edited_work_is_to_run_again(restarted):
    bench = await started()
    stored, workload = await running(bench, rerun_policy=RerunPolicy.ON_SPEC_CHANGE)
    await until(bench, workload, "Completed")
    bench.edit(stored, manifest=OTHER_JOB)
    await asyncio.sleep(3)
    if restarted:
        await bench.start()
    await asyncio.sleep(300)

    [again] = standing(bench)
    assert again is not workload
    assert again.manifest["spec"] == OTHER_JOB["spec"]
    assert shown(stored) == ("Completed", "Synced", "Completed")
    assert writes(bench) == ["POST", "PUT", "DELETE", "POST"]
    await ended(bench)


async def test_what_was_there_before_an_end_is_not_shown_once_lists_show_the_end():
    """It used to be shown as running until it was certain that the edit had not undone the end."""
    bench = await started()
    stored, workload = await running(bench)
    await until(bench, workload, "Completed")
    bench.edit(stored, manifest=OTHER_JOB)
    await asyncio.sleep(15)

    assert stored.status.get("phase") is None
    assert condition(stored.status, "Ready")["status"] == "False"
    await ended(bench)


@pytest.mark.parametrize("policy", list(RerunPolicy))
async def test_where_an_edit_has_finished_work_run_again_the_end_from_before_it_is_not_shown(policy):
    bench = await started(put_reruns_completed=True)
    stored, workload = await running(bench, rerun_policy=policy)
    await until(bench, workload, "Completed")
    bench.edit(stored, manifest=OTHER_JOB)
    seen = set()
    while workload.phase(bench.now())[0] != "Completed" or len(seen) < 2:
        await asyncio.sleep(0.5)
        seen.add(stored.status.get("phase"))
    assert "Completed" not in seen
    await asyncio.sleep(300)

    assert shown(stored) == ("Completed", "Synced", "Completed")
    assert writes(bench) == ["POST", "PUT"]
    await ended(bench)


async def test_where_an_edit_has_failed_work_run_again_the_failure_from_before_it_is_not_shown():
    bench = await started()
    stored, workload = await running(bench)
    bench.runai.world.set_phase(workload, "Failed", "out of memory", bench.now())
    await asyncio.sleep(1)
    bench.edit(stored, manifest=OTHER_JOB)
    seen = set()
    for _ in range(60):
        await asyncio.sleep(0.5)
        seen.add(stored.status.get("phase"))
    await asyncio.sleep(120)

    assert "Failed" not in seen
    assert shown(stored) == ("Completed", "Synced", "Completed")
    await ended(bench)


async def test_an_edit_of_running_work_that_completes_later_has_run():
    bench = await started()
    stored, workload = await running(bench, rerun_policy=RerunPolicy.ON_SPEC_CHANGE)
    bench.edit(stored, manifest=OTHER_JOB)
    await until(bench, workload, "Completed")
    await asyncio.sleep(600)

    assert shown(stored) == ("Completed", "Synced", "Completed")
    assert writes(bench) == ["POST", "PUT"]
    await ended(bench)


@pytest.mark.parametrize("policy", list(RerunPolicy))
@pytest.mark.parametrize("restarted", [True, False])
async def test_adopted_work_that_had_finished_by_then_counts_as_done(policy, restarted):
    """As it does where the lists show that at once."""
    bench = await started()
    workload = bench.runai.world.create({"name": "x", "projectId": "1"}, JOB, bench.now())
    await until(bench, workload, "Completed")
    stored = bench.apply("j", manifest=OTHER_JOB, workload_id=workload.id, rerun_policy=policy)
    await asyncio.sleep(3)
    if restarted:
        await bench.start()
    await asyncio.sleep(300)

    assert standing(bench) == [workload]
    assert shown(stored) == ("Completed", "Synced", "Completed")
    await ended(bench)


@pytest.mark.parametrize("policy", list(RerunPolicy))
@pytest.mark.parametrize("same", [True, False])
async def test_work_of_an_earlier_object_that_had_finished_by_then_counts_if_it_ran_the_same(policy, same):
    bench = await started()
    former, workload = await running(bench, deletion_policy=DeletionPolicy.ORPHAN)
    await until(bench, workload, "Completed")
    bench.delete(former)
    stored = bench.apply("j", manifest=JOB if same else OTHER_JOB, rerun_policy=policy)
    await asyncio.sleep(300)

    left = standing(bench) == [workload]
    if same:
        assert (left, shown(stored)) == (True, ("Completed", "Synced", "Completed"))
    elif policy is RerunPolicy.NEVER:
        assert (left, shown(stored)) == (True, ("FinishedNotRerun", "NotDelivered", "Completed"))
    else:
        assert (left, shown(stored)) == (False, ("Completed", "Synced", "Completed"))
        assert standing(bench)[0].manifest["spec"] == OTHER_JOB["spec"]
    await ended(bench)


# --- what may be known before anything is sent


@pytest.mark.parametrize("by", ["id", "name"])
async def test_what_a_workload_shows_by_itself_is_believed_before_the_lists(by, monkeypatch):
    bench = await started()
    if by == "id":
        workload = bench.runai.world.create({"name": "x", "projectId": "1"}, JOB, bench.now())
        named = {"workload_id": workload.id}
    else:
        former, workload = await running(bench, deletion_policy=DeletionPolicy.ORPHAN)
        bench.delete(former)
        named = {}
    await until(bench, workload, "Completed")
    await asyncio.sleep(10)
    shown_by_lists = fakes.runai.v1_row
    monkeypatch.setattr(fakes.runai, "v1_row", lambda each, seen, switches: shown_by_lists(each, seen - 30, switches))
    before = writes(bench)
    stored = bench.apply("j", manifest=JOB, **named)
    await asyncio.sleep(60)

    assert writes(bench) == before, "nothing is sent to finished work"
    assert reason(stored) == "Completed"
    await ended(bench)


@pytest.mark.parametrize("skew", [0, -600, 600])
async def test_what_no_list_shows_yet_is_not_adopted_before_it_does(skew):
    """It may have finished already, however old another clock makes it."""
    bench = await started(run_time=2, clock_skew=skew)
    workload = bench.runai.world.create({"name": "x", "projectId": "1"}, JOB, bench.now())
    stored = bench.apply("j", manifest=OTHER_JOB, workload_id=workload.id)
    await asyncio.sleep(7)
    assert (writes(bench), reason(stored)) == ([], "RunaiBusy")
    await asyncio.sleep(120)

    assert reason(stored) == "Completed"
    await ended(bench)


# --- the clock of the cluster, which stamps ends, is not the one that stamps edits


def stamp_by_the_cluster(monkeypatch, behind):
    """Lists show when a phase began by a clock that is that many seconds behind."""
    shown = fakes.runai.v1_row

    def stamped(workload, seen, switches):
        row = shown(workload, seen, switches)
        moved = {
            key: (datetime.fromisoformat(row[key]) - timedelta(seconds=behind)).isoformat()
            for key in ("completedAt", "phaseUpdatedAt")
            if row[key]
        }
        return row | moved

    monkeypatch.setattr(fakes.runai, "v1_row", stamped)


@pytest.mark.parametrize("policy", list(RerunPolicy))
@pytest.mark.parametrize("behind", [0, 1800])
async def test_work_that_ran_its_edit_to_the_end_has_completed_whatever_its_clusters_clock_says(
    monkeypatch, behind, policy
):
    stamp_by_the_cluster(monkeypatch, behind)
    async with Bench().started() as bench:
        stored = bench.apply("j", manifest=JOB, rerun_policy=policy)
        await asyncio.sleep(12)
        assert reason(stored) == "Running"
        [workload] = standing(bench)
        bench.edit(stored, manifest=OTHER_JOB)
        await asyncio.sleep(300)
        assert [method for method, _ in bench.runai.writes] == ["POST", "PUT"]
        assert standing(bench) == [workload]
        assert reason(stored) == "Completed", ready(stored)


@pytest.mark.parametrize("ahead", [0, 1800])
async def test_a_failure_that_an_edit_mends_is_not_shown_again_whatever_its_clusters_clock_says(monkeypatch, ahead):
    """Programs that wait take it for the end."""
    stamp_by_the_cluster(monkeypatch, -ahead)
    async with Bench(replace(WORLD, list_lag=8)).started() as bench:
        stored = bench.apply("x")
        await asyncio.sleep(30)
        [workload] = standing(bench)
        bench.runai.world.set_phase(workload, "Failed", "", bench.now())
        await asyncio.sleep(60)
        assert reason(stored) == "Failed"
        bench.edit(stored, manifest=TWO)
        await asyncio.sleep(1)
        shown = set()
        for _ in range(120):
            await asyncio.sleep(0.5)
            shown.add(reason(stored))
        assert "Failed" not in shown, shown
        assert reason(stored) == "Running"
