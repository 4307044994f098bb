"""A circuit breaker: it watches how calls of one kind end, and holds them back while they cannot succeed.

    closed ── two different objects fail in a row, or one answer speaks for all ──> open
    open ── the pause is over ──> half-open: one real call, the canary, is let through
    half-open ── the canary succeeds ──> closed
              ── the canary fails ──> open, with the pause doubled
              ── the canary ends without a verdict ──> half-open

Pure: time and randomness are passed in. Whoever makes a call takes a ticket with `enter` and returns it exactly once:
with `succeed`, `fail`, `trip` or `leave`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from runai_operator.domain.errors import (
    AccessDenied,
    BridgeError,
    CircuitOpen,
    NotVisible,
    OutcomeUnknown,
    Scope,
    Throttled,
    Unavailable,
)
from runai_operator.domain.requeue import breaker_pause

OBJECTS_BEFORE_OPENING = 2
"""A single object may fail for reasons of its own; a second one, with no success in between, is no coincidence."""
LONGEST_SILENCE = 600.0
"""Seconds between two failures after which they no longer belong together: the retries of an object are at most about
375 s apart (a back-off of 300 s and its jitter), so after a longer silence nothing is known."""


@dataclass(frozen=True, slots=True)
class Pauses:
    """How long a circuit stays open before it is half-open. Seconds."""

    first: float = 1.0
    ceiling: float = 30.0
    hint_ceiling: float = 60.0
    """The longest pause that a `Retry-After` can ask for: servers ask for an hour, and recover in a minute."""
    calm: float = 60.0
    """How long a circuit must have been closed for the next pause to be the first again, not a doubled one."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a circuit is open, as shown to users; values only, since a stored exception keeps its frames alive."""

    message: str
    reason: str
    scope: Scope = Scope.CONNECTION
    """What a refused caller may conclude from it: a denied permission is no outage."""


class Circuit:
    """One circuit breaker. `now` in loop seconds, always."""

    def __init__(self, name: str, *, pauses: Pauses, random: Random, changed: Callable[[Circuit], None]) -> None:
        """`changed` is called after each opening and closing, not when a canary opens it again."""
        self.name = name
        self._pauses, self._random, self._changed = pauses, random, changed
        self.cause: Cause | None = None
        """None while closed."""
        self.era = 0
        """Counts openings and closings. A ticket is the era in which it was taken; an earlier one is out of date."""
        self._failed: set[str] = set()
        self._in_flight = 0
        self._probing = False
        self._level = 0
        self._until = self._closed_at = self._answered_at = self._expected_until = -math.inf
        self._failing_since: float | None = None
        self._failed_at = -math.inf

    @property
    def open(self) -> bool:
        """Open or half-open."""
        return self.cause is not None

    def admits(self, now: float) -> bool:
        """Whether a call may enter now: always while closed, one at a time while half-open."""
        return not self.open or (not self._probing and now >= self._until)

    def ready_at(self) -> float:
        """When an object should be woken as the canary: -inf while closed, inf while a canary is in flight."""
        if not self.open:
            return -math.inf
        return math.inf if self._probing else max(self._until, self._expected_until)

    def expect(self, until: float) -> None:
        """An object was woken as the canary: no other needs to be before `until`, unless its call ends earlier."""
        self._expected_until = until

    def refusal(self) -> CircuitOpen:
        """A new error for a caller that is not admitted; an instance raised many times would collect tracebacks."""
        cause = self.cause or Cause("", Unavailable.reason)
        return CircuitOpen(cause.message, reason=cause.reason, circuit=self.name, scope=cause.scope)

    def failing_for(self, now: float) -> float:
        """Seconds since the first failure after the last success; 0 without one, or without recent calls."""
        if self._failing_since is None or now - self._failed_at > LONGEST_SILENCE:
            return 0.0
        return now - self._failing_since

    def goes_well(self, since: float) -> bool:
        """No failure since the last success, and calls do not hang: one ended well after `since`, or none is out."""
        return not self._failed and (self._in_flight == 0 or self._answered_at >= since)

    def is_stale(self, now: float) -> bool:
        """Nothing has happened for so long that a new circuit would be in the same state."""
        last = max(self._failed_at, self._until if self.open else self._closed_at)
        return self._in_flight == 0 and now - last >= self._pauses.ceiling

    # --- tickets

    def enter(self) -> int:
        """A ticket for a call that `admits` allowed; while the circuit is open, the call is its canary."""
        self._in_flight += 1
        self._probing = self.open
        return self.era

    def leave(self, ticket: int, now: float) -> None:
        """The call ended without a result for this circuit. The next call may enter at once, but no object is woken for
        it at once: callers that all end like this would follow each other without a pause."""
        self._in_flight -= 1
        if self._counts(ticket) and self.open:
            self._probing = False
            self.expect(now + self._pauses.first)

    def succeed(self, ticket: int, now: float) -> None:
        """There was a useful answer. It counts whenever the call began; but only a canary closes the circuit."""
        self._in_flight -= 1
        self._answered_at, self._failing_since = now, None
        self._failed.clear()
        if self._counts(ticket) and self.open:
            self._close(now)

    def fail(self, ticket: int, now: float, error: BridgeError, *, key: str, began: float | None = None) -> None:
        """The call failed in a way that may concern all objects; `key` names the object it was for. `began`: when, unless
        that is now."""
        self._in_flight -= 1
        if not self._counts(ticket):
            return
        self._note_failure(now, began)
        self._failed.add(key)
        if self.open or len(self._failed) >= OBJECTS_BEFORE_OPENING:
            self._open(now, error)

    def trip(self, ticket: int, now: float, error: BridgeError) -> bool:
        """The call failed in a way that certainly concerns all objects; False if the ticket is out of date."""
        self._in_flight -= 1
        if not self._counts(ticket):
            return False
        self._note_failure(now)
        self._open(now, error)
        return True

    # --- transitions

    def _counts(self, ticket: int) -> bool:
        return ticket == self.era

    def _note_failure(self, now: float, began: float | None = None) -> None:
        if self._failing_since is None or now - self._failed_at > LONGEST_SILENCE:
            # What answers nothing has failed from the first.
            self._failing_since = now if began is None else max(began, self._answered_at)
        self._failed_at = now

    def _open(self, now: float, error: BridgeError) -> None:
        was_open = self.open
        if not was_open:
            self.era += 1
            if now - self._closed_at >= self._pauses.calm:
                self._level = 0
        self.cause = _cause(error)
        self._until, self._expected_until = now + self._pause(error), -math.inf
        self._level += 1
        self._probing = False
        self._failed.clear()
        if not was_open:
            self._changed(self)

    def _close(self, now: float) -> None:
        self.era += 1
        self.cause, self._probing, self._closed_at = None, False, now
        self._changed(self)

    def _pause(self, error: BridgeError) -> float:
        pause = breaker_pause(
            self._level, self._random.random(), first=self._pauses.first, ceiling=self._pauses.ceiling
        )
        hint = error.after if isinstance(error, Throttled) else None
        return max(pause, min(hint or 0.0, self._pauses.hint_ceiling))


def _cause(error: BridgeError) -> Cause:
    """For callers whose calls are surely not sent: only the call that failed "may have happened". They are other objects,
    so nothing is quoted."""
    error = error.without_quotes()
    if isinstance(error, OutcomeUnknown):
        return Cause(
            f"Not sent, since Run:ai fails at present. An earlier request: {error.message}", Unavailable.reason
        )
    scope = error.scope if isinstance(error, (AccessDenied, NotVisible)) else Scope.CONNECTION
    return Cause(error.message, error.condition_reason, scope)
