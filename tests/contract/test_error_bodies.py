"""What an error says and what it proves, for every form of its body and every verb, over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from fakes.simulated_runai import SimulatedRunai, job
from runai_operator.domain.errors import BridgeError, InvalidWorkload, UnexpectedReply
from runai_operator.domain.model import Submission
from runai_operator.runai.client import Credentials, RunaiClient
from runai_simulator.answers import ERROR_BODIES
from runai_simulator.faults import INJECTED

SUBMISSION = Submission("a", "1", job())
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
SPEAKING = [form for form in ERROR_BODIES if form not in ("page", "empty")]
PROOFS = ("documented",)
"""Forms in which a 404 proves that there is no such workload."""

SUBMITS: dict[str, Callable[[RunaiClient], Awaitable[Any]]] = {
    "POST": lambda client: client.create(SUBMISSION),
    "PUT": lambda client: client.update(UNKNOWN_ID, SUBMISSION),
}
ASKS: dict[str, Callable[[RunaiClient], Awaitable[Any]]] = {
    "GET": lambda client: client.get(UNKNOWN_ID),
    "PUT": lambda client: client.update(UNKNOWN_ID, SUBMISSION),
    "DELETE": lambda client: client.delete(UNKNOWN_ID),
}


@pytest.fixture
async def client(api: SimulatedRunai) -> AsyncIterator[RunaiClient]:
    client = RunaiClient(base_url=api.url, credentials=Credentials("a", secret="b"), allow_http=True)
    yield client
    await client.aclose()


async def error_of(call: Awaitable[Any]) -> BridgeError:
    with pytest.raises(BridgeError) as raised:
        await call
    return raised.value


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("form", ERROR_BODIES)
@pytest.mark.parametrize("verb", SUBMITS)
async def test_what_is_refused_is_refused_whatever_the_body(api, client, verb, form, status):
    api.fault(kind="status", status=status, body=form, path="/api/v2/workloads")
    error = await error_of(SUBMITS[verb](client))

    assert type(error) is InvalidWorkload
    assert (INJECTED in error.message) is (form in SPEAKING)
    assert form in SPEAKING or f"HTTP {status}" in error.message


@pytest.mark.parametrize("form", [form for form in ERROR_BODIES if form not in PROOFS])
@pytest.mark.parametrize("verb", ASKS)
async def test_a_404_in_another_form_proves_nothing_and_is_told(api, client, verb, form):
    api.fault(kind="status", status=404, body=form, path="/api/v2/workloads")
    error = await error_of(ASKS[verb](client))

    assert type(error) is UnexpectedReply
    assert "HTTP 404" in error.message
    assert (INJECTED in error.message) is (form in SPEAKING)


@pytest.mark.parametrize("verb", ASKS)
async def test_a_404_as_documented_proves_that_there_is_no_such_workload(client, verb):
    assert not await ASKS[verb](client)
