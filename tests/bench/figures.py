"""What was measured: for each figure one value a run, shown as a median with the least and the most."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

console = Console(highlight=False, width=140)


@dataclass(slots=True)
class Figures:
    """By contender and figure, in the order in which they came."""

    title: str
    values: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    forms: dict[str, str] = field(default_factory=dict)

    def add(self, contender: str, what: str, value: float, form: str = "{:.1f} s") -> None:
        self.forms.setdefault(what, form)
        self.values.setdefault(contender, {}).setdefault(what, []).append(value)
        console.print(f"  {contender}: {what}: {form.format(value)}", style="dim")

    def median(self, contender: str, what: str) -> float | None:
        found = self.values.get(contender, {}).get(what)
        return statistics.median(found) if found else None

    def shown(self, contender: str, what: str) -> str:
        found = self.values.get(contender, {}).get(what)
        if not found:
            return "-"
        form = self.forms[what]
        spread = f" ({form.format(min(found))}..{form.format(max(found))})" if len(found) > 1 else ""
        return form.format(statistics.median(found)) + spread

    def markdown(self) -> str:
        """A table as documentation takes it."""
        names = list(self.values)
        lines = [f"| {self.title} | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
        lines += [f"| {what} | {' | '.join(self.shown(name, what) for name in names)} |" for what in self.forms]
        return "\n".join(lines)

    def show(self) -> None:
        table = Table(self.title, *self.values, box=None)
        for what in self.forms:
            table.add_row(what, *(self.shown(name, what) for name in self.values))
        console.print(table)


def save(path: Path, about: str, measured: list[Figures]) -> None:
    """For the plots."""
    content = {each.title: each.values for each in measured}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"about": about, "figures": content}, indent=1))
