"""Who is measured: the operator of this or of another checkout, and the naive one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from bench.driver import PATIENCE, Driver, Seen
from controlplane import ControlPlane
from controlplane.ports import free_port
from stack import Operator, Simulator
from stack.processes import CLIENT_ID, CLIENT_SECRET, Process

OPERATOR = Path(__file__).parents[2] / "operator"
NAIVE = Path(__file__).with_name("naive.py")


def _workloads(plane: ControlPlane, runai: Simulator) -> AbstractAsyncContextManager[Driver]:
    del runai
    return Driver.of(plane)


@dataclass(frozen=True, slots=True)
class Contender:
    """What `start` returns is a process that is not started yet; `wait_ready` waits until it works."""

    name: str
    crds: Path
    start: Callable[[Path, ControlPlane, Simulator], Process]
    wait_ready: Callable[[Process], object]
    is_ready: Callable[[Seen], bool]
    agent: str = "runai-operator/"
    """How the audit log names its calls."""
    is_ours: bool = False
    is_sampled: bool = False
    shows_phases: bool = True
    drive: Callable[[ControlPlane, Simulator], AbstractAsyncContextManager[Driver]] = _workloads


def bridge(
    name: str = "operator", folder: Path = OPERATOR, *, profile: Path | None = None, **settings: str
) -> Contender:
    """The operator in the folder `operator` of a checkout; deletions without the brake. `profile`: a file for samples."""
    path = str(folder) if profile is None else f"{folder}:{NAIVE.parents[1]}"
    given = {"OPERATOR_DELETE_RATE": "100000", "PYTHONPATH": path, **settings}

    def start(directory: Path, plane: ControlPlane, runai: Simulator) -> Process:
        made = Operator(directory, plane.kubeconfig, runai.url, **given)
        if profile is not None:
            made._command[1:3] = ["-m", "bench.profiled", str(profile), "runai_operator"]
        return made

    def wait_ready(process: Process) -> None:
        assert isinstance(process, Operator)
        process.wait_ready(timeout=PATIENCE)

    def is_ready(seen: Seen) -> bool:
        return seen.ready == "True"

    return Contender(
        name, folder.parent / "crds", start, wait_ready, is_ready, is_ours=True, is_sampled=profile is not None
    )


def naive() -> Contender:
    """An operator as kopf's documentation leads to one."""

    def start(directory: Path, plane: ControlPlane, runai: Simulator) -> Process:
        liveness = f"http://127.0.0.1:{free_port()}/healthz"
        command = [sys.executable, "-m", "kopf", "run", "--all-namespaces", f"--liveness={liveness}", str(NAIVE)]
        env = {
            "KUBECONFIG": str(plane.kubeconfig),
            "RUNAI_BASE_URL": runai.url,
            "RUNAI_CLIENT_ID": CLIENT_ID,
            "RUNAI_CLIENT_SECRET": CLIENT_SECRET,
        }
        return Process(command, env=env, log=directory / "naive.log")

    def wait_ready(process: Process) -> None:
        process.wait_until("watching", lambda: "Activity 'log_in' succeeded" in process.output())

    def is_ready(seen: Seen) -> bool:
        return seen.phase == "Running"

    return Contender("naive kopf", OPERATOR.parent / "crds", start, wait_ready, is_ready, agent="kopf")
