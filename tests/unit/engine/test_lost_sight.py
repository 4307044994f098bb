"""Run:ai answers 404: the workload is gone, or had finished and was removed, or we may only no longer see it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from fakes.bench import RUNS_ON, WORLD, Bench, reason
from fakes.chance import Mishap
from runai_operator.domain.absence import BRAKE
from runai_operator.domain.conditions import condition
from runai_operator.domain.errors import AccessDenied, Unavailable
from runai_operator.domain.model import ExternalDeletionPolicy, ManagementPolicy

pytestmark = pytest.mark.looptime

JOB = {"apiVersion": "batch/v1", "kind": "Job", "spec": {}}
RECREATE = {"external_deletion_policy": ExternalDeletionPolicy.RECREATE}


def ready(stored):
    return condition(stored.status, "Ready")["reason"]


def synced(stored):
    return condition(stored.status, "Synced")


def hide(bench, *, hidden=True):
    """An administrator takes away the role in every project, or gives it back; a Secret of another tenant does the same."""
    for project in bench.runai.world.projects.values():
        bench.runai.world.hide_project(project, hidden=hidden)


def posts(bench):
    return len(bench.runai.world.creates)


async def of_one(bench, **spec):
    stored = bench.apply("a", **spec)
    await asyncio.sleep(30)
    [workload] = bench.runai.live()
    return stored, workload


# --- lost sight


async def test_a_deletion_is_held_while_the_role_is_lost_and_goes_on_when_it_is_back(bench):
    stored, workload = await of_one(bench)
    hide(bench)
    bench.delete(stored)
    await asyncio.sleep(600)
    await bench.start()
    await asyncio.sleep(3600)

    assert bench.kube.objects, "its workload runs on"
    assert "team-a" in condition(stored.status, "Ready")["message"]
    assert bench.kube.orphans == {}

    hide(bench, hidden=False)
    await asyncio.sleep(600)
    assert bench.kube.objects == {}
    assert workload.deleted is not None


async def test_a_role_that_is_lost_between_two_deletions_is_noticed_by_the_second(bench):
    """That the project was visible a moment ago, when the first was over, proves nothing for the second."""
    bench.runai.world.switch({"deleted_list": False, "delete_time": 8}, bench.now())
    made = [bench.apply(name) for name in "ab"]
    await asyncio.sleep(30)
    bench.delete(made[0])
    await asyncio.sleep(5)
    bench.delete(made[1])
    while len(bench.kube.objects) == 2:  # noqa: ASYNC110 - a fake's status
        await asyncio.sleep(0.1)
    [left] = bench.runai.live()
    hide(bench)
    bench.runai.world.switches = replace(bench.runai.world.switches, cluster_connected=False)
    bench.engine.read_due(made[1].ref.uid)
    await asyncio.sleep(60)

    assert bench.kube.objects, f"{left.name} is not gone"


@pytest.mark.parametrize("deleted", [True, False])
async def test_a_workload_that_is_shown_again_later_than_its_project_is_not_taken_for_gone(bench, deleted):
    await bench.start(grace=60)
    stored, workload = await of_one(bench)
    hide(bench)
    if deleted:
        bench.delete(stored)
    else:
        bench.kube.touch(stored, token="look")
        bench.engine.observe("MODIFIED", stored.meta())
    await asyncio.sleep(600)

    asked, find = asyncio.Event(), bench.runai.world.find
    bench.runai.world.find = lambda *_: asked.set()
    hide(bench, hidden=False)
    await asyncio.wait_for(asked.wait(), 600)
    for _ in range(55):
        await asyncio.sleep(1)
        assert bench.kube.objects, "its workload runs on"
        assert ready(stored) == ("Deleting" if deleted else "Running")
    bench.runai.world.find = find
    await asyncio.sleep(600)

    assert (workload.deleted is not None, bench.kube.objects == {}) == (deleted, deleted)


async def test_what_ended_while_the_role_was_lost_is_shown_with_the_first_word_after_it_is_back(bench):
    await bench.start(grace=60)
    stored = bench.apply("a", manifest=JOB)
    await asyncio.sleep(4)
    hide(bench)
    await asyncio.sleep(600)
    assert synced(stored)["status"] == "Unknown"

    hide(bench, hidden=False)
    while synced(stored)["status"] == "Unknown":  # noqa: ASYNC110 - a fake's status
        await asyncio.sleep(0.1)

    assert ready(stored) == "Completed"


@pytest.mark.parametrize("count", [1, 5])
async def test_a_deletion_that_has_lost_sight_of_its_workload_ends_with_a_record(bench, count):
    await bench.start(release_after=3600)
    made = [bench.apply(f"w{number}") for number in range(count)]
    await asyncio.sleep(30)
    hide(bench)
    for stored in made:
        bench.delete(stored)
    await asyncio.sleep(3000)
    assert len(bench.kube.objects) == count
    await asyncio.sleep(1500)

    assert bench.kube.objects == {}
    assert {orphan.workload_id for orphan in bench.kube.orphans.values()} == {each.id for each in bench.runai.live()}
    assert {orphan.why for orphan in bench.kube.orphans.values()} == {"NotVisible"}


@pytest.mark.parametrize("spec", [{}, RECREATE], ids=["Report", "Recreate"])
async def test_what_is_out_of_sight_is_not_called_deleted_nor_made_again_and_heals(bench, spec):
    stored, workload = await of_one(bench, **spec)
    hide(bench)
    await asyncio.sleep(900)
    await bench.start()
    await asyncio.sleep(900)

    assert ready(stored) == "Running"
    assert (synced(stored)["status"], synced(stored)["reason"]) == ("Unknown", "NotVisible")

    hide(bench, hidden=False)
    await asyncio.sleep(600)
    assert (ready(stored), synced(stored)["status"]) == ("Running", "True")
    assert bench.runai.live() == [workload]
    assert posts(bench) == 1


async def test_an_observed_workload_that_is_out_of_sight_is_not_called_deleted(bench):
    made = bench.runai.world.create({"name": "prod", "projectId": "1"}, RUNS_ON, bench.now())
    stored = bench.apply("x", workload_id=made.id, management_policy=ManagementPolicy.OBSERVE)
    await asyncio.sleep(60)
    hide(bench)
    await asyncio.sleep(900)
    assert (ready(stored), synced(stored)["reason"]) == ("Running", "NotVisible")

    hide(bench, hidden=False)
    await asyncio.sleep(600)
    assert (ready(stored), synced(stored)["status"]) == ("Running", "True")


async def test_an_edit_waits_while_the_role_is_lost_and_is_sent_when_it_is_back(bench):
    stored, workload = await of_one(bench)
    hide(bench)
    bench.edit(stored, manifest={**RUNS_ON, "spec": {"replicas": 3}})
    await asyncio.sleep(300)
    assert ready(stored) == "NotVisible"

    await bench.start()
    hide(bench, hidden=False)
    await asyncio.sleep(600)
    assert workload.manifest["spec"] == {"replicas": 3}
    assert ready(stored) == "Running"


async def test_an_interrupted_submission_is_not_absent_while_its_project_is_hidden(bench):
    bench.chance.named["create"] = Mishap.LOST_AFTER
    stored = bench.apply("a")
    await asyncio.sleep(0.5)
    hide(bench)
    bench.delete(stored)
    await asyncio.sleep(600)
    await bench.start()
    await asyncio.sleep(600)
    assert bench.kube.objects, "what it may have made runs on"

    hide(bench, hidden=False)
    await asyncio.sleep(600)
    assert bench.kube.objects == {}
    assert bench.runai.live() == []


async def test_hundreds_out_of_sight_cost_few_calls(bench):
    made = [bench.apply(f"w{number}") for number in range(200)]
    await asyncio.sleep(120)
    hide(bench)
    for stored in made[:50]:
        bench.delete(stored)
    await asyncio.sleep(600)
    calls, reads = sum(bench.runai.calls.values()), bench.runai.calls["get"]
    await asyncio.sleep(3600)

    assert (bench.runai.calls["get"] - reads) / 60 <= 5, "a minute"
    assert (sum(bench.runai.calls.values()) - calls) / 60 <= 60
    assert len(bench.kube.objects) == 200
    assert {ready(stored) for stored in made} == {"Running", "Deleting"}

    hide(bench, hidden=False)
    await asyncio.sleep(900)
    assert len(bench.kube.objects) == len(bench.runai.live()) == 150
    assert {synced(stored)["status"] for stored in made[50:]} == {"True"}


async def test_deletions_end_also_where_projects_may_not_be_listed(bench):
    def forbidden():
        raise AccessDenied("You do not have sufficient permissions.")

    bench.runai.world.visible_projects = forbidden
    stored, _ = await of_one(bench)
    bench.delete(stored)
    await asyncio.sleep(60)

    assert bench.kube.objects == {}


# --- many vanish at once


def forget(bench):
    """The control plane has lost its memory of what runs, also of what was deleted."""
    lost = bench.runai.live()
    for workload in lost:
        bench.runai.world.purge(workload)
    return lost


async def test_of_many_that_vanish_at_once_none_is_believed_and_a_restart_changes_nothing(bench):
    made = [bench.apply(f"w{number}", **RECREATE) for number in range(60)]
    await asyncio.sleep(120)
    forget(bench)
    for stored in made[:30]:
        bench.delete(stored)
    await asyncio.sleep(900)
    await bench.start()
    await asyncio.sleep(900)

    assert len(bench.kube.objects) == 60
    assert {ready(stored) for stored in made[30:]} == {"Running"}
    assert posts(bench) == 60


async def test_what_vanishes_out_of_sight_is_not_believed_when_sight_is_back(bench):
    """The losses are then discovered one after the other, minutes apart."""
    await bench.start(grace=60)
    made = [bench.apply(f"w{number}") for number in range(60)]
    await asyncio.sleep(400)
    hide(bench)
    await asyncio.sleep(900)
    forget(bench)
    hide(bench, hidden=False)
    await asyncio.sleep(1800)
    assert {ready(stored) for stored in made} == {"Running"}
    assert {synced(stored)["reason"] for stored in made} == {"NotVisible"}

    await asyncio.sleep(BRAKE)
    assert {ready(stored) for stored in made} == {"DeletedExternally"}, "nobody waits for ever"


async def test_the_first_of_many_losses_that_is_noticed_is_not_believed_either(bench):
    """Somebody asks for one of them before any list has missed the others."""
    made = [bench.apply(f"w{number}") for number in range(60)]
    await asyncio.sleep(320)
    forget(bench)
    bench.delete(made[0])
    bench.kube.touch(made[1], token="look")
    bench.engine.observe("MODIFIED", made[1].meta())
    await asyncio.sleep(1200)

    assert len(bench.kube.objects) == 60
    assert ready(made[1]) in ("Running", "NotVisible")


async def test_many_that_vanish_before_any_list_has_shown_them_are_not_believed_either(bench):
    """Lists are late, so nothing but their submission is known of them."""
    made = [bench.apply(f"w{number}", **RECREATE) for number in range(60)]
    await asyncio.sleep(0.9)
    assert len(forget(bench)) == 60
    await asyncio.sleep(1200)

    assert {ready(stored) for stored in made} & {"DeletedExternally", "EndedUnseen"} == set()
    assert posts(bench) == 60


async def test_finished_work_that_was_removed_long_ago_is_released_at_once(bench):
    """Run:ai keeps no list of it any more, and many are deleted together."""
    made = [bench.apply(f"w{number}", manifest=JOB) for number in range(60)]
    await asyncio.sleep(400)
    assert {ready(stored) for stored in made} == {"Completed"}
    forget(bench)
    await asyncio.sleep(400)
    bench.delete_everything()
    await asyncio.sleep(60)

    assert bench.kube.objects == {}


async def test_losses_that_were_believed_brake_no_later_one():
    bench = Bench(replace(WORLD, deleted_list=False))
    await bench.start()
    made = [bench.apply(f"w{number}") for number in range(40)]
    await asyncio.sleep(60)
    for few in (10, 10, 10):
        for workload in bench.runai.live()[:few]:
            bench.runai.world.purge(workload)
        await asyncio.sleep(700)
    assert sum(ready(stored) == "DeletedExternally" for stored in made) == 30

    await bench.start()
    bench.runai.world.purge(bench.runai.live()[0])
    await asyncio.sleep(700)
    assert sum(ready(stored) == "DeletedExternally" for stored in made) == 31
    await bench.stop()


@pytest.mark.parametrize("restarted", [False, True])
async def test_what_was_called_deleted_and_is_there_again_is_shown_after_the_next_sweep(bench, restarted):
    await bench.start(grace=60)
    stored, workload = await of_one(bench)
    world = bench.runai.world
    find, listed = world.find, world.listed
    world.find, world.listed = lambda *_: None, lambda *_, **__: []
    await asyncio.sleep(900)
    assert ready(stored) == "DeletedExternally"
    if restarted:
        await bench.start(grace=60)
        await asyncio.sleep(60)

    world.find, world.listed = find, listed
    await asyncio.sleep(360)
    assert ready(stored) == "Running"
    assert bench.runai.live() == [workload]


async def test_those_who_vanished_at_once_are_not_held_for_ever(bench):
    made = [bench.apply(f"w{number}") for number in range(40)]
    await asyncio.sleep(120)
    forget(bench)
    for stored in made[:20]:
        bench.delete(stored)
    await asyncio.sleep(BRAKE + 1800)

    assert len(bench.kube.objects) == 20
    assert {ready(stored) for stored in made[20:]} == {"DeletedExternally"}


async def test_a_mass_deletion_in_run_ai_is_believed_where_it_is_listed(bench):
    made = [bench.apply(f"w{number}") for number in range(60)]
    await asyncio.sleep(120)
    for workload in bench.runai.live():
        bench.runai.world.delete(workload, bench.now())
    await asyncio.sleep(60)

    assert {ready(stored) for stored in made} == {"DeletedExternally"}


@pytest.mark.parametrize("listed", [True, False])
async def test_our_own_mass_deletion_is_not_braked(listed):
    bench = Bench(replace(WORLD, deleted_list=listed))
    await bench.start()
    for number in range(60):
        bench.apply(f"w{number}")
    await asyncio.sleep(120)
    bench.delete_everything()
    await asyncio.sleep(60)

    assert bench.kube.objects == {}
    await bench.stop()


# --- finished while nobody looked


@pytest.mark.parametrize("spec", [{}, RECREATE], ids=["Report", "Recreate"])
@pytest.mark.parametrize("end", ["Completed", "Failed"])
async def test_what_finished_and_was_removed_while_the_operator_was_away_has_finished(bench, end, spec):
    stored, workload = await of_one(bench, **spec)
    await bench.stop()
    bench.runai.world.set_phase(workload, end, "", bench.now())
    await asyncio.sleep(60)
    bench.runai.world.delete(workload, bench.now())
    await asyncio.sleep(60)
    await bench.start()
    await asyncio.sleep(900)

    assert (ready(stored), stored.status["phase"]) == (end, end)
    assert stored.status["completedAt"]
    assert posts(bench) == 1

    await bench.start()
    await asyncio.sleep(900)
    assert ready(stored) == end
    assert posts(bench) == 1


async def test_what_finished_and_is_removed_at_once_under_a_working_operator_has_finished(bench):
    stored, workload = await of_one(bench, **RECREATE)
    bench.runai.world.set_phase(workload, "Completed", "", bench.now())
    bench.runai.world.delete(workload, bench.now())
    await asyncio.sleep(900)

    assert ready(stored) == "Completed"
    assert posts(bench) == 1


@pytest.mark.parametrize("how", ["no word on how it ended", "forgotten altogether"])
async def test_what_may_have_finished_is_not_made_again_unless_somebody_asks(how):
    bench = Bench(replace(WORLD, deleted_keeps_phase=False))
    await bench.start()
    stored, workload = await of_one(bench, **RECREATE)
    await bench.stop()
    bench.runai.world.set_phase(workload, "Completed", "", bench.now())
    await asyncio.sleep(60)
    bench.runai.world.delete(workload, bench.now())
    await asyncio.sleep(60)
    if how == "forgotten altogether":
        bench.runai.world.purge(workload)
    await bench.start()
    await asyncio.sleep(900)

    assert ready(stored) == "EndedUnseen"
    assert posts(bench) == 1

    bench.kube.touch(stored, token="again")
    bench.engine.observe("MODIFIED", stored.meta())
    await asyncio.sleep(120)
    assert ready(stored) == "Running"
    assert posts(bench) == 2
    await bench.stop()


async def test_what_was_removed_unfinished_while_the_operator_was_away_is_made_again_under_recreate(bench):
    stored, workload = await of_one(bench, **RECREATE)
    await bench.stop()
    bench.runai.world.delete(workload, bench.now())
    await asyncio.sleep(60)
    await bench.start()
    await asyncio.sleep(120)

    assert ready(stored) == "Running"
    assert posts(bench) == 2


async def test_an_observed_workload_that_completed_stays_completed_when_it_is_removed(bench):
    made = bench.runai.world.create({"name": "prod", "projectId": "1"}, JOB, bench.now())
    stored = bench.apply("x", workload_id=made.id, management_policy=ManagementPolicy.OBSERVE)
    await asyncio.sleep(60)
    bench.runai.world.purge(made)
    await bench.start()
    bench.kube.touch(stored, token="now")
    bench.engine.observe("MODIFIED", stored.meta())
    await asyncio.sleep(900)

    assert ready(stored) == "Completed"


async def test_a_deletion_ends_while_lists_are_out_of_order_if_run_ai_shows_the_workload_as_deleted():
    bench = Bench(replace(WORLD, deleted_answers_404=False))
    await bench.start()
    stored, _ = await of_one(bench)

    lists_out_of_order(bench)
    bench.delete(stored)
    await asyncio.sleep(120)

    assert bench.kube.objects == {}
    await bench.stop()


async def test_a_404_alone_does_not_end_a_deletion_and_the_lists_that_are_back_do():
    """The role may have been lost with the answer still to come that would show it."""
    bench = Bench(replace(WORLD, deleted_answers_404=True))
    await bench.start()
    stored, made = await of_one(bench)

    heal = lists_out_of_order(bench)
    bench.delete(stored)
    await asyncio.sleep(120)
    assert made.deleted is not None
    assert stored.finalizers != ()
    assert "HTTP 503" in condition(stored.status, "Ready")["message"]

    heal()
    await asyncio.sleep(60)
    assert bench.kube.objects == {}
    await bench.stop()


def lists_out_of_order(bench):
    """Every list answers 503, until the function that is returned is called."""
    world = bench.runai.world
    working = world.listed, world.visible_projects

    def out_of_order(*args, **kwargs):
        raise Unavailable("HTTP 503")

    def heal():
        world.listed, world.visible_projects = working

    world.listed = world.visible_projects = out_of_order
    return heal


def comes_back_with_the_question(bench):
    """The role is given back just before Run:ai is asked for the project."""
    asked = bench.runai.world.visible_projects

    def visible(*args, **kwargs):
        hide(bench, hidden=False)
        return asked(*args, **kwargs)

    hide(bench)
    bench.runai.world.visible_projects = visible


async def test_a_role_that_comes_back_after_a_404_does_not_prove_that_a_deleted_workload_is_gone(bench):
    stored, workload = await of_one(bench)
    bench.runai.world.switch({"deleted_list": False, "cluster_connected": False}, bench.now())
    bench.delete(stored)
    await asyncio.sleep(5)
    assert workload.deleted is not None

    comes_back_with_the_question(bench)
    await asyncio.sleep(600)
    assert bench.kube.objects, "its cluster is not connected, so it runs on"

    bench.runai.world.switch({"cluster_connected": True}, bench.now())
    await asyncio.sleep(600)
    assert bench.kube.objects == {}


# --- lists of deleted workloads that do not say when


def without_times(query, page):
    return replace(page, rows=tuple(replace(row, deleted_at=None) for row in page.rows)) if query.deleted else page


@pytest.mark.parametrize("restarted", [False, True])
async def test_what_was_deleted_is_made_again_though_its_list_does_not_say_when(restarted):
    """To be in that list says enough; it used to be called unlisted there."""
    bench = Bench()
    bench.runai.distort = without_times
    async with bench.started():
        stored = bench.apply("a", external_deletion_policy=ExternalDeletionPolicy.RECREATE)
        await asyncio.sleep(40)
        [workload] = bench.runai.live()
        if restarted:
            await bench.stop()
        bench.runai.world.delete(workload, bench.now())
        await asyncio.sleep(10)
        if restarted:
            await bench.start()
        await asyncio.sleep(40)

        assert reason(stored) == "Running"
        assert len(bench.runai.world.creates) == 2


async def test_a_mass_deletion_is_believed_though_its_list_does_not_say_when():
    bench = Bench()
    bench.runai.distort = without_times
    async with bench.started():
        all_of_them = [bench.apply(f"w-{number}") for number in range(30)]
        await asyncio.sleep(60)
        for workload in bench.runai.live():
            bench.runai.world.delete(workload, bench.now())
        await asyncio.sleep(60)

        assert {reason(stored) for stored in all_of_them} == {"DeletedExternally"}
