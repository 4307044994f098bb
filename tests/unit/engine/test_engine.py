"""The whole engine in virtual time, between two fakes: bursts, quiet hours, restarts, sources, vanished objects."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

import pytest

from fakes.bench import EPOCH, RUNS_ON
from fakes.chance import Mishap
from runai_operator.domain.actions import Render
from runai_operator.domain.conditions import condition
from runai_operator.domain.model import (
    CRDState,
    DeletionPolicy,
    ExternalDeletionPolicy,
    ManagementPolicy,
    SourceRef,
    SourceText,
)

pytestmark = pytest.mark.looptime


async def test_the_report_counts_what_there_is_at_that_moment(bench):
    def counts():
        bench.engine.report()
        return bench.observer.last["workloads"][0], bench.observer.last["deletions"][0]

    stored = bench.apply("a")
    assert counts() == ({("", "Unknown"): 1}, 0)

    await asyncio.sleep(60)
    assert counts() == ({("Running", "True"): 1}, 0)

    bench.delete(stored)
    await asyncio.sleep(0.5)
    assert counts() == ({("Running", "False"): 1}, 1)

    await asyncio.sleep(60)
    assert counts() == ({}, 0)


async def test_a_burst_is_submitted_exactly_once_each_and_then_all_is_quiet(bench):
    for number in range(60):
        bench.apply(f"w{number}")
    await asyncio.sleep(120)

    assert bench.ready() == 60
    assert len(bench.runai.world.creates) == 60

    writes, calls = bench.kube.writes, sum(bench.runai.calls.values())
    await asyncio.sleep(3600)

    assert bench.kube.writes == writes, "nothing changed, so nothing is written"
    assert (sum(bench.runai.calls.values()) - calls) / 60 <= 40, "calls a minute"


async def test_completed_workloads_cost_no_reads(bench):
    bench.apply("job", manifest={"apiVersion": "batch/v1", "kind": "Job", "spec": {}})
    await asyncio.sleep(120)
    reads = bench.runai.calls.get("get", 0)
    await asyncio.sleep(3600)

    assert bench.ready() == 1
    assert bench.runai.calls.get("get", 0) == reads


async def test_a_restart_over_settled_objects_writes_and_reads_nothing(bench):
    for number in range(20):
        bench.apply(f"w{number}")
    await asyncio.sleep(120)
    writes, reads = bench.kube.writes, bench.runai.calls["get"]
    await bench.start()
    await asyncio.sleep(120)

    assert (bench.kube.writes, bench.runai.calls["get"]) == (writes, reads)
    assert len(bench.engine.inventory) == 20


async def test_a_lifecycle_takes_five_writes_and_one_for_each_change_shown(bench):
    stored = bench.apply("a")
    await asyncio.sleep(60)
    bench.kube.edit(stored, replace(stored.spec, manifest={**RUNS_ON, "spec": {"replicas": 2}}))
    bench.engine.observe("MODIFIED", stored.meta())
    await asyncio.sleep(60)
    bench.delete(stored)
    await asyncio.sleep(60)

    assert bench.kube.objects == {}
    assert bench.runai.live() == []
    assert bench.kube.writes <= 5 + 9, "syncs and phases: Queued, Applying, Synced twice, four phases"
    assert len([method for method, _ in bench.runai.writes if method == "PUT"]) == 1


async def test_once_a_sync_has_ended_no_read_is_left_planned(bench):
    """The lists show a change just when the workload is due to be read: the pass over the change plans another read."""
    stored = bench.apply("a")
    await asyncio.sleep(60)
    reads, uid = bench.runai.calls["get"], stored.ref.uid
    bench.engine.upstreams.named("default").reads.follow(uid, 5)
    bench.engine.read_due(uid)
    await asyncio.sleep(60)

    assert bench.runai.calls["get"] == reads + 1


async def test_a_changed_manifest_source_is_noticed_and_sent_once(bench):
    bench.kube.sources["code"] = SourceText("apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: 1}", "1")
    bench.apply("a", manifest=None, manifest_from=SourceRef("ConfigMap", "code", "x.yaml"))
    await asyncio.sleep(90)
    bench.kube.sources["code"] = SourceText("apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: 5}", "2")
    await asyncio.sleep(90)
    bench.kube.sources["code"] = SourceText("apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: 5}", "3")
    await asyncio.sleep(300)
    [workload] = bench.runai.live()

    assert workload.manifest["spec"] == {"replicas": 5}
    assert [method for method, _ in bench.runai.writes] == ["POST", "PUT"]


async def test_an_object_is_known_at_the_version_that_was_seen_last_while_it_is_there(bench):
    stored = bench.apply("train")
    await asyncio.sleep(30)
    uid = stored.ref.uid
    version = bench.engine.inventory.get(uid).meta.resource_version

    assert bench.engine.knows(uid, version)
    assert not bench.engine.knows(uid, f"{version}0")
    assert not bench.engine.knows("another", version)
    bench.delete(stored)
    await asyncio.sleep(60)
    assert not bench.engine.knows(uid, version)


async def test_an_object_that_vanished_without_an_event_is_forgotten(bench):
    stored = bench.apply("a")
    await asyncio.sleep(30)
    bench.kube.lose(stored)
    await asyncio.sleep(1500)

    assert len(bench.engine.inventory) == 0


async def test_an_external_deletion_is_noticed_in_lists_and_confirmed_by_a_read(bench):
    stored = bench.apply("a")
    await asyncio.sleep(60)
    bench.runai.world.delete(bench.runai.live()[0], EPOCH + bench.loop.time())
    await asyncio.sleep(60)

    assert condition(stored.status, "Ready")["reason"] == "DeletedExternally"
    assert len(bench.runai.world.creates) == 1


@pytest.mark.parametrize("call", ["read", "write_status"])
async def test_a_read_requested_during_a_pass_is_done_by_the_next_pass(bench, call):
    """The pass has taken its requests already; what comes while it waits for an answer must not be lost with its end."""
    stored = bench.apply("a")
    await asyncio.sleep(60)
    reads = bench.runai.calls["get"]
    requested = []

    def request():
        requested.append(bench.loop.time())
        bench.engine.read_due(stored.ref.uid)

    bench.chance.meanwhile[call] = request
    bench.edit(stored, deletion_policy=DeletionPolicy.ORPHAN)
    await asyncio.sleep(3)

    assert len(requested) == 1
    assert stored.status["observedGeneration"] == 2
    assert bench.runai.calls["get"] == reads + 1


async def test_a_read_that_failed_is_done_by_the_next_pass(bench):
    stored = bench.apply("a")
    await asyncio.sleep(60)
    reads = bench.runai.calls["get"]
    bench.chance.named["get"] = Mishap.LOST_BEFORE
    bench.engine.read_due(stored.ref.uid)
    await asyncio.sleep(30)

    assert bench.runai.calls["get"] == reads + 2


async def test_two_objects_that_show_one_workload_both_get_its_news(bench):
    owner = bench.apply("owner", manifest={"apiVersion": "batch/v1", "kind": "Job", "spec": {}})
    await asyncio.sleep(3)
    [workload] = bench.runai.live()
    watcher = bench.apply("watcher", workload_id=workload.id, management_policy=ManagementPolicy.OBSERVE)
    await asyncio.sleep(60)

    assert watcher.status["phase"] == "Completed"
    assert owner.status["phase"] == "Completed"


async def test_during_an_outage_one_object_probes_and_afterwards_all_are_requeued(bench):
    bench.chance.down = True
    for number in range(30):
        bench.apply(f"w{number}")
    await asyncio.sleep(300)
    before = sum(bench.runai.calls.values())
    await asyncio.sleep(300)

    assert bench.ready() == 0
    assert sum(bench.runai.calls.values()) - before <= 30, "one probe at a time, whatever waits"

    bench.chance.down = False
    await asyncio.sleep(90)

    assert bench.ready() == 30
    assert len(bench.runai.world.creates) == 30


async def test_mass_deletion_is_rate_limited_and_can_be_stopped(bench):
    await bench.start(delete_rate=10)
    for number in range(45):
        bench.apply(f"w{number}")
    await asyncio.sleep(120)
    bench.delete_everything()
    await asyncio.sleep(50)

    assert len(bench.kube.objects) == 35, "ten within the first minute"
    shown = [condition(stored.status, "Ready") for stored in bench.kube.objects.values()]
    assert {entry["reason"] for entry in shown} == {"Deleting"}
    assert all("OPERATOR_DELETE_RATE" in entry["message"] for entry in shown)
    writes, reads = bench.kube.writes, bench.runai.calls["get"]
    await asyncio.sleep(5)
    assert (bench.kube.writes, bench.runai.calls["get"]) == (writes, reads), (
        "waiting for the rate limiter costs nothing"
    )

    for stored in list(bench.kube.objects.values())[:5]:
        bench.kube.edit(stored, replace(stored.spec, deletion_policy=DeletionPolicy.ORPHAN))
        bench.engine.observe("MODIFIED", stored.meta())
    await asyncio.sleep(5)
    assert len(bench.kube.objects) == 30, "Orphan removes the finalizer at once"

    await asyncio.sleep(300)

    assert bench.kube.objects == {}
    assert len(bench.runai.live()) == 5


async def test_deleting_the_crd_deletes_no_workload_until_somebody_confirms(bench):
    for number in range(20):
        bench.apply(f"w{number}")
    await asyncio.sleep(120)
    bench.kube.delete_crd()
    for stored in list(bench.kube.objects.values()):
        bench.engine.observe("MODIFIED", stored.meta())
    await asyncio.sleep(1800)

    assert len(bench.runai.live()) == 20
    assert "confirm-delete" in condition(bench.kube.objects["ns", "w0"].status, "Ready")["message"]

    bench.kube.crd = CRDState(deleting=True, confirmed=True)
    await asyncio.sleep(60)

    assert bench.runai.live() == []
    assert bench.kube.objects == {}


async def test_after_release_after_the_finalizer_goes_and_the_orphan_is_recorded(bench):
    await bench.start(release_after=3600)
    for number in range(5):
        bench.apply(f"w{number}")
    await asyncio.sleep(60)
    bench.chance.down = True
    bench.delete_everything()
    await asyncio.sleep(3000)

    assert len(bench.kube.objects) == 5
    assert bench.kube.orphans == {}

    await asyncio.sleep(1500)

    assert bench.kube.objects == {}
    assert {orphan.name for orphan in bench.kube.orphans.values()} == {f"w{number}" for number in range(5)}
    assert {orphan.workload_id for orphan in bench.kube.orphans.values()} == {w.id for w in bench.runai.live()}


async def test_a_full_orphan_record_keeps_the_finalizer_and_says_so(bench):
    await bench.start(release_after=60)
    bench.kube.orphan_limit = 1
    for number in range(2):
        bench.apply(f"w{number}")
    await asyncio.sleep(60)
    bench.chance.down = True
    bench.delete_everything()
    await asyncio.sleep(1800)
    [kept] = bench.kube.objects.values()

    assert "record" in condition(kept.status, "Ready")["message"]

    bench.kube.orphans.clear()
    await asyncio.sleep(900)

    assert bench.kube.objects == {}


async def test_an_old_deletion_survives_an_outage_shorter_than_release_after(bench):
    """It waited for somebody to take the pause away, and then came a short outage."""
    await bench.start(release_after=3600)
    stored = bench.apply("a")
    await asyncio.sleep(60)
    bench.kube.touch(stored, paused=True)
    bench.engine.observe("MODIFIED", stored.meta())
    bench.delete(stored)
    await asyncio.sleep(7200)
    bench.chance.down = True
    bench.kube.touch(stored, paused=False)
    bench.engine.observe("MODIFIED", stored.meta())
    await asyncio.sleep(300)
    assert bench.kube.orphans == {}

    bench.chance.down = False
    await asyncio.sleep(120)

    assert bench.kube.objects == {}
    assert bench.runai.live() == []


async def test_deletions_held_up_by_an_outage_go_on_when_it_ends(bench):
    for number in range(30):
        bench.apply(f"w{number}")
    await asyncio.sleep(120)
    bench.chance.down = True
    bench.delete_everything()
    await asyncio.sleep(3600)
    bench.chance.down = False
    await asyncio.sleep(60)

    assert bench.kube.objects == {}
    assert bench.runai.live() == []


async def test_recreation_slows_down_each_time_and_then_gives_up(bench):
    stored = bench.apply("a", external_deletion_policy=ExternalDeletionPolicy.RECREATE)
    made = []
    for _ in range(240):
        await asyncio.sleep(10)
        for workload in bench.runai.live():
            if workload.deleted is None:
                made.append(bench.loop.time())
                bench.runai.world.delete(workload, EPOCH + bench.loop.time())

    assert len(made) == 6, "the first, and five more"
    pauses = [later - earlier for earlier, later in itertools.pairwise(made[1:])]
    assert pauses == sorted(pauses)
    assert condition(stored.status, "Stalled")["reason"] == "RecreateGivenUp"

    await bench.start()
    await asyncio.sleep(1800)
    assert len(bench.runai.world.creates) == 6, "a restart does not forget it"

    bench.kube.touch(stored, token="try again")
    bench.engine.observe("MODIFIED", stored.meta())
    await asyncio.sleep(60)

    assert len(bench.runai.world.creates) == 7
    assert bench.ready() == 1


async def test_without_sync_info_readiness_follows_the_phase_and_costs_no_extra_reads(bench):
    bench.runai.world.switches = bench.runai.world.switches.changed({"sync_info": False})
    for number in range(10):
        bench.apply(f"w{number}")
    await asyncio.sleep(120)
    reads = bench.runai.calls["get"]
    await asyncio.sleep(1800)

    assert bench.ready() == 10
    assert bench.runai.calls["get"] == reads
    assert condition(bench.kube.objects["ns", "w0"].status, "Synced")["reason"] == "Synced", "its pods prove it"

    stored = bench.kube.objects["ns", "w0"]
    bench.kube.edit(stored, replace(stored.spec, manifest={**RUNS_ON, "spec": {"replicas": 2}}))
    bench.engine.observe("MODIFIED", stored.meta())
    await asyncio.sleep(60)

    assert bench.ready() == 10
    assert condition(stored.status, "Synced")["reason"] == "SyncNotReported", "they may be those from before the edit"
    assert [method for method, _ in bench.runai.writes].count("PUT") == 1
    bench.delete_everything()
    await asyncio.sleep(60)
    assert bench.kube.objects == {}
    assert bench.runai.live() == []


async def test_a_delete_rate_of_zero_deletes_nothing_but_orphan_still_releases(bench):
    await bench.start(delete_rate=0)
    stored = bench.apply("a")
    await asyncio.sleep(60)
    bench.delete(stored)
    await asyncio.sleep(3600)
    assert len(bench.runai.live()) == 1
    assert "OPERATOR_DELETE_RATE" in condition(stored.status, "Ready")["message"]

    bench.kube.edit(stored, replace(stored.spec, deletion_policy=DeletionPolicy.ORPHAN))
    bench.engine.observe("MODIFIED", stored.meta())
    await asyncio.sleep(1)

    assert bench.kube.objects == {}
    assert len(bench.runai.live()) == 1


async def test_a_requested_reconcile_is_acknowledged_only_once_run_ai_was_read(bench):
    stored = bench.apply("a")
    await asyncio.sleep(60)
    bench.chance.down = True
    await asyncio.sleep(30)
    bench.kube.touch(stored, token="now")
    bench.engine.observe("MODIFIED", stored.meta())
    await asyncio.sleep(120)

    assert stored.status.get("lastHandledReconcileAt") is None, "nothing was read"

    reads = bench.runai.calls["get"]
    bench.chance.down = False
    await asyncio.sleep(120)

    assert stored.status["lastHandledReconcileAt"] == "now"
    assert bench.runai.calls["get"] > reads


async def test_rules_without_an_end_are_a_counted_bug_and_the_process_lives(bench, monkeypatch):
    neighbour = bench.apply("neighbour")
    await asyncio.sleep(60)
    monkeypatch.setattr("runai_operator.engine.reconcile.decide", lambda s: Render())
    bench.apply("a")
    await asyncio.sleep(10)
    assert bench.observer.bugs > 0

    monkeypatch.undo()
    await asyncio.sleep(300)

    assert bench.ready() == 2
    assert condition(neighbour.status, "Ready")["status"] == "True"
    bench.observer.bugs = 0  # those were expected


async def test_a_failed_reading_stays_unknown_over_a_restart_until_run_ai_was_read(bench):
    stored = bench.apply("a")
    await asyncio.sleep(60)
    bench.chance.down = True
    bench.kube.touch(stored, token="read it")
    bench.engine.observe("MODIFIED", stored.meta())
    await asyncio.sleep(90)
    assert condition(stored.status, "Synced")["status"] == "Unknown"

    await bench.start()
    bench.chance.down = True
    await asyncio.sleep(120)
    assert condition(stored.status, "Synced")["status"] == "Unknown", "nobody has read it since"

    bench.chance.down = False
    await asyncio.sleep(120)
    assert condition(stored.status, "Synced")["status"] == "True"


async def test_a_source_that_comes_late_is_noticed_within_the_next_check(bench):
    stored = bench.apply("a", manifest=None, manifest_from=SourceRef("ConfigMap", "late", "x.yaml"))
    await asyncio.sleep(60)
    assert condition(stored.status, "Stalled")["reason"] == "SourceNotFound"

    bench.kube.sources["late"] = SourceText("apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: 1}", "1")
    await asyncio.sleep(120)

    assert bench.ready() == 1
