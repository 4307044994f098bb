"""The simulator that the contract is tried on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simulated_runai import Api


@pytest.fixture
def api() -> Iterator[Api]:
    with Api() as made:
        yield made


@pytest.fixture(scope="module")
def shared_api() -> Iterator[Api]:
    """For calls that are refused and so change nothing."""
    with Api() as made:
        yield made
