"""When to try again, in seconds: every formula of a back-off, a pause or a spread. Jitter comes in as a number from 0 to 1."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from runai_operator.domain.actions import Result, Verdict
from runai_operator.domain.errors import AccessDenied, BridgeError, Busy, Held, InvalidWorkload, Scope, Throttled
from runai_operator.domain.memory import Memory
from runai_operator.domain.model import Meta
from runai_operator.domain.reasons import Reason

BACKOFF_CEILING = 300.0
SOON_CEILING = 30.0
"""For what ends soon, or must not wait long: trouble of the connection to Run:ai, an unknown outcome, a short failure of the
Kubernetes API, a watch that was lost."""
SYNC_CEILING = 15.0
PROMPT_SYNC_READS = 24
"""How often, within five minutes, a sync in flight is read that soon; after that also when its row shows a change."""
PROMPT_READS = 6
"""How often, within half a minute, the end of a deletion or of a wait is looked for at once."""
PROMPT_TRIES = 24
"""How often, within about five minutes, a change is sent again that soon to a workload which takes none now, or written again
over what somebody else wrote."""
PAGE_CEILING = 60.0
START_CEILING = 5.0
KUBE_HINT_CEILING = 10.0
"""The longest `Retry-After` of Kubernetes that is honoured within a call, which has its caller waiting."""
LONGEST_HINT = 60.0
"""The longest `Retry-After` that is honoured: servers ask for an hour, and recover in a minute."""
LONGEST_PASS = 180.0
"""Seconds: it makes a few calls to Run:ai, of at most a minute each."""
FIRST_STATUS = 1.5
"""How long an object may be without a status while Run:ai does not answer."""
FIRST_ROW_READ = 2.0
ROW_READ_CEILING = 600.0
COUNT_READS = 4
"""How often the row is read after an edit: 2, 8, 32 and 128 s after one another, since pods take their time."""
SLOW_PROBE = 1800.0
"""How often a rejected workload is tried again although nothing changed here: the other side may have changed."""
PROBE_AT_START = 30.0
"""Over so long a time rejected objects are tried again after a restart: what rejected them may be configured otherwise now."""
VERDICT_CEILING = 21_600.0
"""The longest pause between two dry runs of the same."""
PROJECT_PROBE = 300.0
PROJECT_REASONS = frozenset({Reason.PROJECT_NOT_FOUND, Reason.PROJECT_AMBIGUOUS})
DOUBT_PROBE = 30.0
HELD_PROBE = 300.0
"""How often an object that waits for a person is read again; most of what people do triggers an event at once."""
CONFLICT_PAUSE = 0.1
"""The longest wait before a pass is repeated because somebody wrote in between, for the first time. Each next one may wait four
times as long: whoever writes all the time may go on for hours."""
PROMPT_REPEATS = 2
"""How often a pass is repeated that soon because somebody wrote in between."""
WAKE_WITHIN = 4.0
"""Objects that were held back together are woken within this time."""
GIVE_UP_WITHIN = 60.0
"""Deletions that may be given up at the same moment are spread over this time."""
NAME_SPACING = 20.0
"""Between two attempts to submit under a name that was taken, and may be free now."""
RECREATION_PAUSE = 15.0
"""Between the first and the second time that a workload is created again; doubled each time."""
WRITE_SPACING = 1.0
"""Between two status writes that only polling asks for: changes in between are written together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long the operator waits before it acts or reports; configured."""

    grace: float = 60.0
    """How long absence from a list proves nothing; longer than the lists lag."""
    stalled_after: float = 600.0
    """How long something outstanding may be retried before it counts as stalled."""
    stale_after: float = 60.0
    """How long a source of status may be silent before what it shows is unknown."""
    release_after: float = 86_400.0
    """How long a deletion waits for a Run:ai that cannot be used."""

    def gives_up_in(self, meta: Meta, *, wall: datetime, trouble_for: float) -> float:
        """Seconds until the deletion may be given up, if the trouble lasts; inf when nothing is being deleted."""
        if meta.deletion_requested is None:
            return math.inf
        waits = self.release_after - (wall - meta.deletion_requested).total_seconds()
        return max(waits, min(self.release_after, self.stalled_after) - trouble_for)


def backoff(failures: int, jitter: float, *, ceiling: float = BACKOFF_CEILING) -> float:
    """For one of many clients: full jitter over an exponential ceiling, but not less than a second."""
    return max(1.0, jitter * _exponential(failures, ceiling))


def reconnect_after(failures: int, jitter: float) -> float:
    """For a single client that waits for its server: 1, 2, 4 up to 30 s, minus up to half of it."""
    return spread(_exponential(failures - 1, SOON_CEILING), jitter)


def retry_start_after(failures: int, jitter: float) -> float:
    """For the start, which waits for the API server and everybody for it: as above, but 5 s at most."""
    return min(START_CEILING, reconnect_after(failures, jitter))


def repeat_call_after(hint: float) -> float:
    """Before a call to Kubernetes is repeated, that was answered by a 429 with this `Retry-After`."""
    return min(KUBE_HINT_CEILING, hint)


def faster(rate: float, *, ceiling: float) -> float:
    """How many objects are woken in the next second, after `rate` in this one went well."""
    return min(ceiling, rate * 2)


def slower(rate: float, *, floor: float) -> float:
    """How many failed passes are repeated in a second, after `rate` and another failure."""
    return max(floor, rate / 2)


def spread(seconds: float, jitter: float) -> float:
    """From half of it to all of it."""
    return seconds * (0.5 + jitter / 2)


def around(seconds: float, jitter: float) -> float:
    """From three quarters of it to five quarters."""
    return seconds * (0.75 + jitter / 2)


def regularly(interval: float, jitter: float) -> float:
    """Between two runs of what is done all the time: within a tenth of the interval."""
    return interval * (0.9 + jitter / 5)


def next_poll(interval: float, failures: int, jitter: float) -> float:
    """Between two polls of a list: the interval, and after failures more, up to half a minute."""
    return max(regularly(interval, jitter), spread(_exponential(failures, SOON_CEILING), jitter) if failures else 0.0)


def retry_page_after(failures: int, jitter: float) -> float:
    """Until a page of a sweep that failed is asked for again: nobody waits for it."""
    return spread(5 * _exponential(failures, PAGE_CEILING / 5), jitter)


def breaker_pause(openings: int, jitter: float, *, first: float, ceiling: float) -> float:
    """How long a circuit breaker stays open after so many openings in a row before this one, minus up to a quarter."""
    return min(ceiling, first * _exponential(openings, float("inf"))) * _less_a_quarter(jitter)


def next_sync_read(reads: int) -> float:
    """Between readings of a sync in flight: 1 s at first, and 15 s for some minutes. What takes longer may take days, as on a
    cluster that is not connected: it is read less and less often, every five minutes in the end."""
    if reads <= PROMPT_SYNC_READS:
        return _exponential(reads, SYNC_CEILING, base=1.5)
    return SYNC_CEILING * _exponential(reads - PROMPT_SYNC_READS, BACKOFF_CEILING / SYNC_CEILING)


def next_failed_sync_read(reads: int) -> float:
    """Between readings of a sync that has failed: 15 s at first, since Run:ai may try again at once, and half an hour at most."""
    return _exponential(reads, SLOW_PROBE / SYNC_CEILING) * SYNC_CEILING


def next_row_read(reads: int) -> float:
    """Between readings of the row of a pending workload: 2 s at first, when the scheduler may have said why; then 15 s,
    and ten minutes at most."""
    return FIRST_ROW_READ if reads == 0 else _exponential(reads - 1, ROW_READ_CEILING / 15) * 15


def next_count_read(reads: int) -> float | None:
    """Between readings of the row after an edit has reached the cluster, for three minutes; None after the last."""
    return FIRST_ROW_READ * 4.0**reads if reads < COUNT_READS else None


def next_verdict(verdicts: int) -> float:
    """Before a dry run is repeated that had the same answer so often: half an hour at first, and six hours at most."""
    return SLOW_PROBE * _exponential(max(verdicts, 1) - 1, VERDICT_CEILING / SLOW_PROBE)


def next_first_status(waited: float) -> float:
    """Between two attempts to give a new object a status: as long again as it has `waited`, since what prevents it now, such
    as a right that is missing, may do so for long."""
    return min(BACKOFF_CEILING, max(FIRST_STATUS, waited))


def recreation_pause(times: int) -> float:
    """Before a workload that somebody deletes in Run:ai is created for the next time; none before the first."""
    return RECREATION_PAUSE * 2.0 ** (times - 1) if times else 0.0


def until_restated(memory: Memory, limits: Limits, *, now: float) -> float | None:
    """Seconds until status has to say that something outstanding is stalled, or that what could not be read is unknown;
    None when it does already, or need not."""
    if memory.retrying_since is not None:
        left = memory.retrying_since + limits.stalled_after - now
    elif memory.unread is not None:
        left = memory.unread.since + limits.stale_after - now
    else:
        return None
    return left if left > 0 else None


def is_paced(end: Result) -> bool:
    """Whether the next pass is rate-limited among all that failed: what fails, fails for thousands at once. A first conflict
    ends at once."""
    return end.verdict in (Verdict.FAILED, Verdict.BUG) or (
        end.verdict is Verdict.CONFLICT and end.memory.broken_off > PROMPT_REPEATS
    )


def goes_on(end: Result, failures: int) -> bool:
    """What Run:ai has to finish takes so long that nobody waits for its end any more: it is read when there is room."""
    waits = end.verdict in (Verdict.DELETING, Verdict.WAITING) and (end.error is None or isinstance(end.error, Busy))
    return waits and failures > PROMPT_READS and not _is_ours_to_end(end.error)


def until_ends_count(memory: Memory, *, phase: str | None, now: float) -> float | None:
    """Seconds until an end that an edit did not undo has to be shown; None when nothing was edited, or a `phase` is shown, since
    any end is news then."""
    if phase is not None or memory.ends_count_at == math.inf:
        return None
    return max(1.0, memory.ends_count_at - now)  # the rest may be shorter than any tick of the clock


def give_up_after(seconds: float, jitter: float) -> float:
    """For a parked deletion, which may be given up in `seconds` unless it is woken before."""
    return max(1.0, seconds) + jitter * GIVE_UP_WITHIN


def requeue_after(end: Result, failures: int, jitter: float) -> float | None:
    """Seconds from the end of this pass to the next one; None when an event or a poll will trigger it."""
    match end.verdict:
        case Verdict.DELETING | Verdict.WAITING:
            return _after_waiting(end.error, failures, jitter)
        case Verdict.VALID if end.error is not None:
            return _after_waiting(end.error, failures, jitter)
        case Verdict.REJECTED:
            return around(_probe(end), jitter)
        case Verdict.RETRYING:
            return _after_trouble(end.error, failures, jitter)
        case Verdict.CONFLICT:
            ceiling = SOON_CEILING if failures <= PROMPT_TRIES else BACKOFF_CEILING
            return jitter * CONFLICT_PAUSE * _exponential(failures - 1, ceiling / CONFLICT_PAUSE, base=4.0)
        case Verdict.TOO_LARGE:
            return CONFLICT_PAUSE * jitter
        case Verdict.FAILED:
            # A right that is missing comes back with a person, if at all, and a policy goes with one: a whole namespace
            # may be concerned.
            is_refused = isinstance(end.error, AccessDenied | InvalidWorkload)
            return backoff(failures, jitter, ceiling=BACKOFF_CEILING if is_refused else SOON_CEILING)
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
        # The longer Run:ai takes, the later the end is noticed; most ends are seen in the lists before.
        ceiling = SOON_CEILING if _is_ours_to_end(error) else BACKOFF_CEILING
        return _exponential(failures, ceiling, base=1.5) * _less_a_quarter(jitter)
    return _after_trouble(error, failures, jitter)


def _is_ours_to_end(error: BridgeError | None) -> bool:
    """What is waited for is a moment of our own choice."""
    return error is not None and error.condition_reason == Reason.WAITING_TO_RECREATE


def _after_trouble(error: BridgeError | None, failures: int, jitter: float) -> float:
    if isinstance(error, Throttled) and error.after is not None:
        return min(error.after, LONGEST_HINT) + jitter
    # Trouble of the connection ends for all at once: an object that met it alone, so that no circuit breaker opened, is not
    # the last to notice. What Run:ai is at may take days, as on a cluster that is not connected.
    is_brief = isinstance(error, Busy) and failures <= PROMPT_TRIES
    is_soon = is_brief or (error is not None and error.scope is Scope.CONNECTION)
    return backoff(failures, jitter, ceiling=SOON_CEILING if is_soon else BACKOFF_CEILING)


def probe_interval(reason: str | None) -> float:
    """How often a rejected workload is tried again, by the reason of Ready."""
    return PROJECT_PROBE if reason in PROJECT_REASONS else SLOW_PROBE


def _probe(end: Result) -> float:
    return DOUBT_PROBE if end.in_doubt else probe_interval(end.error.condition_reason if end.error else None)
