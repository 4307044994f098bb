"""The operator and the simulator as real processes beside a real control plane, for tests and the demo."""

from stack.feed import Feed
from stack.installed import Installed
from stack.people import People
from stack.processes import QUICK, Operator, Process, Runai, Simulator
from stack.workloads import Workloads, manifest_of, workload

__all__ = [
    "QUICK",
    "Feed",
    "Installed",
    "Operator",
    "People",
    "Process",
    "Runai",
    "Simulator",
    "Workloads",
    "manifest_of",
    "workload",
]
