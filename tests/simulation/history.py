"""Histories: made from a seed, played, made shorter, and told."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from runai_operator.domain.model import (
    MOST_ROWS,
    DeletionPolicy,
    ExternalDeletionPolicy,
    ManagementPolicy,
    RecreatePolicy,
    RerunPolicy,
)
from runai_operator.domain.reasons import Phase
from runai_simulator.switches import Switches
from simulation import acts
from simulation.acts import Timed
from simulation.dry_scripts import dry_script
from simulation.invariants import NEWS_FOR, Broken, Judge
from simulation.loop import virtual_loop
from simulation.scripts import MIXED, Needs, script
from simulation.troubles import CLASSES, OF_PAGES, OUTAGES, SPECIAL, Kind, Side, Trouble
from simulation.world import FOREIGN, Setup, World

PAID_IN = 900.0
"""Seconds after everything has healed in which all that is owed is delivered: the longest back-off, and two sweeps."""
PROBED_IN = 2700.0
"""Seconds in which what was refused, and may have become possible without a sign, is tried again."""
PROBES = 4
"""So many histories to one that waits for that."""
RESTS_FOR = 200.0
NAMES = ("a", "b", "c")
SCRIPTED = ("r", "s", "t")
"""Names that only scripts use."""
ADOPTERS = ("x", "y")
SOURCES = ("p", "q")
INSTALLS = ("install-1", "install-2")
NINE, OF_DRY_RUNS = 9, 6
"""One in so many histories is about dry runs: the one of this number."""
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

OFTEN = ("put_reruns_failed", "deleted_list", "second_delete")
"""Those under which most goes on as usual."""


@dataclass(frozen=True, slots=True)
class History:
    """What happens; `seed` is for all that is random while it is played."""

    seed: int
    switches: Switches
    setup: Setup
    acts: tuple[Timed, ...]


@dataclass(slots=True)
class Played:
    broken: Broken | None
    promise: str
    """The one that is broken."""
    story: list[str]
    checked: Counter[str]
    most: Counter[str]
    virtual: float
    """Seconds."""

    @property
    def digest(self) -> str:
        """Of everything that happened; the same for the same seed, wherever it is played."""
        told = [*self.story, *(f"{name}: {count}" for name, count in sorted(self.checked.items()))]
        return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


# --- making


def make(seed: int) -> History:
    """Two of three histories have a script, or a few; all scripts have their turns. The others, and some of these, are a
    swarm: it knows a few kinds of acts, names and policies only, and uses these a lot. One in nine is about dry runs."""
    random = Random(seed)
    if seed % NINE == OF_DRY_RUNS:
        return _make_dry(seed, random)
    maker = Maker(random)
    made: list[Timed] = []
    needs, is_swarm = Needs(), not seed % 3 or random.random() < 0.25
    if seed % 3:
        names = SCRIPTED if is_swarm or random.random() < 0.7 else NAMES
        made += script(seed - seed // 3, random, names, needs)
        if needs.calm:
            is_swarm = False
        for _ in range(0 if needs.calm else random.choice([0, 0, 0, 1, 2])):
            begins, others = random.uniform(0, 200), random.choice([SCRIPTED, NAMES, NAMES])
            made += [(begins + at, act) for at, act in script(random.randrange(len(MIXED)), random, others, needs)]
    if is_swarm:
        made += maker.swarm()
    switches, setup = _switches(random).changed(needs.switches), replace(_setup(random), **needs.setup)
    return History(seed, switches, setup, tuple(sorted(made, key=lambda timed: timed[0])))


def _make_dry(seed: int, random: Random) -> History:
    """A script about dry runs; beside most of them a swarm, or another script."""
    maker, needs = Maker(random), Needs()
    maker.adds_dry_runs()
    made, beside = dry_script(seed // NINE, random, SCRIPTED, needs), random.random()
    if beside < 0.4 and not needs.calm:
        made += maker.swarm()
    elif beside < 0.6 and not needs.calm:
        begins, others = random.uniform(0, 100), random.choice([SCRIPTED, NAMES])
        made += [(begins + at, act) for at, act in script(random.randrange(len(MIXED)), random, others, needs)]
    switches = _switches(random)
    if random.random() < 0.3:
        switches = switches.changed({"dry_run": False})
    return History(
        seed,
        switches.changed(needs.switches),
        replace(_setup(random), **needs.setup),
        tuple(sorted(made, key=lambda timed: timed[0])),
    )


def _switches(random: Random) -> Switches:
    known = Switches()
    values: dict[str, Any] = {
        name: not getattr(known, name) for name in UNDOCUMENTED if random.random() < (0.2 if name in OFTEN else 0.05)
    }
    values |= {
        "list_lag": random.choice([0.3, 1.0, 10.0, 30.0]),
        "sync_time": random.choice([0.5, 2.0, 10.0]),
        "phase_time": random.choice([0.5, 2.0, 10.0]),
        "scheduler_time": random.choice([0.0, 30.0]),
        "run_time": random.choice([20.0, 120.0, 1200.0]),
        "delete_time": random.choice([1.0, 15.0, 120.0]),
        "retention": random.choice([1_209_600.0, 1_209_600.0, 60.0]),
    }
    return known.changed(values)


def _setup(random: Random) -> Setup:
    return Setup(
        limited=random.random() < 0.15,
        closed=random.random() < 0.1,
        delete_rate=random.choice([100, 100, 1]),
        release_after=random.choice([86_400.0, 86_400.0, 300.0]),
        rows_a_page=random.choice([MOST_ROWS, MOST_ROWS, 1]),
    )


class Maker:
    """Makes the acts of one history."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._names = random.sample(NAMES, random.randint(1, len(NAMES)))
        self._kinds = random.choice([["Deployment"], ["Job"], ["Deployment", "Job"]])
        self._projects = random.choice([["1"], ["1", "2"], ["1", "1", "2"]])
        self._policies = [self._some_policies() for _ in range(random.randint(1, 3))]
        themes = self._themes()
        chosen = themes if random.random() < 0.15 else random.sample(themes, random.choice([1, 2, 3]))
        kinds = dict.fromkeys(each for theme in chosen for each in theme)  # in their order, which a set has not
        self._weights = {self._apply: 3.0, self._delete: 1.0} | {each: random.choice([1.0, 4.0]) for each in kinds}

    def adds_dry_runs(self) -> None:
        self._weights |= {
            self._check: 5.0,
            self._manage: 3.0,
            self._upgrade: 0.5,
            self._probe_name: 0.5,
            self._kill: 1.0,
        }

    def swarm(self) -> list[Timed]:
        """Some dozens of acts."""
        random, made = self._random, list[Timed]()
        now, haste = random.uniform(0, 5), random.choice([5.0, 20.0, 60.0])
        for _ in range(random.randint(8, 40)):
            made += [(now + delay, act) for delay, act in self._some()]
            now += random.expovariate(1 / haste)
        return made

    def _some(self) -> list[Timed]:
        """An act, or a few that belong together, with their delays."""
        [choose] = self._random.choices(list(self._weights), weights=list(self._weights.values()))
        return choose()

    def _themes(self) -> list[list[Callable[[], list[Timed]]]]:
        """Acts that belong together, as far as one changes what the others lead to."""
        return [
            [self._runai_fails, self._outage, self._restart, self._ask, self._edit],
            [self._storm, self._outage, self._delete, self._end],
            [self._storm, self._kill, self._delete, self._kube_fails],
            [self._hide, self._runai_fails, self._edit, self._set_policies, self._ask],
            [self._adopt, self._stranger, self._delete_outside, self._set_policies, self._kill],
            [self._adopt, self._end, self._delete, self._edit, self._restart],
            [self._end, self._set_policies, self._move, self._delete, self._delete_outside, self._restart],
            [self._source, self._source, self._restart, self._kube_fails, self._delete_outside],
            [self._pause, self._edit, self._ask, self._move, self._storm],
            [self._take_finalizer, self._restore, self._delete, self._watch, self._runai_fails],
            [self._reinstall, self._edit, self._delete, self._adopt],
            [self._definition, self._delete, self._edit, self._storm],
            [self._list_is_odd, self._crowd, self._stop_outside, self._delete_outside, self._end],
            [self._clusters, self._watch, self._delete, self._delete_outside, self._kill],
        ]

    def _name(self) -> str:
        return self._random.choice(self._names)

    def _some_policies(self) -> acts.Policies:
        random = self._random
        if random.random() < 0.4:
            return acts.Policies()
        return acts.Policies(
            random.choice(list(DeletionPolicy)),
            random.choice(list(RecreatePolicy)),
            random.choice(list(RerunPolicy)),
            random.choice(list(ExternalDeletionPolicy)),
        )

    def _an_apply(self, name: str | None = None) -> acts.Apply:
        random = self._random
        return acts.Apply(
            name or self._name(),
            random.choice(self._kinds),
            random.randint(0, 5),
            random.choice(self._projects),
            random.choice([None, None, None, "shared"]),
            by_name=random.random() < 0.4,
            way=random.choice([acts.Way.USUAL, acts.Way.USUAL, acts.Way.USUAL, *acts.Way]),
            policies=random.choice(self._policies),
        )

    def _apply(self) -> list[Timed]:
        return [(0, self._an_apply())]

    def _edit(self) -> list[Timed]:
        name = self._name()
        return [(0, self._an_apply(name)), (self._random.choice([20, 100]), self._an_apply(name))]

    def _check(self) -> list[Timed]:
        """Once, or with an edit on its heels."""
        random, name = self._random, self._name()
        own, project = random.choice([None, None, "shared"]), random.choice(self._projects)
        made: list[Timed] = [
            (at, acts.ApplyDry(name, random.choice(self._kinds), random.randint(0, 5), project, own, valid))
            for at, valid in ((0.0, random.random() < 0.8), (random.choice([0.5, 20, 100]), random.random() < 0.7))
        ]
        made = made[: random.choice([1, 2])]
        if random.random() < 0.3:
            made.append((0.2, acts.Kill(random.randint(1, 12))))
        if random.random() < 0.3:
            made.append((random.uniform(1, 100), random.choice([acts.Ask(name), acts.DeleteIt(name)])))
        return made

    def _manage(self) -> list[Timed]:
        random = self._random
        policy = random.choice([ManagementPolicy.DRY_RUN, ManagementPolicy.MANAGE])
        return [(0, acts.SetManagement(self._name(), policy, is_admitted=random.random() < 0.3))]

    def _upgrade(self) -> list[Timed]:
        return [(0, acts.ChangeRunai(knows_dry_runs=True))]

    def _probe_name(self) -> list[Timed]:
        random = self._random
        return [(0, acts.StrangersProbe(random.choice(self._projects), marked=random.random() < 0.5))]

    def _delete(self) -> list[Timed]:
        random, name = self._random, self._name()
        if random.random() < 0.4:
            return [(0, self._replacement(name))]
        made: list[Timed] = [(0, acts.DeleteIt(name))]
        if random.random() < 0.6:
            made += [(random.choice([1, 10, 60]), self._an_apply(name))]
        return made

    def _replacement(self, name: str) -> acts.DeleteIt:
        return acts.DeleteIt(name, then_apply=self._an_apply(name))

    def _runai_fails(self) -> list[Timed]:
        return [(0, self._a_trouble())]

    def _a_trouble(self) -> acts.Begin:
        random = self._random
        errors = [kind for kind in Kind if kind not in (*OF_PAGES, *SPECIAL)]
        trouble = Trouble(Side.RUNAI, random.choice(errors), random.choice(["everything"] * 3 + list(CLASSES)))
        return acts.Begin(trouble, random.choice([5.0, 5.0, 60.0, 300.0, 900.0, 900.0]))

    def _outage(self) -> list[Timed]:
        """Run:ai is away for long, and people go on."""
        random, name = self._random, self._name()
        trouble = Trouble(Side.RUNAI, random.choice(OUTAGES), random.choice(["everything", "everything", "V2"]))
        made: list[Timed] = [(0, acts.Begin(trouble, random.choice([300.0, 1000.0])))]
        for _ in range(random.randint(1, 3)):
            begins = random.uniform(0, 200)
            made += [(begins + delay, act) for delay, act in self._something(name)]
        return made

    def _storm(self) -> list[Timed]:
        """Much goes wrong at once, in the middle of what people ask for about one object."""
        random, name = self._random, self._name()
        made: list[Timed] = [(random.uniform(0, 6), self._a_trouble()) for _ in range(random.choice([1, 1, 2]))]
        if random.random() < 0.5:
            lost = Trouble(
                Side.RUNAI,
                random.choice([Kind.LOST, Kind.LOST, Kind.BROKEN]),
                random.choice(["creates", "updates", "deletes", "writes"]),
            )
            made.append((0, acts.Begin(lost, 5.0)))
        if random.random() < 0.4:
            made.append((random.uniform(0, 10), random.choice([acts.Restart(1), acts.Kill(random.randint(1, 6))])))
        if random.random() < 0.7:
            made.append((0.2, self._an_apply(name)))
        for _ in range(random.choice([1, 1, 2])):
            begins = random.uniform(1, 15)
            made += [(begins + delay, act) for delay, act in self._something(name)]
        return made

    def _kube_fails(self) -> list[Timed]:
        random = self._random
        trouble = Trouble(Side.KUBE, random.choice([Kind.UNREACHABLE, Kind.BROKEN, Kind.LOST]))
        return [(0, acts.Begin(trouble, random.choice([2.0, 10.0, 60.0])))]

    def _list_is_odd(self) -> list[Timed]:
        random = self._random
        trouble = Trouble(Side.RUNAI, random.choice(OF_PAGES), "the list of workloads")
        stranger = acts.StrangersWorkload(FOREIGN, "1", "Deployment", marked=False)
        return [(0, stranger), (1, acts.Begin(trouble, random.choice([60.0, 300.0])))]

    def _hide(self) -> list[Timed]:
        project = self._random.choice(self._projects)
        return [
            (0, acts.HideProject(project, hidden=True)),
            (self._random.choice([20, 200, 1000]), acts.HideProject(project, hidden=False)),
        ]

    def _watch(self) -> list[Timed]:
        return [(0, acts.CutWatch(cut=True)), (self._random.choice([5, 60, 400]), acts.CutWatch(cut=False))]

    def _clusters(self) -> list[Timed]:
        back = self._random.choice([30, 300, 900])
        return [(0, acts.Disconnect(connected=False)), (back, acts.Disconnect(connected=True))]

    def _pause(self) -> list[Timed]:
        name, lasts = self._name(), self._random.choice([20, 200, 400])
        meanwhile = [(lasts * self._random.random() + at, act) for at, act in self._something(name)]
        return [(0, acts.Pause(name, paused=True)), *meanwhile, (lasts, acts.Pause(name, paused=False))]

    def _kill(self) -> list[Timed]:
        """In the middle of what somebody asks for."""
        random, name = self._random, self._name()
        made = [*self._something(name), (0.2, acts.Kill(random.randint(1, 10)))]
        if random.random() < 0.4:
            made.append((random.choice([0.5, 2, 5]), acts.DeleteIt(name)))
        return made

    def _something(self, name: str) -> list[Timed]:
        """That leads to a call of Run:ai."""
        random = self._random
        match random.choice(["apply", "apply", "apply", "delete", "adopt"]):
            case "apply":
                return [(0, self._an_apply(name))]
            case "delete":
                return [(0, random.choice([acts.DeleteIt(name), self._replacement(name)]))]
        return self._adopts(name)

    def _restart(self) -> list[Timed]:
        if self._random.random() < 0.2:
            return [*self._something(self._name()), (0.1, acts.Overlap(self._random.choice([5, 60])))]
        return [(0, acts.Restart(self._random.choice([1, 30, 400])))]

    def _set_policies(self) -> list[Timed]:
        return [(0, acts.SetPolicies(self._name(), self._some_policies()))]

    def _move(self) -> list[Timed]:
        """Sometimes back again while the first move is still under way."""
        random, name = self._random, self._name()
        made: list[Timed] = [(0, acts.MoveIt(name, random.choice(["1", "2"])))]
        back: list[Timed] = [(random.choice([1, 5, 30]), acts.MoveIt(name, place)) for place in ("1", "2")]
        return made + random.choice([[], back[:1], back[1:]])

    def _restore(self) -> list[Timed]:
        return [(0, acts.Restore(self._name(), self._random.random() < 0.5))]

    def _take_finalizer(self) -> list[Timed]:
        name = self._name()
        made: list[Timed] = [(0, acts.TakeFinalizer(name))]
        return [(0, acts.DeleteIt(name)), (0.5, made[0][1])] if self._random.random() < 0.7 else made

    def _ask(self) -> list[Timed]:
        return [(0, acts.Ask(self._name()))]

    def _source(self) -> list[Timed]:
        random = self._random
        source, made = random.choice(SOURCES), list[Timed]()
        made.append((random.choice([0, 0, 0, 60]), acts.ApplyFromSource(f"of-{source}", source)))
        if random.random() < 0.7:
            made.append((random.choice([0, 30]), acts.WriteSource(source, random.choice([1, 2, 3, 4, None]))))
        if random.random() < 0.3:
            made += [(0, acts.BreakSource(source, broken=True)), (600, acts.BreakSource(source, broken=False))]
        return made

    def _adopt(self) -> list[Timed]:
        """Sometimes two at once; what adopts is edited, moved and deleted as others are."""
        random, made = self._random, list[Timed]()
        if random.random() < 0.5:
            made = self._stranger()
        names = ADOPTERS[: random.choice([1, 1, 2])]
        self._names += [name for name in names if name not in self._names]
        return [*made, *((1 + at, act) for at, act in self._adopts(*names))]

    def _adopts(self, *names: str) -> list[Timed]:
        """All of them the same workload."""
        random = self._random
        which, observes = random.randint(0, 5), random.random() < 0.2
        kinds = [*self._kinds, *self._kinds, "Deployment", "Job"]
        policies, unmarked = random.choice(self._policies), random.random() < 0.6
        return [
            (0, acts.ApplyAdopting(name, which, random.choice(kinds), observes, policies, unmarked)) for name in names
        ]

    def _stranger(self) -> list[Timed]:
        random = self._random
        name = random.choice([*self._names, "shared"])
        where, kind = random.choice(self._projects), random.choice(self._kinds)
        return [(0, acts.StrangersWorkload(name, where, kind, random.random() < 0.3))]

    def _crowd(self) -> list[Timed]:
        return [(0, acts.Crowd(30))]

    def _delete_outside(self) -> list[Timed]:
        return [(0, acts.DeleteOutside(self._random.randint(0, 5), self._random.random() < 0.2))]

    def _stop_outside(self) -> list[Timed]:
        return [(0, acts.StopOutside(self._random.randint(0, 5), self._random.random() < 0.5))]

    def _end(self) -> list[Timed]:
        """Somebody acts on what has just ended, before or after the lists show that."""
        random, name = self._random, self._name()
        ended: Timed = (0, acts.EndIt(name, random.choice([Phase.COMPLETED, Phase.COMPLETED, Phase.FAILED])))
        follows: list[Timed] = random.choice([
            [],
            [(0, self._replacement(name))],
            [(0, self._an_apply(name))],
            [(0, acts.DeleteOutside(0, of=name))],
            [(0, acts.Restart(400)), (1, acts.DeleteOutside(0, of=name))],
        ])  # fmt: skip
        delay = random.choice([0.5, 3, 15, 40])
        return [ended, *((delay + at, act) for at, act in follows)]

    def _definition(self) -> list[Timed]:
        return [(0, acts.DeleteDefinition())]

    def _reinstall(self) -> list[Timed]:
        random = self._random
        then = [(20 + at, act) for at, act in self._something(self._name())]
        if random.random() < 0.5:
            freed = random.choice([100, 600])
            return [(0, acts.Reinstall(5, limited=True)), *then, (freed, acts.Reinstall(5, limited=False))]
        changed = acts.Reinstall(5, install=random.choice(INSTALLS), knows_former=random.random() < 0.5)
        return [(0, changed), *then]


# --- playing


def play(history: History) -> Played:
    """Raises nothing of what it finds: it is in the played."""
    with asyncio.Runner(loop_factory=virtual_loop) as runner:
        return runner.run(_play(history))


async def _play(history: History) -> Played:
    world = World(history.seed, history.switches, history.setup)
    judge = Judge(world)
    watching = asyncio.create_task(judge.watch())
    try:
        await _act(history, world, judge)
        await _settle(judge)
        judge.all_is_paid()
        if judge.anything_is_refused() and history.seed % PROBES == 0:
            await judge.after(PROBED_IN - PAID_IN)
            await _settle(judge)
            judge.all_is_settled()
        await judge.rests(RESTS_FOR)
    except Broken as broken:
        judge.note(broken)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await world.stop()
    virtual = asyncio.get_running_loop().time()
    return Played(judge.verdict, judge.promise, world.story, judge.checked, judge.most, virtual)


async def _settle(judge: Judge) -> None:
    for _ in range(3):
        if judge.is_news():
            await judge.after(NEWS_FOR)


async def _act(history: History, world: World, judge: Judge) -> None:
    loop = asyncio.get_running_loop()
    world.start()
    for at, act in history.acts:
        await judge.after(at - loop.time())
        judge.remember()
        world.say(str(act))
        act.do(world)
    await judge.after(5)
    await world.settle_rollouts()
    world.say("all is healed")
    world.heal()
    for stored in world.kube.objects.values():
        world.kube.touch(stored, paused=False)
    await judge.after(PAID_IN)


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
    lines = [f"seed {history.seed}; the world: {unusual}; installed: {history.setup}", *played.story]
    return "\n".join(lines)
