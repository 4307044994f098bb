"""When to try again, in seconds: every formula of a back-off, a pause or a spread. Jitter comes in as a number from 0 to 1."""

from __future__ import annotations

import math

from runai_operator.domain.actions import Result, Verdict
from runai_operator.domain.errors import BridgeError, Busy, Held, OutcomeUnknown, Throttled
from runai_operator.domain.memory import Memory
from runai_operator.domain.reasons import Reason
from runai_operator.domain.state import Limits

BACKOFF_CEILING = 300.0
SOON_CEILING = 30.0
"""For what ends soon, or must not wait long: an unknown outcome, a short failure of the Kubernetes API, a lost
connection."""
WAITING_CEILING = 15.0
LONGEST_HINT = 60.0
"""The longest `Retry-After` that is honoured: servers ask for an hour, and recover in a minute."""
SLOW_PROBE = 1800.0
"""How often a rejected workload is tried again although nothing changed here: the other side may have changed."""
PROBE_AT_START = 30.0
"""Over so long a time rejected objects are tried again after a restart: what rejected them may be configured otherwise now."""
PROJECT_PROBE = 300.0
PROJECT_REASONS = frozenset({Reason.PROJECT_NOT_FOUND, Reason.PROJECT_AMBIGUOUS})
DOUBT_PROBE = 30.0
HELD_PROBE = 300.0
"""How often an object that waits for a person is read again; most of what people do triggers an event at once."""
CONFLICT_PAUSE = 0.1
"""The longest wait before a pass is repeated because somebody wrote in between, for the first time. The next ones wait
longer: whoever writes all the time may go on for hours."""
WAKE_WITHIN = 4.0
"""Objects that were held back together are woken within this time."""
GIVE_UP_WITHIN = 60.0
"""Deletions that may be given up at the same moment are spread over this time."""
NAME_SPACING = 20.0
"""Between two attempts to submit under a name that was taken, and may be free now."""
WRITE_SPACING = 1.0
"""Between two status writes that only polling asks for: changes in between are written together."""


def backoff(failures: int, jitter: float, *, ceiling: float = BACKOFF_CEILING) -> float:
    """For one of many clients: full jitter over an exponential ceiling, but not less than a second."""
    return max(1.0, jitter * _exponential(failures, ceiling))


def reconnect_after(failures: int, jitter: float) -> float:
    """For a single client that waits for its server: 1, 2, 4 up to 30 s, minus up to half of it."""
    return spread(_exponential(failures - 1, SOON_CEILING), jitter)


def spread(seconds: float, jitter: float) -> float:
    """From half of it to all of it."""
    return seconds * (0.5 + jitter / 2)


def around(seconds: float, jitter: float) -> float:
    """From three quarters of it to five quarters."""
    return seconds * (0.75 + jitter / 2)


def regularly(interval: float, jitter: float) -> float:
    """Between two runs of what is done all the time: within a tenth of the interval."""
    return interval * (0.9 + jitter / 5)


def breaker_pause(openings: int, jitter: float, *, first: float, ceiling: float) -> float:
    """How long a circuit breaker stays open after so many openings in a row before this one, minus up to a quarter."""
    return min(ceiling, first * _exponential(openings, float("inf"))) * _less_a_quarter(jitter)


def next_sync_read(reads: int) -> float:
    """Between readings of a sync in flight: 1 s at first, 15 s at most."""
    return _exponential(reads, WAITING_CEILING, base=1.5)


def until_stalled(memory: Memory, limits: Limits, *, now: float) -> float | None:
    """Seconds until what waits with something outstanding has to be shown as stalled; None when nothing is outstanding, or
    it was shown already."""
    if memory.retrying_since is None:
        return None
    left = memory.retrying_since + limits.stalled_after - now
    return left if left > 0 else None


def until_failure_counts(memory: Memory, *, now: float) -> float | None:
    """Seconds until a failure that an edit did not fix has to be shown again; None when there is none."""
    return None if memory.failure_counts_at == math.inf else max(0.0, memory.failure_counts_at - now)


def give_up_after(seconds: float, jitter: float) -> float:
    """For a parked deletion, which may be given up in `seconds` unless it is woken before."""
    return max(1.0, seconds) + jitter * GIVE_UP_WITHIN


def requeue_after(end: Result, failures: int, jitter: float) -> float | None:
    """Seconds from the end of this pass to the next one; None when an event or a poll will trigger it."""
    match end.verdict:
        case Verdict.DELETING | Verdict.WAITING:
            return _after_waiting(end.error, failures, jitter)
        case Verdict.REJECTED:
            return around(_probe(end), jitter)
        case Verdict.RETRYING:
            return _after_trouble(end.error, failures, jitter)
        case Verdict.CONFLICT:
            return jitter * CONFLICT_PAUSE * _exponential(failures - 1, BACKOFF_CEILING / CONFLICT_PAUSE)
        case Verdict.TOO_LARGE:
            return CONFLICT_PAUSE * jitter
        case Verdict.FAILED:
            return backoff(failures, jitter, ceiling=SOON_CEILING)
        case Verdict.BUG:
            return backoff(failures, jitter)
    return None


def _less_a_quarter(jitter: float) -> float:
    return 0.75 + jitter / 4


def _exponential(failures: int, ceiling: float, *, base: float = 2.0) -> float:
    return min(ceiling, base ** min(failures, 16))


def _after_waiting(error: BridgeError | None, failures: int, jitter: float) -> float:
    if isinstance(error, Held):
        return error.after + jitter if error.after is not None else around(HELD_PROBE, jitter)
    if error is None or isinstance(error, Busy):
        return _exponential(failures, WAITING_CEILING, base=1.5) * _less_a_quarter(jitter)
    return _after_trouble(error, failures, jitter)


def _after_trouble(error: BridgeError | None, failures: int, jitter: float) -> float:
    if isinstance(error, Throttled) and error.after is not None:
        return min(error.after, LONGEST_HINT) + jitter
    if isinstance(error, (Busy, OutcomeUnknown)):
        return backoff(failures, jitter, ceiling=SOON_CEILING)
    return backoff(failures, jitter)


def probe_interval(reason: str | None) -> float:
    """How often a rejected workload is tried again, by the reason of Ready."""
    return PROJECT_PROBE if reason in PROJECT_REASONS else SLOW_PROBE


def _probe(end: Result) -> float:
    return DOUBT_PROBE if end.in_doubt else probe_interval(end.error.condition_reason if end.error else None)
