"""The operator lives for virtual weeks, in which something happens each day, and nothing of it grows.

It polls rarely, so that a day costs little. Each day ends with nothing that is left to do, and no object: whatever is
remembered then is remembered for nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from random import Random

import pytest

from fakes.entries import entries
from runai_operator.engine import inventory, poller
from runai_simulator.switches import Switches
from simulation import acts, world
from simulation.acts import Act, Timed
from simulation.history import PAID_IN, SCRIPTED, Maker
from simulation.invariants import Judge
from simulation.loop import virtual_loop
from simulation.scripts import MIXED, Needs, script
from simulation.world import Setup, World

DAY = 86_400.0
EVENING = 7200.0
"""How long before the end of a day one more object comes."""
FEW = 8
"""How many are remembered of what is bounded by a number."""
PATIENT = Setup(delta_interval=300.0, sweep_interval=3600.0, stale_after=1800.0)
ENDS_THE_PROCESS = (acts.Restart, acts.Kill, acts.KillAt, acts.Overlap, acts.Reinstall, acts.DeleteDefinition)
"""A new process remembers nothing, so nothing would grow."""


def live(
    seed: int, days: int, *, until: Callable[[list[Counter[str]]], object] = lambda _: False
) -> list[Counter[str]]:
    """What there was at the end of each day: entries of containers, by where they hang, and tasks. Raises `Broken`.

    `until`: ends earlier, once that holds for the days that were lived.
    """
    with (
        pytest.MonkeyPatch.context() as patch,
        asyncio.Runner(loop_factory=virtual_loop) as runner,
    ):
        patch.setattr(poller, "RECOUNT_INTERVAL", 600.0)
        patch.setattr(inventory, "ENDED", FEW)
        patch.setattr(world, "REPORT_INTERVAL", 600.0)
        return runner.run(_live(seed, days, until))


async def _live(seed: int, days: int, until: Callable[[list[Counter[str]]], object]) -> list[Counter[str]]:
    random, lived = Random(seed), list[Counter[str]]()
    there = World(seed, Switches().changed({"list_lag": 1.0, "run_time": 120.0, "delete_time": 15.0}), PATIENT)
    judge = Judge(there)
    there.start()
    try:
        for day in range(days):
            await _pass_a_day(there, judge, _acts_of(day, random))
            lived.append(_sizes_of(there))
            if until(lived):
                break
    finally:
        await there.stop()
    return lived


def _acts_of(day: int, random: Random) -> list[Timed]:
    made = script(day, random, SCRIPTED, Needs()) + script(random.randrange(len(MIXED)), random, SCRIPTED, Needs())
    made += Maker(random).swarm()
    made += [(0.0, acts.Flood(3, day, project=None)), (400.0, acts.EndFlood())]
    made += [(0.0, acts.ApplyDry("checked", "Job", day, is_valid=day % 2 == 0))]
    return sorted((each for each in made if not _ends_the_process(each[1])), key=lambda timed: timed[0])


def _ends_the_process(act: Act) -> bool:
    return _ends_the_process(act.then) if isinstance(act, acts.Upon) else isinstance(act, ENDS_THE_PROCESS)


async def _pass_a_day(there: World, judge: Judge, todo: list[Timed]) -> None:
    loop = asyncio.get_running_loop()
    begins = loop.time()
    for at, act in todo:
        await judge.after(begins + at - loop.time())
        judge.remember()
        act.do(there)
        judge.remember()
    there.heal()
    for stored in list(there.kube.objects.values()):
        there.kube.touch(stored, paused=False)
    await judge.after(PAID_IN + 2 * PATIENT.sweep_interval)
    there.kube.once_gone.clear()
    for stored in list(there.kube.objects.values()):
        there.kube.delete(stored)
    await judge.after(begins + DAY - EVENING - loop.time())
    acts.Flood(1, 0).do(there)  # what is remembered for a while is forgotten with its next use
    await judge.after(PAID_IN)
    acts.EndFlood().do(there)
    await judge.after(begins + DAY - loop.time())
    judge.all_is_paid()
    for workload in list(there.runai.world):
        there.runai.world.purge(workload)
    there.forget()


def _sizes_of(there: World) -> Counter[str]:
    assert there.process is not None
    return Counter({"tasks": len(asyncio.all_tasks())}) + entries(there.process.engine)


def grown(lived: list[Counter[str]]) -> dict[str, int]:
    """What has ever had more entries at the end of a day than is bounded, and the most of them."""
    most = Counter[str]()
    for sizes in lived:
        most |= sizes
    tasks = most.pop("tasks")
    more_tasks = {} if tasks <= lived[0]["tasks"] + 2 else {"tasks": tasks}
    return {path: count for path, count in sorted(most.items()) if count > 2 * FEW} | more_tasks
