"""Defects to plant in the whole operator: those of the model, and faults that were found around its protocol."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from model.defects import DEFECTS as OF_THE_PROTOCOL
from model.defects import Defect
from runai_operator.domain import decide as rules
from runai_operator.domain.errors import InvalidWorkload
from runai_operator.domain.plan import Need
from runai_operator.engine import engine as engines
from runai_operator.engine import poller
from runai_operator.engine.gate import Gate
from runai_operator.engine.inventory import Inventory
from runai_operator.engine.reconcile import Reconciler
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
    patch.setattr(
        Inventory,
        "of_row",
        lambda self, connection, row: [e for e in self if e.summary.workload_id and e.summary.name == row.name],
    )


def nothing_is_owed_after_a_restart(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(engines, "plan_of", lambda summary, meta: Need.NOTHING)


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


def a_404_is_enough(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Reconciler, "_doubt", lambda self, s, workload_id, is_project_visible, upstream: None)


def lists_reach_back_too_little(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(poller, "LONG_INTERVAL", 0.0)
    patch.setattr(poller, "SHORT_OVERLAP", 0.0)


def nothing_is_ever_stale(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(engines, "is_misstated", lambda summary, meta, freshness: False)


def what_was_out_of_sight_is_not_looked_at(patch: pytest.MonkeyPatch) -> None:
    async def nothing(self: Any, remote: Any, upstream: Any) -> None:
        del self, remote, upstream

    patch.setattr(Reconciler, "_row_of", nothing)


def deletions_are_not_noticed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(engines.Engine, "row_deleted", lambda self, connection, row: None)


def sources_are_not_watched(patch: pytest.MonkeyPatch) -> None:
    async def never(self: Any) -> None:
        del self

    patch.setattr(engines.Engine, "_check_sources", never)


DEFECTS = (
    *(defect for defect in OF_THE_PROTOCOL if defect.breaks not in NEEDS_OTHER_ACTS),
    Defect("a refused adoption is carried out", refused_adoption_is_carried_out),
    Defect("list rows are matched by name", rows_by_name),
    Defect("a restart plans nothing", nothing_is_owed_after_a_restart),
    Defect("what waits at an open circuit is never woken", nobody_is_woken),
    Defect("edits are not sent", edits_are_forgotten),
    Defect("what was refused is never tried again", a_refusal_is_final),
    Defect("a 404 is enough for gone", a_404_is_enough),
    Defect("lists are not read back for what they show late", lists_reach_back_too_little),
    Defect("status is vouched for although nobody knows", nothing_is_ever_stale),
    Defect(
        "what becomes of a workload while it is out of sight is not looked for", what_was_out_of_sight_is_not_looked_at
    ),
    Defect("deletions in Run:ai are not noticed", deletions_are_not_noticed),
    Defect("sources are not watched", sources_are_not_watched),
)
