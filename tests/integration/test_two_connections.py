"""Two Run:ai control planes behind one engine: real sockets, one real API server, kopf's watch.

The process cannot be configured for two yet, so the engine runs in the test's own process.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
import pytest_asyncio

from controlplane import ApiError, ControlPlane
from fakes.observer import SilentObserver
from runai_operator.domain.model import DEFAULT_CONNECTION, Workload
from runai_operator.domain.requeue import Limits
from runai_operator.engine.engine import Engine
from runai_operator.engine.ports import EngineSettings
from runai_operator.handlers import Watcher
from runai_operator.kube.auth import KubeSession
from runai_operator.kube.client import KubeClient
from runai_operator.kube.watch import WatchState
from runai_operator.runai.auth import Credentials
from runai_operator.runai.client import RunaiClient
from stack import QUICK, Simulator, Workloads, manifest_of
from stack.processes import CLIENT_ID, CLIENT_SECRET

RUNS_ON = manifest_of("Deployment")
NAMES = ("a", "b", "c")


@pytest.fixture
def second_runai(tmp_path: Path) -> Iterator[Simulator]:
    directory = tmp_path / "second"
    directory.mkdir()
    with Simulator(directory, **QUICK) as running:
        yield running


@pytest.fixture
def second_namespace(control_plane: ControlPlane) -> Iterator[str]:
    name = f"test-{uuid.uuid4().hex[:8]}"
    control_plane.client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    left = Workloads(control_plane.client, name)
    for item in left.all():
        with contextlib.suppress(ApiError):  # gone in between
            left.patch(item["metadata"]["name"], {"metadata": {"finalizers": None}})
            left.delete(item["metadata"]["name"])


@pytest.fixture
def there(control_plane: ControlPlane, second_namespace: str) -> Workloads:
    """The RunaiWorkloads that go through the second connection."""
    return Workloads(control_plane.client, second_namespace)


@contextlib.asynccontextmanager
async def running(control_plane: ControlPlane, urls: dict[str, str], second_namespace: str, *others: str):
    """An engine with these connections, kopf watching for it."""
    namespaces = (second_namespace, *others)
    session = KubeSession(str(control_plane.kubeconfig), watches=len(namespaces))
    await session.open()
    kube = KubeClient(session, namespaces=namespaces)

    def choose(workload: Workload) -> str:
        return "second" if workload.ref.namespace == second_namespace else DEFAULT_CONNECTION

    observer = SilentObserver()
    engine = Engine(
        kube=kube,
        connections={
            name: RunaiClient(
                base_url=url,
                credentials=Credentials(CLIENT_ID, secret=CLIENT_SECRET, secret_file=None),
                allow_http=True,
            )
            for name, url in urls.items()
        },
        observer=observer,
        settings=EngineSettings(install=f"install-{second_namespace}", delta_interval=0.5, limits=Limits(grace=3)),
        now=lambda: datetime.now(UTC),
        random=Random(1),
        choose=choose,
    )
    await engine.load()
    watcher = Watcher(
        session=session,
        state=WatchState(namespaces),
        observe=engine.observe,
        is_known=engine.knows,
        served=kube.resource_served,
        namespaces=namespaces,
    )
    stop = asyncio.Event()
    working, watching = asyncio.create_task(engine.run()), asyncio.create_task(watcher.run(stop))
    try:
        yield engine
    finally:
        stop.set()
        working.cancel()
        await asyncio.wait([working, watching])
        await engine.aclose()
        await session.close()
    assert observer.bugs == 0


@pytest_asyncio.fixture
async def engine(control_plane, namespace, second_namespace, runai, second_runai) -> AsyncIterator[Engine]:
    urls = {DEFAULT_CONNECTION: runai.url, "second": second_runai.url}
    async with running(control_plane, urls, second_namespace, namespace) as made:
        yield made


async def each(method, *args, **kwargs):
    """For every name, in threads: the helpers of these tests wait with time.sleep."""
    return await asyncio.gather(*(asyncio.to_thread(method, name, *args, **kwargs) for name in NAMES))


def owners(simulator: Simulator) -> set[tuple[str, str]]:
    return {(entry["owner"]["namespace"], entry["owner"]["name"]) for entry in simulator.live()}


async def test_each_namespace_has_its_workloads_in_its_own_control_plane(engine, runai, second_runai, workloads, there):
    for namespace in (workloads, there):
        await each(namespace.apply, manifest=RUNS_ON)
    for namespace, name in ((workloads, DEFAULT_CONNECTION), (there, "second")):
        items = await each(namespace.wait_condition, "Ready", "True", reason="Running")
        assert {item["status"]["connection"] for item in items} == {name}
    assert owners(runai) == {(workloads.namespace, name) for name in NAMES}
    assert owners(second_runai) == {(there.namespace, name) for name in NAMES}

    edited = manifest_of("Deployment")
    edited["spec"]["replicas"] = 3
    await asyncio.to_thread(there.apply, "a", manifest=edited)
    item = await asyncio.to_thread(there.wait_condition, "a", "Ready", "True")
    assert (runai.calls("PUT"), second_runai.calls("PUT")) == (0, 1)
    assert second_runai.manifest(item["status"]["workloadId"])["spec"]["replicas"] == 3

    await asyncio.to_thread(there.delete, "b")
    await asyncio.to_thread(there.wait_gone, "b")
    assert (runai.calls("DELETE"), second_runai.calls("DELETE")) == (0, 1)
    assert owners(runai) == {(workloads.namespace, name) for name in NAMES}
    assert owners(second_runai) == {(there.namespace, name) for name in ("a", "c")}


async def test_one_out_of_reach_does_not_hold_up_the_other_and_is_caught_up_with(
    engine, runai, second_runai, workloads, there
):
    second_runai.fault(kind="status", status=503)
    await each(there.apply, manifest=RUNS_ON)
    await each(workloads.apply, manifest=RUNS_ON)
    await each(workloads.wait_condition, "Ready", "True")
    assert second_runai.live() == []

    second_runai.heal()
    await each(there.wait_condition, "Ready", "True")
    assert second_runai.effective_creates() == len(NAMES)


async def test_without_its_connection_an_object_is_held_and_nothing_is_sent_elsewhere(
    control_plane, namespace, second_namespace, runai, second_runai, there
):
    both = {DEFAULT_CONNECTION: runai.url, "second": second_runai.url}
    async with running(control_plane, both, second_namespace, namespace):
        await asyncio.to_thread(there.apply, "a", manifest=RUNS_ON)
        await asyncio.to_thread(there.wait_condition, "a", "Ready", "True")
    async with running(control_plane, {DEFAULT_CONNECTION: runai.url}, second_namespace, namespace):
        await asyncio.to_thread(there.annotate, "a", "reconcile-requested-at", "now")
        await asyncio.to_thread(there.wait_condition, "a", "Stalled", "True", reason="ConnectionNotFound")
        await asyncio.to_thread(there.delete, "a")
        item = await asyncio.to_thread(there.wait_condition, "a", "Ready", "False", reason="Deleting")
        assert item["metadata"]["finalizers"]
        assert len(second_runai.live()) == 1
        assert [runai.calls(method) for method in ("POST", "PUT", "DELETE")] == [0, 0, 0]
    async with running(control_plane, both, second_namespace, namespace):
        await asyncio.to_thread(there.wait_gone, "a")
        assert second_runai.live() == []
