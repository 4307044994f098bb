"""The kustomizations of `deploy/kustomize`, as kubectl builds them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import yaml

from controlplane import ControlPlane
from controlplane.binaries import require
from installation.objects import Installed, Object, make_namespace, only

KUSTOMIZE = Path(__file__).parents[2] / "deploy" / "kustomize"


def build(folder: Path = KUSTOMIZE) -> list[Object]:
    """What `kubectl kustomize` makes of a folder."""
    command = [str(require("kubectl")), "kustomize", str(folder)]
    text = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    return [item for item in yaml.safe_load_all(text) if item]


def install_kustomization(plane: ControlPlane, folder: Path = KUSTOMIZE) -> Installed:
    """Apply a folder and tell as whom the operator runs; pods do not start."""
    deployment = only(build(folder), "Deployment")
    make_namespace(plane, deployment["metadata"]["namespace"])
    plane.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(folder))
    account = deployment["spec"]["template"]["spec"]["serviceAccountName"]
    return Installed(deployment["metadata"]["namespace"], account)
