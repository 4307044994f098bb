"""Status never vouches for what nobody knows: the whole engine while the sources of status fall silent and come back."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from fakes.bench import RUNS_ON, WORLD, UnevenBench, standing
from runai_operator.domain.conditions import condition
from runai_operator.domain.errors import (
    AccessDenied,
    Busy,
    OutcomeUnknown,
    Scope,
    Throttled,
    Unavailable,
    UnexpectedReply,
)
from runai_operator.domain.model import DeletionPolicy, ManagementPolicy, RecreatePolicy
from runai_operator.engine.gate import CallClass

pytestmark = pytest.mark.looptime

LISTS, READS, WRITES, *_ = CallClass
STALE_AFTER = 60.0
SOON = 10.0
"""Seconds that noticing may take in addition."""
BACK = 75.0
"""Seconds until a circuit breaker has let a call through, and what that brings is shown."""
READ_DEADLINE = 30.0
EDITED = {**RUNS_ON, "spec": {"replicas": 2}}
JOB = {"apiVersion": "batch/v1", "kind": "Job", "spec": {}}


def down():
    return Unavailable("Run:ai cannot be reached.")


def forbidden():
    return AccessDenied("Run:ai denies the permission to list workloads.")


def bad_token():
    return AccessDenied("Run:ai does not accept the access token.", scope=Scope.CONNECTION)


def garbage():
    return UnexpectedReply("Its answer cannot be used (not JSON but text/html).")


def throttled():
    return Throttled("Run:ai asks for fewer requests.")


def lost():
    return OutcomeUnknown("No answer came back.")


def synced(stored):
    entry = condition(stored.status, "Synced")
    return entry["status"], entry["reason"]


def ready(stored):
    entry = condition(stored.status, "Ready")
    return entry["status"], entry["reason"]


@pytest.fixture
async def bench():
    async with UnevenBench().started() as bench:
        yield bench


async def running(bench, count=1, **spec):
    made = [bench.apply(f"w{number}", **spec) for number in range(count)]
    await asyncio.sleep(60 + count)
    assert {ready(stored) for stored in made} == {("True", "Running")}
    assert {synced(stored) for stored in made} == {("True", "Synced")}
    return made


async def seconds_until(holds, limit=400.0):
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not holds() and loop.time() - began < limit:  # noqa: ASYNC110 - a fake's status
        await asyncio.sleep(0.25)
    return loop.time() - began


CAUSES = [
    pytest.param({LISTS: down}, "RunaiUnavailable", id="lists are out of reach"),
    pytest.param({LISTS: down, READS: down, WRITES: lost}, "RunaiUnavailable", id="all of Run:ai is out of reach"),
    pytest.param({LISTS: forbidden}, "AccessDenied", id="lists are forbidden"),
    pytest.param(dict.fromkeys(CallClass, bad_token), "AccessDenied", id="the token is refused"),
    pytest.param({LISTS: garbage}, "UnexpectedReply", id="lists are a login page"),
    pytest.param({LISTS: throttled}, "RunaiThrottled", id="lists are throttled"),
]


@pytest.mark.parametrize(("troubles", "reason"), CAUSES)
async def test_what_runs_is_shown_as_unknown_after_a_minute_of_silence_and_known_when_it_is_over(
    bench, troubles, reason
):
    [stored] = await running(bench)
    before, writes, began = ready(stored), bench.kube.writes, bench.loop.time()

    bench.troubles.update(troubles)
    delay = await seconds_until(lambda: synced(stored)[0] == "Unknown")

    assert STALE_AFTER - 6 <= delay <= STALE_AFTER + SOON
    assert synced(stored) == ("Unknown", reason)
    assert condition(stored.status, "Synced")["message"].startswith(next(iter(troubles.values()))().message)
    assert ready(stored) == before
    assert condition(stored.status, "Reconciling") is condition(stored.status, "Stalled") is None
    await asyncio.sleep(3600)
    assert synced(stored) == ("Unknown", reason)

    bench.troubles.clear()
    assert await seconds_until(lambda: synced(stored) == ("True", "Synced")) <= BACK
    await asyncio.sleep(600)
    assert ready(stored) == before
    assert bench.kube.writes == writes + 2, "one each way"
    assert bench.called("get", "scheduling_messages", since=began) == 0


async def test_a_list_that_never_answers_makes_status_unknown(bench):
    [stored] = await running(bench)

    bench.latency["rows"] = 3600.0

    assert await seconds_until(lambda: synced(stored)[0] == "Unknown") <= STALE_AFTER + SOON
    assert synced(stored) == ("Unknown", "RunaiUnavailable")


@pytest.mark.parametrize("stale_after", [20.0, STALE_AFTER])
@pytest.mark.parametrize("busy", [1, 5])
async def test_a_run_ai_that_accepts_calls_and_never_answers_makes_all_of_it_unknown_in_time(bench, stale_after, busy):
    await bench.start(stale_after=stale_after)
    objects = await running(bench, 3 + busy)
    for stored in objects[:busy]:
        bench.edit(stored, manifest=EDITED)
    await asyncio.sleep(0.5)
    assert {synced(stored) for stored in objects[:busy]} == {("False", "Syncing")}

    bench.latency.update(dict.fromkeys(CallClass, 1e9))

    began, late = bench.loop.time(), {}
    while len(late) < len(objects) and bench.loop.time() - began < 400:
        await asyncio.sleep(0.25)
        for stored in objects:
            if synced(stored) == ("Unknown", "RunaiUnavailable"):
                late.setdefault(stored.ref.name, bench.loop.time() - began)

    in_flight = [late.pop(stored.ref.name) for stored in objects[:busy]]
    assert max(late.values()) <= stale_after + SOON
    # One reading has to end before anything is known, and another may be under way by then.
    assert max(in_flight) <= max(stale_after, READ_DEADLINE) + (READ_DEADLINE if busy > 1 else 0) + SOON
    bench.latency.clear()
    assert await seconds_until(lambda: {synced(stored) for stored in objects} == {("True", "Synced")}) <= BACK


class ShowsTheFirstPageAgainAndAgain:
    def __init__(self):
        self.first = ()

    def __call__(self, query, page):
        self.first = page.rows if query.offset == 0 else self.first
        return replace(page, next_offset=query.offset + query.limit, rows=self.first * query.limit)


def nothing_can_be_read(query, page):
    return replace(page, rows=(), unreadable=len(page.rows))


@pytest.mark.parametrize("lie", [ShowsTheFirstPageAgainAndAgain(), nothing_can_be_read], ids=["endless", "unreadable"])
async def test_a_list_that_says_nothing_makes_status_unknown(bench, lie):
    [stored] = await running(bench)
    bench.runai.distort = lie
    began = bench.loop.time()

    for _ in range(50):  # something always happens in the tenant, so that deltas are not empty
        bench.runai.world.set_phase(bench.runai.live()[0], "Running", "", bench.now())
        await asyncio.sleep(8)

    assert synced(stored) == ("Unknown", "UnexpectedReply")
    assert bench.calls_in_worst_minute(began) <= 60

    bench.runai.distort = lambda query, page: page
    assert await seconds_until(lambda: synced(stored) == ("True", "Synced")) < 400


async def test_one_answer_within_the_minute_is_enough(bench):
    [stored] = await running(bench)
    writes = bench.kube.writes
    for _ in range(60):
        bench.troubles[LISTS] = down
        await asyncio.sleep(20)
        bench.troubles.clear()
        await asyncio.sleep(40)

    assert synced(stored) == ("True", "Synced")
    assert bench.kube.writes == writes


async def test_lists_that_come_and_go_for_hours_cost_few_writes(bench):
    objects = await running(bench, 5)
    writes = bench.kube.writes
    for _ in range(60):
        bench.troubles[LISTS] = down
        await asyncio.sleep(110)
        bench.troubles.clear()
        await asyncio.sleep(40)
    await asyncio.sleep(700)

    assert bench.kube.writes - writes <= len(objects) * 6
    assert {synced(stored) for stored in objects} == {("True", "Synced")}


async def test_status_is_restated_fifty_a_second_and_without_a_call_for_each(bench):
    objects = await running(bench, 300)
    times, began = [], bench.loop.time()
    bench.observer.kube_write = lambda kind, result: times.append(bench.loop.time())

    bench.troubles[LISTS] = down
    await seconds_until(lambda: len(times) == 300)
    bench.troubles.clear()
    await seconds_until(lambda: len(times) == 600)
    await asyncio.sleep(600)

    assert len(times) == 600
    for writes in (times[:300], times[300:]):
        assert writes[-1] - writes[0] <= 30
        assert max(sum(begin <= time < begin + 1 for time in writes) for begin in writes) <= 52
    assert {synced(stored) for stored in objects} == {("True", "Synced")}
    assert bench.called("get", since=began) == 0


async def test_what_has_completed_is_known_for_good(bench):
    stored = bench.apply("job", manifest=JOB)
    await asyncio.sleep(60)
    assert ready(stored) == ("True", "Completed")
    writes = bench.kube.writes

    bench.troubles.update({LISTS: down, READS: down})
    await asyncio.sleep(3600)

    assert synced(stored) == ("True", "Synced")
    assert bench.kube.writes == writes


async def test_what_has_failed_or_stopped_or_is_paused_or_observed_is_unknown_too(bench):
    failed, stopped, paused = [bench.apply(name) for name in ("failed", "stopped", "paused")]
    await asyncio.sleep(30)
    [theirs] = [each for each in bench.runai.live() if each.name == "stopped"]
    observed = bench.apply(
        "observed", workload_id=theirs.id, management_policy=ManagementPolicy.OBSERVE, manifest=None, project_id=None
    )
    for name, phase in (("failed", "Failed"), ("stopped", "Stopped")):
        [workload] = [each for each in bench.runai.live() if each.name == name]
        bench.runai.world.set_phase(workload, phase, "", bench.now())
    bench.kube.touch(paused, paused=True)
    bench.engine.observe("MODIFIED", paused.meta())
    await asyncio.sleep(60)
    objects = [failed, stopped, paused, observed]
    before, began = [ready(stored) for stored in objects], bench.loop.time()
    assert [reason for _, reason in before] == ["Failed", "Stopped", "Paused", "Stopped"]

    bench.troubles[LISTS] = forbidden
    await asyncio.sleep(90)
    assert {synced(stored) for stored in objects} == {("Unknown", "AccessDenied")}
    assert [ready(stored) for stored in objects] == before

    bench.troubles.clear()
    await asyncio.sleep(90)
    assert {synced(stored) for stored in objects} == {("True", "Synced")}
    assert [ready(stored) for stored in objects] == before
    assert bench.called("get", since=began) == 0


async def test_where_the_sync_is_not_reported_it_is_not_afterwards_either_and_ready_stays():
    bench = UnevenBench(replace(WORLD, sync_info=False))
    await bench.start()
    stored = bench.apply("w")
    await asyncio.sleep(60)
    assert synced(stored) == ("True", "Synced"), "its pods prove the first submission"
    bench.edit(stored, manifest=EDITED)
    await asyncio.sleep(60)
    assert (ready(stored), synced(stored)) == (("True", "Running"), ("Unknown", "SyncNotReported"))

    bench.troubles[LISTS] = down
    await asyncio.sleep(90)
    assert (ready(stored), synced(stored)) == (("True", "Running"), ("Unknown", "RunaiUnavailable"))
    bench.troubles.clear()
    await asyncio.sleep(90)

    assert (ready(stored), synced(stored)) == (("True", "Running"), ("Unknown", "SyncNotReported"))
    await bench.stop()


async def test_a_process_that_starts_into_an_outage_says_so_after_a_minute(bench):
    [stored] = await running(bench)
    bench.troubles.update({LISTS: down, READS: down, WRITES: lost})
    await bench.start()
    writes = bench.kube.writes

    await asyncio.sleep(STALE_AFTER - 6)
    assert synced(stored) == ("True", "Synced")
    assert await seconds_until(lambda: synced(stored) == ("Unknown", "RunaiUnavailable")) <= 6 + SOON
    for _ in range(3):
        await bench.start()
        await asyncio.sleep(100)
    assert bench.kube.writes == writes + 1


async def test_a_process_that_starts_after_an_outage_sets_status_right_without_a_call_for_each(bench):
    objects = await running(bench, 20)
    bench.troubles.update({LISTS: down, READS: down, WRITES: lost})
    await asyncio.sleep(120)
    assert {synced(stored) for stored in objects} == {("Unknown", "RunaiUnavailable")}
    await bench.stop()
    bench.troubles.clear()
    writes, began = bench.kube.writes, bench.loop.time()

    await bench.start()
    await asyncio.sleep(60)

    assert {synced(stored) for stored in objects} == {("True", "Synced")}
    assert {ready(stored) for stored in objects} == {("True", "Running")}
    assert bench.kube.writes == writes + 20
    assert bench.called("get", since=began) == 0


async def test_a_sync_in_flight_is_unknown_while_it_cannot_be_read_and_what_is_at_rest_is_not(bench):
    at_rest, edited = await running(bench, 2)
    bench.edit(edited, manifest=EDITED)
    await asyncio.sleep(1)
    assert synced(edited) == ("False", "Syncing")

    bench.troubles[READS] = down
    delay = await seconds_until(lambda: synced(edited)[0] == "Unknown")

    assert STALE_AFTER - 6 <= delay <= STALE_AFTER + SOON
    assert synced(edited) == ("Unknown", "RunaiUnavailable")
    assert ready(edited) == ("False", "Syncing")
    assert synced(at_rest) == ("True", "Synced")

    bench.troubles.clear()
    assert await seconds_until(lambda: synced(edited) == ("True", "Synced")) <= BACK


@pytest.mark.parametrize("edit", ["before the outage", "in the outage"])
async def test_what_ended_in_an_outage_is_completed_with_the_first_word_of_a_process_that_started_in_it(edit):
    """Its end is in no list that this process reads before the sweep; an edit is read for, and not sent to finished work."""
    job = {"apiVersion": "batch/v1", "kind": "Job", "spec": {}}
    bench = UnevenBench(replace(WORLD, run_time=150))
    await bench.start(grace=60)
    stored = bench.apply("a", manifest=job)
    await asyncio.sleep(12)
    assert stored.status["phase"] == "Running"
    [workload] = bench.runai.live()
    bench.runai.world.switches = bench.runai.switches = replace(bench.runai.switches, sync_time=60)
    if edit == "before the outage":
        bench.edit(stored, manifest=job | {"spec": {"parallelism": 2}})
    await asyncio.sleep(3)
    bench.troubles |= dict.fromkeys(CallClass, down)
    await asyncio.sleep(90)
    if edit == "in the outage":
        bench.edit(stored, manifest=job | {"spec": {"parallelism": 2}})
    await bench.start(grace=60)
    await asyncio.sleep(300)
    held = bench.runai.world.creates, workload.manifest["spec"]
    assert stored.status["phase"] == "Running"
    assert synced(stored)[0] != "True"

    bench.troubles.clear()
    while synced(stored)[0] == "Unknown" or ready(stored)[1] in ("RunaiUnavailable", "Syncing"):  # noqa: ASYNC110
        await asyncio.sleep(0.1)

    assert stored.status["phase"] == "Completed"
    assert ready(stored)[1] == ("Completed" if edit == "before the outage" else "FinishedNotRerun")
    assert (bench.runai.world.creates, workload.manifest["spec"]) == held
    await bench.stop()


async def test_reads_that_come_and_go_are_not_written_into_the_status_of_a_sync_in_flight(bench):
    [stored] = await running(bench)
    bench.runai.world.switches = bench.runai.switches = replace(bench.runai.switches, sync_time=1e6)
    bench.edit(stored, manifest=EDITED)
    await asyncio.sleep(5)
    writes = bench.kube.writes
    for _ in range(60):
        bench.troubles[READS] = down
        await asyncio.sleep(20)
        bench.troubles.clear()
        await asyncio.sleep(40)
    await asyncio.sleep(60)

    assert bench.kube.writes - writes <= 7, "in an hour in which answers were more than a minute apart now and then"
    assert synced(stored) == ("False", "Syncing")


async def test_a_single_workload_that_cannot_be_read_is_unknown_alone(bench):
    first, second = await running(bench, 2)
    for stored in (first, second):
        bench.kube.touch(stored, token="again")
        bench.troubles["get"] = lambda: AccessDenied("Run:ai denies the permission to read the workload.")
        bench.engine.observe("MODIFIED", stored.meta())
        await asyncio.sleep(1)
        if stored is first:
            bench.troubles.clear()
            await asyncio.sleep(120)

    assert await seconds_until(lambda: synced(second) == ("Unknown", "AccessDenied")) <= STALE_AFTER + SOON
    assert synced(first) == ("True", "Synced")
    assert ready(second) == ("True", "Running")


OUTSTANDING = [
    pytest.param({LISTS: down, READS: down, WRITES: lost}, id="out of reach"),
    pytest.param({WRITES: lost}, id="writes get no answer"),
    pytest.param({WRITES: throttled}, id="writes are throttled"),
    pytest.param({WRITES: forbidden}, id="writes are forbidden"),
    pytest.param({WRITES: lambda: Busy("It is being applied.")}, id="Run:ai is busy"),
    pytest.param({READS: down}, id="it cannot be read"),
    pytest.param({READS: garbage}, id="what is read cannot be understood"),
    pytest.param(dict.fromkeys(CallClass, bad_token), id="the token is refused"),
]


@pytest.mark.parametrize("others", [0, 20])
@pytest.mark.parametrize("troubles", OUTSTANDING)
async def test_an_edit_that_waits_for_ten_minutes_is_shown_as_stalled_whatever_it_waits_for(bench, troubles, others):
    objects = await running(bench, 1 + others)
    bench.troubles.update(troubles)
    for stored in objects:
        bench.edit(stored, manifest=EDITED)

    def stalled():
        return [stored for stored in objects if condition(stored.status, "Stalled")]

    await asyncio.sleep(570)
    assert stalled() == []
    await asyncio.sleep(60)
    assert stalled() == objects
    assert {ready(stored)[0] for stored in objects} == {"False"}


async def left_in_deletion(bench):
    """A name that Run:ai does not free."""
    [stored] = await running(bench, deletion_policy=DeletionPolicy.ORPHAN)
    bench.delete(stored)
    await asyncio.sleep(10)
    bench.runai.world.delete(standing(bench)[0], bench.now())
    return bench.apply(stored.ref.name)


async def to_be_replaced(bench):
    """A deletion of ours that Run:ai does not end."""
    [stored] = await running(bench, recreate_policy=RecreatePolicy.ON_IMMUTABLE_CHANGE)
    bench.edit(stored, manifest=JOB)
    return stored


async def deleted_and_edited(bench):
    """A deletion of somebody else's that Run:ai does not end."""
    [stored] = await running(bench)
    bench.runai.world.delete(standing(bench)[0], bench.now())
    await asyncio.sleep(10)
    bench.edit(stored, manifest=EDITED)
    return stored


@pytest.mark.parametrize("begin", [left_in_deletion, to_be_replaced, deleted_and_edited])
async def test_what_waits_for_a_deletion_that_never_ends_is_stalled_after_ten_minutes_and_goes_on_once_it_has(begin):
    bench = UnevenBench(replace(WORLD, delete_time=7200))
    await bench.start()
    stored = await begin(bench)
    await asyncio.sleep(570)
    assert condition(stored.status, "Reconciling")
    assert not condition(stored.status, "Stalled")
    await asyncio.sleep(60)
    stalled = condition(stored.status, "Stalled")
    told = [event for about, event, _ in bench.kube.events if about.ref.uid == stored.ref.uid]
    assert stalled["message"] == condition(stored.status, "Ready")["message"]
    assert (told[-1].reason, told[-1].is_warning) == (stalled["reason"], True)
    assert bench.engine.inventory.stalled() == 1
    await bench.start()
    await asyncio.sleep(7200)
    now = condition(stored.status, "Stalled")
    assert now is None or now["reason"] == "DeletedExternally", "the deletion has ended"
    await bench.stop()
    assert bench.observer.bugs == 0


async def test_an_edit_whose_status_conflicts_during_an_outage_of_the_lists_is_followed_to_its_cluster():
    class Interrupted(UnevenBench):
        def _note(self, method: str) -> None:
            super()._note(method)
            if method == "update":
                self.kube.touch(self.kube.objects["ns", "w"])

    bench = Interrupted()
    await bench.start()
    stored = bench.apply("w")
    await asyncio.sleep(60)
    bench.troubles[LISTS] = down
    await asyncio.sleep(90)
    assert synced(stored) == ("Unknown", "RunaiUnavailable")
    bench.edit(stored, manifest=EDITED)
    await asyncio.sleep(1)
    assert bench.called("update") == 1
    bench.troubles.clear()
    await asyncio.sleep(90)

    assert (ready(stored), synced(stored)) == (("True", "Running"), ("True", "Synced"))
    await bench.stop()
