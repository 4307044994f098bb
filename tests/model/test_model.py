"""Many random histories; a failure prints the shortest one that breaks a promise."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from model.defects import DEFECTS
from model.machine import WORLD, BridgeModel
from runai_simulator.switches import Switches

EXPLORES = "MODEL_RUNS" in os.environ
"""Else the histories are the same every time."""
RUNS = int(os.environ.get("MODEL_RUNS", "150"))
BUDGET = 2500
"""Histories within which every planted defect is caught, the same ones each time; most take fewer than a hundred."""

WORLDS = {
    "as is": {},
    "deleted ones are shown": {"deleted_answers_404": False},
    "writes are refused while busy": {"writes_while_busy": False},
    "names stay blocked": {"name_blocked_for": 30.0},
    "names are free at once": {"name_free_at_once": True},
    "a failed sync frees the name": {"failed_sync_frees_name": True},
    "second deletes find nothing": {"second_delete": False},
    "writes to what is being deleted are taken": {"put_while_deleting": True},
    "finished work runs again when edited": {"put_reruns_completed": True},
    "failed work stays failed when edited": {"put_reruns_failed": False},
    "deleted ones are not listed": {"deleted_list": False},
    "deleted ones are soon forgotten": {"retention": 20.0},
}


def explore(switches: Switches, runs: int, *, shrink: bool = True, anew: bool = EXPLORES) -> None:
    machine = type("Explored", (BridgeModel,), {"switches": switches})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=runs,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
            report_multiple_bugs=False,
            derandomize=not anew,
            database=None,
            phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
        ),
    )


@pytest.mark.timeout(3600 if EXPLORES else 300)
@pytest.mark.parametrize("changes", WORLDS.values(), ids=WORLDS)
def test_random_histories_break_no_promise(changes):
    explore(WORLD.changed(changes), RUNS)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.breaks)
def test_the_model_catches_a_planted_defect(defect, monkeypatch):
    defect.plant(monkeypatch)
    with pytest.raises(AssertionError):
        explore(WORLD, BUDGET, shrink=False, anew=False)


def test_what_one_process_finds_takes_no_finalizer_from_under_the_attempt_of_another():
    """The second has looked, found what an earlier object of the name left to another, and says that nothing was submitted."""
    state = type("Replayed", (BridgeModel,), {"switches": WORLD.changed({"failed_sync_frees_name": True})})()
    state.begin(live=True, restored=False, stranger=False)
    state.restore(name="a", with_status=False)
    state.time_passes(seconds=23)
    state.a_lucky_pass(name="a", stale=False)
    state.restore(name="a", with_status=False)
    state.time_passes(seconds=3)

    state.two_leaders(name="a", order=[0, *[1] * 4, *[0] * 15])

    state.at_most_one_live_workload_per_object()


def test_the_docs_list_every_planted_defect():
    page = (Path(__file__).parents[2] / "docs" / "correctness.md").read_text()

    assert [defect.breaks for defect in DEFECTS if f"- {defect.breaks}" not in page] == []
