"""Everything that can be owed, all at once, and a restart at any moment: it is delivered when all is well again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from random import Random

import pytest

from fakes.bench import RUNS_ON, WORLD, Bench
from runai_operator.domain.conditions import condition
from runai_operator.domain.errors import InvalidWorkload
from runai_operator.domain.model import (
    ExternalDeletionPolicy,
    RecreatePolicy,
    RerunPolicy,
    SourceRef,
    SourceText,
)
from runai_operator.domain.requeue import SLOW_PROBE

pytestmark = pytest.mark.looptime

TWO = {**RUNS_ON, "spec": {"replicas": 2}}
JOB = {"apiVersion": "batch/v1", "kind": "Job", "spec": {}}
OTHER_JOB = {**JOB, "spec": {"x": 2}}


def held(replicas, version):
    return SourceText(f"apiVersion: apps/v1\nkind: Deployment\nspec: {{replicas: {replicas}}}", version)


class OwingBench(Bench):
    """One object for each way to owe something."""

    def apply_all(self):
        self.kube.sources["code"] = held(1, "1")
        self.edited = self.apply("edited")
        self.refused = self.apply("refused")
        self.failed = self.apply("failed")
        self.from_source = self.apply("from-source", manifest=None, manifest_from=SourceRef("ConfigMap", "code", "k"))
        self.replaced = [
            self.apply(f"replaced{number}", recreate_policy=RecreatePolicy.ON_IMMUTABLE_CHANGE) for number in range(4)
        ]
        self.rerun = self.apply("rerun", manifest=JOB, rerun_policy=RerunPolicy.ON_SPEC_CHANGE)
        self.lost = self.apply("lost", external_deletion_policy=ExternalDeletionPolicy.RECREATE)
        self.paused = self.apply("paused")
        self.deleted = [self.apply(f"deleted{number}") for number in range(4)]

    async def begin(self):
        self.apply_all()
        await asyncio.sleep(90)
        assert self.ready() == len(self.kube.objects)
        self.set_phase("failed", "Failed")
        await asyncio.sleep(15)

    def workload(self, name):
        [found] = [each for each in self.runai.live() if each.name == name and each.deleted is None]
        return found

    def set_phase(self, name, phase):
        self.runai.world.set_phase(self.workload(name), phase, "as somebody wants it", self.now())

    def owe(self, *, unseen):
        """`unseen`: no operator is there to see it."""
        edit = (lambda stored, **spec: self.kube.edit(stored, replace(stored.spec, **spec))) if unseen else self.edit
        self.runai.allow = self.refuse
        edit(self.edited, manifest=TWO)
        edit(self.refused, manifest=TWO)
        edit(self.failed, manifest=TWO)
        self.kube.sources["code"] = held(5, "2")
        for stored in self.replaced:
            edit(stored, preemptibility="preemptible")
        edit(self.rerun, manifest=OTHER_JOB)
        self.runai.world.delete(self.workload("lost"), self.now())
        self.kube.touch(self.paused, paused=True)
        edit(self.paused, manifest=TWO)
        self.new = self.kube.create("ns", "new", replace(self.edited.spec, manifest=RUNS_ON))
        for stored in self.deleted:
            self.kube.delete(stored) if unseen else self.delete(stored)
        if not unseen:
            self.engine.observe("ADDED", self.new.meta())

    def refuse(self, method, subject):
        if method == "PUT" and subject[0].name == "refused":
            raise InvalidWorkload("The quota does not allow it.")

    def heal(self):
        self.chance.down = False
        self.runai.allow = lambda method, subject: None
        self.kube.touch(self.paused, paused=False)
        self.engine.observe("MODIFIED", self.paused.meta())

    def assert_nothing_owed(self):
        for stored in self.kube.objects.values():
            ready, synced = condition(stored.status, "Ready"), condition(stored.status, "Synced")
            expected = "Completed" if stored is self.rerun else "Running"
            assert (stored.ref.name, ready["reason"], synced["reason"]) == (stored.ref.name, expected, "Synced")
        manifests = {workload.name: workload.manifest["spec"] for workload in self.runai.live()}
        assert {manifests[name]["replicas"] for name in ("edited", "refused", "failed", "paused")} == {2}
        assert manifests["from-source"]["replicas"] == 5
        assert {self.workload(stored.ref.name).preemptibility for stored in self.replaced} == {"preemptible"}
        assert self.workload("rerun").manifest["spec"] == {"x": 2}
        assert not any(stored.ref.name.startswith("deleted") for stored in self.kube.objects.values())
        names = [workload.name for workload in self.runai.live()]
        assert sorted(names) == sorted(stored.ref.name for stored in self.kube.objects.values())


@pytest.fixture
async def bench():
    async with OwingBench(replace(WORLD, delete_time=20)).started(delete_rate=3) as bench:
        yield bench


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_is_owed_is_delivered_after_restarts_at_any_moment(bench, seed):
    random = Random(seed)
    await bench.begin()
    if unseen := random.random() < 0.4:
        await bench.stop()
    else:
        bench.chance.down = random.random() < 0.7
        await asyncio.sleep(random.uniform(0, 5))
    bench.owe(unseen=unseen)
    for _ in range(random.randint(1, 4)):
        await asyncio.sleep(random.choice([0.05, 0.5, 5, 100]) * random.random())
        down = random.random() < 0.6
        await bench.start(delete_rate=3)
        bench.chance.down = down
    await asyncio.sleep(random.uniform(0, 60))
    bench.heal()
    await asyncio.sleep(1.3 * SLOW_PROBE)

    bench.assert_nothing_owed()
