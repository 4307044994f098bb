"""The metrics: what is counted and measured, under which names.

One registry of our own, base units, and no label that grows with the number of objects: labels hold words of our own
code (lanes, actions, operations), names of connections, HTTP codes, and phases folded into the documented ones. Names
follow controller-runtime and client-go where they have one for the same thing. `docs/metrics.md` lists them all and is
held to this file by a test.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from runai_operator.domain.reasons import Phase, Reason

PHASES: Final = frozenset(Phase)
"""Workloads API v1, `Phase` (2.21 to 2.24). It is an open enum: other words count as `Other`."""

REASONS: Final = frozenset(reason for reason in Reason if reason.in_conditions)
"""Reasons of Ready. A status that a newer version wrote may have others: they count as `Other`."""

CALL_CLASSES: Final = ("lists", "lookups", "reads", "writes")
"""Calls to Run:ai that share a circuit breaker."""

_PREFIX = "runai_operator"
_QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_WAIT = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_AGE = (1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
_LAG = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

# A second series for each counter and histogram, with the time of its first use: nobody here reads it.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library left this one untyped


class _Connection:
    """What is remembered of one connection between two calls; times are those of the injected clock."""

    def __init__(self, now: float) -> None:
        self.since = now
        self.status_as_of = now
        self.polled: dict[str, float] = {}
        """When the last complete poll of each kind ended."""
        self.up: dict[str, bool] = {}
        """Whether calls of each class get through, and whether the lists are read; what never reported is absent."""


class Metrics:
    """Everything the operator measures; each method is cheap and may be called from the event loop only.

    All durations and ages are seconds.
    """

    def __init__(self, version: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._clock = clock
        self._connections: dict[str, _Connection] = {}
        self._build = Info(f"{_PREFIX}_build", "The running version.", registry=self.registry)
        self._build.info({"version": version})
        self._declare_work()
        self._declare_runai()
        self._declare_world()

    def _declare_work(self) -> None:
        """Metrics of what the operator does."""
        self._queue_depth = self._gauge("workqueue_depth", "RunaiWorkloads waiting to be reconciled.", "lane")
        self._queue_seconds = self._histogram(
            "workqueue_queue_duration_seconds", "Time from being due to the start of the reconcile.", _WAIT, "lane"
        )
        self._reconciles = self._counter("reconcile", "Reconciles of one RunaiWorkload.", "action", "result")
        self._reconcile_seconds = self._histogram(
            "reconcile_time_seconds", "Duration of a reconcile.", _QUICK, "action"
        )
        self._bugs = self._counter("unexpected_errors", "Exceptions that nobody foresaw: each one is a bug.")
        self._kube_writes = self._counter("kube_writes", "Writes to the Kubernetes API.", "kind", "result")
        self._events = self._counter("events", "Kubernetes Events that were sent, dropped or have failed.", "result")
        self._loop_lag = self._histogram(
            "event_loop_lag_seconds", "How late the event loop wakes up, measured each second.", _LAG
        )
        self._tasks = self._gauge("tasks", "Tasks of the event loop that have not ended.")

    def _declare_runai(self) -> None:
        """Metrics of the connections to Run:ai."""
        self._connection_up = self._gauge(
            "connection_up",
            "1 while Run:ai accepts the credentials and answers usefully, its lists included, else 0.",
            "connection",
        )
        self._circuit_open = self._gauge(
            "circuit_open",
            "1 while the circuit breaker of this class of calls is open and holds them back, else 0.",
            "connection",
            "class",
        )
        self._runai_calls = self._counter("runai_requests", "Requests to Run:ai.", "connection", "operation", "code")
        self._runai_seconds = self._histogram(
            "runai_request_seconds", "Duration of a request to Run:ai.", _QUICK, "connection", "operation"
        )
        self._polls = self._counter(
            "polls", "Polls of the list of workloads in Run:ai.", "connection", "kind", "result"
        )
        self._poll_seconds = self._histogram("poll_seconds", "Duration of a poll.", _QUICK, "connection", "kind")
        self._poll_age = self._gauge("poll_age_seconds", "Time since the last complete poll.", "connection", "kind")
        self._status_age = self._histogram(
            "status_age_seconds", "Age of what Run:ai reports of its workloads, taken at each poll.", _AGE, "connection"
        )
        # Worked out when read, so that it grows even when the poller is stuck.
        self._status_age_max = self._gauge(
            "status_age_max_seconds", "The same as of now: it grows while no poll is complete.", "connection"
        )
        self._list_lag = self._gauge(
            "list_lag_seconds",
            "How late Run:ai's lists showed a change at worst, since the sweep before the last one.",
            "connection",
        )
        self._rate_limited = self._gauge(
            "deletions_rate_limited",
            "Workloads whose deletion in Run:ai is held back by the rate limit (OPERATOR_DELETE_RATE).",
            "connection",
        )

    def _declare_world(self) -> None:
        """Metrics of the RunaiWorkloads, and of the watch on them."""
        self._workloads = self._gauge("workloads", "RunaiWorkloads by phase and Ready condition.", "phase", "ready")
        self._reasons = self._gauge(
            "workloads_by_reason", "RunaiWorkloads by the reason of their Ready condition.", "reason"
        )
        self._stalled = self._gauge(
            "workloads_stalled", "RunaiWorkloads that will not go on without somebody's help: condition Stalled."
        )
        self._oldest_owed = self._gauge(
            "owed_oldest_seconds",
            "Time for which this process has owed the submission, edit or deletion that waits longest, else 0.",
        )
        self._watch = self._gauge(
            "watch_established", "1 while the Kubernetes watch is established wherever it is allowed, else 0."
        )
        self._watch_forbidden = self._gauge(
            "watch_forbidden",
            "Watched namespaces (or 1 for the whole cluster) where the operator may not watch RunaiWorkloads.",
        )
        self._skipped = self._gauge(
            "skipped_workloads",
            "RunaiWorkloads that the last list left out, since each alone is too large to be listed.",
        )
        self._deletions = self._gauge("deletions_waiting", "RunaiWorkloads that are being deleted.")
        self._deletion_age = self._gauge(
            "deletion_oldest_seconds", "Time since the oldest deletion that still waits was requested, else 0."
        )
        self._orphaned = self._counter(
            "orphaned",
            "RunaiWorkloads released although their workload may live in Run:ai: see runai-operator orphans.",
        )

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"{_PREFIX}_{name}", meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(f"{_PREFIX}_{name}", meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"{_PREFIX}_{name}", meaning, labels, buckets=buckets, registry=self.registry)

    def queue_depth(self, lane: str, depth: int) -> None:
        """`depth` objects wait in this lane now."""
        self._queue_depth.labels(lane).set(depth)

    def queue_waited(self, lane: str, seconds: float) -> None:
        """An object left the queue this long after it was due."""
        self._queue_seconds.labels(lane).observe(seconds)

    def reconciled(self, action: str, result: str, seconds: float) -> None:
        """A reconcile ended: what it did, and `ok` or the reason of its error."""
        self._reconciles.labels(action, result).inc()
        self._reconcile_seconds.labels(action).observe(seconds)

    def event(self, result: str) -> None:
        """A Kubernetes Event: `sent`, `dropped` or `failed`."""
        self._events.labels(result).inc()

    def bug(self) -> None:
        """An exception outside our taxonomy was caught."""
        self._bugs.inc()

    def kube_write(self, kind: str, result: str) -> None:
        """A write to Kubernetes ended: `status` or `finalizer`; `ok` or the reason of its error."""
        self._kube_writes.labels(kind, result).inc()

    def runai_call(self, connection: str) -> Callable[[str, int | str, float], None]:
        """What the client of this connection calls after each request: operation, code, seconds.

        `code` is the HTTP status, or one word where there was none (`timeout`). The connection's gauges exist from now
        on, so that an alert on its silence has something to read.
        """
        self._known(connection)

        def record(operation: str, code: int | str, seconds: float) -> None:
            self._runai_calls.labels(connection, operation, code).inc()
            self._runai_seconds.labels(connection, operation).observe(seconds)

        return record

    def circuit(self, connection: str, call_class: str, up: bool) -> None:
        """The circuit breaker of a class of calls (`lists`, `lookups`, `reads`, `writes`) closed (`up`) or opened.

        The connection is up while no class is down; a class that nobody has used yet does not count.
        """
        self._circuit_open.labels(connection, call_class).set(not up)
        self._note_up(connection, call_class, up)

    def lists(self, connection: str, up: bool) -> None:
        """The lists of workloads can be read and understood, or not; the connection is not up while they cannot."""
        self._note_up(connection, "polls", up)

    def list_lag(self, connection: str, seconds: float) -> None:
        """The lists showed a change this late, at worst."""
        self._known(connection)
        self._list_lag.labels(connection).set(seconds)

    def _note_up(self, connection: str, part: str, up: bool) -> None:
        known = self._known(connection)
        known.up[part] = up
        self._connection_up.labels(connection).set(all(known.up.values()))

    def polled(self, connection: str, kind: str, result: str, seconds: float) -> None:
        """A poll of the list of workloads ended (`delta`, `deleted`, `sweep`); only `ok` means complete.

        A poll that needs no request because there is nothing to ask about counts as `ok` too, or its age would grow.
        """
        known = self._known(connection)
        self._polls.labels(connection, kind, result).inc()
        self._poll_seconds.labels(connection, kind).observe(seconds)
        if kind not in known.polled:
            known.polled[kind] = known.since
            self._poll_age.labels(connection, kind).set_function(lambda: self._clock() - known.polled[kind])
        if result == "ok":
            known.polled[kind] = self._clock()

    def status_age(self, connection: str, seconds: float) -> None:
        """What the last complete poll reported is this old."""
        self._status_age.labels(connection).observe(seconds)
        self._known(connection).status_as_of = self._clock() - seconds

    def deletions_rate_limited(self, connection: str, waiting: int) -> None:
        """So many deletions in Run:ai are held back by the rate limit."""
        self._known(connection)
        self._rate_limited.labels(connection).set(waiting)

    def workloads(self, counts: Mapping[tuple[str, str], int]) -> None:
        """All workloads by (phase, status of the Ready condition); an empty phase has not been reported yet."""
        folded = {(labels["phase"], labels["ready"]): 0 for labels in _series(self._workloads)}
        for (phase, ready), count in counts.items():
            series = (_folded(phase, PHASES), ready if ready in {"True", "False"} else "Unknown")
            folded[series] = folded.get(series, 0) + count
        for labels, count in folded.items():
            self._workloads.labels(*labels).set(count)

    def reasons(self, counts: Mapping[str, int]) -> None:
        """All workloads by the reason of the Ready condition; an empty one has not been written yet."""
        folded = {labels["reason"]: 0 for labels in _series(self._reasons)}
        for reason, count in counts.items():
            word = _folded(reason, REASONS)
            folded[word] = folded.get(word, 0) + count
        for word, count in folded.items():
            self._reasons.labels(word).set(count)

    def outstanding(self, stalled: int, oldest_seconds: float) -> None:
        """How many are Stalled, and for how long the operator has owed what waits longest (0 without any)."""
        self._stalled.set(stalled)
        self._oldest_owed.set(oldest_seconds)

    def watch(self, established: bool, forbidden: int = 0) -> None:
        """The watch on our resource is established, or not, wherever it is not forbidden; and in how many places it is."""
        self._watch.set(established)
        self._watch_forbidden.set(forbidden)

    def skipped(self, count: int) -> None:
        """How many objects the last list left out."""
        self._skipped.set(count)

    def deletions(self, waiting: int, oldest_seconds: float) -> None:
        """How many deletions have not ended, and how long the oldest has waited (0 without any)."""
        self._deletions.set(waiting)
        self._deletion_age.set(oldest_seconds)

    def orphaned(self) -> None:
        """An object was released although its workload may live; that is on record."""
        self._orphaned.inc()

    def loop_lag(self, seconds: float) -> None:
        """The event loop woke up this late."""
        self._loop_lag.observe(seconds)

    def tasks(self, count: int) -> None:
        """How many tasks the event loop has."""
        self._tasks.set(count)

    def _known(self, connection: str) -> _Connection:
        """The memory of a connection; its gauges begin with the first mention: not up, closed, nothing held back."""
        if connection not in self._connections:
            known = self._connections[connection] = _Connection(self._clock())
            self._connection_up.labels(connection).set(0)
            for call_class in CALL_CLASSES:
                self._circuit_open.labels(connection, call_class).set(0)
            self._rate_limited.labels(connection).set(0)
            self._status_age_max.labels(connection).set_function(lambda: self._clock() - known.status_as_of)
        return self._connections[connection]


def _series(gauge: Gauge) -> list[Mapping[str, str]]:
    """The labels of what exists already: it goes to 0, for a series that vanishes keeps its last value for minutes."""
    return [sample.labels for family in gauge.collect() for sample in family.samples]


def _folded(word: str, known: frozenset[str]) -> str:
    return (word if word in known else "Other") if word else "None"
