"""Worlds in which an adoption, or what came of it, led the operator astray once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from fakes.bench import RUNS_ON, WORLD, Bench, UnevenBench, ready, standing
from fakes.chance import Mishap
from runai_operator.commands.cleaning import Cleaner
from runai_operator.domain.access import Access, AccessRule
from runai_operator.domain.conditions import condition
from runai_operator.domain.errors import Unavailable
from runai_operator.domain.model import (
    DeletionPolicy,
    ExternalDeletionPolicy,
    ManagementPolicy,
    RecreatePolicy,
    RerunPolicy,
)

pytestmark = pytest.mark.looptime

JOB = {"apiVersion": "batch/v1", "kind": "Job", "spec": {}}
OTHER_JOB = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"text": "second"}}
FOREIGN_MARK = {
    "bridge.run.ai/owner-install": "other",
    "bridge.run.ai/owner-namespace": "n",
    "bridge.run.ai/owner-name": "theirs",
    "bridge.run.ai/owner-uid": "z",
}


def sent_to(bench, workload):
    return [method for method, subject in bench.runai.writes if method != "POST" and subject is workload]


def somebody_makes(bench, name, manifest=RUNS_ON, annotations=None):
    content = {**manifest, "metadata": {"annotations": annotations or {}}}
    return bench.runai.world.create({"name": name, "projectId": "1"}, content, bench.now())


async def taken_over(bench, by, **spec):
    """Finished work of a former object that another object took over without a call."""
    former = bench.apply("j", manifest=JOB, deletion_policy=DeletionPolicy.ORPHAN)
    await asyncio.sleep(60)
    bench.delete(former)
    await asyncio.sleep(5)
    [workload] = standing(bench)
    named = {} if by == "j" else {"workload_id": workload.id}
    stored = bench.apply(by, manifest=JOB, **named, **spec)
    await asyncio.sleep(60)
    assert ready(stored)["reason"] == "Completed"
    return stored, workload


@pytest.mark.parametrize("by", ["j", "k"], ids=["same name", "by id"])
@pytest.mark.parametrize("restarted", [False, True])
async def test_finished_work_that_was_taken_over_is_deleted_with_its_new_object(bench, by, restarted):
    stored, _ = await taken_over(bench, by)
    if restarted:
        await bench.start()
    bench.delete(stored)
    await asyncio.sleep(60)

    assert bench.kube.objects == {}
    assert standing(bench) == []


@pytest.mark.parametrize("by", ["j", "k"], ids=["same name", "by id"])
async def test_finished_work_that_was_taken_over_runs_again_when_it_is_edited(bench, by):
    stored, workload = await taken_over(bench, by, rerun_policy=RerunPolicy.ON_SPEC_CHANGE)
    bench.edit(stored, manifest=OTHER_JOB)
    await asyncio.sleep(120)

    [new] = standing(bench)
    assert new is not workload
    assert ready(stored)["reason"] == "Completed"


@pytest.mark.parametrize("by", ["j", "k"], ids=["same name", "by id"])
async def test_finished_work_that_was_taken_over_may_be_looked_at_again(bench, by):
    stored, _ = await taken_over(bench, by)
    bench.kube.touch(stored, token="now")
    bench.engine.observe("MODIFIED", stored.meta())
    await asyncio.sleep(60)
    await bench.start()
    await asyncio.sleep(600)
    assert ready(stored)["reason"] == "Completed"


@pytest.mark.parametrize("echo", [{"raw_manifest_echo": False}, {"raw_annotations": False}])
@pytest.mark.parametrize("adopts", [False, True])
async def test_a_deletion_in_doubt_ends_though_no_mark_can_be_read(echo, adopts):
    bench = Bench(replace(WORLD, **echo))
    await bench.start(release_after=3600)
    named = {"workload_id": somebody_makes(bench, "prod").id} if adopts else {}
    await asyncio.sleep(10)
    bench.chance.named["update" if adopts else "create"] = Mishap.CRASH_AFTER
    stored = bench.apply("x", **named)
    await asyncio.sleep(1)
    await bench.stop()
    bench.kube.delete(stored)
    await bench.start(release_after=3600)
    await asyncio.sleep(1800)
    assert bench.kube.objects != {}
    assert "deletionPolicy: Orphan" in ready(stored)["message"]
    await asyncio.sleep(3600)

    assert bench.kube.objects == {}
    assert len(standing(bench)) == 1
    [orphan] = bench.kube.orphans.values()
    assert (orphan.in_doubt, orphan.why) == (True, "HolderUnreadable")
    await bench.stop()


async def test_the_deletion_of_a_foreign_workload_does_not_hold_an_object():
    bench = Bench()
    await bench.start()
    stored = bench.apply("x")
    await asyncio.sleep(30)
    [workload] = standing(bench)
    workload.manifest["metadata"]["annotations"].update(FOREIGN_MARK)
    bench.runai.world.switches = replace(WORLD, cluster_connected=False)
    bench.runai.world.delete(workload, bench.now())
    bench.delete(stored)
    await asyncio.sleep(60)

    assert bench.kube.objects == {}
    assert sent_to(bench, workload) == []
    await bench.stop()


@pytest.mark.parametrize("former", [(), ("old",)])
async def test_what_an_attempt_under_a_former_install_id_made_is_not_made_twice(former):
    bench = Bench()
    await bench.start(install="old")
    bench.chance.named["create"] = Mishap.CRASH_AFTER
    stored = bench.apply("x", name_prefix="train")
    await asyncio.sleep(1)
    await bench.stop()
    assert len(standing(bench)) == 1
    await bench.start(install="new", former=former)
    await asyncio.sleep(120)

    if former:
        assert len(standing(bench)) == 1
        assert ready(stored)["reason"] == "Running"
    bench.delete(stored)
    await asyncio.sleep(120)
    if former:
        assert standing(bench) == []
    await bench.stop()


@pytest.mark.parametrize("echo", [{}, {"raw_manifest_echo": False}])
async def test_what_another_object_has_taken_over_is_not_cleaned_up_as_an_orphan(echo):
    bench = Bench(replace(WORLD, **echo))
    await bench.start()
    manifest = RUNS_ON if echo else JOB
    former = bench.apply("a", manifest=manifest)
    await asyncio.sleep(60)
    bench.chance.down = True
    bench.delete(former)
    bench.kube.replace(former)
    bench.engine.observe("DELETED", former.meta())
    await asyncio.sleep(60)
    bench.chance.down = False
    [orphan] = bench.kube.orphans.values()
    [workload] = standing(bench)
    stored = bench.apply("b", manifest=manifest, workload_id=workload.id)
    await asyncio.sleep(120)
    assert stored.status["workloadId"] == workload.id

    cleaner = Cleaner(
        bench.kube.client(bench.chance), bench.runai.client(bench.chance), access=Access(), clock=bench.loop.time
    )
    assert "another owner" in str(await cleaner.clean(orphan))
    assert standing(bench) == [workload]
    assert bench.kube.orphans == {}
    await bench.stop()


@pytest.mark.parametrize("then", ["paused", "invalid", "restarted", "undone", "forbidden"])
async def test_a_replacement_that_was_begun_ends_with_one_whatever_happens_meanwhile(then):
    bench = Bench(replace(WORLD, delete_time=60))
    await bench.start()
    stored = bench.apply("x", recreate_policy=RecreatePolicy.ON_IMMUTABLE_CHANGE)
    await asyncio.sleep(30)
    bench.edit(stored, preemptibility="preemptible")
    await asyncio.sleep(5)
    match then:
        case "paused":
            bench.kube.touch(stored, paused=True)
            bench.engine.observe("MODIFIED", stored.meta())
        case "invalid":
            bench.edit(stored, manifest={"kind": "x"})
        case "restarted":
            await bench.start()
        case "undone":
            bench.edit(stored, preemptibility=None, recreate_policy=RecreatePolicy.NEVER)
        case "forbidden":
            bench.edit(stored, recreate_policy=RecreatePolicy.NEVER)
    await asyncio.sleep(900)
    assert ready(stored)["reason"] != "DeletedExternally"
    if then == "paused":
        bench.kube.touch(stored, paused=False)
        bench.engine.observe("MODIFIED", stored.meta())
    if then == "invalid":
        bench.edit(stored, manifest=RUNS_ON)
    await asyncio.sleep(300)

    assert len(standing(bench)) == 1
    assert ready(stored)["reason"] == "Running"
    await bench.stop()


async def test_a_replacement_that_was_forbidden_before_its_deletion_was_sent_is_not_carried_out():
    bench = Bench(replace(WORLD, delete_time=60))
    await bench.start()
    stored = bench.apply("x", recreate_policy=RecreatePolicy.ON_IMMUTABLE_CHANGE)
    await asyncio.sleep(30)
    workload = standing(bench)
    bench.chance.named["delete"] = Mishap.LOST_BEFORE
    bench.edit(stored, preemptibility="preemptible")
    await asyncio.sleep(0.1)
    assert stored.status["submission"] == "Replacing"
    bench.edit(stored, recreate_policy=RecreatePolicy.NEVER)
    await asyncio.sleep(900)

    assert ready(stored)["reason"] == "ImmutableFieldChanged"
    assert standing(bench) == workload
    assert "submission" not in stored.status
    await bench.stop()


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_replacement_that_is_forbidden_while_run_ai_cannot_be_read_goes_on_once_it_can(restarted):
    """One failed reading used to make it a refusal, which is tried again after half an hour."""
    bench = UnevenBench(replace(WORLD, delete_time=60))
    await bench.start()
    stored = bench.apply("x", recreate_policy=RecreatePolicy.ON_IMMUTABLE_CHANGE)
    await asyncio.sleep(30)
    bench.edit(stored, preemptibility="preemptible")
    await asyncio.sleep(5)
    if restarted:
        await bench.stop()
    bench.troubles["get"] = lambda: Unavailable("Nobody knows.")
    bench.edit(stored, recreate_policy=RecreatePolicy.NEVER)
    if restarted:
        await bench.start()
    await asyncio.sleep(3)
    assert (ready(stored)["reason"], stored.status["submission"]) == ("RunaiUnavailable", "Replacing")
    bench.troubles.clear()
    await asyncio.sleep(180)

    [new] = standing(bench)
    assert (ready(stored)["reason"], stored.status["workloadId"]) == ("Running", new.id)
    await bench.stop()


ALLOWED = Access((AccessRule(("ns",), ("team-a",), adoption=True),))
REVOKED = Access((AccessRule(("ns",), ("team-b",)),))


def hide(bench, *, hidden=True):
    for project in bench.runai.world.projects.values():
        bench.runai.world.hide_project(project, hidden=hidden)


@pytest.mark.parametrize("in_doubt", [False, True])
@pytest.mark.parametrize("adopts", [False, True])
async def test_a_deletion_under_a_table_of_access_outlasts_a_lost_role(bench, in_doubt, adopts):
    bench.access = ALLOWED
    await bench.start()
    named = {"workload_id": somebody_makes(bench, "prod").id} if adopts else {}
    await asyncio.sleep(10)
    if in_doubt:
        bench.chance.named["update" if adopts else "create"] = Mishap.LOST_AFTER
    stored = bench.apply("x", **named)
    await asyncio.sleep(0.3 if in_doubt else 30)
    hide(bench)
    bench.delete(stored)
    await asyncio.sleep(900)
    await bench.start()
    await asyncio.sleep(900)
    assert bench.kube.objects != {}

    hide(bench, hidden=False)
    await asyncio.sleep(900)
    assert bench.kube.objects == {}
    assert standing(bench) == []


@pytest.mark.parametrize("in_doubt", [False, True])
async def test_a_right_that_was_taken_away_and_given_back_leaves_one_workload(bench, in_doubt):
    bench.access = ALLOWED
    await bench.start()
    if in_doubt:
        bench.chance.named["create"] = Mishap.LOST_AFTER
    stored = bench.apply("x", external_deletion_policy=ExternalDeletionPolicy.RECREATE)
    await asyncio.sleep(0.3 if in_doubt else 30)
    bench.access = REVOKED
    await bench.start()
    await asyncio.sleep(600)
    bench.edit(stored, priority="high")
    bench.runai.world.delete(standing(bench)[0], bench.now())
    await asyncio.sleep(600)
    assert ready(stored)["reason"] == "ProjectNotAllowed"
    assert [method for method, _ in bench.runai.writes] == ["POST"]

    bench.access = ALLOWED
    await bench.start()
    await asyncio.sleep(600)
    assert ready(stored)["reason"] == "Running"
    assert len(standing(bench)) == 1


@pytest.mark.parametrize("echo", [{}, {"raw_manifest_echo": False}])
async def test_a_replacement_whose_right_is_taken_away_does_not_hold_the_deletion(echo):
    bench = Bench(replace(WORLD, delete_time=60, **echo))
    bench.access = ALLOWED
    await bench.start()
    stored = bench.apply("x", recreate_policy=RecreatePolicy.ON_IMMUTABLE_CHANGE)
    await asyncio.sleep(30)
    bench.edit(stored, preemptibility="preemptible")
    await asyncio.sleep(3)
    bench.access = REVOKED
    await bench.start()
    await asyncio.sleep(900)
    assert (ready(stored)["reason"], stored.status["submission"]) == ("ProjectNotAllowed", "Replacing")

    bench.delete(stored)
    await asyncio.sleep(400)
    assert bench.kube.objects == {}
    await bench.stop()


async def test_finished_work_of_another_object_that_was_observed_is_neither_rerun_nor_deleted(bench):
    owner = bench.apply("j", manifest=JOB, deletion_policy=DeletionPolicy.ORPHAN)
    await asyncio.sleep(60)
    [workload] = standing(bench)
    stored = bench.apply("k", manifest=JOB, workload_id=workload.id, management_policy=ManagementPolicy.OBSERVE)
    await asyncio.sleep(60)
    bench.edit(stored, management_policy=ManagementPolicy.MANAGE, rerun_policy=RerunPolicy.ON_SPEC_CHANGE)
    bench.edit(stored, manifest=OTHER_JOB)
    await asyncio.sleep(120)
    assert ready(stored)["reason"] == "ManagedByOther"

    bench.delete(owner)
    bench.delete(stored)
    await asyncio.sleep(60)
    assert bench.kube.objects == {}
    assert standing(bench) == [workload]


@pytest.mark.parametrize("restarted", [False, True])
async def test_who_is_to_manage_what_was_only_observed_and_is_gone_may_name_another(bench, restarted):
    first, second = somebody_makes(bench, "first"), somebody_makes(bench, "second")
    await asyncio.sleep(30)
    stored = bench.apply("x", workload_id=first.id, management_policy=ManagementPolicy.OBSERVE)
    await asyncio.sleep(30)
    bench.runai.world.delete(first, bench.now())
    await asyncio.sleep(400)
    assert ready(stored)["reason"] == "DeletedExternally"
    bench.edit(stored, management_policy=ManagementPolicy.MANAGE)
    if restarted:
        await bench.start()
    await asyncio.sleep(60)
    assert (ready(stored)["reason"], stored.status["submission"]) == ("WorkloadNotFound", "NotSubmitted")
    assert "workloadId" not in stored.status

    bench.edit(stored, workload_id=second.id)
    await asyncio.sleep(60)
    assert (ready(stored)["reason"], stored.status["workloadId"]) == ("Running", second.id)
    assert standing(bench) == [second]


@pytest.mark.parametrize("echo", [{}, {"raw_manifest_echo": False}])
async def test_what_was_only_observed_is_adopted_by_one_put_though_no_mark_can_be_read(echo):
    """It used to be sent at every reading, since nothing told that it was ours by then."""
    bench = Bench(replace(WORLD, **echo))
    await bench.start()
    workload = somebody_makes(bench, "prod")
    await asyncio.sleep(30)
    stored = bench.apply("x", workload_id=workload.id, management_policy=ManagementPolicy.OBSERVE)
    await asyncio.sleep(30)
    bench.edit(stored, management_policy=ManagementPolicy.MANAGE)
    await asyncio.sleep(300)

    assert sent_to(bench, workload) == ["PUT"]
    assert (ready(stored)["reason"], stored.status["adoptedId"]) == ("Running", workload.id)
    await bench.stop()


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("seen", [False, True])
@pytest.mark.parametrize(("end", "ready_status"), [("Completed", "True"), ("Failed", "False")])
async def test_what_was_only_observed_stays_as_it_ended_though_it_is_gone_when_it_is_to_be_managed(
    end, ready_status, seen, restarted
):
    """It used to be forgotten, and then said not to be found."""
    bench = UnevenBench()
    await bench.start()
    workload = somebody_makes(bench, "j", JOB)
    await asyncio.sleep(5)
    stored = bench.apply("x", manifest=JOB, workload_id=workload.id, management_policy=ManagementPolicy.OBSERVE)
    await asyncio.sleep(5)
    if not seen:
        await bench.stop()
    bench.runai.world.set_phase(workload, end, "", bench.now())
    await asyncio.sleep(30)
    bench.runai.world.delete(workload, bench.now())
    await asyncio.sleep(300)
    bench.edit(stored, management_policy=ManagementPolicy.MANAGE)
    if restarted or not seen:
        await bench.start()
    await asyncio.sleep(60)

    synced = condition(stored.status, "Synced") or {}
    assert (ready(stored)["status"], ready(stored)["reason"], stored.status["phase"]) == (ready_status, end, end)
    assert (synced["status"], synced["reason"]) == ("False", "WorkloadNotFound")
    at, writes = bench.loop.time(), bench.kube.writes
    await asyncio.sleep(3600)
    assert (bench.called("get", "find", since=at), bench.kube.writes) == (0, writes)
    bench.delete(stored)
    await asyncio.sleep(60)
    assert bench.kube.objects == {}
    assert sent_to(bench, workload) == []
    await bench.stop()


# --- what had failed


TWO = {**RUNS_ON, "spec": {"replicas": 2}}


async def failed_and_adopted(bench, how, manifest):
    """A failed workload that an earlier object left behind, and the object that a PUT has just made its owner."""
    former = bench.apply("w", deletion_policy=DeletionPolicy.ORPHAN)
    await asyncio.sleep(60)
    [workload] = standing(bench)
    bench.runai.world.set_phase(workload, "Failed", "out of memory", bench.now())
    await asyncio.sleep(60)
    bench.delete(former)
    await asyncio.sleep(60)
    if how == "by name":
        stored = bench.apply("w", manifest=manifest)
    else:
        policy = ManagementPolicy.OBSERVE if how == "observed" else ManagementPolicy.MANAGE
        stored = bench.apply("v", workload_id=workload.id, manifest=manifest, management_policy=policy)
    if how == "observed":
        await asyncio.sleep(10)
        assert ready(stored)["reason"] == "Failed"
        bench.edit(stored, management_policy=ManagementPolicy.MANAGE)
    while not sent_to(bench, workload):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    return stored


@pytest.mark.parametrize("how", ["by name", "by id", "observed"])
@pytest.mark.parametrize("lag", [1, 8])
async def test_a_failure_that_an_adoption_mends_is_not_shown(how, lag):
    """Programs that wait take one moment of it for the end."""
    async with Bench(replace(WORLD, list_lag=lag)).started() as bench:
        stored = await failed_and_adopted(bench, how, TWO)
        shown = set()
        for _ in range(240):
            shown |= {ready(stored)["reason"], stored.status.get("phase")}
            await asyncio.sleep(0.25)

        assert "Failed" not in shown
        assert ready(stored)["reason"] == "Running"


@pytest.mark.parametrize("how", ["by name", "by id", "observed"])
@pytest.mark.parametrize("manifest", [RUNS_ON, TWO], ids=["the same", "edited"])
async def test_what_stays_failed_after_an_adoption_is_shown_as_failed(how, manifest):
    """No list shows it as news, so what was read at the adoption is remembered."""
    async with Bench(replace(WORLD, put_reruns_failed=False)).started() as bench:
        stored = await failed_and_adopted(bench, how, manifest)
        await asyncio.sleep(40)

        assert (ready(stored)["reason"], stored.status["phase"]) == ("Failed", "Failed")
        assert condition(stored.status, "Stalled") is not None


@pytest.mark.parametrize("reruns", [False, True])
async def test_what_was_observed_and_has_just_completed_gets_no_put_when_it_is_to_be_managed(reruns):
    """What the lists showed last is a few seconds old."""
    async with Bench(replace(WORLD, list_lag=0, put_reruns_completed=reruns)).started() as bench:
        workload = somebody_makes(bench, "x", JOB)
        stored = bench.apply(
            "w", workload_id=workload.id, manifest=OTHER_JOB, management_policy=ManagementPolicy.OBSERVE
        )
        while workload.phase(bench.now())[0] != "Completed":  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        assert stored.status["phase"] == "Running"
        bench.edit(stored, management_policy=ManagementPolicy.MANAGE)
        await asyncio.sleep(60)

        assert ready(stored)["reason"] == "Completed"
        assert not sent_to(bench, workload)
