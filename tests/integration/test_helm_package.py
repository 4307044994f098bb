"""The chart as somebody has it who pulled it from a registry: complete by itself, without the repository that it comes from."""

from __future__ import annotations

import os
import re
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml

from controlplane import ControlPlane
from controlplane.binaries import require
from controlplane.server import quiet_environment
from installation import CHART, MINIMAL, Helm
from runai_operator import __version__

pytestmark = pytest.mark.installation

ROOT = CHART.parents[2]
HOME = "https://github.com/runai-operator/runai-operator"
AT_THE_TAG = f"{HOME}/blob/v{__version__}/"
OCI = "oci://ghcr.io/runai-operator/charts/runai-operator"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart, packaged and unpacked."""
    folder = tmp_path_factory.mktemp("package")
    Helm().run("package", str(CHART), f"--destination={folder}")
    with tarfile.open(folder / f"runai-operator-{__version__}.tgz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "runai-operator"


def test_it_renders_what_the_folder_does(package: Path):
    assert Helm(chart=package).objects() == Helm().objects()


def test_it_carries_its_license(package: Path):
    assert (package / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def test_nothing_in_it_leads_to_a_file_that_only_the_repository_has(package: Path):
    for name in ("README.md", "values.yaml", "values.schema.json", "templates/NOTES.txt", "templates/_checks.tpl"):
        text = re.sub(r"<!--.*?-->", "", (package / name).read_text())
        assert re.findall(r"\]\((?!https://|#)[\w./-]+\)|\.\./|deploy/helm|-k crds/", text) == [], name


def test_its_readme_links_to_pages_of_its_own_version_that_exist(package: Path):
    links = re.findall(r"\]\((https://[^)#]+)", (package / "README.md").read_text())

    assert links
    for link in links:
        assert link.startswith(AT_THE_TAG)
        assert (ROOT / link.removeprefix(AT_THE_TAG)).is_file(), link


def test_its_icon_is_a_file_of_the_version():
    raw = f"https://raw.githubusercontent.com/runai-operator/runai-operator/v{__version__}/"
    icon = yaml.safe_load((CHART / "Chart.yaml").read_text())["icon"]

    assert icon.startswith(raw)
    assert (ROOT / icon.removeprefix(raw)).read_text().startswith("<svg")


def test_what_artifact_hub_shows_can_be_copied():
    """Neither anchors nor aliases, and each example of a kind that the chart installs."""
    annotations = yaml.safe_load((CHART / "Chart.yaml").read_text())["annotations"]
    examples = annotations["artifacthub.io/crdsExamples"]

    assert not re.search(r"(?:^|\s)[&*]id\d", examples)
    assert {item["kind"] for item in yaml.safe_load(examples)} == {"RunaiWorkload"}


def command(text: str, chart: Path) -> str:
    """The line of shell that makes the CustomResourceDefinition, for the chart that is here."""
    found = re.search(r"(?:helm get values .*\| )?helm template(?:.*\\\n)*.*--show-only templates/crds.yaml", text)
    assert found is not None
    return found[0].replace(f"{OCI} --version {__version__}", str(chart)).replace("CHART", str(chart))


def test_without_crds_install_the_definition_still_comes_out_of_it(
    control_plane: ControlPlane, package: Path, namespace
):
    """As its README and its notes say."""
    whole = Helm(chart=package).run("template", "a", str(package), "--show-only=templates/crds.yaml", values=MINIMAL)
    helm = Helm(control_plane, namespace=namespace, chart=package)
    notes = helm.install(values={**MINIMAL, "crds": {"install": False}})
    environment = {**quiet_environment(package), "KUBECONFIG": str(control_plane.kubeconfig)}
    environment["PATH"] = f"{require('helm').parent}{os.pathsep}{environment['PATH']}"
    for text in ((package / "README.md").read_text(), notes):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command(text, package)],
            env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert yaml.safe_load(done.stdout)["spec"] == yaml.safe_load(whole)["spec"]
    helm.uninstall()
