"""Values for tests that say only what the case is about."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from runai_operator.domain.manifest import Desired
from runai_operator.domain.model import (
    FINALIZER,
    CRDState,
    Gvk,
    Meta,
    OwnerMark,
    Ref,
    Remote,
    Row,
    Spec,
    Submission,
    Workload,
)
from runai_operator.domain.state import State

INSTALL = "install-1"
REF = Ref("team-a", "train", "uid-1")
MARK = OwnerMark(INSTALL, REF.namespace, REF.name, REF.uid)
WORKLOAD_ID = "11111111-1111-4111-8111-111111111111"
GVK = Gvk("batch", "v1", "Job")
MANIFEST = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "train"}, "spec": {"template": {}}}


def a_desired(content: str = "v1:aaaa", **changes: Any) -> Desired:
    """What the spec asks for; `content` is its hash."""
    gvk = changes.pop("gvk", GVK)
    return Desired(Submission(**({"name": "train", "project_id": "1", "manifest": MANIFEST} | changes)), gvk, content)


def a_workload(
    *,
    deleting: bool = False,
    finalizer: bool = True,
    generation: int = 1,
    paused: bool = False,
    status: dict[str, Any] | None = None,
    spec_error: str | None = None,
    token: str | None = None,
    deletion_requested: datetime | None = None,
    **spec: Any,
) -> Workload:
    """A RunaiWorkload as read; nothing is recorded unless `status` says so."""
    meta = Meta(
        ref=REF,
        resource_version="7",
        generation=generation,
        deleting=deleting,
        finalizers=(FINALIZER,) if finalizer else (),
        paused=paused,
        reconcile_token=token,
        deletion_requested=deletion_requested,
    )
    return Workload(
        meta=meta,
        spec=Spec(**({"manifest": MANIFEST, "project_name": "team-a"} | spec)),
        status=status if status is not None else {"observedGeneration": -1},
        spec_error=spec_error,
    )


def paused(workload: Workload) -> Workload:
    """The same with the annotation."""
    return replace(workload, meta=replace(workload.meta, paused=True))


def without_finalizer(workload: Workload) -> Workload:
    return replace(workload, meta=replace(workload.meta, finalizers=()))


def at_generation(generation: int, workload: Workload) -> Workload:
    return replace(workload, meta=replace(workload.meta, generation=generation))


def submitted_status(desired: Desired | None = None, **fields: Any) -> dict[str, Any]:
    """The status of a workload that was submitted, is synced and runs; None removes a field."""
    sent = desired or a_desired()
    status = {
        "observedGeneration": 1,
        "workloadId": WORKLOAD_ID,
        "workloadName": "train",
        "projectId": "1",
        "gvk": {"group": "batch", "version": "v1", "kind": "Job"},
        "ownerUid": REF.uid,
        "submittedHash": sent.fingerprint(adopts=False),
        "syncStatus": "Synced",
        "phase": "Running",
        "conditions": [a_condition("Ready", "True", "Running"), a_condition("Synced", "True", "Synced")],
    }
    return {key: value for key, value in (status | fields).items() if value is not None}


def a_condition(kind: str, status: str = "True", reason: str = "Because") -> dict[str, Any]:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": "",
        "observedGeneration": 1,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }


def completed_status(desired: Desired | None = None, **fields: Any) -> dict[str, Any]:
    """The status of a workload that has completed."""
    conditions = [
        a_condition("Ready", "True", "Completed"),
        a_condition("Synced", "True", "Synced"),
        a_condition("Completed"),
    ]
    return submitted_status(desired, **({"phase": "Completed", "conditions": conditions} | fields))


def a_remote(**changes: Any) -> Remote:
    """The workload as V2 shows it, with our mark."""
    return replace(
        Remote(
            id=WORKLOAD_ID,
            name="train",
            project_id="1",
            gvk=GVK,
            desired_phase="Running",
            sync_status="Synced",
            mark=MARK,
        ),
        **changes,
    )


def a_row(**changes: Any) -> Row:
    return replace(Row(id=WORKLOAD_ID, name="train", project_id="1", phase="Running"), **changes)


def a_state(workload: Workload | None = None, **seen: Any) -> State:
    """The CustomResourceDefinition stands, and an adoption in doubt was claimed, unless `crd` and `claimant` say otherwise."""
    standing = CRDState(deleting=False, confirmed=False)
    state = State(workload=workload or a_workload(), install=INSTALL, **({"crd": standing} | seen))
    is_claimed = "claimant" not in seen and state.in_doubt and state.to_adopt is not None
    return replace(state, claimant=state.workload.ref) if is_claimed else state
