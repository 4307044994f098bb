"""Defects to plant, one for each rule of the protocol: a model that does not catch them proves nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from fakes.kube import FakeKubeAccess
from runai_operator.domain import adopt, decide, lost, ownership, submit
from runai_operator.domain import finalize as finalizing
from runai_operator.domain import state as states
from runai_operator.domain import status as stories
from runai_operator.domain.absence import Absence
from runai_operator.domain.actions import Delete, RemoveFinalizer, Result, Verdict
from runai_operator.domain.errors import BridgeError, Vanished
from runai_operator.domain.model import CRDState, Missing
from runai_operator.engine import reconcile
from runai_operator.engine.reader import Reader
from runai_operator.engine.reconcile import Reconciler


@dataclass(frozen=True, slots=True)
class Defect:
    """`breaks` says in a sentence what is wrong; `plant` does it."""

    breaks: str
    plant: Callable[[pytest.MonkeyPatch], None]


def no_intent(patch: pytest.MonkeyPatch) -> None:
    for module in (submit, adopt):
        patch.setattr(module, "intent_first", lambda s: None)


def never_in_doubt(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(states.State, "in_doubt", property(lambda s: False))


def believe_absence(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(states.State, "absence_proven", property(lambda s: isinstance(s.found, tuple)))


def release_after_delete(patch: pytest.MonkeyPatch) -> None:
    present = finalizing._delete_present
    patch.setattr(
        finalizing,
        "_delete_present",
        lambda s, remote: RemoveFinalizer("sent") if Delete in s.done else present(s, remote),
    )


def unknown_is_gone(patch: pytest.MonkeyPatch) -> None:
    read = Reader.remote

    async def careless(self: Any, s: Any, action: Any, upstream: Any) -> Any:
        done = await read(self, s, action, upstream)
        return replace(done, remote=Missing()) if isinstance(done.remote, BridgeError) else done

    patch.setattr(Reader, "remote", careless)


def a_404_is_enough(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Absence, "doubt", lambda self, grace: None)


def silent_witnesses_agree(patch: pytest.MonkeyPatch) -> None:
    ask = Reader._ask_witnesses

    async def trusting(self: Any, s: Any, workload_id: str, upstream: Any) -> Any:
        try:
            return await ask(self, s, workload_id, upstream)
        except BridgeError:
            return None, True

    patch.setattr(Reader, "_ask_witnesses", trusting)


def anybody_is_a_predecessor(patch: pytest.MonkeyPatch) -> None:
    for module in (submit, adopt, ownership):
        patch.setattr(module, "is_predecessor", lambda mark, own: mark is not None and mark != own)


def every_mark_is_ours(patch: pytest.MonkeyPatch) -> None:
    for module in (submit, adopt, lost, ownership, finalizing):
        patch.setattr(module, "is_ours", lambda mark, own: mark is not None)


def create_while_deleting(patch: pytest.MonkeyPatch) -> None:
    decided = decide.decide

    def blind(s: Any) -> Any:
        if s.workload.meta.deleting and s.workload_id is None and s.workload.meta.has_finalizer:
            return decided(replace(s, workload=replace(s.workload, meta=replace(s.workload.meta, deleting=False))))
        return decided(s)

    patch.setattr(reconcile, "decide", blind)


def earlier_look_ups_count(patch: pytest.MonkeyPatch) -> None:
    create = Reconciler._do_create

    async def forgetful(self: Any, s: Any, action: Any, upstream: Any) -> Any:
        done = await create(self, s, action, upstream)
        if done.failed is None:
            return done
        return replace(done, memory=replace(done.memory, lookup_since=s.memory.lookup_since))

    patch.setattr(Reconciler, "_do_create", forgetful)


def release_unrecorded(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        finalizing,
        "_out_of_reach",
        lambda s, error: RemoveFinalizer("waited") if s.may_give_up else Result(Verdict.DELETING, error),
    )


def give_up_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(states.State, "may_give_up", property(lambda s: s.workload.meta.deleting))


def go_with_the_crd(patch: pytest.MonkeyPatch) -> None:
    finalize = decide.finalize
    standing = CRDState(deleting=False, confirmed=False)
    patch.setattr(decide, "finalize", lambda s: finalize(replace(s, crd=standing)))


def refusal_is_proof(patch: pytest.MonkeyPatch) -> None:
    after = submit.after_failed_attempt

    def sure(s: Any, error: Any) -> Any:
        end = after(s, error)
        return replace(end, not_submitted=True) if isinstance(end, Result) else end

    patch.setattr(submit, "after_failed_attempt", sure)


def unguarded_writes(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(FakeKubeAccess, "_guarded", lambda self, ref, version: _found(self, ref))


def _found(client: Any, ref: Any) -> Any:
    stored = client._kube.of(ref)
    if stored is None:
        raise Vanished("gone")
    return stored


def pause_is_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(decide, "_hold", lambda action: action)


def both_abnormal(patch: pytest.MonkeyPatch) -> None:
    failing = stories._failing
    patch.setattr(
        stories, "_failing", lambda error, *, stalled: replace(failing(error, stalled=stalled), reconciling=True)
    )


def write_every_time(patch: pytest.MonkeyPatch) -> None:
    between = stories.patch_between
    patch.setattr(
        reconcile,
        "patch_between",
        lambda stored, desired: between(stored, desired) | {"observedGeneration": desired["observedGeneration"]},
    )


DEFECTS = (
    Defect("the POST goes out before the finalizer is added", no_intent),
    Defect("an interrupted attempt is never in doubt", never_in_doubt),
    Defect("a list that lacks the workload is believed at once", believe_absence),
    Defect("the finalizer goes with the DELETE, not with the workload", release_after_delete),
    Defect("a reading that failed counts as gone", unknown_is_gone),
    Defect("a 404 needs no second witness", a_404_is_enough),
    Defect("a witness that cannot be asked confirms a 404", silent_witnesses_agree),
    Defect("anybody's workload of the same name is taken over", anybody_is_a_predecessor),
    Defect("marks are not compared", every_mark_is_ours),
    Defect("an attempt in doubt is repeated while the object is deleting", create_while_deleting),
    Defect("a refusal proves that nothing exists although an earlier attempt is in doubt", refusal_is_proof),
    Defect("a look-up from before the last attempt proves absence", earlier_look_ups_count),
    Defect("an object is given up without a record of what stays behind", release_unrecorded),
    Defect("an object is given up at the first hiccup", give_up_at_once),
    Defect("workloads are deleted because the CustomResourceDefinition goes", go_with_the_crd),
    Defect("finalizers and status are written without a guard", unguarded_writes),
    Defect("paused objects are written to", pause_is_ignored),
    Defect("Reconciling and Stalled stand together", both_abnormal),
    Defect("status is written although nothing changed", write_every_time),
)
