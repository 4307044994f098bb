"""Whether one connection may be sent dry runs: what `domain.probe` decides about each project is done here, step by step.

One answer serves all projects, since it is the release of Run:ai that gives it; so one probe at a time is sent, and none
where no object waits for the answer. It lasts as long as the process.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from random import Random

from runai_operator.domain.absence import Place
from runai_operator.domain.dry_run import is_its_own
from runai_operator.domain.errors import (
    BridgeError,
    Busy,
    InvalidWorkload,
    NameTaken,
    NotSelected,
    OutcomeUnknown,
    Scope,
    UnexpectedReply,
)
from runai_operator.domain.manifest import read_mark
from runai_operator.domain.model import Candidate, OwnerMark, Ref, Remote, Row, Submission, Workload
from runai_operator.domain.naming import PROBE_PREFIX, probe_name
from runai_operator.domain.probe import (
    PROVING,
    UNSUPPORTED,
    End,
    LookUp,
    Probe,
    Read,
    Remove,
    Send,
    Wait,
    probe_submission,
    refused,
)
from runai_operator.domain.requeue import PROJECT_PROBE, SOON_CEILING, backoff, next_sync_read
from runai_operator.engine.gate import Gate
from runai_operator.engine.projects import Witness

log = logging.getLogger(__name__)

KEPT = 3600.0
"""Seconds for which it is remembered what was sent; lists lag by much less, and a sweep lists all every few minutes."""

GOING = Busy(
    "Run:ai is deleting what a dry run made although it was only to be checked: the workload is submitted as soon as that is gone."
)


UNDECIDED = Busy("The object of what a dry run made may still submit under its name.")


class DryRuns:
    """Proves, before the first dry run of a connection, that it creates nothing; and removes what a probe has made."""

    def __init__(
        self,
        gate: Gate,
        witness: Witness,
        *,
        install: str,
        former: tuple[str, ...],
        grace: float,
        wake: Callable[[str], None],
        bug: Callable[[], None],
        clock: Callable[[], float],
        random: Random,
    ) -> None:
        """`wake(uid)` is called when there is news for an object that waits, `bug` after an exception nobody expected. `former`:
        install ids from before; `grace`: for how long lists lag, in seconds; `clock` in loop seconds."""
        self._gate, self._witness, self._install, self._grace = gate, witness, install, grace
        self._installs = (install, *former)
        self._wake, self._bug, self._clock, self._random = wake, bug, clock, random
        self._answer: bool | InvalidWorkload = False
        """True once it is proven, an error once the opposite is."""
        self._probes: dict[str, Probe] = {}
        """By name."""
        self._due: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._errors: dict[str, tuple[float, BridgeError]] = {}
        """Why there is no answer from a project, and since when."""
        self._waiting: dict[str, str] = {}
        """Objects, and the project of each; none once there is an answer."""
        self._changed = asyncio.Event()

    def ask(self, uid: str, project_id: str) -> bool | BridgeError:
        """True when dry runs are proven to create nothing, else why none may be sent. While that may change, `uid` is woken
        when it does, until `leave`."""
        if self._answer is not False:
            return self._answer
        self._waiting[uid] = project_id
        asked_at, error = self._errors.get(project_id, (-math.inf, None))
        if self._clock() - asked_at >= PROJECT_PROBE:
            self._begin(self._install, project_id)
        return error or PROVING

    def refute(self) -> None:
        """Something was made by a dry run, whatever was proven before."""
        if self._answer is not UNSUPPORTED:
            log.warning("%s", UNSUPPORTED.message)
            self._answer = UNSUPPORTED
            self._wake_all()

    def leave(self, uid: str) -> None:
        """The object does not wait (any more)."""
        self._waiting.pop(uid, None)

    def seen(self, row: Row) -> None:
        """A list shows the row: perhaps it is what a probe of an earlier process, or of another one, has left behind."""
        if not row.name.startswith(PROBE_PREFIX):
            return
        for install in self._installs:
            if row.name == probe_name(install, row.project_id):
                self._begin(install, row.project_id)

    def _begin(self, install: str, project_id: str) -> None:
        """Unless it has begun."""
        probe = Probe(install=install, project_id=project_id)
        if probe.name not in self._probes:
            self._probes[probe.name], self._due[probe.name] = probe, self._clock()
            self._changed.set()

    async def run(self) -> None:
        """Takes every step that is due, for ever."""
        while True:
            name = min(self._due, key=lambda each: self._due[each], default=None)
            left = None if name is None else self._due[name] - self._clock()
            if name is not None and left is not None and left <= 0:
                await self._go_on(name)
                continue
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._changed.wait()

    async def _go_on(self, name: str) -> None:
        known = self._probes[name]
        is_asked = known.install == self._install and known.project_id in self._waiting.values()
        probe = replace(known, wanted=is_asked)
        self._due[name] = self._clock()
        try:
            after = await self._step(probe)
        except BridgeError as error:
            self._failed(probe, error)
            return
        except Exception:
            log.exception("unexpected error")
            self._bug()
            self._failed(probe.unanswered(), BridgeError("This is a fault of the operator."))
            return
        if after is None:
            del self._probes[name], self._due[name]
            self._failures.pop(name, None)
        else:
            self._probes[name] = after

    async def _step(self, probe: Probe) -> Probe | None:
        """The probe after its next step; None when it has come to its end."""
        match probe.next_step(now=self._clock(), grace=self._grace):
            case Send():
                return await self._send(probe)
            case LookUp():
                return await self._look_up(probe)
            case Read(workload_id):
                remote = await self._gate.get(workload_id, project=probe.project_id)
                return self._judged(probe.read(remote))
            case Remove(workload_id):
                await self._gate.delete(workload_id, project=probe.project_id)
                log.warning("deleted what was created by a dry run", extra=self._about(probe, workload_id=workload_id))
                return probe.removed()
            case Wait(seconds, error):
                if error is not None:
                    self._show(probe, error)
                self._due[probe.name] = self._clock() + seconds
                return probe.waited()
            case End(proven):
                return self._ended(probe, proven=proven)

    async def _send(self, probe: Probe) -> Probe | None:
        if any(each.sent and each.project_id not in self._errors for each in self._probes.values()):
            self._due[probe.name] = self._clock() + SOON_CEILING
            return probe
        try:
            told_id = await self._gate.dry_run(probe_submission(self._install, probe.project_id))
        except NameTaken:
            return probe.unanswered()
        except InvalidWorkload as error:
            self._show(probe, refused(probe.project_id, error))
            return None
        except (OutcomeUnknown, UnexpectedReply) as error:
            self._show(probe, error)
            return probe.unanswered()
        self._errors.pop(probe.project_id, None)
        return probe.answered(told_id)

    async def _look_up(self, probe: Probe) -> Probe:
        rows = await self._gate.find(name=probe.name, project_id=probe.project_id)
        found = tuple([Candidate(row, await self._gate.get(row.id, project=row.project_id)) for row in rows])
        is_visible = bool(found) or await self._witness.shows(Place(probe.project_id, None))
        return self._judged(probe.looked_up(found, is_visible=is_visible, now=self._clock()))

    def _judged(self, probe: Probe) -> Probe:
        if probe.made and self._answer is False:
            log.warning("%s", UNSUPPORTED.message, extra=self._about(probe, workload_id=probe.workload_id or ""))
            self._answer = UNSUPPORTED
            self._wake_all()
        return probe

    def _ended(self, probe: Probe, *, proven: bool) -> Probe | None:
        if proven and self._answer is False:
            log.info("dry runs create nothing at this Run:ai", extra=self._about(probe))
            self._answer = True
            self._wake_all()
        if not probe.wanted or self._answer is not False:
            return None
        # What was sent made nothing, but its answer proves nothing either.
        return self._again(Probe(install=self._install, project_id=probe.project_id))

    def _failed(self, probe: Probe, error: BridgeError) -> None:
        """What was known before the step is known still."""
        self._probes[probe.name] = self._again(probe)
        if probe.install == self._install:
            self._show(probe, error)

    def _again(self, probe: Probe) -> Probe:
        """With a brake."""
        self._failures[probe.name] = failures = self._failures.get(probe.name, 0) + 1
        self._due[probe.name] = self._clock() + backoff(failures, self._random.random())
        return probe

    def _show(self, probe: Probe, error: BridgeError) -> None:
        """Objects of the project are shown it, but none of them waits at the gate: only the probe calls there."""
        shown = error.twin()
        shown.scope, shown.circuit = Scope.OBJECT, None
        before = self._errors.get(probe.project_id)
        self._errors[probe.project_id] = self._clock(), shown
        if before is None or before[1].message != shown.message:
            log.warning("whether this Run:ai has dry runs is not known: %s", error.message, extra=self._about(probe))
        if before is None:
            self._wake_all(probe.project_id)

    def _wake_all(self, project_id: str | None = None) -> None:
        woken = [uid for uid, of in self._waiting.items() if project_id in (None, of)]
        for uid in woken:
            del self._waiting[uid]
            self._wake(uid)

    def _about(self, probe: Probe, **more: str) -> dict[str, str]:
        return {"project_id": probe.project_id, "workload": probe.name, **more}


@dataclass(slots=True)
class _Sent:
    """One dry run that was accepted, or may have been."""

    name: str
    project_id: str
    mark: OwnerMark
    at: float
    told_id: str | None
    dismissed: set[str] = field(default_factory=set)
    """Ids of what is not ours, or is gone."""
    suspect: str | None = None
    going: bool = False
    """Run:ai was asked to delete it, or may have been."""
    undecided: bool = False
    """Its object was seen as one that may submit it."""
    due: float = 0.0
    tries: int = 0

    @property
    def place(self) -> tuple[str, str]:
        return self.project_id, self.name

    def is_made(self, remote: Remote) -> bool:
        """It was made by this dry run."""
        if (remote.project_id, remote.name) != self.place:
            return False
        is_told = remote.id == self.told_id and not remote.mark_readable
        return is_told or remote.mark == self.mark


class Leftovers:
    """Finds and deletes what a dry run has made after all, at a Run:ai that was proven to make nothing: it was downgraded
    since, or a load balancer has sent the call to an older one.

    Looking for it costs a call only where there is a hint: an id in the answer to the dry run, or a row of that name in the
    lists, which are read anyway. What then has the name, the project and the mark that were sent was made by it if the object was
    never to submit anything. This process may be the last to hear that it is, since another release may serve the object by now,
    so the object itself is read before anything is deleted; and who submits waits until a deletion that was begun has ended.
    """

    def __init__(
        self,
        gate: Gate,
        *,
        read: Callable[[Ref], Awaitable[Workload | None]],
        serves_all: bool,
        made: Callable[[], None],
        bug: Callable[[], None],
        clock: Callable[[], float],
        random: Random,
    ) -> None:
        """`read` gives the object as `ports.Kube.read` does; `serves_all` as `EngineSettings` has it; `made` is called when something was found, `bug` after an exception
        nobody expected; `clock` in loop seconds."""
        self._gate, self._read, self._made, self._bug, self._clock, self._random = gate, read, made, bug, clock, random
        self._serves_all = serves_all
        self._sent: dict[tuple[str, str], dict[OwnerMark, _Sent]] = {}
        """By project and name, and by mark: objects may have the same name in Run:ai, at once or one after the other."""
        self._tidied_at = -math.inf
        self._changed = asyncio.Event()

    def sent(self, submission: Submission, told_id: str | None) -> None:
        """A dry run was accepted, or nobody knows; `told_id`: the id in the answer, if it had one."""
        mark, now = read_mark(submission.manifest), self._clock()
        if mark is None:
            return
        if now - self._tidied_at >= KEPT:
            self._tidy(now)
        one = _Sent(submission.name, submission.project_id, mark, now, told_id)
        before = self._of(submission)
        if before is not None and before.suspect:
            return  # it stays until it is cleared up
        self._sent.setdefault(one.place, {})[mark] = one
        if told_id is not None:
            self._suspect(one, told_id)

    def seen(self, row: Row) -> None:
        """A list shows the row."""
        for one in self._sent.get((row.project_id, row.name), {}).values():
            is_new = one.suspect is None and row.id not in one.dismissed
            if not row.is_deleted and is_new and self._clock() - one.at < KEPT:
                self._suspect(one, row.id)

    def spare(self, submission: Submission) -> Busy | None:
        """The object submits this from now on, so what carries its mark there may be its workload.

        Unless a deletion of it was begun: then nothing may be submitted until that has ended.
        """
        one = self._of(submission)
        if one is not None and not one.going:
            # Another value: what is being read for the present one may be out of date.
            self._sent[one.place][one.mark] = replace(one, undecided=True)
        return self._unless_going(one)

    def spare_adopted(self, remote: Remote) -> Busy | None:
        """An object takes the workload over, whatever its mark; else as `spare`."""
        named = self._sent.get((remote.project_id, remote.name), {}).values()
        one = next((one for one in named if one.is_made(remote)), None)
        if one is not None and not one.going:
            self._forget(one)
        return self._unless_going(one)

    def created(self, submission: Submission) -> None:
        """What has the name was submitted, so no dry run has made it."""
        self._sent.pop((submission.project_id, submission.name), None)

    def _unless_going(self, one: _Sent | None) -> Busy | None:
        if one is None or not one.going:
            return None
        one.due = self._clock()
        self._changed.set()
        return GOING

    def _of(self, submission: Submission) -> _Sent | None:
        named, mark = self._sent.get((submission.project_id, submission.name)), read_mark(submission.manifest)
        return named.get(mark) if named is not None and mark is not None else None

    def _all(self) -> list[_Sent]:
        return [one for named in self._sent.values() for one in named.values()]

    def _forget(self, one: _Sent) -> None:
        del self._sent[one.place][one.mark]

    def _tidy(self, now: float) -> None:
        kept = [one for one in self._all() if one.suspect or now - one.at < KEPT]
        self._sent, self._tidied_at = {}, now
        for one in kept:
            self._sent.setdefault(one.place, {})[one.mark] = one

    async def run(self) -> None:
        """Reads every suspect, for ever."""
        while True:
            suspects = [one for one in self._all() if one.suspect]
            first = min(suspects, key=lambda one: one.due, default=None)
            left = None if first is None else first.due - self._clock()
            if first is not None and left is not None and left <= 0:
                await self._examine(first)
                continue
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._changed.wait()

    def _suspect(self, one: _Sent, workload_id: str) -> None:
        one.suspect, one.due, one.tries = workload_id, self._clock(), 0
        self._changed.set()

    async def _examine(self, one: _Sent) -> None:
        assert one.suspect is not None  # noqa: S101 - for the type checker
        try:
            await self._clear_up(one, one.suspect)
        except Exception as error:
            if not isinstance(error, BridgeError):
                log.exception("unexpected error")
                self._bug()
            one.tries += 1
            one.due = self._clock() + backoff(one.tries, self._random.random())

    async def _clear_up(self, one: _Sent, workload_id: str) -> None:
        remote = await self._gate.get(workload_id, project=one.project_id)
        if remote is None or remote.gone or not one.is_made(remote):
            if remote is not None or one.going:  # else it may only be out of sight
                one.dismissed.add(workload_id)
            one.suspect, one.going = None, False
            return
        is_its_own = await self._is_its_own(one, remote.id)
        if self._sent.get(one.place, {}).get(one.mark) is not one:
            return  # it was spared meanwhile
        is_going = one.going and remote.being_deleted
        if is_its_own is None and not is_going:
            one.undecided, one.going = True, False  # Run:ai has not taken the deletion, if one was sent
            raise UNDECIDED
        if is_its_own and not is_going:
            self._forget(one)
            return
        self._made()
        if not remote.being_deleted:
            about = {"project_id": one.project_id, "workload": one.name, "workload_id": workload_id}
            one.going = True
            await self._gate.delete(workload_id, project=one.project_id)
            log.warning("deleted what was created by a dry run", extra=about)
        one.due = self._clock() + next_sync_read(one.tries)
        one.tries += 1

    async def _is_its_own(self, one: _Sent, workload_id: str) -> bool | None:
        """It is the workload of the object with the mark; None while that is not known."""
        try:
            workload = await self._read(Ref(one.mark.namespace, one.mark.name, one.mark.uid))
        except NotSelected:
            return True  # another release serves the object, and may have submitted it
        if workload is None and (one.undecided or not self._serves_all):
            return True  # another process may have submitted it, and it may be meant to stay
        return is_its_own(workload, workload_id)
