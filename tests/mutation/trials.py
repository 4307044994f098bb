"""Tries mutants: whether a test that runs what was changed fails, and which one.

The tests are collected and run once, to learn what each of them runs. Then each mutant gets a process of its own, forked
from that one, in which the changed function has other code; the tests that run it follow, the quickest first, until one
fails. Where what is done at import has changed, the process is forked before anything of ours is imported.
"""

from __future__ import annotations

import gc
import inspect
import json
import math
import os
import re
import resource
import signal
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

import pytest

from mutation.mutants import Mutant

PACKAGE = Path("operator/runai_operator")
PYTEST = ["-q", "--timeout=0", "-p", "no:cacheprovider", "-m"]
MARKS = "not slow and not installation"
SURVIVED, KILLED, BROKEN = 0, 1, 3


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the tests do without a mutant."""

    seconds: dict[str, float] = field(default_factory=dict)
    """Of each test, by its id, the quickest first."""
    ran: dict[str, dict[int, list[str]]] = field(default_factory=dict)
    """By file and line, the tests that run it."""

    longest: float = math.inf
    """Tests that take more seconds are left out."""

    def covering(self, mutant: Mutant) -> dict[str, float]:
        """The tests that may notice a mutant; of what is done at import, those that run what names it, which are not all."""
        if mutant.changed is not None:
            return self._ordered(self._of_lines(mutant.path, mutant.lines))
        name = re.compile(rf"\b{re.escape(mutant.scope.partition('.')[0])}\b")
        tests: set[str] = set()
        for path in map(Path, self.ran):
            lines = path.read_text().splitlines()
            tests |= self._of_lines(path, [number for number, line in enumerate(lines, 1) if name.search(line)])
        return self._ordered(tests - {""} or set(self.seconds))

    def all_tests(self, mutant: Mutant) -> dict[str, float]:
        """For a mutant that those have not noticed."""
        del mutant
        return self._ordered(set(self.seconds))

    def _of_lines(self, path: Path, lines: Iterable[int]) -> set[str]:
        ran = self.ran.get(str(path), {})
        return {test for line in lines for test in ran.get(line, ())} - {""}

    def _ordered(self, tests: set[str]) -> dict[str, float]:
        return {test: seconds for test, seconds in self.seconds.items() if test in tests and seconds <= self.longest}

    def runs_at_import(self, mutant: Mutant) -> bool:
        ran = self.ran.get(str(mutant.path), {})
        return any("" in ran.get(line, ()) for line in mutant.lines)


class Tests:
    """A pytest plugin: instead of running the collected tests, it hands them over."""

    def __init__(self, use: Callable[[Tests], None]) -> None:
        self._use = use
        self._failed = False
        self.items: dict[str, pytest.Item] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Few examples, none of them made smaller: that one fails is all that counts."""
        import hypothesis  # only pytest imports it in the right moment

        phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
        known = hypothesis.settings.get_profile("same every time")
        hypothesis.settings.register_profile("mutants", known, max_examples=30, phases=phases)
        hypothesis.settings.load_profile("mutants")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.items = {item.nodeid: item for item in session.items}
        if not session.testsfailed:  # what cannot be imported has failed
            self._use(self)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._failed = self._failed or report.failed

    def all_pass(self, tests: Mapping[str, float]) -> bool:
        """Run tests up to the first that fails, or takes much more time than is given with it."""
        chosen = [(self.items[test], seconds) for test, seconds in tests.items() if test in self.items]
        return all(self._passes(item, seconds) for item, seconds in chosen)

    def _passes(self, item: pytest.Item, seconds: float) -> bool:
        used = resource.getrusage(resource.RUSAGE_SELF)
        limit = int(used.ru_utime + used.ru_stime + 3 + 10 * seconds)
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
        self._failed = False
        try:
            if isinstance(item, pytest.Function) and (arguments := _plain_arguments(item)) is not None:
                item.obj(**arguments)
            else:
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        except (Exception, pytest.fail.Exception):  # noqa: BLE001 - however it fails; some failures break even pytest
            return False
        return not self._failed


def _plain_arguments(item: pytest.Function) -> dict[str, object] | None:
    """Those of a test that needs nothing from pytest: calling it takes a tenth of the time."""
    given: dict[str, object] = item.callspec.params if hasattr(item, "callspec") else {}
    is_plain = item.cls is None and not inspect.iscoroutinefunction(item.obj)
    made = [of_it[-1].func.__name__ for name, of_it in item._fixtureinfo.name2fixturedefs.items() if name in given]
    is_given = set(item.fixturenames) <= {*given, "event_loop_policy"} and set(made) <= {
        "get_direct_param_fixture_func"
    }
    return dict(given) if is_plain and is_given else None


@dataclass(frozen=True, slots=True)
class Stage:
    """Some mutants and the tests that are to notice them."""

    folder: str
    jobs: int
    longest: float
    """Tests that take more seconds are left out."""
    told: Callable[[Mutant, bool], None]
    """Called when it is known whether a mutant survived."""

    def try_all(self, mutants: Sequence[Mutant]) -> None:
        """Try mutants of functions in processes that have imported everything, the others from scratch."""
        in_functions = [mutant for mutant in mutants if mutant.changed is not None]
        results, send = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(results)
            traced = _Traced({str(mutant.path) for mutant in mutants})
            sys.settrace(traced)
            _end(
                partial(_pytest, [self.folder], partial(self._in_functions, in_functions, traced, os.fdopen(send, "w")))
            )
        os.close(send)
        baseline, at_import = Baseline(), [mutant for mutant in mutants if mutant.changed is None]
        with os.fdopen(results) as lines:
            baseline = Baseline(
                **json.loads(next(lines, "null")) or sys.exit("The tests fail without a mutant."), longest=self.longest
            )
            baseline.ran.update({path: {int(n): t for n, t in ran.items()} for path, ran in baseline.ran.items()})
            for line in lines:
                index, survived = json.loads(line)
                mutant = in_functions[index]
                if survived and baseline.runs_at_import(mutant):
                    at_import.append(mutant)
                else:
                    self.told(mutant, survived)
        if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0:
            sys.exit("The tests could not be run.")
        missed: list[Mutant] = []
        self._from_scratch(
            at_import,
            baseline.covering,
            lambda mutant, survived: missed.append(mutant) if survived else self.told(mutant, False),
        )
        self._from_scratch(missed, baseline.all_tests, self.told)

    def _from_scratch(
        self,
        mutants: Sequence[Mutant],
        tests_for: Callable[[Mutant], dict[str, float]],
        told: Callable[[Mutant, bool], None],
    ) -> None:
        trials = [(mutant, tests_for(mutant)) for mutant in mutants]
        run = [partial(_at_import, mutant, tests) for mutant, tests in trials]
        limits = [sum(tests.values()) for _, tests in trials]
        _fork_each(run, limits, self.jobs, lambda index, survived: told(trials[index][0], survived))

    def _in_functions(self, mutants: Sequence[Mutant], traced: _Traced, results: object, tests: Tests) -> None:
        baseline = replace(_baseline(tests, traced), longest=self.longest)
        sys.settrace(None)
        send = partial(print, file=results, flush=True)
        send(json.dumps({"seconds": baseline.seconds, "ran": baseline.ran}))
        live = _live_functions()
        trials = [baseline.covering(mutant) for mutant in mutants]
        gc.collect()
        gc.freeze()

        def run(mutant: Mutant, chosen: dict[str, float]) -> bool:
            _give_other_code(mutant, live)
            return tests.all_pass(chosen)

        _fork_each(
            [partial(run, mutant, chosen) for mutant, chosen in zip(mutants, trials, strict=True)],
            [sum(chosen.values()) for chosen in trials],
            self.jobs,
            lambda index, survived: send(json.dumps([index, survived])),
        )


def _pytest(paths: Iterable[str], use: Callable[[Tests], None]) -> int:
    return int(pytest.main([*PYTEST, MARKS, *paths], plugins=[Tests(use)]))


class _Traced:
    """Notes which lines of some files are run."""

    def __init__(self, files: set[str]) -> None:
        self._files = files
        self.imports = True
        """While tests are collected: only what modules run when they are imported counts, not what tests build then."""
        self.lines: set[tuple[str, int]] = set()

    def __call__(self, frame: FrameType, event: str, arg: Any) -> Any:
        if frame.f_code.co_filename not in self._files or (self.imports and not _is_of_import(frame)):
            return None
        return self._line

    def _line(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "line":
            self.lines.add((frame.f_code.co_filename, frame.f_lineno))
        return self._line


def _is_of_import(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_name == "<module>":
            return str(PACKAGE) in frame.f_code.co_filename
        frame = frame.f_back
    return False


def _baseline(tests: Tests, traced: _Traced) -> Baseline:
    """Run every test once and note what it runs."""
    seconds: dict[str, float] = {}
    ran: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for test in ["", *tests.items]:
        if test:
            traced.imports = False
            traced.lines.clear()
            began = time.process_time()
            if not tests.all_pass({test: 60.0}):
                print(f"fails without a mutant: {test}", file=sys.__stderr__, flush=True)
                os._exit(BROKEN)
            seconds[test] = time.process_time() - began
        for file, line in traced.lines:
            ran[file][line].append(test)
    return Baseline(dict(sorted(seconds.items(), key=lambda pair: pair[1])), ran)


def _live_functions() -> dict[tuple[str, str, int], list[FunctionType]]:
    live = defaultdict(list)
    for function in gc.get_objects():
        if isinstance(function, FunctionType):
            code = function.__code__
            live[code.co_filename, code.co_qualname, code.co_firstlineno].append(function)
    return live


def _give_other_code(mutant: Mutant, live: dict[tuple[str, str, int], list[FunctionType]]) -> None:
    original, changed = mutant.changed or sys.exit(BROKEN)
    for function in live[original.co_filename, original.co_qualname, original.co_firstlineno] or sys.exit(BROKEN):
        function.__code__ = changed


def _at_import(mutant: Mutant, tests: dict[str, float]) -> bool:
    """Whether the tests pass in a process that has not imported the module yet."""
    sys.meta_path.insert(0, _Changed(mutant))
    survived = [False]

    def use(collected: Tests) -> None:
        survived[0] = collected.all_pass(tests)

    _pytest(dict.fromkeys(test.partition("::")[0] for test in tests), use)
    return survived[0]


class _Changed(MetaPathFinder):
    """Finds the mutant in the place of the module."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        if fullname != self._mutant.module:
            return None
        code = compile(self._mutant.source, str(self._mutant.path), "exec", dont_inherit=True)
        return spec_from_file_location(
            fullname, self._mutant.path, loader=_Loader(code, fullname, str(self._mutant.path))
        )


class _Loader(SourceFileLoader):
    def __init__(self, code: CodeType, fullname: str, path: str) -> None:
        super().__init__(fullname, path)
        self._code = code

    def get_code(self, fullname: str) -> CodeType:
        return self._code


def _end(run: Callable[[], int]) -> None:
    """The life of a forked process, whose exit code tells of the result."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os._exit(run())
    except BaseException:  # noqa: BLE001 - nothing may get past the fork
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(BROKEN)


def _fork_each(
    run: Sequence[Callable[[], bool]], seconds: Sequence[float], jobs: int, told: Callable[[int, bool], None]
) -> None:
    """Run each in a process of its own, at most `jobs` at a time; one that takes much longer than expected is killed."""
    waiting = list(range(len(run)))[::-1]
    running: dict[int, tuple[int, float]] = {}
    while waiting or running:
        while waiting and len(running) < jobs:
            index = waiting.pop()
            pid = os.fork()
            if pid == 0:
                resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
                _end(lambda index=index: KILLED if not run[index]() else SURVIVED)  # type: ignore[misc]
            running[pid] = index, time.monotonic() + 60 + 10 * seconds[index]
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid in running:
            index, _ = running.pop(pid)
            code = os.waitstatus_to_exitcode(status)
            if code == BROKEN:
                sys.exit("A mutant could not be tried.")
            told(index, code == SURVIVED)
            continue
        for late in [pid for pid, (_, until) in running.items() if time.monotonic() > until]:
            with suppress(ProcessLookupError):
                os.kill(late, signal.SIGKILL)
        time.sleep(0.004)
