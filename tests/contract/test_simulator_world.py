"""How a workload moves, with time as an argument."""

from __future__ import annotations

import contextlib

import pytest

from runai_simulator.catalogue import KINDS
from runai_simulator.rules import Refused
from runai_simulator.switches import Switches
from runai_simulator.world import World

SLOW = Switches(list_lag=5, sync_time=10, phase_time=100, run_time=1000, delete_time=50)


def job(**annotations):
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"annotations": annotations}, "spec": {}}


def made(world: World, manifest=None, name="train"):
    return world.create({"name": name, "projectId": "1"}, manifest or job(), 0)


@pytest.mark.parametrize(
    ("at", "sync", "phase"),
    [
        (0, "Queued", "Creating"),
        (10, "Applying", "Creating"),
        (20, "Synced", "Creating"),
        (120, "Synced", "Pending"),
        (220, "Synced", "Initializing"),
        (320, "Synced", "Running"),
        (1320, "Synced", "Completed"),
    ],
)
def test_a_job_goes_from_queued_to_completed(at, sync, phase):
    workload = made(World(SLOW))

    assert workload.sync(at)[0] == sync
    assert workload.phase(at)[0] == phase


@pytest.mark.parametrize(("kind", "ends"), [("Job", "Completed"), ("Deployment", "Running"), ("NIMService", "Running")])
def test_only_kinds_that_complete_do(kind, ends):
    found = next(entry for entry in KINDS.values() if entry.name == kind)
    workload = made(World(SLOW), {"apiVersion": f"{found.group}/{found.versions[0]}", "kind": kind})

    assert workload.phase(10**6)[0] == ends


@pytest.mark.parametrize(
    ("switches", "at", "free"),
    [
        pytest.param(SLOW, 49, False, id="taken while it is being deleted"),
        pytest.param(SLOW, 51, True, id="free when it is gone"),
        pytest.param(SLOW.changed({"name_free_at_once": True}), 1, True, id="free with the DELETE, if so switched"),
        pytest.param(SLOW.changed({"name_blocked_for": 100.0}), 149, False, id="blocked afterwards, if so switched"),
        pytest.param(SLOW.changed({"name_blocked_for": 100.0}), 151, True, id="and free after that"),
    ],
)
def test_when_a_name_is_free_again(switches, at, free):
    world = World(switches)
    world.delete(made(world), 0)
    refusal = contextlib.nullcontext() if free else pytest.raises(Refused, match="already exists")

    with refusal:
        world.create({"name": "train", "projectId": "1"}, job(), at)


def test_names_are_unique_in_a_project_and_free_in_another():
    world = World(SLOW)
    made(world)
    with pytest.raises(Refused, match="already exists in this project"):
        made(world)
    world.create({"name": "train", "projectId": "2"}, job(), 0)

    assert len(world.creates) == 2


def test_lists_lag_behind_reads():
    world = World(SLOW)
    made(world)

    assert world.listed(4, deleted=False) == []
    assert len(world.listed(6, deleted=False)) == 1
    assert len(world.live(0)) == 1


def test_busy_workloads_refuse_writes_where_the_switch_says_so():
    world = World(SLOW.changed({"writes_while_busy": False}))
    workload = made(world)
    with pytest.raises(Refused, match="busy"):
        world.update(workload, {}, job(), 5)
    with pytest.raises(Refused, match="busy"):
        world.delete(workload, 5)
    world.delete(workload, 25)
    with pytest.raises(Refused, match="busy"):
        world.update(workload, {}, job(), 30)


def test_a_put_keeps_the_fields_it_does_not_name():
    world = World(SLOW)
    workload = world.create({"name": "train", "projectId": "1", "priority": "low"}, job(), 0)
    world.update(workload, {"category": "Train"}, None, 1)

    assert (workload.priority, workload.category) == ("low", "Train")
    assert workload.manifest == job()


@pytest.mark.parametrize("edited", [299, 300, 301])
def test_an_edit_that_arrives_as_a_workload_begins_to_run_keeps_it_running(edited):
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 1}}
    world = World(SLOW)
    workload = made(world, deployment)
    world.update(workload, {}, {**deployment, "spec": {"replicas": 2}}, edited)

    assert workload.phase(10**6)[0] == "Running"
