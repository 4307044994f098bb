"""The promises, and who watches over them.

Exactly one workload for each object, ownership, truth, debt, economy, the form of the conditions, and no growth. Each is
a method of `Judge`, whose name says it; `Broken` carries the sentence.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import traceback
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeGuard

from fakes.kube import Stored
from fakes.runai import mark_of, metadata_of
from runai_operator.domain.conditions import condition
from runai_operator.domain.manifest import is_keyed, read_mark
from runai_operator.domain.model import (
    DEFAULT_CONNECTION,
    FINALIZER,
    NOT_SUBMITTED,
    DeletionPolicy,
    ManagementPolicy,
    OwnerMark,
    RecreatePolicy,
    RerunPolicy,
    Submission,
)
from runai_operator.domain.naming import probe_name
from runai_operator.domain.probe import probe_mark, probe_submission
from runai_operator.domain.reasons import Group, Reason
from runai_operator.domain.requeue import Limits
from runai_operator.engine.gate import CallClass
from runai_operator.engine.poller import MOST_DELTA_PAGES
from runai_simulator.rules import Refused
from runai_simulator.views import v1_row
from runai_simulator.world import Workload
from simulation.troubles import LISTS, OUTAGES, READS, SECRET, SLOWNESS, WRITES, Kind, Side
from simulation.world import DELTA_INTERVAL, NAMESPACE, REJECTED, Process, World

LATEST = 15.0
"""Seconds from reading an object to the last effect of what was decided then; here no call hangs."""
STALE_AFTER = 60.0
SWEEP = 330.0
"""Seconds from one complete list to the next, and to the reading by id that confirms what it lacks."""
LOOKED_EVERY = 4.0
"""Seconds between two checks while nothing happens."""
MOST_CALLS = {(Side.RUNAI, 60.0): 150, (Side.KUBE, 60.0): 150, (Side.RUNAI, 600.0): 600, (Side.KUBE, 600.0): 450}
"""Of some five objects, whatever is wrong, within so many seconds."""
EACH_MORE = {60.0: 28, 600.0: 60}
"""What each object more may take of that: it may be edited and deleted in the same minute, and both are followed promptly."""
EACH_START = {Side.RUNAI: 0, Side.KUBE: 30}
"""What each start of a process may take: the new one looks at everything, and tries at once what is outstanding."""
MOST_LOOKUPS = 22
"""Of projects within a minute, however many objects name one."""
LOOKUPS_A_START = 2
"""A new process knows none."""
CALLS_AT_REST = 40
BLANK_FOR = 60.0
"""Seconds that an object may be without a status, whatever is wrong with Run:ai."""
STALLED_AFTER = 600.0 + 90.0
"""Seconds of retries after which status says that it is stalled, and the time to write that."""
PENDING_FOR = 690.0
"""Seconds in which status says why something is pending; the most after a restart."""
NEWS_FOR = 300.0
"""Seconds in which what has begun may be under way: a replacement waits for the end of the last one."""
SENT_IN = 150.0
"""Seconds in which an edit is sent while everything works that it needs."""
GRANTED = 400.0
"""Seconds after which a right that was missing is tried again."""
COUNTED_IN = 120.0
"""Seconds until pods are counted anew, and how late the lists are comes on top."""
DOUBT = 240.0
"""Seconds after which what is known to have made nothing is not in doubt any more."""
GIVES_UP = 420.0
"""Seconds after `release_after` in which a deletion is given up if Run:ai is out of reach all the time."""
LOOKED_AT_AGAIN = 480.0
"""Seconds after which what was refused for its project is tried again, and nothing says that the project is there now."""
FREED = 190.0
"""Seconds after which a name that a deletion has freed is used, and how late the lists are comes on top."""
EDITED = 150.0
"""Seconds after an edit in which an end from before it does not count: it may run again, and lists are late."""
TURN_IN = 4.0
"""Seconds until an object is looked at while others have asked for much."""
SLOW_TURN_IN = TURN_IN + 2 * SLOWNESS
"""Until its workload has been read while each call takes long: that one, and one that has to end first."""
SOURCE_READ_IN = 70.0
"""Seconds until a change of a ConfigMap is noticed; to send it takes as long as an edit."""
VERDICT_IN = 60.0
"""Seconds until what Run:ai answers to a dry run is shown."""
VERDICTS = (Reason.INVALID_SPEC, Reason.NAME_TAKEN)
"""How Run:ai's refusal of a dry run is shown."""
PROBES_GONE_IN = 700.0
"""Seconds in which what a probe made is found and deleted, though somebody was killed over it: a sweep, and the longest back-off."""
RETRIES = frozenset(reason for reason in Reason if reason.group is Group.RETRYING)
WAITS = RETRIES | {Reason.WAITING_FOR_NAME, Reason.RECREATING, Reason.RUNAI_DELETING}
"""Reasons of Ready beside which something may be outstanding that waits for Run:ai."""


class Broken(AssertionError):
    """A promise is broken; the message says how."""


def promise_of(broken: Broken) -> str:
    """The name of the method that found it, in words."""
    frames = [frame.f_code.co_name for frame, _ in traceback.walk_tb(broken.__traceback__)]
    return frames[-2 if frames[-1] == must.__name__ else -1].strip("_").replace("_", " ")


def content_of(submission: Submission) -> object:
    """What a verdict is about."""
    return (submission.manifest["spec"], submission.category, submission.name)


def must(holds: object, otherwise: str) -> None:
    if not holds:
        raise Broken(otherwise)


def is_probe(mark: OwnerMark | None) -> TypeGuard[OwnerMark]:
    """Of what the operator sends to find out whether there are dry runs."""
    return mark is not None and mark == probe_mark(mark.install)


def _holds(workload: Workload, text: str) -> bool:
    """Its content is what the source says."""
    return f"text: {workload.manifest['spec']['text']}}}" in text


class Judge:
    """Watches one world. What it finds first is kept, since some of it is found inside the operator's calls."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.verdict: Broken | None = None
        self.promise = ""
        """The one that is broken."""
        self.checked: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        """The most that was seen of what is bounded."""
        self._completed: set[str] = set()
        self._on_record: set[str] = set()
        """Ids that a status has shown. Of what is gone without that, nothing shows whose it was."""
        self._was: dict[str, dict[str, float]] = {}
        """When an object was last seen wanted, by UID: undeleted, unpaused, with its finalizer."""
        self._phases: dict[str, list[tuple[float, str]]] = {}
        self._deleted_by_us: set[str] = set()
        self._sent: dict[str, list[Any]] = {}
        """What a workload has ever been asked to run."""
        self._since: dict[object, tuple[object, float]] = {}
        """What has which value, and since when."""
        self._marks: dict[str, OwnerMark | None] = {}
        """Whose a workload was last, gone or not."""
        self._source_texts: dict[str, str] = {}
        """What each source held last."""
        self._probed: list[float] = []
        """When a probe was sent."""
        self._verdicts: dict[str, list[tuple[float, object, bool]]] = {}
        """What Run:ai said to each dry run, by the UID of the object: when, of which content, and whether it was accepted."""
        self._ignored_at = 0.0
        """When Run:ai last ignored the flag of dry runs."""
        self._holders: dict[str, str] = {}
        """By UID: the workload that held the name that the object waits for."""
        self._more: list[tuple[float, int]] = []
        """How many objects more than a few there have been lately, and when."""
        self._taken: list[tuple[str, Process]] = []
        """UIDs of objects that vanished with our finalizer, and the process that knew of it."""
        self._is_over = asyncio.Event()
        world.runai.allow = self._before_write
        world.kube.told_of = self._vanishes

    def note(self, broken: Broken) -> None:
        if self.verdict is None:
            self._world.say(f"BROKEN: {broken}")
            self.verdict, self.promise = broken, promise_of(broken)
            self._is_over.set()

    async def after(self, seconds: float) -> None:
        """Raises as soon as a promise is broken."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self._is_over.wait()
        if self.verdict is not None:
            raise self.verdict

    # --- asked before each write to Run:ai takes effect

    def _before_write(self, method: str, subject: Any) -> None:
        self.remember()
        try:
            if method == "DRY RUN":
                self._may_check(subject)
                self._may_use(f"dry run of {subject.name}", subject.project_id, adopts=False)
            elif method == "POST":
                live = self._world.runai.live()
                holders = [w for w in live if (w.name, w.project.id) == (subject.name, subject.project_id)]
                self._may_create(read_mark(subject.manifest), holders)
                self._may_use(f"POST of {subject.name}", subject.project_id, adopts=False)
            else:
                workload, submission = subject
                mark = mark_of(workload)
                self._may_touch(method, workload, read_mark(submission.manifest) if submission else None)
                if not is_probe(mark):
                    adopts = method == "PUT" and mark is None
                    self._may_use(f"{method} of {workload.id}", workload.project.id, adopts=adopts)
                if method == "DELETE":
                    self._deleted_by_us.add(workload.id)
        except Broken as broken:
            self.note(broken)

    def _may_create(self, mark: OwnerMark | None, holders: list[Workload]) -> None:
        """`holders` of the name, if there are any: then it makes nothing."""
        self.checked["create"] += 1
        must(mark is not None, "POST without a mark")
        assert mark is not None
        since = self._seconds_since(mark.uid)
        must(since("managed") < LATEST, f"POST for {mark.namespace}/{mark.name}, which is only to be checked")
        for what in ("undeleted", "unpaused", "with its finalizer"):
            must(
                since(what) < LATEST,
                f"POST for {mark.namespace}/{mark.name}, which was last {what} {since(what):.0f} s ago",
            )
        stored = self._object(mark.uid)
        done = [
            each
            for each, whose in self._marks.items()
            if whose == mark and self._has_been(each, "Completed") and self._world.runai.world.get(each) not in holders
            if each in self._on_record or not self._is_out_of_sight(each)
        ]
        must(
            not done
            or stored is None
            or stored.spec.rerun_policy is RerunPolicy.ON_SPEC_CHANGE
            or self._replaces(stored),
            f"POST for {mark.namespace}/{mark.name}, whose work has finished",
        )

    def _is_out_of_sight(self, workload_id: str) -> bool:
        """Nobody can know any more that it was there, or not yet that it is gone."""
        world = self._world.runai.world
        workload, seen = world.get(workload_id), self._world.now() - world.switches.list_lag
        is_kept = workload is not None and world.switches.deleted_list and not world.is_forgotten(workload, seen)
        is_told = is_kept and workload is not None and workload.is_gone(seen - LATEST)
        return not is_told and self._is_gone(workload_id)

    def _is_gone(self, workload_id: str) -> bool:
        workload = self._world.runai.world.get(workload_id)
        return workload is None or workload.is_gone(self._world.now())

    def _replaces(self, stored: Stored) -> bool:
        """Somebody asked for that, or may have."""
        return stored.spec.recreate_policy is RecreatePolicy.ON_IMMUTABLE_CHANGE or stored.token is not None

    def _may_use(self, what: str, project_id: str, *, adopts: bool) -> None:
        world = self._world
        self.checked["access"] += 1
        project = world.runai.world.projects[project_id].name
        access = world.setup.access(world.first_project)
        must(access.allows(NAMESPACE, project, adoption=adopts), f"{what} in project {project}, which is not allowed")

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
        known = {self._world.setup.install, *self._world.setup.former}
        is_named = any(
            workload.id in (stored.spec.workload_id, stored.status.get("workloadId")) for stored in self._everything()
        )
        if not self._reads_marks() and is_named:
            return  # nobody can see whose it is, and a person has said so
        must(mark.install in known, f"{what}, which carries the mark of install {mark.install}")
        if is_probe(mark):
            must(method == "DELETE", f"{what}, which was sent as a dry run")
            return
        if method == "DELETE" and self._goes_as_leftover(what, workload, mark):
            return
        if method == "DELETE":
            self._is_not_torn_down(what, mark.uid)
        if new is not None and new.uid != mark.uid:
            must(
                self._object(mark.uid) is None or self._seconds_since(mark.uid)("undeleted") > 0,
                f"{what}: its owner lives",
            )
            return
        since, owner = self._seconds_since(mark.uid), self._object(mark.uid)
        if method == "DELETE" and owner is not None and owner.deleting:
            must(self._is_kept(owner) < LATEST, f"{what}, which is to stay")
        if owner is not None:
            must(since("unpaused") < LATEST, f"{what} of a paused object")
            must(owner.deleting or since("managed") < LATEST, f"{what} of an object that is only to be checked")
        if method == "PUT":
            must(workload.id not in self._completed, f"{what}, which had completed")

    def _goes_as_leftover(self, what: str, workload: Workload, mark: OwnerMark) -> bool:
        """It is deleted as what a dry run made."""
        self._has_no_other_object(what, workload, mark)
        if not self._is_leftover(workload):
            return False
        owner, since = self._object(mark.uid), self._seconds_since(mark.uid)
        may_submit = owner is not None and "workloadId" not in owner.status
        must(not may_submit or since("only to be checked") < LATEST, f"{what}, which its object may submit")
        return True

    def _has_no_other_object(self, what: str, workload: Workload, mark: OwnerMark) -> None:
        """What a dry run made is not deleted once another object counts it as its own, whatever its mark."""
        for stored in self._everything() if workload.id in self._world.runai.unasked else ():
            may_run_again = stored.spec.rerun_policy is not RerunPolicy.NEVER
            is_other = (
                stored.ref.uid != mark.uid and self._is_managed(stored) and not (stored.deleting or may_run_again)
            )
            must(not (is_other and stored.status.get("workloadId") == workload.id), f"{what}, which {stored.ref} has")

    def _is_not_torn_down(self, what: str, uid: str) -> None:
        """Nothing is deleted because its object goes with the definition, before anybody has said that this is meant."""
        owner, crd = self._object(uid), self._world.kube.crd
        is_unmeant = crd is not None and crd.deleting and not crd.confirmed
        asked = owner.deletion_requested if owner is not None else None
        goes_along = asked is not None and asked.timestamp() >= self._world.definition_goes_at
        goes_on = asked is None and self._is_torn_down() > LATEST
        must(not (is_unmeant and (goes_along or goes_on)), f"{what} because the definition goes")

    def _may_check(self, submission: Submission) -> None:
        """Nothing that a user wrote is sent as a dry run before it is proven that this makes nothing."""
        self.checked["dry runs"] += 1
        mark, now = read_mark(submission.manifest), self._world.now()
        assert mark is not None, "a dry run without a mark"
        if is_probe(mark):
            is_known = submission == probe_submission(mark.install, submission.project_id)
            must(is_known and mark.install in self._world.installs, f"dry run of {submission.name}")
            self._probed.append(now)
            return
        what, since = f"dry run for {mark.namespace}/{mark.name}", self._seconds_since(mark.uid)
        must(since("only to be checked") < LATEST, f"{what}, which is to be submitted")
        must(since("unpaused") < LATEST, f"{what}, which is paused")
        process = self._world.process
        is_alone = process is not None and now - self._world.doubled_until > 0
        began = process.started_at if process is not None and is_alone else 0.0
        must(any(began <= at <= now - Limits().grace for at in self._probed), f"{what} before there is a proof")
        try:
            self._world.runai.world.validate(metadata_of(submission), submission.manifest, now)
        except Refused:
            is_accepted = False
        else:
            is_accepted = True
        self._verdicts.setdefault(mark.uid, []).append((now, content_of(submission), is_accepted))

    def _fits(self, stored: Stored, workload: Workload) -> bool:
        spec = stored.spec
        project = spec.project_id or next(
            (p.id for p in self._world.runai.world.projects.values() if p.name == spec.project_name), None
        )
        kind = spec.manifest["kind"] if spec.manifest else workload.kind.name
        return project == workload.project.id and kind == workload.kind.name

    # --- looked at all the time

    async def watch(self) -> None:
        """Every second while things happen, and less often while they rest."""
        seen = None
        while self.verdict is None:
            try:
                self.look()
            except Broken as broken:
                self.note(broken)
            before, seen = seen, (self._world.kube.last_version, len(self._world.story))
            await asyncio.sleep(1.0 if seen != before else LOOKED_EVERY)

    def look(self) -> None:
        self.remember()
        self._at_most_one_each()
        self._nothing_is_forgotten()
        self._is_torn_down()
        for stored in list(self._world.kube.objects.values()):
            self._is_kept(stored)
            self._is_shown_in_time(stored)
            if (
                stored.status.get("ownerUid", stored.ref.uid) == stored.ref.uid
            ):  # else from a backup, and not looked at yet
                self._conditions_are_well_formed(stored)
                self._end_is_true(stored)
                self._loss_is_true(stored)
                self._token_is_true(stored)
                self._stalls_in_time(stored)
                self._says_why_it_is_pending(stored)
                self._is_sent_in_time(stored)
                self._pods_are_true(stored)
                self._refusal_is_proof(stored)
                self._is_given_up_in_time(stored)
                self._is_tried_again_in_time(stored)
                self._freed_name_is_used_in_time(stored)
                self._source_is_sent_in_time(stored)
                self._goes_on_without_its_source(stored)
                self._quotes_no_secret(stored)
                self._is_served(stored)
                self._replacement_is_missing(stored)
                self._gone_owners_do_not_hinder(stored)
                self._is_only_checked(stored)
                self._verdict_is_true(stored)
                self._dry_runs_are_found_in_time(stored)
        self._probes_are_removed()
        self._leftovers_are_removed()
        self._nobody_shares()
        self._slow_is_not_away()
        self._status_is_true()
        self._lists_are_reported()
        self._economy()
        self._nothing_unexpected_is_raised()

    def _nothing_unexpected_is_raised(self) -> None:
        process = self._world.process
        must(self._world.bugs == 0 and (process is None or process.observer.bugs == 0), "a bug")

    def remember(self) -> None:
        """How things stand, before they change."""
        self._world.note_troubles()
        now = self._world.now()
        for stored in self._world.kube.objects.values():
            self._remember_object(stored)
        for name, source in self._world.kube.sources.items():
            self._source_texts[name] = source.text
        for workload in self._world.runai.world:
            gone = [(workload.gone, "Deleted")] if workload.is_gone(now) else []
            self._marks[workload.id] = mark_of(workload)
            sent = self._sent.setdefault(workload.id, [])
            if not sent or sent[-1] != workload.manifest["spec"]:
                sent.append(workload.manifest["spec"])
            self._phases[workload.id] = [(step.since, step.word) for step in workload.phases.until(now)] + gone

    def _remember_object(self, stored: Stored) -> None:
        now, was = self._world.now(), self._was.setdefault(stored.ref.uid, {})
        if not stored.deleting:
            was["undeleted"] = now
        if not stored.paused:
            was["unpaused"] = now
        is_dry = stored.spec.management_policy is ManagementPolicy.DRY_RUN
        was["only to be checked" if is_dry else "managed"] = now
        if FINALIZER in stored.finalizers:
            was["with its finalizer"] = now
        if (workload_id := stored.status.get("workloadId")) is not None:
            self._on_record.add(workload_id)
        if condition(stored.status, "Completed") and stored.status.get("ownerUid") == stored.ref.uid:
            self._completed.add(stored.status["workloadId"])

    def _seconds_since(self, uid: str) -> Any:
        now, was, stored = self._world.now(), self._was.get(uid, {}), self._object(uid)

        def since(what: str) -> float:
            if (
                stored is not None
                and {
                    "undeleted": not stored.deleting,
                    "unpaused": not stored.paused,
                    "managed": stored.spec.management_policy is not ManagementPolicy.DRY_RUN,
                    "only to be checked": stored.spec.management_policy is ManagementPolicy.DRY_RUN,
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
        standing = [each for each in self._standing() if not self._is_leftover(each)]
        marks = Counter(mark.uid for workload in standing if (mark := mark_of(workload)))
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
            left = [w.id for w in self._world.runai.live() if (mark := mark_of(w)) and mark.uid == gone.ref.uid]
            recorded = kube.orphans.get(gone.ref.uid)
            must(not left or recorded, f"{gone.ref} is released, and {left} stays behind unrecorded")
            if left and recorded and recorded.why != Reason.FINALIZER_REMOVED and gone.deletion_requested is not None:
                age = self._world.now() - gone.deletion_requested.timestamp()
                must(age > self._world.setup.release_after, f"{gone.ref} is given up after {age:.0f} s")

    def _since_when(self, what: object, value: object) -> float:
        """Seconds for which something has had this value; it has to be asked all the time."""
        now = self._world.now()
        if what not in self._since or self._since[what][0] != value:
            self._since[what] = value, now
        return now - self._since[what][1]

    def _is_torn_down(self) -> float:
        """Seconds for which all objects have been going with their definition, without anybody's word that this is meant."""
        crd = self._world.kube.crd
        goes = crd is not None and crd.deleting and not crd.confirmed
        lasts = self._since_when("torn down", goes)
        return lasts if goes else 0.0

    def _is_kept(self, stored: Stored) -> float:
        """Seconds for which its workload has been one that stays."""
        stays = stored.spec.deletion_policy is DeletionPolicy.ORPHAN
        lasts = self._since_when(("kept", stored.ref.uid), stays)
        return lasts if stays else 0.0

    def _has_been(self, workload_id: str, phase: str) -> bool:
        """By what the operator may know by now."""
        return any(word == phase for _, word in self._phases.get(workload_id, ()))

    def _is_calm(self, side: Side, seconds: float) -> bool:
        """The process runs, and nothing was wrong on that side, for so long."""
        process, now = self._world.process, self._world.now()
        is_running = process is not None and process.is_alive and now - process.started_at > seconds
        return is_running and now - self._world.troubled_at.get(side, 0.0) > seconds

    def _works(self, seconds: float, *calls: str) -> bool:
        """Nothing has kept the operator from these calls of Run:ai for so long."""
        world, now = self._world, self._world.now()
        is_seen = not world.runai.world.hidden and now - world.hidden_at > seconds
        return is_seen and all(now - world.spoiled_at.get(call, 0.0) > seconds for call in calls)

    def _is_shown_in_time(self, stored: Stored) -> None:
        is_blank = not stored.status.get("conditions") and not stored.deleting
        waits = self._since_when(("blank", stored.ref.uid), is_blank)
        if is_blank and self._is_calm(Side.KUBE, BLANK_FOR):
            self.checked["first status"] += 1
            must(waits < BLANK_FOR, f"{stored.ref} has been without a status for {waits:.0f} s")

    def _conditions_are_well_formed(self, stored: Stored) -> None:
        status = stored.status
        self.checked["form"] += 1
        true = {kind for kind in ("Ready", "Reconciling", "Stalled") if self._is(stored, kind, "True")}
        must(len(true) < 2, f"{stored.ref} is {true} at once")
        seen = status.get("observedGeneration", -1)
        must(seen <= stored.generation, f"{stored.ref} has observed generation {seen} of {stored.generation}")
        must(seen == -1 or status.get("conditions"), f"{stored.ref} is observed without conditions")
        for entry in status.get("conditions", ()):
            must(entry.get("observedGeneration") == seen, f"{stored.ref}: {entry['type']} is of another generation")
            must(entry.get("reason"), f"{stored.ref}: {entry['type']} has no reason")

    def _end_is_true(self, stored: Stored) -> None:
        """Nothing counts as finished that never was, nor as completed what was never sent."""
        status, workload_id = stored.status, stored.status.get("workloadId")
        phase = "Completed" if self._is(stored, "Completed", "True") else status.get("phase")
        if phase not in ("Completed", "Failed") or workload_id not in self._phases:
            return
        self.checked["truth of ends"] += 1
        must(self._has_been(workload_id, phase), f"{stored.ref} shows {phase}, which {workload_id} has never been")
        workload = self._world.runai.world.get(workload_id)
        is_sent = stored.spec.manifest is not None and stored.spec.workload_id is None
        is_sent = is_sent and status.get("observedGeneration") == stored.generation and not stored.deleting
        if is_sent and workload is not None and phase == "Completed" and self._is(stored, "Ready", "True"):
            is_same = stored.spec.manifest["spec"] in self._sent[workload_id]  # type: ignore[index]
            must(is_same, f"{stored.ref} shows Completed for what was never sent")

    def _loss_is_true(self, stored: Stored) -> None:
        """What is said to be lost was not ended by us."""
        workload_id = stored.status.get("workloadId")
        if self._reason(stored) != Reason.DELETED_EXTERNALLY or workload_id not in self._phases:
            return
        self.checked["truth of losses"] += 1
        phase = stored.status.get("phase")
        must(phase in (None, "Completed", "Failed"), f"{stored.ref} shows {phase}, and {workload_id} is gone")
        is_observed = stored.spec.management_policy is ManagementPolicy.OBSERVE
        is_ours = workload_id in self._deleted_by_us and not is_observed
        must(not is_ours, f"{stored.ref}: {workload_id} was deleted by us, not by others")
        world = self._world.runai.world
        workload = world.get(workload_id)
        must(
            workload is None or workload.deleted is not None,
            f"{stored.ref}: {workload_id} is called deleted, and lives",
        )
        if (
            workload is None
            or workload.deleted is None
            or world.switches.retention < 1000
            or not world.switches.deleted_list
        ):
            return
        must(
            not self._has_been(workload_id, "Completed"),
            f"{stored.ref}: {workload_id} had completed, and is called deleted",
        )

    def _token_is_true(self, stored: Stored) -> None:
        """A requested reading is acknowledged only when it was made."""
        token, workload_id = stored.token, stored.status.get("workloadId")
        is_done = token is not None and stored.status.get("lastHandledReconcileAt") == token
        if not is_done or workload_id is None or stored.deleting or workload_id in self._completed:
            return
        read_at = self._world.read_at.get(workload_id, 0.0)
        made_at = self._phases[workload_id][0][0] if self._phases.get(workload_id) else 0.0
        self.checked["truth of acknowledgements"] += 1
        must(
            max(read_at, made_at) >= float(token[1:]),
            f"{stored.ref} has acknowledged {token}, and {workload_id} was not read",
        )

    def _reason(self, stored: Stored, kind: str = "Ready") -> str:
        return str((condition(stored.status, kind) or {}).get("reason", ""))

    def _stalls_in_time(self, stored: Stored) -> None:
        """What is not delivered counts as stalled after ten minutes, whatever it waits for."""
        is_retried = (
            self._reason(stored) in WAITS
            and self._is(stored, "Reconciling", "True")
            and self._reason(stored, "Synced") == Reason.NOT_DELIVERED
        )
        state = (is_retried, stored.generation, self._world.process)
        waits = self._since_when(("retried", stored.ref.uid), state)
        if is_retried:
            self.checked["stalled in time"] += 1
            late = waits > STALLED_AFTER and self._is_calm(Side.KUBE, STALLED_AFTER)
            must(not late, f"{stored.ref} has been {self._reason(stored)} for {waits:.0f} s, and is not stalled")

    def _says_why_it_is_pending(self, stored: Stored) -> None:
        phases = self._phases.get(stored.status.get("workloadId", ""))
        is_pending = bool(phases) and phases[-1][1] == "Pending" and not stored.deleting  # type: ignore[index]
        is_pending = is_pending and self._reason(stored) == Reason.PENDING
        waits = self._since_when(("pending", stored.ref.uid), is_pending)
        if not is_pending or waits < PENDING_FOR or not self._is_calm(Side.KUBE, PENDING_FOR):
            return
        if self._works(PENDING_FOR, *READS, *LISTS):
            self.checked["why pending"] += 1
            must(
                stored.status.get("phaseMessage"),
                f"{stored.ref} has been pending for {waits:.0f} s, and does not say why",
            )

    def _is_sent_in_time(self, stored: Stored) -> None:
        """An edit is sent while what it needs works, and that is not the list of projects."""
        spec, workload_id = stored.spec, stored.status.get("workloadId")
        state = (stored.generation, workload_id, stored.paused, stored.deleting, stored.token)
        waits = self._since_when(("edited", stored.ref.uid), state)
        workload = self._world.runai.world.get(workload_id) if workload_id else None
        switches = self._world.runai.world.switches
        connected_for = self._since_when("connected", switches.cluster_connected)
        # A cluster that is away takes no change, and Run:ai none before the last one has arrived.
        is_busy = not switches.cluster_connected or connected_for < GRANTED
        if (
            workload is None
            or workload.deleted is not None
            or (is_busy and not switches.writes_while_busy)
            or stored.paused
            or stored.deleting
            or spec.manifest is None
        ):
            return
        if waits < SENT_IN or not self._is_calm(Side.KUBE, SENT_IN):
            return
        if not self._works(GRANTED, *WRITES, *READS, "rows", "find"):
            return
        if spec.management_policy is ManagementPolicy.OBSERVE or self._is(stored, "Stalled", "True"):
            return
        if self._has_been(workload_id, "Completed") or self._reason(stored) in (
            Reason.RECREATING,
            Reason.WAITING_TO_RECREATE,
        ):
            return
        self.checked["edits sent in time"] += 1
        is_sent = workload.manifest["spec"] == spec.manifest["spec"]
        must(
            is_sent, f"{stored.ref} was edited {waits:.0f} s ago, which was not sent: {self._reason(stored, 'Synced')}"
        )

    def _pods_are_true(self, stored: Stored) -> None:
        world, now = self._world.runai.world, self._world.now()
        workload = world.get(stored.status.get("workloadId", ""))
        if workload is None:
            return
        phases = {stored.status.get("phase"), workload.phase(now)[0]}
        there = v1_row(workload, now, world.switches)["runningPods"] if phases == {"Running"} else None
        is_wrong = there is not None and there != stored.status.get("runningPods") and not stored.deleting
        late = COUNTED_IN + world.switches.list_lag
        waits = self._since_when(("pods", stored.ref.uid), (is_wrong, self._world.process))
        if is_wrong and self._is_calm(Side.KUBE, late) and self._works(2 * late, *LISTS, *READS):
            self.checked["truth of counts"] += 1
            shown = stored.status.get("runningPods")
            must(waits < late, f"{stored.ref} has shown {shown} pods for {waits:.0f} s, and there are {there}")

    def _refusal_is_proof(self, stored: Stored) -> None:
        """Where Run:ai has refused every attempt, nothing is in doubt."""
        uid, attempts = stored.ref.uid, self._world.attempts.get(stored.ref.uid, [])
        is_refused = bool(attempts) and set(attempts) == {REJECTED}
        held = is_refused and FINALIZER in stored.finalizers and stored.status.get("submission") != NOT_SUBMITTED
        held = held and stored.status.get("workloadId") is None
        waits = self._since_when(("doubt", uid), (held, self._world.process))
        if is_refused:
            self.checked["proof of refusals"] += 1
            late = held and waits > DOUBT and self._is_calm(Side.KUBE, DOUBT) and self._works(DOUBT, *LISTS)
            must(not late, f"{stored.ref} was only ever refused, and has been in doubt for {waits:.0f} s")

    def _is_given_up_in_time(self, stored: Stored) -> None:
        world = self._world
        is_out = any(each.calls == "everything" and each.kind in OUTAGES for _, each in world.troubles)
        crd, most = world.kube.crd, world.setup.release_after
        is_held = stored.paused or world.setup.limited or (crd is not None and crd.deleting and not crd.confirmed)
        waits_for_it = stored.deleting and FINALIZER in stored.finalizers and is_out and not is_held
        waits = self._since_when(("given up", stored.ref.uid), (waits_for_it, world.process))
        if waits_for_it and most < STALLED_AFTER:
            self.checked["given up in time"] += 1
            late = waits > most + GIVES_UP and self._is_calm(Side.KUBE, GIVES_UP)
            must(not late, f"{stored.ref} has been deleted for {waits:.0f} s without Run:ai, and is not given up")

    def _is_tried_again_in_time(self, stored: Stored) -> None:
        """What was refused for its project, though the project is there by now."""
        is_refused = self._is(stored, "Stalled", "True") and self._reason(stored) == Reason.PROJECT_NOT_FOUND
        is_refused = is_refused and not stored.deleting and not stored.paused and not self._lacks_project(stored)
        waits = self._since_when(("tried again", stored.ref.uid), (is_refused, self._world.process))
        if is_refused and waits > LOOKED_AT_AGAIN:
            self.checked["tried again in time"] += 1
            is_possible = self._is_calm(Side.KUBE, LOOKED_AT_AGAIN) and self._works(LOOKED_AT_AGAIN, *LISTS)
            must(not is_possible, f"{stored.ref} is {self._reason(stored)}, and its project is there for {waits:.0f} s")

    def _lacks_project(self, stored: Stored) -> bool:
        spec, world = stored.spec, self._world.runai.world
        return not any(spec.project_id == p.id or spec.project_name == p.name for p in world.visible_projects())

    def _freed_name_is_used_in_time(self, stored: Stored) -> None:
        """What waits for a name is submitted once the lists show that its holder is deleted."""
        uid, world = stored.ref.uid, self._world.runai.world
        waits_for_it = self._reason(stored) == Reason.NAME_TAKEN and not stored.deleting and not stored.paused
        if waits_for_it and (holder := self._holder(stored)) is not None:
            self._holders[uid] = holder.id
        is_told = world.switches.deleted_list and world.get(self._holders.get(uid, "")) is not None
        is_free = waits_for_it and is_told and not self._is_name_held(stored)
        waits, bound = self._since_when(("freed", uid), (is_free, self._world.process)), FREED + world.switches.list_lag
        if is_free and waits > bound:
            self.checked["freed names used in time"] += 1
            is_possible = self._is_calm(Side.KUBE, bound) and self._works(bound, *LISTS, *READS, *WRITES)
            must(not is_possible, f"{stored.ref} waits for a name that has been free for {waits:.0f} s")

    def _source_of(self, stored: Stored) -> str | None:
        """What its source holds, if that is there and can be read."""
        source, kube = stored.spec.manifest_from, self._world.kube
        if source is None or source.name in kube.broken_sources or source.name not in kube.sources:
            return None
        return kube.sources[source.name].text

    def _source_is_sent_in_time(self, stored: Stored) -> None:
        """A source that changes, or comes late, is noticed, whatever becomes of other sources."""
        text, bound = self._source_of(stored), SOURCE_READ_IN + SENT_IN
        workload_id = stored.status.get("workloadId")
        state = (text, stored.generation, stored.paused, stored.deleting, workload_id, self._world.process)
        waits = self._since_when(("source", stored.ref.uid), state)
        if text is None or stored.paused or stored.deleting or waits < bound or not self._is_calm(Side.KUBE, bound):
            return
        if not self._works(GRANTED, *WRITES, *READS, *LISTS):
            return
        self.checked["sources sent in time"] += 1
        synced = self._reason(stored, "Synced")
        unread = (Reason.SOURCE_NOT_FOUND, Reason.SOURCE_INVALID, Reason.SOURCE_FORBIDDEN)
        must(synced not in unread, f"{stored.ref} has had a source for {waits:.0f} s, and is {synced}")
        workload = self._world.runai.world.get(workload_id or "")
        if workload is None or workload.deleted is not None or self._has_been(workload.id, "Completed"):
            return
        is_sent = self._is(stored, "Stalled", "True") or _holds(workload, text)
        must(is_sent, f"{stored.ref}: its source changed {waits:.0f} s ago, which was not sent: {synced}")

    def _goes_on_without_its_source(self, stored: Stored) -> None:
        """What runs as its source last said keeps its Ready when that goes."""
        source = stored.spec.manifest_from
        kube = self._world.kube
        is_there = source is not None and source.name in kube.sources
        can_be_read = source is not None and source.name not in kube.broken_sources
        state = (source, is_there, can_be_read, stored.paused, self._world.process)
        waits, bound = self._since_when(("sourceless", stored.ref.uid), state), SOURCE_READ_IN + SENT_IN
        workload = self._world.runai.world.get(stored.status.get("workloadId", ""))
        if source is None or workload is None or workload.deleted is not None or stored.deleting:
            return
        last = self._source_texts.get(source.name)
        if last is None or not _holds(workload, last) or is_there:
            return
        self.checked["work without its source"] += 1
        is_stopped = self._reason(stored) == Reason.SOURCE_NOT_FOUND
        must(not is_stopped or stored.generation > 1, f"{stored.ref} runs as asked, and is {self._reason(stored)}")
        is_calm = can_be_read and self._is_calm(Side.KUBE, bound)
        if waits > bound and is_calm and not self._has_been(workload.id, "Completed"):
            is_silent = self._is(stored, "Synced", "True")
            must(not is_silent, f"{stored.ref} has had no source for {waits:.0f} s, and is Synced")

    def _quotes_no_secret(self, stored: Stored) -> None:
        """Neither status nor events say what is in a Secret, nor what follows from it alone."""
        source = stored.spec.manifest_from
        if source is None or source.kind != "Secret":
            return
        self.checked["secrets"] += 1
        must(SECRET not in str(stored.status), f"{stored.ref} quotes a Secret: {stored.status}")
        said = [event for meta, event, _ in self._world.kube.events if meta.ref.uid == stored.ref.uid]
        must(SECRET not in str(said), f"an event of {stored.ref} quotes a Secret")
        made = stored.status.get("submittedHash")
        must(made is None or made[0] == "." or is_keyed(made), f"{stored.ref} has a hash that anybody can make: {made}")

    def _is_served(self, stored: Stored) -> None:
        """While much is asked for elsewhere, what others ask for is looked at soon."""
        world = self._world
        is_due = stored.status.get("observedGeneration") != stored.generation and not stored.ref.name.startswith(
            "many-"
        )
        waits = self._since_when(("turn", stored.ref.uid), (is_due, stored.generation, world.process))
        bound = TURN_IN
        if any(each.kind is Kind.SLOW for _, each in world.troubles):
            bound = SLOW_TURN_IN
            is_due = is_due and world.read_at.get(stored.status.get("workloadId", ""), 0.0) < world.now() - waits
        if world.now() < world.flooded_until and self._is_calm(Side.KUBE, TURN_IN):
            self.checked["turns"] += 1
            must(not is_due or waits < bound, f"{stored.ref} has been waiting for {waits:.0f} s")

    def _slow_is_not_away(self) -> None:
        """A Run:ai that answers slowly is not called unreachable."""
        world, process = self._world, self._world.process
        is_slow = bool(world.troubles) and all(each.kind is Kind.SLOW for _, each in world.troubles)
        if is_slow and process is not None and process.is_alive:
            self.checked["slow is not away"] += 1
            gates = [upstream.gate for upstream in process.engine.upstreams]
            held = [error for gate in gates for kind in CallClass if (error := gate.error(kind)) is not None]
            must(not held, f"Run:ai is slow, and {held}")

    def _replacement_is_missing(self, stored: Stored) -> None:
        """An id that was adopted once is not looked for any more when its workload has been replaced."""
        named, reason = stored.spec.workload_id, self._reason(stored)
        self.checked["truth of adoptions"] += named is not None
        is_spent = named is not None and stored.status.get("adoptedId") == named
        must(
            not (is_spent and reason == Reason.WORKLOAD_NOT_FOUND),
            f"{stored.ref} looks for {named}, which was to be replaced",
        )

    def _gone_owners_do_not_hinder(self, stored: Stored) -> None:
        """What is refused as another's is, when that is said, another's that exists, or did a moment ago."""
        is_refused = self._reason(stored) == Reason.MANAGED_BY_OTHER and self._is(stored, "Stalled", "True")
        is_refused = is_refused and stored.status.get("observedGeneration") == stored.generation
        said = self._since_when(("another's", stored.ref.uid), (is_refused, stored.generation))
        if not is_refused or said > 0 or not self._reads_marks():
            return
        self.checked["truth of owners"] += 1
        holds = self._is_anothers(stored) or self._was_lately_anothers(stored) or self._has_successor(stored)
        must(holds, f"{stored.ref} is refused what bears the mark of an object that is gone")

    def _was_lately_anothers(self, stored: Stored) -> bool:
        """An object that went a moment ago, or one that is about to adopt the same."""
        named = stored.spec.workload_id or stored.status.get("workloadId")
        return any(
            each.ref.uid != stored.ref.uid and named in (each.spec.workload_id, each.status.get("workloadId"))
            for each in self._everything()
        )

    def _has_successor(self, stored: Stored) -> bool:
        """The object that bears the name of the one that is gone, and takes its work over."""
        workload = self._world.runai.world.get(stored.spec.workload_id or stored.status.get("workloadId", ""))
        mark = mark_of(workload) if workload is not None else None
        return mark is not None and (mark.namespace, mark.name) in self._world.kube.objects

    def _is_only_checked(self, stored: Stored) -> None:
        """What was never to be submitted has no finalizer, and nothing in Run:ai."""
        if "managed" in self._was[stored.ref.uid]:
            return
        self.checked["only checked"] += 1
        must(FINALIZER not in stored.finalizers, f"{stored.ref} is only to be checked, and has a finalizer")
        must("workloadId" not in stored.status, f"{stored.ref} is only to be checked, and has a workload")
        must(not self._made_for(stored), f"{stored.ref} is only to be checked, and {self._made_for(stored)} was made")

    def _made_for(self, stored: Stored) -> list[str]:
        """Ids of what stands for it, but what dry runs made."""
        of_its = [w.id for w in self._standing() if (mark := mark_of(w)) and mark.uid == stored.ref.uid]
        return [each for each in of_its if each not in self._world.runai.unasked]

    def _verdict_is_true(self, stored: Stored) -> None:
        """Valid, or refused, is what Run:ai said of just this."""
        spec, uid = stored.spec, stored.ref.uid
        is_seen = stored.status.get("observedGeneration") == stored.generation and not stored.deleting
        is_asked_for = spec.management_policy is ManagementPolicy.DRY_RUN and spec.manifest is not None
        if not is_asked_for or spec.workload_id is not None or not is_seen:  # what is to be adopted has no dry run
            return
        content = (spec.manifest["spec"], spec.category, spec.name or stored.ref.name)
        told = [(at, is_accepted) for at, of, is_accepted in self._verdicts_on(uid) if of == content]
        if self._reason(stored) == Reason.VALID:
            self.checked["truth of verdicts"] += 1
            must(any(is_accepted for _, is_accepted in told), f"{stored.ref} is Valid, which Run:ai never said")
            is_late = self._world.now() - told[-1][0] > VERDICT_IN and self._is_calm(Side.KUBE, VERDICT_IN)
            is_late = is_late and self._works(2 * VERDICT_IN, "dry_run") and not stored.paused
            must(told[-1][1] or not is_late, f"{stored.ref} is Valid, and Run:ai has refused it since")
            is_asked = stored.token is not None and stored.status.get("lastHandledReconcileAt") == stored.token
            must(
                not is_asked or told[-1][0] >= float(str(stored.token)[1:]) or stored.paused,
                f"{stored.ref} has acknowledged {stored.token}, and Run:ai was not asked",
            )
            left = self._made_for(stored)
            must(not left, f"{stored.ref} is called only checked, and {left} stands")
        elif self._reason(stored) in VERDICTS and self._is(stored, "Stalled", "True"):
            if "managed" in self._was[uid]:
                return  # it may be refused since it was submitted
            self.checked["truth of verdicts"] += 1
            must(not all(is_accepted for _, is_accepted in told), f"{stored.ref} is refused, which Run:ai never did")

    def _verdicts_on(self, uid: str) -> list[tuple[float, object, bool]]:
        """When Run:ai said what of which content; also while it rejects whatever comes."""
        rejected = [
            (at, content_of(submission), False)
            for at, submission in self._world.rejected_dry_runs
            if (mark := read_mark(submission.manifest)) is not None and mark.uid == uid
        ]
        return sorted([*self._verdicts.get(uid, ()), *rejected], key=lambda verdict: verdict[0])

    def _dry_runs_are_found_in_time(self, stored: Stored) -> None:
        """Where no dry run is sent, there is none, or it cannot be found out."""
        is_said = self._reason(stored) == Reason.DRY_RUN_UNSUPPORTED and not stored.deleting and not stored.paused
        is_wrong = is_said and not self._lacks_dry_runs(stored)
        waits = self._since_when(("no dry runs", stored.ref.uid), (is_wrong, stored.generation, self._world.process))
        if is_said:
            self.checked["truth about dry runs"] += 1
            is_possible = self._is_calm(Side.KUBE, LOOKED_AT_AGAIN) and self._works(LOOKED_AT_AGAIN, *WRITES, *LISTS)
            late = is_wrong and waits > LOOKED_AT_AGAIN and is_possible
            must(not late, f"{stored.ref} has said for {waits:.0f} s that there are no dry runs, and there are")

    def _lacks_dry_runs(self, stored: Stored) -> bool:
        """The flag was ignored since the process started, or the probe is in somebody's way."""
        world, process, project = self._world, self._world.process, stored.spec.project_id
        name = probe_name(world.setup.install, str(project))
        held = any(w.name == name and not w.is_gone(world.now() - LOOKED_EVERY) for w in world.runai.world)
        began = process.started_at if process is not None else 0.0
        return self._ignored_at >= began or held

    def _probes_are_removed(self) -> None:
        """What a Run:ai that ignores the flag has made of a probe does not stay, whoever was killed over it."""
        world = self._world
        if not world.runai.world.switches.dry_run:
            self._ignored_at = world.now()
        bound = PROBES_GONE_IN + world.runai.world.switches.list_lag
        for workload in self._standing():
            mark = mark_of(workload)
            if not is_probe(mark):
                continue
            state = (world.process, world.setup.install, world.runai.world.switches.cluster_connected)
            waits = self._since_when(("probe", workload.id), state)
            self.checked["probes removed"] += 1
            is_possible = mark.install == world.setup.install and self._reads_marks()
            if waits > bound and is_possible and self._works(bound, *WRITES, *READS, *LISTS):
                must(False, f"{workload.name}, which a dry run made, has been there for {waits:.0f} s")

    def _is_leftover(self, workload: Workload) -> bool:
        """A dry run made it, and it is not the workload of an object, or is not yet."""
        if workload.id not in self._world.runai.unasked:
            return False
        return all(
            stored.status.get("workloadId") != workload.id
            for stored in self._everything()
            if stored.spec.management_policy is not ManagementPolicy.OBSERVE
        )

    def _leftovers_are_removed(self) -> None:
        """By the process that sent the dry run, as soon as its object cannot submit it any more."""
        process = self._world.process
        for workload in self._standing():
            mark = mark_of(workload)
            if is_probe(mark) or not self._is_leftover(workload):
                continue
            owner, began = self._object(mark.uid), process.started_at if process is not None else math.inf
            may_submit = owner is not None and "workloadId" not in owner.status and self._is_managed(owner)
            state = (self._world.process, may_submit, owner is None)
            bound = PROBES_GONE_IN + self._world.runai.world.switches.list_lag
            waits = self._since_when(("leftover", workload.id), state)
            self.checked["leftovers removed"] += 1
            is_known = self._world.runai.unasked[workload.id] > began and self._reads_marks() and not may_submit
            if waits > bound and is_known and self._works(bound, *WRITES, *READS, *LISTS):
                must(False, f"{workload.name}, which a dry run made, has been there for {waits:.0f} s")

    def _is_managed(self, stored: Stored) -> bool:
        return stored.spec.management_policy is ManagementPolicy.MANAGE

    def _nobody_shares(self) -> None:
        """One workload is not the work of two."""
        held = Counter(
            stored.status["workloadId"]
            for stored in self._world.kube.objects.values()
            if stored.status.get("workloadId")
            and stored.status.get("submittedHash")
            and stored.spec.management_policy is not ManagementPolicy.OBSERVE
            and stored.status.get("ownerUid") == stored.ref.uid
            and not self._is(stored, "Stalled", "True")
        )
        self.checked["no sharing"] += 1
        shared = [workload_id for workload_id, count in held.items() if count > 1]
        must(not shared, f"{shared} is the work of two objects")

    def _lists_are_reported(self) -> None:
        """Metrics say whether the lists can be read."""
        failing = any(
            trouble.side is Side.RUNAI and trouble.is_error and trouble.meets("rows")
            for _, trouble in self._world.troubles
        )
        process = self._world.process
        lasts = self._since_when("lists", (failing, process))
        if process is None or lasts < (90.0 if failing else 150.0) or not (failing or self._is_calm(Side.RUNAI, 150.0)):
            return
        is_long = self._world.setup.rows_a_page == 1 and len(self._world.runai.live()) > MOST_DELTA_PAGES // 2
        told = process.observer.last.get("lists")
        if told is not None and not is_long:  # of more that changes at one moment than a delta reads
            self.checked["lists reported"] += 1
            must(told == (DEFAULT_CONNECTION, not failing), f"the lists are reported as {told[1]}, which they are not")

    def _leaves_nothing(self, stored: Stored) -> None:
        """What goes without ever having asked us had nothing in Run:ai, but for what a dry run made, which goes by itself."""
        uid, kube = stored.ref.uid, self._world.kube
        is_asked = FINALIZER in stored.finalizers or any(gone.ref.uid == uid for gone in kube.released)
        if is_asked or uid in self._world.by_hand or stored.spec.management_policy is ManagementPolicy.OBSERVE:
            return
        asked_for = [w for w in self._world.runai.live() if w.id not in self._world.runai.unasked]
        left = [w.id for w in asked_for if (mark := mark_of(w)) and mark.uid == uid]
        self.checked["gone without us"] += 1
        must(not left or uid in kube.orphans, f"{stored.ref} goes without our finalizer, and leaves {left} behind")

    def _vanishes(self, stored: Stored) -> None:
        self._remember_object(stored)
        try:
            self._leaves_nothing(stored)
        except Broken as broken:
            self.note(broken)
        process, uid = self._world.process, stored.ref.uid
        entry = process.engine.inventory.get(uid) if process is not None and process.is_alive else None
        is_taken = FINALIZER in stored.finalizers or uid in self._world.by_hand
        if process is not None and entry is not None and entry.meta.has_finalizer and is_taken:
            self._taken.append((uid, process))

    def _is(self, stored: Stored, kind: str, value: str) -> bool:
        return bool((condition(stored.status, kind) or {}).get("status") == value)

    def _status_is_true(self) -> None:
        """What is shown was so a moment ago, or status says that it is not known."""
        world, now = self._world, self._world.now()
        slack = STALE_AFTER + world.runai.world.switches.list_lag + 2 * DELTA_INTERVAL
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
            window, edited = slack, self._world.runai.world.get(workload_id)
            if (
                edited is not None
                and now - edited.updated < slack + EDITED
                and history[-1][1] in ("Completed", "Failed")
            ):
                continue  # it may run again
            if self._only_sweeps_show(workload_id):
                window += SWEEP
                if now - world.spoiled_at.get("rows", 0.0) < window:
                    continue  # there may have been no sweep
            lately = [entry for entry, after in itertools.pairwise([*history, (now, "")]) if after[0] > now - window]
            must(
                phase in {word for _, word in lately},
                f"{stored.ref} shows {phase}, and {workload_id} was {[word for _, word in lately]} for {window:.0f} s",
            )

    def _only_sweeps_show(self, workload_id: str) -> bool:
        """What becomes of a project that is hidden, or of what is deleted where no list says so, no change shows."""
        world = self._world.runai.world
        workload = world.get(workload_id)
        if workload is None or not world.switches.deleted_list or world.switches.retention < 1000:
            return True
        last = max(self._world.hidden_at, self._world.forgot_at)
        return workload.project.id in world.hidden or self._world.now() - last < SWEEP

    def _economy(self) -> None:
        now = asyncio.get_running_loop().time()
        more = max(0, len(self._world.kube.objects) - 5)
        lookups, ends = (sum(at > now - 60.0 for at in times) for times in (self._world.lookups, self._world.ends))
        # What was deleted is only taken for gone on an answer of its own.
        starts = sum(at > now - 60.0 for at in self._world.starts)
        operators = self._operators(60.0)
        must(
            lookups <= MOST_LOOKUPS * operators + ends + LOOKUPS_A_START * starts,
            f"projects were looked for {lookups} times within a minute",
        )
        self._more = [(at, each) for at, each in self._more if at > now - 600.0 - LOOKED_EVERY] + [(now, more)]
        for (side, within), most in MOST_CALLS.items():
            # A check may have been a few seconds before, and much may have gone since.
            each_more = EACH_MORE[within] * max(each for at, each in self._more if at > now - within - LOOKED_EVERY)
            calls = self._world.calls[side]
            made = len(calls) - bisect_left(calls, now - within)
            self.most[f"{side} calls within {within:.0f} s"] = max(
                self.most[f"{side} calls within {within:.0f} s"], made
            )
            operators = self._operators(within)
            pages = 2 if side is Side.RUNAI and self._world.setup.rows_a_page == 1 else 1
            starts = sum(at > now - within for at in self._world.starts)
            allowed = (most + each_more + EACH_START[side] * starts) * operators * pages
            must(made <= allowed, f"{made} calls of {side} within {within:.0f} s")

    def _operators(self, within: float) -> int:
        """How many processes have been at work at the same time."""
        return 2 if self._world.now() - self._world.doubled_until < within else 1

    # --- at the end, long after everything was healed

    def is_news(self) -> bool:
        """Something has begun a moment ago, such as the probe of what was refused."""
        since = datetime.fromtimestamp(self._world.now() - NEWS_FOR, UTC).isoformat()
        begun = (condition(stored.status, "Reconciling") for stored in self._world.kube.objects.values())
        return any(each["lastTransitionTime"] > since for each in begun if each is not None)

    def all_is_paid(self) -> None:
        """What is owed is delivered, and nothing waits for what is not there any more."""
        self.remember()
        for stored in self._world.kube.objects.values():
            self._is_settled(stored)
            self._shows_what_it_made(stored)
        self._what_was_taken_is_recorded()
        process = self._world.process
        assert process is not None
        known, there = len(process.engine.inventory), len(self._world.kube.objects)
        must(known == there, f"{known} objects are remembered, {there} exist")
        left = [w.name for w in self._standing() if is_probe(mark_of(w))]
        must(not left or not self._reads_marks(), f"{left} stays, which a dry run made")
        waiting = sum(upstream.deletions.waiting() for upstream in process.engine.upstreams)
        must(not waiting, f"{waiting} deletions are rate-limited, and nothing is to be deleted")

    def anything_is_refused(self) -> bool:
        return any(self._is(stored, "Stalled", "True") for stored in self._world.kube.objects.values())

    def all_is_settled(self) -> None:
        """What is refused is refused for a reason that still stands."""
        self.all_is_paid()
        for stored in self._world.kube.objects.values():
            if self._is(stored, "Stalled", "True"):
                self._is_refused_with_reason(stored)

    def _shows_what_it_made(self, stored: Stored) -> None:
        """Once it only observes, and its finalizer is gone."""
        is_free = FINALIZER not in stored.finalizers and stored.ref.uid not in self._world.by_hand
        if is_free and stored.spec.management_policy is ManagementPolicy.OBSERVE:
            self.checked["observed from now on"] += 1
            shown = (stored.status.get("workloadId"), stored.spec.workload_id)
            unseen = [each for each in self._made_for(stored) if each not in shown]
            must(not unseen, f"{stored.ref} only observes, and does not show {unseen}, which is its own")

    def _what_was_taken_is_recorded(self) -> None:
        """Where somebody else took the finalizer, and the process that saw it still runs."""
        for uid, process in self._taken:
            left = [w for w in self._standing() if (mark := mark_of(w)) and mark.uid == uid]
            stored = self._world.kube.gone[uid]
            if process is not self._world.process or not left or stored.spec.deletion_policy is DeletionPolicy.ORPHAN:
                continue
            self.checked["taken finalizers"] += 1
            must(uid in self._world.kube.orphans, f"{stored.ref} vanished, and {left[0].id} stays behind unrecorded")

    def _is_settled(self, stored: Stored) -> None:
        status, where = stored.status, str(stored.ref)
        ready = condition(status, "Ready") or {}
        self.checked["settled"] += 1
        self.checked[f"settled: {ready.get('reason')}"] += 1
        told = f"{ready.get('reason')}: {ready.get('message')}"
        if stored.deleting and ("cannot be read" in told or "by something that Run:ai does not show" in told):
            return  # it says what to do, and nobody here does it
        must(not stored.deleting, f"{where} is stuck in its deletion: {told}")
        must(status.get("observedGeneration") == stored.generation, f"{where} was not looked at: {told}")
        if stored.token is not None and self._reads_marks():
            must(status.get("lastHandledReconcileAt") == stored.token, f"{where} was not looked at as asked: {told}")
        knows = not self._is(stored, "Synced", "Unknown") or not self._world.runai.world.switches.sync_info
        must(knows, f"{where} does not know: {condition(status, 'Synced')}")
        if self._is(stored, "Stalled", "True"):
            if self._reads_marks():
                must(ready.get("reason") not in WAITS, f"{where} is still {told}")
                must(self._holds_name(stored), f"{where} waits for a name that is free: {told}")
            return
        if stored.spec.management_policy is ManagementPolicy.DRY_RUN:
            must(ready.get("reason") == Reason.VALID, f"{where} has no verdict: {told}")
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
            must(_holds(ours[0], source.text), f"{where}: its source was never sent: {told}")

    def _reads_marks(self) -> bool:
        """Whether this Run:ai shows whose a workload is."""
        switches = self._world.runai.world.switches
        return switches.raw_manifest_echo and switches.raw_annotations and switches.ids_equal

    def _holds_name(self, stored: Stored) -> bool:
        """Something else holds the name that the object waits for, if it waits for one."""
        return self._reason(stored) != Reason.NAME_TAKEN or self._is_name_held(stored)

    def _is_name_held(self, stored: Stored) -> bool:
        return self._holder(stored) is not None

    def _holder(self, stored: Stored) -> Workload | None:
        name, now = stored.spec.name or stored.ref.name, self._world.now()
        held = (
            w
            for w in self._world.runai.world
            if w.name == name and not w.is_gone(now) and ((mark := mark_of(w)) is None or mark.uid != stored.ref.uid)
        )
        return next(held, None)

    def _is_refused_with_reason(self, stored: Stored) -> None:
        reason, where = self._reason(stored), f"{stored.ref} is stalled: {self._reason(stored)}"
        stands = self._obstacles().get(reason)
        if stands is None or not self._reads_marks():
            return
        self.checked["refused with reason"] += 1
        must(stands(stored), f"{where}, and nothing stands in its way")

    def _obstacles(self) -> dict[str, Callable[[Stored], bool]]:
        return {
            Reason.NAME_TAKEN: self._holds_name,
            Reason.MANAGED_BY_OTHER: self._is_anothers,
            Reason.WORKLOAD_NOT_FOUND: self._names_nothing,
            Reason.SOURCE_NOT_FOUND: self._lacks_source,
            Reason.SOURCE_INVALID: lambda stored: False,
            Reason.SOURCE_FORBIDDEN: lambda stored: False,
            Reason.PROJECT_NOT_FOUND: self._lacks_project,
            Reason.PROJECT_NOT_ALLOWED: lambda stored: False,
            Reason.INSTALL_CHANGED: lambda stored: False,
            Reason.DRY_RUN_UNSUPPORTED: self._lacks_dry_runs,
            Reason.FAILED: lambda stored: self._has_been(stored.status.get("workloadId", ""), "Failed"),
        }

    def _is_anothers(self, stored: Stored) -> bool:
        """Somebody who still exists has the workload that it names or had."""
        workload = self._world.runai.world.get(stored.spec.workload_id or stored.status.get("workloadId", ""))
        mark = mark_of(workload) if workload is not None else None
        others = [each for each in self._world.kube.objects.values() if each is not stored]
        has_it = workload is not None and any(each.status.get("workloadId") == workload.id for each in others)
        is_theirs = mark is not None and (
            mark.install not in self._world.installs or self._object(mark.uid) not in (None, stored)
        )
        return has_it or is_theirs or is_probe(mark) or self._is_name_held(stored)

    def _names_nothing(self, stored: Stored) -> bool:
        """It names a workload that is gone, and not because we deleted it to replace it."""
        named = stored.spec.workload_id
        workload = self._world.runai.world.get(named) if named is not None else None
        is_gone = workload is None or workload.deleted is not None
        return named is not None and is_gone and stored.status.get("adoptedId") != named

    def _lacks_source(self, stored: Stored) -> bool:
        source = stored.spec.manifest_from
        if source is None or source.name in self._world.kube.sources:
            return False
        # What an interrupted attempt made is not known before the source is back, or the object goes.
        is_unknown = stored.status.get("workloadId") is None
        return is_unknown or not any((mark := mark_of(w)) and mark.uid == stored.ref.uid for w in self._standing())

    async def rests(self, seconds: float) -> None:
        """Nothing changes, so nothing is written, and few calls are made."""
        world, loop = self._world, asyncio.get_running_loop()
        written, sent = world.kube.writes, len(world.runai.writes)
        probed = sum(self._is(stored, "Stalled", "True") for stored in world.kube.objects.values())
        tasks, ends, made = len(asyncio.all_tasks()), loop.time() + seconds, 0
        while loop.time() < ends:
            await self.after(50)
            made = max(made, sum(call > loop.time() - 60 for call in world.calls[Side.RUNAI]))
        self.checked["rest"] += 1
        since = world.now() - seconds - STALE_AFTER
        is_quiet = not any(step[0] > since for steps in self._phases.values() for step in steps[-1:])
        must(world.kube.writes == written or probed or not is_quiet, f"{world.kube.writes - written} writes at rest")
        must(len(world.runai.writes) == sent or probed, f"{world.runai.writes[sent:]} at rest")
        must(made <= CALLS_AT_REST + 5 * probed, f"{made} calls of Run:ai a minute at rest")
        must(len(asyncio.all_tasks()) <= tasks + 2, f"{len(asyncio.all_tasks()) - tasks} more tasks after a rest")
