"""`python -m mutation [--only MODULE...]`: makes small changes to modules, one after the other, and tells which of them no unit
test notices.

Those that nothing can notice are listed in `equivalent.toml`, each with the reason. The exit code is 1 if another one
survives, or if one of the list is not made any more. Any module of the domain or the engine can be tried; without `--only`
those are whose survivors have all been judged.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from mutation.mutants import Mutant, mutants_of
from mutation.trials import PACKAGE, Stage

EQUIVALENT = Path(__file__).with_name("equivalent.toml")
JUDGED = (
    *(f"domain.{name}" for name in ("decide", "submit", "adopt", "maintain", "lost", "finalize", "observe")),
    *(f"domain.{name}" for name in ("intent", "ownership", "barred", "absence", "doubt", "requested")),
    *(f"domain.{name}" for name in ("dry_run", "probe")),
    *(f"domain.{name}" for name in ("state", "steps", "plan", "memory", "status", "stored_status", "requeue")),
    *(f"engine.{name}" for name in ("circuit", "gate", "poller")),
)
TESTS = {
    "tests/unit/domain/test_plan.py": ("domain.plan",),
    "tests/unit/domain/test_probe.py": ("domain.probe",),
    "tests/unit/domain/test_status.py": ("domain.status",),
    "tests/unit/domain/test_status_fields.py": ("domain.status",),
    "tests/unit/domain": ("domain.",),
    "tests/unit/engine/test_circuit.py": ("engine.circuit",),
    "tests/unit/engine/test_gate.py": ("engine.gate",),
    "tests/unit/engine/test_poller.py": ("engine.poller",),
    "tests/unit/engine/test_lists.py": ("engine.poller",),
    "tests/unit/engine/test_dry_runs.py": ("engine.dry_runs",),
    "tests/unit/engine/test_dry_run.py": ("engine.dry_runs",),
    "tests/unit/engine": ("domain.", "engine."),
}
"""Where the claims are, and about which modules; what survives the first is tried with the next. Files of their own are for
modules with many mutants of what is done at import, each of which has to import and collect the tests anew."""
LAST = "tests/unit/engine"


def main() -> int:
    parser = argparse.ArgumentParser(prog="mutation", description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], help="modules, as domain.decide")
    parser.add_argument("--tests", help="only the tests of this folder or file")
    parser.add_argument("--longest", type=float, default=math.inf, help="leave out tests that take more seconds")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    chosen = parser.parse_args()
    paths = [path for package in ("domain", "engine") for path in sorted((PACKAGE / package).glob("*.py"))]
    modules = {f"{path.parent.name}.{path.stem}": path.resolve() for path in paths if path.stem != "__init__"}
    if unknown := set(chosen.only) - modules.keys():
        parser.error(f"no such module: {', '.join(sorted(unknown))}")
    listed = {(entry["in"], entry["was"], entry["becomes"]) for entry in read_list()}
    mutants = {
        name: mutants_of(f"runai_operator.{name}", path)
        for name, path in modules.items()
        if name in (chosen.only or JUDGED)
    }
    survivors = [mutant for made in mutants.values() for mutant in made if mutant.identity not in listed]
    for tests, claimed in TESTS.items() if not chosen.tests else [(chosen.tests, ("",))]:
        tried = [mutant for mutant in survivors if mutant.short_module.startswith(claimed)]
        others = [mutant for mutant in survivors if not mutant.short_module.startswith(claimed)]
        is_last = tests in (chosen.tests, LAST)
        survivors = others + survivors_of(tried, tests, chosen.jobs, chosen.longest, is_last=is_last)
    made = {mutant.identity for all_of_it in mutants.values() for mutant in all_of_it}
    stale = [entry for entry in sorted(listed - made) if entry[0].partition(":")[0] in mutants]
    for place, was, _ in stale:
        print(f"{EQUIVALENT.name} lists what is not there any more: {place}: {was}")
    print_table(mutants, survivors, listed)
    return 1 if survivors or stale else 0


def read_list() -> list[dict[str, str]]:
    entries: list[dict[str, str]] = tomllib.loads(EQUIVALENT.read_text()).get("mutant", [])
    return entries


def survivors_of(mutants: list[Mutant], folder: str, jobs: int, longest: float, *, is_last: bool) -> list[Mutant]:
    survived: list[Mutant] = []
    tried = 0

    def told(mutant: Mutant, has_survived: bool) -> None:
        nonlocal tried
        tried += 1
        if has_survived:
            survived.append(mutant)
            if is_last:
                print(as_entry(mutant), flush=True)
        if tried % 50 == 0 or tried == len(mutants):
            print(f"{folder}: {tried} of {len(mutants)} tried, {len(survived)} survived", file=sys.stderr, flush=True)

    if mutants:
        Stage(folder, jobs, longest, told).try_all(mutants)
    return survived


def as_entry(mutant: Mutant) -> str:
    """As it would be listed."""
    keys = {"in": mutant.place, "was": mutant.was, "becomes": mutant.becomes, "why": ""}
    lines = [f"{key} = '{text}'" if "'" not in text else f"{key} = {json.dumps(text)}" for key, text in keys.items()]
    return "\n".join(["[[mutant]]", *lines, ""])


def print_table(
    mutants: dict[str, list[Mutant]], survivors: Iterable[Mutant], listed: set[tuple[str, str, str]]
) -> None:
    survived = Counter(mutant.short_module for mutant in survivors)
    equivalent = {name: sum(mutant.identity in listed for mutant in made) for name, made in mutants.items()}
    rows = [
        (f"`{name.replace('.', '/')}.py`", len(made), equivalent[name], survived[name])
        for name, made in mutants.items()
    ]
    rows.append(("all", sum(row[1] for row in rows), sum(row[2] for row in rows), sum(row[3] for row in rows)))
    print("| Module | Mutants | Equivalent | Survived | Killed of the others |\n|---|---:|---:|---:|---:|")
    for name, made, equal, left in rows:
        others = made - equal
        print(f"| {name} | {made} | {equal} | {left} | {(others - left) / others if others else 1:.1%} |")


if __name__ == "__main__":
    sys.exit(main())
