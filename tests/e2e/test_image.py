"""The image builds with buildah, and runs as an unprivileged user; skipped where that cannot be."""

from __future__ import annotations

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
    base = re.search(r"^ARG RUNTIME=(\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert base is not None
    try:
        pulled = buildah("pull", base[1], timeout=60)
    except subprocess.TimeoutExpired:
        give_up(f"the base image cannot be pulled: {base[1]} did not come within a minute")
    if pulled.returncode:
        give_up(f"the base image cannot be pulled: {base[1]}")
    built = buildah("build", "--tag", "runai-operator-test", ".")
    assert built.returncode == 0, built.stderr[-3000:]
    return "runai-operator-test"


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
        found = buildah("run", container, "--", "sh", "-c", "command -v pip uv gcc cc || true")
    finally:
        buildah("rm", container)

    assert found.stdout.strip() == ""
