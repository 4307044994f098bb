"""What is there before an operator starts, at a fraction of what it takes to get there: workloads of others, and objects with the
status of a running one."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import islice
from typing import Any

from bench.driver import Driver, Object, in_parallel
from stack import Simulator

MANY = 1000
"""Workloads in one call."""
DAY = 86_400.0
FOREIGN = {"apiVersion": "apps/v1", "kind": "Deployment"}
FOREIGN_PROJECT = "2"
OWNER = "bridge.run.ai/owner-"


def add_foreign(runai: Simulator, many: int) -> list[str]:
    """Running workloads of another project, submitted a day ago by somebody else; gives their ids."""
    bodies = (
        {"metadata": {"name": f"foreign-{number}", "projectId": FOREIGN_PROJECT}, "manifest": FOREIGN}
        for number in range(many)
    )
    made: list[str] = []
    while some := list(islice(bodies, MANY)):
        made += [one["id"] for one in _add(runai, some)]
    return made


async def add_running(driver: Driver, runai: Simulator, sample: Object, names: list[str]) -> None:
    """Objects, and their workloads at Run:ai, in the state of `sample`: a RunaiWorkload that the operator brought up itself."""
    manifest = runai.manifest(sample["status"]["workloadId"])
    for some in _chunks(names):
        uids: dict[str, str] = {}

        async def create(name: str, uids: dict[str, str] = uids) -> None:
            uids[name] = await driver.create(name, sample["spec"], finalizers=sample["metadata"]["finalizers"])

        await in_parallel(create, some)
        bodies = [_submitted(manifest, sample, name, uids[name]) for name in some]
        ids = {one["name"]: one["id"] for one in _add(runai, bodies)}

        async def show(name: str, uids: dict[str, str] = uids, ids: dict[str, str] = ids) -> None:
            own = {"workloadId": ids[name], "workloadName": name, "ownerUid": uids[name]}
            await driver.patch(name, {"status": sample["status"] | own}, "/status")

        await in_parallel(show, some)


def _submitted(manifest: Object, sample: Object, name: str, uid: str) -> Object:
    made = copy.deepcopy(manifest)
    made["metadata"]["name"] = name
    made["metadata"]["annotations"] |= {f"{OWNER}name": name, f"{OWNER}uid": uid}
    return {"metadata": {"name": name, "projectId": sample["status"]["projectId"]}, "manifest": made}


def _add(runai: Simulator, bodies: list[Object]) -> Any:
    return runai.admin("POST", "workloads", {"workloads": bodies, "phase": "Running", "age": DAY})


def _chunks(names: list[str]) -> Iterator[list[str]]:
    for first in range(0, len(names), MANY):
        yield names[first : first + MANY]
