"""The promises, and who watches over them.

Exactly one workload for each object, ownership, truth, debt, economy, the form of the conditions, and no growth. Each is
a method of `Judge`, whose name says it; `Broken` carries the sentence.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from typing import Any

from fakes.kube import Stored
from fakes.runai import mark_of
from runai_operator.domain.conditions import condition
from runai_operator.domain.manifest import read_mark
from runai_operator.domain.model import FINALIZER, DeletionPolicy, ManagementPolicy, OwnerMark, RerunPolicy
from runai_simulator.world import Workload
from simulation.troubles import Side
from simulation.world import World

LATEST = 90.0
"""Seconds from reading an object to the last effect of what was decided then: two calls at their deadlines."""
STALE_AFTER = 60.0
SWEEP = 330.0
"""Seconds from one complete list to the next, and to the reading by id that confirms what it lacks."""
CALLS_A_MINUTE = {Side.RUNAI: 200, Side.KUBE: 300}
"""Of some ten objects, whatever is wrong; of Kubernetes also while it refuses each write as a conflict."""
CALLS_AT_REST = 40


class Broken(AssertionError):
    """A promise is broken; the message says how."""


def must(holds: object, otherwise: str) -> None:
    if not holds:
        raise Broken(otherwise)


class Judge:
    """Watches one world. What it finds first is kept, since some of it is found inside the operator's calls."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.verdict: Broken | None = None
        self.checked: Counter[str] = Counter()
        self._completed: set[str] = set()
        self._was: dict[str, dict[str, float]] = {}
        """When an object was last seen wanted, by UID: undeleted, unpaused, with its finalizer."""
        self._phases: dict[str, list[tuple[float, str]]] = {}
        world.runai.allow = self._before_write

    def note(self, broken: Broken) -> None:
        if self.verdict is None:
            self._world.say(f"BROKEN: {broken}")
            self.verdict = broken

    # --- asked before each write to Run:ai takes effect

    def _before_write(self, method: str, subject: Any) -> None:
        try:
            if method == "POST":
                self._may_create(read_mark(subject.manifest))
            else:
                workload, submission = subject
                self._may_touch(method, workload, read_mark(submission.manifest) if submission else None)
        except Broken as broken:
            self.note(broken)

    def _may_create(self, mark: OwnerMark | None) -> None:
        self.checked["create"] += 1
        must(mark is not None, "POST without a mark")
        assert mark is not None
        since = self._seconds_since(mark.uid)
        for what in ("undeleted", "unpaused", "with its finalizer"):
            must(
                since(what) < LATEST,
                f"POST for {mark.namespace}/{mark.name}, which was last {what} {since(what):.0f} s ago",
            )
        stored = self._object(mark.uid)
        done = [w for w in self._world.runai.world if mark_of(w) == mark and w.id in self._completed]
        must(
            not done
            or stored is None
            or stored.spec.rerun_policy is RerunPolicy.ON_SPEC_CHANGE
            or self._replaces(stored),
            f"POST for {mark.namespace}/{mark.name}, whose work has finished",
        )

    def _replaces(self, stored: Stored) -> bool:
        return stored.spec.recreate_policy == "OnImmutableChange"

    def _may_touch(self, method: str, workload: Workload, new: OwnerMark | None) -> None:
        self.checked[method] += 1
        mark = mark_of(workload)
        what = f"{method} of {workload.id} ({workload.name})"
        if mark is None:
            claimants = [
                stored
                for stored in self._everything()
                if workload.id in (stored.spec.workload_id, stored.status.get("workloadId"))
                and self._fits(stored, workload)
            ]
            must(claimants, f"{what}, which nobody marked, adopted, or named for its project and kind")
            return
        must(mark.install == self._world.install, f"{what}, which carries the mark of install {mark.install}")
        if new is not None and new.uid != mark.uid:
            must(
                self._object(mark.uid) is None or self._seconds_since(mark.uid)("undeleted") > 0,
                f"{what}: its owner lives",
            )
            return
        since = self._seconds_since(mark.uid)
        if self._object(mark.uid) is not None:
            must(since("unpaused") < LATEST, f"{what} of a paused object")
        if method == "PUT":
            must(workload.id not in self._completed, f"{what}, which had completed")

    def _fits(self, stored: Stored, workload: Workload) -> bool:
        spec = stored.spec
        project = spec.project_id or next(
            (p.id for p in self._world.runai.world.projects.values() if p.name == spec.project_name), None
        )
        kind = spec.manifest["kind"] if spec.manifest else workload.kind.name
        return project == workload.project.id and kind == workload.kind.name

    # --- looked at all the time

    async def watch(self, every: float = 1.0) -> None:
        while self.verdict is None:
            try:
                self.look()
            except Broken as broken:
                self.note(broken)
            await asyncio.sleep(every)

    def look(self) -> None:
        self._remember()
        self._at_most_one_each()
        self._nothing_is_forgotten()
        self._conditions_are_well_formed()
        self._status_is_true()
        self._economy()
        must(self._world.bugs == 0 and (self._world.process is None or self._world.process.observer.bugs == 0), "a bug")

    def _remember(self) -> None:
        now = self._world.now()
        for stored in self._world.kube.objects.values():
            was = self._was.setdefault(stored.ref.uid, {})
            was["alive"] = now
            if not stored.deleting:
                was["undeleted"] = now
            if not stored.paused:
                was["unpaused"] = now
            if FINALIZER in stored.finalizers:
                was["with its finalizer"] = now
            if condition(stored.status, "Completed") and stored.status.get("ownerUid") == stored.ref.uid:
                self._completed.add(stored.status["workloadId"])
        for workload in self._world.runai.world:
            gone = [(workload.gone, "Deleted")] if workload.is_gone(now) else []
            self._phases[workload.id] = [(step.since, step.word) for step in workload.phases.until(now)] + gone

    def _seconds_since(self, uid: str) -> Any:
        now, was, stored = self._world.now(), self._was.get(uid, {}), self._object(uid)

        def since(what: str) -> float:
            if (
                stored is not None
                and {
                    "undeleted": not stored.deleting,
                    "unpaused": not stored.paused,
                    "with its finalizer": FINALIZER in stored.finalizers,
                }[what]
            ):
                return 0.0
            return now - was.get(what, 0.0)

        return since

    def _standing(self) -> list[Workload]:
        return [workload for workload in self._world.runai.live() if workload.deleted is None]

    def _object(self, uid: str) -> Stored | None:
        return next((stored for stored in self._world.kube.objects.values() if stored.ref.uid == uid), None)

    def _everything(self) -> list[Stored]:
        """Objects, and those that went a moment ago."""
        kube, now = self._world.kube, self._world.now()
        return [*kube.objects.values(), *(s for uid, s in kube.gone.items() if now - kube.gone_at[uid] < LATEST)]

    def _at_most_one_each(self) -> None:
        self.checked["exactly once"] += 1
        marks = Counter(mark.uid for workload in self._standing() if (mark := mark_of(workload)))
        for uid, count in marks.items():
            must(count < 2 or self._object(uid) is None, f"{count} workloads stand for {self._object(uid)}")

    def _nothing_is_forgotten(self) -> None:
        """What loses its finalizer leaves nothing behind, unless that was asked for or is on record."""
        kube = self._world.kube
        while kube.released:
            gone = kube.released.pop()
            self.checked["released"] += 1
            spec = gone.spec
            if spec.deletion_policy is DeletionPolicy.ORPHAN or spec.management_policy is ManagementPolicy.OBSERVE:
                continue
            left = [w.id for w in self._standing() if (mark := mark_of(w)) and mark.uid == gone.ref.uid]
            must(
                not left or gone.ref.uid in kube.orphans, f"{gone.ref} is released, and {left} stays behind unrecorded"
            )

    def _conditions_are_well_formed(self) -> None:
        for stored in self._world.kube.objects.values():
            status = stored.status
            if status.get("ownerUid", stored.ref.uid) != stored.ref.uid:
                continue  # restored from a backup, and not looked at yet
            true = {kind for kind in ("Ready", "Reconciling", "Stalled") if self._is(stored, kind, "True")}
            must(len(true) < 2, f"{stored.ref} is {true} at once")
            seen = status.get("observedGeneration", -1)
            must(seen <= stored.generation, f"{stored.ref} has observed generation {seen} of {stored.generation}")
            must(seen == -1 or status.get("conditions"), f"{stored.ref} is observed without conditions")
            for entry in status.get("conditions", ()):
                must(entry.get("observedGeneration") == seen, f"{stored.ref}: {entry['type']} is of another generation")
                must(entry.get("reason"), f"{stored.ref}: {entry['type']} has no reason")

    def _is(self, stored: Stored, kind: str, value: str) -> bool:
        return bool((condition(stored.status, kind) or {}).get("status") == value)

    def _status_is_true(self) -> None:
        """What is shown was so a moment ago, or status says that it is not known."""
        world, now = self._world, self._world.now()
        slack = STALE_AFTER + world.runai.world.switches.list_lag + 20
        process = world.process
        if process is None or now - process.started_at < slack or now - world.troubled_at.get(Side.KUBE, 0.0) < slack:
            return
        for stored in world.kube.objects.values():
            phase, workload_id = stored.status.get("phase"), stored.status.get("workloadId")
            claims = self._is(stored, "Synced", "True") and not stored.deleting
            claims = claims and stored.status.get("ownerUid") == stored.ref.uid
            if phase is None or workload_id not in self._phases or not claims or workload_id in self._completed:
                continue
            history = self._phases[workload_id]
            if phase == "Failed" and any(word == phase for _, word in history):
                continue  # what has finished stays as it was
            self.checked["truth"] += 1
            window = slack + (SWEEP if self._only_sweeps_show(workload_id) else 0.0)
            lately = [entry for entry, after in itertools.pairwise([*history, (now, "")]) if after[0] > now - window]
            must(
                phase in {word for _, word in lately},
                f"{stored.ref} shows {phase}, and {workload_id} was {[word for _, word in lately]} for {window:.0f} s",
            )

    def _only_sweeps_show(self, workload_id: str) -> bool:
        """What becomes of a project that is hidden, or of what is deleted where no list says so, no change shows."""
        world = self._world.runai.world
        workload = world.get(workload_id)
        if workload is None or not world.switches.deleted_list:
            return True
        return workload.project.id in world.hidden or self._world.now() - self._world.hidden_at < SWEEP

    def _economy(self) -> None:
        now = asyncio.get_running_loop().time()
        for side, most in CALLS_A_MINUTE.items():
            calls = self._world.calls[side]
            while calls and calls[0] < now - 60:
                calls.pop(0)
            must(len(calls) <= most, f"{len(calls)} calls of {side} in a minute")

    # --- at the end, long after everything was healed

    def all_is_settled(self) -> None:
        for stored in self._world.kube.objects.values():
            self._is_settled(stored)
        process = self._world.process
        assert process is not None
        known, there = len(process.engine.inventory), len(self._world.kube.objects)
        must(known == there, f"{known} objects are remembered, {there} exist")

    def _is_settled(self, stored: Stored) -> None:
        status, where = stored.status, str(stored.ref)
        ready = condition(status, "Ready") or {}
        self.checked["settled"] += 1
        self.checked[f"settled: {ready.get('reason')}"] += 1
        told = f"{ready.get('reason')}: {ready.get('message')}"
        if stored.deleting and "cannot be read" in told:
            return  # it says what to do, and nobody here does it
        must(not stored.deleting, f"{where} is stuck in its deletion: {told}")
        must(status.get("observedGeneration") == stored.generation, f"{where} was not looked at: {told}")
        knows = not self._is(stored, "Synced", "Unknown") or not self._world.runai.world.switches.sync_info
        must(knows, f"{where} does not know: {condition(status, 'Synced')}")
        if self._is(stored, "Stalled", "True"):
            return
        ours = [w for w in self._standing() if (mark := mark_of(w)) and mark.uid == stored.ref.uid]
        if self._is(stored, "Reconciling", "True"):
            must(ready.get("reason") in ("Pending", "Degraded"), f"{where} is not settled: {told}")
        if stored.spec.management_policy is ManagementPolicy.OBSERVE or status.get("workloadId") in self._completed:
            return
        must(len(ours) == 1, f"{where} has {len(ours)} workloads: {told}")
        must(status.get("workloadId") == ours[0].id, f"{where} shows {status.get('workloadId')}, and has {ours[0].id}")
        if stored.spec.manifest is not None:
            must(
                ours[0].manifest["spec"] == stored.spec.manifest["spec"],
                f"{where} was edited, which was never sent: {told}",
            )
        elif stored.spec.manifest_from is not None and (
            source := self._world.kube.sources.get(stored.spec.manifest_from.name)
        ):
            must(str(ours[0].manifest["spec"]["text"]) in source.text, f"{where}: its source was never sent: {told}")

    async def rests(self, seconds: float) -> None:
        """Nothing changes, so nothing is written, and few calls are made."""
        world = self._world
        before, sent, calls = world.kube.writes, len(world.runai.writes), len(world.calls[Side.RUNAI])
        probed = sum(self._is(stored, "Stalled", "True") for stored in world.kube.objects.values())
        began = asyncio.get_running_loop().time()
        made = 0
        while asyncio.get_running_loop().time() < began + seconds:
            await asyncio.sleep(50)
            made = max(
                made, len([call for call in world.calls[Side.RUNAI] if call > asyncio.get_running_loop().time() - 60])
            )
        del calls
        must(world.kube.writes == before or probed, f"{world.kube.writes - before} writes at rest")
        must(len(world.runai.writes) == sent, f"{world.runai.writes[sent:]} at rest")
        must(made <= CALLS_AT_REST + 5 * probed, f"{made} calls of Run:ai a minute at rest")
