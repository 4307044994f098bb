"""An attempt whose answer was lost: what it made is found again, and until then nobody says that it made nothing."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest

from fakes.bench import RUNS_ON, WORLD, Bench, UnevenBench, ready, reason, standing
from fakes.chance import Mishap
from fakes.kube import AdmissionRefused
from runai_operator.commands.cleaning import Cleaner
from runai_operator.domain.access import Access
from runai_operator.domain.errors import AccessDenied, Scope
from runai_operator.domain.manifest import with_mark
from runai_operator.domain.model import (
    DEFAULT_CONNECTION,
    FINALIZER,
    DeletionPolicy,
    ManagementPolicy,
    OwnerMark,
    RecreatePolicy,
    SourceRef,
    SourceText,
    Spec,
)

pytestmark = pytest.mark.looptime

LAGGING = replace(WORLD, list_lag=600)
"""Far longer than the grace, as when the cluster is disconnected."""


@pytest.fixture
async def lagging():
    async with Bench(LAGGING).started() as bench:
        yield bench


def posts(bench):
    return [method for method, _ in bench.runai.writes if method == "POST"]


async def lost(bench, name="x", **spec):
    """An object whose workload was made without our knowing."""
    bench.chance.named["create"] = Mishap.LOST_AFTER
    stored = bench.apply(name, **spec)
    await asyncio.sleep(0.5)
    assert len(posts(bench)) == 1
    return stored


# --- a 409 after an interrupted attempt


async def test_a_name_refused_to_a_repeated_attempt_is_no_proof_that_nothing_was_made(lagging):
    stored = await lost(lagging)
    await asyncio.sleep(300)

    assert ready(stored)["reason"] == "NameTaken"
    assert "interrupted attempt" in ready(stored)["message"]
    assert stored.status["submission"] == "NameHeld"
    assert stored.finalizers != (), "the intent stands"

    await asyncio.sleep(600)
    assert ready(stored)["reason"] == "Running"
    assert "submission" not in stored.status
    assert len(standing(lagging)) == 1


@pytest.mark.parametrize("restarted", [False, True])
async def test_deleted_meanwhile_it_waits_for_its_workload_and_says_so(lagging, restarted):
    stored = await lost(lagging)
    await asyncio.sleep(100)
    if restarted:
        await lagging.start()
    lagging.delete(stored)
    await asyncio.sleep(300)

    assert lagging.kube.objects != {}
    assert "interrupted submission" in ready(stored)["message"]

    await asyncio.sleep(900)
    assert standing(lagging) == []
    assert lagging.kube.objects == {}


@pytest.mark.parametrize("restarted", [False, True])
async def test_what_somebody_deletes_before_any_list_shows_it_is_no_proof_and_the_way_out_is_named(lagging, restarted):
    """Neither lists nor records of deletions show whose it was; only a person can say that the name is free."""
    stored = await lost(lagging)
    await asyncio.sleep(100)
    assert stored.status["submission"] == "NameHeld"
    lagging.delete(stored)
    [workload] = lagging.runai.live()
    lagging.runai.world.delete(workload, lagging.now())
    if restarted:
        await lagging.start()
    await asyncio.sleep(90)
    message = ready(stored)["message"]
    assert "Where the name is free by now" in message
    assert "deletionPolicy: Orphan" in message

    await asyncio.sleep(3600)
    assert lagging.kube.objects != {}
    lagging.edit(stored, deletion_policy=DeletionPolicy.ORPHAN)
    await asyncio.sleep(10)
    assert (lagging.kube.objects, lagging.kube.orphans) == ({}, {})


async def test_what_no_list_ever_shows_holds_a_deletion_only_so_long_and_is_on_record_then(lagging):
    await lagging.start(release_after=400)
    stored = await lost(lagging)
    await asyncio.sleep(100)
    lagging.delete(stored)
    await asyncio.sleep(300)
    assert lagging.kube.objects != {}
    lagging.runai.world.switches = replace(LAGGING, list_lag=6000)
    await asyncio.sleep(1000)

    assert lagging.kube.objects == {}
    [orphan] = lagging.kube.orphans.values()
    assert (orphan.why, orphan.in_doubt) == ("NameTaken", True)
    lagging.runai.world.switches = WORLD
    cleaner = Cleaner(lagging.kube.client(lagging.chance), lagging.runai.client(lagging.chance), access=Access())
    assert "deletion requested" in str(await cleaner.clean(orphan))


async def test_a_deletion_that_is_overdue_at_the_start_is_not_given_up_at_the_first_look(lagging):
    """What the lists do not show yet may be on its way into them: the operator may have been away for as long."""
    stored = await lost(lagging)
    await asyncio.sleep(100)
    lagging.delete(stored)
    await asyncio.sleep(30)
    await lagging.stop()
    await asyncio.sleep(500)
    lagging.runai.world.switches = replace(LAGGING, list_lag=6000)
    await lagging.start(release_after=400)
    await asyncio.sleep(30)
    assert lagging.kube.orphans == {}

    lagging.runai.world.switches = WORLD
    await asyncio.sleep(300)
    assert standing(lagging) == []
    assert (lagging.kube.objects, lagging.kube.orphans) == ({}, {})


async def test_deleted_right_after_the_refusal_it_waits_as_well(lagging):
    stored = await lost(lagging)
    await asyncio.sleep(5)
    assert ready(stored)["reason"] == "WaitingForName"
    lagging.delete(stored)
    await asyncio.sleep(1500)

    assert standing(lagging) == []
    assert lagging.kube.objects == {}


async def test_waiting_for_what_a_list_does_not_show_costs_no_writes(lagging):
    await lost(lagging)
    await asyncio.sleep(100)
    before = lagging.kube.writes
    await asyncio.sleep(400)

    assert lagging.kube.writes == before


async def test_a_name_refused_to_a_first_attempt_proves_that_nothing_was_made(lagging):
    content = {**RUNS_ON, "metadata": {"name": "x"}}
    lagging.runai.world.create({"name": "x", "projectId": "1"}, content, lagging.now())
    stored = lagging.apply("x")
    await asyncio.sleep(5)
    assert ready(stored)["reason"] == "WaitingForName"
    before = lagging.kube.writes
    await asyncio.sleep(4)
    assert lagging.kube.writes == before, "it is only waiting"

    await asyncio.sleep(60)
    assert ready(stored)["reason"] == "NameTaken"
    assert stored.status["submission"] == "NotSubmitted"
    lagging.delete(stored)
    await asyncio.sleep(1)
    assert lagging.kube.objects == {}
    assert len(standing(lagging)) == 1


# --- the project of the attempt


def rename_project(bench, project_id, name):
    projects = bench.runai.world.projects
    projects[project_id] = replace(projects[project_id], name=name)


async def test_a_deletion_looks_in_the_project_of_the_attempt_whatever_its_name_is_now(lagging):
    stored = await lost(lagging, project_id=None, project_name="team-a")
    await asyncio.sleep(5)
    assert stored.status["projectId"] == "1"
    await lagging.stop()
    rename_project(lagging, "1", "team-z")
    rename_project(lagging, "2", "team-a")
    lagging.runai.world.switches = replace(LAGGING, list_lag=1)
    lagging.kube.delete(stored)
    await lagging.start()
    await asyncio.sleep(120)

    assert standing(lagging) == []
    assert lagging.kube.objects == {}


async def test_an_attempt_is_repeated_in_its_own_project_whatever_its_name_is_now(bench):
    bench.chance.named["create"] = Mishap.LOST_BEFORE
    stored = bench.apply("x", project_id=None, project_name="team-a")
    await asyncio.sleep(0.1)
    await bench.stop()
    rename_project(bench, "1", "team-z")
    rename_project(bench, "2", "team-a")
    await bench.start()
    await asyncio.sleep(60)

    [workload] = standing(bench)
    assert workload.project.id == "1"
    assert ready(stored)["reason"] == "Running"


async def test_a_restored_status_of_an_attempt_in_doubt_says_nothing_about_the_new_object(bench):
    before = {"submission": "NameHeld", "projectId": "2", "ownerUid": "uid-of-old"}
    stored = bench.kube.create("ns", "x", Spec(manifest=RUNS_ON, project_name="team-a"), status=before)
    bench.engine.observe("ADDED", stored.meta())
    await asyncio.sleep(60)

    [workload] = standing(bench)
    assert workload.project.id == "1"
    assert ready(stored)["reason"] == "Running"


async def test_the_record_of_an_attempt_says_whose_it_is(bench):
    stored = await lost(bench)
    bench.chance.down = True
    await asyncio.sleep(5)

    assert (stored.status["projectId"], stored.status["ownerUid"]) == ("1", stored.ref.uid)


async def test_what_was_never_made_leaves_no_project_behind(bench):
    stored = bench.apply("x", manifest={**RUNS_ON, "kind": "Nonsense"})
    await asyncio.sleep(30)

    assert stored.status["submission"] == "NotSubmitted"
    assert "projectId" not in stored.status


@pytest.mark.parametrize("crash", [Mishap.CRASH_AFTER])
async def test_in_doubt_without_a_project_that_can_be_found_it_is_held(bench, crash):
    bench.chance.named["create"] = crash
    stored = bench.apply("x", project_id=None, project_name="team-a")
    await asyncio.sleep(1)
    await bench.stop()
    rename_project(bench, "1", "team-z")
    bench.kube.delete(stored)
    await bench.start()
    await asyncio.sleep(600)

    assert bench.kube.objects != {}
    assert "team-a" in ready(stored)["message"]
    rename_project(bench, "1", "team-a")
    await asyncio.sleep(600)
    assert standing(bench) == []
    assert bench.kube.objects == {}


# --- the Secret is swapped for that of another tenant, whose projects have the same names and ids


def another_tenant(bench):
    """What Run:ai shows from now on."""
    other = type(bench.runai)(bench.now, WORLD)
    other.world.projects = {
        project.id: replace(project, cluster_id="00000000-0000-4000-8000-000000000000")
        for project in other.world.projects.values()
    }
    return other


@pytest.mark.parametrize("named", [{"project_id": "1"}, {"project_id": None, "project_name": "team-a"}])
@pytest.mark.parametrize("is_held", [False, True])
async def test_what_an_attempt_in_doubt_may_have_made_is_waited_for_and_not_made_again_elsewhere(bench, named, is_held):
    home, stored = await in_another_tenant(bench, named, is_held=is_held)
    await asyncio.sleep(300)
    assert bench.runai.writes == []
    assert (ready(stored)["reason"], stored.finalizers) == ("NotVisible", (FINALIZER,))

    bench.runai = home
    await bench.start()
    await asyncio.sleep(120)
    assert len(standing(bench)) == 1
    assert ready(stored)["reason"] == "Running"


@pytest.mark.parametrize("named", [{"project_id": "1"}, {"project_id": None, "project_name": "team-a"}])
@pytest.mark.parametrize("is_held", [False, True])
async def test_a_deletion_waits_for_what_an_attempt_in_doubt_may_have_made_in_the_tenant_of_before(
    bench, named, is_held
):
    home, stored = await in_another_tenant(bench, named, is_held=is_held)
    bench.delete(stored)
    await asyncio.sleep(300)
    assert bench.kube.objects != {}
    assert "restore the Secret" in ready(stored)["message"]

    bench.runai = home
    await bench.start()
    await asyncio.sleep(120)
    assert (bench.kube.objects, standing(bench), bench.kube.orphans) == ({}, [], {})


class Unplaced:
    """Rows that do not name their cluster."""

    def __init__(self, runai):
        self._runai = runai

    def __getattr__(self, name):
        return getattr(self._runai, name)

    async def find(self, **of):
        return tuple(replace(row, cluster_id=None) for row in await self._runai.find(**of))

    async def rows(self, query):
        page = await self._runai.rows(query)
        return replace(page, rows=tuple(replace(row, cluster_id=None) for row in page.rows))


@pytest.mark.parametrize("deleted", [False, True])
async def test_what_has_the_name_in_another_tenant_proves_nothing_where_rows_name_no_cluster(bench, deleted):
    bench.connections = lambda chance: {DEFAULT_CONNECTION: Unplaced(bench.runai.client(chance))}
    home, stored = await in_another_tenant(bench, {}, is_held=True)
    if deleted:
        bench.delete(stored)
    await asyncio.sleep(300)
    assert stored.finalizers == (FINALIZER,), "what was made at home is not forgotten"
    assert "restore the Secret" in ready(stored)["message"]

    bench.runai = home
    await bench.start()
    await asyncio.sleep(120)
    assert len(standing(bench)) == (0 if deleted else 1)


async def in_another_tenant(bench, named, *, is_held):
    """`is_held`: somebody there has the name. Returns what Run:ai was before, and the object."""
    bench.chance.named["create"] = Mishap.LOST_AFTER
    stored = bench.apply("x", **named)
    await asyncio.sleep(0.5)
    await bench.stop()
    home, bench.runai = bench.runai, another_tenant(bench)
    if is_held:
        somebody_makes(bench, "x")
    await bench.start()
    return home, stored


# --- projects may not be read


@pytest.mark.parametrize("mishap", [Mishap.LOST_BEFORE, Mishap.CRASH_BEFORE, Mishap.LOST_AFTER])
async def test_a_first_attempt_that_was_lost_is_repeated_in_an_empty_project_that_may_not_be_read(mishap):
    """Nothing there shows that the project is still the same, which it never did."""
    bench = UnevenBench()
    for method in ("project", "projects"):
        bench.troubles[method] = lambda: AccessDenied("Projects are forbidden.", scope=Scope.PROJECT)
    async with bench.started():
        bench.chance.named["create"] = mishap
        stored = bench.apply("x")
        await asyncio.sleep(1)
        if mishap is Mishap.CRASH_BEFORE:
            await bench.start()
        await asyncio.sleep(300)
        assert reason(stored) == "Running"
        assert len(standing(bench)) == 1


# --- an adoption in doubt


def somebody_makes(bench, name, manifest=RUNS_ON):
    content = {**manifest, "metadata": {"name": name, "annotations": {"theirs": "yes"}}}
    return bench.runai.world.create({"name": name, "projectId": "1"}, content, bench.now())


@pytest.mark.parametrize("is_down", [False, True])
async def test_an_interrupted_adoption_is_not_given_up_in_an_outage_after_the_restart(bench, is_down):
    workload = somebody_makes(bench, "prod")
    await asyncio.sleep(30)
    bench.chance.named["update"] = Mishap.CRASH_AFTER
    stored = bench.apply("x", workload_id=workload.id)
    await asyncio.sleep(5)
    await bench.start()
    bench.chance.down = is_down
    await asyncio.sleep(120)
    assert stored.finalizers != ()
    assert stored.status.get("submission") != "NotSubmitted"

    bench.chance.down = False
    await asyncio.sleep(300)
    assert ready(stored)["reason"] == "Running"
    bench.delete(stored)
    await asyncio.sleep(60)
    assert standing(bench) == []


async def test_an_interrupted_adoption_is_looked_for_by_its_id_when_it_is_deleted(bench):
    workload = somebody_makes(bench, "prod")
    await asyncio.sleep(30)
    bench.chance.named["update"] = Mishap.CRASH_AFTER
    stored = bench.apply("x", workload_id=workload.id)
    await asyncio.sleep(5)
    await bench.stop()
    bench.kube.delete(stored)
    await bench.start()
    await asyncio.sleep(60)

    assert standing(bench) == []
    assert bench.kube.objects == {}


@pytest.mark.parametrize("policy", list(RecreatePolicy))
async def test_what_an_attempt_made_is_no_workload_of_the_kind_that_its_source_has_by_now(bench, policy):
    bench.kube.sources["cm"] = SourceText(json.dumps(RUNS_ON), "1")
    source = {"manifest": None, "manifest_from": SourceRef("ConfigMap", "cm", "key")}
    stored = await lost(bench, recreate_policy=policy, **source)
    await bench.stop()
    bench.kube.sources["cm"] = SourceText(json.dumps({**RUNS_ON, "kind": "StatefulSet"}), "2")
    await bench.start()
    await asyncio.sleep(120)

    is_replaced = policy is RecreatePolicy.ON_IMMUTABLE_CHANGE
    assert ready(stored)["reason"] == ("Running" if is_replaced else "ImmutableFieldChanged")
    assert [each.kind.name for each in standing(bench)] == ["StatefulSet" if is_replaced else "Deployment"]


async def test_an_interrupted_adoption_that_was_out_of_sight_goes_on_soon_after_the_role_is_back(bench):
    theirs = bench.runai.world.create({"name": "prod", "projectId": "1"}, RUNS_ON, bench.now())
    await asyncio.sleep(30)
    bench.chance.named["update"] = Mishap.LOST_AFTER
    stored = bench.apply("x", workload_id=theirs.id)
    await asyncio.sleep(0.5)
    await bench.stop()
    projects = bench.runai.world.projects.values()
    for project in projects:
        bench.runai.world.hide_project(project, hidden=True)
    await bench.start()
    await asyncio.sleep(600)
    assert ready(stored)["reason"] == "WorkloadNotFound"
    assert stored.finalizers

    for project in projects:
        bench.runai.world.hide_project(project, hidden=False)
    await asyncio.sleep(120)
    assert ready(stored)["reason"] == "Running"


async def test_a_role_that_was_lost_a_moment_ago_is_noticed_before_an_attempt_is_taken_for_fruitless(bench):
    """The lists lag at first, and then show nothing; that the project was visible in between proves nothing."""
    bench.runai.world.switches = replace(WORLD, list_lag=9)
    stored = await lost(bench)
    bench.delete(stored)
    await asyncio.sleep(8)
    bench.engine.wake(stored.ref.uid)  # asks whether it is visible
    await asyncio.sleep(0.2)
    bench.runai.world.hide_project(bench.runai.world.projects["1"], hidden=True)
    for _ in range(4):
        await asyncio.sleep(1)
        bench.engine.wake(stored.ref.uid)
    await asyncio.sleep(0.5)
    assert bench.kube.objects, "its workload runs on"

    bench.runai.world.hide_project(bench.runai.world.projects["1"], hidden=False)
    await asyncio.sleep(120)
    assert (standing(bench), bench.kube.objects) == ([], {})


async def test_a_role_that_comes_back_between_the_last_look_and_its_proof_proves_nothing(bench):
    bench.runai.world.switches = replace(WORLD, list_lag=9)
    stored = await lost(bench)
    bench.delete(stored)
    await asyncio.sleep(8)
    project = bench.runai.world.projects["1"]
    bench.runai.world.hide_project(project, hidden=True)
    [upstream] = bench.engine.upstreams
    find, looks = upstream.gate.find, []

    async def shown_again_after_it(**of):
        rows = await find(**of)
        looks.append(rows)
        bench.runai.world.hide_project(project, hidden=False)
        return rows

    await asyncio.sleep(2.2)
    upstream.gate.find = shown_again_after_it
    bench.engine.wake(stored.ref.uid)
    await asyncio.sleep(0.5)
    assert looks[0] == ()
    assert bench.kube.objects, "its workload runs on"

    await asyncio.sleep(120)
    assert (standing(bench), bench.kube.objects) == ([], {})


# --- what took the place of an adopted workload

OF_OTHER_KIND = {**RUNS_ON, "kind": "StatefulSet"}


async def replaced(bench, *, lost=False):
    """An adopted workload, in whose place another was created; `lost`: nobody knows yet that it was."""
    adopted = bench.runai.world.create({"name": "x", "projectId": "1"}, {**RUNS_ON, "metadata": {}}, bench.now())
    await asyncio.sleep(10)
    stored = bench.apply("j", workload_id=adopted.id, recreate_policy=RecreatePolicy.ON_IMMUTABLE_CHANGE)
    await asyncio.sleep(30)
    assert reason(stored) == "Running"
    if lost:
        bench.chance.named["create"] = Mishap.LOST_AFTER
    bench.edit(stored, manifest=OF_OTHER_KIND)
    for _ in range(200):
        if [workload.name for workload in standing(bench)] == ["j"]:
            break
        await asyncio.sleep(0.1)
    if lost:
        bench.chance.down = True
    [made] = standing(bench)
    assert made.id != adopted.id
    return stored, made


@asynccontextmanager
async def replaced_in_doubt():
    async with Bench().started() as bench:
        stored, made = await replaced(bench, lost=True)
        await asyncio.sleep(2)
        assert "workloadId" not in stored.status
        bench.edit(stored, management_policy=ManagementPolicy.OBSERVE)
        await asyncio.sleep(5)
        bench.chance.down = False
        await asyncio.sleep(120)
        yield bench, stored, made


async def test_what_may_have_replaced_an_adopted_workload_is_found_before_it_is_only_observed():
    async with replaced_in_doubt() as (_, stored, made):
        assert (stored.status["workloadId"], reason(stored), stored.finalizers) == (made.id, "Running", ())
        assert "submission" not in stored.status


@pytest.mark.parametrize("other", [{"name": "k", "workload_id": None}, {}])
async def test_no_second_workload_is_made_once_it_is_managed_again(other):
    async with replaced_in_doubt() as (bench, stored, made):
        with suppress(AdmissionRefused):
            bench.edit(stored, management_policy=ManagementPolicy.MANAGE, **other)
        await asyncio.sleep(60)

        assert standing(bench) == [made]
        assert reason(stored) == "Running"


@pytest.mark.parametrize("deleted", [True, False])
async def test_what_replaced_an_adopted_workload_is_found_although_status_was_wiped(deleted):
    async with Bench().started() as bench:
        stored, made = await replaced(bench)
        await asyncio.sleep(30)
        assert stored.status["workloadId"] == made.id
        await bench.stop()
        stored.status = {"observedGeneration": -1}
        bench.kube.touch(stored)
        await bench.start()
        if deleted:
            bench.delete(stored)
            await asyncio.sleep(300)
            assert (standing(bench), bench.kube.objects, bench.kube.orphans) == ([], {}, {})
        else:
            await asyncio.sleep(60)
            assert (stored.status["workloadId"], reason(stored)) == (made.id, "Running")
            assert standing(bench) == [made]


@pytest.mark.parametrize("mishap", [Mishap.CRASH_BEFORE, Mishap.CRASH_AFTER])
async def test_the_advice_for_an_adoption_whose_workload_went_while_it_was_in_doubt_can_be_followed(mishap):
    """WorkloadNotFound says to correct or remove spec.workloadId, which is frozen until nothing is in doubt any more."""
    async with Bench().started() as bench:
        workload = somebody_makes(bench, "x")
        await asyncio.sleep(10)
        bench.chance.named["update"] = mishap
        stored = bench.apply("j", workload_id=workload.id)
        await asyncio.sleep(1)
        await bench.stop()
        bench.runai.world.delete(workload, bench.now())
        await asyncio.sleep(30)
        await bench.start()
        await asyncio.sleep(1200)
        assert "remove it" in ready(stored)["message"]
        bench.edit(stored, workload_id=None)
        await asyncio.sleep(60)
        assert reason(stored) == "Running"


# --- while the object is paused


@pytest.mark.parametrize("restarted", [False, True])
async def test_what_an_attempt_in_doubt_made_is_shown_although_the_object_is_paused(restarted):
    """To find it writes nothing to Run:ai, and nothing waits to be sent."""
    async with Bench().started() as bench:
        bench.chance.named["create"] = Mishap.CRASH_AFTER if restarted else Mishap.LOST_AFTER
        stored = bench.apply("j")
        await asyncio.sleep(0.5)
        bench.kube.touch(stored, paused=True)
        if restarted:
            await bench.start()
        else:
            bench.engine.observe("MODIFIED", stored.meta())
        await asyncio.sleep(900)
        [made] = standing(bench)
        assert stored.status.get("workloadId") == made.id, ready(stored)
        assert (ready(stored)["status"], reason(stored)) == ("True", "Paused")
        assert posts(bench) == ["POST"] == [method for method, _ in bench.runai.writes]


# --- what earlier look-ups prove

JOB = {"apiVersion": "batch/v1", "kind": "Job", "spec": {}}
OTHER_JOB = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"text": "second"}}


@pytest.mark.parametrize("before", ["a name that was taken", "another young workload"])
async def test_what_no_list_shows_yet_is_not_adopted_whatever_was_looked_for_before(before):
    bench = UnevenBench(replace(WORLD, list_lag=8, run_time=0.5, phase_time=0.5))
    async with bench.started():
        if before == "a name that was taken":
            somebody_makes(bench, "j")
            await asyncio.sleep(20)
            stored = bench.apply("j", manifest=OTHER_JOB)
        else:
            stored = bench.apply("j", manifest=OTHER_JOB, workload_id=somebody_makes(bench, "wrong").id)
        await asyncio.sleep(60)
        assert stored.status["submission"] == "NotSubmitted"
        workload = somebody_makes(bench, "right", JOB)
        while workload.phase(bench.now())[0] != "Completed":  # noqa: ASYNC110
            await asyncio.sleep(0.25)
        bench.edit(stored, workload_id=workload.id)
        await asyncio.sleep(2)
        assert bench.runai.writes == [], "it had completed, and no list has shown that yet"


@pytest.mark.parametrize("looked_before", [True, False])
async def test_looks_from_before_another_process_submitted_prove_nothing_about_that(looked_before):
    """Two processes overlap; the one that submitted was killed before it could say so, and lists lag."""
    bench = Bench(replace(WORLD, list_lag=8))
    async with bench.started():
        holder = somebody_makes(bench, "j")
        await asyncio.sleep(20)
        stored = bench.apply("j")
        await asyncio.sleep(60)
        assert (reason(stored), stored.status["submission"]) == ("NameTaken", "NotSubmitted")
        if not looked_before:
            await bench.start()
        bench.runai.world.delete(holder, bench.now())
        await asyncio.sleep(3)
        # What the other process does:
        stored.finalizers = (FINALIZER,)
        del stored.status["submission"]
        stored.status |= {"projectId": "1", "ownerUid": stored.ref.uid}
        bench.kube.touch(stored)
        mark = OwnerMark("i", "ns", "j", stored.ref.uid)
        bench.runai.world.create({"name": "j", "projectId": "1"}, with_mark(RUNS_ON, name="j", mark=mark), bench.now())
        bench.engine.observe("MODIFIED", stored.meta())
        await asyncio.sleep(1)
        bench.delete(stored)
        await asyncio.sleep(120)
        assert standing(bench) == [] or bench.kube.orphans


async def test_a_takeover_whose_answer_was_lost_is_in_doubt_whatever_the_refusal_before_it_proved(bench):
    """The POST was refused, since an earlier object of the name left the name taken: that made nothing, and the PUT may have."""
    former = bench.apply("x", deletion_policy=DeletionPolicy.ORPHAN)
    await asyncio.sleep(30)
    bench.delete(former)
    await asyncio.sleep(5)
    bench.chance.named["update"] = Mishap.LOST_AFTER
    stored = bench.apply("x")
    await asyncio.sleep(0.3)
    bench.chance.down = True
    await asyncio.sleep(60)
    bench.delete(stored)
    await asyncio.sleep(60)
    assert stored.finalizers == (FINALIZER,)

    bench.chance.down = False
    await asyncio.sleep(300)
    assert (bench.kube.objects, standing(bench)) == ({}, [])
