"""Fixtures for every test: a real control plane per session, and a namespace of its own per test.

Where the control plane's programs are missing, the tests that need one fail with the sentence that says how to get them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import uuid
from collections.abc import Callable, Generator, Iterator

import pytest
from hypothesis import settings

from controlplane import ApiError, Client, ControlPlane

API = "/apis/bridge.run.ai/v1alpha1"

# What fails is to be what changed. `make test-model` is there to explore.
settings.register_profile("same every time", derandomize=True, database=None, deadline=None)
settings.load_profile("same every time")


def pytest_configure() -> None:
    """Tell asyncio that there is no event loop, or the plugins' asking for one makes one that nobody closes.

    What tests start ends on Ctrl-C even where they run in the background of a shell, which has jobs there ignore it, and so all
    that they start.
    """
    asyncio.set_event_loop(None)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores, since tests wait as much as they work; but each has a control plane of its own."""
    return min((os.cpu_count() or 1) + 1, 8)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let virtual time move as soon as nothing is left to run.

    By default the loop first turns 42 times in case that a socket has something, which costs more than most tests do.
    """
    for item in items:
        if item.get_closest_marker("looptime") is not None:
            item.add_marker(pytest.mark.looptime(noop_cycles=0))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A worker can only hand over what UTF-8 can hold, and some tests log what it cannot."""
    report = yield
    report.sections = [(name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections]
    return report


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """A running etcd and kube-apiserver with our CRDs installed, shared by the whole session (of one worker).

    One for all workers would save each a few seconds of CPU, and cost that its log grows and its end is nobody's.
    """
    with ControlPlane() as running:
        running.install_crds()
        yield running


@pytest.fixture
def fresh_control_plane() -> Iterator[Callable[[], ControlPlane]]:
    """A function that starts a control plane of the test's own, without CRDs; it is stopped after the test."""
    with contextlib.ExitStack() as started:
        yield lambda: started.enter_context(ControlPlane())


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    """The name of a new namespace; our custom resources in it are removed afterwards, finalizers and all."""
    client = control_plane.client
    name = f"test-{uuid.uuid4().hex[:8]}"
    client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    served = (client.find(API) or {}).get("resources", [])
    for plural in [entry["name"] for entry in served if entry["namespaced"] and "/" not in entry["name"]]:
        remove_all(client, f"{API}/namespaces/{name}/{plural}")


def remove_all(client: Client, collection: str) -> None:
    """Delete every object of a collection at once, whatever its finalizers wait for."""
    for item in client.list_all(collection):
        path = f"{collection}/{item['metadata']['name']}"
        with contextlib.suppress(ApiError):  # gone in between
            client.merge_patch(path, {"metadata": {"finalizers": None}})
            client.delete(path)
