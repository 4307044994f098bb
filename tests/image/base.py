"""A base image out of Debian packages, for machines that cannot pull one: docker.io/library/python in all that we need.

Linux and root only. The builder's copy trusts what this machine trusts, so that it reaches the package index through the
same gateways; the runtime's copy does not.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from pathlib import Path

from image.engines import Buildah, ImageFailed, run

BUILDER, RUNTIME = "localhost/python-builder", "localhost/python-runtime"
TRUSTED = Path("/etc/ssl/certs/ca-certificates.crt")
SUITE = "trixie"
"""The Debian that has the minor version of Python that the Dockerfile names."""
USELESS = ("var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache/apt", "var/log")
ADAPT = """
set -e
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends python3 python3-venv python-is-python3 python3-pip
rm -f /usr/lib/python3*/EXTERNALLY-MANAGED
# An ordinary pip, which pip itself can remove, in place of Debian's.
python -m pip install -q --ignore-installed --no-cache-dir --root-user-action=ignore \
    --no-index --find-links /usr/share/python-wheels pip
apt-get purge -y -qq --auto-remove python3-pip
apt-get clean
"""


def make(buildah: Buildah, folder: Path) -> None:
    """Make both images, once: about four minutes. Raises `ImageFailed`."""
    if buildah.has(BUILDER) and buildah.has(RUNTIME):
        return
    if platform.system() != "Linux" or os.geteuid() != 0 or not shutil.which("debootstrap"):
        raise ImageFailed(
            "The base image cannot be pulled. Name others with BUILDER= and RUNTIME=; or, as root on a Debian or Ubuntu, "
            "install debootstrap, and one is made of packages."
        )
    print("==> Base image, made of Debian packages: about four minutes, only once", file=sys.stderr, flush=True)
    root = folder / "root"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    try:
        suite, mirror = _source()
        run(["debootstrap", "--variant=minbase", "--include=ca-certificates", suite, str(root), mirror])
        policy = root / "usr/sbin/policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n")  # no service is started in there
        policy.chmod(0o755)
        run(["chroot", str(root), "sh", "-c", ADAPT])
        policy.unlink()
        for place in USELESS:
            shutil.rmtree(root / place, ignore_errors=True)
            (root / place).mkdir()
        (root / "etc/resolv.conf").write_text("")
        _commit(buildah, root, RUNTIME)
        shutil.copy(TRUSTED, root / TRUSTED.relative_to("/"))
        _commit(buildah, root, BUILDER, f"SSL_CERT_FILE={TRUSTED}", f"PIP_CERT={TRUSTED}")
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _commit(buildah: Buildah, root: Path, tag: str, *variables: str) -> None:
    container = buildah.run("from", "scratch").strip()
    try:
        buildah.run("add", "--quiet", container, str(root), "/")
        buildah.run("config", "--cmd=python3", *(f"--env={variable}" for variable in variables), container)
        buildah.run("commit", "--quiet", "--format=docker", container, tag)
    finally:
        buildah.run("rm", container)


def _source() -> tuple[str, str]:
    """Suite and mirror: where this machine's own packages come from."""
    listed = run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"])
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)', Path("/etc/os-release").read_text(), re.MULTILINE))
    suite = SUITE if release.get("ID") == "debian" else release.get("VERSION_CODENAME", SUITE)
    return suite, listed.split("\n", 1)[0]
