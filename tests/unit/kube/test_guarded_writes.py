"""Every write to a custom resource is over the version that was read, and none is sent after the fence has closed."""

from __future__ import annotations

import ast
import asyncio
import copy
import inspect
from datetime import UTC, datetime
from random import Random

import pytest
import pytest_asyncio

from fakes.apiserver import refusal
from fakes.bench import RUNS_ON
from fakes.chance import Chance
from fakes.observer import SilentObserver
from fakes.runai import FakeRunai
from fakes.storing_apiserver import StoringApiServer
from runai_operator.domain.errors import NotLeader, StaleObject
from runai_operator.domain.model import DEFAULT_CONNECTION, FINALIZER, Ref
from runai_operator.domain.requeue import Limits
from runai_operator.engine.engine import Engine
from runai_operator.engine.fence import Fence
from runai_operator.engine.ports import EngineSettings
from runai_operator.engine.writing import Writer
from runai_operator.kube import client as client_module
from runai_operator.kube.client import KubeClient
from runai_operator.kube.wire import meta_from_object
from runai_simulator.switches import Switches

GUARD_SECONDS = 30
REF = Ref("team-a", "w", "uid-w")
QUICK = Switches(list_lag=0.05, sync_time=0.02, phase_time=0.05, delete_time=0.1)


@pytest_asyncio.fixture
async def fake(tmp_path):
    async with StoringApiServer(tmp_path) as server:
        yield server


async def until(true):
    async with asyncio.timeout(GUARD_SECONDS):
        while not true():  # noqa: ASYNC110 - what is waited for is many things, most without an event
            await asyncio.sleep(0.01)


class Life:
    """An engine between the fake API server and a Run:ai that is quick; the test is the watch."""

    def __init__(self, fake, client):
        loop = asyncio.get_running_loop()
        self.fake = fake
        self.runai = FakeRunai(loop.time, QUICK)
        self.engine = Engine(
            kube=client,
            connections={DEFAULT_CONNECTION: self.runai.client(Chance())},
            observer=SilentObserver(),
            settings=EngineSettings(install="i", delta_interval=0.1, limits=Limits(grace=1)),
            now=lambda: datetime.now(UTC),
            random=Random(1),
        )

    def report(self, made):
        self.engine.observe("MODIFIED", meta_from_object(made["metadata"]))

    def shows(self, phase, generation):
        status = self.fake.objects["w"]["status"]
        return status.get("phase") == phase and status["observedGeneration"] == generation


async def test_every_patch_of_a_whole_life_carries_the_version_it_is_over(fake, client):
    life = Life(fake, client)
    task = asyncio.create_task(life.engine.run())
    life.report(fake.put("w", spec={"projectId": "1", "manifest": RUNS_ON}))
    await until(lambda: life.shows("Running", 1))
    life.report(fake.put("w", spec={"projectId": "1", "manifest": {**RUNS_ON, "spec": {"replicas": 2}}}))
    await until(lambda: life.shows("Running", 2))
    life.report(fake.put("w", spec={"projectId": "1"}))  # refused
    await until(lambda: life.shows("Running", 3))
    life.report(fake.delete("w"))
    await until(lambda: "w" not in fake.objects)
    task.cancel()
    await asyncio.wait([task])

    assert [patch for patch in fake.patches if not patch.version] == []
    assert {patch.is_of_status for patch in fake.patches} == {True, False}
    assert len(fake.patches) >= 5


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda client: client.write_status(REF, {"phase": "x"}, resource_version="1"), id="status"),
        pytest.param(lambda client: client.write_finalizers(REF, (FINALIZER,), resource_version="1"), id="finalizers"),
    ],
)
async def test_a_write_over_an_older_version_is_refused(fake, client, write):
    before = copy.deepcopy(fake.put("w"))

    with pytest.raises(StaleObject):
        await write(client)
    assert fake.objects["w"] == before


def test_no_write_of_the_client_can_be_made_without_a_version():
    tree = ast.parse(inspect.getsource(client_module))
    [made] = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == KubeClient.__name__]
    writes = [node for node in made.body if isinstance(node, ast.AsyncFunctionDef) and node.name.startswith("write_")]
    asked = {
        node.name: [
            (ast.unparse(argument.annotation), default)
            for argument, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
            if argument.arg == "resource_version"
        ]
        for node in writes
    }

    assert asked == {"write_finalizers": [("str", None)], "write_status": [("str", None)]}


def test_custom_resources_are_patched_by_these_two_alone():
    tree = ast.parse(inspect.getsource(client_module))
    callers = {
        function.name
        for function in ast.walk(tree)
        if isinstance(function, ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "self._patch"
    }

    assert callers == {"write_finalizers", "write_status"}


# --- the fence


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda writer, w: writer.status(w, {"phase": "x"}), id="status"),
        pytest.param(lambda writer, w: writer.finalizers(w, (FINALIZER,)), id="finalizers"),
    ],
)
async def test_a_write_that_waits_out_a_429_is_not_sent_again_once_the_fence_has_closed(fake, client, write):
    fake.put("w")
    workload = await client.read(REF, large=False)
    asked = asyncio.Event()

    def overloaded(request):
        if request.method != "PATCH" or len(fake.patches) > 1:
            return None
        asked.set()
        return refusal(429, "too many requests", headers={"Retry-After": "1"})

    fake.fault = overloaded
    fence = Fence(asyncio.get_running_loop().time)
    writing = asyncio.create_task(write(Writer(client, fence.guarded, SilentObserver()), workload))
    await asyncio.wait_for(asked.wait(), GUARD_SECONDS)
    await asyncio.sleep(0.3)
    fence.close()
    await asyncio.wait([writing])
    await asyncio.sleep(1.5)

    assert isinstance(writing.exception(), NotLeader)
    assert len(fake.patches) == 1


async def test_a_write_that_waits_out_a_429_is_sent_again_while_the_fence_is_open(fake, client):
    fake.put("w")
    workload = await client.read(REF, large=False)
    answers = iter([refusal(429, "too many requests", headers={"Retry-After": "0"})])
    fake.fault = lambda request: next(answers, None) if request.method == "PATCH" else None
    fence = Fence(asyncio.get_running_loop().time)
    await Writer(client, fence.guarded, SilentObserver()).status(workload, {"phase": "x"})

    assert [patch.version for patch in fake.patches] == [workload.meta.resource_version] * 2
    assert fake.objects["w"]["status"]["phase"] == "x"
