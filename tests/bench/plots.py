"""Draws what `--save` has kept of `bench` and of `bench.rest`, as SVG into docs/: `python -m bench.plots [--into docs] FILE...`.

Points are medians, bars reach from the least to the most of several rounds. The same figures make the same files.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams |= {
    "svg.hashsalt": "bench",
    "svg.fonttype": "none",
    "font.family": ["sans-serif"],
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "lines.markersize": 4.5,
}

from matplotlib import pyplot as plt  # noqa: E402 - after the choice of what draws
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator  # noqa: E402

from bench.figures import console  # noqa: E402

DOCS = Path(__file__).parents[2] / "docs"
BURST = ("all have ids", "all are Ready", "all are deleted")
REST = {
    "at rest: memory": "memory (MiB)",
    "at rest: CPU of a core": "CPU (% of a core)",
    "at rest: calls to Run:ai a minute": "calls to Run:ai (per minute)",
}
OPERATOR = "operator"
STYLES = {
    "raw script": ("#767676", "s"),
    OPERATOR: ("#0b5fa5", "o"),
    "naive kopf": ("#c44e00", "^"),
    "provider-http": ("#7a3b9a", "D"),
}
OTHER = ("#2a8a4a", "v")
Values = dict[str, dict[str, list[float]]]
"""By contender, or by size, and by figure: a value of each round."""
THOUSANDS = FuncFormatter(lambda value, _: f"{value:,g}")


class Point(NamedTuple):
    size: int
    values: list[float]


def main() -> int:
    """Writes docs/performance-burst.svg and docs/performance-rest.svg, whichever there are figures for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, default=DOCS)
    parser.add_argument("files", type=Path, nargs="+")
    given = parser.parse_args()
    figures: dict[str, Values] = {}
    for path in given.files:
        figures |= json.loads(path.read_text())["figures"]
    bursts = {
        int(title.split()[0]): values for title, values in figures.items() if title.endswith(" workloads of 4 KiB")
    }
    charts = {"performance-burst.svg": draw_bursts(bursts) if bursts else None}
    charts["performance-rest.svg"] = draw_rest(figures["workloads"]) if "workloads" in figures else None
    for name, chart in charts.items():
        if chart is None:
            console.print(f"{name} stays as it is: none of the files has figures for it.")
            continue
        chart.savefig(given.into / name, metadata={"Date": None, "Creator": None})
        console.print(f"{given.into / name}")
    return 0


def draw_bursts(bursts: dict[int, Values]) -> Figure:
    """How long it takes, by the number of workloads, for each contender."""
    chart, places = plt.subplots(1, len(BURST), figsize=(9, 3.1), sharey=True, layout="constrained")
    names = dict.fromkeys(name for values in bursts.values() for name in values)
    for place, what in zip(places, BURST, strict=True):
        for name in names:
            draw(place, name, points_of((size, values.get(name, {})) for size, values in bursts.items()).get(what, []))
        place.set(title=what, xlabel="workloads of 4 KiB", xscale="log", yscale="log")
        for axis, ticks in ((place.xaxis, FixedLocator(sorted(bursts))), (place.yaxis, LogLocator(subs=(1, 2, 5)))):
            axis.set_major_locator(ticks)
            axis.set_major_formatter(THOUSANDS)
            axis.set_minor_locator(NullLocator())
    places[0].set_ylabel("seconds")
    lines = {line.get_label(): line for place in places for line in place.get_legend_handles_labels()[0]}
    chart.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=len(lines), frameon=False)
    return chart


def draw_rest(sizes: Values) -> Figure:
    """What so many workloads cost while nothing happens."""
    chart, places = plt.subplots(1, len(REST), figsize=(9, 2.8), layout="constrained")
    points = points_of((int(size.replace(",", "")), values) for size, values in sizes.items())
    for place, (what, label) in zip(places, REST.items(), strict=True):
        draw(place, OPERATOR, points.get(what, []))
        place.set(xlabel="workloads at rest", ylabel=label)
        place.set_xlim(0, place.get_xlim()[1])
        place.set_ylim(0, place.get_ylim()[1])
        for axis in (place.xaxis, place.yaxis):
            axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
            axis.set_major_formatter(THOUSANDS)
    return chart


def points_of(measured: Iterable[tuple[int, dict[str, list[float]]]]) -> dict[str, list[Point]]:
    """By figure, in the order of sizes."""
    found: dict[str, list[Point]] = {}
    for size, values in sorted(measured, key=lambda one: one[0]):
        for what, rounds in values.items():
            found.setdefault(what, []).append(Point(size, rounds))
    return found


def draw(place: Axes, name: str, points: list[Point]) -> None:
    if not points:
        return
    color, marker = STYLES.get(name, OTHER)
    sizes, medians = [point.size for point in points], [statistics.median(point.values) for point in points]
    place.plot(sizes, medians, color=color, marker=marker, label=name)
    several = [point for point in points if len(point.values) > 1]
    if several:
        least, most = [min(point.values) for point in several], [max(point.values) for point in several]
        place.vlines([point.size for point in several], least, most, color=color)


if __name__ == "__main__":
    sys.exit(main())
