"""What lists alone do not show soon enough: that a burst has reached its clusters, and why a workload is pending."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from fakes.bench import RUNS_ON, WORLD, Bench
from fakes.runai import FakeRunaiAccess
from runai_operator.domain.conditions import condition
from runai_operator.domain.model import DEFAULT_CONNECTION

pytestmark = pytest.mark.looptime

STUCK = {**RUNS_ON, "metadata": {"annotations": {"simulator.run.ai/pending": "true"}}}
DELTA = 5.0
AT_REST = 40
"""Calls to Run:ai within a minute, at most."""


async def until(holds, *, within):
    """Seconds until it holds."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(within):
        while not holds():  # noqa: ASYNC110 - the other side is what is being tried
            await asyncio.sleep(0.1)
    return loop.time() - began


@pytest.fixture
async def bench():
    bench = Bench(replace(WORLD, list_lag=0.3, sync_time=0.3, phase_time=0.5))
    yield bench
    await bench.stop()


@pytest.fixture
async def waiting_bench():
    """In it, pending workloads wait for a day, and the scheduler has a reason after a minute."""
    bench = Bench(replace(WORLD, scheduler_time=60))
    yield bench
    await bench.stop()


# --- a burst


async def submitted(bench, count):
    await bench.start()
    await asyncio.sleep(10)  # past the first sweep
    made = [bench.apply(f"w{number}") for number in range(count)]
    await until(lambda: all(stored.status.get("workloadId") for stored in made), within=60)
    return made


async def test_after_a_burst_ready_comes_with_the_next_delta(bench):
    await submitted(bench, 200)

    takes = await until(lambda: bench.ready() == 200, within=60)

    control_plane = 2 * 0.3 + 3 * 0.5 + 0.3
    assert takes <= control_plane + DELTA * 1.1 + 2
    before = bench.runai.calls["get"]
    await asyncio.sleep(60)
    assert bench.runai.calls["get"] == before, "what lists have proven is not read any more"


async def test_what_lists_have_proven_is_not_read_after_a_restart(bench):
    await submitted(bench, 200)
    await until(lambda: bench.ready() == 200, within=60)
    before = bench.runai.calls["get"]
    await bench.start()
    await asyncio.sleep(60)

    assert bench.runai.calls["get"] == before
    assert bench.ready() == 200


async def test_an_edit_is_ready_only_when_run_ai_says_that_it_has_reached_the_cluster(bench):
    [stored] = await submitted(bench, 1)
    await until(lambda: bench.ready() == 1, within=60)
    bench.runai.world.switches = replace(bench.runai.world.switches, sync_time=20)  # the pods of before run on
    bench.edit(stored, manifest={**RUNS_ON, "spec": {"replicas": 2}})
    await asyncio.sleep(15)

    assert (condition(stored.status, "Synced") or {})["reason"] == "Syncing"
    assert bench.ready() == 0
    await until(lambda: bench.ready() == 1, within=60)


# --- pending


def message_of(stored):
    return (condition(stored.status, "Ready") or {}).get("message")


def say(bench, words):
    """What the scheduler says from now on; no list shows it, and no phase changes."""
    for workload in bench.runai.world:
        workload.steering = replace(workload.steering, message=words)


async def test_a_reason_of_the_scheduler_that_comes_late_is_shown(waiting_bench):
    await waiting_bench.start()
    stored = waiting_bench.apply("stuck", manifest=STUCK)
    say_at = 60
    await asyncio.sleep(say_at)
    say(waiting_bench, "Insufficient GPUs")

    await until(lambda: message_of(stored) == "Run:ai reports: Insufficient GPUs.", within=120)


async def test_a_reason_of_the_scheduler_that_changes_is_shown(waiting_bench):
    await waiting_bench.start()
    stored = waiting_bench.apply("stuck", manifest=STUCK)
    await asyncio.sleep(3600)
    say(waiting_bench, "Node pool is full")

    await until(lambda: message_of(stored) == "Run:ai reports: Node pool is full.", within=700)
    writes = waiting_bench.kube.writes
    await asyncio.sleep(3600)
    assert message_of(stored) == "Run:ai reports: Node pool is full."
    assert waiting_bench.kube.writes == writes, "the same answer writes nothing"


async def test_a_reason_of_the_scheduler_survives_a_restart_and_is_still_followed(waiting_bench):
    await waiting_bench.start()
    stored = waiting_bench.apply("stuck", manifest=STUCK)
    say(waiting_bench, "Insufficient GPUs")
    await asyncio.sleep(200)
    shown = message_of(stored)
    await waiting_bench.start()
    await asyncio.sleep(30)
    assert message_of(stored) == shown
    say(waiting_bench, "Node pool is full")

    await until(lambda: message_of(stored) == "Run:ai reports: Node pool is full.", within=700)


async def test_many_pending_workloads_share_the_calls_fairly(waiting_bench):
    bench = waiting_bench
    await bench.start()
    made = [bench.apply(f"w{number}", manifest=STUCK) for number in range(40)]
    await asyncio.sleep(600)
    before = sum(bench.runai.calls.values())
    await asyncio.sleep(600)
    assert sum(bench.runai.calls.values()) - before <= 10 * AT_REST
    say(bench, "Node pool is full")
    await asyncio.sleep(40 * 20 + 60)

    assert {message_of(stored) for stored in made} == {"Run:ai reports: Node pool is full."}


async def test_a_restart_with_many_pending_workloads_does_not_ask_for_all_at_once(waiting_bench):
    bench = waiting_bench
    await bench.start()
    for number in range(300):
        bench.apply(f"w{number}", manifest=STUCK)
    await asyncio.sleep(600)
    await bench.start()
    before = bench.runai.calls["detail"]
    await asyncio.sleep(60)

    assert bench.runai.calls["detail"] - before <= 4


async def test_what_is_pending_for_a_moment_is_not_asked_about(bench):
    await submitted(bench, 50)
    await until(lambda: bench.ready() == 50, within=60)

    assert bench.runai.calls.get("detail", 0) == 0


async def test_a_scheduler_that_cannot_be_asked_delays_nobody(waiting_bench):
    class Silent(FakeRunaiAccess):
        async def row(self, row_id):
            await asyncio.sleep(3600)

    bench = waiting_bench
    bench.connections = lambda chance: {DEFAULT_CONNECTION: Silent(bench.runai, chance)}
    await bench.start()
    for number in range(40):
        bench.apply(f"w{number}", manifest=STUCK)
    await asyncio.sleep(30)
    bystander = bench.apply("bystander")

    await until(lambda: (condition(bystander.status, "Ready") or {}).get("status") == "True", within=15)
