"""A reading that somebody asked for goes before all that may end the pass without it."""

from __future__ import annotations

from runai_operator.domain.actions import Action, ReadRemote, Result, Verdict
from runai_operator.domain.errors import BridgeError
from runai_operator.domain.state import State


def requested_reading(s: State, *, outstanding: bool) -> Action | None:
    """Also where the spec can no longer be read: the workload of before goes on, or does not. None where nobody asked, or it
    was read."""
    if s.workload_id is None or not s.must_read or s.stored_status.completed:
        return None
    if s.remote is None:
        return ReadRemote(s.workload_id)
    if isinstance(s.remote, BridgeError):
        return Result(Verdict.RETRYING, s.remote, outstanding=outstanding)
    return None
