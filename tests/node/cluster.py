"""A cluster where pods run, as its administrator sees it: the node of `make test-node`, or kind."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from controlplane import ApiError, Client
from controlplane.binaries import require
from controlplane.client import Object
from controlplane.server import quiet_environment
from node.machine import Node
from stack import Runai

ROOT = Path(__file__).parents[2]
NAMESPACE = "runai-operator"
SIMULATOR = "http://runai-simulator.runai-simulator.svc"
GUARD_SECONDS = 300
ENDPOINT_SECONDS = 60
"""A node that was away counts as such for a moment after it is back, and its pods with it."""
FIGURES: list[str] = []
"""What the tests have measured, shown at the end."""


class CommandFailed(Exception):
    """A command ended with an error; the message is what it said."""


class Cluster:
    """`node` is there where the machine itself may be frozen, killed and started again."""

    def __init__(self, kubeconfig: Path, directory: Path, node: Node | None = None) -> None:
        self.kubeconfig, self.node = kubeconfig, node
        self.client = Client(kubeconfig, timeout=120)
        self._programs = directory / "bin"
        self._programs.mkdir()
        for name in ("kubectl", "helm"):
            (self._programs / name).symlink_to(require(name))
        self.checkout = directory / "checkout"
        for folder in ("deploy", "crds"):
            shutil.copytree(ROOT / folder, self.checkout / folder)

    def sh(self, commands: str, *, check: bool = True, input: str | None = None) -> str:  # noqa: A002 - as in subprocess.run
        """Run commands as a user types them, in a checkout of this repository; their output."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=self.checkout,
            env={
                **quiet_environment(self._programs.parent),
                "PATH": f"{self._programs}{os.pathsep}{os.defpath}",
                "KUBECONFIG": str(self.kubeconfig),
            },
            input=input,
            capture_output=True,
            text=True,
            timeout=GUARD_SECONDS,
            check=False,
        )
        if check and done.returncode:
            raise CommandFailed(f"{commands}\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def pods(self, name: str = "runai-operator", namespace: str = NAMESPACE) -> list[Object]:
        """The pods of an application."""
        selector = f"app.kubernetes.io/name={name}"
        return self.client.list_all(f"/api/v1/namespaces/{namespace}/pods", labelSelector=selector)

    def pod(self) -> Object:
        """The operator's one pod that is ready and stays, once there is one."""
        pods: list[Object] = until("a pod that is ready", self._ready_pods)
        return pods[0]

    def _ready_pods(self) -> list[Object]:
        return [pod for pod in self.pods() if "deletionTimestamp" not in pod["metadata"] and is_ready(pod)]

    def usage(self, namespace: str = NAMESPACE) -> dict[str, float]:
        """Megabytes and seconds of CPU of a namespace's one running pod, as its control group counts them."""
        (node, *_) = self.client.list_all("/api/v1/nodes")
        path = f"/api/v1/nodes/{node['metadata']['name']}/proxy/stats/summary"
        summary = self.client.get(path, only_cpu_and_memory="true")
        (container,) = [
            container
            for pod in summary["pods"]
            if pod["podRef"]["namespace"] == namespace
            for container in pod["containers"]
        ]
        memory, cpu = container["memory"], container["cpu"]
        return {
            "rss": memory["rssBytes"] / 1e6,
            "working set": memory["workingSetBytes"] / 1e6,
            "cpu": cpu["usageCoreNanoSeconds"] / 1e9,
        }


class RunaiInCluster(Runai):
    """The simulator as a pod, spoken to through the API server."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def admin(self, method: str, path: str, json: Any = None) -> Any:
        base = "/api/v1/namespaces/runai-simulator/services/runai-simulator:http/proxy/_admin"
        deadline = time.monotonic() + ENDPOINT_SECONDS
        while True:
            try:
                return self._client.request(method, f"{base}/{path}", body=json)
            except ApiError as error:
                if "no endpoints" not in error.message or time.monotonic() > deadline:
                    raise
            time.sleep(0.1)


def until(what: str, found: Callable[[], Any], *, timeout: float = GUARD_SECONDS) -> Any:
    """The first true answer; fails if there is none in time."""
    deadline = time.monotonic() + timeout
    while not (answer := found()):
        assert time.monotonic() < deadline, f"no {what} after {timeout} s"
        time.sleep(0.1)
    return answer


def is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
