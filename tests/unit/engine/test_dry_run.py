"""`managementPolicy: DryRun`, from the first look at the object to the verdict, and what must never be left at Run:ai."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from fakes.bench import LIMITS, RUNS_ON, WORLD, UnevenBench, ready, reason, standing
from fakes.chance import Mishap
from fakes.runai import FakeRunaiAccess
from fakes.uneven_runai import Lost
from runai_operator.domain.errors import AccessDenied, InvalidWorkload, OutcomeUnknown, Throttled, Unavailable
from runai_operator.domain.manifest import read_mark, with_mark
from runai_operator.domain.model import FINALIZER, NOT_SUBMITTED, ManagementPolicy, OwnerMark, RecreatePolicy
from runai_operator.domain.naming import PROBE_PREFIX, probe_name
from runai_operator.domain.probe import probe_mark, probe_submission

pytestmark = pytest.mark.looptime

DRY = {"management_policy": ManagementPolicy.DRY_RUN}
MANAGE = {"management_policy": ManagementPolicy.MANAGE}
PROOF = LIMITS.grace + 5
"""Seconds until a connection is proven where nothing goes wrong."""
IGNORED = replace(WORLD, dry_run=False)
"""A release before 2.25."""
JOB = {"manifest": {"apiVersion": "batch/v1", "kind": "Job", "spec": {}}}
BAD_KIND = {"manifest": {**RUNS_ON, "kind": "Deploymint"}}


@pytest.fixture
async def bench():
    async with UnevenBench().started() as bench:
        yield bench


@pytest.fixture
async def old():
    async with UnevenBench(IGNORED).started() as bench:
        yield bench


def state(stored):
    return stored.status.get("ready"), stored.status.get("reason")


def created(bench):
    """The marks of everything that was ever created."""
    return [mark for method, mark in bench.runai.writes if method == "POST"]


# --- where dry runs are known


async def test_what_run_ai_would_accept_is_valid_and_nothing_is_created(bench):
    stored = bench.apply("w", **DRY)
    await asyncio.sleep(5)
    assert state(stored) == ("False", "ProvingDryRun")
    await asyncio.sleep(PROOF)

    assert state(stored) == ("True", "Valid")
    assert stored.status["submission"] == NOT_SUBMITTED
    assert stored.finalizers == ()
    assert bench.runai.writes == []


async def test_what_run_ai_would_refuse_is_stalled_with_its_own_words(bench):
    stored = bench.apply("w", **DRY, **BAD_KIND)
    await asyncio.sleep(PROOF + 5)

    assert state(stored) == ("False", "InvalidSpec")
    assert "workload type not found for GVK: apps/v1/Deploymint" in ready(stored)["message"]


async def test_a_connection_is_proven_once_for_all_objects_and_projects(bench):
    first = [bench.apply(f"w{number}", **DRY) for number in range(20)]
    await asyncio.sleep(PROOF + 5)
    later = [bench.apply(f"x{number}", project_id="2", **DRY) for number in range(5)]
    await asyncio.sleep(3)

    assert {state(stored) for stored in first + later} == {("True", "Valid")}
    assert bench.called("dry_run") == 1 + len(first) + len(later)
    assert bench.called("find") < 15


async def test_one_probe_at_a_time_is_sent_whatever_projects_wait(bench):
    stored = [bench.apply(f"w{project}", project_id=project, **DRY) for project in "123"]
    await asyncio.sleep(PROOF + 5)

    assert {state(each) for each in stored} == {("True", "Valid")}
    assert bench.called("dry_run") == 1 + len(stored)


async def test_where_nobody_asks_for_a_dry_run_none_is_sent(bench):
    bench.apply("w")
    await asyncio.sleep(3600)

    assert bench.called("dry_run") == 0
    assert all(not workload.name.startswith(PROBE_PREFIX) for workload in bench.runai.live())


async def test_an_edit_is_checked_at_once_and_one_that_changes_nothing_to_send_is_not(bench):
    stored = bench.apply("w", **DRY)
    await asyncio.sleep(PROOF + 5)
    asked = bench.called("dry_run")
    bench.edit(stored, rerun_policy="OnSpecChange")
    await asyncio.sleep(5)
    assert (state(stored), bench.called("dry_run")) == (("True", "Valid"), asked)

    bench.edit(stored, **BAD_KIND)
    await asyncio.sleep(5)
    assert (state(stored), bench.called("dry_run")) == (("False", "InvalidSpec"), asked + 1)
    bench.edit(stored, manifest=RUNS_ON)
    await asyncio.sleep(5)
    assert (state(stored), bench.called("dry_run")) == (("True", "Valid"), asked + 2)


async def test_a_requested_reconcile_asks_again_and_is_acknowledged(bench):
    stored = bench.apply("w", **DRY)
    await asyncio.sleep(PROOF + 5)
    asked = bench.called("dry_run")
    bench.kube.touch(stored, token="now")
    bench.engine.observe("MODIFIED", stored.meta())
    await asyncio.sleep(5)

    assert (state(stored), stored.status["lastHandledReconcileAt"]) == (("True", "Valid"), "now")
    assert bench.called("dry_run") == asked + 1


async def test_it_is_asked_again_with_growing_pauses_and_writes_nothing_for_it(bench):
    stored = bench.apply("w", **DRY)
    await asyncio.sleep(PROOF + 5)
    asked, version = bench.called("dry_run"), stored.version
    await asyncio.sleep(24 * 3600)

    assert 5 <= bench.called("dry_run") - asked <= 8
    assert (state(stored), stored.version) == (("True", "Valid"), version)


async def test_a_hundred_valid_objects_cost_three_calls_a_minute_at_most(bench):
    for number in range(100):
        bench.apply(f"w{number}", **DRY)
    await asyncio.sleep(PROOF + 60)
    since = bench.loop.time()
    await asyncio.sleep(3 * 3600)

    assert bench.ready() == 100
    times = [time for time, method in bench.calls if time >= since and method == "dry_run"]
    assert len(times) >= 100
    assert max(sum(begin <= time < begin + 60 for time in times) for begin in times) <= 4


async def test_a_verdict_that_changes_at_run_ai_is_noticed(bench):
    stored = bench.apply("w", **DRY)
    await asyncio.sleep(PROOF + 5)
    bench.runai.world.kinds.pop(("apps", "Deployment"))
    await asyncio.sleep(1900)

    assert state(stored) == ("False", "InvalidSpec")


async def test_a_restart_asks_for_nothing_and_writes_nothing(bench):
    stored = bench.apply("w", **DRY)
    await asyncio.sleep(PROOF + 5)
    asked, version = bench.called("dry_run"), stored.version
    await bench.start()
    await asyncio.sleep(20)

    assert (bench.called("dry_run"), stored.version) == (asked, version)
    await asyncio.sleep(1800 + PROOF + 30)
    assert state(stored) == ("True", "Valid")
    assert bench.called("dry_run") == asked + 2, "the probe of the new process, and the object"


async def test_manage_submits_it_and_there_is_no_way_back(bench):
    stored = bench.apply("w", **DRY)
    await asyncio.sleep(PROOF + 5)
    bench.edit(stored, **MANAGE)
    await asyncio.sleep(15)
    assert state(stored) == ("True", "Running")
    assert "validatedHash" not in stored.status

    asked = bench.called("dry_run")
    bench.edit(stored, **DRY)
    await asyncio.sleep(15)
    assert state(stored) == ("False", "InvalidSpec")
    assert stored.status["workloadId"] in ready(stored)["message"]
    assert (len(standing(bench)), bench.called("dry_run")) == (1, asked)

    bench.edit(stored, **MANAGE)
    await asyncio.sleep(15)
    assert state(stored) == ("True", "Running")
    bench.edit(stored, **DRY)
    bench.delete(stored)
    await asyncio.sleep(30)
    assert standing(bench) == []


async def test_what_a_lost_answer_may_have_made_cannot_become_a_dry_run(bench):
    bench.troubles["create"] = lambda: Lost(OutcomeUnknown("No answer came back."))
    bench.troubles["find"] = lambda: Unavailable("Run:ai cannot be reached.")
    stored = bench.apply("w")
    await asyncio.sleep(5)
    bench.edit(stored, **DRY)
    await asyncio.sleep(5)
    assert state(stored) == ("False", "InvalidSpec")
    assert stored.finalizers == (FINALIZER,)

    bench.troubles.clear()
    bench.edit(stored, **MANAGE)
    await asyncio.sleep(60)
    assert state(stored) == ("True", "Running")
    assert len(bench.runai.live()) == 1


async def test_what_was_never_sent_goes_without_a_call(bench):
    stored = bench.apply("w", **DRY)
    await asyncio.sleep(PROOF + 5)
    bench.delete(stored)
    await asyncio.sleep(5)

    assert bench.kube.objects == {}


@pytest.mark.parametrize(
    "trouble",
    [Unavailable("Run:ai cannot be reached."), Throttled("Slowly.", after=30), AccessDenied("Run:ai denies it.")],
)
async def test_a_verdict_outlives_an_outage_and_the_proof_waits_for_its_end(bench, trouble):
    valid = bench.apply("valid", **DRY)
    await asyncio.sleep(PROOF + 5)
    version = valid.version
    bench.troubles["dry_run"] = lambda: type(trouble)(trouble.message)
    new = bench.apply("new", **DRY)
    await asyncio.sleep(3 * 3600)
    assert (state(valid), valid.version) == (("True", "Valid"), version)
    assert (new.status["ready"], new.status["reason"]) == ("False", trouble.reason)
    assert bench.calls_in_worst_minute(since=PROOF + 60) < 75

    bench.troubles.clear()
    await asyncio.sleep(400)
    assert state(new) == ("True", "Valid")


async def test_while_it_is_paused_nothing_is_asked(bench):
    stored = bench.kube.create("ns", "w", replace(bench.apply("other", **DRY).spec))
    bench.kube.touch(stored, paused=True)
    bench.engine.observe("ADDED", stored.meta())
    await asyncio.sleep(PROOF + 5)
    asked = bench.called("dry_run")
    assert state(stored) == ("False", "Paused")

    bench.kube.touch(stored, paused=False)
    bench.engine.observe("MODIFIED", stored.meta())
    await asyncio.sleep(5)
    assert (state(stored), bench.called("dry_run")) == (("True", "Valid"), asked + 1)


# --- where the flag is ignored


async def test_a_run_ai_that_ignores_the_flag_gets_no_dry_run_and_keeps_nothing(old):
    stored = [old.apply(f"w{number}", **DRY) for number in range(5)]
    await asyncio.sleep(30)

    assert {state(each) for each in stored} == {("False", "DryRunUnsupported")}
    assert created(old) == [probe_mark("i")]
    assert old.runai.live() == []
    assert all(each.finalizers == () for each in stored)


async def test_dry_runs_stay_off_until_a_restart(old):
    stored = old.apply("w", **DRY)
    await asyncio.sleep(30)
    old.runai.switches = old.runai.world.switches = WORLD
    await asyncio.sleep(3 * 3600)
    assert (state(stored), len(created(old))) == (("False", "DryRunUnsupported"), 1)
    assert old.called("dry_run") == 1

    await old.start()
    await asyncio.sleep(60)
    assert state(stored) == ("True", "Valid")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"list_lag": 9}, id="lists lag"),
        pytest.param({"deleted_answers_404": False}, id="what is deleted is shown"),
        pytest.param({"raw_manifest_echo": False}, id="no mark is shown"),
        pytest.param({"raw_annotations": False}, id="no annotation is shown"),
        pytest.param({"ids_equal": False}, id="lists use other ids"),
        pytest.param({"deleted_list": False, "second_delete": False}, id="no list of what is deleted"),
        pytest.param({"writes_while_busy": False}, id="no deletion of what is being applied"),
        pytest.param({"sync_info": False}, id="no word of the sync"),
        pytest.param({"create_answers_201": True, "errors_documented": True}, id="created"),
    ],
)
async def test_whatever_is_made_is_noticed_and_removed(changes):
    async with UnevenBench(replace(IGNORED, **changes)).started() as bench:
        stored = bench.apply("w", **DRY)
        await asyncio.sleep(180)

        assert state(stored) == ("False", "DryRunUnsupported")
        assert created(bench) == [probe_mark("i")]
        assert bench.runai.live() == []


async def test_a_probe_whose_answer_is_lost_is_found_by_its_name_and_removed(old):
    old.troubles["dry_run"] = lambda: Lost(OutcomeUnknown("No answer came back."))
    stored = old.apply("w", **DRY)
    await asyncio.sleep(60)

    assert state(stored) == ("False", "DryRunUnsupported")
    assert old.runai.live() == []


async def test_an_answer_without_an_id_proves_nothing_until_lists_have_had_the_time(monkeypatch):
    create = FakeRunaiAccess.dry_run

    async def without_id(self, submission):
        await create(self, submission)

    monkeypatch.setattr(FakeRunaiAccess, "dry_run", without_id)
    async with UnevenBench(replace(IGNORED, list_lag=9)).started() as bench:
        stored = bench.apply("w", **DRY)
        await asyncio.sleep(60)

        assert state(stored) == ("False", "DryRunUnsupported")
        assert created(bench) == [probe_mark("i")]
        assert bench.runai.live() == []


async def test_a_lost_answer_proves_nothing(bench):
    bench.troubles["dry_run"] = lambda: Lost(OutcomeUnknown("No answer came back."))
    stored = bench.apply("w", **DRY)
    await asyncio.sleep(1800)
    assert (stored.status["ready"], stored.status["reason"]) == ("False", "OutcomeUnknown")
    assert bench.called("dry_run") <= 1800 / LIMITS.grace

    bench.troubles.clear()
    await asyncio.sleep(400)
    assert state(stored) == ("True", "Valid")


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize(
    ("method", "error"),
    [
        ("find", Unavailable("Run:ai cannot be reached.")),
        ("get", AccessDenied("Run:ai denies it.")),
        ("delete", OutcomeUnknown("No answer came back.")),
        ("projects", Unavailable("Run:ai cannot be reached.")),
    ],
)
async def test_trouble_on_the_way_only_delays_the_answer(method, error, dry_run):
    async with UnevenBench(replace(WORLD, dry_run=dry_run)).started() as bench:
        bench.troubles[method] = lambda: type(error)(error.message)
        stored = bench.apply("w", **DRY)
        await asyncio.sleep(900)
        assert state(stored) != ("True", "Valid") or method in ("get", "delete")
        assert bench.calls_in_worst_minute(since=60) < 75
        bench.troubles.clear()
        await asyncio.sleep(900)

        assert state(stored) == (("True", "Valid") if dry_run else ("False", "DryRunUnsupported"))
        assert bench.runai.live() == []


async def test_where_the_probe_is_refused_the_object_says_so_and_other_projects_are_tried(bench):
    refused = {"1"}

    def judge(method, subject):
        if method == "DRY RUN" and subject.name.startswith(PROBE_PREFIX) and subject.project_id in refused:
            raise InvalidWorkload("Run:ai refused the workload: workload type not found.")

    bench.runai.allow = judge
    here = bench.apply("w", **DRY)
    await asyncio.sleep(30)
    assert state(here) == ("False", "DryRunUnsupported")
    assert "workload type not found" in ready(here)["message"]
    writes = here.version
    await asyncio.sleep(2 * 3600)
    assert here.version == writes, "a probe that changes nothing writes nothing"

    there = bench.apply("x", project_id="2", **DRY)
    await asyncio.sleep(PROOF + 10)
    assert state(there) == ("True", "Valid")
    await asyncio.sleep(5)
    assert state(here) == ("True", "Valid")


async def test_an_object_that_goes_takes_its_probe_with_it(bench):
    bench.troubles["dry_run"] = lambda: Unavailable("Run:ai cannot be reached.")
    stored = bench.apply("w", **DRY)
    await asyncio.sleep(60)
    bench.delete(stored)
    await asyncio.sleep(600)
    asked = bench.called("dry_run")
    await asyncio.sleep(3600)

    assert bench.called("dry_run") == asked


# --- what is left behind, and who else is there


def left_behind(bench, *, install="i", manifest=None, project="1"):
    """What a process made that was killed right after."""
    sent = probe_submission(install, project)
    metadata = {"name": probe_name("i", project), "projectId": project}
    return bench.runai.world.create(metadata, manifest or sent.manifest, bench.now())


async def test_what_a_probe_left_behind_is_removed_without_anybody_asking(bench):
    left_behind(bench)
    bench.apply("w")
    await bench.start()
    await asyncio.sleep(60)

    assert [workload.name for workload in standing(bench)] == ["w"]
    assert bench.called("dry_run") == 0


async def test_what_a_probe_left_behind_under_a_former_install_id_is_removed(bench):
    left_behind(bench)
    bench.apply("w")
    await bench.start(install="new", former=("old", "i"))
    await asyncio.sleep(60)

    assert [workload.name for workload in standing(bench)] == ["w"]
    assert bench.called("dry_run") == 0


@pytest.mark.parametrize("manifest", [RUNS_ON, None], ids=["without a mark", "with the mark of another install"])
async def test_what_does_not_carry_our_mark_is_left_alone(bench, manifest):
    left_behind(bench, install="j", manifest=manifest)
    await bench.start()
    stored = bench.apply("w", **DRY)
    await asyncio.sleep(1200)

    assert len(standing(bench)) == 1
    assert state(stored) == ("False", "DryRunUnsupported")
    assert probe_name("i", "1") in ready(stored)["message"]
    assert bench.called("delete") == 0


@pytest.mark.parametrize("world", [WORLD, IGNORED], ids=["known", "ignored"])
async def test_a_kill_at_every_call_leaves_nothing_behind(world):
    """And no process takes what another was killed over for a proof."""
    struck = 0
    for number in range(60):
        for mishap in (Mishap.CRASH_BEFORE, Mishap.CRASH_AFTER):
            bench = UnevenBench(world)
            await bench.start()
            bench.chance.begin({number: mishap})
            stored = bench.apply("w", **DRY)
            await asyncio.sleep(40)
            struck += bench.task.done()
            await bench.start()
            await asyncio.sleep(100)

            expected = ("True", "Valid") if world.dry_run else ("False", "DryRunUnsupported")
            assert state(stored) == expected, (number, mishap)
            assert bench.runai.live() == [], (number, mishap)
            assert set(created(bench)) <= {probe_mark("i")}, (number, mishap)
            await bench.stop()
    assert struck > 40


@pytest.mark.parametrize("world", [WORLD, IGNORED], ids=["known", "ignored"])
@pytest.mark.parametrize("behind", [0.0, 0.05, 0.5, 2.0, 5.0, 9.0])
async def test_two_operators_that_overlap_come_to_the_same_end(world, behind):
    first, second = UnevenBench(world), UnevenBench(world)
    second.kube, second.runai = first.kube, first.runai
    await first.start()
    stored = first.apply("w", **DRY)
    await asyncio.sleep(behind)
    await second.start()
    await asyncio.sleep(180)

    expected = ("True", "Valid") if world.dry_run else ("False", "DryRunUnsupported")
    assert state(stored) == expected
    assert first.runai.live() == []
    answers = {str(each.engine.upstreams.named(None).dry_runs._answer) for each in (first, second)}
    assert len(answers) == 1
    await first.stop()
    await second.stop()


# --- where the flag is ignored from some time on


DOWNGRADES = [
    pytest.param({}, id="plain"),
    pytest.param({"list_lag": 9}, id="lists lag"),
    pytest.param({"deleted_answers_404": False}, id="what is deleted is shown"),
    pytest.param({"raw_manifest_echo": False}, id="no mark is shown"),
    pytest.param({"ids_equal": False}, id="lists use other ids"),
    pytest.param({"writes_while_busy": False}, id="no deletion of what is being applied"),
]


@pytest.mark.parametrize("changes", DOWNGRADES)
async def test_what_is_made_after_the_proof_is_removed_and_no_more_dry_runs_are_sent(bench, changes):
    first = bench.apply("first", **DRY)
    await asyncio.sleep(PROOF + 5)
    bench.runai.switches = bench.runai.world.switches = replace(IGNORED, **changes)
    bench.apply("second", **DRY)
    await asyncio.sleep(180)
    third = bench.apply("third", **DRY)
    await asyncio.sleep(60)

    assert (state(first), state(third)) == (("True", "Valid"), ("False", "DryRunUnsupported"))
    assert [mark.name for mark in created(bench)] == ["second"]
    assert bench.runai.live() == []


async def unanswered(bench):
    """An object of which nobody knows that its dry run has made something, since no list shows that before 9 s have passed, and
    no dry run is answered."""
    bench.apply("first", **DRY)
    await asyncio.sleep(PROOF + 5)
    bench.runai.switches = bench.runai.world.switches = replace(IGNORED, list_lag=9)
    bench.troubles["dry_run"] = lambda: Lost(OutcomeUnknown("No answer came back."))
    return bench.apply("second", **DRY)


async def test_what_an_unanswered_dry_run_made_is_found_in_the_lists_and_removed(bench):
    second = await unanswered(bench)
    await asyncio.sleep(180)

    assert state(second) == ("False", "DryRunUnsupported")
    assert bench.runai.live() == []


async def with_leftover(bench):
    """An object, and what its dry run has made, which cannot be deleted yet."""
    bench.apply("first", **DRY)
    await asyncio.sleep(PROOF + 5)
    bench.runai.switches = bench.runai.world.switches = IGNORED
    bench.troubles["get"] = lambda: Unavailable("Run:ai cannot be reached.")
    second = bench.apply("second", **DRY)
    await asyncio.sleep(5)
    [made] = standing(bench)
    return second, made


async def test_what_was_made_becomes_the_workload_of_an_object_that_is_to_be_managed_before_it_is_removed(bench):
    second, made = await with_leftover(bench)
    bench.edit(second, **MANAGE)
    await asyncio.sleep(30)
    bench.troubles.clear()
    await asyncio.sleep(400)

    assert state(second) == ("True", "Running")
    assert standing(bench) == [made]
    assert len(created(bench)) == 1


@pytest.mark.parametrize("edit", [{"name": "renamed"}, {"project_id": "2"}], ids=["renamed", "in another project"])
async def test_what_was_made_elsewhere_than_its_object_submits_is_removed(bench, edit):
    second, made = await with_leftover(bench)
    bench.edit(second, **MANAGE, **edit)
    await asyncio.sleep(30)
    bench.troubles.clear()
    await asyncio.sleep(600)

    assert state(second) == ("True", "Running")
    assert [workload.id for workload in standing(bench)] == [second.status["workloadId"]]
    assert second.status["workloadId"] != made.id


@pytest.mark.parametrize("policy", [ManagementPolicy.OBSERVE, ManagementPolicy.MANAGE])
async def test_what_was_made_is_removed_although_its_object_has_another_workload_from_now_on(bench, policy):
    second, _ = await with_leftover(bench)
    other = bench.runai.world.create({"name": "other", "projectId": "1"}, RUNS_ON, bench.now())
    bench.edit(second, management_policy=policy, workload_id=other.id)
    await asyncio.sleep(20)
    bench.troubles.clear()
    await asyncio.sleep(600)

    assert standing(bench) == [other]
    assert second.status["workloadId"] == other.id


async def test_what_was_made_waits_for_its_object_while_that_may_still_submit_it(bench):
    second, made = await with_leftover(bench)
    bench.edit(second, **MANAGE, **BAD_KIND, name="renamed")
    bench.troubles.clear()
    await asyncio.sleep(900)
    assert standing(bench) == [made]
    bench.edit(second, manifest=RUNS_ON, name="second")
    await asyncio.sleep(600)

    assert state(second) == ("True", "Running")
    assert standing(bench) == [made]


@pytest.mark.parametrize("waits", [3.0, 30.0], ids="{:g} s".format)
async def test_an_object_that_goes_back_to_the_name_waits_until_what_was_made_under_it_is_gone(bench, waits):
    second, _ = await with_leftover(bench)
    bench.edit(second, **MANAGE, name="renamed", recreate_policy=RecreatePolicy.ON_IMMUTABLE_CHANGE)
    await asyncio.sleep(30)
    bench.latency["delete"] = waits
    bench.troubles.clear()
    while not bench.called("delete"):  # noqa: ASYNC110 - in virtual time
        await asyncio.sleep(1)
    assert state(second) == ("True", "Running")
    bench.latency.clear()
    bench.edit(second, name="second")
    await asyncio.sleep(900)

    assert state(second) == ("True", "Running")
    assert [workload.id for workload in standing(bench)] == [second.status["workloadId"]]


async def test_a_workload_of_the_same_name_that_is_not_from_a_dry_run_is_left_alone(bench):
    bench.apply("first", **DRY)
    await asyncio.sleep(PROOF + 5)
    bench.runai.world.create({"name": "first", "projectId": "1"}, RUNS_ON, bench.now())
    await asyncio.sleep(60)

    assert [workload.name for workload in bench.runai.live()] == ["first"]
    bench.apply("other", **DRY)
    await asyncio.sleep(5)
    assert bench.called("dry_run") == 3


async def accepted(bench, name="second"):
    """An object that was accepted as a dry run by a Run:ai of which that was proven; the first one waited for the proof."""
    bench.apply("first", **DRY)
    await asyncio.sleep(PROOF + 5)
    stored = bench.apply(name, **DRY)
    await asyncio.sleep(5)
    assert state(stored) == ("True", "Valid")
    return stored


def passed_on(bench, stored):
    """Its labels are changed, so that another release serves it."""
    stored.is_selected = False
    bench.kube.touch(stored)
    bench.engine.observe("DELETED", stored.meta())


@pytest.mark.parametrize("waits", [3.0, 8.0, 30.0], ids="{:g} s".format)
async def test_no_deletion_of_what_was_made_goes_out_after_its_object_submits(bench, waits):
    bench.apply("first", **DRY)
    await asyncio.sleep(PROOF + 5)
    bench.runai.switches = bench.runai.world.switches = IGNORED
    bench.latency["delete"] = waits
    second = bench.apply("second", **DRY)
    await asyncio.sleep(2)
    assert bench.called("delete") == 1  # and it has not reached Run:ai yet
    bench.edit(second, **MANAGE)
    await asyncio.sleep(400)

    assert state(second) == ("True", "Running")
    assert [workload.id for workload in standing(bench)] == [second.status["workloadId"]]


async def test_an_object_that_submits_does_not_wait_for_a_deletion_that_run_ai_has_refused(bench):
    bench.apply("first", **DRY)
    await asyncio.sleep(PROOF + 5)
    bench.runai.switches = bench.runai.world.switches = IGNORED
    bench.troubles["delete"] = lambda: AccessDenied("Run:ai denies it.")
    second = bench.apply("second", **DRY)
    await asyncio.sleep(900)
    bench.edit(second, **MANAGE)
    await asyncio.sleep(30)

    assert state(second) == ("True", "Running")
    bench.troubles.clear()
    await asyncio.sleep(600)
    assert [workload.id for workload in standing(bench)] == [second.status["workloadId"]]


async def test_no_deletion_of_what_was_made_goes_out_after_a_restored_object_has_taken_it_over(bench):
    """The object is deleted and made again under its name, with another UID, and takes over what bears the old mark."""
    bench.apply("first", **DRY)
    await asyncio.sleep(PROOF + 5)
    bench.runai.switches = bench.runai.world.switches = IGNORED
    bench.latency["delete"] = 25.0
    second = bench.apply("second", **DRY)
    await asyncio.sleep(2)
    [made] = bench.runai.live()
    bench.delete(second)
    await asyncio.sleep(1)
    again = bench.apply("second", **MANAGE, workload_id=made.id)
    await asyncio.sleep(400)

    stood = {workload.id for workload in standing(bench)}
    assert again.status.get("adoptedId") is None or again.status["adoptedId"] in stood, again.status


async def test_what_another_release_has_submitted_of_what_was_checked_here_is_left_alone(bench):
    """The object was moved to another release, as docs/sharding.md has it, and is submitted there."""
    second = await accepted(bench)
    passed_on(bench, second)
    bench.edit(second, **MANAGE)
    bench.engine.observe("DELETED", second.meta())
    mark = OwnerMark("i", second.ref.namespace, second.ref.name, second.ref.uid)
    manifest = with_mark(RUNS_ON, name="second", mark=mark)
    bench.runai.world.create({"name": "second", "projectId": "1"}, manifest, bench.now())
    await asyncio.sleep(300)

    assert [workload.name for workload in standing(bench)] == ["second"]


async def test_what_the_other_of_two_operators_has_submitted_is_left_alone():
    """Both serve the object for a while; the watch of the one is late, and its lists are not."""
    late, prompt = UnevenBench(), UnevenBench()
    prompt.kube, prompt.runai = late.kube, late.runai
    await late.start()
    second = await accepted(late)
    await prompt.start()
    await asyncio.sleep(5)
    prompt.edit(second, **MANAGE)
    await asyncio.sleep(60)

    assert state(second) == ("True", "Running")
    assert [workload.id for workload in standing(prompt)] == [second.status["workloadId"]]
    await late.stop()
    await prompt.stop()


async def test_what_was_submitted_elsewhere_is_left_alone_also_where_its_policy_was_set_back(bench):
    second = await accepted(bench)
    mark = OwnerMark("i", second.ref.namespace, second.ref.name, second.ref.uid)
    manifest = with_mark(RUNS_ON, name="second", mark=mark)
    made = bench.runai.world.create({"name": "second", "projectId": "1"}, manifest, bench.now())
    second.status["workloadId"] = made.id
    second.finalizers = (FINALIZER,)
    bench.kube.touch(second)
    await asyncio.sleep(300)

    assert standing(bench) == [made]


async def test_what_was_made_for_an_object_that_is_gone_is_removed(bench):
    bench.apply("first", **DRY)
    await asyncio.sleep(PROOF + 5)
    bench.runai.switches = bench.runai.world.switches = IGNORED
    bench.troubles["delete"] = lambda: Unavailable("Run:ai cannot be reached.")
    second = bench.apply("second", **DRY)
    await asyncio.sleep(5)
    bench.delete(second)
    await asyncio.sleep(5)
    bench.troubles.clear()
    await asyncio.sleep(400)

    assert bench.runai.live() == []


async def test_the_mark_of_a_probe_is_that_of_no_object(old):
    old.runai.world.switches = replace(IGNORED, delete_time=1e6)
    old.apply("w", **DRY)
    await asyncio.sleep(10)

    [made] = old.runai.live()
    assert read_mark(made.manifest) == probe_mark("i")
    assert made.manifest["spec"]["suspend"] is True
    assert reason(next(iter(old.kube.objects.values()))) == "DryRunUnsupported"


async def test_what_was_made_and_has_finished_stays_where_a_new_object_of_its_name_counts_it_as_its_own(bench):
    """To what has finished nothing is sent, so it keeps the mark of the object before."""
    bench.apply("first", **DRY)
    await asyncio.sleep(PROOF + 5)
    bench.runai.switches = bench.runai.world.switches = IGNORED
    bench.troubles["get"] = lambda: Unavailable("Run:ai cannot be reached.")
    second = bench.apply("second", **DRY, **JOB)
    await asyncio.sleep(120)
    [made] = standing(bench)
    bench.delete(second)
    bench.troubles.clear()
    again = bench.apply("second", **JOB)
    await asyncio.sleep(600)

    assert state(again) == ("True", "Completed")
    assert standing(bench) == [made]


async def test_a_new_object_does_not_count_as_its_own_what_was_made_and_has_finished_and_is_being_deleted(bench):
    bench.apply("first", **DRY)
    await asyncio.sleep(PROOF + 5)
    bench.runai.switches = bench.runai.world.switches = IGNORED
    bench.troubles["get"] = lambda: Unavailable("Run:ai cannot be reached.")
    second = bench.apply("second", **DRY, **JOB)
    await asyncio.sleep(60)
    [made] = standing(bench)
    bench.troubles.clear()
    bench.latency["delete"] = 25.0
    while not bench.called("delete"):  # noqa: ASYNC110 - in virtual time
        await asyncio.sleep(1)
    bench.delete(second)
    again = bench.apply("second", **JOB)
    await asyncio.sleep(10)
    assert state(again)[0] == "False"
    await asyncio.sleep(600)

    assert state(again) == ("True", "Completed")
    assert [workload.id for workload in standing(bench)] == [again.status["workloadId"]] != [made.id]


@pytest.mark.parametrize("changes", [{}, BAD_KIND], ids=["paused", "refused"])
async def test_what_was_made_is_removed_once_its_object_is_only_to_be_checked_again(bench, changes):
    second, made = await with_leftover(bench)
    bench.kube.touch(second, paused=not changes)
    bench.edit(second, **MANAGE, **changes)
    await asyncio.sleep(20)
    assert second.status["reason"] == ("InvalidSpec" if changes else "Paused")
    bench.troubles.clear()
    await asyncio.sleep(400)
    assert standing(bench) == [made]
    bench.kube.touch(second, paused=False)
    bench.edit(second, **DRY, manifest=RUNS_ON)
    await asyncio.sleep(600)

    assert bench.runai.live() == []


async def test_what_was_made_is_removed_although_nobody_knows_either_what_a_new_object_of_its_name_has_made(bench):
    second = await unanswered(bench)
    await asyncio.sleep(1)
    bench.troubles.clear()
    bench.delete(second)
    bench.troubles["dry_run"] = lambda: OutcomeUnknown("No answer came back.")
    bench.apply("second", **DRY)
    await asyncio.sleep(3)
    bench.troubles.clear()
    await asyncio.sleep(600)

    assert bench.runai.live() == []


@pytest.mark.parametrize("later", [0.0, 6.0, 7.0, 8.0, 9.0, 12.0], ids="{:g} s".format)
async def test_what_was_made_is_not_deleted_while_a_new_object_of_its_name_takes_it_over(bench, later):
    """Lists show it to both at the same time, and the PUT has not come back yet."""
    second = await unanswered(bench)
    await asyncio.sleep(1)
    bench.troubles.clear()
    bench.delete(second)
    await asyncio.sleep(later)
    bench.latency |= {"update": 10.0, "delete": 15.0}
    again = bench.apply("second")
    await asyncio.sleep(600)

    assert state(again) == ("True", "Running")
    assert [workload.id for workload in standing(bench)] == [again.status["workloadId"]]
