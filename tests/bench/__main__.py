"""`make bench`: what the operator costs and how quick it is, beside a raw script that makes only the minimal calls.

    python -m bench [--workloads 500]

Prints a table. Both run against the same servers, one after the other; quote the ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

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
EVENT_RESULTS = ("sent", "dropped", "failed")
RUNS_ON = manifest_of("Deployment")
console = Console(highlight=False)


@dataclass(slots=True)
class Figures:
    rows: list[tuple[str, str]]

    def add(self, what: str, value: str) -> None:
        self.rows.append((what, value))
        console.print(f"  {what}: {value}")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", type=int, default=500)
    many = parser.parse_args().workloads
    figures = Figures([])
    with tempfile.TemporaryDirectory(prefix="runai-bench-") as name, ControlPlane() as plane:
        directory = Path(name)
        plane.install_crds()
        with Simulator(directory, list_lag=0.1, sync_time=0.05, phase_time=0.1, delete_time=0.2) as runai:
            measure(plane, runai, directory, many, figures)
    table = Table("Figure", "Value", box=None)
    for row in figures.rows:
        table.add_row(*row)
    console.print(table)
    return 0


def measure(plane: ControlPlane, runai: Simulator, directory: Path, many: int, figures: Figures) -> None:
    workloads = Workloads(plane.client, "default")
    began = time.monotonic()
    with Operator(directory, plane.kubeconfig, runai.url, OPERATOR_DELETE_RATE="100000") as operator:
        operator.wait_ready()
        figures.add("start to ready, empty", f"{time.monotonic() - began:.1f} s")
        figures.add("memory, idle", f"{operator.resident_bytes() / 2**20:.0f} MiB")
        one_by_one(workloads, figures)
        burst = measure_burst(operator, workloads, many, figures)
        steady(operator, runai, plane, workloads, figures)
        figures.add("SIGTERM to exit", f"{seconds_to_exit(operator):.2f} s")
    began = time.monotonic()
    with Operator(directory, plane.kubeconfig, runai.url, OPERATOR_DELETE_RATE="100000") as operator:
        operator.wait_ready()
        figures.add(f"start to ready, {many} workloads", f"{time.monotonic() - began:.1f} s")
        figures.add(f"memory, {many} workloads", f"{operator.resident_bytes() / 2**20:.0f} MiB")
        cpu = operator.cpu_seconds()
        began = time.monotonic()
        with ThreadPoolExecutor(PARALLEL) as pool:
            list(pool.map(workloads.delete, [f"w{number}" for number in range(many)]))
        while workloads.all():
            time.sleep(0.1)
        figures.add(f"delete {many}", f"{time.monotonic() - began:.1f} s")
        figures.add("CPU per delete", f"{(operator.cpu_seconds() - cpu) / many * 1000:.1f} ms")
        runai.fault(kind="timeout", method="POST")
        workloads.apply("unanswered", manifest=RUNS_ON)
        workloads.wait("unanswered", lambda item: item["metadata"].get("finalizers"))
        figures.add("SIGTERM to exit, Run:ai silent", f"{seconds_to_exit(operator):.2f} s")
        runai.heal()
    raw = asyncio.run(raw_burst(plane, runai, many))
    figures.add(f"burst of {many}, raw script", f"{raw:.1f} s")
    figures.add("burst, operator to raw script", f"{burst / raw:.2f}")


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
        figures.add(f"{what}, one at a time", f"{sorted(values)[2] * 1000:.0f} ms")


def measure_burst(operator: Operator, workloads: Workloads, many: int, figures: Figures) -> float:
    """Seconds from the first apply until all have ids; the objects are applied by another process's worth of threads."""
    cpu = operator.cpu_seconds()
    began = time.monotonic()
    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(lambda number: workloads.apply(f"w{number}", manifest=RUNS_ON), range(many)))
    applied = time.monotonic() - began
    while operator_ids(workloads) < many:
        time.sleep(0.1)
    seconds = time.monotonic() - began
    figures.add(f"burst of {many}: applied", f"{applied:.1f} s")
    figures.add(f"burst of {many}: all have ids", f"{seconds:.1f} s")
    figures.add("CPU per create", f"{(operator.cpu_seconds() - cpu) / many * 1000:.1f} ms")
    return seconds


def operator_ids(workloads: Workloads) -> int:
    return sum(bool(item["status"].get("workloadId")) for item in workloads.all())


def steady(operator: Operator, runai: Simulator, plane: ControlPlane, workloads: Workloads, figures: Figures) -> None:
    """Half a minute in which nothing happens, after all is settled."""
    began = time.monotonic()
    while not all((condition(item, "Ready") or {}).get("status") == "True" for item in workloads.all()):
        time.sleep(0.5)
    figures.add("burst: all Ready after", f"{time.monotonic() - began:.0f} s more (ten sync readings a second)")
    time.sleep(5)
    cpu, writes = operator.cpu_seconds(), kube_writes(plane)
    calls = runai.calls("GET", "/api")
    time.sleep(30)
    figures.add("steady: CPU", f"{(operator.cpu_seconds() - cpu) / 30 * 100:.1f} % of a core (delta interval 1 s)")
    figures.add("steady: calls to Run:ai", f"{(runai.calls('GET', '/api') - calls) * 2} a minute (delta interval 1 s)")
    figures.add("steady: writes to Kubernetes", str(kube_writes(plane) - writes))
    events = {
        result: operator.metric(rf'runai_operator_events_total\{{result="{result}"\}}') for result in EVENT_RESULTS
    }
    figures.add("Kubernetes Events so far", ", ".join(f"{count:.0f} {result}" for result, count in events.items()))


def kube_writes(plane: ControlPlane) -> int:
    """Of status and finalizers; Events are POSTs, and counted by themselves."""
    return sum(
        event["stage"] == "ResponseComplete"
        and event["verb"] == "patch"
        and event["userAgent"].startswith("runai-operator/")
        for event in plane.audit_events("runai-operator/")
    )


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
