"""The judge notices what is planted; `make test-defects` shows that for every defect."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulation.defects import PLANTS
from simulation.planting import chosen_defects, hunt

CHEAP = ("the POST goes out before the finalizer is added", "Reconciling and Stalled stand together")


@pytest.mark.parametrize("breaks", CHEAP)
def test_the_judge_catches_a_planted_defect(breaks):
    [defect] = chosen_defects(breaks)

    assert hunt(defect, range(8)).seed is not None


def test_every_defect_is_described_once():
    sentences = [defect.breaks for defect in PLANTS]

    assert len(set(sentences)) == len(sentences)
    assert len(PLANTS) >= 40


def test_the_docs_show_how_every_planted_defect_is_caught():
    page = (Path(__file__).parents[2] / "docs" / "correctness.md").read_text()

    assert [defect.breaks for defect in PLANTS if f"| {defect.breaks} |" not in page] == []
