"""What people ask of the operator by annotations: pause, resume, refresh."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from runai_operator.commands.exits import CommandError
from runai_operator.commands.view import View, applied_by, who_set
from runai_operator.commands.waiting import Judge, Standing, State, Target, Watcher, is_gone, wait
from runai_operator.domain.errors import BridgeError, KubernetesUnavailable
from runai_operator.domain.model import PAUSED_ANNOTATION, RECONCILE_ANNOTATION
from runai_operator.domain.reasons import ConditionType
from runai_operator.kube.objects import FIELD_MANAGER, Cluster, Key


async def pause(cluster: Cluster, items: Sequence[Mapping[str, Any]]) -> dict[Key, Standing]:
    """Nothing more is written to Run:ai for them, as soon as the operator has seen it."""
    return await each(items, lambda shown: _pause(cluster, shown))


async def resume(cluster: Cluster, items: Sequence[Mapping[str, Any]]) -> dict[Key, Standing]:
    """Everything that waits is sent."""
    return await each(items, lambda shown: _resume(cluster, shown))


async def each(
    items: Sequence[Mapping[str, Any]], change: Callable[[View], Awaitable[Standing]]
) -> dict[Key, Standing]:
    """How each stands after its change. What is refused for one hides nothing of what was done to others; raises the
    error where nothing was done."""
    standings: dict[Key, Standing] = {}
    error: BridgeError | None = None
    for item in items:
        key = Target.of(item).key
        if isinstance(error, KubernetesUnavailable):
            standings[key] = Standing(State.FAILED, "NotTried", "Kubernetes did not answer before.")
            continue
        try:
            standings[key] = await change(View(item))
        except BridgeError as refused:
            error, standings[key] = refused, Standing(State.FAILED, "Refused", refused.message)
    if error is not None and all(standing.state is State.FAILED for standing in standings.values()):
        raise error
    return standings


async def _pause(cluster: Cluster, shown: View) -> Standing:
    if shown.paused:
        return Standing(State.MET, "Unchanged", "It was paused already.")
    await annotate(cluster, shown, {PAUSED_ANNOTATION: "true"})
    if shown.deleting:
        return Standing(State.MET, "Paused", "Its deletion waits, too, unless Run:ai was asked for it already.")
    return Standing(State.MET, "Paused", "Nothing is written to Run:ai for it until it is resumed.")


async def _resume(cluster: Cluster, shown: View) -> Standing:
    if shown.annotation(PAUSED_ANNOTATION) is None:
        return Standing(State.MET, "Unchanged", "It was not paused.")
    setter = who_set(shown.item, PAUSED_ANNOTATION)
    await annotate(cluster, shown, {PAUSED_ANNOTATION: None})
    if setter is not None and setter != FIELD_MANAGER and not setter.startswith("kubectl"):
        by = applied_by(shown.item) or setter
        return Standing(State.MET, "Resumed", f"{by} had paused it and may do so again: take the annotation out there.")
    return Standing(State.MET, "Resumed", "What waits is sent.")


async def refresh(
    cluster: Cluster,
    items: Sequence[Mapping[str, Any]],
    *,
    path: str,
    timeout: float,  # noqa: ASYNC109 - what is known when time is up is the answer
    watcher: Watcher,
) -> dict[Key, Standing]:
    """Has the operator read Run:ai at once, and waits until it says that it has; a `timeout` of 0 does not wait."""
    token = f"{datetime.now(UTC).isoformat(timespec='milliseconds')}-{secrets.token_hex(4)}"

    async def ask(shown: View) -> Standing:
        await annotate(cluster, shown, {RECONCILE_ANNOTATION: token})
        return Standing(State.MET, "Requested", "The operator was asked to read Run:ai.")

    asked = await each(items, ask)
    if not timeout:
        return asked
    targets = [target for target in map(Target.of, items) if asked[target.key].state is State.MET]
    try:
        return asked | await wait(cluster, targets, handled(token), path=path, timeout=timeout, watcher=watcher)
    except (BridgeError, CommandError) as error:
        unseen = Standing(State.WAITING, "NotSeen", f"{error.message} The operator was asked to read Run:ai.")
        return asked | {target.key: unseen for target in targets}


def handled(token: str) -> Judge:
    """Whether the operator has done what was requested; a later request of somebody else stands for ours."""

    def judge(shown: View | None, target: Target) -> Standing:
        if shown is None or is_gone(shown, target):
            return Standing(State.FAILED, "Deleted", "It was deleted meanwhile.")
        if shown.token is None:
            return Standing(State.FAILED, "Undone", f"Somebody has removed the annotation {RECONCILE_ANNOTATION}.")
        if shown.status.get("lastHandledReconcileAt") in (token, shown.token):
            return Standing(State.MET, "Refreshed", shown.reason)
        return Standing(State.WAITING, "Requested", _what_holds_it_up(shown))

    return judge


def _what_holds_it_up(shown: View) -> str:
    """The operator says that it is done once Run:ai has answered."""
    synced = shown.condition(ConditionType.SYNCED)
    if synced is not None and synced["status"] != "True":
        return str(synced["message"])
    return "The operator has not said yet that it has read Run:ai."


async def annotate(cluster: Cluster, shown: View, annotations: Mapping[str, str | None]) -> dict[str, Any]:
    """Sets (None: removes) annotations of this object, not of a later one of the name; returns it.

    Raises as `Cluster.patch` does."""
    metadata = {"uid": shown.uid, "annotations": dict(annotations)}
    return await cluster.patch(cluster.workloads(shown.name, namespace=shown.namespace), {"metadata": metadata})
