"""Histories: made from a seed, played, made shorter, and told."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import looptime

from runai_operator.domain.model import DeletionPolicy, ExternalDeletionPolicy, RecreatePolicy, RerunPolicy
from runai_simulator.switches import Switches
from simulation import acts
from simulation.invariants import Broken, Judge
from simulation.troubles import CLASSES, Kind, Side, Trouble
from simulation.world import World

SETTLES_IN = 2700.0
"""Seconds: a refused object is probed every half an hour."""
RESTS_FOR = 300.0
NAMES = ("a", "b", "c")
UNDOCUMENTED = (
    "deleted_answers_404",
    "deleted_at_when_asked",
    "second_delete",
    "raw_manifest_echo",
    "raw_annotations",
    "ids_equal",
    "writes_while_busy",
    "put_while_deleting",
    "put_reruns_failed",
    "sync_info",
    "name_free_at_once",
    "failed_sync_frees_name",
    "conflict_names_workload",
    "unknown_project_403",
    "hidden_answers_404",
    "deleted_list",
)

Timed = tuple[float, acts.Act]


@dataclass(frozen=True, slots=True)
class History:
    """What happens; `seed` is for all that is random while it is played."""

    seed: int
    switches: Switches
    acts: tuple[Timed, ...]


@dataclass(slots=True)
class Played:
    broken: Broken | None
    story: list[str]
    checked: Counter[str]
    virtual: float
    """Seconds."""
    calls: Counter[str] = field(default_factory=Counter)


# --- making


def make(seed: int) -> History:
    random = Random(seed)
    made: list[Timed] = []
    now = random.uniform(0, 5)
    haste = random.choice([5.0, 30.0, 120.0])
    for _ in range(random.randint(4, 30)):
        made += [(now + delay, act) for delay, act in _some(random)]
        now += random.expovariate(1 / haste)
    return History(seed, _switches(random), tuple(sorted(made, key=lambda timed: timed[0])))


def _switches(random: Random) -> Switches:
    known = Switches()
    values: dict[str, Any] = {name: not getattr(known, name) for name in UNDOCUMENTED if random.random() < 0.08}
    values |= {
        "list_lag": random.choice([0.3, 1.0, 10.0, 30.0]),
        "sync_time": random.choice([0.5, 2.0, 10.0]),
        "phase_time": random.choice([0.5, 2.0, 10.0]),
        "run_time": random.choice([20.0, 120.0, 1200.0]),
        "delete_time": random.choice([1.0, 15.0, 120.0]),
        "retention": random.choice([1_209_600.0, 1_209_600.0, 60.0]),
    }
    return known.changed(values)


def _policies(random: Random) -> acts.Policies:
    if random.random() < 0.4:
        return acts.Policies()
    return acts.Policies(
        random.choice(list(DeletionPolicy)),
        random.choice(list(RecreatePolicy)),
        random.choice(list(RerunPolicy)),
        random.choice(list(ExternalDeletionPolicy)),
    )


def _some(random: Random) -> list[Timed]:
    """An act, or a few that belong together, with their delays."""
    [choose] = random.choices(list(CHOICES), weights=list(CHOICES.values()))
    return choose(random)


def _apply(random: Random) -> list[Timed]:
    return [(0, _an_apply(random))]


def _an_apply(random: Random, name: str | None = None) -> acts.Apply:
    return acts.Apply(
        name or random.choice(NAMES),
        random.choice(["Deployment", "Job"]),
        random.randint(0, 5),
        random.choice(["1", "1", "2"]),
        random.choice([None, None, None, "shared"]),
        by_name=random.random() < 0.3,
        fails=random.random() < 0.15,
        policies=_policies(random),
    )


def _edit(random: Random) -> list[Timed]:
    return [(0, _an_apply(random))]


def _delete(random: Random) -> list[Timed]:
    name = random.choice(NAMES)
    made: list[Timed] = [(0, acts.DeleteIt(name))]
    if random.random() < 0.6:
        made += [(random.choice([1, 10, 60]), _an_apply(random, name))]
    return made


def _trouble(random: Random) -> list[Timed]:
    side = random.choice([Side.RUNAI, Side.RUNAI, Side.KUBE])
    if side is Side.KUBE:
        trouble = Trouble(side, random.choice([Kind.UNREACHABLE, Kind.BROKEN, Kind.LOST]))
        return [(0, acts.Begin(trouble, random.choice([2.0, 10.0, 60.0])))]
    trouble = Trouble(side, random.choice(list(Kind)), random.choice(list(CLASSES)))
    return [(0, acts.Begin(trouble, random.choice([5.0, 60.0, 300.0, 900.0])))]


def _hide(random: Random) -> list[Timed]:
    project = random.choice(["1", "2"])
    return [
        (0, acts.HideProject(project, hidden=True)),
        (random.choice([20, 200, 1000]), acts.HideProject(project, hidden=False)),
    ]


def _watch(random: Random) -> list[Timed]:
    return [(0, acts.CutWatch(cut=True)), (random.choice([5, 60, 400]), acts.CutWatch(cut=False))]


def _clusters(random: Random) -> list[Timed]:
    return [(0, acts.Disconnect(connected=False)), (random.choice([30, 300]), acts.Disconnect(connected=True))]


def _pause(random: Random) -> list[Timed]:
    name = random.choice(NAMES)
    return [(0, acts.Pause(name, paused=True)), (random.choice([20, 200]), acts.Pause(name, paused=False))]


def _one(act: Callable[[Random], acts.Act]) -> Callable[[Random], list[Timed]]:
    return lambda random: [(0, act(random))]


CHOICES: dict[Callable[[Random], list[Timed]], float] = {
    _apply: 8,
    _edit: 6,
    _delete: 4,
    _trouble: 4,
    _hide: 0.7,
    _watch: 0.7,
    _clusters: 0.5,
    _pause: 0.7,
    _one(lambda r: acts.Kill(r.randint(1, 12))): 2,
    _one(lambda r: acts.Restart(r.choice([1, 30, 400]))): 2,
    _one(lambda r: acts.SetPolicies(r.choice(NAMES), _policies(r))): 2,
    _one(lambda r: acts.MoveIt(r.choice(NAMES), r.choice(["1", "2"]))): 1,
    _one(lambda r: acts.Restore(r.choice(NAMES), r.random() < 0.5)): 0.7,
    _one(lambda r: acts.TakeFinalizer(r.choice(NAMES))): 0.5,
    _one(lambda r: acts.Ask(r.choice(NAMES))): 1,
    _one(lambda r: acts.ApplyFromSource("s", "cm")): 0.7,
    _one(lambda r: acts.WriteSource("cm", r.choice([1, 2, 3, None]))): 1.2,
    _one(
        lambda r: acts.ApplyAdopting(
            r.choice([*NAMES, "adopter"]), r.randint(0, 5), r.choice(["Deployment", "Job"]), r.random() < 0.2
        )
    ): 1,
    _one(
        lambda r: acts.StrangersWorkload(
            r.choice([*NAMES, "shared"]), r.choice(["1", "2"]), r.choice(["Deployment", "Job"]), r.random() < 0.3
        )
    ): 1,
    _one(lambda r: acts.DeleteOutside(r.randint(0, 5))): 1.5,
    _one(lambda r: acts.StopOutside(r.randint(0, 5), r.random() < 0.5)): 0.5,
}


# --- playing


def play(history: History) -> Played:
    """Raises nothing of what it finds: it is in the played."""
    loop_class = looptime.make_event_loop_class(asyncio.SelectorEventLoop)
    with asyncio.Runner(loop_factory=lambda: loop_class(start=0, noop_cycles=0)) as runner:
        return runner.run(_play(history))


async def _play(history: History) -> Played:
    loop = asyncio.get_running_loop()
    world = World(history.seed, history.switches)
    judge = Judge(world)
    watching = asyncio.create_task(judge.watch())
    try:
        world.start()
        for at, act in history.acts:
            await asyncio.sleep(at - loop.time())
            if judge.verdict is not None:
                break
            world.say(str(act))
            act.do(world)
        if judge.verdict is None:
            await asyncio.sleep(5)
            await world.settle_rollouts()
            world.say("all is healed")
            world.heal()
            for stored in world.kube.objects.values():
                world.kube.touch(stored, paused=False)
            await asyncio.sleep(SETTLES_IN)
        if judge.verdict is None:
            judge.all_is_settled()
            await judge.rests(RESTS_FOR)
    except Broken as broken:
        judge.note(broken)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await world.stop()
    return Played(judge.verdict, world.story, judge.checked, loop.time())


# --- making shorter


def kind_of(broken: Broken) -> str:
    """What is broken, whichever workload it is about."""
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]+|\d+(\.\d+)?|\[.*\]|ns/\w+", "…", str(broken))[:60]


def shrink(history: History, broken: Broken) -> History:
    """The same fault with fewer acts and a plainer world."""

    def fails(candidate: History) -> bool:
        found = play(candidate).broken
        return found is not None and kind_of(found) == kind_of(broken)

    size = max(1, len(history.acts) // 2)
    while size:
        at = 0
        while at < len(history.acts):
            shorter = replace(history, acts=history.acts[:at] + history.acts[at + size :])
            if fails(shorter):
                history = shorter
            else:
                at += size
        size //= 2
    for name in UNDOCUMENTED:
        plain = history.switches.changed({name: getattr(Switches(), name)})
        if plain != history.switches and fails(replace(history, switches=plain)):
            history = replace(history, switches=plain)
    return history


def told(history: History, played: Played) -> str:
    """The story of a history, for a person."""
    unusual = {k: v for k, v in history.switches.shown().items() if v != getattr(Switches(), k)}
    lines = [f"seed {history.seed}; the world: {unusual}", *played.story]
    return "\n".join(lines)
