"""A simulator in this process, on a real socket, with a clock that only the test moves; and what to submit to it."""

from __future__ import annotations

import time
from typing import Any, Self

import httpx

from fakes.clock import ManualClock
from runai_simulator.app import Simulator
from runai_simulator.server import RunningSimulator
from runai_simulator.switches import Switches

PACE = {"list_lag": 0.0, "sync_time": 1.0, "phase_time": 10.0, "run_time": 100.0, "delete_time": 5.0}
SYNCED, RUNNING, FINISHED, GONE = 2.0, 32.0, 132.0, 5.0
"""Seconds at that pace from POST to each; to be gone, from DELETE."""


def job(text: str = "", **steering: str) -> dict[str, Any]:
    """A manifest whose content is `text`; `steering` has the annotations by their short names."""
    annotations = {f"simulator.run.ai/{key.replace('_', '-')}": value for key, value in steering.items()}
    metadata = {"annotations": {"team": "blue", **annotations}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"text": text}}


class SimulatedRunai:
    """A new simulator on a running server, which it has to itself, and a client that has a token."""

    def __init__(self, server: RunningSimulator) -> None:
        self.clock = ManualClock(time.time())  # the vendor's client compares the end of its tokens with real time
        self.simulator = server.simulator = Simulator(Switches().changed(PACE), clock=self.clock)
        self.url = server.url
        self.http = httpx.Client(base_url=self.url, trust_env=False, timeout=60)

    def __enter__(self) -> Self:
        self.log_in()
        return self

    def __exit__(self, *failure: object) -> None:
        self.http.close()

    def wait(self, seconds: float) -> None:
        """Time passes for the control plane, and for nobody else."""
        self.clock.now += seconds

    def token(self) -> dict[str, Any]:
        """A new token's answer, from the second endpoint."""
        form = {"grant_type": "client_credentials", "client_id": "a", "client_secret": "b"}
        answer: dict[str, Any] = self.http.post("/api/v2/token", data=form).json()
        return answer

    def log_in(self) -> None:
        self.http.headers["Authorization"] = f"Bearer {self.token()['access_token']}"

    # --- the simulator's own endpoint

    def admin(self, method: str, path: str, /, **values: Any) -> Any:
        """One call, with `values` as its body if there are any."""
        answer = self.http.request(method, f"/_admin/{path}", json=values or None)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def switch(self, **values: Any) -> None:
        self.admin("POST", "switches", **values)

    def fault(self, **rule: Any) -> None:
        self.admin("POST", "faults", **rule)

    # --- the API

    def create(self, name: str = "train", *, manifest: Any = None, **metadata: Any) -> httpx.Response:
        body = {"metadata": {"name": name, "projectId": "1", **metadata}, "manifest": manifest or job()}
        return self.http.post("/api/v2/workloads", json=body)

    def created(self, name: str = "train", **more: Any) -> str:
        answer = self.create(name, **more)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["metadata"]["id"])

    def read(self, workload_id: str) -> httpx.Response:
        return self.http.get(f"/api/v2/workloads/{workload_id}")

    def workload(self, workload_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.read(workload_id).json()["workload"]
        return found

    def sync(self, workload_id: str) -> str:
        return str(self.read(workload_id).json()["syncInfo"]["status"])

    def put(self, workload_id: str, manifest: Any = None, **metadata: Any) -> httpx.Response:
        body = {"metadata": metadata} | ({} if manifest is None else {"manifest": manifest})
        return self.http.put(f"/api/v2/workloads/{workload_id}", json=body)

    def delete(self, workload_id: str) -> httpx.Response:
        return self.http.delete(f"/api/v2/workloads/{workload_id}")

    def rows(self, **query: Any) -> list[dict[str, Any]]:
        answer = self.http.get("/api/v1/workloads", params=query)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["workloads"]
        return found

    def detail(self, workload_id: str) -> httpx.Response:
        return self.http.get(f"/api/v1/workloads/{workload_id}")

    def phase(self, workload_id: str) -> str:
        return str(self.detail(workload_id).json()["phase"])
