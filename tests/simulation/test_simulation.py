"""A fixed set of simulated histories keeps every promise, and a seed always gives the same history."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulation.history import make, play, told

SEEDS = range(12)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_simulated_history_keeps_every_promise(seed):
    history = make(seed)
    played = play(history)

    assert played.broken is None, told(history, played)


def test_the_same_seed_gives_the_same_story():
    history = make(3)

    assert play(history).story == play(history).story


def test_the_order_of_sets_and_hashes_changes_nothing():
    def digest(hash_seed: str) -> str:
        command = [sys.executable, "-m", "simulation", "--seed", "5", "--digest"]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(Path(__file__).parents[1])}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    assert digest("1") == digest("2")
