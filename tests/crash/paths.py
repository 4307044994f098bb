"""The paths of a workload's life that are interrupted: what stands before, what is done, and when all is well again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stack import Simulator, Workloads, manifest_of
from stack.workloads import condition

NAME = "w"
RUNS_ON = manifest_of("Deployment")
EDITED = manifest_of("Deployment") | {"spec": manifest_of("Deployment")["spec"] | {"replicas": 2}}
OTHER_KIND = RUNS_ON | {"kind": "StatefulSet"}


@dataclass(frozen=True, slots=True)
class Path:
    """One path. `creates` POSTs may take effect in all; `live` workloads are there at the end, `orphans` are on record."""

    name: str
    prepare: Callable[[Workloads, Simulator], Any]
    act: Callable[[Workloads, Simulator], Any]
    done: Callable[[Workloads], bool]
    creates: int = 1
    live: int = 1
    orphans: int = 0
    last_words: str = ""
    """What the operator logs at the end, where the object shows that before, or still shows it from the process before."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Settings of the operator."""


def apply(**spec: Any) -> Callable[[Workloads, Simulator], Any]:
    def do(workloads: Workloads, runai: Simulator) -> None:
        del runai
        workloads.apply(NAME, **({"manifest": RUNS_ON} | spec))
        workloads.wait_condition(NAME, "Ready", "True")

    return do


def edit(**spec: Any) -> Callable[[Workloads, Simulator], Any]:
    def do(workloads: Workloads, runai: Simulator) -> None:
        del runai
        workloads.apply(NAME, **spec)

    return do


def nothing(workloads: Workloads, runai: Simulator) -> None:
    del workloads, runai


def delete(workloads: Workloads, runai: Simulator) -> None:
    del runai
    workloads.delete(NAME)


def delete_while_down(workloads: Workloads, runai: Simulator) -> None:
    runai.fault(kind="status", status=503)
    workloads.delete(NAME)


def orphan(workloads: Workloads, runai: Simulator) -> None:
    apply(deletionPolicy="Orphan")(workloads, runai)
    workloads.delete(NAME)
    workloads.wait_gone(NAME)


def adopt(workloads: Workloads, runai: Simulator) -> None:
    workloads.apply(NAME, manifest=RUNS_ON, workloadId=runai.live()[0]["id"])


def ready(workloads: Workloads) -> bool:
    item = workloads.find(NAME)
    if item is None or item["status"].get("observedGeneration") != item["metadata"]["generation"]:
        return False
    found = condition(item, "Ready") or {}
    return found.get("status") == "True" and bool(item["status"].get("workloadId"))


def checked(workloads: Workloads) -> bool:
    return _ends_dry_run(workloads, "Valid")


def found_unsupported(workloads: Workloads) -> bool:
    return _ends_dry_run(workloads, "DryRunUnsupported")


def _ends_dry_run(workloads: Workloads, reason: str) -> bool:
    item = workloads.find(NAME)
    return item is not None and (condition(item, "Ready") or {}).get("reason") == reason


def gone(workloads: Workloads) -> bool:
    return workloads.find(NAME) is None


PATHS = (
    Path("submit", nothing, edit(manifest=RUNS_ON), ready),
    Path("submit from text", nothing, edit(manifestYaml="apiVersion: apps/v1\nkind: Deployment\nspec: {}"), ready),
    Path("update", apply(), edit(manifest=EDITED), ready),
    Path("delete", apply(), delete, gone, live=0),
    Path(
        "give up",
        apply(),
        delete_while_down,
        gone,
        orphans=1,
        env={"OPERATOR_RELEASE_AFTER": "1s", "OPERATOR_STALLED_AFTER": "1s"},
    ),
    Path("adopt", orphan, adopt, ready),
    # The object comes back under another UID, as from a backup, while its workload lives.
    Path("restore", orphan, edit(manifest=RUNS_ON), ready),
    Path(
        "recreate",
        apply(recreatePolicy="OnImmutableChange"),
        edit(manifest=OTHER_KIND, recreatePolicy="OnImmutableChange"),
        ready,
        creates=2,
    ),
    Path("dry run", nothing, edit(manifest=RUNS_ON, managementPolicy="DryRun"), checked, creates=0, live=0),
)
PROBE = Path(
    "probe",
    nothing,
    edit(manifest=RUNS_ON, managementPolicy="DryRun"),
    found_unsupported,
    creates=3,
    live=0,
    last_words="deleted what was created by a dry run",
)
"""What every process sends to a Run:ai that ignores `dryRun` is removed; each that is killed may have sent it."""
