"""Removes an object, and leaves its workload in Run:ai.

Whenever the operator sees that the object is being deleted, it must see `deletionPolicy: Orphan` as well, or it deletes the
workload. So the policy is written first, and the deletion is tied to the version of the object that has it. A GitOps tool may
still put the policy back while the object waits for its finalizer: the pause that is written together with the policy then
holds the deletion, and the policy is written again. Under Orphan, a pause holds nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from runai_operator.commands.exits import CommandError
from runai_operator.commands.steering import each
from runai_operator.commands.view import Seen, View, applied_by
from runai_operator.commands.waiting import Standing, State, Target, Watcher, is_gone, wait
from runai_operator.domain.errors import BridgeError, KubernetesUnavailable, StaleObject, Vanished
from runai_operator.domain.model import IN_DOUBT, NAME_HELD, PAUSED_ANNOTATION, DeletionPolicy
from runai_operator.kube.objects import Cluster, Key

ATTEMPTS = 30
"""The operator's writes of status come between, and none of them takes long."""
PAUSE = 0.1
BEGUN = "It goes as soon as the operator has seen it."
LEFT = "It may be left paused, with deletionPolicy: Orphan, or be deleted: look at it before you go on."


async def orphan(
    cluster: Cluster,
    items: Sequence[Mapping[str, Any]],
    *,
    path: str,
    force: bool,
    timeout: float,  # noqa: ASYNC109 - what is known when time is up is the answer
    watcher: Watcher,
) -> dict[Key, Standing]:
    """How the objects stand when they are gone, or when time is up; a `timeout` of 0 does not wait.

    Nothing is touched unless every one of them may be deleted. Raises `CommandError` for what would come back (unless `force`), else
    as `each` does.
    """
    for item in items:
        if (tool := applied_by(item)) is not None and not force:
            raise CommandError(
                f"{item['metadata']['name']} comes from {tool}, which would make it again, and the new object would have the"
                " workload again. Take it out there under deletionPolicy: Orphan, or give --force."
            )
        await _rehearse(cluster, View(item))
    before = {Target.of(item).key: View(item) for item in items}
    begun = await each(items, lambda shown: _delete(cluster, shown))
    if not timeout:
        return begun
    targets = [target for target in map(Target.of, items) if begun[target.key].state is State.MET]
    guards = Guards(cluster)
    try:
        standings = await wait(cluster, targets, guards.judge, path=path, timeout=timeout, watcher=watcher)
    except (BridgeError, CommandError) as error:
        unseen = Standing(State.WAITING, "NotSeen", f"{error.message} {BEGUN}")
        return begun | {target.key: unseen for target in targets}
    return begun | {key: _left(standing, before[key], guards.last.get(key)) for key, standing in standings.items()}


async def _rehearse(cluster: Cluster, shown: View) -> None:
    """Whether the caller may change and delete it, asked of the API server without an effect."""
    if shown.deleting:
        return
    where = cluster.workloads(shown.name, namespace=shown.namespace)
    await cluster.call("PATCH", where, query={"dryRun": "All"}, body=_kept(shown))
    await cluster.call("DELETE", where, body={"dryRun": ["All"], "preconditions": {"uid": shown.uid}})


def _kept(shown: View) -> dict[str, Any]:
    """The change that keeps the workload."""
    return {
        "metadata": {"uid": shown.uid, "annotations": {PAUSED_ANNOTATION: "true"}},
        "spec": {"deletionPolicy": DeletionPolicy.ORPHAN.value},
    }


async def _delete(cluster: Cluster, shown: View) -> Standing:
    """Begins the deletion, or leaves it as it was."""
    where, begun = cluster.workloads(shown.name, namespace=shown.namespace), Standing(State.MET, "Deleting", BEGUN)
    if shown.deleting:
        await cluster.patch(where, _kept(shown))
        return begun
    try:
        item = await cluster.patch(where, _kept(shown))
        with suppress(Vanished):
            await _delete_this(cluster, View(item))
    except asyncio.CancelledError:  # Ctrl-C; a second one does not wait
        await _undo(cluster, shown)
        raise
    except BridgeError as error:
        keeps = await _undo(cluster, shown)
        if keeps is None:
            raise KubernetesUnavailable(f"{error.message} {LEFT}") from error
        if not keeps:
            raise
    return begun


async def _delete_this(cluster: Cluster, shown: View) -> None:
    """Only in a version that has the policy."""
    where = cluster.workloads(shown.name, namespace=shown.namespace)
    for _ in range(ATTEMPTS):
        if not _is_kept(shown):
            raise StaleObject(
                f"Somebody else has put deletionPolicy of {shown.name} back at once, so it was not deleted: set it to Orphan where"
                " the object comes from."
            )
        version = {"uid": shown.uid, "resourceVersion": shown.metadata["resourceVersion"]}
        with suppress(StaleObject):
            await cluster.delete(where, {"preconditions": version})
            return
        await asyncio.sleep(PAUSE)
        shown = View(await cluster.get(where))
    raise StaleObject(f"{shown.name} changes all the time, so that it was not deleted. Try again.")


def _is_kept(shown: View) -> bool:
    return bool(shown.spec.get("deletionPolicy") == DeletionPolicy.ORPHAN and shown.paused)


async def _undo(cluster: Cluster, shown: View) -> bool | None:
    """As it was before, unless it is being deleted all the same: then it keeps what keeps its workload. Whether it is and does:
    the answer may have been lost; None where that cannot be found out, or nothing can be undone."""
    where = cluster.workloads(shown.name, namespace=shown.namespace)
    annotations = {PAUSED_ANNOTATION: shown.annotation(PAUSED_ANNOTATION)}
    policy = shown.spec.get("deletionPolicy", DeletionPolicy.DELETE.value)
    with suppress(BridgeError):
        for _ in range(ATTEMPTS):
            now = View(await cluster.get(where))
            if now.uid != shown.uid or now.deleting:
                return now.uid == shown.uid and _is_kept(now)
            version = {"uid": now.uid, "resourceVersion": now.metadata["resourceVersion"]}
            with suppress(StaleObject):
                await cluster.patch(
                    where, {"metadata": version | {"annotations": annotations}, "spec": {"deletionPolicy": policy}}
                )
                return False
            await asyncio.sleep(PAUSE)
    return None


class Guards:
    """Watches each object until it is gone, and keeps its workload whatever others write to it."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._writing: set[asyncio.Task[None]] = set()
        self.last: dict[Key, View] = {}
        """Each as it was seen last."""

    def judge(self, shown: View | None, target: Target) -> Standing:
        if shown is None or is_gone(shown, target):
            return Standing(State.MET, "Orphaned", "It is gone.")
        self.last[target.key] = shown
        if not _is_kept(shown):
            task = asyncio.create_task(self._keep(shown))
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)
            return Standing(
                State.WAITING, "PutBack", "Somebody else has put deletionPolicy back: it is set to Orphan again."
            )
        if not shown.held and shown.other_finalizers:
            return Standing(State.WAITING, "Finalizers", f"It waits for others: {', '.join(shown.other_finalizers)}.")
        return Standing(
            State.WAITING,
            "Deleting",
            "It waits for the operator to remove its finalizer, which it does as soon as it runs; the workload stays.",
        )

    async def _keep(self, shown: View) -> None:
        with suppress(BridgeError):
            await self._cluster.patch(self._cluster.workloads(shown.name, namespace=shown.namespace), _kept(shown))


def _left(standing: Standing, before: View, last: View | None) -> Standing:
    """What is in Run:ai of an object that is gone."""
    if standing.state is not State.MET:
        return standing
    status = (last or before).status
    workload, name = status.get("workloadId"), status.get("workloadName") or before.name
    if status.get("desiredPhase") == "Deleted" or status.get("syncStatus") in ("Deleting", "Deleted"):
        words = f"Run:ai was asked to delete workload {workload} before: it may be gone, too."
        return Standing(State.FAILED, "TooLate", words)
    if workload:
        return Standing(State.MET, "Orphaned", f"Workload {name} ({workload}) stays in Run:ai.")
    if before.seen is Seen.NEVER and not before.held:
        return Standing(State.MET, "Orphaned", "The operator had not seen it: nothing was in Run:ai.")
    if status.get("submission") in (IN_DOUBT, NAME_HELD, None):
        return Standing(State.MET, "Orphaned", f"Whether a workload {name} is in Run:ai was not known yet: look there.")
    return Standing(State.MET, "Orphaned", "Nothing of it was in Run:ai.")
