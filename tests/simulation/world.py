"""The simulated world: Kubernetes, Run:ai, what is between them and the operator, and the operator's processes."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import Random
from typing import Any

from fakes.chance import Chance
from fakes.kube import FakeKube, Stored, Versions
from fakes.observer import SilentObserver
from fakes.runai import FakeRunai
from runai_operator.domain.access import Access, AccessRule
from runai_operator.domain.errors import BridgeError, Unavailable
from runai_operator.domain.manifest import read_mark
from runai_operator.domain.model import (
    DEFAULT_CONNECTION,
    MOST_ROWS,
    CRDState,
    Meta,
    Row,
    RowPage,
    RowQuery,
    Submission,
)
from runai_operator.domain.requeue import Limits
from runai_operator.engine.engine import Engine
from runai_operator.engine.ports import EngineSettings
from runai_operator.runai.transport import CONNECTIONS, Timeouts
from runai_simulator.switches import Switches
from simulation.troubles import CLASSES, OF_WORKLOADS, REFUSALS, SLOWNESS, WRITES, Kind, Side, Trouble

EPOCH = 1_800_000_000.0
NAMESPACE, CLOSED = "ns", "closed"
REJECTED, UNKNOWN = "rejected", "unknown"
"""What is known of an attempt to create: that it made nothing, or nothing; of those before a start, nothing."""
DELTA_INTERVAL = 15.0
"""Seconds: longer than usual, since polling is most of what there is to simulate."""
REPORT_INTERVAL = 15.0
"""Seconds between two reports of how many there are of everything."""
FOREIGN = "foreign"
"""The name of a workload whose cluster has a clock that is ahead."""


@dataclass(frozen=True, slots=True)
class Setup:
    """How the operator is installed."""

    install: str = "install-1"
    former: tuple[str, ...] = ()
    limited: bool = False
    """Its objects may use the first project alone, and adopt nothing there that others made."""
    closed: bool = False
    """It also watches a namespace where it has no rights."""
    delete_rate: int = 100
    release_after: float = Limits().release_after
    rows_a_page: int = MOST_ROWS
    delta_interval: float = DELTA_INTERVAL
    sweep_interval: float = 300.0
    stale_after: float = Limits().stale_after

    def __str__(self) -> str:
        usual = Setup()
        told = [
            f"{name}={getattr(self, name)}" for name in self.__slots__ if getattr(self, name) != getattr(usual, name)
        ]
        return ", ".join(told) or "as usual"

    def access(self, first_project: str) -> Access:
        return Access((AccessRule((NAMESPACE,), (first_project,)),)) if self.limited else Access()

    def settings(self, first_project: str) -> EngineSettings:
        return EngineSettings(
            install=self.install,
            former_installs=self.former,
            delta_interval=self.delta_interval,
            sweep_interval=self.sweep_interval,
            limits=Limits(release_after=self.release_after, stale_after=self.stale_after),
            delete_rate=self.delete_rate,
            access=self.access(first_project),
        )


class Dead(BaseException):
    """The process is gone: nothing of it goes on."""


class WatchedKube(FakeKube):
    """Tells whoever listens of every change, a little later; while the watch is cut, of nothing."""

    def __init__(self, now: Callable[[], float], random: Random) -> None:
        super().__init__(now)
        self._bumps = Versions(self._changed)
        self._versions = self._bumps
        self._random = random
        self._told: dict[str, Meta] = {}
        self._listener: Callable[[str | None, Meta], None] | None = None
        self._cut = False
        self.gone: dict[str, Stored] = {}
        """Objects that are no more, by UID."""
        self.gone_at: dict[str, float] = {}
        self.told_of: Callable[[Stored], None] = lambda stored: None
        """Told of each object that vanishes."""
        self.once_gone: dict[str, Callable[[], None]] = {}
        """What somebody does as soon as an object has gone, by UID."""

    @property
    def is_cut(self) -> bool:
        return self._cut

    @property
    def last_version(self) -> int:
        return self._bumps.last

    def connect(self, listener: Callable[[str | None, Meta], None] | None) -> None:
        """A list, and then events; kopf never reports what vanished before the list."""
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
        self.told_of(stored)
        if (follows := self.once_gone.pop(stored.ref.uid, None)) is not None:
            asyncio.get_running_loop().call_soon(follows)
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


class Process:
    """One run of the operator. `dies_in`: calls until it is killed, half of the time after the effect."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.is_alive = True
        self.dies_in: int | None = None
        self.dies_at: tuple[str, bool] | None = None
        """The name of the call at which it is killed, and whether after its effect."""
        self.started_at = world.now()
        self._connections = asyncio.Semaphore(CONNECTIONS)
        chance = Chance()
        self.observer = SilentObserver()
        self.engine = Engine(
            kube=Wire(world.kube.client(chance), self, Side.KUBE),
            connections={DEFAULT_CONNECTION: Wire(world.runai.client(chance), self, Side.RUNAI)},
            observer=self.observer,
            settings=world.setup.settings(world.first_project),
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
        if self.world.process is self:  # another one may have been started meanwhile
            self.world.kube.connect(self.engine.observe)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.engine.run())
            group.create_task(self._report())

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(REPORT_INTERVAL)
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
        self._look_away()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.is_alive = False

    async def call(  # noqa: C901 - in the order in which it happens
        self, side: Side, name: str, make: Callable[[], Awaitable[Any]], *args: Any
    ) -> Any:
        """One call, with what lies between the operator and the other side."""
        world = self.world
        is_last, dies_before = self._is_last(name)
        if is_last and dies_before:
            self._die(f"before {name}")
        world.count(side, name)
        await asyncio.sleep(world.random.uniform(0.002, 0.1))
        self._check_alive()
        trouble, oddity = world.trouble(side, name), world.oddity(side, name)
        if oddity is not None and oddity.kind is Kind.FORGETFUL and name in OF_WORKLOADS:
            return oddity.instead(name, datetime.fromtimestamp(world.now(), UTC))
        if oddity is not None and oddity.kind is Kind.SLOW:
            await self._take_long()
        if name == "create":
            world.attempts_of(args[0]).append(UNKNOWN)
        if trouble is not None and not trouble.after_effect:
            if trouble.makes_nothing:
                world.note_rejection(name, trouble, *args)
            raise trouble.error(name)
        answer = await make()
        if name == "delete":
            world.deleted.add(args[0])
        if name == "get" and answer is None and args[0] in world.deleted:
            world.ends.append(asyncio.get_running_loop().time())
        if (happens := world.upon.pop(name, None)) is not None:
            happens()
        if is_last:
            self._die(f"after {name}")
        if trouble is not None:
            raise trouble.error(name)
        if name == "get":
            world.read_at[args[0]] = world.now()
        await asyncio.sleep(world.random.uniform(0.002, 0.1))
        self._check_alive()
        return answer

    async def _take_long(self) -> None:
        """One of as many calls as there are connections; what waits for too long for one of them was not sent."""
        try:
            async with asyncio.timeout(Timeouts().pool):
                await self._connections.acquire()
        except TimeoutError:
            raise Unavailable("There is no connection left.") from None
        try:
            await asyncio.sleep(SLOWNESS)
            self._check_alive()
        finally:
            self._connections.release()

    def _is_last(self, name: str) -> tuple[bool, bool]:
        """Whether it is killed at this call, and whether before the effect."""
        self._check_alive()
        if self.dies_at is not None and self.dies_at[0] == name:
            return True, not self.dies_at[1]
        if self.dies_in is None:
            return False, False
        self.dies_in -= 1
        return self.dies_in <= 0, self.dies_in <= 0 and self.world.random.random() < 0.5

    def _die(self, when: str) -> None:
        self.world.say(f"the operator is killed {when}")
        self.is_alive = False
        self._look_away()
        raise Dead

    def _look_away(self) -> None:
        """The watch may be that of the next process already."""
        if self.world.process in (self, None):
            self.world.kube.connect(None)

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
            return await self._process.call(self._side, name, lambda: method(*args, **kwargs), *args)

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

    def __init__(self, seed: int, switches: Switches, setup: Setup | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self.random = Random(seed)
        self.setup = setup or Setup()
        self.kube = WatchedKube(self.now, self.random)
        self.runai = FakeRunai(self.now, switches)
        self.runai.most_rows, self.runai.distort = self.setup.rows_a_page, self._distort
        self.first_project = self.runai.world.projects["1"].name
        self.process: Process | None = None
        self.installs = {self.setup.install}
        """Ids that the operator has had."""
        if self.setup.closed:
            self.kube.scopes, self.kube.forbidden_namespaces = (NAMESPACE, CLOSED), {CLOSED}
        self.troubles: list[tuple[float, Trouble]] = []
        self.troubled_at: dict[Side, float] = {}
        """When something was last wrong on that side."""
        self.hidden_at = 0.0
        """When a project was last hidden or shown."""
        self.forgot_at = 0.0
        """When Run:ai last seemed to hold nothing."""
        self.spoiled_at: dict[str, float] = {}
        """When a call of this name last could not be made as usual."""
        self.attempts: dict[str, list[str]] = {}
        """What became of each attempt to create, by the UID of the object."""
        self.rejected_dry_runs: list[tuple[float, Submission]] = []
        self.read_at: dict[str, float] = {}
        """When a workload was last read by its id."""
        self.upon: dict[str, Callable[[], None]] = {}
        """What happens as soon as the next call of this name has taken effect."""
        self.by_hand: set[str] = set()
        """UIDs of objects that lost their finalizer, or went, without the operator."""
        self.definition_goes_at = math.inf
        """When the CustomResourceDefinition was deleted."""
        self.story: list[str] = []
        self._last_page: dict[object, tuple[Row, ...]] = {}
        """Of each list that has no end now."""
        self.calls: dict[Side, list[float]] = {Side.RUNAI: [], Side.KUBE: []}
        self.starts: list[float] = []
        """Of processes."""
        self.lookups: list[float] = []
        """Those calls that look for a project."""
        self.deleted: set[str] = set()
        """Ids of workloads whose deletion was asked for."""
        self.ends: list[float] = []
        """When such a workload was found to be gone."""
        self.flooded_until = 0.0
        """Until when much is asked for at once, of which each object is served."""
        self.bugs = 0
        self.doubled_until = 0.0
        """Until when two processes run."""
        self._rollouts: list[asyncio.Task[None]] = []

    def now(self) -> float:
        return EPOCH + self._loop.time()

    def say(self, what: str) -> None:
        self.story.append(f"{self._loop.time():9.2f}  {what}")

    def count(self, side: Side, name: str) -> None:
        self.calls[side].append(self._loop.time())
        if name == "projects":
            self.lookups.append(self._loop.time())
        if name in WRITES:
            self.say(f"    the operator calls {name}")

    def forget(self) -> None:
        """What happened until now."""
        del self.story[:], self.starts[:], self.lookups[:], self.ends[:], self.kube.events[:], self.runai.writes[:]
        for calls in self.calls.values():
            del calls[:]

    # --- what goes wrong

    def begin(self, trouble: Trouble, seconds: float) -> None:
        """The newest counts."""
        self.troubles.insert(0, (self.now() + seconds, trouble))

    def heal(self) -> None:
        for side in Side:
            self.trouble(side, "")
        self.troubles.clear()
        if self.runai.world.hidden:
            self.hidden_at = self.now()
        self.runai.world.hidden.clear()
        self.runai.world.switch({"cluster_connected": True}, self.now())
        self.kube.mend()
        self.kube.broken_sources.clear()
        if self.kube.crd is not None and self.kube.crd.deleting:
            self.kube.crd = CRDState(deleting=True, confirmed=True)
        former = tuple(sorted(self.installs - {self.setup.install}))
        if self.setup != (mended := replace(self.setup, former=former, limited=False)):
            self.install_as(mended, down=1)

    def trouble(self, side: Side, name: str) -> Trouble | None:
        self.note_troubles()
        mets = (each for _, each in self.troubles if each.side is side and each.is_error and each.meets(name))
        return next(mets, None)

    def note_troubles(self) -> None:
        """Until when there were any; also while no call meets them."""
        now = self.now()
        self.troubles = [(until, trouble) for until, trouble in self.troubles if until > now]
        for _, trouble in self.troubles:
            self.troubled_at[trouble.side] = now
            if trouble.side is Side.RUNAI:
                self.forgot_at = now if trouble.kind is Kind.FORGETFUL else self.forgot_at
                self.spoiled_at |= dict.fromkeys(CLASSES[trouble.calls], now)
        if self.kube.is_cut:
            self.troubled_at[Side.KUBE] = now

    def attempts_of(self, submission: Submission) -> list[str]:
        return self.attempts.setdefault(read_mark(submission.manifest).uid, [])  # type: ignore[union-attr]

    def note_rejection(self, name: str, trouble: Trouble, *args: Any) -> None:
        if name == "create":
            self.attempts_of(args[0])[-1] = REJECTED
        elif name == "dry_run" and trouble.kind in REFUSALS:
            self.rejected_dry_runs.append((self.now(), args[0]))

    def oddity(self, side: Side, name: str) -> Trouble | None:
        """What does not fail, and is odd, about this call."""
        odd = (Kind.FORGETFUL, Kind.SLOW)
        mets = (each for _, each in self.troubles if each.side is side and each.kind in odd and each.meets(name))
        return next(mets, None)

    def _distort(self, query: RowQuery, page: RowPage) -> RowPage:
        """What the odd pages of the list look like."""
        for _, trouble in self.troubles:
            if trouble.kind is Kind.ENDLESS and query.name is None:
                page = self._without_an_end(query, page)
            elif trouble.kind is Kind.AHEAD:
                # The same on all pages of a list, which may have no end at that.
                ahead = datetime.fromtimestamp(self.now() // 60 * 60 + 7200, UTC).isoformat().replace("+00:00", "Z")
                rows = [replace(row, phase_updated_at=ahead) if row.name == FOREIGN else row for row in page.rows]
                page = replace(page, rows=tuple(rows))
        return page

    def _without_an_end(self, query: RowQuery, page: RowPage) -> RowPage:
        """Beyond its end the list shows its last page again."""
        list_asked = (query.deleted, query.phase, query.changed_since is None, query.latest)
        if page.rows:
            self._last_page[list_asked] = page.rows
        rows = page.rows or self._last_page.get(list_asked, ())
        return replace(page, rows=rows, next_offset=query.offset + max(1, len(rows)))

    # --- the operator

    def start(self) -> None:
        for stored in self.kube.objects.values():
            self.attempts.setdefault(stored.ref.uid, []).append(UNKNOWN)
        self.process = Process(self)
        self.starts.append(self._loop.time())
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

    def install_as(self, setup: Setup, down: float) -> None:
        """Installs it in another way."""
        self.say(f"the operator is installed: {setup}")
        self.setup = setup
        self.installs.add(setup.install)
        self.roll_out(down)

    def roll_out(self, down: float) -> None:
        """Stops the operator, and starts it `down` seconds later."""
        self._rollouts.append(asyncio.create_task(self._roll_out(down)))

    async def _roll_out(self, down: float) -> None:
        await self.stop()
        await asyncio.sleep(down)
        if self.process is None:
            self.start()

    def overlap(self, seconds: float) -> None:
        """Starts another process although one runs, which goes on for so long and learns of nothing."""
        if self.process is not None:
            self.doubled_until = self.now() + seconds
            self._rollouts.append(asyncio.create_task(self._outlive(self.process, seconds)))
            self.start()

    async def _outlive(self, process: Process, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await process.stop()
        self.bugs += process.observer.bugs

    async def settle_rollouts(self) -> None:
        await asyncio.gather(*self._rollouts)
        self._rollouts.clear()
