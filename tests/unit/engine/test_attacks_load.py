"""The whole engine where parts of Run:ai or of Kubernetes fail for everybody: what that costs, whom it delays, and that
nothing is forgotten when it is over."""

from __future__ import annotations

import asyncio
import math
from bisect import bisect_left
from collections import Counter

import pytest

from fakes.bench import RUNS_ON, Bench
from fakes.kube import FakeKubeAccess
from fakes.uneven_runai import Lost, Troubles, UnevenRunai
from runai_operator.domain.actions import Render
from runai_operator.domain.conditions import condition
from runai_operator.domain.errors import (
    AccessDenied,
    Busy,
    InvalidWorkload,
    KubernetesUnavailable,
    OutcomeUnknown,
    StaleObject,
    Throttled,
    Unavailable,
)
from runai_operator.domain.model import DEFAULT_CONNECTION, NOT_SUBMITTED, Spec
from runai_operator.engine import reconcile
from runai_operator.engine.engine import WORKERS
from runai_operator.engine.gate import CallClass
from runai_operator.engine.limits import MOST_READS, MOST_ROW_READS
from runai_operator.engine.workqueue import SLOWEST_RATE

pytestmark = pytest.mark.looptime

LISTS, READS, WRITES, *_ = CallClass
SOON = 7.0
"""Seconds: a delta interval and a little, until a bystander's change is shown."""
EDITED = {**RUNS_ON, "spec": {"replicas": 2}}


def down():
    return Unavailable("HTTP 503")


def lost():
    return OutcomeUnknown("HTTP 503")


def throttled():
    return Throttled("HTTP 429")


def denied():
    return AccessDenied("HTTP 403")


class CountedKube(FakeKubeAccess):
    """Takes time, notes each call, and fails where told."""

    def __init__(self, bench, chance):
        super().__init__(bench.kube, chance)
        self._bench = bench

    async def read(self, ref, *, large):
        await self._bench.kube_call("kube read", ref)
        return await super().read(ref, large=large)

    async def write_status(self, ref, patch, *, resource_version):
        await self._bench.kube_call("kube write", ref)
        return await super().write_status(ref, patch, resource_version=resource_version)

    async def write_finalizers(self, ref, finalizers, *, resource_version):
        await self._bench.kube_call("kube write", ref)
        return await super().write_finalizers(ref, finalizers, resource_version=resource_version)


class LoadBench(Bench):
    def __init__(self):
        super().__init__()
        self.troubles, self.latency, self.log = Troubles(), {}, []
        self.kube_troubles, self.kube_latency = {}, {}

    def kube_access(self, chance):
        return CountedKube(self, chance)

    def connections(self, chance):
        return {DEFAULT_CONNECTION: UnevenRunai(self.runai.client(chance), self.troubles, self.latency, self.note)}

    def note(self, what):
        self.log.append((self.loop.time(), what))

    async def kube_call(self, what, ref):
        self.note(what)
        await asyncio.sleep(self.kube_latency.get(ref.name, 0.004))
        if (trouble := self.kube_troubles.get((what, ref.name), self.kube_troubles.get(what))) is not None:
            raise trouble()

    def counts(self, begin, seconds=60.0):
        """What was asked of Run:ai and Kubernetes from then on."""
        first, end = (bisect_left(self.log, (time,)) for time in (begin, begin + seconds))
        return Counter(what for _, what in self.log[first:end])

    def calls(self, begin, seconds=60.0):
        """Calls to Run:ai."""
        return sum(n for what, n in self.counts(begin, seconds).items() if not what.startswith("kube"))

    def of_kube(self, begin, seconds=60.0):
        counts = self.counts(begin, seconds)
        return counts["kube read"] + counts["kube write"]

    def apply_many(self, count):
        return [self.apply(f"w{number}") for number in range(count)]

    async def running(self, count):
        self.apply("bystander")
        made = self.apply_many(count)
        await asyncio.sleep(150)
        assert self.ready() == count + 1
        return made

    def edit_all(self, objects):
        for stored in objects:
            self.edit(stored, manifest=EDITED)

    def delete_all(self, objects):
        for stored in objects:
            self.delete(stored)

    async def shown_after(self, phase):
        """Seconds until the bystander shows the phase that it has from now on."""
        [workload] = [each for each in self.runai.live() if each.name == "bystander"]
        self.runai.world.set_phase(workload, phase, "", self.now())
        began, stored = self.loop.time(), self.kube.objects["ns", "bystander"]
        while stored.status.get("phase") != phase and self.loop.time() - began < 300:  # noqa: ASYNC110 - a fake's status
            await asyncio.sleep(0.25)
        return self.loop.time() - began

    def outstanding(self):
        """Objects that do not show that all is well with what was last asked of them."""
        return [
            stored.ref.name
            for stored in self.kube.objects.values()
            if (condition(stored.status, "Ready") or {}).get("status") != "True"
            or stored.status["observedGeneration"] != stored.generation
        ]


@pytest.fixture
async def bench():
    async with LoadBench().started() as bench:
        yield bench


PARTS = [
    pytest.param({READS: down, WRITES: lost}, id="all of V2"),
    pytest.param({READS: down}, id="reads"),
    pytest.param({WRITES: lost}, id="writes"),
    pytest.param({WRITES: throttled}, id="writes, throttled"),
    pytest.param({WRITES: lambda: Lost(lost())}, id="answers to writes"),
]


@pytest.mark.parametrize("trouble", PARTS)
async def test_what_waits_for_a_part_of_run_ai_costs_little_for_hours_and_is_delivered_when_it_is_back(bench, trouble):
    edited = await bench.running(100)
    bench.troubles.update(trouble)
    bench.edit_all(edited)
    for number in range(100):
        bench.apply(f"new{number}")
    await asyncio.sleep(120)
    began = bench.loop.time()
    delays = [await bench.shown_after("Failed"), await bench.shown_after("Running")]
    await asyncio.sleep(7200)

    assert max(delays) <= SOON
    kube = []
    for minute in range(120):
        counts = bench.counts(began + 60 * minute)
        assert counts["create"] <= 30
        assert bench.calls(began + 60 * minute) <= 75
        kube.append(bench.of_kube(began + 60 * minute))

    stalled = [number for number, count in enumerate(kube) if count > 40]
    assert len(stalled) <= 2, "all are shown as stalled once, and resyncs repeat nothing"
    assert sum(kube[number] for number in stalled) <= 2 * 200 + 80, "one read and one write each"

    bench.troubles.clear()
    await asyncio.sleep(180)
    assert bench.outstanding() == []
    assert len(bench.runai.live()) == 201


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param({READS: down, WRITES: lost}, id="all of V2"),
        pytest.param({"get": down}, id="reads"),
        pytest.param({"delete": lost}, id="deletions"),
        pytest.param({"delete": throttled}, id="deletions, throttled"),
        pytest.param({"delete": denied}, id="deletions, denied"),
        pytest.param({"get": denied}, id="reads, denied"),
    ],
)
async def test_deletions_that_wait_for_a_part_of_run_ai_cost_little(bench, trouble):
    """Each used to be tried again with a back-off of its own, since it must not wait for ever."""
    deleted = await bench.running(200)
    bench.troubles.update(trouble)
    bench.delete_all(deleted)
    await asyncio.sleep(180)  # the limiter lets them come in three minutes
    began = bench.loop.time()
    await asyncio.sleep(3600)

    assert max(bench.calls(began + 60 * minute) for minute in range(60)) <= 40
    assert max(bench.of_kube(began + 60 * minute) for minute in range(60)) <= 20

    bench.troubles.clear()
    await asyncio.sleep(600)
    assert [stored.ref.name for stored in bench.kube.objects.values()] == ["bystander"]


@pytest.mark.parametrize(
    ("before", "trouble"),
    [
        pytest.param({}, {READS: down, WRITES: lost}, id="all of V2"),
        pytest.param({}, {"get": down}, id="reads"),
        pytest.param({}, {"delete": lost}, id="deletions"),
        pytest.param({}, dict.fromkeys(CallClass, down), id="everything"),
        pytest.param({WRITES: lambda: Lost(lost())}, {LISTS: down}, id="lists, for what is only known by its name"),
    ],
)
async def test_a_deletion_ends_after_release_after_whatever_part_of_run_ai_it_waits_for(bench, before, trouble):
    await bench.start(release_after=3600)
    bench.troubles.update(before)
    made = bench.apply_many(30)
    await asyncio.sleep(5 if before else 120)
    bench.troubles.clear()
    bench.troubles.update(trouble)
    bench.delete_all(made)
    await asyncio.sleep(3500)
    left = {stored.ref.name for stored in bench.kube.objects.values()}
    assert left

    await asyncio.sleep(900)
    assert bench.kube.objects == {}
    assert {orphan.name for orphan in bench.kube.orphans.values()} == left


async def test_a_denied_permission_holds_back_only_what_needs_it(bench):
    edited = await bench.running(50)
    bench.troubles["update"] = denied
    bench.edit_all(edited)
    await asyncio.sleep(60)
    new = bench.apply("new")
    bench.delete_all(edited[:10])
    await asyncio.sleep(20)

    assert condition(new.status, "Ready")["status"] == "True", "creating is allowed"
    assert len(bench.kube.objects) == 42, "and deleting"


@pytest.mark.parametrize("after", [None, 0.0, 3600.0], ids=["no hint", "a hint of nothing", "a hint of an hour"])
async def test_throttled_submissions_back_off_are_not_in_doubt_and_stop_nobody_else(bench, after):
    await bench.running(0)
    bench.troubles["create"] = lambda: Throttled("HTTP 429", after=after)
    made = bench.apply_many(100)
    await asyncio.sleep(120)
    began = bench.loop.time()
    await asyncio.sleep(60)

    assert bench.counts(began)["create"] <= 4
    assert bench.of_kube(began) <= 20
    assert await bench.shown_after("Degraded") <= SOON
    assert {stored.status.get("submission") for stored in made} == {NOT_SUBMITTED}

    began = bench.loop.time()
    bench.delete(made[0])
    await asyncio.sleep(5)
    assert ("ns", "w0") not in bench.kube.objects, "nothing was created, so nothing has to be looked up"

    del bench.troubles["create"]
    await asyncio.sleep(60 + 30 + 30)
    assert bench.ready() >= 99
    assert len({workload.name for workload in bench.runai.live()}) == len(bench.runai.live())


async def test_a_single_workload_that_may_not_be_read_holds_back_no_other(bench):
    objects = await bench.running(20)
    odd = objects[0]
    real = bench.runai.world.find

    def find(workload_id, now):
        if workload_id == odd.status["workloadId"]:
            raise denied()
        return real(workload_id, now)

    bench.runai.world.find = find
    for stored in objects:
        bench.edit(stored, manifest=EDITED)
        await asyncio.sleep(1)
    await asyncio.sleep(30)

    assert bench.outstanding() == [odd.ref.name]


async def test_edits_that_run_ai_does_not_take_for_hours_cost_less_and_less(bench):
    """As while a cluster is not connected: each is answered 409, since the change before it is still being applied."""
    edited = await bench.running(60)
    bench.troubles["update"] = lambda: Busy("HTTP 409")
    bench.edit_all(edited)
    await asyncio.sleep(1200)
    began = bench.loop.time()
    await asyncio.sleep(1200)

    assert bench.counts(began, 1200)["update"] <= 20 * 60 * 0.5, "each less than every other minute"
    assert bench.of_kube(began, 1200) <= 20 * 60 * 0.5

    bench.troubles.clear()
    await asyncio.sleep(330)
    assert bench.outstanding() == []


@pytest.mark.parametrize("kind", [READS, WRITES])
async def test_calls_that_hang_delay_no_bystander(bench, kind):
    """A worker whose call hangs is lost until its deadline, so edits may not have them all."""
    edited = await bench.running(50)
    bench.latency[kind] = 1e6
    bench.edit_all(edited)
    await asyncio.sleep(1)

    assert await bench.shown_after("Failed") <= SOON


async def test_slow_reads_of_syncs_in_flight_delay_no_bystander(bench):
    edited = await bench.running(200)
    bench.latency[READS] = bench.latency[WRITES] = 4.0
    bench.edit_all(edited)
    delays = []
    for phase in ("Failed", "Running") * 4:
        await asyncio.sleep(20)
        delays.append(await bench.shown_after(phase))

    assert max(delays) <= SOON
    await asyncio.sleep(600)
    assert bench.outstanding() == []


def test_reads_leave_a_worker_for_what_lists_show():
    assert WORKERS // 4 > MOST_READS + MOST_ROW_READS


@pytest.mark.parametrize(
    ("what", "trouble"),
    [
        pytest.param("kube read", lambda: StaleObject("HTTP 409"), id="reads conflict"),
        pytest.param("kube write", lambda: StaleObject("HTTP 409"), id="writes conflict"),
        pytest.param("kube write", lambda: InvalidWorkload("a policy says no"), id="writes are refused"),
        pytest.param("kube write", lambda: AccessDenied("HTTP 403"), id="writes are forbidden"),
    ],
)
async def test_an_object_that_cannot_be_written_is_tried_less_and_less_often(bench, what, trouble):
    edited = await bench.running(20)
    bench.kube_troubles.update({(what, stored.ref.name): trouble for stored in edited})
    bench.edit_all(edited)
    assert await bench.shown_after("Failed") <= SOON
    await asyncio.sleep(1800)
    began = bench.loop.time()
    await asyncio.sleep(600)

    assert bench.of_kube(began, 600) <= 2 * 10 * len(edited), "once a minute at most"

    bench.kube_troubles.clear()
    await asyncio.sleep(330)
    assert bench.outstanding() == ["bystander"], "it shows Failed"


@pytest.mark.parametrize("place", ["in a read", "without end"])
async def test_a_bug_anywhere_in_a_pass_costs_only_its_object(bench, place, monkeypatch):
    bench.apply("good")
    if place == "in a read":
        bench.kube_troubles["kube read", "bad"] = KeyError
    else:
        real = reconcile.decide
        monkeypatch.setattr(reconcile, "decide", lambda s: Render() if s.workload.ref.name == "bad" else real(s))
    bench.apply("bad")
    await asyncio.sleep(60)

    assert not bench.task.done()
    assert bench.observer.bugs > 0
    assert bench.outstanding() == ["bad"]

    monkeypatch.undo()
    bench.kube_troubles.clear()
    await asyncio.sleep(330)
    assert bench.outstanding() == []
    bench.observer.bugs = 0


async def test_a_bug_beside_the_workers_does_not_end_the_engine(bench):
    bench.kube.objects["ns", "odd"] = None
    await asyncio.sleep(700)
    assert bench.observer.bugs == 1

    del bench.kube.objects["ns", "odd"]
    bench.observer.bugs = 0
    bench.apply("a")
    await asyncio.sleep(30)
    assert bench.outstanding() == []


async def test_while_the_fence_is_closed_work_waits_and_costs_nothing(bench):
    edited = await bench.running(100)
    bench.engine.fence.close()
    bench.edit_all(edited)
    await asyncio.sleep(1)
    began = bench.loop.time()
    await asyncio.sleep(3600)

    assert (bench.of_kube(began, 3600), bench.calls(began, 3600)) == (0, 0)
    assert bench.engine.silent_for() == 0, "nobody is stuck"

    bench.engine.fence.open_until(math.inf)
    await asyncio.sleep(60)
    assert bench.outstanding() == []


async def test_nothing_grows_however_many_objects_come_and_go(bench):
    await bench.start(delete_rate=10_000)
    for number in range(8):
        objects = [bench.kube.create("ns", f"w{number}-{n}", Spec(manifest=RUNS_ON, project_id="1")) for n in range(60)]
        for stored in objects:
            bench.engine.observe("ADDED", stored.meta())
        await asyncio.sleep(1 + 4 * number)
        if number % 2:
            bench.troubles.update({WRITES: lost, READS: down})
        bench.edit_all(objects[:30])
        await asyncio.sleep(10)
        for stored in objects:
            bench.delete(stored)
            if bench.kube.of(stored.ref) is None:
                bench.engine.observe("DELETED", stored.meta())
        await asyncio.sleep(20)
        bench.troubles.clear()
        await asyncio.sleep(300)
    assert bench.kube.objects == {}
    await asyncio.sleep(900)

    [upstream] = bench.engine.upstreams
    queue, reads = bench.engine._queue, upstream.reads
    assert len(bench.engine.inventory) == upstream.gate.parked == 0
    leftovers = [queue._ready, queue._delayed, queue._active, queue._again]
    deletions = upstream.deletions
    leftovers += [reads._due, reads._heap, reads._under_way, reads._following]
    leftovers += [upstream.row_reads._due, upstream.patient_row_reads._due, upstream.gate._under_way]
    leftovers += [upstream.comparisons._due, upstream.comparisons._under_way]
    leftovers += [bench.engine._newcomers._ready, bench.engine._newcomers._delayed]
    leftovers += [deletions._queue, deletions._admitted, deletions._woken]
    assert not any(leftovers)
    assert set(upstream.gate._lots) == {"token", *CallClass}
    assert bench.engine._events._queue.empty()
    assert len(asyncio.all_tasks()) == WORKERS + 24


@pytest.mark.parametrize("what", ["kube read", "kube write"])
@pytest.mark.parametrize(
    ("trouble", "heals_in"),
    [
        pytest.param(lambda: KubernetesUnavailable("HTTP 500"), 180, id="500"),
        pytest.param(lambda: AccessDenied("HTTP 403"), 480, id="403"),
        pytest.param(lambda: StaleObject("HTTP 409"), 480, id="409"),
    ],
)
async def test_what_fails_at_kubernetes_costs_it_little_however_many_objects_there_are(bench, what, trouble, heals_in):
    """Three hundred objects, each with a back-off of its own, used to make 2,400 calls a minute at an API server that
    was ailing already."""
    edited = await bench.running(300)
    bench.kube_troubles[what] = trouble
    bench.edit_all(edited)
    await asyncio.sleep(180)
    began = bench.loop.time()
    await asyncio.sleep(1800)

    assert max(bench.of_kube(began + 60 * minute) for minute in range(30)) <= 2 * 60 * SLOWEST_RATE + 10

    bench.kube_troubles.clear()
    await asyncio.sleep(heals_in)
    assert bench.outstanding() == []


async def test_a_short_failure_at_kubernetes_does_not_wait_behind_what_fails_for_hours(bench):
    """As behind a webhook that fails in one namespace."""
    edited = await bench.running(300)
    bench.kube_troubles |= {
        ("kube write", stored.ref.name): (lambda: KubernetesUnavailable("HTTP 500")) for stored in edited
    }
    bench.edit_all(edited)
    await asyncio.sleep(600)
    bystander = bench.kube.objects["ns", "bystander"]
    bench.kube_troubles["kube write", "bystander"] = lambda: KubernetesUnavailable("HTTP 500")
    bench.edit(bystander, manifest=EDITED)
    await asyncio.sleep(1)
    del bench.kube_troubles["kube write", "bystander"]
    await asyncio.sleep(10)

    assert "bystander" not in bench.outstanding()


async def test_calls_of_kubernetes_that_hang_and_fail_again_and_again_hold_few_workers(bench):
    edited = await bench.running(200)
    bench.kube_latency |= {stored.ref.name: 30.0 for stored in edited}
    bench.kube_troubles |= {
        ("kube read", stored.ref.name): (lambda: KubernetesUnavailable("timeout")) for stored in edited
    }
    bench.edit_all(edited)
    await asyncio.sleep(900)
    bench.edit(bench.kube.objects["ns", "bystander"], manifest=EDITED)
    await asyncio.sleep(SOON)

    assert "bystander" not in bench.outstanding()
    assert await bench.shown_after("Failed") <= SOON


@pytest.mark.parametrize("trouble", [StaleObject, KubernetesUnavailable])
async def test_a_short_failure_of_what_has_waited_for_run_ai_does_not_wait_for_that(bench, trouble):
    """How often it was looked for in Run:ai says nothing of what fails at Kubernetes."""
    failing = await bench.running(60)
    deleted = failing.pop()
    bench.runai.world.switch({"cluster_connected": False, "deleted_list": False}, bench.now())
    bench.delete(deleted)
    bench.kube_troubles |= {
        ("kube write", stored.ref.name): (lambda: KubernetesUnavailable("HTTP 500")) for stored in failing
    }
    await asyncio.sleep(3600)
    bench.edit_all(failing)
    await asyncio.sleep(120)
    place = "kube write", deleted.ref.name

    def once():
        del bench.kube_troubles[place]
        return trouble("no")

    bench.kube_troubles[place] = once
    bench.runai.world.switch({"cluster_connected": True}, bench.now())
    await asyncio.sleep(5)
    bench.engine.read_due(deleted.ref.uid)
    await asyncio.sleep(10)

    assert place not in bench.kube_troubles
    assert ("ns", deleted.ref.name) not in bench.kube.objects
