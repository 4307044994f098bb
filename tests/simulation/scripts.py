"""Short scripts: a few acts in the order that the known faults need, with names, values and gaps by chance.

What needs two rare acts in a row is met by chance in one of a thousand histories, and a script in one of some twenty. Scripts
know nothing of the faults: each is something that people and machines do.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, TypeVar

from runai_operator.domain.absence import MANY
from runai_operator.domain.model import (
    MOST_ROWS,
    DeletionPolicy,
    ExternalDeletionPolicy,
    ManagementPolicy,
    RecreatePolicy,
    RerunPolicy,
)
from runai_operator.domain.reasons import Phase
from simulation import acts
from simulation.acts import Policies, Timed
from simulation.troubles import OUTAGES, SECRET, Kind, Side, Trouble

KINDS = ("Deployment", "Job")

Made = TypeVar("Made")


@dataclass(slots=True)
class Needs:
    """What has to be so that scripts can go on as they are meant."""

    switches: dict[str, Any] = field(default_factory=dict)
    """Of Run:ai."""
    setup: dict[str, Any] = field(default_factory=dict)
    """Of the operator."""
    calm: bool = False
    """Nothing else happens."""


class Scripts:
    """Makes scripts."""

    def __init__(self, random: Random, names: Sequence[str], needs: Needs) -> None:
        """`names` of objects, at least three; `needs` is added to."""
        self._random, self._switches, self._setup, self._needs = random, needs.switches, needs.setup, needs
        self._name, self._second, self._third = random.sample(list(names), 3)

    # --- parts

    def _apply(self, name: str | None = None, **chosen: Any) -> acts.Apply:
        random = self._random
        kind = chosen.pop("kind", None) or random.choice(KINDS)
        text = chosen.pop("text", random.randint(0, 5))
        return acts.Apply(name or self._name, kind, text, **chosen)

    def _settled(self) -> float:
        """When what was applied at first runs."""
        return self._random.uniform(45, 80)

    def _soon(self) -> float:
        return self._random.choice([0.3, 1, 3, 10, 20])

    def _stranger(self, name: str, kind: str) -> Timed:
        return 0, acts.StrangersWorkload(name, "1", kind, marked=False)

    def _out_of_reach(self, seconds: float) -> acts.Begin:
        return acts.Begin(Trouble(Side.RUNAI, self._random.choice(OUTAGES)), seconds)

    def _with(self, **chosen: Any) -> Policies:
        return replace(Policies(), **chosen)

    # --- whose it is

    def what_was_adopted_is_replaced(self) -> list[Timed]:
        self._setup |= {"limited": False}
        random, kind = self._random, self._random.choice(KINDS)
        policies = self._with(recreate=RecreatePolicy.ON_IMMUTABLE_CHANGE, outside=ExternalDeletionPolicy.RECREATE)
        adopts = acts.ApplyAdopting(self._name, 0, kind, policies=policies, called="theirs")
        replaces = random.choice([acts.DeleteOutside(0, of=self._name), acts.MoveIt(self._name, "2")])
        self._switches |= {"run_time": 1200.0, "deleted_list": True}
        return [self._stranger("theirs", kind), (35, adopts), (35 + self._settled(), replaces)]

    def install_id_changes_under_a_deletion(self) -> list[Timed]:
        random, changed = self._random, acts.Reinstall(5, install="install-2", knows_former=False)
        deleted = random.choice([-1, 1, 30])
        at = self._settled()
        return [(0, self._apply()), (at, changed), (at + 5 + deleted, acts.DeleteIt(self._name))]

    def adoption_is_interrupted(self) -> list[Timed]:
        """And then Run:ai is away, and the object is deleted."""
        self._setup |= {"limited": False}
        random, kind = self._random, self._random.choice(KINDS)
        made: list[Timed] = [
            self._stranger("theirs", kind),
            (34, acts.KillAt("update", is_after=random.random() < 0.8)),
            (35, acts.ApplyAdopting(self._name, 0, kind, called="theirs")),
        ]
        if random.random() < 0.4:
            made.append((36 + random.uniform(0, 2), self._out_of_reach(random.choice([30, 200]))))
        return [*made, (36 + self._soon(), acts.DeleteIt(self._name))]

    def finished_work_stays_and_another_follows(self) -> list[Timed]:
        random, kind = self._random, self._random.choice(KINDS)
        stays = self._with(deletion=DeletionPolicy.ORPHAN)
        follows = self._apply(kind=kind, text=4, policies=self._with(rerun=random.choice(list(RerunPolicy))))
        ended = self._settled()
        return [
            (0, self._apply(kind=kind, text=2, policies=stays)),
            (ended, acts.EndIt(self._name, Phase.COMPLETED)),
            (ended + random.choice([15, 40]), acts.DeleteIt(self._name, then_apply=follows)),
        ]

    def two_adopt_the_same(self) -> list[Timed]:
        self._setup |= {"limited": False}
        random, kind = self._random, self._random.choice(KINDS)
        self._switches |= random.choice([{}, {"raw_annotations": False}, {"raw_manifest_echo": False}])
        adopters = [
            acts.ApplyAdopting(name, 0, kind, policies=Policies(), called="theirs")
            for name in (self._name, self._second)
        ]
        gap = random.choice([0, 0, 0.1, 1])
        return [self._stranger("theirs", kind), (35, adopters[0]), (35 + gap, adopters[1])]

    def attempt_is_interrupted(self) -> list[Timed]:
        """The lists do not show yet what it made, and the object is deleted."""
        random, made = self._random, list[Timed]()
        self._switches |= {"list_lag": random.choice([10.0, 30.0, 30.0])}
        if random.random() < 0.5:
            made.append((0, acts.KillAt("create")))
        else:
            made.append((0, acts.Begin(Trouble(Side.RUNAI, Kind.LOST, "creates"), 2)))
        deleted = random.choice(
            [(0, acts.Upon("create", acts.DeleteIt(self._name))), (self._soon(), acts.DeleteIt(self._name))]
        )
        return [*made, (0.1, self._apply()), deleted]

    def attempt_is_repeated_in_doubt(self) -> list[Timed]:
        """The first one may have made something, and the next ones are refused."""
        random = self._random
        self._switches |= {"list_lag": 30.0}
        refused = acts.Begin(Trouble(Side.RUNAI, random.choice([Kind.FORBIDDEN, Kind.UNREACHABLE]), "creates"), 60)
        lost = acts.Begin(Trouble(Side.RUNAI, Kind.LOST, "creates"), 100)
        return [
            (0, lost),
            (0.1, acts.Upon("create", refused)),
            (0.1, self._apply()),
            (random.uniform(8, 25), acts.DeleteIt(self._name)),
        ]

    def late_attempt_succeeds_unseen(self) -> list[Timed]:
        """After many that made nothing, one makes something whose answer is lost, and the object is deleted."""
        random = self._random
        self._needs.calm = True
        self._switches |= {"list_lag": 30.0}
        fails = random.uniform(70, 200)
        return [
            (0, acts.Begin(Trouble(Side.RUNAI, Kind.BROKEN, "creates"), fails)),
            (0.1, self._apply()),
            (fails, acts.Begin(Trouble(Side.RUNAI, Kind.LOST, "creates"), 400)),
            (fails, acts.Upon("create", acts.DeleteIt(self._name))),
            (fails + 120, acts.Wait()),
        ]

    def what_an_attempt_made_ends_out_of_sight(self) -> list[Timed]:
        """And somebody removes it before anybody looks."""
        self._switches |= {"run_time": 20.0, "deleted_list": True}
        return [
            (0, acts.Upon("create", acts.Restart(150))),
            (0.1, self._apply(kind="Job")),
            (100, acts.DeleteOutside(0, of=self._name)),
        ]

    def project_hides_while_lists_fail(self) -> list[Timed]:
        """A reading says 404, and no witness can be asked."""
        random, at = self._random, self._settled()
        broken = Trouble(Side.RUNAI, random.choice([Kind.BROKEN, Kind.UNREACHABLE, Kind.GARBAGE]), "lists")
        asked: list[Timed] = [(at + gap, acts.Ask(self._name)) for gap in (2, 75, 150)]
        return [
            (0, self._apply()),
            (at, acts.HideProject("1", hidden=True)),
            (at, acts.Begin(broken, 300)),
            *asked,
            (at + 400, acts.HideProject("1", hidden=False)),
        ]

    def two_processes_attempt(self) -> list[Timed]:
        """The first is refused while the second has begun."""
        random = self._random
        refused = Trouble(Side.RUNAI, random.choice([Kind.FORBIDDEN, Kind.UNREACHABLE, Kind.LOST]), "creates")
        made: list[Timed] = [
            (0, acts.Overlap(60)),
            (0, acts.Begin(refused, random.choice([0.3, 1, 3]))),
            (0.05, self._apply()),
        ]
        if random.random() < 0.7:
            made.append((self._soon(), acts.DeleteIt(self._name)))
        return made

    # --- what is owed

    def what_was_refused_becomes_possible(self) -> list[Timed]:
        """Without a sign."""
        self._setup |= {"limited": False}
        random = self._random
        hidden: list[Timed] = [(0, acts.HideProject("2", hidden=True))]
        shown = random.choice([60, 200])
        return [
            *hidden,
            (1, self._apply(project="2", by_name=True)),
            (shown, acts.HideProject("2", hidden=False)),
        ]

    def source_changes_out_of_sight(self) -> list[Timed]:
        at = self._settled()
        return [
            (0, acts.WriteSource("p", 1)),
            (self._random.choice([0, 1]), acts.ApplyFromSource("of-p", "p")),
            (at, acts.Restart(60)),
            (at + 30, acts.WriteSource("p", 2)),
        ]

    def one_source_fails_and_another_changes(self) -> list[Timed]:
        at = self._settled()
        return [
            (0, acts.WriteSource("p", 1)),
            (0, acts.WriteSource("q", 1)),
            (1, acts.ApplyFromSource("of-p", "p")),
            (1, acts.ApplyFromSource("of-q", "q")),
            (at, acts.BreakSource("p", broken=True)),
            (at + self._soon(), acts.WriteSource("q", 3)),
            (at + 400, acts.BreakSource("p", broken=False)),
        ]

    def source_goes_under_running_work(self) -> list[Timed]:
        random, at = self._random, self._settled()
        made: list[Timed] = [
            (0, acts.WriteSource("p", 1)),
            (1, acts.ApplyFromSource("of-p", "p")),
            (at, acts.WriteSource("p", None)),
            (at + 200, acts.Ask("of-p")),
        ]
        return [*made, (at + 230, acts.Restart(1))] if random.random() < 0.5 else made

    def change_is_undone_in_mid_recreation(self) -> list[Timed]:
        self._setup |= {"limited": False}
        random, at = self._random, self._settled()
        self._switches |= {"delete_time": random.choice([15.0, 120.0]), "run_time": 1200.0}
        policies = self._with(recreate=RecreatePolicy.ON_IMMUTABLE_CHANGE)
        return [
            (0, self._apply(policies=policies)),
            (at, acts.MoveIt(self._name, "2")),
            (at + random.choice([2, 5, 10]), acts.MoveIt(self._name, "1")),
        ]

    def own_deletion_frees_a_name(self) -> list[Timed]:
        at = self._settled()
        return [
            (0, self._apply(own_name="shared")),
            (35, self._apply(self._second, own_name="shared")),
            (35 + at, acts.DeleteIt(self._name)),
        ]

    def outage_outlasts_a_deletion(self) -> list[Timed]:
        at = self._settled()
        self._setup |= {"release_after": 300.0}
        deleted = at + self._soon()
        return [
            (0, self._apply()),
            (at, self._out_of_reach(1500)),
            (deleted, acts.DeleteIt(self._name)),
            (deleted + 900, acts.Wait()),
        ]

    def deletions_are_undone_while_they_wait(self) -> list[Timed]:
        random, at = self._random, self._settled()
        self._setup |= {"delete_rate": 1}
        names = (self._name, self._second, self._third)
        stays = acts.SetPolicies(random.choice(names[1:]), self._with(deletion=DeletionPolicy.ORPHAN))
        return [
            *((0.0, self._apply(name, kind="Deployment")) for name in names),
            *((at, acts.DeleteIt(name)) for name in names),
            (at + random.choice([3, 20]), stays),
        ]

    def projects_cannot_be_listed(self) -> list[Timed]:
        at = self._settled()
        self._switches |= {"run_time": 1200.0}
        return [
            (0, self._apply(kind="Deployment", by_name=True, text=1)),
            (at, acts.Begin(Trouble(Side.RUNAI, Kind.FORBIDDEN, "the list of projects"), 1200)),
            (at + 1, acts.Restart(1)),
            (at + 420, self._apply(kind="Deployment", text=2)),
            (at + 700, acts.Wait()),
        ]

    def work_ends_out_of_sight(self) -> list[Timed]:
        """And no list shows it afterwards."""
        at = self._settled()
        self._switches |= {"run_time": 1200.0}
        policies = self._with(outside=ExternalDeletionPolicy.RECREATE)
        return [
            (0, self._apply(policies=policies)),
            (at, acts.Restart(100)),
            (at + 5, acts.EndIt(self._name, Phase.COMPLETED)),
            (at + 10, acts.DeleteOutside(0, purge=True, of=self._name)),
        ]

    def attempts_are_refused_for_long(self) -> list[Timed]:
        self._setup |= {"limited": False}
        kind = self._random.choice([Kind.FORBIDDEN, Kind.FORBIDDEN, Kind.THROTTLED, Kind.UNREACHABLE])
        refused = Trouble(Side.RUNAI, kind, "creates")
        return [(0, acts.Begin(refused, 900)), (0.1, self._apply()), (600, acts.Wait())]

    def paused_work_is_edited(self) -> list[Timed]:
        at = self._settled()
        return [
            (0, self._apply(kind="Deployment", text=1)),
            (at, acts.Pause(self._name, paused=True)),
            (at + self._random.choice([20, 60]), self._apply(kind="Deployment", text=2)),
            (at + 200, acts.Pause(self._name, paused=False)),
        ]

    def definition_goes(self) -> list[Timed]:
        return [(0, self._apply()), (self._settled(), acts.DeleteDefinition()), (200, acts.Ask(self._name))]

    def name_is_used_in_two_projects(self) -> list[Timed]:
        """The second one is in doubt, and the first one is on another page."""
        self._switches |= {"list_lag": 0.3}
        self._setup |= {"rows_a_page": 1, "limited": False}
        lost = acts.Begin(Trouble(Side.RUNAI, Kind.LOST, "creates"), 400)
        return [
            (0, self._apply(kind="Deployment", own_name="shared")),
            (35, lost),
            (35.1, self._apply(self._second, own_name="shared", project="2")),
            (35.1, acts.Upon("create", acts.DeleteIt(self._second))),
        ]

    def refusals_come_in_another_form(self) -> list[Timed]:
        refused = Trouble(Side.RUNAI, Kind.MISFORMED, "creates")
        self._setup |= {"limited": False}
        return [(0, acts.Begin(refused, 900)), (0.1, self._apply()), (500, acts.Wait())]

    def large_objects_are_applied(self) -> list[Timed]:
        at = self._settled()
        return [
            (0, self._apply(kind="Deployment", text=1)),
            (self._random.choice([0, at]), acts.MakeLarge(self._name)),
            (at + 10, self._apply(kind="Deployment", text=2)),
            (at + 300, acts.Wait()),
        ]

    def manifest_is_deep(self) -> list[Timed]:
        return [(0, acts.ApplyDeep(self._name)), (30, acts.Ask(self._name))]

    # --- what is said

    def secrets_are_quoted(self) -> list[Timed]:
        """By what Run:ai says of a manifest."""
        random, at = self._random, self._settled()
        self._setup |= {"limited": False}
        quoting = acts.Begin(Trouble(Side.RUNAI, Kind.QUOTING, random.choice(["creates", "updates"])), at + 60)
        says = acts.EndIt("of-secret", Phase.FAILED, f"cannot use the password {SECRET}")
        return [
            (0, acts.WriteSource("secret", 1)),
            (0, quoting),
            (1, acts.ApplyFromSource("of-secret", "secret", "Secret")),
            (at, acts.WriteSource("secret", 2)),
            (at + 120, acts.Ask("of-secret")),
            (at + 150, says),
            (at + 200, acts.Wait()),
        ]

    # --- what it costs

    def list_has_no_end(self) -> list[Timed]:
        endless = acts.Begin(Trouble(Side.RUNAI, Kind.ENDLESS, "the list of workloads"), self._random.choice([60, 300]))
        at = self._settled()
        return [(0, acts.Crowd(5)), (0, self._apply()), (at, endless), (at + 300, acts.Wait())]

    def lists_lag_for_longer_than_the_grace(self) -> list[Timed]:
        """The name is refused to an attempt that is repeated, and no list shows why."""
        self._needs.calm = True
        self._switches |= {"list_lag": 150.0, "ids_equal": True}
        lost = acts.Begin(Trouble(Side.RUNAI, Kind.LOST, "creates"), 3)
        deleted = self._random.choice([30, 70, 100])
        return [(0, lost), (0.1, self._apply(kind="Deployment")), (deleted, acts.DeleteIt(self._name))]

    def flood_of_one_project(self) -> list[Timed]:
        """And somebody in another one edits, and applies."""
        random, at = self._random, self._settled()
        self._needs.calm = True
        self._setup |= {"limited": False, "delete_rate": 100, "rows_a_page": MOST_ROWS}
        floods = random.choice([
            [(at, acts.Flood(FLOOD, 1)), (at + 100, acts.EndFlood())],
            [(0, acts.Flood(FLOOD, 1)), (at, acts.Flood(FLOOD, 2)), (at + 100, acts.EndFlood())],
            [(0, acts.Flood(FLOOD, 1)), (at, acts.EndFlood())],
        ])  # fmt: skip
        others: list[Timed] = [
            (0, self._apply(kind="Deployment", text=1)),
            (at + 0.5, self._apply(kind="Deployment", text=2)),
            (at + random.choice([0.5, 1, 2]), self._apply(self._second)),
        ]
        return [*floods, *others, (at + 200, acts.Wait())]

    def flood_of_a_misspelt_project(self) -> list[Timed]:
        at = self._settled()
        self._needs.calm = True
        self._setup |= {"limited": False, "delete_rate": 100, "rows_a_page": MOST_ROWS}
        return [
            (0, self._apply(kind="Deployment", text=1)),
            (at, acts.Flood(FLOOD, 1, project=None)),
            (at + 0.5, self._apply(kind="Deployment", text=2)),
            (at + 400, acts.EndFlood()),
        ]

    def deletions_hang(self) -> list[Timed]:
        """Run:ai cannot finish them, and somebody edits."""
        random, at = self._random, self._settled()
        self._needs.calm = True
        self._setup |= {"limited": False, "delete_rate": 100, "rows_a_page": MOST_ROWS}
        return [
            (0, self._apply(kind="Deployment", text=1)),
            (0, acts.Flood(30, 1)),
            (at, acts.Disconnect(connected=False)),
            (at, acts.EndFlood()),
            (at + random.choice([1, 60, 100]), self._apply(kind="Deployment", text=2)),
            (at + 600, acts.Disconnect(connected=True)),
        ]

    def part_of_it_fails_for_many(self) -> list[Timed]:
        """Edits cannot be sent, nor deletions, with one of which somebody loses patience; and what the lists show goes on."""
        random, at = self._random, self._settled()
        self._needs.calm = True
        self._setup |= {"limited": False, "delete_rate": 100, "rows_a_page": MOST_ROWS}
        fails = Trouble(Side.RUNAI, random.choice(OUTAGES), random.choice(["V2", "writes"]))
        return [
            (0, self._apply(kind="Job", text=1)),
            (0, acts.Apply(self._second, "Deployment", 1)),
            (0, acts.Flood(30, 1)),
            (at, acts.Begin(fails, 400)),
            (at + 1, acts.Flood(30, 2)),
            (at + 2, acts.DeleteIt(self._second)),
            (at + 30, acts.TakeFinalizer(self._second)),
            (at + random.choice([10, 100]), acts.EndIt(self._name, Phase.COMPLETED)),
            (at + 450, acts.EndFlood()),
        ]

    def run_ai_is_slow(self) -> list[Timed]:
        """But it answers."""
        self._needs.calm = True
        self._setup |= {"limited": False, "delete_rate": 100, "rows_a_page": MOST_ROWS}
        return [
            (0, self._apply(kind="Deployment", text=1)),
            (60, acts.Begin(Trouble(Side.RUNAI, Kind.SLOW), 200)),
            (61, acts.Flood(FLOOD, 1)),
            (63, self._apply(kind="Deployment", text=2)),
            (261, acts.Wait()),
            (330, acts.EndFlood()),
        ]

    def run_ai_forgets(self) -> list[Timed]:
        """Everything at once, as when it comes back from a backup; and remembers."""
        self._needs.calm = True
        self._setup |= {"limited": False, "delete_rate": 100, "rows_a_page": MOST_ROWS}
        return [
            (0, acts.Flood(MANY + 5, 1)),
            (60, acts.Begin(Trouble(Side.RUNAI, Kind.FORGETFUL), 700)),
            (760, acts.Wait()),
        ]

    def edit_fails_at_once(self) -> list[Timed]:
        """Whether Run:ai took it is not known, and it did not."""
        random, at = self._random, self._settled()
        self._needs.calm = True
        self._setup |= {"limited": False}
        self._switches |= {"run_time": 1200.0}
        fails = acts.Begin(Trouble(Side.RUNAI, Kind.BROKEN, "updates"), random.choice([3, 20]))
        return [
            (0, self._apply(kind="Deployment", text=1)),
            (at, fails),
            (at, self._apply(kind="Deployment", text=2)),
            (at + 300, acts.Wait()),
        ]

    def deletion_is_shown_while_reads_fail(self) -> list[Timed]:
        """The list of deleted workloads has it, and nothing else confirms that."""
        random, at = self._random, self._settled()
        self._needs.calm = True
        self._setup |= {"limited": False}
        self._switches |= {"deleted_list": True, "retention": 1_209_600.0, "run_time": 1200.0, "list_lag": 1.0}
        fails = acts.Begin(Trouble(Side.RUNAI, random.choice([Kind.BROKEN, Kind.UNREACHABLE]), "reads"), 260)
        return [
            (0, self._apply(kind="Deployment")),
            (at, fails),
            (at, acts.DeleteOutside(0, of=self._name)),
            (at + 300, acts.Wait()),
        ]

    def work_is_stopped_while_lists_fail(self) -> list[Timed]:
        """No other call shows that."""
        random, at = self._random, self._settled()
        self._needs.calm = True
        self._setup |= {"limited": False}
        self._switches |= {"deleted_list": True, "retention": 1_209_600.0, "run_time": 1200.0, "list_lag": 1.0}
        failing = random.choice(["the list of workloads", "lists", "everything"])
        return [
            (0, self._apply(kind="Deployment")),
            (at, acts.Begin(Trouble(Side.RUNAI, random.choice([Kind.BROKEN, Kind.UNREACHABLE]), failing), 300)),
            (at + self._soon(), acts.StopOutside(0, resume=False)),
            (at + 350, acts.Wait()),
        ]

    def another_adopts_what_stays(self) -> list[Timed]:
        """Which bears the mark of an object that is gone."""
        random, at, kind = self._random, self._settled(), self._random.choice(KINDS)
        self._needs.calm = True
        self._setup |= {"limited": False}
        self._switches |= {"run_time": 1200.0, "raw_manifest_echo": True, "raw_annotations": True, "ids_equal": True}
        stays = self._with(deletion=DeletionPolicy.ORPHAN)
        adopts = acts.ApplyAdopting(self._second, 0, kind, policies=Policies(), called=self._name)
        return [
            (0, self._apply(kind=kind, policies=stays)),
            (at, acts.DeleteIt(self._name)),
            (at + random.choice([20, 60]), adopts),
            (at + 120, acts.Wait()),
        ]

    def project_is_barred_under_a_move(self) -> list[Timed]:
        """The workload is in a project that may not be used any more, and its object names one that may."""
        at = self._settled()
        self._needs.calm = True
        self._setup |= {"limited": False}
        self._switches |= {"run_time": 1200.0}
        policies = self._with(recreate=RecreatePolicy.ON_IMMUTABLE_CHANGE)
        return [
            (0, self._apply(project="2", policies=policies)),
            (at, acts.Reinstall(5, limited=True)),
            (at + 10 + self._soon(), acts.MoveIt(self._name, "1")),
            (at + 120, acts.Wait()),
        ]

    def work_is_stopped_during_a_long_sweep(self) -> list[Timed]:
        at = self._settled()
        self._needs.calm = True
        self._setup |= {"limited": False, "rows_a_page": 1}
        self._switches |= {"deleted_list": True, "retention": 1_209_600.0, "run_time": 1200.0, "list_lag": 1.0}
        return [
            (0, self._apply(kind="Deployment")),
            (1, acts.Crowd(30)),
            (at, acts.Restart(1)),
            (at + 5 + self._soon(), acts.StopOutside(0, resume=False)),
            (at + 200, acts.Wait()),
        ]

    def policy_changes_while_it_is_carried_out(self) -> list[Timed]:
        """The workload was to stay when the object was read, and is to go when its finalizer is removed."""
        at = self._settled()
        self._needs.calm = True
        self._setup |= {"limited": False}
        self._switches |= {"run_time": 1200.0}
        return [
            (0, self._apply(policies=self._with(deletion=DeletionPolicy.ORPHAN))),
            (at, acts.DeleteIt(self._name)),
            (at, acts.Upon("read", acts.SetPolicies(self._name, Policies()))),
        ]

    def project_hides_under_a_deletion(self) -> list[Timed]:
        """That Run:ai has accepted and cannot finish; and no witness can be asked."""
        random, at = self._random, self._settled()
        self._needs.calm = True
        self._setup |= {"limited": False}
        self._switches |= {"hidden_answers_404": True, "run_time": 1200.0}
        broken = Trouble(Side.RUNAI, random.choice([Kind.BROKEN, Kind.UNREACHABLE, Kind.GARBAGE]), "lists")
        return [
            (0, self._apply()),
            (at, acts.Disconnect(connected=False)),
            (at + 1, acts.DeleteIt(self._name)),
            (at + 20, acts.HideProject("1", hidden=True)),
            (at + 20, acts.Begin(broken, 300)),
            (at + 400, acts.HideProject("1", hidden=False)),
        ]

    def edit_does_not_mend_a_failure(self) -> list[Timed]:
        """The workload stays as it is."""
        at = self._settled()
        self._needs.calm = True
        self._setup |= {"limited": False}
        self._switches |= {"put_reruns_failed": False, "run_time": 1200.0}
        return [
            (0, self._apply(kind="Job", text=1)),
            (at, acts.EndIt(self._name, Phase.FAILED)),
            (at + 60, self._apply(kind="Job", text=2)),
        ]

    def name_is_used_again_before_lists_show_the_end(self) -> list[Timed]:
        """The lists show the end of the workload before while the next one runs."""
        random, at = self._random, self._settled()
        self._needs.calm = True
        self._setup |= {"limited": False, "delta_interval": 5.0}
        self._switches |= {
            "list_lag": 30.0,
            "run_time": 1200.0,
            "delete_time": 1.0,
            "phase_time": 0.5,
            "sync_time": 0.5,
        }
        return [
            (0, self._apply(kind="Job", text=1)),
            (at, acts.EndIt(self._name, Phase.COMPLETED)),
            (at + random.uniform(30, 60), acts.DeleteIt(self._name, then_apply=self._apply(kind="Job", text=2))),
            (at + 200, acts.Wait()),
        ]

    def status_of_an_edit_conflicts_while_lists_fail(self) -> list[Timed]:
        """So whether the work is in sync is unknown, for another reason, when the edit is sent."""
        random, at = self._random, self._settled()
        self._needs.calm = True
        self._setup |= {"limited": False}
        self._switches |= {"run_time": 1200.0, "sync_info": True}
        broken = Trouble(Side.RUNAI, random.choice([Kind.BROKEN, Kind.UNREACHABLE, Kind.GARBAGE]), "lists")
        return [
            (0, self._apply(kind="Deployment", text=1)),
            (at, acts.Begin(broken, 200)),
            (at + 150, acts.Upon("update", acts.Pause(self._name, paused=False))),
            (at + 150, self._apply(kind="Deployment", text=2)),
            (at + 300, acts.Wait()),
        ]

    def workload_cannot_be_read_when_its_source_has_gone(self) -> list[Timed]:
        random, at = self._random, self._settled()
        self._needs.calm = True
        self._setup |= {"limited": False}
        self._switches |= {"run_time": 1200.0, "sync_info": True}
        fails = acts.Begin(Trouble(Side.RUNAI, random.choice([Kind.BROKEN, Kind.UNREACHABLE]), "reads"), 100)
        return [
            (0, acts.WriteSource("p", 1)),
            (1, acts.ApplyFromSource("of-p", "p")),
            (at, acts.WriteSource("p", None)),
            (at + 240, fails),
            (at + 240 + self._soon(), acts.Ask("of-p")),
            (at + 400, acts.Wait()),
        ]

    def what_is_observed_is_managed(self) -> list[Timed]:
        """For a while: also where a kill comes between, or somebody deletes one of the two."""
        random, at, kind = self._random, self._settled(), self._random.choice(KINDS)
        self._needs.calm = True
        self._switches |= {"run_time": 1200.0}
        observe, manage = (
            acts.SetManagement(self._name, policy) for policy in (ManagementPolicy.OBSERVE, ManagementPolicy.MANAGE)
        )
        again = at + random.choice([0.2, 2, 60])
        ends = random.choice([acts.Wait(), acts.DeleteIt(self._name), acts.DeleteOutside(0, of=self._name)])
        return [
            self._stranger("theirs", kind),
            (35, acts.ApplyAdopting(self._name, 0, kind, observe=True, called="theirs")),
            *self._perhaps((35 + at - 1, acts.KillAt("update", is_after=random.random() < 0.8))),
            (35 + at, manage),
            (35 + again, observe),
            *self._perhaps((100 + again, manage)),
            (200 + again, ends),
            (300 + again, acts.Wait()),
        ]

    def what_was_begun_is_observed_instead(self) -> list[Timed]:
        """An attempt to take a workload over, or to make one, is interrupted, and nobody knows what came of it."""
        random, kind = self._random, self._random.choice(KINDS)
        self._needs.calm = True
        self._switches |= {"run_time": 1200.0}
        observe = acts.SetManagement(self._name, ManagementPolicy.OBSERVE)
        begins: list[Timed]
        if random.random() < 0.4:
            adopts = acts.ApplyAdopting(self._name, 0, kind, called="theirs")
            begins = [self._stranger("theirs", kind), (34, acts.KillAt("update", is_after=True)), (35, adopts)]
            begins += self._perhaps((100, acts.DeleteIt(self._name)))
        else:
            begins = [(34, acts.KillAt("create", is_after=True)), (35, self._apply(kind=kind, text=1))]
        return [*begins, (36 + self._soon(), observe), (200, acts.Wait())]

    def _perhaps(self, act: Timed) -> list[Timed]:
        return [act] if self._random.random() < 0.5 else []


FLOOD = 40
"""Objects."""
TURNS = 60
"""In a round of the scripts."""
SCRIPTS: tuple[Callable[[Scripts], list[Timed]], ...] = tuple(
    made for name, made in vars(Scripts).items() if inspect.isfunction(made) and not name.startswith("_")
)
"""All of them, in their order; the last ones need calm. A new one comes last, so that it moves no history of another."""
MIXED = SCRIPTS[: SCRIPTS.index(Scripts.lists_lag_for_longer_than_the_grace)]
"""Those that others may go on beside."""


def in_turn(scripts: Sequence[Made], number: int, turns: int) -> Made:
    """The one of this number, going round and round; one of the first ones has the turns that are still free."""
    turn = number % turns
    return scripts[turn if turn < len(scripts) else turn - turns // 2]


def script(number: int, random: Random, names: Sequence[str], needs: Needs) -> list[Timed]:
    """The one of this turn; `names` and `needs` as above."""
    return in_turn(SCRIPTS, number, TURNS)(Scripts(random, names, needs))
