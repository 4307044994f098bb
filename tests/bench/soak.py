"""`make test-soak`: whether anything grows that should not, in an hour of churn and faults.

    python -m bench.soak [--minutes 60] [--workloads 2000] [--save FILE]

Workloads come, change and go, phases change, and Run:ai and the API server fail in turns. Memory, file descriptors, threads and
tasks are read every few seconds; their slope over the second half is printed and judged, and so is whether everything is well
in the end. Ends with 1 if it is not. In less than a quarter of an hour pools are still being filled: then the slope says nothing,
and is only printed.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
from rich.table import Table

from bench.contenders import bridge
from bench.driver import Driver, Form, in_parallel
from bench.figures import console
from bench.machine import described
from controlplane import ControlPlane
from stack import Operator, Simulator

QUICK = {"list_lag": 0.2, "sync_time": 0.1, "phase_time": 0.2, "delete_time": 0.3}
SAMPLES = 240
CHURN = 40
"""Workloads that are changed, deleted or made anew in each turn."""
TURN = 10.0
"""Seconds."""
TOO_SHORT = 15.0
"""Minutes."""
FORM = Form(4096)
FAULTS: tuple[dict[str, object] | None, ...] = (
    None,
    {"kind": "status", "status": 503},
    None,
    {"kind": "timeout", "method": "POST", "probability": 0.2},
    None,
    {"kind": "lost-answer", "probability": 0.3},
    None,
    {"kind": "status", "status": 429, "probability": 0.5},
    None,
    {"kind": "reset", "probability": 0.3},
    None,
    {"kind": "garbage", "probability": 0.1},
)
"""Each lasts three turns."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How much a figure may grow in an hour: by so much, or by so large a part of what it was."""

    unit: str
    absolute: float
    part: float


LIMITS = {
    "memory": Limit("MiB", 4.0, 0.05),
    "file descriptors": Limit("", 2.0, 0.05),
    "threads": Limit("", 1.0, 0.0),
    "tasks": Limit("", 5.0, 0.05),
}


def main() -> int:
    """Run, print and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--workloads", type=int, default=2000)
    parser.add_argument("--save", type=Path, help="a JSON file for all samples")
    given = parser.parse_args()
    samples, problems = asyncio.run(soak(given.minutes * 60, given.workloads))
    console.print(described(f"python -m bench.soak --minutes {given.minutes:g} --workloads {given.workloads}"))
    if given.save:
        given.save.write_text(json.dumps(samples))
    return 1 if judge(samples, problems, grown=given.minutes >= TOO_SHORT) else 0


def judge(samples: list[tuple[float, dict[str, float]]], problems: list[str], *, grown: bool) -> bool:
    """Prints a table; whether anything is wrong. `grown`: a slope counts."""
    table = Table("second half", "first", "last", "median", "an hour more brings", "may be", "", box=None)
    half = samples[len(samples) // 2 :]
    for what, limit in LIMITS.items():
        values = [sample[what] for _, sample in half]
        growth = slope([when for when, _ in half], values) * 3600
        most = max(limit.absolute, limit.part * values[0])
        is_fine = growth <= most
        if grown and not is_fine:
            problems.append(f"{what} grows by {growth:.1f} {limit.unit} an hour")
        shown = [
            f"{value:.1f} {limit.unit}" for value in (values[0], values[-1], statistics.median(values), growth, most)
        ]
        table.add_row(what, *shown, "fine" if is_fine else "too much" if grown else "too short")
    console.print(table)
    for problem in problems:
        console.print(f"NOT FINE: {problem}")
    return bool(problems)


def slope(times: list[float], values: list[float]) -> float:
    """A second, as the median of the slopes between any two samples (Theil and Sen): what grows all the time shows, and a failure
    in which many calls wait for a minute does not."""
    pairs = itertools.combinations(zip(times, values, strict=True), 2)
    return statistics.median((later - value) / (end - begin) for (begin, value), (end, later) in pairs)


async def soak(seconds: float, many: int) -> tuple[list[tuple[float, dict[str, float]]], list[str]]:
    """The samples, by the seconds since the beginning, and what was wrong in the end."""
    with tempfile.TemporaryDirectory(prefix="runai-soak-") as name, ControlPlane() as plane:
        directory = Path(name)
        contender = bridge(OPERATOR_DELTA_INTERVAL="5s")
        plane.install_crds(contender.crds)
        with Simulator(directory, **QUICK) as runai, contender.start(directory, plane, runai) as operator:
            assert isinstance(operator, Operator)
            await asyncio.to_thread(operator.wait_ready)
            async with Driver.of(plane) as driver:
                names = [f"w{number}" for number in range(many)]
                await in_parallel(lambda name: driver.create(name, FORM.spec()), names)
                await driver.until(lambda seen: all(each.ready == "True" for each in seen))
                samples: list[tuple[float, dict[str, float]]] = []
                sampling = asyncio.create_task(sample(operator, samples, seconds / SAMPLES))
                await churn(driver, runai, names, seconds)
                sampling.cancel()
                runai.heal()
                problems = await settled(driver, runai, operator)
            if operator.terminate() != 0:
                problems.append("the operator did not end well")
    return samples, problems


async def sample(operator: Operator, samples: list[tuple[float, dict[str, float]]], interval: float) -> None:
    process, began = psutil.Process(operator.child.pid), time.monotonic()
    while True:
        figures = {
            "memory": process.memory_info().rss / 2**20,
            "file descriptors": float(process.num_fds()),
            "threads": float(process.num_threads()),
            "tasks": await asyncio.to_thread(operator.metric, "runai_operator_tasks"),
        }
        samples.append((time.monotonic() - began, figures))
        await asyncio.sleep(interval)


async def churn(driver: Driver, runai: Simulator, names: list[str], seconds: float) -> None:
    """Edits, deletions, new ones and changes of phases; the same choices every time."""
    chance, end, marks = random.Random(1), time.monotonic() + seconds, itertools.count()
    faults = fault_of_each_turn()
    while time.monotonic() < end:
        began = time.monotonic()
        runai.heal()
        if fault := next(faults):
            runai.fault(**fault)  # type: ignore[arg-type]
        there = {each.name for each in await driver.all() if not each.deleting}
        chosen = chance.sample(names, min(CHURN, len(names)))
        gone = [name for name in chosen if name not in there]
        kept = [name for name in chosen if name in there]
        half = len(kept) // 2
        edited = {"spec": FORM.spec(str(next(marks)))}
        await in_parallel(partial(driver.patch, patch=edited), kept[:half])
        await in_parallel(driver.delete, kept[half:])
        existing = {each.name for each in await driver.all()}
        await in_parallel(
            lambda name: driver.create(name, FORM.spec()), [name for name in gone if name not in existing]
        )
        await asyncio.sleep(max(0.0, began + TURN - time.monotonic()))


def fault_of_each_turn() -> Iterator[dict[str, object] | None]:
    return itertools.chain.from_iterable(itertools.repeat(fault, 3) for fault in itertools.cycle(FAULTS))


async def settled(driver: Driver, runai: Simulator, operator: Operator) -> list[str]:
    """What is wrong once all had the time to become well."""
    try:
        await driver.until(lambda seen: all(each.ready == "True" and not each.deleting for each in seen))
    except AssertionError as error:
        return [f"not all became well: {error}"]
    problems = []
    shown = sorted(each.name for each in await driver.all())
    if (live := sorted(entry["name"] for entry in runai.live() if not entry.get("deleted"))) != shown:
        problems.append(f"{len(shown)} RunaiWorkloads, and {len(live)} workloads in Run:ai")
    if bugs := await asyncio.to_thread(operator.metric, "runai_operator_unexpected_errors_total"):
        problems.append(f"{bugs:.0f} unexpected errors")
    return problems


if __name__ == "__main__":
    sys.exit(main())
