"""What most tests of the engine begin with; those that need another world have a `bench` of their own."""

import pytest

from fakes.bench import Bench


@pytest.fixture
async def bench():
    async with Bench().started() as bench:
        yield bench
