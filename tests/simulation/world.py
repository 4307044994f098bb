"""The simulated world: Kubernetes, Run:ai, what is between them and the operator, and the operator's processes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any

from fakes.chance import Chance
from fakes.kube import FakeKube, Stored
from fakes.observer import SilentObserver
from fakes.runai import FakeRunai
from runai_operator.domain.errors import BridgeError
from runai_operator.domain.model import DEFAULT_CONNECTION, Meta
from runai_operator.domain.requeue import Limits
from runai_operator.engine.engine import Engine
from runai_operator.engine.ports import EngineSettings
from runai_simulator.switches import Switches
from simulation.troubles import Side, Trouble

EPOCH = 1_800_000_000.0
INSTALL = "install-1"
LIMITS = Limits()


class Dead(BaseException):
    """The process is gone: nothing of it goes on."""


class WatchedKube(FakeKube):
    """Tells whoever listens of every change, a little later; while the watch is cut, of nothing."""

    def __init__(self, now: Callable[[], float], random: Random) -> None:
        super().__init__(now)
        self._versions = _Bumps(self._changed)  # type: ignore[assignment]
        self._random = random
        self._told: dict[str, Meta] = {}
        self._listener: Callable[[str | None, Meta], None] | None = None
        self._cut = False
        self.gone: dict[str, Stored] = {}
        """Objects that are no more, by UID."""
        self.gone_at: dict[str, float] = {}

    def connect(self, listener: Callable[[str | None, Meta], None] | None) -> None:
        """A list, and then events; kopf never tells what vanished before the list."""
        self._listener = listener
        self._list()

    def cut(self) -> None:
        self._cut = True

    def mend(self) -> None:
        self._cut = False
        self._list()

    def _list(self) -> None:
        self._told = {}
        if self._listener is None or self._cut:
            return
        for stored in self.objects.values():
            self._told[stored.ref.uid] = stored.meta()
            self._listener(None, stored.meta())

    def _remove(self, stored: Stored) -> None:
        super()._remove(stored)
        self.gone[stored.ref.uid] = stored
        self.gone_at[stored.ref.uid] = self._now()
        self._changed()

    def _changed(self) -> None:
        with contextlib.suppress(RuntimeError):  # before there is a loop, nobody listens
            asyncio.get_running_loop().call_later(self._random.uniform(0.001, 0.5), self._tell)

    def _tell(self) -> None:
        if self._listener is None or self._cut:
            return
        now_there = {stored.ref.uid: stored.meta() for stored in self.objects.values()}
        for uid, meta in now_there.items():
            before = self._told.get(uid)
            if before != meta:
                self._told[uid] = meta
                self._listener("ADDED" if before is None else "MODIFIED", meta)
        for uid in [uid for uid in self._told if uid not in now_there]:
            self._listener("DELETED", self._told.pop(uid))


class _Bumps:
    """Versions; each one is a change."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._last, self._changed = 0, changed

    def __next__(self) -> int:
        self._last += 1
        self._changed()
        return self._last

    def __iter__(self) -> Iterator[int]:
        return self


class Process:
    """One run of the operator. `dies_in`: calls until it is killed, half of the time after the effect."""

    def __init__(self, world: World, *, install: str) -> None:
        self.world = world
        self.is_alive = True
        self.dies_in: int | None = None
        self.started_at = world.now()
        chance = Chance()
        self.observer = SilentObserver()
        self.engine = Engine(
            kube=Wire(world.kube.client(chance), self, Side.KUBE),
            connections={DEFAULT_CONNECTION: Wire(world.runai.client(chance), self, Side.RUNAI)},
            observer=self.observer,
            settings=EngineSettings(install=install, limits=LIMITS),
            now=lambda: datetime.fromtimestamp(world.now(), UTC),
            random=Random(world.random.random()),
            choose=lambda workload: DEFAULT_CONNECTION,
        )
        self._task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Until cancelled or dead."""
        while True:
            try:
                await self.engine.load()
            except BridgeError:
                await asyncio.sleep(2)
            else:
                break
        self.world.kube.connect(self.engine.observe)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.engine.run())
            group.create_task(self._report())

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(15)
            self.engine.report()

    def start(self) -> None:
        self._task = asyncio.create_task(self.run())
        self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Dead by a planned crash: machines start it again."""
        error = None if task.cancelled() else task.exception()
        if error is not None and self.is_alive:
            self.world.say(f"the operator ended by itself: {error!r}")
            self.world.bugs += 1
        if not self.is_alive and self.world.process is self:
            asyncio.get_running_loop().call_later(self.world.random.uniform(1, 10), self.world.restart, self)

    async def stop(self) -> None:
        self.world.kube.connect(None)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.is_alive = False

    async def call(self, side: Side, name: str, make: Callable[[], Awaitable[Any]]) -> Any:
        """One call, with what lies between the operator and the other side."""
        world = self.world
        is_last = self._is_last()
        if is_last and world.random.random() < 0.5:
            self._die(f"before {name}")
        world.count(side, name)
        await asyncio.sleep(world.random.uniform(0.002, 0.1))
        self._check_alive()
        trouble = world.trouble(side, name)
        if trouble is not None and not trouble.after_effect:
            raise trouble.error(name)
        answer = await make()
        if is_last:
            self._die(f"after {name}")
        if trouble is not None:
            raise trouble.error(name)
        await asyncio.sleep(world.random.uniform(0.002, 0.1))
        self._check_alive()
        return answer

    def _is_last(self) -> bool:
        self._check_alive()
        if self.dies_in is None:
            return False
        self.dies_in -= 1
        return self.dies_in <= 0

    def _die(self, when: str) -> None:
        self.world.say(f"the operator is killed {when}")
        self.is_alive = False
        self.world.kube.connect(None)
        raise Dead

    def _check_alive(self) -> None:
        if not self.is_alive:
            raise Dead


class Wire:
    """One process's calls of one side."""

    def __init__(self, inner: Any, process: Process, side: Side) -> None:
        self._inner, self._process, self._side = inner, process, side

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            return await self._process.call(self._side, name, lambda: method(*args, **kwargs))

        return call

    @property
    def scopes(self) -> Any:
        return self._inner.scopes

    async def list_all(self, scope: str | None) -> AsyncIterator[Any]:
        async def listed() -> list[Any]:
            return [row async for row in self._inner.list_all(scope)]

        for row in await self._process.call(self._side, "list_all", listed):
            yield row

    async def aclose(self) -> None:
        pass


class World:
    """Everything there is; needs a running loop."""

    def __init__(self, seed: int, switches: Switches) -> None:
        self._loop = asyncio.get_running_loop()
        self.random = Random(seed)
        self.kube = WatchedKube(self.now, self.random)
        self.runai = FakeRunai(self.now, switches)
        self.process: Process | None = None
        self.install = INSTALL
        self.troubles: list[tuple[float, Trouble]] = []
        self.troubled_at: dict[Side, float] = {}
        """When something was last wrong on that side."""
        self.hidden_at = 0.0
        """When a project was last hidden or shown."""
        self.story: list[str] = []
        self.calls: dict[Side, list[float]] = {Side.RUNAI: [], Side.KUBE: []}
        self.bugs = 0
        self._rollouts: list[asyncio.Task[None]] = []

    def now(self) -> float:
        return EPOCH + self._loop.time()

    def say(self, what: str) -> None:
        self.story.append(f"{self._loop.time():9.2f}  {what}")

    def count(self, side: Side, name: str) -> None:
        self.calls[side].append(self._loop.time())
        if name in ("create", "update", "delete"):
            self.say(f"    the operator calls {name}")

    # --- what goes wrong

    def begin(self, trouble: Trouble, seconds: float) -> None:
        self.troubles.append((self.now() + seconds, trouble))

    def heal(self) -> None:
        for side in Side:
            self.trouble(side, "")
        self.troubles.clear()
        if self.runai.world.hidden:
            self.hidden_at = self.now()
        self.runai.world.hidden.clear()
        self.runai.world.switch({"cluster_connected": True}, self.now())
        self.kube.mend()

    def trouble(self, side: Side, name: str) -> Trouble | None:
        now = self.now()
        self.troubles = [(until, trouble) for until, trouble in self.troubles if until > now]
        for _, trouble in self.troubles:
            self.troubled_at[trouble.side] = now
        return next((each for _, each in self.troubles if each.side is side and each.meets(name)), None)

    # --- the operator

    def start(self) -> None:
        self.process = Process(self, install=self.install)
        self.say("the operator starts")
        self.process.start()

    def restart(self, instead_of: Process | None = None) -> None:
        if instead_of is None or instead_of is self.process:
            if self.process is not None:
                self.bugs += self.process.observer.bugs
            self.start()

    async def stop(self) -> None:
        if self.process is not None:
            process, self.process = self.process, None
            await process.stop()
            self.bugs += process.observer.bugs

    def roll_out(self, down: float) -> None:
        """Stops the operator, and starts it `down` seconds later."""
        self._rollouts.append(asyncio.create_task(self._roll_out(down)))

    async def _roll_out(self, down: float) -> None:
        await self.stop()
        await asyncio.sleep(down)
        if self.process is None:
            self.start()

    async def settle_rollouts(self) -> None:
        await asyncio.gather(*self._rollouts)
        self._rollouts.clear()
