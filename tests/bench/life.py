"""What one workload's whole life costs in CPU: created, running, edited, running, deleted.

    python -m bench.life [--workloads 200] [--rounds 3] [--beside ../other/operator] [--profile FILE]

Without Kubernetes Events, unless `--events`. `--profile` has one round sampled, which costs little (`bench.profiled`), and
prints what takes the time of each part of a life: parts of the operator, functions, and functions with all that they call.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from bench.contenders import Contender, bridge
from bench.driver import Driver, Form, Seen, in_parallel
from bench.figures import Figures, console
from bench.machine import described
from bench.parts import by_caller, by_function, by_part
from bench.scene import QUICK, spent
from controlplane import ControlPlane
from stack import Simulator
from stack.processes import Process

PARTS = ("until all run", "edited, until all run", "deleted")
CALLS = ("calls to Run:ai", "reads", "writes")
FORMS = (Form(4096), Form(4096, as_yaml=True), Form(65536), Form(65536, as_yaml=True))


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--beside", type=Path, help="the folder `operator` of another checkout, to compare with")
    parser.add_argument("--sizes", type=int, nargs="*", default=[4, 64], help="of manifests, in KiB")
    parser.add_argument("--without-yaml", action="store_true")
    parser.add_argument("--events", action="store_true")
    parser.add_argument("--profile", type=Path)
    given = parser.parse_args()
    settings = {"OPERATOR_EVENTS": str(given.events).lower()}
    contenders = [bridge("this one", **settings, profile=given.profile)]
    if given.beside is not None:
        contenders.insert(0, bridge("the other", given.beside.resolve(), **settings))
    forms = [form for form in FORMS if form.size // 1024 in given.sizes and not (given.without_yaml and form.as_yaml)]
    figures = Figures(f"CPU of a life, of {given.workloads} at once")
    for _ in range(1 if given.profile else given.rounds):
        for contender in contenders:
            asyncio.run(measure(contender, given.workloads, forms, figures))
    console.print(described(f"python -m bench.life {' '.join(sys.argv[1:])}"))
    figures.show()
    if given.profile:
        show_profile(given.profile, forms, figures)
    return 0


async def measure(contender: Contender, many: int, forms: list[Form], figures: Figures) -> None:
    """One form after the other, on servers of their own."""
    with tempfile.TemporaryDirectory(prefix="runai-bench-") as name, ControlPlane() as plane:
        directory = Path(name)
        plane.install_crds(contender.crds)
        with Simulator(directory, **QUICK) as runai, contender.start(directory, plane, runai) as process:
            await asyncio.to_thread(contender.wait_ready, process)
            async with Driver.of(plane) as driver:
                life = Life(contender, process, plane, runai, driver)
                await life.live(20, forms[0])  # to warm up
                for form in forms:
                    for what, value in (await life.live(many, form)).items():
                        figures.add(contender.name, f"{form}, {what}", value, "{:.1f} ms" if "of" in what else "{:.2f}")
            process.terminate()


@dataclass(frozen=True, slots=True)
class Life:
    """One contender, on its servers."""

    contender: Contender
    process: Process
    plane: ControlPlane
    runai: Simulator
    driver: Driver

    async def live(self, many: int, form: Form) -> dict[str, float]:
        """CPU milliseconds and calls of each part of one life, and CPU of the whole."""
        names, driver = [f"life-{number}" for number in range(many)], self.driver
        edited = form.spec(mark="edited")

        def run(seen: list[Seen]) -> bool:
            return len(seen) == many and all(self.contender.is_ready(each) for each in seen)

        marks = [self._mark()]
        await in_parallel(lambda name: driver.create(name, form.spec()), names)
        await driver.until(run)
        marks.append(self._mark())
        await in_parallel(lambda name: driver.patch(name, {"spec": edited}), names)
        await asyncio.sleep(1)  # until all are seen to be outdated
        await driver.until(lambda seen: run(seen) and all(each.synced == "True" for each in seen))
        marks.append(self._mark())
        await in_parallel(driver.delete, names)
        await driver.until(lambda seen: not seen)
        marks.append(self._mark())
        found = {}
        for part, before, after in zip(PARTS, marks, marks[1:], strict=False):
            found[f"{part}: CPU of one"] = (after["CPU"] - before["CPU"]) / many
            found |= {f"{part}: {what}": (after[what] - before[what]) / many for what in CALLS}
        return found | {"in all: CPU of one": (marks[-1]["CPU"] - marks[0]["CPU"]) / many}

    def _mark(self) -> Counter[str]:
        """What it has taken so far, CPU in milliseconds; what is sampled begins another phase."""
        if self.contender.is_sampled:
            self.process.child.send_signal(signal.SIGUSR1)
        return spent(self.contender, self.plane, self.runai) + Counter(
            {"CPU": round(self.process.cpu_seconds() * 1000)}
        )


def show_profile(file: Path, forms: list[Form], figures: Figures) -> None:
    """A table for each form, whose columns are the parts of a life; of functions the ones that take most. The time that was
    measured is divided as the samples are."""
    phase = 1 + len(PARTS) + 1  # after the start, warming up, and what is between two lives
    for form in forms:
        for title, found in (
            ("part", by_part(file)),
            ("function", by_function(file)),
            ("with its calls", by_caller(file)),
        ):
            totals = Counter[str]()
            columns = []
            for number, part in enumerate(PARTS, phase):
                took = figures.median("this one", f"{form}, {part}: CPU of one") or 0.0
                met = found.get(number, Counter())
                in_all = by_part(file).get(number, Counter()).total() or 1
                columns.append({name: count / in_all * took for name, count in met.items()})
                totals.update(columns[-1])
            table = Table(f"{form}, ms of CPU of one, {title}", *PARTS, "in all", box=None)
            for name, total in totals.most_common(45):
                table.add_row(name, *(f"{column.get(name, 0.0):.2f}" for column in columns), f"{total:.2f}")
            console.print(table, soft_wrap=True)
        phase += len(PARTS) + 1


if __name__ == "__main__":
    sys.exit(main())
