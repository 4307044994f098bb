"""What the node consists of, fetched or made once: Debian packages, Kubernetes' programs, images."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

from controlplane import binaries, gobuild
from image import NAMES, build, cache

PACKAGES = {
    "containerd": "containerd",
    "runc": "runc",
    "buildah": "buildah",
    "debootstrap": "debootstrap",
    "nft": "nftables",
    "conntrack": "conntrack",
    "iptables": "iptables",
    "ip": "iproute2",
    "unshare": "util-linux",
}
"""Programs, and the packages that have them."""
POLICY = Path("/usr/sbin/policy-rc.d")
"""What Debian asks before it starts a service."""
PLUGINS = Path("/usr/lib/cni")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PROGRAMS = ("etcd", "kube-apiserver", "kubectl", "kube-controller-manager", "helm", *gobuild.NODE)
PAUSE = "localhost/pause:node"


class NotHere(Exception):
    """This machine cannot run a node; the message says why in one sentence."""


def check() -> None:
    """Raises `NotHere`."""
    wanted = "a node of Kubernetes needs Linux, root, and the right to make namespaces and control groups"
    if platform.system() != "Linux":
        raise NotHere(f"{wanted}: this is {platform.system()}")
    if os.geteuid() != 0:
        raise NotHere(f"{wanted}: this is not root")
    tried = ["unshare", "--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "--mount-proc", "true"]
    if not shutil.which("unshare") or subprocess.run(tried, capture_output=True, check=False).returncode:
        raise NotHere(f"{wanted}: namespaces are refused here")
    if not shutil.which("apt-get") and _missing():
        raise NotHere(
            f"a node of Kubernetes needs {', '.join(_missing())}, which are installed by apt, and there is none here"
        )


def prepare(archives: Path) -> list[Path]:
    """Make everything that is missing; the images to load. Says what takes how long. Raises what the parts raise."""
    with told("Debian packages"):
        _install(_missing())
    with told("programs of Kubernetes"):
        binaries.prepare(PROGRAMS)
    archives.mkdir(parents=True, exist_ok=True)
    made = [_pause(archives / "pause.tar")]
    for target in NAMES:
        with told(f"image of the {target}"):
            made.append(archives / f"runai-{target}.tar")
            build(target, made[-1])
    return made


@contextlib.contextmanager
def told(what: str) -> Iterator[None]:
    """Print how long a step took."""
    started = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - started:.0f} s", flush=True)


def _missing() -> list[str]:
    found = [package for program, package in PACKAGES.items() if not shutil.which(program, path=PATH)]
    return found if (PLUGINS / "ptp").exists() else [*found, "containernetworking-plugins"]


def _install(packages: list[str]) -> None:
    if not packages:
        return
    print(f"Installing with apt: {', '.join(packages)}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with _no_service_starts():
        for command in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
            asked = ["apt-get", "-qq", *command]
            done = subprocess.run(asked, env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                raise NotHere(f"apt-get {command[0]} failed: {done.stderr.strip()[-500:]}")


@contextlib.contextmanager
def _no_service_starts() -> Iterator[None]:
    """While packages are installed: containerd is to run on the node, not on the machine."""
    if POLICY.exists():  # somebody has decided that already
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def _pause(archive: Path) -> Path:
    """The image that holds a pod together: one static program."""
    program = cache() / "pause"
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        command = [
            "go",
            "build",
            "-trimpath",
            "-ldflags=-s -w",
            "-o",
            str(program),
            str(Path(__file__).with_name("pause.go")),
        ]
        subprocess.run(command, env={**os.environ, "CGO_ENABLED": "0"}, check=True)
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        entry = tarfile.TarInfo("pause")
        entry.size, entry.mode = program.stat().st_size, 0o755
        with program.open("rb") as content:
            tar.addfile(entry, content)
    config = {
        "architecture": binaries.this_machine()[1],
        "os": "linux",
        "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer.getvalue()).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [PAUSE], "Layers": ["layer.tar"]}]
    with tarfile.open(archive, "w") as tar:
        for name, data in (
            ("config.json", json.dumps(config).encode()),
            ("layer.tar", layer.getvalue()),
            ("manifest.json", json.dumps(manifest).encode()),
        ):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return archive


def main() -> int:
    """`python -m node.prepare`: install what a node needs, or say why none can run here."""
    try:
        check()
        _install(_missing())
    except NotHere as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
