"""A client of the scripted Run:ai."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from fakes.scripted_runai import ScriptedRunai
from runai_operator.domain.model import Submission
from runai_operator.runai.client import Credentials, RunaiClient


@pytest.fixture
def runai() -> ScriptedRunai:
    return ScriptedRunai()


@pytest.fixture
async def client(runai: ScriptedRunai) -> AsyncIterator[RunaiClient]:
    client = RunaiClient(
        base_url="https://runai.test",
        credentials=Credentials("operator", secret="s3cret"),
        on_call=lambda operation, code, seconds: runai.calls.append((operation, code)),
        clock=lambda: runai.now,
        wall=lambda: runai.wall,
        transport=httpx.MockTransport(runai),
    )
    yield client
    await client.aclose()


@pytest.fixture
def submission() -> Submission:
    return Submission(
        name="train-a",
        project_id="17",
        manifest={"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "train-a"}},
    )
