"""Plays histories against planted defects: how many does it take until the judge notices?"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import pytest

from model.defects import Defect
from simulation.defects import PLANTS
from simulation.history import make, play

BUDGET = 180
"""Histories for each defect, at most."""


@dataclass(frozen=True, slots=True)
class Hunt:
    """What became of one defect."""

    breaks: str
    seed: int | None
    """Of the history that showed it; None when none did."""
    histories: int
    broken: str = ""
    """The promise that was found broken."""

    def __str__(self) -> str:
        seed = "not caught" if self.seed is None else str(self.seed)
        return f"| {self.breaks} | {self.histories} | {seed} | {self.broken} |"


def hunt(defect: Defect, seeds: Iterable[int]) -> Hunt:
    """Plants the defect, and plays history after history until a promise is broken."""
    played = 0
    with pytest.MonkeyPatch.context() as patch:
        defect.plant(patch)
        for seed in seeds:
            played += 1
            if (shown := play(make(seed))).broken is not None:
                return Hunt(defect.breaks, seed, played, shown.promise)
    return Hunt(defect.breaks, None, played)


def control(seeds: Iterable[int]) -> list[str]:
    """The same histories with nothing planted."""
    broken = ((seed, play(make(seed)).broken) for seed in seeds)
    return [f"seed {seed}: {why}" for seed, why in broken if why is not None]


def chosen_defects(only: str) -> list[Defect]:
    """Those whose sentences contain this: all, if it is empty."""
    return [defect for defect in PLANTS if only in defect.breaks]


def hunts(defects: Iterable[Defect], *, first: int, budget: int, jobs: int) -> Iterator[Hunt]:
    """In the order of the defects; `jobs` of them at the same time."""
    names = [defect.breaks for defect in defects]
    with ProcessPoolExecutor(jobs, initializer=logging.disable, initargs=(logging.CRITICAL,)) as pool:
        yield from pool.map(partial(_hunt_named, first=first, budget=budget), names)


def _hunt_named(breaks: str, *, first: int, budget: int) -> Hunt:
    """Functions do not travel between processes."""
    [defect] = [each for each in PLANTS if each.breaks == breaks]
    return hunt(defect, range(first, first + budget))


def controls(*, first: int, most: int, jobs: int) -> list[str]:
    parts = [range(first + part, first + most, jobs) for part in range(jobs)]
    with ProcessPoolExecutor(jobs, initializer=logging.disable, initargs=(logging.CRITICAL,)) as pool:
        return [line for lines in pool.map(control, parts) for line in lines]
