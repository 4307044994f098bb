"""GitOps tools beside a running operator: what they apply again and again, prune and bring back, for a whole life."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml

from controlplane import ApiError, Client, ControlPlane
from readers import Json, kstatus, kubectl
from readers.argo import Argo
from readers.flux import Flux
from readers.live import act
from readers.write_testdata import FOLDER
from stack import Simulator, Workloads, manifest_of, workload

pytestmark = pytest.mark.installation

TOOL = "argocd-controller"
EVERY = 0.1
"""Seconds between two syncs, or two looks at the object."""
STANDS = {"Current": "ready", "Failed": "fails", "InProgress": "waits", "Terminating": "waits"}
(EXPRESSIONS,) = yaml.safe_load((FOLDER.parents[3] / "flux" / "health-check-exprs.yaml").read_text())


def in_git(namespace: str, **spec: Any) -> Json:
    return workload("train", namespace, **{"manifest": manifest_of("Deployment"), **spec})


class Tool:
    """Applies what is in Git every moment, and keeps account of what came of it."""

    def __init__(self, client: Client, item: Json | None) -> None:
        self._client, self.in_git = client, item
        self.generations: list[int] = []
        self.refusals: list[str] = []

    def sync(self) -> None:
        if self.in_git is None:
            return
        try:
            self.generations.append(
                self._client.apply(self.in_git, field_manager=TOOL, force=False)["metadata"]["generation"]
            )
        except ApiError as error:
            self.refusals.append(error.message)


class Reader:
    """Reads every version of the object that it can catch, in all ways."""

    def __init__(self, client: Client, path: str) -> None:
        self._client, self._path = client, path
        self._argo, self._flux = Argo(FOLDER, "LuaJIT"), Flux(EXPRESSIONS)
        self.seen: list[tuple[str, str, str, str]] = []
        """Readings of kstatus, Flux, kubectl and Argo CD, as they changed."""

    def look(self) -> None:
        item = self._client.find(self._path)
        if item is not None:
            reading = (
                STANDS[kstatus.status_of(item)],
                STANDS[self._flux.status_of(item)],
                kubectl.two_way(item),
                self._argo.health_of(item).status,
            )
            if self.seen[-1:] != [reading]:
                self.seen.append(reading)


@contextmanager
def again_and_again(job: Callable[[], None]) -> Iterator[None]:
    """Do it every moment in a thread of its own; what it raises is raised at the end."""
    done, failures = threading.Event(), []

    def loop() -> None:
        while not done.wait(EVERY):
            try:
                job()
            except Exception as error:  # noqa: BLE001 - handed over to the test
                failures.append(error)
                return

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    assert not failures, failures[0]


@pytest.fixture
def tool(control_plane: ControlPlane, namespace: str) -> Iterator[Tool]:
    with Client(control_plane.kubeconfig, user_agent=TOOL) as client:
        yield Tool(client, in_git(namespace))


def test_a_whole_life_under_a_tool_that_never_stops(operator, runai: Simulator, workloads: Workloads, tool, namespace):
    """One POST, one PUT for the one edit, one DELETE, and no look at what runs; no conflict, and no write by anybody
    that Git did not ask for."""
    tool.sync()
    reader = Reader(workloads.client, workloads.path("train"))
    with again_and_again(tool.sync), again_and_again(reader.look):
        workloads.wait_condition("train", "Ready", "True", reason="Running")
        tool.in_git = in_git(namespace, priority="high")
        workloads.wait("train", lambda item: item["metadata"]["generation"] == 2)
        workloads.wait_condition("train", "Ready", "True", reason="Running")
        written, reads = workloads.get("train")["metadata"]["resourceVersion"], runai.calls("GET")
        syncs = len(tool.generations)
        item = workloads.wait("train", lambda _: len(tool.generations) > syncs + 20)
        assert (item["metadata"]["resourceVersion"], runai.calls("GET")) == (written, reads)
        tool.in_git = None
        workloads.delete("train")
        workloads.wait_gone("train")

    assert tool.refusals == []
    assert set(tool.generations) == {1, 2}
    assert (runai.calls("POST"), runai.calls("PUT"), runai.calls("DELETE")) == (1, 1, 1)
    assert runai.live() == []
    assert [entry for entry in reader.seen if len(set(entry[:3])) > 1] == []
    health = [entry[3] for entry in reader.seen]
    assert [status for status in health if status not in {"Progressing", "Healthy"}] == []
    assert health[0] == health[-1] == "Progressing"
    assert health.count("Healthy") >= 1


def test_what_was_deleted_by_hand_comes_back_as_one(operator, runai: Simulator, workloads: Workloads, tool):
    tool.sync()
    first = workloads.wait_id("train")
    with again_and_again(tool.sync):
        workloads.delete("train")
        item = workloads.wait("train", lambda found: found["status"].get("workloadId") not in (None, first))

    assert tool.refusals == []
    assert [entry["id"] for entry in runai.live()] == [item["status"]["workloadId"]]


def test_a_change_of_what_cannot_change_is_refused_and_the_workload_runs_on(
    operator, runai: Simulator, workloads: Workloads, tool, namespace
):
    tool.sync()
    workloads.wait_condition("train", "Ready", "True")
    tool.in_git = in_git(namespace, projectName="team-b")
    tool.sync()

    assert len(tool.refusals) == 1
    assert "projectName" in tool.refusals[0]
    assert "recreatePolicy" in tool.refusals[0]
    assert (runai.calls("PUT"), runai.calls("DELETE")) == (0, 0)

    tool.in_git = in_git(namespace)
    tool.sync()

    assert tool.generations == [1, 1]
    assert workloads.wait_condition("train", "Ready", "True")


def test_argo_cds_actions_reach_the_operator(operator, runai: Simulator, workloads: Workloads, tool, namespace):
    argo, client = Argo(FOLDER, "LuaJIT"), workloads.client
    tool.sync()
    workloads.wait_condition("train", "Ready", "True", reason="Running")
    act(client, argo, "pause", in_git(namespace))
    paused = workloads.wait_condition("train", "Ready", "True", reason="Paused")

    assert argo.health_of(paused).status == "Suspended"

    tool.in_git = in_git(namespace, priority="high")
    tool.sync()
    held = workloads.wait_condition("train", "Stalled", "True", reason="Paused")

    assert argo.health_of(held).status == "Suspended"
    assert runai.calls("PUT") == 0

    act(client, argo, "resume", in_git(namespace))
    resumed = workloads.wait_condition("train", "Ready", "True", reason="Running")

    assert argo.health_of(resumed).status == "Healthy"
    assert runai.calls("PUT") == 1

    act(client, argo, "refresh", in_git(namespace))
    workloads.wait("train", lambda item: item["status"].get("lastHandledReconcileAt") == "2026-06-01T12:00:00Z")

    assert runai.calls("PUT") == 1
    assert tool.refusals == []
