"""What was rejected is named like everything else: `kubectl get` shows its kind, its project and why."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from fakes.bench import RUNS_ON, WORLD, Bench, reason, standing
from fakes.kube import Stored, cells_of
from runai_operator.domain.model import NOT_SUBMITTED, Spec

pytestmark = pytest.mark.looptime

AS_TEXT = "apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: 1}\n"
NOBODYS = {"project_id": None, "project_name": "nobodys"}


def columns(stored):
    cells = cells_of(stored)
    return tuple(cells[name] for name in ("Ready", "Reason", "Kind", "Project"))


@pytest.mark.parametrize(
    ("spec", "shown"),
    [
        pytest.param(NOBODYS, ("False", "ProjectNotFound", "Deployment", "nobodys"), id="an unknown project"),
        pytest.param(
            NOBODYS | {"manifest": None, "manifest_yaml": AS_TEXT},
            ("False", "ProjectNotFound", "Deployment", "nobodys"),
            id="an unknown project, and the manifest as text",
        ),
        pytest.param(
            {"manifest": {**RUNS_ON, "kind": "Deploymint"}, "project_id": None, "project_name": "team-a"},
            ("False", "InvalidSpec", "Deploymint", "team-a"),
            id="a kind that Run:ai does not know",
        ),
        pytest.param(
            {"manifest": None, "manifest_yaml": "[1, 2", "project_id": None, "project_name": "team-a"},
            ("False", "InvalidSpec", None, "team-a"),
            id="no manifest at all",
        ),
    ],
)
async def test_what_was_rejected_shows_its_kind_and_project(bench, spec, shown):
    stored = bench.apply("w", **spec)
    await asyncio.sleep(30)

    assert columns(stored) == shown
    assert (stored.status["ready"], stored.status["reason"]) == shown[:2]
    assert stored.status["submission"] == NOT_SUBMITTED


async def test_after_a_correction_it_shows_what_was_submitted(bench):
    stored = bench.apply("w", **NOBODYS)
    await asyncio.sleep(30)
    bench.edit(stored, project_name="team-a", manifest={"apiVersion": "batch/v1", "kind": "Job", "spec": {}})
    await asyncio.sleep(15)

    assert columns(stored) == ("True", "Running", "Job", "team-a")


async def test_ready_and_reason_follow_the_condition(bench):
    stored = bench.apply("w")
    for _ in range(40):
        await asyncio.sleep(0.5)
        if stored.status.get("conditions"):
            assert (stored.status["ready"], stored.status["reason"]) == columns(stored)[:2]
    assert columns(stored)[:2] == ("True", "Running")


async def test_what_was_paused_before_it_was_submitted_can_still_be_corrected(bench):
    stored = bench.kube.create("ns", "w", Spec(manifest=RUNS_ON, project_name="team-a"))
    bench.kube.touch(stored, paused=True)
    bench.engine.observe("ADDED", stored.meta())
    await asyncio.sleep(30)
    assert (stored.status["reason"], stored.status["submission"]) == ("Paused", NOT_SUBMITTED)

    bench.edit(stored, project_name="team-b")
    await asyncio.sleep(10)
    bench.kube.touch(stored, paused=False)
    bench.engine.observe("MODIFIED", stored.meta())
    await asyncio.sleep(15)

    assert (stored.status["reason"], stored.status["projectName"]) == ("Running", "team-b")
    assert len(bench.runai.live()) == 1


async def test_what_somebody_deletes_is_shown_as_gone_although_the_spec_cannot_be_read(monkeypatch):
    """As where the manifest is nested too deeply: the workload of before goes on, until it does not."""
    async with Bench(replace(WORLD, deleted_list=False)).started() as bench:
        stored = bench.apply("x")
        await asyncio.sleep(30)
        [ours] = standing(bench)
        read = Stored.as_read
        monkeypatch.setattr(
            Stored, "as_read", lambda each: replace(read(each), spec_error="spec.manifest is nested too deeply.")
        )
        bench.edit(stored, priority="high")
        await asyncio.sleep(30)
        assert (reason(stored), stored.status["phase"]) == ("InvalidSpec", "Running")
        bench.runai.world.delete(ours, bench.now())
        await asyncio.sleep(900)
        bench.kube.touch(stored, token="look")
        bench.engine.observe("MODIFIED", stored.meta())
        await asyncio.sleep(60)
        assert standing(bench) == []
        assert "phase" not in stored.status, ("it is no more", stored.status, "and a reading was asked for")
