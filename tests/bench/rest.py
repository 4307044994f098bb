"""Rest at size: what a restart takes with so many workloads there, and what they cost while nothing happens.

    python -m bench.rest [--workloads 1000 10000 50000] [--rest 120]

One workload is brought up by the operator. The others are made from it, objects with that status and their workloads at the
simulator, so that 50,000 take minutes; then the operator starts. The interval of deltas is what the operator has by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from bench.contenders import bridge
from bench.driver import Driver, Form, Object
from bench.figures import Figures, console, save
from bench.foreign import DELTA_INTERVAL
from bench.machine import described
from bench.scene import QUICK, Plan, Scene, rest, started_again
from bench.seeding import add_running
from controlplane import ControlPlane
from stack import Simulator

SAMPLE = "sample"
PATIENCE = 3600.0
"""Seconds after which one size is given up."""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", type=int, nargs="*", default=[1000, 10_000, 50_000])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--rest", type=float, default=120.0, help="seconds at rest in which calls are counted")
    parser.add_argument("--save", type=Path, help="a JSON file, for the plots")
    given = parser.parse_args()
    about = described(f"python -m bench.rest {' '.join(sys.argv[1:])}".rstrip())
    figures = Figures("workloads")
    for _ in range(given.rounds):
        for many in given.workloads:
            asyncio.run(measure(Plan(many, Form(), given.rest, ()), figures))
    console.print(figures.markdown(), soft_wrap=True)
    console.print(about)
    if given.save:
        save(given.save, about, [figures])
    return 0


async def measure(plan: Plan, figures: Figures) -> None:
    contender = replace(bridge(OPERATOR_DELTA_INTERVAL=DELTA_INTERVAL), name=f"{plan.workloads:,}")
    with tempfile.TemporaryDirectory(prefix="runai-bench-") as name, ControlPlane() as plane:
        directory = Path(name)
        plane.install_crds(contender.crds)
        with Simulator(directory, **QUICK) as runai:
            async with Driver.of(plane) as driver, asyncio.timeout(PATIENCE):
                with contender.start(directory, plane, runai) as process:
                    await asyncio.to_thread(contender.wait_ready, process)
                    sample = await brought_up(driver, plan)
                    process.terminate()
                began = time.monotonic()
                await add_running(driver, runai, sample, [f"w{number}" for number in range(plan.workloads - 1)])
                console.print(f"  {plan.workloads:,} are there after {time.monotonic() - began:.0f} s", style="dim")
                with contender.start(directory, plane, runai) as process:
                    scene = Scene(contender, process, plane, runai, driver, plan, figures)
                    await started_again(scene)
                    await rest(scene)
                    scene.add("memory, at most", process.peak_bytes() / 2**20, "{:.0f} MiB")


async def brought_up(driver: Driver, plan: Plan) -> Object:
    """A running workload, seen by the lists, so that nothing of it is outstanding."""
    await driver.create(SAMPLE, plan.form.spec())
    await driver.until(lambda seen: all(each.ready == "True" and each.phase == "Running" for each in seen))
    return await driver.get(SAMPLE)


if __name__ == "__main__":
    sys.exit(main())
