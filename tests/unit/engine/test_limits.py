"""Deletions in Run:ai are rate-limited: never more than the rate within any minute, first come, first served. Reads are
planned, and may turn out to be needless."""

from __future__ import annotations

import asyncio
import math

import pytest

from fakes.clock import ManualClock
from runai_operator.engine.limits import MINUTE, DeletionLimiter, ReadScheduler


@pytest.fixture
def clock():
    return ManualClock()


def a_limiter(rate, clock, wake=lambda uid: None):
    return DeletionLimiter(rate, clock, wake)


def test_up_to_the_rate_no_deletion_waits(clock):
    limiter = a_limiter(3, clock)

    assert [limiter.wait(f"uid-{number}") for number in range(3)] == [0, 0, 0]
    assert limiter.waiting() == 0


@pytest.mark.parametrize("rate", [1, 3, 10])
def test_no_minute_has_more_deletions_than_the_rate(clock, rate):
    """Each asks when it was told to ask again, at the latest."""
    limiter, given = a_limiter(rate, clock), []
    asking = [(number * 3 % 50, number) for number in range(100)]
    while asking:
        asking.sort()
        clock.now, number = asking.pop(0)
        if wait := limiter.wait(f"uid-{number}"):
            asking.append((clock.now + wait, number))
        else:
            given.append(clock.now)

    assert len(given) == 100
    assert given[-1] <= MINUTE * math.ceil(100 / rate), "and none waits longer than it has to"
    assert all(later - earlier >= MINUTE for earlier, later in zip(given, given[rate:], strict=False))


def test_first_come_is_first_served(clock):
    limiter = a_limiter(1, clock)
    limiter.wait("first")
    assert limiter.wait("second") == MINUTE
    assert limiter.wait("third") == 2 * MINUTE
    assert limiter.waiting() == 2

    clock.now += MINUTE

    assert limiter.wait("third") == MINUTE, "it is the turn of the second"
    assert limiter.wait("second") == 0
    clock.now += 10 * MINUTE
    assert limiter.wait("second") == 0, "a DELETE that has to be repeated needs no second turn"


def test_whoever_leaves_the_queue_leaves_no_gap(clock):
    """The turns of deletions that were called off used to stay booked, for an hour and more."""
    limiter = a_limiter(1, clock)
    for number in range(100):
        limiter.wait(f"uid-{number}")
    assert limiter.wait("late") == 100 * MINUTE

    for number in range(100):
        limiter.forget(f"uid-{number}")

    assert limiter.waiting() == 1
    assert limiter.wait("late") == MINUTE


def test_a_rate_of_zero_lets_nobody_through(clock):
    limiter = a_limiter(0, clock)

    assert limiter.wait("uid") == math.inf
    assert limiter.wait("finished", runs=False) == math.inf
    assert limiter.waiting() == 2


@pytest.mark.looptime
@pytest.mark.parametrize("head", ["goes", "leaves", "does not ask"])
async def test_whoever_moves_up_is_woken_when_its_turn_comes(head):
    clock = asyncio.get_running_loop().time
    woken = []
    limiter = a_limiter(1, clock, lambda uid: woken.append((uid, clock())))
    task = asyncio.create_task(limiter.run())
    for uid in ("first", "head", "behind"):
        limiter.wait(uid)
    if head == "leaves":
        limiter.forget("head")
    await asyncio.sleep(MINUTE + 1)
    if head == "goes":
        assert limiter.wait("head") == 0
    await asyncio.sleep(2 * MINUTE)
    task.cancel()

    first = dict(reversed(woken))
    assert first["behind"] == pytest.approx({"goes": 121, "leaves": 60, "does not ask": 70}[head], abs=0.1)
    assert len(woken) <= 20


@pytest.mark.looptime
async def test_a_settled_sync_cancels_the_reads_that_only_follow_it():
    read: list[str] = []
    scheduler = ReadScheduler(read.append, asyncio.get_running_loop().time)
    scheduler.follow("followed", 0)
    scheduler.plan("missing from a list", 0)
    scheduler.follow("missing from a list", 5)
    scheduler.follow("then missing from a list", 5)
    scheduler.plan("then missing from a list", 0)
    for uid in ("followed", "missing from a list", "then missing from a list", "never planned"):
        scheduler.arrived(uid)
    task = asyncio.create_task(scheduler.run())
    await asyncio.sleep(60)
    task.cancel()

    assert read == ["missing from a list", "then missing from a list"]
