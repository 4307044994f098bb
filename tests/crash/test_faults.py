"""Every fault of the network and the control plane, on every operation of every path; then one workload."""

from __future__ import annotations

import pytest

from crash.paths import NAME, PATHS
from crash.report import Row
from crash.worlds import WORLDS
from runai_simulator.faults import KINDS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

RULES = {
    "status 500": {"kind": "status", "status": 500},
    "status 429": {"kind": "status", "status": 429, "after": "1"},
    "status 400 once": {"kind": "status", "status": 400},
    "error after effect": {"kind": "error-after", "status": 500},
    "timeout": {"kind": "latency", "seconds": 3.0},
    "401 storm": {"kind": "unauthorized", "count": 6},
} | {
    kind: {"kind": kind}
    for kind in KINDS
    if kind not in ("status", "latency", "timeout", "timeout-after", "unauthorized", "error-after")
}
"""What strikes; each twice in a row unless it says otherwise."""

OPERATIONS = {
    "submit": ("POST", "GET"),
    "update": ("PUT", "GET"),
    "delete": ("DELETE", "GET"),
    "restore": ("PUT",),
    "recreate": ("DELETE", "POST"),
}
"""The calls of each path that are struck. A 400 to a POST or PUT is a refusal, which only an edit mends: not for those."""

CASES = [
    (path, method, rule)
    for path in PATHS
    for method in OPERATIONS.get(path.name, ())
    for rule in RULES
    if not (rule == "status 400 once" and method in ("POST", "PUT"))
]

SWITCHES = {
    "as is": {},
    "deleted ones are shown": {"deleted_answers_404": False},
    "writes are refused while busy": {"writes_while_busy": False},
    "names stay blocked for a while": {"name_blocked_for": 2.0},
    "lists lag": {"list_lag": 0.8},
    "deleted ones are not listed": {"deleted_list": False},
}


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize(("path", "method", "rule"), CASES, ids=lambda value: getattr(value, "name", value))
def test_struck_by_a_fault(path, method, rule, world, stage, report):
    one = stage(**WORLDS[world])
    operator = one.operator()
    path.prepare(one.workloads, one.runai)
    one.runai.fault(**({"method": method, "path": "/api/v2/workloads", "count": 2} | RULES[rule]))
    path.act(one.workloads, one.runai)
    seconds = one.wait(f"{path.name} after {rule}", lambda: path.done(one.workloads))
    left = one.runai.admin("GET", "faults")
    row = Row(
        "fault",
        path.name,
        world,
        f"{rule} on {method}",
        left[0]["count"] < 2,
        one.runai.effective_creates(),
        len(one.runai.live()),
        seconds,
    )
    report(row)

    assert operator.alive
    assert row.live == path.live, row
    assert row.creates <= path.creates, row


@pytest.mark.parametrize("switches", SWITCHES.values(), ids=SWITCHES)
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_every_path_under_every_switch(path, switches, stage):
    one = stage(**switches)
    operator = one.operator(**path.env)
    path.prepare(one.workloads, one.runai)
    one.runai.fault(kind="lost-answer", method="POST", path="/api/v2/workloads", count=1)
    path.act(one.workloads, one.runai)
    one.wait(path.name, lambda: path.done(one.workloads))

    assert operator.alive
    assert len(one.runai.live()) == path.live
    assert one.runai.effective_creates() <= path.creates


@pytest.mark.parametrize(
    "switches",
    [
        pytest.param({"raw_manifest_echo": False}, id="marks cannot be read"),
        pytest.param({"raw_annotations": False}, id="annotations are not shown"),
        pytest.param({"ids_equal": False}, id="lists use other ids"),
    ],
)
def test_where_ownership_is_unknown_nothing_is_doubled_and_nothing_released(switches, stage):
    """A lost answer there leaves a workload that nobody can prove to be ours: the object says so and holds."""
    one = stage(**switches)
    one.operator()
    one.runai.fault(kind="lost-answer", method="POST", path="/api/v2/workloads", count=1)
    one.workloads.apply(NAME)
    one.wait("the reason", lambda: _reason(one) in ("NameTaken", "HolderUnreadable"))

    assert one.runai.effective_creates() == 1

    one.workloads.patch(NAME, {"spec": {"deletionPolicy": "Orphan"}})
    one.workloads.delete(NAME)
    one.workloads.wait_gone(NAME)

    assert len(one.runai.live()) == 1, "released on request, and still there"


@pytest.mark.parametrize(
    "switches",
    [{"raw_manifest_echo": False}, {"raw_annotations": False}, {"ids_equal": False}, {"sync_info": False}],
    ids=["marks cannot be read", "annotations are not shown", "lists use other ids", "nothing tells of the sync"],
)
def test_without_a_loss_such_a_control_plane_serves_as_well(switches, stage):
    one = stage(**switches)
    one.operator()
    one.workloads.apply(NAME)
    one.workloads.wait_condition(NAME, "Completed", "True")
    one.workloads.delete(NAME)
    one.workloads.wait_gone(NAME)

    assert one.runai.live() == []


def _reason(one) -> str:
    item = one.workloads.find(NAME) or {}
    found = [entry for entry in item.get("status", {}).get("conditions", ()) if entry["type"] == "Ready"]
    return str(found[0]["reason"]) if found else ""
