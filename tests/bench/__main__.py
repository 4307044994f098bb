"""`make bench`: what the operator costs and how quick it is, beside a raw script that makes only the minimal calls, and beside a naive
operator.

    python -m bench [--workloads 200] [--rounds 1] [--sizes 4] [--yaml] [--beside ../other/operator] [--without-naive]

Prints tables. Each contender has servers of its own, all take turns, and of several rounds the medians are shown with the least
and the most; quote the ratios. `--beside` measures the operator of another checkout as well. The simulator is always this one.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from bench.contenders import Contender, bridge, naive
from bench.driver import Driver, Form, Seen, ids_of, in_parallel, raw_create, raw_delete, raw_runai
from bench.figures import Figures, console, save
from bench.machine import described
from controlplane import ControlPlane
from stack import Operator, Simulator
from stack.processes import Process

QUICK = {"list_lag": 0.1, "sync_time": 0.05, "phase_time": 0.1, "delete_time": 0.2}
METHODS = ("POST", "GET", "PUT", "DELETE")
MINUTE = 60.0
CALM = 3.0
"""Seconds without another Kubernetes Event after which those of the burst have been sent: ten a second are."""
RAW = "raw script"
PROVIDER = "PROVIDER_HTTP"
AGENTS = {True: "runai-operator/", False: "kopf"}
"""How the audit log names the calls of ours, and of the naive one."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured."""

    workloads: int
    form: Form
    rest: float
    """Seconds at rest in which calls are counted."""
    changes: tuple[int, ...]
    """A minute."""


@dataclass(slots=True)
class Scene:
    """One contender, on its servers."""

    contender: Contender
    process: Process
    plane: ControlPlane
    runai: Simulator
    driver: Driver
    plan: Plan
    figures: Figures

    def add(self, what: str, value: float, form: str = "{:.1f} s") -> None:
        self.figures.add(self.contender.name, what, value, form)

    @property
    def names(self) -> list[str]:
        return [f"w{number}" for number in range(self.plan.workloads)]

    def spent(self) -> Counter[str]:
        """The calls that it has made."""
        spent: Counter[str] = Counter({"calls to Run:ai": self.runai.calls("GET", "/api/v1")})
        spent["calls to Run:ai"] += sum(self.runai.calls(method) for method in METHODS)
        kinds = {"get": "reads", "patch": "writes", "update": "writes", "create": "Events"}
        agent = AGENTS[self.contender.is_ours]
        for event in self.plane.audit_events(agent):
            is_its = event["stage"] == "ResponseComplete" and event["userAgent"].startswith(agent)
            if is_its and event["verb"] in kinds:
                spent[kinds[event["verb"]]] += 1
        return spent


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", type=int, nargs="*", default=[200])
    parser.add_argument("--sizes", type=int, nargs="*", default=[4], help="of manifests, in KiB")
    parser.add_argument("--yaml", action="store_true", help="also as YAML text")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--rest", type=float, default=20.0, help="seconds at rest in which calls are counted")
    parser.add_argument("--changes", type=int, nargs="*", default=[100], help="of phases, a minute")
    parser.add_argument("--interval", default="1s", help="OPERATOR_DELTA_INTERVAL")
    parser.add_argument("--beside", type=Path, help="the folder `operator` of another checkout, to compare with")
    parser.add_argument("--without-naive", action="store_true")
    parser.add_argument("--save", type=Path, help="a JSON file, for the plots")
    given = parser.parse_args()
    about = described(f"python -m bench {' '.join(sys.argv[1:])}".rstrip())
    contenders = [bridge("operator", OPERATOR_DELTA_INTERVAL=given.interval)]
    if given.beside is not None:
        contenders.append(bridge("other revision", given.beside.resolve(), OPERATOR_DELTA_INTERVAL=given.interval))
    if not given.without_naive:
        contenders.append(naive())
    if PROVIDER not in os.environ:
        console.print(f"provider-http is left out: {PROVIDER} does not name its binary.")
    measured = []
    for many in given.workloads:
        for form in [Form(size * 1024, as_yaml) for size in given.sizes for as_yaml in (False, True)[: 1 + given.yaml]]:
            figures = Figures(f"{many} workloads of {form}")
            plan = Plan(many, form, given.rest, tuple(given.changes))
            for _ in range(given.rounds):
                asyncio.run(one_round(contenders, plan, figures))
            measured.append(figures)
            figures.show()
            console.print(figures.markdown(), soft_wrap=True)
    console.print(about)
    if given.save:
        save(given.save, about, measured)
    return 0


async def one_round(contenders: list[Contender], plan: Plan, figures: Figures) -> None:
    await raw(plan, figures)
    for contender in contenders:
        await measure(contender, plan, figures)


async def raw(plan: Plan, figures: Figures) -> None:
    """The calls that cannot be left out, as one script makes them."""
    with tempfile.TemporaryDirectory(prefix="runai-bench-") as name, ControlPlane() as plane:
        plane.install_crds()
        names = [f"w{number}" for number in range(plan.workloads)]
        with Simulator(Path(name), **QUICK) as runai:
            async with Driver.of(plane) as driver, raw_runai(runai.url) as (http, url):
                await in_parallel(lambda name: raw_create(driver, http, url, name, plan.form), warm_up())
                ids = ids_of(runai)
                await in_parallel(lambda name: raw_delete(driver, http, url, name, ids[name]), warm_up())
                began = time.monotonic()
                await in_parallel(lambda name: raw_create(driver, http, url, name, plan.form), names)
                figures.add(RAW, "all have ids", time.monotonic() - began)
                ids, began = ids_of(runai), time.monotonic()
                await in_parallel(lambda name: raw_delete(driver, http, url, name, ids[name]), names)
                figures.add(RAW, "all are deleted", time.monotonic() - began)


def warm_up() -> list[str]:
    return [f"warm-up-{number}" for number in range(16)]


async def measure(contender: Contender, plan: Plan, figures: Figures) -> None:
    """From the first start to the last deletion."""
    with tempfile.TemporaryDirectory(prefix="runai-bench-") as name, ControlPlane() as plane:
        directory = Path(name)
        plane.install_crds(contender.crds)
        with Simulator(directory, **QUICK) as runai:
            async with Driver.of(plane) as driver:
                with contender.start(directory, plane, runai) as process:
                    scene = Scene(contender, process, plane, runai, driver, plan, figures)
                    await started(scene)
                    await burst(scene)
                    await rest(scene)
                    for changes in plan.changes:
                        await freshness(scene, changes)
                    if contender.is_ours:
                        process.terminate()
                        with contender.start(directory, plane, runai) as scene.process:
                            await started_again(scene)
                            await delete(scene)
                    else:
                        await delete(scene)


async def started(scene: Scene) -> None:
    """Ready, and warm: a few workloads have lived and are gone."""
    await asyncio.to_thread(scene.contender.wait_ready, scene.process)
    scene.add("memory, idle", scene.process.resident_bytes() / 2**20, "{:.0f} MiB")
    spec = scene.plan.form.spec()
    await in_parallel(lambda name: scene.driver.create(name, spec), warm_up())
    await scene.driver.until(lambda seen: all(scene.contender.is_ready(each) for each in seen))
    await in_parallel(scene.driver.delete, warm_up())
    await scene.driver.until(lambda seen: not seen)


async def burst(scene: Scene) -> None:
    """Until all have ids some are Ready already, at the cost of calls and writes that those compete with which still wait for an
    id; so all is counted until the end, too."""
    many, spec = scene.plan.workloads, scene.plan.form.spec()
    before, cpu, began = scene.spent(), scene.process.cpu_seconds(), time.monotonic()

    def all_are(holds: Callable[[Seen], object]) -> Callable[[list[Seen]], bool]:
        return lambda seen: len(seen) == many and all(map(holds, seen))

    await in_parallel(lambda name: scene.driver.create(name, spec), scene.names)
    applied = time.monotonic()
    with_ids = await scene.driver.until(all_are(lambda each: each.workload_id))
    ready = await scene.driver.until(all_are(scene.contender.is_ready))
    cpu = scene.process.cpu_seconds() - cpu
    spent = scene.spent() - before
    scene.add("all are applied", applied - began)
    scene.add("all have ids", with_ids - began)
    scene.add("all are Ready", ready - began)
    scene.add("CPU of a create", cpu / many * 1000, "{:.1f} ms")
    for what in ("calls to Run:ai", "reads", "writes"):
        scene.add(f"{what} of a create", spent[what] / many, "{:.2f}")
    if (raw_ids := scene.figures.median(RAW, "all have ids")) is not None:
        scene.add("all have ids, to the raw script", (with_ids - began) / raw_ids, "{:.2f}")


async def calm(scene: Scene) -> None:
    """Until the last Event of the burst was sent, and what follows a burst is over."""
    sent, since = -1.0, time.monotonic()
    while isinstance(scene.process, Operator) and time.monotonic() - since < CALM:
        now = await asyncio.to_thread(scene.process.metric, "runai_operator_events_total")
        if now != sent:
            sent, since = now, time.monotonic()
        await asyncio.sleep(0.5)
    await asyncio.sleep(5)


async def rest(scene: Scene) -> None:
    """Nothing happens."""
    await calm(scene)
    seconds = scene.plan.rest
    before, cpu, began = scene.spent(), scene.process.cpu_seconds(), time.monotonic()
    await asyncio.sleep(seconds)
    cpu, took = scene.process.cpu_seconds() - cpu, time.monotonic() - began
    spent = scene.spent() - before
    scene.add("at rest: CPU of a core", cpu / took * 100, "{:.1f} %")
    scene.add("at rest: calls to Run:ai a minute", spent["calls to Run:ai"] * MINUTE / took, "{:.0f}")
    scene.add("at rest: writes a minute", spent["writes"] * MINUTE / took, "{:.0f}")
    scene.add("at rest: memory", scene.process.resident_bytes() / 2**20, "{:.0f} MiB")


async def freshness(scene: Scene, changes: int) -> None:
    """For half a minute running workloads change their phase, and back: how long until status shows it."""
    ids = ids_of(scene.runai)
    chosen = [f"w{number % scene.plan.workloads}" for number in range(max(changes // 2, 1))]
    due: dict[str, tuple[str, float]] = {}
    took: list[float] = []

    async def look() -> None:
        async with aclosing(scene.driver.changes()) as shown:
            async for now, seen in shown:
                phase, since = due.get(seen.name, ("", now))
                if seen.phase == phase:
                    took.append(now - since)
                    del due[seen.name]

    looking = asyncio.create_task(look())
    await asyncio.sleep(1)
    phases = Counter[str]()
    before, cpu, began = scene.spent(), scene.process.cpu_seconds(), time.monotonic()
    for number, name in enumerate(chosen):
        await asyncio.sleep(began + number * MINUTE / changes - time.monotonic())
        phase = ("Degraded", "Running")[phases[name] % 2]
        phases[name] += 1
        due[name] = (phase, time.monotonic())
        await asyncio.to_thread(scene.runai.set_phase, ids[name], phase)
    patience = time.monotonic() + MINUTE
    while due and time.monotonic() < patience:  # noqa: ASYNC110 - the watch tells nobody else
        await asyncio.sleep(0.2)
    looking.cancel()
    cpu, spent = scene.process.cpu_seconds() - cpu, scene.spent() - before
    what = f"{changes} changes a minute"
    shown = sorted(took) + [math.inf] * len(due)
    scene.add(f"{what}: until shown, median", statistics.median(shown), "{:.2f} s")
    scene.add(f"{what}: until shown, p99", shown[math.ceil(len(shown) * 0.99) - 1], "{:.2f} s")
    scene.add(f"{what}: writes for each", spent["writes"] / len(chosen), "{:.2f}")
    scene.add(f"{what}: CPU for each", cpu / len(chosen) * 1000, "{:.1f} ms")


async def started_again(scene: Scene) -> None:
    """With everything there, and nothing owed."""
    before, began = scene.spent(), time.monotonic()
    await asyncio.to_thread(scene.contender.wait_ready, scene.process)
    scene.add("started again: until ready", time.monotonic() - began)
    scene.add("started again: CPU until ready", scene.process.cpu_seconds())
    await asyncio.sleep(10)
    scene.add("started again: writes", (scene.spent() - before)["writes"], "{:.0f}")
    scene.add("started again: memory", scene.process.resident_bytes() / 2**20, "{:.0f} MiB")


async def delete(scene: Scene) -> None:
    """Everything at once, without the brake."""
    cpu, began = scene.process.cpu_seconds(), time.monotonic()
    await in_parallel(scene.driver.delete, scene.names)
    gone = await scene.driver.until(lambda seen: not seen) - began
    cpu = scene.process.cpu_seconds() - cpu
    scene.add("all are deleted", gone)
    scene.add("CPU of a deletion", cpu / scene.plan.workloads * 1000, "{:.1f} ms")
    if (raw_gone := scene.figures.median(RAW, "all are deleted")) is not None:
        scene.add("all are deleted, to the raw script", gone / raw_gone, "{:.2f}")


if __name__ == "__main__":
    sys.exit(main())
