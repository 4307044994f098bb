"""What can be said of one RunaiWorkload: asked for, sent, shown by Run:ai, waited for, and what to do.

What a reason means, and what helps, is in `domain.reasons` alone. Pure: the time is an argument.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from runai_operator.commands.view import Seen, View, age, applied_by, link_to, moment, plain, reason_of
from runai_operator.domain.model import IN_DOUBT, NAME_HELD, NOT_SUBMITTED, REPLACING, ManagementPolicy
from runai_operator.domain.reasons import NOTHING, ConditionType, Group, Reason

Report = dict[str, Any]

BY_COMMAND: Mapping[Reason, str] = {
    Reason.PAUSED: "resume",
    Reason.DELETING: "orphan",
    Reason.RECREATE_GIVEN_UP: "refresh",
    Reason.ENDED_UNSEEN: "refresh",
}
"""Commands that do what a remedy says."""

_SUBMISSION = {
    NOT_SUBMITTED: "nothing: it is certain that nothing of this object exists in Run:ai",
    IN_DOUBT: "unknown: an attempt was interrupted, and the operator finds out what became of it",
    NAME_HELD: "unknown: an attempt was interrupted, and its repetition was refused since the name is taken",
    REPLACING: "the workload is being deleted in Run:ai, to create it anew",
}
_ON_DELETION = {
    "Delete": "the workload in Run:ai is deleted, too",
    "Orphan": "the workload stays in Run:ai",
}
_SHOWN = {
    "phase": "phase",
    "phaseMessage": "phaseMessage",
    "desiredPhase": "desiredPhase",
    "syncStatus": "sync",
    "syncMessage": "syncMessage",
    "runningPods": "runningPods",
    "requestedPods": "requestedPods",
    "allocatedGpus": "allocatedGpus",
    "priority": "priority",
    "category": "category",
    "preemptibility": "preemptibility",
    "completedAt": "completedAt",
}


def explain(item: Mapping[str, Any], events: Sequence[Mapping[str, Any]], *, now: datetime) -> Report:
    """The report, as `-o json` prints it; what is not known is left out.

    `events`: those of the object by `events.k8s.io/v1`. Times are RFC 3339, as in the object.
    """
    shown = View(item)
    reasons = _reasons(shown)
    report = {
        "namespace": shown.namespace,
        "name": shown.name,
        "summary": _summary(shown, now),
        "operator": {
            "seen": shown.seen.value,
            "generation": shown.generation,
            "observedGeneration": shown.observed if shown.seen is not Seen.NEVER else None,
            "runaiUnknown": unknown(shown),
        },
        "asked": _asked(shown),
        "sent": _sent(shown),
        "shown": {title: shown.status.get(field) for field, title in _SHOWN.items()},
        "conditions": [_condition(entry) for entry in _conditions(shown)],
        "events": [_event(event) for event in sorted(events, key=_when)],
        "waitsFor": _waits_for(shown),
        "next": list(dict.fromkeys(_next(shown, reasons))),
        "links": {str(reason): link_to(reason) for reason in reasons},
    }
    return {key: _known(value) for key, value in report.items() if value not in (None, {}, [])}


def unknown(shown: View) -> str | None:
    """Why what Run:ai shows is not known at present, if so."""
    synced = shown.condition(ConditionType.SYNCED)
    if synced is None or synced["status"] != "Unknown" or synced["reason"] == Reason.SYNC_NOT_REPORTED:
        return None
    return str(synced["message"])


def _summary(shown: View, now: datetime) -> str:
    """The one sentence that comes first."""
    waited = age(moment(shown.metadata.get("creationTimestamp")), now)
    match shown.seen:
        case Seen.NEVER:
            return f"The operator has not seen this object yet, which is {waited} old."
        case Seen.ANOTHER:
            return (
                "The status was written about an earlier object of this name: the operator has not seen this one yet."
            )
        case Seen.BEHIND:
            behind = f"generation {shown.observed} of the spec, and not the present {shown.generation}"
            return f"The operator has seen {behind}: what follows speaks of the earlier one."
    if shown.deleting:
        return f"It is being deleted, {age(moment(shown.metadata.get('deletionTimestamp')), now)} after that was asked for."
    if unknown(shown) is not None:
        synced = shown.condition(ConditionType.SYNCED) or {}
        return (
            f"What Run:ai shows has not been known for {age(moment(synced.get('lastTransitionTime')), now)}: status is what was"
            " last seen."
        )
    ready = shown.condition(ConditionType.READY) or {}
    reason = reason_of(str(ready.get("reason")))
    return reason.meaning if reason is not None else f"{ready.get('reason')}: {ready.get('message')}"


def _on_deletion(spec: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    policy, managed = str(spec.get("deletionPolicy", "Delete")), spec.get("managementPolicy")
    if managed == ManagementPolicy.DRY_RUN and not status.get("workloadId"):
        return "nothing is in Run:ai"
    return _ON_DELETION["Orphan"] if managed == ManagementPolicy.OBSERVE else _ON_DELETION.get(policy, policy)


def _asked(shown: View) -> Report:
    spec, metadata = shown.spec, shown.metadata
    return {
        "kind": _kind(shown),
        "manifest": _source(spec),
        "project": spec.get("projectName") or (f"id {spec['projectId']}" if spec.get("projectId") else None),
        "nameInRunai": spec.get("name") or (f"{spec['namePrefix']}-…" if spec.get("namePrefix") else shown.name),
        "managementPolicy": spec.get("managementPolicy"),
        "adopts": spec.get("workloadId"),
        "priority": spec.get("priority"),
        "category": spec.get("category"),
        "preemptibility": spec.get("preemptibility"),
        "onDeletion": _on_deletion(spec, shown.status),
        "paused": True if shown.paused else None,
        "appliedBy": applied_by(shown.item),
        "createdAt": metadata.get("creationTimestamp"),
        "deletedAt": metadata.get("deletionTimestamp"),
    }


def _kind(shown: View) -> str | None:
    manifest = shown.spec.get("manifest")
    if isinstance(manifest, dict):
        return f"{manifest.get('kind')} ({manifest.get('apiVersion')})"
    gvk = shown.status.get("gvk")
    if not isinstance(gvk, dict):
        return None
    return f"{gvk.get('kind')} ({'/'.join(part for part in (gvk.get('group'), gvk.get('version')) if part)})"


def _source(spec: Mapping[str, Any]) -> str | None:
    if spec.get("manifest") is not None:
        return "spec.manifest"
    if (text := spec.get("manifestYaml")) is not None:
        return f"spec.manifestYaml ({len(str(text).encode())} bytes)"
    for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        if ref := (spec.get("manifestFrom") or {}).get(field):
            return f"{kind} {ref.get('name')}, key {ref.get('key')}"
    return None


def _sent(shown: View) -> Report:
    status = shown.status
    if shown.seen in (Seen.NEVER, Seen.ANOTHER):
        return {}
    return {
        "submission": _SUBMISSION.get(str(status.get("submission"))),
        "workloadId": status.get("workloadId"),
        "workloadName": status.get("workloadName") if status.get("workloadId") else None,
        "project": status.get("projectName") or status.get("projectId"),
        "hash": status.get("submittedHash"),
        "createdAt": status.get("createdAt"),
        "lastEditAt": status.get("submittedAt"),
    }


def _conditions(shown: View) -> Iterator[Mapping[str, Any]]:
    """In the order of the documentation, then those that this version does not know."""
    there = [entry for entry in shown.status.get("conditions") or () if isinstance(entry, dict)]
    order = [str(kind) for kind in ConditionType]
    yield from sorted(there, key=lambda entry: order.index(entry["type"]) if entry.get("type") in order else len(order))


def _condition(entry: Mapping[str, Any]) -> Report:
    reason = reason_of(str(entry.get("reason")))
    return {
        "type": entry.get("type"),
        "status": entry.get("status"),
        "reason": entry.get("reason"),
        "since": entry.get("lastTransitionTime"),
        "message": entry.get("message"),
        "meaning": plain(reason.meaning) if reason else "This version does not know the reason.",
    }


def _event(event: Mapping[str, Any]) -> Report:
    return {
        "time": _when(event),
        "type": event.get("type"),
        "reason": event.get("reason"),
        "note": event.get("note"),
        "count": (event.get("series") or {}).get("count") or event.get("deprecatedCount"),
    }


def _when(event: Mapping[str, Any]) -> str:
    """When it happened last."""
    series = event.get("series") or {}
    return str(
        series.get("lastObservedTime")
        or event.get("eventTime")
        or event.get("deprecatedLastTimestamp")
        or event["metadata"].get("creationTimestamp", "")
    )


def _reasons(shown: View) -> list[Reason]:
    """What the conditions give as reasons, that of Ready first, without what only says that all is well."""
    if shown.seen in (Seen.NEVER, Seen.ANOTHER):
        return []
    kinds = (ConditionType.READY, ConditionType.STALLED, ConditionType.RECONCILING, ConditionType.SYNCED)
    words = [str(found["reason"]) for kind in kinds if (found := shown.condition(kind))]
    known = [reason for word in dict.fromkeys(words) if (reason := reason_of(word)) is not None]
    is_silent = len(known) > 1
    return [reason for reason in known if not (is_silent and reason.group is Group.SYNCED)]


def _waits_for(shown: View) -> str | None:
    """In the words of whoever knows: Run:ai's scheduler, or the operator."""
    if shown.seen is not Seen.CURRENT:
        return "the operator"
    ready = shown.condition(ConditionType.READY) or {}
    if shown.deleting and not shown.held and shown.other_finalizers:
        return f"whoever removes the finalizers {', '.join(shown.other_finalizers)}"
    if shown.deleting and not shown.held:
        return None
    if ready.get("reason") == Reason.PENDING and shown.status.get("phaseMessage"):
        return str(shown.status["phaseMessage"])
    if ready.get("status") != "True":
        return str(ready.get("message"))
    return None


def _next(shown: View, reasons: Sequence[Reason]) -> Iterator[str]:
    target = f"{shown.name} -n {shown.namespace}"
    if shown.seen is not Seen.CURRENT:
        yield (
            "Wait a few seconds. If that lasts, the operator does not run, does not watch this namespace, or cannot read the"
            " object: see its pod and its log."
        )
    remedies = [plain(reason.remedy) for reason in reasons if reason.remedy != NOTHING]
    if not remedies and shown.seen is Seen.CURRENT:
        yield NOTHING
    yield from remedies
    for reason in reasons:
        if command := BY_COMMAND.get(reason):
            yield f"kubectl rwl {command} {target}"


def _known(value: Any) -> Any:
    """Without what is not known."""
    if isinstance(value, dict):
        return {key: part for key, inner in value.items() if (part := _known(inner)) is not None}
    return [_known(inner) for inner in value] if isinstance(value, list) else value
