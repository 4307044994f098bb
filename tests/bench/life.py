"""What one workload's whole life costs in CPU: created, running, edited, running, deleted.

    python -m bench.life [--workloads 200] [--rounds 3] [--beside ../other/operator] [--profile FILE]

Without Kubernetes Events, unless `--events`. `--profile` runs one round under cProfile, whose figures are only good for
proportions, and prints the functions that took most.
"""

from __future__ import annotations

import argparse
import asyncio
import pstats
import sys
import tempfile
from pathlib import Path

from bench.contenders import Contender, bridge
from bench.driver import Driver, Form, Seen, in_parallel
from bench.figures import Figures, console
from bench.machine import described
from bench.scene import QUICK
from controlplane import ControlPlane
from stack import Simulator
from stack.processes import Process

FORMS = (Form(4096), Form(4096, as_yaml=True), Form(65536), Form(65536, as_yaml=True))


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--beside", type=Path, help="the folder `operator` of another checkout, to compare with")
    parser.add_argument("--sizes", type=int, nargs="*", default=[4, 64], help="of manifests, in KiB")
    parser.add_argument("--events", action="store_true")
    parser.add_argument("--profile", type=Path)
    given = parser.parse_args()
    settings = {"OPERATOR_EVENTS": str(given.events).lower()}
    contenders = [bridge("this one", **settings, profile=given.profile)]
    if given.beside is not None:
        contenders.insert(0, bridge("the other", given.beside.resolve(), **settings))
    forms = [form for form in FORMS if form.size // 1024 in given.sizes]
    figures = Figures(f"CPU of a life, of {given.workloads} at once")
    for _ in range(1 if given.profile else given.rounds):
        for contender in contenders:
            asyncio.run(measure(contender, given.workloads, forms, figures))
    if given.profile:
        pstats.Stats(str(given.profile)).sort_stats("tottime").print_stats(60)
        pstats.Stats(str(given.profile)).sort_stats("cumulative").print_stats(120)
    console.print(described(f"python -m bench.life {' '.join(sys.argv[1:])}"))
    figures.show()
    return 0


async def measure(contender: Contender, many: int, forms: list[Form], figures: Figures) -> None:
    """One form after the other, on servers of their own."""
    with tempfile.TemporaryDirectory(prefix="runai-bench-") as name, ControlPlane() as plane:
        directory = Path(name)
        plane.install_crds(contender.crds)
        with Simulator(directory, **QUICK) as runai, contender.start(directory, plane, runai) as process:
            await asyncio.to_thread(contender.wait_ready, process)
            async with Driver.of(plane) as driver:
                await live(contender, process, driver, 20, forms[0])  # to warm up
                for form in forms:
                    spent = await live(contender, process, driver, many, form)
                    for what, seconds in spent.items():
                        figures.add(contender.name, f"{form}, {what}", seconds / many * 1000, "{:.1f} ms")
            process.terminate()


async def live(contender: Contender, process: Process, driver: Driver, many: int, form: Form) -> dict[str, float]:
    """CPU seconds of each part, and of the whole."""
    names = [f"life-{number}" for number in range(many)]
    edited = form.spec(mark="edited")

    def run(seen: list[Seen]) -> bool:
        return len(seen) == many and all(contender.is_ready(each) for each in seen)

    marks = [process.cpu_seconds()]
    await in_parallel(lambda name: driver.create(name, form.spec()), names)
    await driver.until(run)
    marks.append(process.cpu_seconds())
    await in_parallel(lambda name: driver.patch(name, {"spec": edited}), names)
    await asyncio.sleep(1)  # until all are seen to be outdated
    await driver.until(lambda seen: run(seen) and all(each.synced == "True" for each in seen))
    marks.append(process.cpu_seconds())
    await in_parallel(driver.delete, names)
    await driver.until(lambda seen: not seen)
    marks.append(process.cpu_seconds())
    parts = zip(("until all run", "edited, until all run", "deleted"), marks, marks[1:], strict=False)
    return {what: after - before for what, before, after in parts} | {"in all": marks[-1] - marks[0]}


if __name__ == "__main__":
    sys.exit(main())
