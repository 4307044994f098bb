"""Every word in a status that programs may rely on: types of conditions, reasons, and Run:ai's phases.

A member is the word itself, and carries a sentence on what it means and one on what a person should do about it. The
tables in docs/status.md are written from here, so a word cannot be added without its sentences.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Self

NOTHING = "Nothing."
WAIT = "Wait."


class ConditionType(StrEnum):
    """`status.conditions[].type`. The first three follow kstatus: Reconciling and Stalled are there only while true."""

    meaning: str
    """Of `True`."""
    when_false: str
    when_absent: str

    def __new__(cls, word: str, meaning: str, when_false: str, when_absent: str) -> Self:
        member = str.__new__(cls, word)
        member._value_ = word
        member.meaning, member.when_false, member.when_absent = meaning, when_false, when_absent
        return member

    READY = (
        "Ready",
        "The workload runs, has completed or is stopped, as you asked.",
        "It is not, or not yet.",
        "The operator has not seen the object yet.",
    )
    RECONCILING = (
        "Reconciling",
        "It is on its way, without anybody's help.",
        "Never.",
        "There is nothing to wait for.",
    )
    STALLED = (
        "Stalled",
        "It will not go on by itself: the message says what to do.",
        "Never.",
        "Nothing is wrong.",
    )
    SYNCED = (
        "Synced",
        "The last change has reached the cluster. `Unknown`: Run:ai gives no useful answer, so the status may be old.",
        "It has not yet, or it failed to.",
        "The operator has not seen the object yet.",
    )
    COMPLETED = ("Completed", "The workload has completed once; this stays.", "Never.", "It has not.")


class Group(StrEnum):
    """Reasons of the same kind, and where they appear."""

    heading: str
    where: str

    def __new__(cls, word: str, heading: str, where: str) -> Self:
        member = str.__new__(cls, word)
        member._value_ = word
        member.heading, member.where = heading, where
        return member

    SHOWN = ("shown", "What Run:ai shows", "`Ready`, and the same on `Reconciling` or `Stalled`.")
    ASKED = ("asked", "What you asked for", "`Ready`, and the same on `Reconciling` or `Stalled`.")
    REJECTED = (
        "rejected",
        "Rejected",
        (
            "`Ready` and `Stalled`. The operator tries again when the spec changes, and every half hour in case the other"
            " side did."
        ),
    )
    RETRYING = (
        "retrying",
        "Retrying",
        (
            "`Ready` with `Reconciling`, later `Stalled`, while something waits to be sent; else only `Synced`. The operator"
            " tries again by itself."
        ),
    )
    SYNCED = (
        "synced",
        "Only on `Synced`",
        "`Synced` says whether the last change has reached the cluster. Beside these it shows the reasons above.",
    )
    LOGGED = (
        "logged",
        "Only in logs and metrics",
        "The result of a reconcile or of a write to Kubernetes; no condition shows these.",
    )


class Reason(StrEnum):
    """`status.conditions[].reason`, and the word for an error in logs and metrics."""

    group: Group
    meaning: str
    remedy: str
    """What a person should do."""
    hint: str
    """The end of a message that does not say that itself: the remedy in short, and where there is more."""

    def __new__(cls, word: str, group: Group, meaning: str, remedy: str, hint: str = "") -> Self:
        member = str.__new__(cls, word)
        member._value_ = word
        member.group, member.meaning, member.remedy = group, meaning, remedy
        member.hint = f"{hint} (docs/status.md#{word.lower()})." if hint else ""
        return member

    @property
    def in_conditions(self) -> bool:
        """Whether a condition can show it."""
        return self.group is not Group.LOGGED

    @property
    def anchor(self) -> str:
        """Of its line in docs/status.md."""
        return self.value.lower()

    RUNNING = ("Running", Group.SHOWN, "The workload is running.", NOTHING)
    COMPLETED = (
        "Completed",
        Group.SHOWN,
        "The workload has completed.",
        "Nothing; the condition `Completed` keeps that for good.",
    )
    STOPPED = ("Stopped", Group.SHOWN, "The workload is stopped in Run:ai.", "Resume it in Run:ai to go on.")
    DEGRADED = (
        "Degraded",
        Group.SHOWN,
        "The workload runs with a problem.",
        "Read the message; Run:ai may get over it by itself.",
        "Run:ai may get over it by itself",
    )
    FAILED = (
        "Failed",
        Group.SHOWN,
        "The workload has failed.",
        "Read the message and the workload's logs in Run:ai, then mend the manifest: an edit is sent.",
        "Its logs in Run:ai may say more; an edit of the manifest is sent",
    )
    SYNC_FAILED = (
        "SyncFailed",
        Group.SHOWN,
        "Run:ai could not bring the manifest to its cluster.",
        "Mend what the message names: an edit is sent.",
        "Mend what is named: an edit is sent",
    )
    SYNCING = ("Syncing", Group.SHOWN, "Run:ai has accepted the workload and is bringing it to its cluster.", WAIT)
    CREATING = ("Creating", Group.SHOWN, "The workload is on its cluster and is being set up.", WAIT)
    PENDING = ("Pending", Group.SHOWN, "The workload waits for resources.", "Wait; the message is the scheduler's.")
    INITIALIZING = ("Initializing", Group.SHOWN, "Images are pulled and containers started.", WAIT)
    UPDATING = ("Updating", Group.SHOWN, "A change is being applied.", WAIT)
    RESUMING = ("Resuming", Group.SHOWN, "The workload comes back after a stop.", WAIT)
    STOPPING = ("Stopping", Group.SHOWN, "The workload is being stopped in Run:ai.", WAIT)
    RUNAI_DELETING = (
        "RunaiDeleting",
        Group.SHOWN,
        "Run:ai is deleting the workload although this object lives.",
        "Find out who deleted it.",
        "Find out who deleted it",
    )
    UNKNOWN_PHASE = (
        "UnknownPhase",
        Group.SHOWN,
        "Run:ai shows a phase that the operator does not know.",
        "See the phase in Run:ai.",
        "See it in Run:ai",
    )

    PAUSED = (
        "Paused",
        Group.ASKED,
        "Nothing is written to Run:ai.",
        "Remove the annotation `bridge.run.ai/paused` to go on.",
    )
    VALID = (
        "Valid",
        Group.ASKED,
        "Run:ai would accept the workload, and nothing was submitted.",
        "Set `managementPolicy: Manage` to submit it.",
    )
    PROVING_DRY_RUN = (
        "ProvingDryRun",
        Group.ASKED,
        "The operator finds out whether this Run:ai creates nothing on a dry run, before it sends the first one.",
        "Wait: that takes a little longer than the lists of Run:ai may lag (`OPERATOR_GRACE_PERIOD`).",
    )
    DELETING = (
        "Deleting",
        Group.ASKED,
        "The object is being deleted and waits for Run:ai.",
        "Do what the message says, or wait; `deletionPolicy: Orphan` removes the object at once and leaves the workload in Run:ai.",
        "Setting deletionPolicy: Orphan leaves the workload in Run:ai and removes this object at once",
    )
    WAITING_FOR_NAME = (
        "WaitingForName",
        Group.ASKED,
        "The name is still held by a workload that is being deleted or not yet visible.",
        "Wait; if that lasts, see that the project's cluster is connected, and what has the name in Run:ai.",
    )
    WAITING_TO_RECREATE = (
        "WaitingToRecreate",
        Group.ASKED,
        (
            "Somebody deleted the workload in Run:ai again, and `externalDeletionPolicy: Recreate` creates it again in a"
            " while."
        ),
        "Find out who deletes it.",
        "Find out who deletes it",
    )
    RECREATING = (
        "Recreating",
        Group.ASKED,
        "The old workload is being deleted so that the new one can be created.",
        "Wait; if that lasts, see that the workload's cluster is connected.",
    )

    INVALID_SPEC = (
        "InvalidSpec",
        Group.REJECTED,
        "Run:ai or the operator refuses the manifest or another field.",
        "Mend what the message names: an edit is tried at once.",
        "An edit is tried at once",
    )
    IMMUTABLE_FIELD_CHANGED = (
        "ImmutableFieldChanged",
        Group.REJECTED,
        "A field changed that Run:ai cannot change.",
        (
            "Undo the edit, or set `recreatePolicy: OnImmutableChange`; for a workload that has finished also"
            " `rerunPolicy: OnSpecChange`."
        ),
    )
    FINISHED_NOT_RERUN = (
        "FinishedNotRerun",
        Group.REJECTED,
        "Finished work was edited, or left behind by an earlier object of the name, and does not run again by itself.",
        "Undo the edit, set `rerunPolicy: OnSpecChange`, or create a new object.",
    )
    NAME_TAKEN = (
        "NameTaken",
        Group.REJECTED,
        "Another workload of the project has the name.",
        "Set `spec.name` or `spec.namePrefix`, or adopt it by `spec.workloadId`.",
    )
    MANAGED_BY_OTHER = (
        "ManagedByOther",
        Group.REJECTED,
        "Another object has the workload, or it carries the owner mark of another object or another install.",
        "Remove one of the two, or set another `spec.name` or `spec.workloadId`.",
    )
    INSTALL_CHANGED = (
        "InstallChanged",
        Group.REJECTED,
        "The workload is this object's own, but carries the mark of an install id that the operator no longer has.",
        "Set `OPERATOR_INSTALL_ID` back to the id that the message names, or add that to `OPERATOR_FORMER_INSTALL_IDS`.",
    )
    PROJECT_NOT_FOUND = (
        "ProjectNotFound",
        Group.REJECTED,
        "The project is not there or not visible to the operator.",
        (
            "Correct `spec.projectName`, or give the operator's service account a role in it; looked for again every five"
            " minutes."
        ),
    )
    PROJECT_AMBIGUOUS = (
        "ProjectAmbiguous",
        Group.REJECTED,
        "Several projects have the name.",
        "Set `spec.clusterId`, or `spec.projectId` instead.",
    )
    PROJECT_NOT_ALLOWED = (
        "ProjectNotAllowed",
        Group.REJECTED,
        "The operator's table of access does not let objects of the namespace use the project, or adopt workloads in it.",
        "Name a project that they may use, or ask whoever runs the operator to extend `runai.access`.",
    )
    WORKLOAD_NOT_FOUND = (
        "WorkloadNotFound",
        Group.REJECTED,
        "Run:ai has no workload with the id in `spec.workloadId`.",
        "Correct the id. What was only observed and had finished stays as it ended, with this reason in `Synced` alone.",
    )
    DELETED_EXTERNALLY = (
        "DeletedExternally",
        Group.REJECTED,
        "The workload was deleted in Run:ai, and nothing shows that it had finished.",
        "Delete this object, or set `externalDeletionPolicy: Recreate`.",
    )
    ENDED_UNSEEN = (
        "EndedUnseen",
        Group.REJECTED,
        "The workload is no longer in Run:ai, and nothing there says how it ended. It may have finished, so it is not run again.",
        (
            "Look for its results; to run it again, create a new object, or under `externalDeletionPolicy: Recreate` change"
            " `bridge.run.ai/reconcile-requested-at`."
        ),
    )
    CONNECTION_NOT_FOUND = (
        "ConnectionNotFound",
        Group.REJECTED,
        "The Run:ai connection that the workload was submitted through is not configured any more.",
        "Restore the connection, so that the operator can reach the workload behind it.",
    )
    RECREATE_GIVEN_UP = (
        "RecreateGivenUp",
        Group.REJECTED,
        "The workload was deleted in Run:ai again and again.",
        "Find out who deletes it, then change `bridge.run.ai/reconcile-requested-at`.",
    )
    DRY_RUN_UNSUPPORTED = (
        "DryRunUnsupported",
        Group.REJECTED,
        (
            "This Run:ai creates what it is only to check, as releases before 2.25 do, or does not let the operator find out"
            " whether it does: no dry run is sent."
        ),
        "Do what the message says, or set `managementPolicy: Manage`. After an upgrade of Run:ai, restart the operator.",
    )
    SOURCE_NOT_FOUND = (
        "SourceNotFound",
        Group.REJECTED,
        "The ConfigMap or Secret of `manifestFrom`, or its key, is not there.",
        "Create it, or correct `spec.manifestFrom`. What was submitted goes on, with this reason in `Synced` alone.",
    )
    SOURCE_FORBIDDEN = (
        "SourceForbidden",
        Group.REJECTED,
        "The operator may not read the source of `manifestFrom`.",
        "Allow it (for Secrets a setting of the chart), or give the manifest in another way.",
    )
    SOURCE_INVALID = (
        "SourceInvalid",
        Group.REJECTED,
        "The source of `manifestFrom` holds no text.",
        "Put the manifest there as UTF-8.",
    )

    RUNAI_UNAVAILABLE = (
        "RunaiUnavailable",
        Group.RETRYING,
        "Run:ai cannot be reached or fails to answer.",
        "Wait; if others reach it, check `RUNAI_BASE_URL`, proxy and certificates.",
        "The operator tries again by itself",
    )
    RUNAI_THROTTLED = ("RunaiThrottled", Group.RETRYING, "Run:ai asks for fewer requests.", WAIT)
    ACCESS_DENIED = (
        "AccessDenied",
        Group.RETRYING,
        "The credentials are refused or lack a permission.",
        "Check the Secret, or have the service account given the role that the message names.",
    )
    NOT_VISIBLE = (
        "NotVisible",
        Group.RETRYING,
        (
            "Run:ai answers as if the workload did not exist, and nothing else proves that it is gone: access to its project"
            " may have been lost."
        ),
        (
            "Give the service account its role in the project again, or restore the Secret of the right account. If it is"
            " gone indeed, `deletionPolicy: Orphan` lets the object be deleted."
        ),
    )
    OUTCOME_UNKNOWN = (
        "OutcomeUnknown",
        Group.RETRYING,
        "A request got no answer, so it is not known whether it was carried out.",
        "Wait; the operator finds out before it sends anything again.",
        "The operator finds out before it sends anything again",
    )
    UNEXPECTED_REPLY = (
        "UnexpectedReply",
        Group.RETRYING,
        "An answer does not fit the API.",
        "Check `RUNAI_BASE_URL` and Run:ai's version.",
        "The operator tries again by itself",
    )
    RUNAI_BUSY = (
        "RunaiBusy",
        Group.RETRYING,
        "Run:ai is still applying or deleting.",
        "Wait; if that lasts, see that the workload's cluster is connected.",
        "The operator tries again by itself",
    )
    HOLDER_UNREADABLE = (
        "HolderUnreadable",
        Group.RETRYING,
        "The name is held by a workload that Run:ai lists but does not show.",
        "Remove it in Run:ai, or set `spec.workloadId` to its id.",
    )
    KUBERNETES_UNAVAILABLE = (
        "KubernetesUnavailable",
        Group.RETRYING,
        "The source of `manifestFrom` could not be read from Kubernetes.",
        WAIT,
        "The operator tries again by itself",
    )
    INTERNAL_ERROR = (
        "InternalError",
        Group.RETRYING,
        "This is a fault of the operator.",
        "Report it with the operator's log.",
        "Report it with the operator's log",
    )

    SYNCED = ("Synced", Group.SYNCED, "What was submitted has reached the cluster.", NOTHING)
    SYNC_NOT_REPORTED = (
        "SyncNotReported",
        Group.SYNCED,
        (
            "This Run:ai does not report whether a workload has reached its cluster: `Synced` is `Unknown`, and `Ready` goes"
            " by the phase alone."
        ),
        NOTHING,
    )
    NOT_DELIVERED = (
        "NotDelivered",
        Group.SYNCED,
        "The last change has not been sent to Run:ai; the message says why.",
        "See `Ready`.",
    )

    STALE_OBJECT = (
        "StaleObject",
        Group.LOGGED,
        "Somebody else wrote the object in between; it is read again at once.",
        NOTHING,
    )
    FINALIZER_REMOVED = (
        "FinalizerRemoved",
        Group.LOGGED,
        "Somebody else removed the finalizer of an object whose workload may still be in Run:ai.",
        "Look at the record with `runai-operator orphans`, and clean it up with `--delete`.",
    )
    VANISHED = ("Vanished", Group.LOGGED, "The object went away meanwhile.", NOTHING)
    NOT_LEADER = ("NotLeader", Group.LOGGED, "This process may not write (any more): another one does.", NOTHING)
    TOO_LARGE = (
        "TooLarge",
        Group.LOGGED,
        "The object leaves no room in etcd for the operator's finalizer and status.",
        "Make the manifest smaller, or move it into a ConfigMap and use `manifestFrom`.",
    )


class Phase(StrEnum):
    """`phase` of the Workloads API v1, 2.21 to 2.24. An open enum: other words are shown as they come."""

    reason: Reason
    """Of Ready while what was submitted has reached the cluster."""

    def __new__(cls, word: str, reason: Reason) -> Self:
        member = str.__new__(cls, word)
        member._value_ = word
        member.reason = reason
        return member

    @property
    def meaning(self) -> str:
        return self.reason.meaning

    CREATING = ("Creating", Reason.CREATING)
    PENDING = ("Pending", Reason.PENDING)
    INITIALIZING = ("Initializing", Reason.INITIALIZING)
    RUNNING = ("Running", Reason.RUNNING)
    UPDATING = ("Updating", Reason.UPDATING)
    RESUMING = ("Resuming", Reason.RESUMING)
    STOPPING = ("Stopping", Reason.STOPPING)
    STOPPED = ("Stopped", Reason.STOPPED)
    DEGRADED = ("Degraded", Reason.DEGRADED)
    COMPLETED = ("Completed", Reason.COMPLETED)
    FAILED = ("Failed", Reason.FAILED)
    DELETING = ("Deleting", Reason.RUNAI_DELETING)
    TERMINATING = ("Terminating", Reason.RUNAI_DELETING)
    UNKNOWN = ("Unknown", Reason.UNKNOWN_PHASE)


PHASES: frozenset[str] = frozenset(Phase)
"""The documented words."""
_REASONS: Mapping[str, Reason] = {phase: phase.reason for phase in Phase}


def reason_of_phase(phase: str) -> Reason:
    """The reason of Ready for a phase that Run:ai shows, whether it is known or not."""
    return _REASONS.get(phase, Reason.UNKNOWN_PHASE)
