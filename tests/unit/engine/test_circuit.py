"""The circuit breaker's promises: when it opens, whom it lets through, how long it waits."""

from __future__ import annotations

import gc
import itertools
import math
import traceback
import weakref
from random import Random

import pytest

from runai_operator.domain.errors import (
    AccessDenied,
    BridgeError,
    CircuitOpen,
    NotVisible,
    OutcomeUnknown,
    Scope,
    Throttled,
    Unavailable,
    UnexpectedReply,
)
from runai_operator.engine.circuit import LONGEST_SILENCE, Circuit, Pauses

PAUSES = Pauses(first=1.0, ceiling=30.0, hint_ceiling=60.0, calm=60.0)


class NoJitter(Random):
    def random(self) -> float:
        return 1.0


class Bench:
    """A circuit with a clock that is set by hand."""

    def __init__(self, random: Random | None = None) -> None:
        self.now = 1000.0
        self.changes: list[bool] = []
        self.circuit = Circuit(
            "reads",
            pauses=PAUSES,
            random=random or NoJitter(),
            changed=lambda circuit: self.changes.append(circuit.open),
        )

    def succeed(self) -> None:
        self.circuit.succeed(self.circuit.enter(), self.now)

    def fail(self, key: str, error: BridgeError | None = None) -> None:
        self.circuit.fail(self.circuit.enter(), self.now, error or Unavailable("HTTP 500"), key=key)

    def trip(self, error: BridgeError) -> bool:
        return self.circuit.trip(self.circuit.enter(), self.now, error)

    def pause(self) -> float:
        """Seconds until the next canary."""
        return self.circuit.ready_at() - self.now

    def wait(self) -> None:
        self.now += self.pause()


def opened(error: BridgeError | None = None) -> Bench:
    bench = Bench()
    bench.fail("a", error)
    bench.fail("b", error)
    assert bench.circuit.open
    return bench


@pytest.mark.parametrize(
    ("calls", "is_open"),
    [
        pytest.param(["a", "b"], True, id="two objects in a row are not a coincidence"),
        pytest.param(["a"] * 50, False, id="one sick object says nothing about the others"),
        pytest.param(["a", None, "b", None, "c"], False, id="a success between proves that the service works"),
        pytest.param(["a", "a", None, "a", "b"], True, id="after a success it takes two again"),
    ],
)
def test_a_circuit_opens_when_different_objects_fail_in_a_row(calls, is_open):
    bench = Bench()
    for key in calls:
        bench.succeed() if key is None else bench.fail(key)

    assert bench.circuit.open is is_open
    assert bench.changes == ([True] if is_open else [])


def test_one_answer_about_the_whole_service_opens_the_circuit_at_once():
    bench = Bench()

    assert bench.trip(Throttled("slow down"))
    assert bench.circuit.open


def test_during_the_pause_no_call_is_admitted_and_afterwards_exactly_one():
    bench = opened()
    assert not bench.circuit.admits(bench.now)
    assert not bench.circuit.admits(bench.now + 0.99)

    bench.wait()
    assert bench.circuit.admits(bench.now)
    bench.circuit.enter()

    assert not bench.circuit.admits(bench.now + 3600), "the canary is out, however long it takes"


def test_nobody_is_woken_as_the_canary_while_one_is_out_or_the_circuit_is_closed():
    bench = opened()
    bench.wait()
    ticket = bench.circuit.enter()
    assert bench.circuit.ready_at() == math.inf

    bench.circuit.succeed(ticket, bench.now)
    assert bench.circuit.ready_at() == -math.inf


def test_the_canary_closes_or_reopens_the_circuit():
    bench = opened()
    bench.wait()
    bench.succeed()
    assert not bench.circuit.open
    assert bench.changes == [True, False]

    bench = opened()
    bench.wait()
    bench.fail("a")
    assert bench.circuit.open, "one failure of a canary is enough, even of the object that failed before"
    assert bench.changes == [True], "it was open all the time"


def test_pauses_double_to_a_ceiling_while_canaries_fail():
    bench = opened()
    pauses = []
    for _ in range(8):
        pauses.append(bench.pause())
        bench.wait()
        bench.fail("a")

    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]


def test_an_outage_of_weeks_does_not_overflow_the_back_off():
    bench = opened()
    for _ in range(3000):
        bench.wait()
        bench.fail("a")

    assert bench.pause() == 30


def test_jitter_only_shortens_a_pause():
    pauses = set()
    for seed in range(50):
        bench = Bench(Random(seed))
        bench.trip(Unavailable("down"))
        pauses.add(round(bench.pause(), 3))

    assert len(pauses) > 25
    assert 0.75 <= min(pauses) <= max(pauses) <= 1


@pytest.mark.parametrize(
    ("after", "pause"),
    [
        pytest.param(None, 1, id="no hint: the usual pause"),
        pytest.param(0.0, 1, id="a hint never shortens the pause"),
        pytest.param(20.0, 20, id="a hint lengthens it"),
        pytest.param(3600.0, 60, id="but to a minute at most"),
    ],
)
def test_a_retry_after_lengthens_the_pause(after, pause):
    bench = Bench()
    bench.trip(Throttled("slow down", after=after))

    assert bench.pause() == pause


def test_throttling_without_retry_after_backs_off_too():
    bench = Bench()
    pauses = []
    for _ in range(6):
        bench.trip(Throttled("slow down"))
        pauses.append(bench.pause())
        bench.wait()

    assert pauses == [1, 2, 4, 8, 16, 30]


@pytest.mark.parametrize(
    ("well_for", "next_pause"),
    [
        pytest.param(59, 8, id="a service that flaps does not start over"),
        pytest.param(60, 1, id="a minute of success forgives"),
    ],
)
def test_the_back_off_outlives_a_short_recovery(well_for, next_pause):
    bench = opened()
    for _ in range(2):
        bench.wait()
        bench.fail("a")
    bench.wait()
    bench.succeed()

    bench.now += well_for
    bench.trip(Throttled("slow down"))

    assert bench.pause() == next_pause


def test_a_canary_that_ends_without_a_verdict_frees_its_place_after_a_pause():
    bench = opened()
    bench.wait()
    bench.circuit.leave(bench.circuit.enter(), bench.now)

    assert bench.circuit.open
    assert bench.circuit.admits(bench.now)
    assert bench.pause() == PAUSES.first


def test_a_woken_canary_is_given_time_to_come():
    bench = opened()
    bench.wait()
    bench.circuit.expect(bench.now + 5)

    assert bench.pause() == 5
    assert bench.circuit.admits(bench.now), "any call will do"
    bench.fail("a")
    assert bench.pause() == 2, "the canary came, so the pause counts again"


class TestAnOlderCall:
    """One that began before the circuit opened or closed, and ends after it."""

    def test_that_fails_changes_nothing(self):
        bench = Bench()
        late = [bench.circuit.enter() for _ in range(3)]
        bench.trip(AccessDenied("the token is refused", scope=Scope.CONNECTION))
        bench.now += 0.5

        bench.circuit.fail(late[0], bench.now, OutcomeUnknown("maybe"), key="x")
        assert not bench.circuit.trip(late[1], bench.now, Throttled("slow down", after=50))

        assert bench.circuit.refusal().message == "the token is refused"
        assert bench.pause() == 0.5

    def test_that_fails_after_the_recovery_does_not_open(self):
        bench = Bench()
        late = [bench.circuit.enter() for _ in range(3)]
        bench.trip(Throttled("slow down"))
        bench.wait()
        bench.succeed()

        for number, ticket in enumerate(late):
            bench.circuit.fail(ticket, bench.now, Unavailable("timeout"), key=str(number))

        assert not bench.circuit.open

    def test_that_fails_after_two_recoveries_does_not_open(self):
        bench = Bench()
        for _ in range(2):
            late = [bench.circuit.enter() for _ in range(2)]
            bench.trip(Throttled("slow down"))
            bench.wait()
            bench.succeed()

        for number, ticket in enumerate(late):
            bench.circuit.fail(ticket, bench.now, Unavailable("timeout"), key=str(number))

        assert not bench.circuit.open

    def test_that_ends_does_not_free_the_place_of_the_canary(self):
        bench = Bench()
        late = [bench.circuit.enter() for _ in range(2)]
        bench.trip(Throttled("slow down"))
        bench.wait()
        bench.circuit.enter()

        bench.circuit.leave(late[0], bench.now)
        bench.circuit.succeed(late[1], bench.now)

        assert bench.circuit.open, "only the canary closes it"
        assert not bench.circuit.admits(bench.now)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Throttled("slow down"), "RunaiThrottled"),
        (Unavailable("HTTP 500"), "RunaiUnavailable"),
        (UnexpectedReply("a redirect"), "UnexpectedReply"),
        (AccessDenied("refused"), "AccessDenied"),
        (NotVisible("hidden"), "NotVisible"),
        (OutcomeUnknown("maybe"), "RunaiUnavailable"),
    ],
)
def test_a_refusal_repeats_the_cause_and_never_says_the_outcome_is_unknown(error, reason):
    refusal = opened(error).circuit.refusal()

    assert isinstance(refusal, CircuitOpen)
    assert (refusal.condition_reason, refusal.circuit) == (reason, "reads")
    assert refusal.scope is (error.scope if isinstance(error, AccessDenied | NotVisible) else Scope.CONNECTION)
    assert error.message in refusal.message
    assert not isinstance(refusal, OutcomeUnknown)
    assert refusal.message.startswith("Not sent") is isinstance(error, OutcomeUnknown)


def test_refusals_do_not_collect_tracebacks():
    circuit = opened().circuit
    lengths = []
    for _ in range(3):
        try:
            raise circuit.refusal()
        except CircuitOpen as error:
            lengths.append(len(traceback.extract_tb(error.__traceback__)))

    assert lengths == [1, 1, 1]


def test_an_open_circuit_keeps_no_exception_alive():
    error = Unavailable("HTTP 500")
    gone = weakref.ref(error)
    circuit = opened(error).circuit
    del error
    gc.collect()

    assert circuit.open
    assert gone() is None


class TestTroubleLasts:
    def test_from_the_first_failure_to_the_next_success(self):
        bench = Bench()
        assert bench.circuit.failing_for(bench.now) == 0
        bench.fail("a")
        for _ in range(10):
            bench.now += 30
            bench.fail("a")
        assert bench.circuit.failing_for(bench.now) == 300

        bench.succeed()
        assert bench.circuit.failing_for(bench.now + 30) == 0

    def test_no_longer_than_somebody_asks(self):
        bench = Bench()
        bench.fail("a")
        bench.now += LONGEST_SILENCE
        assert bench.circuit.failing_for(bench.now) == LONGEST_SILENCE
        bench.fail("a")
        assert bench.circuit.failing_for(bench.now) == LONGEST_SILENCE, "the retries of one object belong together"

        bench.now += LONGEST_SILENCE + 1
        assert bench.circuit.failing_for(bench.now) == 0, "nobody knows"

        bench.fail("a")
        bench.now += 5
        assert bench.circuit.failing_for(bench.now) == 5, "the first hiccup after a quiet time is young"

    def test_from_the_beginning_of_the_first_call_that_failed(self):
        bench = Bench()
        bench.circuit.fail(bench.circuit.enter(), bench.now, Unavailable("silence"), key="a", began=bench.now - 30)
        assert bench.circuit.failing_for(bench.now) == 30

    def test_from_the_last_answer_that_came_while_that_call_was_out(self):
        bench = Bench()
        bench.succeed()
        bench.now += 10
        bench.circuit.fail(bench.circuit.enter(), bench.now, Unavailable("silence"), key="a", began=bench.now - 30)
        assert bench.circuit.failing_for(bench.now) == 10

    def test_from_the_first_failure_after_a_success(self):
        bench = Bench()
        bench.fail("a")
        bench.succeed()
        bench.fail("a")
        assert bench.circuit.failing_for(bench.now + 5) == 5

    def test_until_an_older_call_gets_an_answer(self):
        bench = Bench()
        late = bench.circuit.enter()
        bench.trip(Throttled("slow down"))
        bench.now += 10
        assert bench.circuit.failing_for(bench.now) == 10
        bench.circuit.succeed(late, bench.now)

        assert bench.circuit.failing_for(bench.now) == 0


def test_the_circuit_is_healthy_while_calls_are_answered():
    bench = Bench()
    assert bench.circuit.goes_well(bench.now), "nobody asks, nobody is refused"

    hanging = bench.circuit.enter()
    bench.now += 1
    assert not bench.circuit.goes_well(bench.now - 1)

    bench.succeed()
    assert bench.circuit.goes_well(bench.now - 1)
    assert bench.circuit.goes_well(bench.now)

    bench.fail("a")
    assert not bench.circuit.goes_well(bench.now - 1)

    bench.circuit.succeed(hanging, bench.now)
    assert bench.circuit.goes_well(bench.now - 1)


def test_a_circuit_where_nothing_happens_any_more_is_stale():
    bench = Bench()
    assert bench.circuit.is_stale(bench.now), "it was never used"
    ticket = bench.circuit.enter()
    assert not bench.circuit.is_stale(bench.now), "its ticket is out"
    bench.circuit.trip(ticket, bench.now, Throttled("slow down"))
    assert not bench.circuit.is_stale(bench.now + 30)
    assert bench.circuit.is_stale(bench.now + 31), "nobody cares to be its canary"

    bench.wait()
    bench.now += 10
    bench.succeed()
    assert not bench.circuit.is_stale(bench.now + 29), "its back-off may be needed again"
    assert bench.circuit.is_stale(bench.now + 30)


@pytest.mark.parametrize("how", ["succeed", "leave", "fail", "trip"])
def test_a_circuit_is_in_use_until_every_call_has_ended(how):
    def end(ticket: int) -> None:
        failure = (Unavailable("down"),) if how in ("fail", "trip") else ()
        getattr(bench.circuit, how)(ticket, bench.now, *failure, **({"key": "a"} if how == "fail" else {}))

    bench = Bench()
    first, second = bench.circuit.enter(), bench.circuit.enter()

    end(first)
    assert not bench.circuit.is_stale(bench.now + 1e6)
    end(second)
    assert bench.circuit.is_stale(bench.now + 1e6)


def test_whatever_happens_at_most_one_canary_is_out():
    for seed in range(200):
        random, bench = Random(seed), Bench()
        out: list[tuple[int, bool]] = []
        for step in itertools.count():
            canaries = sum(is_canary for _, is_canary in out)
            assert canaries <= 1, f"seed {seed}, step {step}"
            if step == 100:
                break
            bench.now += random.choice([0, 0.5, 5, 40])
            if bench.circuit.admits(bench.now) and random.random() < 0.6:
                is_open = bench.circuit.open
                out.append((bench.circuit.enter(), is_open))
            elif out:
                ticket, _ = out.pop(random.randrange(len(out)))
                match random.randrange(4):
                    case 0:
                        bench.circuit.succeed(ticket, bench.now)
                    case 1:
                        bench.circuit.leave(ticket, bench.now)
                    case 2:
                        bench.circuit.trip(ticket, bench.now, Throttled("slow down"))
                    case 3:
                        bench.circuit.fail(ticket, bench.now, Unavailable("down"), key=str(step))
