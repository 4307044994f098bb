"""The guard against a deleted CustomResourceDefinition: readings are fresh enough, shared, and followed while they hold."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from runai_operator.domain.errors import KubernetesUnavailable
from runai_operator.domain.model import CRDState
from runai_operator.engine.crd_guard import CRDGuard

pytestmark = pytest.mark.looptime

STANDING = CRDState(deleting=False, confirmed=False)
FALLING = CRDState(deleting=True, confirmed=False)
CONFIRMED = CRDState(deleting=True, confirmed=True)


class World:
    def __init__(self) -> None:
        self.crd: CRDState | Exception | None = STANDING
        self.readings: list[float] = []
        self.woken: dict[str, float] = {}
        self.clock = asyncio.get_running_loop().time
        self.guard = CRDGuard(self.read, self.woken.__setitem__, clock=self.clock, random=Random(1))

    async def read(self) -> CRDState | None:
        self.readings.append(self.clock())
        found = self.crd
        await asyncio.sleep(0.05)
        if isinstance(found, Exception):
            raise found
        return found


@pytest.fixture
async def world():
    made = World()
    running = asyncio.create_task(made.guard.run())
    yield made
    running.cancel()


async def test_deletions_seen_before_a_read_of_the_crd_share_it(world):
    seen = world.clock()
    await asyncio.sleep(0.01)
    found = await asyncio.gather(*(world.guard.seen_since(f"uid-{number}", seen) for number in range(50)))

    assert set(found) == {STANDING}
    assert len(world.readings) == 1


async def test_a_deletion_seen_after_the_read_began_needs_another_read(world):
    first = asyncio.create_task(world.guard.seen_since("early", world.clock()))
    await asyncio.sleep(0.01)
    world.crd = FALLING

    assert await world.guard.seen_since("late", world.clock()) == FALLING
    assert await first == STANDING
    assert len(world.readings) == 2


async def test_held_deletions_are_requeued_once_somebody_confirms(world):
    world.crd = FALLING
    for number in range(3):
        await world.guard.seen_since(f"uid-{number}", world.clock())
    await asyncio.sleep(60)
    assert world.woken == {}

    world.crd = CONFIRMED
    await asyncio.sleep(10)

    assert world.woken.keys() == {"uid-0", "uid-1", "uid-2"}
    readings = len(world.readings)
    await asyncio.sleep(600)
    assert len(world.readings) == readings, "nobody is held back, so nobody looks"


async def test_while_deletions_are_held_many_passes_share_reads_of_the_crd(world):
    world.crd = FALLING
    for _ in range(200):
        await world.guard.seen_since("uid", world.clock())
        await asyncio.sleep(0.1)

    assert len(world.readings) <= 6, "one every five seconds, in twenty"


async def test_where_the_crd_may_not_be_read_deletions_go_on_with_one_warning(world, caplog):
    world.crd = None

    assert not (await world.guard.seen_since("one", world.clock())).deleting
    assert not (await world.guard.seen_since("two", world.clock())).deleting
    assert caplog.text.count("CustomResourceDefinition may not be read") == 1


async def test_a_failed_read_of_the_crd_proves_nothing_and_is_retried(world):
    world.crd = KubernetesUnavailable("down")
    with pytest.raises(KubernetesUnavailable):
        await world.guard.seen_since("uid", world.clock())
    world.crd = STANDING

    assert await world.guard.seen_since("uid", world.clock()) == STANDING


async def test_the_guard_survives_a_failing_api_server(world):
    world.crd = FALLING
    await world.guard.seen_since("uid", world.clock())
    world.crd = KubernetesUnavailable("down")
    await asyncio.sleep(20)
    world.crd = CONFIRMED
    await asyncio.sleep(10)

    assert world.woken.keys() == {"uid"}
