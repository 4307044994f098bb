"""Draws what `python -m bench --save` has kept, as SVG into docs/: `python -m bench.plots FILE...`."""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams |= {
    "svg.hashsalt": "bench",
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}

from matplotlib import pyplot as plt  # noqa: E402 - after the choice of what draws

DOCS = Path(__file__).parents[2] / "docs"
SHOWN = ("all have ids", "all are Ready", "all are deleted")


def main() -> int:
    """Writes docs/performance-burst.svg."""
    figures = {}
    for path in sys.argv[1:]:
        figures |= json.loads(Path(path).read_text())["figures"]
    chart, places = plt.subplots(1, len(SHOWN), figsize=(9, 2.8), sharey=True)
    for place, what in zip(places, SHOWN, strict=True):
        contenders = sorted({name for values in figures.values() for name in values})
        for name in contenders:
            points = sorted(
                (int(title.split()[0]), statistics.median(values[name][what]))
                for title, values in figures.items()
                if title.endswith("of 4 KiB") and what in values.get(name, {})
            )
            if points:
                place.plot(*zip(*points, strict=True), marker="o", label=name)
        place.set(title=what, xlabel="workloads", xscale="log", yscale="log")
    places[0].set_ylabel("seconds")
    places[1].legend(frameon=False)
    chart.tight_layout()
    chart.savefig(DOCS / "performance-burst.svg", metadata={"Date": None})
    return 0


if __name__ == "__main__":
    sys.exit(main())
