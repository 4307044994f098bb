"""Measures what a person waits for: the help of `kubectl rwl`, and wrapping and validating many manifests.

`python -m bench.cli` prints a table of seconds, the least of several runs, for the whole process.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

PLUGIN = Path(sys.executable).parent / "kubectl-rwl"
MANIFEST = Path(__file__).parents[1] / "manifests" / "pytorchjob.yaml"


def seconds(arguments: Sequence[str], text: str, runs: int) -> tuple[float, float]:
    """Least wall-clock and processor time of a run."""
    walls, works = [], []
    for _ in range(runs):
        before, began = os.times(), time.monotonic()
        subprocess.run(
            [PLUGIN, *arguments],
            input=text,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
        )
        after = os.times()
        walls.append(time.monotonic() - began)
        works.append(after.children_user + after.children_system - before.children_user - before.children_system)
    return min(walls), min(works)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--manifests", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    one = MANIFEST.read_text()
    plain = "---\n".join(one.replace("pytorch-mnist-ddp", f"train-{number}") for number in range(given.manifests))
    wrap = ["wrap", "-", "--project", "team-a"]
    wrapped = subprocess.run([PLUGIN, *wrap], input=plain, capture_output=True, text=True, check=True).stdout
    print(f"{'':32} {'wall':>7} {'processor':>10}")
    for title, arguments, text in (
        ("--help", ["--help"], ""),
        ("version --client", ["version", "--client"], ""),
        (f"wrap {given.manifests} manifests", wrap, plain),
        (f"validate {given.manifests} of them", ["validate", "-"], wrapped),
        (f"export {given.manifests} of them", ["export", "-"], wrapped),
    ):
        wall, work = seconds(arguments, text, given.runs)
        print(f"{title:32} {wall:6.2f}s {work:9.2f}s")


if __name__ == "__main__":
    main()
