"""One Run:ai connection: the client behind its gate, and everything that is limited or remembered per connection.

Its owner closes it. A pass gets the one of its workload from `Upstreams.of` and hands it on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from random import Random

from runai_operator.domain.errors import InvalidWorkload
from runai_operator.domain.model import DEFAULT_CONNECTION, Workload
from runai_operator.domain.reasons import Reason
from runai_operator.engine.fence import Fence
from runai_operator.engine.gate import CallClass, Gate
from runai_operator.engine.limits import STATUS_INTERVAL, DeletionLimiter, PacedScheduler, ReadScheduler
from runai_operator.engine.poller import Poller
from runai_operator.engine.ports import Listener, Observer, Runai
from runai_operator.engine.render import Projects
from runai_operator.engine.witness import Witness


class Upstream:
    """One connection; passes use its `gate`, `projects`, `witness`, `reads` and `deletions`."""

    def __init__(
        self,
        name: str,
        runai: Runai,
        *,
        listener: Listener,
        observer: Observer,
        fence: Fence,
        delta_interval: float,
        sweep_interval: float,
        grace: float,
        delete_rate: int,
        clock: Callable[[], float],
        random: Random,
    ) -> None:
        """Takes ownership of `runai`. Durations in seconds, `clock` in loop seconds."""
        self.name = name
        self.gate = Gate(
            runai,
            wake=listener.wake,
            clock=clock,
            random=random,
            report=lambda call_class, up: observer.circuit(name, call_class, up),
            fence=fence.left,
            guarded=fence.guarded,
        )
        self.projects = Projects(self.gate, clock)
        self.witness = Witness(self.gate, clock)
        self.reads = ReadScheduler(listener.read_due, clock)
        self.stalls = PacedScheduler(listener.stall_due, clock, interval=STATUS_INTERVAL)
        self.deletions = DeletionLimiter(delete_rate, clock, listener.wake)
        self.poller = Poller(
            name,
            runai=self.gate,
            observer=observer,
            listener=listener,
            delta_interval=delta_interval,
            sweep_interval=sweep_interval,
            overlap=grace,
            clock=clock,
            random=random,
        )

    async def run(self) -> None:
        """Runs everything that a connection does beside the passes, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.poller.run())
            group.create_task(self.gate.run())
            group.create_task(self.reads.run())
            group.create_task(self.stalls.run())
            group.create_task(self.deletions.run())

    async def aclose(self) -> None:
        await self.gate.aclose()

    def trouble_for(self, workload_id: str | None) -> float:
        """Seconds for which the calls that one workload needs have had no useful answer; one whose id is not known is
        looked for in lists."""
        return self.gate.trouble_for(*CallClass if workload_id is None else (CallClass.READS, CallClass.WRITES))

    def forget(self, uid: str) -> None:
        """The object no longer exists."""
        self.gate.unpark(uid)
        self.reads.cancel(uid)
        self.stalls.cancel(uid)
        self.deletions.forget(uid)


class Upstreams:
    """All connections, by name."""

    def __init__(self, upstreams: Mapping[str, Upstream], choose: Callable[[Workload], str]) -> None:
        """`choose` names the connection for a workload that was not submitted yet."""
        self._by_name, self._choose = upstreams, choose

    def __iter__(self) -> Iterator[Upstream]:
        return iter(self._by_name.values())

    def of(self, workload: Workload) -> Upstream:
        """The connection that holds the workload, by its status, or through which it is to be submitted.

        Raises `InvalidWorkload` when there is none of that name.
        """
        name = workload.status.get("connection") or self._choose(workload)
        if (found := self._by_name.get(name)) is None:
            raise InvalidWorkload(
                f"There is no Run:ai connection named {name} any more: restore it, so that the workload behind it can be"
                " reached.",
                reason=Reason.CONNECTION_NOT_FOUND,
            )
        return found

    def named(self, name: str | None) -> Upstream | None:
        return self._by_name.get(name or DEFAULT_CONNECTION)

    def is_parked(self, uid: str) -> bool:
        """Whether a gate will wake the object."""
        return any(upstream.gate.is_parked(uid) for upstream in self)

    def unpark(self, uid: str) -> None:
        """A pass over the object begins."""
        for upstream in self:
            upstream.gate.unpark(uid)

    def read_ended(self, uid: str) -> None:
        """A pass over the object has ended, and with it any read that was due."""
        for upstream in self:
            upstream.reads.ended(uid)

    def forget(self, uid: str) -> None:
        for upstream in self:
            upstream.forget(uid)

    async def aclose(self) -> None:
        for upstream in self:
            await upstream.aclose()
