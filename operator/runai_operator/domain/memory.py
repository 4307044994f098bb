"""What one process remembers of one object from pass to pass. Frozen: it goes into a pass and comes out of it.

All of it is safe to lose: what is owed can be read from status (`plan`), and what a restart forgets is timers and counts.
Times are seconds of the process's own clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from runai_operator.domain.model import Row, SourceRef
from runai_operator.domain.reasons import Phase

NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a manifest was read, and at which resourceVersion; None when it could not be read."""

    ref: SourceRef
    version: str | None


@dataclass(frozen=True, slots=True)
class SchedulingMessage:
    """Why a workload is pending, as the scheduler said when it was asked."""

    pending_since: str | None
    """`phaseUpdatedAt` of the row that it was asked for."""
    text: str


@dataclass(frozen=True, slots=True)
class Requests:
    """What somebody asked the next pass to do beyond the ordinary."""

    read: bool = False
    """Read the workload in Run:ai: its sync is in flight, or the lists lack it."""
    check_content: bool = False
    """Compare what would be sent: the manifest's source changed."""

    def __or__(self, other: Requests) -> Requests:
        return Requests(self.read or other.read, self.check_content or other.check_content)


@dataclass(frozen=True, slots=True)
class Memory:
    pending_status: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Status fields that a write still owes (None: to be removed): the id of a workload made just now, above all."""
    lookup_since: float | None = None
    """When what the last attempt in doubt may have made was first looked for."""
    recreations: int = 0
    """How often its workload was created again after somebody deleted it in Run:ai."""
    recreated_at: float = NEVER
    retrying_since: float | None = None
    """Since when something outstanding could not be done, pass after pass."""
    deletion_seen_at: float | None = None
    """When this process first saw the object being deleted."""
    failures: int = 0
    """Passes in a row that ended in retrying or waiting."""
    sync_reads: int = 0
    """Readings in a row that found the sync in flight."""
    stale_failure_at: str | None = None
    """`phaseUpdatedAt` of a failure that an edit may have mended since: rows that still show it say nothing."""
    source: Source | None = None
    scheduling: SchedulingMessage | None = None
    wrote_at: float = NEVER
    """When status was last written."""
    large: bool = False
    """Reading it would hold up others, so it has a lane of its own. Forgotten with the next generation."""

    def owing(self, fields: Mapping[str, Any]) -> Memory:
        """The next write of status must say this too."""
        return replace(self, pending_status={**self.pending_status, **fields})

    def is_stale(self, row: Row) -> bool:
        """The row shows a failure from before the last edit."""
        return (
            row.phase == Phase.FAILED
            and self.stale_failure_at is not None
            and row.phase_updated_at == self.stale_failure_at
        )
