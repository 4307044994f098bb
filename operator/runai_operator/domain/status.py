"""What status reports: its fields and its conditions, built here, in one place, once per pass.

`Ready`, `Reconciling` and `Stalled` follow the kstatus conventions, so that Helm, Flux, Argo CD and `kubectl wait`
agree: at most one of Reconciling and Stalled is present, and neither beside Ready=True. Every message is a sentence
with a capital letter and a full stop; messages of Run:ai are quoted in one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from operator import attrgetter
from typing import Any

from runai_operator.domain.actions import Result, Verdict
from runai_operator.domain.barred import barred_from
from runai_operator.domain.conditions import condition
from runai_operator.domain.errors import BridgeError
from runai_operator.domain.manifest import Desired, same_content
from runai_operator.domain.model import NAME_HELD, NOT_SUBMITTED, REPLACING, Gvk, Json, ManagementPolicy, Remote, Row
from runai_operator.domain.plan import SETTLED_SYNCS
from runai_operator.domain.reasons import ConditionType, Phase, Reason, reason_of_phase
from runai_operator.domain.state import FINISHED, Ending, State, has_completed
from runai_operator.domain.stored_status import LOST_REASONS
from runai_operator.text import clip, field_paths

MESSAGE_LIMIT = 2048
"""Bound of every message in the schema, in characters."""


@dataclass(frozen=True, slots=True)
class StatusField:
    """One field of `status`: everything about it but its description, which is in the CRD."""

    name: str
    bound: int | Mapping[str, int] | None = None
    """Longest value in the schema, in characters, of a string or of each string in an object: one over its bound would
    refuse the whole write. None where there is nothing to clip."""
    remote: str | None = None
    """The attribute of `Remote` that it shows."""
    row: str | None = None
    """The attribute of `Row` that it shows, and that triggers a pass when it changes; where there is one for `Remote` too, the
    row wins."""
    kept: bool = False
    """It stays when a reading leaves it out; otherwise it is removed then."""
    of_run: bool = True
    """It belongs to one workload in Run:ai, and is removed when that is forgotten."""


FIELDS = (
    StatusField("observedGeneration", of_run=False),
    StatusField("ready", 7, of_run=False),
    StatusField("reason", 256, of_run=False),
    StatusField("connection", 253, of_run=False),
    StatusField("workloadId", 64, remote="id"),
    StatusField("adoptedId", 64, of_run=False),
    StatusField("workloadName", 253, remote="name", kept=True),
    StatusField("projectId", 64, remote="project_id", kept=True),
    StatusField("projectResolvedFrom", 253),
    StatusField("projectName", 253, remote="project_name", row="project_name", kept=True),
    StatusField("clusterId", 64, remote="cluster_id", kept=True),
    StatusField("departmentName", 253, remote="department_name", row="department_name", kept=True),
    StatusField("gvk", {"group": 253, "version": 63, "kind": 63}, remote="gvk", kept=True),
    StatusField("priority", 63, remote="priority", row="priority", kept=True),
    StatusField("category", 63, remote="category", row="category", kept=True),
    StatusField("preemptibility", 63, remote="preemptibility", kept=True),
    StatusField("desiredPhase", 63, remote="desired_phase", kept=True),
    StatusField("syncStatus", 63, remote="sync_status"),
    StatusField("syncMessage", MESSAGE_LIMIT, remote="sync_message"),
    StatusField("phase", 63, row="phase"),
    StatusField("phaseMessage", MESSAGE_LIMIT, row="phase_message"),
    StatusField("runningPods", row="running_pods"),
    StatusField("requestedPods", row="requested_pods"),
    StatusField("allocatedGpus", 32, row="allocated_gpus"),
    # What the next attempt makes is later than this.
    StatusField("createdAt", remote="created_at", kept=True, of_run=False),
    StatusField("completedAt", row="completed_at"),
    StatusField("ownerUid", 64, of_run=False),
    StatusField("submission", 32, of_run=False),
    StatusField("submittedHash", 128),
    StatusField("submittedFrom", 768),
    StatusField("submittedAt"),
    StatusField("previousHash", 128),
    StatusField("validatedHash", 128, of_run=False),
    StatusField("lastHandledReconcileAt", 256, of_run=False),
    StatusField("conditions", of_run=False),
)
"""Everything that this version writes, in the order of the schema. A new field is one line here, beside its reader in
`runai.wire` and its schema in the CRD."""

RUN_FIELDS = tuple(field.name for field in FIELDS if field.of_run)
"""The fields that belong to one workload in Run:ai, and are removed when that is forgotten."""

_BY_NAME: Mapping[str, StatusField] = {field.name: field for field in FIELDS}
_FROM_REMOTE = [(field, field.remote) for field in FIELDS if field.remote is not None]
_OF_PODS = ["desiredPhase", *(field.name for field in FIELDS if field.row is not None and not field.kept)]
"""What is no more when the workload is gone or another's, unless it had finished."""
_CONTRADICTING: Mapping[str | None, Collection[Phase]] = {
    "Running": (Phase.STOPPING, Phase.STOPPED),
    "Stopped": (Phase.RESUMING, Phase.RUNNING),
}
"""Phases in which Run:ai no longer wants the workload to be there."""
_FROM_ROW = [(field, field.row) for field in FIELDS if field.row is not None]
_watched_values = attrgetter(*(attribute for _, attribute in _FROM_ROW))


def watched(row: Row) -> tuple[object, ...]:
    """The values of a row that trigger a pass when they change. Whenever it becomes pending, the scheduler is asked why."""
    return (*_watched_values(row), row.phase_updated_at if row.phase == Phase.PENDING else None)


@dataclass(frozen=True, slots=True)
class ReadyCondition:
    """What Ready says, and which of the two abnormal conditions goes with it."""

    status: str
    reason: str
    message: str
    reconciling: bool = False
    stalled: bool = False


def build_status(s: State, end: Result, *, now: datetime, stalled: bool = False) -> Json:
    """The whole status after this pass.

    `now` (UTC) is the time of transitions. `stalled`: what is outstanding has waited too long to count as reconciling.
    """
    status = mirrored(s)
    status.update({name: _redacted(status[name]) for name in _MAY_QUOTE if _quotes_secret(s, name, status)})
    _record_delivery(status, s, end)
    status["observedGeneration"] = s.workload.meta.generation
    status["submission"] = _submission(s, end)
    status["validatedHash"] = _validated_hash(s, end)
    if shown_id(s) is None:
        status["projectId"] = s.target_project
        if end.not_submitted:
            status |= {"projectId": None, "clusterId": None, "connection": None}  # they are chosen anew
        if status["projectId"] is not None:
            status |= {"ownerUid": s.workload.ref.uid} | s.place_of_attempt
    elif isinstance(s.desired, Desired) and s.desired.submission.project_id == status.get("projectId"):
        status["projectResolvedFrom"] = s.workload.spec.project_name
    if s.workload.meta.reconcile_token is not None and not end.in_trouble:
        status["lastHandledReconcileAt"] = s.workload.meta.reconcile_token
    completed = status.get("phase") == Phase.COMPLETED or (bool(s.workload_id) and s.stored_status.completed)
    if completed:
        status["phase"] = Phase.COMPLETED.value
    silent = _is_silent_about_sync(s, end)
    ready = ready_condition(s, status, end, stalled=stalled, silent=silent)
    status["ready"], status["reason"] = ready.status, str(ready.reason)
    synced = _ONLY_CHECKED if end.verdict is Verdict.VALID else _synced(s, status, end, silent=silent)
    status["conditions"] = _conditions(s, ready, synced, completed=completed, now=now)
    return {key: _bounded(key, value) for key, value in status.items() if value is not None}


def _submission(s: State, end: Result) -> str | None:
    if s.workload_id is None:
        return NOT_SUBMITTED if end.not_submitted else NAME_HELD if s.name_held else None
    return REPLACING if s.is_replacing(end) else None


def _validated_hash(s: State, end: Result) -> str | None:
    """Of what Run:ai would accept, as far as it has said so; none once it has refused that."""
    if s.workload.spec.management_policy is not ManagementPolicy.DRY_RUN or end.verdict is Verdict.REJECTED:
        return None
    if end.verdict is Verdict.VALID and isinstance(s.desired, Desired):
        return s.desired.fingerprint(adopts=False)
    return s.stored_status.validated_hash


def patch_between(stored: Mapping[str, Any], desired: Mapping[str, Any]) -> Json:
    """Merge patch that turns `stored` into `desired`; empty when they are equal. Fields of a newer version are kept."""
    patch: Json = {key: value for key, value in desired.items() if stored.get(key) != value}
    patch.update({key: None for key in stored if key not in desired and key in _BY_NAME})
    return patch


def overlay(status: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """The status after a merge patch of its top-level fields."""
    return {key: value for key, value in {**status, **patch}.items() if value is not None}


def forget_run() -> Json:
    """Merge patch that forgets a workload which is proven gone, before the next one is created."""
    return dict.fromkeys(RUN_FIELDS)


def mirrored(s: State) -> Json:
    """Status fields as Run:ai shows them now, on top of what was stored."""
    status: Json = dict(s.workload.status)
    remote, row = s.remote, s.row_to_show
    if s.workload_id is None:
        status.update(_asked_for(s))
    if shown_id(s) is None or s.is_lost:
        if s.workload_id is not None and s.is_gone:
            status.update(syncStatus="Deleted", syncMessage=None)
        if s.workload_id is not None and row is not None and s.ending is Ending.FINISHED:
            status.update(_shown(row, _FROM_ROW))
        elif s.stored_status.phase not in FINISHED:
            status.update(dict.fromkeys(_OF_PODS))
        return _owned(status, s)
    if isinstance(remote, Remote) and remote.id == shown_id(s):
        status.update(_shown_by(remote, s))
    if row is not None:
        status.update(_shown(row, _FROM_ROW))
        if not isinstance(remote, Remote) and row.phase in _CONTRADICTING.get(status.get("desiredPhase"), ()):
            status.update(desiredPhase=None)  # as read before somebody stopped or resumed it
    if s.row_proves_sync and status.get("syncStatus") not in {*SETTLED_SYNCS, "Deleting"}:
        status.update(syncStatus="Synced", syncMessage=None)
    return _owned(status, s)


def _shown_by(remote: Remote, s: State) -> Json:
    # Where it was moved, its project is not the one that the spec names.
    moved: Json = {} if remote.project_id == s.stored_status.project_id else {"projectResolvedFrom": None}
    return moved | _shown(remote, _FROM_REMOTE)


_MAY_QUOTE = ("syncMessage", "phaseMessage")
"""Fields in Run:ai's own words, which may quote the manifest."""


def _quotes_secret(s: State, name: str, status: Mapping[str, Any]) -> bool:
    """What Run:ai says there may quote a manifest from a Secret: the present one, or the one before it."""
    before, said = s.workload.status, status.get(name)
    if not said:
        return False
    if s.is_confidential or before.get(name) == _redacted(said):
        return True
    if s.may_be_confidential:
        return bool(before.get(name) != said)
    # The end of a sync that was seen on its way is the end of the present one.
    is_of_sync = name == "syncMessage" and before.get("syncStatus") not in {None, *SETTLED_SYNCS}
    return s.follows_secret and before.get(name) != said and not is_of_sync


def _redacted(said: str) -> str:
    """Doing it again changes nothing."""
    fields = field_paths(said)
    about = f" about {fields}" if fields else ""
    return f"a message{about}, left out since the manifest comes from a Secret"


def _asked_for(s: State) -> Json:
    """What can be said of a workload that is not there yet, or never will be."""
    named: Json = {"projectName": s.workload.spec.project_name}
    return named | {"gvk": asdict(s.gvk)} if s.gvk is not None else named


def _owned(status: Json, s: State) -> Json:
    if status.get("workloadId"):
        status["ownerUid"] = s.workload.ref.uid
        if s.workload_id is None:
            status["connection"] = s.connection
    return status


def shown_id(s: State) -> str | None:
    """The id of the workload that status is about; not of one that was only read and may be adopted, or
    that may not be observed."""
    if s.workload_id is not None or s.workload.spec.management_policy is not ManagementPolicy.OBSERVE:
        return s.workload_id
    remote = s.remote
    is_barred = isinstance(remote, Remote) and barred_from(s, remote) is not None
    return None if is_barred else s.workload.spec.workload_id


def _shown(reading: Remote | Row, sources: Iterable[tuple[StatusField, str]]) -> Json:
    values = [(field, _plain(getattr(reading, attribute))) for field, attribute in sources]
    return {field.name: value for field, value in values if value is not None or not field.kept}


def _plain(value: object) -> object:
    """As a JSON value; None for an empty text."""
    return asdict(value) if isinstance(value, Gvk) else None if value == "" else value


def _record_delivery(status: Json, s: State, end: Result) -> None:
    if isinstance(s.desired, Desired) and (
        end.verdict is Verdict.DELIVERED or _was_hashed_otherwise(s, s.desired, end)
    ):
        status["submittedHash"] = s.hash_of(s.desired)
    elif end.outstanding and _is_record_doubtful(s):
        status["submittedHash"] = s.hash_of(None)


def _is_record_doubtful(s: State) -> bool:
    """Run:ai may hold something else than status records; completed work takes nothing any more."""
    has_ended = s.stored_status.completed or has_completed(s.row)
    return not has_ended and (s.may_have_sent_another if s.record_holds is None else not s.record_holds)


def _was_hashed_otherwise(s: State, desired: Desired, end: Result) -> bool:
    """By another version of the operator: what changes from now on could not be noticed by the old hash."""
    recorded = s.stored_status.content
    if not recorded or end.verdict is not Verdict.IN_SYNC or end.outstanding:
        return False
    return same_content(recorded, desired.content) is None


def _is_silent_about_sync(s: State, end: Result) -> bool:
    """This Run:ai leaves out `syncInfo` when read, as the schema allows; answers to POST and PUT never have it."""
    if end.verdict is Verdict.DELIVERED:
        return False
    if isinstance(s.remote, Remote):
        return s.remote.sync_status is None
    if "syncStatus" in s.memory.pending_status:
        return False  # an edit was sent, which no reading has shown yet
    stored = s.stored_status
    # While that is unknown for another reason, Ready shows that it went by the phase.
    went_by_phase = stored.unknown is not None and stored.reason != Reason.SYNCING
    return stored.synced_reason == Reason.SYNC_NOT_REPORTED or (
        went_by_phase and s.workload.status.get("syncStatus") is None
    )


def ready_condition(s: State, status: Mapping[str, Any], end: Result, *, stalled: bool, silent: bool) -> ReadyCondition:
    """What Ready says; the first match wins: deleting, rejected, waiting, retrying, paused, then what Run:ai shows."""
    match end.verdict:
        case Verdict.DELETING:
            message = end.error.message if end.error else "The workload is being deleted."
            return ReadyCondition("False", Reason.DELETING, message, reconciling=True)
        case Verdict.REJECTED | Verdict.RETRYING if s.stored_status.completed and end.error is s.desired:
            pass  # what would be sent instead is not known: it has completed all the same
        case Verdict.RETRYING if s.only_restates and s.shows_completed:
            pass  # the same, said again
        case Verdict.REJECTED:
            return _failing(end.error, stalled=True)
        case Verdict.WAITING:
            return _failing(end.error, stalled=stalled)
        case Verdict.RETRYING if end.outstanding:
            return _failing(end.error, stalled=stalled)
        case Verdict.RETRYING if s.stored_status.reason in LOST_REASONS:
            # There is no fresh reading of Run:ai, and only one may clear this reason.
            return _failing(s.trouble, stalled=condition(s.workload.status, ConditionType.STALLED) is not None)
        case Verdict.PAUSED if end.outstanding:
            message = (
                "Paused, with changes not yet submitted: remove the annotation bridge.run.ai/paused to submit them."
            )
            return ReadyCondition("False", Reason.PAUSED, message, stalled=True)
    shown = _at_rest(status, end, stalled=stalled, silent=silent)
    if s.workload.meta.paused and shown.status == "True":
        message = "Paused: nothing is written to Run:ai until the annotation bridge.run.ai/paused is removed."
        return ReadyCondition("True", Reason.PAUSED, message)
    return shown


def _failing(error: BridgeError | None, *, stalled: bool) -> ReadyCondition:
    error = error or BridgeError("The operator gave no reason.")
    return ReadyCondition("False", error.condition_reason, error.message, stalled=stalled, reconciling=not stalled)


def _at_rest(status: Mapping[str, Any], end: Result, *, stalled: bool, silent: bool) -> ReadyCondition:
    """Nothing is rejected, retried or held back."""
    if end.verdict is Verdict.VALID:
        return ReadyCondition("True", Reason.VALID, Reason.VALID.meaning)
    return _until_stalled(_as_shown(status, silent=silent), stalled=stalled)


def _until_stalled(shown: ReadyCondition, *, stalled: bool) -> ReadyCondition:
    """An edit may wait until Run:ai has deleted the workload."""
    return replace(shown, reconciling=False, stalled=True) if stalled and shown.reconciling else shown


def _as_shown(status: Mapping[str, Any], *, silent: bool) -> ReadyCondition:
    """What Run:ai shows: a finished phase, which stays when the workload is gone; else the sync, else the phase."""
    phase, detail = status.get("phase"), status.get("phaseMessage") or ""
    if phase == Phase.COMPLETED:
        return ReadyCondition("True", Reason.COMPLETED, Reason.COMPLETED.meaning)
    if phase == Phase.FAILED and status.get("syncStatus") == "Deleted":
        return _of_phase(phase, detail)
    return _before_phases(status, silent=silent) or _of_phase(phase, detail)


def _before_phases(status: Mapping[str, Any], *, silent: bool) -> ReadyCondition | None:
    """What takes precedence over a phase."""
    sync = status.get("syncStatus")
    if sync == "Failed":
        return ReadyCondition("False", Reason.SYNC_FAILED, _why_the_sync_failed(status), stalled=True)
    if status.get("desiredPhase") == "Deleted" or sync in ("Deleting", "Deleted"):
        return ReadyCondition("False", Reason.RUNAI_DELETING, "Run:ai is deleting the workload.", reconciling=True)
    if sync != "Synced" and not silent:
        return ReadyCondition("False", Reason.SYNCING, _how_the_sync_goes(sync), reconciling=True)
    return None


def _of_phase(phase: str | None, detail: str) -> ReadyCondition:
    if phase is None:
        message = "The workload is on its cluster and has no phase yet."
        return ReadyCondition("False", Reason.CREATING, message, reconciling=True)
    reason = reason_of_phase(phase)
    match reason:
        case Reason.RUNNING:
            return ReadyCondition("True", reason, reason.meaning)
        case Reason.STOPPED:
            return ReadyCondition("True", reason, _quoted(detail) or reason.meaning)
        case Reason.FAILED:
            return ReadyCondition("False", reason, _quoted(detail) or reason.meaning, stalled=True)
        case Reason.DEGRADED:
            return ReadyCondition("False", reason, _quoted(detail) or reason.meaning, reconciling=True)
    return ReadyCondition("False", reason, _quoted(detail) or f"The phase in Run:ai is {phase}.", reconciling=True)


_ONLY_CHECKED = ("False", Reason.NOT_DELIVERED, "Nothing is sent to Run:ai but dry runs: managementPolicy is DryRun.")


def _synced(s: State, status: Mapping[str, Any], end: Result, *, silent: bool) -> tuple[str, str, str]:
    """Status, reason and message of Synced: has the last change reached the cluster?"""
    sync, error = status.get("syncStatus"), end.error
    if end.verdict is Verdict.DELETING:
        return "False", Reason.DELETING, error.message if error else "The workload is being deleted."
    if end.outstanding and error and s.workload.spec.management_policy is ManagementPolicy.OBSERVE:
        # Nothing is ever to be sent for it.
        return "Unknown" if end.verdict is Verdict.RETRYING else "False", error.condition_reason, error.message
    if end.outstanding:
        message = "The last change has not been sent to Run:ai."
        said = _with_hint(error.condition_reason, error.message) if error else message
        return "False", Reason.NOT_DELIVERED, said
    if end.verdict in (Verdict.REJECTED, Verdict.WAITING, Verdict.IN_SYNC, Verdict.PAUSED) and error:
        return "False", error.condition_reason, error.message
    unknown = _why_unknown(s, status, end, silent=silent)
    if (before := _synced_before(s, end, unknown)) is not None:
        return before["status"], before["reason"], before["message"]
    if unknown is not None:
        return "Unknown", unknown.condition_reason, unknown.message
    # Completed work is read no more.
    has_run_there = (sync == "Deleted" and status.get("phase") in FINISHED) or (
        status.get("phase") == Phase.COMPLETED and sync != "Failed" and not (silent and sync is None)
    )
    if sync == "Synced" or has_run_there:
        return "True", Reason.SYNCED, Reason.SYNCED.meaning
    if sync == "Failed":
        return "False", Reason.SYNC_FAILED, _why_the_sync_failed(status)
    if silent and sync is None:
        message = "This Run:ai does not report whether a workload has reached its cluster."
        return "Unknown", Reason.SYNC_NOT_REPORTED, message
    return "False", Reason.SYNCING, _how_the_sync_goes(sync)


def _synced_before(s: State, end: Result, unknown: BridgeError | None) -> Mapping[str, Any] | None:
    """The condition as it is stored, while the workload cannot be read and only something else may clear it."""
    if end.verdict is not Verdict.RETRYING:
        return None
    is_lost = unknown is None and s.stored_status.reason in LOST_REASONS
    return condition(s.workload.status, ConditionType.SYNCED) if is_lost or s.lacks_source_as_stored else None


def _why_unknown(s: State, status: Mapping[str, Any], end: Result, *, silent: bool) -> BridgeError | None:
    """Why nobody knows whether what status shows still holds; None while its source answers, or it holds for good.

    The source is the lists, and the readings by id for a sync in flight.
    """
    was = s.stored_status.unknown
    if status.get("phase") == Phase.COMPLETED or end.verdict is Verdict.DELIVERED:
        return None
    if (unread := s.unread(end)) is not None:  # at this object, whatever happens at others
        is_stale = s.now - unread.since >= s.limits.stale_after
        return was or (end.error if is_stale else None)
    if not silent and status.get("syncStatus") not in SETTLED_SYNCS:
        return None if isinstance(s.remote, Remote) else was or s.freshness.reads
    return s.freshness.lists if s.freshness.is_known else was


def _why_the_sync_failed(status: Mapping[str, Any]) -> str:
    said = _quoted(status.get("syncMessage") or "")
    return said or "Run:ai could not bring the workload to its cluster and gave no reason."


def _how_the_sync_goes(sync: str | None) -> str:
    if sync is None:
        return "The workload was submitted to Run:ai."
    return f"Run:ai accepted the workload and is bringing it to its cluster ({sync})."


def _quoted(said: str) -> str:
    """A message of Run:ai, as a sentence; empty when there is none."""
    said = said.strip().rstrip(".")
    return f"Run:ai reports: {said}." if said else ""


def _conditions(
    s: State, ready: ReadyCondition, synced: tuple[str, str, str], *, completed: bool, now: datetime
) -> list[Json]:
    made = [(ConditionType.READY, ready.status, ready.reason, ready.message)]
    if ready.reconciling:
        made.append((ConditionType.RECONCILING, "True", ready.reason, ready.message))
    if ready.stalled:
        made.append((ConditionType.STALLED, "True", ready.reason, ready.message))
    made.append((ConditionType.SYNCED, *synced))
    if completed:
        made.append((ConditionType.COMPLETED, "True", Reason.COMPLETED, Reason.COMPLETED.meaning))
    conditions: list[Json] = [
        {
            "type": kind.value,
            "status": status,
            "reason": str(reason),
            "message": clip(_with_hint(reason, message), MESSAGE_LIMIT),
            "observedGeneration": s.workload.meta.generation,
            "lastTransitionTime": _transition_time(s, kind, status, now),
        }
        for kind, status, reason, message in made
    ]
    # Types that a newer version may have written are kept as they are.
    ours = frozenset(ConditionType)
    return conditions + [entry for entry in s.workload.status.get("conditions") or () if entry.get("type") not in ours]


def _with_hint(reason: str, message: str) -> str:
    """The reason of a message that is shown again is only a text: the message has it already."""
    hint = reason.hint if isinstance(reason, Reason) else ""
    return f"{message} {hint}" if hint else message


def _transition_time(s: State, kind: str, status: str, now: datetime) -> str:
    before = condition(s.workload.status, kind)
    if before is not None and before["status"] == status:
        return str(before["lastTransitionTime"])
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def _bounded(name: str, value: Any) -> Any:
    bound = _BY_NAME[name].bound if name in _BY_NAME else None
    if isinstance(bound, int):
        return clip(value, bound)
    return {part: clip(text, bound[part]) for part, text in value.items()} if bound else value
