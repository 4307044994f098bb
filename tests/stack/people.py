"""Somebody who uses Run:ai without any of this."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Self

import httpx

from stack.workloads import Object, manifest_of

HANG_GUARD = 600.0
STAYS = {"simulator.run.ai/end": "Running"}
"""Annotation of what does not complete."""


class People:
    """Submits to the simulator by its API; a context manager."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, trust_env=False, timeout=60)

    def __enter__(self) -> Self:
        form = {"grant_type": "client_credentials", "client_id": "somebody", "client_secret": "else"}
        token = self.http.post("/api/v2/token", data=form).json()["access_token"]
        self.http.headers["Authorization"] = f"Bearer {token}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()

    def submit(self, name: str, manifest: Object | None = None, *, project: str = "1", **metadata: str) -> str:
        """The id of a new workload; without a manifest it is a Job that goes on running."""
        body = {"metadata": {"name": name, "projectId": project, **metadata}}
        answer = self.http.post("/api/v2/workloads", json=body | {"manifest": manifest or manifest_of("Job", **STAYS)})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["metadata"]["id"])

    def rows(self) -> list[Object]:
        shown: list[Object] = self.http.get("/api/v1/workloads", params={"limit": 500}).json()["workloads"]
        return shown

    def shown(self, workload_id: str) -> Object:
        """As V2 shows it."""
        shown: Any = self.http.get(f"/api/v2/workloads/{workload_id}").json()["workload"]
        return dict(shown)

    def wait_until_listed(self, count: int, phase: str = "Running") -> None:
        """Until the list has so many in that phase."""
        deadline = time.monotonic() + HANG_GUARD
        while sum(row["phase"] == phase for row in self.rows()) < count:
            assert time.monotonic() < deadline, [row["phase"] for row in self.rows()]
            time.sleep(0.3)
