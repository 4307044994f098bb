"""What several releases bring: the same workloads, served by one operator, and by two that have half of them each.

    python -m bench.shards [--workloads 2000] [--edits 1000] [--rounds 1]

Another operator has brought them up; then these start, rest, and take many edits at once. Of two operators the larger figure is
shown, or the sum where it says so. The interval of deltas is what they have by themselves.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from bench.contenders import Contender, bridge
from bench.driver import Driver, Form, Seen, in_parallel
from bench.figures import Figures, console, save
from bench.foreign import DELTA_INTERVAL
from bench.machine import described
from bench.scene import MINUTE, QUICK, spent
from controlplane import ControlPlane
from stack import Simulator
from stack.processes import Process

SETUPS = {"one operator": ("",), "two, half of them each": ("shard=a", "shard!=a")}
"""The selectors."""
LABELS = ({"shard": "a"}, {"shard": "b"})
FORM = Form()
SETTLED = 10.0
"""Seconds after a start, and after a burst."""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", type=int, default=2000)
    parser.add_argument("--edits", type=int, default=1000)
    parser.add_argument("--rest", type=float, default=60.0, help="seconds at rest in which calls are counted")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--save", type=Path, help="a JSON file")
    given = parser.parse_args()
    about = described(f"python -m bench.shards {' '.join(sys.argv[1:])}".rstrip())
    figures = Figures(f"{given.workloads:,} workloads")
    for _ in range(given.rounds):
        for name, selectors in SETUPS.items():
            asyncio.run(measure(name, selectors, given, figures))
    console.print(figures.markdown(), soft_wrap=True)
    console.print(about)
    if given.save:
        save(given.save, about, [figures])
    return 0


async def measure(name: str, selectors: tuple[str, ...], given: argparse.Namespace, figures: Figures) -> None:
    contenders = [bridge(OPERATOR_DELTA_INTERVAL=DELTA_INTERVAL, OPERATOR_SELECTOR=selector) for selector in selectors]
    with tempfile.TemporaryDirectory(prefix="runai-bench-") as folder, ControlPlane() as plane, ExitStack() as running:
        plane.install_crds(contenders[0].crds)
        runai = running.enter_context(Simulator(Path(folder), **QUICK))
        async with Driver.of(plane) as driver:
            names = [f"w{number}" for number in range(given.workloads)]
            await brought_up(Path(folder), plane, runai, driver, names)
            processes = []
            began = time.monotonic()
            for number, contender in enumerate(contenders):
                directory = Path(folder) / str(number)
                directory.mkdir()
                processes.append(running.enter_context(contender.start(directory, plane, runai)))
            await asyncio.gather(*(asyncio.to_thread(contenders[0].wait_ready, process) for process in processes))
            figures.add(name, "started: until all are ready", time.monotonic() - began)
            figures.add(name, "started: CPU until ready", max(process.cpu_seconds() for process in processes))
            await asyncio.sleep(SETTLED)
            figures.add(name, "memory after the start, each", resident(processes), "{:.0f} MiB")
            await rest(name, contenders[0], processes, plane, runai, given.rest, figures)
            await edits(name, processes, driver, runai, names[: given.edits], figures)
            figures.add(name, "memory in the end, each", resident(processes), "{:.0f} MiB")


async def brought_up(folder: Path, plane: ControlPlane, runai: Simulator, driver: Driver, names: list[str]) -> None:
    """All of them run, with each label in turns."""
    labels = dict(zip(names, itertools.cycle(LABELS)))
    contender = bridge(OPERATOR_EVENTS="false")
    with contender.start(folder, plane, runai) as process:
        await asyncio.to_thread(contender.wait_ready, process)
        await in_parallel(lambda name: driver.create(name, FORM.spec(), labels=labels[name]), names)
        await driver.until(lambda seen: len(seen) == len(names) and all(map(contender.is_ready, seen)))
        await asyncio.sleep(SETTLED)
        process.terminate()


def resident(processes: list[Process]) -> float:
    return max(process.resident_bytes() for process in processes) / 2**20


async def rest(
    name: str,
    contender: Contender,
    processes: list[Process],
    plane: ControlPlane,
    runai: Simulator,
    seconds: float,
    figures: Figures,
) -> None:
    before, cpu, began = spent(contender, plane, runai), used(processes), time.monotonic()
    await asyncio.sleep(seconds)
    calls, took = spent(contender, plane, runai) - before, time.monotonic() - began
    most = max(after - since for after, since in zip(used(processes), cpu, strict=True))
    figures.add(name, "at rest: CPU of a core, each", most / took * 100, "{:.1f} %")
    figures.add(name, "at rest: calls to Run:ai a minute, in all", calls["calls to Run:ai"] * MINUTE / took, "{:.0f}")
    figures.add(name, "at rest: writes a minute, in all", calls["writes"] * MINUTE / took, "{:.0f}")


async def edits(
    name: str, processes: list[Process], driver: Driver, runai: Simulator, names: list[str], figures: Figures
) -> None:
    """Until each is sent, has reached its cluster, and is shown to have."""
    spec, sent = FORM.spec(mark="edited"), runai.calls("PUT")
    cpu, began = used(processes), time.monotonic()
    await in_parallel(lambda each: driver.patch(each, {"spec": spec}), names)
    while await asyncio.to_thread(runai.calls, "PUT") < sent + len(names):  # noqa: ASYNC110 - nobody announces it
        await asyncio.sleep(0.2)
    figures.add(name, f"{len(names):,} edits: until all are sent", time.monotonic() - began)

    def are_in_sync(seen: list[Seen]) -> bool:
        return all(each.synced == "True" and each.ready == "True" for each in seen)

    shown = await driver.until(are_in_sync)
    figures.add(name, f"{len(names):,} edits: until all are Ready again", shown - began)
    took = sum(used(processes)) - sum(cpu)
    figures.add(name, "CPU of an edit, in all", took / len(names) * 1000, "{:.1f} ms")


def used(processes: list[Process]) -> list[float]:
    return [process.cpu_seconds() for process in processes]


if __name__ == "__main__":
    sys.exit(main())
