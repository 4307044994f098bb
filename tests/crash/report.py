"""The table of cases, as Markdown."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Row:
    """One case: what was interrupted and where, what was there in the end, and how long it took to get there."""

    path: str
    world: str
    point: str
    struck: bool
    creates: int
    live: int
    seconds: float


@dataclass(slots=True)
class Report:
    rows: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> None:
        self.rows.append(row)

    def markdown(self) -> str:
        """Sorted as run. Seconds are from the restart, or from the fault, until all was well."""
        lines = [
            "| Path | Control plane | Interrupted at | Struck | POSTs that took effect | Live workloads | Seconds to converge |"
        ]
        lines.append("|---|---|---|---|---|---|---|")
        lines += [
            f"| {r.path} | {r.world} | `{r.point}` | {'yes' if r.struck else 'no'} | {r.creates} | {r.live} | {r.seconds:.1f} |"
            for r in self.rows
        ]
        return "\n".join(lines) + "\n"
