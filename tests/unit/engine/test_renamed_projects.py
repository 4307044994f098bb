"""Projects that are renamed in Run:ai, and whose old name is given to others: work stays where it was submitted to."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from fakes.bench import RUNS_ON, UnevenBench, reason, standing
from fakes.uneven_runai import Lost
from runai_operator.domain.conditions import condition
from runai_operator.domain.errors import OutcomeUnknown, Unavailable
from runai_operator.domain.model import ExternalDeletionPolicy, RecreatePolicy, RerunPolicy, SourceRef, SourceText

pytestmark = pytest.mark.looptime

JOB = {"apiVersion": "batch/v1", "kind": "Job", "spec": {}}
THREE = {**RUNS_ON, "spec": {"replicas": 3}}


@pytest.fixture
async def bench():
    async with UnevenBench().started() as bench:
        yield bench


def rename(bench, name="renamed", *, given_away=False):
    """Project 1, which is team-a at first; `given_away`: a new project gets the old name."""
    projects = bench.runai.world.projects
    before = projects["1"]
    projects["1"] = replace(before, name=name)
    for workload in bench.runai.world:
        if workload.project == before:
            workload.project = projects["1"]
    if given_away:
        bench.runai.world.add_project(before.name, before.cluster_id)


def refresh(bench, stored, token="now"):
    bench.kube.touch(stored, token=token)
    bench.engine.observe("MODIFIED", stored.meta())


def runs_on(bench, stored, workload):
    """The object has kept the workload, which is up to date and has never been deleted."""
    shown = (reason(stored), condition(stored.status, "Synced")["reason"])
    return bench.runai.live() == [workload] and workload.deleted is None and shown == ("Running", "Synced")


@pytest.mark.parametrize("policy", list(RecreatePolicy))
@pytest.mark.parametrize("name_is_given_away", [True, False])
@pytest.mark.parametrize("happens", ["a restart", "a change of the source"])
async def test_a_project_that_is_renamed_costs_nothing_that_runs_in_it(bench, policy, name_is_given_away, happens):
    bench.kube.sources["cm"] = SourceText(json.dumps(RUNS_ON), "1")
    source = SourceRef("ConfigMap", "cm", "key")
    stored = bench.apply(
        "a", manifest=None, manifest_from=source, project_id=None, project_name="team-a", recreate_policy=policy
    )
    await asyncio.sleep(60)
    [workload] = bench.runai.live()
    rename(bench, given_away=name_is_given_away)
    refresh(bench, stored)
    await asyncio.sleep(600)
    assert stored.status["projectName"] == "renamed"
    if happens == "a restart":
        await bench.start()
    else:
        bench.kube.sources["cm"] = SourceText(json.dumps(THREE), "2")
    await asyncio.sleep(300)

    assert runs_on(bench, stored, workload)
    assert workload.manifest["spec"] == {"replicas": 1 if happens == "a restart" else 3}


@pytest.mark.parametrize("policy", list(RecreatePolicy))
@pytest.mark.parametrize("name_is_given_away", [True, False])
@pytest.mark.parametrize("restarted", [True, False])
@pytest.mark.parametrize("answered", [True, False])
async def test_a_project_that_is_renamed_costs_nothing_while_an_edit_waits(
    bench, policy, name_is_given_away, restarted, answered
):
    """It used to be resolved by its old name again: to another project, or to none."""
    stored = bench.apply("a", project_id=None, project_name="team-a", recreate_policy=policy)
    await asyncio.sleep(60)
    [workload] = bench.runai.live()
    bench.troubles["update"] = lambda: Unavailable("503") if answered else Lost(OutcomeUnknown("lost"))
    bench.edit(stored, manifest=THREE)
    await asyncio.sleep(30)
    assert condition(stored.status, "Synced")["reason"] == "NotDelivered"
    rename(bench, given_away=name_is_given_away)
    if restarted:
        await bench.start()
    await asyncio.sleep(600)
    bench.troubles.clear()
    await asyncio.sleep(600)

    assert runs_on(bench, stored, workload)
    assert workload.manifest["spec"] == {"replicas": 3}
    assert stored.status["projectName"] == "renamed"


@pytest.mark.parametrize("name_is_given_away", [True, False])
async def test_an_edit_made_while_no_operator_runs_is_sent_to_the_project_as_it_is_called_by_then(
    bench, name_is_given_away
):
    stored = bench.apply(
        "a", project_id=None, project_name="team-a", recreate_policy=RecreatePolicy.ON_IMMUTABLE_CHANGE
    )
    await asyncio.sleep(60)
    [workload] = bench.runai.live()
    await bench.stop()
    rename(bench, given_away=name_is_given_away)
    bench.kube.edit(stored, replace(stored.spec, manifest=THREE))
    await bench.start()
    await asyncio.sleep(300)

    assert runs_on(bench, stored, workload)
    assert workload.manifest["spec"] == {"replicas": 3}


@pytest.mark.parametrize("restarted", [True, False])
async def test_the_new_name_of_the_same_project_in_the_spec_moves_nothing_then_or_later(bench, restarted):
    policy = RecreatePolicy.ON_IMMUTABLE_CHANGE
    stored = bench.apply("a", project_id=None, project_name="team-a", recreate_policy=policy)
    await asyncio.sleep(60)
    [workload] = bench.runai.live()
    rename(bench, given_away=True)
    bench.edit(stored, project_name="renamed")
    await asyncio.sleep(60)
    assert runs_on(bench, stored, workload)
    assert stored.status["observedGeneration"] == stored.generation
    rename(bench, "renamed-again", given_away=True)
    if restarted:
        await bench.start()
    bench.edit(stored, manifest=THREE)
    await asyncio.sleep(600)

    assert runs_on(bench, stored, workload)
    assert workload.manifest["spec"] == {"replicas": 3}


async def test_an_old_name_that_is_another_projects_by_now_moves_the_work_where_the_spec_went_elsewhere_meanwhile(
    bench,
):
    """That the object once used the name is no reason to stay."""
    policy = RecreatePolicy.ON_IMMUTABLE_CHANGE
    stored = bench.apply("a", project_id=None, project_name="team-a", recreate_policy=policy)
    await asyncio.sleep(60)
    rename(bench, given_away=True)
    bench.edit(stored, project_name="renamed")
    await asyncio.sleep(400)
    bench.edit(stored, project_name="team-a")
    await asyncio.sleep(120)

    [moved] = standing(bench)
    assert (moved.project.name, moved.project.id != "1") == ("team-a", True)
    assert (reason(stored), stored.status["projectName"]) == ("Running", "team-a")


async def test_a_project_by_name_instead_of_by_id_is_the_same_one_and_stays_so_when_it_is_renamed(bench):
    policy = RecreatePolicy.ON_IMMUTABLE_CHANGE
    stored = bench.apply("a", project_id="1", recreate_policy=policy)
    await asyncio.sleep(60)
    [workload] = bench.runai.live()
    bench.edit(stored, project_id=None, project_name="team-a")
    await asyncio.sleep(60)
    rename(bench, given_away=True)
    bench.edit(stored, manifest=THREE)
    await asyncio.sleep(400)

    assert runs_on(bench, stored, workload)
    assert workload.manifest["spec"] == {"replicas": 3}


@pytest.mark.parametrize("name_is_given_away", [True, False])
@pytest.mark.parametrize("crash", ["none", "before the answer to the new submission"])
async def test_what_is_created_anew_for_an_edit_of_something_else_stays_in_the_project(
    bench, name_is_given_away, crash
):
    """The attempt is on record with its project, so that after a crash it is looked for where it was made."""
    policy = RecreatePolicy.ON_IMMUTABLE_CHANGE
    stored = bench.apply("a", project_id=None, project_name="team-a", recreate_policy=policy)
    await asyncio.sleep(60)
    rename(bench, given_away=name_is_given_away)
    if crash == "none":
        bench.edit(stored, preemptibility="preemptible")
    else:
        bench.latency["create"] = 1000.0
        bench.edit(stored, preemptibility="preemptible")
        while bench.called("create") < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        bench.latency.clear()
        bench.troubles["create"] = lambda: Lost(OutcomeUnknown("lost"))
        await bench.start()
        await asyncio.sleep(30)
        bench.troubles.clear()
        await bench.start()
    await asyncio.sleep(600)

    [workload] = bench.runai.live()
    assert (workload.project.id, workload.preemptibility) == ("1", "preemptible")
    assert runs_on(bench, stored, workload)


@pytest.mark.parametrize("name_is_given_away", [True, False])
@pytest.mark.parametrize("restarted", [True, False])
async def test_what_runs_again_does_so_in_the_same_project(bench, name_is_given_away, restarted):
    stored = bench.apply(
        "j", manifest=JOB, project_id=None, project_name="team-a", rerun_policy=RerunPolicy.ON_SPEC_CHANGE
    )
    await asyncio.sleep(120)
    assert reason(stored) == "Completed"
    rename(bench, given_away=name_is_given_away)
    if restarted:
        await bench.start()
    bench.edit(stored, priority="high")
    await asyncio.sleep(300)

    assert [workload.project.id for workload in standing(bench)] == ["1"]
    assert (reason(stored), len(bench.runai.world.creates)) == ("Completed", 2)


@pytest.mark.parametrize("name_is_given_away", [True, False])
@pytest.mark.parametrize("restarted", [True, False])
async def test_what_somebody_deleted_is_created_again_in_the_same_project(bench, name_is_given_away, restarted):
    stored = bench.apply(
        "a",
        project_id=None,
        project_name="team-a",
        external_deletion_policy=ExternalDeletionPolicy.RECREATE,
    )
    await asyncio.sleep(60)
    [workload] = bench.runai.live()
    rename(bench, given_away=name_is_given_away)
    if restarted:
        await bench.start()
    bench.runai.world.delete(workload, bench.now())
    await asyncio.sleep(300)

    assert [workload.project.id for workload in standing(bench)] == ["1"]
    assert (reason(stored), stored.status["projectName"]) == ("Running", "renamed")


async def test_a_project_that_was_deleted_is_looked_for_by_its_name_again_when_work_is_created_anew(bench):
    stored = bench.apply(
        "a",
        project_id=None,
        project_name="team-a",
        external_deletion_policy=ExternalDeletionPolicy.RECREATE,
    )
    await asyncio.sleep(60)
    [workload] = bench.runai.live()
    bench.runai.world.delete(workload, bench.now())
    before = bench.runai.world.projects["1"]
    again = bench.runai.world.add_project("team-a", before.cluster_id)
    del bench.runai.world.projects["1"]
    await asyncio.sleep(1500)

    assert [workload.project.id for workload in standing(bench)] == [again.id]
    assert reason(stored) == "Running"


@pytest.mark.parametrize("policy", list(RecreatePolicy))
@pytest.mark.parametrize("named", [{"project_id": None, "project_name": "team-a"}, {"project_id": "1"}])
@pytest.mark.parametrize("restarted", [False, True])
async def test_an_edit_reaches_what_somebody_moved_to_another_project(bench, policy, named, restarted):
    """Its new project used to count as the one that the spec names, and so the edit as one of the project."""
    stored = bench.apply("a", recreate_policy=policy, **named)
    await asyncio.sleep(60)
    [workload] = bench.runai.live()
    workload.project = bench.runai.world.projects["2"]
    refresh(bench, stored)
    await asyncio.sleep(30)
    if restarted:
        await bench.start()
    bench.edit(stored, manifest=THREE)
    await asyncio.sleep(60)

    assert runs_on(bench, stored, workload)
    assert workload.manifest["spec"]["replicas"] == 3
    assert stored.status["projectId"] == "2"
