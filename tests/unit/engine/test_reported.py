"""What the engine reports for metrics: not only how many, but why, and for how long somebody has waited."""

from __future__ import annotations

import asyncio

import pytest

from fakes.bench import Bench
from fakes.uneven_runai import Troubles, UnevenRunai
from runai_operator.domain.errors import Unavailable
from runai_operator.domain.model import DEFAULT_CONNECTION
from runai_operator.engine.gate import CallClass

pytestmark = pytest.mark.looptime


class TroubledBench(Bench):
    def __init__(self):
        super().__init__()
        self.troubles = Troubles()

    def connections(self, chance):
        return {DEFAULT_CONNECTION: UnevenRunai(self.runai.client(chance), self.troubles, {}, lambda what: None)}

    def reported(self):
        """By reason, and then how many are stalled and for how long the oldest thing has been owed."""
        self.engine.report()
        [reasons] = self.observer.last["reasons"]
        return dict(reasons), self.observer.last["outstanding"]

    def fail(self):
        self.troubles.update({call_class: lambda: Unavailable("HTTP 503") for call_class in CallClass})


@pytest.fixture
async def bench():
    async with TroubledBench().started() as bench:
        yield bench


async def test_workloads_are_counted_by_reason(bench):
    for number in range(3):
        bench.apply(f"runs{number}")
    bench.apply("refused", manifest={"apiVersion": "batch/v1", "kind": "Jobb", "spec": {}})
    await asyncio.sleep(60)

    reasons, (stalled, owed) = bench.reported()

    assert reasons == {"Running": 3, "InvalidSpec": 1}
    assert (stalled, owed) == (1, 0), "what was refused waits for a person, and is not owed"


async def test_a_restart_does_not_change_what_is_stalled(bench):
    bench.apply("refused", manifest={"apiVersion": "batch/v1", "kind": "Jobb", "spec": {}})
    await asyncio.sleep(60)
    await bench.start()

    assert bench.reported() == ({"InvalidSpec": 1}, (1, 0))


async def test_the_oldest_thing_owed_is_as_old_as_the_outage_that_holds_it_up(bench):
    stored = bench.apply("w")
    await asyncio.sleep(60)
    bench.fail()
    await asyncio.sleep(30)
    assert bench.reported()[1] == (0, 0), "nothing was asked for meanwhile"

    bench.edit(stored, priority="low")
    await asyncio.sleep(300)
    bench.apply("later")
    await asyncio.sleep(300)
    _, (stalled, owed) = bench.reported()
    assert (stalled, owed) == (0, 600)

    bench.troubles.clear()
    await asyncio.sleep(200)
    assert bench.reported()[1] == (0, 0)


async def test_a_deletion_that_waits_is_owed_and_one_that_is_done_is_not(bench):
    stored = bench.apply("w")
    await asyncio.sleep(60)
    bench.fail()
    bench.delete(stored)
    await asyncio.sleep(120)
    assert bench.reported()[1][1] == 120

    bench.troubles.clear()
    await asyncio.sleep(200)
    assert bench.reported() == ({}, (0, 0))


async def test_the_oldest_deletion_is_as_old_as_it_is_whatever_has_restarted_meanwhile(bench):
    stored = bench.apply("w")
    kept = bench.apply("kept")
    await asyncio.sleep(60)
    bench.fail()
    bench.delete(stored)
    await asyncio.sleep(3600)
    bench.delete(kept)
    bench.engine.report()
    assert bench.observer.last["deletions"] == (2, 3600), "also of what no pass has looked at yet"

    await bench.start()
    bench.engine.report()
    assert bench.observer.last["deletions"] == (2, 3600)

    bench.troubles.clear()
    await asyncio.sleep(200)
    bench.engine.report()
    assert bench.observer.last["deletions"] == (0, 0)
