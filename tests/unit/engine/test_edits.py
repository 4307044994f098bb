"""Edits in virtual time that come when the workload cannot simply take them: failed, being replaced, or lost."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from fakes.bench import RUNS_ON, WORLD, Bench, UnevenBench
from fakes.uneven_runai import Lost
from runai_operator.domain.conditions import condition
from runai_operator.domain.errors import OutcomeUnknown, Unavailable
from runai_operator.domain.model import RecreatePolicy, RerunPolicy

pytestmark = pytest.mark.looptime

JOB = {"apiVersion": "batch/v1", "kind": "Job", "spec": {}}
TWO = {**RUNS_ON, "spec": {"replicas": 2}}


def reasons(stored):
    """Of Ready and Synced, and whether it is stalled."""
    ready, synced = condition(stored.status, "Ready"), condition(stored.status, "Synced")
    return ready["reason"], synced["reason"], condition(stored.status, "Stalled") is not None


async def started(**switches):
    bench = Bench(replace(WORLD, **switches))
    await bench.start()
    return bench


async def ended(bench):
    await bench.stop()
    assert bench.observer.bugs == 0


# --- a failure that an edit does not fix


async def failed(bench):
    stored = bench.apply("w", priority="low")
    await asyncio.sleep(60)
    bench.runai.world.set_phase(bench.runai.live()[0], "Failed", "out of memory", bench.now())
    await asyncio.sleep(30)
    assert reasons(stored) == ("Failed", "Synced", True)
    return stored


@pytest.mark.parametrize("edits", [1, 3])
@pytest.mark.parametrize("edit", [{"priority": "high"}, {"manifest": TWO}])
async def test_what_stays_failed_after_an_edit_is_shown_as_failed_again(edit, edits):
    """It used to be shown as Creating for ever, since the failure from before the edit was ignored."""
    bench = await started(put_reruns_failed=False)
    stored = await failed(bench)
    for number in range(edits):
        bench.edit(stored, **(edit if number % 2 == 0 else {"manifest": RUNS_ON, "priority": "low"}))
        await asyncio.sleep(5)
    assert reasons(stored)[0] == "Creating"
    await asyncio.sleep(30)

    assert reasons(stored) == ("Failed", "Synced", True)
    assert stored.status["phase"] == "Failed"
    await ended(bench)


async def test_a_failure_that_an_edit_fixes_is_not_shown_again():
    """Although the lists go on showing it for a while."""
    bench = await started(list_lag=8)
    stored = await failed(bench)
    bench.edit(stored, manifest=TWO)
    await asyncio.sleep(1)
    shown = set()
    for _ in range(240):
        await asyncio.sleep(0.5)
        shown.add(stored.status.get("phase"))

    assert "Failed" not in shown
    assert reasons(stored) == ("Running", "Synced", False)
    await ended(bench)


@pytest.mark.parametrize("when", ["before the edit is sent", "while the sync is in flight", "after it"])
async def test_what_stays_failed_is_shown_as_failed_again_over_a_restart(when):
    bench = await started(put_reruns_failed=False, sync_time=10)
    stored = await failed(bench)
    if when == "before the edit is sent":
        await bench.stop()
        bench.kube.edit(stored, replace(stored.spec, priority="high"))
    else:
        bench.edit(stored, priority="high")
        await asyncio.sleep(5 if when == "while the sync is in flight" else 25)
    await bench.start()
    await asyncio.sleep(400)

    assert reasons(stored) == ("Failed", "Synced", True)
    assert [method for method, _ in bench.runai.writes] == ["POST", "PUT"]
    await ended(bench)


# --- a change that asks for a new workload, and is undone


async def replacing(bench):
    stored = bench.apply("w", recreate_policy=RecreatePolicy.ON_IMMUTABLE_CHANGE)
    await asyncio.sleep(60)
    bench.edit(stored, preemptibility="preemptible")
    await asyncio.sleep(30)
    assert reasons(stored)[0] == "Recreating"
    return stored


@pytest.mark.parametrize("trouble", ["none", "an outage before the undo", "an outage after it"])
@pytest.mark.parametrize("restarted", [False, True])
async def test_a_change_that_is_undone_while_the_old_one_goes_leads_to_a_new_one_as_before(trouble, restarted):
    """It used to be taken for a deletion by somebody else, wherever the reason of Ready had changed meanwhile."""
    bench = await started(delete_time=300)
    stored = await replacing(bench)
    if trouble == "an outage before the undo":
        bench.chance.down = True
        bench.kube.touch(stored, token="1")
        bench.engine.observe("MODIFIED", stored.meta())
        await asyncio.sleep(20)
        assert reasons(stored)[0] == "RunaiUnavailable"
    bench.edit(stored, preemptibility=None)
    if trouble == "an outage after it":
        bench.chance.down = True
    await asyncio.sleep(20)
    if restarted:
        await bench.start()
    bench.chance.down = False
    await asyncio.sleep(60)
    assert reasons(stored)[0] in ("Recreating", "RunaiDeleting")
    assert not reasons(stored)[2]

    await asyncio.sleep(400)
    assert reasons(stored) == ("Running", "Synced", False)
    assert "submission" not in stored.status
    assert len(bench.runai.world.creates) == 2
    await ended(bench)


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_second_run_that_is_called_off_while_the_old_one_goes_leaves_the_end_of_the_first(restarted):
    bench = await started(delete_time=60)
    stored = bench.apply("w", manifest=JOB, rerun_policy=RerunPolicy.ON_SPEC_CHANGE)
    await asyncio.sleep(60)
    bench.edit(stored, manifest={**JOB, "spec": {"text": "second"}})
    await asyncio.sleep(5)
    assert reasons(stored)[0] == "Recreating"
    bench.edit(stored, manifest=JOB, rerun_policy=RerunPolicy.NEVER)
    if restarted:
        await bench.start()
    await asyncio.sleep(300)

    assert reasons(stored) == ("Completed", "Synced", False)
    assert len(bench.runai.world.creates) == 1
    await ended(bench)


async def test_what_somebody_else_deletes_after_a_replacement_is_reported():
    bench = await started()
    stored = bench.apply("w", recreate_policy=RecreatePolicy.ON_IMMUTABLE_CHANGE)
    await asyncio.sleep(60)
    bench.edit(stored, preemptibility="preemptible")
    await asyncio.sleep(60)
    assert reasons(stored) == ("Running", "Synced", False)
    [workload] = bench.runai.live()
    bench.runai.world.delete(workload, bench.now())
    await asyncio.sleep(60)

    assert reasons(stored)[0] == "DeletedExternally"
    await ended(bench)


# --- an edit that is taken back while it is being sent


@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("then", ["outage", "crash and outage", "crash and pause"])
async def test_an_edit_that_is_taken_back_while_it_is_sent_does_not_stay_in_run_ai(answered, then):
    bench = UnevenBench()
    await bench.start()
    stored = bench.apply("w")
    await asyncio.sleep(60)
    [workload] = bench.runai.live()
    if not answered:
        bench.troubles["update"] = lambda: Lost(OutcomeUnknown("lost"))
    bench.edit(stored, manifest=TWO)
    while not bench.called("update"):  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    bench.kube.edit(stored, replace(stored.spec, manifest=RUNS_ON))
    while workload.manifest["spec"] != TWO["spec"]:  # noqa: ASYNC110
        await asyncio.sleep(0.001)

    bench.troubles["update"] = lambda: Unavailable("503")
    if then == "crash and pause":
        bench.kube.touch(stored, paused=True)
    if then == "outage":
        bench.engine.observe("MODIFIED", stored.meta())
    else:
        await bench.start()
    await asyncio.sleep(60)
    assert reasons(stored)[1] == "NotDelivered"
    bench.troubles.clear()
    bench.kube.touch(stored, paused=False)
    bench.engine.observe("MODIFIED", stored.meta())
    await asyncio.sleep(60)

    assert workload.manifest["spec"] == RUNS_ON["spec"]
    assert reasons(stored) == ("Running", "Synced", False)
    await ended(bench)


async def test_an_edit_that_was_sent_before_a_crash_and_cannot_be_repeated_can_still_be_taken_back():
    bench = UnevenBench()
    await bench.start()
    stored = bench.apply("w")
    await asyncio.sleep(60)
    [workload], before = bench.runai.live(), stored.status
    bench.edit(stored, manifest=TWO)
    while workload.manifest["spec"] != TWO["spec"]:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    await bench.stop()
    stored.status = before  # its write was lost
    bench.troubles["update"] = lambda: Unavailable("503")
    await bench.start()
    await asyncio.sleep(60)
    bench.edit(stored, manifest=RUNS_ON)
    bench.troubles.clear()
    await asyncio.sleep(60)

    assert workload.manifest["spec"] == RUNS_ON["spec"]
    assert reasons(stored) == ("Running", "Synced", False)
    await ended(bench)


async def test_a_put_whose_record_is_refused_is_not_repeated_and_its_sync_is_awaited():
    bench = UnevenBench(replace(WORLD, sync_time=20))
    await bench.start()
    stored = bench.apply("w")
    await asyncio.sleep(120)
    bench.edit(stored, manifest=TWO)
    while not bench.called("update"):  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    bench.kube.touch(stored)
    await asyncio.sleep(5)
    assert reasons(stored)[:2] == ("Syncing", "Syncing")

    await asyncio.sleep(120)
    assert reasons(stored) == ("Running", "Synced", False)
    assert bench.called("update") == 1
    await ended(bench)


@pytest.mark.parametrize("phase", ["Running", "Failed"])
@pytest.mark.parametrize("readable", [True, False])
@pytest.mark.parametrize("restarted_between", [True, False])
async def test_two_edits_that_were_taken_back_send_nothing_where_the_workload_says_what_it_holds(
    phase, readable, restarted_between
):
    """One that has failed might run again by it. Where it does not say, the first edit may have been sent by a process that
    was killed."""
    bench = await started(raw_annotations=readable)
    stored = bench.apply("w")
    await asyncio.sleep(60)
    bench.runai.world.set_phase(bench.runai.live()[0], phase, "out of memory", bench.now())
    await asyncio.sleep(120)
    await bench.stop()
    for manifest in (TWO, RUNS_ON):
        bench.kube.edit(stored, replace(stored.spec, manifest=manifest))
        if restarted_between:
            await bench.start()
            await bench.stop()
    await bench.start()
    await asyncio.sleep(400)

    assert reasons(stored) == (phase, "Synced", phase == "Failed")
    assert stored.status["observedGeneration"] == stored.generation
    assert [method for method, _ in bench.runai.writes] == (["POST"] if readable else ["POST", "PUT"])
    await ended(bench)


# --- a status that does not say, in a way that is understood, what was sent


@pytest.mark.parametrize("policy", list(RecreatePolicy))
@pytest.mark.parametrize("record", [None, "garbage", "v1:ab", "v1:ab.", ".", "+", ".+5", "v9:x.y+z", "v1:ab.cd.ef"])
async def test_a_record_that_nobody_understands_costs_a_put_at_most_and_never_the_workload(policy, record):
    bench = await started()
    stored = bench.apply("w", recreate_policy=policy)
    await asyncio.sleep(60)
    [workload] = bench.runai.live()
    await bench.stop()
    stored.status = {**stored.status, "submittedHash": record}
    if record is None:
        del stored.status["submittedHash"]
    bench.kube.touch(stored, token="look")
    await bench.start()
    await asyncio.sleep(60)

    assert bench.runai.live() == [workload]
    assert workload.deleted is None
    assert reasons(stored) == ("Running", "Synced", False)
    assert [method for method, _ in bench.runai.writes] in (["POST"], ["POST", "PUT"])
    await ended(bench)
