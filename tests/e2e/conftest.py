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


def give_up(reason: str) -> None:
    (pytest.fail if os.environ.get("E2E") == "1" else pytest.skip)(reason)


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Any:
    """pytest-kind's cluster, with our image in it. Needs kind, kubectl and helm on the PATH."""
    if not has_engine():
        give_up("no Docker engine answers; kind needs one")
    missing = [program for program in ("kind", "kubectl", "helm") if not shutil.which(program)]
    if missing:
        give_up(f"not on the PATH: {', '.join(missing)}")
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


@pytest.fixture(scope="session", params=["kubectl", "helm"])
def way(request: pytest.FixtureRequest) -> str:
    """How the operator is installed: every test runs once for each."""
    return str(request.param)


@pytest.fixture(scope="session")
def installed(way: str, cluster: Any, runai: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The operator, by the same files that users apply, pointed at the simulator, where `restricted` is enforced."""
    cluster.kubectl("create", "namespace", NAMESPACE)
    cluster.kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    literals = [f"--from-literal=clientId={CLIENT_ID}", f"--from-literal=clientSecret={CLIENT_SECRET}"]
    cluster.kubectl("create", "secret", "generic", "runai-credentials", "--namespace", NAMESPACE, *literals)
    if way == "helm":
        install_with_helm(cluster, runai)
    else:
        install_with_kubectl(cluster, runai, tmp_path_factory.mktemp("overlay"))
    cluster.kubectl("rollout", "status", "deployment/runai-operator", "--namespace", NAMESPACE, "--timeout=180s")
    yield cluster
    cluster.kubectl("delete", "crd", "runaiworkloads.bridge.run.ai")
    if way == "helm":
        helm(cluster, "uninstall", "runai-operator")
    else:
        cluster.kubectl("delete", "-k", str(ROOT / "deploy" / "kustomize" / "base"), "--ignore-not-found")
    cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")


def install_with_kubectl(cluster: Any, runai: Simulator, overlay: Path) -> None:
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
    cluster.kubectl("apply", "--server-side", "-k", str(overlay / "deploy" / "kustomize"))


def install_with_helm(cluster: Any, runai: Simulator) -> None:
    values = {
        "runai.baseUrl": runai.url,
        "runai.allowHttp": "true",
        "runai.existingSecret": "runai-credentials",
        "operator.deltaInterval": "1s",
        "operator.gracePeriod": "3s",
    }
    sets = [f"--set={name}={value}" for name, value in values.items()]
    helm(cluster, "install", "runai-operator", str(ROOT / "deploy" / "helm" / "runai-operator"), "--wait", *sets)


def helm(cluster: Any, *arguments: str) -> str:
    command = ["helm", *arguments, f"--namespace={NAMESPACE}", f"--kubeconfig={cluster.kubeconfig_path}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=True).stdout


@pytest.fixture
def workloads(installed: Any) -> Workloads:
    return Workloads(Client(Path(installed.kubeconfig_path)), "default")
