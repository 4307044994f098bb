"""The real Helm, kept away from the user's own configuration."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from controlplane import ControlPlane
from controlplane.binaries import require
from controlplane.server import quiet_environment
from installation.objects import CREDENTIALS, Installed, Object, make_namespace, only

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "runai-operator"
RELEASE = "runai-operator"
MINIMAL = {"runai": {"baseUrl": "https://example.run.ai", "existingSecret": CREDENTIALS}}
GUARD_SECONDS = 120


class HelmFailed(Exception):
    """Helm ended with an error; the message is what it said."""


class Helm:
    """Helm with or without a cluster, for one release of one chart in one namespace."""

    def __init__(
        self,
        plane: ControlPlane | None = None,
        *,
        namespace: str = RELEASE,
        release: str = RELEASE,
        chart: Path = CHART,
    ) -> None:
        self.plane, self.namespace, self.release, self.chart = plane, namespace, release, chart

    def run(self, *arguments: str, values: Mapping[str, Any] | None = None) -> str:
        """One command; its output. Raises `HelmFailed`."""
        with TemporaryDirectory(prefix="helm-") as home:
            command = [str(require("helm")), *arguments, f"--namespace={self.namespace}"]
            if self.plane is not None:
                command.append(f"--kubeconfig={self.plane.kubeconfig}")
            if values is not None:
                file = Path(home, "values.yaml")
                file.write_text(yaml.safe_dump(dict(values)))
                command.append(f"--values={file}")
            environment = quiet_environment(Path(home))
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=GUARD_SECONDS, check=False
            )
        if done.returncode:
            raise HelmFailed(done.stderr)
        return done.stdout

    def template(self, values: Mapping[str, Any] = MINIMAL, *flags: str) -> str:
        """What the chart renders to, as text."""
        return self.run("template", self.release, str(self.chart), *flags, values=values)

    def objects(self, values: Mapping[str, Any] = MINIMAL, *flags: str) -> list[Object]:
        """What the chart renders to, as objects."""
        return [item for item in yaml.safe_load_all(self.template(values, *flags)) if item]

    def install(self, *flags: str, values: Mapping[str, Any] = MINIMAL) -> str:
        return self.run("install", self.release, str(self.chart), *flags, values=values)

    def upgrade(self, *flags: str, values: Mapping[str, Any] = MINIMAL) -> str:
        return self.run("upgrade", self.release, str(self.chart), *flags, values=values)

    def uninstall(self, *flags: str) -> str:
        return self.run("uninstall", self.release, *flags)


def install_chart(
    plane: ControlPlane,
    namespace: str = RELEASE,
    *,
    release: str = RELEASE,
    values: Mapping[str, Any] = MINIMAL,
) -> Installed:
    """Install the chart into a new namespace and tell as whom the operator runs there; pods do not start.

    `values` must hold what is required (see `MINIMAL`). Namespaces to watch must exist.
    """
    make_namespace(plane, namespace)
    helm = Helm(plane, namespace=namespace, release=release)
    helm.install(values=values)
    deployment = only(helm.objects(values), "Deployment")
    return Installed(namespace, deployment["spec"]["template"]["spec"]["serviceAccountName"])
