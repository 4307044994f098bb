"""Two Run:ai connections in one engine, in virtual time: nothing of one is ever taken for the other's."""

from __future__ import annotations

import asyncio

import pytest

from fakes.bench import EPOCH, RUNS_ON, WORLD, Bench, ready
from fakes.chance import Chance, Mishap
from fakes.runai import FakeRunai
from runai_operator.domain.conditions import condition
from runai_operator.domain.model import (
    DEFAULT_CONNECTION,
    FINALIZER,
    NOT_SUBMITTED,
    ManagementPolicy,
    RecreatePolicy,
    Spec,
)

pytestmark = pytest.mark.looptime

TWO = {**RUNS_ON, "spec": {"replicas": 2}}


class Hanging:
    """An access that never answers."""

    async def aclose(self):
        pass

    def __getattr__(self, name):
        async def call(*args, **kwargs):
            await asyncio.sleep(1e6)

        return call


class TwoConnections(Bench):
    """`first` is the default connection; the namespaces in `of_second` submit through the one called second."""

    def __init__(self, world=WORLD):
        super().__init__(world)
        self.first = self.runai
        self.second = FakeRunai(lambda: EPOCH + self.loop.time(), world)
        self.of_second = {"ns-2"}
        self.hanging = set()
        self.missing = set()

    def connections(self, chance):
        self.second_chance = Chance()
        made = {DEFAULT_CONNECTION: self.first.client(chance), "second": self.second.client(self.second_chance)}
        made |= {name: Hanging() for name in self.hanging}
        return {name: each for name, each in made.items() if name not in self.missing}

    def choose(self, workload):
        return "second" if workload.ref.namespace in self.of_second else DEFAULT_CONNECTION

    def apply_in(self, namespace, name, **spec):
        stored = self.kube.create(namespace, name, Spec(**({"manifest": RUNS_ON, "project_id": "1"} | spec)))
        self.engine.observe("ADDED", stored.meta())
        return stored

    def ask(self, stored, token):
        self.kube.touch(stored, token=token)
        self.engine.observe("MODIFIED", stored.meta())

    def apply_many(self, namespace, count=30):
        return [self.apply_in(namespace, f"w{number}") for number in range(count)]

    def sent(self):
        return [list(self.first.writes), list(self.second.writes)]


@pytest.fixture
async def bench():
    async with TwoConnections().started() as bench:
        yield bench


def are_ready(objects):
    return [stored for stored in objects if (ready(stored) or {}).get("status") == "True"] == objects


async def twins(bench):
    """Two objects of one name whose workloads have one name and, by chance, one id."""
    one, two = bench.apply_in("ns", "w"), bench.apply_in("ns-2", "w")
    await asyncio.sleep(60)
    [first], [second] = bench.first.live(), bench.second.live()
    assert first.id == second.id
    assert first.name == second.name
    return one, two, first, second


async def test_each_goes_through_the_connection_that_was_chosen_and_says_which(bench):
    objects = [bench.apply_in(namespace, f"w{number}") for number in range(5) for namespace in ("ns", "ns-2")]
    await asyncio.sleep(60)

    assert are_ready(objects)
    assert {stored.status["connection"] for stored in objects if stored.ref.namespace == "ns"} == {"default"}
    assert {stored.status["connection"] for stored in objects if stored.ref.namespace == "ns-2"} == {"second"}
    for runai, namespace in ((bench.first, "ns"), (bench.second, "ns-2")):
        assert {mark.namespace for method, mark in runai.writes if method == "POST"} == {namespace}
        assert len(runai.live()) == 5


@pytest.mark.parametrize("restarted", [False, True])
async def test_workloads_of_the_same_name_and_id_are_not_confused(bench, restarted):
    one, two, first, second = await twins(bench)
    if restarted:
        await bench.start()
        await asyncio.sleep(10)

    bench.second.world.set_phase(second, "Degraded", "one pod restarts", bench.now())
    await asyncio.sleep(30)
    assert (ready(one)["reason"], ready(two)["reason"]) == ("Running", "Degraded")

    bench.edit(one, manifest=TWO)
    await asyncio.sleep(30)
    assert (first.manifest["spec"], second.manifest["spec"]) == ({"replicas": 2}, {"replicas": 1})

    bench.second.world.delete(second, bench.now())
    await asyncio.sleep(400)
    assert (ready(one)["reason"], ready(two)["reason"]) == ("Running", "DeletedExternally")

    bench.delete(two)
    await asyncio.sleep(30)
    assert list(bench.kube.objects.values()) == [one]
    assert bench.first.live() == [first]
    assert [method for method, _ in bench.first.writes] == ["POST", "PUT"]


async def test_a_deletion_goes_to_the_right_one_alone(bench):
    one, two, first, _ = await twins(bench)
    bench.delete(two)
    await asyncio.sleep(30)

    assert list(bench.kube.objects.values()) == [one]
    assert (bench.first.live(), bench.second.live()) == ([first], [])


@pytest.mark.parametrize("restarted", [False, True])
async def test_what_is_observed_through_one_shows_nothing_of_the_other(bench, restarted):
    _, _, first, second = await twins(bench)
    observer = bench.apply_in(
        "ns-2", "o", workload_id=second.id, management_policy=ManagementPolicy.OBSERVE, manifest=None
    )
    await asyncio.sleep(30)
    assert observer.status["connection"] == "second"
    if restarted:
        await bench.start()
    bench.first.world.set_phase(first, "Degraded", "one pod restarts", bench.now())
    await asyncio.sleep(60)
    assert ready(observer)["reason"] == "Running"

    bench.second.world.set_phase(second, "Stopped", "somebody stopped it", bench.now())
    await asyncio.sleep(60)
    assert ready(observer)["reason"] == "Stopped"


async def test_what_the_lists_of_one_lack_is_not_looked_for_at_the_other(bench):
    bench.apply_many("ns-2", 5)
    await asyncio.sleep(120)
    reads = bench.second.calls["get"]
    await asyncio.sleep(3600)

    assert bench.second.calls["get"] == reads, "an hour with a dozen complete lists of both"


# --- one of them is in trouble


@pytest.mark.parametrize(
    ("trouble", "once"),
    [
        pytest.param("out of reach", 0, id="out of reach"),
        # All workers wait for its first answers: until the deadline of a call, and then its circuit is open.
        pytest.param("never answering", 60, id="never answering"),
    ],
)
async def test_one_in_trouble_does_not_hold_up_the_other(trouble, once):
    bench = TwoConnections()
    if trouble == "never answering":
        bench.hanging = {DEFAULT_CONNECTION}
    await bench.start()
    bench.chance.down = True
    waiting = bench.apply_many("ns")
    prompt = bench.apply_many("ns-2")
    await asyncio.sleep(once + 15)
    assert are_ready(prompt)

    for _ in range(10):
        bench.edit(prompt[0], manifest=TWO if prompt[0].spec.manifest is RUNS_ON else RUNS_ON)
        more = bench.apply_in("ns", f"more{bench.loop.time()}")
        await asyncio.sleep(15)
        assert are_ready(prompt)
        assert not are_ready([more])
    assert [method for method, _ in bench.second.writes].count("PUT") == 10
    assert not any(are_ready([stored]) for stored in waiting)
    assert bench.first.writes == []
    await bench.stop()


@pytest.mark.parametrize("namespace", ["ns", "ns-2"])
async def test_what_waits_at_a_connection_costs_little_and_comes_back_with_it(bench, namespace):
    """Before its first success an object has no connection in its status, and yet waits at the right one."""
    runai, chance = (bench.first, bench.chance) if namespace == "ns" else (bench.second, bench.second_chance)
    chance.down = True
    waiting = bench.apply_many(namespace)
    await asyncio.sleep(700)  # each is looked at once more, to be shown as stalled
    reads, creates = bench.kube.reads, runai.calls.get("create", 0)
    await asyncio.sleep(600)
    assert bench.kube.reads - reads <= 60, "canaries alone look at their objects"
    assert runai.calls.get("create", 0) - creates <= 60

    chance.down = False
    await asyncio.sleep(60)

    assert are_ready(waiting)
    assert len(runai.world.creates) == len(waiting)


# --- one of them is not there any more


async def test_a_connection_that_is_missing_is_named_and_nothing_is_sent_elsewhere(bench):
    one, two, _, _ = await twins(bench)
    bench.missing = {"second"}
    await bench.start()
    before = bench.sent()
    bench.edit(two, manifest=TWO)
    await asyncio.sleep(30)

    assert ready(two)["reason"] == "ConnectionNotFound"
    assert "second" in ready(two)["message"]
    assert condition(two.status, "Stalled") is not None
    assert two.status["connection"] == "second"

    bench.delete(two)
    await asyncio.sleep(7200)
    assert FINALIZER in two.finalizers, "held"
    assert ready(two)["reason"] == "Deleting"
    assert "second" in ready(two)["message"]
    assert bench.sent() == before
    assert ready(one)["reason"] == "Running"

    bench.missing = set()
    await bench.start()
    await asyncio.sleep(30)
    assert list(bench.kube.objects.values()) == [one]
    assert (len(bench.first.live()), bench.second.live()) == (1, [])


async def test_an_edit_goes_out_soon_after_its_connection_is_restored(bench):
    _, two, _, second = await twins(bench)
    bench.missing = {"second"}
    await bench.start()
    bench.edit(two, manifest=TWO)
    await asyncio.sleep(30)
    assert ready(two)["reason"] == "ConnectionNotFound"

    bench.missing = set()
    await bench.start()
    await asyncio.sleep(30)

    assert second.manifest["spec"] == {"replicas": 2}
    assert ready(two)["reason"] == "Running"


async def test_an_unsubmitted_object_of_a_missing_connection_leaves_nothing_and_goes_at_once(bench):
    bench.missing = {"second"}
    await bench.start()
    stored = bench.apply_in("ns-2", "w")
    await asyncio.sleep(30)

    assert ready(stored)["reason"] == "ConnectionNotFound"
    assert (stored.finalizers, stored.status["submission"]) == ((), NOT_SUBMITTED)

    bench.delete(stored)
    assert bench.kube.objects == {}
    assert bench.sent() == [[], []]


async def test_a_submitted_workload_stays_where_it_is_whatever_would_be_chosen_today(bench):
    stored = bench.apply_in("ns-2", "w", recreate_policy=RecreatePolicy.ON_IMMUTABLE_CHANGE)
    await asyncio.sleep(60)
    bench.of_second = set()
    await bench.start()
    bench.edit(stored, manifest=TWO)
    await asyncio.sleep(30)
    bench.edit(stored, preemptibility="preemptible")
    await asyncio.sleep(60)

    assert ready(stored)["status"] == "True"
    assert [method for method, _ in bench.second.writes] == ["POST", "PUT", "DELETE", "POST"]
    assert bench.first.writes == []


# --- objects go


@pytest.mark.parametrize("namespace", ["ns", "ns-2"])
async def test_what_is_forgotten_is_forgotten_at_both(bench, namespace):
    await bench.start(delete_rate=0)
    bench.chance.down = bench.second_chance.down = True
    waiting = bench.apply_many(namespace, 3)
    await asyncio.sleep(60)
    uids = {stored.ref.uid for stored in waiting}
    for upstream in bench.engine.upstreams:
        for uid in uids:
            upstream.reads.plan(uid, 1e6)
            upstream.deletions.wait(uid)
    assert sum(upstream.gate.parked for upstream in bench.engine.upstreams) > 0

    for stored in waiting:
        bench.kube.lose(stored)
        bench.engine.observe("DELETED", stored.meta())

    for upstream in bench.engine.upstreams:
        assert upstream.gate.parked == 0
        assert upstream.reads._due.keys().isdisjoint(uids)
        assert upstream.deletions.waiting() == 0


async def test_an_attempt_in_doubt_stays_where_it_was_made_whatever_would_be_chosen_today(bench):
    """Looked for elsewhere it would not be found, and be made again there."""
    bench.second_chance.named["create"] = Mishap.LOST_AFTER
    stored = bench.apply_in("ns-2", "w")
    while "projectId" not in stored.status:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert "workloadId" not in stored.status
    bench.of_second = set()
    await bench.start()
    await asyncio.sleep(60)

    assert are_ready([stored])
    assert (bench.first.live(), len(bench.second.live())) == ([], 1)
