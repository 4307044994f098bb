"""Health: what counts as stuck."""

import asyncio
import contextlib

from runai_operator.telemetry.health import Check, LoopPulse, progress


class Loop:
    """A clock, and a sleep that is late by the seconds it was given; when they are used up it is cancelled."""

    def __init__(self, *lateness):
        self.now = 0.0
        self.lateness = list(lateness)

    def clock(self):
        return self.now

    async def sleep(self, seconds):
        if not self.lateness:
            raise asyncio.CancelledError
        self.now += seconds + self.lateness.pop(0)


async def beat(loop):
    """A pulse that has beaten once for each lateness of the loop, and what it observed."""
    lags = []
    pulse = LoopPulse(lags.append, clock=loop.clock, sleep=loop.sleep)
    with contextlib.suppress(asyncio.CancelledError):
        await pulse.run()
    return pulse, lags


async def test_the_pulse_measures_each_second_how_late_the_loop_is():
    loop = Loop(0.0, 0.25, 2.0, -0.001)

    pulse, lags = await beat(loop)

    assert lags == [0.0, 0.25, 2.0, 0.0]
    assert loop.now == 4 + 0.25 + 2.0 - 0.001
    assert pulse.check() == Check("event-loop", ok=True)


async def test_a_pulse_that_has_not_beaten_for_thirty_seconds_is_unhealthy_until_it_beats_again():
    loop = Loop(0.0)
    pulse, _ = await beat(loop)

    loop.now += 30.0
    assert pulse.check().ok

    loop.now += 1.0
    assert pulse.check() == Check("event-loop", ok=False, detail="no progress for 31 s")

    loop.lateness = [0.0]
    with contextlib.suppress(asyncio.CancelledError):
        await pulse.run()
    assert pulse.check().ok


def test_a_pulse_that_was_never_started_becomes_unhealthy():
    loop = Loop()
    pulse = LoopPulse(lambda _: None, clock=loop.clock, sleep=loop.sleep)

    assert pulse.check().ok
    loop.now += 31
    assert not pulse.check().ok


async def test_the_pulse_beats_on_a_real_loop_and_ends_when_cancelled():
    beaten = asyncio.Event()
    task = asyncio.create_task(LoopPulse(lambda _: beaten.set(), interval=0.001).run())

    await asyncio.wait_for(beaten.wait(), 30)
    task.cancel()
    await asyncio.wait([task], timeout=30)

    assert task.cancelled()


def test_work_without_progress_beyond_its_limit_is_stuck():
    assert progress("workers", 0.0) == Check("workers", ok=True)
    assert progress("workers", 30.0).ok
    assert progress("workers", 100.0, limit=120).ok
    assert progress("workers", 121.4, limit=120) == Check("workers", ok=False, detail="no progress for 121 s")
