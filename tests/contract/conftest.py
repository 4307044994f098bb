"""A simulator in this process, on a real socket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from runai_simulator.app import Simulator
from runai_simulator.server import RunningSimulator
from runai_simulator.switches import Switches

QUICK = {"list_lag": 0.0, "sync_time": 0.02, "phase_time": 0.02, "run_time": 0.1, "delete_time": 0.1}


class Api:
    """The simulator, and a client that has a token."""

    def __init__(self, running: RunningSimulator) -> None:
        self.simulator, self.url = running.simulator, running.url
        self.http = httpx.Client(base_url=running.url, trust_env=False, timeout=10)
        self.log_in()

    def log_in(self) -> None:
        form = {"grant_type": "client_credentials", "client_id": "a", "client_secret": "b"}
        token = self.http.post("/api/v2/token", data=form).json()["access_token"]
        self.http.headers["Authorization"] = f"Bearer {token}"

    def switch(self, **values: Any) -> None:
        answer = self.http.post("/_admin/switches", json=values)
        assert answer.status_code == 200, answer.text

    def fault(self, **rule: Any) -> None:
        answer = self.http.post("/_admin/faults", json=rule)
        assert answer.status_code == 200, answer.text

    def create(self, name: str = "train", *, manifest: Any = None, **metadata: Any) -> httpx.Response:
        made = manifest or {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {}}
        body = {"metadata": {"name": name, "projectId": "1", **metadata}, "manifest": made}
        return self.http.post("/api/v2/workloads", json=body)

    def created(self, name: str = "train", **more: Any) -> str:
        answer = self.create(name, **more)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["metadata"]["id"])

    def read(self, workload_id: str) -> httpx.Response:
        return self.http.get(f"/api/v2/workloads/{workload_id}")

    def rows(self, **query: Any) -> list[dict[str, Any]]:
        answer = self.http.get("/api/v1/workloads", params=query)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["workloads"]
        return found


@pytest.fixture
def api() -> Iterator[Api]:
    with RunningSimulator(Simulator(Switches().changed(QUICK))) as running:
        made = Api(running)
        yield made
        made.http.close()
