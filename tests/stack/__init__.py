"""The operator and the simulator as real processes beside a real control plane, for tests and the demo."""

from stack.feed import Feed
from stack.processes import QUICK, Operator, Process, Runai, Simulator
from stack.workloads import Workloads, manifest_of, workload

__all__ = ["QUICK", "Feed", "Operator", "Process", "Runai", "Simulator", "Workloads", "manifest_of", "workload"]
