"""What runs where changes are tested and releases are made: nobody sees it fail before it is needed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from image.build import NAMES
from runai_operator import __version__

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "workflows"
TEXT = (FOLDER / "release.yml").read_text()
RELEASE: dict[str, Any] = yaml.safe_load(TEXT)
JOBS: dict[str, Any] = RELEASE["jobs"]
PAGE = (ROOT / "docs" / "release.md").read_text()


def commands(job: str) -> str:
    return "\n".join(step.get("run", "") for step in JOBS[job]["steps"])


def test_the_linter_has_nothing_to_say():
    """Among other things: every action by its commit, no right too many, nothing of an event in a shell's text."""
    zizmor = Path(sys.executable).with_name("zizmor")
    done = subprocess.run(
        [zizmor, "--quiet", "--offline", ROOT / ".github"], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 0, done.stdout


def test_every_pinned_action_says_its_version_and_is_pinned_alike_everywhere():
    uses = [
        match.groups()
        for path in FOLDER.glob("*.yml")
        for match in re.finditer(r"uses: (\S+)@(\S+)(?: # (v[\d.]+))?$", path.read_text(), re.MULTILINE)
    ]

    assert uses
    assert all(re.fullmatch(r"[0-9a-f]{40}", commit) and version for _, commit, version in uses), uses
    assert len(set(uses)) == len({name for name, _, _ in uses}), "one version of each"


def test_a_release_has_both_images_for_what_the_chart_promises():
    images = {entry["target"]: entry["name"] for entry in JOBS["image"]["strategy"]["matrix"]["include"]}
    chart = yaml.safe_load((ROOT / "deploy" / "helm" / "runai-operator" / "Chart.yaml").read_text())
    (promised,) = yaml.safe_load(chart["annotations"]["artifacthub.io/images"])

    assert {target: f"ghcr.io/runai-operator/{name}:{__version__}" for target, name in images.items()} == NAMES
    assert f"--platform {','.join(promised['platforms'])} " in commands("image")


def test_nothing_is_published_before_it_was_checked_nor_a_chart_before_its_image():
    assert JOBS["check"]["uses"] == "./.github/workflows/ci.yml"
    assert (JOBS["image"]["needs"], JOBS["chart"]["needs"]) == ("check", "image")


@pytest.mark.parametrize(
    ("tag", "code"), [(f"v{__version__}", 0), (__version__, 1), (f"v{__version__}.1", 1), ("v", 1)]
)
def test_a_tag_that_is_not_the_version_of_the_code_publishes_nothing(tag, code, tmp_path):
    (step,) = [step for step in JOBS["image"]["steps"] if step.get("name", "").startswith("Hold the tag")]
    env = os.environ | {"GITHUB_REF_NAME": tag, "GITHUB_ENV": str(tmp_path / "env")}
    shell = ["bash", "-e", "-o", "pipefail", "-c", step["run"]]

    assert subprocess.run(shell, cwd=ROOT, env=env, timeout=60, check=False).returncode == code
    if code == 0:
        assert (tmp_path / "env").read_text() == f"VERSION={__version__}\n"


def test_only_what_publishes_may_write_and_nothing_but_packages_and_their_proofs():
    may_write = {
        name: {right for right, level in job["permissions"].items() if level == "write"} for name, job in JOBS.items()
    }

    assert RELEASE["permissions"] == {}
    publishes = {"packages", "id-token", "attestations"}
    assert may_write == {"check": set(), "image": publishes, "chart": publishes}


def test_what_is_signed_is_a_digest():
    signed = re.findall(r"cosign sign --yes (\S+)", TEXT)

    assert len(signed) == 2
    assert all(name.endswith('@${DIGEST}"') for name in signed)


def test_the_page_names_what_the_workflow_publishes():
    for name in (*NAMES.values(), "oci://ghcr.io/runai-operator/charts/runai-operator", f"refs/tags/v{__version__}"):
        assert name in PAGE
    for flag in ("--sbom=true", "--provenance=mode=max", "--platform linux/amd64,linux/arm64"):
        assert flag in PAGE
        assert flag in commands("image")
