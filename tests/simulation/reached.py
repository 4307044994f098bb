"""Which rules of the decision and which branches of the gate some history has come to."""

from __future__ import annotations

import inspect
import linecache
from pathlib import Path
from types import CodeType, ModuleType
from typing import Self

import coverage

from runai_operator.domain import (
    adopt,
    barred,
    decide,
    dry_run,
    finalize,
    intent,
    lost,
    maintain,
    observe,
    ownership,
    probe,
    submit,
)
from runai_operator.engine import dry_runs, gate

RULES: tuple[ModuleType, ...] = (
    decide,
    submit,
    adopt,
    intent,
    ownership,
    barred,
    observe,
    maintain,
    lost,
    finalize,
    dry_run,
    probe,
    dry_runs,
    gate,
)


class Reached:
    """Measures while it is entered."""

    def __init__(self) -> None:
        self._files = [str(module.__file__) for module in RULES]
        self._coverage = coverage.Coverage(data_file=None, branch=True, include=self._files, config_file=False)

    def __enter__(self) -> Self:
        self._coverage.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._coverage.stop()

    def missed(self) -> list[str]:
        """The lines that nothing came to, and the branches that nothing took, but for what runs only on import."""
        return [line for file in self._files for line in self._missed_in(file)]

    def _missed_in(self, file: str) -> list[str]:
        analysis = self._coverage._analyze(file)
        lines = sorted(analysis.missing - _of_definitions(file))
        branches = [
            (at, to)
            for at, missing in sorted(analysis.missing_branch_arcs().items())
            for to in missing
            if at not in analysis.missing and to not in analysis.missing
        ]
        where = Path(file).name
        told = [f"{where}:{line}  {linecache.getline(file, line).strip()}" for line in lines]
        return told + [
            f"{where}:{at}  {linecache.getline(file, at).strip()} (never {f'to line {to}' if to > 0 else 'to its end'})"
            for at, to in branches
        ]


def _of_definitions(file: str) -> set[int]:
    """The lines that run when a module is imported."""
    at_import, later, codes = set[int](), set[int](), [compile(Path(file).read_text(), file, "exec")]
    for code in codes:
        lines = {line for _, _, line in code.co_lines() if line} - {code.co_firstlineno}
        (later if code.co_flags & inspect.CO_OPTIMIZED else at_import).update(lines)
        codes += [each for each in code.co_consts if isinstance(each, CodeType)]
    return at_import - later
