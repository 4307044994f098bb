"""The whole engine in virtual time, between the two fakes: what tests start, restart, and act on as people do."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import Any

from fakes.chance import Chance
from fakes.kube import FakeKube, Stored
from fakes.observer import SilentObserver
from fakes.runai import FakeRunai
from runai_operator.domain.conditions import condition
from runai_operator.domain.model import DEFAULT_CONNECTION, Spec, Workload
from runai_operator.domain.state import Limits
from runai_operator.engine.engine import Engine, EngineSettings
from runai_operator.engine.ports import Kube, Runai
from runai_simulator.switches import Switches

EPOCH = 1_800_000_000.0
WORLD = Switches(list_lag=1, sync_time=1, phase_time=1, run_time=20, delete_time=2)
LIMITS = Limits(grace=10)
RUNS_ON = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 1}}


def settings_of(*, delete_rate: int = 100, **limits: float) -> EngineSettings:
    """`limits` by the names of their fields."""
    return EngineSettings(install="i", limits=replace(LIMITS, **limits), delete_rate=delete_rate)


class Bench:
    """An engine at work; `start` again is a restart."""

    def __init__(self, world: Switches = WORLD) -> None:
        self.loop = asyncio.get_running_loop()
        self.kube = FakeKube(lambda: EPOCH + self.loop.time())
        self.runai = FakeRunai(lambda: EPOCH + self.loop.time(), world)
        self.observer = SilentObserver()
        self.task: asyncio.Task[None] | None = None

    async def start(self, **settings: float) -> None:
        await self.stop()
        chance = Chance()
        self.engine = Engine(
            kube=self.kube_access(chance),
            connections=self.connections(chance),
            observer=self.observer,
            settings=settings_of(**settings),
            now=lambda: datetime.fromtimestamp(EPOCH + self.loop.time(), UTC),
            random=Random(1),
            choose=self.choose,
        )
        self.chance = chance
        await self.engine.load()
        self.task = asyncio.create_task(self.engine.run())

    def kube_access(self, chance: Chance) -> Kube:
        """What the next process is given of Kubernetes."""
        return self.kube.client(chance)

    def connections(self, chance: Chance) -> dict[str, Runai]:
        """What the next process is given of Run:ai."""
        return {DEFAULT_CONNECTION: self.runai.client(chance)}

    def choose(self, workload: Workload) -> str:
        """The connection for a workload that was not submitted yet."""
        del workload
        return DEFAULT_CONNECTION

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)

    def apply(self, name: str, /, **spec):
        stored = self.kube.create("ns", name, Spec(**({"manifest": RUNS_ON, "project_id": "1"} | spec)))
        self.engine.observe("ADDED", stored.meta())
        return stored

    def delete(self, stored) -> None:
        self.kube.delete(stored)
        self.engine.observe("MODIFIED", stored.meta())

    def delete_everything(self) -> None:
        for stored in list(self.kube.objects.values()):
            self.delete(stored)

    def ready(self) -> int:
        return sum((condition(s.status, "Ready") or {}).get("status") == "True" for s in self.kube.objects.values())

    def edit(self, stored: Stored, **spec: Any) -> None:
        self.kube.edit(stored, replace(stored.spec, **spec))
        self.engine.observe("MODIFIED", stored.meta())

    def now(self) -> float:
        """The control plane's and the API server's clock."""
        return EPOCH + self.loop.time()
