"""The whole engine in virtual time, between the two fakes: what tests start, restart, and act on as people do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import Any, Self

from fakes.chance import Chance
from fakes.kube import FakeKube, Stored
from fakes.observer import SilentObserver
from fakes.runai import FakeRunai
from fakes.uneven_runai import Troubles, UnevenRunai
from runai_operator.domain.access import Access
from runai_operator.domain.conditions import condition
from runai_operator.domain.model import DEFAULT_CONNECTION, Spec, Workload
from runai_operator.domain.requeue import Limits
from runai_operator.engine.engine import Engine
from runai_operator.engine.ports import EngineSettings, Kube, Runai
from runai_simulator.switches import Switches

EPOCH = 1_800_000_000.0
WORLD = Switches(list_lag=1, sync_time=1, phase_time=1, run_time=20, delete_time=2)
LIMITS = Limits(grace=10)
RUNS_ON = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 1}}


def settings_of(
    *, delete_rate: int = 100, events: bool = True, install: str = "i", former: tuple[str, ...] = (), **limits: float
) -> EngineSettings:
    """`limits` by the names of their fields."""
    return EngineSettings(
        limits=replace(LIMITS, **limits),
        delete_rate=delete_rate,
        events=events,
        install=install,
        former_installs=former,
    )


class Bench:
    """An engine at work; `start` again is a restart."""

    def __init__(self, world: Switches = WORLD) -> None:
        self.loop = asyncio.get_running_loop()
        self.kube = FakeKube(lambda: EPOCH + self.loop.time())
        self.runai = FakeRunai(lambda: EPOCH + self.loop.time(), world)
        self.observer = SilentObserver()
        self.access = Access()
        """The table that the next process is given."""
        self.task: asyncio.Task[None] | None = None

    async def start(self, **settings: Any) -> None:
        await self.stop()
        chance = Chance()
        self.engine = Engine(
            kube=self.kube_access(chance),
            connections=self.connections(chance),
            observer=self.observer,
            settings=replace(settings_of(**settings), access=self.access),
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

    @asynccontextmanager
    async def started(self, **settings: Any) -> AsyncIterator[Self]:
        """From the first start to the last stop; no pass may have met an error that nobody expected."""
        await self.start(**settings)
        try:
            yield self
        finally:
            await self.stop()
        assert self.observer.bugs == 0

    def apply(self, name: str, /, *, namespace: str = "ns", **spec):
        stored = self.kube.create(namespace, name, Spec(**({"manifest": RUNS_ON, "project_id": "1"} | spec)))
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


class UnevenBench(Bench):
    """A bench whose Run:ai fails and is slow as told, and where every call to it is noted."""

    def __init__(self, world: Switches = WORLD) -> None:
        super().__init__(world)
        self.troubles, self.latency = Troubles(), dict[str, float]()
        self.calls: list[tuple[float, str]] = []
        """When, and which method."""

    def connections(self, chance: Chance) -> dict[str, Runai]:
        return {DEFAULT_CONNECTION: UnevenRunai(self.runai.client(chance), self.troubles, self.latency, self._note)}

    def _note(self, method: str) -> None:
        self.calls.append((self.loop.time(), method))

    def calls_in_worst_minute(self, since: float) -> int:
        """Of all kinds of calls."""
        times = [time for time, _ in self.calls if time >= since]
        return max((sum(begin <= time < begin + 60 for time in times) for begin in times), default=0)

    def called(self, *methods: str, since: float = 0.0) -> int:
        return sum(time >= since and method in methods for time, method in self.calls)

    async def shown_after(self, phase: str, stored: Stored, *, patience: float = 600.0) -> float:
        """Seconds until the object shows the phase that its workload has from now on."""
        [workload] = [each for each in self.runai.live() if each.name == stored.ref.name]
        self.runai.world.set_phase(workload, phase, "", self.now())
        began = self.loop.time()
        while stored.status.get("phase") != phase and self.loop.time() - began < patience:  # noqa: ASYNC110
            await asyncio.sleep(0.25)
        return self.loop.time() - began


def ready(stored: Stored) -> dict[str, Any] | None:
    """The condition, or None where there is none yet."""
    return condition(stored.status, "Ready")


def reason(stored: Stored) -> str | None:
    """Of Ready."""
    return (ready(stored) or {}).get("reason")


def standing(bench: Bench) -> list[Any]:
    """The workloads at Run:ai that nobody has deleted yet."""
    return [workload for workload in bench.runai.live() if workload.deleted is None]
