"""One contender on servers of its own, and what is done to it and counted: a burst, rest, changes of phase, a restart, deletion."""

from __future__ import annotations

import asyncio
import math
import statistics
import time
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

from bench.contenders import Contender
from bench.driver import Driver, Form, Seen, in_parallel
from bench.figures import Figures
from controlplane import ControlPlane
from stack import Operator, Simulator
from stack.processes import Process

QUICK = {"list_lag": 0.1, "sync_time": 0.05, "phase_time": 0.1, "delete_time": 0.2}
METHODS = ("POST", "GET", "PUT", "DELETE")
PHASES = 3
"""Before Running: Creating, Pending and Initializing."""
MINUTE = 60.0
CALM = 3.0
"""Seconds without another Kubernetes Event after which those of the burst have been sent: ten a second are."""
RAW = "raw script"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured."""

    workloads: int
    form: Form
    rest: float
    """Seconds at rest in which calls are counted."""
    changes: tuple[int, ...]
    """A minute."""
    phase_time: float = QUICK["phase_time"]
    """Seconds of each phase before Running."""

    @property
    def world(self) -> dict[str, float]:
        """The simulator's settings."""
        return QUICK | {"phase_time": self.phase_time}


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
        return spent(self.contender, self.plane, self.runai)


def spent(contender: Contender, plane: ControlPlane, runai: Simulator) -> Counter[str]:
    """The calls that it has made."""
    found: Counter[str] = Counter({"calls to Run:ai": runai.calls("GET", "/api/v1")})
    found["calls to Run:ai"] += sum(runai.calls(method) for method in METHODS)
    kinds = {"get": "reads", "patch": "writes", "update": "writes", "create": "Events"}
    for event in plane.audit_events(contender.agent):
        is_its = event["stage"] == "ResponseComplete" and event["userAgent"].startswith(contender.agent)
        if is_its and event["verb"] in kinds:
            found[kinds[event["verb"]]] += 1
    return found


def warm_up() -> list[str]:
    return [f"warm-up-{number}" for number in range(16)]


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
    scene.add("the last is Ready, after it could be", ready - with_ids - PHASES * scene.plan.phase_time)
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
    ids = {seen.name: seen.workload_id for seen in await scene.driver.all() if seen.workload_id}
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
