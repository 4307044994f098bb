"""What stands between a pass and Run:ai, without an event loop: for tests that drive passes by hand, step by step."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from runai_operator.domain.errors import BridgeError, OutcomeUnknown, Unavailable
from runai_operator.domain.freshness import Freshness
from runai_operator.domain.model import DEFAULT_CONNECTION
from runai_operator.engine.limits import DeletionLimiter
from runai_operator.engine.projects import Projects, Witness


class DirectGate:
    """The gate without circuits, since outages are the fake's: knows for how long there was no useful answer."""

    def __init__(self, runai: Any, clock: Callable[[], float]) -> None:
        self._runai, self._clock = runai, clock
        self._failing_since: float | None = None

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._runai, name)

        async def call(*args: Any, project: str | None = None, **kwargs: Any) -> Any:
            del project
            try:
                answer = await method(*args, **kwargs)
            except (Unavailable, OutcomeUnknown):
                self._failing_since = self._clock() if self._failing_since is None else self._failing_since
                raise
            self.answered()
            return answer

        return call

    def not_found(self, workload_id: str, *, project: str | None, doubt: BridgeError | None) -> BridgeError | None:
        del workload_id, project
        return doubt

    def answered(self) -> None:
        """Run:ai was of use: to this call, or to one for an object that the test does not show."""
        self._failing_since = None

    def trouble_for(self) -> float:
        return 0.0 if self._failing_since is None else self._clock() - self._failing_since


class ProvenDryRuns:
    """It is known that dry runs create nothing."""

    def ask(self, uid: str, project_id: str) -> bool:
        del uid, project_id
        return True

    def leave(self, uid: str) -> None:
        """Nobody waits."""


class NoLeftovers:
    """No dry run has made anything."""

    def spare(self, submission: Any) -> None:
        """Nothing is suspected."""

    def spare_adopted(self, remote: Any) -> None:
        """Likewise."""

    def created(self, submission: Any) -> None:
        """Likewise."""

    def sent(self, submission: Any, told_id: str | None) -> None:
        """It has made nothing."""


class DirectUpstream:
    """What a pass uses of a connection."""

    name = DEFAULT_CONNECTION
    freshness = Freshness()

    def __init__(self, runai: Any, clock: Callable[[], float], *, delete_rate: int) -> None:
        self.gate = DirectGate(runai, clock)
        self.projects = Projects(self.gate, clock, timeout=lambda _: nullcontext())
        self.witness = Witness(self.gate, clock)
        self.deletions = DeletionLimiter(delete_rate, clock, lambda uid: None)
        self.dry_runs = ProvenDryRuns()
        self.leftovers = NoLeftovers()

    def trouble_for(self, workload_id: str | None) -> float:
        del workload_id
        return self.gate.trouble_for()
