"""What is written before anything is sent to Run:ai, and what proves that nothing was made there.

The finalizer is the intent; `submission: NotSubmitted` is the proof, and goes before the next attempt.
"""

from __future__ import annotations

from runai_operator.domain.actions import Action, AddFinalizer, BeginSubmission, MarkInDoubt, Result, Verdict
from runai_operator.domain.errors import AccessDenied, BridgeError, InvalidWorkload, Throttled, Unavailable
from runai_operator.domain.state import State

NOT_SENT_OR_REFUSED = (InvalidWorkload, AccessDenied, Throttled, Unavailable)
"""Answers to a POST that prove that it made nothing."""


def intent_first(s: State) -> Action | None:
    """The two guarded writes that must be done before anything is sent."""
    if s.stored_status.not_submitted:
        return BeginSubmission()
    if not s.workload.meta.has_finalizer:
        return AddFinalizer()
    return None


def in_doubt_first(s: State) -> Action | None:
    """The process that added the finalizer may hold, or be about to write, the proof that it created nothing."""
    return None if s.is_first_attempt or s.name_held or MarkInDoubt in s.done else MarkInDoubt()


def after_failed_attempt(s: State, error: BridgeError) -> Action:
    """`error`: the answer to the POST, which proves that nothing was made if no earlier one is in doubt."""
    proven = not s.in_doubt and not s.conflict and isinstance(error, NOT_SENT_OR_REFUSED)
    if isinstance(error, InvalidWorkload):
        return Result(Verdict.REJECTED, error, outstanding=True, not_submitted=proven, in_doubt=not proven)
    return Result(Verdict.RETRYING, error, outstanding=True, not_submitted=proven)


def refuse(s: State, error: InvalidWorkload) -> Result:
    """Only a change by the user helps."""
    return Result(Verdict.REJECTED, error, outstanding=True, not_submitted=is_proven(s))


def is_proven(s: State) -> bool:
    """Nothing of ours is in Run:ai."""
    return s.workload_id is None and not s.in_doubt
