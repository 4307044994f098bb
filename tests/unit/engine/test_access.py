"""Who may do what: people who may create RunaiWorkloads in their namespace, and want more than the table gives them.

The table lets namespace `mine` use the project `team-a` and `friends` both, with adoption in the latter. Whatever else
happens, no write to Run:ai ever crosses it.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import fields, replace
from pathlib import Path

import pytest
import yaml

from fakes.bench import RUNS_ON, WORLD, Bench
from fakes.chance import Mishap
from fakes.runai import mark_of
from runai_operator.domain.access import Access, AccessRule
from runai_operator.domain.conditions import condition
from runai_operator.domain.manifest import OWNER_INSTALL, OWNER_NAME, OWNER_NAMESPACE, OWNER_UID
from runai_operator.domain.model import (
    FINALIZER,
    DeletionPolicy,
    ExternalDeletionPolicy,
    ManagementPolicy,
    RecreatePolicy,
    RerunPolicy,
    SourceRef,
    Spec,
)
from runai_simulator.catalogue import CLUSTER_A, CLUSTER_B

pytestmark = pytest.mark.looptime

MINE = Access((AccessRule(("mine", "mine-*"), ("team-a",)),))
WITH_ADOPTION = Access((AccessRule(("mine",), ("team-a",), adoption=True),))
THEIRS = Access((AccessRule(("mine",), ("team-b",)),))
CRD = yaml.safe_load((Path(__file__).parents[3] / "crds" / "runaiworkloads.yaml").read_text())
SPEC = CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
MANIFESTS_SOURCE = SPEC["manifestFrom"]["properties"]
JOB = {"apiVersion": "batch/v1", "kind": "Job", "spec": {}}


class Tenant(Bench):
    """A world in which every write to Run:ai is held against the table of the process that makes it."""

    def __init__(self, access=MINE, world=WORLD):
        super().__init__(world)
        self.access = access
        self.crossed = []
        self.runai.allow = self._check

    def _check(self, method, subject):
        if method == "POST":
            marked, project = subject.manifest["metadata"]["annotations"], self.runai.world.projects[subject.project_id]
        else:
            workload, submission = subject
            marked = (submission.manifest if submission else workload.manifest)["metadata"].get("annotations", {})
            project = workload.project
            if method == "PUT" and mark_of(workload) is None and not self._may(marked, project, adoption=True):
                self.crossed.append((method, "adopted", project.name))
        if not self._may(marked, project):
            self.crossed.append((method, marked, project.name))

    def _may(self, marked, project, *, adoption=False):
        return self.access.allows(marked[OWNER_NAMESPACE], project.name, adoption=adoption)

    def apply(self, name, *, namespace="mine", **spec):
        project = {"project_id": None if "project_name" in spec else "1"}
        return super().apply(name, namespace=namespace, **project | spec)

    def somebody_makes(self, name, *, project="2", manifest=RUNS_ON):
        content = {**manifest, "metadata": {"name": name}}
        return self.runai.world.create({"name": name, "projectId": project}, content, self.now())


@pytest.fixture
async def tenant():
    async with Tenant().started() as bench:
        yield bench
    assert bench.crossed == []


async def later(access, **world):
    """A bench with another table, or another world."""
    made = Tenant(access, replace(WORLD, **world))
    await made.start()
    return made


async def over(tenant):
    await tenant.stop()
    assert tenant.observer.bugs == 0
    assert tenant.crossed == []


def ready(stored):
    return condition(stored.status, "Ready") or {}


def refused(stored):
    return ready(stored).get("reason") == "ProjectNotAllowed" and condition(stored.status, "Stalled") is not None


def nothing_recorded(stored):
    """But for what the spec itself names, which `kubectl get` shows of what is refused, too."""
    fields = {"workloadId", "workloadName", "phase", "runningPods", "projectId"}
    spec, shown = stored.spec, stored.status
    return (
        not fields & shown.keys()
        and shown.get("projectName") in (None, spec.project_name)
        and shown.get("gvk") in (None, gvk_of(spec.manifest))
    )


def gvk_of(manifest):
    if manifest is None:
        return None
    group, _, version = manifest["apiVersion"].rpartition("/")
    return {"group": group, "version": version, "kind": manifest["kind"]}


def standing(tenant):
    return [workload for workload in tenant.runai.live() if workload.deleted is None]


# --- what an attacker may name


@pytest.mark.parametrize(
    "wish",
    [
        pytest.param({"project_name": "team-b"}, id="a project by name"),
        pytest.param({"project_id": "2"}, id="a project by id"),
        pytest.param({"project_id": "99"}, id="a project that there is not"),
        pytest.param({"project_name": "shared", "cluster_id": CLUSTER_A}, id="a project of a name that there is twice"),
        pytest.param({"project_name": "nobody"}, id="a name, to learn whether there is such a project"),
        pytest.param(
            {"project_id": "2", "manifest": {**RUNS_ON, "metadata": {"namespace": "runai-team-a"}}},
            id="another project in the manifest's namespace",
        ),
    ],
)
async def test_a_project_outside_of_the_table_gets_nothing_and_the_object_keeps_no_finalizer(tenant, wish):
    stored = tenant.apply("x", **wish)
    await asyncio.sleep(900)

    assert refused(stored)
    assert "namespace mine" in ready(stored)["message"]
    assert stored.finalizers == ()
    assert stored.status["submission"] == "NotSubmitted"
    assert tenant.runai.writes == []
    assert nothing_recorded(stored)

    tenant.edit(stored, project_name=None, cluster_id=None, project_id="1")
    await asyncio.sleep(30)
    assert ready(stored)["reason"] == "Running", "so the object can be corrected"


@pytest.mark.parametrize(
    "named", [{"project_id": "2"}, {"project_name": "team-b"}, {"project_name": "nobody"}], ids=str
)
async def test_a_finalizer_of_ours_that_was_put_there_by_hand_is_no_way_to_learn_what_a_project_holds(tenant, named):
    theirs = tenant.somebody_makes("prod")
    await asyncio.sleep(30)
    spec = {"manifest": RUNS_ON, **named}
    stored = tenant.kube.create("mine", "prod", Spec(**spec))
    stored.finalizers = (FINALIZER,)
    tenant.engine.observe("ADDED", stored.meta())
    await asyncio.sleep(1)
    assert refused(stored)
    await asyncio.sleep(120)

    assert refused(stored)
    assert theirs.id not in str(stored.status)
    assert tenant.runai.writes == []
    tenant.delete(stored)
    await asyncio.sleep(120)
    if named == {"project_name": "nobody"}:
        # The finalizer may be that of an interrupted submission, and the project may have been hidden since.
        assert ready(stored)["reason"] == "Deleting"
        assert "access to it may have been lost" in ready(stored)["message"]
        tenant.edit(stored, deletion_policy=DeletionPolicy.ORPHAN)
        await asyncio.sleep(10)
    assert tenant.kube.objects == {}
    assert tenant.runai.writes == []


async def test_whether_a_project_exists_is_not_asked_for_who_may_not_use_it(tenant):
    tenant.apply("x", project_name="nobody")
    await asyncio.sleep(60)

    assert "projects" not in tenant.runai.calls


async def test_a_namespace_in_the_manifest_does_not_lead_out_of_the_project(tenant):
    stored = tenant.apply("x", manifest={**RUNS_ON, "metadata": {"namespace": "runai-team-b"}})
    await asyncio.sleep(30)

    assert [workload.project.name for workload in standing(tenant)] == ["team-a"]
    assert stored.status["projectName"] == "team-a"


@pytest.mark.parametrize("management", [ManagementPolicy.MANAGE, ManagementPolicy.OBSERVE])
@pytest.mark.parametrize("named", [{"project_id": "1"}, {"project_id": "2"}, {"project_name": "team-b"}], ids=str)
async def test_a_workload_of_another_project_named_by_its_id_is_neither_touched_nor_shown(tenant, named, management):
    theirs = tenant.somebody_makes("prod")
    await asyncio.sleep(30)
    stored = tenant.apply("x", workload_id=theirs.id, management_policy=management, **named)
    await asyncio.sleep(900)
    tenant.runai.world.set_phase(theirs, "Degraded", "a pod restarts", tenant.now())
    await asyncio.sleep(60)

    assert refused(stored)
    assert nothing_recorded(stored)
    assert "team-b" not in ready(stored)["message"] or "team-b" in named.values()
    tenant.delete(stored)
    await asyncio.sleep(60)
    assert tenant.kube.objects == {}
    assert tenant.runai.writes == []
    assert standing(tenant) == [theirs]


@pytest.mark.parametrize("policy", [DeletionPolicy.DELETE, DeletionPolicy.ORPHAN])
async def test_an_unmarked_workload_of_the_own_project_is_not_adopted_where_adoption_is_not_allowed(tenant, policy):
    theirs = tenant.somebody_makes("prod", project="1")
    await asyncio.sleep(30)
    stored = tenant.apply("x", workload_id=theirs.id, deletion_policy=policy)
    await asyncio.sleep(900)

    assert refused(stored)
    assert "adopt" in ready(stored)["message"]
    assert nothing_recorded(stored)
    tenant.delete(stored)
    await asyncio.sleep(60)
    assert tenant.runai.writes == []
    assert standing(tenant) == [theirs]


async def test_to_observe_first_is_no_way_to_adopt(tenant):
    theirs = tenant.somebody_makes("prod", project="1")
    await asyncio.sleep(30)
    stored = tenant.apply("x", workload_id=theirs.id, management_policy=ManagementPolicy.OBSERVE)
    await asyncio.sleep(30)
    assert ready(stored)["reason"] == "Running", "what is in the project may be seen"

    tenant.edit(stored, management_policy=ManagementPolicy.MANAGE, recreate_policy=RecreatePolicy.ON_IMMUTABLE_CHANGE)
    await asyncio.sleep(60)
    assert refused(stored)
    tenant.edit(stored, preemptibility="preemptible")
    await asyncio.sleep(60)
    tenant.delete(stored)
    await asyncio.sleep(60)

    assert tenant.kube.objects == {}
    assert tenant.runai.writes == []


async def test_adoption_is_carried_out_where_it_is_allowed():
    tenant = await later(WITH_ADOPTION)
    theirs, elsewhere = tenant.somebody_makes("prod", project="1"), tenant.somebody_makes("prod")
    await asyncio.sleep(30)
    stored = tenant.apply("x", workload_id=theirs.id)
    other = tenant.apply("y", workload_id=elsewhere.id)
    await asyncio.sleep(60)

    assert ready(stored)["reason"] == "Running"
    assert refused(other)
    tenant.delete(stored)
    await asyncio.sleep(60)
    assert standing(tenant) == [elsewhere]
    await over(tenant)


async def test_without_a_table_what_is_adopted_is_in_the_project_that_the_spec_names():
    tenant = await later(Access())
    here, elsewhere = tenant.somebody_makes("here", project="1"), tenant.somebody_makes("elsewhere")
    await asyncio.sleep(30)
    adopted = tenant.apply("x", workload_id=here.id)
    stopped = tenant.apply("y", workload_id=elsewhere.id)
    await asyncio.sleep(60)

    assert ready(adopted)["reason"] == "Running"
    assert ready(stopped)["reason"] == "InvalidSpec"
    assert [subject for _, subject in tenant.runai.writes] == [here]
    assert "project" not in tenant.runai.calls, "names are asked for only where they decide"
    await over(tenant)


@pytest.mark.parametrize("mark_shown", [True, False])
async def test_a_workload_that_was_moved_to_another_project_is_not_changed_or_deleted_there(mark_shown):
    tenant = await later(MINE, raw_annotations=mark_shown)
    stored = tenant.apply("x")
    await asyncio.sleep(30)
    [ours] = standing(tenant)
    ours.project = tenant.runai.world.projects["2"]
    writes = len(tenant.runai.writes)

    tenant.edit(stored, priority="high")
    await asyncio.sleep(60)
    assert refused(stored)
    tenant.delete(stored)
    await asyncio.sleep(900)

    assert len(tenant.runai.writes) == writes
    await over(tenant)


@pytest.mark.parametrize("recreate", list(RecreatePolicy))
async def test_the_name_of_anothers_workload_gives_no_hold_on_it(tenant, recreate):
    theirs = tenant.somebody_makes("prod", project="1")
    neighbour = tenant.apply("neighbour", namespace="mine-too", name_prefix="batch")
    await asyncio.sleep(30)
    prefixed = neighbour.status["workloadName"]
    attackers = [
        tenant.apply("prod", recreate_policy=recreate),
        tenant.apply(prefixed, recreate_policy=recreate),
    ]
    same_prefix = tenant.apply("neighbour", name_prefix="batch", recreate_policy=recreate)
    await asyncio.sleep(60)

    assert {ready(stored)["reason"] for stored in attackers} == {"NameTaken"}
    assert ready(same_prefix)["reason"] == "Running"
    assert same_prefix.status["workloadName"] != prefixed, "the namespace is part of what follows the prefix"
    for stored in (*attackers, same_prefix):
        tenant.delete(stored)
    await asyncio.sleep(60)
    assert {workload.name for workload in standing(tenant)} == {"prod", prefixed}
    assert theirs in standing(tenant)
    assert ready(neighbour)["reason"] == "Running"


async def test_a_forged_owner_mark_and_tracking_labels_in_the_manifest_do_not_reach_runai(tenant):
    forged = {OWNER_INSTALL: "i", OWNER_NAMESPACE: "theirs", OWNER_NAME: "prod", OWNER_UID: "uid-of-prod"}
    labels = {"app.kubernetes.io/instance": "theirs", "argocd.argoproj.io/instance": "theirs", "mine": "stays"}
    tenant.apply("x", manifest={**RUNS_ON, "metadata": {"annotations": forged, "labels": labels}})
    await asyncio.sleep(30)

    [made] = standing(tenant)
    mark = mark_of(made)
    assert (mark.namespace, mark.name) == ("mine", "x")
    assert made.manifest["metadata"]["labels"] == {"mine": "stays"}


async def test_what_an_earlier_object_of_the_name_left_in_a_project_that_is_allowed_no_more_is_left_alone():
    tenant = await later(MINE)
    tenant.apply("x", deletion_policy=DeletionPolicy.ORPHAN)
    await asyncio.sleep(30)
    tenant.delete_everything()
    await asyncio.sleep(30)
    writes = len(tenant.runai.writes)
    tenant.access = THEIRS
    await tenant.start()
    stored = tenant.apply("x")
    await asyncio.sleep(60)

    assert refused(stored)
    assert len(tenant.runai.writes) == writes
    await over(tenant)


async def test_an_object_of_another_namespace_with_the_old_name_gains_nothing_from_what_was_orphaned():
    tenant = await later(MINE)
    tenant.apply("x", deletion_policy=DeletionPolicy.ORPHAN)
    await asyncio.sleep(30)
    [left] = standing(tenant)
    tenant.delete_everything()
    await asyncio.sleep(30)
    writes = len(tenant.runai.writes)
    stored = tenant.apply("x", namespace="mine-too", workload_id=left.id)
    await asyncio.sleep(60)

    assert condition(stored.status, "Stalled") is not None
    assert len(tenant.runai.writes) == writes
    await over(tenant)


async def test_a_name_that_only_looks_like_an_allowed_one_is_not_taken_for_it(tenant):
    tenant.runai.world.add_project("team-a-secret", CLUSTER_A)
    same_name = tenant.runai.world.add_project("team-a", CLUSTER_B)
    near = tenant.apply("near", project_name="team-a-secret")
    by_id = tenant.apply("by-id", project_id=same_name.id)
    await asyncio.sleep(60)

    assert refused(near)
    assert ready(by_id)["reason"] == "Running", "patterns match names, and a name may be there in several clusters"


async def test_a_source_is_read_in_the_namespace_of_the_object_and_can_name_no_other(tenant):
    source = MANIFESTS_SOURCE["configMapKeyRef"]["properties"]
    assert source.keys() == MANIFESTS_SOURCE["secretKeyRef"]["properties"].keys() == {"name", "key"}
    assert {field.name for field in fields(SourceRef)} == {"kind", "name", "key"}
    (rule,) = source["name"]["x-kubernetes-validations"]
    assert not re.match(re.findall(r"'(.*)'", rule["rule"])[0], "theirs/x"), "no name leads out of the path"

    asked, access = [], tenant.kube_access

    def noting(chance):
        port = access(chance)
        read = port.read_source

        async def noted(namespace, source):
            asked.append(namespace)
            return await read(namespace, source)

        port.read_source = noted
        return port

    tenant.kube_access = noting
    await tenant.start()
    tenant.apply("x", manifest=None, manifest_from=SourceRef("ConfigMap", "x", "theirs"))
    await asyncio.sleep(1)
    assert asked == ["mine"]


# --- a project whose name cannot be learnt


async def test_nothing_is_sent_while_the_name_of_a_project_cannot_be_learnt(tenant):
    tenant.chance.down = True
    stored = tenant.apply("x", project_id="1")
    await asyncio.sleep(60)
    assert tenant.runai.writes == []
    assert ready(stored)["reason"] == "RunaiUnavailable"

    tenant.chance.down = False
    await asyncio.sleep(120)
    assert ready(stored)["reason"] == "Running"


async def test_names_of_projects_are_asked_for_once_for_all_that_use_them(tenant):
    for number in range(50):
        tenant.apply(f"w{number}", project_id="1")
    await asyncio.sleep(60)

    assert tenant.ready() == 50
    assert tenant.runai.calls["project"] == 1


# --- a table that changes while workloads run


async def test_a_running_workload_is_shown_but_not_touched_once_its_project_is_not_allowed_any_more(tenant):
    stored = tenant.apply("x")
    await asyncio.sleep(30)
    [ours] = standing(tenant)
    writes = len(tenant.runai.writes)
    tenant.access = THEIRS
    await tenant.start()
    await asyncio.sleep(60)
    assert ready(stored)["reason"] == "Running", "nothing is outstanding"

    tenant.edit(stored, priority="high")
    await asyncio.sleep(30)
    tenant.runai.world.set_phase(ours, "Degraded", "a pod restarts", tenant.now())
    await asyncio.sleep(30)
    assert refused(stored)
    assert condition(stored.status, "Synced")["reason"] == "NotDelivered"
    assert stored.status["phase"] == "Degraded", "what Run:ai shows of it is still mirrored"
    assert len(tenant.runai.writes) == writes

    tenant.access = MINE
    await tenant.start()
    await asyncio.sleep(120)
    assert ours.priority == "high", "the edit that was refused is sent once it is allowed"


async def test_what_was_refused_is_submitted_once_another_table_allows_it(tenant):
    by_name, by_id = tenant.apply("by-name", project_name="team-b"), tenant.apply("by-id", project_id="2")
    await asyncio.sleep(60)
    assert refused(by_name)
    assert refused(by_id)

    tenant.access = THEIRS
    await tenant.start()
    await asyncio.sleep(90)
    assert {workload.project.name for workload in standing(tenant)} == {"team-b"}
    assert tenant.ready() == 2


async def test_a_deletion_that_is_not_allowed_any_more_is_held_and_names_both_ways_out(tenant):
    kept, released = tenant.apply("kept"), tenant.apply("released")
    await asyncio.sleep(30)
    writes = len(tenant.runai.writes)
    tenant.access = THEIRS
    await tenant.start(release_after=600)
    tenant.delete(kept)
    tenant.delete(released)
    await asyncio.sleep(3600)

    assert len(tenant.kube.objects) == 2, "held, for longer than OPERATOR_RELEASE_AFTER"
    for stored in (kept, released):
        assert "deletionPolicy: Orphan" in ready(stored)["message"]
        assert "runai.access" in ready(stored)["message"]
        assert condition(stored.status, "Stalled") is None, "kstatus: Terminating"
    assert len(tenant.runai.writes) == writes

    tenant.edit(released, deletion_policy=DeletionPolicy.ORPHAN)
    await asyncio.sleep(30)
    assert [name for _, name in tenant.kube.objects] == ["kept"]
    tenant.access = MINE
    await tenant.start()
    await asyncio.sleep(60)
    assert tenant.kube.objects == {}
    assert [workload.name for workload in standing(tenant)] == ["released"]


@pytest.mark.parametrize("policy", [{}, {"external_deletion_policy": ExternalDeletionPolicy.RECREATE}], ids=str)
async def test_what_is_lost_is_not_created_again_where_that_is_not_allowed_any_more(tenant, policy):
    stored = tenant.apply("x", **policy)
    await asyncio.sleep(30)
    tenant.access = THEIRS
    await tenant.start()
    tenant.runai.world.delete(standing(tenant)[0], tenant.now())
    writes = len(tenant.runai.writes)
    await asyncio.sleep(900)

    assert len(tenant.runai.writes) == writes
    assert condition(stored.status, "Stalled") is not None


async def test_a_change_of_the_project_to_one_that_is_not_allowed_does_not_cost_the_running_workload(tenant):
    stored = tenant.apply("x", recreate_policy=RecreatePolicy.ON_IMMUTABLE_CHANGE)
    await asyncio.sleep(30)
    tenant.edit(stored, project_id="2")
    await asyncio.sleep(60)

    assert refused(stored)
    assert [workload.project.name for workload in standing(tenant)] == ["team-a"]
    tenant.edit(stored, project_id="1")
    await asyncio.sleep(60)
    assert ready(stored)["reason"] == "Running"


async def test_finished_work_is_not_run_again_where_that_is_not_allowed_any_more(tenant):
    stored = tenant.apply("j", manifest=JOB, rerun_policy=RerunPolicy.ON_SPEC_CHANGE)
    await asyncio.sleep(60)
    assert ready(stored)["reason"] == "Completed"
    tenant.access = THEIRS
    await tenant.start()
    writes = len(tenant.runai.writes)
    tenant.edit(stored, manifest={**JOB, "spec": {"x": 2}})
    await asyncio.sleep(60)

    assert refused(stored)
    assert condition(stored.status, "Completed") is not None
    assert len(tenant.runai.writes) == writes


@pytest.mark.parametrize("answer", [Mishap.LOST_AFTER, Mishap.LOST_BEFORE])
async def test_what_an_interrupted_attempt_made_is_found_though_its_project_is_not_allowed_any_more(tenant, answer):
    tenant.chance.named["create"] = answer
    stored = tenant.apply("x")
    await asyncio.sleep(0.5)
    await tenant.stop()
    made, writes = standing(tenant), len(tenant.runai.writes)
    tenant.access = THEIRS
    await tenant.start()
    await asyncio.sleep(120)

    assert len(tenant.runai.writes) == writes
    assert refused(stored)
    if answer is Mishap.LOST_AFTER:
        assert stored.status["workloadId"] == made[0].id
        assert stored.status["phase"] == "Running", "it is shown"
    else:
        assert stored.status["submission"] == "NotSubmitted"
        assert stored.finalizers == (), "once it is proven that there is nothing"


@pytest.mark.parametrize(
    "change", ["an edit", "work created anew", "work that somebody deleted", "an attempt in doubt"]
)
@pytest.mark.parametrize("restarted", [True, False])
async def test_a_project_that_is_renamed_counts_by_the_name_that_it_has(tenant, change, restarted):
    """Its old name, which the spec goes on using, may be the one that the table allows."""
    stored = tenant.apply(
        "a",
        project_name="team-a",
        recreate_policy=RecreatePolicy.ON_IMMUTABLE_CHANGE,
        external_deletion_policy=ExternalDeletionPolicy.RECREATE,
    )
    await asyncio.sleep(60)
    [workload], projects = tenant.runai.live(), tenant.runai.world.projects
    projects["1"] = workload.project = replace(projects["1"], name="secret")
    tenant.runai.world.add_project("team-a", CLUSTER_A)
    await tenant.start()
    if change == "work that somebody deleted":
        tenant.runai.world.delete(workload, tenant.now())
    elif change == "an attempt in doubt":
        await tenant.stop()
        tenant.runai.world.purge(workload)
        gone = ("workloadId", "submittedHash", "projectResolvedFrom")
        stored.status = {key: value for key, value in stored.status.items() if key not in gone}
        await tenant.start()
    else:
        tenant.edit(stored, **({"priority": "low"} if change == "an edit" else {"preemptibility": "preemptible"}))
    if restarted:
        await tenant.start()
    await asyncio.sleep(300)

    assert tenant.crossed == []
    assert condition(stored.status, "Ready")["reason"] == "ProjectNotAllowed"


# --- an adoption that is not allowed keeps nobody else from it

TWO = Access((AccessRule(("theirs",), ("team-a",), adoption=True), AccessRule(("mine",), ("team-b",), adoption=True)))


@pytest.mark.parametrize("how", ["as it is", "paused", "without its source", "only to be observed", "deleted"])
async def test_a_finalizer_that_was_put_there_by_hand_keeps_nobody_from_adopting_what_he_may(how):
    """With the id of the workload in the spec, it looks like an adoption that was interrupted."""
    async with Tenant(TWO).started() as tenant:
        workload = tenant.somebody_makes("prod", project="1")
        await asyncio.sleep(10)
        spec = Spec(manifest=RUNS_ON, project_id="2", workload_id=workload.id)
        if how == "without its source":
            spec = replace(spec, manifest=None, manifest_from=SourceRef("ConfigMap", "none", "key"))
        if how == "only to be observed":
            spec = replace(spec, management_policy=ManagementPolicy.OBSERVE)
        squatter = tenant.kube.create("mine", "squatter", spec)
        squatter.finalizers, squatter.paused = (FINALIZER,), how in ("paused", "deleted")
        if how == "deleted":
            tenant.kube.delete(squatter)
        tenant.engine.observe("ADDED", squatter.meta())
        await asyncio.sleep(30)
        allowed = tenant.apply("allowed", namespace="theirs", workload_id=workload.id)
        await asyncio.sleep(60)

        assert ready(allowed)["reason"] == "Running"
        assert (tenant.crossed, workload.deleted) == ([], None)
