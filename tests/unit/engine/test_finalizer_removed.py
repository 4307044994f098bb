"""Somebody else removes the finalizer: what that leaves in Run:ai is logged and put on record, whatever the moment."""

from __future__ import annotations

import asyncio

import pytest

from fakes.bench import UnevenBench, standing
from fakes.chance import Mishap
from runai_operator.commands.cleaning import Cleaner
from runai_operator.domain.access import Access
from runai_operator.domain.errors import KubernetesUnavailable
from runai_operator.domain.model import DeletionPolicy, ManagementPolicy

pytestmark = pytest.mark.looptime

OTHER_FINALIZER = "example.com/other"


def force(bench, stored):
    """`kubectl patch` takes every finalizer away, and the object goes if it was being deleted."""
    bench.kube.replace(stored)
    kind = "MODIFIED" if stored in bench.kube.objects.values() else "DELETED"
    bench.engine.observe(kind, stored.meta())


async def test_a_finalizer_removed_during_an_outage_leaves_a_warning_and_an_entry_on_record(bench, caplog):
    stored = bench.apply("x")
    await asyncio.sleep(30)
    bench.chance.down = True
    bench.delete(stored)
    await asyncio.sleep(60)
    force(bench, stored)
    await asyncio.sleep(60)

    assert bench.kube.objects == {}
    [orphan] = bench.kube.orphans.values()
    assert (orphan.workload_id, orphan.name, orphan.project_id) == (standing(bench)[0].id, "x", "1")
    assert orphan.why == "FinalizerRemoved"
    assert "runai-operator orphans" in caplog.text

    bench.chance.down = False
    cleaner = Cleaner(bench.kube.client(bench.chance), bench.runai.client(bench.chance), access=Access())
    assert "deletion requested" in str(await cleaner.clean(orphan))
    assert standing(bench) == []


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("seen", ["event", "list"])
async def test_an_object_that_vanished_without_us_leaves_an_entry_on_record(bench, restarted, seen):
    stored = bench.apply("x")
    await asyncio.sleep(30)
    if restarted:
        await bench.start()
        await asyncio.sleep(30)
    bench.kube.lose(stored)
    if seen == "event":
        bench.engine.observe("DELETED", stored.meta())
    await asyncio.sleep(700)

    assert [orphan.workload_id for orphan in bench.kube.orphans.values()] == [standing(bench)[0].id]
    assert len(bench.engine.inventory) == 0


async def test_with_a_finalizer_of_others_left_it_is_recorded_before_the_object_goes(bench):
    stored = bench.apply("x")
    await asyncio.sleep(30)
    bench.kube.touch(stored, finalizers=(*stored.finalizers, OTHER_FINALIZER))
    bench.chance.down = True
    bench.delete(stored)
    await asyncio.sleep(30)
    bench.kube.touch(stored, finalizers=(OTHER_FINALIZER,))
    bench.engine.observe("MODIFIED", stored.meta())
    await asyncio.sleep(30)

    assert len(bench.kube.orphans) == 1
    bench.kube.lose(stored)
    bench.engine.observe("DELETED", stored.meta())
    await asyncio.sleep(30)
    assert len(bench.kube.orphans) == 1
    assert len(bench.engine.inventory) == 0


async def test_an_object_forced_away_during_its_submission_leaves_the_workload_on_record(bench):
    bench.chance.meanwhile["create"] = lambda: (bench.kube.delete(stored), force(bench, stored))
    stored = bench.apply("x")
    await asyncio.sleep(60)

    assert bench.kube.objects == {}
    [orphan] = bench.kube.orphans.values()
    assert orphan.workload_id == standing(bench)[0].id


async def test_an_attempt_in_doubt_that_is_forced_away_is_on_record_as_such(bench):
    bench.chance.named["create"] = Mishap.LOST_AFTER
    stored = bench.apply("x")
    await asyncio.sleep(0.5)
    bench.chance.down = True
    bench.delete(stored)
    await asyncio.sleep(5)
    force(bench, stored)
    await asyncio.sleep(5)

    [orphan] = bench.kube.orphans.values()
    assert orphan.in_doubt
    bench.chance.down = False
    cleaner = Cleaner(bench.kube.client(bench.chance), bench.runai.client(bench.chance), access=Access())
    assert "deletion requested" in str(await cleaner.clean(orphan))


async def test_the_record_is_made_as_soon_as_kubernetes_takes_it(bench):
    stored = bench.apply("x")
    await asyncio.sleep(30)
    client = bench.engine._reconciler._writer._kube
    record, tries = client.record_orphan, []

    async def fails(orphan):
        tries.append(orphan)
        if len(tries) < 3:
            raise RuntimeError("no")
        return await record(orphan)

    client.record_orphan = fails
    bench.kube.lose(stored)
    bench.engine.observe("DELETED", stored.meta())
    await asyncio.sleep(3600)

    assert len(bench.kube.orphans) == 1
    bench.observer.bugs = 0


@pytest.mark.parametrize("restarted", [False, True])
async def test_what_was_to_stay_in_run_ai_is_not_put_on_record(bench, restarted):
    stored = bench.apply("x", deletion_policy=DeletionPolicy.ORPHAN)
    await asyncio.sleep(30)
    if restarted:
        await bench.start()
    bench.kube.lose(stored)
    bench.engine.observe("DELETED", stored.meta())
    await asyncio.sleep(30)

    assert bench.kube.orphans == {}
    assert len(bench.engine.inventory) == 0


async def test_what_is_only_observed_or_was_never_submitted_or_is_gone_is_not_put_on_record(bench):
    kept = bench.apply("kept")
    refused = bench.apply("refused", manifest={"apiVersion": "v1", "kind": "Nonsense"})
    gone = bench.apply("gone")
    await asyncio.sleep(30)
    [workload] = [each for each in standing(bench) if each.name == "kept"]
    bench.edit(kept, workload_id=workload.id, management_policy=ManagementPolicy.OBSERVE)
    [lost] = [each for each in standing(bench) if each.name == "gone"]
    bench.runai.world.delete(lost, bench.now())
    await asyncio.sleep(60)
    for stored in (kept, refused, gone):
        bench.kube.lose(stored)
        bench.engine.observe("DELETED", stored.meta())
    await asyncio.sleep(30)

    assert bench.kube.orphans == {}
    assert len(bench.engine.inventory) == 0


@pytest.mark.parametrize("others", [(), (OTHER_FINALIZER,)])
async def test_our_own_removal_leaves_no_entry(bench, others):
    stored = bench.apply("x")
    await asyncio.sleep(30)
    bench.kube.touch(stored, finalizers=(*stored.finalizers, *others))
    bench.delete(stored)
    await asyncio.sleep(30)
    bench.engine.observe("MODIFIED", stored.meta())
    await asyncio.sleep(5)
    bench.kube.lose(stored)
    bench.engine.observe("DELETED", stored.meta())
    await asyncio.sleep(5)

    assert standing(bench) == []
    assert bench.kube.orphans == {}
    assert len(bench.engine.inventory) == 0


@pytest.mark.parametrize("first", ["event", "answer"])
async def test_the_event_of_our_own_removal_may_come_before_its_answer(bench, first):
    stored = bench.apply("x")
    await asyncio.sleep(30)
    if first == "event":
        bench.chance.meanwhile["write_finalizers"] = lambda: bench.engine.observe("DELETED", stored.meta())
    bench.delete(stored)
    await asyncio.sleep(60)

    assert bench.kube.orphans == {}
    assert len(bench.engine.inventory) == 0


async def test_where_the_answer_to_our_own_removal_is_lost_no_entry_is_made(bench):
    stored = bench.apply("x")
    await asyncio.sleep(30)
    client = bench.engine._kube
    write = client.write_finalizers

    async def loses_the_answer(*args, **kwargs):
        await write(*args, **kwargs)
        raise KubernetesUnavailable("no answer")

    client.write_finalizers = loses_the_answer
    bench.delete(stored)
    await asyncio.sleep(60)

    assert bench.kube.objects == {}
    assert bench.kube.orphans == {}
    assert len(bench.engine.inventory) == 0


async def test_a_finalizer_taken_from_a_live_object_is_added_again_with_a_warning(bench, caplog):
    stored = bench.apply("x")
    await asyncio.sleep(30)
    force(bench, stored)
    await asyncio.sleep(5)

    assert stored.finalizers != ()
    assert "somebody removed the finalizer" in caplog.text
    assert bench.kube.orphans == {}


async def test_paused_and_stripped_of_its_finalizer_it_leaves_an_entry_when_it_is_deleted(bench):
    stored = bench.apply("x")
    await asyncio.sleep(30)
    bench.kube.touch(stored, paused=True)
    bench.engine.observe("MODIFIED", stored.meta())
    await asyncio.sleep(5)
    force(bench, stored)
    await asyncio.sleep(5)
    bench.kube.delete(stored)
    bench.engine.observe("DELETED", stored.meta())
    await asyncio.sleep(5)

    assert len(bench.kube.orphans) == 1


@pytest.mark.parametrize("late", ["event", "list"])
async def test_news_of_an_object_that_comes_after_its_end_is_no_news(bench, caplog, late):
    """The watch begins with a list, which may be from before the pass that removed the finalizer."""
    stored = bench.apply("x")
    await asyncio.sleep(30)
    bench.kube.delete(stored)
    before = stored.meta()
    bench.engine.observe("MODIFIED", before)
    await asyncio.sleep(60)
    assert bench.kube.objects == {}

    if late == "event":
        bench.engine.observe(None, before)
    else:
        bench.kube.objects["ns", "x"] = stored
        await bench.engine.resync()
        del bench.kube.objects["ns", "x"]
    await asyncio.sleep(600)
    assert bench.kube.orphans == {}
    assert "may still hold" not in caplog.text
    assert len(bench.engine.inventory) == 0


async def test_a_restart_while_runai_is_silent_loses_no_record():
    """The object is gone: nothing but this process knows of its workload."""
    async with UnevenBench().started() as bench:
        stored = bench.apply("x")
        await asyncio.sleep(40)
        bench.latency |= dict.fromkeys(("get", "find", "row", "rows", "project", "projects"), 50.0)
        bench.kube.lose(stored)
        bench.engine.observe("DELETED", stored.meta())
        await asyncio.sleep(10)
        await bench.start()
        await asyncio.sleep(60)

        assert [orphan.workload_id for orphan in bench.kube.orphans.values()] == [standing(bench)[0].id]
