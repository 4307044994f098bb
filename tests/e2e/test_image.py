"""The image builds with buildah, and runs as an unprivileged user; skipped where that cannot be.

Where base images cannot be pulled, `IMAGE_BASE` may name one at hand: a Debian with Python under /usr/local.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]
ENVIRONMENT = {**os.environ, "BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "vfs"}


def give_up(reason: str) -> None:
    (pytest.fail if os.environ.get("E2E") == "1" else pytest.skip)(reason)


def buildah(*arguments: str, timeout: int = 1200) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["buildah", *arguments], capture_output=True, text=True, timeout=timeout, check=False, env=ENVIRONMENT, cwd=ROOT
    )


@pytest.fixture(scope="module")
def image() -> str:
    if not shutil.which("buildah"):
        give_up("buildah is not installed")
    base = os.environ.get("IMAGE_BASE") or pulled_base()
    bases = [f"--build-arg={name}={base}" for name in ("BUILDER", "RUNTIME")]
    built = buildah("build", "--pull=never", *bases, "--tag", "runai-operator-test", ".")
    assert built.returncode == 0, built.stderr[-3000:]
    return "runai-operator-test"


def pulled_base() -> str:
    """The Dockerfile's own base, once it is here; gives up where it cannot be had."""
    base = re.search(r"^ARG RUNTIME=(\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert base is not None
    try:
        pulled = buildah("pull", base[1], timeout=60)
    except subprocess.TimeoutExpired:
        give_up(f"the base image cannot be pulled: {base[1]} did not come within a minute")
    if pulled.returncode:
        give_up(f"the base image cannot be pulled: {base[1]}")
    return base[1]


def test_it_answers_its_version_without_rights(image):
    container = buildah("from", image).stdout.strip()
    try:
        answer = buildah("run", "--user", "65532:65532", container, "--", "runai-operator", "--version")
    finally:
        buildah("rm", container)

    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith("runai-operator ")


def test_no_installer_is_left(image):
    container = buildah("from", image).stdout.strip()
    try:
        found = buildah("run", container, "--", "sh", "-c", "command -v pip pip3 uv gcc cc || true")
        modules = buildah("run", container, "--", "python", "-c", "import pip")
        bundled = buildah("run", container, "--", "python", "-m", "ensurepip", "--version")
    finally:
        buildah("rm", container)

    assert found.stdout.strip() == ""
    assert "No module named" in modules.stderr
    assert "No module named" in bundled.stderr


def test_it_is_what_it_says(image):
    config = json.loads(buildah("inspect", "--type=image", image).stdout)["OCIv1"]["config"]

    assert config["User"] == "65532:65532"
    assert (config["Entrypoint"], config["Cmd"]) == (["runai-operator"], ["run"])
    assert config["Labels"]["org.opencontainers.image.version"]


def test_bad_configuration_is_one_line_and_exit_code_2(image):
    container = buildah("from", image).stdout.strip()
    try:
        answer = buildah("run", "--user", "65532:65532", container, "--", "runai-operator", "run")
    finally:
        buildah("rm", container)

    assert answer.returncode == 2
    assert "RUNAI_BASE_URL" in answer.stderr
    assert "Traceback" not in answer.stderr
