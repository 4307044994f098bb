"""A state machine over the real reconciler: people, faults and time act at random; the promises must hold at every step.

`drive` runs a pass by hand, one call of a port at a time, so that a crash can come anywhere and two processes can take turns.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fakes.chance import Chance, Crash, Mishap
from fakes.direct import DirectUpstream
from fakes.kube import AdmissionRefused, FakeKube, Stored
from fakes.observer import SilentObserver
from fakes.runai import FakeRunai, mark_of
from runai_operator.domain.actions import Verdict
from runai_operator.domain.conditions import condition
from runai_operator.domain.errors import BridgeError
from runai_operator.domain.manifest import with_mark
from runai_operator.domain.memory import Requests
from runai_operator.domain.model import (
    DEFAULT_CONNECTION,
    FINALIZER,
    CRDState,
    DeletionPolicy,
    ExternalDeletionPolicy,
    OwnerMark,
    RecreatePolicy,
    RerunPolicy,
    Spec,
    Submission,
)
from runai_operator.domain.reasons import Reason
from runai_operator.domain.requeue import Limits
from runai_operator.engine.crd_guard import CRDGuard
from runai_operator.engine.inventory import Inventory
from runai_operator.engine.ports import EngineSettings
from runai_operator.engine.reconcile import Reconciler
from runai_operator.engine.upstream import Upstreams
from runai_simulator.rules import Refused
from runai_simulator.switches import Switches

GRACE = 60.0
LAG = 20.0
RELEASE_AFTER = 250.0
DELETE_RATE = 2
NAMES = ("a", "b")
STRANGER = OwnerMark("install-9", "ns", "a", "a-strangers-uid")
WORLD = Switches(list_lag=LAG, sync_time=2, phase_time=2, run_time=30, delete_time=15)


class Replica:
    """One run of the operator: its memory is lost when it crashes."""

    def __init__(self, world: BridgeModel, install: str) -> None:
        self.install, self._world = install, world
        self.chance = Chance()
        self.inventory = Inventory(lambda: 0.0)
        kube = world.kube.client(self.chance)
        self.upstream = DirectUpstream(world.runai.client(self.chance), world.clock, delete_rate=DELETE_RATE)
        self.reconciler = Reconciler(
            kube=kube,
            upstreams=Upstreams({DEFAULT_CONNECTION: self.upstream}, lambda workload: DEFAULT_CONNECTION),
            guarded=contextlib.nullcontext,
            read_crd=CRDGuard(
                kube.read_crd, lambda uid, delay: None, clock=world.clock, random=random.Random(0)
            ).seen_since,
            observer=SilentObserver(),
            record=lambda about, event: None,
            claim=self.inventory.claim,
            settings=EngineSettings(
                install=install, limits=Limits(grace=GRACE, stalled_after=60, release_after=RELEASE_AFTER)
            ),
            clock=world.clock,
            now=lambda: datetime.fromtimestamp(world.now, UTC),
            random=random.Random(0),
        )

    async def one_pass(self, stored: Stored, *, read: bool = True) -> None:
        entry = self.inventory.get(stored.ref.uid) or self.inventory.add(stored.meta())
        rows = self._world.rows()
        for row in rows:
            self.inventory.see(DEFAULT_CONNECTION, row)
        missing = self.inventory.missing_from(DEFAULT_CONNECTION, {row.id for row in rows})
        self.upstream.witness.swept([str(each.summary.workload_id) for each in missing], vanished=[])
        entry = self.inventory.request(entry.uid, Requests(read=read)) or entry
        taken = self.inventory.begin(entry)
        result = await self.reconciler.reconcile(entry.meta, entry.memory, taken, entry.sighting, entry.summary)
        assert result.verdict is not Verdict.BUG
        self.inventory.finish(entry.uid, result, taken)


def drive(*passes: Coroutine[Any, Any, Any], order: Any = None) -> list[BaseException | None]:
    """Runs the passes to their ends, taking turns as `order()` says; how each ended."""
    ended: list[BaseException | None] = [None] * len(passes)
    running = list(range(len(passes)))
    while running:
        which = running[order() % len(running)] if order and len(running) > 1 else running[0]
        try:
            passes[which].send(None)
        except StopIteration:
            running.remove(which)
        except (BridgeError, Crash) as error:
            ended[which] = error
            running.remove(which)
    return ended


class BridgeModel(RuleBasedStateMachine):
    """The world, and the promises."""

    switches = WORLD

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_800_000_000.0
        self.kube = FakeKube(lambda: self.now)
        self.runai = FakeRunai(lambda: self.now, self.switches)
        self.runai.allow = self.check_write
        self.replica = Replica(self, "install-1")
        self.other = Replica(self, "install-1")
        """A second leader that does not know it is none any more."""
        self.lost: set[str] = set()
        """UIDs of objects that vanished without us."""
        self.completed: set[str] = set()
        self.outage_began: float | None = None
        self.hidden_since: float | None = None
        """Since when the service account may see no project."""
        self.fallen: set[str] = set()
        """UIDs of objects that the CustomResourceDefinition took along."""
        self.replaced: set[str] = set()
        """UIDs of objects whose finalizer somebody took away."""

    def clock(self) -> float:
        return self.now

    def rows(self) -> Any:
        """What the poller would have brought by now."""
        return drive_value(self.runai.client(Chance()).rows(_everything())).rows

    # --- people

    @initialize(live=st.booleans(), restored=st.booleans(), stranger=st.booleans())
    def begin(self, live: bool, restored: bool, stranger: bool) -> None:
        """The world is not always empty: there may be a workload of ours already, its object restored without status;
        and another install's under the name that ours would like to share."""
        if stranger:
            marked = with_mark(a_spec().manifest or {}, name="shared", mark=STRANGER)
            self.runai.world.create({"name": "shared", "projectId": "1"}, marked, self.now)
        if live:
            stored = self.kube.create("ns", "a", a_spec())
            drive(self.replica.one_pass(stored))
            if restored:
                self.kube.lose(stored)
                self.lost.add(stored.ref.uid)
                self.kube.create("ns", "a", stored.spec)
                self.replica = Replica(self, "install-1")

    @rule(
        name=st.sampled_from(NAMES),
        kind=st.sampled_from(["Job", "Deployment"]),
        text=st.integers(0, 3),
        project=st.sampled_from(["1", "2"]),
        own=st.sampled_from([None, "shared"]),
    )
    def apply(self, name: str, kind: str, text: int, project: str, own: str | None) -> None:
        stored = self.kube.objects.get(("ns", name))
        if stored is None:
            self.kube.create("ns", name, replace(a_spec(kind=kind, text=text, project=project), name=own))
        elif not stored.deleting:
            manifest = a_spec(kind=stored.spec.manifest["kind"], text=text).manifest if stored.spec.manifest else None
            self.kube.edit(stored, replace(stored.spec, manifest=manifest))

    @rule(name=st.sampled_from(NAMES), project=st.sampled_from(["1", "2"]), own=st.sampled_from([None, "shared"]))
    def change_identity(self, name: str, project: str, own: str | None) -> None:
        if (stored := self.kube.objects.get(("ns", name))) is not None:
            try:
                self.kube.edit(stored, replace(stored.spec, project_id=project, name=own))
            except AdmissionRefused:
                note("frozen")

    @rule(
        name=st.sampled_from(NAMES),
        deletion=st.sampled_from(DeletionPolicy),
        recreate=st.sampled_from(RecreatePolicy),
        rerun=st.sampled_from(RerunPolicy),
        outside=st.sampled_from(ExternalDeletionPolicy),
    )
    def change_policies(self, name: str, deletion: Any, recreate: Any, rerun: Any, outside: Any) -> None:
        if (stored := self.kube.objects.get(("ns", name))) is not None:
            spec = replace(
                stored.spec,
                deletion_policy=deletion,
                recreate_policy=recreate,
                rerun_policy=rerun,
                external_deletion_policy=outside,
            )
            self.kube.edit(stored, spec)

    @rule(name=st.sampled_from(NAMES))
    def delete(self, name: str) -> None:
        if (stored := self.kube.objects.get(("ns", name))) is not None:
            if not stored.finalizers:
                self.check_nothing_left(stored)
                self.lost.add(stored.ref.uid)
            self.kube.delete(stored)

    @rule(name=st.sampled_from(NAMES))
    def replace_object(self, name: str) -> None:
        """Only what an operator has seen to its end: a replace in doubt takes the intent away, and with it the promise."""
        stored = self.kube.objects.get(("ns", name))
        if stored is not None and stored.status.get("workloadId") and not stored.deleting:
            self.replaced.add(stored.ref.uid)
            self.kube.replace(stored)

    @rule(name=st.sampled_from(NAMES), with_status=st.booleans())
    def restore(self, name: str, with_status: bool) -> None:
        """The object comes back from a backup under another UID."""
        stored = self.kube.objects.get(("ns", name))
        if stored is not None and not stored.deleting:
            self.kube.lose(stored)
            self.lost.add(stored.ref.uid)
            self.kube.create("ns", name, stored.spec, status=dict(stored.status) if with_status else None)

    @rule(name=st.sampled_from(NAMES), paused=st.booleans())
    def pause(self, name: str, paused: bool) -> None:
        if (stored := self.kube.objects.get(("ns", name))) is not None:
            self.kube.touch(stored, paused=paused)

    @precondition(lambda self: self.runai.live())
    @rule(data=st.data())
    def delete_outside(self, data: Any) -> None:
        workload = data.draw(st.sampled_from(self.runai.live()))
        if workload.deleted is None:
            with contextlib.suppress(Refused):  # refused while it is being applied, where so switched
                self.runai.world.delete(workload, self.now)

    # --- the operator, the network and time

    @rule(
        name=st.sampled_from(NAMES),
        first=st.integers(0, 5),
        mishap=st.sampled_from(Mishap),
        more=st.dictionaries(st.integers(0, 9), st.sampled_from(Mishap), max_size=2),
        stale=st.booleans(),
    )
    def an_unlucky_pass(self, name: str, first: int, mishap: Mishap, more: dict[int, Mishap], stale: bool) -> None:
        if (stored := self.kube.objects.get(("ns", name))) is not None:
            self.replica.chance.begin({first: mishap, **more})
            self.watched_pass(self.replica, stored, read=not stale)

    @rule(name=st.sampled_from(NAMES), stale=st.booleans())
    def a_lucky_pass(self, name: str, stale: bool) -> None:
        if (stored := self.kube.objects.get(("ns", name))) is not None:
            self.replica.chance.begin()
            self.watched_pass(self.replica, stored, read=not stale)

    @rule(
        name=st.sampled_from(NAMES),
        mishaps=st.lists(st.tuples(st.integers(0, 5), st.sampled_from(Mishap)), min_size=1, max_size=4),
        hidden=st.booleans(),
    )
    def a_bad_end(self, name: str, mishaps: list[tuple[int, Mishap]], hidden: bool) -> None:
        """Deleted in bad weather: one unlucky pass after another, and perhaps the role is lost before the last of them."""
        if (stored := self.kube.objects.get(("ns", name))) is not None:
            for when in range(len(mishaps) + 1):
                if when == len(mishaps) // 2:
                    self.delete(name)
                if self.kube.of(stored.ref) is None:
                    return
                if hidden and when == len(mishaps) - 1:
                    self.lose_sight(hidden=True)
                self.replica.chance.begin(dict(mishaps[when : when + 1]))
                self.watched_pass(self.replica, stored)

    @rule(
        name=st.sampled_from(NAMES),
        call=st.sampled_from(["create", "update", "delete"]),
        mishap=st.sampled_from(Mishap),
        then=st.sampled_from(["outage", "bad edit", "delete", "nothing"]),
    )
    def a_lost_word(self, name: str, call: str, mishap: Mishap, then: str) -> None:
        """A write to Run:ai goes wrong, and the next pass meets worse."""
        if (stored := self.kube.objects.get(("ns", name))) is None:
            return
        self.replica.chance.begin()
        self.replica.chance.named[call] = mishap
        self.watched_pass(self.replica, stored)
        if then == "outage":
            self.outage(down=True)
        elif then == "bad edit" and not stored.deleting:
            self.kube.edit(stored, replace(stored.spec, priority="no-such-priority"))
        elif then == "delete":
            self.delete(name)
        self.replica.chance.begin()
        if self.kube.of(stored.ref) is not None:
            self.watched_pass(self.replica, stored)

    @rule(
        name=st.sampled_from(NAMES),
        tries=st.lists(
            st.tuples(
                st.sampled_from([Mishap.LOST_BEFORE, Mishap.LOST_AFTER, Mishap.UNREACHABLE]), st.sampled_from([1, 61])
            ),
            min_size=2,
            max_size=4,
        ),
        then_delete=st.booleans(),
    )
    def a_stubborn_submission(self, name: str, tries: list[tuple[Mishap, int]], then_delete: bool) -> None:
        """One lost answer after another, at once or a while later; and perhaps nobody wants it any more."""
        if ("ns", name) not in self.kube.objects:
            self.kube.create("ns", name, a_spec())
        for mishap, seconds in tries:
            if (stored := self.kube.objects.get(("ns", name))) is None:
                return
            self.replica.chance.begin()
            self.replica.chance.named["create"] = mishap
            self.watched_pass(self.replica, stored)
            self.time_passes(seconds)
        if then_delete:
            self.delete(name)
            self.a_lucky_pass(name, stale=False)

    def watched_pass(self, replica: Replica, stored: Stored, *, read: bool = True) -> None:
        [ended] = drive(replica.one_pass(stored, read=read))
        if isinstance(ended, Crash):
            self.restart(replica)

    def restart(self, replica: Replica) -> None:
        fresh = Replica(self, replica.install)
        if replica is self.replica:
            self.replica = fresh
        else:
            self.other = fresh

    @rule(name=st.sampled_from(NAMES), order=st.lists(st.integers(0, 1), min_size=20, max_size=60))
    def two_leaders(self, name: str, order: list[int]) -> None:
        """Two processes work on the same object, taking turns at every call."""
        if (stored := self.kube.objects.get(("ns", name))) is None:
            return
        self.replica.chance.begin()
        self.other.chance.begin()
        turns = iter(order)
        drive(self.replica.one_pass(stored), self.other.one_pass(stored), order=lambda: next(turns, 0))

    @rule(seconds=st.sampled_from([1, 5, 21, 61, 300]))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds
        for replica in (self.replica, self.other):
            if not replica.chance.down:
                replica.upstream.gate.answered()

    @rule(down=st.booleans())
    def outage(self, down: bool) -> None:
        self.outage_began = (self.outage_began or self.now) if down else None
        for replica in (self.replica, self.other):
            replica.chance.down = down
            if not down:
                replica.upstream.gate.answered()

    @rule(hidden=st.booleans())
    def lose_sight(self, hidden: bool) -> None:
        """Somebody takes the role away, in every project, or restores the Secret and restarts the operator."""
        if self.hidden_since is not None and not hidden:
            self.restart(self.replica)
            self.restart(self.other)
        self.hidden_since = (self.hidden_since or self.now) if hidden else None
        for project in self.runai.world.projects.values():
            self.runai.world.hide_project(project, hidden=hidden)

    @rule(name=st.sampled_from(NAMES), passes=st.integers(2, 6))
    def a_long_outage(self, name: str, passes: int) -> None:
        """Long enough for a deletion to be given up, if there is one."""
        self.outage(down=True)
        for _ in range(passes):
            self.now += 61
            if (stored := self.kube.objects.get(("ns", name))) is not None:
                self.replica.chance.begin()
                self.watched_pass(self.replica, stored)

    @precondition(lambda self: not self.kube.crd.deleting)
    @rule()
    def delete_crd(self) -> None:
        """By accident: all objects are deleted, and no workload may go until somebody confirms it."""
        for stored in self.kube.objects.values():
            if not stored.finalizers:
                self.check_nothing_left(stored)
                self.lost.add(stored.ref.uid)
            if not stored.deleting:
                self.fallen.add(stored.ref.uid)
        self.kube.delete_crd()

    @precondition(lambda self: self.kube.crd.deleting)
    @rule()
    def confirm_delete(self) -> None:
        self.kube.crd = replace(self.kube.crd, confirmed=True)

    # --- the promises

    def check_write(self, method: str, subject: Any) -> None:
        """Asked by the fake before each write to Run:ai."""
        if method == "POST":
            self.check_post(subject)
            return
        workload, submission = subject
        mark = mark_of(workload)
        holder = self.holder(mark)
        assert mark is None or holder is not None or mark.uid in self.lost, f"{method} of a stranger's workload: {mark}"
        assert holder is None or not holder.paused, f"{method} while paused"
        if method == "DELETE":
            self.check_delete(holder)
        if method == "DELETE" and mark is not None:
            # Completed work of an earlier object of the name may be replaced, or goes with the one that took it over.
            is_taken_over = (mark.namespace, mark.name) in self.kube.objects and self.has_completed(workload)
            is_own = mark.uid not in self.lost or holder is not None
            assert is_own or is_taken_over, "DELETE of what another UID's mark is on"
        if submission is not None and mark is not None:
            new = submission_mark(submission)
            assert (mark.namespace, mark.name) == (new.namespace, new.name), f"PUT by {new} on what is {mark}'s"
            assert workload.id not in self.completed, "PUT of finished work"

    def has_completed(self, workload: Any) -> bool:
        return bool(workload.phase(self.now)[0] == "Completed")

    def check_delete(self, holder: Stored | None) -> None:
        if holder is not None and holder.ref.uid in self.fallen:
            assert self.kube.crd.confirmed, "DELETE because the definition goes"

    def check_nothing_left(self, stored: Stored) -> None:
        """An object that goes at once leaves nothing, unless somebody took its finalizer away."""
        left = [w for w in self.runai.live() if (mark := mark_of(w)) and mark.uid == stored.ref.uid]
        assert not left or stored.ref.uid in self.replaced, f"{stored.ref} goes at once while its workload lives"

    def check_post(self, submission: Submission) -> None:
        mark = submission_mark(submission)
        stored = self.kube.objects.get((mark.namespace, mark.name))
        assert stored is not None, "POST for an object that is gone"
        assert stored.ref.uid == mark.uid, "POST for an earlier life"
        assert FINALIZER in stored.finalizers, "POST without the finalizer"
        assert not stored.deleting, "POST while deleting"
        assert not stored.paused, "POST while paused"
        done = [w for w in self.runai.world if mark_of(w) == mark and w.id in self.completed]
        rerun = stored.spec.rerun_policy is RerunPolicy.ON_SPEC_CHANGE
        recreate = stored.spec.recreate_policy is RecreatePolicy.ON_IMMUTABLE_CHANGE
        assert not done or rerun or recreate, "finished work runs again"

    def holder(self, mark: OwnerMark | None) -> Stored | None:
        stored = self.kube.objects.get((mark.namespace, mark.name)) if mark else None
        return stored if stored and mark and stored.ref.uid == mark.uid else None

    @invariant()
    def at_most_one_live_workload_per_object(self) -> None:
        standing = [w for w in self.runai.live() if w.deleted is None]
        for stored in self.kube.objects.values():
            ours = [w for w in standing if (mark := mark_of(w)) and mark.uid == stored.ref.uid]
            assert len(ours) <= 1, f"{len(ours)} workloads for {stored.ref}"

    @invariant()
    def nothing_is_released_while_it_lives(self) -> None:
        while self.kube.released:
            gone = self.kube.released.pop()
            if gone.spec.deletion_policy is DeletionPolicy.ORPHAN:
                self.lost.add(gone.ref.uid)
                continue
            left = [w for w in self.runai.live() if (mark := mark_of(w)) and mark.uid == gone.ref.uid]
            if left and gone.ref.uid in self.kube.orphans:
                self.lost.add(gone.ref.uid)
                if self.kube.orphans[gone.ref.uid].why == Reason.NAME_TAKEN:
                    continue  # something that no list shows held its name
                troubles = [since for since in (self.outage_began, self.hidden_since) if since is not None]
                assert troubles, f"{gone.ref} was given up although Run:ai answers"
                assert self.now - min(troubles) >= 60, f"{gone.ref} was given up too early"
                continue
            assert not left, f"{gone.ref} was released while its workload lives"

    @invariant()
    def remember_what_completed(self) -> None:
        """As far as status shows it: what completes and is purged between two reads cannot be known."""
        for stored in self.kube.objects.values():
            if condition(stored.status, "Completed") is not None and stored.status.get("ownerUid") == stored.ref.uid:
                self.completed.add(stored.status["workloadId"])

    @invariant()
    def status_is_never_contradictory(self) -> None:
        for stored in self.kube.objects.values():
            status = stored.status
            ready = (condition(status, "Ready") or {}).get("status")
            bad = [
                kind for kind in ("Reconciling", "Stalled") if (condition(status, kind) or {}).get("status") == "True"
            ]
            assert len(bad) < 2, "Reconciling and Stalled"
            assert not (ready == "True" and bad), "Ready and not"

    def teardown(self) -> None:
        """Healthy passes converge, whatever was before."""
        for replica in (self.replica, self.other):
            replica.chance.begin()
            replica.chance.down = False
        self.lose_sight(hidden=False)
        self.kube.crd = CRDState(deleting=self.kube.crd.deleting, confirmed=True)
        for stored in self.kube.objects.values():
            self.kube.touch(stored, paused=False)
        for _ in range(60):
            for stored in list(self.kube.objects.values()):
                self.watched_pass(self.replica, stored)
                self.at_most_one_live_workload_per_object()
                self.nothing_is_released_while_it_lives()
                self.remember_what_completed()
            self.now += 10
        for stored in self.kube.objects.values():
            self.check_converged(stored)
        self.check_quiet()

    def check_converged(self, stored: Stored) -> None:
        assert not stored.deleting, f"{stored.ref} is stuck in deletion: {stored.status}"
        status = stored.status
        assert status.get("observedGeneration") == stored.generation, f"{stored.ref} was not looked at: {status}"
        ready, stalled = condition(status, "Ready") or {}, condition(status, "Stalled")
        ours = [w for w in self.runai.live() if w.deleted is None and (m := mark_of(w)) and m.uid == stored.ref.uid]
        if stalled is None:
            assert ready.get("status") == "True", f"{stored.ref} is neither ready nor stalled: {status}"
            assert status["workloadId"] in {w.id for w in ours} | self.completed, (
                f"{stored.ref} shows another's: {status}"
            )
            if ours and status["workloadId"] not in self.completed:
                sent = ours[0].manifest["spec"]
                assert stored.spec.manifest is not None
                assert sent == stored.spec.manifest["spec"], f"{stored.ref} has old content"

    def check_quiet(self) -> None:
        """Nothing changed, so nothing is written and nothing is sent."""
        writes, sent = self.kube.writes, len(self.runai.writes)
        settled = [s for s in self.kube.objects.values() if condition(s.status, "Stalled") is None]
        for stored in settled:
            self.watched_pass(self.replica, stored, read=False)
        assert (self.kube.writes, len(self.runai.writes)) == (writes, sent), "a quiet round writes"


def a_spec(*, kind: str = "Deployment", text: int = 0, project: str = "1") -> Spec:
    api = "apps/v1" if kind == "Deployment" else "batch/v1"
    return Spec(manifest={"apiVersion": api, "kind": kind, "spec": {"text": text}}, project_id=project)


def submission_mark(submission: Submission) -> OwnerMark:
    from runai_operator.domain.manifest import read_mark

    mark = read_mark(submission.manifest)
    assert mark is not None, "POST without our mark"
    return mark


def drive_value(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The value of a coroutine that only takes turns."""
    while True:
        try:
            coroutine.send(None)
        except StopIteration as done:
            return done.value


def _everything() -> Any:
    from runai_operator.domain.model import RowQuery

    return RowQuery()
