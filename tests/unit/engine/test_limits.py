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


def test_up_to_the_rate_no_deletion_waits(clock):
    limiter = DeletionLimiter(3, clock)

    assert [limiter.wait(f"uid-{number}") for number in range(3)] == [0, 0, 0]
    assert limiter.waiting() == 0


@pytest.mark.parametrize("rate", [1, 3, 10])
def test_no_minute_has_more_deletions_than_the_rate(clock, rate):
    limiter, given = DeletionLimiter(rate, clock), []
    for number in range(100):
        clock.now += (number * 7) % 5
        given.append(clock.now + limiter.wait(f"uid-{number}"))

    assert given == sorted(given), "first come, first served"
    assert all(later - earlier >= MINUTE for earlier, later in zip(given, given[rate:], strict=False))


def test_a_slot_is_kept_whoever_comes_later(clock):
    limiter = DeletionLimiter(1, clock)
    limiter.wait("first")
    assert limiter.wait("second") == MINUTE
    assert limiter.wait("third") == 2 * MINUTE
    assert limiter.waiting() == 2

    clock.now += MINUTE

    assert limiter.wait("second") == 0
    clock.now += 10 * MINUTE
    assert limiter.wait("second") == 0, "a DELETE that has to be repeated needs no second slot"


def test_a_forgotten_object_gives_up_its_slot(clock):
    limiter = DeletionLimiter(1, clock)
    limiter.wait("first")
    limiter.wait("second")
    limiter.forget("second")

    assert limiter.waiting() == 0
    assert limiter.wait("second") == 2 * MINUTE


def test_a_rate_of_zero_gives_no_slot(clock):
    limiter = DeletionLimiter(0, clock)

    assert limiter.wait("uid") == math.inf
    assert limiter.waiting() == 1


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
