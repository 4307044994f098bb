"""A fake API server, and a session and client for it."""

from __future__ import annotations

import pytest
import pytest_asyncio

from fakes.apiserver import FakeApiServer
from runai_operator.kube.auth import KubeSession
from runai_operator.kube.client import KubeClient


@pytest_asyncio.fixture
async def fake(tmp_path):
    async with FakeApiServer(tmp_path) as server:
        yield server


@pytest_asyncio.fixture
async def session(fake):
    opened = KubeSession(str(fake.kubeconfig))
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def client(session):
    return KubeClient(session, page=2)
