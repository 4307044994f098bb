"""How an object stands towards what somebody waits for, and the waiting: a watch, not polling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from runai_operator.commands.exits import CommandError, ExitCode
from runai_operator.commands.view import Seen, View
from runai_operator.domain.reasons import ConditionType, Reason
from runai_operator.kube.objects import Cluster, Key


class Goal(StrEnum):
    """What `wait --for` takes."""

    READY = "ready"
    COMPLETED = "completed"
    DELETED = "deleted"


class State(StrEnum):
    WAITING = "waiting"
    MET = "met"
    FAILED = "failed"
    """It will not come to it by itself."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one object stands. Equal ones are not shown again."""

    state: State
    reason: str
    """One word."""
    words: str
    """A sentence, or the part of one."""


@dataclass(frozen=True, slots=True)
class Target:
    """An object that is waited for; the UID sets it apart from a later one of the name."""

    namespace: str
    name: str
    uid: str | None
    """None: it was not there to begin with."""

    @property
    def key(self) -> Key:
        return self.namespace, self.name

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> Target:
        metadata = item["metadata"]
        return cls(metadata["namespace"], metadata["name"], metadata["uid"])


Judge = Callable[[View | None, Target], Standing]
"""None: there is no such object (any more)."""


class Watcher(Protocol):
    """Who looks on, as `progress.Progress` does."""

    def show(self, standings: Mapping[str, Standing]) -> None: ...


def towards(goal: Goal) -> Judge:
    """How an object stands towards a goal."""
    return {Goal.READY: _ready, Goal.COMPLETED: _completed, Goal.DELETED: _deleted}[goal]


def _ready(shown: View | None, target: Target) -> Standing:
    if ended := _ended(shown, target):
        return ended
    assert shown is not None  # noqa: S101 - `_ended` has a word for it
    return _unseen(shown) or _by(shown, State.MET if shown.is_true(ConditionType.READY) else State.WAITING)


def _completed(shown: View | None, target: Target) -> Standing:
    if ended := _ended(shown, target):
        return ended
    assert shown is not None  # noqa: S101 - see above
    return _unseen(shown) or _by(shown, State.MET if shown.is_true(ConditionType.COMPLETED) else State.WAITING)


def _deleted(shown: View | None, target: Target) -> Standing:
    if is_gone(shown, target):
        return Standing(State.MET, "Deleted", "It is gone.")
    assert shown is not None  # noqa: S101 - see above
    if not shown.deleting:
        return Standing(State.WAITING, "NotDeleted", "Nobody has deleted it yet.")
    if not shown.held and shown.other_finalizers:
        return Standing(State.WAITING, "Finalizers", f"It waits for others: {', '.join(shown.other_finalizers)}.")
    return _unseen(shown) or _by(shown, State.WAITING)


def is_gone(shown: View | None, target: Target) -> bool:
    """Also when another object has its name by now."""
    return shown is None or (target.uid is not None and shown.uid != target.uid)


def _ended(shown: View | None, target: Target) -> Standing | None:
    if shown is None or is_gone(shown, target):
        return Standing(State.FAILED, "Deleted", "It was deleted meanwhile.")
    if shown.deleting:
        return Standing(State.FAILED, "Deleting", "It is being deleted.")
    return None


def _unseen(shown: View) -> Standing | None:
    """What its status says is not about it, or not about its present spec."""
    match shown.seen:
        case Seen.NEVER | Seen.ANOTHER:
            return Standing(State.WAITING, "NotSeen", "The operator has not seen it yet.")
        case Seen.BEHIND:
            return Standing(State.WAITING, "NotSeen", f"The operator has not seen generation {shown.generation} yet.")
    return None


def _by(shown: View, otherwise: State) -> Standing:
    """In the words of Ready; what is stalled has failed, whatever else is true of it."""
    ready = shown.condition(ConditionType.READY) or {}
    state = State.FAILED if shown.is_true(ConditionType.STALLED) else otherwise
    reason = Reason.COMPLETED if state is State.MET and shown.is_true(ConditionType.COMPLETED) else ready.get("reason")
    return Standing(state, str(reason), str(ready.get("message")).removeprefix(f"{reason}: "))


async def wait(
    cluster: Cluster,
    targets: Sequence[Target],
    judge: Judge,
    *,
    path: str,
    timeout: float,  # noqa: ASYNC109 - what is known when time is up is the answer
    watcher: Watcher,
    keep_going: bool = True,
) -> dict[Key, Standing]:
    """How the targets stand when all have met their goal or failed, when one has failed (unless `keep_going`), or when time is up.

    `path`: of a collection that holds them all. `timeout` in seconds; 0 looks once. Raises as `Cluster.follow` does, and
    `CommandError` where there is no answer in time.
    """
    if not targets:
        return {}
    query = {"fieldSelector": f"metadata.name={targets[0].name}"} if len(targets) == 1 else {}
    waiting = _Waiting(targets, judge, watcher)
    try:
        async with (
            asyncio.timeout(timeout or None),
            aclosing(cluster.follow(path, query, waiting.keep, waiting.troubled)) as changes,
        ):
            async for kept in changes:
                states = waiting.seen(kept)
                if not timeout or State.WAITING not in states or (State.FAILED in states and not keep_going):
                    break
    except TimeoutError:
        if not waiting.standings:
            raise CommandError("Kubernetes did not answer before time was up.", ExitCode.TIMEOUT) from None
    return waiting.current


class _Waiting:
    """How the targets of one wait stand."""

    def __init__(self, targets: Sequence[Target], judge: Judge, watcher: Watcher) -> None:
        self._wanted, self._labels = {target.key: target for target in targets}, labels(targets)
        self._judge, self._watcher = judge, watcher
        self.standings: dict[Key, Standing] = {}
        """As they were seen last."""
        self._trouble: str | None = None

    @property
    def current(self) -> dict[Key, Standing]:
        """With what is not known while nothing is seen."""
        if self._trouble is None:
            return self.standings
        return {key: _unsure(standing, self._trouble) for key, standing in self.standings.items()}

    def keep(self, item: dict[str, Any]) -> tuple[str, Standing] | None:
        """What is followed of an object."""
        target = self._wanted.get((item["metadata"]["namespace"], item["metadata"]["name"]))
        return None if target is None else (item["metadata"]["uid"], self._judge(View(item), target))

    def seen(self, kept: Mapping[Key, tuple[str, Standing]]) -> list[State]:
        """Who has met the goal or failed stands so for good."""
        for key, target in self._wanted.items():
            if key not in self.standings or self.standings[key].state is State.WAITING:
                self.standings[key] = kept[key][1] if key in kept else self._judge(None, target)
        self._show()
        return [standing.state for standing in self.standings.values()]

    def troubled(self, why: str | None) -> None:
        """As `Cluster.follow` has it."""
        if why != self._trouble:
            self._trouble = why
            self._show()

    def _show(self) -> None:
        self._watcher.show({label: self.current[key] for key, label in self._labels.items()})


def _unsure(standing: Standing, trouble: str) -> Standing:
    """What is waited for may have come about unseen."""
    if standing.state is not State.WAITING:
        return standing
    return Standing(State.WAITING, "NotSeen", f"{trouble} Before: {standing.words}")


def labels(targets: Sequence[Target]) -> dict[Key, str]:
    """How each is called: with its namespace where there are several."""
    is_one = len({target.namespace for target in targets}) < 2
    return {target.key: target.name if is_one else f"{target.namespace}/{target.name}" for target in targets}


def exit_code(standings: Mapping[Key, Standing]) -> ExitCode:
    states = {standing.state for standing in standings.values()}
    if State.FAILED in states:
        return ExitCode.FAILED
    return ExitCode.TIMEOUT if State.WAITING in states else ExitCode.OK
