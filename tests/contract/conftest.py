"""The simulator that the contract is tried on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fakes.simulated_runai import SimulatedRunai
from runai_simulator.server import RunningSimulator


@pytest.fixture(scope="session")
def simulator_server() -> Iterator[RunningSimulator]:
    """Its start and its end take longer than most tests."""
    with RunningSimulator() as running:
        yield running


@pytest.fixture
def api(simulator_server: RunningSimulator) -> Iterator[SimulatedRunai]:
    with SimulatedRunai(simulator_server) as made:
        yield made


@pytest.fixture(scope="module")
def shared_api() -> Iterator[SimulatedRunai]:
    """For calls that are refused and so change nothing."""
    with RunningSimulator() as own, SimulatedRunai(own) as made:
        yield made
