"""What a namespace's RunaiWorkloads went through, change by change."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from controlplane import ControlPlane, binaries
from stack.processes import Process

PARTS = {
    "name": "{.metadata.name}",
    "id": "{.status.workloadId}",
    "sync": "{.status.syncStatus}",
    "phase": "{.status.phase}",
    "stalled": '{.status.conditions[?(@.type=="Stalled")].status}',
    "message": '{.status.conditions[?(@.type=="Ready")].message}',
}


class Feed(Process):
    """A watch that keeps every change in the order of the API server.

    kubectl watches, since Python could not read every object that a tenant may make. What exists already comes first.
    """

    def __init__(self, directory: Path, plane: ControlPlane, namespace: str) -> None:
        self._plane, self._namespace = plane, namespace
        line = "|".join(PARTS.values()) + '{"\\n"}'
        command = [str(binaries.require("kubectl")), f"--kubeconfig={plane.kubeconfig}", "get", "runaiworkloads"]
        command += [f"--namespace={namespace}", "--watch", f"--output=jsonpath={line}"]
        super().__init__(command, env={}, log=directory / "feed.log")

    def start(self) -> Self:
        super().start()
        self.wait_until("watch", self._is_watching)
        return self

    def changes(self) -> list[dict[str, str]]:
        """The `PARTS` of an object after each change; what it lacks is empty."""
        whole, _, _unfinished = self.output().rpartition("\n")
        return [dict(zip(PARTS, line.split("|", len(PARTS) - 1), strict=True)) for line in whole.splitlines()]

    def _is_watching(self) -> bool:
        return any(
            event["verb"] == "watch"
            and event["userAgent"].startswith("kubectl")
            and (event.get("objectRef") or {}).get("namespace") == self._namespace
            for event in self._plane.audit_events(self._namespace)
        )
