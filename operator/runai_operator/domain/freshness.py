"""How fresh status is: whether the sources of what it shows have answered usefully of late.

Status that nobody can vouch for any more is shown as unknown. Where answers come and go, it stays unknown until they have
come steadily, so that it is not written again and again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from runai_operator.domain.errors import BridgeError

CALM = 600.0
"""Seconds that a source has to answer, before its next return is believed at once again."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """Of everything that one connection shows."""

    lists: BridgeError | None = None
    """Why the lists have been silent for too long; None while they answer."""
    reads: BridgeError | None = None
    """The same of readings by id, which show how a sync goes."""
    is_known: bool = True
    """False after a start, until the lists have answered, or have been silent for too long: what status says stays."""


@dataclass(frozen=True, slots=True)
class Source:
    """One source of status. Times in seconds of the process's own clock."""

    stale_after: float
    stale: BridgeError | None = None
    """Why it has been silent for too long."""
    flaps: int = 0
    """How often it has become stale again soon after it had returned."""
    returned_at: float = float("-inf")
    well_since: float | None = None
    """Since when it has answered again, while it is still stale."""

    def seen(self, *, now: float, silent_for: float, trouble: BridgeError | None) -> Self:
        """`trouble`: why it does not answer now, if it does not; `silent_for`: seconds since it last did."""
        if self.stale is None:
            if trouble is None or silent_for < self.stale_after:
                return self
            flaps = self.flaps + 1 if now - self.returned_at < CALM else 0
            # A copy: a stored exception keeps its frames alive.
            stale = BridgeError(trouble.message, reason=trouble.condition_reason)
            return replace(self, stale=stale, flaps=flaps, well_since=None)
        if trouble is not None:
            return replace(self, well_since=None)
        well_since = now if self.well_since is None else self.well_since
        if now - well_since < self._has_to_last():
            return replace(self, well_since=well_since)
        return replace(self, stale=None, returned_at=now, well_since=None)

    def _has_to_last(self) -> float:
        """How long it has to answer before that is believed: not at all, until it falls silent again soon after."""
        return min(CALM, self.stale_after * 2.0 ** (self.flaps - 1)) if self.flaps else 0.0
