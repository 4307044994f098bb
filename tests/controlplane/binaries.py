"""Find the control plane's programs, and fetch what is missing.

Searched in this order: the folder that KUBEBUILDER_ASSETS names; our cache; for kubectl and helm the PATH. What is in
none of them is downloaded (`download`) or built with Go (`gobuild`) into the cache, by `prepare` only: a test finds its
programs at once or fails with a sentence.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Collection, Iterator
from pathlib import Path

from rich.console import Console

from controlplane import download, gobuild
from controlplane.errors import BinaryMissing, Unreachable

KUBERNETES_SERIES = gobuild.PROGRAMS["kube-apiserver"].version.removeprefix("v").rpartition(".")[0]
"""Major and minor of the pinned Kubernetes, such as `1.37`."""

ON_PATH = {
    "kubectl": (("version", "--client"), f"v{KUBERNETES_SERIES}."),
    "helm": (("version", "--short"), "v4."),
}
"""Which programs of the user's own will do, how they tell their version and how that must begin."""


def cache() -> Path:
    """Return the folder that downloads and builds for this machine go to."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "runai-operator" / "controlplane" / "-".join(this_machine())


def this_machine() -> tuple[str, str]:
    """Return operating system and architecture in Go's words."""
    machine = platform.machine().lower()
    return platform.system().lower(), {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def locate(name: str) -> Path | None:
    """Return the path of a program that is on this machine, or None."""
    program = gobuild.PROGRAMS[name]
    places = [cache() / program.folder / name, *cache().glob(f"envtest-v{KUBERNETES_SERIES}.*/{name}")]
    if assets := os.environ.get("KUBEBUILDER_ASSETS"):
        places.insert(0, Path(assets, name))
    return next((place for place in places if os.access(place, os.X_OK)), None) or _on_path(name)


def require(name: str) -> Path:
    """Return the path of a program. Raises `BinaryMissing`."""
    path = locate(name)
    if path is None:
        raise BinaryMissing(f"{name} is not here yet. Run: make binaries (or python -m controlplane prepare {name})")
    return path


def prepare(
    names: Collection[str] = gobuild.CONTROL_PLANE, *, index_url: str | None = None, console: Console | None = None
) -> dict[str, Path]:
    """Fetch the programs that are missing, showing progress; return where each is. Safe to run side by side.

    `index_url` names the list of releases to download from; the default is ENVTEST_INDEX_URL or the official one.
    Raises `BinaryMissing`.
    """
    console = console or Console(stderr=True, soft_wrap=True, highlight=False)
    index_url = index_url or os.environ.get("ENVTEST_INDEX_URL") or download.INDEX_URL
    if any(locate(name) is None for name in names):
        with _alone(console):
            _fetch([name for name in names if locate(name) is None], index_url, console)
    return {name: require(name) for name in names}


def _fetch(missing: list[str], index_url: str, console: Console) -> None:
    tried = ""
    if not set(missing).isdisjoint(download.PROGRAMS):
        try:
            download.fetch(cache(), KUBERNETES_SERIES, this_machine(), index_url, console)
        except Unreachable as error:
            tried = f"downloaded ({error}) nor "
            console.print(f"Not downloaded: {error}")
    for program in (gobuild.PROGRAMS[name] for name in missing if locate(name) is None):
        if shutil.which("go") is None:
            raise BinaryMissing(
                f"{program.name} can {'neither' if tried else 'not'} be {tried}built (there is no Go on the PATH): "
                "install Go 1.26 or newer from https://go.dev/dl, or allow access to github.com, "
                f"or set KUBEBUILDER_ASSETS to a folder that holds {program.name}"
            )
        gobuild.build(program, cache() / program.folder / program.name, console)


@contextlib.contextmanager
def _alone(console: Console) -> Iterator[None]:
    """Hold the cache's lock, which the system releases even if this process is killed."""
    cache().mkdir(parents=True, exist_ok=True)
    with Path(cache(), ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.print("Another process is fetching the control plane's programs; waiting for it ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _on_path(name: str) -> Path | None:
    path = shutil.which(name) if name in ON_PATH else None
    if path is None:
        return None
    arguments, wanted = ON_PATH[name]
    told = subprocess.run([path, *arguments], capture_output=True, text=True, check=False).stdout
    return Path(path) if re.search(rf"(?<![\w.]){re.escape(wanted)}", told) else None
