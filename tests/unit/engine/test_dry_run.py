"""`managementPolicy: DryRun`, from the first look at the object to the verdict, and what must never be there."""

from __future__ import annotations

import asyncio

import pytest

from fakes.bench import RUNS_ON, UnevenBench, reason
from runai_operator.domain.model import NOT_SUBMITTED, ManagementPolicy

pytestmark = pytest.mark.looptime

DRY = {"management_policy": ManagementPolicy.DRY_RUN}


@pytest.fixture
async def bench():
    async with UnevenBench().started() as bench:
        yield bench


async def test_what_run_ai_would_accept_is_valid_and_nothing_is_created(bench):
    stored = bench.apply("w", **DRY)
    await asyncio.sleep(60)

    print(bench.calls)
    print(stored.status)
    assert (stored.status["ready"], stored.status["reason"]) == ("True", "Valid")
    assert stored.status["submission"] == NOT_SUBMITTED
    assert not stored.finalizers
    assert bench.runai.writes == []
