"""A new object that cannot be submitted says so within two seconds, whatever its pass or the workers are waiting for."""

from __future__ import annotations

import asyncio

import pytest

from fakes.bench import Bench
from fakes.uneven_runai import Troubles, UnevenRunai
from runai_operator.domain.conditions import condition
from runai_operator.domain.errors import Unavailable
from runai_operator.domain.model import DEFAULT_CONNECTION, FINALIZER
from runai_operator.engine.gate import CallClass

pytestmark = pytest.mark.looptime

SOON = 2.0
FOR_EVER = 10_000.0


class SilentBench(Bench):
    """Its Run:ai accepts calls and never answers, or refuses all, from a moment on."""

    def __init__(self):
        super().__init__()
        self.troubles, self.latency = Troubles(), {}

    def connections(self, chance):
        return {
            DEFAULT_CONNECTION: UnevenRunai(self.runai.client(chance), self.troubles, self.latency, lambda what: None)
        }

    async def at_work(self):
        await self.start()
        await asyncio.sleep(30)

    def fall_silent(self):
        self.latency.update(dict.fromkeys(CallClass, FOR_EVER))

    def fail(self):
        self.troubles.update({call_class: lambda: Unavailable("HTTP 503") for call_class in CallClass})

    def answer_again(self):
        self.latency.clear()
        self.troubles.clear()

    def up(self):
        return {call_class: is_up for (_, call_class), is_up in self.reports.items()}


@pytest.fixture
async def bench():
    bench = SilentBench()
    bench.reports = {}
    bench.observer.circuit = lambda name, call_class, up: bench.reports.update({(name, call_class): up})
    yield bench
    await bench.stop()


def blank(stored_objects):
    return [stored.ref.name for stored in stored_objects if not stored.status.get("conditions")]


async def test_while_its_own_request_gets_no_answer(bench):
    await bench.at_work()
    bench.fall_silent()
    stored = bench.apply("w")
    await asyncio.sleep(SOON)

    assert (condition(stored.status, "Ready") or {})["reason"] == "RunaiUnavailable"
    assert (condition(stored.status, "Synced") or {})["reason"] == "NotDelivered"
    assert "submission" not in stored.status, "the request may have taken effect"

    bench.answer_again()
    await asyncio.sleep(120)
    assert bench.ready() == 1
    assert [method for method, _ in bench.runai.writes] == ["POST"]


async def test_while_all_workers_wait_for_answers_to_others(bench):
    await bench.at_work()
    bench.fall_silent()
    flood = [bench.apply(f"w{number}") for number in range(60)]
    await asyncio.sleep(5)
    late = bench.apply("late")
    await asyncio.sleep(SOON)

    assert blank([late, *flood]) == []
    bench.answer_again()
    await asyncio.sleep(240)
    assert bench.ready() == 61
    assert [method for method, _ in bench.runai.writes] == ["POST"] * 61


async def test_while_the_circuit_is_open(bench):
    await bench.at_work()
    bench.fail()
    early = [bench.apply(f"early{number}") for number in range(3)]
    await asyncio.sleep(60)
    late = bench.apply("late")
    await asyncio.sleep(SOON)

    assert blank([*early, late]) == []
    assert (condition(late.status, "Ready") or {})["message"].startswith("HTTP 503")


async def test_during_a_flood_while_the_circuit_is_open(bench):
    await bench.at_work()
    bench.fail()
    for number in range(3):
        bench.apply(f"early{number}")
    await asyncio.sleep(30)
    flood = [bench.apply(f"w{number}", project_id="2") for number in range(1000)]
    bystander = bench.kube.create("other", "bystander", flood[0].spec)
    bench.engine.observe("ADDED", bystander.meta())
    await asyncio.sleep(SOON)

    assert blank([bystander]) == []


async def test_a_status_that_is_on_its_way_costs_no_write_more(bench):
    await bench.at_work()
    before = bench.kube.writes
    for number in range(100):
        bench.apply(f"w{number}")
    await asyncio.sleep(60)

    assert bench.ready() == 100
    per_object = (bench.kube.writes - before) / 100
    assert per_object <= 2 + 6, "finalizer and id, and what is shown on the way"
    said = {(condition(stored.status, "Ready") or {})["reason"] for stored in bench.kube.objects.values()}
    assert said == {"Running"}


async def test_a_restart_in_silence_shows_what_was_applied_meanwhile(bench):
    await bench.at_work()
    bench.fall_silent()
    await bench.stop()
    stored = bench.kube.create("ns", "w", (bench.apply("other")).spec)
    await bench.start()
    await asyncio.sleep(SOON)

    assert blank([stored]) == []


async def test_what_was_shown_so_is_in_doubt_after_a_restart_all_the_same(bench):
    await bench.at_work()
    bench.latency["create"] = FOR_EVER
    stored = bench.apply("w")
    await asyncio.sleep(SOON)
    assert FINALIZER in stored.finalizers
    assert blank([stored]) == []
    bench.answer_again()
    await bench.start()
    await asyncio.sleep(120)

    assert bench.ready() == 1
    assert [method for method, _ in bench.runai.writes] == ["POST"]


async def test_the_metric_notices_with_the_first_open_circuit(bench):
    await bench.at_work()
    assert all(bench.up().values())
    bench.fail()
    waited = 0.0
    while all(bench.up().values()) and waited < 60:
        await asyncio.sleep(0.5)
        waited += 0.5

    assert waited <= 2 * 5.5 + 1, "two polls in a row"


async def test_where_no_first_status_can_be_written_it_is_tried_less_and_less_often():
    reads = 0

    class CountingBench(SilentBench):
        def kube_access(self, chance):
            access = super().kube_access(chance)
            read = access.read

            async def counted(ref, *, large):
                nonlocal reads
                reads += 1
                return await read(ref, large=large)

            access.read = counted
            return access

    bench = CountingBench()
    await bench.at_work()
    bench.fail()
    await asyncio.sleep(60)
    bench.kube.forbidden_namespaces = {"forbidden"}
    for number in range(100):
        bench.apply(f"w{number}", namespace="forbidden")
    await asyncio.sleep(600)
    reads = 0
    await asyncio.sleep(600)
    await bench.stop()

    assert reads <= 100 * 10 * 2, "two for each in a minute; it was forty"
    assert bench.observer.bugs == 0
