"""Processes and a report for the crash tests."""

from __future__ import annotations

import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from controlplane import ControlPlane
from crash.report import Report, Row
from stack import QUICK, Operator, Simulator, Workloads

ENTRY = Path(__file__).parent / "entry.py"
PATIENCE = 90.0
CASE = "case of the crash matrix"


class Stage:
    """A namespace and a Run:ai of its own, and operators that come and go."""

    def __init__(self, plane: ControlPlane, directory: Path, **switches: bool | float) -> None:
        directory.mkdir(parents=True)
        self.namespace = f"crash-{uuid.uuid4().hex[:8]}"
        self.plane, self.directory = plane, directory
        plane.client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}})
        self.runai = Simulator(directory, **(QUICK | switches)).start()
        self.workloads = Workloads(plane.client, self.namespace)
        self._operators: list[Operator] = []

    def operator(self, **env: str) -> Operator:
        """A running one; with `CRASH_AT` one that will not run for long."""
        settings = {
            "OPERATOR_NAMESPACES": self.namespace,
            "OPERATOR_INSTALL_ID": self.namespace,
            "OPERATOR_GRACE_PERIOD": "1s",
            "OPERATOR_DELETE_RATE": "100000",
            "OPERATOR_RECORDS_NAMESPACE": self.namespace,
            **env,
        }
        made = Operator(self.directory, self.plane.kubeconfig, self.runai.url, **settings)
        made._command = [sys.executable, str(ENTRY)]
        self._operators.append(made)
        return made.start().wait_ready()

    def orphans(self) -> dict[str, str]:
        """The record of what was left behind."""
        found = self.plane.client.find(f"/api/v1/namespaces/{self.namespace}/configmaps/runai-operator-orphans")
        return (found or {}).get("data") or {}

    def wait(self, what: str, done: Callable[[], bool]) -> float:
        """Seconds until `done`."""
        began = time.monotonic()
        while not done():
            state = [(item["metadata"]["name"], item.get("status")) for item in self.workloads.all()]
            assert time.monotonic() - began < PATIENCE, f"not {what}: {state}"
            time.sleep(0.05)
        return time.monotonic() - began

    def close(self) -> None:
        """Those that killed themselves have to be waited for too."""
        for process in (*self._operators, self.runai):
            process.kill()


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[[Row], None]:
    """Takes the cases of a test; `pytest_terminal_summary` has those of all, from whichever worker."""
    return lambda row: request.node.user_properties.append((CASE, asdict(row)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the totals, and writes everything where `CRASH_REPORT` says."""
    ended = [report for outcome in ("passed", "failed") for report in terminalreporter.getreports(outcome)]
    made = Report([Row(**case) for report in ended for name, case in report.user_properties if name == CASE])
    if not made.rows:
        return
    terminalreporter.write_line(made.totals())
    if target := os.environ.get("CRASH_REPORT"):
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        Path(target).write_text(made.markdown())


@pytest.fixture
def stage(control_plane: ControlPlane, tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    made: list[Stage] = []

    def build(**switches: bool | float) -> Stage:
        made.append(Stage(control_plane, tmp_path / f"stage-{len(made)}", **switches))
        return made[-1]

    yield build
    for one in made:
        one.close()
