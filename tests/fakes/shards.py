"""Several engines over one Kubernetes and one Run:ai in virtual time, each of which serves the objects with certain labels."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import Any, Self

from fakes.bench import EPOCH, RUNS_ON, WORLD, settings_of
from fakes.chance import Chance
from fakes.kube import FakeKube, Stored, Versions
from fakes.observer import SilentObserver
from fakes.runai import FakeRunai
from fakes.uneven_runai import Troubles, UnevenRunai
from runai_operator.domain.model import DEFAULT_CONNECTION, Meta, Spec
from runai_operator.engine.engine import Engine
from runai_simulator.switches import Switches

WATCH_LAG = 0.05
"""Seconds."""


class Shard:
    """One engine and its watch, which shows as deleted what is no longer selected."""

    def __init__(self, shards: Shards, labels: tuple[str, ...], **settings: Any) -> None:
        self.labels = labels
        self.troubles, self.latency = Troubles(), dict[str, float]()
        self.watch_lag = WATCH_LAG
        self.calls: list[str] = []
        """Methods of Run:ai."""
        self.kube_lag = {"before": 0.0, "after": 0.0}
        """Seconds that a read of an object takes before and after it is looked at."""
        self._loop, self._kube = shards.loop, shards.kube
        self._shown: dict[str, Meta] = {}
        self.observer = SilentObserver()
        access = shards.kube.client(Chance(), self.selects)
        self._read, access.read = access.read, self._read_slowly  # type: ignore[method-assign]
        runai = UnevenRunai(shards.runai.client(Chance()), self.troubles, self.latency, self.calls.append)
        self.engine = Engine(
            kube=access,
            connections={DEFAULT_CONNECTION: runai},
            observer=self.observer,
            settings=replace(settings_of(**settings), serves_all=False),
            now=lambda: datetime.fromtimestamp(shards.now(), UTC),
            random=Random(1),
        )

    def selects(self, stored: Stored) -> bool:
        return stored.shard in self.labels

    async def _read_slowly(self, *args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(self.kube_lag["before"])
        try:
            return await self._read(*args, **kwargs)
        finally:
            await asyncio.sleep(self.kube_lag["after"])

    async def run(self) -> None:
        await self.engine.load()
        self._shown = self._selected()
        await self.engine.run()

    def changed(self) -> None:
        self._loop.call_later(self.watch_lag, self._show)

    def _selected(self) -> dict[str, Meta]:
        return {each.ref.uid: each.meta() for each in self._kube.objects.values() if self.selects(each)}

    def _show(self) -> None:
        before, self._shown = self._shown, self._selected()
        for uid, meta in self._shown.items():
            if before.get(uid) != meta:
                self.engine.observe("MODIFIED" if uid in before else "ADDED", meta)
        for uid in before.keys() - self._shown.keys():
            self.engine.observe("DELETED", before[uid])


class Shards:
    """What people do; objects have one label, that of `shard`."""

    def __init__(self, world: Switches = WORLD) -> None:
        self.loop = asyncio.get_running_loop()
        self.kube = FakeKube(self.now)
        self.kube._versions = Versions(self._changed)
        self.runai = FakeRunai(self.now, world)
        self._shards: list[Shard] = []
        self._tasks: list[asyncio.Task[None]] = []

    def now(self) -> float:
        return EPOCH + self.loop.time()

    def _changed(self) -> None:
        for shard in self._shards:
            shard.changed()

    def start(self, *labels: str, **settings: Any) -> Shard:
        """Another one, for these labels."""
        shard = Shard(self, labels, **settings)
        self._shards.append(shard)
        self._tasks.append(asyncio.create_task(shard.run()))
        return shard

    @asynccontextmanager
    async def started(self) -> AsyncIterator[Self]:
        """To the end of all; no pass may have met an error that nobody expected."""
        try:
            yield self
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        assert [shard.observer.bugs for shard in self._shards] == [0] * len(self._shards)

    def apply(self, name: str, /, shard: str = "a", **spec: Any) -> Stored:
        stored = self.kube.create("ns", name, Spec(**({"manifest": RUNS_ON, "project_id": "1"} | spec)))
        self.move(stored, shard)
        return stored

    def move(self, stored: Stored, shard: str) -> None:
        self.kube.touch(stored, shard=shard)

    def edit(self, stored: Stored, **spec: Any) -> None:
        self.kube.edit(stored, replace(stored.spec, **spec))

    def delete(self, stored: Stored) -> None:
        self.kube.delete(stored)
        self._changed()

    def standing(self) -> list[Any]:
        """The workloads at Run:ai that nobody has deleted yet."""
        return [workload for workload in self.runai.live() if workload.deleted is None]
