"""Every status the operator can produce, with the row of docs/status.yaml that it must read as.

The statuses come from `domain.status.build_status`; the row is found from what went in, by an ordered table of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from builders import a_condition, a_desired, a_remote, a_row, a_state, a_workload, submitted_status
from readers import Json
from runai_operator.domain.actions import Result, Verdict
from runai_operator.domain.errors import (
    AccessDenied,
    BridgeError,
    Busy,
    InvalidWorkload,
    KubernetesUnavailable,
    NameTaken,
    NotVisible,
    OutcomeUnknown,
    SourceUnusable,
    Throttled,
    Unavailable,
    UnexpectedReply,
)
from runai_operator.domain.freshness import Freshness
from runai_operator.domain.memory import Memory, Unread
from runai_operator.domain.model import GROUP, KIND, PAUSED_ANNOTATION, VERSION, ManagementPolicy, Missing
from runai_operator.domain.probe import PROVING
from runai_operator.domain.reasons import Group, Phase, Reason
from runai_operator.domain.state import State
from runai_operator.domain.status import build_status
from runai_operator.domain.stored_status import LOST_REASONS

TABLE: Json = yaml.safe_load((Path(__file__).parents[2] / "docs" / "status.yaml").read_text())

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
DELETED_AT = "2026-06-01T12:00:00Z"
GENERATION = 3

PHASES = (None, *(phase.value for phase in Phase), "Suspending")
"""All that the API documents, one that no version names, and none."""
SYNCS = (None, "Queued", "Applying", "Synced", "Failed", "Deleting", "Rebalancing")
"""All of an existing workload, one that no version names, and none."""
DESIRED = (None, "Running", "Stopped", "Deleted")

WAITING = (
    Busy("The name is held.", reason=Reason.WAITING_FOR_NAME),
    Busy("The old one is being deleted.", reason=Reason.RECREATING),
    Busy("It is created again in a while.", reason=Reason.WAITING_TO_RECREATE),
    PROVING,
)
REJECTED = (
    NameTaken("The name is taken."),
    *(
        InvalidWorkload(reason.meaning, reason=reason)
        for reason in Reason
        if reason.group is Group.REJECTED and reason is not NameTaken.reason
    ),
)
RETRIED = (
    Unavailable("Run:ai cannot be reached."),
    Throttled("Run:ai asks to send fewer requests.", after=30),
    AccessDenied("Run:ai denies the permission."),
    NotVisible("Run:ai shows neither the workload nor its project."),
    OutcomeUnknown("No answer came back."),
    UnexpectedReply("Its answer cannot be used."),
    Busy("Run:ai cannot update the workload now."),
    Busy("Run:ai lists it but does not show it.", reason=Reason.HOLDER_UNREADABLE),
    KubernetesUnavailable("The Kubernetes API answered 500."),
    BridgeError("This is a fault of the operator."),
)


@dataclass(frozen=True, slots=True)
class Pass:
    """What goes into one settled pass."""

    end: Result
    phase: str | None = None
    sync: str | None = None
    desired: str | None = None
    latched: bool = False
    """It had completed before."""
    submitted: bool = True
    """There is a workload of ours in Run:ai, or was."""
    paused: bool = False
    stalled: bool = False
    observing: bool = False
    stale: bool = False
    """The sources of what status shows have been silent for too long."""
    gone: bool = False
    """Run:ai answers 404."""
    before: Pass | None = None
    """The pass that wrote the status which this one found."""

    def __str__(self) -> str:
        end = self.end
        words = [
            f"phase {self.phase}, sync {self.sync}, desired {self.desired}" if self.submitted else "not submitted",
            "latched" if self.latched else "",
            "paused" if self.paused else "",
            "observing" if self.observing else "",
            "gone" if self.gone else "",
            "stale" if self.stale else "",
            end.verdict.value,
            end.error.condition_reason if end.error else "",
            "outstanding" if end.outstanding else "",
            "for long" if self.stalled else "",
            f"after [{self.before}]" if self.before else "",
        ]
        return ", ".join(filter(None, words))


@dataclass(frozen=True, slots=True)
class Case:
    """One object as a reader may find it."""

    id: str
    item: Json
    row: str
    """Key of `situations` in docs/status.yaml."""
    written: bool
    """The operator has written this status for this very generation."""
    found: Json
    """The status that the pass found."""


# --- which row: the first that applies

Rule = tuple[str, Callable[[Pass], bool]]


def _rejected(p: Pass) -> str | None:
    return p.end.error.condition_reason if p.end.verdict is Verdict.REJECTED and p.end.error else None


def _is_lost(p: Pass | None) -> bool:
    """Only a fresh reading of Run:ai may clear these."""
    if p is None or p.end.error is None or p.end.verdict not in (Verdict.REJECTED, Verdict.WAITING):
        return False
    return p.end.error.condition_reason in LOST_REASONS


def _is_retried(p: Pass) -> bool:
    return p.end.verdict is Verdict.RETRYING and p.end.outstanding


def _completed(p: Pass) -> bool:
    return p.latched or p.phase == "Completed"


def _is_silent(p: Pass) -> bool:
    """A reading without `syncInfo`, which only the answer to a POST or PUT lacks by rule."""
    return p.sync is None and p.submitted and p.end.verdict is not Verdict.DELIVERED and not _is_blind(p)


UNFINISHED_DELETION = ("Deleting", "Deleted")

ROWS: tuple[Rule, ...] = (
    ("deleting", lambda p: p.end.verdict is Verdict.DELETING),
    ("finished-edited", lambda p: _rejected(p) == "FinishedNotRerun"),
    ("failed", lambda p: _rejected(p) in ("DeletedExternally", "RecreateGivenUp", "EndedUnseen")),
    ("rejected", lambda p: _rejected(p) is not None),
    ("stalled", lambda p: (_is_retried(p) or p.end.verdict is Verdict.WAITING) and p.stalled),
    ("progressing", lambda p: p.end.verdict is Verdict.WAITING),
    ("retrying", _is_retried),
    ("paused-outstanding", lambda p: p.end.verdict is Verdict.PAUSED and p.end.outstanding),
    ("paused", lambda p: p.paused and p.end.verdict is Verdict.VALID),
    ("valid", lambda p: p.end.verdict is Verdict.VALID),
    ("paused", lambda p: p.paused and _completed(p)),
    ("completed", _completed),
    ("failed", lambda p: p.sync == "Failed"),
    ("failed", lambda p: p.phase == "Failed" and p.gone),
    ("stalled", lambda p: p.stalled and p.end.verdict is Verdict.IN_SYNC),
    ("progressing", lambda p: p.desired == "Deleted" or p.sync in UNFINISHED_DELETION),
    ("progressing", lambda p: p.sync != "Synced" and not _is_silent(p)),
    ("paused", lambda p: p.paused and p.phase in ("Running", "Stopped")),
    ("outage", lambda p: p.phase == "Running" and (p.stale or p.end.verdict is Verdict.RETRYING)),
    ("running", lambda p: p.phase == "Running"),
    ("stopped", lambda p: p.phase == "Stopped"),
    ("failed", lambda p: p.phase == "Failed"),
    ("degraded", lambda p: p.phase == "Degraded"),
    ("progressing", lambda _: True),
)


def row_of(settled: Pass) -> str:
    """The row of an object whose spec has not changed since that pass, and that is not being deleted unnoticed."""
    if settled.end.verdict is Verdict.RETRYING and not settled.end.outstanding and _is_lost(settled.before):
        assert settled.before is not None
        return row_of(settled.before)
    return next(row for row, applies in ROWS if applies(settled))


# --- what goes in


def passes() -> Iterator[Pass]:
    """Every way in which `decide` can end a pass, over everything Run:ai can show."""
    yield from dict.fromkeys(_all_passes())


def _all_passes() -> Iterator[Pass]:
    for phase, sync, desired in product(PHASES, SYNCS, DESIRED):
        yield from _over(phase, sync, desired)
    for refusal in REJECTED:
        yield from _refusals(refusal)
    for trouble in RETRIED:
        yield from _troubles(trouble)
    for waiting in WAITING:
        for submitted, paused in product((True, False), repeat=2):
            waits = Pass(Result(Verdict.WAITING, waiting, outstanding=True), submitted=submitted, paused=paused)
            yield from (waits, replace(waits, stalled=True))
    recreating = Pass(Result(Verdict.WAITING, WAITING[2]), "Running", "Synced", gone=True)
    yield recreating
    yield Pass(Result(Verdict.RETRYING, RETRIED[0]), "Running", "Synced", before=recreating)
    yield Pass(Result(Verdict.PAUSED, outstanding=True), submitted=False, paused=True)
    valid = Pass(Result(Verdict.VALID, not_submitted=True), submitted=False)
    for end in (valid.end, *(replace(valid.end, error=error) for error in (*RETRIED, PROVING))):
        yield replace(valid, end=end)
        yield replace(valid, end=end, paused=True)
        yield replace(valid, end=end, before=valid)
    for phase, sync in (("Failed", "Deleting"), ("Failed", "Synced"), ("Completed", "Synced"), ("Completed", None)):
        yield Pass(Result(Verdict.IN_SYNC), phase, sync, gone=True)


def _over(phase: str | None, sync: str | None, desired: str | None) -> Iterator[Pass]:
    """Ends of a pass over a workload that Run:ai shows so."""
    unreachable, refusal = RETRIED[0], REJECTED[1]
    ends = [
        Result(Verdict.IN_SYNC),
        Result(Verdict.REJECTED, refusal, outstanding=True),
        Result(Verdict.RETRYING, unreachable),
        Result(Verdict.RETRYING, unreachable, outstanding=True),
        Result(Verdict.WAITING, WAITING[1], outstanding=True),
        Result(Verdict.DELETING, WAITING[0]),
        Result(Verdict.DELETING),
        Result(Verdict.IN_SYNC, SourceUnusable("It is not there.", reason=Reason.SOURCE_NOT_FOUND)),
    ]
    if sync is None:
        ends.append(Result(Verdict.DELIVERED))  # what answers a POST or PUT shows no sync
    if desired == "Deleted" or sync == "Deleting":
        ends.append(edited := Result(Verdict.IN_SYNC, outstanding=True))
        yield Pass(edited, phase, sync, desired, stalled=True)
    for end in ends:
        yield Pass(end, phase, sync, desired)
        yield Pass(end, phase, sync, desired, latched=True)
        paused = replace(end, verdict=Verdict.PAUSED) if end.verdict is Verdict.IN_SYNC else end
        if end.verdict is not Verdict.DELIVERED:
            yield Pass(paused, phase, sync, desired, paused=True)
        if end.verdict is Verdict.IN_SYNC and not end.outstanding:
            yield Pass(end, phase, sync, desired, observing=True)
            yield Pass(end, phase, sync, desired, observing=True, paused=True)
            yield Pass(Result(Verdict.PAUSED, outstanding=True), phase, sync, desired, paused=True)
    yield Pass(Result(Verdict.RETRYING, unreachable, outstanding=True), phase, sync, desired, stalled=True)
    for end in (Result(Verdict.IN_SYNC), Result(Verdict.RETRYING, unreachable)):
        yield Pass(end, phase, sync, desired, stale=True)
        yield Pass(end, phase, sync, desired, stale=True, latched=True)
    yield Pass(Result(Verdict.PAUSED), phase, sync, desired, stale=True, paused=True)


def _refusals(error: InvalidWorkload) -> Iterator[Pass]:
    for submitted, outstanding, paused in product((True, False), repeat=3):
        end = Result(Verdict.REJECTED, error, outstanding=outstanding, not_submitted=not submitted)
        refused = Pass(end, "Running", "Synced", submitted=submitted, paused=paused)
        yield refused
        if submitted:
            yield replace(refused, end=Result(Verdict.RETRYING, RETRIED[0]), before=refused)
            yield replace(refused, end=Result(Verdict.IN_SYNC), before=refused, paused=False)


def _troubles(error: BridgeError) -> Iterator[Pass]:
    for submitted, stalled, paused in product((True, False), repeat=3):
        end = Result(Verdict.RETRYING, error, outstanding=True, not_submitted=not submitted)
        yield Pass(end, "Running", "Synced", submitted=submitted, stalled=stalled, paused=paused)
    yield Pass(Result(Verdict.RETRYING, error), "Running", "Synced")
    yield Pass(Result(Verdict.DELETING, error), "Running", "Synced")
    yield Pass(Result(Verdict.DELETING, error), submitted=False)


# --- what comes out


@cache
def cases() -> tuple[Case, ...]:
    """Every status, seen when it is fresh, after an edit of the spec, and after a deletion that nobody noticed yet.

    They take seconds to make, and many tests read all of them.
    """
    return tuple(_cases())


def _cases() -> Iterator[Case]:
    for settled in passes():
        found, status = settled_status(settled)
        deleting = settled.end.verdict is Verdict.DELETING
        row = row_of(settled)
        fresh = item_with(status, paused=settled.paused, deleting=deleting)
        yield Case(str(settled), fresh, row, written=True, found=found)
        yield Case(f"{settled}; then deleted", _aged(fresh, deleting=True), "deleting", written=False, found=found)
        if not deleting:
            yield Case(f"{settled}; then edited", _aged(fresh), "not-seen", written=False, found=found)
    yield Case("created just now", item_with(NEVER), "not-seen", written=False, found={})
    yield Case("created and deleted", item_with(NEVER, deleting=True), "deleting", written=False, found={})


NEVER: Json = {"observedGeneration": -1}
"""The default of the CRD."""


def settled_status(settled: Pass) -> tuple[Json, Json]:
    """The status that the pass found and the one it left."""
    found = settled_status(settled.before)[1] if settled.before is not None else _stored(settled)
    status = build_status(_situation(settled, found), settled.end, now=NOW, stalled=settled.stalled)
    return found, status


def _is_blind(settled: Pass) -> bool:
    """The pass saw nothing of Run:ai, so that it tells what was known before."""
    return settled.gone or settled.end.verdict is Verdict.RETRYING


def _stored(settled: Pass) -> Json:
    if not settled.submitted:
        return NEVER
    conditions = [a_condition("Ready", "False", "Syncing"), a_condition("Reconciling", "True", "Syncing")]
    conditions.append(a_condition("Synced", "False", "Syncing"))
    if settled.latched:
        conditions.append(a_condition("Completed", "True", "Completed"))
    if not _is_blind(settled):
        return submitted_status(syncStatus="Applying", phase=None, conditions=conditions)
    return submitted_status(
        syncStatus=settled.sync, phase=settled.phase, desiredPhase=settled.desired, conditions=conditions
    )


def _situation(settled: Pass, found: Json) -> State:
    policy: dict[str, Any] = {"management_policy": ManagementPolicy.OBSERVE} if settled.observing else {}
    workload = a_workload(
        generation=GENERATION,
        paused=settled.paused,
        deleting=settled.end.verdict is Verdict.DELETING,
        status=found,
        **policy,
    )
    if not settled.submitted:
        return a_state(workload)
    silence: dict[str, Any] = {}
    if settled.stale:
        unread = Unread(float("-inf"), Reason.RUNAI_UNAVAILABLE, RETRIED[0].message)
        silence = {"freshness": Freshness(RETRIED[0], RETRIED[0]), "memory": Memory(unread=unread)}
    if _is_blind(settled):
        return a_state(workload, remote=Missing() if settled.gone else settled.end.error, **silence)
    remote = a_remote(sync_status=settled.sync, desired_phase=settled.desired)
    return a_state(workload, desired=a_desired(), remote=remote, row=a_row(phase=settled.phase), **silence)


def item_with(status: Json, *, paused: bool = False, deleting: bool = False) -> Json:
    """A whole RunaiWorkload with that status."""
    metadata: Json = {
        "name": "train",
        "namespace": "team-a",
        "uid": "uid-1",
        "generation": GENERATION,
        "finalizers": ["bridge.run.ai/workload"],
        "annotations": {"argocd.argoproj.io/tracking-id": "jobs:bridge.run.ai/RunaiWorkload:team-a/train"},
    }
    if paused:
        metadata["annotations"][PAUSED_ANNOTATION] = "true"
    if deleting:
        metadata["deletionTimestamp"] = DELETED_AT
    spec = {"projectName": "team-a", "manifest": {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {}}}}
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": KIND, "metadata": metadata, "spec": spec, "status": status}


def _aged(item: Json, *, deleting: bool = False) -> Json:
    """One generation later, the operator not having looked: the API server counts a deletion as one, too."""
    metadata = item["metadata"] | {"generation": item["metadata"]["generation"] + 1}
    if deleting:
        metadata |= {"deletionTimestamp": DELETED_AT}
    return item | {"metadata": metadata}
