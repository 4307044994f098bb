"""The gate: every call to Run:ai goes through it, since everything else gets the gate as its `Runai`.

It holds calls back while they cannot succeed (circuit breakers), are too many (budget) or may not be made by this
process (fence), and ends those that take too long (deadlines). A call passes a chain of circuits, all of which must
admit it: that of its class, that of the access token, and that of a permission which was denied, if it needs that: the
permission to create, update, delete or read workloads in one project.

Objects whose pass ended at an open circuit are parked there. When its pause is over, one of them is woken as the
canary; after its success the others are woken gradually. Errors name the circuit they count against, see
`BridgeError.circuit`.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import TypeVar

from runai_operator.domain.errors import (
    AccessDenied,
    BridgeError,
    CircuitOpen,
    NotLeader,
    OutcomeUnknown,
    PageTooLarge,
    Scope,
    Throttled,
    Unavailable,
    UnexpectedReply,
)
from runai_operator.domain.model import Project, Remote, Row, RowPage, RowQuery, Submission
from runai_operator.domain.requeue import faster
from runai_operator.engine.budget import SHORTEST_WAIT, Budget, TokenBucket
from runai_operator.engine.circuit import Circuit, Pauses
from runai_operator.engine.ports import Runai

log = logging.getLogger(__name__)

T = TypeVar("T")

TOKEN = "token"  # noqa: S105 - the name of a circuit
"""The circuit of the access token, which all classes share."""
LEADER = "leader"
"""Not a circuit, but named as one in the refusals of a process that may not act: nothing can be parked there."""


class CallClass(StrEnum):
    """Calls that fail together: each class is served by another part of Run:ai. The word is a metric label."""

    LISTS = "lists"
    """What the poller reads for all objects."""
    READS = "reads"
    WRITES = "writes"
    LOOKUPS = "lookups"
    """What lists are asked for one object: a project, a name, a deletion. Apart from `LISTS`, since objects that wait for one
    of these would take every turn as the canary, and nothing would be polled."""


@dataclass(frozen=True, slots=True)
class GateSettings:
    """Durations in seconds."""

    deadlines: Mapping[CallClass, float] = field(
        # The client's own limits, except that a read, which costs nothing to repeat, is given up sooner.
        default_factory=lambda: {kind: 30.0 if kind is CallClass.READS else 60.0 for kind in CallClass}
    )
    """For each class, from asking for a call to its answer, the wait for the budget included."""
    pauses: Pauses = field(default_factory=Pauses)
    permission_pauses: Pauses = field(default_factory=lambda: Pauses(first=30.0, ceiling=300.0, hint_ceiling=300.0))
    """Somebody has to grant a missing role: that takes minutes, and each attempt costs several writes to Kubernetes."""
    budget: Budget = field(default_factory=Budget)
    patience: float = 5.0
    """How long an object that was woken as the canary has to make a call before the next one is woken."""
    trickle_ceiling: float = 64.0
    """Most objects woken in a second: 10,000 are back within three minutes. A pass costs more than one call."""


@dataclass(frozen=True, slots=True)
class _Call:
    """A call: its class, the object it is for, and the permission that it needs, if that is known."""

    kind: CallClass
    key: str
    permission: str | None = None

    def unanswered(self) -> BridgeError:
        """The error for a call that was begun and had no answer at its deadline."""
        if self.kind is CallClass.WRITES:
            return OutcomeUnknown("It is not known whether Run:ai did what it was asked for: no answer came in time.")
        return Unavailable("Run:ai did not answer in time.")


class _Lot:
    """The objects parked at one circuit; first come, first woken."""

    def __init__(self, chain: tuple[Circuit, ...], ceiling: float) -> None:
        """`chain`: the circuits that calls of those parked here pass, their own first. `ceiling` in objects a second."""
        self.circuit, self.chain = chain[0], chain
        self.parked: dict[str, None] = {}
        self._ceiling = ceiling
        self._era = -1
        self._rate, self._next, self._stepped_at = 1.0, 0.0, 0.0

    def due(self, now: float) -> float:
        """When the next one may be woken, in loop seconds; inf when something else has to happen first."""
        if not self.parked:
            return math.inf
        if any(circuit.open for circuit in self.chain):
            return max(circuit.ready_at() for circuit in self.chain)
        era = sum(circuit.era for circuit in self.chain)
        if era != self._era:
            self._era, self._rate, self._next, self._stepped_at = era, 1.0, now, now
        return self._next

    def take(self, now: float, patience: float) -> str:
        """The object to wake now: the canary while a circuit is open, else the next of the trickle."""
        uid = next(iter(self.parked))
        del self.parked[uid]
        for circuit in self.chain:
            circuit.expect(now + patience)
        self._step(now)
        return uid

    def _step(self, now: float) -> None:
        """A trickle of 1, 2, 4, 8 ... a second; the rate stays the same while those already woken get no answers."""
        if now - self._stepped_at >= 1.0:
            if self.circuit.goes_well(self._stepped_at):
                self._rate = faster(self._rate, ceiling=self._ceiling)
            self._stepped_at = now
        self._next = now + 1 / self._rate


def _no_fence() -> float | None:
    return None


class Gate(Runai):
    """A `Runai` that fails at once where a call would be in vain.

    Beyond what the port promises, every call raises `CircuitOpen` when it was not sent because of earlier ones or of
    the fence, and `Unavailable` when its deadline passed before it was sent. At the deadline of a call that was sent,
    reads and lists raise `Unavailable`, and writes `OutcomeUnknown`.
    """

    def __init__(
        self,
        runai: Runai,
        *,
        wake: Callable[[str], None],
        clock: Callable[[], float],
        random: Random,
        report: Callable[[str, bool], None],
        settings: GateSettings | None = None,
        fence: Callable[[], float | None] = _no_fence,
        guarded: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
    ) -> None:
        """`wake(uid)` queues a parked object; `report(call_class, up)` is called on changes, and once at the start.

        `clock` in loop seconds; `fence` gives the seconds for which this process may still act, None for no limit;
        `guarded` raises `NotLeader` where it may not, or no longer.
        """
        self._runai, self._wake, self._clock, self._fence, self._guarded = runai, wake, clock, fence, guarded
        self._random, self._report, self._settings = random, report, settings or GateSettings()
        self._budget = TokenBucket(self._settings.budget, clock)
        self._lots: dict[str, _Lot] = {}
        token = self._add(TOKEN)
        for kind in CallClass:
            self._add(kind, token)
        self._parked_at: dict[str, _Lot] = {}
        self._stirred = asyncio.Event()
        self._numbers = itertools.count()
        self._under_way: dict[int, tuple[float, CallClass]] = {}
        """When each call that has no answer yet was begun."""
        self._heard_at = dict.fromkeys(CallClass, -math.inf)
        self._up = dict.fromkeys(CallClass, True)
        for kind in CallClass:
            report(kind, True)

    # --- the port

    async def create(self, submission: Submission) -> Remote:
        project = submission.project_id
        call = _Call(CallClass.WRITES, f"{project}/{submission.name}", _permission("create", project))
        return await self._make(call, lambda: self._runai.create(submission))

    async def dry_run(self, submission: Submission) -> str | None:
        project = submission.project_id
        call = _Call(CallClass.WRITES, f"{project}/{submission.name}", _permission("create", project))
        return await self._make(call, lambda: self._runai.dry_run(submission))

    async def get(self, workload_id: str, *, project: str | None = None) -> Remote | None:
        """`project`: the id of the workload's, where it is known, so that a denial is not met by each workload."""
        call = _Call(CallClass.READS, workload_id, _permission("read", project))
        return await self._make(call, lambda: self._runai.get(workload_id))

    async def update(self, workload_id: str, submission: Submission) -> Remote | None:
        call = _Call(CallClass.WRITES, workload_id, _permission("update", submission.project_id))
        return await self._make(call, lambda: self._runai.update(workload_id, submission))

    async def delete(self, workload_id: str, *, project: str | None = None) -> bool:
        """`project`: as for `get`."""
        call = _Call(CallClass.WRITES, workload_id, _permission("delete", project))
        return await self._make(call, lambda: self._runai.delete(workload_id))

    async def rows(self, query: RowQuery) -> RowPage:
        return await self._make(_call_for_rows(query), lambda: self._runai.rows(query))

    async def find(self, *, name: str, project_id: str | None) -> tuple[Row, ...]:
        call = _Call(CallClass.LOOKUPS, f"rows {project_id}/{name}")
        return await self._make(call, lambda: self._runai.find(name=name, project_id=project_id))

    async def row(self, row_id: str) -> Row | None:
        call = _Call(CallClass.READS, row_id)
        return await self._make(call, lambda: self._runai.row(row_id))

    async def projects(self, *, name: str | None, cluster_id: str | None) -> tuple[Project, ...]:
        call = _Call(CallClass.LOOKUPS, f"project {name or ''}")
        return await self._make(call, lambda: self._runai.projects(name=name, cluster_id=cluster_id))

    async def project(self, project_id: str) -> Project | None:
        call = _Call(CallClass.LOOKUPS, f"project {project_id}")
        return await self._make(call, lambda: self._runai.project(project_id))

    async def aclose(self) -> None:
        """Closes the client behind the gate, if it can be closed."""
        if (close := getattr(self._runai, "aclose", None)) is not None:
            await close()

    # --- what the engine asks

    def not_found(self, workload_id: str, *, project: str | None, doubt: BridgeError | None) -> BridgeError | None:
        """What the 404 for a workload turned out to be. With a `doubt` about its whole project it counts as a denial of
        reading there, so that not every workload meets it; returns the error to report."""
        if (name := _permission("read", project)) is None or (doubt is not None and doubt.scope is not Scope.PROJECT):
            return doubt
        now, known = self._clock(), self._lots.get(name)
        if doubt is None:
            if known is not None:
                known.circuit.succeed(known.circuit.enter(), now)
                self._stir()
            return None
        if known is None:
            self._prune(now)
        circuit = known.circuit if known else self._add(name, *self._lots[CallClass.READS].chain)
        circuit.fail(circuit.enter(), now, doubt, key=workload_id)
        return doubt.within(name)

    def park(self, uid: str, error: BridgeError) -> bool:
        """Wakes `uid` once the circuit that `error` names admits it.

        If that circuit is closed, since nothing else failed there, an object waits for that of the lists if it is open:
        then Run:ai as a whole is out of reach, and the poller notices first when it is back. False when nothing would
        wake the object.
        """
        self.unpark(uid)
        own = self._lots.get(error.circuit or "")
        if own is None:
            return False
        lot = own if own.circuit.open else self._lots[CallClass.LISTS]
        if not lot.circuit.open:
            return False
        lot.parked[uid] = None
        self._parked_at[uid] = lot
        self._stirred.set()
        return True

    def unpark(self, uid: str) -> None:
        """The object is forgotten, or is being reconciled anyway."""
        if (lot := self._parked_at.pop(uid, None)) is not None:
            del lot.parked[uid]

    def is_parked(self, uid: str) -> bool:
        """Whether the gate will wake the object."""
        return uid in self._parked_at

    @property
    def parked(self) -> int:
        """How many objects wait at a circuit, or in the trickle after it."""
        return len(self._parked_at)

    def trouble_for(self, *kinds: CallClass) -> float:
        """Seconds for which the worst of these classes has failed without a useful answer; 0 after such an answer, and
        without calls for ten minutes."""
        circuits = {circuit for kind in kinds for circuit in self._lots[kind].chain}
        return max((circuit.failing_for(self._clock()) for circuit in circuits), default=0.0)

    def error(self, kind: CallClass) -> CircuitOpen | None:
        """Why calls of this class are held back; None when they are not."""
        return next((circuit.refusal() for circuit in self._lots[kind].chain if circuit.open), None)

    def silent_for(self, kind: CallClass) -> float:
        """Seconds for which calls of this class have been under way without any answer; 0 while there are none."""
        begun = [at for at, each in self._under_way.values() if each is kind]
        return self._clock() - max(self._heard_at[kind], min(begun)) if begun else 0.0

    async def run(self) -> None:
        """Wakes parked objects, for ever."""
        while True:
            self._stirred.clear()
            pause = self._wake_due()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stirred.wait()

    def _wake_due(self) -> float | None:
        """Seconds until the next object is to be woken; None when something else has to happen first."""
        now = self._clock()
        self._prune(now)
        for lot in list(self._lots.values()):  # the token's first: while it is open, its canary serves all
            if lot.due(now) <= now:
                uid = lot.take(now, self._settings.patience)
                del self._parked_at[uid]
                self._wake(uid)
        due = min(lot.due(now) for lot in self._lots.values())
        return None if due == math.inf else max(due - now, SHORTEST_WAIT)

    # --- one call

    async def _make(self, call: _Call, make: Callable[[], Awaitable[T]]) -> T:
        ends = self._clock() + self._settings.deadlines[call.kind]
        self._check(call)  # before the budget: a refused call needs no token and no place in the queue
        await self._take_token(ends)
        try:
            self._check(call)  # again: much may have happened in the queue
        except CircuitOpen:
            self._budget.give_back()
            raise
        tickets, began = {circuit: circuit.enter() for circuit in self._lot(call).chain}, self._clock()
        try:
            answer = await self._timed(call, make, ends)
        except BridgeError as error:
            if (blamed := self._failed(call, tickets, error, began)) is None:
                raise
            raise error.within(blamed.name) from error
        except _Fenced:
            self._leave(tickets)
            raise call.unanswered() from None
        except BaseException:  # cancelled, or a bug: no verdict, but the canary's place is free again
            self._leave(tickets)
            raise
        if answer is None and call.permission in self._lots:  # not found, or hidden: see `not_found`
            denied = self._lots[call.permission].circuit
            self._leave({circuit: tickets.pop(circuit) for circuit in (denied,) if circuit in tickets})
        self._answered(tickets)
        return answer

    def _check(self, call: _Call) -> None:
        """Raises where the call may not be begun now."""
        if (left := self._fence()) is not None and left <= 0:
            raise _not_leader()
        now = self._clock()
        for circuit in self._lot(call).chain:
            if not circuit.admits(now):
                raise circuit.refusal()

    async def _take_token(self, ends: float) -> None:
        seconds, is_fenced = self._left(ends)
        try:
            async with asyncio.timeout(seconds):
                await self._budget.take()
        except TimeoutError:
            if is_fenced:
                raise _not_leader() from None
            raise Unavailable("Not sent: too many requests to Run:ai are waiting.") from None

    async def _timed(self, call: _Call, make: Callable[[], Awaitable[T]], ends: float) -> T:
        seconds, is_fenced = self._left(ends)
        number = next(self._numbers)
        self._under_way[number] = self._clock(), call.kind
        try:
            async with asyncio.timeout(seconds) as limit, self._guarded():
                answer = await make()
        except NotLeader:
            raise _Fenced from None
        except TimeoutError:
            if not limit.expired():  # the client's own, and a bug: it raises only errors of the domain
                raise
            raise (_Fenced() if is_fenced else call.unanswered()) from None
        finally:
            del self._under_way[number]
        self._heard_at[call.kind] = self._clock()
        return answer

    def _left(self, ends: float) -> tuple[float, bool]:
        """Seconds until a call must be over, and whether it is the fence that says so."""
        left, fence = ends - self._clock(), self._fence()
        return (left, False) if fence is None or fence >= left else (fence, True)

    # --- what calls say about circuits

    def _answered(self, tickets: Mapping[Circuit, int]) -> None:
        now = self._clock()
        for circuit, ticket in tickets.items():
            circuit.succeed(ticket, now)
        self._budget.restore()
        self._stir()

    def _leave(self, tickets: Mapping[Circuit, int]) -> None:
        now = self._clock()
        for circuit, ticket in tickets.items():
            circuit.leave(ticket, now)
        self._stir()

    def _failed(self, call: _Call, tickets: dict[Circuit, int], error: BridgeError, began: float) -> Circuit | None:
        """The circuit that the error counts against; None when it proves that Run:ai answers. `began`: the call."""
        kind, token, now = self._lots[call.kind].circuit, self._lots[TOKEN].circuit, self._clock()
        match error:
            case AccessDenied(scope=Scope.CONNECTION):
                blamed = token
                token.trip(tickets.pop(token), now, error)
            case Throttled():
                blamed = kind
                if kind.trip(tickets.pop(kind), now, error):
                    self._budget.lower()
            case PageTooLarge():  # a smaller one may do
                self._answered(tickets)
                return None
            case Unavailable() | OutcomeUnknown() | UnexpectedReply():
                blamed = kind
                kind.fail(tickets.pop(kind), now, error, key=call.key, began=began)
            case AccessDenied() if call.permission is not None:
                blamed = self._forbidden(call, call.permission, tickets, error)
                self._answered(tickets)
                return blamed
            case _:
                self._answered(tickets)
                return None
        # A server that fails or throttles proves nothing about the token, nor about what is permitted.
        self._leave(tickets)
        return blamed

    def _forbidden(self, call: _Call, name: str, tickets: dict[Circuit, int], error: AccessDenied) -> Circuit:
        now = self._clock()
        if name not in self._lots:
            self._prune(now)
            circuit = self._add(name, *self._lots[call.kind].chain)
            tickets[circuit] = circuit.enter()
        circuit = self._lots[name].circuit
        if circuit not in tickets:  # the call began before the circuit existed: out of date
            return circuit
        if call.kind is CallClass.WRITES:
            circuit.trip(tickets.pop(circuit), now, error)
        else:  # what may be read is perhaps a question of the single workload
            circuit.fail(tickets.pop(circuit), now, error, key=call.key)
        return circuit

    # --- circuits and their lots

    def _lot(self, call: _Call) -> _Lot:
        """Of the first circuit in the chain of this call."""
        denied = self._lots.get(call.permission) if call.permission is not None else None
        return denied or self._lots[call.kind]

    def _add(self, name: str, *others: Circuit) -> Circuit:
        pauses = self._settings.pauses if name in (TOKEN, *CallClass) else self._settings.permission_pauses
        circuit = Circuit(name, pauses=pauses, random=self._random, changed=self._changed)
        self._lots[name] = _Lot((circuit, *others), self._settings.trickle_ceiling)
        return circuit

    def _prune(self, now: float) -> None:
        """Forgets the circuits of permissions without recent calls."""
        for name in [name for name in self._lots if name not in (TOKEN, *CallClass)]:
            if not self._lots[name].parked and self._lots[name].circuit.is_stale(now):
                del self._lots[name]

    def _stir(self) -> None:
        """A call has ended: perhaps an object can be woken now."""
        if self._parked_at:
            self._stirred.set()

    def _changed(self, circuit: Circuit) -> None:
        about = {"circuit": circuit.name}
        if circuit.cause is not None:
            about["reason"] = circuit.cause.reason
            log.warning("requests to Run:ai are held back: %s", circuit.cause.message, extra=about)
        else:
            log.info("requests to Run:ai go out again", extra=about)
        for kind in CallClass:
            up = not any(each.open for each in self._lots[kind].chain)
            if up is not self._up[kind]:
                self._up[kind] = up
                self._report(kind, up)


def _call_for_rows(query: RowQuery) -> _Call:
    if query.project_id is not None or query.name is not None:
        return _Call(CallClass.LOOKUPS, f"rows {query.project_id}/{query.name}")
    # The poller is the only caller: two lists that fail are enough, while one alone must not hold up the others.
    return _Call(CallClass.LISTS, f"rows {_list_of(query)}")


def _list_of(query: RowQuery) -> str:
    """Which of the poller's lists the page belongs to."""
    if query.deleted:
        return "deleted"
    return "all" if query.changed_since is None and not query.latest else "changed"


def _permission(verb: str, project: str | None) -> str | None:
    """The permission that a call needs, which is also the name of its circuit."""
    return None if project is None else f"{verb}:{project}"


class _Fenced(Exception):
    """This process ceased to be the leader before the answer came."""


def _not_leader() -> CircuitOpen:
    return CircuitOpen("Not sent: this process is not the leader, another one is or will be.", circuit=LEADER)
