"""The gate in virtual time: outages of one class, of the token and of one project, and how everybody comes back."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random

import pytest

from fakes.troubled_runai import TroubledRunai
from runai_operator.domain.errors import (
    AccessDenied,
    BridgeError,
    Busy,
    CircuitOpen,
    InvalidWorkload,
    NameTaken,
    NotVisible,
    OutcomeUnknown,
    PageTooLarge,
    Scope,
    Throttled,
    Unavailable,
    UnexpectedReply,
)
from runai_operator.domain.model import RowQuery, Submission
from runai_operator.engine.budget import Budget, TokenBucket
from runai_operator.engine.gate import LEADER, TOKEN, CallClass, Gate, GateSettings, _list_of

pytestmark = pytest.mark.looptime

LISTS, READS, WRITES = CallClass.LISTS, CallClass.READS, CallClass.WRITES
REFUSED_TOKEN = AccessDenied("the token is refused", scope=Scope.CONNECTION)


def submission(name: str, project: str = "1") -> Submission:
    return Submission(name, project, {})


class Bench:
    """A gate before the fake, and an engine in a nutshell: a pass that fails is parked, or retried with a back-off."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.runai = TroubledRunai()
        self.woken: list[tuple[float, str]] = []
        self.reports: list[tuple[str, bool]] = []
        self.left: float | None = None
        self.jobs: dict[str, Callable[[], object]] = {}
        self.done: dict[str, float] = {}
        self.errors: dict[str, BridgeError] = {}
        self.failures: Counter[str] = Counter()
        self.tasks: set[asyncio.Task[None]] = set()
        self.workers = asyncio.Semaphore(16)
        self.start()

    def start(self, **settings: object) -> None:
        self.reports.clear()
        self.gate = Gate(
            self.runai,
            wake=self.wake,
            clock=self.loop.time,
            random=Random(1),
            report=lambda kind, up: self.reports.append((kind, up)),
            settings=GateSettings(**settings),
            fence=lambda: self.left,
        )
        self.spawn(self.gate.run())

    def spawn(self, coroutine) -> asyncio.Task:
        task = asyncio.create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def stop(self) -> None:
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def wake(self, uid: str) -> None:
        self.woken.append((self.loop.time(), uid))
        self.spawn(self._pass(uid))

    def begin(self, uid: str, job: Callable[[], object]) -> None:
        """An object that needs `job` to succeed once."""
        self.jobs[uid] = job
        self.spawn(self._pass(uid))

    def begin_creates(self, count: int, project: str = "1") -> None:
        for number in range(count):
            name = f"{project}-w{number}"
            self.begin(name, lambda name=name: self.gate.create(submission(name, project)))

    async def _pass(self, uid: str) -> None:
        try:
            async with self.workers:
                await self.jobs[uid]()
        except BridgeError as error:
            self.errors[uid] = error
            self.failures[uid] += 1
            if not self.gate.park(uid, error):
                await asyncio.sleep(min(300.0, 2.0 ** self.failures[uid]))
                await self._pass(uid)
            return
        self.done[uid] = self.loop.time()

    async def fails(self, job, expected: type[BridgeError] = BridgeError) -> BridgeError:
        with pytest.raises(expected) as caught:
            await job
        return caught.value

    async def open(self, kind: CallClass, error: BridgeError) -> float:
        """Opens the circuit by one call of the class that is answered by `error`; returns when."""
        self.runai.trouble[kind] = error
        await self.fails(self.call(kind))
        return self.loop.time()

    def call(self, kind: CallClass, key: str = "x"):
        match kind:
            case CallClass.LISTS:
                return self.gate.rows(RowQuery(deleted=key != "x"))
            case CallClass.LOOKUPS:
                return self.gate.rows(RowQuery(name=key, project_id="1"))
            case CallClass.READS:
                return self.gate.get(key)
            case CallClass.WRITES:
                return self.gate.delete(key)


@pytest.fixture
async def bench():
    made = Bench()
    yield made
    await made.stop()


def busiest_minute(times: list[float]) -> int:
    return max((sum(begin <= time < begin + 60 for time in times) for begin in times), default=0)


# --- what opens a circuit, and whose


@pytest.mark.parametrize("error", [Unavailable("HTTP 500"), UnexpectedReply("garbage")])
async def test_two_objects_failing_in_a_row_open_the_circuit_of_their_class_only(bench, error):
    bench.runai.trouble[READS] = error
    await bench.fails(bench.gate.get("a"))
    await bench.fails(bench.gate.get("b"))
    calls = len(bench.runai.calls)

    refusal = await bench.fails(bench.gate.get("c"), CircuitOpen)

    assert len(bench.runai.calls) == calls, "surely not sent"
    assert (refusal.circuit, refusal.condition_reason, refusal.message) == (
        READS,
        error.condition_reason,
        error.message,
    )
    await bench.gate.rows(RowQuery())
    await bench.gate.create(submission("w"))
    assert bench.reports == [*((kind, True) for kind in CallClass), (READS, False)]


@pytest.mark.parametrize(
    "job",
    [
        pytest.param(lambda gate: gate.get("a"), id="get"),
        pytest.param(lambda gate: gate.row("a"), id="row"),
        pytest.param(lambda gate: gate.delete("a"), id="delete"),
        pytest.param(lambda gate: gate.update("a", submission("w")), id="update"),
        pytest.param(lambda gate: gate.create(submission("w")), id="create"),
        pytest.param(lambda gate: gate.dry_run(submission("w")), id="dry run"),
        pytest.param(lambda gate: gate.find(name="w", project_id="1"), id="look-up by name"),
        pytest.param(lambda gate: gate.projects(name="p", cluster_id=None), id="project"),
        pytest.param(lambda gate: gate.project("1"), id="project by id"),
    ],
)
async def test_one_failing_object_never_opens_a_circuit(bench, job):
    bench.runai.trouble = dict.fromkeys(CallClass, Unavailable("HTTP 500"))
    for _ in range(20):
        await bench.fails(job(bench.gate))

    assert {kind: bench.gate.error(kind) for kind in CallClass} == dict.fromkeys(CallClass)


async def test_the_poller_alone_is_enough_to_learn_that_lists_fail(bench):
    bench.runai.trouble[LISTS] = Unavailable("HTTP 500")
    for deleted in (False, True):
        await bench.fails(bench.gate.rows(RowQuery(deleted=deleted)))

    assert bench.gate.error(LISTS) is not None


@pytest.mark.parametrize("query", [RowQuery(), RowQuery(latest=True), RowQuery(deleted=True)])
async def test_one_list_that_fails_alone_does_not_hold_up_the_others(bench, query):
    bench.runai.trouble[LISTS] = Unavailable("HTTP 500")
    for _ in range(10):
        await bench.fails(bench.gate.rows(query))

    assert bench.gate.error(LISTS) is None


@pytest.mark.parametrize(
    "error", [InvalidWorkload("HTTP 400"), NameTaken("HTTP 409"), Busy("HTTP 409"), AccessDenied("HTTP 403")]
)
async def test_an_error_about_the_object_proves_that_the_service_works(bench, error):
    for kind in (READS, WRITES):
        bench.runai.trouble[kind] = Unavailable("HTTP 500")
        await bench.fails(bench.call(kind, "a"))
        bench.runai.trouble[kind] = error
        said = await bench.fails(bench.call(kind, "b"))
        assert said.circuit is None, "it counts for no circuit"
        bench.runai.trouble[kind] = Unavailable("HTTP 500")
        await bench.fails(bench.call(kind, "c"))

        assert bench.gate.error(kind) is None
        assert bench.gate.trouble_for(kind) <= bench.runai.latency.get(kind, 0.01), "only the last call counts"


async def test_a_project_that_refuses_proves_that_the_service_works(bench):
    for project, error in [("1", Unavailable("HTTP 500")), ("2", AccessDenied("HTTP 403")), ("3", Unavailable("x"))]:
        bench.runai.trouble[WRITES] = error
        await bench.fails(bench.gate.create(submission("w", project)))

    assert bench.gate.error(WRITES) is None


async def test_unknown_outcomes_open_the_circuit_and_later_writes_are_not_sent(bench):
    bench.runai.trouble[WRITES] = OutcomeUnknown("HTTP 503")
    first = await bench.fails(bench.gate.create(submission("a")), OutcomeUnknown)
    await bench.fails(bench.gate.create(submission("b")), OutcomeUnknown)

    refusal = await bench.fails(bench.gate.create(submission("c")), CircuitOpen)

    assert (first.circuit, refusal.circuit) == (WRITES, WRITES)
    assert refusal.condition_reason == "RunaiUnavailable"
    assert "HTTP 503" in refusal.message


async def test_an_older_call_that_times_out_changes_nothing(bench):
    bench.runai.latency[WRITES] = 20
    bench.runai.trouble[WRITES] = OutcomeUnknown("lost")
    old = [bench.spawn(bench.gate.create(submission(name))) for name in "ab"]
    await asyncio.sleep(19)
    bench.runai.latency[WRITES] = 0
    await bench.open(WRITES, Throttled("slow down", after=50))
    bench.runai.trouble[WRITES] = OutcomeUnknown("lost")
    await asyncio.sleep(5)

    for task in old:
        assert isinstance(task.exception(), OutcomeUnknown), "it was sent"
        assert bench.gate.park("late", task.exception()), "it waits with the others all the same"
    refusal = await bench.fails(bench.gate.create(submission("c")), CircuitOpen)
    assert refusal.condition_reason == "RunaiThrottled"


# --- partial outages, and the way back


async def test_failing_writes_cost_few_posts_delay_no_reads_and_all_recover(bench):
    bench.runai.trouble[WRITES] = OutcomeUnknown("HTTP 503")
    bench.runai.latency[WRITES] = 0.1
    bench.begin_creates(300)
    slowest = 0.0
    for _ in range(1200):
        before = bench.loop.time()
        await bench.gate.get("bystander")
        await bench.gate.rows(RowQuery())
        slowest = max(slowest, bench.loop.time() - before)
        await asyncio.sleep(0.5)

    assert slowest < 0.05
    assert busiest_minute(bench.runai.times(WRITES)) <= 30
    assert len(bench.runai.times(WRITES, since=300)) <= 15, "300 more seconds at one canary in 22 to 30"
    assert len(bench.woken) <= 60, "each costs a read of the custom resource"
    assert bench.done == {}

    bench.runai.trouble[WRITES] = None
    healed = bench.loop.time()
    await asyncio.sleep(60)

    assert len(bench.done) == 300
    assert max(bench.done.values()) - healed < 45, "a pause of 30 s, and 1 + 2 + 4 ... + 64 + 64 + ... in 10 s"
    assert bench.gate.parked == 0
    recovery = [time - min(bench.done.values()) for time in bench.done.values()]
    assert [sum(second <= each < second + 1 for each in recovery) for second in range(4)] == pytest.approx(
        [2, 2, 4, 8], abs=1
    ), "the canary and one more in the first second, and then twice as many each second"
    assert max(Counter(int(each) for each in recovery).values()) <= 65


async def test_a_circuit_that_opens_again_stops_the_trickle(bench):
    bench.runai.trouble[WRITES] = Throttled("slow down")
    bench.begin_creates(200)
    await asyncio.sleep(1)
    bench.runai.trouble[WRITES] = None
    await asyncio.sleep(8)
    assert 10 < len(bench.done) < 150

    bench.runai.trouble[WRITES] = Throttled("slow down")
    await asyncio.sleep(1)
    done, woken, reopened = len(bench.done), len(bench.woken), bench.loop.time()
    assert bench.gate.error(WRITES) is not None
    await asyncio.sleep(60)

    assert len(bench.done) == done
    assert bench.gate.parked >= 199 - done, "all but a canary"
    assert len(bench.woken) - woken <= 8
    assert len(bench.runai.times(WRITES, since=reopened)) <= 8

    bench.runai.trouble[WRITES] = None
    await asyncio.sleep(60)
    assert len(bench.done) == 200


async def test_the_trickle_begins_anew_after_each_outage(bench):
    for _ in range(2):
        bench.woken.clear()
        await bench.open(READS, Throttled("slow down"))
        bench.runai.trouble.clear()
        for number in range(60):
            name = f"w{number}"
            bench.jobs[name] = lambda name=name: bench.gate.get(name)
            assert bench.gate.park(name, Unavailable("").within(READS))
        await asyncio.sleep(60)

        canary, first, *others = [time for time, _ in bench.woken]
        assert canary < first
        assert len(others) == 58
        assert not [time for time in others if time < first + 0.99]


async def test_the_trickle_does_not_grow_while_its_calls_get_no_answer(bench):
    await bench.open(WRITES, Throttled("slow down"))
    bench.begin_creates(200)
    await asyncio.sleep(0)
    bench.runai.trouble[WRITES] = None
    bench.runai.latency[WRITES] = 0.01
    await asyncio.sleep(1.05)
    assert bench.gate.error(WRITES) is None
    bench.runai.latency[WRITES] = 100
    before = len(bench.woken)
    await asyncio.sleep(20)

    assert 10 <= len(bench.woken) - before <= 45, "one or two a second, not 64"


async def test_throttling_without_retry_after_backs_off(bench):
    bench.runai.trouble[WRITES] = Throttled("slow down")
    bench.begin_creates(200)
    await asyncio.sleep(1200)

    assert busiest_minute(bench.runai.times(WRITES)) <= 30
    assert len(bench.runai.times(WRITES, since=120)) <= 1080 / 22


async def test_a_retry_after_of_an_hour_stops_its_class_for_a_minute(bench):
    opened = await bench.open(WRITES, Throttled("slow down", after=3600))
    bench.begin_creates(10)
    for _ in range(300):
        await bench.gate.get("bystander")
        await bench.gate.rows(RowQuery())
        await asyncio.sleep(1)

    pauses = [later - earlier for earlier, later in itertools.pairwise([opened, *bench.runai.times(WRITES)[1:]])]
    assert len(pauses) >= 4
    assert all(60 <= pause < 61 for pause in pauses)


async def test_a_service_that_flaps_is_not_hammered(bench):
    def flap() -> BridgeError | None:
        return Unavailable("HTTP 500") if int(bench.loop.time()) % 10 < 5 else None

    bench.runai.trouble[READS] = lambda subject: flap()

    async def need_forever(uid: str) -> None:
        while True:
            await bench.gate.get(uid)
            await asyncio.sleep(1)

    for number in range(20):
        bench.begin(f"w{number}", lambda number=number: need_forever(f"w{number}"))
    await asyncio.sleep(600)

    openings = sum(report == (READS, False) for report in bench.reports)
    assert openings < 45, "every ten seconds would be 60: the back-off outlives each recovery"
    down = [time for time in bench.runai.times(READS, since=60) if int(time) % 10 < 5]
    assert len(down) / 54 < 18, "failing calls for each time that it is down"


async def test_a_cancelled_canary_frees_its_place(bench):
    await bench.open(READS, Throttled("slow down"))
    await asyncio.sleep(1.1)
    bench.runai.trouble[READS], bench.runai.latency[READS] = None, 10
    canary = bench.spawn(bench.gate.get("canary"))
    await asyncio.sleep(1)
    await bench.fails(bench.gate.get("other"), CircuitOpen)

    canary.cancel()
    await asyncio.sleep(0)
    await bench.gate.get("other")

    assert bench.gate.error(READS) is None


async def test_a_bug_in_the_canary_frees_its_place(bench):
    await bench.open(READS, Throttled("slow down"))
    await asyncio.sleep(1.1)
    bench.runai.trouble[READS] = lambda subject: RuntimeError("bug")
    with pytest.raises(RuntimeError):
        await bench.gate.get("a")
    bench.runai.trouble[READS] = None
    await bench.gate.get("b")

    assert bench.gate.error(READS) is None


async def test_parked_objects_that_need_no_call_do_not_hold_up_the_others(bench):
    opened = await bench.open(WRITES, Throttled("slow down"))
    bench.runai.trouble[WRITES] = None

    async def nothing() -> None:
        return

    for uid in ("idle 1", "idle 2"):
        assert bench.gate.park(uid, Unavailable("").within(WRITES))
        bench.jobs[uid] = nothing
    bench.begin_creates(1)
    await asyncio.sleep(30)

    assert [uid for _, uid in bench.woken] == ["idle 1", "idle 2", "1-w0"]
    first, second, third = (time - opened for time, _ in bench.woken)
    assert (second - first, third - second) == (pytest.approx(5, abs=0.01), pytest.approx(5, abs=0.01)), "patience"
    assert 0.75 <= first <= 1.01
    assert bench.gate.error(WRITES) is None


async def test_with_nobody_parked_the_next_call_is_the_canary(bench):
    await bench.open(LISTS, Throttled("slow down"))
    bench.runai.trouble[LISTS] = None
    await asyncio.sleep(3600)
    await bench.gate.rows(RowQuery())

    assert bench.woken == []
    assert bench.gate.error(LISTS) is None


async def test_a_canary_that_is_cancelled_makes_room_for_one_that_waits(bench):
    await bench.open(READS, Throttled("slow down"))
    bench.runai.trouble.clear()
    await asyncio.sleep(1)
    bench.runai.latency[READS] = 100.0
    canary = bench.spawn(bench.gate.get("a"))
    await asyncio.sleep(0)
    assert bench.gate.park("b", Unavailable("").within(READS))
    bench.jobs["b"] = lambda: bench.gate.get("b")
    await asyncio.sleep(10)
    assert bench.woken == []

    canary.cancel()
    await asyncio.sleep(1.1)
    assert [uid for _, uid in bench.woken] == ["b"]


async def test_an_error_names_the_circuit_that_it_counts_against(bench):
    bench.runai.trouble[READS] = Throttled("slow down")
    assert (await bench.fails(bench.gate.get("a"))).circuit == READS

    bench.runai.trouble[WRITES] = REFUSED_TOKEN
    assert (await bench.fails(bench.gate.delete("a"))).circuit == TOKEN


async def test_a_page_that_is_too_large_is_an_answer(bench):
    await bench.open(LISTS, Throttled("slow down"))
    bench.runai.trouble[LISTS] = PageTooLarge("huge")
    await asyncio.sleep(1)
    for name in ("a", "b", "c"):
        assert (await bench.fails(bench.call(LISTS, name), PageTooLarge)).circuit is None

    assert bench.gate.error(LISTS) is None


# --- parking


async def test_callers_that_cannot_be_woken_are_not_parked(bench):
    assert not bench.gate.park("a", Unavailable("", reason="x")), "no circuit named"
    assert not bench.gate.park("a", Unavailable("").within(READS)), "closed"
    assert not bench.gate.park("a", Unavailable("").within("create:7")), "not there"
    assert bench.gate.parked == 0


async def test_what_waits_for_nothing_of_its_own_waits_for_the_lists_while_they_fail(bench):
    await bench.open(LISTS, Throttled("slow down"))
    assert bench.gate.park("a", Unavailable("").within(READS))
    assert bench.gate.is_parked("a")
    assert not bench.gate.is_parked("b")

    bench.runai.trouble.clear()
    bench.jobs["a"] = lambda: bench.gate.get("a")
    await asyncio.sleep(5)
    assert "a" in bench.done


async def test_a_forgotten_object_is_not_woken_and_leaves_nothing_behind(bench):
    await bench.open(READS, Throttled("slow down"))
    await bench.open(WRITES, Throttled("slow down"))
    bench.runai.trouble.clear()
    for number in range(1000):
        assert bench.gate.park(f"w{number}", Unavailable("").within(READS))
        assert bench.gate.park(f"w{number}", Unavailable("").within(WRITES)), "parked again, elsewhere"
    assert bench.gate.parked == 1000
    for number in range(1000):
        bench.gate.unpark(f"w{number}")
    bench.gate.unpark("stranger")

    assert bench.gate.parked == 0
    assert not any(lot.parked for lot in bench.gate._lots.values())
    await asyncio.sleep(600)
    assert bench.woken == []


# --- the token, which is everybody's


async def test_a_refused_token_stops_all_classes_and_one_canary_frees_all(bench):
    await bench.open(READS, REFUSED_TOKEN)
    for kind in CallClass:
        refusal = await bench.fails(bench.call(kind), CircuitOpen)
        assert (refusal.circuit, refusal.condition_reason) == (TOKEN, "AccessDenied")
        assert bench.gate.trouble_for(kind) > 0 or bench.loop.time() < 1
    assert sorted(bench.reports[len(CallClass) :]) == sorted((kind, False) for kind in CallClass)

    bench.runai.trouble.clear()
    await asyncio.sleep(1.1)
    await bench.gate.rows(RowQuery())

    assert {kind: bench.gate.error(kind) for kind in CallClass} == dict.fromkeys(CallClass)
    assert sorted(bench.reports[2 * len(CallClass) :]) == sorted((kind, True) for kind in CallClass)


async def test_a_working_token_does_not_close_the_circuit_of_a_class(bench):
    await bench.open(WRITES, Throttled("slow down", after=60))
    await bench.open(READS, REFUSED_TOKEN)
    bench.runai.trouble.clear()
    await asyncio.sleep(1.1)
    await bench.gate.get("a")

    assert bench.gate.error(READS) is None
    assert bench.gate.error(WRITES).condition_reason == "RunaiThrottled"
    assert ("writes", True) not in bench.reports[3:]


async def test_a_failing_server_says_nothing_about_the_token(bench):
    await bench.open(READS, REFUSED_TOKEN)
    bench.runai.trouble = {READS: Unavailable("HTTP 500")}
    await asyncio.sleep(1.1)
    await bench.fails(bench.gate.get("a"), Unavailable)

    assert bench.gate.error(LISTS).circuit == TOKEN
    await bench.gate.rows(RowQuery())
    assert bench.gate.error(LISTS) is None


async def test_all_objects_waiting_for_the_token_recover(bench):
    bench.runai.trouble = dict.fromkeys(CallClass, REFUSED_TOKEN)
    bench.begin_creates(50)
    for number in range(50):
        bench.begin(f"r{number}", lambda number=number: bench.gate.get(f"r{number}"))
    await asyncio.sleep(300)
    assert busiest_minute([time for time, _, _ in bench.runai.calls]) <= 30

    bench.runai.trouble.clear()
    await asyncio.sleep(45)

    assert len(bench.done) == 100
    assert bench.gate.parked == 0


async def test_objects_waiting_for_a_class_recover_although_the_token_canary_is_gone(bench):
    await bench.open(WRITES, Throttled("slow down"))
    bench.begin_creates(3)
    await bench.open(READS, REFUSED_TOKEN)
    bench.runai.trouble.clear()
    await asyncio.sleep(60)

    assert len(bench.done) == 3


# --- projects that refuse writes


async def test_a_project_that_refuses_writes_gets_one_canary_and_delays_no_other(bench):
    denied = AccessDenied("HTTP 403: no role in project 1")
    bench.runai.trouble[WRITES] = lambda subject: denied if subject.startswith("1/") else None
    bench.begin_creates(100)
    await asyncio.sleep(1)
    refusal = await bench.fails(bench.gate.create(submission("x")), CircuitOpen)
    assert (refusal.circuit, refusal.condition_reason) == ("create:1", "AccessDenied")
    assert refusal.message == denied.message

    bench.begin_creates(50, project="2")
    await asyncio.sleep(5)
    assert len(bench.done) == 50
    assert all(bench.gate.error(kind) is None for kind in CallClass), "the class works"
    begun = bench.loop.time()
    await asyncio.sleep(3600)
    tries = [time for time, kind, subject in bench.runai.calls if subject.startswith("1/") and time > begun]
    assert len(tries) <= 3600 / 225 + 5, "30 s, doubled to five minutes"
    assert min(later - earlier for earlier, later in itertools.pairwise(tries)) > 40

    bench.runai.trouble.clear()
    await asyncio.sleep(330)
    assert len(bench.done) == 150
    assert bench.gate.parked == 0


async def test_objects_waiting_for_a_project_stay_parked_while_all_writes_fail(bench):
    bench.runai.trouble[WRITES] = AccessDenied("HTTP 403")
    bench.begin_creates(100)
    await asyncio.sleep(1)
    bench.runai.trouble[WRITES] = Throttled("slow down", after=60)
    for _ in range(8):  # whoever comes along is the canary
        await bench.fails(bench.gate.delete("other"))
        await asyncio.sleep(59.9)
        refused = bench.gate.error(WRITES)
        assert refused is not None
        await asyncio.sleep(0.2)
    assert len(bench.woken) <= 2 * 8, "at most one at each chance, and no more after it failed"

    bench.runai.trouble.clear()
    await asyncio.sleep(400)
    assert len(bench.done) == 100
    assert bench.gate.parked == 0


async def test_a_404_that_is_not_believed_counts_as_a_denied_read_of_its_project(bench):
    hidden = NotVisible("the project is hidden")
    for name in ("a", "b"):
        error = bench.gate.not_found(name, project="1", doubt=hidden)
        assert (error.circuit, error.scope) == ("read:1", Scope.PROJECT)

    refusal = await bench.fails(bench.gate.get("c", project="1"), CircuitOpen)
    assert (refusal.message, refusal.scope) == (hidden.message, Scope.PROJECT)
    assert bench.runai.calls == []
    await bench.gate.get("c", project="2")
    assert bench.gate.park("c", refusal)


async def test_a_404_does_not_prove_that_the_project_may_be_read_but_a_workload_does(bench):
    for name in ("a", "b"):
        bench.gate.not_found(name, project="1", doubt=NotVisible("the project is hidden"))
    await asyncio.sleep(40)
    bench.runai.missing.add("c")
    assert await bench.gate.get("c", project="1") is None
    bench.gate.not_found("c", project="1", doubt=NotVisible("still"))
    await bench.fails(bench.gate.get("d", project="1"), CircuitOpen)

    await asyncio.sleep(80)
    assert await bench.gate.get("d", project="1") is not None
    assert await bench.gate.get("e", project="1") is not None


async def test_a_404_that_is_believed_opens_its_project_again(bench):
    for name in ("a", "b"):
        bench.gate.not_found(name, project="1", doubt=NotVisible("the project is hidden"))
    await asyncio.sleep(40)
    bench.runai.missing.add("c")
    assert await bench.gate.get("c", project="1") is None
    assert bench.gate.not_found("c", project="1", doubt=None) is None
    assert bench.gate.not_found("c", project="2", doubt=None) is None, "nobody has doubted that one"

    assert await bench.gate.get("d", project="1") is not None
    for name in ("e", "f"):
        bench.gate.not_found(name, project="1", doubt=NotVisible("hidden again"))
    await bench.fails(bench.gate.get("g", project="1"), CircuitOpen)


async def test_a_doubt_about_one_workload_stops_nobody(bench):
    for name in ("a", "b", "c"):
        doubt = Busy("not listed yet")
        assert bench.gate.not_found(name, project="1", doubt=doubt) is doubt

    assert await bench.gate.get("d", project="1") is not None


async def test_a_403_without_a_known_project_stops_nobody(bench):
    bench.runai.trouble[WRITES] = AccessDenied("HTTP 403")
    error = await bench.fails(bench.gate.delete("a"))
    bench.runai.trouble.clear()

    assert not bench.gate.park("a", error)
    assert set(bench.gate._lots) == {TOKEN, *CallClass}
    await bench.gate.delete("b")


async def test_a_forbidden_read_stops_no_project(bench):
    bench.runai.trouble[READS] = AccessDenied("HTTP 403")
    await bench.fails(bench.gate.get("a"))

    await bench.gate.create(submission("w"))


async def test_two_forbidden_reads_in_a_project_hold_up_its_others_and_one_does_not(bench):
    bench.runai.trouble[READS] = AccessDenied("HTTP 403")
    for _ in range(3):
        await bench.fails(bench.gate.get("a", project="1"), AccessDenied)
    error = await bench.fails(bench.gate.get("b", project="1"), AccessDenied)
    bench.runai.trouble.clear()

    assert error.circuit == "read:1"
    refusal = await bench.fails(bench.gate.get("c", project="1"), CircuitOpen)
    assert (refusal.message, refusal.condition_reason) == ("HTTP 403", "AccessDenied")
    await bench.gate.get("c", project="2")


async def test_a_404_of_a_call_that_is_older_than_the_doubt_about_its_project_is_an_answer(bench):
    bench.runai.missing.add("c")
    bench.runai.latency[READS] = 5.0
    older = bench.spawn(bench.gate.get("c", project="1"))
    await asyncio.sleep(1)
    for name in ("a", "b"):
        bench.gate.not_found(name, project="1", doubt=NotVisible("hidden"))

    assert await older is None


async def test_what_is_permitted_is_forgotten_while_others_are_woken(bench):
    bench.runai.trouble[WRITES] = AccessDenied("HTTP 403")
    await bench.fails(bench.gate.create(submission("w")))
    await asyncio.sleep(700)
    await bench.open(READS, Throttled("slow down"))
    assert bench.gate.park("a", Unavailable("").within(READS))
    await asyncio.sleep(0.1)

    assert set(bench.gate._lots) == {TOKEN, *CallClass}


async def test_a_failing_service_does_not_release_a_refused_project(bench):
    bench.runai.trouble[WRITES] = AccessDenied("HTTP 403")
    await bench.fails(bench.gate.create(submission("w")))
    await asyncio.sleep(31)
    bench.runai.trouble[WRITES] = OutcomeUnknown("HTTP 503")
    await bench.fails(bench.gate.create(submission("w")), OutcomeUnknown)

    assert bench.gate._lots["create:1"].circuit.open


async def test_projects_that_were_refused_once_are_forgotten(bench):
    for number in range(50):
        bench.runai.trouble[WRITES] = AccessDenied("HTTP 403")
        await bench.fails(bench.gate.create(submission("w", f"p{number}")))
    assert len(bench.gate._lots) == 50 + len({TOKEN, *CallClass})
    await asyncio.sleep(700)
    await bench.fails(bench.gate.create(submission("w", "new")))

    assert set(bench.gate._lots) == {TOKEN, *CallClass, "create:new"}


@pytest.mark.parametrize("verb", ["update", "delete", "create"])
async def test_a_permission_is_one_verb_in_one_project(bench, verb):
    def call(verb: str, project: str):
        match verb:
            case "update":
                return bench.gate.update("x", submission("x", project))
            case "delete":
                return bench.gate.delete("x", project=project)
            case _:
                return bench.gate.create(submission("x", project))

    bench.runai.trouble[WRITES] = AccessDenied("HTTP 403")
    await bench.fails(call(verb, "1"))
    bench.runai.trouble.clear()

    assert (await bench.fails(call(verb, "1"), CircuitOpen)).circuit == f"{verb}:1"
    await call(verb, "2")
    for other in {"update", "delete", "create"} - {verb}:
        await call(other, "1")


async def test_who_may_not_create_in_a_project_may_not_try_it_there(bench):
    bench.runai.trouble[WRITES] = AccessDenied("HTTP 403")
    await bench.fails(bench.gate.dry_run(submission("x")))
    bench.runai.trouble.clear()

    for ask in (bench.gate.create, bench.gate.dry_run):
        assert (await bench.fails(ask(submission("y")), CircuitOpen)).circuit == "create:1"
        await ask(submission("y", "2"))


async def test_a_doubt_that_is_new_lets_older_ones_be_forgotten(bench):
    bench.gate.not_found("a", project="1", doubt=NotVisible("hidden"))
    await asyncio.sleep(700)
    bench.gate.not_found("b", project="2", doubt=NotVisible("hidden"))

    assert set(bench.gate._lots) == {TOKEN, *CallClass, "read:2"}


async def test_doubts_about_one_project_add_up_however_far_apart(bench):
    bench.gate.not_found("a", project="1", doubt=NotVisible("hidden"))
    await asyncio.sleep(700)
    bench.gate.not_found("b", project="1", doubt=NotVisible("hidden"))

    await bench.fails(bench.gate.get("c", project="1"), CircuitOpen)


async def test_a_404_that_is_believed_wakes_those_who_wait_for_the_project(bench):
    for name in ("a", "b"):
        error = bench.gate.not_found(name, project="1", doubt=NotVisible("hidden"))
    bench.jobs["c"] = lambda: bench.gate.get("c", project="1")
    assert bench.gate.park("c", error)
    await asyncio.sleep(1)
    assert bench.woken == []

    assert bench.gate.not_found("d", project="1", doubt=None) is None
    await asyncio.sleep(1)
    assert "c" in bench.done


@pytest.mark.parametrize("kind", list(CallClass))
async def test_silence_is_the_time_without_any_answer_to_calls_under_way(bench, kind):
    assert bench.gate.silent_for(kind) == 0
    bench.runai.latency[kind] = 20.0
    bench.spawn(bench.call(kind))
    await asyncio.sleep(3)
    bench.spawn(bench.call(kind, "y"))
    await asyncio.sleep(10)

    assert bench.gate.silent_for(kind) == pytest.approx(13, abs=0.1), "since the older one was begun"
    assert all(bench.gate.silent_for(other) == 0 for other in CallClass if other is not kind)
    await asyncio.sleep(9)
    assert bench.gate.silent_for(kind) == pytest.approx(2, abs=0.1), "since the answer to that"
    await asyncio.sleep(2)
    assert bench.gate.silent_for(kind) == 0


# --- the port


async def test_what_is_asked_reaches_run_ai_as_it_was_asked():
    asked = []

    class Runai:
        def __getattr__(self, name):
            async def call(*args, **kwargs):
                asked.append((name, args, kwargs))

            return call

    gate = Gate(Runai(), wake=print, clock=asyncio.get_running_loop().time, random=Random(1), report=lambda *_: None)
    new, query = submission("w"), RowQuery(name="n", project_id="1")
    await gate.create(new)
    await gate.dry_run(new)
    await gate.get("g", project="1")
    await gate.update("u", new)
    await gate.delete("d", project="1")
    await gate.rows(query)
    await gate.find(name="f", project_id="2")
    await gate.row("r")
    await gate.projects(name="p", cluster_id="c")
    await gate.project("3")

    assert asked == [
        ("create", (new,), {}),
        ("dry_run", (new,), {}),
        ("get", ("g",), {}),
        ("update", ("u", new), {}),
        ("delete", ("d",), {}),
        ("rows", (query,), {}),
        ("find", (), {"name": "f", "project_id": "2"}),
        ("row", ("r",), {}),
        ("projects", (), {"name": "p", "cluster_id": "c"}),
        ("project", ("3",), {}),
    ]


@pytest.mark.parametrize(
    "ask",
    [
        lambda gate, key: gate.get(key),
        lambda gate, key: gate.row(key),
        lambda gate, key: gate.update(key, submission("same")),
        lambda gate, key: gate.projects(name=key, cluster_id=None),
        lambda gate, key: gate.project(key),
        lambda gate, key: gate.find(name=key, project_id="1"),
        lambda gate, key: gate.find(name="same", project_id=key),
        lambda gate, key: gate.dry_run(submission(key)),
        lambda gate, key: gate.dry_run(submission("same", key)),
    ],
    ids=["get", "row", "update", "projects", "project", "find", "find in", "dry run", "dry run in"],
)
async def test_two_questions_that_fail_are_no_coincidence_and_one_is(bench, ask):
    bench.runai.trouble = dict.fromkeys(CallClass, Unavailable("down"))
    for _ in range(3):
        await bench.fails(ask(bench.gate, "a"))
    assert all(bench.gate.error(kind) is None for kind in CallClass)

    await bench.fails(ask(bench.gate, "b"))
    assert any(bench.gate.error(kind) is not None for kind in CallClass)


# --- budget


async def test_a_burst_is_spread_in_order_of_arrival(bench):
    bench.start(budget=Budget(rate=10, burst=5))
    began = bench.loop.time()
    async with asyncio.TaskGroup() as group:
        for number in range(55):
            group.create_task(bench.gate.get(str(number)))

    assert [subject for _, _, subject in bench.runai.calls] == [str(number) for number in range(55)]
    assert bench.loop.time() - began == pytest.approx(5.0, abs=0.1), "50 beyond the burst, ten a second"


async def test_a_429_halves_the_rate_to_a_floor_and_success_restores_it_slowly():
    loop = asyncio.get_running_loop()
    bucket = TokenBucket(Budget(rate=50, burst=100, floor=2, restore=0.5), loop.time)

    async def rate() -> float:
        began = loop.time()
        for _ in range(20):
            await bucket.take()
        return 20 / (loop.time() - began) if loop.time() > began else float("inf")

    assert await rate() > 1000, "a burst"
    bucket.lower()
    assert await rate() == pytest.approx(25, rel=0.1), "half, and nothing saved up"
    await asyncio.sleep(3600)
    assert await rate() > 1000, "but a burst can be saved up again"
    began = loop.time()
    for _ in range(40):
        await bucket.take()
    assert loop.time() - began == pytest.approx(10 / 25, abs=0.1), "which shrinks with the rate: 50 instead of 100"
    for _ in range(10):
        bucket.lower()
    assert await rate() == pytest.approx(2, rel=0.1)

    await asyncio.sleep(3600)
    bucket.restore()
    assert bucket.rate == 2.5, "one success after a quiet hour proves little"
    for _ in range(94):
        await asyncio.sleep(1)
        bucket.restore()
    assert bucket.rate == pytest.approx(49.5)
    for _ in range(10):
        await asyncio.sleep(1)
        bucket.restore()
    assert bucket.rate == 50


async def test_many_429s_at_once_lower_the_rate_once(bench):
    bench.runai.trouble[READS] = Throttled("slow down")
    await asyncio.gather(*(bench.gate.get(str(n)) for n in range(16)), return_exceptions=True)

    assert bench.gate._budget.rate == Budget().rate / 2


async def test_a_caller_cancelled_while_waiting_takes_no_token():
    loop = asyncio.get_running_loop()
    bucket = TokenBucket(Budget(rate=1, burst=1, floor=1), loop.time)
    await bucket.take()
    waiting = [asyncio.create_task(bucket.take()) for _ in range(3)]
    await asyncio.sleep(0.5)
    waiting[0].cancel()
    waiting[1].cancel()
    await waiting[2]

    assert loop.time() == pytest.approx(1.0, abs=0.01)


async def test_waiting_callers_are_refused_when_the_circuit_opens(bench):
    bench.start(budget=Budget(rate=2, burst=2))
    bench.runai.trouble[WRITES] = OutcomeUnknown("HTTP 503")
    tasks = [bench.spawn(bench.gate.create(submission(f"w{n}"))) for n in range(12)]
    await asyncio.sleep(0.6)

    assert len(bench.runai.calls) == 2, "the rest had not been sent, and are not"
    assert Counter(type(task.exception()) for task in tasks) == {OutcomeUnknown: 2, CircuitOpen: 10}
    bench.runai.trouble.clear()
    await bench.gate.get("other")
    assert bench.loop.time() < 0.7, "their tokens were given back"


async def test_a_refused_call_does_not_wait_for_the_budget(bench):
    bench.start(budget=Budget(rate=0.1, burst=1, floor=0.1))
    await bench.open(WRITES, Throttled("slow down", after=60))
    began = bench.loop.time()
    await bench.fails(bench.gate.create(submission("w")), CircuitOpen)

    assert bench.loop.time() == began


# --- deadlines and the fence


@pytest.mark.parametrize(
    ("kind", "seconds", "expected"), [(LISTS, 60, Unavailable), (READS, 30, Unavailable), (WRITES, 60, OutcomeUnknown)]
)
async def test_a_call_that_hangs_ends_at_its_deadline(bench, kind, seconds, expected):
    bench.runai.latency[kind] = 1e6
    began = bench.loop.time()
    error = await bench.fails(bench.call(kind), expected)

    assert bench.loop.time() - began == pytest.approx(seconds)
    assert error.circuit == kind
    await bench.fails(bench.call(kind, "y"), expected)
    assert bench.gate.error(kind) is not None, "it counts as a failure"


async def test_a_write_that_still_waits_for_the_budget_was_surely_not_sent(bench):
    bench.start(budget=Budget(rate=0.001, burst=1, floor=0.001))
    await bench.gate.get("a")
    for name in "ab":
        error = await bench.fails(bench.gate.create(submission(name)), Unavailable)
        assert error.circuit is None

    assert bench.runai.times(WRITES) == []
    assert bench.gate.error(WRITES) is None, "nothing that Run:ai could be blamed for"


async def test_waiting_for_the_budget_counts_towards_the_deadline(bench):
    bench.start(budget=Budget(rate=0.05, burst=1, floor=0.05))
    await bench.gate.get("a")
    bench.runai.latency[READS] = 1e6
    began = bench.loop.time()
    await bench.fails(bench.gate.get("b"), Unavailable)

    assert len(bench.runai.times(READS)) == 2, "it was sent"
    assert bench.loop.time() - began == pytest.approx(30)


async def test_a_timeout_raised_inside_the_client_is_not_taken_for_the_deadline(bench):
    bench.runai.trouble[WRITES] = lambda subject: TimeoutError("unmapped")
    with pytest.raises(TimeoutError):
        await bench.gate.create(submission("w"))


class TestAFence:
    """What is left to this process as the leader."""

    async def test_that_is_closed_lets_nothing_through(self, bench):
        bench.left = 0.0
        for kind in CallClass:
            error = await bench.fails(bench.call(kind), CircuitOpen)
            assert error.circuit == LEADER
            assert not bench.gate.park("a", error), "nobody would wake it"

        assert bench.runai.calls == []

    @pytest.mark.parametrize(("kind", "expected"), [(READS, Unavailable), (WRITES, OutcomeUnknown)])
    async def test_that_closes_during_a_call_cancels_it_and_opens_no_circuit(self, bench, kind, expected):
        bench.left = 5.0
        bench.runai.latency[kind] = 1e6
        began = bench.loop.time()
        for key in "ab":
            error = await bench.fails(bench.call(kind, key), expected)
            assert error.circuit is None

        assert bench.loop.time() - began == pytest.approx(10)
        assert bench.gate.error(kind) is None

    async def test_that_closes_while_a_write_waits_for_the_budget_stops_it(self, bench):
        bench.start(budget=Budget(rate=0.1, burst=1, floor=0.1))
        await bench.gate.get("a")
        lost = bench.loop.time() + 5
        bench.gate._fence = lambda: lost - bench.loop.time()

        error = await bench.fails(bench.gate.create(submission("w")), CircuitOpen)

        assert error.circuit == LEADER
        assert bench.loop.time() == pytest.approx(lost)
        assert bench.runai.times(WRITES) == []

    async def test_that_closes_suddenly_is_noticed_after_the_wait_for_the_budget(self, bench):
        bench.start(budget=Budget(rate=0.1, burst=1, floor=0.1))
        await bench.gate.get("a")
        waiting = bench.spawn(bench.gate.create(submission("w")))
        await asyncio.sleep(1)
        bench.left = 0.0
        await asyncio.sleep(20)

        assert isinstance(waiting.exception(), CircuitOpen)
        assert bench.runai.times(WRITES) == []

    async def test_that_closes_soon_lets_through_what_ends_before(self, bench):
        bench.left = 0.5

        assert await bench.gate.get("a") is not None

    async def test_that_closed_during_a_canary_leaves_its_place_free(self, bench):
        await bench.open(READS, Throttled("slow down"))
        bench.runai.trouble.clear()
        await asyncio.sleep(1)
        bench.runai.latency[READS] = 5.0
        bench.left = 0.5
        await bench.fails(bench.gate.get("a"), Unavailable)

        bench.left = None
        assert await bench.gate.get("a") is not None

    async def test_that_is_far_away_changes_nothing(self, bench):
        bench.left = 1000.0
        bench.runai.latency[READS] = 1e6
        error = await bench.fails(bench.gate.get("a"), Unavailable)

        assert error.circuit == READS


# --- what others ask and hear


async def test_trouble_lasts_as_long_as_the_worst_of_the_classes(bench):
    bench.runai.trouble[WRITES] = OutcomeUnknown("HTTP 503")
    bench.begin_creates(3)
    for _ in range(100):
        await bench.gate.rows(RowQuery())
        await asyncio.sleep(3)

    assert bench.gate.trouble_for(LISTS, READS) == 0, "lists answer, and nobody reads"
    assert bench.gate.trouble_for(READS, WRITES) == pytest.approx(300, abs=5)
    assert bench.gate.trouble_for() == 0

    bench.runai.trouble.clear()
    await asyncio.sleep(31)
    assert bench.gate.trouble_for(*CallClass) == 0


async def test_trouble_lasts_since_the_first_call_that_had_no_answer_was_begun(bench):
    bench.runai.latency[READS] = 1000.0
    await bench.fails(bench.gate.get("a"), Unavailable)

    assert bench.gate.trouble_for(READS) == pytest.approx(30, abs=0.1)


async def test_trouble_with_the_token_counts_for_every_class(bench):
    await bench.open(READS, REFUSED_TOKEN)
    await asyncio.sleep(10)

    assert bench.gate.trouble_for(WRITES) == pytest.approx(10)


async def test_a_class_that_is_down_already_is_not_reported_again(bench):
    await bench.open(READS, Throttled("slow down"))
    await bench.open(WRITES, REFUSED_TOKEN)

    assert Counter(bench.reports) == Counter(
        {**{(kind, True): 1 for kind in CallClass}, **{(kind, False): 1 for kind in CallClass}}
    )


@pytest.mark.parametrize(
    ("query", "key"),
    [
        (RowQuery(), "all"),
        (RowQuery(latest=True), "changed"),
        (RowQuery(changed_since=datetime(2026, 1, 1, tzinfo=UTC)), "changed"),
        (RowQuery(deleted=True), "deleted"),
        (RowQuery(deleted=True, latest=True), "deleted"),
    ],
)
async def test_the_poller_has_three_lists(bench, query, key):
    assert _list_of(query) == key


@pytest.mark.parametrize("query", [RowQuery(name="n"), RowQuery(project_id="1"), RowQuery(name="n", project_id="1")])
async def test_what_is_asked_for_one_object_is_no_list_of_the_poller(bench, query):
    bench.runai.trouble = dict.fromkeys(CallClass, Throttled("slow down"))
    await bench.fails(bench.gate.rows(query))

    assert bench.gate.error(LISTS) is None
    assert bench.gate.error(CallClass.LOOKUPS) is not None


async def test_the_log_has_one_line_for_an_outage_and_one_for_its_end(bench, caplog):
    caplog.set_level(logging.INFO, "runai_operator.engine.gate")
    bench.runai.trouble[WRITES] = OutcomeUnknown("HTTP 503")
    bench.begin_creates(100)
    await asyncio.sleep(600)
    bench.runai.trouble.clear()
    await asyncio.sleep(60)

    told = [(record.levelname, record.circuit, getattr(record, "reason", None)) for record in caplog.records]
    assert told == [("WARNING", "writes", "RunaiUnavailable"), ("INFO", "writes", None)]


async def test_at_rest_no_timer_runs(bench):
    """The engine is simulated for days: an idle gate must not cost a step of the loop."""
    stirred = 0
    wait = bench.gate._stirred.wait

    async def counted() -> bool:
        nonlocal stirred
        stirred += 1
        return await wait()

    bench.gate._stirred.wait = counted
    for _ in range(100):
        await bench.gate.get("a")
        await asyncio.sleep(60)

    assert stirred <= 1


async def test_the_client_is_closed_with_the_gate(bench):
    await bench.gate.aclose()
    assert bench.runai.closed

    bench.runai = object()
    bench.start()
    await bench.gate.aclose()


def test_a_copied_error_is_the_same_but_for_its_circuit():
    error = AccessDenied("no", reason="Special", scope=Scope.CONNECTION)
    error.__cause__ = ValueError("why")
    twin = error.within("token")

    assert (type(twin), twin.message, str(twin), twin.condition_reason, twin.scope, twin.circuit) == (
        AccessDenied,
        "no",
        "no",
        "Special",
        Scope.CONNECTION,
        "token",
    )
    assert (twin.__cause__, twin.__traceback__) == (None, None)
    assert error.circuit is None
    assert Throttled("wait", after=7).within("reads").after == 7
    assert CircuitOpen("no", circuit="lists").within("reads").circuit == "reads"
