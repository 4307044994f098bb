"""A fixed set of simulated histories keeps every promise, and a seed always gives the same history."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulation import dry_scripts, scripts
from simulation.history import NINE, OF_DRY_RUNS, make, play, told
from simulation.loop import virtual_loop

SEEDS = (*range(12), 24, 60)
"""The last ones are about dry runs, as is 6: a verdict that is overtaken, and a submission that is under way."""


@pytest.mark.parametrize("seed", SEEDS)
def test_a_simulated_history_keeps_every_promise(seed):
    history = make(seed)
    played = play(history)

    assert played.broken is None, told(history, played)


def test_the_same_seed_gives_the_same_story():
    history = make(3)

    assert play(history).story == play(history).story


def test_a_new_script_takes_a_free_turn_and_moves_no_other_history(monkeypatch):
    before = [make(seed) for seed in range(NINE * dry_scripts.DRY_TURNS)]
    monkeypatch.setattr(scripts, "SCRIPTS", (*scripts.SCRIPTS, lambda made: []))
    monkeypatch.setattr(dry_scripts, "DRY_SCRIPTS", (*dry_scripts.DRY_SCRIPTS, lambda made: []))

    moved = {history.seed for history in before if make(history.seed) != history}

    dry = {seed for seed in moved if seed % NINE == OF_DRY_RUNS}
    assert {seed // NINE % dry_scripts.DRY_TURNS for seed in dry} == {len(dry_scripts.DRY_SCRIPTS) - 1}
    turns = {(seed - seed // 3) % scripts.TURNS for seed in moved - dry}
    assert turns == {len(scripts.SCRIPTS) - 1}


def test_what_is_planned_for_one_moment_happens_in_the_order_in_which_it_was_planned():
    """With any that are called off among them, which the heap of timers does not keep in order."""
    happened = []

    async def plan() -> None:
        loop = asyncio.get_running_loop()
        timers = [loop.call_at(2.0 if number % 3 else 1.0, happened.append, number) for number in range(300)]
        for timer in timers[::7]:
            timer.cancel()
        await asyncio.sleep(3)

    with asyncio.Runner(loop_factory=virtual_loop) as runner:
        runner.run(plan())

    assert happened == sorted(happened, key=lambda number: (number % 3 != 0, number))


@pytest.mark.parametrize("seed", ["5", "26"])
def test_the_order_of_sets_and_hashes_changes_nothing(seed):
    """In the second, deletions that were held back together go on."""

    def digest(hash_seed: str) -> str:
        command = [sys.executable, "-m", "simulation", "--seed", seed, "--digest"]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(Path(__file__).parents[1])}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    assert digest("1") == digest("2")
