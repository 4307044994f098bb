"""Deletions in Run:ai are rationed: never more than the rate within any minute, first come, first served."""

from __future__ import annotations

import math

import pytest

from fakes.clock import ManualClock
from runai_operator.engine.limits import MINUTE, DeletionLimiter


@pytest.fixture
def clock():
    return ManualClock()


def test_up_to_the_rate_nobody_waits(clock):
    turns = DeletionLimiter(3, clock)

    assert [turns.wait(f"uid-{number}") for number in range(3)] == [0, 0, 0]
    assert turns.waiting() == 0


@pytest.mark.parametrize("rate", [1, 3, 10])
def test_no_minute_sees_more_than_the_rate_whenever_they_come(clock, rate):
    turns, given = DeletionLimiter(rate, clock), []
    for number in range(100):
        clock.now += (number * 7) % 5
        given.append(clock.now + turns.wait(f"uid-{number}"))

    assert given == sorted(given), "first come, first served"
    assert all(later - earlier >= MINUTE for earlier, later in zip(given, given[rate:], strict=False))


def test_a_turn_is_kept_while_others_come_and_once_it_came(clock):
    turns = DeletionLimiter(1, clock)
    turns.wait("first")
    assert turns.wait("second") == MINUTE
    assert turns.wait("third") == 2 * MINUTE
    assert turns.waiting() == 2

    clock.now += MINUTE

    assert turns.wait("second") == 0
    clock.now += 10 * MINUTE
    assert turns.wait("second") == 0, "a DELETE that has to be repeated needs no second turn"


def test_what_is_forgotten_waits_no_longer_and_counts_anew(clock):
    turns = DeletionLimiter(1, clock)
    turns.wait("first")
    turns.wait("second")
    turns.forget("second")

    assert turns.waiting() == 0
    assert turns.wait("second") == 2 * MINUTE


def test_a_rate_of_zero_deletes_none(clock):
    turns = DeletionLimiter(0, clock)

    assert turns.wait("uid") == math.inf
    assert turns.waiting() == 1
