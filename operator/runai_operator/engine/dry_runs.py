"""Whether one connection may be sent dry runs: what `domain.probe` decides about each project is done here, step by step.

One answer serves all projects, since it is the release of Run:ai that gives it; so one probe at a time is sent, and none
where no object waits for the answer. It lasts as long as the process.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from random import Random

from runai_operator.domain.absence import Place
from runai_operator.domain.errors import (
    BridgeError,
    InvalidWorkload,
    NameTaken,
    OutcomeUnknown,
    Scope,
    UnexpectedReply,
)
from runai_operator.domain.model import Candidate, Row
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
from runai_operator.domain.requeue import PROJECT_PROBE, SOON_CEILING, backoff
from runai_operator.engine.gate import Gate
from runai_operator.engine.projects import Witness

log = logging.getLogger(__name__)


class DryRuns:
    """Proves, before the first dry run of a connection, that it creates nothing; and removes what a probe has made."""

    def __init__(
        self,
        gate: Gate,
        witness: Witness,
        *,
        install: str,
        grace: float,
        wake: Callable[[str], None],
        bug: Callable[[], None],
        clock: Callable[[], float],
        random: Random,
    ) -> None:
        """`wake(uid)` is called when there is news for an object that waits, `bug` after an exception nobody expected. `grace`:
        for how long lists lag, in seconds; `clock` in loop seconds."""
        self._gate, self._witness, self._install, self._grace = gate, witness, install, grace
        self._wake, self._bug, self._clock, self._random = wake, bug, clock, random
        self._answer: bool | InvalidWorkload = False
        """True once it is proven, an error once the opposite is."""
        self._probes: dict[str, Probe] = {}
        """By project."""
        self._due: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._errors: dict[str, tuple[float, BridgeError]] = {}
        """Why there is no answer from a project, and since when."""
        self._waiting: dict[str, str] = {}
        """Objects, and the project of each."""
        self._changed = asyncio.Event()

    def ask(self, uid: str, project_id: str) -> bool | BridgeError:
        """True when dry runs are proven to create nothing, else why none may be sent. While that may change, `uid` is woken
        when it does, until `leave`."""
        if self._answer is not False:
            return self._answer
        self._waiting[uid] = project_id
        asked_at, error = self._errors.get(project_id, (-math.inf, None))
        if project_id not in self._probes and self._clock() - asked_at >= PROJECT_PROBE:
            self._begin(project_id)
        return error or PROVING

    def leave(self, uid: str) -> None:
        """The object does not wait (any more)."""
        self._waiting.pop(uid, None)

    def seen(self, row: Row) -> None:
        """A list shows the row: perhaps it is what a probe of an earlier process, or of another one, has left behind."""
        if not row.name.startswith(PROBE_PREFIX) or row.name != probe_name(self._install, row.project_id):
            return
        if row.project_id not in self._probes:
            self._begin(row.project_id)

    def _begin(self, project_id: str) -> None:
        self._probes[project_id] = Probe(install=self._install, project_id=project_id)
        self._due[project_id] = self._clock()
        self._changed.set()

    async def run(self) -> None:
        """Takes every step that is due, for ever."""
        while True:
            project_id = min(self._due, key=lambda each: self._due[each], default=None)
            left = None if project_id is None else self._due[project_id] - self._clock()
            if project_id is not None and left is not None and left <= 0:
                await self._go_on(project_id)
                continue
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._changed.wait()

    async def _go_on(self, project_id: str) -> None:
        wanted = self._answer is False and project_id in self._waiting.values()
        probe = replace(self._probes[project_id], wanted=wanted)
        self._due[project_id] = self._clock()
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
            del self._probes[project_id], self._due[project_id]
            self._failures.pop(project_id, None)
        else:
            self._probes[project_id] = after

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
                self._due[probe.project_id] = self._clock() + seconds
                return probe.waited()
            case End(proven):
                return self._ended(probe, proven=proven)

    async def _send(self, probe: Probe) -> Probe | None:
        if any(each.sent and place not in self._errors for place, each in self._probes.items()):
            self._due[probe.project_id] = self._clock() + SOON_CEILING
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
        if not (probe.sent and probe.wanted and self._answer is False):
            return None
        # What was sent made nothing, but its answer proves nothing either.
        return self._again(Probe(install=self._install, project_id=probe.project_id))

    def _failed(self, probe: Probe, error: BridgeError) -> None:
        """What was known before the step is known still."""
        self._probes[probe.project_id] = self._again(probe)
        self._show(probe, error)

    def _again(self, probe: Probe) -> Probe:
        """With a brake."""
        self._failures[probe.project_id] = failures = self._failures.get(probe.project_id, 0) + 1
        self._due[probe.project_id] = self._clock() + backoff(failures, self._random.random())
        return probe

    def _show(self, probe: Probe, error: BridgeError) -> None:
        """Objects of the project are shown it, but none of them waits at the gate: only the probe calls there."""
        shown = error.twin()
        shown.scope, shown.circuit = Scope.OBJECT, None
        _, before = self._errors.get(probe.project_id, (0.0, None))
        self._errors[probe.project_id] = self._clock(), shown
        if before is None or before.message != shown.message:
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
