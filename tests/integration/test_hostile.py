"""What any tenant may apply: it costs its owner, never the others, and never the process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controlplane import ControlPlane
from stack import Feed, Operator, Simulator, Workloads, manifest_of, workload

GOOD = 20
HOSTILE = ("bomb", "deep", "large")
STRUCK = 3
"""How many submissions are answered in a hostile way."""
MEMORY_MARGIN = 50
"""MiB."""


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


def apply_good(workloads: Workloads, count: int = GOOD) -> set[str]:
    names = {f"good-{n}" for n in range(count)}
    for name in names:
        workloads.apply(name, manifest=manifest_of("Deployment"))
    return names


def settled(feed: Feed) -> list[str]:
    """Names in the order in which they first had an id or were Stalled."""
    return list(dict.fromkeys(one["name"] for one in feed.changes() if one["id"] or one["stalled"] == "True"))


@pytest.fixture
def feed(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> Iterator[Feed]:
    with Feed(tmp_path, control_plane, namespace) as running:
        yield running


@pytest.fixture
def usual_peak(start_operator: Callable[..., Operator], runai: Simulator, workloads: Workloads, feed: Feed) -> int:
    """The most memory, in bytes, of an operator that submits the good ones and nothing else; they are gone again."""
    control = start_operator()
    names = apply_good(workloads)
    feed.wait_until("good ones with ids", lambda: set(settled(feed)) == names)
    peak = control.peak_bytes()
    for name in names:
        workloads.delete(name)
    for name in names:
        workloads.wait_gone(name)
    control.terminate()
    runai.admin("DELETE", "counters")
    feed.log.write_text("")
    return peak


def test_hostile_objects_cost_their_owners_only(
    control_plane: ControlPlane, usual_peak: int, start_operator, workloads: Workloads, namespace, feed: Feed
):
    apply_hostile(control_plane, workloads)
    good = apply_good(workloads)
    operator = start_operator()
    feed.wait_until("end", lambda: len(settled(feed)) == GOOD + len(HOSTILE))
    order, shown = settled(feed), {one["name"]: one for one in feed.changes()}

    assert operator.alive
    before_hostile = next(place for place, name in enumerate(order) if name not in good)
    assert before_hostile >= GOOD // 2, f"good ones waited for hostile ones: {order}"
    assert "spec.manifest is nested deeper than 498 levels" in shown["deep"]["message"]
    assert "expands to more than" in shown["bomb"]["message"]
    assert shown["large"]["id"], "large is allowed"
    assert in_mebibytes(operator.peak_bytes() - usual_peak) < MEMORY_MARGIN
    control_plane.kubectl("delete", "rwl", "--namespace", namespace, *HOSTILE, "--timeout=60s")


def test_objects_full_of_annotations_keep_nobody_from_starting(
    control_plane: ControlPlane, start_operator: Callable[..., Operator], runai: Simulator, workloads: Workloads
):
    """Annotations may fill 256 KiB; as JSON, `<` takes six bytes. One page of these would be 70 MB."""
    full = {"kubectl.kubernetes.io/last-applied-configuration": "<" * 240_000}
    paused = [f"full-{n:02}" for n in range(50)]
    for name in (*paused, "full-and-running"):
        item = workload(name, workloads.namespace, manifest=manifest_of("Deployment"))
        item["metadata"]["annotations"] = full | ({"bridge.run.ai/paused": "true"} if name in paused else {})
        control_plane.client.create(item)
    workloads.apply("good", manifest=manifest_of("Deployment"))
    operator = start_operator()
    workloads.wait_condition("good", "Ready", "True")
    runai.wait_until("the full one", lambda: len(runai.live()) == 2)

    assert operator.alive
    assert operator.metric("runai_operator_skipped_workloads") == 0
    assert in_mebibytes(operator.peak_bytes()) < 200
    for name in paused:
        workloads.delete(name)


@pytest.mark.parametrize("answer", ["garbage", "huge", "deep"])
def test_hostile_answers_stop_nobody_and_make_nothing_twice(
    usual_peak: int, start_operator, runai: Simulator, workloads: Workloads, feed: Feed, answer: str
):
    """Whom they strike goes first when the circuit breaker that they open lets calls through again, so no order is
    promised."""
    runai.fault(kind=answer, method="POST", path="/api/v2/workloads", count=STRUCK)
    runai.fault(kind=answer, method="GET", path="/api/v[12]/workloads", count=3 * STRUCK)
    names = apply_good(workloads, GOOD + STRUCK)
    operator = start_operator()
    feed.wait_until("end", lambda: len(settled(feed)) == GOOD + STRUCK)
    creates = [name for _, name in runai.admin("GET", "counters")["creates"]]

    assert operator.alive
    assert sorted(creates) == sorted(names), "each was made once"
    assert in_mebibytes(operator.peak_bytes() - usual_peak) < MEMORY_MARGIN
    for name in names:
        workloads.wait_condition(name, "Ready", "True")


def in_mebibytes(size: int) -> float:
    return round(size / 2**20, 1)
