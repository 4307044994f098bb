"""Defects to plant in the whole operator: those of the model, and faults that were found around its protocol."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from model.defects import DEFECTS as OF_THE_PROTOCOL
from model.defects import Defect
from runai_operator.domain import decide as rules
from runai_operator.domain import state as states
from runai_operator.domain.errors import InvalidWorkload
from runai_operator.domain.plan import Need
from runai_operator.engine import engine as engines
from runai_operator.engine import inventory
from runai_operator.engine.gate import Gate
from runai_operator.engine.inventory import Inventory
from simulation.history import make, play

NEEDS_OTHER_ACTS = {
    "workloads are deleted because the CustomResourceDefinition goes",
    "finalizers and status are written without a guard",
    "an object is given up without a record of what stays behind",
}
"""Those of the model that no history here can show: it has no such act, or no outage that is long enough."""


def caught_by(seeds: Iterable[int]) -> int | None:
    """The first of these histories in which a promise is broken."""
    return next((seed for seed in seeds if play(make(seed)).broken is not None), None)


def refused_adoption_is_carried_out(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rules, "_adoption_obstacle", lambda s, remote, desired: None)


def rows_by_name(patch: pytest.MonkeyPatch) -> None:
    """Whatever carries the name is believed to be ours."""

    def see(self: Any, connection: str, row: Any) -> list[Any]:
        found = []
        for entry in list(self):
            if entry.ref.name == row.name and entry.summary.workload_id is not None:
                sighting = inventory.Sighting(entry.summary.workload_id, row)
                if entry.sighting != sighting:
                    found.append(self._store(replace(entry, sighting=sighting)))
        return found

    patch.setattr(Inventory, "see", see)


def nothing_is_owed_after_a_restart(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(engines, "plan_of", lambda summary, meta: Need.NOTHING if hasattr(Need, "NOTHING") else None)


def nobody_is_woken(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Gate, "_wake_due", lambda self: None)


def edits_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rules, "_may_be_outstanding", lambda s: False)


def a_refusal_is_final(patch: pytest.MonkeyPatch) -> None:
    """What is refused is not looked at again."""
    after = engines.Engine._schedule

    def schedule(self: Any, entry: Any, result: Any, lane: Any) -> None:
        if not isinstance(result.error, InvalidWorkload):
            after(self, entry, result, lane)

    patch.setattr(engines.Engine, "_schedule", schedule)


def finished_work_runs_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rules, "_completed", lambda row: False)
    patch.setattr(states.StoredStatus, "completed", property(lambda self: False, lambda self, value: None), raising=False)


DEFECTS = (
    *(defect for defect in OF_THE_PROTOCOL if defect.breaks not in NEEDS_OTHER_ACTS),
    Defect("a refused adoption is carried out", refused_adoption_is_carried_out),
    Defect("list rows are matched by name", rows_by_name),
    Defect("a restart plans nothing", nothing_is_owed_after_a_restart),
    Defect("what waits at an open circuit is never woken", nobody_is_woken),
    Defect("edits are not sent", edits_are_forgotten),
    Defect("what was refused is never tried again", a_refusal_is_final),
)
