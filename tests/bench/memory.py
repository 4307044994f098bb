"""`make bench-memory`: what starting costs, and what the idle operator holds in memory, package by package.

    python -m bench.memory [--python PYTHON] [--without-servers]

The interpreter that is measured should have what the image has: `requirements.txt` and nothing else. This project's own
`.venv` has more, and some of it is picked up by the libraries in passing (rich by httpx, pykube by kopf).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from controlplane import ControlPlane
from stack import Operator, Simulator

OPERATOR = Path(__file__).parents[2] / "operator"
STARTS = 5
SETTLED = 20.0
"""Seconds after readiness at which a process counts as idle: the first rounds of everything are over."""

LOADED = """
import runai_operator.main, json, sys
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps([int(status["VmRSS"].split()[0]), len(sys.modules)]))
"""
GROWTH = """
import builtins, collections, json, sys
grown, inner, original = collections.Counter(), [0], builtins.__import__
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4
def counting(name, globals=None, locals=None, fromlist=(), level=0):
    owner = (globals["__package__"] if level else name).split(".")[0]
    inner.append(0)
    before = resident()
    try:
        return original(name, globals, locals, fromlist, level)
    finally:
        growth = resident() - before
        grown["the standard library" if owner in sys.stdlib_module_names else owner] += growth - inner.pop()
        inner[-1] += growth
builtins.__import__ = counting
import runai_operator.main
counts = collections.Counter(name.split(".")[0] for name in sys.modules)
print(json.dumps([[name, size, counts[name]] for name, size in grown.most_common(10)]))
"""
"""Who imports what another has imported already gets it for nothing, so the order of imports counts."""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="interpreter with the operator's dependencies")
    parser.add_argument("--without-servers", action="store_true", help="only what importing costs")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="runai-bench-") as name:
        directory = Path(name)
        # Bytecode comes with the image: compiling would count as the operator's, and leaves megabytes of gaps.
        env = {"PYTHONPATH": str(OPERATOR), "PYTHONPYCACHEPREFIX": str(directory), "PYTHONDONTWRITEBYTECODE": ""}
        measured = Measured(given.python, env, directory)
        for what, value in figures(measured, servers=not given.without_servers):
            print(f"{what:<45} {value}", flush=True)
    return 0


@dataclass(frozen=True, slots=True)
class Measured:
    """The interpreter to measure, and its environment."""

    python: str
    env: dict[str, str]
    directory: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, **self.env}
        return subprocess.run(
            [self.python, *arguments], env=env, capture_output=True, text=True, check=True, timeout=120
        )


def figures(measured: Measured, *, servers: bool) -> Iterator[tuple[str, str]]:
    measured.run("-c", LOADED)
    elapsed, cpu = import_seconds(measured)
    yield f"importing (-X importtime, median of {STARTS})", f"{elapsed:.2f} s"
    yield "  CPU of a process that only imports", f"{cpu:.2f} s"
    resident, modules = json.loads(measured.run("-c", LOADED).stdout)
    yield "resident after importing", f"{resident / 1024:.1f} MiB in {modules} modules"
    for name, size, count in json.loads(measured.run("-c", GROWTH).stdout):
        yield f"  grew by {name}", f"{size / 1024:.1f} MiB" + (f" in {count} modules" if count else "")
    if servers:
        yield from idle(measured)


def import_seconds(measured: Measured) -> tuple[float, float]:
    """Elapsed as Python itself counts it, and CPU, which other work on the machine disturbs less."""
    elapsed, cpu = [], []
    for _ in range(STARTS):
        told = measured.run("-X", "importtime", "-c", "import runai_operator.main").stderr
        found = re.search(r"\|\s+(\d+) \| runai_operator\.main$", told, re.MULTILINE)
        assert found, told[-500:]
        elapsed.append(int(found[1]) / 1e6)
        before = children_cpu()
        measured.run("-c", "import runai_operator.main")
        cpu.append(children_cpu() - before)
    return statistics.median(elapsed), statistics.median(cpu)


def children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def idle(measured: Measured) -> Iterator[tuple[str, str]]:
    """The whole operator, with nothing to do, beside a real API server and the simulator."""
    with ControlPlane() as plane, Simulator(measured.directory) as runai:
        plane.install_crds()
        with Idle(measured, plane.kubeconfig, runai.url) as first:
            first.wait_ready()  # and with that, bytecode is written of what is imported late
        with Idle(measured, plane.kubeconfig, runai.url) as operator:
            operator.wait_ready()
            time.sleep(SETTLED)
            yield "resident, idle", f"{operator.resident_bytes() / 2**20:.1f} MiB"
            yield "  of that anonymous", f"{operator.status('RssAnon') / 1024:.1f} MiB; the rest are mapped files"
            yield "  the most until then", f"{operator.peak_bytes() / 2**20:.1f} MiB"
            yield "  threads", str(operator.status("Threads"))


class Idle(Operator):
    """The operator of the measured interpreter, asking Run:ai as often as by default."""

    def __init__(self, measured: Measured, kubeconfig: Path, runai_url: str) -> None:
        super().__init__(measured.directory, kubeconfig, runai_url, OPERATOR_DELTA_INTERVAL="5s", **measured.env)
        self._command[0] = measured.python

    def status(self, field: str) -> int:
        """A number out of /proc, in kB where it has a unit."""
        text = Path(f"/proc/{self.child.pid}/status").read_text()
        found = re.search(rf"^{field}:\s+(\d+)", text, re.MULTILINE)
        assert found, field
        return int(found[1])


if __name__ == "__main__":
    sys.exit(main())
