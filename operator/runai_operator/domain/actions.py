"""The verbs: everything that a pass may do next, each a value, and the result that ends it.

A pass alternates between `decide` and performing: reading verbs bring knowledge, writing verbs change the world, and a
`Result` ends the pass.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from runai_operator.domain.errors import BridgeError, Busy, Held
from runai_operator.domain.memory import Memory
from runai_operator.domain.model import Meta, Orphan, Ref, Remote, Row, Submission
from runai_operator.domain.plan import StatusSummary


@dataclass(frozen=True, slots=True)
class Render:
    """Read the manifest and resolve the project: what would we send?"""


@dataclass(frozen=True, slots=True)
class ReadRemote:
    """V2 GET of one id; with its row where we adopt, to learn whether it has finished."""

    workload_id: str
    with_row: bool = False


@dataclass(frozen=True, slots=True)
class FindRemote:
    """Look for what an attempt in doubt may have made: by name, in the project given, else in the one that the spec names."""

    name: str
    project_id: str | None


@dataclass(frozen=True, slots=True)
class ReadOwner:
    """Does the RunaiWorkload that a mark names still exist? Asked of the API server itself."""

    owner: Ref


@dataclass(frozen=True, slots=True)
class ClaimWorkload:
    """Which object of this cluster has the workload? Unless another has, this one does from now on."""

    workload_id: str


@dataclass(frozen=True, slots=True)
class ReadProject:
    """What is the name of this project? Asked only where it decides what is allowed."""

    project_id: str


@dataclass(frozen=True, slots=True)
class ReadRow:
    """v1 GET of one id, which may be another than that of V2: what lists do not show, or show only later."""

    row_id: str


@dataclass(frozen=True, slots=True)
class ReadCRD:
    """Is the CustomResourceDefinition being deleted? Asked after the deletion of the object was seen."""


@dataclass(frozen=True, slots=True)
class ReserveDeletion:
    """Ask the rate limiter of deletions whether this one may be sent."""


@dataclass(frozen=True, slots=True)
class AskDryRuns:
    """Is it proven that this Run:ai creates nothing on a dry run? If nobody has found out yet, that begins in this project."""

    project_id: str


@dataclass(frozen=True, slots=True)
class DryRun:
    """POST with `dryRun`: would Run:ai accept it?"""

    submission: Submission


@dataclass(frozen=True, slots=True)
class BeginSubmission:
    """Remove `status.submission` under guard: from here on the identity is frozen."""


@dataclass(frozen=True, slots=True)
class AddFinalizer:
    """The intent before the first POST, under guard."""


@dataclass(frozen=True, slots=True)
class MarkInDoubt:
    """Write under guard that an attempt in doubt is repeated: another process that meanwhile holds a proof that nothing
    was created must read again before it removes the finalizer."""


@dataclass(frozen=True, slots=True)
class Create:
    """POST."""

    submission: Submission


@dataclass(frozen=True, slots=True)
class Adopt:
    """Take the id of a workload that is ours or becomes ours; status owes it from now on."""

    remote: Remote
    row: Row | None
    finished: bool
    """Nothing may be sent any more; what it has counts as delivered."""
    content: str | None = None
    """Hash of what it has, where that is known and is not what is asked for."""


@dataclass(frozen=True, slots=True)
class RecordId:
    """Write the id that status still owes, before anything is sent to the workload."""


@dataclass(frozen=True, slots=True)
class Update:
    """PUT of manifest, priority and category."""

    workload_id: str
    submission: Submission


@dataclass(frozen=True, slots=True)
class Delete:
    """DELETE, after the mark was verified."""

    workload_id: str


@dataclass(frozen=True, slots=True)
class ForgetWorkload:
    """Forget the old workload, which is proven gone or was never ours, so that the next one can be created."""

    lost: bool = False
    """Somebody deleted it in Run:ai; otherwise the user asked for a new one."""


@dataclass(frozen=True, slots=True)
class RecordOrphan:
    """Write down what stays behind in Run:ai, before the finalizer is removed."""

    orphan: Orphan


@dataclass(frozen=True, slots=True)
class RemoveFinalizer:
    """Under guard: nothing of ours is left in Run:ai, or it is left there on purpose."""

    why: str


class Verdict(StrEnum):
    """How a pass ended. The first nine come from `decide` and are shown in status."""

    IN_SYNC = "in_sync"
    """Nothing outstanding: show what Run:ai shows (`error`, if any, says what is amiss beside it)."""
    DELIVERED = "delivered"
    """Our content was accepted just now."""
    REJECTED = "rejected"
    """Only a change by the user helps (`error` says which)."""
    RETRYING = "retrying"
    """Could not be done now; it is tried again (`error` says why)."""
    WAITING = "waiting"
    """Run:ai has not finished yet what the user wants (`error` carries reason and message)."""
    PAUSED = "paused"
    VALID = "valid"
    """Run:ai would accept it, and nothing is to be submitted (`error` says why it could not be asked again)."""
    DELETING = "deleting"
    IGNORED = "ignored"
    """Nothing to report: the object is on its way out and not ours to hold."""
    RELEASED = "released"
    """The finalizer of an object that is being deleted was removed."""
    GONE = "gone"
    """There is no such object any more."""
    PASSED_ON = "passed_on"
    """It is for another release to serve: its labels have changed."""
    TOO_LARGE = "too_large"
    """Nothing was done: the object has to be read where it does not hold up others."""
    CONFLICT = "conflict"
    """Somebody wrote to the object in between: it is read again at once."""
    FAILED = "failed"
    """Kubernetes could not be used, so status does not show it."""
    BUG = "bug"
    """An exception nobody expected."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a pass ended: the verdict of `decide`, to which the pass adds what it leaves behind."""

    verdict: Verdict
    error: BridgeError | None = None
    outstanding: bool = False
    """What the user asked for has not reached Run:ai."""
    not_submitted: bool = False
    """Proven: nothing exists in Run:ai and nothing is in doubt."""
    in_doubt: bool = False
    """Rejected, but an earlier attempt may have succeeded: the next look-up comes soon."""

    did: str = "none"
    """The last thing done to the world in this pass, for metrics; `none` when it only read."""
    memory: Memory = field(default_factory=Memory)
    meta: Meta | None = None
    """As last read or written; None when the object was not read."""
    summary: StatusSummary | None = None
    """Of the status as it is now; None when it is not known to have changed."""
    row: Row | None = None
    """As read by itself in this pass."""
    requeue_after: float | None = None
    """Seconds until the next pass; None when an event or a poll will trigger it."""
    answered: bool = False
    """The pass did what was requested of it, so the requests are not kept for the next one."""

    @property
    def in_trouble(self) -> bool:
        """What was to be done could not even be tried, or failed: it is still to be done."""
        is_stuck = self.error is not None and not isinstance(self.error, (Busy, Held))
        is_unasked = self.verdict is Verdict.VALID and self.error is not None
        return self.verdict is Verdict.RETRYING or is_unasked or (self.verdict is Verdict.DELETING and is_stuck)


Reading = (
    Render | ReadRemote | FindRemote | ReadOwner | ClaimWorkload | ReadProject | ReadRow | ReadCRD | ReserveDeletion
    | AskDryRuns | DryRun
)  # fmt: skip
Writing = (
    BeginSubmission | AddFinalizer | MarkInDoubt | Create | Adopt | RecordId | Update | Delete | ForgetWorkload
    | RecordOrphan | RemoveFinalizer
)  # fmt: skip
Action = Reading | Writing | Result
