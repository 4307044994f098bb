"""Scripts about `managementPolicy: DryRun`: what is only to be checked, and what a Run:ai makes of it that ignores the flag."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from random import Random

from runai_operator.domain.model import ManagementPolicy
from simulation import acts
from simulation.acts import Timed
from simulation.scripts import KINDS, Needs, Scripts, in_turn
from simulation.troubles import Kind, Side, Trouble

PROVEN = 75.0
"""Seconds until a connection is proven where nothing goes wrong."""


class DryScripts(Scripts):
    """Makes scripts."""

    def _check(self, name: str | None = None, **chosen: object) -> acts.ApplyDry:
        text = self._random.randint(0, 5)
        return acts.ApplyDry(**{"name": name or self._name, "kind": self._random.choice(KINDS), "text": text, **chosen})  # type: ignore[arg-type]

    def _set(self, policy: ManagementPolicy, *, is_admitted: bool = False) -> acts.SetManagement:
        return acts.SetManagement(self._name, policy, is_admitted)

    def checked_edited_and_submitted(self) -> list[Timed]:
        """And then it is to be a dry run again, which admission may not know to refuse."""
        random = self._random
        self._switches |= {"dry_run": True, "run_time": 1200.0}
        self._setup |= {"limited": False}
        edited = PROVEN + random.uniform(0, 30)
        back = edited + 20 + random.choice([0.2, 2, 40])
        ends = random.choice([acts.DeleteIt(self._name), self._set(ManagementPolicy.MANAGE), acts.Wait()])
        return [
            (0, self._check(is_valid=random.random() < 0.7)),
            (edited, self._check(text=6, is_valid=random.random() < 0.7)),
            (edited + 2, acts.Ask(self._name)),
            (edited + 20, self._set(ManagementPolicy.MANAGE)),
            (edited + 20, self._check(text=7)),
            (back, self._set(ManagementPolicy.DRY_RUN, is_admitted=random.random() < 0.7)),
            (back + random.choice([5, 60]), ends),
        ]

    def the_flag_is_ignored(self) -> list[Timed]:
        """And the operator is killed while it finds that out; perhaps nobody waits for it afterwards."""
        random = self._random
        self._switches |= {"dry_run": False}
        call, is_after = random.choice([("dry_run", True), ("dry_run", True), ("get", True), ("delete", False)])
        made: list[Timed] = [(0, acts.KillAt(call, is_after)), (0.1, self._check())]
        if random.random() < 0.6:
            made.append((random.choice([1, 3]), acts.DeleteIt(self._name)))
        if random.random() < 0.5:
            made.append((random.uniform(0, 40), self._check(self._second, project="2")))
        return made

    def a_verdict_is_overtaken(self) -> list[Timed]:
        """The object is edited before the answer about what it was comes."""
        random = self._random
        self._switches |= {"dry_run": True}
        self._setup |= {"limited": False}
        edited = PROVEN + random.uniform(0, 30)
        return [
            (0, self._check(text=1)),
            (edited, acts.Upon("dry_run", self._check(text=3, is_valid=random.random() < 0.3))),
            (edited, random.choice([acts.Ask(self._name), self._check(text=2)])),
            (edited + random.choice([20, 60]), self._check(text=4, is_valid=random.random() < 0.5)),
            (edited + 80, acts.Begin(Trouble(Side.RUNAI, random.choice(list(Kind)[:3]), "creates"), 100)),
            (edited + 90, self._check(text=5, is_valid=random.random() < 0.5)),
        ]

    def the_answer_to_a_probe_is_lost(self) -> list[Timed]:
        random = self._random
        self._needs.calm = random.random() < 0.7
        self._setup |= {"limited": False}
        self._switches |= {"dry_run": random.random() < 0.2, "list_lag": random.choice([1.0, 10.0, 30.0])}
        lost = Trouble(Side.RUNAI, random.choice([Kind.BROKEN, Kind.BROKEN, Kind.LOST]), "creates")
        lasts = random.choice([1, 3, 100])
        made: list[Timed] = [(0, acts.Begin(lost, lasts)), (0.1, self._check()), (lasts, acts.Wait())]
        return [*made, (random.uniform(1, 60), acts.Restart(1))] if random.random() < 0.3 else made

    def a_stranger_has_the_name_of_the_probe(self) -> list[Timed]:
        random = self._random
        self._switches |= {"dry_run": random.random() < 0.5}
        made: list[Timed] = [
            (random.choice([0, 0, 2]), acts.StrangersProbe("1", marked=random.random() < 0.5)),
            (random.choice([0.1, 35]), self._check()),
        ]
        if random.random() < 0.3:
            made.append((random.uniform(1, 40), self._check(self._second, project="2")))
        return made

    def run_ai_is_changed(self) -> list[Timed]:
        """And the operator restarted, as the docs say; before that, what is on stays on, and what is off stays off."""
        random = self._random
        self._needs.calm = True
        knows, at = random.random() < 0.5, PROVEN + random.uniform(0, 60)
        self._switches |= {"dry_run": knows}
        self._setup |= {"limited": False}
        return [
            (0, self._check()),
            (at, acts.Restart(10)),
            (at + 3, acts.ChangeRunai(knows_dry_runs=not knows)),
            (at + 20, random.choice([acts.Ask(self._name), self._check(text=6)])),
            (at + 20, self._check(self._second)),
            (at + random.choice([30, 120]), self._set(ManagementPolicy.MANAGE)),
        ]

    def submission_is_under_way(self) -> list[Timed]:
        """When it becomes a dry run, and the answer may be lost."""
        random = self._random
        self._setup |= {"limited": False}
        made: list[Timed] = [(0, self._check()) if random.random() < 0.5 else (0, self._apply())]
        at = random.choice([0, 0.2, PROVEN])
        if random.random() < 0.6:
            made.append((at, acts.Begin(Trouble(Side.RUNAI, Kind.LOST, "creates"), random.choice([2, 100]))))
        became = self._set(ManagementPolicy.DRY_RUN, is_admitted=random.random() < 0.5)
        made += [(at, acts.Upon("create", became)), (at + 0.1, self._set(ManagementPolicy.MANAGE))]
        ends = random.choice([acts.DeleteIt(self._name), self._set(ManagementPolicy.MANAGE), acts.Restart(1)])
        return [*made, (at + random.choice([3, 30, 100]), ends)]

    def install_id_changes_under_a_probe(self) -> list[Timed]:
        random = self._random
        self._needs.calm = True
        self._switches |= {"dry_run": False, "raw_manifest_echo": True, "raw_annotations": True, "ids_equal": True}
        changed = acts.Reinstall(5, install="install-2", knows_former=random.random() < 0.5)
        return [(0, acts.Upon("dry_run", changed)), (0.1, self._check())]

    def part_of_it_fails_under_a_probe(self) -> list[Timed]:
        random = self._random
        self._switches |= {"dry_run": random.random() < 0.4}
        failing = random.choice(["lists", "reads", "deletes", "creates", "the list of projects"])
        kind = random.choice([Kind.UNREACHABLE, Kind.BROKEN, Kind.FORBIDDEN, Kind.THROTTLED, Kind.LOST, Kind.MISFORMED])
        lasts = random.choice([20, 200])
        begins = acts.Begin(Trouble(Side.RUNAI, kind, failing), lasts)
        made: list[Timed] = [(random.choice([0, 0, 1, 10]), begins), (0.1, self._check()), (lasts, acts.Wait())]
        hidden: list[Timed] = [(1, acts.HideProject("1", hidden=True)), (300, acts.HideProject("1", hidden=False))]
        return [*made, *hidden] if random.random() < 0.4 else made

    def its_name_is_taken(self) -> list[Timed]:
        """By a stranger's workload, or by that of an object; and gets free."""
        random = self._random
        self._switches |= {"dry_run": True, "run_time": 1200.0}
        self._setup |= {"limited": False}
        holder = self._apply(self._second, own_name="shared")
        return [
            (0, holder),
            (random.choice([0, 35]), self._check(own_name="shared")),
            (PROVEN + 60, acts.DeleteIt(self._second)),
        ]

    def two_processes_find_out(self) -> list[Timed]:
        random = self._random
        self._switches |= {"dry_run": random.random() < 0.4}
        return [
            (0, acts.Overlap(random.choice([5, 60, 100]))),
            (random.choice([0.1, 3]), self._check()),
            (random.choice([1, 20]), self._check(self._second, project="2")),
        ]

    def rolled_back_and_submitted(self) -> list[Timed]:
        """Run:ai is rolled back under what is checked, so that a dry run makes it before it is to be submitted."""
        made = self._rolled_back(self._set(ManagementPolicy.MANAGE))
        return [*made, (PROVEN, acts.Overlap(60))] if self._random.random() < 0.3 else made

    def rolled_back_and_renamed(self) -> list[Timed]:
        """Likewise, and it is to be submitted under another name."""
        return self._rolled_back(acts.SubmitAs(self._name, "renamed"))

    def rolled_back_and_made_anew(self) -> list[Timed]:
        """Likewise, and by the time that it can be read and deleted again it has finished, and another object of its name has
        the same to do."""
        again = acts.DeleteIt(self._name, then_apply=self._apply(kind="Job", text=6))
        made = self._rolled_back(again, kind="Job", failing="reads", lasts=300)
        self._switches |= {"run_time": 5.0}
        return [*made, (made[-1][0] + 400, acts.Wait())]

    def rolled_back_and_checked_again(self) -> list[Timed]:
        """Likewise, and it is to be submitted for a while, in which it is paused."""
        random = self._random
        made = self._rolled_back(acts.Pause(self._name, paused=True), lasts=100)
        at = made[-1][0]
        back = at + random.choice([5, 30])
        return [
            *made,
            (at + 1, self._set(ManagementPolicy.MANAGE)),
            (back, self._set(ManagementPolicy.DRY_RUN)),
            (back + 1, acts.Pause(self._name, paused=False)),
            (back + 900, acts.Wait()),
        ]

    def _rolled_back(
        self, submit: acts.Act, *, kind: str | None = None, failing: str | None = None, lasts: float | None = None
    ) -> list[Timed]:
        random = self._random
        self._needs.calm = True
        self._switches |= {"dry_run": True, "run_time": 1200.0, "raw_manifest_echo": True, "raw_annotations": True}
        self._switches |= {"ids_equal": True}
        self._setup |= {"limited": False}
        at, kinds = PROVEN + random.uniform(0, 30), [Kind.UNREACHABLE, Kind.FORBIDDEN]
        fails = Trouble(Side.RUNAI, random.choice(kinds), failing or random.choice(["reads", "deletes"]))
        chosen = {} if kind is None else {"kind": kind}
        return [
            (0, self._check(**chosen)),
            (at, acts.ChangeRunai(knows_dry_runs=False)),
            (at, acts.Begin(fails, lasts or random.choice([20, 100]))),
            (at + 0.1, self._check(text=6, **chosen)),
            (at + random.choice([1.5, 10]), submit),
        ]


DRY_TURNS = 16
"""In a round of them."""
DRY_SCRIPTS: tuple[Callable[[DryScripts], list[Timed]], ...] = tuple(
    made for name, made in vars(DryScripts).items() if inspect.isfunction(made) and not name.startswith("_")
)


def dry_script(number: int, random: Random, names: Sequence[str], needs: Needs) -> list[Timed]:
    """The one of this turn; `names` and `needs` as for `script`."""
    return in_turn(DRY_SCRIPTS, number, DRY_TURNS)(DryScripts(random, names, needs))
