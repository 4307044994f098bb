"""A simulator and an operator of the test's own, beside the session's control plane."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from controlplane import ControlPlane
from stack import QUICK, Operator, Simulator, Workloads


@pytest.fixture
def runai(tmp_path: Path) -> Iterator[Simulator]:
    """A Run:ai control plane that is quick: syncs and phases take fractions of a second."""
    with Simulator(tmp_path, **QUICK) as running:
        yield running


@pytest.fixture
def start_operator(
    control_plane: ControlPlane, namespace: str, runai: Simulator, tmp_path: Path
) -> Iterator[Callable[..., Operator]]:
    """Starts an operator for the test's namespace alone; may be called again after a crash."""
    with ExitStack() as running:

        def start(**settings: str) -> Operator:
            own = {"OPERATOR_NAMESPACES": namespace, "OPERATOR_INSTALL_ID": f"install-{namespace}", **settings}
            made = Operator(tmp_path, control_plane.kubeconfig, runai.url, **own)
            return running.enter_context(made).wait_ready()

        yield start


@pytest.fixture
def operator(start_operator: Callable[..., Operator]) -> Operator:
    return start_operator()


@pytest.fixture
def workloads(control_plane: ControlPlane, namespace: str) -> Workloads:
    return Workloads(control_plane.client, namespace)
