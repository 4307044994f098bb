"""Starts everything, applies the examples, edits one, deletes one, and tells what happened on both sides.

Exit code 0 when all came out as it should, 1 otherwise. `KEEP=1` leaves everything running until Ctrl-C. Whatever ends it
(SIGTERM, or a terminal that is closed, too), everything that it started ends with it.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.live import Live
from rich.table import Table

from controlplane import BinaryMissing, ControlPlane, StartFailed, locate
from stack import Operator, Simulator, Workloads
from stack.workloads import condition

EXAMPLES = Path(__file__).parents[2] / "deploy" / "examples"
NAMESPACE = "team-a"
PATIENCE = 90.0
"""Seconds for one step; more is a failure."""
EDITED, DELETED = "chat-server", "ray-interactive"
COMPLETING = {"Job", "JobSet", "PyTorchJob", "RayJob"}
"""Kinds of the examples that come to an end by themselves."""

Object = dict[str, Any]
console = Console(width=None if sys.stdout.isatty() else 110, highlight=False)


class Failed(Exception):
    """A step did not come to its end."""


def main() -> int:
    """Run the demo."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    began = time.monotonic()
    with ExitStack() as running, tempfile.TemporaryDirectory(prefix="runai-demo-") as directory:
        try:
            plane, runai, operator = show(running, Path(directory))
        except (BinaryMissing, StartFailed, Failed, AssertionError) as error:
            console.print(f"[red]{error}[/]")
            return 1
        console.print(f"\nAll as it should be, in {time.monotonic() - began:.0f} s.")
        if os.environ.get("KEEP"):
            keep(plane, runai, operator)
    return 0


def stop(number: int, _: object) -> None:
    """Ends as on Ctrl-C, in order and once: whoever asks again must not interrupt that."""
    for other in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(other, signal.SIG_IGN)
    sys.exit(128 + number)


def show(running: ExitStack, directory: Path) -> tuple[ControlPlane, Simulator, Operator]:
    """The whole story; returns the two sides that it played on, and the operator between them. Raises `Failed`."""
    with step("A real etcd and kube-apiserver"):
        plane = running.enter_context(ControlPlane())
        plane.install_crds()
    with step("The simulator of the Run:ai control plane"):
        runai = running.enter_context(Simulator(directory, phase_time=1.0, run_time=6.0))
    with step("The operator"):
        operator = Operator(directory, plane.kubeconfig, runai.url)
        running.enter_context(operator)
        running.callback(lambda: operator.alive and operator.terminate())  # so that it leaves no files behind
        operator.wait_ready()
    workloads = Workloads(plane.client, NAMESPACE)
    plane.client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})

    with step("Applying deploy/examples, as kubectl apply --server-side -k would"):
        names = [apply(plane, item) for item in examples()]
    names = [name for name in names if name]
    watch(workloads, "every workload has its id", lambda items: len(items) == len(names) and all(map(has_id, items)))
    watch(workloads, "every workload runs or has completed", lambda items: all(map(is_ready, items)))

    with step(f"Editing the manifest of {EDITED}: one PUT"):
        before = runai.calls("PUT")
        edit(plane, workloads, EDITED)
        watch_one(workloads, EDITED)
        if runai.calls("PUT") != before + 1:
            raise Failed(f"{runai.calls('PUT') - before} PUTs instead of one")

    with step(f"Deleting {DELETED}: the workload goes first, then the object"):
        workloads.delete(DELETED)
        workloads.wait_gone(DELETED)
        if any(entry["name"] == DELETED for entry in runai.live()):
            raise Failed(f"{DELETED} is still in Run:ai")

    watch(workloads, "what completes has completed", lambda items: all(map(is_done, items)))
    console.print(table(workloads.all()))
    report(runai, plane, operator, len(names))
    return plane, runai, operator


@contextmanager
def step(title: str) -> Iterator[None]:
    """Say what is being done, and how long it took."""
    console.print(f"[bold]==>[/] {title}", end="")
    began = time.monotonic()
    try:
        yield
    except BaseException:
        console.print()
        raise
    console.print(f" [dim]({time.monotonic() - began:.1f} s)[/]")


def examples() -> list[Object]:
    """Every object that `deploy/examples/kustomization.yaml` lists."""
    listed = yaml.safe_load((EXAMPLES / "kustomization.yaml").read_text())
    items = []
    for file in listed["resources"]:
        items += [item for item in yaml.safe_load_all((EXAMPLES / file).read_text()) if item]
    return items


def apply(plane: ControlPlane, item: Object) -> str | None:
    """Server-side apply; the name if it is a workload."""
    item["metadata"]["namespace"] = NAMESPACE
    applied = plane.client.apply(item)
    return str(applied["metadata"]["name"]) if item["kind"] == "RunaiWorkload" else None


def edit(plane: ControlPlane, workloads: Workloads, name: str) -> None:
    """What a person would do: another value in the manifest."""
    manifest = workloads.get(name)["spec"]["manifest"]
    labels = manifest.setdefault("metadata", {}).setdefault("labels", {})
    labels["edited-by"] = "the-demo"
    plane.client.merge_patch(workloads.path(name), {"spec": {"manifest": manifest}})


def watch(workloads: Workloads, until: str, done: Callable[[list[Object]], bool]) -> None:
    """Show a live table until `done`; without a terminal, one line at the end."""
    began = time.monotonic()
    with Live(console=console, refresh_per_second=8, transient=True) as live:
        while True:
            items = workloads.all()
            live.update(table(items), refresh=True)
            if done(items):
                break
            if time.monotonic() - began > PATIENCE:
                raise Failed(f"not so after {PATIENCE:.0f} s: {until}")
            time.sleep(0.2)
    console.print(f"[bold]==>[/] {until} [dim]({time.monotonic() - began:.1f} s)[/]")


def watch_one(workloads: Workloads, name: str) -> None:
    """Wait until an edit has arrived."""
    workloads.wait(
        name,
        lambda item: item["status"]["observedGeneration"] == item["metadata"]["generation"] and is_ready(item),
        what="the edit has not arrived",
        timeout=PATIENCE,
    )


def has_id(item: Object) -> bool:
    return bool(item["status"].get("workloadId"))


def is_ready(item: Object) -> bool:
    return (condition(item, "Ready") or {}).get("status") == "True"


def is_done(item: Object) -> bool:
    """Completed, or of a kind that runs until it is deleted."""
    completes = (item["status"].get("gvk") or {}).get("kind") in COMPLETING
    return is_ready(item) and (not completes or (condition(item, "Completed") or {}).get("status") == "True")


def table(items: list[Object]) -> Table:
    """What `kubectl get runaiworkloads` would show."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("NAME", "READY", "REASON", "PHASE", "SYNCED", "KIND", "PROJECT", "AGE"):
        made.add_column(column, no_wrap=True)
    for item in items:
        status = item.get("status", {})
        ready = condition(item, "Ready") or {}
        color = {"True": "green", "False": "yellow"}.get(ready.get("status", ""), "dim")
        created = (
            time.mktime(time.strptime(item["metadata"]["creationTimestamp"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
        )
        made.add_row(
            item["metadata"]["name"],
            f"[{color}]{ready.get('status', '')}[/]",
            ready.get("reason", ""),
            status.get("phase", ""),
            (condition(item, "Synced") or {}).get("status", ""),
            (status.get("gvk") or {}).get("kind", ""),
            status.get("projectName", ""),
            f"{time.time() - created:.0f}s",
        )
    return made


def report(runai: Simulator, plane: ControlPlane, operator: Operator, applied: int) -> None:
    """What happened on the two sides. Raises `Failed` where that is more or less than it should be."""
    console.print("\nAt the Run:ai control plane:")
    for method, what in (("POST", "created"), ("PUT", "updated"), ("DELETE", "deleted"), ("GET", "read one by one")):
        console.print(f"  {runai.calls(method):4}  {method:6} {what}")
    console.print(f"  {runai.calls('GET', '/api/v1/workloads'):4}  LIST   pages, for all workloads together")
    console.print(
        f"  {len(runai.live()):4}  workloads are live, {runai.effective_creates()} were made for {applied} objects"
    )
    calls = [
        event
        for event in plane.audit_events("runai-operator")
        if event["stage"] == "ResponseComplete"
        and event["verb"] in ("create", "update", "patch", "delete")
        and "runai-operator" in event["userAgent"]
    ]
    writes = [event for event in calls if event["objectRef"]["resource"] != "events"]
    by_kopf = sum(event["userAgent"].startswith("kopf") for event in calls)
    console.print("At the Kubernetes API:")
    console.print(f"  {len(writes):4}  writes by the operator, {by_kopf} of them by kopf")
    console.print(f"  {len(calls) - len(writes):4}  Events made of what happened")
    console.print(f"  {operator.resident_bytes() / 2**20:4.0f}  MiB is what the operator's process takes")
    if (runai.effective_creates(), len(runai.live())) != (applied, applied - 1):
        raise Failed("there should have been one POST for each object, and all but the deleted one live")
    if by_kopf:
        raise Failed("kopf should write nothing")


def keep(plane: ControlPlane, runai: Simulator, operator: Operator) -> None:
    """Until Ctrl-C, with what deletes namespaces and collects garbage in a real cluster, if it is here."""
    if has_controllers := locate("kube-controller-manager") is not None:
        plane.start_controller_manager()

    def say(line: str) -> None:
        console.print(line, soft_wrap=True)

    say("\nEverything goes on running until you press Ctrl-C here. In another terminal:\n")
    say(f"  export KUBECONFIG={plane.kubeconfig}")
    if shutil.which("kubectl") is None and (kubectl := locate("kubectl")) is not None:
        say(f"  export PATH={kubectl.parent}:$PATH")
    say(f"  kubectl get runaiworkloads --namespace {NAMESPACE}\n")
    if locate("kubectl") is None:
        say("There is no kubectl here: `make binaries` fetches or builds one.")
    if not has_controllers:
        say(
            "There is no kube-controller-manager here, so nothing collects garbage: `make binaries` fetches or builds it."
        )
    say(f"The operator's metrics are at http://127.0.0.1:{operator.port}/metrics, its log is {operator.log}.")
    say(f"The simulator's own switches and faults are at {runai.url}/_admin (docs/simulator.md).")
    with suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    sys.exit(main())
