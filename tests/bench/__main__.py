"""`make bench`: what the operator costs and how quick it is, beside a raw script that makes only the minimal calls.

    python -m bench [--workloads 500] [--beside ../28adc2d/operator] [--rounds 3]

Prints a table. Both run against the same servers, one after the other; quote the ratios. `--beside` measures the operator of
another checkout as well, in turns with this one, each with its own CustomResourceDefinition and on servers of its own; of
several rounds the medians are shown. The simulator is always this one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from rich.console import Console
from rich.table import Table

from controlplane import ControlPlane
from controlplane.client import tls_context
from stack import Operator, Simulator, Workloads, manifest_of
from stack.processes import CLIENT_ID, CLIENT_SECRET
from stack.workloads import condition

PARALLEL = 16
METHODS = ("POST", "GET", "PUT", "DELETE")
CALM = 3.0
"""Seconds without another Kubernetes Event after which those of the burst have been sent: ten a second are."""
OPERATOR = Path(__file__).parents[2] / "operator"
RUNS_ON = manifest_of("Deployment")
console = Console(highlight=False)


@dataclass(slots=True)
class Figures:
    """What one revision was measured to need: for each figure its form, and the value of each round."""

    name: str
    rows: dict[str, tuple[str, list[float]]] = field(default_factory=dict)

    def add(self, what: str, value: float, form: str = "{:.1f} s") -> None:
        self.rows.setdefault(what, (form, []))[1].append(value)
        console.print(f"  {self.name}: {what}: {form.format(value)}")

    def median(self, what: str) -> float:
        return statistics.median(self.rows[what][1])

    def shown(self, what: str) -> str:
        return self.rows[what][0].format(self.median(what))


@dataclass(frozen=True, slots=True)
class Revision:
    """The folder `operator` of a checkout."""

    operator: Path
    figures: Figures


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", type=int, default=500)
    parser.add_argument("--beside", type=Path, help="the folder `operator` of another checkout, to compare with")
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    beside: Path | None = given.beside
    revisions = [Revision(OPERATOR, Figures("this one"))]
    if beside is not None:
        revisions.insert(0, Revision(beside.resolve(), Figures("the other")))
    for _ in range(given.rounds):
        for revision in revisions:
            measure_alone(revision, given.workloads)
    console.print(table_of([revision.figures for revision in revisions]))
    return 0


def table_of(columns: list[Figures]) -> Table:
    """Of two, also the ratio of the second to the first."""
    is_pair = len(columns) == 2
    table = Table("Figure", *(figures.name for figures in columns), *(("ratio",) if is_pair else ()), box=None)
    for what in columns[-1].rows:
        values = [figures.median(what) for figures in columns]
        ratio = (f"{values[1] / values[0]:.2f}" if values[0] else "-",) if is_pair else ()
        table.add_row(what, *(figures.shown(what) for figures in columns), *ratio)
    return table


def measure_alone(revision: Revision, many: int) -> None:
    """With servers of its own: what a burst leaves behind would be there for the next one."""
    with tempfile.TemporaryDirectory(prefix="runai-bench-") as name, ControlPlane() as plane:
        directory = Path(name)
        plane.install_crds(revision.operator.parent / "crds")
        with Simulator(directory, list_lag=0.1, sync_time=0.05, phase_time=0.1, delete_time=0.2) as runai:
            measure(plane, runai, directory, many, revision)


def measure(plane: ControlPlane, runai: Simulator, directory: Path, many: int, revision: Revision) -> None:
    workloads, figures = Workloads(plane.client, "default"), revision.figures
    settings = {"OPERATOR_DELETE_RATE": "100000", "PYTHONPATH": str(revision.operator)}
    began = time.monotonic()
    with Operator(directory, plane.kubeconfig, runai.url, **settings) as operator:
        operator.wait_ready()
        figures.add("start to ready, empty", time.monotonic() - began)
        figures.add("memory, idle", operator.resident_bytes() / 2**20, "{:.0f} MiB")
        one_by_one(workloads, figures)
        burst = measure_burst(operator, runai, plane, workloads, many, figures)
        steady(operator, runai, plane, figures)
        figures.add("SIGTERM to exit", seconds_to_exit(operator), "{:.2f} s")
    began = time.monotonic()
    with Operator(directory, plane.kubeconfig, runai.url, **settings) as operator:
        operator.wait_ready()
        figures.add(f"start to ready, {many} workloads", time.monotonic() - began)
        figures.add(f"memory, {many} workloads", operator.resident_bytes() / 2**20, "{:.0f} MiB")
        cpu = operator.cpu_seconds()
        began = time.monotonic()
        with ThreadPoolExecutor(PARALLEL) as pool:
            list(pool.map(workloads.delete, [f"w{number}" for number in range(many)]))
        while workloads.all():
            time.sleep(0.1)
        figures.add(f"delete {many}", time.monotonic() - began)
        figures.add("CPU per delete", (operator.cpu_seconds() - cpu) / many * 1000, "{:.1f} ms")
        runai.fault(kind="timeout", method="POST")
        workloads.apply("unanswered", manifest=RUNS_ON)
        workloads.wait("unanswered", lambda item: item["metadata"].get("finalizers"))
        figures.add("SIGTERM to exit, Run:ai silent", seconds_to_exit(operator), "{:.2f} s")
        runai.heal()
    raw = asyncio.run(raw_burst(plane, runai, many))
    figures.add(f"burst of {many}, raw script", raw)
    figures.add("burst, operator to raw script", burst / raw, "{:.2f}")


def seconds_to_exit(operator: Operator) -> float:
    began = time.monotonic()
    operator.terminate()
    return time.monotonic() - began


def one_by_one(workloads: Workloads, figures: Figures) -> None:
    """Latency of the single steps, the median of five."""
    to_id, to_running, to_gone = [], [], []
    for number in range(5):
        name = f"one-{number}"
        began = time.monotonic()
        workloads.apply(name, manifest=RUNS_ON)
        workloads.wait_id(name)
        to_id.append(time.monotonic() - began)
        workloads.wait_condition(name, "Ready", "True")
        to_running.append(time.monotonic() - began)
        began = time.monotonic()
        workloads.delete(name)
        workloads.wait_gone(name)
        to_gone.append(time.monotonic() - began)
    for what, values in (("apply to id", to_id), ("apply to Ready", to_running), ("delete to gone", to_gone)):
        figures.add(f"{what}, one at a time", sorted(values)[2] * 1000, "{:.0f} ms")


def measure_burst(
    operator: Operator, runai: Simulator, plane: ControlPlane, workloads: Workloads, many: int, figures: Figures
) -> float:
    """Seconds from the first apply until all have ids; the objects are applied by another process's worth of threads.

    Until then some are Ready already, at the cost of calls and writes that those compete with which still wait for an id: how
    many depends on how soon lists show a phase. So all is counted until the end, too.
    """
    before, cpu_before = so_far(runai, plane), operator.cpu_seconds()
    began = time.monotonic()
    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(lambda number: workloads.apply(f"w{number}", manifest=RUNS_ON), range(many)))
    applied = time.monotonic() - began
    while sum(bool(item["status"].get("workloadId")) for item in workloads.all()) < many:
        time.sleep(0.1)
    seconds, cpu = time.monotonic() - began, operator.cpu_seconds()
    already = sum(is_ready(item) for item in workloads.all())
    while not all(is_ready(item) for item in workloads.all()):
        time.sleep(0.5)
    ready, cpu_ready = time.monotonic() - began, operator.cpu_seconds()
    calm, cpu_calm = wait_calm(operator)
    spent = so_far(runai, plane) - before
    figures.add(f"burst of {many}: applied", applied)
    figures.add(f"burst of {many}: all have ids", seconds)
    figures.add("  Ready by then", already / many * 100, "{:.0f} %")
    figures.add(f"burst of {many}: all are Ready", ready)
    figures.add(f"burst of {many}: all Events are sent", calm - began)
    figures.add("CPU per create, until all have ids", (cpu - cpu_before) / many * 1000, "{:.1f} ms")
    figures.add("CPU per create, until all are Ready", (cpu_ready - cpu_before) / many * 1000, "{:.1f} ms")
    figures.add("CPU per create, until all Events are sent", (cpu_calm - cpu_before) / many * 1000, "{:.1f} ms")
    for what in ("calls to Run:ai", "reads at Kubernetes", "writes to Kubernetes", "Events"):
        figures.add(f"{what} per create", spent[what] / many, "{:.2f}")
    return seconds


def is_ready(item: dict[str, Any]) -> bool:
    return (condition(item, "Ready") or {}).get("status") == "True"


def wait_calm(operator: Operator) -> tuple[float, float]:
    """When the last Event was sent, and the CPU seconds until then; no later than now where there are none."""
    sent, last = -1.0, (time.monotonic(), operator.cpu_seconds())
    while True:
        now = operator.metric("runai_operator_events_total")
        if now != sent:
            sent, last = now, (time.monotonic(), operator.cpu_seconds())
        elif time.monotonic() - last[0] > CALM:
            return last
        time.sleep(0.2)


def so_far(runai: Simulator, plane: ControlPlane) -> Counter[str]:
    """The calls that the operator has made. Writes are those of status and finalizers."""
    spent: Counter[str] = Counter({"calls to Run:ai": sum(runai.calls(method) for method in METHODS)})
    spent["calls to Run:ai"] += runai.calls("GET", "/api/v1")
    kinds = {"get": "reads at Kubernetes", "patch": "writes to Kubernetes", "create": "Events"}
    for event in plane.audit_events("runai-operator/"):
        is_ours = event["stage"] == "ResponseComplete" and event["userAgent"].startswith("runai-operator/")
        if is_ours and event["verb"] in kinds:
            spent[kinds[event["verb"]]] += 1
    return spent


def steady(operator: Operator, runai: Simulator, plane: ControlPlane, figures: Figures) -> None:
    """Half a minute in which nothing happens, after all is settled and told."""
    time.sleep(5)
    before, cpu, calls = so_far(runai, plane), operator.cpu_seconds(), runai.calls("GET", "/api")
    time.sleep(30)
    interval = "delta interval 1 s"
    cpu, calls = operator.cpu_seconds() - cpu, runai.calls("GET", "/api") - calls
    figures.add(f"steady: CPU of a core ({interval})", cpu / 30 * 100, "{:.1f} %")
    figures.add(f"steady: calls to Run:ai a minute ({interval})", calls * 2, "{:.0f}")
    spent = so_far(runai, plane) - before
    figures.add("steady: writes to Kubernetes", spent["writes to Kubernetes"], "{:.0f}")


async def raw_burst(plane: ControlPlane, runai: Simulator, many: int) -> float:
    """Apply, finalizer, POST, status: the four calls that cannot be left out, with as much in parallel."""
    config = yaml.safe_load(plane.kubeconfig.read_text())
    tls = tls_context(config["clusters"][0]["cluster"], config["users"][0]["user"])
    base = f"{plane.url}/apis/bridge.run.ai/v1alpha1/namespaces/default/runaiworkloads"
    turns = asyncio.Semaphore(PARALLEL)
    merge = {"Content-Type": "application/merge-patch+json"}
    async with aiohttp.ClientSession() as session:
        form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        async with session.post(f"{runai.url}/api/v2/token", data=form) as answer:
            bearer = {"Authorization": f"Bearer {(await answer.json())['access_token']}"}

        async def one(number: int) -> None:
            name = f"raw-{number}"
            item = {"apiVersion": "bridge.run.ai/v1alpha1", "kind": "RunaiWorkload", "metadata": {"name": name}}
            async with turns:
                spec = {"projectName": "team-a", "manifest": RUNS_ON}
                async with session.post(base, json=item | {"spec": spec}, ssl=tls) as done:
                    done.raise_for_status()
                patch = json.dumps({"metadata": {"finalizers": ["example.com/raw"]}})
                async with session.patch(f"{base}/{name}", data=patch, headers=merge, ssl=tls) as done:
                    done.raise_for_status()
                body = {"metadata": {"name": name, "projectId": "1"}, "manifest": RUNS_ON}
                async with session.post(f"{runai.url}/api/v2/workloads", json=body, headers=bearer) as done:
                    done.raise_for_status()
                    made = (await done.json())["metadata"]["id"]
                patch = json.dumps({"status": {"workloadId": made, "observedGeneration": 1}})
                async with session.patch(f"{base}/{name}/status", data=patch, headers=merge, ssl=tls) as done:
                    done.raise_for_status()

        began = time.monotonic()
        await asyncio.gather(*(one(number) for number in range(many)))
        return time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
