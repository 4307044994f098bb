"""The fence closes at any moment of a whole life: nothing is sent afterwards, not even by a call that was under way."""

from __future__ import annotations

import asyncio
import math

import pytest

from fakes.bench import RUNS_ON, Bench
from runai_operator.domain.errors import NotLeader
from runai_operator.engine.fence import Fence

pytestmark = pytest.mark.looptime

PREPARING = 2
"""Steps of a client before it sends: a token, a connection, a 429 that it waits out."""


class Sender:
    """An access whose calls take steps before they are sent; it remembers which were sent after the fence had closed."""

    def __init__(self, bench, access, is_fenced):
        self._bench, self._access, self._is_fenced = bench, access, is_fenced

    def __getattr__(self, name):
        method = getattr(self._access, name)
        return self._slow(name, method) if self._is_fenced(name) else method

    def _slow(self, name, method):
        async def call(*args, **kwargs):
            for _ in range(PREPARING):
                self._bench.step()
                await asyncio.sleep(0)
            self._bench.sent.append(name)
            if self._bench.is_closed:
                self._bench.too_late.append(name)
            self._bench.step()
            answer = await method(*args, **kwargs)
            self._bench.step()
            await asyncio.sleep(0)
            return answer

        return call


KUBE_WRITES = ("write_status", "write_finalizers", "record_orphan", "record_event")


class FencedBench(Bench):
    """Closes the fence at one step of all calls; `soon` is after those that the event loop has resumed already."""

    def __init__(self, at=math.inf, *, soon=False):
        super().__init__()
        self.at, self.soon = at, soon
        self.steps, self.is_closed = 0, False
        self.sent, self.too_late = [], []

    def kube_access(self, chance):
        return Sender(self, super().kube_access(chance), lambda name: name in KUBE_WRITES)

    def connections(self, chance):
        return {name: Sender(self, each, lambda _: True) for name, each in super().connections(chance).items()}

    def step(self):
        if self.steps == self.at:
            if self.soon:
                self.loop.call_soon(self.close)
            else:
                self.close()
        self.steps += 1

    def close(self):
        self.is_closed = True
        self.engine.fence.close()

    async def live(self):
        """Create, edit, delete."""
        await self.start()
        stored = self.apply("w")
        await asyncio.sleep(15)
        self.edit(stored, manifest={**RUNS_ON, "spec": {"replicas": 2}})
        await asyncio.sleep(15)
        self.delete(stored)
        await asyncio.sleep(15)
        is_alive = not self.task.done()
        await self.stop()
        assert is_alive, "who may not write goes on reading"
        assert self.observer.bugs == 0


async def test_a_life_without_a_fence_makes_every_kind_of_call():
    bench = FencedBench()
    await bench.live()

    assert {"write_status", "write_finalizers", "create", "update", "delete", "get", "rows"} <= set(bench.sent)
    assert (bench.kube.objects, bench.runai.live()) == ({}, [])


@pytest.mark.parametrize("soon", [False, True], ids=["at once", "after others were resumed"])
async def test_closed_at_any_step_of_a_life_nothing_is_sent_any_more(soon):
    whole = FencedBench()
    await whole.live()
    late = {}
    for at in range(whole.steps):
        bench = FencedBench(at, soon=soon)
        await bench.live()
        assert bench.is_closed
        if bench.too_late:
            late[at] = bench.too_late

    assert late == {}, f"of {whole.steps} steps"


async def begin(fence, seconds):
    async with fence.guarded():
        await asyncio.sleep(seconds)
    return "done"


@pytest.fixture
async def fence():
    return Fence(asyncio.get_running_loop().time)


async def test_what_is_under_way_is_given_until_the_moment_that_is_known_last(fence):
    loop = asyncio.get_running_loop()
    fence.open_until(loop.time() + 10)
    short, long, renewed = (asyncio.create_task(begin(fence, seconds)) for seconds in (5, 15, 25))
    await asyncio.sleep(8)
    fence.open_until(loop.time() + 10)
    await asyncio.sleep(20)

    assert (short.result(), long.result()) == ("done", "done")
    assert isinstance(renewed.exception(), NotLeader)


async def test_a_fence_that_is_open_for_ever_again_stops_nothing(fence):
    loop = asyncio.get_running_loop()
    fence.open_until(loop.time() + 10)
    task = asyncio.create_task(begin(fence, 100))
    await asyncio.sleep(5)
    fence.open_until(math.inf)

    assert await task == "done"
    assert fence.left() is None


async def test_what_is_cancelled_by_others_stays_cancelled(fence):
    """A shutdown is no loss of leadership, even when both come together."""
    for also_closed in (False, True):
        fence.open_until(math.inf)
        task = asyncio.create_task(begin(fence, 100))
        await asyncio.sleep(1)
        if also_closed:
            fence.close()
        task.cancel()
        await asyncio.wait([task])

        assert task.cancelled()


async def test_an_error_of_the_write_itself_is_told_as_it_is(fence):
    with pytest.raises(TimeoutError):
        async with fence.guarded():
            raise TimeoutError

    fence.close()
    with pytest.raises(NotLeader):
        await begin(fence, 0)
