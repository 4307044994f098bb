"""A large tenant: how soon our workloads' changes are shown, and at how many calls, alone and beside those of others.

    python -m bench.foreign [--foreign 100000] [--workloads 100] [--rounds 3]

The same operator three times, each time on servers of its own: alone; beside the foreign ones, which run; and while some of them
change their phases all the time. The interval of deltas is what the operator has by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp

from bench.contenders import bridge
from bench.driver import Driver, Form
from bench.figures import Figures, console, save
from bench.machine import described
from bench.scene import MINUTE, QUICK, Plan, Scene, burst, freshness, rest, started
from bench.seeding import add_foreign
from controlplane import ControlPlane
from stack import Simulator

DELTA_INTERVAL = "5s"


@dataclass(frozen=True, slots=True)
class Tenant:
    """Who else is there."""

    foreign: int
    changes: float = 0.0
    """A minute, of their phases."""

    def __str__(self) -> str:
        if not self.foreign:
            return "alone"
        changing = f", {self.changes:g} changes a minute" if self.changes else ""
        return f"beside {self.foreign:,} others{changing}"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--foreign", type=int, default=100_000)
    parser.add_argument("--foreign-changes", type=float, default=600, help="of the phases of foreign ones, a minute")
    parser.add_argument("--workloads", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rest", type=float, default=60.0, help="seconds at rest in which calls are counted")
    parser.add_argument("--changes", type=int, nargs="*", default=[100], help="of our phases, a minute")
    parser.add_argument("--save", type=Path, help="a JSON file")
    given = parser.parse_args()
    about = described(f"python -m bench.foreign {' '.join(sys.argv[1:])}".rstrip())
    plan = Plan(given.workloads, Form(), given.rest, tuple(given.changes))
    figures = Figures(f"{given.workloads:,} workloads")
    for _ in range(given.rounds):
        for tenant in (Tenant(0), Tenant(given.foreign), Tenant(given.foreign, given.foreign_changes)):
            asyncio.run(measure(tenant, plan, figures))
    console.print(figures.markdown(), soft_wrap=True)
    console.print(about)
    if given.save:
        save(given.save, about, [figures])
    return 0


async def measure(tenant: Tenant, plan: Plan, figures: Figures) -> None:
    contender = replace(bridge(OPERATOR_DELTA_INTERVAL=DELTA_INTERVAL), name=str(tenant))
    with tempfile.TemporaryDirectory(prefix="runai-bench-") as name, ControlPlane() as plane:
        directory = Path(name)
        plane.install_crds(contender.crds)
        with Simulator(directory, **QUICK) as runai:
            ids = await asyncio.to_thread(add_foreign, runai, tenant.foreign)
            async with Driver.of(plane) as driver:
                with contender.start(directory, plane, runai) as process:
                    scene = Scene(contender, process, plane, runai, driver, plan, figures)
                    await started(scene)
                    await burst(scene)
                    async with changing(runai, ids, tenant.changes):
                        await rest(scene)
                        for changes in plan.changes:
                            await freshness(scene, changes)
                    scene.add("memory of the simulator", runai.resident_bytes() / 2**20, "{:.0f} MiB")


@asynccontextmanager
async def changing(runai: Simulator, ids: list[str], a_minute: float) -> AsyncIterator[None]:
    """Meanwhile one of them after the other changes its phase, and in the next round back."""

    async def change() -> None:
        async with aiohttp.ClientSession() as session:
            for phase in itertools.cycle(("Degraded", "Running")):
                for each in ids:
                    url = f"{runai.url}/_admin/workloads/{each}"
                    async with session.post(url, json={"phase": phase}) as answer:
                        answer.raise_for_status()
                    await asyncio.sleep(MINUTE / a_minute)

    task = asyncio.create_task(change()) if a_minute else None
    try:
        yield
        assert task is None or not task.done(), "the others stopped changing"
    finally:
        if task is not None:
            task.cancel()


if __name__ == "__main__":
    sys.exit(main())
