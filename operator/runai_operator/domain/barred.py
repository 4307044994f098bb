"""Which projects and workloads an object may not use: asked before anything is created, adopted, changed or deleted.

`access` is the policy. The functions that begin with `unless` say what a pass does about it.
"""

from __future__ import annotations

from dataclasses import replace

from runai_operator.domain.actions import Action, ReadProject, Result, Verdict
from runai_operator.domain.errors import BridgeError, InvalidWorkload
from runai_operator.domain.intent import is_proven, refuse
from runai_operator.domain.model import Remote
from runai_operator.domain.reasons import Reason
from runai_operator.domain.state import State


def unless_target_barred(s: State) -> Action | None:
    """Why nothing may be created in the project that the spec names; None when it may."""
    return _as_action(s, barred_from_target(s))


def unless_barred(s: State, remote: Remote, *, adopts: bool = False) -> Action | None:
    """Why the workload may not be used, by the project that it really is in; None when it may."""
    return _as_action(s, barred_from(s, remote, adopts=adopts))


def _as_action(s: State, barred: ReadProject | BridgeError | None) -> Action | None:
    match barred:
        case InvalidWorkload():
            return replace(refuse(s, barred), in_doubt=s.in_doubt)
        case BridgeError():
            return Result(Verdict.RETRYING, barred, outstanding=True, not_submitted=is_proven(s))
    return barred


def barred_from_target(s: State) -> ReadProject | BridgeError | None:
    """Why the object may not use the project that its spec names, or what to read first; None when it may."""
    spec = s.workload.spec
    if spec.project_name is None and spec.project_id is None:
        return None  # refused for that, if one is needed
    called = spec.project_name or f"with id {spec.project_id}"
    what = f"use project {called}: name a project that they may use, or ask whoever runs the operator to allow this one"
    return _barred(s, spec.project_id or "", spec.project_name, what) or _barred_from_kept(s, what)


def _barred_from_kept(s: State, what: str) -> ReadProject | BridgeError | None:
    """The same for a project that is on record, and may be called otherwise by now."""
    kept = s.stored_status.project_id
    return _barred(s, kept, None, what) if kept is not None and kept == s.target_project else None


def barred_from(s: State, remote: Remote, *, adopts: bool = False) -> ReadProject | BridgeError | None:
    """Why the object may not use a workload, or what to read first; None when it may.

    The project that the workload really is in decides, and is not named: it may be a stranger's. `adopts`: others made
    the workload.
    """
    if adopts:
        what = (
            f"adopt workload {remote.id}: remove spec.workloadId to have one created, or ask whoever runs the operator"
            " to allow adoption in its project"
        )
    else:
        what = f"use workload {remote.id} in its project: name another, or ask whoever runs the operator to allow that"
    return _barred(s, remote.project_id, remote.project_name, what, adopts=adopts)


def _barred(
    s: State, project_id: str, name: str | None, what: str, *, adopts: bool = False
) -> ReadProject | BridgeError | None:
    """`name`: None where it has to be read; `what`: they may not do, and what to do instead."""
    if not s.access.limited:
        return None
    if name is None and project_id not in s.project_names:
        return ReadProject(project_id)
    known = s.project_names.get(project_id) if name is None else name
    if isinstance(known, BridgeError):
        return known
    namespace = s.workload.ref.namespace
    if s.access.allows(namespace, known, adoption=adopts):
        return None
    message = f"Objects in namespace {namespace} may not {what} (runai.access)."
    return InvalidWorkload(message, reason=Reason.PROJECT_NOT_ALLOWED)
