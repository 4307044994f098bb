"""A fixed set of simulated histories keeps every promise, and planted defects are caught."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from simulation.defects import DEFECTS, caught_by
from simulation.history import make, play, told

SEEDS = range(12)


@pytest.fixture(autouse=True)
def quiet():
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_simulated_history_keeps_every_promise(seed):
    history = make(seed)
    outcome = play(history)

    assert outcome.broken is None, told(history, outcome)


def test_the_same_seed_gives_the_same_story():
    history = make(3)

    assert play(history).story == play(history).story


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.breaks)
def test_the_simulation_catches_a_planted_defect(defect, monkeypatch):
    defect.plant(monkeypatch)

    seed = caught_by(range(400))

    assert seed is not None, "400 histories do not show it"
    print(f"{defect.breaks}: caught by history {seed + 1}")


def test_the_docs_list_every_defect_planted_in_the_simulation():
    page = (Path(__file__).parents[2] / "docs" / "correctness.md").read_text()

    assert [defect.breaks for defect in DEFECTS if f"- {defect.breaks}" not in page] == []
