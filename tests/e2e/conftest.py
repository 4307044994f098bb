"""A kind cluster with the built image and what `deploy/` installs; nothing is downloaded unless a Docker engine answers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controlplane import Client
from stack import QUICK, Simulator, Workloads
from stack.processes import CLIENT_ID, CLIENT_SECRET

ROOT = Path(__file__).parents[2]
IMAGE = "ghcr.io/runai-operator/runai-operator:0.1.0"
NAMESPACE = "runai-operator"


def docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=1200, check=True)


def has_engine() -> bool:
    """The client alone does not count: the engine must answer."""
    if not shutil.which("docker"):
        return False
    answer = subprocess.run(
        ["docker", "version", "--format", "{{.Server.Version}}"], capture_output=True, timeout=30, check=False
    )
    return answer.returncode == 0


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Any:
    """pytest-kind's cluster, with our image and the operator installed. Needs kind and kubectl on the PATH."""
    if not has_engine():
        (pytest.fail if os.environ.get("E2E") == "1" else pytest.skip)("no Docker engine answers; kind needs one")
    missing = [program for program in ("kind", "kubectl") if not shutil.which(program)]
    if missing:
        (pytest.fail if os.environ.get("E2E") == "1" else pytest.skip)(f"not on the PATH: {', '.join(missing)}")
    request.config.option.kind_bin = shutil.which("kind")
    request.config.option.kind_kubectl_bin = shutil.which("kubectl")
    docker("build", "--tag", IMAGE, str(ROOT))
    running = request.getfixturevalue("kind_cluster")
    running.load_docker_image(IMAGE)
    return running


@pytest.fixture(scope="session")
def runai(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """The simulator on this machine, at an address that pods reach."""
    del cluster
    network = json.loads(docker("network", "inspect", "kind").stdout)[0]
    gateway = next(entry["Gateway"] for entry in network["IPAM"]["Config"] if ":" not in entry["Gateway"])
    with Simulator(tmp_path_factory.mktemp("simulator"), host=gateway, **QUICK) as running:
        yield running


@pytest.fixture(scope="session")
def installed(cluster: Any, runai: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The operator, by the same files that users apply, pointed at the simulator."""
    overlay = tmp_path_factory.mktemp("overlay")
    shutil.copytree(ROOT / "deploy", overlay / "deploy")
    shutil.copytree(ROOT / "crds", overlay / "crds")
    settings = {
        "RUNAI_BASE_URL": runai.url,
        "RUNAI_ALLOW_HTTP": "true",
        "OPERATOR_DELTA_INTERVAL": "1s",
        "OPERATOR_GRACE_PERIOD": "3s",
    }
    text = "".join(f"{name}={value}\n" for name, value in settings.items())
    (overlay / "deploy" / "kustomize" / "base" / "settings.env").write_text(text)
    cluster.kubectl("create", "namespace", NAMESPACE)
    literals = [f"--from-literal=clientId={CLIENT_ID}", f"--from-literal=clientSecret={CLIENT_SECRET}"]
    cluster.kubectl("create", "secret", "generic", "runai-credentials", "--namespace", NAMESPACE, *literals)
    cluster.kubectl("apply", "--server-side", "-k", str(overlay / "deploy" / "kustomize"))
    cluster.kubectl("rollout", "status", "deployment/runai-operator", "--namespace", NAMESPACE, "--timeout=180s")
    return cluster


@pytest.fixture
def workloads(installed: Any) -> Workloads:
    return Workloads(Client(Path(installed.kubeconfig_path)), "default")
