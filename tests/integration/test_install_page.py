"""The commands of docs/install.md do what the page says: they are run as they stand, on a real API server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import certifi
import pytest

from controlplane import ControlPlane
from controlplane.binaries import require
from controlplane.server import quiet_environment
from installation import CRD, remove_installations
from runai_operator import __version__

pytestmark = pytest.mark.installation

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "install.md").read_text()
NEEDS_PODS = "<!-- needs running pods -->\n"
WAITS_FOR_PODS = re.compile(r"kubectl rollout status |helm test |kubectl delete runaiworkloads ")
CHART = "deploy/helm/runai-operator"
OCI = f"oci://ghcr.io/runai-operator/charts/runai-operator --version {__version__}"
NAMESPACES = ("runai-operator", "team-a", "team-b")


@dataclass(frozen=True)
class Block:
    """One block of commands, and whether it can only be run where pods do."""

    section: str
    commands: str
    needs_pods: bool


def blocks() -> list[Block]:
    """All blocks of commands on the page, with the heading that they stand under."""
    sections = [section.partition("\n") for section in re.split(r"^#+ ", PAGE, flags=re.MULTILINE)[1:]]
    return [
        Block(title, match[2], match[1] is not None)
        for title, _, text in sections
        for match in re.finditer(rf"({re.escape(NEEDS_PODS)})?```sh\n(.*?)```", text, re.DOTALL)
    ]


BLOCKS = blocks()


def runnable(section: str, *numbers: int) -> list[str]:
    """The blocks of a section that need no pods; all of them, or those with these numbers."""
    here = [block.commands for block in BLOCKS if block.section == section and not block.needs_pods]
    return [here[number] for number in numbers] if numbers else here


START = runnable("Install")
SCENARIOS = {
    "with Helm, until it is gone": [
        *START,
        *runnable("With Helm"),
        *runnable("Upgrade with Helm"),
        *runnable("Private certificates, proxies, mirrors"),
        *runnable("Several teams"),
        *runnable("OpenShift"),
        *runnable("Uninstall with Helm"),
    ],
    "with kubectl, until it is gone": [*START, *runnable("With kubectl"), *runnable("Uninstall with kubectl")],
    "for single namespaces with Helm": [*START, *runnable("For single namespaces", 0, 1)],
    "for single namespaces with kubectl": [
        *START,
        "kubectl create namespace team-a",
        *runnable("For single namespaces", 0, 2),
    ],
    "Helm takes over the CRD": [*START, *runnable("For single namespaces", 0), *runnable("From kubectl to Helm", 0)],
    "Helm finds its marks on the CRD": [
        *START,
        *runnable("For single namespaces", 0),
        *runnable("From kubectl to Helm", 1),
        *runnable("With Helm"),
    ],
    "a whole installation moves to Helm": [
        *START,
        *runnable("With kubectl"),
        *runnable("From kubectl to Helm", 2, 0),
        *runnable("Upgrade with Helm"),
    ],
}
CRD_IS_GONE_AFTER = {"with Helm, until it is gone"}


@pytest.fixture(scope="module")
def shared_plane() -> Iterator[ControlPlane]:
    with ControlPlane() as plane:
        plane.start_controller_manager()
        yield plane


@pytest.fixture
def plane(shared_plane: ControlPlane) -> Iterator[ControlPlane]:
    yield shared_plane
    remove_installations(shared_plane)
    paths = [f"/api/v1/namespaces/{name}" for name in NAMESPACES]
    for path in [path for path in paths if shared_plane.client.find(path)]:
        shared_plane.client.delete(path)
    for path in paths:
        shared_plane.client.wait_gone(path)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What a user has in front of them: the repository, and a certificate of their own."""
    for folder in ("deploy", "crds"):
        shutil.copytree(ROOT / folder, tmp_path / "checkout" / folder)
    shutil.copy(certifi.where(), tmp_path / "checkout" / "ca.crt")
    return tmp_path / "checkout"


@pytest.fixture
def environment(plane: ControlPlane, tmp_path: Path) -> dict[str, str]:
    """kubectl and helm on the PATH, and the control plane as the current cluster."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("kubectl", "helm"):
        (programs / name).symlink_to(require(name))
    return {
        **quiet_environment(tmp_path),
        "PATH": f"{programs}{os.pathsep}{os.defpath}",
        "KUBECONFIG": str(plane.kubeconfig),
    }


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_commands_work_one_after_the_other(plane: ControlPlane, environment, checkout, name):
    for commands in SCENARIOS[name]:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=checkout,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{commands}\n{done.stderr}"

    assert (plane.client.find(CRD) is None) == (name in CRD_IS_GONE_AFTER)


def test_every_block_is_run_or_needs_pods():
    run = {commands for scenario in SCENARIOS.values() for commands in scenario}

    assert [block.commands for block in BLOCKS if not block.needs_pods and block.commands not in run] == []
    for block in BLOCKS:
        lines = block.commands.splitlines()
        assert all(WAITS_FOR_PODS.match(line) for line in lines) == block.needs_pods, block.commands


def test_the_chart_has_the_same_commands():
    """With its address in a registry in place of its folder: who reads it may have nothing else."""
    page = (ROOT / "deploy" / "helm" / "runai-operator" / "README.md").read_text()

    for commands in (*START, *runnable("With Helm")):
        assert commands.replace(f" {CHART} ", f" {OCI} ") in page
