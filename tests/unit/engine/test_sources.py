"""Manifests from ConfigMaps and Secrets in virtual time: when their changes are noticed, and what that costs."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from fakes.bench import RUNS_ON
from runai_operator.domain import checks
from runai_operator.domain.conditions import condition
from runai_operator.domain.model import DeletionPolicy, RecreatePolicy, RerunPolicy, SourceRef, SourceText
from runai_operator.engine.render import QUICK_TEXT
from runai_operator.engine.workqueue import Lane

pytestmark = pytest.mark.looptime

JOB = {"apiVersion": "batch/v1", "kind": "Job", "spec": {}}
SOON = 75
"""Seconds: within a tenth, a minute between two looks, and what the pass takes."""
HOUR = 3600


def held(replicas, version):
    return SourceText(f"apiVersion: apps/v1\nkind: Deployment\nspec: {{replicas: {replicas}}}", str(version))


def ref(name, key="x.yaml"):
    return SourceRef("ConfigMap", name, key)


async def running(bench, name="a", source="code"):
    bench.kube.sources[source] = held(1, 1)
    stored = bench.apply(name, manifest=None, manifest_from=ref(source))
    await asyncio.sleep(60)
    assert condition(stored.status, "Ready")["reason"] == "Running"
    return stored


def reasons(stored):
    """Of Ready and Synced, and whether it is stalled."""
    ready, synced = condition(stored.status, "Ready"), condition(stored.status, "Synced")
    return ready["reason"], synced["reason"], condition(stored.status, "Stalled") is not None


def replicas(bench):
    return [workload.manifest["spec"]["replicas"] for workload in bench.runai.live()]


@pytest.mark.parametrize("when", ["while it is away", "after the restart", "much later"])
async def test_a_change_is_sent_whenever_it_happens_around_a_restart(bench, when):
    await running(bench)
    if when == "while it is away":
        bench.kube.sources["code"] = held(5, 2)
    await bench.start()
    if when != "while it is away":
        await asyncio.sleep(1 if when == "after the restart" else HOUR)
        bench.kube.sources["code"] = held(5, 2)
    await asyncio.sleep(SOON)

    assert replicas(bench) == [5]


async def test_a_change_is_noticed_of_an_object_that_came_by_the_watch_after_the_restart(bench):
    """As when the namespace may be watched again; what the last process read of the source is not known then, either."""
    stored = await running(bench)
    await bench.stop()
    objects, bench.kube.objects = bench.kube.objects, {}
    await bench.start()
    bench.kube.objects = objects
    bench.engine.observe(None, stored.meta())
    await asyncio.sleep(1)
    bench.kube.sources["code"] = held(5, 2)
    await asyncio.sleep(SOON)

    assert replicas(bench) == [5]


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("lack", ["the source", "its key", "the right to it", "a manifest in it"])
async def test_what_the_source_lacked_at_first_is_noticed_within_a_minute(bench, lack, restarted):
    if lack != "the source":
        bench.kube.sources["late"] = held(1, 1)
    match lack:
        case "its key":
            bench.kube.missing_keys.add("x.yaml")
        case "the right to it":
            bench.kube.forbidden_sources.add("late")
        case "a manifest in it":
            bench.kube.sources["late"] = SourceText("kind: [", "1")
    stored = bench.apply("a", manifest=None, manifest_from=ref("late"))
    await asyncio.sleep(10)
    assert condition(stored.status, "Stalled") is not None
    if restarted:
        await bench.start()
        await asyncio.sleep(60)

    bench.kube.missing_keys.clear()
    bench.kube.forbidden_sources.clear()
    bench.kube.sources["late"] = held(1, 2)
    await asyncio.sleep(SOON)

    assert replicas(bench) == [1]
    assert reasons(stored) == ("Running", "Synced", False)


@pytest.mark.parametrize("restarted", [False, True])
async def test_what_is_to_run_again_from_a_source_that_comes_late_does_so_within_a_minute(bench, restarted):
    stored = bench.apply("a", manifest=JOB, rerun_policy=RerunPolicy.ON_SPEC_CHANGE)
    await asyncio.sleep(60)
    bench.edit(stored, manifest=None, manifest_from=ref("late"))
    await asyncio.sleep(10)
    assert reasons(stored)[:2] == ("Completed", "NotDelivered")
    if restarted:
        await bench.start()
        await asyncio.sleep(60)

    bench.kube.sources["late"] = SourceText("{apiVersion: batch/v1, kind: Job, spec: {text: second}}", "1")
    await asyncio.sleep(SOON)

    [workload] = bench.runai.live()
    assert workload.manifest["spec"] == {"text": "second"}


async def test_a_source_that_cannot_be_read_stops_the_look_at_no_other(bench):
    await running(bench, "a", "broken")
    await running(bench, "b", "code")
    bench.kube.broken_sources.add("broken")
    await asyncio.sleep(2 * SOON)
    bench.kube.sources["code"] = held(5, 2)
    await asyncio.sleep(SOON)

    assert sorted(replicas(bench)) == [1, 5]


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_source_that_cannot_be_read_takes_nothing_from_what_runs(bench, restarted):
    stored = await running(bench)
    bench.kube.broken_sources.add("code")
    if restarted:
        await bench.start()
    await asyncio.sleep(HOUR)

    assert reasons(stored)[0] == "Running"
    assert not reasons(stored)[2]

    bench.kube.broken_sources.clear()
    bench.kube.sources["code"] = held(5, 2)
    await asyncio.sleep(330)

    assert replicas(bench) == [5]
    assert reasons(stored) == ("Running", "Synced", False)


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("lost", ["pruned", "forbidden", "without its key"])
async def test_what_runs_stays_ready_when_its_source_is_lost(bench, lost, restarted):
    stored = await running(bench)
    before = dict(bench.kube.sources)
    match lost:
        case "pruned":
            bench.kube.sources.clear()
        case "forbidden":
            bench.kube.forbidden_sources.add("code")
        case "without its key":
            bench.kube.missing_keys.add("x.yaml")
            bench.kube.sources["code"] = held(1, 2)
    await asyncio.sleep(SOON)
    reason = "SourceForbidden" if lost == "forbidden" else "SourceNotFound"
    assert reasons(stored) == ("Running", reason, False)
    assert condition(stored.status, "Synced")["status"] == "False"

    if restarted:
        await bench.start()
    await asyncio.sleep(60)
    writes, reads = bench.kube.writes, bench.kube.reads
    await asyncio.sleep(HOUR)
    assert reasons(stored) == ("Running", reason, False)
    assert (bench.kube.writes, bench.kube.reads) == (writes, reads), "it is at rest"

    bench.kube.forbidden_sources.clear()
    bench.kube.missing_keys.clear()
    bench.kube.sources.update(before)
    await asyncio.sleep(SOON)
    assert reasons(stored) == ("Running", "Synced", False)
    assert replicas(bench) == [1]


async def test_an_edit_whose_manifest_is_missing_is_refused(bench):
    """Then something is outstanding: what was asked for cannot be sent."""
    stored = await running(bench)
    bench.edit(stored, manifest_from=ref("elsewhere"))
    await asyncio.sleep(5)
    assert reasons(stored) == ("SourceNotFound", "NotDelivered", True)

    bench.kube.sources["elsewhere"] = held(5, 1)
    await asyncio.sleep(SOON)
    assert replicas(bench) == [5]


async def test_each_source_is_looked_at_once_a_minute_whoever_uses_it_and_whether_it_is_there_or_not(bench):
    bench.kube.sources["shared"] = held(1, 1)
    for number in range(30):
        bench.apply(f"there{number}", manifest=None, manifest_from=ref("shared", f"key{number % 3}"))
        bench.apply(f"missing{number}", manifest=None, manifest_from=ref("missing", f"key{number % 3}"))
        bench.apply(f"forbidden{number}", manifest=None, manifest_from=ref("forbidden"))
        await asyncio.sleep(3)
    bench.kube.forbidden_sources.add("forbidden")
    bench.apply("inline", manifest=RUNS_ON)
    await asyncio.sleep(60)
    bench.kube.looks.clear()
    await asyncio.sleep(HOUR)

    assert set(bench.kube.looks) == {"shared", "missing", "forbidden"}
    assert all(55 <= count <= 66 for count in bench.kube.looks.values())


# --- work that has completed


def held_job(text, version, *, uid=""):
    return SourceText(f"apiVersion: batch/v1\nkind: Job\nspec: {{text: {text}}}", str(version), uid=uid)


async def completed(bench, kind="ConfigMap", **spec):
    bench.kube.sources["code"] = held_job("a", 1, uid="1")
    stored = bench.apply("j", manifest=None, manifest_from=SourceRef(kind, "code", "x.yaml"), **spec)
    await asyncio.sleep(120)
    assert condition(stored.status, "Ready")["reason"] == "Completed"
    return stored


@pytest.mark.parametrize("policy", list(RerunPolicy))
@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
@pytest.mark.parametrize("changed", ["before a restart", "while it is away", "before the edit"])
async def test_a_changed_source_and_an_edit_of_something_else_never_have_finished_work_run_again(
    bench, policy, kind, changed
):
    """Nor is it refused. A Secret that is created anew counts as changed, too."""
    stored = await completed(bench, kind, rerun_policy=policy)
    if changed == "while it is away":
        await bench.stop()
    bench.kube.sources["code"] = held_job("b" if kind == "ConfigMap" else "a", 2, uid="2")
    if changed == "while it is away":
        bench.kube.edit(stored, replace(stored.spec, deletion_policy=DeletionPolicy.ORPHAN))
        await bench.start()
    elif changed == "before a restart":
        await bench.start()
    await asyncio.sleep(100)
    if changed != "while it is away":
        bench.edit(stored, deletion_policy=DeletionPolicy.ORPHAN)
    await asyncio.sleep(300)

    assert reasons(stored) == ("Completed", "Synced", False)
    assert stored.status["observedGeneration"] == stored.generation
    assert [method for method, _ in bench.runai.writes] == ["POST"]


@pytest.mark.parametrize("restarted", [True, False])
@pytest.mark.parametrize(
    "edit",
    [
        {"priority": "low"},
        {"manifest_from": SourceRef("ConfigMap", "more", "x.yaml")},
        {"preemptibility": "preemptible"},
    ],
)
async def test_an_edit_of_what_is_submitted_has_finished_work_from_a_source_run_again(bench, edit, restarted):
    """As a generated ConfigMap does, whose name changes with its content."""
    policies = {"rerun_policy": RerunPolicy.ON_SPEC_CHANGE, "recreate_policy": RecreatePolicy.ON_IMMUTABLE_CHANGE}
    stored = await completed(bench, **policies)
    bench.kube.sources["more"] = held_job("more", 1)
    if restarted:
        await bench.start()
    bench.edit(stored, **edit)
    await asyncio.sleep(300)

    assert reasons(stored) == ("Completed", "Synced", False)
    assert [method for method, _ in bench.runai.writes] == ["POST", "DELETE", "POST"]


@pytest.mark.parametrize("policy", list(RerunPolicy))
@pytest.mark.parametrize("edited", [True, False])
async def test_a_source_that_changed_while_work_finished_and_was_removed_unseen_does_not_have_it_run_again(
    bench, policy, edited
):
    bench.kube.sources["code"] = held_job("a", 1)
    stored = bench.apply("j", manifest=None, manifest_from=ref("code"), rerun_policy=policy)
    await asyncio.sleep(15)
    await bench.stop()
    await asyncio.sleep(60)
    [workload] = bench.runai.live()
    bench.runai.world.delete(workload, bench.now())
    bench.kube.sources["code"] = held_job("b", 2)
    if edited:
        bench.kube.edit(stored, replace(stored.spec, deletion_policy=DeletionPolicy.ORPHAN))
    await asyncio.sleep(60)
    await bench.start()
    await asyncio.sleep(600)

    assert reasons(stored) == ("Completed", "Synced", False)
    assert [method for method, _ in bench.runai.writes] == ["POST"]


@pytest.mark.parametrize("restarted", [False, True])
async def test_what_goes_on_without_its_source_says_so_whatever_its_phase_becomes(bench, restarted):
    """A pass that a list asks for reads no source."""
    stored = await running(bench)
    del bench.kube.sources["code"]
    await asyncio.sleep(SOON)
    if restarted:
        await bench.start()
        await asyncio.sleep(60)
    [workload] = bench.runai.live()
    for phase in ("Degraded", "Running"):
        bench.runai.world.set_phase(workload, phase, "", bench.now())
        await asyncio.sleep(20)
        assert reasons(stored) == (phase, "SourceNotFound", False)


@pytest.mark.parametrize("restarted", [False, True])
async def test_what_goes_on_without_its_source_says_so_while_the_workload_cannot_be_read_either(bench, restarted):
    stored = await running(bench)
    del bench.kube.sources["code"]
    await asyncio.sleep(SOON)
    bench.runai.world.hide_project(bench.runai.world.projects["1"], hidden=True)
    if restarted:
        await bench.start()
    for wait in (5, 60, 600):
        bench.kube.touch(stored, token=f"look-{wait}")
        bench.engine.observe("MODIFIED", stored.meta())
        await asyncio.sleep(wait)
        assert condition(stored.status, "Synced")["reason"] == "SourceNotFound"

    bench.runai.world.hide_project(bench.runai.world.projects["1"], hidden=False)
    bench.kube.sources["code"] = held(1, 3)
    await asyncio.sleep(600)
    assert reasons(stored) == ("Running", "Synced", False)


async def test_what_completes_without_its_source_lacks_nothing_any_more(bench):
    stored = await running(bench)
    del bench.kube.sources["code"]
    await asyncio.sleep(SOON)
    assert reasons(stored) == ("Running", "SourceNotFound", False)

    [workload] = bench.runai.live()
    bench.runai.world.set_phase(workload, "Completed", "", bench.now())
    await asyncio.sleep(20)

    assert reasons(stored) == ("Completed", "Synced", False)


@pytest.mark.parametrize("restarted", [False, True])
async def test_what_is_paused_without_its_source_says_so_as_before(bench, restarted):
    stored = await running(bench)
    del bench.kube.sources["code"]
    await asyncio.sleep(SOON)
    before = condition(stored.status, "Synced")
    bench.kube.touch(stored, paused=True)
    bench.engine.observe("MODIFIED", stored.meta())
    await asyncio.sleep(5)
    if restarted:
        await bench.start()
    await asyncio.sleep(60)
    writes = bench.kube.writes
    await asyncio.sleep(HOUR)

    assert condition(stored.status, "Ready")["reason"] == "Paused"
    assert condition(stored.status, "Synced") == before
    assert bench.kube.writes == writes

    bench.kube.sources["code"] = held(1, 3)
    await asyncio.sleep(SOON)
    assert reasons(stored) == ("Paused", "Synced", False)


async def test_why_a_source_cannot_be_read_is_said_as_it_is_by_now(bench):
    """Who gets the operator its right back must not be told for ever that it has none."""
    stored = await running(bench)
    bench.kube.forbidden_sources.add("code")
    del bench.kube.sources["code"]
    await asyncio.sleep(SOON)
    assert reasons(stored) == ("Running", "SourceForbidden", False)

    bench.kube.forbidden_sources.clear()
    await asyncio.sleep(SOON)
    assert reasons(stored) == ("Running", "SourceNotFound", False)


async def test_large_sources_are_rendered_one_at_a_time(bench, monkeypatch):
    """Each takes several times its size in memory until it has been submitted."""
    lanes: list[tuple[Lane, ...]] = []
    read = checks.read_manifest

    def watched(text, **options):
        lanes.append(tuple(bench.engine._queue._active.values()))
        return read(text, **options)

    monkeypatch.setattr(checks, "read_manifest", watched)
    large = f"{held(1, 1).text}\nmetadata: {{annotations: {{big: {'x' * QUICK_TEXT}}}}}"
    for number in range(12):
        bench.kube.sources[f"s{number}"] = SourceText(large, "1")
        bench.apply(f"w{number}", manifest=None, manifest_from=ref(f"s{number}"))
    await asyncio.sleep(120)

    assert len(bench.runai.live()) == 12
    assert {sum(lane is Lane.LARGE for lane in active) for active in lanes} == {1}
