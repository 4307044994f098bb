"""Two engines serve the objects with certain labels each: what is moved, or served by both, is neither lost nor recorded as
left behind, whatever is under way."""

from __future__ import annotations

import asyncio

import pytest

from fakes.bench import reason
from fakes.shards import Shards
from runai_operator.domain.model import DeletionPolicy, ManagementPolicy, RecreatePolicy

pytestmark = pytest.mark.looptime

ORPHAN = DeletionPolicy.ORPHAN


@pytest.fixture
async def shards():
    async with Shards().started() as shards:
        yield shards


@pytest.fixture
async def first(shards):
    return shards.start("a")


@pytest.fixture
async def second(shards, first):
    return shards.start("b")


async def running(shards, *names):
    made = [shards.apply(name) for name in names]
    await asyncio.sleep(40)
    assert [reason(each) for each in made] == ["Running"] * len(names)
    return made


async def phase_is_shown(shards, stored, phase):
    [workload] = [each for each in shards.standing() if each.id == stored.status["workloadId"]]
    shards.runai.world.set_phase(workload, phase, "", shards.now())
    await asyncio.sleep(60)
    return stored.status["phase"] == phase


async def test_a_move_of_what_is_at_rest_costs_no_write_and_no_call(shards, first, second):
    made = await running(shards, "x", "y")
    writes, calls = shards.kube.writes, len(second.calls)
    for each in made:
        shards.move(each, "b")
    await asyncio.sleep(600)

    assert (len(first.engine.inventory), len(second.engine.inventory)) == (0, 2)
    assert shards.kube.writes == writes
    assert set(second.calls[calls:]) == {"rows"}


@pytest.mark.parametrize("late", ["watch", "read"])
async def test_what_is_moved_and_deleted_before_that_is_noticed_is_not_put_on_record(shards, first, second, late):
    [stored] = await running(shards, "x")
    if late == "watch":
        first.watch_lag = 60
    else:
        first.kube_lag["before"] = 20
    shards.move(stored, "b")
    await asyncio.sleep(1)
    shards.delete(stored)
    await asyncio.sleep(900)

    assert (shards.kube.objects, shards.standing()) == ({}, [])
    assert shards.kube.orphans == {}


async def test_what_is_moved_and_then_left_in_runai_on_purpose_is_not_put_on_record(shards, first, second):
    """Else whoever cleans up by the record would delete it."""
    [stored] = await running(shards, "x")
    first.kube_lag["before"] = 20
    shards.move(stored, "b")
    await asyncio.sleep(1)
    shards.edit(stored, deletion_policy=ORPHAN)
    shards.delete(stored)
    await asyncio.sleep(300)

    assert (shards.kube.objects, len(shards.standing())) == ({}, 1)
    assert shards.kube.orphans == {}


@pytest.mark.parametrize("policy", DeletionPolicy)
async def test_what_two_serve_is_deleted_by_either_and_not_put_on_record(shards, first, policy):
    shards.start("a", "b")
    made = await running(shards, *"abcdefgh")
    for each in made:
        shards.edit(each, deletion_policy=policy)
    await asyncio.sleep(0.2)
    for each in made:
        shards.delete(each)
    await asyncio.sleep(300)

    assert shards.kube.objects == {}
    assert len(shards.standing()) == (len(made) if policy is ORPHAN else 0)
    assert shards.kube.orphans == {}


async def test_what_two_serve_is_written_at_rest_by_neither(shards, first):
    shards.start("a", "b")
    await running(shards, "x", "y")
    writes = shards.kube.writes
    await asyncio.sleep(1800)

    assert shards.kube.writes == writes


async def test_what_comes_back_while_its_labels_are_looked_at_is_served_on(shards, first, second):
    [stored] = await running(shards, "x")
    first.kube_lag["after"] = 0.3
    shards.move(stored, "b")
    await asyncio.sleep(0.15)
    shards.move(stored, "a")
    await asyncio.sleep(5)

    assert await phase_is_shown(shards, stored, "Failed")


async def test_what_comes_back_while_a_list_is_read_is_served_on(shards, first, second):
    """It has no finalizer, so that nothing but the list says whether it is there."""
    stored = shards.apply("x", project_id="none")
    await asyncio.sleep(30)
    listed = first.engine._kube.list_all

    async def slow_list(scope):
        rows = [row async for row in listed(scope)]
        await asyncio.sleep(5)
        for row in rows:
            yield row

    first.engine._kube.list_all = slow_list
    shards.move(stored, "b")
    resync = asyncio.create_task(first.engine.resync())
    await asyncio.sleep(1)
    shards.move(stored, "a")
    await resync

    assert len(first.engine.inventory) == 1


async def test_what_one_remembers_from_before_others_served_it_is_forgotten(shards, first, second):
    """An answer to a creation comes when the workload has been replaced long since."""
    slow = first.engine.upstreams.named("default").gate._runai._runai
    create = slow.create

    async def answer_late(submission):
        made = await create(submission)
        await asyncio.sleep(50)
        return made

    slow.create = answer_late
    stored = shards.apply("x", recreate_policy=RecreatePolicy.ON_IMMUTABLE_CHANGE)
    await asyncio.sleep(1)
    shards.move(stored, "b")
    await asyncio.sleep(15)
    assert stored.status["workloadId"]
    shards.edit(stored, name="another")
    await asyncio.sleep(15)
    shards.move(stored, "a")
    await asyncio.sleep(120)

    [workload] = shards.standing()
    assert (workload.name, stored.status["workloadId"]) == ("another", workload.id)
    assert shards.runai.writes[-1][0] == "POST", "nothing was sent to it since"


async def test_an_edit_that_arrives_after_a_later_one_is_sent_again(shards, first, second):
    [stored] = await running(shards, "x")
    first.latency["update"] = 20
    shards.edit(stored, priority="high")
    await asyncio.sleep(2)
    shards.move(stored, "b")
    shards.edit(stored, priority="low")
    await asyncio.sleep(60)
    assert [workload.priority for workload in shards.standing()] == ["high"], "the first has overwritten the second"
    await asyncio.sleep(180)

    assert [workload.priority for workload in shards.standing()] == ["low"]


async def test_a_creation_that_arrives_after_the_object_has_gone_is_put_on_record(shards, first, second):
    first.latency["create"] = 25
    shards.runai.world.switch({"list_lag": 5}, shards.now())
    stored = shards.apply("x")
    await asyncio.sleep(2)
    shards.move(stored, "b")
    await asyncio.sleep(0.2)
    shards.delete(stored)
    await asyncio.sleep(900)

    [workload] = shards.standing()
    assert shards.kube.objects == {}
    assert [orphan.workload_id for orphan in shards.kube.orphans.values()] == [workload.id]


async def test_what_one_has_checked_and_another_submitted_and_left_behind_stays(shards, first, second):
    """Lists show it to the first when its object has gone."""
    stored = shards.apply("x", management_policy=ManagementPolicy.DRY_RUN)
    await asyncio.sleep(120)
    assert reason(stored) == "Valid"
    shards.runai.world.switch({"list_lag": 8}, shards.now())
    shards.move(stored, "b")
    shards.edit(stored, management_policy=ManagementPolicy.MANAGE)
    await asyncio.sleep(3)
    shards.edit(stored, deletion_policy=ORPHAN)
    await asyncio.sleep(1)
    shards.delete(stored)
    await asyncio.sleep(300)

    assert shards.kube.objects == {}
    assert len(shards.standing()) == 1


async def test_what_the_probe_of_one_has_made_is_not_removed_by_another_before_the_first_has_seen_it(
    shards, first, second
):
    """Else the first takes it for proven that dry runs create nothing, and sends those of users."""
    shards.runai.world.switch({"dry_run": False, "list_lag": 3, "delete_time": 0}, shards.now())
    for shard in (first, second):
        answer_without_id(shard)
    shards.runai.allow = sent = Sent()
    stored = shards.apply("x", management_policy=ManagementPolicy.DRY_RUN)
    while not sent.dry_runs:  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    first.latency["find"] = 20
    await asyncio.sleep(300)

    assert reason(stored) == "DryRunUnsupported"
    assert "x" not in sent.dry_runs
    assert shards.standing() == []


def answer_without_id(shard):
    """To a dry run, although it made something."""
    access = shard.engine.upstreams.named("default").gate._runai._runai
    dry_run = access.dry_run

    async def without_id(submission):
        await dry_run(submission)

    access.dry_run = without_id


class Sent:
    def __init__(self):
        self.dry_runs = []

    def __call__(self, method, subject):
        if method == "DRY RUN":
            self.dry_runs.append(subject.name)


async def test_what_somebody_forced_away_is_on_record_within_seconds_though_runai_is_silent(shards, first):
    """Whether another release has had it deleted cannot be found out, and a restart would lose it."""
    [stored] = await running(shards, "x")
    first.latency |= dict.fromkeys(("get", "find", "row", "rows", "project", "projects", "delete"), 50.0)
    shards.delete(stored)
    await asyncio.sleep(120)
    shards.kube.replace(stored)
    shards._changed()
    await asyncio.sleep(10)

    assert [orphan.workload_id for orphan in shards.kube.orphans.values()] == [shards.standing()[0].id]
