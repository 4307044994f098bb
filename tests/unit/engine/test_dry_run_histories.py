"""Random histories of DryRun objects among others: whatever happens, none of them ever has a workload at Run:ai.

Operators die and overlap, answers are lost, lists lag, permissions come and go, and people edit, submit, pause and delete.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from random import Random

import pytest

from fakes.bench import RUNS_ON, WORLD, UnevenBench
from fakes.runai import mark_of
from fakes.uneven_runai import Lost
from runai_operator.domain.errors import AccessDenied, OutcomeUnknown, Throttled, Unavailable
from runai_operator.domain.manifest import read_mark
from runai_operator.domain.model import NOT_SUBMITTED, ManagementPolicy
from runai_operator.domain.probe import probe_mark

pytestmark = pytest.mark.looptime

SEEDS = range(24)
STEPS = 40
HEALED_IN = 1200.0
"""Seconds after which everything that was in the way has been tried again."""
MOST_CALLS = 120
"""Of a handful of objects and two processes, within a minute, whatever is wrong."""
UNDOCUMENTED = ("deleted_answers_404", "raw_annotations", "ids_equal", "writes_while_busy", "deleted_list", "sync_info")
DRY, MANAGE = ManagementPolicy.DRY_RUN, ManagementPolicy.MANAGE
BAD = {**RUNS_ON, "kind": "Deploymint"}
NAMES = ("a", "b", "c")
CALLS = ("dry_run", "create", "get", "find", "rows", "delete", "projects")


class History:
    """One random life of some objects, with what has to hold all the time."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        flipped = {name: not getattr(WORLD, name) for name in UNDOCUMENTED if self.random.random() < 0.2}
        lag = self.random.choice([0.3, 1.0, 8.0])
        self.world = replace(WORLD, dry_run=self.random.random() < 0.5, list_lag=lag, **flipped)
        self.bench = UnevenBench(self.world)
        self.bench.runai.allow = self.allow
        self.told: list[str] = []
        self.managed: set[str] = set()
        """The UIDs of objects that were ever to be submitted."""

    def allow(self, method, subject) -> None:
        """Told of each write before its effect."""
        if method in ("POST", "DRY RUN"):
            mark = read_mark(subject.manifest)
            is_probe = method == "DRY RUN" and mark == probe_mark("i")
            is_asked = method == "DRY RUN" and self.world.dry_run
            assert is_probe or is_asked or mark.uid in self.managed, f"{method} for {mark}"
        if method == "DELETE":
            mark = mark_of(subject[0])
            assert mark == probe_mark("i") or mark.uid in self.managed, f"DELETE of {mark}"

    def look(self) -> None:
        for workload in self.bench.runai.live():
            mark = mark_of(workload)
            assert mark == probe_mark("i") or mark.uid in self.managed, f"{workload.name} of {mark}"
        for stored in self.bench.kube.objects.values():
            if stored.ref.uid not in self.managed:
                assert stored.finalizers == ()
                assert "workloadId" not in stored.status
                assert stored.status.get("submission") in (None, NOT_SUBMITTED)

    async def act(self) -> None:  # noqa: C901 - one case for each
        kube, random = self.bench.kube, self.random
        name = random.choice(NAMES)
        stored = kube.objects.get(("ns", name))
        match random.choice(["apply", "apply", "edit", "policy", "delete", "ask", "pause", "break", "heal", "restart"]):
            case "apply" if stored is None:
                policy = random.choice([DRY, DRY, MANAGE])
                made = self.bench.apply(name, management_policy=policy, project_id=random.choice("12"))
                if policy is MANAGE:
                    self.managed.add(made.ref.uid)
            case "edit" if stored is not None and not stored.deleting:
                self.bench.edit(stored, manifest=random.choice([RUNS_ON, BAD, {**RUNS_ON, "spec": {"replicas": 2}}]))
            case "policy" if stored is not None and not stored.deleting:
                self.managed.add(stored.ref.uid)
                self.bench.edit(stored, management_policy=random.choice([DRY, MANAGE]))
            case "delete" if stored is not None and not stored.deleting:
                self.bench.delete(stored)
            case "ask" if stored is not None:
                kube.touch(stored, token=str(self.bench.now()))
                self.bench.engine.observe("MODIFIED", stored.meta())
            case "pause" if stored is not None:
                kube.touch(stored, paused=not stored.paused)
                self.bench.engine.observe("MODIFIED", stored.meta())
            case "break":
                error = random.choice(
                    [
                        lambda: Unavailable("Run:ai cannot be reached."),
                        lambda: Throttled("Slowly.", after=5),
                        lambda: AccessDenied("Run:ai denies it."),
                        lambda: Lost(OutcomeUnknown("No answer came back.")),
                    ]
                )
                self.bench.troubles[random.choice(CALLS)] = error
            case "heal":
                self.bench.troubles.clear()
            case "restart":
                await self.bench.start()

    async def play(self) -> None:
        await self.bench.start()
        for _ in range(STEPS):
            await self.act()
            for _ in range(self.random.choice([1, 3, 30])):
                await asyncio.sleep(0.7)
                self.look()
        self.bench.troubles.clear()
        for stored in self.bench.kube.objects.values():
            self.bench.kube.touch(stored, paused=False, token="now")
            self.bench.engine.observe("MODIFIED", stored.meta())
        await asyncio.sleep(HEALED_IN)
        self.look()
        self.ended()
        await self.bench.stop()

    def ended(self) -> None:
        if self.world.raw_annotations and self.world.ids_equal:
            assert not [each for each in self.bench.runai.live() if mark_of(each) == probe_mark("i")]
        for stored in self.bench.kube.objects.values():
            if stored.ref.uid in self.managed:
                continue
            shown = stored.status.get("reason")
            if not self.world.dry_run:
                assert shown == "DryRunUnsupported", (stored.ref, stored.status)
            else:
                assert shown == ("InvalidSpec" if stored.spec.manifest == BAD else "Valid"), (stored.ref, stored.status)
        assert self.bench.calls_in_worst_minute(since=0) <= MOST_CALLS
        assert self.bench.observer.bugs == 0


@pytest.mark.parametrize("seed", SEEDS)
async def test_no_history_leaves_a_workload_of_what_was_only_to_be_checked(seed):
    await History(seed).play()
