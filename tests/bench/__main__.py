"""`make bench`: what the operator costs and how quick it is, beside a raw script that makes only the minimal calls, and beside a naive
operator.

    python -m bench [--workloads 200] [--rounds 1] [--sizes 4] [--yaml] [--beside ../other/operator] [--without-naive]

Prints tables. Each contender has servers of its own, all take turns, and of several rounds the medians are shown with the least
and the most; quote the ratios. `--beside` measures the operator of another checkout as well. The simulator is always this one.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from bench.contenders import Contender, bridge, naive
from bench.driver import Driver, Form, ids_of, in_parallel, raw_create, raw_delete, raw_runai
from bench.figures import Figures, console, save
from bench.machine import described
from bench.provider_http import provider_http
from bench.scene import QUICK, RAW, Plan, Scene, burst, delete, freshness, rest, started, started_again, warm_up
from controlplane import ControlPlane
from stack import Simulator


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
    parser.add_argument(
        "--phase-time",
        type=float,
        default=QUICK["phase_time"],
        help="seconds of each of three phases before Running; with a long one nothing is Ready while others still wait for an id",
    )
    parser.add_argument("--beside", type=Path, help="the folder `operator` of another checkout, to compare with")
    parser.add_argument("--without-naive", action="store_true")
    parser.add_argument("--limit", type=float, default=1800.0, help="seconds after which a contender is given up")
    parser.add_argument("--save", type=Path, help="a JSON file, for the plots")
    given = parser.parse_args()
    about = described(f"python -m bench {' '.join(sys.argv[1:])}".rstrip())
    contenders = [bridge("operator", OPERATOR_DELTA_INTERVAL=given.interval)]
    if given.beside is not None:
        contenders.append(bridge("other revision", given.beside.resolve(), OPERATOR_DELTA_INTERVAL=given.interval))
    if not given.without_naive:
        contenders.append(naive())
    try:
        contenders.append(provider_http())
    except LookupError as missing:
        console.print(f"provider-http is left out: {missing}.")
    measured = []
    for many in given.workloads:
        for form in [Form(size * 1024, as_yaml) for size in given.sizes for as_yaml in (False, True)[: 1 + given.yaml]]:
            figures = Figures(f"{many} workloads of {form}")
            plan = Plan(many, form, given.rest, tuple(given.changes), given.phase_time)
            measured.append(figures)
            for _ in range(given.rounds):
                asyncio.run(one_round(contenders, plan, figures, given.limit))
            figures.show()
            console.print(figures.markdown(), soft_wrap=True)
            if given.save:
                save(given.save, about, measured)
    console.print(about)
    return 0


async def one_round(contenders: list[Contender], plan: Plan, figures: Figures, limit: float) -> None:
    """What is not reached within `limit` seconds stays out of the table."""
    acts = {RAW: partial(raw, plan, figures)}
    acts |= {contender.name: partial(measure, contender, plan, figures) for contender in contenders}
    for name, act in acts.items():
        try:
            async with asyncio.timeout(limit):
                await act()
        except TimeoutError:
            console.print(f"  {name}: given up after {limit:.0f} s")


async def raw(plan: Plan, figures: Figures) -> None:
    """The calls that cannot be left out, as one script makes them."""
    with tempfile.TemporaryDirectory(prefix="runai-bench-") as name, ControlPlane() as plane:
        plane.install_crds()
        names = [f"w{number}" for number in range(plan.workloads)]
        with Simulator(Path(name), **plan.world) as runai:
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


async def measure(contender: Contender, plan: Plan, figures: Figures) -> None:
    """From the first start to the last deletion."""
    with tempfile.TemporaryDirectory(prefix="runai-bench-") as name, ControlPlane() as plane:
        directory = Path(name)
        plane.install_crds(contender.crds)
        with Simulator(directory, **plan.world) as runai:
            async with contender.drive(plane, runai) as driver:
                with contender.start(directory, plane, runai) as process:
                    scene = Scene(contender, process, plane, runai, driver, plan, figures)
                    await started(scene)
                    await burst(scene)
                    await rest(scene)
                    for changes in plan.changes if contender.shows_phases else ():
                        await freshness(scene, changes)
                    if contender.is_ours:
                        process.terminate()
                        with contender.start(directory, plane, runai) as scene.process:
                            await started_again(scene)
                            await delete(scene)
                    else:
                        await delete(scene)


if __name__ == "__main__":
    sys.exit(main())
