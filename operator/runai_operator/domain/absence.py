"""When a 404 is believed. Run:ai answers alike for a workload that is gone and for one that we may no longer see.

So it takes a second witness: the list of deleted workloads shows the id, or the project is visible to us. The project
alone is enough at once where Run:ai had accepted the deletion from us. Otherwise it is only after as long as lists lag, and
once a sweep has missed the workload, too: that shows how many others are missing. If they are many, it is rather the control
plane that has lost its memory, or we that have lost sight of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from runai_operator.domain.errors import BridgeError, Busy, NotVisible
from runai_operator.domain.reasons import Reason

MANY = 20
"""So many workloads of one connection that a sweep misses, and that nothing explains, are a mass loss."""
BRAKE = 3600.0
"""Seconds for which a workload is part of a mass loss, and only taken for gone if the list of deleted ones shows it. They end,
since a control plane may have no such list."""


@dataclass(frozen=True, slots=True)
class Place:
    """A project, as far as it is known."""

    project_id: str | None
    project_name: str | None
    cluster_id: str | None = None
    """Distinguishes the projects of two tenants, whose names and ids may be the same."""

    def is_on(self, cluster_id: str | None) -> bool:
        """As far as is known."""
        return None in (cluster_id, self.cluster_id) or cluster_id == self.cluster_id

    def is_surely_on(self, cluster_id: str | None) -> bool:
        """What names no cluster may be in a project of another tenant. Where that of the place is not known, nothing shows it."""
        return self.cluster_id in (None, cluster_id)

    def __str__(self) -> str:
        return self.project_name or self.project_id or "(unknown)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """What is known about a workload for which Run:ai answers 404."""

    lasted: float
    """Seconds since it was first answered."""
    expected: bool
    """Run:ai has accepted to delete it."""
    is_listed_as_deleted: bool
    is_project_visible: bool
    is_unlisted: bool
    """The last sweep missed it, too."""
    in_mass_loss: bool
    project: str
    """Its name or id, for messages."""

    def doubt(self, grace: float) -> BridgeError | None:
        """Why it does not prove that the workload is gone; None when it does. `grace`: for how long lists lag."""
        if self.is_listed_as_deleted:
            return None
        if not self.is_project_visible:
            return hidden_project(self.project)
        if self.expected:
            return None
        if self.lasted < grace or (self.lasted < BRAKE and not self.is_unlisted):
            return Busy(
                "Run:ai does not know the workload any more, and does not list it as deleted yet.",
                reason=Reason.NOT_VISIBLE,
            )
        if self.in_mass_loss:
            return NotVisible(
                "Many workloads vanished from Run:ai at the same time, and are not listed as deleted: none of them is taken"
                " for gone. Check Run:ai; what was deleted there on purpose is taken for gone within the next hour."
            )
        return None


def hidden_project(project: str) -> NotVisible:
    """The error for what may be in a project that Run:ai does not show."""
    return NotVisible(
        f"Run:ai shows neither the workload nor its project {project}, so access to it may have been lost: give the service"
        " account its role in the project again, or restore the Secret of the right account."
    )


def is_mass_loss(missing_for: Iterable[float]) -> bool:
    """Whether no absence is believed on the word of the project alone. `missing_for`: seconds since a sweep first missed each
    workload whose absence nothing explains."""
    return sum(seconds < BRAKE for seconds in missing_for) >= MANY
