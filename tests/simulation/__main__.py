"""Explores histories, or replays one: `python -m simulation --minutes 20`, `python -m simulation --seed 7`."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections import Counter

from simulation.history import make, play, shrink, told


def main() -> int:
    parser = argparse.ArgumentParser(prog="simulation")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--first", type=int, default=0, help="seed to begin with")
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--seed", type=int, help="replay this history")
    parser.add_argument("--keep-going", action="store_true")
    parser.add_argument("--whole", action="store_true", help="do not make it shorter")
    chosen = parser.parse_args()
    logging.disable(logging.CRITICAL)
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


def explore(seconds: float, seed: int, step: int, *, keep_going: bool) -> int:
    ends, histories, virtual, failed = time.monotonic() + seconds, 0, 0.0, []
    checked: Counter[str] = Counter()
    while time.monotonic() < ends:
        played = play(make(seed))
        histories, virtual = histories + 1, virtual + played.virtual
        checked += played.checked
        if played.broken is not None:
            failed.append(seed)
            print(f"seed {seed}: {played.broken}", flush=True)
            if not keep_going:
                break
        seed += step
    print(f"{histories} histories, {virtual / 3600:.0f} virtual hours, {len(failed)} broken")
    for name, count in sorted(checked.items()):
        print(f"  {name}: {count}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
