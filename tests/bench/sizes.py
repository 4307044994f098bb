"""What things take in memory: an entry, a page of a list, a manifest on its way. Needs no servers, and takes seconds.

    python -m bench.sizes [--entries 5000]

Counted by tracemalloc: what Python allocates, to which the process adds some tenths for gaps.
"""

from __future__ import annotations

import argparse
import json
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from bench.figures import console
from bench.machine import described
from bench.manifests import manifest_of
from fakes.scripted_runai import UUID, workload
from runai_operator.domain.checks import read_manifest
from runai_operator.domain.manifest import content_hash, with_mark
from runai_operator.domain.model import OwnerMark, RowQuery, Submission
from runai_operator.domain.plan import StatusSummary
from runai_operator.engine.inventory import Inventory
from runai_operator.kube.wire import COLUMNS, decode_metadata, decode_workload, page_of_table
from runai_operator.runai import wire
from runai_operator.runai.wire import Answer

PAGE = 250
RUNAI_PAGE = 500
KIB = 1024


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=5000)
    entries: int = parser.parse_args().entries
    console.print(described(f"python -m bench.sizes --entries {entries}"))
    for what, size in sizes(entries):
        console.print(f"{what:<72} {size / KIB:>9,.1f} KiB")
    return 0


def sizes(entries: int) -> Iterator[tuple[str, float]]:
    (held, _), inventory = measured(lambda: loaded(entries))
    yield f"an entry after a start, of {entries}", held / entries
    (more, _), _ = measured(lambda: seen(inventory, entries))
    yield "  and once a list of Run:ai has shown its workload", more / entries
    body = table(0, PAGE)
    yield f"a page of {PAGE} RunaiWorkloads, as it comes", len(body)
    (kept, peak), _ = measured(lambda: page_of_table(decode_metadata(body, lean=True)))
    yield "  the most while it is read", peak
    yield "  what is kept of it", kept
    body = rows(0, RUNAI_PAGE)
    yield f"a page of {RUNAI_PAGE} rows of Run:ai, as it comes", len(body)
    (kept, peak), _ = measured(lambda: page_of_runai(body))
    yield "  the most while it is read", peak
    yield "  what is kept of it", kept
    for size in (4 * KIB, 64 * KIB, 1000 * KIB):
        for as_yaml in (False, True):
            (_, peak), _ = measured(lambda size=size, as_yaml=as_yaml: submitted(size, as_yaml=as_yaml))
            form = "as YAML" if as_yaml else "as an object"
            yield f"a manifest of {size // KIB:,} KiB {form}, the most from the read to the answer", peak


def measured(act: Callable[[], Any]) -> tuple[tuple[int, int], Any]:
    """Bytes that it leaves allocated, the most that it had, and what it returned."""
    tracemalloc.start()
    made = act()
    size = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size, made


def table(first: int, many: int) -> bytes:
    """A page of a list of RunaiWorkloads as the API server writes it."""
    cells = {
        "Ready": "True", "Reason": "Running", "Phase": "Running", "Synced": "True", "Kind": "Deployment", "Project": "team-a",
        "Message": "The workload runs.", "Sync": "Synced", "Pods": 1, "GPUs": "1", "Project ID": "4500001", "Observed": 1,
        "Created": "2026-01-15T10:00:00Z", "Requested": 1, "Category": "Train", "Synced Reason": "Synced",
        "Connection": "default", "Hash": f"v1:{'0' * 64}",
    }  # fmt: skip
    made = []
    for number in range(first, first + many):
        uid = f"{number:08d}-0000-4000-8000-000000000000"
        meta = {
            "name": f"training-{number}", "namespace": "team-a", "uid": uid, "resourceVersion": str(100_000 + number),
            "generation": 1, "creationTimestamp": "2026-01-15T10:00:00Z", "finalizers": ["bridge.run.ai/workload"],
        }  # fmt: skip
        own = {
            "Workload ID": f"{number:08d}-1111-4000-8000-000000000000",
            "Workload Name": f"training-{number}",
            "Owner": uid,
        }
        made.append({"cells": [(cells | own).get(column) for column in COLUMNS], "object": {"metadata": meta}})
    columns = [{"name": column} for column in COLUMNS]
    return json.dumps({"metadata": {}, "columnDefinitions": columns, "rows": made}).encode()


def rows(first: int, many: int) -> bytes:
    """A page of Run:ai's list."""
    common = {
        "type": "Deployment", "projectName": "team-a", "projectId": "4500001", "clusterId": UUID, "clusterName": "cluster",
        "phase": "Running", "phaseUpdatedAt": "2026-01-15T10:00:00Z", "createdAt": "2026-01-15T10:00:00Z",
        "runningPods": 1, "requestedPods": {"number": 1}, "allocatedResources": {"gpu": {"compute": 1}},
        "images": ["registry.example.com/training:1"], "environmentVariables": {f"V{number}": "x" * 40 for number in range(20)},
    }  # fmt: skip
    made = [
        {**common, "id": f"{number:08d}-1111-4000-8000-000000000000", "name": f"training-{number}"}
        for number in range(first, first + many)
    ]
    return json.dumps({"workloads": made}).encode()


def loaded(entries: int) -> Inventory:
    inventory = Inventory(lambda: 0.0)
    for first in range(0, entries, PAGE):
        for row in page_of_table(decode_metadata(table(first, PAGE), lean=True))[0]:
            inventory.add(row.meta, StatusSummary.of_cells(row))
    return inventory


def page_of_runai(body: bytes) -> Any:
    return wire.read_page(RowQuery(), datetime.now(UTC))(wire.parse(Answer(200, body, "application/json")))


def seen(inventory: Inventory, entries: int) -> None:
    for first in range(0, entries, RUNAI_PAGE):
        for row in page_of_runai(rows(first, RUNAI_PAGE)).rows:
            inventory.see("default", row)


def submitted(size: int, *, as_yaml: bool) -> None:
    """The steps of a pass, with what the object and the answer hold besides."""
    text = json.dumps(manifest_of(size))
    spec = {"projectId": "1", **({"manifestYaml": text} if as_yaml else {"manifest": json.loads(text)})}
    meta = {"namespace": "ns", "name": "a", "uid": "u", "resourceVersion": "1"}
    read = decode_workload(json.dumps({"metadata": meta, "spec": spec, "status": {}}).encode())
    manifest = read.spec.manifest
    if manifest is None:
        manifest = read_manifest(read.spec.manifest_yaml or "", place="spec.manifestYaml", max_nodes=1_000_000)
    content = content_hash(manifest, priority=None, category=None, key=None)
    marked = with_mark(manifest, name="a", mark=OwnerMark("i", "ns", "a", "u"), content=content)
    sent = wire.create_body(Submission(name="a", project_id="1", manifest=marked, encoded=as_yaml))
    shown = {**workload(), "rawManifest": marked, "workloadManifest": marked}
    body = json.dumps(shown).encode()
    wire.parse(Answer(200, body, "application/json"))
    del sent


if __name__ == "__main__":
    sys.exit(main())
