"""The simulator that the contract is tried on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fakes.simulated_runai import SimulatedRunai


@pytest.fixture
def api() -> Iterator[SimulatedRunai]:
    with SimulatedRunai() as made:
        yield made


@pytest.fixture(scope="module")
def shared_api() -> Iterator[SimulatedRunai]:
    """For calls that are refused and so change nothing."""
    with SimulatedRunai() as made:
        yield made
