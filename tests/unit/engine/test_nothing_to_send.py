"""Objects that have nothing to send: whatever only a new submission would need may be out of reach."""

from __future__ import annotations

import asyncio

import pytest

from fakes.bench import RUNS_ON, UnevenBench
from runai_operator.domain.conditions import condition
from runai_operator.domain.errors import AccessDenied, Unavailable
from runai_operator.domain.model import ExternalDeletionPolicy, RecreatePolicy, RerunPolicy, SourceRef, SourceText

pytestmark = pytest.mark.looptime

JOB = {"apiVersion": "batch/v1", "kind": "Job", "spec": {}}


def ready(stored):
    return condition(stored.status, "Ready")["reason"]


def hide(bench):
    for project in bench.runai.world.projects.values():
        bench.runai.world.hide_project(project, hidden=True)


def forbid_listing_projects(bench):
    def forbidden():
        raise AccessDenied("You do not have sufficient permissions.")

    bench.runai.world.visible_projects = forbidden


def refresh(bench, stored):
    bench.kube.touch(stored, token="now")
    bench.engine.observe("MODIFIED", stored.meta())


@pytest.mark.parametrize("change", ["policy", "refresh"])
async def test_completed_work_stays_so_although_its_project_is_no_longer_visible(bench, change):
    stored = bench.apply("j", manifest=JOB, project_id=None, project_name="team-a")
    await asyncio.sleep(120)
    assert ready(stored) == "Completed"
    hide(bench)
    await bench.start()
    if change == "policy":
        bench.edit(stored, rerun_policy=RerunPolicy.ON_SPEC_CHANGE)
    else:
        refresh(bench, stored)
    await asyncio.sleep(900)

    assert ready(stored) == "Completed"
    assert condition(stored.status, "Synced")["status"] == "True"
    assert stored.status["observedGeneration"] == stored.generation


@pytest.mark.parametrize("policy", list(RerunPolicy))
async def test_completed_work_stays_so_although_its_source_is_gone(bench, policy):
    bench.kube.sources["code"] = SourceText("apiVersion: batch/v1\nkind: Job\nspec: {}", "1")
    stored = bench.apply(
        "j", manifest=None, manifest_from=SourceRef("ConfigMap", "code", "x.yaml"), rerun_policy=policy
    )
    await asyncio.sleep(120)
    del bench.kube.sources["code"]
    bench.edit(stored, external_deletion_policy=ExternalDeletionPolicy.RECREATE)
    await asyncio.sleep(900)

    assert ready(stored) == "Completed"


async def test_a_refresh_in_an_outage_leaves_ready_alone(bench):
    stored = bench.apply("a", project_id=None, project_name="team-a")
    await asyncio.sleep(360)
    bench.chance.down = True
    refresh(bench, stored)
    await asyncio.sleep(900)
    assert ready(stored) == "Running"

    bench.chance.down = False
    await asyncio.sleep(600)
    assert stored.status["lastHandledReconcileAt"] == "now"


async def test_an_edit_is_sent_although_projects_may_not_be_listed(bench):
    stored = bench.apply("a", project_id=None, project_name="team-a")
    await asyncio.sleep(30)
    [workload] = bench.runai.live()
    forbid_listing_projects(bench)
    await bench.start()
    bench.edit(stored, manifest={**RUNS_ON, "spec": {"replicas": 3}})
    await asyncio.sleep(60)

    assert workload.manifest["spec"] == {"replicas": 3}
    assert ready(stored) == "Running"


async def test_completed_work_stays_so_however_long_the_project_that_it_is_to_move_to_cannot_be_found():
    bench = UnevenBench()
    await bench.start()
    policies = {"recreate_policy": RecreatePolicy.ON_IMMUTABLE_CHANGE, "rerun_policy": RerunPolicy.ON_SPEC_CHANGE}
    stored = bench.apply("j", manifest=JOB, project_id=None, project_name="team-a", **policies)
    await asyncio.sleep(120)
    bench.troubles |= dict.fromkeys(("projects", "rows"), lambda: Unavailable("503"))
    bench.edit(stored, project_name="team-b")
    for _ in range(1200):
        await asyncio.sleep(1)
        assert ready(stored) == "Completed"
        assert condition(stored.status, "Ready")["status"] == "True"
    assert condition(stored.status, "Synced")["reason"] == "NotDelivered"

    bench.troubles.clear()
    await asyncio.sleep(120)
    assert [workload.project.name for workload in bench.runai.live()] == ["team-b"]
    await bench.stop()
    assert bench.observer.bugs == 0
