"""What is told of one object, by the whole engine in virtual time: one line of the log each, and Events for people."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import Counter

import pytest

from fakes.bench import RUNS_ON, Bench
from runai_operator.domain.errors import AccessDenied, InvalidWorkload, KubernetesUnavailable
from runai_operator.domain.model import ExternalDeletionPolicy
from runai_operator.engine.events import BUDGET, MOST_CHANGES, QUEUE, WINDOW

pytestmark = pytest.mark.looptime

OTHER = RUNS_ON | {"spec": {"replicas": 2}}


@pytest.fixture
async def bench(caplog):
    caplog.set_level(logging.INFO, "runai_operator")
    bench = Bench()
    yield bench
    await bench.stop()
    assert bench.observer.bugs == 0


def events_of(bench, name="w"):
    """Reasons in the order of their times."""
    found = [(when, event) for about, event, when in bench.kube.events if about.ref.name == name]
    return [event.reason for _, event in sorted(found, key=lambda each: each[0])]


def lines_of(caplog, name="w"):
    return [record for record in caplog.records if getattr(record, "object", None) == name]


async def test_a_life_is_told_by_one_event_for_each_operation_and_each_reason_that_people_wait_for(bench):
    await bench.start()
    stored = bench.apply("w")
    await asyncio.sleep(30)
    bench.edit(stored, manifest=OTHER)
    await asyncio.sleep(30)
    bench.delete(stored)
    await asyncio.sleep(30)

    assert bench.kube.released
    assert events_of(bench) == ["Created", "Running", "Updated", "Deleted"]
    assert not any(event.is_warning for _, event, _ in bench.kube.events)
    assert {about.ref.uid for about, _, _ in bench.kube.events} == {stored.ref.uid}


async def test_the_log_has_a_line_for_each_operation_with_everything_that_identifies_it(bench, caplog):
    await bench.start()
    stored = bench.apply("w")
    await asyncio.sleep(30)
    workload_id = stored.status["workloadId"]
    bench.edit(stored, manifest=OTHER)
    await asyncio.sleep(30)
    bench.delete(stored)
    await asyncio.sleep(30)
    operations = [line for line in lines_of(caplog) if getattr(line, "action", "Reconcile") != "Reconcile"]

    assert [(line.action, line.reason, line.generation) for line in operations] == [
        ("Create", "Created", 1),
        ("Update", "Updated", 2),
        ("Delete", "Deleted", 3),
        ("Release", "Released", 3),
    ]
    for line in operations:
        assert (line.namespace, line.object, line.uid) == ("ns", "w", stored.ref.uid)
        assert (line.workload_id, line.connection) == (workload_id, "default")
        assert line.duration >= 0
        assert line.getMessage().endswith(".")
    changes = [line.reason for line in lines_of(caplog) if getattr(line, "action", None) == "Reconcile"]
    assert changes[0] == "Syncing"
    assert "Running" in changes
    assert all(first != second for first, second in itertools.pairwise(changes)), "only changes"


async def test_a_refusal_is_a_warning_that_says_what_run_ai_said_in_the_log_and_as_an_event(bench, caplog):
    await bench.start()
    bench.apply("w", manifest=RUNS_ON | {"kind": "Nonsense"})
    await asyncio.sleep(30)
    refused = [event for _, event, _ in bench.kube.events]
    warned = [line for line in lines_of(caplog) if line.levelno == logging.WARNING]

    assert [(event.reason, event.is_warning) for event in refused] == [("InvalidSpec", True)]
    assert [line.reason for line in warned] == ["InvalidSpec"]
    assert warned[0].getMessage() == refused[0].message
    assert "workload type" in warned[0].getMessage()
    attempts = [line for line in lines_of(caplog) if line.action == "Create"]
    assert [(line.reason, line.levelname) for line in attempts] == [("InvalidSpec", "INFO")]


async def test_a_recreation_and_an_adoption_are_told_as_such(bench):
    await bench.start()
    stored = bench.apply("w", external_deletion_policy=ExternalDeletionPolicy.RECREATE)
    await asyncio.sleep(30)
    first = stored.status["workloadId"]
    bench.runai.world.delete(bench.runai.live()[0], bench.now())
    await asyncio.sleep(400)

    assert stored.status["workloadId"] != first
    told = [(event.reason, event.action) for about, event, _ in bench.kube.events if about.ref.name == "w"]
    assert ("DeletedExternally", "Recreate") in told
    assert ("Recreated", "Create") in told

    bench.apply("taker", workload_id=stored.status["workloadId"])
    await asyncio.sleep(30)
    assert events_of(bench, "taker") == ["ManagedByOther"]


async def test_without_events_the_log_still_tells_everything_and_nothing_is_sent(bench, caplog):
    await bench.start(events=False)
    bench.apply("w")
    await asyncio.sleep(30)

    assert bench.kube.events == []
    assert "Created" in [line.reason for line in lines_of(caplog)]


async def test_debug_shows_the_decisions_of_each_pass_and_no_body(bench, caplog):
    caplog.set_level(logging.DEBUG, "runai_operator.engine.reconcile")
    await bench.start()
    bench.apply("w", manifest=RUNS_ON | {"metadata": {"annotations": {"a": "from-the-manifest"}}})
    await asyncio.sleep(30)
    decided = [line.getMessage() for line in lines_of(caplog) if line.levelno == logging.DEBUG]

    assert decided[:5] == [
        "decided: Render",
        "decided: AddFinalizer",
        "decided: Create",
        "decided: RecordId",
        "decided: delivered",
    ] or decided[:4] == ["decided: Render", "decided: AddFinalizer", "decided: Create", "decided: delivered"]
    assert "from-the-manifest" not in caplog.text


# --- they cost others nothing


async def burst(bench, **settings):
    """Seconds until all are ready, and the writes of status and finalizers by then."""
    await bench.start(**settings)
    began = bench.loop.time()
    for number in range(200):
        bench.apply(f"w{number}")
    while bench.ready() < 200:  # noqa: ASYNC110 - time is virtual
        await asyncio.sleep(0.1)
    return bench.loop.time() - began, bench.kube.writes


async def test_a_burst_takes_as_long_with_events_as_without_and_they_come_at_their_own_rate(bench):
    other = Bench()
    without = await burst(other, events=False)
    await other.stop()
    took, writes = await burst(bench)

    assert (took, writes) == pytest.approx(without, rel=0.02)
    assert len(bench.kube.events) <= BUDGET.burst + BUDGET.rate * (took + 1)
    await asyncio.sleep(400 / BUDGET.rate)
    assert Counter(event.reason for _, event, _ in bench.kube.events) == {"Created": 200, "Running": 200}


async def test_events_that_cannot_be_sent_fail_no_pass_and_are_counted(bench, monkeypatch, caplog):
    results = Counter()
    monkeypatch.setattr(bench.observer, "event", lambda result: results.update([result]), raising=False)
    kube = bench.kube_access

    def without_the_right(chance):
        access = kube(chance)

        async def denied(*_):
            raise AccessDenied("The operator is not allowed to create events.")

        access.record_event = denied
        return access

    monkeypatch.setattr(bench, "kube_access", without_the_right)
    await bench.start()
    bench.apply("w")
    await asyncio.sleep(30)

    assert bench.ready() == 1
    assert results == {"failed": 2}
    assert [line.getMessage() for line in caplog.records if "Events are lost" in line.getMessage()] == [
        "Kubernetes Events are lost: The operator is not allowed to create events."
    ]


@pytest.mark.parametrize("write", ["write_finalizers", "write_status"])
async def test_what_kubernetes_refuses_to_have_written_is_told_by_an_event_since_no_status_can(
    bench, monkeypatch, write
):
    """As for an object that leaves no room for a status, or where a policy forbids finalizers."""
    kube = bench.kube_access

    def refusing(chance):
        access = kube(chance)

        async def refused(*_, **__):
            raise InvalidWorkload("Kubernetes refuses to patch runaiworkloads: a policy says no.")

        setattr(access, write, refused)
        return access

    monkeypatch.setattr(bench, "kube_access", refusing)
    await bench.start()
    stored = bench.apply("w")
    await asyncio.sleep(500)
    told = [(event.reason, event.message) for _, event, _ in bench.kube.events if event.is_warning]
    assert not stored.status.get("conditions")
    assert told == [("InvalidSpec", "Kubernetes refuses to patch runaiworkloads: a policy says no.")]


@pytest.mark.parametrize("fails", [lambda ns, n: ns == "closed", lambda ns, n: n % 2], ids=["a namespace", "at times"])
async def test_events_that_are_lost_in_one_place_or_now_and_then_are_told_once_and_not_again_for_each(
    bench, monkeypatch, caplog, fails
):
    kube, count = bench.kube_access, itertools.count()

    def failing(chance):
        access = kube(chance)
        send = access.record_event

        async def record_event(about, event, when):
            if fails(about.ref.namespace, next(count)):
                raise AccessDenied(f"The operator is not allowed to create events in namespace {about.ref.namespace}.")
            await send(about, event, when)

        access.record_event = record_event
        return access

    monkeypatch.setattr(bench, "kube_access", failing)
    await bench.start()
    for number in range(20):
        bench.apply(f"c{number}", namespace="closed")
        bench.apply(f"o{number}", namespace="open")
    await asyncio.sleep(60)
    lost = [line for line in caplog.records if "Events are lost" in line.getMessage()]
    assert bench.ready() == 40
    assert 1 <= len(lost) <= 2
    assert len({line.namespace for line in lost}) == len(lost)


async def test_a_kubernetes_that_takes_no_events_for_an_hour_holds_up_nobody(bench, monkeypatch):
    results = Counter()
    monkeypatch.setattr(bench.observer, "event", lambda result: results.update([result]), raising=False)
    kube = bench.kube_access

    def hanging(chance):
        access = kube(chance)

        async def never(*_):
            await asyncio.sleep(3600)
            raise KubernetesUnavailable("The Kubernetes API did not answer in time.")

        access.record_event = never
        return access

    monkeypatch.setattr(bench, "kube_access", hanging)
    await bench.start()
    for number in range(QUEUE // 2):
        bench.apply(f"w{number}")
    await asyncio.sleep(120)

    assert bench.ready() == QUEUE // 2
    assert results["dropped"] >= QUEUE // 2 - 2, "half of the places is kept for warnings"
    bench.apply("bad", manifest=RUNS_ON | {"kind": "Nonsense"})
    dropped = results["dropped"]
    await asyncio.sleep(30)
    assert results["dropped"] == dropped, "a warning has its place"


async def test_nothing_is_sent_by_a_process_that_may_not_write(bench):
    await bench.start()
    bench.apply("w")
    await asyncio.sleep(30)
    sent = len(bench.kube.events)
    bench.engine.fence.close()
    bench.engine._events.record(*bench.kube.events[0][:2])
    await asyncio.sleep(60)

    assert len(bench.kube.events) == sent


async def test_an_object_that_goes_back_and_forth_is_told_of_truly_at_first_and_then_seldom(bench):
    await bench.start()
    stored = bench.apply("w")
    await asyncio.sleep(30)
    for paused in [True, False] * 25:
        bench.kube.touch(stored, paused=paused)
        bench.engine.observe("MODIFIED", stored.meta())
        await asyncio.sleep(10)
    told = events_of(bench)

    assert told == ["Created", *["Running", "Paused"] * (MOST_CHANGES // 2)]
    await asyncio.sleep(WINDOW)
    bench.edit(stored, manifest=OTHER)
    await asyncio.sleep(30)
    assert events_of(bench) == [*told, "Updated", "Running"], "it is told of again after a while"


async def test_a_restart_tells_nothing_again(bench):
    await bench.start()
    bench.apply("w")
    await asyncio.sleep(30)
    told = len(bench.kube.events)
    await bench.start()
    await asyncio.sleep(700)

    assert len(bench.kube.events) == told
