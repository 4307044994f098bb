"""Explores histories, replays one, or shows that planted defects are caught.

python -m simulation --minutes 20
python -m simulation --seed 7
python -m simulation --defects
python -m simulation --weeks 10
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections import Counter

from simulation.history import make, play, shrink, told
from simulation.planting import BUDGET, chosen_defects, controls, hunts
from simulation.reached import Reached
from simulation.weeks import grown, live


def main() -> int:
    parser = argparse.ArgumentParser(prog="simulation", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--first", type=int, default=0, help="seed to begin with")
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--seed", type=int, help="replay this history")
    parser.add_argument("--keep-going", action="store_true")
    parser.add_argument("--whole", action="store_true", help="do not make it shorter")
    parser.add_argument("--digest", action="store_true", help="print only what stands for the whole history")
    parser.add_argument("--defects", action="store_true", help="plant one defect after the other")
    parser.add_argument("--weeks", type=int, help="live for so many, with something to do each day")
    parser.add_argument("--only", default="", help="the defects whose sentences contain this")
    parser.add_argument("--jobs", type=int, default=2, help="processes that hunt for defects")
    chosen = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if chosen.defects:
        return plant(chosen.only, first=chosen.first, jobs=chosen.jobs)
    if chosen.weeks is not None:
        return grow_old(chosen.weeks, chosen.first)
    if chosen.digest:
        print(play(make(chosen.seed or 0)).digest)
        return 0
    if chosen.seed is not None:
        return replay(chosen.seed, whole=chosen.whole)
    return explore(chosen.minutes * 60, chosen.first, chosen.step, keep_going=chosen.keep_going)


def replay(seed: int, *, whole: bool) -> int:
    history = make(seed)
    played = play(history)
    if played.broken is not None and not whole:
        history = shrink(history, played.broken)
        played = play(history)
    print(told(history, played))
    print(played.broken or "all promises were kept")
    return int(played.broken is not None)


def plant(only: str, *, first: int, jobs: int) -> int:
    """The table of planted defects; the same histories without them follow."""
    print("| Defect | Histories | Seed | Promise that was broken |\n|---|---:|---:|---|", flush=True)
    made = []
    for hunt in hunts(chosen_defects(only), first=first, budget=BUDGET, jobs=jobs):
        made.append(hunt)
        print(hunt, flush=True)
    most = max(hunt.histories for hunt in made)
    broken = controls(first=first, most=most, jobs=jobs)
    caught = sum(hunt.seed is not None for hunt in made)
    print(
        f"\n{caught} of {len(made)} planted defects were caught, in {sum(hunt.histories for hunt in made)} histories."
    )
    print(f"Without a defect, {len(broken)} of the first {most} histories break a promise.", *broken, sep="\n")
    return int(caught < len(made) or bool(broken))


def grow_old(weeks: int, seed: int) -> int:
    lived = live(seed, 7 * weeks)
    most = Counter[str]()
    for sizes in lived:
        most |= sizes
    print(f"{weeks} weeks; the most that was left at the end of a day:")
    for path, count in sorted(most.items()):
        print(f"  {path.removeprefix('.')}: {count}")
    too_many = grown(lived)
    print("not bounded:", *[f"{path}: {count}" for path, count in too_many.items()] or ["nothing"], sep="\n  ")
    return int(bool(too_many))


def explore(seconds: float, seed: int, step: int, *, keep_going: bool) -> int:
    ends, histories, virtual, failed = time.monotonic() + seconds, 0, 0.0, []
    checked: Counter[str] = Counter()
    most: Counter[str] = Counter()
    with Reached() as reached:
        while time.monotonic() < ends:
            played = play(make(seed))
            histories, virtual = histories + 1, virtual + played.virtual
            checked += played.checked
            most |= played.most
            if played.broken is not None:
                failed.append(seed)
                print(f"seed {seed}: {played.broken}", flush=True)
                if not keep_going:
                    break
            seed += step
    print(f"{histories} histories, {virtual / 3600:.0f} virtual hours, {len(failed)} broken")
    for name, count in [*sorted(checked.items()), *sorted(most.items())]:
        print(f"  {name}: {count}")
    print("not reached by any of them:", *reached.missed() or ["nothing"], sep="\n  ")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
