"""Annotations in a manifest steer what becomes of it; what they cannot mean is refused."""

from __future__ import annotations

import pytest

from fakes.simulated_runai import FINISHED, GONE, PACE, RUNNING, SYNCED, job
from runai_simulator.rules import Refused
from runai_simulator.steering import ANNOTATIONS
from runai_simulator.switches import Switches
from runai_simulator.world import RUN_FAILURE, SYNC_FAILURE, Workload, World

LATER = 10_000.0


def submitted(**steering: str) -> tuple[World, Workload]:
    world = World(Switches().changed(PACE))
    return world, world.create({"name": "train", "projectId": "1"}, job(**steering), 0)


@pytest.mark.parametrize(
    ("steering", "at", "sync", "phase", "message"),
    [
        ({}, LATER, "Synced", "Completed", ""),
        ({"sync": "fail"}, LATER, "Failed", "Creating", ""),
        ({"sync": "hold"}, LATER, "Queued", "Creating", ""),
        ({"end": "Failed"}, RUNNING, "Synced", "Running", ""),
        ({"end": "Failed"}, LATER, "Synced", "Failed", RUN_FAILURE),
        ({"end": "Failed", "message": "out of memory"}, LATER, "Synced", "Failed", "out of memory"),
        ({"end": "Running"}, LATER, "Synced", "Running", ""),
        ({"end": "Completed"}, LATER, "Synced", "Completed", ""),
        ({"pending": "true"}, LATER, "Synced", "Pending", ""),
        ({"pending": "false"}, LATER, "Synced", "Completed", ""),
        ({"phases": "Pending=7,Running=5,Degraded"}, SYNCED, "Synced", "Pending", ""),
        ({"phases": "Pending=7,Running=5,Degraded"}, SYNCED + 7, "Synced", "Running", ""),
        ({"phases": "Pending=7,Running=5,Degraded", "message": "1 of 2"}, LATER, "Synced", "Degraded", "1 of 2"),
        ({"phases": "Pending,Running"}, SYNCED + PACE["phase_time"], "Synced", "Running", ""),
    ],
)
def test_annotations_steer_sync_and_phases(steering, at, sync, phase, message):
    _, workload = submitted(**steering)

    assert workload.sync(at) == (sync, SYNC_FAILURE if sync == "Failed" else None)
    assert workload.phase(at)[:2] == (phase, message)


@pytest.mark.parametrize(
    ("delete_time", "after", "is_gone"),
    [("", GONE, True), ("60", 59, False), ("60", 60, True), ("0", 0, True), ("never", LATER, False)],
)
def test_annotations_steer_how_it_ends(delete_time, after, is_gone):
    world, workload = submitted(delete_time=delete_time)
    world.delete(workload, RUNNING)

    assert workload.is_gone(RUNNING + after) is is_gone


@pytest.mark.parametrize(
    ("before", "after", "phase"),
    [
        pytest.param({"sync": "hold"}, {}, "Running", id="held until it is released"),
        pytest.param({"pending": "true"}, {}, "Running", id="pending until it is released"),
        pytest.param({}, {"end": "Failed"}, "Failed", id="fails after all"),
        pytest.param({}, {"phases": "Running=1,Degraded"}, "Degraded", id="a new way"),
    ],
)
def test_annotations_of_a_put_replace_the_earlier_ones(before, after, phase):
    world, workload = submitted(**before)
    world.update(workload, {}, job(**after), RUNNING)
    then = RUNNING + SYNCED + (FINISHED - RUNNING if phase == "Failed" else RUNNING)

    assert workload.phase(then)[0] == phase


@pytest.mark.parametrize(
    "steering",
    [
        {"sync": "never"},
        {"end": "Pending"},
        {"pending": "yes"},
        {"phases": "Walking"},
        {"phases": "Running=soon"},
        {"phases": "Running=-1"},
        {"phases": "Running=inf"},
        {"delete_time": "nan"},
        {"color": "red"},
    ],
)
def test_invalid_annotations_are_refused(steering):
    with pytest.raises(Refused, match=r"simulator: simulator\.run\.ai/"):
        submitted(**steering)

    world, workload = submitted()
    with pytest.raises(Refused, match="simulator: "):
        world.update(workload, {"priority": "low"}, job(**steering), 1)
    assert (workload.manifest, workload.priority) == (job(), "high")


def test_a_failed_sync_shows_the_message_that_it_was_given():
    _, workload = submitted(sync="fail", message="Invalid value: x")

    assert workload.sync(LATER) == ("Failed", "Invalid value: x")


def test_what_is_to_be_refused_is_refused_in_its_own_words():
    with pytest.raises(Refused, match=r"spec\.x: Invalid value: y"):
        submitted(refuse="spec.x: Invalid value: y")


def test_every_annotation_is_tried_here():
    tried = {"sync", "end", "pending", "phases", "message", "delete-time", "refuse"}

    assert {f"simulator.run.ai/{name}" for name in tried} == set(ANNOTATIONS)
