"""What one process remembers of one object between passes. Frozen: it goes into a pass, and a new one comes out.

All of it is safe to lose: what is outstanding can be read from status (`plan`), and a restart loses only timers and
counts.
Times are seconds of the process's own clock.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from runai_operator.domain.errors import BridgeError
from runai_operator.domain.model import Row, SourceRef, is_later, seconds_between, shifted
from runai_operator.domain.reasons import Phase

NEVER = float("-inf")
CLOCK_TOLERANCE = 1.0
"""Seconds: two APIs may give times with different precision."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a manifest was looked for, and at which resourceVersion, or the reason why it could not be read."""

    ref: SourceRef
    version: str
    lack: BridgeError | None = None
    """Why it gave no text."""


@dataclass(frozen=True, slots=True)
class Unread:
    """Every pass has failed to read the workload in Run:ai, though nothing is outstanding."""

    since: float
    reason: str
    message: str
    """Of the last error."""


@dataclass(frozen=True, slots=True)
class Requests:
    """What somebody asked the next pass to do in addition."""

    read: bool = False
    """Read the workload in Run:ai: its sync is in flight, or it is missing from the lists."""
    check_content: bool = False
    """Compare what would be sent: the manifest's source changed."""
    restate: bool = False
    """Write what status must say by now though nothing has happened to the object: that it is stalled, that what it shows
    is unknown, or known again. Nothing is asked of Run:ai for that."""
    row: bool = False
    """Read the row by itself: it may show what no list does."""
    verdict: bool = False
    """Ask again what a dry run says."""

    def without_restate(self) -> Requests:
        return replace(self, restate=False)

    def __or__(self, other: Requests) -> Requests:
        return Requests(
            read=self.read or other.read,
            check_content=self.check_content or other.check_content,
            restate=self.restate or other.restate,
            row=self.row or other.row,
            verdict=self.verdict or other.verdict,
        )


@dataclass(frozen=True, slots=True)
class Memory:
    pending_status: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Status fields that are still to be written (None: removed), above all the id of a workload created just now."""
    lookup_since: float | None = None
    """When we first looked for what the last attempt in doubt may have made, or for the workload to adopt in the lists."""
    lookup_of: str | None = None
    """What that was: project and name, or an id. How long something else was looked for proves nothing."""
    proven: bool = False
    """The last pass proved that nothing of ours is in Run:ai. Earlier look-ups say nothing about an attempt that another process
    has begun since."""
    unmade_at: str | None = None
    """The resourceVersion at which every attempt so far was known to have made nothing; until somebody writes the object."""
    missing_since: float | None = None
    """Since when Run:ai has not shown the workload, or only as deleted."""
    project_shown_since: float = NEVER
    """Since when Run:ai has shown the workload's project, after it had not; inf while it does not."""
    deletion_accepted: bool = False
    """Run:ai has accepted to delete the workload for us, so that its absence needs no other explanation."""
    recreations: int = 0
    """How often the workload was created again after somebody deleted it in Run:ai."""
    recreated_at: float = NEVER
    retrying_since: float | None = None
    """Since when no pass could do what is outstanding."""
    unread: Unread | None = None
    deletion_seen_at: float | None = None
    """When this process first saw the object being deleted."""
    failures: int = 0
    """Passes in a row that ended in retrying or waiting."""
    broken_off: int = 0
    """Passes in a row that came to no end, since Kubernetes did not let them, or for a bug."""
    sync_reads: int = 0
    """Readings in a row that found the sync in flight."""
    first_submission: bool = False
    """This process created the workload and has sent nothing to it since."""
    row_reads: int = 0
    """How often its row was read by itself since it became pending, or since it was edited."""
    counts_may_lag: bool = False
    """An edit was sent. Lists show what it does to pods and GPUs only with the next change of phase, or the next sweep."""
    clock_behind: float = 0.0
    """By how many seconds, at least, the clock of the workload's cluster, which stamps phases, is behind the one that stamps
    creations and edits."""
    sent_at: str | None = None
    """When Run:ai took the last edit, by the clock that stamps phases, as far as its difference has shown. It may have the workload run again, so rows that show an end from before
    it are ignored ..."""
    ends_count_at: float = math.inf
    """... until then: the edit has reached the cluster, and the lists have had the time to show what came of it."""
    of_secret: bool | None = None
    """Whether the manifest that the workload in Run:ai holds comes from a Secret, as it said itself when it was last read; None
    before this process has read it."""
    verdicts: int = 0
    """How often in a row a dry run found the same content valid."""
    source: Source | None = None
    name_wanted: tuple[str, str] | None = None
    """Project and name in Run:ai that something else holds."""
    wrote_at: float = NEVER
    """When status was last written."""
    guarded: bool = False
    """It had our finalizer, and we have not removed it."""
    released: bool = False
    """The last pass asked Kubernetes to remove our finalizer, whatever the answer was."""
    large: bool = False
    """Reading the object would hold up others, so it has a lane of its own. Reset with the next generation."""

    def looked_for(self, what: str, *, now: float) -> Memory:
        """A copy: `what` was looked for, now or for longer."""
        if self.lookup_of == what and self.lookup_since is not None:
            return self
        return replace(self, lookup_since=now, lookup_of=what)

    def owing(self, fields: Mapping[str, Any]) -> Memory:
        """A copy: the next write of status must also write these fields."""
        return replace(self, pending_status={**self.pending_status, **fields})

    def edited(self, sent_at: str | None) -> Memory:
        """A copy: other content was sent just now."""
        return replace(self, sent_at=sent_at, ends_count_at=math.inf)

    def listed(self, row: Row) -> Memory:
        """A copy: the row was seen. No phase begins before the creation, unless another clock says so."""
        behind = seconds_between(row.phase_updated_at, row.created_at) - CLOCK_TOLERANCE
        return replace(self, clock_behind=behind) if behind > self.clock_behind else self

    def moment_of_edit(self, updated_at: str | None, row: Row | None) -> str | None:
        """When Run:ai took an edit, by the clock that stamps phases: after the end that lists had shown before, if any."""
        if updated_at is None:
            return None
        moment = shifted(updated_at, -self.clock_behind)
        if row is None or row.phase not in (Phase.FAILED, Phase.COMPLETED) or row.phase_updated_at is None:
            return moment
        return shifted(row.phase_updated_at, CLOCK_TOLERANCE) if is_later(row.phase_updated_at, moment) else moment

    def synced(self, *, now: float, grace: float) -> Memory:
        """A copy: the last edit has reached the cluster; lists may lag by `grace` seconds, and have to be read, too."""
        if self.sent_at is None:
            return self
        return replace(self, ends_count_at=min(self.ends_count_at, now + 2 * grace))

    def at(self, now: float) -> Memory:
        """A copy, without what has expired."""
        if now < self.ends_count_at:
            return self
        return replace(self, sent_at=None, ends_count_at=math.inf)

    def is_stale(self, row: Row) -> bool:
        """The row shows an end from before the last edit."""
        return row.phase in (Phase.FAILED, Phase.COMPLETED) and is_later(self.sent_at, row.phase_updated_at)
