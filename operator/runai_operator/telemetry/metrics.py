"""The metrics: what is counted and measured, under which names.

One registry of our own, base units, and no label that grows with the number of objects: labels hold words of our own
code (lanes, actions, operations), HTTP codes, and phases folded into the documented ones. `docs/metrics.md` lists them
all and is held to this file by a test.
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

PHASES: Final = frozenset(
    {
        "Creating",
        "Pending",
        "Initializing",
        "Running",
        "Updating",
        "Resuming",
        "Stopping",
        "Stopped",
        "Degraded",
        "Completed",
        "Failed",
        "Deleting",
        "Terminating",
        "Unknown",
    }
)
"""Workloads API v1, `Phase` (2.21 to 2.24). It is an open enum: other words count as `Other`."""

_PREFIX = "runai_operator"
_QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_WAIT = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_AGE = (1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
_LAG = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

# A second series for each counter and histogram, with the time of its first use: nobody here reads it.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library left this one untyped


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
        self._started = clock()
        self._polled: dict[str, float] = {}
        self._status_as_of = self._started
        self._build = Info(f"{_PREFIX}_build", "The running version.", registry=self.registry)
        self._build.info({"version": version})
        self._declare_work()
        self._declare_world()

    def _declare_work(self) -> None:
        """Metrics of what we do."""
        self._queue_depth = self._gauge("queue_depth", "Objects waiting for a pass.", "lane")
        self._queue_wait = self._histogram(
            "queue_wait_seconds", "Time from being due to the start of the pass.", _WAIT, "lane"
        )
        self._passes = self._counter("passes", "Passes over one object.", "action", "outcome")
        self._pass_seconds = self._histogram("pass_seconds", "Duration of a pass.", _QUICK, "action")
        self._bugs = self._counter("unexpected_errors", "Exceptions nobody foresaw: each one is a bug.")
        self._runai_calls = self._counter("runai_requests", "Requests to Run:ai.", "operation", "code")
        self._runai_seconds = self._histogram(
            "runai_request_seconds", "Duration of a request to Run:ai.", _QUICK, "operation"
        )
        self._kube_writes = self._counter("kube_writes", "Writes to the Kubernetes API.", "kind", "outcome")
        self._polls = self._counter("polls", "Rounds of listing workloads in Run:ai.", "kind", "outcome")
        self._poll_seconds = self._histogram("poll_seconds", "Duration of a round of listing.", _QUICK, "kind")
        self._poll_age = self._gauge("poll_age_seconds", "Time since the last complete round of listing.", "kind")
        self._loop_lag = self._histogram(
            "event_loop_lag_seconds", "How late the event loop wakes up, measured each second.", _LAG
        )

    def _declare_world(self) -> None:
        """Metrics of what we see."""
        self._status_age = self._histogram(
            "status_age_seconds", "Age of what Run:ai last told about its workloads, taken at each poll.", _AGE
        )
        # Worked out when read, so that it grows even when the poller is stuck.
        self._gauge("status_age_max_seconds", "The same by now: it grows while no poll is complete.").set_function(
            lambda: self._clock() - self._status_as_of
        )
        self._workloads = self._gauge("workloads", "RunaiWorkloads by phase and Ready condition.", "phase", "ready")
        self._connection = self._gauge("connection_up", "1 while Run:ai answers and accepts the credentials, else 0.")
        self._watch = self._gauge("watch_established", "1 while the Kubernetes watch is established, else 0.")
        self._deletions = self._gauge("deletions_waiting", "RunaiWorkloads that are being deleted.")
        self._deletion_age = self._gauge(
            "deletion_oldest_seconds", "Time since the oldest deletion that still waits was asked for, else 0."
        )
        self._slowed = self._gauge(
            "deletions_slowed", "Workloads that wait for their turn to be deleted in Run:ai (OPERATOR_DELETE_RATE)."
        )
        self._orphaned = self._counter(
            "orphaned",
            "RunaiWorkloads let go of although their workload may live in Run:ai: see runai-operator orphans.",
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
        self._queue_wait.labels(lane).observe(seconds)

    def pass_done(self, action: str, outcome: str, seconds: float) -> None:
        """A pass ended: what it did, and `ok` or the reason of its error."""
        self._passes.labels(action, outcome).inc()
        self._pass_seconds.labels(action).observe(seconds)

    def bug(self) -> None:
        """An exception outside our taxonomy was caught."""
        self._bugs.inc()

    def runai_call(self, operation: str, code: int | str, seconds: float) -> None:
        """A request to Run:ai ended; `code` is the HTTP status, or one word where there was none (`timeout`)."""
        self._runai_calls.labels(operation, code).inc()
        self._runai_seconds.labels(operation).observe(seconds)

    def kube_write(self, kind: str, outcome: str) -> None:
        """A write to Kubernetes ended: `status` or `finalizer`; `ok` or the reason of its error."""
        self._kube_writes.labels(kind, outcome).inc()

    def polled(self, kind: str, outcome: str, seconds: float) -> None:
        """A round of listing ended (`delta`, `deleted`, `sweep`); only `ok` means complete.

        A round that needs no request because there is nothing to ask about counts as `ok` too, or its age would grow.
        """
        self._polls.labels(kind, outcome).inc()
        self._poll_seconds.labels(kind).observe(seconds)
        if kind not in self._polled:
            self._polled[kind] = self._started
            self._poll_age.labels(kind).set_function(lambda: self._clock() - self._polled[kind])
        if outcome == "ok":
            self._polled[kind] = self._clock()

    def status_age(self, seconds: float) -> None:
        """What the last complete poll told is this old."""
        self._status_age.observe(seconds)
        self._status_as_of = self._clock() - seconds

    def workloads(self, counts: Mapping[tuple[str, str], int]) -> None:
        """All workloads by (phase, status of the Ready condition); an empty phase has not been reported yet."""
        folded = dict.fromkeys(self._known_workload_series(), 0)
        for (phase, ready), count in counts.items():
            series = (_folded_phase(phase), ready if ready in {"True", "False"} else "Unknown")
            folded[series] = folded.get(series, 0) + count
        for labels, count in folded.items():
            self._workloads.labels(*labels).set(count)

    def _known_workload_series(self) -> list[tuple[str, str]]:
        """Series that exist already: they go to 0, for one that vanishes keeps its last value for minutes."""
        return [
            (sample.labels["phase"], sample.labels["ready"])
            for family in self._workloads.collect()
            for sample in family.samples
        ]

    def connection(self, up: bool) -> None:
        """Run:ai answers and accepts the credentials, or not."""
        self._connection.set(up)

    def watch(self, established: bool) -> None:
        """The watch on our resource is established, or not."""
        self._watch.set(established)

    def deletions(self, waiting: int, oldest_seconds: float, slowed: int) -> None:
        """How many deletions have not ended, how long the oldest waits (0 without any), how many wait for their turn."""
        self._deletions.set(waiting)
        self._deletion_age.set(oldest_seconds)
        self._slowed.set(slowed)

    def orphaned(self) -> None:
        """An object was let go of although its workload may live."""
        self._orphaned.inc()

    def loop_lag(self, seconds: float) -> None:
        """The event loop woke up this late."""
        self._loop_lag.observe(seconds)


def _folded_phase(phase: str) -> str:
    if not phase:
        return "None"
    return phase if phase in PHASES else "Other"
