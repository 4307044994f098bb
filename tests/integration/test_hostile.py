"""What any tenant may apply: it costs its owner, never the others, and never the process."""

from __future__ import annotations

import json
import time

from controlplane import ControlPlane
from stack import Operator, Simulator, Workloads, manifest_of, workload

GOOD = 20
HOSTILE = ("bomb", "deep", "large")
MEMORY_MARGIN = 50 * 2**20


def deep_manifest(levels: int) -> str:
    """A Job nested far deeper than Python's own readers go; as text, since Python could not write it either."""
    head = '{"apiVersion":"batch/v1","kind":"Job","spec":'
    return head + '{"a":' * levels + "1" + "}" * levels + "}"


def large_manifest(size: int):
    manifest = manifest_of("Job")
    manifest["spec"]["template"]["spec"]["containers"][0]["env"] = [
        {"name": f"V{n}", "value": "x" * 1000} for n in range(size // 1024)
    ]
    return manifest


ALIAS_BOMB = "apiVersion: batch/v1\nkind: Job\nspec:\n" + "".join(
    f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" if n else "  a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    for n in range(12)
)


def apply_hostile(plane: ControlPlane, workloads: Workloads) -> None:
    text = json.dumps(workload("deep", workloads.namespace, manifest="DEEP")).replace('"DEEP"', deep_manifest(4000))
    plane.client.send_text("POST", workloads.collection, text)
    plane.client.create(workload("large", workloads.namespace, manifest=large_manifest(1_200_000)))
    plane.client.create(workload("bomb", workloads.namespace, manifestYaml=ALIAS_BOMB))


def apply_good(workloads: Workloads) -> list[str]:
    names = [f"good-{n}" for n in range(GOOD)]
    for name in names:
        workloads.apply(name, manifest=manifest_of("Deployment"))
    return names


def peak_of(operator: Operator, done) -> int:
    peak = 0
    while not done():
        peak = max(peak, operator.resident_bytes())
        time.sleep(0.02)
    return max(peak, operator.resident_bytes())


COLUMNS = (
    "NAME:.metadata.name,ID:.status.workloadId,"
    'STALLED:.status.conditions[?(@.type=="Stalled")].status,'
    'MESSAGE:.status.conditions[?(@.type=="Ready")].message'
)


def states(plane: ControlPlane, namespace: str) -> dict[str, list[str]]:
    """Name to id, Stalled and message: read by kubectl, since Python could not read the deep one."""
    rows = plane.kubectl(
        "get", "rwl", "--namespace", namespace, "--no-headers", "--output", f"custom-columns={COLUMNS}"
    )
    return {name: rest for name, *rest in (line.split(None, 3) for line in rows.stdout.splitlines())}


def settled_names(plane: ControlPlane, namespace: str) -> set[str]:
    return {
        name
        for name, (has_id, stalled, _) in states(plane, namespace).items()
        if has_id != "<none>" or stalled == "True"
    }


def test_hostile_objects_cost_their_owners_only(
    control_plane: ControlPlane, start_operator, runai: Simulator, workloads: Workloads, namespace
):
    control = start_operator()
    names = apply_good(workloads)
    control_peak = peak_of(control, lambda: set(names) <= settled_names(control_plane, namespace))
    for name in names:
        workloads.delete(name)
    for name in names:
        workloads.wait_gone(name)
    control.terminate()

    apply_hostile(control_plane, workloads)
    names = apply_good(workloads)
    operator = start_operator()
    order: list[str] = []

    def all_settled() -> bool:
        order.extend(sorted(settled_names(control_plane, namespace) - set(order), key=lambda name: name in HOSTILE))
        return len(order) == GOOD + len(HOSTILE)

    peak = peak_of(operator, all_settled)
    after = states(control_plane, namespace)

    assert operator.alive
    assert set(order[:GOOD]) == set(names), f"hostile ones came first: {order}"
    assert "500 levels" in after["deep"][2]
    assert "expands to more than" in after["bomb"][2]
    assert after["large"][0] != "<none>", "large is allowed"
    assert peak - control_peak < MEMORY_MARGIN, f"{(peak - control_peak) / 2**20:.0f} MiB more than without them"
    control_plane.kubectl("delete", "rwl", "--namespace", namespace, *HOSTILE, "--timeout=60s")
