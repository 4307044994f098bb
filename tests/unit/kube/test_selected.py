"""The client of an operator that serves objects with certain labels."""

from __future__ import annotations

import pytest
import pytest_asyncio

from fakes.apiserver import COLLECTION
from fakes.storing_apiserver import StoringApiServer
from runai_operator.domain.errors import NotSelected
from runai_operator.domain.model import Ref
from runai_operator.kube.client import KubeClient
from runai_operator.selector import parse_selector

REF = Ref("team-a", "w", "uid-w")


@pytest_asyncio.fixture
async def fake(tmp_path):
    async with StoringApiServer(tmp_path) as server:
        yield server


@pytest.fixture
def client(session):
    return KubeClient(session, selector=parse_selector("shard=a"))


async def test_lists_are_of_what_is_selected(fake, client):
    assert [row async for row in client.list_all(None)] == []
    assert {request.query["labelSelector"] for request in fake.asked(COLLECTION)} == {"shard=a"}


@pytest.mark.parametrize("large", [False, True])
async def test_an_object_that_is_not_selected_is_neither_read_nor_gone(fake, client, large):
    made = fake.put("w")
    with pytest.raises(NotSelected):
        await client.read(REF, large=large)

    made["metadata"]["labels"] = {"shard": "a"}
    assert (await client.read(REF, large=large)).ref == REF
    made["metadata"]["labels"] = {"shard": "b"}
    assert await client.read(Ref("team-a", "w", "another"), large=large) is None
