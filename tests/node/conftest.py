"""A cluster where pods run, with the images that the Dockerfile makes, and what `deploy/` installs.

It is the node of `make test-node`, or kind where a Docker engine answers; nothing is prepared or pulled elsewhere.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from controlplane import locate
from image import NAMES
from image.engines import Docker
from node.cluster import FIGURES, NAMESPACE, Cluster, RunaiInCluster
from node.installing import CREATE_NAMESPACE, INSTALL, remove
from node.machine import Node, inside
from stack import QUICK, Workloads

ROOT = Path(__file__).parents[2]
STATE = f"""
kubectl get pods --all-namespaces --output wide
kubectl get events --all-namespaces --sort-by .lastTimestamp | tail -30
kubectl logs deployment/runai-operator --namespace {NAMESPACE} --tail 40
"""


def docker(*arguments: str) -> None:
    subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=1200, check=True)


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    directory = tmp_path_factory.mktemp("cluster")
    if inside():
        with Node(
            Path(os.environ["NODE_WORK"], "node"), map(Path, os.environ["NODE_IMAGES"].split(os.pathsep))
        ) as node:
            yield from connected(node.kubeconfig, directory, node)
        return
    missing = [program for program in ("kubectl", "helm") if locate(program) is None]
    missing += [] if shutil.which("kind") else ["kind"]
    answers = Docker.answers()
    if not answers or missing:
        lack = f"not here: {', '.join(missing)}" if answers else "no Docker engine answers; kind needs one"
        reason = f"no pods can run here ({lack}): make test-node makes a node of its own, on Linux and as root"
        (pytest.fail if os.environ.get("E2E") == "1" else pytest.skip)(reason)
    request.config.option.kind_bin = shutil.which("kind")
    request.config.option.kind_kubectl_bin = str(locate("kubectl"))
    kind = request.getfixturevalue("kind_cluster")
    for target, name in NAMES.items():
        docker("build", "--tag", name, "--target", target, str(ROOT))
        kind.load_docker_image(name)
    yield from connected(Path(kind.kubeconfig_path), directory)


def connected(kubeconfig: Path, directory: Path, node: Node | None = None) -> Iterator[Cluster]:
    found = Cluster(kubeconfig, directory, node)
    yield found
    found.client.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if FIGURES:
        terminalreporter.section("measured")
        terminalreporter.write_line("\n".join(FIGURES))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With a failure, what the cluster looks like."""
    report = yield
    found = getattr(item, "funcargs", {}).get("cluster")
    if report.failed and isinstance(found, Cluster):
        report.sections.append(("cluster", found.sh(STATE, check=False)))
    return report


@pytest.fixture(scope="session")
def node(cluster: Cluster) -> Node:
    """The machine itself."""
    if cluster.node is None:
        pytest.skip("the machine is kind's: only that of make test-node may be frozen and killed")
    return cluster.node


@pytest.fixture(scope="module")
def runai(cluster: Cluster) -> RunaiInCluster:
    """The simulator as a pod, in a hurry; the page about trying it removes it at its end."""
    cluster.sh("kubectl apply --server-side -k deploy/simulator")
    cluster.sh("kubectl rollout status deployment/runai-simulator --namespace runai-simulator --timeout 120s")
    running = RunaiInCluster(cluster.client)
    running.switch(**QUICK)
    return running


@pytest.fixture
def workloads(cluster: Cluster) -> Workloads:
    return Workloads(cluster.client, "default")


@pytest.fixture(scope="module")
def install(cluster: Cluster, runai: RunaiInCluster) -> Iterator[Callable[[str], None]]:
    """A function that installs the operator by these commands; afterwards all that is ours is removed."""
    yield lambda commands: print(cluster.sh(CREATE_NAMESPACE + commands))
    remove(cluster)
    runai.heal()


@pytest.fixture(scope="module")
def operator(install: Callable[[str], None]) -> None:
    """The operator, installed with Helm where `restricted` is enforced."""
    install(INSTALL)
