"""The verbs: everything a pass may do next, each a value.

A pass alternates between `decide` and performing: looking verbs bring knowledge, writing verbs change the world, and
`Result` ends the pass with the story that status tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from runai_operator.domain.errors import BridgeError
from runai_operator.domain.model import Orphan, Remote, Row, Submission


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
    """Look for what an attempt in doubt may have made: by name, in one project or (None) wherever we may look."""

    name: str
    project_id: str | None


@dataclass(frozen=True, slots=True)
class ReadCRD:
    """Is the CustomResourceDefinition being deleted? Asked after the deletion of the object was seen."""


@dataclass(frozen=True, slots=True)
class BeginSubmission:
    """Remove `status.submission` under guard: from here on the identity is frozen."""


@dataclass(frozen=True, slots=True)
class AddFinalizer:
    """Add the finalizer under guard: the intent before the first POST."""


@dataclass(frozen=True, slots=True)
class MarkInDoubt:
    """Write under guard that an attempt in doubt is repeated: another process that meanwhile holds a proof that nothing
    was created must read again before it takes the finalizer away."""


@dataclass(frozen=True, slots=True)
class Create:
    """POST."""

    submission: Submission


@dataclass(frozen=True, slots=True)
class Adopt:
    """Entry the id of a workload that is ours or becomes ours."""

    remote: Remote
    row: Row | None
    finished: bool
    """Nothing may be sent any more; what it has counts as delivered."""


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
    """Forget the old workload, which is proven gone, so that the next one can be created."""

    lost: bool = False
    """Somebody deleted it in Run:ai; else the user asked for another one."""


@dataclass(frozen=True, slots=True)
class RecordOrphan:
    """Write down what stays behind in Run:ai, before the object is let go of."""

    orphan: Orphan


@dataclass(frozen=True, slots=True)
class RemoveFinalizer:
    """Remove the finalizer under guard: nothing of ours is left, or it is left on purpose."""

    why: str


class Verdict(StrEnum):
    """How a pass ended, for status."""

    IN_SYNC = "in_sync"
    """Nothing outstanding: show what Run:ai shows."""
    DELIVERED = "delivered"
    """Our content was accepted just now."""
    REJECTED = "rejected"
    """Only a change by the user helps (`error` says which)."""
    RETRYING = "retrying"
    """Could not be done now; it is tried again (`error` says why)."""
    WAITING = "waiting"
    """Waiting for Run:ai on the way to what the user wants (`error` carries reason and message)."""
    PAUSED = "paused"
    DELETING = "deleting"
    IGNORED = "ignored"
    """Nothing to say: the object is on its way out and not ours to hold."""


@dataclass(frozen=True, slots=True)
class Result:
    verdict: Verdict
    error: BridgeError | None = None
    outstanding: bool = False
    """What the user asked for has not reached Run:ai."""
    not_submitted: bool = False
    """Proven: nothing exists in Run:ai and nothing is in doubt."""
    in_doubt: bool = False
    """Refused, but an earlier attempt may have succeeded: the proof is looked for soon."""


Look = Render | ReadRemote | FindRemote | ReadCRD
Write = (
    BeginSubmission
    | AddFinalizer
    | MarkInDoubt
    | Create
    | Adopt
    | Update
    | Delete
    | ForgetWorkload
    | RecordOrphan
    | RemoveFinalizer
)
Action = Look | Write | Result
