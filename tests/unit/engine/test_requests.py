"""Requested reads in virtual time, by the annotation or by the engine: none is lost, and none is acknowledged undone."""

from __future__ import annotations

import asyncio
import math

import pytest

from fakes.bench import RUNS_ON, Bench, reason
from fakes.chance import Mishap
from fakes.uneven_runai import Troubles, UnevenRunai
from runai_operator.domain.errors import InvalidWorkload, Throttled, Unavailable
from runai_operator.domain.model import DEFAULT_CONNECTION

pytestmark = pytest.mark.looptime

TWO = {**RUNS_ON, "spec": {"replicas": 2}}


class TroubledBench(Bench):
    def __init__(self):
        super().__init__()
        self.troubles = Troubles()
        self.unreadable = False
        """Kubernetes answers 500 when an object is read."""

    def connections(self, chance):
        return {DEFAULT_CONNECTION: UnevenRunai(self.runai.client(chance), self.troubles, {}, lambda _: None)}

    def kube_access(self, chance):
        access = super().kube_access(chance)
        read = access.read

        async def troubled(ref, *, large):
            if self.unreadable:
                raise Unavailable("HTTP 500")
            return await read(ref, large=large)

        access.read = troubled
        return access

    def request(self, stored, token):
        """As somebody annotates the object."""
        self.kube.touch(stored, token=token)
        self.engine.observe("MODIFIED", stored.meta())


@pytest.fixture
async def bench():
    async with TroubledBench().started() as bench:
        yield bench


async def running(bench, name="w", **spec):
    stored = bench.apply(name, **spec)
    await asyncio.sleep(60)
    assert reason(stored) == "Running"
    return stored


def handled(stored):
    return stored.status.get("lastHandledReconcileAt")


def reads(bench):
    return bench.runai.calls.get("get", 0)


# --- during a pass


async def test_a_token_that_comes_during_a_pass_leads_to_a_read_of_its_own(bench):
    stored = await running(bench)
    before = reads(bench)
    bench.chance.meanwhile["get"] = lambda: bench.request(stored, "second")
    bench.request(stored, "first")
    await asyncio.sleep(5)

    assert reads(bench) == before + 2
    assert handled(stored) == "second"


async def test_a_read_that_is_requested_during_a_pass_is_done_by_the_next(bench):
    stored = await running(bench)
    before = reads(bench)
    bench.chance.meanwhile["get"] = lambda: bench.engine.read_due(stored.ref.uid)
    bench.engine.read_due(stored.ref.uid)
    await asyncio.sleep(5)

    assert reads(bench) == before + 2


async def test_a_read_that_fails_is_done_again(bench):
    stored = await running(bench)
    [workload] = bench.runai.live()
    bench.runai.world.delete(workload, bench.now())
    await asyncio.sleep(3)  # it is gone, and the lists do not show it any more
    bench.chance.named["get"] = Mishap.LOST_BEFORE
    bench.engine.read_due(stored.ref.uid)
    await asyncio.sleep(10)

    assert reason(stored) == "DeletedExternally"


async def test_a_read_that_was_requested_is_done_although_the_pass_did_not_come_so_far(bench):
    """The pass that is repeated would have no reason of its own to read."""
    stored = await running(bench)
    before = reads(bench)
    bench.unreadable = True
    bench.engine.read_due(stored.ref.uid)
    await asyncio.sleep(5)
    assert reads(bench) == before

    bench.unreadable = False
    await asyncio.sleep(30)
    assert reads(bench) == before + 1


async def test_the_same_token_again_asks_for_nothing_and_two_in_a_row_are_one(bench):
    stored = await running(bench)
    before = reads(bench)
    bench.request(stored, "first")
    bench.request(stored, "second")
    await asyncio.sleep(5)
    assert (reads(bench), handled(stored)) == (before + 1, "second")

    bench.request(stored, "second")
    await asyncio.sleep(5)
    assert reads(bench) == before + 1


# --- while nothing can be read


def outage(bench):
    bench.troubles.update(dict.fromkeys(("lists", "reads", "writes"), lambda: Unavailable("HTTP 503")))
    return bench.troubles.clear


def throttling(bench):
    bench.troubles["reads"] = lambda: Throttled("HTTP 429", after=20)
    return bench.troubles.clear


def closed_fence(bench):
    bench.engine.fence.close()
    return lambda: bench.engine.fence.open_until(math.inf)


@pytest.mark.parametrize("hindrance", [outage, throttling, closed_fence])
@pytest.mark.parametrize("edited", [False, True])
@pytest.mark.parametrize("restarted", [False, True])
async def test_a_token_is_acknowledged_only_once_run_ai_was_read(bench, hindrance, edited, restarted):
    """At a closed fence, and parked at an open circuit, too."""
    stored, others = await running(bench), [await running(bench, f"other{number}") for number in range(3)]
    before, heal = reads(bench), hindrance(bench)
    for other in others:
        bench.edit(other, manifest=TWO)
    await asyncio.sleep(30)
    if edited:
        bench.edit(stored, manifest=TWO)
    bench.request(stored, "now")
    await asyncio.sleep(120)
    assert handled(stored) is None

    if restarted:
        await bench.start()
        if hindrance is closed_fence:
            heal = closed_fence(bench)
        await asyncio.sleep(60)
        assert handled(stored) is None
    heal()
    await asyncio.sleep(120)

    assert handled(stored) == "now"
    assert reads(bench) > before
    assert bench.ready() == 4


async def test_a_token_on_an_object_that_is_being_deleted_is_not_acknowledged_by_a_failure(bench):
    stored = await running(bench)
    heal = outage(bench)
    bench.delete(stored)
    bench.request(stored, "now")
    await asyncio.sleep(60)
    assert reason(stored) == "Deleting"
    assert handled(stored) is None

    heal()
    await asyncio.sleep(60)
    assert bench.kube.objects == {}


# --- where something else is wrong


@pytest.mark.parametrize("wish", ["by the annotation", "by the engine"])
async def test_of_a_refused_object_the_workload_is_read_all_the_same(bench, wish):
    """The refusal ended the pass before the read, which was then taken for done."""
    stored = await running(bench)
    bench.edit(stored, preemptibility="preemptible")
    await asyncio.sleep(5)
    assert reason(stored) == "ImmutableFieldChanged"
    before = reads(bench)
    if wish == "by the annotation":
        bench.request(stored, "now")
    else:
        bench.engine.read_due(stored.ref.uid)
    await asyncio.sleep(5)

    assert reads(bench) == before + 1
    assert reason(stored) == "ImmutableFieldChanged"


async def test_a_refused_object_whose_workload_is_gone_does_not_go_on_showing_its_pods(bench):
    stored = await running(bench)
    bench.edit(stored, preemptibility="preemptible")
    await asyncio.sleep(5)
    [workload] = bench.runai.live()
    bench.runai.world.delete(workload, bench.now())
    await asyncio.sleep(60)

    assert not {"phase", "runningPods"} & stored.status.keys()


async def test_a_refusal_is_asked_for_again_before_the_token_is_acknowledged(bench):
    stored = await running(bench)

    def refuse(method, subject):
        raise InvalidWorkload("The quota does not allow it.")

    bench.runai.allow = refuse
    bench.edit(stored, manifest=TWO)
    await asyncio.sleep(10)
    assert reason(stored) == "InvalidSpec"
    bench.runai.allow = lambda method, subject: None
    bench.request(stored, "now")
    await asyncio.sleep(10)

    assert (reason(stored), handled(stored)) == ("Running", "now")


async def test_of_a_paused_object_the_workload_is_read_and_nothing_written(bench):
    stored = await running(bench)
    bench.kube.touch(stored, paused=True)
    bench.edit(stored, manifest=TWO)
    await asyncio.sleep(5)
    before = reads(bench)
    bench.request(stored, "now")
    await asyncio.sleep(5)

    assert (reads(bench), handled(stored), reason(stored)) == (before + 1, "now", "Paused")
    assert [method for method, _ in bench.runai.writes] == ["POST"]
