"""When to look again, in seconds. Chance comes in as an argument: a number from 0 to 1."""

from __future__ import annotations

from runai_operator.domain.actions import Result, Verdict
from runai_operator.domain.errors import BridgeError, Busy, Held, InvalidWorkload, OutcomeUnknown, Throttled

BACKOFF_CEILING = 300.0
WAITING_CEILING = 15.0
SLOW_PROBE = 1800.0
"""How often what was refused is tried again although nothing changed here: the other side may have."""
PROJECT_PROBE = 300.0
DOUBT_PROBE = 30.0
HELD_PROBE = 300.0
"""How often what waits for a person is looked at again; most of what people do is noticed at once."""


def backoff(failures: int, chance: float, *, ceiling: float = BACKOFF_CEILING) -> float:
    """Full jitter over an exponential ceiling, but not less than a second."""
    return max(1.0, chance * min(ceiling, 2.0 ** min(failures, 16)))


def next_look(looks: int) -> float:
    """Between readings of a sync in flight: 1 s at first, 15 s at most."""
    return min(15.0, 1.5 ** min(looks, 16))


def again_after(end: Result, failures: int, chance: float) -> float | None:
    """When the pass that ended so wants the next one; None when an event or a poll will bring it."""
    match end.verdict:
        case Verdict.IN_SYNC | Verdict.DELIVERED | Verdict.PAUSED | Verdict.IGNORED:
            return None
        case Verdict.DELETING | Verdict.WAITING:
            return _after_waiting(end.error, failures, chance)
        case Verdict.REJECTED:
            return _probe(end) * (0.75 + chance / 2)
        case Verdict.RETRYING:
            return _after_trouble(end.error, failures, chance)


def _after_waiting(error: BridgeError | None, failures: int, chance: float) -> float:
    if isinstance(error, Held):
        return error.after + chance if error.after is not None else HELD_PROBE * (0.75 + chance / 2)
    if error is None or isinstance(error, Busy):
        return min(WAITING_CEILING, 1.5 ** min(failures, 16)) * (0.75 + chance / 4)
    return _after_trouble(error, failures, chance)


def _after_trouble(error: BridgeError | None, failures: int, chance: float) -> float:
    if isinstance(error, Throttled) and error.after is not None:
        return error.after + chance
    if isinstance(error, (Busy, OutcomeUnknown)):
        return backoff(failures, chance, ceiling=30.0)
    return backoff(failures, chance)


def _probe(end: Result) -> float:
    if end.in_doubt:
        return DOUBT_PROBE
    return PROJECT_PROBE if _names_project(end.error) else SLOW_PROBE


def _names_project(error: BridgeError | None) -> bool:
    return isinstance(error, InvalidWorkload) and error.condition_reason in ("ProjectNotFound", "ProjectAmbiguous")
