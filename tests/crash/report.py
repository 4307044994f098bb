"""The cases as Markdown: their totals, which docs/crash-matrix.md keeps, and every one of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Row:
    """One case: what was interrupted, how and where, what was there in the end, and how long it took to get there."""

    kind: Literal["kill", "fault"]
    path: str
    world: str
    point: str
    struck: bool
    creates: int
    live: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Report:
    rows: Sequence[Row] = ()

    def markdown(self) -> str:
        """The totals, then every case as run. Seconds are from the restart, or from the fault, until all was well."""
        cases = _table(
            (
                "Interrupted by",
                "Path",
                "Control plane",
                "At",
                "Struck",
                "POSTs that took effect",
                "Live workloads",
                "Seconds to converge",
            ),
            (
                (
                    r.kind,
                    r.path,
                    r.world,
                    f"`{r.point}`",
                    "yes" if r.struck else "no",
                    r.creates,
                    r.live,
                    f"{r.seconds:.1f}",
                )
                for r in self.rows
            ),
        )
        return f"# Crash matrix\n\n{self.totals()}\n## Every case\n\n{cases}"

    def totals(self) -> str:
        """One line for each kind of interruption and path, over all control planes."""
        groups: dict[tuple[str, str], list[Row]] = {}
        for row in sorted(self.rows, key=lambda row: (row.kind != "kill", row.path)):
            groups.setdefault((row.kind, row.path), []).append(row)
        return _table(
            (
                "Interrupted by",
                "Path",
                "Cases",
                "Struck",
                "POSTs that took effect, at most",
                "Live workloads",
                "Seconds to converge, at most",
            ),
            [
                *((*group, *_total(rows)) for group, rows in groups.items()),
                ("**all**", "", len(self.rows), sum(row.struck for row in self.rows), "", "", ""),
            ],
        )


def _total(rows: list[Row]) -> tuple[object, ...]:
    live = " or ".join(str(number) for number in sorted({row.live for row in rows}))
    slowest = max(row.seconds for row in rows)
    return len(rows), sum(row.struck for row in rows), max(row.creates for row in rows), live, f"{slowest:.1f}"


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join("| " + " | ".join(str(cell) for cell in line) + " |\n" for line in lines)
