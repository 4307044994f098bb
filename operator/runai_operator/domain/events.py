"""What happens to one object, in words: one line of the log each, and for what people should know a Kubernetes Event.

There are two kinds: an operation at Run:ai, and a change of what a condition says. Nothing else is reported of an object.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runai_operator.domain.actions import (
    Action,
    Adopt,
    Create,
    Delete,
    ForgetWorkload,
    RecordOrphan,
    RemoveFinalizer,
    Result,
    Update,
)
from runai_operator.domain.conditions import condition
from runai_operator.domain.errors import BridgeError, CircuitOpen, InvalidWorkload
from runai_operator.domain.model import Missing, Remote
from runai_operator.domain.reasons import ConditionType, Group, Reason
from runai_operator.domain.state import State

RECONCILE = "Reconcile"
"""The action of what was found rather than done."""

_END_OF_THE_WAY = frozenset({Reason.RUNNING, Reason.COMPLETED, Reason.STOPPED, Reason.PAUSED})
"""Reasons of Ready that people wait for; those on the way are in status."""
_SOMEBODY_MUST_ACT = frozenset(
    {
        Reason.DEGRADED,
        Reason.RUNAI_DELETING,
        Reason.WAITING_TO_RECREATE,
        Reason.ACCESS_DENIED,
        Reason.UNEXPECTED_REPLY,
        Reason.HOLDER_UNREADABLE,
        Reason.INTERNAL_ERROR,
    }
)
"""Reasons that call for a person although the object is not stalled."""
_REJECTED = frozenset(reason for reason in Reason if reason.group is Group.REJECTED)


@dataclass(frozen=True, slots=True)
class Event:
    """`reason` and `action` are words for programs, of at most 128 characters; the message is a sentence."""

    reason: str
    action: str
    message: str
    is_warning: bool = False
    """A person must act."""
    is_public: bool = True
    """It becomes a Kubernetes Event; otherwise only a line of the log."""
    workload_id: str | None = None
    """Where it is about another workload than the one in status."""


def in_words(action: Action) -> str:
    """A decision, for the log: what is decided, never what would be sent."""
    if not isinstance(action, Result):
        return type(action).__name__
    return f"{action.verdict} ({action.error.condition_reason})" if action.error else action.verdict.value


def of_operation(action: Action, before: State, after: State) -> Event | None:
    """What an action did at Run:ai, or left there; None for any other, and for one that was held back here."""
    match action:
        case Create() | Update() | Delete() if type(action) not in after.done - before.done:
            return _without_effect(action, after)
        case Create() if ForgetWorkload in after.done:
            return Event("Recreated", "Create", f"Created workload {_named(after)} in place of the one before.")
        case Create():
            return Event("Created", "Create", f"Created workload {_named(after)}.")
        case Update(workload_id=of):
            sent = f"Sent generation {after.workload.meta.generation} to workload {of}."
            return Event("Updated", "Update", sent, workload_id=of)
        case Delete(workload_id=of):
            return Event("Deleted", "Delete", f"Asked Run:ai to delete workload {of}.", workload_id=of)
        case Adopt(remote=remote):
            return Event("Adopted", "Adopt", f"Adopted workload {remote.id}, which Run:ai already had.")
        case ForgetWorkload(lost=True):
            lost = f"Workload {before.workload_id} was deleted in Run:ai by somebody else, and is created again."
            return Event(Reason.DELETED_EXTERNALLY, "Recreate", lost, workload_id=before.workload_id)
        case RecordOrphan(orphan=orphan) if after.orphan_recorded:
            left = f"Run:ai may still hold workload {orphan.name}: see runai-operator orphans."
            return Event("Orphaned", "Release", left, is_warning=True, workload_id=orphan.workload_id)
        case RemoveFinalizer(why=why):
            return Event("Released", "Release", f"Removed the finalizer: {why}.", is_public=False)
    return None


def _named(s: State) -> str:
    remote = s.remote
    return f"{remote.name} ({remote.id}) in project {remote.project_id}" if isinstance(remote, Remote) else ""


def _without_effect(action: Create | Update | Delete, after: State) -> Event | None:
    """People learn of it from the conditions."""
    error, verb = after.failed, type(action).__name__
    of = None if isinstance(action, Create) else action.workload_id
    if isinstance(error, CircuitOpen):
        return None
    if error is not None:
        return Event(error.condition_reason, verb, error.message, is_public=False, workload_id=of)
    if isinstance(after.remote, Missing):
        gone = f"Run:ai has no workload {of} any more."
        return Event(Reason.WORKLOAD_NOT_FOUND, verb, gone, is_public=False, workload_id=of)
    return Event(Reason.NAME_TAKEN, verb, "Run:ai has a workload of this name already.", is_public=False)


def of_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Event]:
    """What two statuses say differently: what Ready gives as its reason, what it says of another edit, and a rejection that
    only Synced shows."""
    was, now = _ready(before), _ready(after)
    is_again = now is not None and was is not None and (was.reason, was.is_warning) == (now.reason, now.is_warning)
    if now is not None and not (is_again and _says_the_same(before, after)):
        yield now
    trouble_was, trouble = _trouble(before), _trouble(after)
    if trouble is not None and (trouble_was is None or trouble_was.reason != trouble.reason):
        yield trouble
    is_over = trouble_was is not None and trouble is None
    if is_over and was is not None and now is not None and was.reason == now.reason:
        yield Event(now.reason, RECONCILE, now.message, is_public=False)


def of_refusal(error: BridgeError) -> Event | None:
    """Kubernetes refuses what has to be written to the object: no condition can show that."""
    if not isinstance(error, InvalidWorkload):
        return None
    return Event(error.condition_reason, RECONCILE, error.message, is_warning=True)


def _says_the_same(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Of what calls for a person: one edit may be refused for another cause than the edit before it."""
    was, now = condition(before, ConditionType.READY) or {}, condition(after, ConditionType.READY) or {}
    is_of_one_edit = was.get("observedGeneration") == now.get("observedGeneration")
    return is_of_one_edit or condition(after, ConditionType.STALLED) is None or was.get("message") == now.get("message")


def _ready(status: Mapping[str, Any]) -> Event | None:
    ready = condition(status, ConditionType.READY)
    if ready is None:
        return None
    reason = str(ready.get("reason"))
    is_warning = condition(status, ConditionType.STALLED) is not None or reason in _SOMEBODY_MUST_ACT
    is_public = is_warning or reason in _END_OF_THE_WAY
    return Event(reason, RECONCILE, str(ready.get("message")), is_warning=is_warning, is_public=is_public)


def _trouble(status: Mapping[str, Any]) -> Event | None:
    """A rejection that only Synced shows. A retry that only Synced shows is the trouble of a connection: the log has one
    line for it, not one for each object."""
    ready, synced = condition(status, ConditionType.READY) or {}, condition(status, ConditionType.SYNCED) or {}
    reason = synced.get("reason")
    if reason not in _REJECTED or reason == ready.get("reason"):
        return None
    return Event(str(reason), RECONCILE, str(synced.get("message")), is_warning=True)
